//! `entry_points.txt`: which scripts a distribution wants to be generated (PyPA's "entry points specification").

use crate::ini::{self, IniError};

/// A script of a distribution: calls an object of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryPoint {
    pub(crate) name: String,
    pub(crate) module: String,
    pub(crate) object: String,
}

/// A distribution's `entry_points.txt` cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum EntryPointError {
    /// It is not an INI file.
    #[error("cannot read `entry_points.txt`")]
    Ini(#[source] IniError),
    /// A script's name is no file name, or what it calls is not `module:object`.
    #[error("the script `{name}` of `entry_points.txt` cannot call `{reference}`")]
    Reference {
        /// The script's name.
        name: String,
        /// What it should call.
        reference: String,
    },
}

/// Reads the console and GUI scripts. On Linux there is no difference between the two.
pub(crate) fn parse_scripts(text: &str) -> Result<Vec<EntryPoint>, EntryPointError> {
    let entries = ini::parse(text, &['=']).map_err(EntryPointError::Ini)?;
    entries
        .into_iter()
        .filter(|entry| matches!(entry.section.trim(), "console_scripts" | "gui_scripts"))
        .map(|entry| {
            let error = || EntryPointError::Reference { name: entry.key.clone(), reference: entry.value.clone() };
            entry_point(&entry.key, &entry.value).ok_or_else(error)
        })
        .collect()
}

fn entry_point(name: &str, reference: &str) -> Option<EntryPoint> {
    // Extras in brackets are deprecated and change nothing about the call.
    let call = reference.split('[').next()?;
    let (module, object) = call.split_once(':')?;
    let (module, object) = (module.trim(), object.trim());
    let is_file_name = !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..";
    (is_file_name && is_dotted_name(module) && is_dotted_name(object)).then(|| EntryPoint {
        name: name.to_owned(),
        module: module.to_owned(),
        object: object.to_owned(),
    })
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|part| {
        let mut characters = part.chars();
        characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
            && characters.all(|character| character == '_' || character.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_and_gui_scripts_are_read() {
        let text = "[console_scripts]\n# note\nflask = flask.cli:main\na.b = m:Class.call [extra]\n\
                    [other]\nx = y\n[gui_scripts]\ng=m:f\n";
        let scripts: Vec<_> = parse_scripts(text)
            .unwrap()
            .into_iter()
            .map(|script| (script.name, script.module, script.object))
            .collect();
        let expect = [("flask", "flask.cli", "main"), ("a.b", "m", "Class.call"), ("g", "m", "f")]
            .map(|(name, module, object)| (name.to_owned(), module.to_owned(), object.to_owned()));
        assert_eq!(scripts, expect);
    }

    #[test]
    fn names_and_references_that_could_do_something_else_are_refused() {
        for line in ["../x = m:f", "x = m", "x = m:", "x = m:f();import os", "x = 1m:f", ". = m:f", "x = m..n:f"] {
            let error = parse_scripts(&format!("[console_scripts]\n{line}\n")).unwrap_err();
            assert!(matches!(error, EntryPointError::Reference { .. }), "{line}");
        }
        assert!(matches!(parse_scripts("x = m:f"), Err(EntryPointError::Ini(_))));
    }
}
