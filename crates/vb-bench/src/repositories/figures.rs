//! What runs took, and tables of it.

use std::{fmt::Write, time::Duration};

/// What one run of a command took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) wall: Duration,
    /// Of all its processes.
    pub(super) cpu: Duration,
    /// The largest resident set of one process, in bytes.
    pub(super) memory: u64,
}

/// Runs of several tools, the first tool's first.
#[derive(Debug, Default)]
pub(super) struct Comparison(Vec<(String, Vec<Taken>)>);

impl Comparison {
    /// Adds a run.
    pub(super) fn add(&mut self, tool: &str, taken: Taken) {
        match self.0.iter_mut().find(|(name, _)| name == tool) {
            Some((_, runs)) => runs.push(taken),
            None => self.0.push((tool.to_owned(), vec![taken])),
        }
    }
}

/// Writes a table with a row for each tool; ratios are those of the first row.
pub(super) fn table(title: &str, comparison: &Comparison) -> String {
    let mut text = format!(
        "**{title}**\n\n| tool | runs | wall, median | least | most | processor, median | memory | wall / vb | processor / vb |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    );
    let first =
        comparison.0.first().map(|(_, runs)| (median(runs, |taken| taken.wall), median(runs, |taken| taken.cpu)));
    for (tool, runs) in &comparison.0 {
        let (wall, cpu) = (median(runs, |taken| taken.wall), median(runs, |taken| taken.cpu));
        let walls = runs.iter().map(|taken| taken.wall);
        let (least, most) = (walls.clone().min().unwrap_or_default(), walls.max().unwrap_or_default());
        let memory = runs.iter().map(|taken| taken.memory).max().unwrap_or_default() >> 20;
        let ratio = |own: Duration, of: Duration| own.as_secs_f64() / of.as_secs_f64().max(0.000_001);
        let (by_wall, by_cpu) = first.map_or((1.0, 1.0), |first| (ratio(wall, first.0), ratio(cpu, first.1)));
        let [wall, least, most, cpu] = [wall, least, most, cpu].map(|time| format!("{} ms", time.as_millis()));
        let count = runs.len();
        writeln!(
            text,
            "| {tool} | {count} | {wall} | {least} | {most} | {cpu} | {memory} MiB | {by_wall:.2} | {by_cpu:.2} |"
        )
        .expect("a string grows");
    }
    text.push('\n');
    text
}

fn median(runs: &[Taken], of: fn(&Taken) -> Duration) -> Duration {
    let mut all: Vec<Duration> = runs.iter().map(of).collect();
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_the_first_tool() {
        let taken = |milliseconds| Taken {
            wall: Duration::from_millis(milliseconds),
            cpu: Duration::from_millis(milliseconds / 2),
            memory: 5 << 20,
        };
        let mut comparison = Comparison::default();
        for (tool, milliseconds) in [("vb", 30), ("aptly", 420), ("vb", 10), ("aptly", 200), ("vb", 20), ("aptly", 400)]
        {
            comparison.add(tool, taken(milliseconds));
        }
        let text = table("a title", &comparison);
        let row = text.lines().find(|line| line.contains("aptly")).unwrap();
        assert_eq!(row, "| aptly | 3 | 400 ms | 200 ms | 420 ms | 200 ms | 5 MiB | 20.00 | 20.00 |");
    }
}
