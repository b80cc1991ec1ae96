//! An interpreter of its source, its own tests, and roots that have it beside the distribution's packages.
//!
//! What is built is a directory: `root`, the interpreter at its path, and `test`, the tests that it has for itself, which
//! are in no package.

use fs_err as fs;
use vb_graph::{BUILD_INTERPRETER, BuildInterpreter, Directory, Name, Node, RelocateInterpreter, TestInterpreter};
use vb_python::{bytecode_command, relocate};
use vb_store::{Listing, MergeError, export_copy};

use super::{
    command::{Prepared, layered, private, read_only, read_write},
    package::leak_patterns,
    stage::wrap,
};
use crate::{builder::Builder, error::ExecuteError, inputs::Inputs};

/// Where the tests are, besides the tree.
const TEST: &str = "test";

/// Tests that run a compiler or a linker.
const WITH_COMPILERS: [&str; 2] = ["test_find_library_with_gcc", "test_find_library_with_ld"];

impl Builder {
    pub(super) fn prepare_interpreter(
        &self,
        build: &BuildInterpreter,
        inputs: &Inputs,
    ) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let input = scratch.path().join("in");
        let source = inputs.file(&self.store, "source")?;
        source.place(&input)?;
        for name in ["tree", "work", TEST] {
            fs::create_dir(scratch.path().join(name)).map_err(ExecuteError::scratch)?;
        }
        let BuildInterpreter { prefix, version, variables } = build;
        let archive = private(&format!("in/{}", source.file));
        let fixed = ["/bin/sh", "-c", BUILD_INTERPRETER, "interpreter", &archive, prefix, version];
        let bytecode = bytecode_command(&command_of(prefix, version), std::slice::from_ref(prefix));
        let argv = fixed.map(str::to_owned).into_iter().chain(bytecode).collect();
        let binds = vec![
            read_only(&input, &private("in")),
            read_write(&scratch.path().join("work"), &private("work")),
            read_write(&scratch.path().join(TEST), &private(TEST)),
            read_write(&scratch.path().join("tree"), prefix),
        ];
        let mut spec = layered(vec![self.layer(&inputs.directory("root"))?], argv, binds);
        spec.env.extend(variables.clone());
        spec.env.extend([("WORK".to_owned(), private("work")), ("TESTS".to_owned(), private(TEST))]);
        Ok(Prepared { spec, scratch })
    }

    pub(super) fn finish_interpreter(
        &self,
        build: &BuildInterpreter,
        prepared: &Prepared,
    ) -> Result<Node, ExecuteError> {
        let tree = self.take_in(&prepared.path("tree"))?;
        let patterns = leak_patterns(&self.store, self.home.as_deref());
        self.check_for_leaks(&tree, &build.prefix, &patterns, None)?;
        let Node::Directory { digest, .. } = tree else { unreachable!("a tree is a directory") };
        let root = wrap(&self.store, &build.prefix, &self.store.directory(&digest)?)?;
        let mut output = Directory::default();
        output.replace(Name::new("root").expect("a name"), root);
        output.replace(Name::new(TEST).expect("a name"), self.take_in(&prepared.path(TEST))?);
        Ok(Node::directory(self.store.put_directory(&output).map_err(ExecuteError::Store)?))
    }

    pub(super) fn prepare_interpreter_test(
        &self,
        test: &TestInterpreter,
        inputs: &Inputs,
    ) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let built = self.on_data_pool(|| self.store.materialize(&inputs.directory("interpreter")))?;
        let report = scratch.path().join("report");
        fs::create_dir(&report).map_err(ExecuteError::scratch)?;
        fs::write(report.join("passed"), test.tests.join("\n") + "\n").map_err(ExecuteError::scratch)?;
        let TestInterpreter { prefix, version, tests } = test;
        let mut argv = vec![command_of(prefix, version), "-m".to_owned(), "test".to_owned()];
        // A server has no compiler and no linker to ask for libraries.
        argv.extend(WITH_COMPILERS.iter().flat_map(|test| ["--ignore", test]).map(str::to_owned));
        argv.extend(tests.iter().cloned());
        let lowers = vec![super::command::host(&built.join("root")), self.layer(&inputs.directory("root"))?];
        let binds = vec![read_only(&built.join(TEST), &format!("{prefix}/lib/python{version}/test"))];
        let mut spec = layered(lowers, argv, binds);
        spec.cwd = super::command::guest("/tmp");
        spec.env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
        Ok(Prepared { spec, scratch })
    }

    /// That the tests passed is all that there is to keep.
    pub(super) fn finish_interpreter_test(&self, prepared: &Prepared) -> Result<Node, ExecuteError> {
        self.take_in(&prepared.path("report"))
    }

    /// Writes the paths in an interpreter's files anew, and makes its bytecode where it will run.
    pub(super) fn prepare_relocation(
        &self,
        relocation: &RelocateInterpreter,
        inputs: &Inputs,
    ) -> Result<Prepared, ExecuteError> {
        let RelocateInterpreter { from, to, version } = relocation;
        let built = Node::directory(inputs.directory("interpreter"));
        let Some(Node::Directory { digest, .. }) = self.store.find(&built, &format!("root{from}"))? else {
            unreachable!("an interpreter is at its own prefix")
        };
        let mut moved = Listing::default();
        for (path, node) in self.listing(&digest)?.entries().filter(|(path, _)| !path.contains("__pycache__/")) {
            moved.replace(path, self.relocated(node, from, to)?);
        }
        let moved = self.store.put_listing(moved.to_tree()?).map_err(ExecuteError::Store)?;
        let scratch = self.scratch()?;
        let tree = scratch.path().join("tree");
        self.on_data_pool(|| export_copy(&self.store, &moved, &tree))?;
        let argv = bytecode_command(&command_of(from, version), std::slice::from_ref(to));
        let spec = layered(vec![self.layer(&inputs.directory("root"))?], argv, vec![read_write(&tree, to)]);
        Ok(Prepared { spec, scratch })
    }

    fn relocated(&self, node: &Node, from: &str, to: &str) -> Result<Node, ExecuteError> {
        match node {
            Node::File { blob, mode, .. } => match relocate(&self.store.read_blob(blob)?, from, to)? {
                None => Ok(node.clone()),
                Some(bytes) => {
                    let blob = self.store.put_bytes(&bytes).map_err(ExecuteError::Store)?;
                    Ok(Node::File { blob, size: bytes.len() as u64, mode: *mode })
                }
            },
            Node::Symlink { target } => match relocate(target.as_bytes(), from, to)? {
                None => Ok(node.clone()),
                Some(bytes) => Ok(Node::Symlink { target: String::from_utf8_lossy(&bytes).into_owned() }),
            },
            Node::Directory { .. } => Ok(node.clone()),
        }
    }

    pub(super) fn finish_relocation(
        &self,
        relocation: &RelocateInterpreter,
        prepared: &Prepared,
    ) -> Result<Node, ExecuteError> {
        let Node::Directory { digest, .. } = self.take_in(&prepared.path("tree"))? else {
            unreachable!("a tree is a directory")
        };
        let root = wrap(&self.store, &relocation.to, &self.store.directory(&digest)?)?;
        let mut output = Directory::default();
        output.replace(Name::new("root").expect("a name"), root);
        Ok(Node::directory(self.store.put_directory(&output).map_err(ExecuteError::Store)?))
    }

    /// Puts an interpreter into a root: a merge of directories, no file is touched.
    pub(super) fn overlay(&self, inputs: &Inputs) -> Result<Node, ExecuteError> {
        let built = Node::directory(inputs.directory("interpreter"));
        let Some(Node::Directory { digest, .. }) = self.store.find(&built, "root")? else {
            unreachable!("an interpreter has a tree")
        };
        let merged = self.store.merge(&inputs.directory("root"), &digest).map_err(|error| match error {
            MergeError::Conflict { path } => {
                let [first, second] = ["the platform's packages", "the interpreter"].map(str::to_owned);
                ExecuteError::Conflict { path, first, second }
            }
            MergeError::Directory(error) => ExecuteError::Directory(error),
            MergeError::Io(error) => ExecuteError::Store(error),
        })?;
        Ok(Node::directory(merged))
    }
}

fn command_of(prefix: &str, version: &str) -> String {
    format!("{prefix}/bin/python{version}")
}
