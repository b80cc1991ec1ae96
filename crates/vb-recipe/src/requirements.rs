//! Which files say what an application needs of Python's indexes, in each of the forms that are in use.
//!
//! Must not be here: what the requirements mean. `vb lock` reads that; a build only compares digests.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use fs_err as fs;
use sha2::{Digest, Sha256 as Hasher};
use toml::Value;
use vb_graph::Sha256;

use crate::{recipe::Recipe, source::SourceError};

/// What describes a project and its build (PEP 517, PEP 621).
const PYPROJECT: &str = "pyproject.toml";

/// The form of a requirements file, told by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequirementsForm {
    /// Lines as pip reads them; any name that is none of the others.
    Lines,
    /// `pyproject.toml`: dependencies, extras (PEP 621) and dependency groups (PEP 735).
    Pyproject,
    /// `uv.lock`, with the `pyproject.toml` beside it.
    UvLock,
    /// `pylock.toml` or `pylock.<name>.toml` (PEP 751).
    Pylock,
    /// `poetry.lock`.
    PoetryLock,
}

impl RequirementsForm {
    /// Tells the form of a file.
    pub fn of(path: &str) -> Self {
        match path.rsplit('/').next().unwrap_or(path) {
            PYPROJECT => Self::Pyproject,
            "uv.lock" => Self::UvLock,
            "poetry.lock" => Self::PoetryLock,
            name if name == "pylock.toml" || (name.starts_with("pylock.") && name.ends_with(".toml")) => Self::Pylock,
            _ => Self::Lines,
        }
    }

    /// Can extras and groups be chosen in it?
    pub fn has_extras(self) -> bool {
        self != Self::Lines
    }
}

/// Returns the files that a lock answers, by path in the source, with the SHA-256 of what they say.
///
/// These are the requirements file and those that it includes or needs, and the `pyproject.toml` of an application that is
/// itself built. Of a `pyproject.toml` only what is about requirements counts: another version of the project needs no
/// other lock.
///
/// # Errors
/// [`SourceError::Requirements`] when one cannot be read, [`SourceError::Pyproject`] when it is not TOML,
/// [`SourceError::OutsideRequirements`] when an included one is elsewhere.
pub fn requirement_files(directory: &Path, recipe: &Recipe) -> Result<BTreeMap<String, Sha256>, SourceError> {
    let file = recipe.requirements.as_str();
    let mut found = match RequirementsForm::of(file) {
        RequirementsForm::Lines => requirement_lines(directory, file)?,
        RequirementsForm::Pyproject => BTreeMap::from([(file.to_owned(), project_digest(&directory.join(file))?)]),
        RequirementsForm::Pylock => BTreeMap::from([read(directory, file)?.1]),
        RequirementsForm::PoetryLock => poetry_files(directory, file)?,
        RequirementsForm::UvLock => {
            let project = Path::new(file).with_file_name(PYPROJECT);
            let digest = project_digest(&directory.join(&project))?;
            BTreeMap::from([read(directory, file)?.1, (project.to_string_lossy().into_owned(), digest)])
        }
    };
    if recipe.setup_install && directory.join(PYPROJECT).is_file() {
        found.insert(PYPROJECT.to_owned(), project_digest(&directory.join(PYPROJECT))?);
    }
    Ok(found)
}

/// Digests the `package-lock.json` of a source, by its path there.
///
/// # Errors
/// [`SourceError::PackageLock`].
pub fn package_lock_file(directory: &Path, file: &str) -> Result<BTreeMap<String, Sha256>, SourceError> {
    let path = directory.join(file);
    let bytes = fs::read(&path).map_err(|source| SourceError::PackageLock { path, source })?;
    Ok(BTreeMap::from([(file.to_owned(), Sha256::from_bytes(Hasher::digest(&bytes).into()))]))
}

/// Reads a file; returns its bytes, and its name with their digest.
fn read(directory: &Path, file: &str) -> Result<(Vec<u8>, (String, Sha256)), SourceError> {
    let path = directory.join(file);
    let bytes = fs::read(&path).map_err(|source| SourceError::Requirements { path, source })?;
    let digest = Sha256::from_bytes(Hasher::digest(&bytes).into());
    Ok((bytes, (file.to_owned(), digest)))
}

/// A lock of Poetry before 2.0 needs the project beside it, which alone says what is in which group.
fn poetry_files(directory: &Path, file: &str) -> Result<BTreeMap<String, Sha256>, SourceError> {
    let (bytes, entry) = read(directory, file)?;
    let mut found = BTreeMap::from([entry]);
    let project = Path::new(file).with_file_name(PYPROJECT);
    let text = String::from_utf8_lossy(&bytes);
    let version = text.lines().find_map(|line| line.strip_prefix("lock-version = \""));
    let is_old = version.is_some_and(|version| version.starts_with("1.") || version.starts_with("2.0"));
    if is_old && directory.join(&project).is_file() {
        let digest = digest_of_places(&directory.join(&project), &["tool.poetry"])?;
        found.insert(project.to_string_lossy().into_owned(), digest);
    }
    Ok(found)
}

fn requirement_lines(directory: &Path, file: &str) -> Result<BTreeMap<String, Sha256>, SourceError> {
    let mut found = BTreeMap::new();
    let mut pending = vec![PathBuf::from(file)];
    while let Some(relative) = pending.pop() {
        let name = relative.to_string_lossy().into_owned();
        if found.contains_key(&name) {
            continue;
        }
        let (bytes, (name, digest)) = read(directory, &name)?;
        for included in included(&String::from_utf8_lossy(&bytes)) {
            let inner = inner_path(relative.parent().unwrap_or(Path::new("")), &included);
            let file = directory.join(&relative);
            pending.push(inner.ok_or(SourceError::OutsideRequirements { file, included })?);
        }
        found.insert(name, digest);
    }
    Ok(found)
}

/// Returns the path in the source that a file there means by another path; `None` when that is outside.
fn inner_path(parent: &Path, path: &str) -> Option<PathBuf> {
    let mut inner = parent.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => inner.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !inner.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inner)
}

/// Returns the files that a requirements file names with `-r` and `-c`.
fn included(text: &str) -> Vec<String> {
    let options = ["--requirement", "--constraint", "-r", "-c"];
    let of_line = |line: &str| {
        let line = line.trim();
        let rest = options.iter().find_map(|option| line.strip_prefix(option))?;
        let file = rest.trim_start_matches(['=', ' ', '\t']).split(" #").next()?.trim();
        (!file.is_empty()).then(|| file.to_owned())
    };
    text.lines().filter_map(of_line).collect()
}

/// Digests what a `pyproject.toml` says about requirements, in whatever order and layout.
fn project_digest(path: &Path) -> Result<Sha256, SourceError> {
    digest_of_places(
        path,
        &[
            "project.name",
            "project.requires-python",
            "project.dependencies",
            "project.optional-dependencies",
            "project.dynamic",
            "dependency-groups",
            "build-system",
            "tool.uv",
        ],
    )
}

fn digest_of_places(path: &Path, places: &[&str]) -> Result<Sha256, SourceError> {
    let path_buf = || path.to_owned();
    let text = fs::read_to_string(path).map_err(|source| SourceError::Requirements { path: path_buf(), source })?;
    let whole: toml::Table = toml::from_str(&text)
        .map_err(|source| SourceError::Pyproject { path: path_buf(), source: Box::new(source) })?;
    let mut hasher = Hasher::new();
    for place in places {
        let (first, rest) = place.split_once('.').unwrap_or((*place, ""));
        let mut value = whole.get(first);
        if !rest.is_empty() {
            value = value.and_then(|table| table.get(rest));
        }
        hasher.update(format!("{place}="));
        value.into_iter().for_each(|value| hash_value(&mut hasher, value));
    }
    Ok(Sha256::from_bytes(hasher.finalize().into()))
}

/// Feeds a value with sorted keys; every string and list says where it ends.
fn hash_value(hasher: &mut Hasher, value: &Value) {
    match value {
        Value::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            hasher.update("{");
            for (key, value) in entries {
                hash_text(hasher, key);
                hash_value(hasher, value);
            }
            hasher.update("}");
        }
        Value::Array(values) => {
            hasher.update("[");
            values.iter().for_each(|value| hash_value(hasher, value));
            hasher.update("]");
        }
        Value::String(text) => hash_text(hasher, text),
        other => hasher.update(format!("{other},")),
    }
}

fn hash_text(hasher: &mut Hasher, text: &str) {
    hasher.update(format!("{}:{text}", text.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the files that count, in a source that has these.
    fn names(files: &[(&str, &str)], main: &str) -> Result<Vec<String>, SourceError> {
        let outer = tempfile::tempdir().unwrap();
        let directory = outer.path().join("source");
        fs::create_dir(&directory).unwrap();
        for (name, text) in files {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Ok(requirement_lines(&directory, main)?.into_keys().collect())
    }

    fn digest(text: &str) -> Sha256 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(PYPROJECT);
        fs::write(&path, text).unwrap();
        project_digest(&path).unwrap()
    }

    #[test]
    fn a_form_is_told_by_the_files_name() {
        for (path, form) in [
            ("requirements.txt", RequirementsForm::Lines),
            ("requirements/prod.in", RequirementsForm::Lines),
            ("sub/pyproject.toml", RequirementsForm::Pyproject),
            ("uv.lock", RequirementsForm::UvLock),
            ("pylock.toml", RequirementsForm::Pylock),
            ("locks/pylock.prod.toml", RequirementsForm::Pylock),
            ("poetry.lock", RequirementsForm::PoetryLock),
            ("mypylock.toml", RequirementsForm::Lines),
        ] {
            assert_eq!(RequirementsForm::of(path), form, "{path}");
        }
    }

    #[test]
    fn included_requirements_are_found_in_every_spelling() {
        let text = "-r base.txt\n--requirement=more.txt # why\n -c limits.txt\nTwisted==1\n-rclose.txt\n--no-index\n";
        assert_eq!(included(text), ["base.txt", "more.txt", "limits.txt", "close.txt"]);
    }

    #[test]
    fn requirements_are_hashed_with_what_they_include_and_a_circle_ends() {
        let files =
            [("requirements.txt", "-r more/a.txt\n"), ("more/a.txt", "-r b.txt\n"), ("more/b.txt", "-r a.txt\n")];
        assert_eq!(names(&files, "requirements.txt").unwrap(), ["more/a.txt", "more/b.txt", "requirements.txt"]);
    }

    #[test]
    fn included_requirements_are_named_by_their_clean_path() {
        let files = [
            ("requirements.txt", "-r ./more/a.txt\n-c more/../b.txt\n"),
            ("more/a.txt", "-c ../b.txt\n"),
            ("b.txt", ""),
        ];
        assert_eq!(names(&files, "requirements.txt").unwrap(), ["b.txt", "more/a.txt", "requirements.txt"]);
    }

    #[test]
    fn requirements_outside_of_the_source_are_refused() {
        for outside in ["../limits.txt", "/etc/hostname"] {
            let error = names(&[("requirements.txt", &format!("-c {outside}\n"))], "requirements.txt").unwrap_err();
            assert!(matches!(error, SourceError::OutsideRequirements { included, .. } if included == outside));
        }
    }

    #[test]
    fn only_what_is_about_requirements_counts_of_a_project() {
        let text = "[project]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"x\", \"y\"]\n[tool.black]\nline = 1\n";
        let same =
            "[tool.black]\nline = 2\n[project]\nversion = \"2\"\ndependencies = [\n  'x',\n  'y',\n]\nname = 'a'\n";
        assert_eq!(digest(text), digest(same));
        for (from, to) in [("\"y\"", "\"z\""), ("\"x\", \"y\"", "\"x,y\""), ("[tool.black]", "[tool.uv]")] {
            assert_ne!(digest(text), digest(&text.replace(from, to)), "{to}");
        }
    }
}
