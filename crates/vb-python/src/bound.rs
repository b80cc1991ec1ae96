//! Indexes that are bound to names: a distribution whose name is bound comes from its index and from nowhere else, and no
//! other name is ever told to that index.

use std::fmt;

use vb_fetch::without_credentials;

use crate::names::normalize_name;

/// Names of distributions, by patterns in which `*` stands for any characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamePatterns(Vec<String>);

impl NamePatterns {
    /// Takes patterns such as `acme-*`. They are normalised as names are (PEP 503).
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self(patterns.into_iter().map(normalize_name).collect())
    }

    /// Is the name one of these?
    pub fn has(&self, name: &str) -> bool {
        let name = normalize_name(name);
        self.0.iter().any(|pattern| matches(pattern, &name))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(begin) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or("");
    for part in parts {
        let Some(found) = name.find(part) else { return false };
        name = &name[found + part.len()..];
    }
    name.ends_with(end)
}

/// One index that is bound to names.
#[derive(Clone, PartialEq, Eq)]
pub struct BoundIndex {
    /// How it is called in locks and messages.
    pub name: String,
    /// What comes from it.
    pub packages: NamePatterns,
    /// Where it is: the base of a simple index (PEP 503), or the absolute path of a directory of files. `None` when nothing
    /// that is configured says so.
    pub location: Option<String>,
}

impl fmt::Debug for BoundIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundIndex")
            .field("name", &self.name)
            .field("packages", &self.packages)
            .field("location", &self.location.as_deref().map(without_credentials))
            .finish()
    }
}

/// The name of a bound index is known, and not where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{project}` comes from the index `{index}`, and nothing says where that is")]
pub struct NoLocation {
    /// The distribution.
    pub project: String,
    /// The index.
    pub index: String,
}

/// Where one distribution is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places<'a> {
    /// Directories and pages of files.
    pub(crate) find_links: &'a [String],
    /// Simple indexes.
    pub(crate) indexes: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_compared_with_normalised_names() {
        let check = |pattern: &str, name: &str, expect: bool| {
            assert_eq!(NamePatterns::new([pattern]).has(name), expect, "{pattern} {name}");
        };
        check("acme-*", "Acme_Tools", true);
        check("Acme.*", "acme-tools", true);
        check("acme-*", "acme", false);
        check("acme", "acme", true);
        check("acme", "acme-tools", false);
        check("*", "anything", true);
        check("*-internal", "billing-internal", true);
        check("*-internal", "internal", false);
        check("a*b*c", "a1b2c", true);
        check("a*b*c", "acb", false);
        check("a*a", "a", false);
        assert!(!NamePatterns::default().has("acme"));
    }

    #[test]
    fn debug_output_has_no_credentials() {
        let location = Some("https://bob:secret@index.example/simple".to_owned());
        let index = BoundIndex { name: "company".into(), packages: NamePatterns::default(), location };
        assert!(!format!("{index:?}").contains("secret"));
    }
}
