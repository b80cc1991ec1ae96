//! Taking trees into the store: a source, which is always read and almost free when nothing changed, and what an action
//! wrote.

use std::path::Path;

use vb_graph::{Ingest, Node};
use vb_store::SourceOptions;

use crate::{builder::Builder, error::ExecuteError, event::How};

impl Builder {
    /// Ingests a source tree, and tells whether it is as it was.
    pub(crate) fn ingest(&self, ingest: &Ingest) -> Result<(Node, How), ExecuteError> {
        let options = SourceOptions { excludes: ingest.excludes.clone() };
        let path = Path::new(&ingest.path);
        let node = self.on_data_pool(|| self.store.ingest_source(path, &options)).map_err(ExecuteError::Ingest)?;
        let name = format!("ingest {} {:?}", ingest.path, ingest.excludes);
        if self.store.recall(&name).as_ref() == Some(&node) {
            return Ok((node, How::Hit));
        }
        self.store.remember(&name, &node).map_err(ExecuteError::Store)?;
        Ok((node, How::Executed))
    }

    /// Takes what an action wrote into the store. It must not be written afterwards.
    pub(super) fn take_in(&self, path: &Path) -> Result<Node, ExecuteError> {
        self.on_data_pool(|| self.store.ingest_output(path)).map_err(ExecuteError::Output)
    }
}
