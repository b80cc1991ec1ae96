//! The payload of an `.rpm`: a cpio archive, whose members are named or, in rpm's own form, numbered.
//!
//! `070701` and `070702` (newc): 110 bytes of hexadecimal fields, the name, the data; header with name, and data, are
//! padded to 4 bytes. `07070X` (stripped): 14 bytes, the place of the file in the package's header; everything else about
//! it is there, the size too.

use std::io::{self, Read};

/// Longest name of a member that is believed.
const MAX_NAME: u64 = 1 << 16;

const TRAILER: &str = "TRAILER!!!";

/// A payload is not the archive that its package's header describes.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// It cannot be read or decompressed, or ends early.
    #[error("the payload cannot be read")]
    Read {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What should be a member's header is none.
    #[error("the payload is no cpio archive that rpm writes")]
    Malformed,
    /// A member is no file of the package.
    #[error("the payload has `{member}`, which the header does not list")]
    Unlisted {
        /// Its name or number.
        member: String,
    },
    /// A file of the package is not there, or there twice.
    #[error("the payload does not have `{path}` exactly once")]
    NotOnce {
        /// The file.
        path: String,
    },
    /// A file has other bytes than the package's header says.
    #[error("`{path}` has not the digest that the header gives")]
    Digest {
        /// The file.
        path: String,
    },
}

impl From<io::Error> for PayloadError {
    fn from(source: io::Error) -> Self {
        Self::Read { source }
    }
}

/// How a member says which file it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// By its path, as it is written, and its size.
    Named(String, u64),
    /// By its place in the package's header.
    Numbered(u32),
}

/// Reads members one after the other; reading gives the data of the current one.
pub(crate) struct CpioReader<R> {
    input: R,
    left: u64,
    padding: u64,
}

impl<R: Read> CpioReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0 }
    }

    /// Goes on to the next member; nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, PayloadError> {
        io::copy(self, &mut io::sink())?;
        self.skip(self.padding)?;
        let mut magic = [0; 6];
        self.input.read_exact(&mut magic)?;
        match &magic {
            b"070701" | b"070702" => self.named(),
            b"07070X" => {
                let number = self.field()?;
                self.skip(2)?;
                Ok(Some(Member::Numbered(number)))
            }
            _ => Err(PayloadError::Malformed),
        }
    }

    fn named(&mut self) -> Result<Option<Member>, PayloadError> {
        let mut fields = [0; 13];
        for field in &mut fields {
            *field = self.field()?;
        }
        let (size, length) = (u64::from(fields[6]), u64::from(fields[11]));
        if !(1..=MAX_NAME).contains(&length) {
            return Err(PayloadError::Malformed);
        }
        let mut name = Vec::new();
        self.input.by_ref().take(length).read_to_end(&mut name)?;
        if name.pop() != Some(0) || name.len() as u64 + 1 != length {
            return Err(PayloadError::Malformed);
        }
        let name = String::from_utf8(name).map_err(|_| PayloadError::Malformed)?;
        self.skip(padding(110 + length))?;
        self.expect(size);
        Ok((name != TRAILER).then_some(Member::Named(name, size)))
    }

    /// Says how long the current member's data is; of a named one it is known.
    pub(crate) fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = padding(size);
    }

    fn field(&mut self) -> Result<u32, PayloadError> {
        let mut digits = [0; 8];
        self.input.read_exact(&mut digits)?;
        let text = std::str::from_utf8(&digits).map_err(|_| PayloadError::Malformed)?;
        u32::from_str_radix(text, 16).map_err(|_| PayloadError::Malformed)
    }

    fn skip(&mut self, count: u64) -> Result<(), PayloadError> {
        let skipped = io::copy(&mut self.input.by_ref().take(count), &mut io::sink())?;
        if skipped == count { Ok(()) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
    }
}

impl<R: Read> Read for CpioReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.input.read(&mut buffer[..wanted])?;
        if read == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Returns how many bytes follow until the next multiple of four.
fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newc(name: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"070701".to_vec();
        for field in [1, 0o100_644, 0, 0, 1, 0, data.len(), 0, 0, 0, 0, name.len() + 1, 0] {
            bytes.extend(format!("{field:08x}").bytes());
        }
        bytes.extend(name.bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn read_all(bytes: &[u8], size_of_numbered: u64) -> Result<Vec<(Member, Vec<u8>)>, PayloadError> {
        let mut reader = CpioReader::new(bytes);
        let mut found = Vec::new();
        while let Some(member) = reader.next()? {
            if let Member::Numbered(_) = member {
                reader.expect(size_of_numbered);
            }
            let mut data = Vec::new();
            reader.read_to_end(&mut data)?;
            found.push((member, data));
        }
        Ok(found)
    }

    #[test]
    fn named_members_are_read_whatever_their_lengths() {
        let bytes = [newc("./a", b"12345"), newc("./bc", b""), newc("./def", b"1234"), newc(TRAILER, b"")].concat();
        let members = read_all(&bytes, 0).unwrap();
        let expect = [("./a", "12345"), ("./bc", ""), ("./def", "1234")]
            .map(|(name, data)| (Member::Named(name.to_owned(), data.len() as u64), data.as_bytes().to_vec()));
        assert_eq!(members, expect);
    }

    #[test]
    fn numbered_members_are_read_with_the_sizes_that_they_are_given() {
        let bytes = [b"07070X00000007\0\0abcde\0\0\0".to_vec(), newc(TRAILER, b"")].concat();
        assert_eq!(read_all(&bytes, 5).unwrap(), [(Member::Numbered(7), b"abcde".to_vec())]);
    }

    #[test]
    fn what_is_cut_off_or_no_archive_is_an_error() {
        let bytes = [newc("./a", b"12345"), newc(TRAILER, b"")].concat();
        for length in 0..bytes.len() - 120 {
            assert!(matches!(read_all(&bytes[..length], 0), Err(PayloadError::Read { .. } | PayloadError::Malformed)));
        }
        assert!(matches!(read_all(b"070700abcdefgh", 0), Err(PayloadError::Malformed)));
        let huge = String::from_utf8(newc("./a", b"")).unwrap().replacen("00000004", "ffffffff", 1);
        assert!(matches!(read_all(huge.as_bytes(), 0), Err(PayloadError::Malformed)));
    }
}
