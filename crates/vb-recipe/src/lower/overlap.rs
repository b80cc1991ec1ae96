//! Can two patterns name one file? Answered without any file: in doubt, they can.
//!
//! A wrong yes makes one step wait for another that it does not need, and costs nothing else, because what it reads of
//! the other is then empty and always the same.

use std::iter;

use vb_graph::Pattern;

/// Can one path match a pattern of each list?
pub(super) fn overlap(one: &[Pattern], other: &[Pattern]) -> bool {
    one.iter().any(|one| other.iter().any(|other| patterns_overlap(one, other)))
}

fn patterns_overlap(one: &Pattern, other: &Pattern) -> bool {
    forms(one).iter().any(|one| forms(other).iter().any(|other| components_overlap(one, other)))
}

/// Returns the globs that a pattern stands for, by component.
fn forms(pattern: &Pattern) -> Vec<Vec<&str>> {
    match pattern {
        Pattern::Name(name) => vec![iter::once("**").chain(name.split('/')).collect()],
        Pattern::Glob(glob) if pattern.may_name_directory() => {
            vec![glob.split('/').collect(), glob.split('/').chain(iter::once("**")).collect()]
        }
        Pattern::Glob(glob) => vec![glob.split('/').collect()],
    }
}

fn components_overlap(one: &[&str], other: &[&str]) -> bool {
    match (one, other) {
        ([], []) => true,
        (["**", rest @ ..], all) | (all, ["**", rest @ ..]) => {
            components_overlap(rest, all)
                || all.split_first().is_some_and(|(_, below)| {
                    // `**` stands for this component and perhaps for more.
                    components_overlap(&[&["**"], rest].concat(), below)
                })
        }
        ([first, one @ ..], [second, other @ ..]) => names_overlap(first, second) && components_overlap(one, other),
        _ => false,
    }
}

/// Can one name match both? Compared are the texts before the first and behind the last wildcard.
fn names_overlap(one: &str, other: &str) -> bool {
    let is_wild = |char: char| "*?[{".contains(char);
    let ends = |text: &str| {
        let start = text.find(is_wild);
        let end = text.rfind(|char: char| "*?]}".contains(char)).map(|at| at + 1);
        match (start, end) {
            (Some(start), Some(end)) if end > start => (text[..start].to_owned(), text[end..].to_owned()),
            _ => (text.to_owned(), text.to_owned()),
        }
    };
    if !one.contains(is_wild) && !other.contains(is_wild) {
        return one == other;
    }
    let ((start, end), (other_start, other_end)) = (ends(one), ends(other));
    let begin_alike = start.starts_with(&other_start) || other_start.starts_with(&start);
    let end_alike = end.ends_with(&other_end) || other_end.ends_with(&end);
    begin_alike && end_alike
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &Pattern, other: &Pattern, expected: bool) {
        for (one, other) in [(one, other), (other, one)] {
            assert_eq!(overlap(std::slice::from_ref(one), std::slice::from_ref(other)), expected, "{one:?} {other:?}");
        }
    }

    fn glob(text: &str) -> Pattern {
        Pattern::Glob(text.to_owned())
    }

    fn name(text: &str) -> Pattern {
        Pattern::Name(text.to_owned())
    }

    #[test]
    fn names_overlap_when_one_is_the_end_of_the_other() {
        check(&name("style.css"), &name("style.css"), true);
        check(&name("style.css"), &name("css/style.css"), true);
        check(&name("style.css"), &name("css/astyle.css"), false);
        check(&name("a/style.css"), &name("b/style.css"), false);
    }

    #[test]
    fn globs_overlap_with_what_they_can_match() {
        check(&glob("**/*.less"), &name("style.css"), false);
        check(&glob("**/*.css"), &name("style.css"), true);
        check(&glob("**/static/**"), &name("style.css"), true);
        check(&glob("**/settings*.py"), &name("settings_local.py"), true);
        check(&glob("**/settings*.py"), &name("style.css"), false);
        check(&glob("docs/*.css"), &name("static/style.css"), false);
        check(&glob("**/LC_MESSAGES/*.po"), &glob("**/*.mo"), false);
        check(&glob("**"), &glob("**/*.po"), true);
        check(&glob("a/**/b.css"), &glob("a/x/y/b.css"), true);
        check(&glob("a/**/b.css"), &glob("a/x/y/c.css"), false);
    }

    #[test]
    fn a_directory_overlaps_with_everything_below_it() {
        check(&glob("dist"), &glob("dist/app.js"), true);
        check(&glob("dist"), &glob("dist/**/*.js"), true);
        check(&glob("dist"), &glob("src/**"), false);
    }

    #[test]
    fn alternatives_are_taken_for_anything() {
        check(&glob("*.{css,js}"), &glob("a.css"), true);
        check(&glob("[ab].css"), &glob("a.css"), true);
    }
}
