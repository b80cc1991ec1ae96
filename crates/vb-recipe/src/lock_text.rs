//! The text of a lock: TOML that a person can read in a diff, one line for each package and file.
//!
//! ```toml
//! version = 1
//!
//! [commits]
//! source = { branch = "main", commit = "…" }
//!
//! [bookworm.request]
//! python = "3.11"
//! run_deps = ["libpq5", "runit"]
//! # … and the other fields of `LockRequest`; those that came later (`test_deps`, `extras`, `groups`, `setup_install`, `source`) only
//! # where they say something, so that an older lock stays as it is
//! requirements = { "requirements.txt" = "…" }
//!
//! [bookworm.archive]
//! bookworm = "Sat, 14 Nov 2026 10:05:12 UTC"
//! # … and the other suites
//!
//! [bookworm]
//! packages = [
//!     { name = "libpq5", version = "15.14-0", architecture = "amd64", path = "pool/…", size = 1, sha256 = "…", roots = ["run"] },
//! ]
//! distributions = [
//!     { name = "attrs", version = "25.4.0", file = "attrs-25.4.0-py3-none-any.whl", sha256 = "…" },
//!     { name = "psycopg2", version = "2.9.11", file = "psycopg2-2.9.11.tar.gz", sha256 = "…", build = [
//!         { name = "setuptools", version = "80.9.0", file = "setuptools-80.9.0-py3-none-any.whl", sha256 = "…" },
//!     ] },
//! ]
//! tools = []
//! npm = [
//!     { place = "less", name = "less", version = "4.2.0", file = "less-4.2.0.tgz", size = 1, sha256 = "…" },
//! ]
//! ```
//!
//! A distribution that is bound to an index has its name, `index = "company"`, before `build`.
//!
//! `commits` is there where sources are in git. Every other table is a platform. Lists are sorted, so that equal locks have equal texts. Files of Python have no
//! size: one index tells it and another does not. One that an older lock has is read.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};
use vb_graph::{LockedDistribution, LockedFile, LockedNodePackage};

use crate::lock::{CommitLock, DistributionLock, LOCK_VERSION, Lock, LockRequest, PackageLock, PlatformLock};

const HEADER: &str = "# Written by `vb lock`. Everything that builds read from outside, by SHA-256.\n";
/// The table beside those of the platforms.
const COMMITS: &str = "commits";
const INDENT: &str = "\n    ";

/// Why a text is no lock.
#[derive(Debug)]
pub(crate) enum ReadLockError {
    Version(u32),
    Syntax(toml::de::Error),
}

/// Reads a lock's text.
pub(crate) fn from_text(text: &str) -> Result<Lock, ReadLockError> {
    let VersionOnly { version } = toml::from_str(text).map_err(ReadLockError::Syntax)?;
    if version != LOCK_VERSION {
        return Err(ReadLockError::Version(version));
    }
    toml::from_str(text).map_err(ReadLockError::Syntax)
}

/// Read first, as a later version's other fields cannot be understood.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

impl<'de> Deserialize<'de> for Lock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LockVisitor)
    }
}

/// Reads platforms beside `version`; serde's own `flatten` would lose the lines of errors.
struct LockVisitor;

impl<'de> Visitor<'de> for LockVisitor {
    type Value = Lock;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a lock")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lock, A::Error> {
        let mut lock = Lock::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => lock.version = map.next_value()?,
                COMMITS => lock.commits = map.next_value()?,
                _ => drop(lock.platforms.insert(key, map.next_value()?)),
            }
        }
        Ok(lock)
    }
}

/// Writes a lock's text.
pub(crate) fn to_text(lock: &Lock) -> String {
    let mut document = DocumentMut::new();
    document["version"] = value(i64::from(lock.version));
    if !lock.commits.is_empty() {
        let commits = lock.commits.iter().map(|(field, lock)| (field, value(commit_line(lock))));
        let mut commits: Table = commits.collect();
        commits.set_position(Some(0));
        document.insert(COMMITS, Item::Table(commits));
    }
    for (index, (name, platform)) in lock.platforms.iter().enumerate() {
        let mut table = platform_table(platform);
        let position = isize::try_from(index).expect("platforms are few") * 3 + 1;
        table.set_position(Some(position + 2));
        let mut request = request_table(&platform.request);
        request.set_position(Some(position));
        table.insert("request", Item::Table(request));
        if !platform.archive.is_empty() {
            let mut archive: Table = platform.archive.iter().map(|(suite, date)| (suite, value(date))).collect();
            archive.set_position(Some(position + 1));
            table.insert("archive", Item::Table(archive));
        }
        document.insert(name, Item::Table(table));
    }
    format!("{HEADER}{document}")
}

fn commit_line(lock: &CommitLock) -> InlineTable {
    let mut table = InlineTable::new();
    for (name, reference) in [("branch", &lock.branch), ("tag", &lock.tag)] {
        if let Some(reference) = reference {
            table.insert(name, reference.into());
        }
    }
    table.insert("commit", (&lock.commit).into());
    table
}

fn request_table(request: &LockRequest) -> Table {
    let mut table = Table::new();
    table.insert("python", value(&request.python));
    let lists = [
        ("base", &request.base),
        ("toolchain", &request.toolchain),
        ("build_deps", &request.build_deps),
        ("run_deps", &request.run_deps),
        ("no_binary", &request.no_binary),
        ("only_binary", &request.only_binary),
    ];
    for (name, list) in lists {
        let mut list = list.clone();
        list.sort();
        list.dedup();
        table.insert(name, value(list.into_iter().collect::<Array>()));
    }
    let later = [("test_deps", &request.test_deps), ("extras", &request.extras), ("groups", &request.groups)];
    for (name, list) in later {
        let list: BTreeSet<&str> = list.iter().map(String::as_str).collect();
        if !list.is_empty() {
            table.insert(name, value(list.into_iter().collect::<Array>()));
        }
    }
    if request.setup_install {
        table.insert("setup_install", value(true));
    }
    if let Some(source) = &request.source {
        table.insert("source", value(source));
    }
    let requirements = request.requirements.iter().map(|(path, sha256)| (path, sha256.to_string()));
    table.insert("requirements", value(requirements.collect::<InlineTable>()));
    if !request.npm.is_empty() {
        let npm = request.npm.iter().map(|(path, sha256)| (path, sha256.to_string()));
        table.insert("npm", value(npm.collect::<InlineTable>()));
    }
    table
}

fn platform_table(platform: &PlatformLock) -> Table {
    let mut table = Table::new();
    table.insert("packages", value(lines(&platform.packages, INDENT, package_line)));
    let built = |list: &[DistributionLock]| value(lines(list, INDENT, |lock| distribution_line(lock, INDENT)));
    table.insert("distributions", built(&platform.distributions));
    if !platform.application.is_empty() {
        table.insert("application", built(&platform.application));
    }
    table.insert("tools", value(lines(&platform.tools, INDENT, file_line)));
    if !platform.npm.is_empty() {
        table.insert("npm", value(lines(&platform.npm, INDENT, node_package_line)));
    }
    table
}

/// Makes a list with a line for each element, in order.
fn lines<T: Ord>(elements: &[T], indent: &str, line: impl Fn(&T) -> InlineTable) -> Array {
    let mut elements: Vec<_> = elements.iter().collect();
    elements.sort();
    elements.dedup();
    let mut array = Array::new();
    for element in &elements {
        let mut line = Value::InlineTable(line(element));
        line.decor_mut().set_prefix(indent);
        array.push_formatted(line);
    }
    if !elements.is_empty() {
        array.set_trailing_comma(true);
        array.set_trailing(indent.strip_suffix("    ").expect("an indent ends in one step"));
    }
    array
}

fn package_line(lock: &PackageLock) -> InlineTable {
    let package = &lock.package;
    let mut table = InlineTable::new();
    table.insert("name", (&package.name).into());
    table.insert("version", (&package.version).into());
    table.insert("architecture", (&package.architecture).into());
    table.insert("path", (&package.path).into());
    table.insert("size", size_value(package.size));
    table.insert("sha256", package.sha256.to_string().into());
    table.insert("roots", Value::Array(lock.roots.iter().map(|kind| kind.as_str()).collect()));
    table
}

/// Writes a distribution; what it is built with stands one step further in, each on a line of its own.
fn distribution_line(lock: &DistributionLock, indent: &str) -> InlineTable {
    let mut table = file_line(&lock.distribution);
    if let Some(index) = &lock.index {
        table.insert("index", index.into());
    }
    if !lock.build.is_empty() {
        let inner = format!("{indent}    ");
        let build = lines(&lock.build, &inner, |lock| distribution_line(lock, &inner));
        table.insert("build", Value::Array(build));
    }
    table
}

fn file_line(distribution: &LockedDistribution) -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("name", (&distribution.name).into());
    table.insert("version", (&distribution.version).into());
    insert_file(&mut table, &LockedFile { size: None, ..distribution.file.clone() });
    table
}

fn node_package_line(package: &LockedNodePackage) -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("place", (&package.place).into());
    table.insert("name", (&package.name).into());
    table.insert("version", (&package.version).into());
    insert_file(&mut table, &package.file);
    table
}

fn insert_file(table: &mut InlineTable, file: &LockedFile) {
    table.insert("file", (&file.file).into());
    if let Some(size) = file.size {
        table.insert("size", size_value(size));
    }
    table.insert("sha256", file.sha256.to_string().into());
}

fn size_value(size: u64) -> Value {
    i64::try_from(size).expect("no file has 8 EiB").into()
}

#[cfg(test)]
mod tests;
