//! An `.rpm` to its record.

use std::path::{Path, PathBuf};

use vb_graph::Sha256;
use vb_package::{ReadRpmError, RpmMetadata};

use super::{
    fragment::{PooledFile, fragments},
    index::IndexKind,
};
use crate::{
    piece::{StateError, load_attachment},
    record::{AttachmentId, Format, Record, RecordKey},
    storage::Storage,
};

/// Longer lists of files are not in the record, so that chunks stay small.
const LARGEST_LISTS: usize = 4096;
/// How the elements of `filelists.xml` and `other.xml` begin. No text holds it, since `<` is escaped there.
const LIST: &str = "<package pkgid=";

/// An `.rpm` cannot be in an index.
#[derive(Debug, thiserror::Error)]
pub enum RpmRecordError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadRpmError),
    /// What every package has cannot be part of a path.
    #[error("`{path}` has no proper {what}")]
    Name {
        /// The package.
        path: PathBuf,
        /// What is not proper: `name`, `version`.
        what: &'static str,
    },
}

/// A record, and what is stored beside it.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) record: Record,
    pub(crate) attachments: Vec<(AttachmentId, String)>,
}

/// Makes the record of a package, whose file has this digest and size.
///
/// # Errors
/// [`RpmRecordError::Name`] when the package has a name that cannot be part of a path.
pub(crate) fn rpm_record(
    path: &Path,
    package: &RpmMetadata,
    sha256: Sha256,
    size: u64,
    added: u64,
) -> Result<Described, RpmRecordError> {
    let part = |text: &str, what, marks: &[u8]| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
        let is_name = text.bytes().next().is_some_and(|first| first != b'.') && text.bytes().all(is_part);
        if is_name { Ok(()) } else { Err(RpmRecordError::Name { path: path.to_owned(), what }) }
    };
    part(&package.name, "name", b"._+-")?;
    part(&package.version, "version", b"._+~^")?;
    part(&package.release, "release", b"._+~^")?;
    part(&package.architecture, "architecture", b"_")?;
    let architecture = if package.is_source { "src" } else { &package.architecture };
    let key = RecordKey { name: package.name.clone(), version: package.evr(), architecture: architecture.to_owned() };
    let pool_path = Record::pool_path(&package.name, &sha256, &package.file_name());
    // From `rpm/<suite>/<architecture>`.
    let href = format!("../../../{pool_path}");
    let parts = fragments(package, PooledFile { sha256: &sha256.to_string(), size, href: &href });
    let mut text = parts.primary;
    let mut attachments = Vec::new();
    if parts.filelists.len() + parts.other.len() <= LARGEST_LISTS {
        text = [text, parts.filelists, parts.other].concat();
    } else {
        for (kind, list) in [(IndexKind::Filelists, parts.filelists), (IndexKind::Other, parts.other)] {
            attachments.push((kind, AttachmentId::of(list.as_bytes()), list));
        }
    }
    // Tens of thousands of records may be in memory.
    text.shrink_to_fit();
    let named = attachments.iter().map(|(kind, id, _)| (kind.as_str().to_owned(), id.clone())).collect();
    let record = Record {
        key,
        format: Format::Rpm,
        path: pool_path,
        size,
        sha256,
        added,
        text,
        attachments: named,
        notes: [].into(),
    };
    Ok(Described { record, attachments: attachments.into_iter().map(|(_, id, list)| (id, list)).collect() })
}

/// Returns what an index has of a record.
///
/// # Errors
/// [`StateError`] when an attachment is not there.
pub(crate) fn text_for(storage: &Storage, record: &Record, kind: IndexKind) -> Result<String, StateError> {
    if let Some(id) = record.attachments.get(kind.as_str()) {
        return Ok(String::from_utf8_lossy(&load_attachment(storage, id)?).into_owned());
    }
    let mut elements = record.text.split(LIST);
    let primary = elements.next().unwrap_or_default();
    let list = match kind {
        IndexKind::Primary => return Ok(primary.to_owned()),
        IndexKind::Filelists => elements.next(),
        IndexKind::Other => elements.nth(1),
    };
    Ok(list.map(|list| format!("{LIST}{list}")).unwrap_or_default())
}
