//! Where evaluated values were written: field path to file and byte range.
//!
//! Positions ride beside the values, never inside them, so that two recipes that say the same are equal.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use vb_graph::BlobDigest;

/// An evaluated file: its value, where each field was written, and what was read for it.
#[derive(Clone, Debug)]
pub struct Evaluated<T> {
    /// What the file says.
    pub value: T,
    /// Where it says so.
    pub positions: Positions,
    /// The file itself, then what it imports, directly or not, by path.
    pub files: Vec<SourceFile>,
}

/// One file that was read for an evaluation.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its path as it is shown: relative to the workspace's root where it is inside.
    pub shown: String,
    /// The digest of its bytes.
    pub digest: BlobDigest,
    /// Its bytes, which are UTF-8.
    pub text: Arc<str>,
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFile").field("path", &self.path).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Where a value was written. Equal when file and bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which of [`Evaluated::files`] it is in.
    pub file: usize,
    /// Its bytes in that file.
    pub range: Range<usize>,
}

/// Where each field of a value was written, by field path: `overrides.trixie.python`, `platforms[0]`.
///
/// Fields that come from a contract's default have no position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions(BTreeMap<String, FieldPosition>);

/// Where a field's key and value were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FieldPosition {
    pub(crate) key: Option<Position>,
    pub(crate) value: Option<Position>,
}

impl Positions {
    pub(crate) fn insert(&mut self, path: String, position: FieldPosition) {
        let known = self.0.entry(path).or_default();
        known.key = known.key.take().or(position.key);
        known.value = known.value.take().or(position.value);
    }

    /// Returns where the value of a field was written; where that is not known, its key.
    pub fn value(&self, field: &str) -> Option<&Position> {
        let known = self.0.get(field)?;
        known.value.as_ref().or(known.key.as_ref())
    }

    /// Returns where the key of a field was written; where that is not known, its value.
    pub fn key(&self, field: &str) -> Option<&Position> {
        let known = self.0.get(field)?;
        known.key.as_ref().or(known.value.as_ref())
    }
}

impl<T> Evaluated<T> {
    /// Returns the path of the evaluated file itself.
    pub fn path(&self) -> &Path {
        &self.files[0].path
    }

    /// Returns where the value of a field was written, or the nearest record around it, or else the file.
    pub fn position(&self, field: &str) -> Position {
        let mut field = field;
        loop {
            if let Some(position) = self.positions.value(field) {
                return position.clone();
            }
            match field.rfind(['.', '[']) {
                Some(end) => field = &field[..end],
                None => return self.start(),
            }
        }
    }

    /// Returns where the outermost record begins.
    fn start(&self) -> Position {
        let root = self.positions.value("").filter(|position| !position.range.is_empty());
        root.map_or(Position { file: 0, range: 0..0 }, |position| {
            let start = position.range.start;
            Position { file: position.file, range: start..start + 1 }
        })
    }

    /// Names the place where a field was written, in the form `recipes/whois.ncl:4`.
    pub fn place(&self, field: &str) -> String {
        let position = self.position(field);
        let file = &self.files[position.file];
        format!("{}:{}", file.shown, line_number(&file.text, position.range.start))
    }
}

/// Returns the number of the line, counted from 1, that a byte is in.
pub(crate) fn line_number(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated() -> Evaluated<()> {
        let text = "{\n  name = \"x\",\n}";
        let mut positions = Positions::default();
        positions.insert(
            "overrides".to_owned(),
            FieldPosition { key: None, value: Some(Position { file: 0, range: 4..8 }) },
        );
        let file = SourceFile {
            path: PathBuf::from("/w/recipes/x.ncl"),
            shown: "recipes/x.ncl".to_owned(),
            digest: BlobDigest::of(text.as_bytes()),
            text: Arc::from(text),
        };
        Evaluated { value: (), positions, files: vec![file] }
    }

    #[test]
    fn a_place_is_the_file_and_the_line_counted_from_one() {
        assert_eq!(evaluated().place("overrides"), "recipes/x.ncl:2");
    }

    #[test]
    fn a_field_without_position_is_where_the_record_around_it_is() {
        assert_eq!(evaluated().position("overrides.trixie.run_deps[3]").range, 4..8);
        assert_eq!(evaluated().position("requirements").range, 0..0);
    }

    #[test]
    fn a_field_from_a_default_is_where_the_record_begins() {
        let mut evaluated = evaluated();
        let root = FieldPosition { key: None, value: Some(Position { file: 0, range: 0..17 }) };
        evaluated.positions.insert(String::new(), root);
        assert_eq!(evaluated.position("requirements").range, 0..1);
    }
}
