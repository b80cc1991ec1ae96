//! The commands, one file each.

pub(crate) mod build;
mod cache;
mod diff;
mod doctor;
mod fetch;
mod inspect;
mod key;
mod lint;
pub(crate) mod missing_header;
pub(crate) mod offline;
mod output;
pub(crate) mod place;
mod plan;
mod platform;
mod push;
pub(crate) mod repo;
mod shell;
mod test;
pub(crate) mod wheels;
mod why;

use std::sync::{
    Once,
    atomic::{AtomicBool, Ordering},
};

use clap::CommandFactory;

use crate::{
    arguments::{Arguments, Command},
    exit::Exit,
    fatal::Fatal,
    lock,
};

/// Runs the command that the arguments name.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Fatal> {
    let common = &arguments.common;
    if common.json {
        refuse_json(&arguments.command)?;
    }
    match &arguments.command {
        Command::Build(build) => build::run(common, build),
        Command::Lock(arguments) => lock::run(common, arguments),
        Command::Test(selection) => test::run(common, selection),
        Command::Lint(selection) => lint::run(common, selection),
        Command::Fetch(fetch) => fetch::run(common, fetch),
        Command::Wheels { command } => wheels::run(common, command),
        Command::Plan(plan) => plan::run(common, plan),
        Command::Why(why) => why::run(common, why),
        Command::Shell(shell) => shell::run(common, shell),
        Command::Output(output) => output::run(common, output),
        Command::Inspect(arguments) => inspect::run(common, arguments),
        Command::Diff(arguments) => diff::run(common, arguments),
        Command::Platform { command } => platform::run(common, command),
        Command::Cache { command } => cache::run(common, command),
        Command::Push(arguments) => push::run(common, arguments),
        Command::Repo { place, command } => repo::run(place, command),
        Command::Key { command } => key::run(command),
        Command::Doctor => doctor::run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "vb", &mut script);
            crate::display::lines(&[String::from_utf8_lossy(&script).trim_end().to_owned()]);
            Ok(Exit::Success)
        }
    }
}

/// A program that asks for JSON shall not have to find out that there is none.
fn refuse_json(command: &Command) -> Result<(), Fatal> {
    let name = match command {
        Command::Platform { .. } => "platform",
        Command::Cache { .. } => "cache",
        Command::Repo { .. } => "repo",
        Command::Key { .. } => "key",
        Command::Doctor => "doctor",
        Command::Completions { .. } => "completions",
        _ => return Ok(()),
    };
    let message = format!("`vb {name}` prints no JSON");
    Err(Fatal::message(Exit::Usage, "vb::usage::json", message, "leave `--json` out, and read its lines"))
}

/// Returns the flag that Ctrl-C sets. A second Ctrl-C ends the program at once.
pub(crate) fn interrupt_flag() -> &'static AtomicBool {
    static INTERRUPTED: AtomicBool = AtomicBool::new(false);
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let handler = || {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                end_at_once();
            }
        };
        if let Err(error) = ctrlc::set_handler(handler) {
            crate::display::warn(&format!("Ctrl-C cannot be caught: {error}"));
        }
    });
    &INTERRUPTED
}

#[expect(clippy::exit, reason = "the store is safe against it, and the sandboxes end with their parent")]
fn end_at_once() {
    std::process::exit(Exit::Interrupted.code().into());
}
