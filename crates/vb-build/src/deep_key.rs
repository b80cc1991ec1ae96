//! Deep keys of actions of this machine: sources are read, nothing else.

use vb_graph::{ActionDigest, ActionIndex, Graph};

use crate::{builder::Builder, error::ExecuteError};

impl Builder {
    /// Returns the deep key of an action, as its sources are at this moment.
    ///
    /// # Errors
    /// [`ExecuteError`] when a source cannot be read.
    pub fn deep_key(&self, graph: &Graph, goal: ActionIndex) -> Result<ActionDigest, ExecuteError> {
        graph.deep_key(goal, |ingest| Ok(self.read_source(ingest)?.0))
    }
}
