//! Taking trees into the store: a source, which is always read and almost free when nothing changed, and what an action
//! wrote.

use std::path::Path;

use vb_graph::{Ingest, Node};
use vb_store::SourceOptions;

use crate::{builder::Builder, error::ExecuteError, event::How};

impl Builder {
    /// Ingests a source tree, and tells whether it is as the last build had it.
    pub(crate) fn read_source(&self, ingest: &Ingest) -> Result<(Node, How), ExecuteError> {
        let options = SourceOptions { excludes: ingest.excludes.clone() };
        let path = Path::new(&ingest.path);
        let node = self.on_data_pool(|| self.store.ingest_source(path, &options)).map_err(ExecuteError::Ingest)?;
        let is_known = self.store.recall(&memory_name(ingest)).as_ref() == Some(&node);
        Ok((node, if is_known { How::Hit } else { How::Executed }))
    }

    /// Ingests a source tree for a build.
    pub(crate) fn ingest(&self, ingest: &Ingest) -> Result<(Node, How), ExecuteError> {
        let (node, how) = self.read_source(ingest)?;
        if how == How::Executed {
            self.store.remember(&memory_name(ingest), &node).map_err(ExecuteError::Store)?;
        }
        Ok((node, how))
    }

    /// Takes what an action wrote into the store. It must not be written afterwards.
    pub(super) fn take_in(&self, path: &Path) -> Result<Node, ExecuteError> {
        self.on_data_pool(|| self.store.ingest_output(path)).map_err(ExecuteError::Output)
    }
}

fn memory_name(ingest: &Ingest) -> String {
    format!("ingest {} {:?}", ingest.path, ingest.excludes)
}
