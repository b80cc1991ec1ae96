//! A compressed member or payload before it is where it belongs: pieces that are in files already, in their order.
//!
//! What stands before a member in its package tells something of it, so it is whole before it is written. What the store
//! remembers is not copied until then; everything else waits in one temporary file.

use std::{
    fs::File,
    io::{self, Read, Seek},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use fs_err as fs;

/// The temporary file for pieces that nobody remembers. Several threads write into it.
#[derive(Debug)]
pub(crate) struct Spill {
    file: File,
    end: AtomicU64,
}

impl Spill {
    /// Makes the file, without a name, in a directory.
    pub(crate) fn new_in(directory: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(directory)?, end: AtomicU64::new(0) })
    }

    /// Takes in a file that was written without a name.
    pub(crate) fn of(file: File) -> io::Result<Self> {
        let end = AtomicU64::new(file.metadata()?.len());
        Ok(Self { file, end })
    }

    /// Writes bytes; returns where they begin.
    pub(crate) fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let start = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(bytes, start)?;
        Ok(start)
    }
}

/// Where the bytes of a piece are.
#[derive(Debug)]
pub(crate) enum Place {
    /// In a file that nobody changes.
    File(PathBuf),
    /// In the temporary file.
    Spill,
}

/// Some bytes of a file.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) place: Place,
    pub(crate) start: u64,
    pub(crate) size: u64,
}

/// A compressed member or payload.
#[derive(Debug)]
pub(crate) struct Packed {
    /// What stands before all pieces.
    pub(crate) head: Vec<u8>,
    pub(crate) pieces: Vec<Piece>,
    /// What stands behind them.
    pub(crate) tail: Vec<u8>,
    pub(crate) spill: Spill,
}

impl Packed {
    /// Returns what was compressed in one piece, into a file.
    pub(crate) fn whole(file: File) -> io::Result<Self> {
        let spill = Spill::of(file)?;
        let size = spill.end.load(Ordering::Relaxed);
        let pieces = vec![Piece { place: Place::Spill, start: 0, size }];
        Ok(Self { head: vec![], pieces, tail: vec![], spill })
    }

    /// Returns how many bytes it has.
    pub(crate) fn size(&self) -> u64 {
        let of_pieces: u64 = self.pieces.iter().map(|piece| piece.size).sum();
        self.head.len() as u64 + of_pieces + self.tail.len() as u64
    }

    /// Reads it from the start. A file that ends before its piece is an error.
    pub(crate) fn reader(&self) -> PackedReader<'_> {
        let parts = [Part::Bytes(&self.head)].into_iter();
        let parts = parts.chain(self.pieces.iter().map(Part::Piece)).chain([Part::Bytes(&self.tail)]);
        PackedReader {
            spill: &self.spill,
            parts: parts.collect::<Vec<_>>().into_iter(),
            current: Box::new(io::empty()),
            rest: 0,
        }
    }
}

#[derive(Debug)]
enum Part<'p> {
    Bytes(&'p [u8]),
    Piece(&'p Piece),
}

/// Reads one part after another.
pub(crate) struct PackedReader<'p> {
    spill: &'p Spill,
    parts: std::vec::IntoIter<Part<'p>>,
    current: Box<dyn Read + 'p>,
    /// How many bytes of the current part are missing.
    rest: u64,
}

impl<'p> PackedReader<'p> {
    fn start(&mut self, part: &Part<'p>) -> io::Result<()> {
        match *part {
            Part::Bytes(bytes) => {
                self.current = Box::new(bytes);
                self.rest = bytes.len() as u64;
            }
            Part::Piece(Piece { place, start, size }) => {
                self.current = match place {
                    Place::File(path) => piece_of(fs::File::open(path)?, *start, *size)?,
                    Place::Spill => piece_of(&self.spill.file, *start, *size)?,
                };
                self.rest = *size;
            }
        }
        Ok(())
    }
}

fn piece_of<'p>(mut file: impl Read + Seek + 'p, start: u64, size: u64) -> io::Result<Box<dyn Read + 'p>> {
    file.seek(io::SeekFrom::Start(start))?;
    Ok(Box::new(file.take(size)))
}

impl Read for PackedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest == 0 {
            let Some(part) = self.parts.next() else { return Ok(0) };
            self.start(&part)?;
        }
        let count = self.current.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.rest -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(directory: &Path, size: u64) -> Packed {
        let path = directory.join("piece");
        fs::write(&path, "..remembered..").unwrap();
        let spill = Spill::new_in(directory).unwrap();
        spill.append(b"first, ").unwrap();
        let start = spill.append(b"spilled, ").unwrap();
        let pieces = vec![
            Piece { place: Place::Spill, start, size: 9 },
            Piece { place: Place::File(path), start: 2, size },
            Piece { place: Place::Spill, start: 0, size: 5 },
        ];
        Packed { head: b"head ".to_vec(), pieces, tail: b" tail".to_vec(), spill }
    }

    #[test]
    fn pieces_of_several_files_are_read_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let packed = packed(directory.path(), 10);
        let mut text = String::new();
        packed.reader().read_to_string(&mut text).unwrap();
        assert_eq!(text, "head spilled, rememberedfirst tail");
        assert_eq!(packed.size(), text.len() as u64);
    }

    #[test]
    fn a_file_that_ends_before_its_piece_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = packed(directory.path(), 13).reader().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
