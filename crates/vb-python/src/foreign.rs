//! Locks that other tools have written, as requirements: each version exactly, with the hashes of its files.
//!
//! Whatever such a lock leaves to the environment (markers) is left to uv, which reads the requirements for the target.
//! The addresses in it do not count: files come from where the machine says, and their hashes are those of the lock.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{
    marker::{Chosen, decide},
    names::normalize_name,
};

/// A lock of another tool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ForeignLockError {
    /// It is not TOML, or has another shape.
    #[error("cannot read the lock")]
    Parse(#[source] Box<toml::de::Error>),
    /// Its version is not understood.
    #[error("the lock has the format version `{found}`, and only `{understood}` is understood")]
    Version {
        /// The lock's version.
        found: String,
        /// The oldest version that is.
        understood: &'static str,
    },
    /// A distribution comes from somewhere that a lock of file names cannot pin.
    #[error("`{name}` comes from {origin}: publish it to an index or a find-links directory")]
    Origin {
        /// The distribution's name.
        name: String,
        /// What it comes from.
        origin: String,
    },
    /// A distribution has no version.
    #[error("`{name}` has no version in the lock")]
    NoVersion {
        /// The distribution's name.
        name: String,
    },
    /// No file of a distribution has a SHA-256.
    #[error("no file of `{name}` has a sha256 in the lock")]
    NoDigest {
        /// The distribution's name.
        name: String,
    },
    /// A lock of an old version does not say which group a distribution is in, and neither does a project beside it.
    #[error(
        "the lock has the format version `{found}`, which has no groups, and there is no `[tool.poetry]` beside it"
    )]
    NoProject {
        /// The lock's version.
        found: String,
    },
    /// A lock of an old version does not say which of two versions is meant where.
    #[error("the lock has several versions of `{name}`, and does not say which is meant for which Python")]
    Several {
        /// The distribution's name.
        name: String,
    },
    /// The lock has no such extra or group.
    #[error("the lock has no {kind} `{name}`")]
    Unknown {
        /// `extra` or `group`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pylock {
    lock_version: String,
    #[serde(default)]
    extras: Vec<String>,
    #[serde(default)]
    dependency_groups: Vec<String>,
    #[serde(default)]
    default_groups: Vec<String>,
    #[serde(default)]
    packages: Vec<PylockPackage>,
}

#[derive(Deserialize)]
struct PylockPackage {
    name: String,
    version: Option<String>,
    marker: Option<String>,
    vcs: Option<toml::Table>,
    directory: Option<toml::Table>,
    archive: Option<toml::Table>,
    sdist: Option<PylockFile>,
    #[serde(default)]
    wheels: Vec<PylockFile>,
}

#[derive(Deserialize)]
struct PylockFile {
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

/// Turns a `pylock.toml` (PEP 751) into requirements. Without a chosen group its default groups count.
///
/// # Errors
/// See [`ForeignLockError`]; the first problem is reported.
pub fn requirements_of_pylock(text: &str, chosen: &Chosen) -> Result<String, ForeignLockError> {
    let lock: Pylock = parse(text)?;
    if lock.lock_version.split('.').next() != Some("1") {
        return Err(ForeignLockError::Version { found: lock.lock_version, understood: "1.0" });
    }
    check_known("extra", &chosen.extras, &lock.extras)?;
    check_known("group", &chosen.groups, &lock.dependency_groups)?;
    let mut chosen = chosen.clone();
    if chosen.groups.is_empty() {
        chosen.groups = lock.default_groups.iter().map(|group| normalize_name(group)).collect();
    }
    let origin = |package: &PylockPackage| match (&package.vcs, &package.directory, &package.archive) {
        (Some(_), ..) => Some("a version control system"),
        (_, Some(_), _) => Some("a directory"),
        (_, _, Some(_)) => Some("an archive that is named by its location"),
        _ => None,
    };
    let mut lines = String::new();
    for package in &lock.packages {
        let name = package.name.clone();
        if let Some(origin) = origin(package) {
            return Err(ForeignLockError::Origin { name, origin: origin.to_owned() });
        }
        let Some(version) = &package.version else { return Err(ForeignLockError::NoVersion { name }) };
        let files = package.sdist.iter().chain(&package.wheels);
        let hashes = files.filter_map(|file| file.hashes.get("sha256").cloned()).collect();
        let marker = package.marker.as_deref().map(|marker| decide(marker, &chosen));
        lines.push_str(&requirement(&name, version, marker.as_deref(), &hashes)?);
    }
    Ok(lines)
}

#[derive(Deserialize)]
pub(crate) struct Poetry {
    #[serde(default)]
    pub(crate) package: Vec<PoetryPackage>,
    #[serde(default)]
    extras: BTreeMap<String, Vec<String>>,
    metadata: PoetryMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PoetryMetadata {
    lock_version: String,
    /// Where the files are before version 2.0.
    #[serde(default)]
    files: BTreeMap<String, Vec<PoetryFile>>,
}

impl Poetry {
    pub(crate) fn version(&self) -> &str {
        &self.metadata.lock_version
    }

    /// Does the lock say which group a distribution is in? Those of Poetry 2.0 and later do.
    pub(crate) fn has_groups(&self) -> bool {
        let number = |text: &str| text.parse::<u32>().ok();
        let version = self.version().split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        version.is_none_or(|version| version >= (2, 1))
    }

    /// Returns the SHA-256 of each file of a distribution.
    pub(crate) fn hashes(&self, package: &PoetryPackage) -> BTreeSet<String> {
        let files = package.files.iter().chain(self.metadata.files.get(&package.name).into_iter().flatten());
        files.filter_map(|file| file.hash.strip_prefix("sha256:").map(str::to_owned)).collect()
    }
}

impl PoetryPackage {
    /// What comes from elsewhere than an index cannot be locked.
    pub(crate) fn check_origin(&self) -> Result<(), ForeignLockError> {
        match self.source.as_ref().filter(|source| source.r#type != "legacy") {
            None => Ok(()),
            Some(source) => Err(ForeignLockError::Origin {
                name: self.name.clone(),
                origin: format!("a source of type `{}`", source.r#type),
            }),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct PoetryPackage {
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(default = "main_group")]
    groups: Vec<String>,
    markers: Option<PoetryMarkers>,
    source: Option<PoetrySource>,
    #[serde(default)]
    files: Vec<PoetryFile>,
}

fn main_group() -> Vec<String> {
    vec!["main".to_owned()]
}

/// One marker for all groups, or one for each that has any.
#[derive(Deserialize)]
#[serde(untagged)]
enum PoetryMarkers {
    All(String),
    ByGroup(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct PoetrySource {
    r#type: String,
}

#[derive(Deserialize)]
struct PoetryFile {
    hash: String,
}

/// Turns a `poetry.lock` of Poetry 2.0 or later into requirements: the main group and those that are chosen.
///
/// Older ones do not say which group and marker a package is there for: see
/// [`requirements_of_old_poetry`](crate::requirements_of_old_poetry).
///
/// # Errors
/// See [`ForeignLockError`]; the first problem is reported.
pub fn requirements_of_poetry(text: &str, chosen: &Chosen) -> Result<String, ForeignLockError> {
    let lock: Poetry = parse(text)?;
    let version = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    match version(&lock.metadata.lock_version) {
        Some((2, 1..)) => {}
        _ => return Err(ForeignLockError::Version { found: lock.metadata.lock_version, understood: "2.1" }),
    }
    check_known("extra", &chosen.extras, &lock.extras.keys().cloned().collect::<Vec<_>>())?;
    let groups: Vec<String> = lock.package.iter().flat_map(|package| package.groups.clone()).collect();
    check_known("group", &chosen.groups, &groups)?;
    let is_wanted = |group: &&String| *group == "main" || chosen.groups.contains(&normalize_name(group));
    let mut lines = String::new();
    for package in &lock.package {
        let wanted: Vec<&String> = package.groups.iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            continue;
        }
        let name = &package.name;
        package.check_origin()?;
        let marker = poetry_marker(package.markers.as_ref(), &wanted).map(|marker| decide(&marker, chosen));
        lines.push_str(&requirement(name, &package.version, marker.as_deref(), &lock.hashes(package))?);
    }
    Ok(lines)
}

/// Returns the marker under which any of the groups wants the package; `None` when one wants it always.
fn poetry_marker(markers: Option<&PoetryMarkers>, groups: &[&String]) -> Option<String> {
    match markers? {
        PoetryMarkers::All(marker) => Some(marker.clone()),
        PoetryMarkers::ByGroup(by_group) => {
            let markers: Option<Vec<String>> =
                groups.iter().map(|group| by_group.get(*group).map(|marker| format!("({marker})"))).collect();
            Some(markers?.join(" or "))
        }
    }
}

pub(crate) fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, ForeignLockError> {
    toml::from_str(text).map_err(|source| ForeignLockError::Parse(Box::new(source)))
}

pub(crate) fn check_known(
    kind: &'static str,
    chosen: &BTreeSet<String>,
    known: &[String],
) -> Result<(), ForeignLockError> {
    let known: BTreeSet<String> = known.iter().map(|name| normalize_name(name)).collect();
    match chosen.difference(&known).next() {
        None => Ok(()),
        Some(name) => Err(ForeignLockError::Unknown { kind, name: name.clone() }),
    }
}

pub(crate) fn requirement(
    name: &str,
    version: &str,
    marker: Option<&str>,
    hashes: &BTreeSet<String>,
) -> Result<String, ForeignLockError> {
    if hashes.is_empty() {
        return Err(ForeignLockError::NoDigest { name: name.to_owned() });
    }
    let marker = marker.map(|marker| format!(" ; {marker}")).unwrap_or_default();
    let hashes: String = hashes.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
    Ok(format!("{name}=={version}{marker}{hashes}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(extras: &[&str], groups: &[&str]) -> Chosen {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Chosen::new(&names(extras), &names(groups))
    }

    const PYLOCK: &str = r#"
lock-version = "1.0"
extras = ["cli"]
dependency-groups = ["dev", "docs"]
default-groups = ["docs"]
[[packages]]
name = "six"
version = "1.17.0"
index = "https://files.example/simple"
sdist = { url = "https://files.example/six.tar.gz", hashes = { sha256 = "bb" } }
wheels = [{ url = "https://files.example/six.whl", hashes = { sha256 = "aa", md5 = "cc" } }]
[[packages]]
name = "click"
version = "8"
marker = "'cli' in extras or 'docs' in dependency_groups"
wheels = [{ hashes = { sha256 = "dd" } }]
"#;

    const POETRY: &str = r#"
[[package]]
name = "six"
version = "1.17.0"
optional = false
groups = ["main", "dev"]
markers = { dev = "sys_platform == 'linux'" }
files = [{ file = "six.whl", hash = "sha256:aa" }, { file = "six.tar.gz", hash = "sha256:bb" }]
[[package]]
name = "click"
version = "8"
optional = true
groups = ["main"]
markers = "extra == \"cli\" and python_version < \"3.13\""
files = [{ file = "click.whl", hash = "sha256:dd" }]
[[package]]
name = "pytest"
version = "9"
groups = ["dev", "test"]
markers = { dev = "os_name == 'nt'", test = "os_name == 'posix'" }
files = [{ file = "pytest.whl", hash = "sha256:ee" }]
[extras]
cli = ["click"]
[metadata]
lock-version = "2.1"
"#;

    #[test]
    fn a_pylock_becomes_requirements_with_hashes() {
        let yes = "python_version >= '0'";
        let no = "python_version < '0'";
        let with = |cli: &str, docs: &str| {
            format!("six==1.17.0 --hash=sha256:aa --hash=sha256:bb\nclick==8 ; {cli} or {docs} --hash=sha256:dd\n")
        };
        assert_eq!(requirements_of_pylock(PYLOCK, &chosen(&[], &[])).unwrap(), with(no, yes));
        assert_eq!(requirements_of_pylock(PYLOCK, &chosen(&["CLI"], &["dev"])).unwrap(), with(yes, no));
    }

    #[test]
    fn a_poetry_lock_gives_the_main_group_and_the_chosen_ones() {
        let six = "six==1.17.0 --hash=sha256:aa --hash=sha256:bb\n";
        let click = "click==8 ; python_version < '0' and python_version < \"3.13\" --hash=sha256:dd\n";
        assert_eq!(requirements_of_poetry(POETRY, &chosen(&[], &[])).unwrap(), format!("{six}{click}"));
        let all = requirements_of_poetry(POETRY, &chosen(&["cli"], &["dev", "test"])).unwrap();
        assert!(all.contains("click==8 ; python_version >= '0' and"), "{all}");
        assert!(all.contains("pytest==9 ; ( os_name == 'nt' ) or ( os_name == 'posix' ) --hash=sha256:ee\n"), "{all}");
    }

    #[test]
    fn what_the_lock_does_not_have_is_an_error() {
        for (extras, groups, expect) in [(&["x"][..], &[][..], "extra `x`"), (&[], &["y"], "group `y`")] {
            for read in [requirements_of_pylock as fn(&str, &Chosen) -> _, requirements_of_poetry] {
                let text = if read(POETRY, &chosen(&[], &[])).is_ok() { POETRY } else { PYLOCK };
                let error = read(text, &chosen(extras, groups)).unwrap_err();
                assert_eq!(error.to_string(), format!("the lock has no {expect}"));
            }
        }
    }

    #[test]
    fn what_cannot_be_pinned_is_refused() {
        let git = PYLOCK.replace("version = \"8\"", "version = \"8\"\nvcs = { type = \"git\" }");
        assert!(matches!(requirements_of_pylock(&git, &chosen(&[], &[])), Err(ForeignLockError::Origin { .. })));
        let git = POETRY.replace("version = \"8\"", "version = \"8\"\nsource = { type = \"git\", url = \"x\" }");
        assert!(matches!(requirements_of_poetry(&git, &chosen(&[], &[])), Err(ForeignLockError::Origin { .. })));
        let old = POETRY.replace("lock-version = \"2.1\"", "lock-version = \"2.0\"");
        let error = requirements_of_poetry(&old, &chosen(&[], &[])).unwrap_err();
        assert_eq!(error.to_string(), "the lock has the format version `2.0`, and only `2.1` is understood");
        let bare = PYLOCK.replace("sha256 = \"dd\"", "md5 = \"dd\"");
        assert!(matches!(requirements_of_pylock(&bare, &chosen(&[], &[])), Err(ForeignLockError::NoDigest { .. })));
    }
}
