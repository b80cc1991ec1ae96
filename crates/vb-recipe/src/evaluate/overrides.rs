//! Overrides: what a recipe says for one platform, merged over what it says for all.
//!
//! An override is merged by Nickel's own rules as if each of its values were marked `| force`, so fields of the recipe
//! that are computed from an overridden one follow it. It may be a function: it is given the platform's record.

use std::path::PathBuf;

use nickel_lang_core::eval::value::NickelValue;
use serde::Deserialize;

use super::{Evaluator, quote};
use crate::{
    diagnostic::RecipeDiagnostic,
    fields::{FileKind, fields},
    position::SourceFile,
    recipe::OVERRIDABLE,
    survey::CONTRACTS_FILE,
    workspace::{PLATFORMS_DIR, WORKSPACE_FILE, Workspace},
};

/// A recipe's overrides, as far as they can be seen without applying functions.
#[derive(Debug)]
pub(super) struct Overrides {
    /// An expression for the recipe in which each override is a record.
    pub(super) applied: String,
    /// Was there a function?
    pub(super) has_functions: bool,
    /// The files that functions are given the content of.
    pub(super) files: Vec<SourceFile>,
    /// Is there a file for each platform of the recipe? Where not, the recipe says something else once there is.
    pub(super) is_complete: bool,
}

/// The platforms that a recipe is for.
struct Given {
    /// An expression for the record of them.
    text: String,
    files: Vec<SourceFile>,
    is_complete: bool,
}

impl Overrides {
    /// Returns an expression for the recipe under its contract, with what each override makes of it in `resolved`.
    pub(super) fn checked(&self) -> String {
        let applied = &self.applied;
        let fields: Vec<String> = OVERRIDABLE.iter().map(|field| format!("{field} = merged.{field}")).collect();
        format!(
            "let vb = import {contracts} in
             let applied = {applied} in
             let checked = applied | vb.Recipe in
             let rec forced = fun record =>
               std.record.to_array record
               |> std.array.fold_left (fun all pair =>
                 all & (if std.is_record pair.value then
                   {{ \"%{{pair.field}}\" = forced pair.value }}
                 else
                   {{ \"%{{pair.field}}\" | force = pair.value }})) {{}}
             in
             let resolve = fun override =>
               let merged = (applied & forced override) | vb.Recipe in
               {{ {fields} }}
             in
             std.record.insert
               \"resolved\"
               (std.record.map (fun _ override => resolve override) checked.overrides)
               checked",
            contracts = quote(CONTRACTS_FILE),
            fields = fields.join(", "),
        )
    }
}

impl Evaluator {
    /// Looks at a recipe's overrides; `None` when it has none, or none that can be evaluated.
    pub(super) fn overrides(
        &mut self,
        recipe: &NickelValue,
        main: &SourceFile,
    ) -> Result<Option<Overrides>, Vec<RecipeDiagnostic>> {
        let import = format!("(import {})", quote(&main.path.to_string_lossy()));
        let Ok(recipe) = self.evaluate_shallow(recipe.clone()) else { return Ok(None) };
        let Some(value) = self.descend(&recipe, &["overrides"]) else { return Ok(None) };
        if !self.has_functions(&value) {
            let has_any = fields(&value).next().is_some();
            let overrides =
                || Overrides { applied: import, has_functions: false, files: Vec::new(), is_complete: true };
            return Ok(has_any.then(overrides));
        }
        let Given { text, files, is_complete } = self.platforms_of(&recipe)?;
        Ok(Some(Overrides { applied: apply(&import, &text), has_functions: true, files, is_complete }))
    }

    /// Is the value a function, or a record with one in it?
    fn has_functions(&mut self, value: &NickelValue) -> bool {
        let elements: Vec<NickelValue> = fields(value).filter_map(|(_, field)| field.value.clone()).collect();
        is_function(value)
            || elements
                .into_iter()
                .any(|element| self.evaluate_shallow(element).is_ok_and(|element| is_function(&element)))
    }

    fn platforms_of(&mut self, recipe: &NickelValue) -> Result<Given, Vec<RecipeDiagnostic>> {
        let mut given = Given { text: String::from("{"), files: Vec::new(), is_complete: true };
        let named = self.descend(recipe, &["platforms"]).and_then(|list| self.export(list).ok());
        let names = match named.and_then(|list| Deserialize::deserialize(list).ok()) {
            Some(names) => names,
            None => self.platforms_of_workspace(&mut given.files)?,
        };
        for name in &names {
            self.give_platform(name, &mut given)?;
        }
        given.text.push('}');
        Ok(given)
    }

    /// Adds one platform. An unknown one is left out here, and reported with what else is wrong with the recipe.
    fn give_platform(&mut self, name: &str, given: &mut Given) -> Result<(), Vec<RecipeDiagnostic>> {
        let path = self.survey.root().join(PLATFORMS_DIR).join(format!("{name}.ncl"));
        if name.contains('/') || !path.is_file() {
            given.is_complete = false;
            return Ok(());
        }
        let files = self.survey.read(&path)?;
        self.give_to_nickel(&files);
        given.files.extend(files);
        let (path, name, contracts) = (quote(&path.to_string_lossy()), quote(name), quote(CONTRACTS_FILE));
        given.text += &format!("{name} = ((import {path}) | (import {contracts}).Platform) & {{ name = {name} }},");
        Ok(())
    }

    fn platforms_of_workspace(&mut self, files: &mut Vec<SourceFile>) -> Result<Vec<String>, Vec<RecipeDiagnostic>> {
        let path: PathBuf = self.survey.root().join(WORKSPACE_FILE);
        let workspace = self.evaluate::<Workspace>(&path, FileKind::Workspace)?;
        files.extend(workspace.files);
        Ok(workspace.value.platforms)
    }
}

fn is_function(value: &NickelValue) -> bool {
    value.type_of() == Some("Function")
}

/// Returns an expression for the recipe with its functions applied.
fn apply(import: &str, platforms: &str) -> String {
    format!(
        "(let given = {import} in
          let platforms = {platforms} in
          let apply = fun name override =>
            if !(std.is_function override) then override
            else if std.record.has_field name platforms then override platforms.\"%{{name}}\"
            else {{}}
          in
          given & {{
            overrides | force =
              if std.is_function given.overrides then
                std.record.map (fun _ platform => given.overrides platform) platforms
              else
                std.record.map apply given.overrides
          }})"
    )
}
