//! A wheel to the tree that it installs, with bytecode for the path where it will run.
//!
//! Files go from the wheel into the store, and sources to a compiler as well. No tree is written.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use fs_err as fs;
use vb_graph::{InputDigest, Node, Unpack};
use vb_python::{InstalledFile, Layout, WheelError};
use vb_store::Listing;

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
        let wheel = self.wheel_input(inputs.get("wheel"))?;
        let mut compiler = self.take_compiler(unpack, inputs.directory("root"))?;
        let mut files = Listing::default();
        let compiled = self.compile(&mut compiler, cancel, |sources| {
            let put = &mut |file: InstalledFile| {
                if cancel.load(Ordering::Relaxed) {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                if file.is_source() {
                    sources.add(&format!("{}/{}", unpack.prefix, file.path), &file.bytes)?;
                }
                self.put_file(&mut files, file)
            };
            let unpacked = vb_python::unpack_each(&wheel.blob, &wheel.file, &layout(unpack), put);
            unpacked.map(|(_, record)| record).map_err(|error| match error {
                WheelError::Write(error) => ExecuteError::Store(error),
                other => ExecuteError::Wheel(other),
            })
        })?;
        self.give_back(compiler);
        let mut record = compiled.fed;
        for (path, node) in compiled.bytecode {
            record.add_bytecode(&path);
            files.replace(path, node);
        }
        self.put_file(&mut files, record.into_file()).map_err(ExecuteError::Store)?;
        let output = self.store.put_listing(files.to_tree()?).map_err(ExecuteError::Store)?;
        Ok(Executed { output: Node::directory(output), log: Some(compiled.log) })
    }

    fn put_file(&self, files: &mut Listing, file: InstalledFile) -> io::Result<()> {
        let InstalledFile { path, bytes, mode } = file;
        if files.get(&path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let blob = self.store.put_bytes(&bytes)?;
        files.replace(path, Node::File { blob, size: bytes.len() as u64, mode });
        Ok(())
    }

    /// Prepares a sandbox in which the tree without its bytecode is at its prefix, for a shell.
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
