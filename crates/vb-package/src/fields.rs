//! What the fields of a control file may hold (Debian Policy, chapters 5 and 7).
//!
//! A value that passes here cannot end its line, so no field can bring another one into the control file.

use vb_graph::PackageSpec;

use crate::{elf::ElfMachine, tarball::LATEST_TIME};

const PRIORITIES: [&str; 5] = ["required", "important", "standard", "optional", "extra"];
const RELATIONS: [&str; 5] = ["<<", "<=", "=", ">=", ">>"];

/// A field of the package has a value that its format does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field `{field}` cannot be `{}`: {rule}", .value.escape_debug())]
pub struct FieldError {
    /// The name of the field as it stands in a control file.
    pub field: &'static str,
    /// The rejected value.
    pub value: String,
    /// What the value has to be.
    pub rule: &'static str,
}

/// Checks every field of a spec.
pub(crate) fn check_spec(spec: &PackageSpec) -> Result<(), FieldError> {
    check("Package", &spec.name, is_package_name, "two or more of `a-z0-9+-.`, the first a letter or digit")?;
    check(
        "Version",
        &spec.version,
        is_version,
        "`[epoch:]upstream[-revision]`, the upstream part begins with a digit",
    )?;
    check("Architecture", &spec.native_architecture, is_architecture, "an architecture that vb knows")?;
    check("Maintainer", &spec.maintainer, is_maintainer, "`Name <address>`")?;
    check("Section", &spec.section, is_section, "lower-case words with at most one slash")?;
    check("Priority", &spec.priority, |text| PRIORITIES.contains(&text), "one of Debian Policy 2.5")?;
    if let Some(homepage) = &spec.homepage {
        check("Homepage", homepage, is_url, "a URL without spaces")?;
    }
    for (kind, place) in &spec.vcs {
        let is_vcs = |text: &str| is_summary(text) && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
        check("Vcs", place, is_vcs, "one line of text without spaces around it")?;
    }
    check("Description", &spec.summary, is_summary, "one line of text without spaces around it")?;
    for line in &spec.description {
        check("Description", line, is_printable, "lines of text without control characters")?;
    }
    if let Some(license) = &spec.license {
        check("License", license, is_summary, "one line of text without spaces around it")?;
    }
    let is_time = |_: &str| spec.epoch <= LATEST_TIME.min(u32::MAX.into());
    check("SOURCE_DATE_EPOCH", &spec.epoch.to_string(), is_time, "a time that an archive entry can hold")
}

/// Checks what a `.deb` depends on.
pub(crate) fn check_depends(spec: &PackageSpec) -> Result<(), FieldError> {
    spec.depends.iter().try_for_each(|relation| {
        check("Depends", relation, is_relation, "`name`, `name (>= version)` or alternatives of these with `|`")
    })
}

fn check(
    field: &'static str,
    value: &str,
    is_valid: impl FnOnce(&str) -> bool,
    rule: &'static str,
) -> Result<(), FieldError> {
    if is_valid(value) { Ok(()) } else { Err(FieldError { field, value: value.to_owned(), rule }) }
}

/// Returns a version without its epoch, as it stands in file names.
pub(crate) fn without_epoch(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

/// Policy 5.6.1.
pub(crate) fn is_package_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.len() >= 2 && text.bytes().all(is_allowed) && text.as_bytes()[0].is_ascii_alphanumeric()
}

/// Policy 5.6.12, with dpkg's limit for the epoch.
fn is_version(text: &str) -> bool {
    let rest = match text.split_once(':') {
        Some((epoch, rest)) if is_digits(epoch) && epoch.parse::<i32>().is_ok() => rest,
        Some(_) => return false,
        None => text,
    };
    let is_upstream = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-~".contains(&byte))
    };
    let is_revision = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+~".contains(&byte))
    };
    match rest.rsplit_once('-') {
        Some((upstream, revision)) => is_upstream(upstream) && is_revision(revision),
        None => is_upstream(rest),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_architecture(text: &str) -> bool {
    ElfMachine::of_architecture(text).is_some()
}

fn is_maintainer(text: &str) -> bool {
    let Some((name, address)) = text.strip_suffix('>').and_then(|text| text.split_once(" <")) else {
        return false;
    };
    let is_address = address
        .split_once('@')
        .is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'));
    is_summary(name)
        && !name.contains(['<', '>'])
        && is_address
        && !address.contains(|character: char| character.is_whitespace() || "<>,".contains(character))
        && is_printable(address)
}

fn is_section(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.split('/').all(is_word) && text.matches('/').count() <= 1
}

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, rest)| (scheme, !rest.is_empty()));
    let is_scheme = |scheme: &str| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    matches!(scheme, Some((scheme, true)) if is_scheme(scheme))
        && is_printable(text)
        && !text.contains(char::is_whitespace)
}

fn is_summary(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && is_printable(text)
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Policy 7.1: what may stand between two commas of a relationship field of a binary package.
fn is_relation(text: &str) -> bool {
    is_printable(text) && text.split('|').all(|alternative| is_alternative(alternative.trim()))
}

fn is_alternative(text: &str) -> bool {
    let Some((name, constraint)) = text.split_once('(') else {
        return is_qualified_name(text);
    };
    let Some(constraint) = constraint.strip_suffix(')') else {
        return false;
    };
    let version_start = constraint.find(|character| !"<=>".contains(character)).unwrap_or(constraint.len());
    let (relation, version) = constraint.split_at(version_start);
    is_qualified_name(name.trim_end()) && RELATIONS.contains(&relation) && is_version(version.trim())
}

fn is_qualified_name(text: &str) -> bool {
    match text.split_once(':') {
        Some((name, qualifier)) => is_package_name(name) && (qualifier == "any" || is_architecture(qualifier)),
        None => is_package_name(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_table(is_valid: fn(&str) -> bool, valid: &[&str], invalid: &[&str]) {
        for text in valid {
            assert!(is_valid(text), "`{text}` should be valid");
        }
        for text in invalid {
            assert!(!is_valid(text), "`{text}` should be refused");
        }
    }

    #[test]
    fn package_names_follow_policy() {
        check_table(
            is_package_name,
            &["vrmd-whois", "g++", "0ad", "libc6.1"],
            &["", "a", "-ab", ".ab", "Whois", "vrmd_whois", "a b", "ab\n", "fő", "ab/"],
        );
    }

    #[test]
    fn versions_follow_policy() {
        check_table(
            is_version,
            &["1", "1.2.3-4", "2:1.0~rc1+git1-1~deb12u1", "1-2-3", "0:0"],
            &[
                "",
                "a1",
                "1:",
                ":1",
                "x:1",
                "-1:1",
                "+1:1",
                "1:2:3",
                "1-",
                "-1",
                "1_2",
                "1 2",
                "1\n",
                "2147483648:1",
                "1.0-ő",
            ],
        );
    }

    #[test]
    fn maintainers_are_a_name_and_an_address() {
        check_table(
            is_maintainer,
            &["Ops Team <ops@example.org>", "Őri Á. <a.b+c@example.org>"],
            &[
                "",
                "ops@example.org",
                "<ops@example.org>",
                " <ops@example.org>",
                "Ops <ops>",
                "Ops <@x>",
                "Ops <a@>",
                "Ops <a@b@c>",
                "Ops <a b@c>",
                "Ops<a@b>",
                "Ops <a@b> x",
                "Ops <a@b>, Dev <c@d>",
                "Ops\nEssential: yes <a@b>",
                "Ops <a@b>\n",
            ],
        );
    }

    #[test]
    fn sections_homepages_and_summaries_are_single_words_or_lines() {
        check_table(is_section, &["web", "contrib/net", "non-free/doc", "misc2"], &["", "Web", "a/b/c", "/web", "a b"]);
        check_table(
            is_url,
            &["https://example.org/~a?b#c", "ftp://x"],
            &["", "example.org", "https://", "h://a b", "://x"],
        );
        check_table(is_summary, &["whois lookups", "a"], &["", " a", "a ", "a\nb", "a\tb"]);
    }

    #[test]
    fn relations_follow_policy() {
        check_table(
            is_relation,
            &["libpq5", "python3:any", "libc6:amd64 (>= 2.36)", "a1 (<<2)", "a1|b1 (= 1:2-3)", "a1 (>> 1) | b1 | c1"],
            &[
                "",
                "A",
                "a1, b1",
                "a1 b1",
                "a1 |",
                "| a1",
                "a1 (1)",
                "a1 (> 1)",
                "a1 (>=)",
                "a1 (>= 1",
                "a1 >= 1",
                "a1 (>= 1) x",
                "a1 [amd64]",
                "${misc:Depends}",
                "python3:",
                "a1\nEssential: yes",
                "a1 (== 1)",
            ],
        );
    }

    #[test]
    fn an_error_names_the_field_and_escapes_the_value() {
        let error = check("Depends", "a\nb", is_relation, "a rule").unwrap_err();
        assert_eq!(error.to_string(), "the field `Depends` cannot be `a\\nb`: a rule");
    }

    #[test]
    fn the_epoch_of_a_version_is_not_in_file_names() {
        assert_eq!([without_epoch("2:1.0-1"), without_epoch("1.0-1")], ["1.0-1"; 2]);
    }
}
