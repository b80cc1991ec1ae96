//! Packages of all formats as a whole.
#![expect(clippy::unwrap_used, reason = "the fixture is test code outside of test functions")]

mod deb;
mod fixture;
mod limits;
mod memory;
mod portable;
mod rpm;
