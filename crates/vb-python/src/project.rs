//! What a `pyproject.toml` leaves to its build (PEP 621): a reader of the file cannot know it.

use serde::Deserialize;

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
struct Pyproject {
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    dynamic: Vec<String>,
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
}
