//! What a `pyproject.toml` requires that a lock cannot answer: what it leaves to its build (PEP 621), and what it names by a
//! place.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Table, Value};

use crate::{
    names::normalize_name,
    requirements::{RefusedLine, RequirementsError, refusal},
};

/// The requirements of a project cannot be read from its file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// It is not TOML, or `[project]` has another shape.
    #[error("the file cannot be read")]
    Parse(#[source] Box<toml::de::Error>),
    /// It is not described as PEP 621 has it.
    #[error("it has no table `project`")]
    NoProject,
    /// Its back end says them when it runs.
    #[error("its `{field}` are dynamic: they are known when the project is built")]
    Dynamic {
        /// `dependencies` or `optional-dependencies`.
        field: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pyproject {
    project: Option<Project>,
    #[serde(default)]
    dependency_groups: BTreeMap<String, Vec<Spanned<Value>>>,
    #[serde(default)]
    tool: Tool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Project {
    #[serde(default)]
    dynamic: Vec<String>,
    #[serde(default)]
    dependencies: Vec<Spanned<String>>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Spanned<String>>>,
}

#[derive(Default, Deserialize)]
struct Tool {
    #[serde(default)]
    uv: Uv,
}

/// Where uv takes distributions from, in place of the indexes.
#[derive(Default, Deserialize)]
struct Uv {
    #[serde(default)]
    sources: BTreeMap<String, Spanned<Value>>,
}

impl Pyproject {
    /// Returns all requirements, with the places of their bytes.
    fn requirements(&self) -> Vec<(usize, &str)> {
        let project = self.project.iter();
        let own = project
            .flat_map(|project| project.dependencies.iter().chain(project.optional_dependencies.values().flatten()));
        let own = own.map(|requirement| (requirement.span().start, requirement.get_ref().as_str()));
        let groups = self.dependency_groups.values().flatten();
        own.chain(groups.filter_map(|entry| Some((entry.span().start, entry.get_ref().as_str()?)))).collect()
    }
}

/// Finds the first requirement of a `pyproject.toml` that vb refuses, as those of lines are; a source that uv is told to take
/// a requirement from is a part of that.
///
/// # Errors
/// [`RequirementsError`] for that requirement. A file that cannot be read has none.
pub fn check_project_requirements(file: &str, text: &str) -> Result<(), RequirementsError> {
    let Ok(parsed) = toml::from_str::<Pyproject>(text) else { return Ok(()) };
    let requirements = parsed.requirements();
    let refused = requirements.iter().find_map(|(place, requirement)| Some((*place, refusal(requirement)?)));
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let name_of =
        |requirement: &str| normalize_name(requirement.split(|next| !is_name(next)).next().unwrap_or_default());
    let is_required =
        |name: &str| requirements.iter().any(|(_, requirement)| name_of(requirement) == normalize_name(name));
    let of_source = || {
        let sources = parsed.tool.uv.sources.iter().filter(|(name, _)| is_required(name));
        let mut refused = sources.filter_map(|(name, source)| {
            Some((source.span().start, (name.clone(), reason_of_source(source.get_ref())?)))
        });
        refused.next()
    };
    match refused.or_else(of_source) {
        None => Ok(()),
        Some((place, (what, reason))) => {
            let line = text[..place].matches('\n').count() + 1;
            Err(RequirementsError { file: file.to_owned(), line, what, reason })
        }
    }
}

/// A source is a table, or several for several platforms.
fn reason_of_source(source: &Value) -> Option<RefusedLine> {
    let of_table = |table: &Table| {
        let kinds = [
            ("path", RefusedLine::Path),
            ("workspace", RefusedLine::Path),
            ("git", RefusedLine::Vcs),
            ("url", RefusedLine::Address),
            ("index", RefusedLine::Index),
        ];
        kinds.into_iter().find(|(key, _)| table.contains_key(*key)).map(|(_, reason)| reason)
    };
    match source {
        Value::Array(tables) => tables.iter().filter_map(Value::as_table).find_map(of_table),
        other => other.as_table().and_then(of_table),
    }
}

/// Finds out whether a `pyproject.toml` says itself what it requires.
///
/// # Errors
/// [`ProjectError`] when it does not.
pub fn check_project(text: &str) -> Result<(), ProjectError> {
    let parsed: Pyproject = toml::from_str(text).map_err(|source| ProjectError::Parse(Box::new(source)))?;
    let project = parsed.project.ok_or(ProjectError::NoProject)?;
    let is_about_requirements = |field: &String| ["dependencies", "optional-dependencies"].contains(&field.as_str());
    match project.dynamic.into_iter().find(is_about_requirements) {
        None => Ok(()),
        Some(field) => Err(ProjectError::Dynamic { field }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_says_its_requirements_itself_or_is_refused() {
        assert_eq!(check_project("[project]\nname = 'a'\ndynamic = ['version']\n"), Ok(()));
        assert_eq!(check_project("[tool.poetry]\nname = 'a'\n"), Err(ProjectError::NoProject));
        let dynamic = check_project("[project]\ndynamic = ['version', 'dependencies']\n");
        assert_eq!(dynamic, Err(ProjectError::Dynamic { field: "dependencies".to_owned() }));
        assert!(matches!(check_project("[project"), Err(ProjectError::Parse(_))));
    }

    #[test]
    fn a_requirement_that_is_named_by_a_place_is_refused_with_its_line() {
        let refused = |text: &str| {
            let error = check_project_requirements("pyproject.toml", text).unwrap_err();
            (error.line, error.what, error.reason)
        };
        let project = "[project]\ndependencies = [\n  'six',\n  'lib @ file:///srv/lib',\n]\n";
        assert_eq!(refused(project), (4, "lib".to_owned(), RefusedLine::Path));
        let group =
            "[dependency-groups]\ndev = [\n  {include-group = 'a'},\n  'lib @ git+https://x.example/lib']\na = []\n";
        assert_eq!(refused(group), (4, "lib".to_owned(), RefusedLine::Vcs));
        let source = "[project]\ndependencies = ['Our.Lib>=1']\n[tool.uv.sources]\nother = { path = '.' }\n\
                      our-lib = [{ path = '../lib', marker = 'a' }]\n";
        assert_eq!(refused(source), (5, "our-lib".to_owned(), RefusedLine::Path));
        let good = "[project]\ndependencies = ['six']\n[tool.uv.sources]\nother = { git = 'https://x.example' }\n";
        assert!(check_project_requirements("pyproject.toml", good).is_ok());
    }
}
