//! A wheel to the tree that it installs, with bytecode made at the path where it will run.

use fs_err as fs;
use vb_graph::{InputDigest, Node, Unpack};
use vb_python::{Layout, add_bytecode_to_record, bytecode_command};

use super::command::{Prepared, layered, read_write};
use crate::{
    builder::Builder,
    error::ExecuteError,
    inputs::{FetchedInput, Inputs, fetched},
};

impl Builder {
    pub(super) fn prepare_unpack(&self, unpack: &Unpack, inputs: &Inputs) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let wheel = self.wheel_input(inputs.get("wheel"))?.place(&scratch.path().join("in"))?;
        let tree = scratch.path().join("tree");
        fs::create_dir(&tree).map_err(ExecuteError::scratch)?;
        self.on_data_pool(|| vb_python::unpack(&wheel, &tree, &layout(unpack)))?;
        let argv = bytecode_command(&unpack.interpreter.command, std::slice::from_ref(&unpack.prefix));
        let binds = vec![read_write(&tree, &unpack.prefix)];
        let spec = layered(vec![self.layer(&inputs.directory("root"))?], argv, binds);
        Ok(Prepared { spec, scratch })
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

    pub(super) fn finish_unpack(&self, unpack: &Unpack, prepared: &Prepared) -> Result<Node, ExecuteError> {
        let tree = prepared.path("tree");
        add_bytecode_to_record(&tree, &layout(unpack))?;
        self.take_in(&tree)
    }
}

fn layout(unpack: &Unpack) -> Layout {
    Layout { prefix: unpack.prefix.clone(), python_version: unpack.interpreter.version.clone() }
}
