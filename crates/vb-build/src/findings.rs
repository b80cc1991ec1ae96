//! What lintian and rpmlint print, as data. Both write `package: E: tag details`, each in its own order around it.
//!
//! lintian: `E: vrmd-whois: embedded-library libyaml [path]`, and behind the first of each tag its explanation, in lines
//! that begin with `N:   `. rpmlint: `vrmd-whois.x86_64: E: zero-length /path`, those of a tag together, and behind them
//! its explanation, which ends with an empty line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vb_graph::Checker;

/// What a checker found in one package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Each finding, in the order in which it was printed.
    pub findings: Vec<Finding>,
    /// The first sentence of what the checker says of a tag, by tag.
    pub explanations: BTreeMap<String, String>,
}

/// One thing that a checker found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The checker's word for it.
    pub tag: String,
    /// Where, and what; nothing where the tag says all.
    pub details: String,
}

impl Finding {
    /// Returns the installed path that it is about, without a slash at the front; none where it is about no file.
    ///
    /// lintian has it in brackets at the end, perhaps with a line (`[vrmd/a.py:3]`); rpmlint as the first word.
    pub fn path(&self) -> Option<&str> {
        let bracketed = self.details.strip_suffix(']').and_then(|details| {
            let (before, path) = details.rsplit_once('[')?;
            (before.is_empty() || before.ends_with(' ')).then_some(path)
        });
        let path = match bracketed {
            Some(path) => match path.rsplit_once(':') {
                Some((path, line)) if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) => path,
                _ => path,
            },
            None => self.details.split(' ').next().filter(|word| word.starts_with('/'))?,
        };
        Some(path.trim_matches('/'))
    }
}

/// How bad a checker finds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An `E:`.
    Error,
    /// A `W:`.
    Warning,
}

impl Severity {
    fn of(letter: &str) -> Option<Self> {
        match letter {
            "E" => Some(Self::Error),
            "W" => Some(Self::Warning),
            _ => None,
        }
    }

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Findings {
    /// Reads what a checker printed; lines that are neither a finding nor an explanation are passed over.
    pub fn parse(checker: Checker, text: &str) -> Self {
        let mut found = Self::default();
        // The tag that is being explained, and what is there of it.
        let mut explained: Option<(String, String)> = None;
        for line in text.lines() {
            if let Some(finding) = finding(checker, line) {
                found.explain(explained.take());
                explained = Some((finding.tag.clone(), String::new()));
                found.findings.push(finding);
            } else if let Some((_, explanation)) = &mut explained {
                match explanation_of(checker, line) {
                    Some(more) => {
                        explanation.push_str(if explanation.is_empty() { "" } else { " " });
                        explanation.push_str(more);
                    }
                    None if explanation.is_empty() => {}
                    None => found.explain(explained.take()),
                }
            }
        }
        found.explain(explained);
        found
    }

    fn explain(&mut self, explained: Option<(String, String)>) {
        let Some((tag, text)) = explained.filter(|(_, text)| !text.is_empty()) else { return };
        self.explanations.entry(tag).or_insert_with(|| first_sentence(&text).to_owned());
    }
}

/// Returns a text up to the first full stop that a capital letter follows: `e.g.` ends no sentence.
fn first_sentence(text: &str) -> &str {
    let is_end = |(index, _): &(usize, &str)| text[index + 2..].starts_with(char::is_uppercase);
    let end = text.match_indices(". ").find(is_end).map_or(text.len(), |(index, _)| index);
    text[..end].trim_end_matches('.')
}

fn finding(checker: Checker, line: &str) -> Option<Finding> {
    let (first, rest) = line.split_once(": ")?;
    let (second, rest) = rest.split_once(": ")?;
    let (letter, package) = match checker {
        Checker::Lintian => (first, second),
        Checker::Rpmlint => (second, first),
    };
    let severity = Severity::of(letter)?;
    let (tag, details) = rest.split_once(' ').unwrap_or((rest, ""));
    (!package.starts_with(' ')).then(|| Finding { severity, tag: tag.to_owned(), details: details.trim().to_owned() })
}

/// Returns the text of a line that is one of an explanation.
fn explanation_of(checker: Checker, line: &str) -> Option<&str> {
    let text = match checker {
        Checker::Lintian => line.strip_prefix("N:   ")?,
        // The last line of all sums up.
        Checker::Rpmlint if line.contains(" specfiles checked; ") => return None,
        Checker::Rpmlint => line,
    };
    Some(text.trim()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: &Findings) -> Vec<String> {
        let line = |finding: &Finding| format!("{:?} {} {}", finding.severity, finding.tag, finding.details);
        let explained = found.explanations.iter().map(|(tag, text)| format!("{tag}: {text}"));
        found.findings.iter().map(line).chain(explained).collect()
    }

    #[test]
    fn what_lintian_prints_is_read() {
        let text = "running with root privileges is not recommended!\n\
            N:\n\
            E: vrmd-whois: embedded-library libyaml [vrmd/_yaml.so]\n\
            N: \n\
            N:   The given ELF object appears to have been statically linked to a\n\
            N:   library. Doing this is discouraged.\n\
            N:   \n\
            N:   Please refer to the manual.\n\
            N: \n\
            N:   Visibility: error\n\
            N:\n\
            E: vrmd-whois: embedded-library zlib [vrmd/a: b.so]\n\
            N:\n\
            W: vrmd-whois: no-manual-page\n\
            N: 2 hints overridden\n\
            I: vrmd-whois: spelling\n";
        let expected = [
            "Error embedded-library libyaml [vrmd/_yaml.so]",
            "Error embedded-library zlib [vrmd/a: b.so]",
            "Warning no-manual-page ",
            "embedded-library: The given ELF object appears to have been statically linked to a library",
        ];
        assert_eq!(shown(&Findings::parse(Checker::Lintian, text)), expected);
    }

    #[test]
    fn the_path_of_a_finding_is_in_brackets_or_its_first_word() {
        let path = |details: &str| {
            let finding = Finding { severity: Severity::Error, tag: "tag".to_owned(), details: details.to_owned() };
            finding.path().map(str::to_owned)
        };
        let expected = [
            ("libyaml [vrmd/a b.so]", Some("vrmd/a b.so")),
            ("[vrmd/]", Some("vrmd")),
            ("python3 [vrmd/a.py:12]", Some("vrmd/a.py")),
            ("[vrmd/a:b]", Some("vrmd/a:b")),
            ("/vrmd/bin/python /usr/bin/python3", Some("vrmd/bin/python")),
            ("1.0-1", None),
            ("", None),
        ];
        for (details, found) in expected {
            assert_eq!(path(details).as_deref(), found, "{details}");
        }
    }

    #[test]
    fn what_rpmlint_prints_is_read() {
        let text = "==== rpmlint session starts ====\n\
            rpmlint: 2.4.0\n\
            configuration:\n    /usr/lib/configdefaults.toml\n\
            checks: 26, packages: 1\n\n\
            vrmd-whois.x86_64: E: zero-length /vrmd/a\n\
            vrmd-whois.x86_64: W: no-url-tag\n\
            The tag is missing, e.g. since nobody set it. Set it.\n\n\
            vrmd-whois.x86_64: W: dangerous-command-in-%pre install\n \
            1 packages and 0 specfiles checked; 1 errors, 2 warnings, 1 badness; has taken 3.9 s\n";
        let expected = [
            "Error zero-length /vrmd/a",
            "Warning no-url-tag ",
            "Warning dangerous-command-in-%pre install",
            "no-url-tag: The tag is missing, e.g. since nobody set it",
        ];
        assert_eq!(shown(&Findings::parse(Checker::Rpmlint, text)), expected);
    }
}
