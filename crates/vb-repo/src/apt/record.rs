//! A `.deb` to the paragraph that `Packages` has of it.

use std::path::{Path, PathBuf};

use vb_graph::Sha256;
use vb_package::{DebEntryKind, DebMetadata, ReadDebError, read_deb, read_deb_control};

use crate::record::{AttachmentId, Format, Record, RecordKey};

/// The attachment that lists a package's files, a line each, sorted, without the leading `/`.
pub(crate) const CONTENTS: &str = "contents";

/// A `.deb` cannot be in an index.
#[derive(Debug, thiserror::Error)]
pub enum DebRecordError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadDebError),
    /// A field that every package has is absent, or cannot be part of a path.
    #[error("`{path}` has no proper `{field}`")]
    Field {
        /// The package.
        path: PathBuf,
        /// The field.
        field: &'static str,
    },
}

/// What the caller found out about a package's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) added: u64,
}

/// Makes the record of a package; with its list of files where one is asked for.
pub(crate) fn deb_record(
    path: &Path,
    facts: Facts,
    has_contents: bool,
) -> Result<(Record, Option<String>), DebRecordError> {
    let metadata = if has_contents { read_deb(path)? } else { read_deb_control(path)? };
    let field = |name: &'static str, marks: &[u8]| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
        let value = metadata.field(name).filter(|value| {
            value.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) && value.bytes().all(is_part)
        });
        value.map(str::to_owned).ok_or_else(|| DebRecordError::Field { path: path.to_owned(), field: name })
    };
    let key = RecordKey {
        name: field("Package", b"+-.")?,
        version: field("Version", b"+-.~:")?,
        architecture: field("Architecture", b"-")?,
    };
    let without_epoch = key.version.split_once(':').map_or(key.version.as_str(), |(_, rest)| rest);
    let file_name = format!("{}_{without_epoch}_{}.deb", key.name, key.architecture);
    let pool_path = Record::pool_path(&key.name, &facts.sha256, &file_name);
    let contents = has_contents.then(|| contents(&metadata));
    let attachments = contents.as_ref().map(|text| (CONTENTS.to_owned(), AttachmentId::of(text.as_bytes())));
    let record = Record {
        text: paragraph(&metadata, &pool_path, facts),
        key,
        format: Format::Deb,
        path: pool_path,
        size: facts.size,
        sha256: facts.sha256,
        added: facts.added,
        attachments: attachments.into_iter().collect(),
        notes: [].into(),
    };
    Ok((record, contents))
}

/// The fields of the control file as they are, and where the package is.
fn paragraph(metadata: &DebMetadata, pool_path: &str, facts: Facts) -> String {
    let is_own = |name: &str| ["Filename", "Size", "SHA256"].iter().any(|own| own.eq_ignore_ascii_case(name));
    let mut text = String::new();
    for field in metadata.control.iter().filter(|field| !is_own(&field.name)) {
        let space = if field.value.is_empty() || field.value.starts_with('\n') { "" } else { " " };
        text.push_str(&format!("{}:{space}{}\n", field.name, field.value));
    }
    text.push_str(&format!("Filename: {pool_path}\nSize: {}\nSHA256: {}\n", facts.size, facts.sha256));
    // Tens of thousands of records may be in memory.
    text.shrink_to_fit();
    text
}

fn contents(metadata: &DebMetadata) -> String {
    let files = metadata.entries.iter().filter(|entry| entry.kind != DebEntryKind::Directory);
    let mut paths: Vec<&str> = files.map(|entry| entry.path.trim_start_matches("./").trim_start_matches('/')).collect();
    paths.sort_unstable();
    paths.iter().map(|path| format!("{path}\n")).collect()
}
