//! A repository's `repomd.xml`: its index files, each with size and digest.
//!
//! Only made of text whose signature was checked.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::xml::{Node, XmlError, XmlReader};
use crate::date;

/// The parts of a `repomd.xml` that vb uses: its records by type (`primary`, `filelists`, `modules`, …).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repomd {
    records: BTreeMap<String, Record>,
    /// When its youngest index file was made, in seconds since 1970, if it says so.
    made: Option<u64>,
}

/// One index file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its path below the repository's base.
    pub(crate) path: String,
    size: Option<u64>,
    algorithm: String,
    digest: String,
}

impl Record {
    /// Are these the bytes that the record vouches for? Digests shorter than SHA-256 vouch for nothing.
    pub(crate) fn vouches_for(&self, bytes: &[u8]) -> bool {
        let digest = match self.algorithm.as_str() {
            "sha256" => hex::encode(Sha256::digest(bytes)),
            "sha384" => hex::encode(Sha384::digest(bytes)),
            "sha512" => hex::encode(Sha512::digest(bytes)),
            _ => return false,
        };
        digest == self.digest && self.size.is_none_or(|size| size == bytes.len() as u64)
    }
}

impl Repomd {
    /// Reads the file.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, XmlError> {
        let mut reader = XmlReader::new(text);
        let mut records = BTreeMap::new();
        let (mut kind, mut record) = (String::new(), empty());
        let mut made = None;
        while let Some(node) = reader.next()? {
            match node {
                Node::Start { name, attributes } => match name.as_str() {
                    "data" => (kind, record) = (attributes.get("type").unwrap_or_default().to_owned(), empty()),
                    "location" => record.path = attributes.get("href").unwrap_or_default().to_owned(),
                    "checksum" => record.algorithm = attributes.get("type").unwrap_or_default().to_owned(),
                    _ => {}
                },
                Node::End { name, text } => match name.as_str() {
                    "checksum" => record.digest = text.trim_ascii().to_ascii_lowercase(),
                    // Some write it with a fraction.
                    "timestamp" => {
                        let seconds = text.trim_ascii().split('.').next().and_then(|text| text.parse().ok());
                        made = made.max(seconds);
                    }
                    "size" => record.size = Some(number(&text, &kind)?),
                    "data" => drop(records.insert(kind.clone(), checked(record.clone(), &kind)?)),
                    _ => {}
                },
            }
        }
        Ok(Self { records, made })
    }

    /// Returns the date of this state of the repository, in the form of Debian's `Release` files.
    pub(crate) fn date(&self) -> Option<String> {
        self.made.map(date::format)
    }

    pub(crate) fn record(&self, kind: &str) -> Option<&Record> {
        self.records.get(kind)
    }
}

fn empty() -> Record {
    Record { path: String::new(), size: None, algorithm: String::new(), digest: String::new() }
}

fn number(text: &str, kind: &str) -> Result<u64, XmlError> {
    text.trim_ascii().parse().map_err(|_| XmlError::Content { element: "size", parent: kind.to_owned() })
}

fn checked(record: Record, kind: &str) -> Result<Record, XmlError> {
    if is_plain_path(&record.path) {
        Ok(record)
    } else {
        Err(XmlError::Content { element: "location", parent: kind.to_owned() })
    }
}

/// Is this a path that stays below the base that it is added to?
pub(crate) fn is_plain_path(path: &str) -> bool {
    let has_plain_parts = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    has_plain_parts && !path.contains([':', '?', '#', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>1700000000</revision>
  <data type="primary">
    <checksum type="sha256">2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824</checksum>
    <open-checksum type="sha256">00</open-checksum>
    <location href="repodata/primary.xml.gz"/>
    <timestamp>1700000000</timestamp>
    <size>5</size>
    <open-size>100</open-size>
  </data>
</repomd>"#;

    #[test]
    fn a_record_vouches_for_its_bytes_alone() {
        let repomd = Repomd::parse(TEXT.as_bytes()).unwrap();
        let record = repomd.record("primary").unwrap();
        assert_eq!(record.path, "repodata/primary.xml.gz");
        assert!(record.vouches_for(b"hello"));
        assert!(!record.vouches_for(b"hellO"));
        assert!(repomd.record("filelists").is_none());
        assert_eq!(repomd.date().as_deref(), Some("Tue, 14 Nov 2023 22:13:20 UTC"));
        let other_size = Repomd::parse(TEXT.replace("<size>5<", "<size>6<").as_bytes()).unwrap();
        assert!(!other_size.record("primary").unwrap().vouches_for(b"hello"));
    }

    #[test]
    fn a_short_digest_vouches_for_nothing() {
        let text = TEXT.replace("<checksum type=\"sha256\"", "<checksum type=\"sha1\"");
        assert!(!Repomd::parse(text.as_bytes()).unwrap().record("primary").unwrap().vouches_for(b"hello"));
    }

    #[test]
    fn a_path_that_leaves_the_repository_is_an_error() {
        for path in ["/etc/passwd", "../x", "repodata/../../x", "", "http://example.org/x"] {
            let text = TEXT.replace("repodata/primary.xml.gz", path);
            let error = Repomd::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, XmlError::Content { element: "location", .. }), "{path}");
        }
    }
}
