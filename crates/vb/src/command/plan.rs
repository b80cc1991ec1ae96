//! `vb plan`: what a build would do.

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
    display::lines(&render(&bench.graph, &plan));
    Ok(Exit::Success)
}

/// One line an action, fetches counted, then the sums.
fn render(graph: &Graph, plan: &[Planned]) -> Vec<String> {
    let is_fetch = |planned: &&Planned| matches!(graph.action(planned.action).kind, Kind::Fetch(_));
    let mut lines: Vec<String> = plan
        .iter()
        .filter(|planned| !is_fetch(planned))
        .map(|planned| {
            let label = &graph.provenance(planned.action).label;
            match &planned.forecast {
                Forecast::Hit => format!("hit   {label}"),
                Forecast::Execute => format!("run   {label}"),
                Forecast::After { input } => format!("run?  {label}  (after `{input}`)"),
            }
        })
        .collect();
    let count = |forecast: fn(&Forecast) -> bool| {
        plan.iter().filter(|planned| !is_fetch(planned) && forecast(&planned.forecast)).count()
    };
    let fetches = plan.iter().filter(is_fetch).filter(|planned| planned.forecast == Forecast::Execute).count();
    lines.push(format!(
        "{}, {} to run, {} after these, {} to fetch",
        display::counted(count(|forecast| *forecast == Forecast::Hit), "hit"),
        count(|forecast| *forecast == Forecast::Execute),
        count(|forecast| matches!(forecast, Forecast::After { .. })),
        display::counted(fetches, "file"),
    ));
    lines
}
