//! What a package needs, from a recipe's words to rpm's.
//!
//! Both spellings are understood: Debian's `libpq5 (>= 15)` and `a | b`, and rpm's `postgresql-libs >= 15`,
//! `python(abi) = 3.11`, `/usr/bin/tool` and rich relations in parentheses.

use rpm::{Dependency, DependencyFlags};

use super::read::RpmComparison;

/// rpm's signs and Debian's, the longer ones first.
const SIGNS: [(&str, RpmComparison); 7] = [
    ("<<", RpmComparison::Less),
    (">>", RpmComparison::Greater),
    ("<=", RpmComparison::LessOrEqual),
    (">=", RpmComparison::GreaterOrEqual),
    ("<", RpmComparison::Less),
    (">", RpmComparison::Greater),
    ("=", RpmComparison::Equal),
];

/// Reads one relation of a recipe; `None` when it is none.
pub(crate) fn parse(text: &str) -> Option<Dependency> {
    let text = text.trim();
    if text.starts_with('(') {
        return is_rich(text).then(|| Dependency::any(text));
    }
    if !text.contains('|') {
        return parse_one(text);
    }
    let alternatives: Vec<String> = text.split('|').map(|one| parse_one(one).map(render)).collect::<Option<_>>()?;
    Some(Dependency::any(format!("({})", alternatives.join(" or "))))
}

/// Does the name of a relation hold a rich one?
pub(crate) fn is_rich_name(name: &str) -> bool {
    name.starts_with('(')
}

fn parse_one(text: &str) -> Option<Dependency> {
    let text = text.trim();
    // `name (>= 1)` is Debian's; in `python(abi)` the parentheses belong to the name.
    if let Some((name, constraint)) = text.split_once(" (") {
        let (sign, version) = comparison(constraint.strip_suffix(')')?)?;
        return versioned(name.trim(), sign, version);
    }
    let Some((name, rest)) = text.split_once(char::is_whitespace) else {
        return is_name(text).then(|| Dependency::any(without_qualifier(text)));
    };
    let (sign, version) = comparison(rest)?;
    versioned(name, sign, version)
}

fn comparison(text: &str) -> Option<(RpmComparison, &str)> {
    let text = text.trim();
    let (sign, comparison) = SIGNS.into_iter().find(|(sign, _)| text.starts_with(sign))?;
    Some((comparison, text[sign.len()..].trim()))
}

fn versioned(name: &str, comparison: RpmComparison, version: &str) -> Option<Dependency> {
    let is_version = version.starts_with(|first: char| first.is_ascii_alphanumeric())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-~^_:".contains(&byte));
    (is_name(name) && is_version).then(|| Dependency {
        name: without_qualifier(name).to_owned(),
        flags: comparison.flags(),
        version: version.to_owned(),
    })
}

/// Debian's `python3:any` means the same as `python3` where there is one architecture.
fn without_qualifier(name: &str) -> &str {
    name.strip_suffix(":any").unwrap_or(name)
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-/:()~^@[]".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/' || first == '_')
        && name.bytes().all(is_allowed)
        && is_balanced(name)
}

fn is_rich(text: &str) -> bool {
    text.ends_with(')') && is_balanced(text) && text.contains(' ') && !text.chars().any(char::is_control)
}

fn is_balanced(text: &str) -> bool {
    let mut depth = 0_u32;
    for byte in text.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return false,
            b')' => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

fn render(dependency: Dependency) -> String {
    let Dependency { name, flags, version } = dependency;
    if flags == DependencyFlags::ANY { name } else { format!("{name} {} {version}", flags.comparator_str()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        parse(text).map(render)
    }

    #[test]
    fn relations_in_debians_words_and_in_rpms_mean_the_same() {
        let table = [
            ("libpq5", "libpq5"),
            ("libpq5 (>= 15)", "libpq5 >= 15"),
            ("python3:any (<< 3.12)", "python3 < 3.12"),
            ("a1 (>> 1:2-3)", "a1 > 1:2-3"),
            ("postgresql-libs >= 15", "postgresql-libs >= 15"),
            ("python(abi) = 3.11", "python(abi) = 3.11"),
            ("python(abi) (= 3.11)", "python(abi) = 3.11"),
            ("libpq.so.5()(64bit)", "libpq.so.5()(64bit)"),
            ("/usr/bin/tool", "/usr/bin/tool"),
            ("runit | systemd (>= 250)", "(runit or systemd >= 250)"),
            ("(systemd or runit)", "(systemd or runit)"),
        ];
        for (text, expect) in table {
            assert_eq!(shown(text).as_deref(), Some(expect), "{text}");
        }
    }

    #[test]
    fn what_is_no_relation_is_refused() {
        let wrong =
            ["", "a b", "a (1)", "a (>= )", "a >= ", "a (>= 1", "a | ", "-a", "a >= 1 2", "(a", "(a)", "a)", "a\nb"];
        for text in wrong {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }
}
