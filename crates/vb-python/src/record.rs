//! `RECORD`: the list of a distribution's files with digest and size (PEP 376, PEP 427, PyPA's "recording installed projects").
//!
//! Each line is `path,algorithm=digest,size` in CSV, the digest in URL-safe base64 without padding. A path is relative to
//! the directory that holds `.dist-info`. RECORD itself and bytecode have neither digest nor size.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::wheel::InstalledFile;

/// A `RECORD` is broken, or a file is not what it says.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is not CSV in UTF-8.
    #[error("RECORD is not a CSV file")]
    Csv(#[source] csv::Error),
    /// A line has no path, an unreadable size, or contradicts another one.
    #[error("RECORD line {line} is malformed, or contradicts another line")]
    Line {
        /// The line's number, from 1.
        line: usize,
    },
    /// A file has no digest, or one that proves nothing: PEP 427 asks for SHA-256 or better.
    #[error("RECORD gives `{path}` no digest of SHA-256 or better")]
    WeakDigest {
        /// The file.
        path: String,
    },
    /// A file's content or size is another one.
    #[error("`{path}` is not what RECORD says")]
    OtherContent {
        /// The file.
        path: String,
    },
}

/// What RECORD says about one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    digest: String,
    size: Option<u64>,
}

impl Row {
    /// Describes a file's content.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let digest = format!("sha256={}", URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)));
        Self { digest, size: Some(bytes.len() as u64) }
    }

    /// Returns the row of these bytes, after a check that they are those of this row.
    fn check(&self, path: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        let path = || path.to_owned();
        let (algorithm, digest) = self.digest.split_once('=').unwrap_or(("", ""));
        let found = match algorithm {
            "sha256" => URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)),
            "sha384" => URL_SAFE_NO_PAD.encode(Sha384::digest(bytes)),
            "sha512" => URL_SAFE_NO_PAD.encode(Sha512::digest(bytes)),
            _ => return Err(RecordError::WeakDigest { path: path() }),
        };
        let is_size_right = self.size.is_none_or(|size| size == bytes.len() as u64);
        if found != digest.trim_end_matches('=') || !is_size_right {
            return Err(RecordError::OtherContent { path: path() });
        }
        match algorithm {
            "sha256" => Ok(Self { digest: format!("sha256={found}"), size: Some(bytes.len() as u64) }),
            _ => Ok(Self::of(bytes)),
        }
    }
}

/// A RECORD: rows by path, so sorted by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    rows: BTreeMap<String, Row>,
}

impl Record {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut record = Self::default();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        for (index, line) in reader.records().enumerate() {
            let line = line.map_err(RecordError::Csv)?;
            let malformed = RecordError::Line { line: index + 1 };
            let path = line.get(0).unwrap_or_default().to_owned();
            let size = match line.get(2).unwrap_or_default() {
                "" => None,
                digits => Some(digits.parse().map_err(|_| RecordError::Line { line: index + 1 })?),
            };
            let row = Row { digest: line.get(1).unwrap_or_default().to_owned(), size };
            if path.is_empty() || record.rows.get(&path).is_some_and(|known| *known != row) {
                return Err(malformed);
            }
            record.rows.insert(path, row);
        }
        Ok(record)
    }

    /// Checks a file's content against its row, `None` if it has none, and returns what [`Row::of`] would.
    pub(crate) fn check(&self, path: &str, bytes: &[u8]) -> Result<Option<Row>, RecordError> {
        self.rows.get(path).map(|row| row.check(path, bytes)).transpose()
    }

    pub(crate) fn insert(&mut self, path: String, row: Row) {
        self.rows.insert(path, row);
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        for (path, row) in &self.rows {
            let size = row.size.map(|size| size.to_string()).unwrap_or_default();
            writer.write_record([path, &row.digest, &size]).expect("a Vec takes all bytes");
        }
        writer.into_inner().expect("a Vec takes all bytes")
    }
}

/// Leaves rows out of a RECORD; paths are relative to the directory of packages.
///
/// # Errors
/// The RECORD is malformed.
pub fn prune_record(record: &[u8], is_pruned: impl Fn(&str) -> bool) -> Result<Vec<u8>, RecordError> {
    let mut record = Record::parse(record)?;
    record.rows.retain(|path, _| !is_pruned(path));
    Ok(record.to_bytes())
}

/// The `RECORD` of an unpacked wheel, which may get rows for bytecode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledRecord {
    pub(crate) path: String,
    pub(crate) site_packages: String,
    pub(crate) record: Record,
}

impl InstalledRecord {
    /// Adds bytecode by its path below the prefix. It is listed without digest, as pip does it.
    pub fn add_bytecode(&mut self, path: &str) {
        self.record.insert(recorded(&self.site_packages, path), Row::default());
    }

    /// Returns the file.
    pub fn into_file(self) -> InstalledFile {
        InstalledFile { bytes: self.record.to_bytes(), path: self.path, mode: 0o644 }
    }
}

/// Returns how a path below the prefix is written in a RECORD.
pub(crate) fn recorded(site_packages: &str, path: &str) -> String {
    below(site_packages, path).map_or_else(|| format!("../../../{path}"), str::to_owned)
}

/// Returns the rest of a path that is below a directory.
pub(crate) fn below<'p>(directory: &str, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(directory)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(row: &str, bytes: &[u8]) -> Result<Option<Row>, RecordError> {
        Record::parse(format!("a.py,{row}\n").as_bytes())?.check("a.py", bytes)
    }

    #[test]
    fn digests_of_sha256_and_better_are_checked() {
        for row in [
            "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3",
            "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=,",
            "sha384=ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP_W-2AhgcroefMI1i67KE0yCWn,3",
        ] {
            assert_eq!(check(row, b"abc").unwrap(), Some(Row::of(b"abc")), "{row}");
            assert!(matches!(check(row, b"abd"), Err(RecordError::OtherContent { .. })));
        }
        let other_size = "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,4";
        assert!(matches!(check(other_size, b"abc"), Err(RecordError::OtherContent { .. })));
    }

    #[test]
    fn weak_and_absent_digests_are_refused() {
        for row in [",", "md5=kAFQmDzST7DWlj99KOF_cg,3", "sha1=qZk-NkcGgWq6PiVxeFDCbJzQ2J0,3", "nonsense,3"] {
            assert!(matches!(check(row, b"abc"), Err(RecordError::WeakDigest { .. })), "{row}");
        }
    }

    #[test]
    fn malformed_and_contradicting_lines_are_refused() {
        for (text, line) in [("a,,x\n", 1), (",,\n", 1), ("a,sha256=x,1\nb,,\na,sha256=y,1\n", 3)] {
            let error = Record::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, RecordError::Line { line: found } if found == line), "{text}: {error}");
        }
        Record::parse(b"a,sha256=x,1\na,sha256=x,1\n").unwrap();
    }

    #[test]
    fn writing_sorts_and_quotes() {
        let record = Record::parse(b"b,,\n\"a,1.py\",sha256=x,1\n").unwrap();
        assert_eq!(record.to_bytes(), b"\"a,1.py\",sha256=x,1\nb,,\n");
    }

    #[test]
    fn bytecode_is_added_once_and_without_digest() {
        let mut installed = InstalledRecord {
            path: "lib/python3.11/site-packages/a-1.dist-info/RECORD".into(),
            site_packages: "lib/python3.11/site-packages".into(),
            record: Record::parse(b"z.py,sha256=x,1\n../../../bin/b.py,sha256=x,1\na-1.dist-info/RECORD,,\n").unwrap(),
        };
        for path in ["lib/python3.11/site-packages/__pycache__/z.cpython-311.pyc", "bin/__pycache__/b.cpython-311.pyc"]
        {
            installed.add_bytecode(path);
            installed.add_bytecode(path);
        }
        let file = installed.into_file();
        assert_eq!((file.path.as_str(), file.mode), ("lib/python3.11/site-packages/a-1.dist-info/RECORD", 0o644));
        assert_eq!(
            String::from_utf8(file.bytes).unwrap(),
            "../../../bin/__pycache__/b.cpython-311.pyc,,\n../../../bin/b.py,sha256=x,1\n\
             __pycache__/z.cpython-311.pyc,,\na-1.dist-info/RECORD,,\nz.py,sha256=x,1\n"
        );
    }
}
