//! One run of the program and what it left.

use std::process::{Command, Output, Stdio};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; 128 and the signal's number when a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Runs a command to its end.
    #[must_use]
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self::from_output(&output)
    }

    pub(crate) fn from_output(output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Asserts an exit code, and shows what was printed when it is another.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts success.
    pub(crate) fn ok(self) -> Self {
        self.expect(0)
    }

    /// Returns the labels of the actions that a run with `--json` executed, sorted; fetches are not among them.
    pub(crate) fn executed_events(&self) -> Vec<String> {
        let events = self.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let is_executed = |event: &serde_json::Value| {
            event["event"] == "finished" && event["how"] == "executed" && event["kind"] != "fetch"
        };
        let mut labels: Vec<String> =
            events.filter(is_executed).map(|event| event["label"].as_str().unwrap().to_owned()).collect();
        labels.sort();
        labels
    }

    /// Returns the labels of the actions that were executed, sorted; fetches are not among them.
    pub(crate) fn executed(&self) -> Vec<String> {
        let label = |line: &str| {
            let rest = line.strip_prefix("done")?.trim_start();
            Some(rest.rsplit_once(" (")?.0.to_owned())
        };
        let mut labels: Vec<String> = self.stderr.lines().filter_map(label).collect();
        labels.sort();
        labels
    }
}
