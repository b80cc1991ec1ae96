//! What a build would do, without doing it. Only sources are read.

use vb_graph::{ActionIndex, Graph, InputDigest, Kind};

use crate::{build::static_digest, builder::Builder, error::ExecuteError, event::How};

/// What would happen to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// Its result is in the cache.
    Hit,
    /// It would be executed.
    Execute,
    /// An input would be made first. It is executed unless that input turns out as it was.
    After {
        /// The label of the first such input.
        input: String,
    },
}

impl Forecast {
    /// Returns the word for it, and the label of what would be made first.
    pub fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Hit => ("hit", None),
            Self::Execute => ("run", None),
            Self::After { input } => ("after", Some(input)),
        }
    }
}

/// One action of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The action.
    pub action: ActionIndex,
    /// What would happen to it.
    pub forecast: Forecast,
}

impl Builder {
    /// Forecasts a build of the goals, in the order of the graph; fetches stand in it when something would read them.
    ///
    /// # Errors
    /// [`ExecuteError`] when a source cannot be read.
    pub fn plan(&self, graph: &Graph, goals: &[ActionIndex]) -> Result<Vec<Planned>, ExecuteError> {
        let needed = needed(graph, goals);
        let (digests, forecasts) = self.forecast(graph, &needed)?;
        let mut is_read = vec![false; graph.len()];
        for index in graph.indices().filter(|index| needed[index.as_usize()] && digests[index.as_usize()].is_none()) {
            graph.action(index).inputs.iter().for_each(|input| is_read[input.action.as_usize()] = true);
        }
        let is_shown = |index: &ActionIndex| {
            let is_fetch = matches!(graph.action(*index).kind, Kind::Fetch(_));
            needed[index.as_usize()] && (!is_fetch || is_read[index.as_usize()])
        };
        let planned = |index: ActionIndex| Planned { action: index, forecast: forecasts[index.as_usize()].clone() };
        Ok(graph.indices().filter(is_shown).map(planned).collect())
    }

    /// Computes what is known of every needed action before anything is executed.
    pub(crate) fn forecast(
        &self,
        graph: &Graph,
        needed: &[bool],
    ) -> Result<(Vec<Option<InputDigest>>, Vec<Forecast>), ExecuteError> {
        let mut digests: Vec<Option<InputDigest>> = graph.indices().map(|index| static_digest(graph, index)).collect();
        let mut forecasts = vec![Forecast::Execute; graph.len()];
        for index in graph.indices().filter(|index| needed[index.as_usize()]) {
            let (digest, forecast) = self.forecast_one(graph, index, &digests)?;
            digests[index.as_usize()] = digest;
            forecasts[index.as_usize()] = forecast;
        }
        Ok((digests, forecasts))
    }

    fn forecast_one(
        &self,
        graph: &Graph,
        index: ActionIndex,
        digests: &[Option<InputDigest>],
    ) -> Result<(Option<InputDigest>, Forecast), ExecuteError> {
        let action = graph.action(index);
        match &action.kind {
            Kind::Fetch(fetch) => {
                let is_there = self.store.fetched_file(&fetch.sha256).is_some();
                let forecast = if is_there { Forecast::Hit } else { Forecast::Execute };
                return Ok((static_digest(graph, index), forecast));
            }
            Kind::Ingest(ingest) => {
                let (node, how) = self.read_source(ingest)?;
                let forecast = if how == How::Hit { Forecast::Hit } else { Forecast::Execute };
                return Ok((Some(InputDigest::Node(node)), forecast));
            }
            _ => {}
        }
        let unknown = action.inputs.iter().find(|input| digests[input.action.as_usize()].is_none());
        if let Some(input) = unknown {
            return Ok((None, Forecast::After { input: graph.provenance(input.action).label.clone() }));
        }
        let inputs: Vec<_> =
            action.inputs.iter().filter_map(|input| digests[input.action.as_usize()].clone()).collect();
        let selected = self.selected_digests(action, &inputs)?;
        Ok(match self.known_output(&action.resolve(&selected).digest()) {
            Some(node) => (Some(InputDigest::Node(node)), Forecast::Hit),
            None => (None, Forecast::Execute),
        })
    }
}

/// Marks what the goals need.
pub(crate) fn needed(graph: &Graph, goals: &[ActionIndex]) -> Vec<bool> {
    let mut needed = vec![false; graph.len()];
    goals.iter().for_each(|goal| needed[goal.as_usize()] = true);
    for index in graph.indices().rev().filter(|index| goals.iter().any(|goal| goal >= index)) {
        if needed[index.as_usize()] {
            graph.action(index).inputs.iter().for_each(|input| needed[input.action.as_usize()] = true);
        }
    }
    needed
}
