//! The requirements of a `pyproject.toml` (PEP 621) as lines, for a tool that does not read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde::Deserialize;

use crate::names::normalize_name;

#[derive(Deserialize)]
struct Pyproject {
    project: Project,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[derive(Default)]
struct Project {
    dependencies: Vec<String>,
    optional_dependencies: BTreeMap<String, Vec<String>>,
}

/// Returns the requirements of a project with some of its extras, one a line; or the name of an extra that it does not have.
///
/// # Errors
/// The file is no TOML, or `[project]` has another shape.
pub fn project_requirements(text: &str, extras: &[String]) -> Result<Result<String, String>, toml::de::Error> {
    let Pyproject { project } = toml::from_str(text)?;
    let mut lines: BTreeSet<&String> = project.dependencies.iter().collect();
    for extra in extras {
        let mut known = project.optional_dependencies.iter();
        let Some((_, own)) = known.find(|(name, _)| normalize_name(name) == normalize_name(extra)) else {
            return Ok(Err(extra.clone()));
        };
        lines.extend(own);
    }
    Ok(Ok(lines.into_iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").expect("a String takes all text");
        text
    })))
}
