//! The indexes of a generation as dnf and yum read them: `rpm/<suite>/<architecture>/repodata`.
//!
//! A client reads `repomd.xml`, then `repomd.xml.asc`, and no storage replaces two files at once. A repository that knows
//! its own address therefore has each generation also in a directory that nothing is replaced in, `rpm/<generation>`, and
//! a list of mirrors in `rpm/<suite>/<architecture>/mirrorlist` that names the latest one: the one file by which clients
//! go from a generation to the next. librepo takes no address in such a list that is not absolute.
//!
//! In `rpm/<suite>`, the files are durable before one is renamed right after the other; a client that has read the first
//! before and reads the second behind that finds a signature of other bytes, says so, and is right the next time.
//! Signatures of earlier versions beside the latest one do not help: gpg in batch mode, as librepo runs it, ends with the
//! first signature that is bad.

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
    settings::{self, PlatformSettings, Settings},
    sign::Signers,
    storage::{Staged, Storage},
};

/// Packages for every architecture are in the index of each.
const NOARCH: &str = "noarch";

/// The name of the list of mirrors that has the latest generation's directory, beside `repodata`.
pub(super) const MIRROR_LIST: &str = "mirrorlist";

/// Makes everything that dnf reads of a generation.
pub(crate) fn publication(
    storage: &Storage,
    settings: &Settings,
    platform: &PlatformSettings,
    generation: &Generation,
    signers: &Signers,
) -> Result<Publication, IndexError> {
    let mut publication = Publication::default();
    for architecture in architectures(platform, generation) {
        let (files, made) = indexes(storage, compression(platform), generation, &architecture)?;
        let text = repomd(generation.number, generation.time, &files.iter().collect::<Vec<_>>());
        let mut named = Vec::new();
        if !signers.is_empty() {
            let signatures = signers.sign_each(text.as_bytes(), generation.time)?;
            named.push(("repodata/repomd.xml.asc", signatures.concat()));
        }
        named.push(("repodata/repomd.xml", text));
        publication.pieces.extend(made);
        let suite = format!("rpm/{}/{architecture}", generation.channel.suite());
        let mirror = settings.url.as_ref().map(|url| Mirror::new(url, generation, &architecture));
        let mirrored = mirror.as_ref().map(|mirror| mirror.files(&suite, &files, &named));
        publication.immutable.extend(files.into_iter().map(|file| client_file(&suite, &file.name(), file.bytes)));
        publication.immutable.extend(mirrored.into_iter().flatten());
        publication.named.extend(named.into_iter().map(|(name, text)| client_file(&suite, name, text.into_bytes())));
        publication.named.extend(mirror.map(|mirror| client_file(&suite, MIRROR_LIST, mirror.list().into_bytes())));
    }
    Ok(publication)
}

fn client_file(directory: &str, name: &str, bytes: Vec<u8>) -> ClientFile {
    ClientFile { name: format!("{directory}/{name}"), content: Content::Bytes(bytes) }
}

/// A generation in a directory of its own, as deep as a channel's, so that packages have the same relative paths.
struct Mirror {
    directory: String,
    address: String,
}

impl Mirror {
    fn new(url: &str, generation: &Generation, architecture: &str) -> Self {
        let (id, _) = generation.encode();
        let directory = format!("rpm/{}/{architecture}", id.as_str());
        Self { address: format!("{}/{directory}/", url.trim_end_matches('/')), directory }
    }

    fn list(&self) -> String {
        format!("{}\n", self.address)
    }

    fn files(&self, suite: &str, indexes: &[IndexFile], named: &[(&str, String)]) -> Vec<ClientFile> {
        let indexes = indexes.iter().map(|file| ClientFile {
            name: format!("{}/{}", self.directory, file.name()),
            content: Content::SameAs(format!("{suite}/{}", file.name())),
        });
        let named = named.iter().map(|(name, text)| client_file(&self.directory, name, text.clone().into_bytes()));
        indexes.chain(named).collect()
    }
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
