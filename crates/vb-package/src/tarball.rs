//! GNU tar archives, the subset that deb(5) names.
//!
//! Every name starts with `./`, directories end with `/`, the owner is root (0), the time is one for all. A name or a
//! link target of more than 100 bytes stands in a `././@LongLink` entry before its own (types `L` and `K`), because
//! dpkg reads no PAX headers. Headers are filled here and not by the `tar` crate's builder, which drops the `./`.

use std::io::{self, Write};

use tar::{EntryType, Header};

const BLOCK: usize = 512;
const NAME_LENGTH: usize = 100;
const LONG_NAME: &[u8] = b"././@LongLink";

/// The largest file that an entry can hold: eleven octal digits, the limit that deb(5) sets.
pub(crate) const LARGEST_FILE: u64 = 0o777_7777_7777;

/// The latest time that an entry can hold: eleven octal digits.
pub(crate) const LATEST_TIME: u64 = 0o777_7777_7777;

/// Writes entries one after another.
pub(crate) struct TarWriter<W: Write> {
    out: W,
    mtime: u64,
}

impl<W: Write> TarWriter<W> {
    /// Starts an archive with its root directory.
    pub(crate) fn new(out: W, mtime: u64) -> io::Result<Self> {
        let mut writer = Self { out, mtime };
        writer.header(EntryType::Directory, "./", 0o755, 0, "")?;
        Ok(writer)
    }

    /// Sets the time of the entries that follow.
    pub(crate) fn set_mtime(&mut self, mtime: u64) {
        self.mtime = mtime;
    }

    /// Returns what is written to.
    pub(crate) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    pub(crate) fn directory(&mut self, path: &str, mode: u32) -> io::Result<()> {
        self.header(EntryType::Directory, &format!("./{path}/"), mode, 0, "")
    }

    pub(crate) fn symlink(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.header(EntryType::Symlink, &format!("./{path}"), 0o777, 0, target)
    }

    /// Starts a file; exactly `size` bytes through [`Self::content`], then [`Self::end_file`], have to follow.
    pub(crate) fn start_file(&mut self, path: &str, mode: u32, size: u64) -> io::Result<()> {
        self.header(EntryType::Regular, &format!("./{path}"), mode, size, "")
    }

    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    pub(crate) fn end_file(&mut self, size: u64) -> io::Result<()> {
        let past = usize::try_from(size % BLOCK as u64).expect("less than a block");
        self.out.write_all(&[0; BLOCK][..(BLOCK - past) % BLOCK])
    }

    /// Writes a file that is in memory.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let size = content.len() as u64;
        self.start_file(path, mode, size)?;
        self.content(content)?;
        self.end_file(size)
    }

    /// Ends the archive with two empty blocks.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn header(&mut self, kind: EntryType, name: &str, mode: u32, size: u64, target: &str) -> io::Result<()> {
        if target.len() > NAME_LENGTH {
            self.long(EntryType::GNULongLink, target)?;
        }
        if name.len() > NAME_LENGTH {
            self.long(EntryType::GNULongName, name)?;
        }
        let header = new_header(kind, name.as_bytes(), target.as_bytes(), mode, size, self.mtime);
        self.out.write_all(header.as_bytes())
    }

    fn long(&mut self, kind: EntryType, text: &str) -> io::Result<()> {
        let size = text.len() as u64 + 1;
        self.out.write_all(new_header(kind, LONG_NAME, b"", 0o644, size, 0).as_bytes())?;
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(&[0])?;
        self.end_file(size)
    }
}

fn new_header(kind: EntryType, name: &[u8], target: &[u8], mode: u32, size: u64, mtime: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_mtime(mtime);
    let fields = header.as_gnu_mut().expect("the header was made as a GNU one");
    fields.set_username("root").expect("the name is short");
    fields.set_groupname("root").expect("the name is short");
    let (name, target) = (&name[..name.len().min(NAME_LENGTH)], &target[..target.len().min(NAME_LENGTH)]);
    fields.name[..name.len()].copy_from_slice(name);
    fields.linkname[..target.len()].copy_from_slice(target);
    header.set_cksum();
    header
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn listing(bytes: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>, String)> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            (entry.path_bytes().into_owned(), entry.link_name_bytes().map(std::borrow::Cow::into_owned), content)
        });
        entries.collect()
    }

    #[test]
    fn names_and_targets_of_every_length_come_back() {
        for length in [1, 97, 98, 99, 100, 101, 180, 600] {
            let (name, target) = ("n".repeat(length), "t".repeat(length));
            let mut writer = TarWriter::new(Vec::new(), 1).unwrap();
            writer.directory(&name, 0o755).unwrap();
            writer.file(&format!("{name}/f"), 0o644, b"content").unwrap();
            writer.symlink(&format!("{name}/l"), &target).unwrap();
            let expect = [
                (b"./".to_vec(), None, String::new()),
                (format!("./{name}/").into_bytes(), None, String::new()),
                (format!("./{name}/f").into_bytes(), None, "content".to_owned()),
                (format!("./{name}/l").into_bytes(), Some(target.into_bytes()), String::new()),
            ];
            assert_eq!(listing(&writer.finish().unwrap()), expect, "length {length}");
        }
    }

    #[test]
    fn a_long_name_stands_in_an_entry_of_its_own() {
        let mut writer = TarWriter::new(Vec::new(), 1).unwrap();
        writer.symlink(&"n".repeat(99), &"t".repeat(101)).unwrap();
        let bytes = writer.finish().unwrap();
        let kinds: Vec<u8> = [1, 3, 5].map(|block| bytes[block * BLOCK + 156]).into();
        assert_eq!(kinds, b"KL2");
        assert_eq!(&bytes[BLOCK..BLOCK + 14], b"././@LongLink\0");
        assert_eq!(&bytes[2 * BLOCK..2 * BLOCK + 103], format!("{}\0\0", "t".repeat(101)).as_bytes());
    }

    #[test]
    fn every_archive_is_whole_blocks_and_ends_with_two_empty_ones() {
        for size in [0, 1, 511, 512, 513] {
            let mut writer = TarWriter::new(Vec::new(), 1).unwrap();
            writer.file("f", 0o644, &vec![b'x'; size]).unwrap();
            let bytes = writer.finish().unwrap();
            assert_eq!(bytes.len(), (2 + size.div_ceil(BLOCK) + 2) * BLOCK);
            assert!(bytes[bytes.len() - 2 * BLOCK..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn the_bytes_of_a_header_have_not_changed() {
        let mut writer = TarWriter::new(Vec::new(), 1_700_000_000).unwrap();
        writer.file("etc/x", 0o640, b"").unwrap();
        let bytes = writer.finish().unwrap();
        let header = &bytes[BLOCK..2 * BLOCK];
        assert_eq!(&header[..8], b"./etc/x\0");
        assert_eq!(&header[100..156], b"0000640\x000000000\x000000000\x0000000000000\x0014524770400\x000010643\0");
        assert_eq!(&header[156..158], b"0\0");
        assert_eq!(&header[257..270], b"ustar  \0root\0");
        assert_eq!(&header[297..302], b"root\0");
        assert!(header[302..].iter().all(|byte| *byte == 0));
    }
}
