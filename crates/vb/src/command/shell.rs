//! `vb shell`: a shell where an action runs.

use vb_build::{ExecuteError, ShellError};
use vb_sandbox::Status;

use super::lint;
use crate::{
    arguments::{Common, Shell},
    command::build::exit_of,
    display::{self, Display, LockedFrom, Surroundings},
    exit::Exit,
    fatal::Fatal,
    session::find_action,
    workbench::Workbench,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Shell) -> Result<Exit, Fatal> {
    let mut bench = Workbench::of(common, &arguments.choice.selection(), arguments.choice.is_of_tests())?;
    if arguments.choice.is_of_lint() {
        lint::add_looks(&mut bench)?;
    }
    let action = find_action(&bench.graph, &arguments.choice.action)?;
    let argv = if arguments.command.is_empty() { vec!["/bin/sh".to_owned()] } else { arguments.command.clone() };
    let display = Display::new(common.json);
    let cancel = crate::command::interrupt_flag();
    match bench.builder.shell(&bench.graph, action, argv, cancel, &|event| display.event(event)) {
        Ok(outcome) if outcome.status == Status::Exited(0) => Ok(Exit::Success),
        Ok(_) => Ok(Exit::ActionFailed),
        Err(ShellError::Inputs(report)) => {
            display.finish();
            let surroundings = Surroundings {
                shell: &|label| Some(format!("vb shell {} '{label}'", arguments.choice.recipe.display())),
                locked: &|sha256| LockedFrom::find(&bench.session, sha256),
                ..Surroundings::none()
            };
            display::failures(&bench.graph, &report, &surroundings);
            Ok(exit_of(&report))
        }
        Err(ShellError::NoCommand) => Err(Fatal::message(
            Exit::Usage,
            "vb::usage::no_sandbox",
            format!("`{}` has no sandbox: vb does it itself", arguments.choice.action),
            "choose an action that runs a command: root, wheel, unpack, stage, import check or test",
        )),
        Err(ShellError::Execute(error)) if matches!(*error, ExecuteError::Cancelled) => Err(Fatal::interrupted()),
        Err(error) => Err(Fatal::caused(
            Exit::Environment,
            "vb::shell::failed",
            "cannot open a shell",
            "`vb doctor` checks what the sandbox needs",
            error,
        )),
    }
}
