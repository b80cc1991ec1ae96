//! What is answered to conditions and ranges (RFC 9110, sections 13 and 14).

use std::time::{Duration, SystemTime};

/// What a request asks beside the name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conditions<'a> {
    pub(super) none_match: Option<&'a str>,
    pub(super) modified_since: Option<&'a str>,
    pub(super) range: Option<&'a str>,
    pub(super) if_range: Option<&'a str>,
}

/// How a request for an object that is there is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 200.
    Whole,
    /// 206.
    Part {
        /// The first byte.
        from: u64,
        /// How many, never none.
        length: u64,
    },
    /// 304.
    NotModified,
    /// 416.
    Unsatisfiable,
}

/// Decides the answer for an object with an entity tag, a time and a size.
pub(super) fn answer(conditions: &Conditions<'_>, tag: &str, modified: SystemTime, size: u64) -> Answer {
    let is_known = match (conditions.none_match, conditions.modified_since) {
        (Some(tags), _) => tags.split(',').map(str::trim).any(|own| own == "*" || own.trim_start_matches("W/") == tag),
        (None, Some(date)) => is_not_after(modified, date),
        (None, None) => false,
    };
    if is_known {
        return Answer::NotModified;
    }
    let is_same = conditions.if_range.is_none_or(|same| same == tag || is_not_after(modified, same));
    match conditions.range.filter(|_| is_same).and_then(single_range) {
        Some(range) => part(range, size),
        None => Answer::Whole,
    }
}

/// HTTP dates have whole seconds.
fn is_not_after(modified: SystemTime, date: &str) -> bool {
    httpdate::parse_http_date(date).is_ok_and(|date| modified < date + Duration::from_secs(1))
}

/// First and last byte, or nothing and how many of the last ones. Several ranges are answered as none.
fn single_range(range: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| if text.is_empty() { Some(None) } else { text.trim().parse().ok().map(Some) };
    Some((number(first)?, number(last)?)).filter(|range| *range != (None, None))
}

fn part(range: (Option<u64>, Option<u64>), size: u64) -> Answer {
    let (from, end) = match range {
        (Some(first), last) => (first, last.map_or(size, |last| last.saturating_add(1).min(size))),
        (None, last) => (size.saturating_sub(last.unwrap_or(0)), size),
    };
    if from < end { Answer::Part { from, length: end - from } } else { Answer::Unsatisfiable }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"a-64\"";
    const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
    const AT: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

    fn check(conditions: Conditions<'_>) -> Answer {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        answer(&conditions, TAG, modified, 100)
    }

    #[test]
    fn ranges_are_cut_to_the_size() {
        for (range, expect) in [
            ("bytes=0-", Answer::Part { from: 0, length: 100 }),
            ("bytes=10-19", Answer::Part { from: 10, length: 10 }),
            ("bytes=90-1000", Answer::Part { from: 90, length: 10 }),
            ("bytes=-30", Answer::Part { from: 70, length: 30 }),
            ("bytes=-300", Answer::Part { from: 0, length: 100 }),
            ("bytes=100-", Answer::Unsatisfiable),
            ("bytes=-0", Answer::Unsatisfiable),
            ("bytes=1-2,4-5", Answer::Whole),
            ("bytes=-", Answer::Whole),
            ("lines=1-2", Answer::Whole),
        ] {
            assert_eq!(check(Conditions { range: Some(range), ..Conditions::default() }), expect, "{range}");
        }
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let none_match =
            |tags| check(Conditions { none_match: Some(tags), modified_since: Some(AT), ..Conditions::default() });
        assert_eq!(none_match("\"x\", W/\"a-64\""), Answer::NotModified);
        assert_eq!(none_match("\"x\""), Answer::Whole);
        let since = |date| check(Conditions { modified_since: Some(date), ..Conditions::default() });
        assert_eq!(since(AT), Answer::NotModified);
        assert_eq!(since(BEFORE), Answer::Whole);
        assert_eq!(since("soon"), Answer::Whole);
    }

    #[test]
    fn a_part_of_something_else_is_not_sent() {
        let if_range =
            |same| check(Conditions { range: Some("bytes=50-"), if_range: Some(same), ..Conditions::default() });
        assert_eq!(if_range(TAG), Answer::Part { from: 50, length: 50 });
        assert_eq!(if_range(AT), Answer::Part { from: 50, length: 50 });
        assert_eq!(if_range(BEFORE), Answer::Whole);
        assert_eq!(if_range("\"x\""), Answer::Whole);
    }
}
