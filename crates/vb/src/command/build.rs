//! `vb build`: from recipes to packages in `dist/`.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use vb_build::{BuildReport, Builder, CommandFailure, ExecuteError, OnFailure};
use vb_graph::{ActionIndex, Graph, Node};
use vb_recipe::{Evaluated, Platform, Recipe, stopped_services};

use super::{
    missing_header,
    offline::Wanted,
    place::{PlaceError, place_packages, place_published},
};
use crate::{
    arguments::{Build, Common},
    display::{self, Display, LockedFrom, Surroundings},
    exit::Exit,
    fatal::Fatal,
    session::{Session, Target},
    workbench::Workbench,
};

/// Runs the command.
pub(crate) fn run(common: &Common, arguments: &Build) -> Result<Exit, Fatal> {
    let begun = Instant::now();
    let session = Session::open(common, &arguments.selection)?.with_version(&arguments.version);
    let bench = Workbench::with(common, session)?;
    let goals = bench.goals();
    for stopped in bench.session.recipes.iter().flat_map(stopped_services) {
        display::warn(&stopped.to_string());
    }
    let wanted = Wanted { builder: &bench.builder, graph: &bench.graph, goals: &goals, fetch: "vb fetch" };
    if common.offline {
        wanted.check_before()?;
    }
    let on_failure = if arguments.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop };

    let display = Display::new(common.json);
    let cancel = crate::command::interrupt_flag();
    let build = || bench.builder.build(&bench.graph, &goals, on_failure, cancel, &|event| display.event(event));
    let output = arguments.output.clone().unwrap_or_else(|| bench.session.root.join("dist"));
    let place = |report: &BuildReport| place_packages(bench.builder.store(), &output, &bench.targets, report);
    let (mut report, placed) = build_until_placed(build, place);
    let mut checked = None;
    if placed.is_ok() && arguments.check && report.is_success() {
        let check = bench.builder.check(&bench.graph, &goals, cancel, &|event| display.event(event));
        report.failures = check.failures;
        report.is_cancelled = check.is_cancelled;
        report.executed += check.executed;
        checked = Some(check.executed).filter(|_| report.is_success());
    }
    display.finish();
    wanted.check_after(&report)?;
    let surroundings = Surroundings {
        shell: &|label| Some(shell_command(&bench.session, label)),
        locked: &|sha256| LockedFrom::find(&bench.session, sha256),
        place: &|label, field| place_of(&bench.session, label, field),
        missing: &|label, failure| missing_header(&bench, label, failure),
    };
    display::failures(&bench.graph, &report, &surroundings);
    let mut packages = placed?;
    packages.extend(place_answers(&bench, &output)?);
    packages.iter().for_each(|package| display.made("package", package));
    if let Some(executed) = checked {
        display.checked(executed);
    }
    // A package may be several files.
    let made = report.outputs.iter().take(bench.targets.len()).flatten().count() + bench.answers.len();
    display.summary(made, &report, begun.elapsed());
    Ok(exit_of(&report))
}

/// Puts packages that are published already beside those that were built.
fn place_answers(bench: &Workbench, output: &Path) -> Result<Vec<PathBuf>, Fatal> {
    let mut placed = Vec::new();
    if bench.answers.is_empty() {
        return Ok(placed);
    }
    let Some(repository) = bench.session.repository()? else { return Ok(placed) };
    for (target, record) in &bench.answers {
        placed.push(place_published(&repository, record, &output.join(&target.platform))?);
    }
    Ok(placed)
}

/// Builds some packages and puts them into their places, or fails as a whole. Returns the places, one for each package.
pub(crate) fn build_and_place(
    bench: &Workbench,
    targets: &[Target],
    output: &Path,
    display: &Display,
) -> Result<Vec<PathBuf>, Fatal> {
    let goals: Vec<ActionIndex> = targets.iter().map(|target| target.package).collect();
    let cancel = crate::command::interrupt_flag();
    let build = || bench.builder.build(&bench.graph, &goals, OnFailure::Stop, cancel, &|event| display.event(event));
    let place = |report: &BuildReport| place_packages(bench.builder.store(), output, targets, report);
    let (report, placed) = build_until_placed(build, place);
    if !report.is_success() {
        let surroundings = Surroundings {
            shell: &|label| Some(shell_command(&bench.session, label)),
            locked: &|sha256| LockedFrom::find(&bench.session, sha256),
            place: &|label, field| place_of(&bench.session, label, field),
            missing: &|label, failure| missing_header(bench, label, failure),
        };
        display.finish();
        display::failures(&bench.graph, &report, &surroundings);
        let exit = exit_of(&report);
        if exit == Exit::Interrupted {
            return Err(Fatal::interrupted());
        }
        let message = "a package could not be built, so nothing was published".to_owned();
        return Err(Fatal::message(exit, "vb::push::build", message, "mend it, and run the command again"));
    }
    // A bill of materials lies beside its package.
    Ok(placed?.into_iter().filter(|path| vb_repo::format_of(path).is_some()).collect())
}

/// Builds, and once more if a package turns out to be damaged: it has been removed from the store then, and is made again.
fn build_until_placed(
    build: impl Fn() -> BuildReport,
    place: impl Fn(&BuildReport) -> Result<Vec<PathBuf>, PlaceError>,
) -> (BuildReport, Result<Vec<PathBuf>, PlaceError>) {
    let report = build();
    match place(&report) {
        Err(error) if error.is_lost() => {
            let report = build();
            let placed = place(&report);
            (report, placed)
        }
        placed => (report, placed),
    }
}

/// Says which packages have what a command of an action misses.
pub(super) fn missing_header(bench: &Workbench, label: &str, failure: &CommandFailure) -> Option<String> {
    let is_of = |recipe: &Evaluated<Recipe>, platform: &Platform| {
        label.starts_with(&format!("{} {} ", recipe.value.name, platform.name))
    };
    let (_, platform) = bench.session.pairs().into_iter().find(|(recipe, platform)| is_of(recipe, platform))?;
    missing_header::help(&bench.session.workspace.value, &bench.builder, platform, failure)
}

/// The command that opens a shell where an action failed.
pub(crate) fn shell_command(session: &Session, label: &str) -> String {
    let shown =
        recipe_of(session, label).map_or_else(|| PathBuf::from("RECIPE"), |recipe| display::relative(recipe.path()));
    format!("vb shell {} '{label}'", shown.display())
}

/// Finds the recipe that an action was made for.
pub(crate) fn recipe_of<'a>(session: &'a Session, label: &str) -> Option<&'a Evaluated<Recipe>> {
    session.recipes.iter().find(|recipe| label.split(' ').next().is_some_and(|name| name == recipe.value.name))
}

/// Says where the recipe that an action was made for has a field, as it is for the action's platform.
pub(crate) fn place_of(session: &Session, label: &str, field: &str) -> Option<String> {
    let recipe = recipe_of(session, label)?;
    let platform = label.split(' ').nth(1).unwrap_or_default();
    Some(recipe.place(&recipe.value.field_for(platform, field)))
}

/// Returns how a program ends that could do nothing but this build.
pub(crate) fn exit_of(report: &BuildReport) -> Exit {
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
    surroundings: &Surroundings<'_>,
) -> Result<Vec<Node>, Fatal> {
    let cancel = crate::command::interrupt_flag();
    let report = builder.build(graph, goals, OnFailure::Stop, cancel, &|event| display.event(event));
    if report.failures.is_empty() && !report.is_cancelled {
        return Ok(report.outputs.into_iter().flatten().collect());
    }
    display.finish();
    display::failures(graph, &report, surroundings);
    let exit = exit_of(&report);
    if exit == Exit::Interrupted {
        return Err(Fatal::interrupted());
    }
    Err(Fatal::message(exit, "vb::build::failed", "a step before this command failed".to_owned(), ""))
}
