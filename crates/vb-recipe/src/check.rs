//! Checks of meaning: what contracts cannot see, because it is in another file or on the disk.
//!
//! Must not be here: anything that one field tells by itself; that is a contract in `vb.ncl`.

mod indexes;
mod interpreters;
mod old_python;
mod packages;
mod pipeline;
mod platform;
mod services;

pub(crate) use self::interpreters::check_named;
pub use self::platform::check as check_platform;

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    diagnostic::{Code, RecipeDiagnostic, quote_all},
    load::Platforms,
    loader::platform_help,
    platform::Platform,
    position::Evaluated,
    python::Python,
    recipe::{Recipe, Source, package_name},
    version::{Version, VersionSubject},
    workspace::Workspace,
};

/// Checks recipes against their workspace, its platforms, each other and the disk.
///
/// A name that `platforms` does not have is reported as unknown; a platform that is not loaded is not looked at.
pub fn check(
    workspace: &Evaluated<Workspace>,
    recipes: &[Evaluated<Recipe>],
    platforms: &Platforms,
) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = check_workspace(workspace, platforms);
    diagnostics.extend(platforms.loaded().flat_map(check_platform));
    for recipe in recipes {
        diagnostics.extend(check_platforms(workspace, recipe, platforms));
        diagnostics.extend(check_interpreters(workspace, recipe, platforms));
        diagnostics.extend(packages::check(workspace, recipe, platforms));
        diagnostics.extend(packages::check_parts(recipe));
        diagnostics.extend(check_source(recipe));
        diagnostics.extend(interpreters::check(recipe));
        diagnostics.extend(check_version(&VersionSubject { workspace, recipe, platforms }));
        diagnostics.extend(pipeline::check(recipe));
        diagnostics.extend(check_recipe_variables(recipe));
        diagnostics.extend(services::check(workspace, recipe, platforms));
    }
    diagnostics.extend(check_names(workspace, recipes));
    diagnostics.extend(services::check_together(recipes));
    diagnostics
}

/// Where the recipes of interpreters are, beside those of applications: not each workspace wants to compile each of them.
pub(crate) const INTERPRETERS_DIR: &str = "interpreters";

impl Evaluated<Recipe> {
    /// Returns the directory of the application's source.
    pub fn source_dir(&self) -> PathBuf {
        self.dir_of(&self.value.source)
    }

    /// Returns the path of the recipe that builds an interpreter; nothing for a platform's own.
    pub fn interpreter_path(&self, python: &Python) -> Option<PathBuf> {
        let dir = self.path().with_file_name(INTERPRETERS_DIR);
        Some(dir.join(format!("{}.ncl", python.recipe()?)))
    }

    /// Returns the directory of a source that the recipe names.
    pub fn dir_of(&self, source: &Source) -> PathBuf {
        let dir = self.path().parent().expect("a recipe is in a directory");
        let dir = match source {
            Source::Path(path) => dir.join(path),
            // They have none of their own; what belongs to them lies beside them.
            Source::Git(_) | Source::Distribution { .. } => dir.to_owned(),
        };
        nickel_lang_core::cache::normalize_abs_path(&dir)
    }
}

fn check_workspace(workspace: &Evaluated<Workspace>, platforms: &Platforms) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = unknown_in_list(workspace, &workspace.value.platforms, platforms);
    for name in workspace.value.archives.keys().filter(|name| !platforms.has(name)) {
        diagnostics.push(unknown_key(workspace, &format!("archives.{name}"), name, platforms));
    }
    diagnostics.extend(check_variables(workspace, "variables", &workspace.value.variables));
    diagnostics.extend(indexes::check(workspace));
    diagnostics
}

fn check_platforms(
    workspace: &Evaluated<Workspace>,
    recipe: &Evaluated<Recipe>,
    platforms: &Platforms,
) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = match &recipe.value.platforms {
        Some(names) => unknown_in_list(recipe, names, platforms),
        None => Vec::new(),
    };
    if recipe.value.platforms(&workspace.value).is_empty() {
        let message = format!("`{}` is for no platform", recipe.value.name);
        let field = if recipe.value.platforms.is_some() { "platforms" } else { "name" };
        let diagnostic = RecipeDiagnostic::at_field(Code::NoPlatform, message, recipe, field);
        diagnostics.push(diagnostic.help("name at least one in `platforms`, here or in the workspace file"));
    }
    for name in recipe.value.overrides.keys().filter(|name| !platforms.has(name)) {
        diagnostics.push(unknown_key(recipe, &format!("overrides.{name}"), name, platforms));
    }
    diagnostics
}

fn unknown_in_list<T>(file: &Evaluated<T>, names: &[String], platforms: &Platforms) -> Vec<RecipeDiagnostic> {
    let unknown = names.iter().enumerate().filter(|(_, name)| !platforms.has(name));
    let report = |(index, name): (usize, &String)| {
        let message = format!("there is no platform `{name}`");
        RecipeDiagnostic::at_field(Code::UnknownPlatform, message, file, &format!("platforms[{index}]"))
            .help(platform_help(name, platforms.names()))
    };
    unknown.map(report).collect()
}

fn unknown_key<T>(file: &Evaluated<T>, field: &str, name: &str, platforms: &Platforms) -> RecipeDiagnostic {
    let message = format!("there is no platform `{name}`");
    RecipeDiagnostic::at_key(Code::UnknownPlatform, message, file, field).help(platform_help(name, platforms.names()))
}

fn check_interpreters(
    workspace: &Evaluated<Workspace>,
    recipe: &Evaluated<Recipe>,
    platforms: &Platforms,
) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = Vec::new();
    for name in recipe.value.platforms(&workspace.value) {
        let Some(platform) = platforms.get(name) else { continue };
        let python = recipe.value.for_platform(&workspace.value, name).python;
        let Some(version) = python.system() else { continue };
        if platform.value.interpreter(version).is_some() {
            let is_old = platform.value.python_version(version).starts_with("2.");
            diagnostics
                .extend(is_old.then(|| old_python::check(recipe, &platform.value, version)).into_iter().flatten());
            continue;
        }
        let (code, message) = (Code::UnknownPython, format!("the platform `{name}` has no Python `{python}`"));
        let field = recipe.value.field_for(name, "python");
        let diagnostic = RecipeDiagnostic::at_field(code, message, recipe, &field);
        diagnostics.push(diagnostic.help(interpreters_help(&platform.value)));
    }
    diagnostics
}

fn interpreters_help(platform: &Platform) -> String {
    let known = quote_all(platform.interpreters.keys().map(String::as_str));
    if known.is_empty() { "add it to `interpreters`".to_owned() } else { format!("use one of {known}") }
}

fn check_source(recipe: &Evaluated<Recipe>) -> Option<RecipeDiagnostic> {
    let Source::Path(path) = &recipe.value.source else { return None };
    let dir = recipe.source_dir();
    if !dir.is_dir() {
        let message = format!("the source `{path}` is not a directory");
        let help = "give the directory of the application, relative to this file's";
        return Some(RecipeDiagnostic::at_field(Code::MissingSource, message, recipe, "source").help(help));
    }
    let requirements = &recipe.value.requirements;
    if dir.join(requirements).is_file() {
        return None;
    }
    let is_written = recipe.positions.value("requirements").is_some();
    let field = if is_written { "requirements" } else { "source" };
    let message = format!("the source has no file `{requirements}`");
    let help = format!("write `{path}/{requirements}`, or name another file in `requirements`");
    Some(RecipeDiagnostic::at_field(Code::MissingRequirements, message, recipe, field).help(help))
}

fn check_version(subject: &VersionSubject<'_>) -> Option<RecipeDiagnostic> {
    let workspace = &subject.workspace.value;
    let counts = *subject.recipe.value.version(workspace) == Version::BuildNumber;
    (counts && workspace.repository.is_none()).then(|| {
        let message = "there is no repository to count the packages of".to_owned();
        let help = "set `repository` in `recipes/workspace.ncl`, or use another scheme";
        subject.at_scheme(Code::NoRepository, message).help(help)
    })
}

fn check_recipe_variables(recipe: &Evaluated<Recipe>) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = check_variables(recipe, "variables", &recipe.value.variables);
    for (name, over) in &recipe.value.overrides {
        let variables = over.variables.iter();
        diagnostics.extend(
            variables.flat_map(|variables| check_variables(recipe, &format!("overrides.{name}.variables"), variables)),
        );
    }
    diagnostics
}

fn check_variables<T>(file: &Evaluated<T>, field: &str, variables: &BTreeMap<String, String>) -> Vec<RecipeDiagnostic> {
    let is_good = |name: &str| {
        !name.starts_with(|char: char| char.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let bad = variables.keys().filter(|name| !is_good(name));
    let report = |name: &String| {
        let message = format!("`{name}` is not the name of an environment variable");
        RecipeDiagnostic::at_key(Code::BadVariable, message, file, &format!("{field}.{name}"))
            .help("use letters, digits and `_`, and do not begin with a digit")
    };
    bad.map(report).collect()
}

fn check_names(workspace: &Evaluated<Workspace>, recipes: &[Evaluated<Recipe>]) -> Vec<RecipeDiagnostic> {
    let mut first: BTreeMap<String, (&Evaluated<Recipe>, String)> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for recipe in recipes {
        let main = ("name".to_owned(), &recipe.value.name);
        let parts = recipe.value.packages.keys().map(|name| (format!("packages.{name}"), name));
        for (field, name) in std::iter::once(main).chain(parts) {
            let package = package_name(name, &workspace.value);
            match first.get(&package) {
                Some((other, known)) if other.path() != recipe.path() || *known != field => {
                    let message = format!("the package `{package}` is also that of `{}`", other.place(known));
                    let diagnostic = match field.as_str() {
                        "name" => RecipeDiagnostic::at_field(Code::DuplicateName, message, recipe, &field),
                        _ => RecipeDiagnostic::at_key(Code::DuplicateName, message, recipe, &field),
                    };
                    diagnostics.push(diagnostic.help("give one of the two another name; `_` in it does not count"));
                }
                Some(_) => {}
                None => drop(first.insert(package, (recipe, field))),
            }
        }
    }
    diagnostics
}
