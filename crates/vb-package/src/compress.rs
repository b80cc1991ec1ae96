//! Compression and decompression of package members.
//!
//! Every encoder here gives the same bytes for any number of threads: block and job sizes are fixed, never taken from
//! the machine.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use flate2::{GzBuilder, read::MultiGzDecoder};
use liblzma::read::XzDecoder;
use vb_graph::{BlobDigest, Compression};

use crate::{
    contents::Source,
    error::{MemberError, Resources},
    learnt::{Learner, LearntFiles},
    packed::{Packed, Spill},
    segment::{Codec, SegmentWriter, Zone},
    span::Part,
};

/// What the reader of a member makes of compressed pieces that stand one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// It reads on over all of them, as rpm does.
    Any,
    /// It stops after the first frame of zstd, as dpkg does.
    NoFrames,
}

/// Slower levels cost ten times the work for two per cent of the size.
pub(crate) const ZSTD_LEVEL: i32 = 9;
const GZIP_LEVEL: u32 = 9;
/// "Unknown" in RFC 1952, so that the header does not tell where it was written.
const GZIP_UNKNOWN_SYSTEM: u8 = 255;
/// Far below the library's limit.
const MOST_THREADS: usize = 64;

/// A writer that compresses a data member.
pub(crate) enum Compressor<'a> {
    Segments(SegmentWriter<'a>),
    Whole(WholeMember<'a>),
}

/// A member that is compressed in one piece.
pub(crate) struct WholeMember<'a> {
    encoder: zstd::stream::write::Encoder<'static, File>,
    source: Source<'a>,
    learnt: LearntFiles,
}

impl<'a> Compressor<'a> {
    /// Starts a member. What is not remembered is in a temporary file of the directory until it is written.
    pub(crate) fn new(
        compression: Compression,
        pieces: Pieces,
        source: Source<'a>,
        resources: Resources<'a>,
        directory: &Path,
    ) -> io::Result<Self> {
        if let Some(codec) = Codec::of(compression, pieces) {
            let spill = Spill::new_in(directory)?;
            return Ok(Self::Segments(SegmentWriter::new(codec, source, resources.cache, spill)));
        }
        let threads = u32::try_from(resources.threads.clamp(1, MOST_THREADS)).expect("the clamped number fits");
        let mut encoder = zstd::stream::write::Encoder::new(tempfile::tempfile_in(directory)?, ZSTD_LEVEL)?;
        encoder.include_checksum(true)?;
        // One worker gives the bytes of many; no worker at all gives others.
        encoder.multithread(threads)?;
        Ok(Self::Whole(WholeMember { encoder, source, learnt: LearntFiles::new() }))
    }

    /// Says that the entry of a path comes next.
    pub(crate) fn start_entry(&mut self, path: &str, zone: Zone) -> Result<(), MemberError> {
        match self {
            Self::Segments(writer) => writer.start_entry(path, zone),
            Self::Whole(_) => Ok(()),
        }
    }

    /// Writes the bytes of a whole file, now or when they are needed.
    pub(crate) fn file(&mut self, path: &str, blob: BlobDigest, size: u64) -> Result<(), MemberError> {
        let part = Part { path: path.to_owned(), blob, size, range: 0..size };
        match self {
            Self::Segments(writer) => {
                writer.file(part);
                Ok(())
            }
            Self::Whole(writer) => writer.file(&part),
        }
    }

    /// Returns the compressed member, and what was learnt of the files.
    pub(crate) fn finish(self) -> Result<(Packed, LearntFiles), MemberError> {
        match self {
            Self::Segments(writer) => writer.finish(),
            Self::Whole(writer) => Ok((Packed::whole(writer.encoder.finish()?)?, writer.learnt)),
        }
    }
}

impl WholeMember<'_> {
    fn file(&mut self, part: &Part) -> Result<(), MemberError> {
        let mut learner = Learner::new(self.source.wanted);
        let encoder = &mut self.encoder;
        part.stream(self.source.open, &mut |bytes| {
            learner.read(bytes);
            encoder.write_all(bytes)
        })?;
        self.learnt.insert(part.blob, learner.finish());
        Ok(())
    }
}

impl Write for Compressor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Segments(writer) => writer.write(bytes),
            Self::Whole(writer) => writer.encoder.write(bytes),
        }
    }

    /// Nothing to do: a flush would end a block early and change the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses a document to `.gz` with neither name nor time in it, as Debian Policy 12.7 has changelogs.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let in_memory = "writing to memory does not fail";
    let builder = GzBuilder::new().mtime(0).operating_system(GZIP_UNKNOWN_SYSTEM);
    let mut encoder = builder.write(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(content).expect(in_memory);
    encoder.finish().expect(in_memory)
}

/// Returns a reader of what a member of that name holds, or nothing when its compression is unknown.
pub(crate) fn decompress<'a>(member: &str, reader: impl Read + 'a) -> io::Result<Option<Box<dyn Read + 'a>>> {
    Ok(Some(match member.rsplit_once('.').map(|(_, extension)| extension) {
        Some("tar") => Box::new(reader),
        Some("xz") => Box::new(XzDecoder::new_multi_decoder(reader)),
        Some("gz") => Box::new(MultiGzDecoder::new(reader)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::new(reader)?),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{learnt::Wanted, segment::SegmentCache};

    fn compressor(compression: Compression, threads: usize) -> Compressor<'static> {
        let source = Source { open: &|_, _| Err(io::ErrorKind::NotFound.into()), wanted: Wanted::Md5 };
        let resources = Resources { threads, cache: SegmentCache::none() };
        Compressor::new(compression, Pieces::NoFrames, source, resources, &std::env::temp_dir()).unwrap()
    }

    fn compress(compression: Compression, threads: usize, content: &[u8]) -> Vec<u8> {
        let mut compressor = compressor(compression, threads);
        compressor.write_all(content).unwrap();
        bytes_of(compressor)
    }

    fn bytes_of(compressor: Compressor<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        compressor.finish().unwrap().0.reader().read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Enough for several xz blocks and zstd jobs; what is compressed in one piece needs no more than a little.
    const SIZES: [(Compression, usize); 3] =
        [(Compression::Xz, 9 << 20), (Compression::Gzip, 1 << 20), (Compression::Zstd, 20 << 20)];

    /// One part noise in eight, so that there is something to find and compressing is quick.
    fn filler(size: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let noise = |index: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if index % 8192 < 1024 { state.to_be_bytes()[0] } else { b' ' }
        };
        (0..size).map(noise).collect()
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_bytes() {
        for (compression, size) in SIZES {
            let content = filler(size);
            let one = compress(compression, 1, &content);
            assert!(one.len() < content.len() / 4);
            assert!(compress(compression, 0, &content[..1024]) == compress(compression, 1, &content[..1024]));
            for threads in [2, 4] {
                assert!(compress(compression, threads, &content) == one, "{compression:?} with {threads} threads");
            }
            let mut back = Vec::new();
            let member = format!("data.tar.{}", compression.extension());
            decompress(&member, &one[..]).unwrap().unwrap().read_to_end(&mut back).unwrap();
            assert!(back == content, "{compression:?} does not give the content back");
        }
    }

    #[test]
    fn the_size_of_the_writes_does_not_change_the_bytes() {
        for (compression, size) in SIZES {
            let content = filler(size / 2);
            let mut compressor = compressor(compression, 2);
            for piece in content.chunks(77_777) {
                compressor.write_all(piece).unwrap();
            }
            assert!(bytes_of(compressor) == compress(compression, 2, &content), "{compression:?}");
        }
    }

    #[test]
    fn a_long_xz_member_is_several_blocks() {
        let one = compress(Compression::Xz, 1, &filler(4 << 20));
        let three = compress(Compression::Xz, 1, &filler(9 << 20));
        // The index at the end counts the blocks: an indicator byte, then the number, four-byte aligned before the footer.
        let blocks = |bytes: &[u8]| {
            let footer = &bytes[bytes.len() - 12..];
            let backward = u32::from_le_bytes(footer[4..8].try_into().unwrap());
            let index = bytes.len() - 12 - (usize::try_from(backward).unwrap() + 1) * 4;
            (bytes[index], bytes[index + 1])
        };
        assert_eq!((blocks(&one), blocks(&three)), ((0, 1), (0, 3)));
    }

    #[test]
    fn the_bytes_of_a_compressed_member_have_not_changed() {
        let hex = |compression| hex::encode(compress(compression, 2, b"vb vb vb vb vb vb vb vb\n"));
        assert_eq!(hex(Compression::Gzip), "1f8b08000000000002ff2b4b5228c382b800fe1f1d6d18000000");
        assert_eq!(hex(Compression::Zstd), "28b52ffd0460550000207662200a0100d26e089d3c993e");
        assert_eq!(
            hex(Compression::Xz),
            "fd377a585a000004e6d6b44604c01218210114000000000000000000a76871b9e00017000a5d003b188014fe8f23f60000000000f5d964a84676427e00012e185124ed381fb6f37d010000000004595a"
        );
    }

    #[test]
    fn an_unknown_compression_is_told() {
        assert!(decompress("data.tar.bz2", io::empty()).unwrap().is_none());
        assert!(decompress("data", io::empty()).unwrap().is_none());
    }
}
