//! `vb plan`: what a build would do.

use serde::Serialize;
use vb_build::{Forecast, Planned};
use vb_graph::{Graph, Kind};

use super::lint;
use crate::{
    arguments::{Common, Plan as Arguments},
    display,
    exit::Exit,
    fatal::Fatal,
    workbench::Workbench,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Fatal> {
    let mut bench = Workbench::of(common, &arguments.selection, arguments.tests)?;
    let goals = if arguments.lint { lint::add_looks(&mut bench)? } else { bench.goals_of(arguments.tests) };
    let plan = bench
        .builder
        .plan(&bench.graph, &goals)
        .map_err(|error| Fatal::caused(Exit::Environment, "vb::plan::source", "cannot read a source", "", error))?;
    let plan = Outlook::new(&bench.graph, &plan);
    if common.json {
        display::json(&plan);
    } else {
        display::lines(&plan.lines());
    }
    Ok(Exit::Success)
}

/// What a build would do, in words.
#[derive(Serialize)]
struct Outlook<'a> {
    actions: Vec<Outlined<'a>>,
    hits: usize,
    run: usize,
    after: usize,
    /// How many files would be fetched; they are among no other number.
    fetch: usize,
}

#[derive(Serialize)]
struct Outlined<'a> {
    label: &'a str,
    kind: &'static str,
    forecast: &'static str,
    /// What would be made first.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
}

impl<'a> Outlook<'a> {
    fn new(graph: &'a Graph, plan: &'a [Planned]) -> Self {
        let is_fetch = |planned: &&Planned| matches!(graph.action(planned.action).kind, Kind::Fetch(_));
        let outlined = |planned: &'a Planned| {
            let (forecast, after) = planned.forecast.words();
            let label = &graph.provenance(planned.action).label;
            Outlined { label, kind: graph.action(planned.action).kind.name(), forecast, after }
        };
        let actions: Vec<_> = plan.iter().filter(|planned| !is_fetch(planned)).map(outlined).collect();
        let count = |forecast| actions.iter().filter(|action| action.forecast == forecast).count();
        let [hits, run, after] = ["hit", "run", "after"].map(count);
        let fetch = plan.iter().filter(is_fetch).filter(|planned| planned.forecast == Forecast::Execute).count();
        Self { actions, hits, run, after, fetch }
    }

    /// One line an action, then the sums.
    fn lines(&self) -> Vec<String> {
        let line = |action: &Outlined<'_>| match action.after {
            Some(input) => format!("run?  {}  (after `{input}`)", action.label),
            None => format!("{:<5} {}", action.forecast, action.label),
        };
        let mut lines: Vec<String> = self.actions.iter().map(line).collect();
        let (hits, files) = (display::counted(self.hits, "hit"), display::counted(self.fetch, "file"));
        lines.push(format!("{hits}, {} to run, {} after these, {files} to fetch", self.run, self.after));
        lines
    }
}
