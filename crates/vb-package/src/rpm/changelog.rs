//! The changelog of a Debian source (deb-changelog(5)), as rpm has it.

use chrono::DateTime;

use super::{read::RpmChange, version::RpmVersion};

/// Reads the entries of a changelog, the newest first. An entry without a readable date has no place in rpm's and is
/// left out.
pub(crate) fn parse(text: &str) -> Vec<RpmChange> {
    let (mut changes, mut version, mut lines) = (Vec::new(), None, Vec::new());
    for line in text.lines() {
        if let Some(trailer) = line.strip_prefix(" -- ") {
            let change = version.take().and_then(|version| change(version, &lines, trailer));
            changes.extend(change);
            lines.clear();
        } else if line.starts_with(' ') || line.trim().is_empty() {
            lines.push(line);
        } else {
            version = header_version(line);
            lines.clear();
        }
    }
    changes.sort_by_key(|change: &RpmChange| std::cmp::Reverse(change.time));
    changes
}

fn header_version(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" (")?;
    let (version, _) = rest.split_once(')')?;
    (!version.is_empty()).then_some(version)
}

fn change(version: &str, lines: &[&str], trailer: &str) -> Option<RpmChange> {
    let (author, date) = trailer.split_once("  ")?;
    let time = DateTime::parse_from_rfc2822(date.trim()).ok()?.timestamp();
    // Nobody compares the versions of old entries, so that one may be there as it is.
    let version = RpmVersion::of_debian(version).map_or_else(|_| version.to_owned(), |version| version.to_string());
    Some(RpmChange { time: time.try_into().ok()?, author: format!("{author} - {version}"), text: item_text(lines) })
}

/// The two spaces before each line are the format's; a `*` is a `-` in rpm's world.
fn item_text(lines: &[&str]) -> String {
    let of_line = |line: &&str| {
        let line = line.strip_prefix("  ").unwrap_or(line).trim_end();
        line.strip_prefix("* ").map_or_else(|| line.to_owned(), |item| format!("- {item}"))
    };
    lines.iter().map(of_line).collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_with_time_author_and_text() {
        let text = "vrmd-whois (1:1.0.1-2) bookworm; urgency=medium\n\n  * Other words.\n    And more.\n  * Second.\n\n \
                    -- Ops <ops@example.org>  Sat, 21 Nov 2026 12:00:00 +0100\n\n\
                    vrmd-whois (1.0.0) bookworm; urgency=low\n\n  * First.\n\n \
                    -- Ops <ops@example.org>  Fri, 20 Nov 2026 12:00:00 +0000\n";
        let change = |time, version: &str, text: &str| RpmChange {
            time,
            author: format!("Ops <ops@example.org> - {version}"),
            text: text.to_owned(),
        };
        let expect = [
            change(1_795_258_800, "1:1.0.1-1.2", "- Other words.\n  And more.\n- Second."),
            change(1_795_176_000, "1.0.0-1", "- First."),
        ];
        assert_eq!(parse(text), expect);
    }

    #[test]
    fn an_entry_without_a_date_is_left_out() {
        for text in
            ["", "a (1) x; urgency=low\n\n  * Change.\n", "a (1) x; urgency=low\n\n  * C.\n\n -- A <a@b>  soon\n"]
        {
            assert_eq!(parse(text), []);
        }
    }
}
