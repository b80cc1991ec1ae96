//! The INI dialect of Python's `configparser`, as `pip.conf` and `entry_points.txt` use it.
//!
//! Section headers in brackets, `key = value` lines, values continued by indented lines, whole-line comments.
//! Must not be here: interpolation, defaults sections, inline comments (neither file has them).

/// One `key = value` of a section, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) section: String,
    pub(crate) key: String,
    /// The value; continuation lines are joined by a line feed.
    pub(crate) value: String,
}

/// A line that is neither a section, nor an entry, nor a continuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is neither a section nor a `key = value`")]
pub struct IniError {
    /// The line's number, from 1.
    pub line: usize,
}

/// Reads the entries of a file whose keys end at the first of `delimiters`.
pub(crate) fn parse(text: &str, delimiters: &[char]) -> Result<Vec<Entry>, IniError> {
    let mut section = None;
    let mut entries: Vec<Entry> = Vec::new();
    let mut can_continue = false;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let error = IniError { line: index + 1 };
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) && can_continue {
            let entry = entries.last_mut().ok_or(error)?;
            entry.value.push('\n');
            entry.value.push_str(content);
        } else if let Some(name) = content.strip_prefix('[') {
            section = Some(name.strip_suffix(']').ok_or(error)?.to_owned());
            can_continue = false;
        } else {
            let (key, value) = content.split_once(delimiters).ok_or(error)?;
            let section = section.clone().ok_or(error)?;
            entries.push(Entry { section, key: key.trim().to_owned(), value: value.trim().to_owned() });
            can_continue = true;
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_lines_belong_to_the_entry_above() {
        let entries = parse("[global]\n# note\nfind-links =\n  /a\n  /b\nindex-url: x=y\n", &['=', ':']).unwrap();
        let values: Vec<_> = entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
        assert_eq!(values, [("find-links", "\n/a\n/b"), ("index-url", "x=y")]);
    }

    #[test]
    fn a_line_without_a_section_or_a_delimiter_is_refused() {
        assert_eq!(parse("key = 1\n", &['=']), Err(IniError { line: 1 }));
        assert_eq!(parse("[a]\n\nword\n", &['=']), Err(IniError { line: 3 }));
        assert_eq!(parse("[a\n", &['=']), Err(IniError { line: 1 }));
    }
}
