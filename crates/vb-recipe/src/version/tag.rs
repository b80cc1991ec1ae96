//! What a git tag says of a version: patterns of tags, and Python's versions in Debian's words.

use debversion::Version;

/// Where a pattern of tags has the version, and the application's name.
const VERSION: &str = "{version}";
const NAME: &str = "{name}";

/// Returns the version that a tag means to an application, if it is one of its patterns: the first that fits.
pub(crate) fn version_of_tag(tag: &str, patterns: &[String], name: &str) -> Option<String> {
    patterns.iter().find_map(|pattern| {
        let (before, after) = pattern.split_once(VERSION)?;
        let text = tag.strip_prefix(&before.replace(NAME, name))?.strip_suffix(&after.replace(NAME, name))?;
        python_version(text).or_else(|| debian_version(text))
    })
}

/// Returns the later of two Debian versions.
pub(crate) fn is_later(one: &str, other: &str) -> bool {
    match (one.parse::<Version>(), other.parse::<Version>()) {
        (Ok(one), Ok(other)) => one > other,
        (one, other) => one.is_ok() && other.is_err(),
    }
}

/// Is a text a version that a package can have (Debian Policy 5.6.12)?
pub fn is_package_version(text: &str) -> bool {
    let rest = match text.split_once(':') {
        Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        Some(_) => return false,
        None => text,
    };
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+~-".contains(&byte);
    rest.starts_with(|first: char| first.is_ascii_digit()) && rest.bytes().all(is_allowed) && !rest.ends_with('-')
}

/// Reads a Debian version; names in git cannot have `~` and `:`, which are `_` and `%` there (DEP-14).
fn debian_version(text: &str) -> Option<String> {
    let version = text.replace('_', "~").replace('%', ":");
    is_package_version(&version).then_some(version)
}

/// Reads a version of Python (PEP 440) and writes it so that it is ordered there as it is in Debian: what comes before a
/// release behind `~`, development before that behind `~~`, and what comes after it behind `+`.
///
/// A local version is none of Python's here, and neither is the short form of a post-release, `1.0-1`: it is a Debian
/// revision.
fn python_version(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (epoch, rest) = match text.split_once('!') {
        Some((epoch, rest)) => (Some(number(epoch)?), rest),
        None => (None, text.as_str()),
    };
    let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len());
    let release = rest[..end].trim_end_matches('.');
    if release.is_empty() || !release.split('.').all(|part| number(part).is_some()) {
        return None;
    }
    let mut rest = &rest[release.len()..];
    let mut version = epoch.map_or_else(String::new, |epoch| format!("{epoch}:")) + release;
    for (mark, words) in PARTS {
        if let Some((word, number, tail)) = part(rest, words) {
            version = format!("{version}{mark}{word}{number}");
            rest = tail;
        }
    }
    rest.is_empty().then_some(version)
}

/// The parts behind a release, in their order, each with the spellings that mean one word. Longer spellings stand first.
const PARTS: [(&str, &[(&str, &str)]); 3] = [
    (
        "~",
        &[
            ("alpha", "a"),
            ("beta", "b"),
            ("preview", "rc"),
            ("pre", "rc"),
            ("rc", "rc"),
            ("a", "a"),
            ("b", "b"),
            ("c", "rc"),
        ],
    ),
    ("+", &[("post", "post"), ("rev", "post"), ("r", "post")]),
    ("~~", &[("dev", "dev")]),
];

/// Reads one of some words with its number, 0 if there is none, and with marks before both.
fn part<'a>(text: &'a str, words: &[(&str, &'static str)]) -> Option<(&'static str, &'a str, &'a str)> {
    let rest = without_mark(text);
    let (word, rest) = words.iter().find_map(|(spelling, word)| Some((*word, rest.strip_prefix(spelling)?)))?;
    let numbered = without_mark(rest);
    let end = numbered.find(|char: char| !char.is_ascii_digit()).unwrap_or(numbered.len());
    match numbered.split_at(end) {
        ("", _) => Some((word, "0", rest)),
        (number, tail) => Some((word, number, tail)),
    }
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix(['.', '-', '_']).unwrap_or(text)
}

fn number(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default_patterns() -> Vec<String> {
        ["{name}-{version}", "v{version}", "{version}"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_tag_is_a_version_where_it_fits_a_pattern() {
        let table = [
            ("v1.0", Some("1.0")),
            ("1.0", Some("1.0")),
            ("whois-2.1", Some("2.1")),
            ("other-2.1", None),
            ("version-1", None),
            ("whois-next", None),
            ("v1.0-2", Some("1.0-2")),
            ("1%1.0_rc1-2", Some("1:1.0~rc1-2")),
        ];
        for (tag, version) in table {
            assert_eq!(version_of_tag(tag, &default_patterns(), "whois").as_deref(), version, "{tag}");
        }
        let own = ["release/{name}/{version}-final".to_owned()];
        assert_eq!(version_of_tag("release/whois/3.0-final", &own, "whois").as_deref(), Some("3.0"));
    }

    #[test]
    fn versions_of_python_are_ordered_as_python_has_them() {
        let ascending = [
            "1.0.dev1",
            "1.0a1.dev2",
            "1.0a1",
            "1.0-beta.2",
            "1.0rc1",
            "1.0rc1.post1",
            "1.0",
            "1.0.post1.dev1",
            "1.0.post1",
            "1.0.1",
            "1!0.1",
        ];
        for pair in ascending.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(|text| python_version(text).unwrap());
            assert!(is_later(&other, &one), "{other} is later than {one}");
        }
    }

    #[test]
    fn versions_of_python_are_written_in_debians_words() {
        let table = [
            ("1.0rc1", "1.0~rc1"),
            ("1.0.0-alpha", "1.0.0~a0"),
            ("1.0_preview_3", "1.0~rc3"),
            ("2!1.0.post2", "2:1.0+post2"),
            ("1.0.dev3", "1.0~~dev3"),
        ];
        for (python, debian) in table {
            assert_eq!(python_version(python).as_deref(), Some(debian), "{python}");
        }
        for text in ["", "1.", "1..0", "1.0+local", "1.0-1", "1.0final", "x"] {
            assert_eq!(python_version(text), None, "{text}");
        }
    }
}
