//! The indexes of a generation as dnf and yum read them: `rpm/<suite>/<architecture>/repodata`.
//!
//! A client reads `repomd.xml`, then `repomd.xml.asc`, and no file system replaces two files at once. So the signatures
//! of earlier versions stay in the signature file for ten minutes, each as an armored block of its own, the latest first,
//! and the file is replaced before `repomd.xml`: whatever version a client has just read, its signature is there. gpg tries
//! all blocks; clients that read the first alone (librepo built with rpm's OpenPGP) are where they are with every other
//! repository.

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
    sign::{Signers, signature_time},
    storage::{Staged, Storage},
};

/// Packages for every architecture are in the index of each.
const NOARCH: &str = "noarch";
/// Signatures that are less than so many seconds older than the latest one stay. Generations are a second apart at least,
/// however fast they come, so that this is also how many can be replaced while a client is between its two requests.
const KEPT_SECONDS: u64 = 600;
/// So many stay at any rate, for keys whose signatures have no time that vb can read.
const KEPT_SIGNATURES: usize = 8;
const BEGIN: &str = "-----BEGIN PGP SIGNATURE-----";

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
            let signed = format!("{name}.asc");
            let earlier = storage.get(&signed).map_err(StateError::from)?.map(|(bytes, _)| bytes).unwrap_or_default();
            let own = signers.sign_each(text.as_bytes(), generation.time)?;
            add(signed, with_earlier(own, &String::from_utf8_lossy(&earlier)));
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

/// Puts the signatures of earlier versions after those of this one.
fn with_earlier(own: Vec<String>, earlier: &str) -> String {
    let latest = own.iter().filter_map(|block| signature_time(block)).max();
    let is_young = |block: &str| {
        let ages = latest.zip(signature_time(block));
        ages.is_some_and(|(latest, time)| latest.saturating_sub(time) < KEPT_SECONDS)
    };
    let mut blocks = own;
    for (begin, _) in earlier.match_indices(BEGIN) {
        let end = earlier[begin + 1..].find(BEGIN).map_or(earlier.len(), |next| begin + 1 + next);
        let block = &earlier[begin..end];
        let is_kept = blocks.len() < KEPT_SIGNATURES || is_young(block);
        if is_kept && !blocks.iter().any(|own| own == block) {
            blocks.push(block.to_owned());
        }
    }
    blocks.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::{KeyAlgorithm, KeySigner, Signer, generate_key};

    /// No signature is older than its key, which is made now.
    const LATER: u64 = 4_000_000_000;

    fn signers() -> Signers {
        let key = generate_key("test <test@example.org>", KeyAlgorithm::Ed25519).unwrap();
        Signers::new(vec![Signer::Key(KeySigner::read(key.as_bytes(), "").unwrap())])
    }

    fn publish(signers: &Signers, time: u64, file: &mut String) -> String {
        let own = signers.sign_each(time.to_string().as_bytes(), time).unwrap();
        *file = with_earlier(own.clone(), file);
        // Whoever publishes the same version again changes nothing.
        assert_eq!(with_earlier(own.clone(), file), *file);
        own.concat()
    }

    #[test]
    fn every_signature_of_the_last_ten_minutes_stays_however_many_there_are() {
        let (signers, mut file) = (signers(), String::new());
        let times = (LATER..LATER + 700).step_by(10);
        let signed: Vec<String> = times.map(|time| publish(&signers, time, &mut file)).collect();
        let expected: String = signed.iter().rev().take(60).map(String::as_str).collect();
        assert!(file == expected);
    }

    #[test]
    fn few_signatures_stay_where_publishing_is_rare() {
        let (signers, mut file) = (signers(), String::new());
        let days = (0..20).map(|day| LATER + day * 86_400);
        let signed: Vec<String> = days.map(|time| publish(&signers, time, &mut file)).collect();
        let expected: String = signed.iter().rev().take(KEPT_SIGNATURES).map(String::as_str).collect();
        assert!(file == expected);
    }
}
