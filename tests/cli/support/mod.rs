//! What the tests stand on: a hermetic environment, runs of the program, roots with real tools.

mod env;
mod redact;
mod root;
mod run;

pub(crate) use self::{
    env::{TestEnv, repository, shared_store},
    redact::redact,
    root::{TestRoot, test_root},
    run::Run,
};
