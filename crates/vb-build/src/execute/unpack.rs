//! A wheel to the tree that it installs, with bytecode made at the path where it will run.

use std::{path::Path, sync::atomic::AtomicBool};

use fs_err as fs;
use vb_graph::{InputDigest, Node, Unpack};
use vb_python::{Layout, add_bytecode_to_record};

use super::{
    Executed,
    command::{Prepared, layered, read_write},
    python2::bytecode_command,
};
use crate::{
    builder::Builder,
    error::ExecuteError,
    inputs::{FetchedInput, Inputs, fetched},
};

impl Builder {
    pub(super) fn unpack(
        &self,
        unpack: &Unpack,
        inputs: &Inputs,
        cancel: &AtomicBool,
    ) -> Result<Executed, ExecuteError> {
        let mut compiler = self.take_compiler(unpack, inputs.directory("root"))?;
        let tree = compiler.tree();
        self.fill(&tree, &compiler.path("in"), unpack, inputs)?;
        let log = self.compile(&mut compiler, cancel)?;
        add_bytecode_to_record(&tree, &layout(unpack))?;
        let output = self.take_in(&tree)?;
        self.give_back(compiler)?;
        Ok(Executed { output, log: Some(log) })
    }

    /// Prepares what a compiler's sandbox shows, for a shell.
    pub(super) fn prepare_unpack(&self, unpack: &Unpack, inputs: &Inputs) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let tree = scratch.path().join("tree");
        fs::create_dir(&tree).map_err(ExecuteError::scratch)?;
        self.fill(&tree, &scratch.path().join("in"), unpack, inputs)?;
        let argv = bytecode_command(&unpack.interpreter, &unpack.prefix);
        let binds = vec![read_write(&tree, &unpack.prefix)];
        let spec = layered(vec![self.layer(&inputs.directory("root"))?], argv, binds);
        Ok(Prepared { spec, scratch })
    }

    /// Unpacks the wheel, which is shown under its own name in `place` as long as that takes.
    fn fill(&self, tree: &Path, place: &Path, unpack: &Unpack, inputs: &Inputs) -> Result<(), ExecuteError> {
        let wheel = self.wheel_input(inputs.get("wheel"))?.place(place)?;
        self.on_data_pool(|| vb_python::unpack(&wheel, tree, &layout(unpack)))?;
        fs::remove_dir_all(place).map_err(ExecuteError::scratch)
    }

    /// The wheel is a fetched file, or the one file of what a build gave.
    pub(super) fn wheel_input(&self, input: &InputDigest) -> Result<FetchedInput, ExecuteError> {
        let InputDigest::Node(Node::Directory { digest, .. }) = input else { return fetched(&self.store, input) };
        let directory = self.store.directory(digest)?;
        match directory.entries().next() {
            Some((name, Node::File { blob, .. })) if directory.len() == 1 => {
                self.store.check_blob(blob)?;
                Ok(FetchedInput { file: name.to_string(), blob: self.store.blob_path(blob) })
            }
            _ => {
                Err(ExecuteError::WheelCount { found: directory.entries().map(|(name, _)| name.to_string()).collect() })
            }
        }
    }
}

fn layout(unpack: &Unpack) -> Layout {
    Layout { prefix: unpack.prefix.clone(), library: unpack.interpreter.versioned_name() }
}
