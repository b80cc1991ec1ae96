//! Shell functions of made scripts: each script has those that it calls and no others, so that nobody, and no checker,
//! reads in it what is not done.
//!
//! Invariant of `shell/`: a function or a variable, with its comment, is a paragraph, and no empty line is in it.

use std::collections::BTreeSet;

/// How a name begins that is made while the script runs: it may be that of any function of a manager.
const MADE_NAME: &str = "\"vb_$";

/// Returns those paragraphs, in their order, that `calls` or what it calls needs.
pub(super) fn needed(calls: &str, common: &[&str], managers: &[&str]) -> String {
    let all: Vec<Paragraph<'_>> = paragraphs(common, false).chain(paragraphs(managers, true)).collect();
    let mut kept = BTreeSet::new();
    let mut texts = vec![calls];
    while let Some(text) = texts.pop() {
        for (index, paragraph) in all.iter().enumerate() {
            if paragraph.is_called_in(text) && kept.insert(index) {
                texts.push(paragraph.text);
            }
        }
    }
    kept.into_iter().flat_map(|index| [all[index].text, "\n\n"]).collect()
}

struct Paragraph<'a> {
    text: &'a str,
    name: &'a str,
    is_of_manager: bool,
}

fn paragraphs<'a>(texts: &'a [&str], is_of_manager: bool) -> impl Iterator<Item = Paragraph<'a>> {
    texts.iter().flat_map(|text| text.trim_end().split("\n\n")).map(move |text| {
        let first = text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
        Paragraph { text, name: first.split(['(', '=']).next().unwrap_or_default(), is_of_manager }
    })
}

impl Paragraph<'_> {
    fn is_called_in(&self, text: &str) -> bool {
        let is_of_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let is_named = text.split(|char| !is_of_name(char)).any(|word| word == self.name);
        is_named || self.is_of_manager && text.contains(MADE_NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_is_there_with_what_it_calls_and_nothing_else() {
        let common = "# Where.\nstate=/run\n\nsay() {\n    echo\n}\n\nact() {\n    \"vb_${1}_stop\" || say $state\n}\n\nuser() {\n    adduser\n}\n";
        let manager = "vb_a_stop() {\n    kill\n}\n\nvb_a_start() {\n    say\n}\n";
        let names = |calls: &str| {
            let text = needed(calls, &[common], &[manager]);
            ["state=", "say()", "act()", "user()", "vb_a_stop()", "vb_a_start()"].map(|name| text.contains(name))
        };
        assert_eq!(names("act a\n"), [true, true, true, false, true, true]);
        assert_eq!(names("vb_a_start"), [false, true, false, false, false, true]);
        assert_eq!(names("users\n"), [false; 6]);
    }
}
