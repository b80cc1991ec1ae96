//! Markers of locks that speak of extras and dependency groups, which a requirements file has not.
//!
//! Those comparisons are decided here; all others (Python's version, the platform) are left to uv, which evaluates them
//! for the target.

use std::collections::BTreeSet;

use crate::names::normalize_name;

/// What is to be installed of a lock beside its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Extras, normalised.
    pub extras: BTreeSet<String>,
    /// Dependency groups, normalised.
    pub groups: BTreeSet<String>,
}

impl Chosen {
    /// Chooses by names in any spelling.
    pub fn new(extras: &[String], groups: &[String]) -> Self {
        let set = |names: &[String]| names.iter().map(|name| normalize_name(name)).collect();
        Self { extras: set(extras), groups: set(groups) }
    }
}

const TRUE: &str = "python_version >= '0'";
const FALSE: &str = "python_version < '0'";

/// Replaces each comparison with `extra` (Core Metadata), `extras` or `dependency_groups` (PEP 751) by what it comes to.
pub(crate) fn decide(marker: &str, chosen: &Chosen) -> String {
    let tokens = tokens(marker);
    let mut decided: Vec<&str> = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((first, after)) = rest.split_first() {
        if let Some((answer, length)) = comparison(rest, chosen) {
            decided.push(if answer { TRUE } else { FALSE });
            rest = &rest[length..];
        } else {
            decided.push(first);
            rest = after;
        }
    }
    decided.join(" ")
}

/// Returns the answer of the comparison at the front, and how many tokens it has.
fn comparison(tokens: &[&str], chosen: &Chosen) -> Option<(bool, usize)> {
    let has = |set: &BTreeSet<String>, text: &str| Some(set.contains(&normalize_name(unquote(text)?)));
    let set = |name: &str| match name {
        "extras" => Some(&chosen.extras),
        "dependency_groups" => Some(&chosen.groups),
        _ => None,
    };
    match tokens {
        ["extra", operator @ ("==" | "!="), text, ..] | [text, operator @ ("==" | "!="), "extra", ..] => {
            Some((has(&chosen.extras, text)? == (*operator == "=="), 3))
        }
        [text, "in", name, ..] => Some((has(set(name)?, text)?, 3)),
        [text, "not", "in", name, ..] => Some((!has(set(name)?, text)?, 4)),
        _ => None,
    }
}

fn unquote(token: &str) -> Option<&str> {
    let quote = token.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    token.strip_prefix(quote)?.strip_suffix(quote)
}

/// Splits a marker into names, quoted texts, operators and parentheses (PEP 508).
fn tokens(marker: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            _ if "<>=!~".contains(first) => length_while(rest, |character| "<>=!~".contains(character)),
            _ => length_while(rest, |character| !character.is_whitespace() && !"()<>=!~\"'".contains(character)),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

fn length_while(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|character| !is_part(character)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(marker: &str) -> String {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        decide(marker, &Chosen::new(&names(&["Post_Gres"]), &names(&["prod"])))
    }

    #[test]
    fn extras_and_groups_are_decided_and_the_rest_is_left() {
        for (marker, expect) in [
            ("extra == 'post-gres'", TRUE.to_owned()),
            ("\"other\" == extra", FALSE.to_owned()),
            ("extra != \"other\"", TRUE.to_owned()),
            ("'prod' in dependency_groups", TRUE.to_owned()),
            ("'post.gres' not in extras", FALSE.to_owned()),
            ("(sys_platform=='linux') and ('x' in extras)", format!("( sys_platform == 'linux' ) and ( {FALSE} )")),
            (
                "python_version<'3.8' or 'arm' in platform_machine",
                "python_version < '3.8' or 'arm' in platform_machine".to_owned(),
            ),
        ] {
            assert_eq!(decided(marker), expect, "{marker}");
        }
    }

    #[test]
    fn broken_markers_end_without_a_loop() {
        for marker in ["", "'", "extra ==", "== ==", "'a' not", "ä ('"] {
            decided(marker);
        }
    }
}
