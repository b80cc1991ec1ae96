//! Builds without a network: what they lack, all of it.

use vb_build::{BuildReport, Builder, MissingFile, Need};
use vb_graph::{ActionIndex, Graph};

use crate::{arguments::Common, display, exit::Exit, fatal::Fatal};

/// Refuses a command that can do nothing without a network.
pub(crate) fn refuse(common: &Common, command: &str) -> Result<(), Fatal> {
    if !common.offline {
        return Ok(());
    }
    Err(Fatal::message(
        Exit::Usage,
        "vb::usage::offline",
        format!("`vb {command}` needs the network"),
        "leave out `--offline`; what is locked and fetched can be built without a network",
    ))
}

/// What is to be built without a network.
pub(super) struct Wanted<'a> {
    pub(super) builder: &'a Builder,
    pub(super) graph: &'a Graph,
    pub(super) goals: &'a [ActionIndex],
    /// The command that fetches all of it.
    pub(super) fetch: &'static str,
}

impl Wanted<'_> {
    /// Ends a build that cannot succeed, before anything is executed.
    pub(super) fn check_before(&self) -> Result<(), Fatal> {
        let missing = self.missing()?;
        if missing.iter().any(|file| file.need == Need::Certain) { Err(self.lacking(&missing)) } else { Ok(()) }
    }

    /// Ends a build that could have succeeded, had what it made been what was made before.
    pub(super) fn check_after(&self, report: &BuildReport) -> Result<(), Fatal> {
        if !report.failures.iter().any(|failure| failure.error.is_offline()) {
            return Ok(());
        }
        Err(self.lacking(&self.missing()?))
    }

    fn missing(&self) -> Result<Vec<MissingFile>, Fatal> {
        self.builder
            .missing(self.graph, self.goals)
            .map_err(|error| Fatal::caused(Exit::Environment, "vb::plan::source", "cannot read a source", "", error))
    }

    fn lacking(&self, missing: &[MissingFile]) -> Fatal {
        let mut files: Vec<String> = missing.iter().map(|missing| format!("  {}", missing.file)).collect();
        files.sort();
        files.dedup();
        let count = display::counted(files.len(), "file");
        Fatal::message(
            Exit::Environment,
            "vb::fetch::offline",
            format!("{count} of the lock would have to be fetched, and the network is not used\n{}", files.join("\n")),
            format!("run `{}` for these recipes where there is a network", self.fetch),
        )
    }
}
