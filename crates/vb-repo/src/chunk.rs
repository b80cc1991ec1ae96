//! A chunk: a sorted run of records whose ends depend on nothing but what is in it.
//!
//! A record whose key's digest ends in seven zero bits begins a chunk, so that a channel's list of chunks is a function
//! of the set of its packages, and a package that comes or goes changes one chunk, or splits it, or joins two.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::{Record, RecordKey};

/// One key in so many begins a chunk. Smaller chunks compress badly, larger ones take longer to compress again.
const RECORDS: u8 = 128;

/// Names a chunk: the BLAKE3 of its object's bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChunkId(String);

/// Some records, sorted by their keys, never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    id: ChunkId,
    records: Vec<Arc<Record>>,
}

impl ChunkId {
    /// Returns the name of the object that holds the chunk.
    pub fn object(&self) -> String {
        format!("state/chunks/{}.json", self.0)
    }

    /// Returns the name of the object that holds what an index has of the chunk: `packages.xz`.
    pub fn piece(&self, kind: &str) -> String {
        format!("state/pieces/{}.{kind}", self.0)
    }
}

impl Chunk {
    /// Cuts sorted records into those of chunks, none of them empty.
    pub(crate) fn cut(records: impl IntoIterator<Item = Arc<Record>>) -> Vec<Vec<Arc<Record>>> {
        let mut chunks: Vec<Vec<Arc<Record>>> = Vec::new();
        for record in records {
            match chunks.last_mut() {
                Some(current) if !begins_chunk(&record.key) => current.push(record),
                _ => chunks.push(vec![record]),
            }
        }
        chunks
    }

    /// Makes a chunk; returns the bytes of its object, too.
    pub(crate) fn of(records: Vec<Arc<Record>>) -> (Self, Vec<u8>) {
        let encoded: Vec<&Record> = records.iter().map(Arc::as_ref).collect();
        let bytes = serde_json::to_vec(&encoded).expect("records have string keys and finite numbers");
        let id = ChunkId(blake3::hash(&bytes).to_hex().to_string());
        (Self { id, records }, bytes)
    }

    /// Reads a chunk's object.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let records: Vec<Record> = serde_json::from_slice(bytes)?;
        let id = ChunkId(blake3::hash(bytes).to_hex().to_string());
        Ok(Self { id, records: records.into_iter().map(Arc::new).collect() })
    }

    /// Returns its name.
    pub fn id(&self) -> &ChunkId {
        &self.id
    }

    /// Returns its records.
    pub fn records(&self) -> &[Arc<Record>] {
        &self.records
    }

    /// Takes the records out.
    pub(crate) fn into_records(self) -> Vec<Arc<Record>> {
        self.records
    }
}

pub(crate) fn begins_chunk(key: &RecordKey) -> bool {
    let mut hasher = blake3::Hasher::new();
    for part in [&key.name, &key.version, &key.architecture] {
        hasher.update(part.as_bytes()).update(b"\0");
    }
    hasher.finalize().as_bytes()[0].is_multiple_of(RECORDS)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::record::Format;

    pub(crate) fn record(index: usize) -> Arc<Record> {
        let name = format!("package-{index:05}");
        let key = RecordKey { name, version: "1.0".to_owned(), architecture: "all".to_owned() };
        let sha256 = vb_graph::Sha256::from_bytes([0; 32]);
        let text = "Package: x".to_owned();
        Arc::new(Record {
            path: Record::pool_path(&key.name, &sha256, "x.deb"),
            key,
            format: Format::Deb,
            size: 1,
            sha256,
            added: 0,
            text,
            attachments: [].into(),
            notes: [].into(),
        })
    }

    #[test]
    fn one_more_record_changes_one_chunk() {
        let mut records: Vec<Arc<Record>> = (0..3000).map(record).collect();
        let removed = records.remove(1500);
        let before = Chunk::cut(records.clone());
        assert!((12..48).contains(&before.len()), "{}", before.len());
        records.insert(1500, removed);
        let after = Chunk::cut(records.clone());
        let kept = after.iter().filter(|chunk| before.contains(chunk)).count();
        assert!(kept + 2 >= after.len(), "{kept} of {}", after.len());
        let joined: Vec<Arc<Record>> = after.into_iter().flatten().collect();
        assert_eq!(joined, records);
    }

    #[test]
    fn a_chunk_comes_back_with_its_name() {
        let (chunk, bytes) = Chunk::of((0..3).map(record).collect());
        assert_eq!(Chunk::decode(&bytes).unwrap(), chunk);
        assert!(Chunk::cut(Vec::new()).is_empty());
    }
}
