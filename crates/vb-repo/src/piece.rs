//! Pieces: what an index has of one chunk, made once and kept beside it.

use crate::{
    chunk::Chunk,
    generation::ChunkRef,
    record::AttachmentId,
    storage::{Staged, Storage, StorageError},
};

/// An object of the repository's state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The storage refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// An object that another one names is not there.
    #[error("`{name}` is not in the repository")]
    Missing {
        /// The object.
        name: String,
    },
    /// A piece is damaged. It can be removed, and is made again then.
    #[error("the piece `{name}` in the repository is damaged")]
    DamagedPiece {
        /// The object.
        name: String,
    },
    /// An object is not what its name says.
    #[error("`{name}` in the repository is damaged")]
    Damaged {
        /// The object.
        name: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads a chunk.
///
/// # Errors
/// [`StateError`] when it is not there or damaged.
pub(crate) fn load_chunk(storage: &Storage, chunk: &ChunkRef) -> Result<Chunk, StateError> {
    let name = chunk.id.object();
    let (bytes, _) = storage.get(&name)?.ok_or_else(|| StateError::Missing { name: name.clone() })?;
    Chunk::decode(&bytes).map_err(|source| StateError::Damaged { name, source })
}

/// Reads an attachment.
///
/// # Errors
/// [`StateError`] when it is not there.
pub(crate) fn load_attachment(storage: &Storage, id: &AttachmentId) -> Result<Vec<u8>, StateError> {
    let name = id.object();
    Ok(storage.get(&name)?.ok_or(StateError::Missing { name })?.0)
}

/// What an index has of a chunk.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// It was not there, and can be kept.
    pub(crate) made: Option<Staged>,
}

/// Returns the piece of a kind, made of the chunk if it is not there. The kind must name everything that decides how it
/// is made.
///
/// # Errors
/// [`StateError`] when neither piece nor chunk can be read, or the piece not be written.
pub(crate) fn piece(
    storage: &Storage,
    chunk: &ChunkRef,
    kind: &str,
    make: impl FnOnce(&Chunk) -> Result<Vec<u8>, StateError>,
) -> Result<Piece, StateError> {
    let name = chunk.id.piece(kind);
    if let Some((bytes, _)) = storage.get(&name)? {
        return Ok(Piece { bytes, made: None });
    }
    let bytes = make(&load_chunk(storage, chunk)?)?;
    let made = Some(storage.stage(&name, &bytes)?);
    Ok(Piece { bytes, made })
}
