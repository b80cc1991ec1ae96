//! A shell in the sandbox of an action: the same layers, binds, environment and directory as its command has.

use std::sync::atomic::AtomicBool;

use vb_graph::{ActionIndex, Graph, InputDigest};
use vb_sandbox::{Outcome, SandboxError, Stdio};

use crate::{
    build::{BuildReport, static_digest},
    builder::Builder,
    error::ExecuteError,
    event::Event,
    frontier::OnFailure,
    inputs::Inputs,
};

/// A shell could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// The kind of the action runs no command.
    #[error("the action has no sandbox: vb does it itself")]
    NoCommand,
    /// An input of the action could not be built.
    #[error("the inputs of the action could not be built")]
    Inputs(Box<BuildReport>),
    /// The sandbox could not be prepared or started.
    #[error(transparent)]
    Execute(Box<ExecuteError>),
}

impl Builder {
    /// Builds the inputs of an action and runs another command in its sandbox, on the caller's terminal.
    ///
    /// # Errors
    /// [`ShellError`].
    pub fn shell(
        &self,
        graph: &Graph,
        action: ActionIndex,
        argv: Vec<String>,
        cancel: &AtomicBool,
        events: &(dyn Fn(&Event) + Sync),
    ) -> Result<Outcome, ShellError> {
        let goals: Vec<_> = graph.action(action).inputs.iter().map(|input| input.action).collect();
        let report = self.build(graph, &goals, OnFailure::Stop, cancel, events);
        let digests: Option<Vec<InputDigest>> = goals
            .iter()
            .zip(&report.outputs)
            .map(|(goal, output)| static_digest(graph, *goal).or(output.clone().map(InputDigest::Node)))
            .collect();
        let digests = match digests {
            Some(digests) if report.failures.is_empty() => digests,
            _ => return Err(ShellError::Inputs(Box::new(report))),
        };
        let inputs = Inputs::new(self, graph.action(action), &digests).map_err(boxed)?;
        let prepared =
            self.prepare(&graph.action(action).kind, &inputs, cancel).map_err(boxed)?.ok_or(ShellError::NoCommand)?;
        let mut spec = prepared.spec.clone();
        spec.argv = argv;
        spec.timeout = None;
        vb_sandbox::run(&self.helper, &spec, Stdio::Inherit, cancel).map_err(|error| match error {
            SandboxError::Cancelled => boxed(ExecuteError::Cancelled),
            other => boxed(ExecuteError::Sandbox(other)),
        })
    }
}

fn boxed(error: ExecuteError) -> ShellError {
    ShellError::Execute(Box::new(error))
}
