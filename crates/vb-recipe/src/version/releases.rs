//! The changelog of a source that has none of its own: the commits behind each tag that is a version.
//!
//! It is a function of the history and nothing else. A checkout whose history is cut off has none, because it would be
//! another than that of the whole.

use std::{fmt::Write as _, path::Path};

use super::{history::Tag, tag::is_later};
use crate::{git::Git, source::SourceError};

/// How many versions are told, and how many commits of each.
const MOST_RELEASES: usize = 10;
const MOST_COMMITS: usize = 50;
/// How long the line of a commit may be, in characters.
const LONGEST_LINE: usize = 160;

const SHALLOW: [&str; 2] = ["rev-parse", "--is-shallow-repository"];
/// A tag's own time, or that of its commit.
const TAGS: [&str; 4] = [
    "for-each-ref",
    "--merged=HEAD",
    "--format=%(objectname) %(*objectname) %(refname:strip=2)\t%(creatordate:format-local:%a, %d %b %Y %H:%M:%S +0000)",
    "refs/tags",
];
const LOG: [&str; 4] = ["log", "--no-merges", "--no-show-signature", "--date=format-local:%a, %d %b %Y %H:%M:%S +0000"];

/// What changed up to one version, or since the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The version; nothing for what is in no tag.
    pub version: Option<String>,
    /// When it was, as in an e-mail (RFC 2822), in UTC.
    pub date: String,
    /// The first lines of its commits that touched the source, the latest first.
    pub changes: Vec<String>,
}

impl Release {
    /// The one release of a source that is in no git, at the time of all such sources.
    pub(crate) fn undated(change: String) -> Self {
        Self { version: None, date: "Tue, 01 Jan 1980 00:00:00 +0000".to_owned(), changes: vec![change] }
    }
}

/// Reads the releases of a source from git, the latest first; none where nothing is tagged, or history is cut off.
///
/// # Errors
/// [`SourceError::Git`] when git is there and fails.
pub fn read_releases(source: &Path, patterns: &[String], name: &str) -> Result<Vec<Release>, SourceError> {
    let git = Git::new(source);
    if git.ask(&SHALLOW)?.is_none_or(|answer| answer.trim() != "false") {
        return Ok(vec![]);
    }
    let text = git.ask(&TAGS)?.unwrap_or_default();
    let mut tags: Vec<(Tag, &str)> = text.lines().filter_map(|line| tag(line, patterns, name)).collect();
    tags.sort_by(|(one, _), (other, _)| match (is_later(&one.version, &other.version), one.version == other.version) {
        (true, _) => std::cmp::Ordering::Less,
        (false, true) => one.name.cmp(&other.name),
        (false, false) => std::cmp::Ordering::Greater,
    });
    tags.dedup_by(|(one, _), (other, _)| one.version == other.version);
    let Some((latest, _)) = tags.first() else { return Ok(vec![]) };
    let since = log(&git, &format!("refs/tags/{}..HEAD", latest.name))?;
    let mut releases = Vec::new();
    if let Some((date, changes)) = since {
        releases.push(Release { version: None, date, changes });
    }
    for (index, (tag, date)) in tags.iter().enumerate().take(MOST_RELEASES) {
        let range = match tags.get(index + 1) {
            Some((before, _)) => format!("refs/tags/{}..refs/tags/{}", before.name, tag.name),
            None => format!("refs/tags/{}", tag.name),
        };
        let changes = log(&git, &range)?.map(|(_, changes)| changes).unwrap_or_default();
        releases.push(Release { version: Some(tag.version.clone()), date: (*date).to_owned(), changes });
    }
    Ok(releases)
}

fn tag<'t>(line: &'t str, patterns: &[String], name: &str) -> Option<(Tag, &'t str)> {
    let (tag, date) = line.split_once('\t')?;
    Some((Tag::parse(tag, patterns, name)?, date))
}

/// Returns the time of the latest commit of a range that touched the source, and the first line of each.
fn log(git: &Git<'_>, range: &str) -> Result<Option<(String, Vec<String>)>, SourceError> {
    let most = format!("--max-count={MOST_COMMITS}");
    let arguments: Vec<&str> = LOG.into_iter().chain([most.as_str(), "--format=%cd\t%s", range, "--", "."]).collect();
    let text = git.ask(&arguments)?.unwrap_or_default();
    let mut commits = text.lines().filter_map(|line| line.split_once('\t')).peekable();
    let Some(date) = commits.peek().map(|(date, _)| (*date).to_owned()) else { return Ok(None) };
    Ok(Some((date, commits.map(|(_, subject)| plain(subject)).collect())))
}

/// Returns a line that a changelog can hold.
fn plain(subject: &str) -> String {
    let plain: String = subject.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let plain = plain.trim();
    match plain.chars().count() > LONGEST_LINE {
        true => plain.chars().take(LONGEST_LINE - 1).chain(['…']).collect(),
        false => plain.to_owned(),
    }
}

/// Writes releases as a changelog (deb-changelog(5)) of a package of some version; nothing where there are none.
pub(crate) fn changelog(releases: &[Release], package: &str, version: &str, maintainer: &str) -> Option<String> {
    let mut text = String::new();
    for (index, Release { version: own, date, changes }) in releases.iter().enumerate() {
        // The topmost entry is of the package itself, whatever its version is called in git.
        let version = if index == 0 { version } else { own.as_deref().unwrap_or(version) };
        writeln!(text, "{package} ({version}) unstable; urgency=medium\n").expect(IN_MEMORY);
        let none = vec!["No change of the source.".to_owned()];
        for change in if changes.is_empty() { &none } else { changes } {
            writeln!(text, "  * {change}").expect(IN_MEMORY);
        }
        writeln!(text, "\n -- {maintainer}  {date}\n").expect(IN_MEMORY);
    }
    let text = text.trim_end();
    (!text.is_empty()).then(|| format!("{text}\n"))
}

const IN_MEMORY: &str = "writing to a string cannot fail";
