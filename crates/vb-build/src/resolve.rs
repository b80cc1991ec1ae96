//! One command over a root, with the machine's network or without: a part of making a lock, never an action.

use std::{collections::BTreeMap, path::PathBuf, sync::atomic::AtomicBool};

use vb_graph::DirectoryDigest;
use vb_sandbox::Network;

use crate::{
    builder::Builder,
    error::ExecuteError,
    execute::{Prepared, layered, read_only, read_write},
};

/// A command over a root.
#[derive(Clone, Debug)]
pub struct CommandRun {
    /// The root that it runs over.
    pub root: DirectoryDigest,
    /// The command.
    pub argv: Vec<String>,
    /// Variables beside those that every command has.
    pub variables: BTreeMap<String, String>,
    /// What of the host is shown, and where.
    pub read_only: Vec<(PathBuf, String)>,
    /// What of the host may be written, and where it is shown.
    pub read_write: Vec<(PathBuf, String)>,
    /// Does it have the machine's network?
    pub network: Network,
}

impl Builder {
    /// Runs a command in a sandbox.
    ///
    /// # Errors
    /// [`ExecuteError::Command`] when it does not end with exit code 0, others when it could not be run.
    pub fn run_command(&self, run: &CommandRun, cancel: &AtomicBool) -> Result<(), ExecuteError> {
        let scratch = self.scratch()?;
        let binds = run
            .read_only
            .iter()
            .map(|(source, target)| read_only(source, target))
            .chain(run.read_write.iter().map(|(source, target)| read_write(source, target)))
            .collect();
        let mut spec = layered(vec![self.layer(&run.root)?], run.argv.clone(), binds);
        spec.env.extend(run.variables.clone());
        spec.network = run.network;
        self.run(&Prepared { spec, scratch }, cancel).map(drop)
    }
}
