//! Which files a build would have to fetch, before it is begun: what a build without a network lacks.

use vb_fetch::local_path;
use vb_graph::{ActionIndex, Fetch, Graph, Kind};

use crate::{
    builder::Builder,
    error::ExecuteError,
    plan::{Forecast, needed},
};

/// How sure it is that a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// An action reads it that may turn out to be known, once its other inputs are made.
    Possible,
    /// An action reads it that is executed.
    Certain,
}

/// A file that is not in the store, and in no place of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFile {
    /// The action that would fetch it.
    pub action: ActionIndex,
    /// Its name.
    pub file: String,
    /// Is it read for sure?
    pub need: Need,
}

impl Builder {
    /// Lists the files that a build of the goals would have to fetch from elsewhere, in the order of the graph.
    ///
    /// # Errors
    /// [`ExecuteError`] when a source cannot be read.
    pub fn missing(&self, graph: &Graph, goals: &[ActionIndex]) -> Result<Vec<MissingFile>, ExecuteError> {
        let needed = needed(graph, goals);
        let (digests, forecasts) = self.forecast(graph, &needed)?;
        let mut needs: Vec<Option<Need>> = vec![None; graph.len()];
        for index in graph.indices().filter(|index| needed[index.as_usize()]) {
            let need = match (&forecasts[index.as_usize()], &digests[index.as_usize()]) {
                (_, Some(_)) => continue,
                (Forecast::After { .. }, None) => Need::Possible,
                (_, None) => Need::Certain,
            };
            for input in &graph.action(index).inputs {
                let known = &mut needs[input.action.as_usize()];
                *known = (*known).max(Some(need));
            }
        }
        for goal in goals {
            needs[goal.as_usize()] = Some(Need::Certain);
        }
        let missing = |index: ActionIndex| {
            let Kind::Fetch(fetch) = &graph.action(index).kind else { return None };
            let need = needs[index.as_usize()]?;
            let is_there = self.store.fetched_file(&fetch.sha256).is_some() || self.is_on_this_machine(fetch);
            (!is_there).then(|| MissingFile { action: index, file: fetch.file.clone(), need })
        };
        Ok(graph.indices().filter_map(missing).collect())
    }

    fn is_on_this_machine(&self, fetch: &Fetch) -> bool {
        let locations = self.locations.of(&self.fetcher, fetch).unwrap_or_default();
        locations.iter().any(|location| local_path(location).is_some_and(|path| path.is_file()))
    }
}
