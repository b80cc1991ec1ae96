//! `vb output`: what an action gave, as files to look at.

use vb_graph::Node;

use crate::{
    arguments::{Common, Output, Selection},
    command::build::build_or_fail,
    display::{self, Display},
    exit::Exit,
    fatal::Fatal,
    machine::Machine,
    session::{Session, find_action},
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Output) -> Result<Exit, Fatal> {
    let selection =
        Selection { recipes: vec![arguments.recipe.clone()], all: false, platform: arguments.platform.clone() };
    let session = Session::open(&selection)?;
    let (graph, _) = session.graph()?;
    let action = find_action(&graph, &arguments.action)?;
    let store = session.store(common)?;
    let platforms = session.pairs().into_iter().map(|(_, platform)| platform);
    let builder = Machine::read()?.builder(common, store, &session.workspace.value, platforms)?;
    let display = Display::new(common.json);
    let outputs = build_or_fail(&builder, &graph, &[action], &display)?;
    display.finish();
    let Some(Node::Directory { digest, .. }) = outputs.first() else {
        return Err(Fatal::message(
            Exit::Usage,
            "vb::usage::no_directory",
            format!("the output of `{}` is no directory", arguments.action),
            "choose another action",
        ));
    };
    let tree = builder.store().materialize(digest).map_err(|error| {
        Fatal::caused(
            Exit::Environment,
            "vb::store::materialize",
            "cannot write the output",
            display::FREE_SPACE,
            error,
        )
    })?;
    display::lines(&[tree.display().to_string()]);
    Ok(Exit::Success)
}
