//! What clients of a channel see: files that are a function of a generation, and the order they are written in.

use crate::storage::Staged;

/// All files that a generation needs on the side of the clients.
#[derive(Debug, Default)]
pub struct Publication {
    /// Pieces that were made for it. They get their names when they are durable, because nobody checks them later.
    pub pieces: Vec<Staged>,
    /// Files whose names no other bytes have: `by-hash/…`, `repodata/<checksum>-primary.xml.gz`. They are written first.
    pub immutable: Vec<ClientFile>,
    /// Files with fixed names, replaced in this order: the signed index is last.
    pub named: Vec<ClientFile>,
}

/// One file for clients.
#[derive(Debug)]
pub struct ClientFile {
    /// Its name below the repository.
    pub name: String,
    /// Its bytes.
    pub content: Content,
}

/// The bytes of a file for clients.
#[derive(Debug)]
pub enum Content {
    /// These.
    Bytes(Vec<u8>),
    /// Those of a file that stands before it in the publication.
    SameAs(String),
}
