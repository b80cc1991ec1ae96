//! The command line of vb: the only crate that prints, reads the environment, or picks an exit code.
//!
//! Must not be here: anything that another program could want from a library.

mod arguments;
mod checkers;
mod checkout;
mod command;
mod display;
mod exit;
mod fatal;
mod lock;
mod machine;
mod published;
mod session;
mod workbench;

use std::process::ExitCode;

use clap::Parser;
use rustix::fs::Mode;

use crate::{arguments::Arguments, exit::Exit, machine::SANDBOX_COMMAND};

fn main() -> ExitCode {
    // The sandbox helper is this program, executed again: it must reach its code before anything starts a thread.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == SANDBOX_COMMAND) {
        vb_sandbox::helper_main();
    }
    // The modes of what a build writes are part of what it gives, and must not depend on who builds.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; a closed pipe on the way out is nobody's problem.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() };
        }
    };
    display::diagnostics::install();
    match command::run(&arguments) {
        Ok(exit) => exit.into(),
        Err(fatal) => {
            display::diagnostics::print(&fatal);
            fatal.exit.into()
        }
    }
}
