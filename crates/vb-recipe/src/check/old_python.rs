//! What a recipe can ask for on Python 2.7, where much is missing that other Pythons have.

use crate::{
    diagnostic::{Code, RecipeDiagnostic},
    pipeline::PipelineStep,
    platform::{Family, Platform},
    position::Evaluated,
    recipe::Recipe,
    requirements::RequirementsForm,
};

/// The one version of Python 2 that there are tools for.
const VERSION: &str = "2.7";

/// Checks what a recipe asks for on a platform's Python 2.
pub(super) fn check(recipe: &Evaluated<Recipe>, platform: &Platform, version: &str) -> Vec<RecipeDiagnostic> {
    let version = platform.python_version(version);
    let refused = |field: &str, message: String| RecipeDiagnostic::at_field(Code::OldPython, message, recipe, field);
    let python = recipe.value.field_for(&platform.name, "python");
    if version != VERSION {
        let message = format!("Python `{version}` is older than what resolves, builds and installs for it");
        return vec![refused(&python, message).help(format!("use `{VERSION}`, or a Python 3"))];
    }
    if platform.family != Family::Deb {
        let message = format!("environments of Python `{version}` are made for platforms of the Debian family alone");
        return vec![refused(&python, message).help("use a Python 3")];
    }
    let mut diagnostics = Vec::new();
    if !matches!(
        RequirementsForm::of(&recipe.value.requirements),
        RequirementsForm::Lines | RequirementsForm::Pyproject
    ) {
        let message = format!("what wrote `{}` does not know Python `{version}`", recipe.value.requirements);
        let help = "name a requirements file, or a `pyproject.toml` with `[project]`";
        diagnostics.push(refused("requirements", message).help(help));
    }
    for (index, step) in recipe.value.pipeline.iter().enumerate() {
        if matches!(step, PipelineStep::CollectStatic(_)) {
            let message = format!("what `'CollectStatic` runs is for Python 3, and not for `{version}`");
            let help = "let a step `'Run` collect the files, or use a Python 3";
            diagnostics.push(refused(&format!("pipeline[{index}]"), message).help(help));
        }
    }
    diagnostics
}
