//! Checks of recipes of interpreters, and of what names them.

use crate::{
    diagnostic::{Code, RecipeDiagnostic},
    position::Evaluated,
    recipe::{Recipe, Source},
    version::Version,
    workspace::Workspace,
};

/// Checks that a recipe is that of an application or that of an interpreter, and not half of each.
pub(super) fn check(recipe: &Evaluated<Recipe>) -> Option<RecipeDiagnostic> {
    let is_of_distribution = matches!(recipe.value.source, Source::Distribution { .. });
    let wrong = |message: &str, field: &str, help: &str| {
        Some(
            RecipeDiagnostic::at_field(Code::WrongInterpreter, message.to_owned(), recipe, field).help(help.to_owned()),
        )
    };
    match (&recipe.value.interpreter, is_of_distribution) {
        (None, false) => None,
        (None, true) => wrong(
            "only an interpreter is built of a source of the distribution",
            "source",
            "add `interpreter = { version = \"3.13\" }`, or give a directory: `'Path \"apps/whois\"`",
        ),
        (Some(_), false) => wrong(
            "an interpreter is built of a source of the distribution",
            "source",
            "write `source = 'Distribution { package = \"python3.13\", suite = \"trixie\" }`",
        ),
        (Some(_), true) if !matches!(recipe.value.version, Some(Version::Fixed(_))) => wrong(
            "the version of an interpreter's package is not in its source",
            if recipe.value.version.is_some() { "version" } else { "name" },
            "write `version = 'Fixed \"3.13.5-1\"`",
        ),
        (Some(own), true) if own.version.starts_with("2.") => {
            let message = format!("Python `{}` is not compiled of its source", own.version);
            let diagnostic = RecipeDiagnostic::at_field(Code::OldPython, message, recipe, "interpreter.version");
            Some(diagnostic.help("use a platform's own Python 2.7, `'System \"2.7\"`, or a Python 3"))
        }
        (Some(_), true) => None,
    }
}

/// Checks that what an application names as its interpreter is one, on each of its platforms.
pub(crate) fn check_named(
    workspace: &Workspace,
    recipe: &Evaluated<Recipe>,
    (platform, name): (&str, &str),
    named: Option<&Evaluated<Recipe>>,
) -> Option<RecipeDiagnostic> {
    let field = recipe.value.field_for(platform, "python");
    let wrong = |message: String, help: String| {
        Some(RecipeDiagnostic::at_field(Code::UnknownInterpreter, message, recipe, &field).help(help))
    };
    let Some(named) = named else {
        let help = "write the file, or use the platform's own: `'System \"3\"`".to_owned();
        return wrong(format!("there is no recipe `interpreters/{name}.ncl`"), help);
    };
    if named.value.interpreter.is_none() {
        let help = "name a recipe that has a field `interpreter`".to_owned();
        return wrong(
            format!("`interpreters/{name}.ncl` is the recipe of an application, and not of an interpreter"),
            help,
        );
    }
    if let Some(diagnostic) = check(named) {
        return Some(diagnostic);
    }
    if !named.value.platforms(workspace).iter().any(|known| known == platform) {
        let help = format!("add `{platform}` to its `platforms`");
        return wrong(format!("the interpreter of `interpreters/{name}.ncl` is not built for `{platform}`"), help);
    }
    None
}
