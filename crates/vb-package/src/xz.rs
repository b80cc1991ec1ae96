//! The `.xz` container around pieces that were compressed one by one.
//!
//! A piece is a whole `.xz` file of one block. A file of several pieces has their blocks one after another between one
//! stream header and one index, which is what a multi-threaded encoder writes: dpkg reads one stream, and stops at a
//! second one. Format: "The .xz File Format", version 1.2.0, sections 2 to 4.

use std::{
    io::{self, Write},
    ops::Range,
};

use flate2::Crc;
use liblzma::{
    stream::{Check, Filters, LzmaOptions, Stream},
    write::XzEncoder,
};

const PRESET: u32 = 6;
/// The stream header of every piece and of what they are joined to: magic, flags for CRC64, CRC32 of the flags.
pub(crate) const HEADER: &[u8] = b"\xfd7zXZ\0\x00\x04\xe6\xd6\xb4\x46";
const FLAGS: [u8; 2] = [HEADER[6], HEADER[7]];
const FOOTER: usize = 12;
const FOOTER_MAGIC: &[u8] = b"YZ";

/// Compresses one piece of at most `largest` bytes. A dictionary of that size reaches all of it, and is what an encoder
/// needs memory for: twelve times its size.
pub(crate) fn compress_piece(plain: &[u8], largest: u32) -> io::Result<Vec<u8>> {
    let mut options = LzmaOptions::new_preset(PRESET)?;
    options.dict_size(largest);
    compress_block(plain, largest.into(), &options)
}

/// Compresses one piece for an [`XzJoiner`], with a preset of xz: more than 6 helps only large pieces.
pub fn xz_piece(plain: &[u8], preset: u32) -> Vec<u8> {
    let options = LzmaOptions::new_preset(preset).expect("a preset is between 0 and 9");
    // An encoder with a block size of zero would choose one by itself.
    compress_block(plain, plain.len().max(1) as u64, &options).expect("compressing in memory does not fail")
}

/// Compresses a piece to one block, whose header has room for the sizes of any piece of at most `largest` bytes.
///
/// The bytes are those of the multi-threaded encoder with blocks of that size, which alone writes sizes into the headers
/// of blocks: with these, dpkg unpacks blocks in parallel. But it starts a thread for each piece, and what that needed
/// stays with the allocator of a thread that is gone; so this is the other encoder, with its header replaced.
fn compress_block(plain: &[u8], largest: u64, options: &LzmaOptions) -> io::Result<Vec<u8>> {
    let mut filters = Filters::new();
    filters.lzma2(options);
    let stream = Stream::new_stream_encoder(&filters, Check::Crc64)?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(plain)?;
    let piece = encoder.finish()?;
    if plain.is_empty() {
        // A stream of no block: as that of the other encoder.
        return Ok(piece);
    }
    let (range, record) = block_of(&piece).ok_or(io::ErrorKind::InvalidData)?;
    let block = &piece[range];
    let (header, content) = block.split_at((usize::from(block[0]) + 1) * 4);
    let unpadded = usize::try_from(record.unpadded_size).expect("the piece is in memory");
    let compressed_size = unpadded - header.len() - CHECK;
    // Behind size and flags stands the filter.
    let new = block_header(&header[2..2 + FILTER], compressed_size as u64, plain.len() as u64, largest);

    let mut joiner = XzJoiner::default();
    let block = [&new, content].concat();
    let unpadded_size = (new.len() + compressed_size + CHECK) as u64;
    let mut out = Vec::with_capacity(block.len() + 64);
    joiner.append_block(&block, Record { unpadded_size, plain_size: plain.len() as u64 }, &mut out)?;
    joiner.finish(&mut out)?;
    Ok(out)
}

/// The flags of LZMA2: its identifier, the size of its properties, the size of the dictionary.
const FILTER: usize = 3;
/// The size of a CRC64.
const CHECK: usize = 8;
/// Section 3.1.2: one filter, and both sizes are there.
const WITH_SIZES: u8 = 0xc0;

/// Section 3.1, as long as it is for the largest piece.
fn block_header(filter: &[u8], compressed_size: u64, plain_size: u64, largest: u64) -> Vec<u8> {
    // What liblzma's encoder has room for: a header, a check, and chunks of LZMA2 that it did not compress.
    let room = (largest + largest.div_ceil(1 << 16) * 3 + 1).next_multiple_of(4) + 92;
    let header = |compressed_size, plain_size| {
        let mut header = vec![0, WITH_SIZES];
        write_number(&mut header, compressed_size);
        write_number(&mut header, plain_size);
        header.extend(filter);
        header
    };
    let length = header(room, largest).len().next_multiple_of(4);
    let mut header = header(compressed_size, plain_size);
    header[0] = u8::try_from(length / 4).expect("a header is short");
    header.resize(length, 0);
    header.extend(crc32(&header).to_le_bytes());
    header
}

/// What an index tells of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// The bytes of header, content and check, without what pads the block.
    unpadded_size: u64,
    /// How many bytes it holds.
    pub(crate) plain_size: u64,
}

/// Returns where the block of a piece is, and what its index tells of it; `None` when it is not a whole `.xz` file of one
/// block with the check that all pieces have.
pub(crate) fn block_of(piece: &[u8]) -> Option<(Range<usize>, Record)> {
    let footer = piece.get(piece.len().checked_sub(FOOTER)?..)?;
    if !piece.starts_with(HEADER) || footer[10..] != *FOOTER_MAGIC {
        return None;
    }
    let backward = u32::from_le_bytes(footer[4..8].try_into().ok()?);
    let index_size = (usize::try_from(backward).ok()? + 1) * 4;
    let index_start = (piece.len() - FOOTER).checked_sub(index_size).filter(|start| *start >= HEADER.len())?;
    let index = &piece[index_start..piece.len() - FOOTER];
    let mut numbers = index.get(1..)?;
    let (indicator, count) = (index[0], read_number(&mut numbers)?);
    let record = Record { unpadded_size: read_number(&mut numbers)?, plain_size: read_number(&mut numbers)? };
    let range = HEADER.len()..index_start;
    let is_whole = record.unpadded_size.next_multiple_of(4) == range.len() as u64;
    (indicator == 0 && count == 1 && is_whole).then_some((range, record))
}

/// Puts pieces together to one file.
#[derive(Debug, Default)]
pub struct XzJoiner {
    records: Vec<Record>,
}

impl XzJoiner {
    /// Writes one more piece; false when it is none, and nothing was written.
    ///
    /// # Errors
    /// What the writer said.
    pub fn append_piece(&mut self, piece: &[u8], out: &mut impl Write) -> io::Result<bool> {
        let Some((range, record)) = block_of(piece) else { return Ok(false) };
        self.append_block(&piece[range], record, out)?;
        Ok(true)
    }

    fn append_block(&mut self, block: &[u8], record: Record, out: &mut impl Write) -> io::Result<()> {
        if self.records.is_empty() {
            out.write_all(HEADER)?;
        }
        self.records.push(record);
        out.write_all(block)
    }

    /// Takes in what is told of blocks that somebody else writes, behind a header.
    pub(crate) fn extend(&mut self, records: impl IntoIterator<Item = Record>) {
        self.records.extend(records);
    }

    /// Writes index and footer. Without any piece that makes the `.xz` file of nothing.
    ///
    /// # Errors
    /// What the writer said.
    pub fn finish(&self, out: &mut impl Write) -> io::Result<()> {
        if self.records.is_empty() {
            out.write_all(HEADER)?;
        }
        self.write_end(out)
    }

    /// Writes index and footer, behind a header and all blocks.
    pub(crate) fn write_end(&self, out: &mut impl Write) -> io::Result<()> {
        let mut index = vec![0];
        write_number(&mut index, self.records.len() as u64);
        for Record { unpadded_size, plain_size } in &self.records {
            write_number(&mut index, *unpadded_size);
            write_number(&mut index, *plain_size);
        }
        index.resize(index.len().next_multiple_of(4), 0);
        index.extend(crc32(&index).to_le_bytes());
        let backward = u32::try_from(index.len() / 4 - 1).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut footer = backward.to_le_bytes().to_vec();
        footer.extend(FLAGS);
        out.write_all(&index)?;
        out.write_all(&crc32(&footer).to_le_bytes())?;
        out.write_all(&footer)?;
        out.write_all(FOOTER_MAGIC)
    }
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Section 1.2: seven bits a byte, the lowest first, the eighth says that there are more.
fn write_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use liblzma::{read::XzDecoder, stream::MtStreamBuilder};

    use super::*;

    fn compress_with_threads(plain: &[u8], largest: u64, options: &LzmaOptions) -> Vec<u8> {
        let mut filters = Filters::new();
        filters.lzma2(options);
        let mut builder = MtStreamBuilder::new();
        let stream = builder.threads(1).filters(filters).block_size(largest).check(Check::Crc64).encoder().unwrap();
        let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_piece_is_the_one_that_the_encoder_with_threads_makes() {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        // Noise becomes longer, by one header for each chunk that is stored.
        let noise: Vec<u8> = (0..1 << 20).map(|_| noise()).collect();
        let text: Vec<u8> = (0..200_000).flat_map(|line: u32| format!("{}\n", line % 77_777).into_bytes()).collect();
        let mut options = LzmaOptions::new_preset(PRESET).unwrap();
        options.dict_size(4 << 20);
        for plain in [&noise[..], &noise[..100_000], &noise[..1], &text[..1 << 20], &text[..77], b""] {
            let largest = 4 << 20;
            assert!(
                compress_block(plain, largest, &options).unwrap() == compress_with_threads(plain, largest, &options)
            );
            // A block for the piece alone, whose header may be as short as this one can be.
            let largest = plain.len().max(1) as u64;
            assert!(
                compress_block(plain, largest, &options).unwrap() == compress_with_threads(plain, largest, &options)
            );
        }
    }

    #[test]
    fn numbers_of_every_length_come_back() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), (1 << 63) - 1] {
            let mut bytes = Vec::new();
            write_number(&mut bytes, number);
            assert_eq!(read_number(&mut &bytes[..]), Some(number));
        }
        assert_eq!(read_number(&mut &[0x80_u8; 10][..]), None);
    }

    #[test]
    fn joined_pieces_are_one_stream_with_the_content_of_all() {
        let pieces: [&[u8]; 3] = [b"first piece\n", b"second\n", b"and the third one, the longest of them\n"];
        let (mut joiner, mut joined) = (XzJoiner::default(), Vec::new());
        for piece in pieces {
            let compressed = compress_piece(piece, 1 << 20).unwrap();
            assert!(joiner.append_piece(&compressed, &mut joined).unwrap());
        }
        joiner.finish(&mut joined).unwrap();
        let mut back = Vec::new();
        // This decoder stops at the end of the first stream, as dpkg's does.
        XzDecoder::new(&joined[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, pieces.concat());
    }

    #[test]
    fn no_piece_at_all_makes_a_file_of_nothing() {
        let mut joined = Vec::new();
        XzJoiner::default().finish(&mut joined).unwrap();
        let mut back = Vec::new();
        XzDecoder::new(&joined[..]).read_to_end(&mut back).unwrap();
        assert_eq!(back, b"");
    }

    #[test]
    fn what_is_no_single_block_is_refused() {
        let append = |piece: &[u8]| XzJoiner::default().append_piece(piece, &mut Vec::new()).unwrap();
        let piece = compress_piece(b"content", 1 << 20).unwrap();
        assert!(append(&piece));
        let two_blocks = compress_with_threads(&[b' '; 9000], 4096, &LzmaOptions::new_preset(PRESET).unwrap());
        let mut altered = piece.clone();
        altered[0] = 0;
        for wrong in [&piece[..piece.len() - 1], &piece[1..], &altered, b"", &two_blocks] {
            assert!(!append(wrong));
        }
    }

    #[test]
    fn a_piece_with_another_check_is_refused() {
        // Joined to pieces with CRC64 it would make a file that no decoder takes.
        let stream = MtStreamBuilder::new().threads(1).preset(PRESET).check(Check::Crc32).encoder().unwrap();
        let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(b"content").unwrap();
        let piece = encoder.finish().unwrap();
        assert!(!XzJoiner::default().append_piece(&piece, &mut Vec::new()).unwrap());
    }
}
