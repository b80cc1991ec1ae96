//! Where a platform's archive is, and who says so.

use std::path::PathBuf;

use vb_platform::{ArchiveLocation, SignedBy, locate_suite};
use vb_recipe::{Platform, Workspace};

use super::Machine;

/// The places of one suite.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    pub(crate) origin: ArchiveOrigin,
    pub(crate) locations: Vec<ArchiveLocation>,
}

/// Who says where an archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveOrigin {
    /// `archives` of the workspace.
    Workspace,
    /// `archives` of the platform.
    Platform,
    /// The machine's apt, which lists the suite.
    Machine,
    /// The machine's apt, which lists the same suite of its own release.
    MachineRelease,
}

impl Archive {
    pub(super) fn find(machine: &Machine, workspace: &Workspace, platform: &Platform, suite: &str) -> Self {
        let own_keyring: Vec<SignedBy> = platform.keyring.iter().map(|path| SignedBy::Path(path.into())).collect();
        let (origin, mut locations) = Self::of_machine(machine, platform, suite);
        let machine_keyrings = locations.first().map(|location| location.keyrings.clone()).unwrap_or_default();
        let Some((origin, bases)) = named(workspace, platform) else {
            let without = locations.iter_mut().filter(|location| location.keyrings.is_empty());
            without.for_each(|location| location.keyrings.clone_from(&own_keyring));
            return Self { origin, locations };
        };
        let keyrings = if own_keyring.is_empty() { machine_keyrings } else { own_keyring };
        let at =
            |base: &String| ArchiveLocation { base: base.trim_end_matches('/').to_owned(), keyrings: keyrings.clone() };
        Self { origin, locations: bases.iter().map(at).collect() }
    }

    fn of_machine(machine: &Machine, platform: &Platform, suite: &str) -> (ArchiveOrigin, Vec<ArchiveLocation>) {
        let exact = locate_suite(&machine.sources, None, suite);
        if !exact.is_empty() {
            return (ArchiveOrigin::Machine, exact);
        }
        let release = &machine.release;
        let is_same = platform.distribution.is_none() || platform.distribution == release.id;
        let codename = release.codename.as_deref().filter(|_| is_same);
        (ArchiveOrigin::MachineRelease, locate_suite(&machine.sources, codename, suite))
    }

    /// Returns the files of the keyrings that may sign it, each once.
    pub(crate) fn keyrings(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for keyring in self.locations.iter().flat_map(|location| &location.keyrings) {
            let (SignedBy::Path(path) | SignedBy::Key { path, .. }) = keyring else { continue };
            if !files.contains(path) {
                files.push(path.clone());
            }
        }
        files
    }
}

impl ArchiveOrigin {
    /// Names the place to look, or to change it.
    pub(crate) fn describe(self, platform: &str) -> String {
        match self {
            Self::Workspace => format!("`archives.{platform}` of the workspace"),
            Self::Platform => "`archives` of the platform".to_owned(),
            Self::Machine => "the machine's apt sources".to_owned(),
            Self::MachineRelease => "the machine's apt sources, where its own release is".to_owned(),
        }
    }
}

/// Returns the bases that the workspace or else the platform names.
fn named<'a>(workspace: &'a Workspace, platform: &'a Platform) -> Option<(ArchiveOrigin, &'a [String])> {
    match workspace.archives.get(&platform.name) {
        Some(bases) => Some((ArchiveOrigin::Workspace, bases)),
        None if !platform.archives.is_empty() => Some((ArchiveOrigin::Platform, &platform.archives)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vb_platform::AptSource;

    use super::*;
    use crate::machine::Release;

    fn machine(id: &str) -> Machine {
        let source = |base: &str, suite: &str, keyring: Option<&str>| AptSource {
            uris: vec![base.to_owned()],
            suites: vec![suite.to_owned()],
            components: vec!["main".to_owned()],
            signed_by: keyring.iter().map(|path| SignedBy::Path(PathBuf::from(path))).collect(),
        };
        Machine {
            sources: vec![source("http://own", "bookworm", Some("/apt.gpg")), source("http://plain", "focal", None)],
            release: Release { id: Some(id.to_owned()), codename: Some("bookworm".to_owned()) },
            home: None,
        }
    }

    fn platform(distribution: &str, archives: &[&str]) -> Platform {
        let text = serde_json::json!({
            "family": "Deb", "distribution": distribution, "codename": "x", "version": "1", "architecture": "amd64",
            "machine": "x86_64", "suites": [], "pins": [], "repositories": [], "image": null, "archives": archives,
            "keyring": "/platform.gpg", "check_valid_until": true, "has_merged_usr": true, "glibc": "2.36",
            "configure": "Full", "base": [], "toolchain": [], "lint": [], "interpreters": {}, "default_python": "3.11",
            "output": {
                "formats": [], "deb": { "compression": "Xz", "unit_directory": "/u" },
                "rpm": { "compression": "Zstd" }, "refused": {}
            },
        });
        Platform { name: "p".to_owned(), ..serde_json::from_value(text).unwrap() }
    }

    fn workspace(archives: &[&str]) -> Workspace {
        let archives: BTreeMap<&str, &[&str]> =
            if archives.is_empty() { BTreeMap::new() } else { BTreeMap::from([("p", archives)]) };
        let text = serde_json::json!({
            "prefix": "/vrmd", "package_prefix": "vrmd-", "maintainer": "Jane <jane@example.org>", "platforms": [],
            "version": "Changelog", "tags": [], "section": "python", "priority": "optional", "vcs": {}, "sbom": false,
            "formats": [], "excludes": [], "variables": {}, "archives": archives,
            "python_indexes": null, "find_links": null, "indexes": [], "lint": { "lintian": [], "rpmlint": [] },
        });
        serde_json::from_value(text).unwrap()
    }

    /// Says who names the archive, its bases, and the keyrings.
    fn found(machine: &Machine, workspace: &Workspace, platform: &Platform, suite: &str) -> (ArchiveOrigin, String) {
        let archive = machine.archive(workspace, platform, suite);
        let keyrings = archive.keyrings();
        let bases: Vec<String> = archive.locations.into_iter().map(|location| location.base).collect();
        let keyrings: Vec<String> = keyrings.iter().map(|path| path.display().to_string()).collect();
        (archive.origin, format!("{} {}", bases.join(","), keyrings.join(",")))
    }

    #[test]
    fn the_workspace_goes_before_the_platform_and_both_before_the_machine() {
        let machine = machine("debian");
        let named = platform("debian", &["http://snapshot/"]);
        let expected = |origin, text: &str| (origin, text.to_owned());
        assert_eq!(
            found(&machine, &workspace(&["http://mine/"]), &named, "bookworm"),
            expected(ArchiveOrigin::Workspace, "http://mine /platform.gpg")
        );
        assert_eq!(
            found(&machine, &workspace(&[]), &named, "bookworm"),
            expected(ArchiveOrigin::Platform, "http://snapshot /platform.gpg")
        );
        assert_eq!(
            found(&machine, &workspace(&[]), &platform("debian", &[]), "bookworm"),
            expected(ArchiveOrigin::Machine, "http://own /apt.gpg")
        );
    }

    #[test]
    fn another_release_is_looked_for_where_the_own_one_is_if_it_is_of_the_same_distribution() {
        let (none, debian) = (workspace(&[]), platform("debian", &[]));
        let (origin, text) = found(&machine("debian"), &none, &debian, "trixie");
        assert_eq!((origin, text.as_str()), (ArchiveOrigin::MachineRelease, "http://own /apt.gpg"));
        let (_, text) = found(&machine("debian"), &none, &platform("ubuntu", &[]), "jammy");
        assert_eq!(text, " ");
        let (_, text) = found(&machine("ubuntu"), &none, &debian, "trixie");
        assert_eq!(text, " ");
    }

    #[test]
    fn the_platforms_keyring_counts_where_apt_names_none() {
        let (_, text) = found(&machine("debian"), &workspace(&[]), &platform("ubuntu", &[]), "focal");
        assert_eq!(text, "http://plain /platform.gpg");
    }
}
