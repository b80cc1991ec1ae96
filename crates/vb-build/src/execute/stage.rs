//! Application and environment at their final paths, with what `debian/install` puts elsewhere, checked for paths of the
//! build.
//!
//! The output is a directory: `root`, the tree as it will be installed, and `debian` and `rpm`, the files that the
//! application's source has for its packages.

use std::path::Path;

use vb_graph::{Directory, DirectoryDigest, Name, Node, Stage};
use vb_package::LeakPattern;
use vb_store::{Store, export_copy};

mod assemble;
mod install;
mod leaks;

use self::install::{Sources, install};
use super::{
    command::{Prepared, layered, read_write},
    package::leak_patterns,
    python2::application_bytecode_command,
};
use crate::{builder::Builder, error::ExecuteError, inputs::Inputs};

/// Directories of a source that say how it is packaged and are no part of the application.
pub(super) const PACKAGING: [&str; 2] = ["debian", "rpm"];

impl Builder {
    pub(super) fn prepare_stage(&self, stage: &Stage, inputs: &Inputs) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let application = scratch.path().join("application");
        let source = self.application_of(inputs)?;
        self.on_data_pool(|| export_copy(&self.store, &source, &application))?;
        let argv = application_bytecode_command(&stage.interpreter, &stage.application);
        let binds = vec![read_write(&application, &stage.application)];
        let spec = layered(vec![self.layer(&inputs.directory("root"))?], argv, binds);
        Ok(Prepared { spec, scratch })
    }

    /// Returns the application: its source and what else goes to its directory, without what says how it is packaged.
    fn application_of(&self, inputs: &Inputs) -> Result<DirectoryDigest, ExecuteError> {
        let source = self.store.directory(&self.assembled(inputs)?)?;
        let mut application = Directory::default();
        for (name, node) in source.entries().filter(|(name, _)| !PACKAGING.contains(&name.as_str())) {
            application.replace(name.clone(), node.clone());
        }
        self.store.put_directory(&application).map_err(ExecuteError::Store)
    }

    pub(super) fn finish_stage(
        &self,
        stage: &Stage,
        inputs: &Inputs,
        prepared: &Prepared,
    ) -> Result<Node, ExecuteError> {
        let application = self.take_in(&prepared.path("application"))?;
        let patterns = leak_patterns(&self.store, self.home.as_deref());
        self.check_for_leaks(&application, &stage.application, &patterns, Some(&stage.application))?;

        let mut top = self.store.directory(&inputs.directory("environment"))?;
        let name = Path::new(&stage.application).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let taken = |_| ExecuteError::ApplicationTaken { path: stage.application.clone() };
        let name = Name::new(name).expect("lowering gives the application a directory of its own");
        top.insert(name, application.clone()).map_err(taken)?;
        let source = Node::directory(inputs.directory("source"));
        let mut root = wrap(&self.store, &stage.prefix, &top)?;
        if let Some(Node::File { blob, .. }) = self.store.find(&source, "debian/install")? {
            let text = self.store.read_blob(&blob)?;
            root = install(&self.store, root, &text, &Sources { application: &application, source: &source })?;
        }
        // What upstream put into its wheels may name upstream's homes; no path of this store can be among it.
        let mut build_only: Vec<_> = leak_patterns(&self.store, None);
        if let Some(from) = &stage.relocated_from {
            let name = "the path that the interpreter was built for";
            build_only.push(LeakPattern { name, bytes: from.as_bytes().to_vec() });
        }
        self.check_for_leaks(&root, "", &build_only, Some(&stage.application))?;

        let mut output = Directory::default();
        output.replace(Name::new("root").expect("a name"), root);
        for name in PACKAGING {
            if let Some(packaging) = self.store.find(&source, name)? {
                output.replace(Name::new(name).expect("a name"), packaging);
            }
        }
        Ok(Node::directory(self.store.put_directory(&output).map_err(ExecuteError::Store)?))
    }
}

/// Puts a directory at an absolute path, in directories of its own.
pub(super) fn wrap(store: &Store, path: &str, directory: &Directory) -> Result<Node, ExecuteError> {
    let mut node = Node::directory(store.put_directory(directory).map_err(ExecuteError::Store)?);
    for component in path.split('/').filter(|component| !component.is_empty()).rev() {
        let mut outer = Directory::default();
        outer.replace(Name::new(component).expect("a prefix is a clean path"), node);
        node = Node::directory(store.put_directory(&outer).map_err(ExecuteError::Store)?);
    }
    Ok(node)
}
