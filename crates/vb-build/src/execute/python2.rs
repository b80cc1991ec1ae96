//! What actions do otherwise for Python 2.7: its environments, its bytecode, and its builds of wheels.

use std::{path::Path, sync::atomic::AtomicBool};

use fs_err as fs;
use vb_graph::{DirectoryDigest, Environment, InterpreterSpec, Node, Unpack, Wheel};
use vb_package::ENVIRONMENT_TIME;
use vb_python::{
    SdistError, backend_of_pyproject,
    python2::{self, BackendRequest, BackendTask, PIP},
};
use vb_store::{Scratch, TreeBuilder};

use super::command::{Prepared, layered, private, read_only, read_write};
use crate::{builder::Builder, error::ExecuteError, inputs::Inputs};

/// Returns the command that makes bytecode of what is in an environment.
pub(super) fn bytecode_command(interpreter: &InterpreterSpec, directory: &String) -> Vec<String> {
    let directories = std::slice::from_ref(directory);
    match interpreter.is_python_2() {
        true => python2::bytecode_command(&interpreter.command, Some(ENVIRONMENT_TIME), directories),
        false => vb_python::bytecode_command(&interpreter.command, directories),
    }
}

/// Returns the command that makes bytecode of an application. Python 2 has none of it: the time of its sources, which
/// bytecode would name, is that of their commit, and only the package has that.
pub(super) fn application_bytecode_command(interpreter: &InterpreterSpec, directory: &String) -> Vec<String> {
    match interpreter.is_python_2() {
        true => python2::bytecode_command(&interpreter.command, None, std::slice::from_ref(directory)),
        false => bytecode_command(interpreter, directory),
    }
}

/// Returns the command of a compiler that waits.
pub(super) fn bytecode_server_command(interpreter: &InterpreterSpec, pipe: &str) -> Vec<String> {
    match interpreter.is_python_2() {
        true => python2::bytecode_server_command(&interpreter.command, ENVIRONMENT_TIME, pipe),
        false => vb_python::bytecode_server_command(&interpreter.command, pipe),
    }
}

impl Builder {
    /// Makes the files of an environment that no distribution has: with a copy of the interpreter's command, and bytecode of
    /// the environment's own module.
    pub(super) fn python_2_files(
        &self,
        environment: &Environment,
        inputs: &Inputs,
        cancel: &AtomicBool,
    ) -> Result<DirectoryDigest, ExecuteError> {
        let Environment { prefix, interpreter, .. } = environment;
        let (root, own) = (inputs.directory("root"), self.own_files(environment)?);
        let site = format!("lib/{}/site.py", interpreter.versioned_name());
        let Some(Node::File { blob, .. }) = self.store.find(&Node::directory(own), &site)? else {
            unreachable!("an environment of Python 2 has a module `site`")
        };
        let unpack = Unpack { prefix: prefix.clone(), interpreter: interpreter.clone() };
        let mut compiler = self.take_compiler(&unpack, root)?;
        let source = self.store.read_blob(&blob)?;
        let mut compiled = self.compile(&mut compiler, cancel, |sources| {
            sources.add(&format!("{prefix}/{site}"), &source).map_err(ExecuteError::scratch)
        })?;
        self.give_back(compiler);
        let (path_of_bytecode, bytecode) = compiled.bytecode.pop().expect("vb's own module compiles");

        let path = interpreter.command.trim_start_matches('/');
        let Some(command @ Node::File { .. }) = self.store.find(&Node::directory(root), path)? else {
            return Err(ExecuteError::NoCommand { command: interpreter.command.clone() });
        };
        let mut added = TreeBuilder::default();
        for (path, node) in [(path_of_bytecode, bytecode), (format!("bin/{}", interpreter.versioned_name()), command)] {
            added.insert(&path, node).expect("both paths are clean");
        }
        let Node::Directory { digest: added, .. } = added.put(&self.store).map_err(ExecuteError::Store)? else {
            unreachable!("a tree is a directory")
        };
        Ok(self.store.merge(&own, &added).expect("what is added is in no file's place"))
    }

    /// Is a staged environment one of Python 2?
    pub(super) fn has_python_2(&self, stage: &DirectoryDigest, prefix: &str) -> Result<bool, ExecuteError> {
        let command = format!("root{prefix}/bin/python2");
        Ok(self.store.find(&Node::directory(*stage), &command)?.is_some())
    }

    /// Prepares the build of a wheel by the project's own back end, which pip has nothing to do with: it would build in a
    /// directory with a random name.
    pub(super) fn prepare_python_2_wheel(
        &self,
        wheel: &Wheel,
        inputs: &Inputs,
        scratch: Scratch,
        source: &Path,
    ) -> Result<Prepared, ExecuteError> {
        let input = scratch.path().join("in");
        PIP.unpack(&inputs.file(&self.store, "pip")?.blob, &input.join("pip"))?;
        fs::write(input.join("backend.py"), python2::BACKEND).map_err(ExecuteError::scratch)?;
        for name in ["out", "work"] {
            fs::create_dir(scratch.path().join(name)).map_err(ExecuteError::scratch)?;
        }
        let pyproject = source.join("pyproject.toml");
        let text = pyproject.is_file().then(|| fs::read(&pyproject)).transpose().map_err(ExecuteError::scratch)?;
        let backend = backend_of_pyproject(text.as_deref())
            .map_err(|error| SdistError::Pyproject { path: pyproject, source: Box::new(error) })?;
        let request = BackendRequest {
            python: &wheel.interpreter.command,
            program: &private("in/backend.py"),
            task: BackendTask::Build,
            pip: &private("in/pip"),
            wheels: &private("in/requirements"),
            requirements: &private("in/constraints.txt"),
            work: &private("work"),
            project: &private("source"),
            backend: &backend,
            output: &private("out"),
            extra_variables: &wheel.variables,
        };
        let binds = vec![
            read_only(&input, &private("in")),
            read_write(source, &private("source")),
            read_write(&scratch.path().join("out"), &private("out")),
            read_write(&scratch.path().join("work"), &private("work")),
        ];
        let mut spec = layered(vec![self.layer(&inputs.directory("root"))?], request.arguments(), binds);
        spec.env.extend(request.variables());
        Ok(Prepared { spec, scratch })
    }
}
