//! The payload of an `.rpm`: a cpio archive in the "new ASCII" format, one entry for each path of the header.
//!
//! A package with a file of 4 GiB or more has rpm's own "stripped" entries in the place of all others (magic `07070X`):
//! the number of the path in the header and the bytes, because the eight digits of a size hold no more. Only rpm 4.12
//! and later read these.

use std::io::{self, Write};

const NEW_ASCII: &str = "070701";
const STRIPPED: &str = "07070X";
const TRAILER: &str = "TRAILER!!!";

/// Which entries an archive has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CpioFormat {
    /// What every cpio reads.
    NewAscii,
    /// What rpm alone reads.
    Stripped,
}

impl CpioFormat {
    /// Returns the format for the largest file of a package.
    pub(crate) fn for_largest(size: u64) -> Self {
        if u32::try_from(size).is_ok() { Self::NewAscii } else { Self::Stripped }
    }
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpioEntry<'a> {
    /// Its place among the paths of the header, from 0.
    pub(crate) index: u32,
    /// The path below the root.
    pub(crate) path: &'a str,
    /// Type and permission bits, as `st_mode` has them.
    pub(crate) mode: u16,
    /// The time in seconds since 1970.
    pub(crate) mtime: u32,
    /// How many bytes follow.
    pub(crate) size: u64,
}

/// Writes entries one after another.
pub(crate) struct CpioWriter<W> {
    out: W,
    format: CpioFormat,
    written: u64,
}

impl<W: Write> CpioWriter<W> {
    pub(crate) fn new(format: CpioFormat, out: W) -> Self {
        Self { out, format, written: 0 }
    }

    /// Returns what is written to.
    pub(crate) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Starts an entry; exactly its size in bytes through [`Self::content`], then [`Self::end_entry`], have to follow.
    pub(crate) fn start_entry(&mut self, entry: &CpioEntry<'_>) -> io::Result<()> {
        let header = match self.format {
            CpioFormat::NewAscii => {
                let size = u32::try_from(entry.size).map_err(|_| io::ErrorKind::FileTooLarge)?;
                // Inodes count from 1, as the header of the package has them.
                let fields = [entry.index + 1, entry.mode.into(), 0, 0, 1, entry.mtime, size];
                new_ascii(fields, &format!("./{}", entry.path))
            }
            CpioFormat::Stripped => format!("{STRIPPED}{:08x}", entry.index).into_bytes(),
        };
        self.write(&header)?;
        self.pad()
    }

    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)
    }

    /// Counts bytes of the entry that went to [`Self::out`] by another way.
    pub(crate) fn skip(&mut self, size: u64) {
        self.written += size;
    }

    pub(crate) fn end_entry(&mut self) -> io::Result<()> {
        self.pad()
    }

    /// Ends the archive; returns what it was written to and its size.
    pub(crate) fn finish(mut self) -> io::Result<(W, u64)> {
        self.write(&new_ascii([0, 0, 0, 0, 1, 0, 0], TRAILER))?;
        self.pad()?;
        Ok((self.out, self.written))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn pad(&mut self) -> io::Result<()> {
        let missing = usize::try_from(self.written.next_multiple_of(4) - self.written).expect("less than four");
        self.write(&[0; 4][..missing])
    }
}

/// Inode, mode, owner, group, number of links, time and size, then the numbers of devices, which are all 0, the length
/// of the name with its NUL, and the checksum, which this format does not have.
fn new_ascii(fields: [u32; 7], name: &str) -> Vec<u8> {
    let mut header = NEW_ASCII.to_owned();
    let length = u32::try_from(name.len() + 1).expect("a path is short");
    for field in fields.into_iter().chain([0, 0, 0, 0, length, 0]) {
        header.push_str(&format!("{field:08x}"));
    }
    header.push_str(name);
    header.push('\0');
    header.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(format: CpioFormat) -> (String, u64) {
        let mut writer = CpioWriter::new(format, Vec::new());
        let directory = CpioEntry { index: 0, path: "srv", mode: 0o40_755, mtime: 1, size: 0 };
        writer.start_entry(&directory).unwrap();
        writer.end_entry().unwrap();
        let file = CpioEntry { index: 1, path: "srv/a", mode: 0o100_644, mtime: 0x6000_0000, size: 5 };
        writer.start_entry(&file).unwrap();
        writer.content(b"12345").unwrap();
        writer.end_entry().unwrap();
        let (bytes, size) = writer.finish().unwrap();
        assert_eq!(bytes.len() as u64, size);
        (String::from_utf8(bytes).unwrap().replace('\0', "."), size)
    }

    const END: &str = "070701000000000000000000000000000000000000000100000000000000000000000000000000000000000000000000\
                       00000b00000000TRAILER!!!....";

    #[test]
    fn the_bytes_of_an_archive_are_those_of_the_format() {
        let expect = "0707010000000100\
                      0041ed000000000000000000000001000000010000000000000000000000000000000000000000000000060000\
                      0000./srv.\
                      070701000000020000\
                      81a400000000000000000000000160000000000000050000000000000000000000000000000000000008000000\
                      00./srv/a...12345...";
        assert_eq!(archive(CpioFormat::NewAscii).0, format!("{expect}{END}"));
    }

    #[test]
    fn a_stripped_archive_names_the_paths_by_number() {
        assert_eq!(archive(CpioFormat::Stripped).0, format!("07070X00000000..07070X00000001..12345...{END}"));
        assert_eq!(CpioFormat::for_largest(u64::from(u32::MAX)), CpioFormat::NewAscii);
        assert_eq!(CpioFormat::for_largest(1 << 32), CpioFormat::Stripped);
    }
}
