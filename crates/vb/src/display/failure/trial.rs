//! How a failed test of a package is shown.

use vb_build::{TestFailure, TestedThing};

/// Says what was asked, what was expected, what came, and what the services said meanwhile.
pub(super) fn details(failure: &TestFailure) -> Vec<String> {
    let mut lines = vec![format!("  asked         {}", failure.asked)];
    lines.extend(beside("expected", &failure.expected));
    lines.extend(beside("found", &failure.found));
    for (whose, last) in &failure.logs {
        lines.push(format!("  last lines of the log of {whose}:"));
        lines.extend(last.iter().map(|line| format!("  | {line}")));
    }
    lines.push(format!("  whole log     {}", failure.log.display()));
    lines
}

/// Writes a text of one or more lines behind a word.
fn beside(word: &str, text: &str) -> Vec<String> {
    let begins = std::iter::once(word).chain(std::iter::repeat(""));
    text.lines().zip(begins).map(|(line, begin)| format!("  {begin:<13} {line}")).collect()
}

pub(super) fn help(failure: &TestFailure) -> String {
    match failure.thing {
        TestedThing::Check(_) => "mend the application, or what the check expects",
        TestedThing::Service(_) => "look at its log; files that it needs to come up can be given in `test_files`",
        TestedThing::Package(_) => "mend the scripts in `debian/` or `rpm/`, or what the package depends on",
    }
    .to_owned()
}
