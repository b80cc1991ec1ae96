//! Segments: the pieces of a data member or payload that are compressed on their own, in parallel, and remembered.
//!
//! A segment ends before an entry whose path says so, so that where segments end does not move when the content of a
//! file changes: one edited file costs one segment, and all others are found again by what their bytes are made of.

use std::{
    cmp::Reverse,
    io::{self, Write},
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;
use vb_graph::{BlobDigest, Compression};

use crate::{
    compress::{Pieces, ZSTD_LEVEL, gzip},
    contents::Source,
    error::MemberError,
    learnt::{Learnt, LearntFiles, Wanted},
    span::{Part, Segment},
    xz,
};

/// A smaller segment would compress badly: nothing is found again across its borders.
const SMALLEST: usize = 1 << 20;
/// A larger one is cut wherever it is, so that there is something to do in parallel.
const LARGEST: usize = 4 << 20;
/// One path in so many ends a segment.
const ENDING_PATHS: u8 = 32;

/// A compressed segment, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedSegment {
    /// The compressed bytes.
    pub bytes: Vec<u8>,
    /// What was learnt from the files that begin in the segment, as text.
    pub facts: String,
}

/// Remembers compressed segments between packages.
///
/// The key is the digest of what a segment's bytes are made of and of how it is compressed. What is recalled must be
/// what was remembered under the key; something else makes another package.
#[derive(Clone, Copy)]
pub struct SegmentCache<'a> {
    /// Returns what was remembered under a key.
    pub recall: &'a (dyn Fn(&BlobDigest) -> Option<RememberedSegment> + Sync),
    /// Remembers a compressed segment under its key.
    pub remember: &'a (dyn Fn(&BlobDigest, &RememberedSegment) + Sync),
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

    fn key(self, segment: &Segment, wanted: Wanted) -> BlobDigest {
        let how = match self {
            Self::Xz => "xz 6 4 MiB",
            Self::Gzip => "gzip 9",
            Self::Zstd => "zstd 9",
        };
        BlobDigest::of(format!("vb segment 2 {how} {} {}", wanted.name(), segment.digest()).as_bytes())
    }

    fn compress(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Xz => xz::compress_piece(plain, u32::try_from(LARGEST).expect("four megabytes")),
            Self::Gzip => Ok(gzip(plain)),
            Self::Zstd => zstd_frame(plain),
        }
    }

    /// Is this a piece of so many plain bytes, as far as its frame tells?
    fn is_piece(self, compressed: &[u8], size: usize) -> bool {
        match self {
            Self::Xz => xz::plain_size(compressed) == Some(size as u64),
            Self::Gzip => gzip_size(compressed) == Some(size),
            Self::Zstd => {
                matches!(zstd::zstd_safe::get_frame_content_size(compressed), Ok(Some(found)) if found == size as u64)
            }
        }
    }
}

fn zstd_frame(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(plain)
}

/// Returns the size that the trailer of a gzip member has (RFC 1952, section 2.3.1).
fn gzip_size(compressed: &[u8]) -> Option<usize> {
    let trailer = compressed.strip_prefix(b"\x1f\x8b\x08")?.last_chunk()?;
    usize::try_from(u32::from_le_bytes(*trailer)).ok()
}

/// A segment that is ready to be written.
struct Made {
    bytes: Vec<u8>,
    facts: Vec<Learnt>,
}

/// Cuts what is written to it into segments.
pub(crate) struct SegmentWriter<'a, W> {
    out: W,
    codec: Codec,
    source: Source<'a>,
    cache: SegmentCache<'a>,
    current: Segment,
    waiting: Vec<Segment>,
    joiner: xz::XzJoiner,
    facts: LearntFiles,
}

impl<'a, W: Write> SegmentWriter<'a, W> {
    pub(crate) fn new(codec: Codec, source: Source<'a>, cache: SegmentCache<'a>, out: W) -> Self {
        Self {
            out,
            codec,
            source,
            cache,
            current: Segment::default(),
            waiting: Vec::new(),
            joiner: xz::XzJoiner::default(),
            facts: LearntFiles::new(),
        }
    }

    /// Says that the entry of a path comes next.
    pub(crate) fn start_entry(&mut self, path: &str) -> Result<(), MemberError> {
        let ends = BlobDigest::of(path.as_bytes()).as_bytes()[0].is_multiple_of(ENDING_PATHS);
        if ends && self.current.size() >= SMALLEST {
            self.cut();
        }
        if self.waiting.len() < at_once() { Ok(()) } else { self.drain() }
    }

    /// Puts the bytes of a file, from some place on, into this segment and the next ones.
    pub(crate) fn file(&mut self, part: Part) {
        let Part { mut range, path, blob, size } = part;
        loop {
            let room = (LARGEST - self.current.size()) as u64;
            let end = range.end.min(range.start + room);
            self.current.push_part(Part { path: path.clone(), blob, size, range: range.start..end });
            if self.current.size() == LARGEST {
                self.cut();
            }
            range.start = end;
            if range.is_empty() {
                return;
            }
        }
    }

    fn cut(&mut self) {
        self.waiting.push(std::mem::take(&mut self.current));
    }

    fn drain(&mut self) -> Result<(), MemberError> {
        for some in std::mem::take(&mut self.waiting).chunks(at_once()) {
            let maker = Maker { codec: self.codec, source: self.source, cache: self.cache };
            for (segment, made) in some.iter().zip(maker.make_all(some)) {
                self.append(segment, made?)?;
            }
        }
        Ok(())
    }

    fn append(&mut self, segment: &Segment, made: Made) -> Result<(), MemberError> {
        match self.codec {
            Codec::Xz if !self.joiner.append(&made.bytes, segment.size(), &mut self.out)? => {
                return Err(io::Error::from(io::ErrorKind::InvalidData).into());
            }
            Codec::Xz => {}
            Codec::Gzip | Codec::Zstd => self.out.write_all(&made.bytes)?,
        }
        self.facts.extend(segment.beginnings().map(|part| part.blob).zip(made.facts));
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<(W, LearntFiles), MemberError> {
        if self.current.size() > 0 {
            self.cut();
        }
        self.drain()?;
        if let Codec::Xz = self.codec {
            self.joiner.finish(&mut self.out)?;
        }
        Ok((self.out, self.facts))
    }
}

/// Returns how many segments are in memory together: enough to keep the threads busy, few enough to stay small.
fn at_once() -> usize {
    8 * rayon::current_num_threads()
}

/// Remembers segments, or reads and compresses them.
struct Maker<'a> {
    codec: Codec,
    source: Source<'a>,
    cache: SegmentCache<'a>,
}

impl Maker<'_> {
    /// Makes segments, the largest first, so that all threads end at about the same time. The order of the results is that
    /// of the segments.
    fn make_all(&self, segments: &[Segment]) -> Vec<Result<Made, MemberError>> {
        let mut order: Vec<usize> = (0..segments.len()).collect();
        order.sort_by_key(|index| Reverse(segments[*index].size()));
        // rayon would give a thread several of them, and the last one those that are left.
        let next = AtomicUsize::new(0);
        let make_next = |_| {
            let index = order[next.fetch_add(1, Ordering::Relaxed)];
            (index, self.make(&segments[index]))
        };
        let mut made: Vec<_> = (0..segments.len()).into_par_iter().with_max_len(1).map(make_next).collect();
        made.sort_by_key(|(index, _)| *index);
        made.into_iter().map(|(_, made)| made).collect()
    }

    fn make(&self, segment: &Segment) -> Result<Made, MemberError> {
        let key = self.codec.key(segment, self.source.wanted);
        if let Some(made) = self.recall(segment, &key) {
            return Ok(made);
        }
        let (plain, facts) = segment.load(self.source.open, self.source.wanted)?;
        let bytes = self.codec.compress(&plain)?;
        let text = serde_json::to_string(&facts).expect("facts are plain data");
        let remembered = RememberedSegment { bytes, facts: text };
        (self.cache.remember)(&key, &remembered);
        Ok(Made { bytes: remembered.bytes, facts })
    }

    /// Something else than what was remembered can only come out of a damaged cache.
    fn recall(&self, segment: &Segment, key: &BlobDigest) -> Option<Made> {
        let RememberedSegment { bytes, facts } = (self.cache.recall)(key)?;
        let facts: Vec<Learnt> = serde_json::from_str(&facts).ok()?;
        let fits = facts.len() == segment.beginnings().count() && self.codec.is_piece(&bytes, segment.size());
        fits.then_some(Made { bytes, facts })
    }
}

impl<W: Write> Write for SegmentWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(LARGEST - self.current.size());
        self.current.push_bytes(&bytes[..count]);
        if self.current.size() == LARGEST {
            self.cut();
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
    use crate::{compress::decompress, learnt::Learner};

    /// Text that compresses quickly and is different everywhere.
    fn content(size: usize, seed: u32) -> Vec<u8> {
        let lines = (0_u32..).map(|line| format!("{}{:200}\n", (line ^ seed).wrapping_mul(2_654_435_761), ""));
        lines.flat_map(String::into_bytes).take(size).collect()
    }

    fn write(codec: Codec, cache: SegmentCache<'_>, files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let blobs: HashMap<BlobDigest, &[u8]> =
            files.iter().map(|(_, bytes)| (BlobDigest::of(bytes), bytes.as_slice())).collect();
        let open = |blob: &BlobDigest, start: u64| {
            let bytes = blobs[blob][usize::try_from(start).unwrap()..].to_vec();
            Ok(Box::new(io::Cursor::new(bytes)) as Box<dyn Read>)
        };
        let source = Source { open: &open, wanted: Wanted::Md5 };
        let mut writer = SegmentWriter::new(codec, source, cache, Vec::new());
        for (path, bytes) in files {
            writer.start_entry(path).unwrap();
            let size = bytes.len() as u64;
            writer.file(Part { path: path.clone(), blob: BlobDigest::of(bytes), size, range: 0..size });
        }
        let (out, learnt) = writer.finish().unwrap();
        for (_, bytes) in files {
            let mut learner = Learner::new(Wanted::Md5);
            learner.read(bytes);
            assert_eq!(learnt[&BlobDigest::of(bytes)], learner.finish());
        }
        out
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
        let remembered: Mutex<HashMap<BlobDigest, RememberedSegment>> = Mutex::default();
        let recall = |key: &BlobDigest| remembered.lock().unwrap().get(key).cloned();
        let remember = |key: &BlobDigest, segment: &RememberedSegment| {
            remembered.lock().unwrap().insert(*key, segment.clone());
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
        let cache = SegmentCache {
            recall: &|_| Some(RememberedSegment { bytes: b"nonsense".to_vec(), facts: "[]".to_owned() }),
            remember: &|_, _| {},
        };
        let files = files().split_off(150);
        for codec in [Codec::Xz, Codec::Gzip, Codec::Zstd] {
            assert!(write(codec, cache, &files) == write(codec, SegmentCache::none(), &files), "{codec:?}");
        }
    }
}
