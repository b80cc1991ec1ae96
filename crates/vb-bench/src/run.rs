//! Running vb, and what a run took.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    error::BenchError,
    memory::{Peak, watch},
    workspace::Copy,
};

/// The program that is measured.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    platform: String,
}

/// One run of it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) wall: Duration,
    pub(crate) peak: Peak,
    pub(crate) events: Vec<Value>,
}

impl Program {
    /// Finds `vb` in the directory of this program, to build for one platform.
    pub(crate) fn beside_this_one(platform: &str) -> Result<Self, BenchError> {
        let path = std::env::current_exe()?.with_file_name("vb");
        let platform = platform.to_owned();
        if path.is_file() { Ok(Self { path, platform }) } else { Err(BenchError::NoProgram { path }) }
    }

    pub(crate) fn command(&self) -> Command {
        Command::new(&self.path)
    }

    /// Builds the recipe once.
    pub(crate) fn build(&self, workspace: &Copy, store: &Path) -> Result<Run, BenchError> {
        let mut command = self.command();
        command.args(["build", "--json", "--platform", &self.platform, "--store"]).arg(store).arg(workspace.recipe());
        command.current_dir(workspace.root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let begun = Instant::now();
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
            return Err(failed(&command, &output.stderr));
        }
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let events = lines.map(serde_json::from_slice).collect::<Result<_, _>>().map_err(BenchError::Event)?;
        Ok(Run { wall, peak, events })
    }
}

/// Runs a command and returns the line that it printed.
pub(crate) fn output_of(command: &mut Command) -> Result<String, BenchError> {
    let output = command.output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(failed(command, &output.stderr))
    }
}

fn failed(command: &Command, stderr: &[u8]) -> BenchError {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    BenchError::Command { command: words.join(" "), message: String::from_utf8_lossy(stderr).trim().to_owned() }
}
