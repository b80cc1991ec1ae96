//! `vb shell`: a shell where an action runs.

use vb_build::ShellError;
use vb_sandbox::Status;

use crate::{
    arguments::{Common, Selection, Shell},
    display::{self, Display},
    exit::Exit,
    fatal::Fatal,
    machine::Machine,
    session::{Session, find_action},
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Shell) -> Result<Exit, Fatal> {
    let selection =
        Selection { recipes: vec![arguments.recipe.clone()], all: false, platform: arguments.platform.clone() };
    let session = Session::open(&selection)?;
    let (graph, _) = session.graph()?;
    let action = find_action(&graph, &arguments.action)?;
    let store = session.store(common)?;
    let platforms = session.pairs().into_iter().map(|(_, platform)| platform);
    let builder = Machine::read()?.builder(common, store, &session.workspace.value, platforms)?;
    let argv = if arguments.command.is_empty() { vec!["/bin/sh".to_owned()] } else { arguments.command.clone() };
    let display = Display::new(common.json);
    let cancel = crate::command::interrupt_flag();
    match builder.shell(&graph, action, argv, cancel, &|event| display.event(event)) {
        Ok(outcome) if outcome.status == Status::Exited(0) => Ok(Exit::Success),
        Ok(_) => Ok(Exit::ActionFailed),
        Err(ShellError::Inputs(report)) => {
            display.finish();
            display::failures(&graph, &report, |label| format!("vb shell {} '{label}'", arguments.recipe.display()));
            Ok(Exit::ActionFailed)
        }
        Err(error) => Err(Fatal::caused(
            Exit::Environment,
            "vb::shell::failed",
            "cannot open a shell",
            "choose an action that runs a command: root, wheel, unpack, stage or import check",
            error,
        )),
    }
}
