//! Decides what to run, runs it, records results, emits events.
//!
//! Must not be here: Nickel, the terminal, the environment of the process. The caller says where things are
//! ([`Locations`]), and is told what happens ([`Event`]).
//!
//! The flow of one build: the [`Frontier`](frontier) offers steps; a look-up resolves the action's inputs to digests
//! and asks the store; a miss is executed on the pool of actions, and its result recorded under its key.
//!
//! Two pools of threads, and a rule: actions run on the one, hashing and compression on the other, and an action never
//! waits inside a pool, because rayon would run another action on top of the one that waits.

mod build;
mod builder;
mod check;
mod deep_key;
mod error;
mod event;
mod execute;
mod findings;
mod frontier;
mod inputs;
mod locations;
mod missing;
mod plan;
mod queue;
mod recorder;
mod resolve;
mod selection;
mod shell;
mod why;

pub use build::{BuildReport, Failure};
pub use builder::{Builder, BuilderError, BuilderOptions};
pub use error::{
    CommandFailure, Contrast, Difference, ExecuteError, FetchAttempt, InstallError, LibrariesError, MissingLibrary,
    ShareError, StepError, TestFailure, TestedThing, ToolPackages,
};
pub use event::{Event, How};
pub use findings::{Finding, Findings, Severity};
pub use frontier::OnFailure;
pub use locations::{Lazy, Locations};
pub use missing::{MissingFile, Need};
pub use plan::{Forecast, Planned};
pub use resolve::CommandRun;
pub use shell::ShellError;
pub use why::{Change, Why};

/// The directory inside a sandbox that holds everything of vb's own. Its name in a package is a leak.
pub const PRIVATE_DIRECTORY: &str = "/vb-build";
