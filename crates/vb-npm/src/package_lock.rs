//! `package-lock.json` to the packages that one target needs (npm's documentation, "package-lock.json").
//!
//! Versions 2 and 3 of the file are read: both have every package by its path in `packages`. Invariant: what is returned
//! comes from a registry, has a SHA-512, and a place that leads out of nowhere.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::integrity::{Integrity, IntegrityError};

/// The directory that packages are in.
const NODE_MODULES: &str = "node_modules/";

/// What packages are chosen for, in node's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// `process.platform`: `linux`.
    pub os: &'static str,
    /// `process.arch`: `x64`.
    pub cpu: &'static str,
    /// The C library: `glibc` or `musl`.
    pub libc: &'static str,
}

/// One package that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePackage {
    /// Its place below `node_modules`: `less`, `@scope/name`, `less/node_modules/mime`.
    pub place: String,
    /// Its name in the registry, which is another one than its place says when it has an alias.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What its tarball has to be.
    pub integrity: Integrity,
    /// Does it have a script that npm would run?
    pub has_install_script: bool,
}

/// A `package-lock.json` that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum PackageLockError {
    /// It is no such file.
    #[error("it is no `package-lock.json`")]
    Json(#[from] serde_json::Error),
    /// It has another version.
    #[error("its `lockfileVersion` is {found}, and 2 and 3 are read")]
    Version {
        /// The version that it has.
        found: String,
    },
    /// A package is at a path that none can have.
    #[error("`{path}` is no path of a package")]
    Path {
        /// The path.
        path: String,
    },
    /// A package is a directory, or a link to one.
    #[error("`{path}` is a directory of the machine, not a package of a registry")]
    Link {
        /// The package's path.
        path: String,
    },
    /// A package is not from a registry.
    #[error("`{path}` comes from `{scheme}:…`, not from a registry")]
    Foreign {
        /// The package's path.
        path: String,
        /// The beginning of its address.
        scheme: String,
    },
    /// The file does not say which version a package has.
    #[error("`{path}` has no version")]
    NoVersion {
        /// The package's path.
        path: String,
    },
    /// A package has no integrity.
    #[error("`{path}` has no `integrity`")]
    NoIntegrity {
        /// The package's path.
        path: String,
    },
    /// A package's integrity says too little.
    #[error("`{path}` cannot be checked")]
    Integrity {
        /// The package's path.
        path: String,
        /// Why.
        #[source]
        source: IntegrityError,
    },
    /// A package that has to be there is not for the target.
    #[error("`{path}` is not for {target}")]
    Target {
        /// The package's path.
        path: String,
        /// The target.
        target: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    lockfile_version: Option<serde_json::Value>,
    packages: Option<BTreeMap<String, Entry>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    name: Option<String>,
    version: Option<String>,
    resolved: Option<String>,
    integrity: Option<String>,
    link: bool,
    in_bundle: bool,
    optional: bool,
    dev_optional: bool,
    has_install_script: bool,
    os: Vec<String>,
    cpu: Vec<String>,
    libc: Vec<String>,
}

/// Reads the packages that a target needs, by place. Development dependencies are among them: tools are that.
///
/// # Errors
/// [`PackageLockError`], for the first package that cannot be had from a registry or checked.
pub fn read_package_lock(text: &str, target: Target) -> Result<Vec<NodePackage>, PackageLockError> {
    let file: File = serde_json::from_str(text)?;
    let version = file.lockfile_version.map_or_else(|| "missing".to_owned(), |version| version.to_string());
    let (Some(packages), "2" | "3") = (file.packages, version.as_str()) else {
        return Err(PackageLockError::Version { found: version });
    };
    let mut wanted = Vec::new();
    // The one without a path is the project that the file is of; what is in a bundle comes with another package.
    for (path, entry) in packages.iter().filter(|(path, entry)| !path.is_empty() && !entry.in_bundle) {
        if entry.link || !path.starts_with(NODE_MODULES) {
            return Err(PackageLockError::Link { path: path.clone() });
        }
        let place = place(path).ok_or_else(|| PackageLockError::Path { path: path.clone() })?;
        if entry.fits(target) {
            wanted.push(entry.package(path, place)?);
        } else if !entry.optional && !entry.dev_optional {
            let target = format!("{}, {} and {}", target.os, target.cpu, target.libc);
            return Err(PackageLockError::Target { path: path.clone(), target });
        }
    }
    Ok(wanted)
}

impl Entry {
    fn package(&self, path: &str, place: &str) -> Result<NodePackage, PackageLockError> {
        let path = || path.to_owned();
        let own_name = place.rsplit_once("/node_modules/").map_or(place, |(_, name)| name);
        let name = self.name.as_deref().unwrap_or(own_name);
        let version = self.version.as_deref().filter(|version| is_version(version));
        let version = version.ok_or_else(|| PackageLockError::NoVersion { path: path() })?;
        if !is_package_name(name) {
            return Err(PackageLockError::Path { path: path() });
        }
        if let Some(address) = self.resolved.as_deref().filter(|address| !is_of_registry(address, name, version)) {
            let scheme = address.split(':').next().unwrap_or_default().to_owned();
            return Err(PackageLockError::Foreign { path: path(), scheme });
        }
        let integrity = self.integrity.as_deref().ok_or_else(|| PackageLockError::NoIntegrity { path: path() })?;
        let integrity =
            Integrity::parse(integrity).map_err(|source| PackageLockError::Integrity { path: path(), source })?;
        Ok(NodePackage {
            place: place.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            integrity,
            has_install_script: self.has_install_script,
        })
    }

    fn fits(&self, target: Target) -> bool {
        is_allowed(&self.os, target.os) && is_allowed(&self.cpu, target.cpu) && is_allowed(&self.libc, target.libc)
    }
}

/// Does a list of what is allowed, or with `!` refused, have a value?
fn is_allowed(list: &[String], value: &str) -> bool {
    let refuses = list.iter().any(|entry| entry.strip_prefix('!') == Some(value));
    let mut allowed = list.iter().filter(|entry| !entry.starts_with('!')).peekable();
    !refuses && (allowed.peek().is_none() || allowed.any(|entry| entry == value || entry == "any"))
}

/// Returns the place below `node_modules` that a path means; `None` when it is none.
fn place(path: &str) -> Option<&str> {
    let place = path.strip_prefix(NODE_MODULES)?;
    place.split("/node_modules/").all(is_package_name).then_some(place)
}

/// Can it be the name of a package, and so of a directory, or of one in a scope's?
pub fn is_package_name(name: &str) -> bool {
    let is_word = |word: &str| {
        let is_good = |char: char| char.is_ascii_alphanumeric() || "-._~".contains(char);
        !word.is_empty() && !word.starts_with('.') && word != "node_modules" && word.chars().all(is_good)
    };
    match name.strip_prefix('@').map(|scoped| scoped.split_once('/')) {
        Some(Some((scope, name))) => is_word(scope) && is_word(name),
        Some(None) => false,
        None => is_word(name),
    }
}

fn is_version(version: &str) -> bool {
    let is_good = |char: char| char.is_ascii_alphanumeric() || "-.+".contains(char);
    version.starts_with(|char: char| char.is_ascii_digit()) && version.chars().all(is_good)
}

/// Returns the name of a package's tarball, as registries have it.
pub fn tarball_name(name: &str, version: &str) -> String {
    let base = name.rsplit('/').next().unwrap_or(name);
    format!("{base}-{version}.tgz")
}

/// Is an address that of the package in a registry, whichever it is?
fn is_of_registry(address: &str, name: &str, version: &str) -> bool {
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    let path = address.split(['?', '#']).next().unwrap_or_default().replace("%2f", "/").replace("%2F", "/");
    is_web && path.ends_with(&format!("/{name}/-/{}", tarball_name(name, version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target = Target { os: "linux", cpu: "x64", libc: "glibc" };

    fn integrity() -> String {
        Integrity::of(b"tarball").to_string()
    }

    fn read(version: &str, packages: &str) -> Result<Vec<NodePackage>, PackageLockError> {
        let packages = packages.replace("GOOD", &format!(r#""integrity": "{}""#, integrity()));
        let root = r#""": { "name": "tools" }"#;
        let text = format!(r#"{{ "lockfileVersion": {version}, "packages": {{ {root}, {packages} }} }}"#);
        read_package_lock(&text, TARGET)
    }

    fn refused(packages: &str) -> String {
        read("3", packages).unwrap_err().to_string()
    }

    #[test]
    fn packages_are_read_with_place_name_and_integrity() {
        let packages = read(
            "3",
            r#""node_modules/less": { "version": "4.2.0", "resolved": "https://registry.invalid/less/-/less-4.2.0.tgz", GOOD },
               "node_modules/@a/b": { "version": "1.0.0-rc.1", "resolved": "http://r.invalid/npm/@a%2fb/-/b-1.0.0-rc.1.tgz", GOOD, "hasInstallScript": true },
               "node_modules/less/node_modules/c": { "name": "d", "version": "2.0.0", GOOD, "dev": true }"#,
        )
        .unwrap();
        let found: Vec<[&str; 3]> = packages
            .iter()
            .map(|package| [package.place.as_str(), package.name.as_str(), package.version.as_str()])
            .collect();
        let expected =
            [["@a/b", "@a/b", "1.0.0-rc.1"], ["less", "less", "4.2.0"], ["less/node_modules/c", "d", "2.0.0"]];
        assert_eq!(found, expected);
        assert_eq!(packages[0].integrity.to_string(), integrity());
        assert!(packages[0].has_install_script && !packages[1].has_install_script);
        assert_eq!(tarball_name("@a/b", "1.0.0"), "b-1.0.0.tgz");
    }

    #[test]
    fn optional_packages_of_other_targets_are_left_out() {
        let check = |fields: &str, is_wanted: bool| {
            let entry = format!(r#""node_modules/a": {{ "version": "1.0.0", GOOD, "optional": true, {fields} }}"#);
            assert_eq!(read("2", &entry).unwrap().len(), usize::from(is_wanted), "{fields}");
        };
        check(r#""os": ["linux"], "cpu": ["x64"]"#, true);
        check(r#""os": ["darwin", "linux"]"#, true);
        check(r#""os": ["!win32"]"#, true);
        check(r#""os": ["any"]"#, true);
        check(r#""os": ["!linux"]"#, false);
        check(r#""os": ["darwin"]"#, false);
        check(r#""os": ["linux"], "cpu": ["arm64"]"#, false);
        check(r#""os": ["linux"], "cpu": ["x64"], "libc": ["musl"]"#, false);
        check(r#""libc": ["glibc"]"#, true);
    }

    #[test]
    fn a_package_that_has_to_be_there_and_is_for_another_target_is_refused() {
        let told = refused(r#""node_modules/a": { "version": "1.0.0", GOOD, "os": ["win32"] }"#);
        assert_eq!(told, "`node_modules/a` is not for linux, x64 and glibc");
    }

    #[test]
    fn what_no_registry_has_is_refused_with_its_kind() {
        let from = |address: &str| {
            refused(&format!(r#""node_modules/a": {{ "version": "1.0.0", GOOD, "resolved": "{address}" }}"#))
        };
        assert_eq!(
            from("git+ssh://git@h.invalid/a.git#1"),
            "`node_modules/a` comes from `git+ssh:…`, not from a registry"
        );
        assert_eq!(from("file:../a.tgz"), "`node_modules/a` comes from `file:…`, not from a registry");
        assert_eq!(from("https://h.invalid/a.tgz"), "`node_modules/a` comes from `https:…`, not from a registry");
        let link = "is a directory of the machine, not a package of a registry";
        assert_eq!(
            refused(r#""node_modules/a": { "resolved": "a", "link": true }"#),
            format!("`node_modules/a` {link}")
        );
        assert_eq!(refused(r#""packages/a": { "version": "1.0.0" }"#), format!("`packages/a` {link}"));
    }

    #[test]
    fn a_package_without_a_strong_integrity_is_refused() {
        let entry = |fields: &str| format!(r#""node_modules/a": {{ "version": "1.0.0"{fields} }}"#);
        assert_eq!(refused(&entry("")), "`node_modules/a` has no `integrity`");
        assert_eq!(refused(&entry(r#", "integrity": "sha1-AAAA""#)), "`node_modules/a` cannot be checked");
    }

    #[test]
    fn other_versions_of_the_file_are_refused() {
        for version in ["1", "4", "null", "\"3\""] {
            let told = read(version, r#""node_modules/a": {}"#).unwrap_err();
            assert!(matches!(told, PackageLockError::Version { .. }), "{version}: {told}");
        }
        let old = r#"{ "lockfileVersion": 1, "dependencies": {} }"#;
        assert_eq!(
            read_package_lock(old, TARGET).unwrap_err().to_string(),
            "its `lockfileVersion` is 1, and 2 and 3 are read"
        );
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in ["a/../b", "..", "@a", "@a/..", "a/b", "a/node_modules/..", ".bin", "node_modules", "a b", "@/b"] {
            let told = refused(&format!(r#""node_modules/{path}": {{ "version": "1.0.0", GOOD }}"#));
            assert_eq!(told, format!("`node_modules/{path}` is no path of a package"));
        }
        let alias = r#""node_modules/a": { "name": "../b", "version": "1.0.0", GOOD }"#;
        assert_eq!(refused(alias), "`node_modules/a` is no path of a package");
        let version = r#""node_modules/a": { "version": "1/../../b", GOOD }"#;
        assert_eq!(refused(version), "`node_modules/a` has no version");
    }
}
