//! Which packages of an archive have a file that a build misses: by what the build printed, and the archive's signed
//! `Contents` indexes (Debian's repository format, "Contents indices").
//!
//! Only the indexes of the platform's architecture are read: what compilers and pkg-config look for is in packages of one.

use std::{fmt, time::SystemTime};

use vb_fetch::Fetcher;

use crate::load::{IndexMemory, Loader, Suite};
use crate::load_error::IndexError;

/// A file that a build looks for and does not find.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissingFile {
    /// A header, as it is included: `libpq-fe.h`, `ffi/ffi.h`.
    Header(String),
    /// A library, as pkg-config calls it: `libffi`.
    PkgConfig(String),
}

impl fmt::Display for MissingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => f.write_str(name),
            Self::PkgConfig(name) => write!(f, "{name}.pc"),
        }
    }
}

impl MissingFile {
    /// Finds what a compiler, or pkg-config, says that it misses; each once.
    pub fn of_log(log: &str) -> Vec<Self> {
        let mut found: Vec<Self> = log.lines().filter_map(of_line).collect();
        found.sort();
        found.dedup();
        found
    }

    /// Is it at a path of a package?
    pub(crate) fn is_at(&self, path: &str) -> bool {
        let ends_with = |end: &str| path.strip_suffix(end).is_some_and(|before| before.ends_with('/'));
        match self {
            Self::Header(name) => path.starts_with("usr/include/") && ends_with(name),
            Self::PkgConfig(name) => path.starts_with("usr/") && ends_with(&format!("pkgconfig/{name}.pc")),
        }
    }
}

fn of_line(line: &str) -> Option<MissingFile> {
    let header = |text: &str| {
        let name = text.trim().trim_matches(['\'', '"', '<', '>']);
        let is_header = [".h", ".hh", ".hpp", ".hxx"].iter().any(|end| name.ends_with(end));
        (is_header && !name.contains(char::is_whitespace)).then(|| MissingFile::Header(name.to_owned()))
    };
    let library = |text: &str| {
        let name = text.trim().trim_matches(['\'', '"']);
        (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| MissingFile::PkgConfig(name.to_owned()))
    };
    if let Some((before, _)) =
        line.split_once(": No such file or directory").or_else(|| line.split_once(" file not found"))
    {
        return header(before.rsplit_once("error: ")?.1);
    }
    if let Some((before, _)) = line.split_once(" was not found in the pkg-config search path") {
        return library(before.rsplit_once("Package ")?.1);
    }
    if let Some((_, rest)) = line.split_once("No package '") {
        return library(rest.split_once("' found")?.0);
    }
    let (name, rest) = line.split_once("Package '")?.1.split_once('\'')?;
    rest.ends_with("not found").then(|| library(name)).flatten()
}

/// Returns the packages that have a file, by name, each once.
///
/// # Errors
/// See [`IndexError`]; an archive without `Contents` indexes has no packages to tell.
pub fn packages_with(
    fetcher: &Fetcher,
    suites: &[Suite],
    architecture: &str,
    memory: IndexMemory<'_>,
    file: &MissingFile,
) -> Result<Vec<String>, IndexError> {
    let mut packages = Vec::new();
    for (number, suite) in suites.iter().enumerate() {
        let loader = Loader { fetcher, suite, number, architecture, time: SystemTime::now(), memory };
        packages.extend(loader.packages_with(file)?);
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Reads the lines of a `Contents` index: a path, and the packages that have it, each behind its section.
pub(crate) fn owners(text: &str, file: &MissingFile) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim_end().rsplit_once(char::is_whitespace));
    let found = lines.filter(|(path, _)| file.is_at(path.trim()));
    let packages = found.flat_map(|(_, packages)| packages.split(','));
    packages.map(|package| package.rsplit('/').next().unwrap_or(package).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_read_from_what_compilers_and_pkg_config_say() {
        let header = |name: &str| Some(MissingFile::Header(name.to_owned()));
        let library = |name: &str| Some(MissingFile::PkgConfig(name.to_owned()));
        for (line, expect) in [
            ("./psycopg/psycopg.h:30:10: fatal error: libpq-fe.h: No such file or directory", header("libpq-fe.h")),
            ("a.c:1:10: fatal error: 'ffi/ffi.h' file not found", header("ffi/ffi.h")),
            ("cat: error: settings.txt: No such file or directory", None),
            ("Package libffi was not found in the pkg-config search path.", library("libffi")),
            ("No package 'libffi' found", library("libffi")),
            ("Package 'cairo', required by 'virtual:world', not found", library("cairo")),
            ("Package 'cairo' is good", None),
        ] {
            assert_eq!(MissingFile::of_log(line).into_iter().next(), expect, "{line}");
        }
    }

    #[test]
    fn owners_are_the_packages_that_have_it_where_it_is_looked_for() {
        let text = "usr/include/postgresql/libpq-fe.h      libdevel/libpq-dev,contrib/libdevel/other-dev\n\
                    usr/include/xlibpq-fe.h libdevel/no\nusr/share/doc/a b/libpq-fe.h doc/no\n\
                    usr/lib/x86_64-linux-gnu/pkgconfig/libpq.pc libdevel/libpq-dev\n";
        assert_eq!(owners(text, &MissingFile::Header("libpq-fe.h".into())), ["libpq-dev", "other-dev"]);
        assert_eq!(owners(text, &MissingFile::PkgConfig("libpq".into())), ["libpq-dev"]);
        assert_eq!(owners(text, &MissingFile::PkgConfig("pq".into())), Vec::<String>::new());
    }
}
