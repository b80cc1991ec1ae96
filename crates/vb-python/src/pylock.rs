//! Reads a `pylock.toml` (PEP 751) and keeps one file per distribution: the best wheel for the target, else the sdist.
//!
//! Expected is the lock of *one* platform, as uv writes it: no extras, no dependency groups. uv has left out what the
//! platform does not need; a marker that it still writes (`platform_python_implementation != 'PyPy'`) holds there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use url::Url;
use vb_graph::{LockedDistribution, LockedFile, Sha256};

use crate::{
    location,
    names::normalize_name,
    requirements::AllowedHashes,
    tags::{Target, choose},
};

/// Which distributions must not be taken as wheels, or must be. Each list holds names, or `:all:`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinaryPolicy {
    /// Always built from the sdist.
    pub no_binary: Vec<String>,
    /// Never built from an sdist. A name here wins over `:all:` in [`no_binary`](Self::no_binary), and the other way round.
    pub only_binary: Vec<String>,
}

impl BinaryPolicy {
    fn is_wheel_allowed(&self, name: &str) -> bool {
        !has(&self.no_binary, name) && (!has_all(&self.no_binary) || has(&self.only_binary, name))
    }

    fn is_sdist_allowed(&self, name: &str) -> bool {
        !has(&self.only_binary, name) && (!has_all(&self.only_binary) || has(&self.no_binary, name))
    }
}

fn has(list: &[String], name: &str) -> bool {
    list.iter().any(|entry| normalize_name(entry) == name)
}

fn has_all(list: &[String]) -> bool {
    list.iter().any(|entry| entry == ":all:")
}

/// A lock cannot be used for the target.
#[derive(Debug, thiserror::Error)]
pub enum PylockError {
    /// The text is not TOML, or not a lock of PEP 751's shape.
    #[error("cannot read the Python lock")]
    Parse(#[source] Box<toml::de::Error>),
    /// The lock's major version is not 1.
    #[error("the Python lock has the format version `{version}`, and only `1.0` is understood")]
    Version {
        /// The `lock-version`.
        version: String,
    },
    /// A distribution comes from a version control system, a directory, or an archive at a URL.
    #[error(
        "`{name}` comes from {origin}, which a lock of file names cannot pin: publish it to an index or a find-links directory"
    )]
    Origin {
        /// The distribution's name.
        name: String,
        /// What it comes from, in words.
        origin: &'static str,
    },
    /// A distribution is locked twice, for several environments.
    #[error("`{name}` is listed more than once: lock one platform at a time")]
    Ambiguous {
        /// The distribution's name.
        name: String,
    },
    /// A distribution has no version.
    #[error("`{name}` has no version in the lock")]
    NoVersion {
        /// The distribution's name.
        name: String,
    },
    /// No wheel fits, and there is no sdist, or the policy forbids what there is.
    #[error("`{name}` {version} has no file for CPython {}.{} on {} with glibc {}.{}{}", target.python.0, target.python.1, target.machine, target.glibc.0, target.glibc.1, forbidden(*is_wheel_allowed, *is_sdist_allowed))]
    NoFile {
        /// The distribution's name.
        name: String,
        /// Its locked version.
        version: String,
        /// The target.
        target: Box<Target>,
        /// Does the policy allow its wheels?
        is_wheel_allowed: bool,
        /// Does the policy allow its sdist?
        is_sdist_allowed: bool,
    },
    /// Requirements give hashes, and none for a distribution.
    #[error("the requirements give hashes, and none for `{name}`")]
    NotHashed {
        /// The distribution's name.
        name: String,
    },
    /// No file that the indexes have has a hash that the requirements give.
    #[error("no file of `{name}` {version} that the indexes have has a sha256 that the requirements give")]
    NotAllowed {
        /// The distribution's name.
        name: String,
        /// Its version.
        version: String,
    },
    /// A file has neither a name nor a location with one, or its name is a path.
    #[error("a file of `{name}` has no name, or one that no file can have")]
    NoFileName {
        /// The distribution's name.
        name: String,
    },
    /// A file has no usable SHA-256.
    #[error("`{file}` of `{name}` has no sha256 in the lock")]
    NoDigest {
        /// The distribution's name.
        name: String,
        /// The file's name.
        file: String,
    },
}

fn forbidden(is_wheel_allowed: bool, is_sdist_allowed: bool) -> &'static str {
    match (is_wheel_allowed, is_sdist_allowed) {
        (true, true) => "",
        (false, true) => " (`no_binary` forbids its wheels)",
        (true, false) => " (`only_binary` forbids its sdist)",
        (false, false) => " (`no_binary` and `only_binary` forbid all)",
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pylock {
    lock_version: String,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    vcs: Option<toml::Table>,
    directory: Option<toml::Table>,
    archive: Option<toml::Table>,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl File {
    /// PEP 751: `name` may be left out if the last component of `path` or `url` is the same.
    fn file_name(&self) -> Option<String> {
        let of_path = || self.path.as_deref()?.rsplit('/').next().map(str::to_owned);
        let of_url = || location::file_name(&Url::parse(self.url.as_deref()?).ok()?);
        self.name.clone().or_else(of_path).or_else(of_url).filter(|name| is_file_name(name))
    }

    fn sha256(&self) -> Option<Sha256> {
        self.hashes.get("sha256")?.to_ascii_lowercase().parse().ok()
    }
}

/// A name that came from an index becomes a file's below directories of the build, so it must not be a path.
fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(|character: char| character == '/' || character.is_control())
}

/// Reads a lock and chooses one file of each distribution; sorted by name.
///
/// Where requirements give hashes at all, every distribution has to have some, as pip has it, and only files with one of
/// them are chosen from.
///
/// # Errors
/// See [`PylockError`]; the first problem is reported.
pub fn read_pylock(
    text: &str,
    target: &Target,
    policy: &BinaryPolicy,
    hashes: &AllowedHashes,
) -> Result<Vec<LockedDistribution>, PylockError> {
    let lock: Pylock = toml::from_str(text).map_err(|source| PylockError::Parse(Box::new(source)))?;
    if lock.lock_version.split('.').next() != Some("1") {
        return Err(PylockError::Version { version: lock.lock_version });
    }
    let mut names = BTreeSet::new();
    let mut distributions = Vec::new();
    for mut package in lock.packages {
        let name = normalize_name(&package.name);
        if !names.insert(name.clone()) {
            return Err(PylockError::Ambiguous { name });
        }
        keep_allowed(&mut package, &name, hashes)?;
        distributions.push(distribution(package, name, target, policy)?);
    }
    distributions.sort();
    Ok(distributions)
}

fn distribution(
    package: Package,
    name: String,
    target: &Target,
    policy: &BinaryPolicy,
) -> Result<LockedDistribution, PylockError> {
    if let Some(origin) = foreign_origin(&package) {
        return Err(PylockError::Origin { name, origin });
    }
    let Some(version) = package.version else { return Err(PylockError::NoVersion { name }) };
    let is_wheel_allowed = policy.is_wheel_allowed(&name);
    let is_sdist_allowed = policy.is_sdist_allowed(&name);
    let wheels = if is_wheel_allowed { package.wheels } else { Vec::new() };
    let sdist = package.sdist.filter(|_| is_sdist_allowed);
    let Some(file) = best_wheel(wheels, &name, target)?.or(sdist) else {
        let target = Box::new(target.clone());
        return Err(PylockError::NoFile { name, version, target, is_wheel_allowed, is_sdist_allowed });
    };
    let file = locked_file(&file, &name)?;
    Ok(LockedDistribution { name, version, file })
}

/// Drops the files that requirements do not allow.
fn keep_allowed(package: &mut Package, name: &str, hashes: &AllowedHashes) -> Result<(), PylockError> {
    if hashes.is_empty() || foreign_origin(package).is_some() {
        return Ok(());
    }
    let Some(allowed) = hashes.get(name) else { return Err(PylockError::NotHashed { name: name.to_owned() }) };
    let is_allowed = |file: &File| file.sha256().is_some_and(|digest| allowed.contains(&digest));
    package.wheels.retain(is_allowed);
    package.sdist = package.sdist.take().filter(is_allowed);
    if package.wheels.is_empty() && package.sdist.is_none() {
        let version = package.version.clone().unwrap_or_default();
        return Err(PylockError::NotAllowed { name: name.to_owned(), version });
    }
    Ok(())
}

fn foreign_origin(package: &Package) -> Option<&'static str> {
    if package.vcs.is_some() {
        Some("a version control system")
    } else if package.directory.is_some() {
        Some("a directory")
    } else if package.archive.is_some() {
        Some("an archive that is named by its location")
    } else {
        None
    }
}

fn best_wheel(wheels: Vec<File>, name: &str, target: &Target) -> Result<Option<File>, PylockError> {
    let no_name = || PylockError::NoFileName { name: name.to_owned() };
    let named: Vec<(String, File)> = wheels
        .into_iter()
        .map(|wheel| Ok((wheel.file_name().ok_or_else(no_name)?, wheel)))
        .collect::<Result<_, PylockError>>()?;
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    let chosen = choose(&names, target).map(str::to_owned);
    Ok(named.into_iter().find(|(name, _)| Some(name) == chosen.as_ref()).map(|(_, wheel)| wheel))
}

fn locked_file(file: &File, name: &str) -> Result<LockedFile, PylockError> {
    let name = name.to_owned();
    let Some(file_name) = file.file_name() else { return Err(PylockError::NoFileName { name }) };
    let Some(sha256) = file.sha256() else { return Err(PylockError::NoDigest { name, file: file_name }) };
    Ok(LockedFile { file: file_name, size: file.size, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tags::Implementation;

    const SAMPLE: &str = include_str!("../tests/data/pylock.sample.toml");

    fn target(python: (u8, u8), glibc: (u16, u16)) -> Target {
        Target { implementation: Implementation::Cpython, python, glibc, machine: "x86_64".into() }
    }

    fn bookworm() -> Target {
        target((3, 11), (2, 36))
    }

    fn files(target: &Target, policy: &BinaryPolicy) -> Result<Vec<String>, PylockError> {
        Ok(read_pylock(SAMPLE, target, policy, &AllowedHashes::new())?
            .into_iter()
            .map(|locked| locked.file.file)
            .collect())
    }

    fn policy(no_binary: &[&str], only_binary: &[&str]) -> BinaryPolicy {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        BinaryPolicy { no_binary: list(no_binary), only_binary: list(only_binary) }
    }

    fn read_package(package: &str) -> Result<Vec<LockedDistribution>, PylockError> {
        let text = format!("lock-version = \"1.0\"\ncreated-by = \"x\"\n[[packages]]\n{package}\n");
        read_pylock(&text, &bookworm(), &BinaryPolicy::default(), &AllowedHashes::new())
    }

    #[test]
    fn a_lock_of_uv_gives_one_file_per_distribution() {
        assert_eq!(
            files(&bookworm(), &BinaryPolicy::default()).unwrap(),
            [
                "markupsafe-3.0.4-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
                "psycopg2-2.9.13.tar.gz",
                "pyyaml-6.0.3-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
                "six-1.17.0-py2.py3-none-any.whl",
            ]
        );
        let six =
            read_pylock(SAMPLE, &bookworm(), &BinaryPolicy::default(), &AllowedHashes::new()).unwrap().pop().unwrap();
        assert_eq!((six.name.as_str(), six.version.as_str()), ("six", "1.17.0"));
        assert_eq!(six.file.sha256.to_string(), "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274");
    }

    #[test]
    fn a_platform_that_no_wheel_fits_takes_the_sdist() {
        let old_glibc = files(&target((3, 11), (2, 12)), &BinaryPolicy::default()).unwrap();
        assert_eq!(old_glibc[2], "pyyaml-6.0.3.tar.gz");
        let other_python = files(&target((3, 12), (2, 36)), &BinaryPolicy::default()).unwrap();
        assert_eq!(other_python[0], "markupsafe-3.0.4.tar.gz");
    }

    #[test]
    fn the_policy_chooses_between_wheel_and_sdist() {
        let built = files(&bookworm(), &policy(&["PyYAML"], &[])).unwrap();
        assert_eq!(built[2], "pyyaml-6.0.3.tar.gz");
        let built = files(&bookworm(), &policy(&[":all:"], &["six"])).unwrap();
        assert_eq!(built[2..], ["pyyaml-6.0.3.tar.gz", "six-1.17.0-py2.py3-none-any.whl"]);
        let built = files(&bookworm(), &policy(&["psycopg2"], &[":all:"])).unwrap();
        assert_eq!(built[1], "psycopg2-2.9.13.tar.gz");
        let error = files(&bookworm(), &policy(&[], &[":all:"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`psycopg2` 2.9.13 has no file for CPython 3.11 on x86_64 with glibc 2.36 (`only_binary` forbids its sdist)"
        );
    }

    #[test]
    fn file_names_come_from_the_name_then_the_path_then_the_url() {
        let digest = "0".repeat(64);
        for (fields, expect) in [
            ("name = \"a-1-py3-none-any.whl\", url = \"https://files.example.org/x\"", "a-1-py3-none-any.whl"),
            ("path = \"../w/a-1-py3-none-any.whl\"", "a-1-py3-none-any.whl"),
            ("url = \"https://files.example.org/a-1%2Bb-py3-none-any.whl?x=/y\"", "a-1+b-py3-none-any.whl"),
        ] {
            let package = format!(
                "name = \"A_b\"\nversion = \"1\"\nwheels = [{{ {fields}, size = 7, hashes = {{ sha256 = \"{digest}\" }} }}]"
            );
            let locked = read_package(&package).unwrap().remove(0);
            assert_eq!((locked.name.as_str(), locked.file.file.as_str(), locked.file.size), ("a-b", expect, Some(7)));
        }
    }

    #[test]
    fn a_marker_that_uv_wrote_down_holds() {
        let digest = "0".repeat(64);
        let package = format!(
            "name = \"cffi\"\nversion = \"2\"\nmarker = \"platform_python_implementation != 'PyPy'\"\nsdist = {{ name = \
             \"cffi-2.tar.gz\", hashes = {{ sha256 = \"{digest}\" }} }}"
        );
        assert_eq!(read_package(&package).unwrap().remove(0).name, "cffi");
    }

    #[test]
    fn what_cannot_be_pinned_by_a_file_name_is_refused() {
        for (package, expect) in [
            ("name = \"a\"\nvcs = { type = \"git\", url = \"x\", commit-id = \"y\" }", "a version control system"),
            ("name = \"a\"\ndirectory = { path = \"x\" }", "a directory"),
            ("name = \"a\"\narchive = { url = \"x\", hashes = {} }", "an archive"),
            ("name = \"a\"\nversion = \"1\"", "has no file for"),
            ("name = \"a\"\nsdist = { name = \"a-1.tar.gz\", hashes = {} }", "has no version"),
            ("name = \"a\"\nversion = \"1\"\nsdist = { name = \"a-1.tar.gz\" }", "has no sha256"),
            ("name = \"a\"\nversion = \"1\"\nsdist = { hashes = {} }", "has no name"),
            ("name = \"a\"\nversion = \"1\"\nsdist = { name = \"../a-1.tar.gz\", hashes = {} }", "no file can have"),
            (
                "name = \"a\"\nversion = \"1\"\nsdist = { url = \"x://h/..%2Fa.tar.gz\", hashes = {} }",
                "no file can have",
            ),
        ] {
            let error = read_package(package).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }

    #[test]
    fn an_unknown_format_version_and_a_repeated_name_are_refused() {
        let version = SAMPLE.replace("lock-version = \"1.0\"", "lock-version = \"2.0\"");
        let read = |text: &str| read_pylock(text, &bookworm(), &BinaryPolicy::default(), &AllowedHashes::new());
        assert!(matches!(read(&version), Err(PylockError::Version { .. })));
        let repeated = SAMPLE.replace("name = \"six\"", "name = \"PyYAML\"");
        assert!(matches!(read(&repeated), Err(PylockError::Ambiguous { .. })));
        assert!(matches!(read("lock-version = 1"), Err(PylockError::Parse(_))));
    }
}
