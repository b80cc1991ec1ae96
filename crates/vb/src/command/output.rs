//! `vb output`: what an action gave, as files to look at.

use vb_graph::Node;

use super::lint;
use crate::{
    arguments::{ActionChoice, Common},
    command::build::{build_or_fail, missing_header},
    display::{self, Display, LockedFrom, Surroundings},
    exit::Exit,
    fatal::Fatal,
    session::find_action,
    workbench::Workbench,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &ActionChoice) -> Result<Exit, Fatal> {
    let mut bench = Workbench::of(common, &arguments.selection(), arguments.is_of_tests())?;
    if arguments.is_of_lint() {
        lint::add_looks(&mut bench)?;
    }
    let action = find_action(&bench.graph, &arguments.action)?;
    let display = Display::new(common.json);
    let surroundings = Surroundings {
        locked: &|sha256| LockedFrom::find(&bench.session, sha256),
        missing: &|label, failure| missing_header(&bench, label, failure),
        ..Surroundings::none()
    };
    let outputs = build_or_fail(&bench.builder, &bench.graph, &[action], &display, &surroundings)?;
    display.finish();
    let Some(Node::Directory { digest, .. }) = outputs.first() else {
        return Err(Fatal::message(
            Exit::Usage,
            "vb::usage::no_directory",
            format!("the output of `{}` is no directory", arguments.action),
            "choose another action",
        ));
    };
    let tree = bench.builder.store().materialize(digest).map_err(|error| {
        Fatal::caused(
            Exit::Environment,
            "vb::store::materialize",
            "cannot write the output",
            display::FREE_SPACE,
            error,
        )
    })?;
    display.made("output", &tree);
    Ok(Exit::Success)
}
