//! Checks of services and of what belongs to them: users that somebody makes, paths that a package may own.

use std::collections::BTreeMap;

use crate::{
    diagnostic::{Code, RecipeDiagnostic, did_you_mean, quote_all},
    load::Platforms,
    platform::Family,
    position::Evaluated,
    recipe::Recipe,
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
    let mut diagnostics = check_users(recipe);
    diagnostics.extend(check_config_files(workspace, recipe));
    diagnostics.extend(check_tools(workspace, recipe, platforms));
    diagnostics
}

fn check_users(recipe: &Evaluated<Recipe>) -> Vec<RecipeDiagnostic> {
    let mut wanted = Vec::new();
    for (name, service) in &recipe.value.services {
        wanted.push((format!("services.{name}.user"), &service.user));
        wanted.extend(service.group.iter().map(|group| (format!("services.{name}.group"), group)));
    }
    for (index, directory) in recipe.value.dirs.iter().enumerate() {
        wanted.push((format!("dirs[{index}].owner"), &directory.owner));
        wanted.extend(directory.group.iter().map(|group| (format!("dirs[{index}].group"), group)));
    }
    for (index, file) in recipe.value.config_files.iter().enumerate() {
        wanted.push((format!("config_files[{index}].owner"), &file.owner));
        wanted.push((format!("config_files[{index}].group"), &file.group));
    }
    let users = &recipe.value.users;
    let is_unknown = |name: &str| !users.contains_key(name) && !KNOWN.contains(&name);
    let report = |(field, name): (String, &String)| {
        let message = format!("nobody makes the user `{name}`");
        let known = users.keys().map(String::as_str).chain(KNOWN);
        let help = match did_you_mean(name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add `users.{name} = {{}}`"),
        };
        RecipeDiagnostic::at_field(Code::UnknownUser, message, recipe, &field).help(help)
    };
    wanted.into_iter().filter(|(_, name)| is_unknown(name)).map(report).collect()
}

fn check_config_files(workspace: &Evaluated<Workspace>, recipe: &Evaluated<Recipe>) -> Vec<RecipeDiagnostic> {
    let prefix = format!("{}/{}/", workspace.value.prefix.trim_end_matches('/'), recipe.value.name);
    let is_outside = |path: &str| path.starts_with('/') && !path.starts_with("/etc/") && !path.starts_with(&prefix);
    let files = recipe.value.config_files.iter().enumerate().filter(|(_, file)| is_outside(&file.path));
    let report = |(index, file): (usize, &crate::service::ConfigFileRecipe)| {
        let message = format!("the configuration file `{}` is neither below `/etc` nor below `{prefix}`", file.path);
        RecipeDiagnostic::at_field(Code::BadConfigFile, message, recipe, &format!("config_files[{index}].path"))
            .help("keep configuration below `/etc`; what a program writes itself is no configuration file, see `dirs`")
    };
    files.map(report).collect()
}

fn check_tools(
    workspace: &Evaluated<Workspace>,
    recipe: &Evaluated<Recipe>,
    platforms: &Platforms,
) -> Option<RecipeDiagnostic> {
    if recipe.value.users.is_empty() {
        return None;
    }
    recipe.value.platforms(&workspace.value).iter().find_map(|name| {
        let family = platforms.get(name)?.value.family;
        let (_, tools) = TOOLS.iter().find(|(of, _)| *of == family)?;
        let depends = recipe.value.for_platform(&workspace.value, name).run_deps;
        let has_tool = depends.iter().any(|package| tools.contains(&package.split(' ').next().unwrap_or_default()));
        (!has_tool).then(|| {
            let message = format!("nothing that the package depends on for `{name}` can make users");
            RecipeDiagnostic::at_field(Code::NoUserTool, message, recipe, "users")
                .help(format!("add one of {} to `run_deps`", quote_all(tools.iter().copied())))
        })
    })
}

/// Two packages with one service could not be on one machine.
pub(super) fn check_together(recipes: &[Evaluated<Recipe>]) -> Vec<RecipeDiagnostic> {
    let mut first: BTreeMap<&str, &Evaluated<Recipe>> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for recipe in recipes {
        for name in recipe.value.services.keys() {
            let field = format!("services.{name}");
            match first.get(name.as_str()) {
                Some(other) if other.path() != recipe.path() => {
                    let message = format!("the service `{name}` is also one of `{}`", other.place(&field));
                    let diagnostic = RecipeDiagnostic::at_key(Code::DuplicateService, message, recipe, &field);
                    diagnostics.push(diagnostic.help("give one of the two services another name"));
                }
                Some(_) => {}
                None => drop(first.insert(name, recipe)),
            }
        }
    }
    diagnostics
}
