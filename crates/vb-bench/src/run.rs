//! Running vb, and what a run took.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{case::observe, error::BenchError, memory::Peak, workspace::Copy};

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

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn command(&self) -> Command {
        Command::new(&self.path)
    }

    /// Returns the command that builds the recipe.
    pub(crate) fn build_command(&self, workspace: &Copy, store: &Path) -> Command {
        let mut command = self.command_in(workspace, store, "build");
        command.arg("--json").arg(workspace.recipe());
        command
    }

    /// Returns the command that locks the recipe again.
    pub(crate) fn lock(&self, workspace: &Copy, store: &Path) -> Command {
        let mut command = self.command_in(workspace, store, "lock");
        command.arg(workspace.recipe());
        command
    }

    /// Returns the command that makes one action's output and prints where it is.
    pub(crate) fn output(&self, workspace: &Copy, store: &Path, action: &str) -> Command {
        let mut command = self.command_in(workspace, store, "output");
        command.arg(workspace.recipe()).arg(action);
        command
    }

    /// Returns the command that runs another one in the sandbox of an action.
    pub(crate) fn shell(&self, workspace: &Copy, store: &Path, action: &str, argv: &[&str]) -> Command {
        let mut command = self.command_in(workspace, store, "shell");
        command.arg(workspace.recipe()).arg(action).arg("--").args(argv);
        command
    }

    fn command_in(&self, workspace: &Copy, store: &Path, name: &str) -> Command {
        let mut command = self.command();
        command.args([name, "--platform", &self.platform, "--store"]).arg(store).current_dir(workspace.root());
        command
    }

    /// Builds the recipe once.
    pub(crate) fn build(&self, workspace: &Copy, store: &Path) -> Result<Run, BenchError> {
        self.run(self.build_command(workspace, store))
    }

    /// Runs a command that prints events.
    pub(crate) fn run(&self, mut command: Command) -> Result<Run, BenchError> {
        let (output, sample) = observe(&mut command)?;
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let events = lines.map(serde_json::from_slice).collect::<Result<_, _>>().map_err(BenchError::Event)?;
        Ok(Run { wall: sample.wall, peak: sample.peak, events })
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

/// Says what a command that failed printed.
pub(crate) fn failed(command: &Command, stderr: &[u8]) -> BenchError {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    BenchError::Command { command: words.join(" "), message: String::from_utf8_lossy(stderr).trim().to_owned() }
}
