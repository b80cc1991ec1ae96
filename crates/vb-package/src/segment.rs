//! Segments: the pieces of a data member or payload that are compressed on their own, in parallel, and remembered.
//!
//! A segment ends before an entry whose path says so, so that where segments end does not move when the content of a
//! file changes: one edited file costs one segment, and all others are found again by what their bytes are made of.

use std::{
    cmp::Reverse,
    io::{self, Write},
    ops::Range,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;
use vb_graph::{BlobDigest, Compression};

use crate::{
    compress::{Pieces, ZSTD_LEVEL, gzip},
    contents::Source,
    error::MemberError,
    learnt::{Learnt, LearntFiles, Wanted},
    packed::{Packed, Piece, Place, Spill},
    span::{Part, Segment},
    xz,
};

/// No segment is larger.
const LARGEST: usize = 4 << 20;

/// A compressed segment, as it was remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedSegment {
    /// The compressed bytes.
    pub bytes: Vec<u8>,
    /// A file that has these bytes for as long as the package is being written, where there is one.
    pub place: Option<PathBuf>,
    /// What was learnt from the files that begin in the segment, as text.
    pub facts: String,
}

/// Remembers a segment: its key, its compressed bytes, what was learnt.
pub type Remember<'a> = dyn Fn(&BlobDigest, &[u8], &str) -> Option<PathBuf> + Sync + 'a;

/// Remembers compressed segments between packages.
///
/// The key is the digest of what a segment's bytes are made of and of how it is compressed. What is recalled must be
/// what was remembered under the key; something else makes another package.
#[derive(Clone, Copy)]
pub struct SegmentCache<'a> {
    /// Returns what was remembered under a key.
    pub recall: &'a (dyn Fn(&BlobDigest) -> Option<RememberedSegment> + Sync),
    /// Remembers, under its key, the bytes of a compressed segment and what was learnt; returns a file that has the bytes
    /// for as long as the package is being written, where there is one.
    pub remember: &'a Remember<'a>,
}

impl std::fmt::Debug for SegmentCache<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentCache").finish_non_exhaustive()
    }
}

impl SegmentCache<'_> {
    /// Returns a cache that remembers nothing.
    pub const fn none() -> Self {
        Self { recall: &|_| None, remember: &|_, _, _| None }
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

    /// Returns which bytes of a piece stand in the member, and what an index tells of them; nothing when, as far as its
    /// frame tells, it is no piece of so many plain bytes.
    fn part_of(self, piece: &[u8], size: usize) -> Option<(Range<usize>, Option<xz::Record>)> {
        let is_whole = match self {
            Self::Xz => {
                let (range, record) = xz::block_of(piece)?;
                return (record.plain_size == size as u64).then_some((range, Some(record)));
            }
            Self::Gzip => gzip_size(piece) == Some(size),
            Self::Zstd => {
                matches!(zstd::zstd_safe::get_frame_content_size(piece), Ok(Some(found)) if found == size as u64)
            }
        };
        is_whole.then_some((0..piece.len(), None))
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

/// Whose files an entry is among: how often they change says where segments end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// The environment: it changes with the lock, and is most of a package.
    Environment,
    /// The application's own, and what tells of it. They change with every commit, and what changed is compressed while
    /// somebody waits: their segments are short.
    Application,
}

impl Zone {
    /// A smaller segment would compress badly: nothing is found again across its borders.
    fn smallest(self) -> usize {
        match self {
            Self::Environment => 1 << 20,
            Self::Application => 128 << 10,
        }
    }

    /// A larger one is cut wherever it is, so that there is something to do in parallel.
    fn largest(self) -> usize {
        match self {
            Self::Environment => LARGEST,
            Self::Application => 512 << 10,
        }
    }

    /// One path in so many ends a segment.
    fn ending_paths(self) -> u8 {
        match self {
            Self::Environment => 32,
            Self::Application => 8,
        }
    }

    fn ends_before(self, path: &str) -> bool {
        BlobDigest::of(path.as_bytes()).as_bytes()[0].is_multiple_of(self.ending_paths())
    }
}

/// A segment that is compressed, and in a file.
struct Made {
    piece: Piece,
    /// What an index has to tell of it.
    record: Option<xz::Record>,
    facts: Vec<Learnt>,
}

/// Cuts what is written to it into segments.
pub(crate) struct SegmentWriter<'a> {
    maker: Maker<'a>,
    zone: Zone,
    current: Segment,
    waiting: Vec<Segment>,
    pieces: Vec<Piece>,
    joiner: xz::XzJoiner,
    facts: LearntFiles,
}

impl<'a> SegmentWriter<'a> {
    pub(crate) fn new(codec: Codec, source: Source<'a>, cache: SegmentCache<'a>, spill: Spill) -> Self {
        Self {
            maker: Maker { codec, source, cache, spill },
            zone: Zone::Environment,
            current: Segment::default(),
            waiting: Vec::new(),
            pieces: Vec::new(),
            joiner: xz::XzJoiner::default(),
            facts: LearntFiles::new(),
        }
    }

    /// Says that the entry of a path comes next.
    pub(crate) fn start_entry(&mut self, path: &str, zone: Zone) -> Result<(), MemberError> {
        let size = self.current.size();
        if zone != self.zone && size > 0 || size >= zone.smallest() && zone.ends_before(path) {
            self.cut();
        }
        self.zone = zone;
        if self.waiting.len() < at_once() { Ok(()) } else { self.drain() }
    }

    /// Puts the bytes of a file, from some place on, into this segment and the next ones.
    pub(crate) fn file(&mut self, part: Part) {
        let Part { mut range, path, blob, size } = part;
        loop {
            let end = range.end.min(range.start + self.room() as u64);
            self.current.push_part(Part { path: path.clone(), blob, size, range: range.start..end });
            self.cut_when_full();
            range.start = end;
            if range.is_empty() {
                return;
            }
        }
    }

    fn room(&self) -> usize {
        self.zone.largest() - self.current.size()
    }

    fn cut_when_full(&mut self) {
        if self.room() == 0 {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.waiting.push(std::mem::take(&mut self.current));
    }

    fn drain(&mut self) -> Result<(), MemberError> {
        let waiting = std::mem::take(&mut self.waiting);
        for (segment, made) in waiting.iter().zip(self.maker.make_all(&waiting)) {
            let Made { piece, record, facts } = made?;
            self.pieces.push(piece);
            self.joiner.extend(record);
            self.facts.extend(segment.beginnings().map(|part| part.blob).zip(facts));
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<(Packed, LearntFiles), MemberError> {
        if self.current.size() > 0 {
            self.cut();
        }
        self.drain()?;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        if let Codec::Xz = self.maker.codec {
            head.extend(xz::HEADER);
            self.joiner.write_end(&mut tail)?;
        }
        let packed = Packed { head, pieces: self.pieces, tail, spill: self.maker.spill };
        Ok((packed, self.facts))
    }
}

/// Returns how many segments wait to be made together: enough to keep the threads busy until the last one, few enough for
/// what they are made of to stay small.
fn at_once() -> usize {
    32 * rayon::current_num_threads()
}

/// Remembers segments, or reads and compresses them.
struct Maker<'a> {
    codec: Codec,
    source: Source<'a>,
    cache: SegmentCache<'a>,
    spill: Spill,
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
        if let Some(made) = self.recall(segment, &key)? {
            return Ok(made);
        }
        let (plain, facts) = segment.load(self.source.open, self.source.wanted)?;
        let bytes = self.codec.compress(&plain)?;
        drop(plain);
        let text = serde_json::to_string(&facts).expect("facts are plain data");
        let place = (self.cache.remember)(&key, &bytes, &text);
        let made = self.place(segment, &bytes, place, facts)?;
        Ok(made.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?)
    }

    /// Something else than what was remembered can only come out of a damaged cache.
    fn recall(&self, segment: &Segment, key: &BlobDigest) -> io::Result<Option<Made>> {
        let Some(RememberedSegment { bytes, place, facts }) = (self.cache.recall)(key) else { return Ok(None) };
        let facts = serde_json::from_str::<Vec<Learnt>>(&facts).ok();
        let facts = facts.filter(|facts| facts.len() == segment.beginnings().count());
        facts.map_or(Ok(None), |facts| self.place(segment, &bytes, place, facts))
    }

    /// Tells where the bytes of a piece are, after they are there; nothing when they are no piece of the segment.
    fn place(
        &self,
        segment: &Segment,
        bytes: &[u8],
        place: Option<PathBuf>,
        facts: Vec<Learnt>,
    ) -> io::Result<Option<Made>> {
        let Some((range, record)) = self.codec.part_of(bytes, segment.size()) else { return Ok(None) };
        let (start, size) = (range.start as u64, range.len() as u64);
        let piece = match place {
            Some(path) => Piece { place: Place::File(path), start, size },
            None => Piece { place: Place::Spill, start: self.spill.append(&bytes[range])?, size },
        };
        Ok(Some(Made { piece, record, facts }))
    }
}

impl Write for SegmentWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room());
        self.current.push_bytes(&bytes[..count]);
        self.cut_when_full();
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
        let directory = tempfile::tempdir().unwrap();
        let mut writer = SegmentWriter::new(codec, source, cache, Spill::new_in(directory.path()).unwrap());
        for (path, bytes) in files {
            writer.start_entry(path, zone(path)).unwrap();
            let size = bytes.len() as u64;
            writer.file(Part { path: path.clone(), blob: BlobDigest::of(bytes), size, range: 0..size });
        }
        let (packed, learnt) = writer.finish().unwrap();
        for (_, bytes) in files {
            let mut learner = Learner::new(Wanted::Md5);
            learner.read(bytes);
            assert_eq!(learnt[&BlobDigest::of(bytes)], learner.finish());
        }
        let mut out = Vec::new();
        packed.reader().read_to_end(&mut out).unwrap();
        assert_eq!(packed.size(), out.len() as u64);
        out
    }

    fn zone(path: &str) -> Zone {
        if path.starts_with("own") { Zone::Application } else { Zone::Environment }
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
        let remember = |key: &BlobDigest, bytes: &[u8], facts: &str| {
            let segment = RememberedSegment { bytes: bytes.to_vec(), place: None, facts: facts.to_owned() };
            remembered.lock().unwrap().insert(*key, segment);
            None
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
    fn a_file_of_the_application_shares_no_segment_with_the_environment() {
        let compressed = Mutex::new(Vec::new());
        let remember = |_: &BlobDigest, bytes: &[u8], _: &str| {
            compressed.lock().unwrap().push(gzip_size(bytes).unwrap());
            None
        };
        let cache = SegmentCache { recall: &|_| None, remember: &remember };
        let own = |count: u32| (0..count).map(|number| (format!("own{number:03}"), content(3000, number)));
        let mut files = files();
        let middle = files.len() / 2;
        files.splice(middle..middle, own(2));
        files.extend(own(500));
        write(Codec::Gzip, cache, &files);
        let sizes = compressed.into_inner().unwrap();
        assert!(sizes.contains(&6000), "{sizes:?}");
        let own: usize = sizes.iter().filter(|size| **size <= Zone::Application.largest()).sum();
        assert!(own >= 502 * 3000 && sizes.iter().filter(|size| **size > Zone::Application.smallest()).count() > 6);
    }

    #[test]
    fn a_piece_of_another_size_is_none_of_the_segment() {
        for codec in [Codec::Xz, Codec::Gzip, Codec::Zstd] {
            let piece = codec.compress(b"content").unwrap();
            assert!(codec.part_of(&piece, 7).is_some() && codec.part_of(&piece, 8).is_none(), "{codec:?}");
        }
    }

    #[test]
    fn a_cache_that_recalls_nonsense_does_no_harm() {
        let cache = SegmentCache {
            recall: &|_| Some(RememberedSegment { bytes: b"nonsense".to_vec(), place: None, facts: "[]".to_owned() }),
            remember: &|_, _, _| None,
        };
        let files = files().split_off(150);
        for codec in [Codec::Xz, Codec::Gzip, Codec::Zstd] {
            assert!(write(codec, cache, &files) == write(codec, SegmentCache::none(), &files), "{codec:?}");
        }
    }
}
