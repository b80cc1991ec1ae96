//! Rust text without its comments, strings and unit tests, so that a search finds code alone.

/// Replaces each comment and literal by a space; line feeds stay.
pub(crate) fn without_text(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(char) = rest.chars().next() {
        let length = match char {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest),
            'r' | 'b' if !ends_in_word(&out) => literal(rest).unwrap_or(0),
            '\'' => character(rest).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            out.push(char);
            rest = &rest[char.len_utf8()..];
        } else {
            out.push(' ');
            out.extend(rest[..length].chars().filter(|char| *char == '\n'));
            rest = &rest[length..];
        }
    }
    out
}

/// Drops the unit tests at the bottom of a file.
pub(crate) fn without_unit_tests(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod ").next().unwrap_or(code)
}

/// Does code name a word or path, not as a part of a longer word?
pub(crate) fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(start, _)| {
        let after = code[start + word.len()..].chars().next();
        let goes_on = ends_in_word(word) && after.is_some_and(is_word);
        !goes_on && !ends_in_word(&code[..start])
    })
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(is_word)
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A literal with a prefix: `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `b'…'`.
fn literal(text: &str) -> Option<usize> {
    let prefix = text.len() - text.trim_start_matches(['b', 'r']).len();
    let body = &text[prefix..];
    if prefix > 2 {
        return None;
    }
    if text[..prefix].contains('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let inner = body[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
        return Some(prefix + hashes + 1 + length);
    }
    match body.chars().next()? {
        '"' => Some(prefix + quoted(body)),
        '\'' => Some(prefix + character(body)?),
        _ => None,
    }
}

/// A character, and not a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next()?;
        return chars.find(|(_, char)| *char == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|(_, char)| *char == '\'').map(|(at, _)| at + 1)
}

#[test]
fn a_search_sees_code_and_not_text() {
    let hidden = [
        "// secret",
        "/* a /* secret */ secret */",
        "\"secret\"",
        "\"a \\\" secret\"",
        "r#\"a \" secret\"#",
        "b\"secret\"",
        "br\"secret\"",
        "'\"'; // secret '\"'",
        "'\\''; \"secret\"",
        "b'\"'; \"secret\"",
    ];
    for source in hidden {
        assert!(!names(&without_text(source), "secret"), "{source}");
    }
    let visible =
        ["secret", "\"\" secret", "'a' + secret", "<'a>(secret", "r.secret", "/* */ secret // x", "for'\"'secret"];
    for source in visible {
        assert!(names(&without_text(source), "secret"), "{source}");
    }
}

#[test]
fn a_part_of_a_word_is_not_the_word() {
    assert!(!names("unsafe_code insecret secrets", "secret"));
    assert!(names("(secret)", "secret"));
    assert!(names("eprintln!(x)", "eprintln!"));
    assert!(!names("eprintln!(x)", "println!"));
}

#[test]
fn unit_tests_are_left_out_and_what_stands_before_them_is_not() {
    assert_eq!(without_unit_tests("fn a() {}\n#[cfg(test)]\nmod tests {}\n"), "fn a() {}\n");
    assert_eq!(without_unit_tests("#[cfg(test)]\nuse a;\nfn a() {}"), "#[cfg(test)]\nuse a;\nfn a() {}");
}
