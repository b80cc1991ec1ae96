//! The indexes of a generation as dnf and yum read them: `rpm/<suite>/<architecture>/repodata`.
//!
//! A client reads `repomd.xml`, then `repomd.xml.asc`, and no storage replaces two files at once. Both are durable before
//! one is renamed right after the other; a client that has read the first before and reads the second behind that finds a
//! signature of other bytes, says so, and is right the next time. Signatures of earlier versions beside the latest one do
//! not help: gpg in batch mode, as librepo runs it, ends with the first signature that is bad.

use rayon::prelude::*;

use super::{
    index::{Index, IndexCompression, IndexFile, IndexKind, Piece, compress_piece},
    record::text_for,
    repomd::repomd,
};
use crate::{
    apt::IndexError,
    chunk::Chunk,
    generation::{ChunkRef, Generation},
    piece::{self, StateError},
    publication::{ClientFile, Content, Publication},
    settings::{self, PlatformSettings},
    sign::Signers,
    storage::{Staged, Storage},
};

/// Packages for every architecture are in the index of each.
const NOARCH: &str = "noarch";

/// Makes everything that dnf reads of a generation.
pub(crate) fn publication(
    storage: &Storage,
    platform: &PlatformSettings,
    generation: &Generation,
    signers: &Signers,
) -> Result<Publication, IndexError> {
    let mut publication = Publication::default();
    for architecture in architectures(platform, generation) {
        let base = format!("rpm/{}/{architecture}", generation.channel.suite());
        let (files, made) = indexes(storage, compression(platform), generation, &architecture)?;
        let text = repomd(generation.number, generation.time, &files.iter().collect::<Vec<_>>());
        publication.pieces.extend(made);
        for file in files {
            let name = format!("{base}/{}", file.name());
            publication.immutable.push(ClientFile { name, content: Content::Bytes(file.bytes) });
        }
        let mut add = |name: String, text: String| {
            publication.named.push(ClientFile { name, content: Content::Bytes(text.into_bytes()) });
        };
        let name = format!("{base}/repodata/repomd.xml");
        if !signers.is_empty() {
            let signatures = signers.sign_each(text.as_bytes(), generation.time)?;
            add(format!("{name}.asc"), signatures.concat());
        }
        add(name, text);
    }
    Ok(publication)
}

fn compression(platform: &PlatformSettings) -> IndexCompression {
    match platform.compression {
        settings::IndexCompression::Gz => IndexCompression::Gzip,
        settings::IndexCompression::Zst => IndexCompression::Zstd,
    }
}

fn architectures(platform: &PlatformSettings, generation: &Generation) -> Vec<String> {
    let own = generation.sections.iter().map(|section| &section.id.architecture);
    let mut all: Vec<String> = own.chain(&platform.architectures).filter(|name| *name != NOARCH).cloned().collect();
    all.sort();
    all.dedup();
    all
}

fn indexes(
    storage: &Storage,
    compression: IndexCompression,
    generation: &Generation,
    architecture: &str,
) -> Result<(Vec<IndexFile>, Vec<Staged>), StateError> {
    let sections = generation.sections.iter();
    let belongs = sections.filter(|section| [architecture, NOARCH].contains(&section.id.architecture.as_str()));
    let chunks: Vec<&ChunkRef> = belongs.flat_map(|section| &section.chunks).collect();
    let count = chunks.iter().map(|chunk| chunk.count).sum();
    let join = |kind: &IndexKind| {
        let name = piece_kind(*kind, compression);
        let make = |chunk: &Chunk| Ok(compress_piece(&text_of(storage, chunk, *kind)?, compression).0);
        let pieces: Vec<piece::Piece> =
            chunks.par_iter().map(|chunk| piece::piece(storage, chunk, &name, make)).collect::<Result<_, _>>()?;
        let (mut index, mut made) = (Index::new(*kind, compression, count), Vec::new());
        for (chunk, piece) in chunks.iter().zip(pieces) {
            let damaged = |_| StateError::DamagedPiece { name: chunk.id.piece(&name) };
            index.append(&Piece(piece.bytes)).map_err(damaged)?;
            made.extend(piece.made);
        }
        Ok((index.finish(), made))
    };
    let joined: Vec<_> = IndexKind::ALL.par_iter().map(join).collect::<Result<_, StateError>>()?;
    let (files, made): (Vec<IndexFile>, Vec<Vec<Staged>>) = joined.into_iter().unzip();
    Ok((files, made.into_iter().flatten().collect()))
}

fn piece_kind(kind: IndexKind, compression: IndexCompression) -> String {
    format!("{}-9.{}", kind.as_str(), compression.extension())
}

fn text_of(storage: &Storage, chunk: &Chunk, kind: IndexKind) -> Result<String, StateError> {
    chunk.records().iter().map(|record| text_for(storage, record, kind)).collect()
}
