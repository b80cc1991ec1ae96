//! Executing one action, by kind: prepare what the sandbox shows, run the command, take in what it wrote.
//!
//! The preparation of a sandboxed action ends in a [`Prepared`] with a plain [`Spec`](vb_sandbox::Spec): the command
//! can be run, or a shell in its place.

mod command;
mod compiler;
mod environment;
mod fetch;
mod import_check;
mod ingest;
mod interpreter;
mod inventory;
mod layers;
mod libraries;
mod lint;
mod node_modules;
mod package;
mod python2;
mod root;
mod share;
mod share_out;
mod stage;
mod step;
mod trial;
mod unpack;
mod wheel;

use std::sync::atomic::AtomicBool;

use vb_graph::{ActionDigest, BlobDigest, Graph, Kind, Node};

pub(crate) use self::{
    command::{Prepared, layered, read_only, read_write},
    compiler::Compiler,
};
use crate::{
    build::Mode,
    builder::Builder,
    error::{ExecuteError, LibrariesError},
    inputs::Inputs,
};

/// What an execution gave.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) output: Node,
    pub(crate) log: Option<BlobDigest>,
}

impl Executed {
    fn without_command(output: Node) -> Self {
        Self { output, log: None }
    }
}

impl Builder {
    /// Returns the output that is recorded under a key, if it is still there.
    pub(crate) fn known_output(&self, key: &ActionDigest) -> Option<Node> {
        self.store.action_result(key).map(|result| result.output).filter(|node| self.store.has_node(node))
    }

    /// Executes an action whose inputs are in the store.
    pub(crate) fn execute(
        &self,
        kind: &Kind,
        inputs: &Inputs,
        mode: Mode,
        cancel: &AtomicBool,
    ) -> Result<Executed, ExecuteError> {
        match kind {
            Kind::Environment(environment) => {
                self.environment(environment, inputs, cancel).map(Executed::without_command)
            }
            Kind::Overlay => self.overlay(inputs).map(Executed::without_command),
            Kind::ShareOut(out) => self.share_out(out, inputs).map(Executed::without_command),
            Kind::Libraries(libraries) => self.libraries(libraries, inputs).map(Executed::without_command),
            Kind::Package(spec) => self.package(spec, inputs, mode).map(Executed::without_command),
            Kind::Step(step) => self.step(step, inputs, cancel),
            Kind::Unpack(unpack) => self.unpack(unpack, inputs, cancel),
            Kind::Test(test) => self.test(test, inputs, cancel),
            Kind::Lint(lint) => self.lint(*lint, inputs, cancel),
            Kind::NodeModules(modules) => self.node_modules(modules, inputs, cancel),
            Kind::Fetch(_) | Kind::Ingest(_) => unreachable!("a build fetches and ingests by other ways"),
            Kind::Root(_)
            | Kind::Interpreter(_)
            | Kind::InterpreterTest(_)
            | Kind::Relocate(_)
            | Kind::Wheel(_)
            | Kind::Stage(_)
            | Kind::ImportCheck(_) => {
                let prepared = self.prepare(kind, inputs, cancel)?.expect("the kind has a command");
                let log = self.run(&prepared, cancel)?;
                let output = self.finish(kind, inputs, &prepared)?;
                Ok(Executed { output, log: Some(log) })
            }
        }
    }

    /// Prepares the sandbox of an action, `None` for a kind that runs no command.
    pub(crate) fn prepare(
        &self,
        kind: &Kind,
        inputs: &Inputs,
        cancel: &AtomicBool,
    ) -> Result<Option<Prepared>, ExecuteError> {
        match kind {
            Kind::Root(root) => self.prepare_root(root, inputs, cancel).map(Some),
            Kind::Interpreter(build) => self.prepare_interpreter(build, inputs).map(Some),
            Kind::InterpreterTest(test) => self.prepare_interpreter_test(test, inputs).map(Some),
            Kind::Relocate(relocate) => self.prepare_relocation(relocate, inputs).map(Some),
            Kind::Wheel(wheel) => self.prepare_wheel(wheel, inputs).map(Some),
            Kind::Unpack(unpack) => self.prepare_unpack(unpack, inputs).map(Some),
            Kind::Stage(stage) => self.prepare_stage(stage, inputs).map(Some),
            Kind::ImportCheck(check) => self.prepare_import_check(check, inputs).map(Some),
            Kind::Step(step) => self.prepare_step(step, inputs),
            Kind::Test(test) => self.prepare_test(test, inputs).map(Some),
            Kind::Lint(lint) => self.prepare_lint(*lint, inputs).map(Some),
            Kind::NodeModules(modules) => self.prepare_node_modules(modules, inputs),
            Kind::Fetch(_)
            | Kind::Ingest(_)
            | Kind::Overlay
            | Kind::Environment(_)
            | Kind::ShareOut(_)
            | Kind::Libraries(_)
            | Kind::Package(_) => Ok(None),
        }
    }

    fn finish(&self, kind: &Kind, inputs: &Inputs, prepared: &Prepared) -> Result<Node, ExecuteError> {
        match kind {
            Kind::Root(_) => self.finish_root(prepared),
            Kind::Interpreter(build) => self.finish_interpreter(build, prepared),
            Kind::InterpreterTest(_) => self.finish_interpreter_test(prepared),
            Kind::Relocate(relocate) => self.finish_relocation(relocate, prepared),
            Kind::Wheel(_) => self.finish_wheel(prepared),
            Kind::Stage(stage) => self.finish_stage(stage, inputs, prepared),
            Kind::ImportCheck(_) => self.finish_import_check(prepared),
            Kind::Fetch(_)
            | Kind::Ingest(_)
            | Kind::Overlay
            | Kind::Environment(_)
            | Kind::ShareOut(_)
            | Kind::Libraries(_)
            | Kind::Package(_)
            | Kind::NodeModules(_)
            | Kind::Test(_)
            | Kind::Lint(_)
            | Kind::Unpack(_)
            | Kind::Step(_) => {
                unreachable!("the kind has no command, or takes in its output itself")
            }
        }
    }

    /// Adds what the rest of the graph knows about a failure: which package has a missing library.
    pub(crate) fn explain(&self, error: ExecuteError, graph: &Graph) -> ExecuteError {
        match error {
            ExecuteError::Imports { failures, .. } => {
                let owners = self.library_owners(&failures, graph);
                ExecuteError::Imports { failures, owners }
            }
            ExecuteError::Libraries(LibrariesError::Missing { missing, .. }) => {
                let owners = self.owners_of_missing(&missing, graph);
                LibrariesError::Missing { missing, owners }.into()
            }
            other => other,
        }
    }
}
