//! `vb why`: which named part of an action's key made it run.

use serde::Serialize;
use vb_build::{Change, Contrast, Forecast, Why};
use vb_graph::Graph;

use super::lint;
use crate::{
    arguments::{Common, Why as Arguments},
    display,
    exit::Exit,
    fatal::Fatal,
    session::unknown_action,
    workbench::Workbench,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Fatal> {
    let mut bench = Workbench::of(common, &arguments.selection, arguments.tests)?;
    let goals = if arguments.lint { lint::add_looks(&mut bench)? } else { bench.goals_of(arguments.tests) };
    let all = bench
        .builder
        .why(&bench.graph, &goals)
        .map_err(|error| Fatal::caused(Exit::Environment, "vb::why::source", "cannot read a source", "", error))?;
    let is_asked = |why: &&Why| {
        let label = &bench.graph.provenance(why.action).label;
        arguments.action.as_ref().is_none_or(|text| label.contains(text.as_str()))
    };
    let asked: Vec<&Why> = all.iter().filter(is_asked).collect();
    if let (Some(wanted), []) = (&arguments.action, asked.as_slice()) {
        return Err(unknown_action(wanted));
    }
    if common.json {
        display::json(&asked.into_iter().map(|why| Explained::new(&bench.graph, why)).collect::<Vec<_>>());
    } else {
        display::lines(&asked.into_iter().flat_map(|why| render(&bench.graph, why)).collect::<Vec<_>>());
    }
    Ok(Exit::Success)
}

fn render(graph: &Graph, why: &Why) -> Vec<String> {
    let label = &graph.provenance(why.action).label;
    let headline = match (&why.forecast, why.has_earlier) {
        (Forecast::Hit, true) => format!("hit   {label}: it ran last because these parts of its key had changed"),
        (Forecast::Hit, false) => format!("hit   {label}: it ran once, and nothing has changed since"),
        (Forecast::Execute, true) => format!("run   {label}: these parts of its key have changed"),
        (Forecast::Execute, false) => format!("run   {label}: it has not run before"),
        (Forecast::After { input }, true) => {
            format!("run?  {label}: only when `{input}` turns out otherwise than before")
        }
        (Forecast::After { input }, false) => format!("run?  {label}: it has not run before; it needs `{input}` first"),
    };
    let mut lines = vec![headline];
    lines.extend(why.changes.iter().flat_map(render_change));
    lines
}

fn render_change(change: &Change) -> Vec<String> {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(nothing)".to_owned());
    let mut lines = vec![format!("        {}: {} -> {}", change.part, value(&change.before), value(&change.after))];
    lines.extend(change.entries.iter().map(|entry| format!("            {} {}", what(&entry.contrast), entry.path)));
    lines
}

fn what(contrast: &Contrast) -> &'static str {
    match contrast {
        Contrast::OnlyFirst => "removed",
        Contrast::OnlySecond => "added",
        Contrast::Differs(_) => "changed",
    }
}

/// The same for programs.
#[derive(Serialize)]
struct Explained<'a> {
    label: &'a str,
    state: &'static str,
    /// What would be made first.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
    has_run_before: bool,
    changes: Vec<ChangedPart<'a>>,
}

#[derive(Serialize)]
struct ChangedPart<'a> {
    part: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
    entries: Vec<ChangedEntry<'a>>,
}

#[derive(Serialize)]
struct ChangedEntry<'a> {
    path: &'a str,
    what: &'static str,
}

impl<'a> Explained<'a> {
    fn new(graph: &'a Graph, why: &'a Why) -> Self {
        let (state, after) = why.forecast.words();
        let part = |change: &'a Change| ChangedPart {
            part: &change.part,
            before: change.before.as_deref(),
            after: change.after.as_deref(),
            entries: change
                .entries
                .iter()
                .map(|entry| ChangedEntry { path: &entry.path, what: what(&entry.contrast) })
                .collect(),
        };
        Self {
            label: &graph.provenance(why.action).label,
            state,
            after,
            has_run_before: why.has_earlier || why.forecast == Forecast::Hit,
            changes: why.changes.iter().map(part).collect(),
        }
    }
}
