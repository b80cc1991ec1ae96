//! The three indexes of a yum repository, put together from pieces that were compressed one by one.
//!
//! An index is a head that says how many packages there are, the elements of all packages, and a foot. Each piece is a
//! gzip member or a zstd frame of its own, and so are head and foot: what changes with one package is one piece, the
//! head, and the digest of the whole. Readers take members and frames one after another (RFC 1952 section 2.2, RFC 8878
//! section 3.1); libsolv, librepo and `createrepo_c` do, which the tests show with the real `dnf`.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256 as Hasher};
use vb_graph::Sha256;

const ZSTD_LEVEL: i32 = 9;

/// One of the indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexKind {
    /// What a resolver needs.
    Primary,
    /// All paths of all packages.
    Filelists,
    /// The changelogs.
    Other,
}

impl IndexKind {
    /// All of them, in the order in which `repomd.xml` has them.
    pub const ALL: [Self; 3] = [Self::Primary, Self::Filelists, Self::Other];

    /// Returns the name that `repomd.xml` and file names have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Filelists => "filelists",
            Self::Other => "other",
        }
    }

    fn root(self) -> &'static str {
        match self {
            Self::Primary => "metadata",
            Self::Filelists => "filelists",
            Self::Other => "otherdata",
        }
    }

    fn head(self, packages: usize) -> String {
        let of_rpm = match self {
            Self::Primary => " xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"",
            Self::Filelists | Self::Other => "",
        };
        let name = match self {
            Self::Primary => "common",
            Self::Filelists | Self::Other => self.as_str(),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{} xmlns=\"http://linux.duke.edu/metadata/{name}\"{of_rpm} \
             packages=\"{packages}\">\n",
            self.root()
        )
    }

    fn foot(self) -> String {
        format!("</{}>\n", self.root())
    }
}

/// How indexes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexCompression {
    /// For every client there is.
    Gzip,
    /// For clients with libsolv of 2018 or later, built with zstd: el9 and Fedora. Half the time to read.
    Zstd,
}

impl IndexCompression {
    /// Returns how the names of such files end: `gz`.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }
}

/// The compressed text of some packages, or of a head or foot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece(pub Vec<u8>);

/// Compresses the text of some packages.
///
/// The same text gives the same bytes.
pub fn compress_piece(text: &str, compression: IndexCompression) -> Piece {
    Piece(match compression {
        IndexCompression::Gzip => vb_package::gzip(text.as_bytes()),
        IndexCompression::Zstd => {
            zstd::bulk::compress(text.as_bytes(), ZSTD_LEVEL).expect("compressing in memory does not fail")
        }
    })
}

/// A whole index, and what `repomd.xml` says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    /// Which index it is.
    pub kind: IndexKind,
    /// How it is compressed.
    pub compression: IndexCompression,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The SHA-256 of its bytes.
    pub sha256: Sha256,
    /// The SHA-256 of its text.
    pub open_sha256: Sha256,
    /// The size of its text in bytes.
    pub open_size: u64,
}

impl IndexFile {
    /// Returns its name below the directory of the repository. No other bytes ever have it.
    pub fn name(&self) -> String {
        format!("repodata/{}-{}.xml.{}", self.sha256, self.kind.as_str(), self.compression.extension())
    }
}

/// Puts an index together.
#[derive(Debug)]
pub struct Index {
    kind: IndexKind,
    compression: IndexCompression,
    bytes: Vec<u8>,
    open: Hasher,
    open_size: u64,
}

impl Index {
    /// Begins the index of so many packages.
    pub fn new(kind: IndexKind, compression: IndexCompression, packages: usize) -> Self {
        let mut index = Self { kind, compression, bytes: Vec::new(), open: Hasher::new(), open_size: 0 };
        index.append_text(&kind.head(packages));
        index
    }

    /// Appends the packages of a piece.
    ///
    /// # Errors
    /// When the piece is not what [`compress_piece`] made with the same compression.
    pub fn append(&mut self, piece: &Piece) -> io::Result<()> {
        match self.compression {
            IndexCompression::Gzip => self.hash(MultiGzDecoder::new(&piece.0[..]))?,
            IndexCompression::Zstd => self.hash(zstd::stream::read::Decoder::with_buffer(&piece.0[..])?)?,
        }
        self.bytes.extend_from_slice(&piece.0);
        Ok(())
    }

    /// Hashes the text without holding it: `repomd.xml` names its digest.
    fn hash(&mut self, mut text: impl Read) -> io::Result<()> {
        let mut buffer = [0; 1 << 15];
        loop {
            match text.read(&mut buffer)? {
                0 => return Ok(()),
                size => {
                    self.open.update(&buffer[..size]);
                    self.open_size += size as u64;
                }
            }
        }
    }

    fn append_text(&mut self, text: &str) {
        self.open.update(text.as_bytes());
        self.open_size += text.len() as u64;
        self.bytes.extend(compress_piece(text, self.compression).0);
    }

    /// Ends the index.
    pub fn finish(mut self) -> IndexFile {
        self.append_text(&self.kind.foot());
        IndexFile {
            kind: self.kind,
            compression: self.compression,
            sha256: Sha256::from_bytes(Hasher::digest(&self.bytes).into()),
            open_sha256: Sha256::from_bytes(self.open.finalize().into()),
            open_size: self.open_size,
            bytes: self.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(compression: IndexCompression, texts: &[&str]) -> IndexFile {
        let mut index = Index::new(IndexKind::Primary, compression, texts.len());
        for text in texts {
            index.append(&compress_piece(text, compression)).unwrap();
        }
        index.finish()
    }

    fn text(file: &IndexFile) -> String {
        let mut text = String::new();
        match file.compression {
            IndexCompression::Gzip => MultiGzDecoder::new(&file.bytes[..]).read_to_string(&mut text).unwrap(),
            IndexCompression::Zstd => {
                zstd::stream::read::Decoder::new(&file.bytes[..]).unwrap().read_to_string(&mut text).unwrap()
            }
        };
        text
    }

    #[test]
    fn an_index_is_its_head_its_pieces_and_its_foot() {
        for compression in [IndexCompression::Gzip, IndexCompression::Zstd] {
            let file = joined(compression, &["<package one/>\n", "<package two/>\n"]);
            let text = text(&file);
            assert_eq!(
                text,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
                 xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"2\">\n<package one/>\n<package \
                 two/>\n</metadata>\n"
            );
            assert_eq!(file.open_size, text.len() as u64);
            assert_eq!(file.open_sha256, Sha256::from_bytes(Hasher::digest(text.as_bytes()).into()));
            assert_eq!(file.sha256, Sha256::from_bytes(Hasher::digest(&file.bytes).into()));
        }
    }

    #[test]
    fn a_piece_of_another_compression_is_refused() {
        let mut index = Index::new(IndexKind::Other, IndexCompression::Gzip, 1);
        assert!(index.append(&compress_piece("text", IndexCompression::Zstd)).is_err());
        let mut index = Index::new(IndexKind::Other, IndexCompression::Zstd, 1);
        assert!(index.append(&compress_piece("text", IndexCompression::Gzip)).is_err());
    }
}
