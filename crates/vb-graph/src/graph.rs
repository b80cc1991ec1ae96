//! The graph of actions: names and edges, nothing read from disk.
//!
//! Invariant: an action's inputs stand before it, so that the graph has no cycle and its order is an execution order.

use std::collections::HashMap;

use crate::{
    action::{Action, Kind},
    selection::Selection,
};

/// The place of an action in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionIndex(usize);

impl ActionIndex {
    /// Returns the place as a number below [`Graph::len`].
    pub fn as_usize(self) -> usize {
        self.0
    }
}

/// One named edge: what an action reads of another's output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    /// The input's name within the action.
    pub name: String,
    /// The action whose output it is.
    pub action: ActionIndex,
    /// The part of the output that is read; `None` for all of it. Only a directory has parts.
    pub selection: Option<Selection>,
}

impl Input {
    /// Makes an edge to the whole output of an action.
    pub fn whole(name: impl Into<String>, action: ActionIndex) -> Self {
        Self { name: name.into(), action, selection: None }
    }
}

/// Where an action came from. It rides beside the action and never enters a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// What the action is called on a screen, unique in the graph: `whois bookworm wheel psycopg2`.
    pub label: String,
    /// The file and line of the recipe that asked for it: `recipes/whois.ncl:4`.
    pub declared_at: Option<String>,
}

/// Actions and their edges.
#[derive(Debug, Default)]
pub struct Graph {
    actions: Vec<Action>,
    provenance: Vec<Provenance>,
    by_action: HashMap<Action, ActionIndex>,
    /// What actions are called that were there already.
    other_labels: Vec<(String, ActionIndex)>,
}

impl Graph {
    /// Adds an action, or finds the equal one that is there; the first provenance stays.
    ///
    /// # Panics
    /// When an input is not in the graph.
    pub fn add(&mut self, kind: Kind, inputs: Vec<Input>, provenance: Provenance) -> ActionIndex {
        assert!(inputs.iter().all(|input| input.action.0 < self.actions.len()), "inputs stand before their action");
        let action = Action { kind, inputs };
        if let Some(index) = self.by_action.get(&action) {
            if self.provenance[index.0].label != provenance.label {
                self.other_labels.push((provenance.label, *index));
            }
            return *index;
        }
        let index = ActionIndex(self.actions.len());
        self.by_action.insert(action.clone(), index);
        self.actions.push(action);
        self.provenance.push(provenance);
        index
    }

    /// Returns how many actions there are.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Is there no action?
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Returns the action at a place.
    pub fn action(&self, index: ActionIndex) -> &Action {
        &self.actions[index.0]
    }

    /// Returns where the action at a place came from.
    pub fn provenance(&self, index: ActionIndex) -> &Provenance {
        &self.provenance[index.0]
    }

    /// Returns all that actions are called; one that was added twice may have two labels.
    pub fn labels(&self) -> impl Iterator<Item = (&str, ActionIndex)> {
        let first = self.indices().map(|index| (self.provenance(index).label.as_str(), index));
        first.chain(self.other_labels.iter().map(|(label, index)| (label.as_str(), *index)))
    }

    /// Returns all places, inputs before the actions that read them.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = ActionIndex> + use<> {
        (0..self.actions.len()).map(ActionIndex)
    }
}
