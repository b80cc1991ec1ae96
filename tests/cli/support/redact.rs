//! What differs from run to run, replaced by what it is, so that output can be compared literally.

use super::env::TestEnv;

/// Replaces paths of the environment, digests and durations.
pub(crate) fn redact(env: &TestEnv, text: &str) -> String {
    let mut text = text.to_owned();
    for (path, name) in [
        (env.workspace(), "[WORKSPACE]"),
        (env.store().to_owned(), "[STORE]"),
        (env.directory().to_owned(), "[DIRECTORY]"),
    ] {
        text = text.replace(&*path.to_string_lossy(), name);
    }
    text.split_inclusive('\n').map(redact_line).collect()
}

fn redact_line(line: &str) -> String {
    let mut redacted = String::new();
    let mut word = String::new();
    for character in line.chars() {
        if character.is_ascii_hexdigit() {
            word.push(character);
            continue;
        }
        push_word(&mut redacted, &mut word);
        redacted.push(character);
    }
    push_word(&mut redacted, &mut word);
    redact_durations(&redacted)
}

/// A word of 12, 40, 62 or 64 hexadecimal digits is a digest, or what is left of one in a path of the store.
fn push_word(redacted: &mut String, word: &mut String) {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    if has_digit && matches!(word.len(), 12 | 40 | 62 | 64) {
        redacted.push_str("[DIGEST]");
    } else {
        redacted.push_str(word);
    }
    word.clear();
}

fn redact_durations(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut redacted = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let next = words.get(index + 1).map(|next| next.trim_end()).unwrap_or_default();
        let number = word.trim_start_matches('(');
        let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        if is_number && matches!(next, "ms" | "s" | "ms)" | "s)") {
            redacted.push(word.replace(number, "[TIME]"));
        } else {
            redacted.push((*word).to_owned());
        }
    }
    redacted.join(" ")
}
