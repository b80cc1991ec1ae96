//! What a build back end asks for when it runs (PEP 517, `get_requires_for_build_wheel`), as a command for the sandbox.

use std::collections::BTreeMap;

use serde::Deserialize;
use vb_graph::LockedDistribution;

use crate::lock::uv_variables;

/// The program that asks, to be shown in the sandbox.
pub const ASK_BUILD_REQUIRES: &str = include_str!("ask_build_requires.py");

/// What PEP 517 has for a project that names no back end.
const DEFAULT_BACKEND: &str = "setuptools.build_meta:__legacy__";

/// Which back end builds a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildBackend {
    /// The module, and the object in it behind a `:`.
    pub object: String,
    /// The directories of the project that it is in, where it is its own.
    pub paths: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Pyproject {
    build_system: BuildSystem,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct BuildSystem {
    build_backend: Option<String>,
    backend_path: Vec<String>,
}

/// Reads the back end from a `pyproject.toml`; without one it is PEP 517's default.
///
/// # Errors
/// It is not UTF-8 TOML, or `[build-system]` has another shape.
pub fn backend_of_pyproject(pyproject: Option<&[u8]>) -> Result<BuildBackend, toml::de::Error> {
    let parsed: Pyproject = pyproject.map(toml::from_slice).transpose()?.unwrap_or_default();
    let BuildSystem { build_backend, backend_path } = parsed.build_system;
    Ok(BuildBackend { object: build_backend.unwrap_or_else(|| DEFAULT_BACKEND.to_owned()), paths: backend_path })
}

/// Returns the lines that install exactly these distributions.
pub fn exact_requirements(locked: &[LockedDistribution]) -> String {
    locked.iter().map(|locked| format!("{}=={}\n", locked.name, locked.version)).collect()
}

/// One question to a back end. All paths are those inside the sandbox.
#[derive(Clone, Debug)]
pub struct HookRequest<'a> {
    /// The uv program.
    pub uv: &'a str,
    /// The interpreter that the wheel is for.
    pub python: &'a str,
    /// [`ASK_BUILD_REQUIRES`].
    pub program: &'a str,
    /// The project's directory, writable: back ends leave things there.
    pub project: &'a str,
    /// Its back end.
    pub backend: &'a BuildBackend,
    /// The directory with the wheels of what `pyproject.toml` requires.
    pub wheels: &'a str,
    /// The file with [`exact_requirements`] of these.
    pub requirements: &'a str,
    /// Where the answer is written.
    pub output: &'a str,
    /// A writable directory for uv's cache.
    pub cache: &'a str,
    /// The recipe's build variables.
    pub extra_variables: &'a BTreeMap<String, String>,
}

impl HookRequest<'_> {
    /// Returns the command line.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![self.uv, "run", "--quiet", "--no-project", "--isolated", "--offline", "--no-index"];
        arguments.extend(["--find-links", self.wheels, "--with-requirements", self.requirements]);
        arguments.extend(["--python", self.python, "--", "python", self.program, self.project]);
        arguments.extend([self.backend.object.as_str(), self.output]);
        arguments.extend(self.backend.paths.iter().map(String::as_str));
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Returns the environment variables, to be added to the sandbox's own.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = uv_variables(self.cache);
        variables.extend(self.extra_variables.clone());
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_that_names_no_back_end_has_the_default_one() {
        let check = |text: Option<&str>, object: &str, paths: &[&str]| {
            let backend = backend_of_pyproject(text.map(str::as_bytes)).unwrap();
            assert_eq!(
                (backend.object.as_str(), backend.paths),
                (object, paths.iter().map(|path| (*path).to_owned()).collect())
            );
        };
        check(None, DEFAULT_BACKEND, &[]);
        check(Some("[build-system]\nrequires = [\"setuptools\"]\n"), DEFAULT_BACKEND, &[]);
        check(
            Some("[build-system]\nbuild-backend = \"own:object\"\nbackend-path = [\"tools\"]\n"),
            "own:object",
            &["tools"],
        );
        assert!(backend_of_pyproject(Some(b"[build-system]\nbuild-backend = 1\n")).is_err());
    }
}
