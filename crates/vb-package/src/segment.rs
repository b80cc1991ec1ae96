//! Segments: the pieces of a data member or payload that are compressed on their own, in parallel, and remembered.
//!
//! A segment ends before an entry whose path says so, so that where segments end does not move when the content of a
//! file changes: one edited file costs one segment, and all others are found again by the digest of their bytes.

use std::io::{self, Write};

use rayon::prelude::*;
use vb_graph::{BlobDigest, Compression};

use crate::{
    compress::{Pieces, ZSTD_LEVEL, gzip},
    xz,
};

/// A smaller segment would compress badly: nothing is found again across its borders.
const SMALLEST: usize = 1 << 20;
/// A larger one is cut wherever it is, so that there is something to do in parallel.
const LARGEST: usize = 4 << 20;
/// One path in so many ends a segment.
const ENDING_PATHS: u8 = 32;

/// Remembers compressed segments between packages.
///
/// The key is the digest of a segment's bytes and of how it is compressed. What is recalled must be what was
/// remembered under the key; something else makes another package.
#[derive(Clone, Copy)]
pub struct SegmentCache<'a> {
    /// Returns what was remembered under a key.
    pub recall: &'a (dyn Fn(&BlobDigest) -> Option<Vec<u8>> + Sync),
    /// Remembers a compressed segment under its key.
    pub remember: &'a (dyn Fn(&BlobDigest, &[u8]) + Sync),
}

impl std::fmt::Debug for SegmentCache<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentCache").finish_non_exhaustive()
    }
}

impl SegmentCache<'_> {
    /// Returns a cache that remembers nothing.
    pub const fn none() -> Self {
        Self { recall: &|_| None, remember: &|_, _| {} }
    }
}

/// The compressions whose pieces can stand one after another in a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Codec {
    Xz,
    Gzip,
    Zstd,
}

impl Codec {
    /// Returns the codec of a compression, if a reader takes its pieces.
    pub(crate) fn of(compression: Compression, pieces: Pieces) -> Option<Self> {
        match compression {
            Compression::Xz => Some(Self::Xz),
            Compression::Gzip => Some(Self::Gzip),
            Compression::Zstd => (pieces == Pieces::Any).then_some(Self::Zstd),
        }
    }

    fn key(self, plain: &[u8]) -> BlobDigest {
        let how = match self {
            Self::Xz => "vb segment 1 xz 6 ",
            Self::Gzip => "vb segment 1 gzip 9 ",
            Self::Zstd => "vb segment 1 zstd 9 ",
        };
        BlobDigest::of(format!("{how}{}", BlobDigest::of(plain)).as_bytes())
    }

    fn compress(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Xz => xz::compress_piece(plain, LARGEST),
            Self::Gzip => Ok(gzip(plain)),
            Self::Zstd => zstd_frame(plain),
        }
    }
}

fn zstd_frame(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(plain)
}

/// Cuts what is written to it into segments.
pub(crate) struct SegmentWriter<'a, W> {
    out: W,
    codec: Codec,
    cache: SegmentCache<'a>,
    plain: Vec<u8>,
    waiting: Vec<Vec<u8>>,
    joiner: xz::XzJoiner,
}

impl<'a, W: Write> SegmentWriter<'a, W> {
    pub(crate) fn new(codec: Codec, cache: SegmentCache<'a>, out: W) -> Self {
        Self { out, codec, cache, plain: Vec::new(), waiting: Vec::new(), joiner: xz::XzJoiner::default() }
    }

    /// Says that the entry of a path comes next.
    pub(crate) fn start_entry(&mut self, path: &str) -> io::Result<()> {
        let ends = BlobDigest::of(path.as_bytes()).as_bytes()[0].is_multiple_of(ENDING_PATHS);
        if ends && self.plain.len() >= SMALLEST { self.cut() } else { Ok(()) }
    }

    fn cut(&mut self) -> io::Result<()> {
        self.waiting.push(std::mem::take(&mut self.plain));
        // Enough to keep the threads busy, few enough to stay small in memory.
        if self.waiting.len() < 4 * rayon::current_num_threads() { Ok(()) } else { self.drain() }
    }

    fn drain(&mut self) -> io::Result<()> {
        let (codec, cache) = (self.codec, self.cache);
        let waiting = std::mem::take(&mut self.waiting);
        let compressed: Vec<io::Result<Vec<u8>>> =
            waiting.par_iter().map(|plain| compress_remembered(codec, cache, plain)).collect();
        for (plain, compressed) in waiting.iter().zip(compressed) {
            self.append(plain, &compressed?)?;
        }
        Ok(())
    }

    fn append(&mut self, plain: &[u8], compressed: &[u8]) -> io::Result<()> {
        // Something else than a piece can only come out of the cache.
        if self.try_append(plain, compressed)? || self.try_append(plain, &self.codec.compress(plain)?)? {
            return Ok(());
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    /// Writes a piece; false when it is none of that content, and nothing was written.
    fn try_append(&mut self, plain: &[u8], compressed: &[u8]) -> io::Result<bool> {
        match self.codec {
            Codec::Xz => self.joiner.append(compressed, plain.len(), &mut self.out),
            Codec::Gzip if is_gzip_of(compressed, plain) => self.out.write_all(compressed).map(|()| true),
            Codec::Zstd if is_zstd_of(compressed, plain) => self.out.write_all(compressed).map(|()| true),
            Codec::Gzip | Codec::Zstd => Ok(false),
        }
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.plain.is_empty() {
            self.cut()?;
        }
        self.drain()?;
        if let Codec::Xz = self.codec {
            self.joiner.finish(&mut self.out)?;
        }
        Ok(self.out)
    }
}

/// Looks at the magic number and the trailer of a gzip member (RFC 1952): CRC32 and size of what it holds.
fn is_gzip_of(compressed: &[u8], plain: &[u8]) -> bool {
    let size = u32::try_from(plain.len()).expect("a segment is small");
    compressed.starts_with(b"\x1f\x8b\x08")
        && compressed.ends_with(&[xz::crc32(plain).to_le_bytes(), size.to_le_bytes()].concat())
}

/// Decompresses a frame, which costs little beside what was saved.
fn is_zstd_of(compressed: &[u8], plain: &[u8]) -> bool {
    zstd::bulk::decompress(compressed, plain.len()).is_ok_and(|content| content == plain)
}

fn compress_remembered(codec: Codec, cache: SegmentCache<'_>, plain: &[u8]) -> io::Result<Vec<u8>> {
    let key = codec.key(plain);
    if let Some(compressed) = (cache.recall)(&key) {
        return Ok(compressed);
    }
    let compressed = codec.compress(plain)?;
    (cache.remember)(&key, &compressed);
    Ok(compressed)
}

impl<W: Write> Write for SegmentWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(LARGEST - self.plain.len());
        self.plain.extend_from_slice(&bytes[..count]);
        if self.plain.len() == LARGEST {
            self.cut()?;
        }
        Ok(count)
    }

    /// Nothing to do: a segment is written when it is whole.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, io::Read, sync::Mutex};

    use super::*;
    use crate::compress::decompress;

    /// Text that compresses quickly and is different everywhere.
    fn content(size: usize, seed: u32) -> Vec<u8> {
        let lines = (0_u32..).map(|line| format!("{}{:200}\n", (line ^ seed).wrapping_mul(2_654_435_761), ""));
        lines.flat_map(String::into_bytes).take(size).collect()
    }

    fn write(codec: Codec, cache: SegmentCache<'_>, files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut writer = SegmentWriter::new(codec, cache, Vec::new());
        for (path, bytes) in files {
            writer.start_entry(path).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    fn files() -> Vec<(String, Vec<u8>)> {
        (0..200).map(|number| (format!("f{number}"), content(40_000, number))).collect()
    }

    #[test]
    fn the_content_comes_back_and_a_file_larger_than_a_segment_too() {
        let mut files = files();
        files.push(("large".to_owned(), content(9 << 20, 7)));
        for (codec, member) in [(Codec::Xz, "data.tar.xz"), (Codec::Gzip, "data.tar.gz"), (Codec::Zstd, "data.tar.zst")]
        {
            let bytes = write(codec, SegmentCache::none(), &files);
            let mut back = Vec::new();
            decompress(member, &bytes[..]).unwrap().unwrap().read_to_end(&mut back).unwrap();
            let plain: Vec<u8> = files.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            assert!(back == plain, "{codec:?}");
        }
    }

    #[test]
    fn one_changed_file_compresses_one_segment_again_and_the_cache_changes_no_byte() {
        let remembered: Mutex<HashMap<BlobDigest, Vec<u8>>> = Mutex::default();
        let recall = |key: &BlobDigest| remembered.lock().unwrap().get(key).cloned();
        let remember = |key: &BlobDigest, bytes: &[u8]| {
            remembered.lock().unwrap().insert(*key, bytes.to_vec());
        };
        let cache = SegmentCache { recall: &recall, remember: &remember };
        let mut files = files();
        write(Codec::Xz, cache, &files);
        let segments = remembered.lock().unwrap().len();
        assert!(segments >= 3, "{segments}");
        files[100].1.splice(10..10, *b"one more line\n");
        let with_cache = write(Codec::Xz, cache, &files);
        assert_eq!(remembered.lock().unwrap().len(), segments + 1);
        assert!(with_cache == write(Codec::Xz, SegmentCache::none(), &files));
    }

    #[test]
    fn a_cache_that_recalls_nonsense_does_no_harm() {
        let cache = SegmentCache { recall: &|_| Some(b"nonsense".to_vec()), remember: &|_, _| {} };
        let files = files().split_off(150);
        for codec in [Codec::Xz, Codec::Gzip, Codec::Zstd] {
            assert!(write(codec, cache, &files) == write(codec, SegmentCache::none(), &files), "{codec:?}");
        }
    }
}
