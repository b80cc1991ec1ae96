//! The command line as its users meet it: one test binary, the real program, real packages.

mod build;
mod support;
