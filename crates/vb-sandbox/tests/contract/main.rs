//! The contract in the crate's documentation, sentence by sentence, against the running kernel.
//!
//! Every test runs as the present user and, when that is root, once more as an ordinary user. Nothing is skipped: a machine
//! that refuses sandboxes fails them all.
#![expect(clippy::unwrap_used, reason = "test support outside of test functions fails the test by panicking")]

mod ending;
mod files;
mod harness;
mod identity;
mod isolation;
mod layers;
mod machine;
mod process;
mod refusal;
