//! Checks of services and of what belongs to them: users that somebody makes, paths that a package may own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use vb_graph::is_of_distribution;

use crate::{
    diagnostic::{Code, RecipeDiagnostic, did_you_mean, quote_all},
    load::Platforms,
    packages::SubPackage,
    platform::Family,
    position::Evaluated,
    recipe::{Recipe, Resolved},
    service::{ConfigFileRecipe, DirectoryRecipe, ServiceRecipe},
    workspace::Workspace,
};

/// Users and groups that every machine has (Debian's base-passwd, Red Hat's setup).
const KNOWN: [&str; 15] = [
    "root", "daemon", "bin", "sys", "mail", "games", "man", "nobody", "nogroup", "adm", "lp", "www-data", "proxy",
    "news", "backup",
];

/// What can make a user, by the package that has it.
const TOOLS: [(Family, &[&str]); 2] =
    [(Family::Deb, &["adduser", "passwd", "systemd"]), (Family::Rpm, &["shadow-utils", "systemd"])];

/// Checks one recipe.
pub(super) fn check(
    workspace: &Evaluated<Workspace>,
    recipe: &Evaluated<Recipe>,
    platforms: &Platforms,
) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = Vec::new();
    let mut add = |found: Vec<RecipeDiagnostic>| {
        // What holds for all platforms is found for each of them.
        for diagnostic in found {
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
    };
    for (prefix, resolved) in recipe.value.views() {
        for life in lives(&prefix, &resolved) {
            add(check_users(recipe, &life));
            add(check_config_files(workspace, recipe, &life));
            add(check_directories(workspace, recipe, &life));
        }
    }
    add(check_tools(workspace, recipe, platforms));
    diagnostics
}

/// What one package of a recipe does where it is installed.
struct Life<'a> {
    /// The path of the record that says so, to be put before the name of a field.
    prefix: String,
    services: &'a BTreeMap<String, ServiceRecipe>,
    dirs: &'a [DirectoryRecipe],
    config_files: &'a [ConfigFileRecipe],
    /// Those that any package of the recipe makes.
    users: BTreeSet<&'a str>,
}

/// Returns the lives of a recipe's packages, the main one's first.
fn lives<'a>(prefix: &str, resolved: &'a Resolved) -> Vec<Life<'a>> {
    let packages = &resolved.packages;
    let of_packages = packages.values().flat_map(|package| package.users.keys());
    let users: BTreeSet<&str> = resolved.users.keys().chain(of_packages).map(String::as_str).collect();
    let main = Life {
        prefix: prefix.to_owned(),
        services: &resolved.services,
        dirs: &resolved.dirs,
        config_files: &resolved.config_files,
        users: users.clone(),
    };
    let part = |(name, package): (&String, &'a SubPackage)| Life {
        prefix: format!("{prefix}packages.{name}."),
        services: &package.services,
        dirs: &package.dirs,
        config_files: &package.config_files,
        users: users.clone(),
    };
    std::iter::once(main).chain(packages.iter().map(part)).collect()
}

fn check_users(recipe: &Evaluated<Recipe>, life: &Life<'_>) -> Vec<RecipeDiagnostic> {
    let Life { prefix, services, dirs, config_files, users } = life;
    let mut wanted = Vec::new();
    for (name, service) in *services {
        wanted.push((format!("{prefix}services.{name}.user"), &service.user));
        wanted.extend(service.group.iter().map(|group| (format!("{prefix}services.{name}.group"), group)));
    }
    for (index, directory) in dirs.iter().enumerate() {
        wanted.push((format!("{prefix}dirs[{index}].owner"), &directory.owner));
        wanted.extend(directory.group.iter().map(|group| (format!("{prefix}dirs[{index}].group"), group)));
    }
    for (index, file) in config_files.iter().enumerate() {
        wanted.push((format!("{prefix}config_files[{index}].owner"), &file.owner));
        wanted.push((format!("{prefix}config_files[{index}].group"), &file.group));
    }
    let is_unknown = |name: &str| !users.contains(name) && !KNOWN.contains(&name);
    let report = |(field, name): (String, &String)| {
        let message = format!("nobody makes the user `{name}`");
        let known = users.iter().copied().chain(KNOWN);
        let help = match did_you_mean(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add `users.{name} = {{}}`"),
        };
        RecipeDiagnostic::at_field(Code::UnknownUser, message, recipe, &field).help(help)
    };
    wanted.into_iter().filter(|(_, name)| is_unknown(name)).map(report).collect()
}

fn check_config_files(
    workspace: &Evaluated<Workspace>,
    recipe: &Evaluated<Recipe>,
    life: &Life<'_>,
) -> Vec<RecipeDiagnostic> {
    let prefix = format!("{}/{}/", workspace.value.prefix.trim_end_matches('/'), recipe.value.name);
    let is_outside = |path: &str| path.starts_with('/') && !path.starts_with("/etc/") && !path.starts_with(&prefix);
    let files = life.config_files.iter().enumerate().filter(|(_, file)| is_outside(&file.path));
    let report = |(index, file): (usize, &ConfigFileRecipe)| {
        let message = format!("the configuration file `{}` is neither below `/etc` nor below `{prefix}`", file.path);
        RecipeDiagnostic::at_field(
            Code::BadConfigFile,
            message,
            recipe,
            &format!("{}config_files[{index}].path", life.prefix),
        )
        .help("keep configuration below `/etc`; what a program writes itself is no configuration file, see `dirs`")
    };
    files.map(report).collect()
}

/// A purge removes a directory with all that is in it.
fn check_directories(
    workspace: &Evaluated<Workspace>,
    recipe: &Evaluated<Recipe>,
    life: &Life<'_>,
) -> Vec<RecipeDiagnostic> {
    let prefix = &workspace.value.prefix;
    let report = |(index, directory): (usize, &DirectoryRecipe)| {
        let path = &directory.path;
        let whose = if is_of_distribution(path.trim_start_matches('/')) {
            "is the distribution's"
        } else if Path::new(prefix).starts_with(path) {
            "is the whole workspace's"
        } else {
            return None;
        };
        let message = format!("the directory `{path}` {whose}, and not the package's");
        let field = format!("{}dirs[{index}].path", life.prefix);
        let help = format!("name a directory of its own: `/var/lib/{}`", recipe.value.name);
        Some(RecipeDiagnostic::at_field(Code::BadDirectory, message, recipe, &field).help(help))
    };
    life.dirs.iter().enumerate().filter_map(report).collect()
}

fn check_tools(
    workspace: &Evaluated<Workspace>,
    recipe: &Evaluated<Recipe>,
    platforms: &Platforms,
) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = Vec::new();
    for name in recipe.value.platforms(&workspace.value) {
        let Some(platform) = platforms.get(name) else { continue };
        let Some((_, tools)) = TOOLS.iter().find(|(of, _)| *of == platform.value.family) else { continue };
        let value = recipe.value.for_platform(&workspace.value, name);
        let has_tool = |depends: &[String]| {
            depends.iter().any(|package| tools.contains(&package.split(' ').next().unwrap_or_default()))
        };
        let main = (!value.users.is_empty() && !has_tool(&value.run_deps)).then(|| "users".to_owned());
        let parts = value.packages.iter().filter(|(_, package)| {
            let has_main = package.needs(&recipe.value.name).contains(&recipe.value.name);
            let is_helped = has_tool(&package.run_deps) || has_main && has_tool(&value.run_deps);
            !package.users.is_empty() && !is_helped
        });
        for field in main.into_iter().chain(parts.map(|(part, _)| format!("packages.{part}.users"))) {
            let message = format!("nothing that the package depends on for `{name}` can make users");
            let field = recipe.value.field_for(name, &field);
            let diagnostic = RecipeDiagnostic::at_field(Code::NoUserTool, message, recipe, &field);
            diagnostics.push(diagnostic.help(format!("add one of {} to `run_deps`", quote_all(tools.iter().copied()))));
        }
    }
    // One platform shows it.
    diagnostics.truncate(1);
    diagnostics
}

/// Two packages with one service could not be on one machine.
pub(super) fn check_together(recipes: &[Evaluated<Recipe>]) -> Vec<RecipeDiagnostic> {
    let mut first: BTreeMap<&str, (&Evaluated<Recipe>, String)> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for recipe in recipes {
        let of_main = recipe.value.services.keys().map(|name| (name, format!("services.{name}")));
        let of_parts = recipe.value.packages.iter().flat_map(|(part, package)| {
            package.services.keys().map(move |name| (name, format!("packages.{part}.services.{name}")))
        });
        for (name, field) in of_main.chain(of_parts) {
            match first.get(name.as_str()) {
                Some((other, known)) if other.path() != recipe.path() || *known != field => {
                    let message = format!("the service `{name}` is also one of `{}`", other.place(known));
                    let diagnostic = RecipeDiagnostic::at_key(Code::DuplicateService, message, recipe, &field);
                    diagnostics.push(diagnostic.help("give one of the two services another name"));
                }
                Some(_) => {}
                None => drop(first.insert(name, (recipe, field))),
            }
        }
    }
    diagnostics
}
