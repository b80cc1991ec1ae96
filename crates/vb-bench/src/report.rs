//! Figures as Markdown tables.

use std::{fmt::Write, time::Duration};

use serde_json::Value;

use crate::run::Run;

/// What was measured, in its order.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    name: &'static str,
    /// Sorted.
    walls: Vec<Duration>,
    own: u64,
    tree: u64,
}

impl Figures {
    /// Adds the runs of one kind.
    pub(crate) fn add(&mut self, name: &'static str, runs: &[Run]) {
        let mut walls: Vec<Duration> = runs.iter().map(|run| run.wall).collect();
        walls.sort();
        let highest = |of: fn(&Run) -> u64| runs.iter().map(of).max().unwrap_or(0);
        self.0.push(Figure { name, walls, own: highest(|run| run.peak.own), tree: highest(|run| run.peak.tree) });
    }
}

/// Writes a row for each figure.
pub(crate) fn figures_table(figures: &Figures) -> String {
    let mut text = String::from(
        "| figure | runs | median | least | most | peak memory of vb | of the process tree |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Figure { name, walls, own, tree } in &figures.0 {
        let (Some(least), Some(most)) = (walls.first(), walls.last()) else { continue };
        let (median, runs) = (walls[walls.len() / 2], walls.len());
        let [median, least, most] = [median, *least, *most].map(shown);
        let [own, tree] = [own, tree].map(|bytes| format!("{} MiB", bytes >> 20));
        writeln!(text, "| {name} | {runs} | {median} | {least} | {most} | {own} | {tree} |").expect("a string grows");
    }
    text
}

/// Returns every action that was executed, in the order in which they ended, with its time; fetches are left out.
pub(crate) fn executed(events: &[Value]) -> Vec<(String, f64)> {
    let is_executed = |event: &&Value| event["event"] == "finished" && event["how"] == "executed";
    let actions = events.iter().filter(is_executed).filter(|event| event["kind"] != "fetch");
    actions.filter_map(|event| Some((event["label"].as_str()?.to_owned(), event["wall"].as_f64()?))).collect()
}

/// Writes a row for each edit, with all actions that it executed.
pub(crate) fn edits_table(edits: &[(&str, Vec<(String, f64)>)]) -> String {
    let mut text = String::from("| edit | actions |\n| --- | --- |\n");
    for (edit, actions) in edits {
        let labels: Vec<&str> = actions.iter().map(|(label, _)| label.as_str()).collect();
        writeln!(text, "| {edit} | {} |", labels.join(", ")).expect("a string grows");
    }
    text
}

/// Writes a row for each action that was executed, the longest first.
pub(crate) fn actions_table(events: &[Value]) -> String {
    let mut actions = executed(events);
    actions.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut text = String::from("| action | time |\n| --- | ---: |\n");
    for (label, wall) in actions {
        writeln!(text, "| {label} | {} |", shown(Duration::from_secs_f64(wall))).expect("a string grows");
    }
    text
}

/// Writes a duration as people read it.
pub(crate) fn shown(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Peak;

    #[test]
    fn a_row_has_median_least_and_most() {
        let run = |milliseconds: u64| Run {
            wall: Duration::from_millis(milliseconds),
            peak: Peak { own: milliseconds << 20, tree: 0 },
            events: vec![],
        };
        let mut figures = Figures::default();
        figures.add("no-change build", &[run(90), run(1200), run(70)]);
        let table = figures_table(&figures);
        let row = table.lines().last().unwrap();
        assert_eq!(row, "| no-change build | 3 | 90 ms | 70 ms | 1.2 s | 1200 MiB | 0 MiB |");
    }

    #[test]
    fn the_longest_action_comes_first_and_fetches_and_hits_are_left_out() {
        let event = |label: &str, kind: &str, how: &str, wall: f64| serde_json::json!({"event": "finished", "label": label, "kind": kind, "how": how, "wall": wall});
        let events = [
            event("a", "unpack", "executed", 0.5),
            event("b", "wheel", "executed", 12.34),
            event("c", "fetch", "executed", 3.0),
            event("d", "stage", "hit", 4.0),
            serde_json::json!({"event": "summary", "wall": 20.0}),
        ];
        assert_eq!(actions_table(&events), "| action | time |\n| --- | ---: |\n| b | 12.3 s |\n| a | 500 ms |\n");
        let edits = edits_table(&[("an edit", executed(&events))]);
        assert_eq!(edits, "| edit | actions |\n| --- | --- |\n| an edit | a, b |\n");
    }
}
