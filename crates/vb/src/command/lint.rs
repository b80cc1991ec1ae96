//! `vb lint`: what the distributions' own checkers say of packages, as cached actions.
//!
//! An action says what a checker finds. What of that is accepted is asked here, each time: a reason that is written down
//! runs no checker again.

mod looks;
mod verdict;

use std::time::Instant;

use vb_build::OnFailure;
use vb_graph::{ActionIndex, Graph};

use self::{
    looks::{Looks, is_package},
    verdict::Verdict,
};
use super::{
    build::{exit_of, missing_header},
    offline::Wanted,
};
use crate::{
    arguments::{Common, Selection},
    display::{self, Display, LockedFrom, Surroundings},
    exit::Exit,
    fatal::Fatal,
    session::{Session, Target},
    workbench::Workbench,
};

/// Adds the looks of checkers at what is selected to a workbench, and returns them.
pub(crate) fn add_looks(bench: &mut Workbench) -> Result<Vec<ActionIndex>, Fatal> {
    let Looks { graph, looks } = Looks::of_bench(bench)?;
    bench.graph = graph;
    Ok(looks.iter().map(|look| look.action).collect())
}

/// Returns a graph with the looks of checkers at some of its packages.
pub(super) fn with_looks(session: &Session, graph: Graph, targets: &[Target]) -> Result<Graph, Fatal> {
    Looks::of_targets(session, graph, targets.iter()).map(|looks| looks.graph)
}

/// Runs the command. What can be looked at is, whatever fails beside it.
pub(crate) fn run(common: &Common, selection: &Selection) -> Result<Exit, Fatal> {
    let begun = Instant::now();
    let files = selection.recipes.iter().filter(|path| is_package(path)).count();
    if files > 0 && files < selection.recipes.len() {
        let message = "recipes and packages cannot be looked at together".to_owned();
        return Err(Fatal::message(Exit::Usage, "vb::lint::mixed", message, "name the ones, and then the others"));
    }
    // What files are accepted to have, their recipes say: all of them are read.
    let all = Selection { recipes: vec![], all: true, ..selection.clone() };
    let mut bench = Workbench::of(common, if files > 0 { &all } else { selection }, false)?;
    let Looks { graph, looks } = match files {
        0 => Looks::of_bench(&mut bench)?,
        _ => Looks::of_files(&bench, &selection.recipes)?,
    };
    if looks.is_empty() {
        let message = "nothing that is selected has a checker".to_owned();
        let help = "choose a recipe, a platform or a format that has a `.deb` or an `.rpm`";
        return Err(Fatal::message(Exit::Usage, "vb::lint::nothing", message, help));
    }
    let goals: Vec<_> = looks.iter().map(|look| look.action).collect();
    let wanted = Wanted { builder: &bench.builder, graph: &graph, goals: &goals, fetch: "vb fetch --lint" };
    if common.offline {
        wanted.check_before()?;
    }
    let display = Display::new(common.json);
    let cancel = crate::command::interrupt_flag();
    let report = bench.builder.build(&graph, &goals, OnFailure::KeepGoing, cancel, &|event| display.event(event));
    display.finish();
    wanted.check_after(&report)?;
    let surroundings = Surroundings {
        locked: &|sha256| LockedFrom::find(&bench.session, sha256),
        missing: &|label, failure| missing_header(&bench, label, failure),
        ..Surroundings::none()
    };
    display::failures(&graph, &report, &surroundings);
    let verdict = Verdict::of(&bench, &looks, &report)?;
    display::lines(&if common.json { verdict.events() } else { verdict.lines() });
    // Of a part it cannot be said that a tag is nowhere.
    if files == 0 && report.is_success() && selection.platform.is_empty() {
        verdict.unused(&bench.session, selection.all)?.iter().for_each(|line| display::warn(line));
    }
    display.lint_summary(looks.len(), &report, begun.elapsed());
    match verdict.refused() {
        Some(message) if report.is_success() => Err(Fatal::message(
            Exit::ActionFailed,
            "vb::lint::found",
            message,
            "mend what is found, or accept its tags in `lint` of the recipe or the workspace, each with its reason",
        )),
        _ => Ok(exit_of(&report)),
    }
}
