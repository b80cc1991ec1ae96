//! Checks of a recipe's sub-applications and of its pipeline as a whole.

use std::collections::BTreeMap;

use vb_graph::Pattern;

use crate::{
    diagnostic::{Code, RecipeDiagnostic},
    pipeline::PipelineStep,
    position::Evaluated,
    recipe::{Recipe, Source, SubApp},
};

/// Checks what a recipe's own fields say of its sub-applications and steps.
pub(super) fn check(recipe: &Evaluated<Recipe>) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = check_sources(recipe);
    diagnostics.extend(check_directories(recipe));
    diagnostics.extend(check_npm(recipe));
    diagnostics.extend(check_writes(recipe));
    diagnostics
}

fn check_sources(recipe: &Evaluated<Recipe>) -> Vec<RecipeDiagnostic> {
    let missing = |(index, source): (usize, &Source)| {
        let Source::Path(path) = source else { return None };
        (!recipe.dir_of(source).is_dir()).then(|| {
            let message = format!("the source `{path}` is not a directory");
            RecipeDiagnostic::at_field(Code::MissingSource, message, recipe, &SubApp::source_field(index))
                .help("give the directory of the sub-application, relative to this file's")
        })
    };
    recipe.value.sub_apps.iter().map(|sub_app| &sub_app.source).enumerate().filter_map(missing).collect()
}

fn check_npm(recipe: &Evaluated<Recipe>) -> Option<RecipeDiagnostic> {
    let npm = recipe.value.npm.as_ref()?;
    (!recipe.source_dir().join(&npm.lock).is_file()).then(|| {
        let message = format!("the source has no file `{}`", npm.lock);
        let field = if recipe.positions.value("npm.lock").is_some() { "npm.lock" } else { "npm" };
        RecipeDiagnostic::at_field(Code::MissingPackageLock, message, recipe, field)
            .help("let `npm install --package-lock-only` write it, or name another file in `lock`")
    })
}

fn check_directories(recipe: &Evaluated<Recipe>) -> Vec<RecipeDiagnostic> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for (index, sub_app) in recipe.value.sub_apps.iter().enumerate() {
        if let Some(first) = owners.insert(&sub_app.dir, &sub_app.name) {
            let message = format!("`{first}` and `{}` both have the directory `{}`", sub_app.name, sub_app.dir);
            let field = format!("sub_apps[{index}].dir");
            let diagnostic = RecipeDiagnostic::at_field(Code::TakenDirectory, message, recipe, &field);
            diagnostics.push(diagnostic.help("give one of the two another `dir`"));
        }
    }
    diagnostics
}

/// Finds files that two steps write, as far as their names tell; a step that rewrites what it reads may follow another.
fn check_writes(recipe: &Evaluated<Recipe>) -> Vec<RecipeDiagnostic> {
    let mut writers: BTreeMap<Pattern, &PipelineStep> = BTreeMap::new();
    let mut diagnostics = Vec::new();
    for (index, step) in recipe.value.pipeline.iter().enumerate().filter(|(_, step)| !step.rewrites()) {
        for pattern in step.writes().into_iter().filter(is_one_file) {
            if let Some(first) = writers.insert(pattern.clone(), step) {
                let (first, second, path) = (first.tag(), step.tag(), pattern.as_str());
                let message = format!("the steps `'{first}` and `'{second}` both write `{path}`");
                let field = format!("pipeline[{index}]");
                let diagnostic = RecipeDiagnostic::at_field(Code::WrittenTwice, message, recipe, &field);
                diagnostics.push(diagnostic.help("let one step write the file, or give the other one another name"));
            }
        }
    }
    diagnostics
}

fn is_one_file(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Name(_) => true,
        Pattern::Glob(glob) => !glob.contains(['*', '?', '[', '{']),
    }
}
