//! Cases that are measured side by side: each run of one is followed by a run of the next, so that what else the machine
//! does falls on all of them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use fs_err as fs;

use crate::{
    error::BenchError,
    memory::{Peak, watch},
    report::shown,
    run::failed,
};

/// Ticks of the processor times in `/proc/<pid>/stat` (proc(5)); Linux shows user programs 100 for each second.
const TICKS: u64 = 100;

/// One command, and what is done before each run of it.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    /// Not measured.
    pub(crate) prepare: Box<dyn Fn() -> Result<(), BenchError> + 'a>,
    pub(crate) command: Box<dyn Fn() -> Command + 'a>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        prepare: impl Fn() -> Result<(), BenchError> + 'a,
        command: impl Fn() -> Command + 'a,
    ) -> Self {
        Self { name: name.into(), prepare: Box::new(prepare), command: Box::new(command) }
    }
}

/// What one run took.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    /// Of all processors, in user mode and in the kernel.
    pub(crate) processor: Duration,
    pub(crate) peak: Peak,
}

/// Runs all cases in turn, a number of times.
pub(crate) fn interleave(cases: &[Case<'_>], runs: usize) -> Result<Vec<Vec<Sample>>, BenchError> {
    let mut samples: Vec<Vec<Sample>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..runs {
        for (case, samples) in cases.iter().zip(&mut samples) {
            (case.prepare)()?;
            samples.push(observe(&mut (case.command)())?.1);
        }
    }
    Ok(samples)
}

/// Runs a command to its successful end and says what it took.
pub(crate) fn observe(command: &mut Command) -> Result<(Output, Sample), BenchError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (begun, used) = (Instant::now(), used_by_children()?);
    let child = command.spawn()?;
    let (process, has_ended) = (child.id(), AtomicBool::new(false));
    let (output, wall, peak) = std::thread::scope(|scope| {
        let peak = scope.spawn(|| watch(process, &has_ended));
        let output = child.wait_with_output();
        let wall = begun.elapsed();
        has_ended.store(true, Ordering::Relaxed);
        (output, wall, peak.join().expect("watching does not panic"))
    });
    let output = output?;
    if !output.status.success() {
        return Err(failed(command, &output.stderr));
    }
    Ok((output, Sample { wall, processor: used_by_children()?.saturating_sub(used), peak }))
}

/// Returns the processor time of all children that have ended, and of theirs.
fn used_by_children() -> Result<Duration, BenchError> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program stands in parentheses; the fields after it count from the third.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    let ticks: u64 = fields.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Writes a row for each case. The ratio is to the first one: how many times faster, by the medians.
pub(crate) fn table(cases: &[Case<'_>], samples: &[Vec<Sample>]) -> String {
    let mut text = String::from(
        "| case | runs | wall median | least | most | processors | peak memory | faster than the first |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let first = samples.first().map(|samples| median(samples, |sample| sample.wall)).unwrap_or_default();
    for (case, samples) in cases.iter().zip(samples) {
        let walls = samples.iter().map(|sample| sample.wall);
        let (least, most) = (walls.clone().min().unwrap_or_default(), walls.max().unwrap_or_default());
        let wall = median(samples, |sample| sample.wall);
        let processor = median(samples, |sample| sample.processor);
        let peak = samples.iter().map(|sample| sample.peak.tree).max().unwrap_or_default() >> 20;
        let ratio = first.as_secs_f64() / wall.as_secs_f64().max(f64::MIN_POSITIVE);
        let [wall, least, most, processor] = [wall, least, most, processor].map(shown);
        let (name, runs) = (&case.name, samples.len());
        text.push_str(&format!(
            "| {name} | {runs} | {wall} | {least} | {most} | {processor} | {peak} MiB | {ratio:.1}× |\n"
        ));
    }
    text
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> Duration) -> Duration {
    let mut values: Vec<Duration> = samples.iter().map(of).collect();
    values.sort();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Returns a program of the machine, if it has it.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// Returns a line that says which peers are not there.
pub(crate) fn absent(names: &[&str]) -> String {
    let absent: Vec<&str> = names.iter().copied().filter(|name| find_program(name).is_none()).collect();
    if absent.is_empty() {
        String::new()
    } else {
        format!("Not installed, so not measured: {}.\n\n", absent.join(", "))
    }
}

/// Removes a tree or file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), BenchError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(fs::remove_dir_all(path)?),
        Ok(_) => Ok(fs::remove_file(path)?),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_run_in_turn_and_compared_with_the_first() {
        let order = std::cell::RefCell::new(Vec::new());
        let note = |name: &'static str| {
            order.borrow_mut().push(name);
            Ok(())
        };
        let cases = [
            Case::new("one", || note("one"), || Command::new("true")),
            Case::new("other", || note("other"), || Command::new("true")),
        ];
        let samples = interleave(&cases, 2).unwrap();
        assert_eq!(*order.borrow(), ["one", "other", "one", "other"]);
        let rows = table(&cases, &samples);
        assert!(rows.lines().nth(2).unwrap().ends_with("| 1.0× |"), "{rows}");
        assert!(matches!(observe(&mut Command::new("false")), Err(BenchError::Command { .. })));
    }
}
