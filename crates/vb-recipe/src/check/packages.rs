//! Checks of the names of distribution packages: contracts allow what any family does, a platform what its own does.

use std::collections::BTreeSet;

use crate::{
    diagnostic::{Code, RecipeDiagnostic, did_you_mean},
    load::Platforms,
    packages::SubPackage,
    platform::Family,
    position::Evaluated,
    recipe::Recipe,
    workspace::Workspace,
};

/// Reports each name once, however many platforms it is wrong for.
pub(super) fn check(
    workspace: &Evaluated<Workspace>,
    recipe: &Evaluated<Recipe>,
    platforms: &Platforms,
) -> Vec<RecipeDiagnostic> {
    let mut fields = BTreeSet::new();
    for name in recipe.value.platforms(&workspace.value) {
        let is_deb = platforms.get(name).is_some_and(|platform| platform.value.family == Family::Deb);
        if is_deb {
            fields.extend(foreign_names(&workspace.value, &recipe.value, name));
        }
    }
    let report = |(field, name): (String, String)| {
        let message = format!("`{name}` is not the name of a Debian package");
        RecipeDiagnostic::at_field(Code::BadPackageName, message, recipe, &field)
            .help("use lower case letters, digits, `+`, `.` and `-`, with a version at will: `libpq5 (>= 15)`")
    };
    fields.into_iter().map(report).collect()
}

/// Checks the names of the packages beside the main one, and those that they need.
pub(super) fn check_parts(recipe: &Evaluated<Recipe>) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = Vec::new();
    for (name, package) in &recipe.value.packages {
        if !is_name(name) {
            let message = format!("`{name}` cannot be the name of a package");
            let field = format!("packages.{name}");
            let diagnostic = RecipeDiagnostic::at_key(Code::BadPackageName, message, recipe, &field);
            diagnostics.push(
                diagnostic.help(
                    "begin with a lower case letter, go on with lower case letters, digits, `+`, `.`, `_` or `-`",
                ),
            );
        }
        let known = || std::iter::once(&recipe.value.name).chain(recipe.value.packages.keys()).map(String::as_str);
        for (index, needed) in package.needs.iter().flatten().enumerate() {
            if known().any(|known| known == needed) && needed != name {
                continue;
            }
            let message = format!("the recipe has no other package `{needed}`");
            let help = match did_you_mean(needed, known().filter(|known| known != name)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "use the recipe's name or one of `packages`; distribution packages are `run_deps`".to_owned(),
            };
            let field = format!("packages.{name}.needs[{index}]");
            diagnostics.push(RecipeDiagnostic::at_field(Code::UnknownPackage, message, recipe, &field).help(help));
        }
    }
    diagnostics
}

fn is_name(name: &str) -> bool {
    name.len() >= 2
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+._-".contains(&byte))
}

/// Returns the names that cannot be Debian's, each with its field.
fn foreign_names(workspace: &Workspace, recipe: &Recipe, platform: &str) -> Vec<(String, String)> {
    let value = recipe.for_platform(workspace, platform);
    let named = [("build_deps", value.build_deps), ("run_deps", value.run_deps), ("test_deps", value.test_deps)];
    let mut lists: Vec<_> = named.into_iter().map(|(field, list)| (field.to_owned(), list)).collect();
    let of_part = |(name, package): (String, SubPackage)| (format!("packages.{name}.run_deps"), package.run_deps);
    lists.extend(value.packages.into_iter().map(of_part));
    let mut foreign = Vec::new();
    for (field, list) in lists {
        let field = recipe.field_for(platform, &field);
        let bad = list.into_iter().enumerate().filter(|(_, dependency)| !is_debian(dependency));
        foreign.extend(bad.map(|(index, dependency)| (format!("{field}[{index}]"), dependency)));
    }
    foreign
}

/// Is it a name in the sense of Debian Policy 5.6.1, with or without a version?
fn is_debian(dependency: &str) -> bool {
    let name = dependency.split(' ').next().unwrap_or_default();
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() >= 2
        && name.as_bytes().first().copied().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || b"+.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_names_have_no_capitals_no_underscores_and_two_characters() {
        for good in ["libpq5", "g++", "libpq5 (>= 15)", "7zip"] {
            assert!(is_debian(good), "{good}");
        }
        for bad in ["PyYAML", "foo_bar", "/usr/bin/python3", "libpq.so.5()(64bit)", "a", "-x"] {
            assert!(!is_debian(bad), "{bad}");
        }
    }
}
