//! Requirements as pip reads them, line by line: what vb refuses, and what it has to know beside uv.
//!
//! Must not be here: resolving. uv reads the same lines; this only finds those that a lock of file names cannot answer,
//! the hashes that files have to have, and the variables of the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use vb_fetch::without_credentials;
use vb_graph::Sha256;

use crate::names::normalize_name;

/// The SHA-256 digests that requirements allow, by normalised project name; empty where they give none at all.
pub type AllowedHashes = BTreeMap<String, BTreeSet<Sha256>>;

/// Why a line of requirements is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedLine {
    /// `-e`: an installation that leads to a source directory.
    Editable,
    /// A path of the machine.
    Path,
    /// A version control system.
    Vcs,
    /// A file that is named by its address.
    Address,
    /// Where files come from is not a matter of requirements.
    Index,
    /// What is built is said by the recipe.
    Binary,
    /// A digest by another function than SHA-256.
    Hash,
}

impl RefusedLine {
    /// Returns what to do, in the imperative.
    pub fn help(self) -> &'static str {
        match self {
            Self::Editable | Self::Path => {
                "leave the line out and set `setup_install = true` for the application itself, name other sources in \
                 `sub_apps`, or put a wheel into a directory of `find_links`"
            }
            Self::Vcs | Self::Address => {
                "put a wheel or sdist of it into an index or a directory of `find_links`, and require its version"
            }
            Self::Index => "name indexes in `python_indexes` and directories in `find_links` of the workspace file",
            Self::Binary => "set `no_binary` or `only_binary` in the recipe",
            Self::Hash => "give a `--hash=sha256:…`",
        }
    }
}

impl fmt::Display for RefusedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Editable => "is an editable installation, which would lead out of the package",
            Self::Path => "is a path, which the lock cannot hold",
            Self::Vcs => "comes from a version control system, which the lock cannot pin",
            Self::Address => "is named by its address, which the lock cannot hold",
            Self::Index => "says where files come from, which is a matter of the machine or the workspace",
            Self::Binary => "says what is built from source, which is a matter of the recipe",
            Self::Hash => "has no sha256 among its hashes",
        })
    }
}

/// A line of a requirements file is refused.
#[derive(Debug, thiserror::Error)]
#[error("`{file}`, line {line}: `{what}` {reason}")]
pub struct RequirementsError {
    /// The file.
    pub file: String,
    /// The line on which the requirement begins, counted from 1.
    pub line: usize,
    /// The requirement without its address, or the option without its value.
    pub what: String,
    /// Why.
    pub reason: RefusedLine,
}

/// Finds the first line that vb refuses.
///
/// # Errors
/// [`RequirementsError`] for that line.
pub fn check_requirements(file: &str, text: &str) -> Result<(), RequirementsError> {
    for (line, words) in logical_lines(text) {
        if let Some((what, reason)) = refusal(&words) {
            return Err(RequirementsError { file: file.to_owned(), line, what, reason });
        }
    }
    Ok(())
}

/// Returns what of a requirement or an option is refused, and why.
pub(crate) fn refusal(line: &str) -> Option<(String, RefusedLine)> {
    let option = line.split([' ', '=', '\t']).next().unwrap_or_default();
    let is_short = |short: &str| line.starts_with(short) && !line.starts_with("--");
    if option == "--editable" || is_short("-e") {
        return Some((safe_text(line), RefusedLine::Editable));
    }
    let indexes = ["--index-url", "--extra-index-url", "--find-links", "--no-index", "--trusted-host"];
    if indexes.contains(&option) || is_short("-i") || is_short("-f") {
        return Some((
            option.get(..2).filter(|_| !line.starts_with("--")).unwrap_or(option).to_owned(),
            RefusedLine::Index,
        ));
    }
    if ["--no-binary", "--only-binary"].contains(&option) {
        return Some((option.to_owned(), RefusedLine::Binary));
    }
    if line.starts_with('-') {
        return None;
    }
    let requirement = line.split(" --").next().unwrap_or(line).split(" ;").next().unwrap_or(line).trim();
    // An `@` of an address is that of its credentials.
    let place = match requirement.split_once('@') {
        Some((project, place)) if !project.contains("://") => place.trim(),
        _ => requirement,
    };
    let has_directory = || place.split(';').next().is_some_and(|place| place.contains('/') && !place.contains("://"));
    let reason = if ["git+", "hg+", "svn+", "bzr+"].iter().any(|vcs| requirement.contains(vcs)) {
        RefusedLine::Vcs
    } else if place.starts_with(['.', '/', '~'])
        || place.starts_with("file:")
        || is_archive(requirement)
        || has_directory()
    {
        RefusedLine::Path
    } else if place.contains("://") {
        RefusedLine::Address
    } else if line.contains("--hash") && allowed_in_line(line).is_empty() {
        RefusedLine::Hash
    } else {
        return None;
    };
    Some((safe_text(requirement), reason))
}

/// A word that ends as files do, and is no address.
fn is_archive(requirement: &str) -> bool {
    let is_file =
        [".whl", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".zip"].iter().any(|end| requirement.ends_with(end));
    is_file && !requirement.contains("://") && !requirement.contains("==")
}

/// What may be shown: the project before an `@`, or a text whose address has no credentials.
fn safe_text(requirement: &str) -> String {
    match requirement.split_once(" @ ") {
        Some((project, _)) => project.trim().to_owned(),
        None => requirement.split(' ').map(without_credentials).collect::<Vec<_>>().join(" "),
    }
}

/// Returns the digests that the lines of requirements allow.
pub fn allowed_hashes(text: &str) -> AllowedHashes {
    let mut allowed = AllowedHashes::new();
    for (_, line) in logical_lines(text) {
        let hashes = allowed_in_line(&line);
        if !hashes.is_empty() {
            allowed.entry(project(&line)).or_default().extend(hashes);
        }
    }
    allowed
}

fn allowed_in_line(line: &str) -> Vec<Sha256> {
    let digests =
        line.split("--hash").skip(1).filter_map(|rest| rest.trim_start_matches(['=', ' ']).strip_prefix("sha256:"));
    digests.filter_map(|rest| rest.get(..64)?.to_ascii_lowercase().parse().ok()).collect()
}

fn project(line: &str) -> String {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    normalize_name(line.split(|character| !is_name(character)).next().unwrap_or_default())
}

/// Puts the values of variables into a text, as pip does: `${NAME}` in capital letters, and nothing else.
///
/// # Errors
/// The name of a variable that has no value.
pub fn expand_variables(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let is_name = |name: &str| {
        let is_good = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && name.bytes().all(is_good)
    };
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        expanded.push_str(before);
        match after.split_once('}').filter(|(name, _)| is_name(name)) {
            Some((name, tail)) => {
                expanded.push_str(&value(name).ok_or_else(|| name.to_owned())?);
                rest = tail;
            }
            None => {
                expanded.push_str("${");
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Returns what stands on each line, with the number of its first one: continued lines joined, comments dropped.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut is_continued = false;
    for (index, line) in text.lines().enumerate() {
        let line = if line.trim_start().starts_with('#') { "" } else { line.split(" #").next().unwrap_or(line) };
        let (line, continues) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| is_continued) {
            Some((_, whole)) => {
                whole.push(' ');
                whole.push_str(line.trim());
            }
            None => lines.push((index + 1, line.trim().to_owned())),
        }
        is_continued = continues;
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274";

    fn reason(line: &str) -> Option<RefusedLine> {
        check_requirements("r.txt", line).err().map(|error| error.reason)
    }

    #[test]
    fn what_a_lock_of_file_names_cannot_hold_is_refused_with_its_reason() {
        for (line, expect) in [
            ("-e .", RefusedLine::Editable),
            ("-e git+https://x.example/a#egg=a", RefusedLine::Editable),
            ("--editable=./lib", RefusedLine::Editable),
            (".", RefusedLine::Path),
            ("./lib[extra]", RefusedLine::Path),
            ("/srv/a-1.0-py3-none-any.whl", RefusedLine::Path),
            ("wheels/a-1.0-py3-none-any.whl", RefusedLine::Path),
            ("a @ file:///srv/a", RefusedLine::Path),
            ("file:libs/a#egg=a", RefusedLine::Path),
            ("libs/a", RefusedLine::Path),
            ("libs/a[extra] ; python_version > '3'", RefusedLine::Path),
            ("a @ ./libs/a", RefusedLine::Path),
            ("a-1.0.tgz", RefusedLine::Path),
            ("a @ git+https://x.example/a", RefusedLine::Vcs),
            ("git+ssh://git@x.example/a.git@v1#egg=a", RefusedLine::Vcs),
            ("https://x.example/a-1.0.tar.gz", RefusedLine::Address),
            ("a[b] @ https://x.example/a-1.0.tar.gz ; python_version > '3'", RefusedLine::Address),
            ("-i https://x.example/simple", RefusedLine::Index),
            ("--extra-index-url=https://x.example/simple", RefusedLine::Index),
            ("--no-binary :all:", RefusedLine::Binary),
            ("a==1 --hash=md5:00", RefusedLine::Hash),
        ] {
            assert_eq!(reason(line), Some(expect), "{line}");
        }
    }

    #[test]
    fn what_pip_users_write_is_not_refused() {
        for line in [
            "# -e .",
            "Twisted[tls,http2]>=22,<24 ; python_version >= '3.8' and sys_platform == 'linux' # why",
            "-r base.txt",
            "-c limits.txt",
            "--pre",
            "zope.interface~=5.0",
            "a==1.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
            "",
        ] {
            assert_eq!(reason(line), None, "{line}");
        }
    }

    #[test]
    fn a_refused_line_is_told_without_credentials() {
        let text = "six\n\n# why\nhttps://bob:secret@x.example/a-1.tar.gz\n";
        let error = check_requirements("r.txt", text).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`r.txt`, line 4: `https://x.example/a-1.tar.gz` is named by its address, which the lock cannot hold"
        );
        let error = check_requirements("r.txt", "six \\\n  >1\n-ihttps://bob:secret@x.example\n").unwrap_err();
        assert_eq!((error.line, error.what.as_str()), (3, "-i"));
        let error = check_requirements("r.txt", "a @ https://bob:secret@x.example/a.whl").unwrap_err();
        assert_eq!(error.what, "a");
    }

    #[test]
    fn hashes_of_continued_lines_belong_to_their_project() {
        let text = format!(
            "Zope.Interface==5.0 ; python_version > '3' \\\n    --hash=sha256:{DIGEST} \\\n    --hash sha512:00\nsix\n"
        );
        let allowed = allowed_hashes(&text);
        assert_eq!(allowed.keys().collect::<Vec<_>>(), ["zope-interface"]);
        assert_eq!(allowed["zope-interface"].iter().map(ToString::to_string).collect::<Vec<_>>(), [DIGEST]);
    }

    #[test]
    fn variables_are_those_that_pip_expands() {
        let value = |name: &str| (name == "V_1").then(|| "1.0".to_owned());
        let text = "a==${V_1} ${lower} ${} $PLAIN ${V_1}${OPEN";
        assert_eq!(expand_variables(text, value).unwrap(), "a==1.0 ${lower} ${} $PLAIN 1.0${OPEN");
        assert_eq!(expand_variables("${V_1} ${NONE}", value).unwrap_err(), "NONE");
    }
}
