//! The store's contract, against a real file system and between real processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blobs;
mod faults;
mod fixture;
mod garbage;
mod processes;
mod records;
mod round_trip;
mod source;
mod verify;
