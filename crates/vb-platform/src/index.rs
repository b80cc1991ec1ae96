//! The packages of an archive's suites, as the resolver needs them.
//!
//! A `Packages` file has three times the bytes that matter here. What matters is written again in the same form
//! (deb822(5)), so that a caller can keep it and no second format has to be read.
//!
//! Must not be here: where an index comes from and who vouches for it.

use std::fmt::Write as _;

use vb_graph::Sha256;

use crate::deb822::{Stanza, stanzas};

/// One package of an index. Relations are kept as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `amd64`, `all`, …
    pub architecture: String,
    /// Must every system have it?
    pub is_essential: bool,
    /// `required`, `important`, `standard`, `optional` or `extra`.
    pub priority: String,
    /// `same`, `foreign`, `allowed`, or empty.
    pub multi_arch: String,
    /// `Depends`.
    pub depends: String,
    /// `Pre-Depends`.
    pub pre_depends: String,
    /// `Provides`.
    pub provides: String,
    /// `Conflicts`.
    pub conflicts: String,
    /// `Breaks`.
    pub breaks: String,
    /// The path below the archive's base.
    pub filename: String,
    /// The size in bytes.
    pub size: u64,
    /// The SHA-256.
    pub sha256: Sha256,
    /// Which of the index's suites has it.
    pub suite: usize,
}

/// The state of one suite that an index was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuiteState {
    /// The suite's name: `bookworm-security`.
    pub name: String,
    /// When the archive made it, as its `Release` file says: `Thu, 19 Nov 2026 02:12:54 UTC`.
    pub date: String,
    /// The priority of its packages where no pin names them (apt_preferences(5)): 500, or less for a suite that is
    /// not meant to be installed from by itself.
    pub priority: i32,
}

/// The packages of some suites, in the order of the suites. A package that two suites have is there twice.
#[derive(Clone, Debug, Default)]
pub struct Index {
    pub(crate) architecture: String,
    pub(crate) suites: Vec<SuiteState>,
    pub(crate) packages: Vec<IndexPackage>,
}

impl Index {
    /// Returns the packages.
    pub fn packages(&self) -> &[IndexPackage] {
        &self.packages
    }

    /// Returns the suites, in the order in which they were asked for.
    pub fn suites(&self) -> &[SuiteState] {
        &self.suites
    }
}

/// A paragraph of a `Packages` file lacks a field, or has one that makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MalformedPackage {
    pub(crate) package: String,
    pub(crate) field: &'static str,
}

/// Reads the paragraphs of a `Packages` file.
pub(crate) fn parse_packages(text: &str, suite: usize) -> Result<Vec<IndexPackage>, MalformedPackage> {
    let parsed = stanzas(text).map(|stanza| {
        let package = || stanza.get("Package").unwrap_or_default().to_owned();
        parse_package(&stanza, suite).map_err(|field| MalformedPackage { package: package(), field })
    });
    parsed.collect()
}

/// Reads one paragraph; the error is the field that is absent or makes no sense.
fn parse_package(stanza: &Stanza<'_>, suite: usize) -> Result<IndexPackage, &'static str> {
    let required = |field: &'static str| stanza.get(field).filter(|value| !value.is_empty()).ok_or(field);
    let optional = |field: &str| stanza.get(field).unwrap_or_default().to_owned();
    Ok(IndexPackage {
        name: required("Package")?.to_owned(),
        version: required("Version")?.to_owned(),
        architecture: required("Architecture")?.to_owned(),
        is_essential: stanza.get("Essential") == Some("yes"),
        priority: optional("Priority"),
        multi_arch: optional("Multi-Arch"),
        depends: optional("Depends"),
        pre_depends: optional("Pre-Depends"),
        provides: optional("Provides"),
        conflicts: optional("Conflicts"),
        breaks: optional("Breaks"),
        filename: required("Filename")?.trim_start_matches("./").to_owned(),
        size: required("Size")?.parse().map_err(|_| "Size")?,
        sha256: required("SHA256")?.parse().map_err(|_| "SHA256")?,
        suite,
    })
}

/// Writes packages as paragraphs that [`parse_packages`] reads back, without the fields that are of no use here.
pub(crate) fn to_text(packages: &[IndexPackage]) -> String {
    let mut text = String::new();
    for package in packages {
        write_package(&mut text, package);
    }
    text
}

fn write_package(text: &mut String, package: &IndexPackage) {
    let size = package.size.to_string();
    let sha256 = package.sha256.to_string();
    let fields = [
        ("Package", package.name.as_str()),
        ("Version", &package.version),
        ("Architecture", &package.architecture),
        ("Essential", if package.is_essential { "yes" } else { "" }),
        ("Priority", &package.priority),
        ("Multi-Arch", &package.multi_arch),
        ("Depends", &package.depends),
        ("Pre-Depends", &package.pre_depends),
        ("Provides", &package.provides),
        ("Conflicts", &package.conflicts),
        ("Breaks", &package.breaks),
        ("Filename", &package.filename),
        ("Size", &size),
        ("SHA256", &sha256),
    ];
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(text, "{name}: {value}").expect("writing to a string cannot fail");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Package: hello\nEssential: yes\nVersion: 1:2.0-1\nArchitecture: amd64\nDescription: x\n y\nDepends: a,\n b (>= 1)\nPre-Depends: c\nProvides: d (= 1)\nConflicts: e\nBreaks: f\nMulti-Arch: same\nPriority: required\nFilename: ./pool/h.deb\nSize: 12\nSHA256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\nPackage: bye\nVersion: 1\nArchitecture: all\nFilename: pool/b.deb\nSize: 1\nSHA256: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n";

    #[test]
    fn what_is_kept_of_packages_reads_back_as_the_same_packages() {
        let packages = parse_packages(TEXT, 3).unwrap();
        assert_eq!(packages[0].depends, "a,\n b (>= 1)");
        assert_eq!(packages[0].filename, "pool/h.deb");
        assert!(packages[0].is_essential && !packages[1].is_essential);
        let text = to_text(&packages);
        assert!(!text.contains("Description"), "{text}");
        assert_eq!(parse_packages(&text, 3).unwrap(), packages);
    }

    #[test]
    fn a_paragraph_without_a_field_or_with_nonsense_in_it_is_named() {
        for (from, to, field) in [
            ("Size: 12", "Size: x", "Size"),
            ("Version: 1:2.0-1\n", "", "Version"),
            ("SHA256: aa", "SHA256: zz", "SHA256"),
            ("Filename: ./pool/h.deb", "Filename:", "Filename"),
        ] {
            let error = parse_packages(&TEXT.replacen(from, to, 1), 0).unwrap_err();
            assert_eq!(error, MalformedPackage { package: "hello".to_owned(), field });
        }
    }
}
