//! Checks of the names of distribution packages: contracts allow what any family does, a platform what its own does.

use std::collections::BTreeSet;

use crate::{
    diagnostic::{Code, RecipeDiagnostic},
    load::Platforms,
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

/// Returns the names that cannot be Debian's, each with its field.
fn foreign_names(workspace: &Workspace, recipe: &Recipe, platform: &str) -> Vec<(String, String)> {
    let value = recipe.for_platform(workspace, platform);
    let lists = [("build_deps", value.build_deps), ("run_deps", value.run_deps)];
    let mut foreign = Vec::new();
    for (field, list) in lists {
        let field = recipe.field_for(platform, field);
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
