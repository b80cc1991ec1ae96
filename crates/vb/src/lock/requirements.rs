//! The recipe's requirements, in whatever form they are, as what uv resolves.

use std::{collections::BTreeMap, path::Path};

use fs_err as fs;
use vb_python::{
    Chosen, Dependencies, ForeignLockError, ProjectError, RequirementsError, check_project, check_project_requirements,
    check_requirements, expand_variables, is_old_poetry, python2::project_requirements, requirements_of_old_poetry,
    requirements_of_poetry, requirements_of_pylock,
};
use vb_recipe::{Evaluated, LockRequest, Recipe, RequirementsForm};

use super::{python::unresolved, uv::Uv};
use crate::{exit::Exit, fatal::Fatal};

/// What a lock of another tool becomes.
const CONVERTED: &str = "requirements.txt";

/// What an old lock of Poetry becomes, beside what its project wants.
const CONSTRAINTS: &str = "constraints.txt";

/// Requirements that uv can resolve.
#[derive(Debug)]
pub(super) struct Requirements {
    pub(super) main: String,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) dependencies: Dependencies,
    pub(super) extras: Vec<String>,
    pub(super) groups: Vec<String>,
}

/// Reads the requirements of a recipe, as a lock answers them for one platform.
pub(super) fn read(recipe: &Evaluated<Recipe>, request: &LockRequest, uv: &Uv<'_>) -> Result<Requirements, Fatal> {
    let source = recipe.source_dir();
    let paths = request.requirements.keys();
    let mut files: BTreeMap<String, Vec<u8>> =
        paths.map(|path| Ok((path.clone(), read_file(&source, path)?))).collect::<Result<_, Fatal>>()?;
    let (main, LockRequest { extras, groups, .. }) = (&recipe.value.requirements, request);
    let chosen = Chosen::new(extras, groups);
    let foreign = |error| foreign_lock(main, error);
    let converted = match RequirementsForm::of(main) {
        RequirementsForm::Lines => {
            check_has_no_extras(main, request)?;
            let mut lines = files.keys().filter(|path| RequirementsForm::of(path) == RequirementsForm::Lines);
            lines.try_for_each(|path| check_lines(path, &text_of(&files, path)))?;
            for bytes in files.values_mut() {
                *bytes = expanded(&String::from_utf8_lossy(bytes))?.into_bytes();
            }
            None
        }
        RequirementsForm::Pyproject => {
            check_is_static(main, &text_of(&files, main))?;
            if uv.is_for_python_2() {
                return lines_of_project(main, &text_of(&files, main), (extras, groups));
            }
            None
        }
        RequirementsForm::UvLock => {
            let exported = uv.export(&files, main, (extras, groups))?;
            Some(exported.map_err(|failure| unresolved(main, uv.platform, &failure))?)
        }
        RequirementsForm::Pylock => Some(requirements_of_pylock(&text_of(&files, main), &chosen).map_err(foreign)?),
        RequirementsForm::PoetryLock if is_old_poetry(&text_of(&files, main)) => {
            return old_poetry(main, &files, &chosen);
        }
        RequirementsForm::PoetryLock => Some(requirements_of_poetry(&text_of(&files, main), &chosen).map_err(foreign)?),
    };
    let Some(lines) = converted else {
        let (main, extras, groups) = (main.clone(), extras.clone(), groups.clone());
        return Ok(Requirements { main, files, dependencies: Dependencies::Followed, extras, groups });
    };
    check_lines(main, &lines)?;
    Ok(Requirements {
        main: CONVERTED.to_owned(),
        files: BTreeMap::from([(CONVERTED.to_owned(), lines.into_bytes())]),
        dependencies: Dependencies::Listed,
        extras: vec![],
        groups: vec![],
    })
}

/// What pip reads in the place of a project's file.
fn lines_of_project(main: &str, text: &str, (extras, groups): (&[String], &[String])) -> Result<Requirements, Fatal> {
    let help = "change `extras` or `groups` in the recipe";
    if !groups.is_empty() {
        let message = "groups of dependencies are newer than what resolves for Python 2".to_owned();
        return Err(Fatal::message(Exit::Recipe, "vb::lock::no_extras", message, help));
    }
    let read = project_requirements(text, extras).map_err(|error| {
        let message = format!("cannot read the requirements of `{main}`");
        Fatal::caused(Exit::Recipe, "vb::lock::project", message, "mend the file", error)
    })?;
    let lines = read.map_err(|extra| {
        let message = format!("`{main}` has no extra `{extra}`");
        Fatal::message(Exit::Recipe, "vb::lock::no_extras", message, help)
    })?;
    Ok(Requirements {
        main: CONVERTED.to_owned(),
        files: BTreeMap::from([(CONVERTED.to_owned(), lines.into_bytes())]),
        dependencies: Dependencies::Followed,
        extras: vec![],
        groups: vec![],
    })
}

/// What the project wants is resolved, with the lock's versions and files as constraints.
fn old_poetry(main: &str, files: &BTreeMap<String, Vec<u8>>, chosen: &Chosen) -> Result<Requirements, Fatal> {
    let project = Path::new(main).with_file_name("pyproject.toml");
    let project = text_of(files, &project.to_string_lossy());
    let old = requirements_of_old_poetry(&text_of(files, main), &project, chosen);
    let old = old.map_err(|error| foreign_lock(main, error))?;
    let lines = format!("-c {CONSTRAINTS}\n{}", old.requirements);
    check_lines(CONVERTED, &lines)?;
    Ok(Requirements {
        main: CONVERTED.to_owned(),
        files: BTreeMap::from([
            (CONVERTED.to_owned(), lines.into_bytes()),
            (CONSTRAINTS.to_owned(), old.constraints.into_bytes()),
        ]),
        dependencies: Dependencies::Followed,
        extras: vec![],
        groups: vec![],
    })
}

fn text_of(files: &BTreeMap<String, Vec<u8>>, path: &str) -> String {
    files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

fn read_file(source: &Path, path: &str) -> Result<Vec<u8>, Fatal> {
    fs::read(source.join(path)).map_err(|error| {
        let message = format!("cannot read the requirements file `{path}`");
        Fatal::caused(Exit::Recipe, "vb::source::requirements", message, "check the file", error)
    })
}

fn check_lines(path: &str, text: &str) -> Result<(), Fatal> {
    check_requirements(path, text).map_err(|error| refused(&error))
}

fn refused(error: &RequirementsError) -> Fatal {
    let help = error.reason.help();
    Fatal::message(Exit::Recipe, "vb::lock::requirement", error.to_string(), help)
}

/// Puts in the variables of the environment that lines ask for. The result is uv's to read; it is kept nowhere.
fn expanded(text: &str) -> Result<String, Fatal> {
    expand_variables(text, |name| std::env::var(name).ok()).map_err(|name| {
        Fatal::message(
            Exit::Recipe,
            "vb::lock::variable",
            format!("the requirements ask for the environment variable `{name}`, which is not set"),
            format!("set `{name}`, or write its value into the requirements"),
        )
    })
}

fn check_has_no_extras(requirements: &str, request: &LockRequest) -> Result<(), Fatal> {
    let LockRequest { extras, groups, .. } = request;
    if extras.is_empty() && groups.is_empty() {
        return Ok(());
    }
    Err(Fatal::message(
        Exit::Recipe,
        "vb::lock::no_extras",
        format!("`{requirements}` has no extras and no groups to choose from"),
        "leave out `extras` and `groups`, or name a `pyproject.toml` or a lock in `requirements`",
    ))
}

/// What a project only knows when it is built cannot be read from its file.
fn check_is_static(path: &str, text: &str) -> Result<(), Fatal> {
    check_project(text).map_err(|error| {
        let help = match &error {
            ProjectError::Parse(_) => "mend the file",
            ProjectError::NoProject => "write `[project]` (PEP 621), or name a lock in `requirements`",
            ProjectError::Dynamic { .. } => "write them into the file, or name a requirements file in `requirements`",
        };
        let message = format!("cannot read the requirements of `{path}`");
        Fatal::caused(Exit::Recipe, "vb::lock::project", message, help, error)
    })?;
    check_project_requirements(path, text).map_err(|error| refused(&error))
}

fn foreign_lock(path: &str, error: ForeignLockError) -> Fatal {
    let help = match &error {
        ForeignLockError::Version { .. } => "write the lock anew with a version of its tool that is up to date",
        ForeignLockError::NoProject { .. } => {
            "put the project's `pyproject.toml` beside it, or write it anew with Poetry 2"
        }
        ForeignLockError::Several { .. } => "write it anew with Poetry 2, whose locks say so",
        ForeignLockError::Unknown { .. } => "change `extras` or `groups` in the recipe",
        _ => "write the lock anew with its tool",
    };
    Fatal::caused(Exit::Recipe, "vb::lock::foreign", format!("cannot use `{path}`"), help, error)
}
