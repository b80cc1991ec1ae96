//! `vb build`: from recipes to packages in `dist/`.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use fs_err as fs;
use vb_build::{BuildReport, Builder, ExecuteError, OnFailure};
use vb_graph::{ActionIndex, Graph, Node};

use crate::{
    arguments::{Build, Common},
    display::{self, Display},
    exit::Exit,
    fatal::Fatal,
    session::Session,
    workbench::Workbench,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Build) -> Result<Exit, Fatal> {
    let begun = Instant::now();
    let bench = Workbench::open(common, &arguments.selection)?;
    let goals = bench.goals();
    let on_failure = if arguments.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop };

    let display = Display::new(common.json);
    let cancel = crate::command::interrupt_flag();
    let mut report = bench.builder.build(&bench.graph, &goals, on_failure, cancel, &|event| display.event(event));
    let packages = place_packages(&bench, arguments, &report)?;
    if arguments.check && report.is_success() {
        let check = bench.builder.check(&bench.graph, &goals, cancel, &|event| display.event(event));
        report.failures = check.failures;
        report.is_cancelled = check.is_cancelled;
        report.executed += check.executed;
    }
    display.finish();
    display::failures(&bench.graph, &report, |label| shell_command(&bench.session, label));
    packages.iter().for_each(|package| display.package(package));
    display.summary(packages.len(), &report, begun.elapsed());
    Ok(exit_of(&report))
}

/// Copies each package that was made to its place below `dist/`; one that is there already is left.
fn place_packages(bench: &Workbench, arguments: &Build, report: &BuildReport) -> Result<Vec<PathBuf>, Fatal> {
    let output = arguments.output.clone().unwrap_or_else(|| bench.session.root.join("dist"));
    let store = bench.builder.store();
    let mut placed = Vec::new();
    for (target, node) in bench.targets.iter().zip(&report.outputs) {
        let Some(Node::Directory { digest, .. }) = node else { continue };
        let directory = output.join(&target.platform);
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Fatal::caused(
                Exit::Environment,
                "vb::build::output",
                format!("cannot put the package into `{}`", directory.display()),
                "name a directory that can be written with `--output`",
                OutputError(error),
            )
        };
        let packages = store.directory(digest).map_err(|error| failed(error.into()))?;
        for (name, node) in packages.entries() {
            let Node::File { blob, size, .. } = node else { continue };
            let path = directory.join(name.as_str());
            place(&store.blob_path(blob), *size, &path).map_err(|error| failed(error.into()))?;
            placed.push(display::relative(&path));
        }
    }
    Ok(placed)
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct OutputError(Box<dyn std::error::Error + Send + Sync>);

fn place(blob: &Path, size: u64, target: &Path) -> std::io::Result<()> {
    let is_there = fs::symlink_metadata(target).is_ok_and(|metadata| metadata.len() == size)
        && fs::read(target)? == fs::read(blob)?;
    if is_there {
        return Ok(());
    }
    fs::create_dir_all(target.parent().unwrap_or(Path::new(".")))?;
    let temporary = target.with_extension(format!("{}.tmp", std::process::id()));
    fs::copy(blob, &temporary)?;
    fs::rename(&temporary, target)
}

/// The command that opens a shell where an action failed.
fn shell_command(session: &Session, label: &str) -> String {
    let recipe =
        session.recipes.iter().find(|recipe| label.split(' ').next().is_some_and(|name| name == recipe.value.name));
    let shown = recipe.map_or_else(|| PathBuf::from("RECIPE"), |recipe| display::relative(recipe.path()));
    format!("vb shell {} '{label}'", shown.display())
}

fn exit_of(report: &BuildReport) -> Exit {
    let is = |test: fn(&ExecuteError) -> bool| report.failures.iter().any(|failure| test(&failure.error));
    if report.is_cancelled {
        Exit::Interrupted
    } else if report.failures.is_empty() {
        Exit::Success
    } else if is(ExecuteError::is_environment) {
        Exit::Environment
    } else if report.failures.iter().all(|failure| matches!(failure.error, ExecuteError::NotReproducible { .. })) {
        Exit::NotReproducible
    } else {
        Exit::ActionFailed
    }
}

/// Builds goals for another command, and makes a failure its own.
pub(crate) fn build_or_fail(
    builder: &Builder,
    graph: &Graph,
    goals: &[ActionIndex],
    display: &Display,
) -> Result<Vec<Node>, Fatal> {
    let cancel = crate::command::interrupt_flag();
    let report = builder.build(graph, goals, OnFailure::Stop, cancel, &|event| display.event(event));
    if report.failures.is_empty() && !report.is_cancelled {
        return Ok(report.outputs.into_iter().flatten().collect());
    }
    display.finish();
    display::failures(graph, &report, |_| "run the command again".to_owned());
    let exit = exit_of(&report);
    Err(Fatal::message(exit, "vb::build::failed", "a step before this command failed".to_owned(), ""))
}
