//! An interpreter of its source, its own tests, and roots that have it beside the distribution's packages.
//!
//! What is built is a directory: `root`, the interpreter at its path, and `test`, the tests that it has for itself, which
//! are in no package.

use fs_err as fs;
use vb_graph::{BuildInterpreter, Directory, Name, Node, TestInterpreter};
use vb_python::bytecode_command;
use vb_store::MergeError;

use super::{
    command::{Prepared, layered, private, read_only, read_write},
    package::leak_patterns,
    stage::wrap,
};
use crate::{builder::Builder, error::ExecuteError, inputs::Inputs};

const BUILD: &str = include_str!("build_interpreter.sh");

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
        let BuildInterpreter { prefix, version, is_optimized, variables } = build;
        let archive = private(&format!("in/{}", source.file));
        let optimized = is_optimized.to_string();
        let fixed = ["/bin/sh", "-c", BUILD, "interpreter", &archive, prefix, version, &optimized];
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
        self.check_for_leaks(&tree, &build.prefix, &leak_patterns(&self.store, self.home.as_deref()))?;
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
