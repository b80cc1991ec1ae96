//! The indexes of a generation.
//!
//! `Packages.gz` is of several gzip members, `Packages.xz` of several blocks, `Packages.zst` of several frames: one for
//! each chunk, so that only what changed is compressed. apt reads all of them to their end.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vb_package::{XzJoiner, xz_piece};

use super::{
    contents::contents_index,
    release::{Listed, release_text},
};
use crate::{
    chunk::Chunk,
    generation::{ChunkRef, Generation, Section},
    piece::{Piece, StateError, piece},
    publication::{ClientFile, Content, Publication},
    settings::{AptLayout, PlatformSettings, Settings},
    sign::{SignError, Signers},
    storage::{Staged, Storage},
};

const COMPONENT: &str = "main";
const ALL: &str = "all";

/// More takes ten times as long for two per cent.
const XZ_PRESET: u32 = 3;
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 9;

/// The indexes of a generation could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The repository's state could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The index could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// The forms in which an index is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Gz,
    Xz,
    Zst,
}

impl Form {
    const ALL: [Self; 4] = [Self::Plain, Self::Gz, Self::Xz, Self::Zst];

    fn extension(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gz => ".gz",
            Self::Xz => ".xz",
            Self::Zst => ".zst",
        }
    }

    /// Names how a piece is made: the extension, and what decides its bytes.
    fn piece_kind(self) -> String {
        match self {
            Self::Plain => "packages".to_owned(),
            Self::Gz => format!("packages-{GZIP_LEVEL}.gz"),
            Self::Xz => format!("packages-{XZ_PRESET}.xz"),
            Self::Zst => format!("packages-{ZSTD_LEVEL}.zst"),
        }
    }

    fn compress(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => text.to_vec(),
            Self::Gz => gzip_member(text),
            Self::Xz => xz_piece(text, XZ_PRESET),
            Self::Zst => zstd::bulk::compress(text, ZSTD_LEVEL).expect("compressing in memory does not fail"),
        }
    }

    /// Puts pieces together to a file; an error is the number of a piece that is none.
    fn join(self, pieces: &[Piece]) -> Result<Vec<u8>, usize> {
        if pieces.is_empty() {
            return Ok(self.compress(b""));
        }
        if self != Self::Xz {
            let mut joined = Vec::with_capacity(pieces.iter().map(|piece| piece.bytes.len()).sum());
            pieces.iter().for_each(|piece| joined.extend_from_slice(&piece.bytes));
            return Ok(joined);
        }
        let (mut joiner, mut joined) = (XzJoiner::default(), Vec::new());
        let in_memory = "writing to memory does not fail";
        for (index, piece) in pieces.iter().enumerate() {
            if !joiner.append_piece(&piece.bytes, &mut joined).expect(in_memory) {
                return Err(index);
            }
        }
        joiner.finish(&mut joined).expect(in_memory);
        Ok(joined)
    }
}

pub(crate) fn gzip_member(text: &[u8]) -> Vec<u8> {
    let in_memory = "writing to memory does not fail";
    let builder = GzBuilder::new().mtime(0).operating_system(255);
    let mut encoder = builder.write(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(text).expect(in_memory);
    encoder.finish().expect(in_memory)
}

fn packages_text(chunk: &Chunk) -> String {
    chunk.records().iter().map(|record| format!("{}\n", record.text)).collect()
}

/// Makes everything that apt reads of a generation.
pub(crate) fn publication(
    storage: &Storage,
    settings: &Settings,
    platform: &PlatformSettings,
    generation: &Generation,
    signers: &Signers,
) -> Result<Publication, IndexError> {
    let suite = generation.channel.suite();
    let base = match settings.layout {
        AptLayout::Dists => format!("dists/{suite}"),
        AptLayout::Flat => suite,
    };
    let (components, architectures) = (components(generation), architectures(platform, generation));
    let mut files = Files::new(base);
    match settings.layout {
        AptLayout::Flat => add_packages(&mut files, storage, "", &generation.sections.iter().collect::<Vec<_>>())?,
        AptLayout::Dists => {
            for component in &components {
                for architecture in &architectures {
                    let sections = sections_of(generation, component, architecture);
                    add_packages(&mut files, storage, &format!("{component}/binary-{architecture}/"), &sections)?;
                    if settings.has_contents {
                        let text = contents_index(storage, &sections)?;
                        let name = format!("Contents-{architecture}");
                        files.list(format!("{component}/{name}"), &text);
                        files.add(&format!("{component}/"), &format!("{name}.gz"), gzip_member(&text));
                    }
                }
            }
        }
    }
    let release = release_text(settings, generation, &components, &architectures, &files.listed);
    files.finish(release, generation.time, signers).map_err(IndexError::Sign)
}

fn components(generation: &Generation) -> Vec<String> {
    let mut components: Vec<String> = generation.sections.iter().map(|section| section.id.component.clone()).collect();
    components.push(COMPONENT.to_owned());
    components.sort();
    components.dedup();
    components
}

fn architectures(platform: &PlatformSettings, generation: &Generation) -> Vec<String> {
    let own = generation.sections.iter().map(|section| &section.id.architecture);
    let mut all: Vec<String> = own.chain(&platform.architectures).filter(|name| *name != ALL).cloned().collect();
    all.sort();
    all.dedup();
    all
}

fn sections_of<'a>(generation: &'a Generation, component: &str, architecture: &str) -> Vec<&'a Section> {
    let belongs = |section: &&Section| {
        section.id.component == component && [architecture, ALL].contains(&section.id.architecture.as_str())
    };
    generation.sections.iter().filter(belongs).collect()
}

fn add_packages(
    files: &mut Files,
    storage: &Storage,
    directory: &str,
    sections: &[&Section],
) -> Result<(), StateError> {
    let chunks: Vec<&ChunkRef> = sections.iter().flat_map(|section| &section.chunks).collect();
    let joined: Vec<Joined> = Form::ALL
        .par_iter()
        .map(|form| {
            let pieces = pieces(storage, &chunks, *form)?;
            let name = |index: usize| chunks[index].id.piece(&form.piece_kind());
            let bytes = form.join(&pieces).map_err(|index| StateError::DamagedPiece { name: name(index) })?;
            let made = pieces.into_iter().filter_map(|piece| piece.made).collect();
            Ok(Joined { sha256: hex::encode(Sha256::digest(&bytes)), bytes, made })
        })
        .collect::<Result<_, StateError>>()?;
    for (form, joined) in Form::ALL.iter().zip(joined) {
        files.publication.pieces.extend(joined.made);
        files.add_hashed(directory, &format!("Packages{}", form.extension()), joined.bytes, joined.sha256);
    }
    Ok(())
}

/// One form of an index, and the pieces that were made for it.
struct Joined {
    bytes: Vec<u8>,
    sha256: String,
    made: Vec<Staged>,
}

fn pieces(storage: &Storage, chunks: &[&ChunkRef], form: Form) -> Result<Vec<Piece>, StateError> {
    let make = |chunk: &Chunk| Ok(form.compress(packages_text(chunk).as_bytes()));
    chunks.par_iter().map(|chunk| piece(storage, chunk, &form.piece_kind(), make)).collect()
}

/// The files of one suite, as they come to be.
struct Files {
    base: String,
    listed: Vec<Listed>,
    publication: Publication,
}

impl Files {
    fn new(base: String) -> Self {
        Self { base, listed: Vec::new(), publication: Publication::default() }
    }

    /// Names an index that is there in another form alone: apt asks for no form of one whose plain name is not listed.
    fn list(&mut self, path: String, bytes: &[u8]) {
        self.listed.push(Listed { path, size: bytes.len(), sha256: hex::encode(Sha256::digest(bytes)) });
    }

    /// Adds an index under its digest and under its name.
    fn add(&mut self, directory: &str, name: &str, bytes: Vec<u8>) {
        let sha256 = hex::encode(Sha256::digest(&bytes));
        self.add_hashed(directory, name, bytes, sha256);
    }

    fn add_hashed(&mut self, directory: &str, name: &str, bytes: Vec<u8>, sha256: String) {
        let by_hash = format!("{}/{directory}by-hash/SHA256/{sha256}", self.base);
        self.listed.push(Listed { path: format!("{directory}{name}"), size: bytes.len(), sha256 });
        let named =
            ClientFile { name: format!("{}/{directory}{name}", self.base), content: Content::SameAs(by_hash.clone()) };
        self.publication.immutable.push(ClientFile { name: by_hash, content: Content::Bytes(bytes) });
        self.publication.named.push(named);
    }

    /// Adds the signed `Release` files; what clients read first is written last.
    fn finish(self, release: String, time: u64, signers: &Signers) -> Result<Publication, SignError> {
        let Self { base, mut publication, .. } = self;
        let mut add = |name: &str, text: String| {
            let content = Content::Bytes(text.into_bytes());
            publication.named.push(ClientFile { name: format!("{base}/{name}"), content });
        };
        let signed = match signers.is_empty() {
            true => None,
            false => Some((signers.sign(release.as_bytes(), time)?, signers.clearsign(&release, time)?)),
        };
        add("Release", release);
        if let Some((detached, clearsigned)) = signed {
            add("Release.gpg", detached);
            add("InRelease", clearsigned);
        }
        Ok(publication)
    }
}
