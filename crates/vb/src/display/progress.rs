//! The progress of a build: bars on a terminal, plain lines elsewhere, JSON lines on request.

use std::{
    collections::HashMap,
    io::IsTerminal,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use vb_build::{BuildReport, Event, How};

/// Shows the events of one build.
#[derive(Debug)]
pub(crate) struct Display {
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Terminal(Mutex<Bars>),
    Plain,
    Json,
}

/// A line for each running action, and below them how far everything is.
#[derive(Debug, Default)]
struct Bars {
    all: MultiProgress,
    running: HashMap<String, ProgressBar>,
    sum: Option<ProgressBar>,
}

impl Display {
    /// Chooses how to show by where standard error goes.
    pub(crate) fn new(is_json: bool) -> Self {
        let mode = if is_json {
            Mode::Json
        } else if std::io::stderr().is_terminal() {
            Mode::Terminal(Mutex::default())
        } else {
            Mode::Plain
        };
        Self { mode }
    }

    /// Shows one event.
    pub(crate) fn event(&self, event: &Event) {
        match &self.mode {
            Mode::Json => {
                let line = serde_json::to_string(event).expect("an event is plain data");
                super::lines(&[line]);
            }
            Mode::Plain => {
                if let Some(line) = plain_line(event) {
                    super::note(&line);
                }
            }
            Mode::Terminal(bars) => bars.lock().unwrap_or_else(PoisonError::into_inner).event(event),
        }
    }

    /// Removes what is drawn.
    pub(crate) fn finish(&self) {
        if let Mode::Terminal(bars) = &self.mode {
            bars.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Prints the path of what a command made: of a package, a lock.
    pub(crate) fn made(&self, thing: &str, path: &Path) {
        match self.mode {
            Mode::Json => super::lines(&[serde_json::json!({"event": thing, "path": path}).to_string()]),
            _ => super::lines(&[path.display().to_string()]),
        }
    }

    /// Prints what is locked otherwise than before, in lines for people.
    pub(crate) fn moved(&self, lines: &[String]) {
        match self.mode {
            Mode::Json if lines.is_empty() => {}
            Mode::Json => super::lines(&[serde_json::json!({"event": "moved", "lines": lines}).to_string()]),
            _ => super::lines(lines),
        }
    }

    /// Prints the sums of a build.
    pub(crate) fn summary(&self, packages: usize, report: &BuildReport, wall: Duration) {
        self.sum_up(("packages", packages, "package"), report, wall);
    }

    /// Says that actions were executed twice and wrote the same bytes; the events of `--json` say that by their absence.
    pub(crate) fn checked(&self, executed: usize) {
        if !matches!(self.mode, Mode::Json) {
            super::note(&format!("{} executed again, with the same bytes", super::counted(executed, "action")));
        }
    }

    /// Prints the sums of a run of tests.
    pub(crate) fn test_summary(&self, passed: usize, report: &BuildReport, wall: Duration) {
        self.sum_up(("passed", passed, "passed test"), report, wall);
    }

    /// Prints the sums of a run of checkers.
    pub(crate) fn lint_summary(&self, looked_at: usize, report: &BuildReport, wall: Duration) {
        self.sum_up(("packages", looked_at, "package"), report, wall);
    }

    fn sum_up(&self, (field, count, thing): (&str, usize, &str), report: &BuildReport, wall: Duration) {
        let mut parts = vec![
            super::counted(count, thing),
            format!("{} executed", super::counted(report.executed, "action")),
            format!("{} from the cache", report.hits),
        ];
        if !report.failures.is_empty() {
            parts.push(format!("{} failed", report.failures.len()));
        }
        if report.skipped > 0 {
            parts.push(format!("{} skipped", report.skipped));
        }
        if report.is_cancelled {
            parts.push("interrupted".to_owned());
        }
        match self.mode {
            Mode::Json => super::lines(&[serde_json::json!({
                "event": "summary", field: count, "executed": report.executed, "hits": report.hits,
                "failed": report.failures.len(), "skipped": report.skipped, "wall": wall.as_secs_f64(),
            })
            .to_string()]),
            _ => super::note(&format!("{} in {}", parts.join(", "), seconds(wall))),
        }
    }
}

/// Returns what an event is worth where lines stay: what is fetched and what is in the cache is only counted.
fn plain_line(event: &Event) -> Option<String> {
    match event {
        Event::Started { label, kind } if *kind != "fetch" => Some(format!("run     {label}")),
        Event::Waiting { label } => Some(format!("wait    {label} (another vb executes it)")),
        Event::Finished { label, kind, how: How::Executed, wall, .. } if *kind != "fetch" => {
            Some(format!("done    {label} ({})", seconds(*wall)))
        }
        Event::Failed { label, .. } => Some(format!("failed  {label}")),
        Event::Repairing { label } => Some(format!("repair  {label} (its output was damaged or missing in the store)")),
        Event::Started { .. } | Event::Finished { .. } => None,
    }
}

impl Bars {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { label, .. } => {
                let style =
                    ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}").expect("a valid template");
                let bar = ProgressBar::new_spinner().with_style(style).with_message(label.clone());
                let bar = match &self.sum {
                    Some(sum) => self.all.insert_before(sum, bar),
                    None => self.all.add(bar),
                };
                bar.enable_steady_tick(Duration::from_millis(100));
                self.running.insert(label.clone(), bar);
            }
            Event::Finished { label, ended, needed, .. } => {
                self.remove(label);
                self.sum_up(*ended, *needed);
            }
            Event::Failed { label, .. } => self.remove(label),
            // What failed for want of what is repaired is begun again, and has no event that ends it.
            Event::Repairing { .. } => self.running.drain().for_each(|(_, bar)| bar.finish_and_clear()),
            Event::Waiting { .. } => {}
        }
        let stays = !matches!(event, Event::Started { .. });
        if let Some(line) = plain_line(event).filter(|_| stays) {
            self.all.suspend(|| super::note(&line));
        }
    }

    fn remove(&mut self, label: &str) {
        if let Some(bar) = self.running.remove(label) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    /// Draws how far everything is; nothing while all is found in the cache.
    fn sum_up(&mut self, ended: usize, needed: usize) {
        if self.sum.is_none() && self.running.is_empty() {
            return;
        }
        let sum = self.sum.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{bar:24} {pos} of {len} actions").expect("a valid template");
            self.all.add(ProgressBar::no_length().with_style(style))
        });
        sum.set_length(needed as u64);
        sum.set_position(ended as u64);
    }

    fn clear(&mut self) {
        // An interrupted action has no event that ends it.
        self.running.drain().map(|(_, bar)| bar).chain(self.sum.take()).for_each(|bar| bar.finish_and_clear());
        // A terminal that is gone needs no clearing.
        drop(self.all.clear());
    }
}

/// Writes a duration as people read it.
pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_millis() {
        0..1000 => format!("{} ms", duration.as_millis()),
        1000..100_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60),
    }
}
