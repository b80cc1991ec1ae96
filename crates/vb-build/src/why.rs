//! Why an action was run, or would be: the named parts of its key that differ from those of its last result.

use vb_graph::{ActionIndex, Graph, InputDigest, Kind, Node, Part, PartValue, ResolvedAction};

use crate::{
    builder::Builder,
    check::compare,
    error::{Difference, ExecuteError},
    plan::{Forecast, needed},
};

/// One named part that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The part's name.
    pub part: String,
    /// What it was; `None` when the part was not there.
    pub before: Option<String>,
    /// What it is; `None` when the part is gone.
    pub after: Option<String>,
    /// For an input that is a directory in both: what differs in it.
    pub entries: Vec<Difference>,
}

/// Why one action was run, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The action.
    pub action: ActionIndex,
    /// What would happen to it. Of a hit, the changes are those that made it run the last time; of what would be executed,
    /// those since its last result.
    pub forecast: Forecast,
    /// Is there an earlier result to compare with?
    pub has_earlier: bool,
    /// What differs.
    pub changes: Vec<Change>,
}

impl Builder {
    /// Explains the actions that the goals need, in the order of the graph, without fetches and sources.
    ///
    /// # Errors
    /// [`ExecuteError`] when a source cannot be read.
    pub fn why(&self, graph: &Graph, goals: &[ActionIndex]) -> Result<Vec<Why>, ExecuteError> {
        let needed = needed(graph, goals);
        let (digests, _) = self.forecast(graph, &needed)?;
        let has_key = |index: &ActionIndex| {
            needed[index.as_usize()] && !matches!(graph.action(*index).kind, Kind::Fetch(_) | Kind::Ingest(_))
        };
        graph.indices().filter(has_key).map(|index| self.why_one(graph, index, &digests)).collect()
    }

    fn why_one(&self, graph: &Graph, index: ActionIndex, digests: &[Option<InputDigest>]) -> Result<Why, ExecuteError> {
        let action = graph.action(index);
        let digest = |index: ActionIndex| digests[index.as_usize()].clone();
        if let Some(input) = action.inputs.iter().find(|input| digest(input.action).is_none()) {
            let forecast = Forecast::After { input: graph.provenance(input.action).label.clone() };
            let has_earlier = self.store.latest_action(&graph.provenance(index).label).is_some();
            return Ok(Why { action: index, forecast, has_earlier, changes: vec![] });
        }
        let inputs: Vec<_> = action.inputs.iter().filter_map(|input| digest(input.action)).collect();
        let resolved = action.resolve(&self.put_selected(action, &inputs)?);
        let key = resolved.digest();
        let hit = self.store.action_result(&key).filter(|result| self.store.has_node(&result.output));
        let (forecast, earlier) = match hit {
            Some(result) => (Forecast::Hit, result.previous),
            None => (Forecast::Execute, self.store.latest_action(&graph.provenance(index).label)),
        };
        let earlier = earlier.and_then(|earlier| self.store.action_result(&earlier));
        let changes = match &earlier {
            Some(earlier) => self.changes(&earlier.action, &resolved),
            None => vec![],
        };
        Ok(Why { action: index, forecast, has_earlier: earlier.is_some(), changes })
    }

    fn changes(&self, before: &ResolvedAction, after: &ResolvedAction) -> Vec<Change> {
        let mut changes = Vec::new();
        if before.version != after.version {
            changes.push(Change {
                part: format!("how vb does `{}`", after.kind),
                before: Some(format!("version {}", before.version)),
                after: Some(format!("version {}", after.version)),
                entries: vec![],
            });
        }
        let find = |parts: &[Part], name: &str| parts.iter().find(|part| part.name == name).cloned();
        let gone = before.parts.iter().filter(|part| find(&after.parts, &part.name).is_none());
        for part in after.parts.iter().chain(gone) {
            let (old, new) = (find(&before.parts, &part.name), find(&after.parts, &part.name));
            if old != new {
                changes.push(self.change(&part.name, old.as_ref(), new.as_ref()));
            }
        }
        changes
    }

    fn change(&self, name: &str, before: Option<&Part>, after: Option<&Part>) -> Change {
        let entries = match (before.map(|part| &part.value), after.map(|part| &part.value)) {
            (Some(PartValue::Input(InputDigest::Node(one))), Some(PartValue::Input(InputDigest::Node(other)))) => {
                self.entry_changes(one, other)
            }
            _ => vec![],
        };
        Change { part: name.to_owned(), before: before.map(show), after: after.map(show), entries }
    }

    /// The earlier directory may be gone from the store; then only the digests are told.
    fn entry_changes(&self, before: &Node, after: &Node) -> Vec<Difference> {
        compare(&self.store, before, after).unwrap_or_default()
    }
}

fn show(part: &Part) -> String {
    match &part.value {
        PartValue::Text(text) => text.clone(),
        PartValue::List(texts) => format!("[{}]", texts.join(", ")),
        PartValue::Input(digest) => digest.to_string(),
    }
}
