//! Django's `collectstatic`, with the application's settings over its real environment.

use fs_err as fs;
use serde::Deserialize;
use vb_graph::{CollectStatic, Node, Step};
use vb_sandbox::HostPath;
use vb_store::Listing;

use super::command::check_outside;
use crate::{
    builder::Builder,
    error::{ExecuteError, StepError},
    execute::{
        command::{Prepared, private, read_write},
        stage::wrap,
    },
    inputs::Inputs,
};

const SCRIPT: &str = include_str!("collect_static.py");

/// What the script tells of the settings.
#[derive(Debug, Deserialize)]
struct Report {
    /// `STATIC_ROOT`, absolute.
    static_root: String,
    /// Directories of `STATICFILES_DIRS` that are not there.
    missing: Vec<String>,
}

/// Returns the command of the step.
pub(super) fn collect_static_command(collect: &CollectStatic) -> Vec<String> {
    let settings = collect.settings.clone().unwrap_or_default();
    let python = format!("{}/bin/python", collect.prefix);
    vec![python, "-c".to_owned(), SCRIPT.to_owned(), private("report/report.json"), settings]
}

impl Builder {
    /// Makes a layer that has an input at a path.
    pub(super) fn layer_at(&self, path: &str, inputs: &Inputs, name: &str) -> Result<HostPath, ExecuteError> {
        let directory = self.store.directory(&inputs.directory(name))?;
        let Node::Directory { digest, .. } = wrap(&self.store, path, &directory)? else {
            unreachable!("a directory in directories is one")
        };
        self.layer(&digest)
    }

    /// Shows the step a directory for its report.
    pub(super) fn prepare_collect_static(&self, mut prepared: Prepared) -> Result<Prepared, ExecuteError> {
        let report = prepared.path("report");
        fs::create_dir(&report).map_err(ExecuteError::scratch)?;
        prepared.spec.binds.push(read_write(&report, &private("report")));
        Ok(prepared)
    }

    /// Checks that everything that was meant was collected, and that nothing else was written.
    pub(super) fn check_collected(
        &self,
        step: &Step,
        collect: &CollectStatic,
        inputs: &Inputs,
        prepared: &Prepared,
        written: &Listing,
        after: &Listing,
    ) -> Result<(), ExecuteError> {
        let report = self.static_report(prepared)?;
        self.check_missing(step, &report, inputs)?;
        let root = inner(&report.static_root, &step.application)?;
        let prefix = format!("{root}/");
        check_outside(written, |path| path.starts_with(&prefix))?;
        let is_missing = |file: &&String| after.get(&format!("{prefix}{file}")).is_none();
        let files: Vec<String> = collect.files.iter().filter(is_missing).cloned().collect();
        if files.is_empty() { Ok(()) } else { Err(StepError::NotCollected { files, root: root.to_owned() }.into()) }
    }

    fn static_report(&self, prepared: &Prepared) -> Result<Report, ExecuteError> {
        // Read out of the store, where a link that the settings may have left is not followed.
        let output = self.take_in(&prepared.path("report"))?;
        let bytes = match self.store.find(&output, "report.json")? {
            Some(Node::File { blob, .. }) => self.store.read_blob(&blob)?,
            _ => vec![],
        };
        serde_json::from_slice(&bytes).map_err(|error| StepError::Report(error).into())
    }

    /// A directory that the settings name and the source has, but not the step, would only be missed on a server.
    fn check_missing(&self, step: &Step, report: &Report, inputs: &Inputs) -> Result<(), ExecuteError> {
        let whole = self.whole_application(inputs)?;
        let relative = |path: &String| inner(path, &step.application).ok().map(str::to_owned);
        let paths: Vec<String> =
            report.missing.iter().filter_map(relative).filter(|path| whole.has_directory(path)).collect();
        if paths.is_empty() { Ok(()) } else { Err(StepError::Undeclared { paths, failure: None }.into()) }
    }
}

/// Returns the path in the application of an absolute path.
fn inner<'a>(path: &'a str, application: &str) -> Result<&'a str, StepError> {
    let below = path.strip_prefix(application).and_then(|rest| rest.strip_prefix('/'));
    let outside = || StepError::StaticRoot { path: path.to_owned(), application: application.to_owned() };
    below.map(|rest| rest.trim_end_matches('/')).filter(|rest| !rest.is_empty()).ok_or_else(outside)
}
