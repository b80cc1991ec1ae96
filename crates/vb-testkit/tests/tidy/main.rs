//! The invariants of ARCHITECTURE.md as checks over the tree of files.
//!
//! Most of them are absences, which no compiler reports. Must not be here: tests of behaviour.
#![expect(clippy::unwrap_used, reason = "what cannot be read must fail its test")]

mod code;
mod crates;
mod documents;
mod scripts;
mod sources;
mod tree;
