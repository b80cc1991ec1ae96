//! Repositories as publishers and clients meet them, on a directory.

#![expect(clippy::unwrap_used, reason = "test support outside of test functions fails the test by panicking")]

mod fixture;
mod pass;
mod publish;
mod together;
mod verify;
