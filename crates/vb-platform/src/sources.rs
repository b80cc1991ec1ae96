//! The machine's own apt sources (sources.list(5)): where its distribution comes from and which keys sign it.
//!
//! The directory is given by the caller. Must not be here: the network. Options that would weaken verification
//! (`trusted=yes`) are not honoured.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::deb822::{Stanza, stanzas};

/// The apt sources could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// A file or directory could not be read.
    #[error("cannot read the apt sources")]
    Read {
        /// The file system's error, with the path.
        #[source]
        source: io::Error,
    },
    /// A line of a `.list` file is not a source.
    #[error("line {line} of `{}` is not an apt source", path.display())]
    MalformedLine {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
    /// A paragraph of a `.sources` file has no `URIs` or no `Suites`.
    #[error("paragraph {paragraph} of `{}` lacks `{field}`", path.display())]
    MissingField {
        /// The file.
        path: PathBuf,
        /// The paragraph's number, from 1.
        paragraph: usize,
        /// The field that is not there.
        field: &'static str,
    },
}

/// Where the keys that may sign an archive are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignedBy {
    /// Every key of a keyring file, binary or armored.
    Path(PathBuf),
    /// An armored block that stands in the sources themselves.
    Inline(String),
    /// One key of a keyring file, by its upper-case fingerprint.
    Key {
        /// The keyring file, which need not hold the key.
        path: PathBuf,
        /// The fingerprint of the key, or of its primary key.
        fingerprint: String,
    },
}

/// One entry of the apt sources for binary packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AptSource {
    /// The archives' base locations, without a final slash.
    pub uris: Vec<String>,
    /// The suites, as they stand below `dists/`.
    pub suites: Vec<String>,
    /// The components.
    pub components: Vec<String>,
    /// The keys; where the entry names none, all that the machine trusts.
    pub signed_by: Vec<SignedBy>,
}

/// One place that a suite can be had from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveLocation {
    /// The archive's base, without a final slash; `dists/` and `pool/` are below it.
    pub base: String,
    /// The keys that may sign it.
    pub keyrings: Vec<SignedBy>,
}

/// Reads `sources.list` and `sources.list.d` of an apt directory (normally `/etc/apt`).
///
/// Files that apt ignores by their names are ignored. Only enabled entries of type `deb` are returned, in apt's order.
///
/// # Errors
/// See [`SourcesError`]. A directory without any sources is no error.
pub fn read_sources(etc_apt: &Path) -> Result<Vec<AptSource>, SourcesError> {
    let read_error = |source| SourcesError::Read { source };
    let trusted = trusted_keyrings(etc_apt).map_err(read_error)?;
    let mut files: Vec<PathBuf> = Some(etc_apt.join("sources.list")).filter(|path| path.exists()).into_iter().collect();
    files.extend(files_of(&etc_apt.join("sources.list.d"), &["list", "sources"]).map_err(read_error)?);
    let mut sources = Vec::new();
    for path in &files {
        let text = fs_err::read_to_string(path).map_err(read_error)?;
        if path.extension().is_some_and(|extension| extension == "sources") {
            read_stanzas(path, &text, &trusted, &mut sources)?;
        } else {
            read_lines(path, &text, &trusted, &mut sources)?;
        }
    }
    for source in &mut sources {
        source.uris = expand_mirror_lists(&source.uris).map_err(read_error)?;
    }
    Ok(sources)
}

/// Finds where a suite can be had.
///
/// That is each source that lists the suite. If none does, the suite is taken to lie where the host's own suite of the
/// same kind lies: `trixie-security` is where `bookworm-security` is, for the host codename `bookworm`.
pub fn locate_suite(sources: &[AptSource], host_codename: Option<&str>, suite: &str) -> Vec<ArchiveLocation> {
    let exact = locations_listing(sources, suite);
    if !exact.is_empty() {
        return exact;
    }
    let suffix = suite.find(['-', '/']).map_or("", |at| &suite[at..]);
    host_codename.map(|host| locations_listing(sources, &format!("{host}{suffix}"))).unwrap_or_default()
}

fn locations_listing(sources: &[AptSource], suite: &str) -> Vec<ArchiveLocation> {
    let mut locations = Vec::new();
    for source in sources.iter().filter(|source| source.suites.iter().any(|listed| listed == suite)) {
        for base in &source.uris {
            let location = ArchiveLocation { base: base.clone(), keyrings: source.signed_by.clone() };
            if !locations.contains(&location) {
                locations.push(location);
            }
        }
    }
    locations
}

/// Lists the files that apt takes keys from when an entry names none (apt-key(8)).
fn trusted_keyrings(etc_apt: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Some(etc_apt.join("trusted.gpg")).filter(|path| path.exists()).into_iter().collect();
    files.extend(files_of(&etc_apt.join("trusted.gpg.d"), &["asc", "gpg"])?);
    Ok(files)
}

/// Lists a directory's files with one of the extensions, sorted by name; names with characters that apt refuses are
/// left out, and so is a directory that does not exist.
fn files_of(dir: &Path, extensions: &[&str]) -> io::Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_plain =
            !name.starts_with('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if is_plain && extensions.contains(&extension) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_stanzas(path: &Path, text: &str, trusted: &[PathBuf], to: &mut Vec<AptSource>) -> Result<(), SourcesError> {
    let uncommented: String = text.split_inclusive('\n').filter(|line| !line.starts_with('#')).collect();
    for (index, stanza) in stanzas(&uncommented).enumerate() {
        let is_enabled = !matches!(
            stanza.get("Enabled").map(str::to_ascii_lowercase).as_deref(),
            Some("no" | "false" | "without" | "off" | "disable" | "0")
        );
        if !is_enabled || !stanza.words("Types").any(|word| word == "deb") {
            continue;
        }
        for field in ["URIs", "Suites"] {
            if stanza.words(field).next().is_none() {
                return Err(SourcesError::MissingField { path: path.to_owned(), paragraph: index + 1, field });
            }
        }
        let words = |field: &str| stanza.words(field).map(str::to_owned).collect();
        to.push(AptSource {
            uris: stanza.words("URIs").map(without_final_slash).collect(),
            suites: words("Suites"),
            components: words("Components"),
            signed_by: stanza_keys(&stanza, trusted),
        });
    }
    Ok(())
}

fn stanza_keys(stanza: &Stanza<'_>, trusted: &[PathBuf]) -> Vec<SignedBy> {
    let value = stanza.get("Signed-By").unwrap_or_default();
    if !value.starts_with("-----BEGIN") {
        return keys(value, trusted);
    }
    let lines = value.lines().map(str::trim_ascii).map(|line| if line == "." { "" } else { line });
    vec![SignedBy::Inline(lines.collect::<Vec<_>>().join("\n") + "\n")]
}

fn read_lines(path: &Path, text: &str, trusted: &[PathBuf], to: &mut Vec<AptSource>) -> Result<(), SourcesError> {
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim_ascii();
        let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t', '['])) else {
            if line.is_empty() || line.starts_with("deb-src") {
                continue;
            }
            return Err(SourcesError::MalformedLine { path: path.to_owned(), line: index + 1 });
        };
        if rest.trim_ascii_start().starts_with("cdrom:") {
            continue;
        }
        let source = parse_line(rest, trusted);
        to.push(source.ok_or_else(|| SourcesError::MalformedLine { path: path.to_owned(), line: index + 1 })?);
    }
    Ok(())
}

fn parse_line(rest: &str, trusted: &[PathBuf]) -> Option<AptSource> {
    let rest = rest.trim_ascii_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options.split_ascii_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    let mut words = rest.split_ascii_whitespace();
    Some(AptSource {
        uris: vec![without_final_slash(words.next()?)],
        suites: vec![words.next()?.to_owned()],
        components: words.map(str::to_owned).collect(),
        signed_by: keys(signed_by.unwrap_or_default(), trusted),
    })
}

/// Reads a `Signed-By` value: absolute paths, or fingerprints of keys that the machine trusts.
fn keys(value: &str, trusted: &[PathBuf]) -> Vec<SignedBy> {
    let mut keys = Vec::new();
    for word in value.split([' ', '\t', '\n', ',']).filter(|word| !word.is_empty()) {
        if word.starts_with('/') {
            keys.push(SignedBy::Path(PathBuf::from(word)));
        } else {
            let fingerprint = word.trim_end_matches('!').to_ascii_uppercase();
            let one = |path: &PathBuf| SignedBy::Key { path: path.clone(), fingerprint: fingerprint.clone() };
            keys.extend(trusted.iter().map(one));
        }
    }
    if value.trim_ascii().is_empty() {
        keys.extend(trusted.iter().cloned().map(SignedBy::Path));
    }
    keys
}

/// Replaces `mirror+file:` locations (apt-transport-mirror(1)), which cloud images use, by what their lists name.
fn expand_mirror_lists(uris: &[String]) -> io::Result<Vec<String>> {
    let mut expanded = Vec::new();
    for uri in uris {
        match uri.strip_prefix("mirror+file:") {
            None => expanded.push(uri.clone()),
            Some(path) => {
                let text = fs_err::read_to_string(Path::new("/").join(path.trim_start_matches('/')))?;
                let first_words = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
                expanded.extend(first_words.filter(|word| !word.starts_with('#')).map(without_final_slash));
            }
        }
    }
    Ok(expanded)
}

fn without_final_slash(uri: &str) -> String {
    let uri = uri
        .strip_prefix("file:/")
        .filter(|rest| !rest.starts_with("//"))
        .map_or_else(|| uri.to_owned(), |rest| format!("/{rest}"));
    uri.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apt_dir(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        dir
    }

    fn source(uri: &str, suites: &[&str], key: &str) -> AptSource {
        AptSource {
            uris: vec![uri.to_owned()],
            suites: suites.iter().map(ToString::to_string).collect(),
            components: vec!["main".to_owned()],
            signed_by: vec![SignedBy::Path(PathBuf::from(key))],
        }
    }

    #[test]
    fn both_forms_are_read_in_apts_order() {
        let dir = apt_dir(&[
            (
                "sources.list",
                "# x\ndeb [arch=amd64 signed-by=/k/a.gpg] http://a/debian/ one main # why\ndeb-src x y z\n",
            ),
            (
                "sources.list.d/b.sources",
                "# a comment\nTypes: deb deb-src\nURIs: http://b\nSuites: two\n# inside\n two-updates\nComponents: main\nSigned-By: /k/b.gpg\n\nEnabled: no\nTypes: deb\nURIs: http://off\nSuites: off\n\nTypes: deb-src\n",
            ),
            ("sources.list.d/a.list", "deb [signed-by=/k/c.gpg] http://c three main\n"),
            ("sources.list.d/a.list.save", "nonsense\n"),
            ("sources.list.d/c d.list", "nonsense\n"),
        ]);
        let expect = [
            source("http://a/debian", &["one"], "/k/a.gpg"),
            source("http://c", &["three"], "/k/c.gpg"),
            source("http://b", &["two", "two-updates"], "/k/b.gpg"),
        ];
        assert_eq!(read_sources(dir.path()).unwrap(), expect);
    }

    #[test]
    fn a_source_without_keys_uses_all_that_the_machine_trusts() {
        let dir = apt_dir(&[
            ("sources.list", "deb file:/srv/debian one main\n"),
            ("trusted.gpg.d/b.gpg", ""),
            ("trusted.gpg.d/a.asc", ""),
            ("trusted.gpg.d/readme", ""),
        ]);
        let sources = read_sources(dir.path()).unwrap();
        let expect = ["trusted.gpg.d/a.asc", "trusted.gpg.d/b.gpg"].map(|name| SignedBy::Path(dir.path().join(name)));
        assert_eq!(sources[0].signed_by, expect);
        assert_eq!(sources[0].uris, ["/srv/debian"]);
    }

    #[test]
    fn a_fingerprint_means_one_key_of_the_trusted_ones() {
        let dir = apt_dir(&[("sources.list", "deb [signed-by=ab12!] http://a one main\n"), ("trusted.gpg", "")]);
        let path = dir.path().join("trusted.gpg");
        let expect = [SignedBy::Key { path, fingerprint: "AB12".to_owned() }];
        assert_eq!(read_sources(dir.path()).unwrap()[0].signed_by, expect);
    }

    #[test]
    fn an_inline_key_loses_its_indentation() {
        let text = "Types: deb\nURIs: http://a\nSuites: one\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n";
        let dir = apt_dir(&[("sources.list.d/a.sources", text)]);
        let armor = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(read_sources(dir.path()).unwrap()[0].signed_by, [SignedBy::Inline(armor.to_owned())]);
    }

    #[test]
    fn a_mirror_list_stands_for_its_mirrors() {
        let dir = apt_dir(&[("mirrors.list", "# best first\nhttp://a/debian/ priority:1\nhttp://b/debian\n")]);
        let list = dir.path().join("mirrors.list");
        fs_err::write(dir.path().join("sources.list"), format!("deb mirror+file:{} one main\n", list.display()))
            .unwrap();
        assert_eq!(read_sources(dir.path()).unwrap()[0].uris, ["http://a/debian", "http://b/debian"]);
    }

    #[test]
    fn malformed_sources_are_named() {
        let dir = apt_dir(&[("sources.list", "\ndeb http://a\n")]);
        let error = read_sources(dir.path()).unwrap_err();
        assert!(matches!(error, SourcesError::MalformedLine { line: 2, .. }), "{error}");
        let dir = apt_dir(&[("sources.list.d/a.sources", "Types: deb\nURIs: http://a\n")]);
        let error = read_sources(dir.path()).unwrap_err();
        assert!(matches!(error, SourcesError::MissingField { field: "Suites", paragraph: 1, .. }), "{error}");
    }

    #[test]
    fn no_sources_are_no_error() {
        assert!(read_sources(tempfile::tempdir().unwrap().path()).unwrap().is_empty());
    }

    #[test]
    fn a_foreign_suite_follows_the_place_of_the_hosts_own() {
        let sources = [
            source("http://main", &["bookworm", "bookworm-updates"], "/k/a"),
            source("http://security", &["bookworm-security"], "/k/b"),
            source("http://extra", &["trixie"], "/k/c"),
        ];
        let bases = |host, suite| -> Vec<String> {
            locate_suite(&sources, host, suite).into_iter().map(|location| location.base).collect()
        };
        assert_eq!(bases(None, "bookworm"), ["http://main"]);
        assert_eq!(bases(Some("bookworm"), "trixie"), ["http://extra"]);
        assert_eq!(bases(Some("bookworm"), "forky"), ["http://main"]);
        assert_eq!(bases(Some("bookworm"), "trixie-security"), ["http://security"]);
        assert_eq!(bases(Some("bookworm"), "trixie-backports"), [""; 0]);
        assert_eq!(bases(None, "trixie-security"), [""; 0]);
    }
}
