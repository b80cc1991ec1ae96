//! How a failed action is shown: its label, the recipe's line, what failed and where to look.

mod image;
mod imports;
mod libraries;
mod step;
mod trial;

use std::error::Error;

use vb_build::{BuildReport, CommandFailure, Contrast, ExecuteError, Failure, FetchAttempt, ShareError};
use vb_graph::{ActionIndex, Graph, Kind, Sha256};
use vb_package::LifecycleError;
use vb_platform::UnpackError;
use vb_sandbox::Status;

use super::locked::LockedFrom;

/// What a failure is shown with beside itself.
pub(crate) struct Surroundings<'a> {
    /// Returns the command that opens a shell where an action ran.
    pub(crate) shell: &'a dyn Fn(&str) -> Option<String>,
    /// Finds the distribution package with a digest in the locks.
    pub(crate) locked: &'a dyn Fn(&Sha256) -> Option<LockedFrom>,
    /// Returns where the recipe of an action has a field.
    pub(crate) place: &'a dyn Fn(&str, &str) -> Option<String>,
    /// Says what would give the action of a label what its command misses.
    pub(crate) missing: &'a dyn Fn(&str, &CommandFailure) -> Option<String>,
}

impl Surroundings<'_> {
    /// Knows no shell and no locks.
    pub(crate) fn none() -> Self {
        Self { shell: &|_| None, locked: &|_| None, place: &|_, _| None, missing: &|_, _| None }
    }
}

/// Prints every failure of a build on standard error.
pub(crate) fn failures(graph: &Graph, report: &BuildReport, surroundings: &Surroundings<'_>) {
    for failure in &report.failures {
        super::note(&render(graph, failure, surroundings).join("\n"));
    }
}

fn render(graph: &Graph, failure: &Failure, surroundings: &Surroundings<'_>) -> Vec<String> {
    let provenance = graph.provenance(failure.action);
    let gone = match &failure.error {
        ExecuteError::Fetch { expected, .. } if failure.error.is_gone() => (surroundings.locked)(expected),
        _ => None,
    };
    let code = if gone.is_some() { "vb::fetch::gone" } else { code(&failure.error) };
    let mut lines = vec![String::new(), format!("error[{code}]: {} failed: {}", provenance.label, failure.error)];
    if let Some(locked) = &gone {
        lines.extend(locked.to_lines());
    }
    let field = field_of(graph, failure.action, &failure.error);
    let written = field.and_then(|field| (surroundings.place)(&provenance.label, &field));
    if let Some(place) = written.as_ref().or(provenance.declared_at.as_ref()) {
        lines.push(format!("  asked for at  {place}"));
    }
    lines.extend(details(&failure.error));
    let mut cause = failure.error.source();
    while let Some(error) = cause {
        lines.push(format!("  because       {error}"));
        cause = error.source();
    }
    let shell = (surroundings.shell)(&provenance.label).filter(|_| has_command(&failure.error));
    lines.extend(shell.map(|command| format!("  shell         {command}")));
    if let Some(help) = gone.map(|locked| locked.help()).or_else(|| help(&failure.error)).or_else(|| {
        let ExecuteError::Command(command) = &failure.error else { return None };
        (surroundings.missing)(&provenance.label, command)
    }) {
        lines.push(format!("  help          {help}"));
    }
    lines
}

/// Returns the field of the recipe that asks for what cannot be, where that is not the action's own.
fn field_of(graph: &Graph, action: ActionIndex, error: &ExecuteError) -> Option<String> {
    let part = graph.action(action).inputs.iter().find_map(|input| match &graph.action(input.action).kind {
        Kind::ShareOut(out) => out.share.part.as_ref(),
        _ => None,
    });
    match (error, part) {
        (ExecuteError::Share(error), _) => error.field(),
        (ExecuteError::Test(failure), _) => failure.field(),
        (ExecuteError::Lifecycle(error), None) => error.field(),
        (ExecuteError::Lifecycle(error), Some(part)) => Some(format!("packages.{part}.{}", error.field()?)),
        _ => None,
    }
}

/// Did a command end, so that a shell in its place shows more?
fn has_command(error: &ExecuteError) -> bool {
    match error {
        ExecuteError::Command(_) | ExecuteError::Test(_) => true,
        ExecuteError::Step(error) => error.command().is_some(),
        _ => false,
    }
}

/// Every kind of failure has a code, to be looked up and searched for.
fn code(error: &ExecuteError) -> &'static str {
    use ExecuteError as E;
    match error {
        _ if error.is_disk_full() => "vb::store::disk_full",
        _ if error.is_offline() => "vb::fetch::offline",
        _ if error.is_refused() => "vb::fetch::unauthorized",
        E::Fetch { .. } => "vb::fetch::failed",
        E::Locate { .. } => "vb::fetch::not_located",
        E::NodeModules(_) => "vb::npm::package",
        E::Ingest(_) => "vb::source::unreadable",
        E::Output(_) => "vb::action::output",
        E::UnpackRoot(_) => "vb::root::unpack",
        E::FinishRoot(_) => "vb::root::finish",
        E::Wheel(_) | E::Record(_) => "vb::wheel::invalid",
        E::Sdist(_) => "vb::wheel::sdist",
        E::Archive(_) => "vb::wheel::archive",
        E::WheelCount { .. } => "vb::wheel::count",
        E::Command(_) => "vb::action::command",
        E::Sandbox(_) => "vb::sandbox::setup",
        E::Conflict { .. } => "vb::environment::conflict",
        E::NoCommand { .. } => "vb::environment::no_command",
        E::Leak { .. } => "vb::stage::leak",
        E::ApplicationTaken { .. } => "vb::stage::taken",
        E::Relocate(_) => "vb::interpreter::no_room",
        E::Install(_) => "vb::stage::install",
        E::Libraries(error) => libraries::code(error),
        E::Imports { .. } => "vb::import_check::failed",
        E::ImportReport(_) => "vb::import_check::report",
        E::Lifecycle(_) => "vb::package::lifecycle",
        E::Share(_) => "vb::package::share",
        E::Package(_) | E::Tree(_) => "vb::package::invalid",
        E::NotReproducible { .. } => "vb::check::not_reproducible",
        E::FileLost { .. } | E::Blob(_) | E::Directory(_) | E::Materialize(_) => "vb::store::damaged",
        E::Store(_) => "vb::store::write",
        E::Step(error) => step::code(error),
        E::Test(_) => "vb::test::failed",
        E::TestReport(_) => "vb::test::report",
        E::LintReport(_) => "vb::lint::report",
        E::Pattern(_) => "vb::step::pattern",
        E::TreePath(_) => "vb::step::paths",
        E::Cancelled => "vb::interrupted",
    }
}

fn details(error: &ExecuteError) -> Vec<String> {
    match error {
        ExecuteError::Command(failure) => command_details(failure),
        ExecuteError::Step(error) => step::details(error),
        ExecuteError::Test(failure) => trial::details(failure),
        ExecuteError::Libraries(error) => libraries::details(error),
        ExecuteError::Fetch { expected, attempts, .. } => fetch_details(expected, attempts),
        ExecuteError::Imports { failures, .. } => failures
            .iter()
            .flat_map(|failure| failure.to_string().lines().map(|line| format!("  {line}")).collect::<Vec<_>>())
            .collect(),
        ExecuteError::NotReproducible { differences } => {
            let line = |path: &str, what: &str| format!("  {path}: {what}");
            differences
                .iter()
                .map(|difference| match &difference.contrast {
                    Contrast::OnlyFirst => line(&difference.path, "only the first execution wrote it"),
                    Contrast::OnlySecond => line(&difference.path, "only the second execution wrote it"),
                    Contrast::Differs(what) => line(&difference.path, what),
                })
                .collect()
        }
        ExecuteError::WheelCount { found } => found.iter().map(|name| format!("  {name}")).collect(),
        _ => vec![],
    }
}

fn command_details(failure: &CommandFailure) -> Vec<String> {
    let status = match failure.status {
        Status::Exited(code) => format!("exit code {code}"),
        Status::Signaled(signal) => format!("killed by signal {signal}"),
        Status::TimedOut => "killed after its time was over".to_owned(),
    };
    let mut lines =
        vec![format!("  command       {}", shown_command(&failure.argv)), format!("  ended with    {status}")];
    if !failure.last_lines.is_empty() {
        lines.push(format!("  its last {} lines:", failure.last_lines.len()));
        lines.extend(failure.last_lines.iter().map(|line| format!("  | {line}")));
    }
    lines.push(format!("  whole log     {}", failure.log.display()));
    lines
}

/// A script given on the command line is shown by its first line.
fn shown_command(argv: &[String]) -> String {
    let short = |word: &String| match word.split_once('\n') {
        Some((first, _)) => format!("'{first} …'"),
        None if word.contains(' ') => format!("'{word}'"),
        None => word.clone(),
    };
    argv.iter().map(short).collect::<Vec<_>>().join(" ")
}

fn fetch_details(expected: &Sha256, attempts: &[FetchAttempt]) -> Vec<String> {
    if attempts.is_empty() {
        return vec!["  no location is configured that could have it".to_owned()];
    }
    let mut lines = Vec::new();
    for attempt in attempts {
        match attempt {
            FetchAttempt::Failed(error) => {
                lines.push(format!("  tried         {error}"));
                let mut cause = error.source();
                while let Some(error) = cause {
                    lines.push(format!("                {error}"));
                    cause = error.source();
                }
            }
            FetchAttempt::WrongDigest { location, found, size } => {
                lines.push(format!("  tried         `{location}`: it has another content ({size} bytes)"));
                lines.push(format!("                expected SHA-256 {expected}"));
                lines.push(format!("                found    SHA-256 {found}"));
            }
        }
    }
    lines
}

fn help(error: &ExecuteError) -> Option<String> {
    use ExecuteError as E;
    Some(match error {
        _ if error.is_disk_full() => "free some space on the disk of the store, or name another with `--store`; nothing that was built is lost".to_owned(),
        E::Fetch { attempts, .. } if attempts.iter().any(|attempt| matches!(attempt, FetchAttempt::WrongDigest { .. })) => {
            "a mirror or proxy changes the file, or it was replaced: look at the location, then run `vb lock` if the new file is meant".to_owned()
        }
        _ if error.is_offline() => "run `vb fetch` where there is a network, or leave out `--offline`".to_owned(),
        _ if error.is_refused() => "check user name and password: docs/indexes.md says where they are looked for".to_owned(),
        E::Fetch { .. } => "check the network and the machine's apt, pip or uv configuration; a version that its index no longer has needs `vb lock`".to_owned(),
        E::Locate { .. } => "check the machine's pip or uv configuration".to_owned(),
        E::Imports { failures, owners } => imports::help(failures, owners),
        E::Conflict { first, second, .. } => format!("leave `{first}` or `{second}` out of the requirements"),
        E::NoCommand { .. } => "mend `interpreters` of the platform's file".to_owned(),
        E::Leak { is_in_source: true, .. } => {
            "take the path out, or leave the file out with `excludes` or `.gitignore`".to_owned()
        }
        E::Leak { .. } => "take the path out; where a build wrote down where it ran, give that build a setting such as -ffile-prefix-map".to_owned(),
        E::ApplicationTaken { .. } => "give the application another name".to_owned(),
        E::Relocate(_) => "give the application a shorter name, or the workspace a shorter `prefix`".to_owned(),
        E::Install(_) => "write paths in the source, and then the directory that they are put into: `conf/app.conf etc/app`".to_owned(),
        E::Share(ShareError::NoMatch { .. }) => {
            "`vb output RECIPE stage` shows what there is; a relative pattern is below the environment, as `bin/whois*`".to_owned()
        }
        E::Share(ShareError::Twice { .. }) => "let one of the two patterns name less".to_owned(),
        E::Lifecycle(LifecycleError::NoMarker { .. }) => {
            "put the line `#VB#` where it belongs, or say `scripts = 'Replace` in the recipe".to_owned()
        }
        E::Lifecycle(LifecycleError::NotShell { .. }) => "say `scripts = 'Replace` in the recipe, or write it for /bin/sh".to_owned(),
        E::Lifecycle(LifecycleError::NoCommand { .. }) => {
            "name a command of the environment, such as `bin/gunicorn`, or one of the machine by its absolute path".to_owned()
        }
        E::Step(error) => return step::help(error),
        E::Test(failure) => trial::help(failure),
        E::Libraries(error) => return libraries::help(error),
        E::Pattern(_) => "correct the pattern in the recipe".to_owned(),
        E::Sandbox(_) => "`vb doctor` checks what the sandbox needs".to_owned(),
        E::NotReproducible { .. } => "make the step write the same bytes for the same input; the differing files are named above".to_owned(),
        E::UnpackRoot(UnpackError::Image { source }) => image::help(source),
        E::Store(_) => "check the disk and the permissions of the store".to_owned(),
        _ => return None,
    })
}
