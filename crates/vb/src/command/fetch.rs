//! `vb fetch`: every file that locks name, into the store.

use std::collections::BTreeMap;

use vb_build::OnFailure;
use vb_graph::{ActionIndex, Kind};

use super::{build::exit_of, lint, offline};
use crate::{
    arguments::{Common, Fetch as Arguments},
    display::{self, Display, LockedFrom, Surroundings},
    exit::Exit,
    fatal::Fatal,
    machine::Machine,
    session::{Lowered, Session},
};

/// Runs the command. Nothing is built, and a file that is there is not fetched again.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Fatal> {
    offline::refuse(common, "fetch")?;
    let session = Session::open(common, &arguments.selection)?;
    let platforms = session.pairs().into_iter().map(|(_, platform)| platform);
    let builder = Machine::read()?.builder(common, session.store.clone(), session.place(), platforms)?;
    // With the roots of tests; what was published before is no lock's to name.
    let Lowered { mut graph, targets, .. } = session.graph(Some(&BTreeMap::new()))?;
    if arguments.lint {
        graph = lint::with_looks(&session, graph, &targets)?;
    }
    let is_fetch = |index: &ActionIndex| matches!(graph.action(*index).kind, Kind::Fetch(_));
    let files: Vec<ActionIndex> = graph.indices().filter(is_fetch).collect();
    let display = Display::new(common.json);
    let cancel = crate::command::interrupt_flag();
    let report = builder.build(&graph, &files, OnFailure::KeepGoing, cancel, &|event| display.event(event));
    display.finish();
    let surroundings = Surroundings { locked: &|sha256| LockedFrom::find(&session, sha256), ..Surroundings::none() };
    display::failures(&graph, &report, &surroundings);
    let (fetched, all) = (report.executed, display::counted(files.len(), "file"));
    display::note(&format!("{all}, of which {fetched} had to be fetched, and {} failed", report.failures.len()));
    Ok(exit_of(&report))
}
