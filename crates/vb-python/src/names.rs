//! Names of Python projects and how they compare.

/// Normalises a project name (PEP 503): lower case, each run of `-`, `_` and `.` as one `-`.
pub fn normalize_name(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    for character in name.trim().chars() {
        match character {
            '-' | '_' | '.' if normalized.ends_with('-') => {}
            '-' | '_' | '.' => normalized.push('-'),
            _ => normalized.push(character.to_ascii_lowercase()),
        }
    }
    normalized
}

/// Do two spellings of a version, as they occur in file and directory names, mean the same text?
///
/// File names write `-` as `_` and may differ in case; nothing else of PEP 440's normalisation is undone.
pub(crate) fn is_same_version(one: &str, other: &str) -> bool {
    let escape = |version: &str| version.to_ascii_lowercase().replace('-', "_");
    escape(one) == escape(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_as_pep_503_says() {
        for (name, expect) in [
            ("friendly-bard", "friendly-bard"),
            ("FRIENDLY-BARD", "friendly-bard"),
            ("friendly.bard", "friendly-bard"),
            ("friendly_bard", "friendly-bard"),
            ("FrIeNdLy-._.-bArD", "friendly-bard"),
        ] {
            assert_eq!(normalize_name(name), expect);
        }
    }

    #[test]
    fn versions_compare_without_case_and_escapes() {
        assert!(is_same_version("1.0+Local_1", "1.0+local-1"));
        assert!(!is_same_version("1.0", "1.0.0"));
    }
}
