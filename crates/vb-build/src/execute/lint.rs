//! A distribution's checker looks at a package.
//!
//! The output is a directory with `findings.json`. That there are findings is no failure: who accepts which is not asked
//! here, so that an answer that changes runs no checker again.

use std::sync::atomic::AtomicBool;

use fs_err as fs;
use vb_graph::{Checker, Lint, Node};

use super::{
    Executed,
    command::{Prepared, layered, private, read_write},
};
use crate::{builder::Builder, error::ExecuteError, findings::Findings, inputs::Inputs};

const REPORT: &str = "findings.json";

/// The command, with the directory of the package as its first argument, and the file of what is found as its second.
fn script(checker: Checker) -> &'static str {
    match checker {
        Checker::Lintian => {
            "exec lintian --no-cfg --color never --info --tag-display-limit 0 --fail-on none \"$1\"/*.deb > \"$2\""
        }
        Checker::Rpmlint => "exec rpmlint --permissive --info \"$1\"/*.rpm > \"$2\"",
    }
}

impl Builder {
    pub(super) fn lint(&self, lint: Lint, inputs: &Inputs, cancel: &AtomicBool) -> Result<Executed, ExecuteError> {
        let prepared = self.prepare_lint(lint, inputs)?;
        let log = self.run(&prepared, cancel)?;
        let text = fs::read(prepared.path("report/text")).map_err(ExecuteError::scratch)?;
        let findings = Findings::parse(lint.checker, &String::from_utf8_lossy(&text));
        let report = serde_json::to_vec(&findings).expect("findings are plain data");
        fs::create_dir(prepared.path("out")).map_err(ExecuteError::scratch)?;
        fs::write(prepared.path("out").join(REPORT), report).map_err(ExecuteError::scratch)?;
        Ok(Executed { output: self.take_in(&prepared.path("out"))?, log: Some(log) })
    }

    pub(super) fn prepare_lint(&self, lint: Lint, inputs: &Inputs) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let report = scratch.path().join("report");
        fs::create_dir(&report).map_err(ExecuteError::scratch)?;
        let package = self.show_package(inputs, "package", scratch.path())?;
        let argv = ["/bin/sh", "-c", script(lint.checker), "sh", &private("package"), &private("report/text")];
        let lowers = vec![self.layer(&inputs.directory("root"))?];
        let binds = vec![package, read_write(&report, &private("report"))];
        let spec = layered(lowers, argv.map(str::to_owned).to_vec(), binds);
        Ok(Prepared { spec, scratch })
    }

    /// Returns what a checker found: the output of a [`Lint`] as data.
    ///
    /// # Errors
    /// When the store does not have it whole.
    pub fn findings(&self, output: &Node) -> Result<Findings, ExecuteError> {
        let report = match self.store.find(output, REPORT)? {
            Some(Node::File { blob, .. }) => self.store.read_blob(&blob)?,
            _ => vec![],
        };
        serde_json::from_slice(&report).map_err(ExecuteError::LintReport)
    }
}
