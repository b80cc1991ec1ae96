//! The invariants of ARCHITECTURE.md as checks over the tree of files.
//!
//! Most of them are absences, which no compiler reports. Must not be here: tests of behaviour.

mod code;
mod crates;
mod documents;
mod sources;
mod tree;
