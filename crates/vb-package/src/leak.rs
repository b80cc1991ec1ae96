//! A streaming search for strings that must not be left in a file, such as paths of the build.
//!
//! Compiled Python files hold their strings as plain bytes, so that the search finds them there too; compressed files
//! are not looked into.

use std::io::{self, Read};

use memchr::memmem::Finder;

const CHUNK: usize = 256 << 10;

/// A string that must not be in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeakPattern {
    /// What it is, for messages: `build directory`.
    pub name: &'static str,
    /// The bytes to look for.
    pub bytes: Vec<u8>,
}

/// The first place where a pattern stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The name of the pattern.
    pub name: &'static str,
    /// How many bytes stand before it.
    pub offset: u64,
}

/// A pattern without bytes is in every file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the leak pattern `{name}` is empty")]
pub struct EmptyPattern {
    /// The name of the pattern.
    pub name: &'static str,
}

/// Patterns made ready for searching many files.
#[derive(Clone, Debug)]
pub struct LeakScanner {
    patterns: Vec<(&'static str, Finder<'static>)>,
    longest: usize,
}

impl LeakScanner {
    /// Makes patterns ready.
    ///
    /// # Errors
    /// [`EmptyPattern`] when one has no bytes.
    pub fn new(patterns: &[LeakPattern]) -> Result<Self, EmptyPattern> {
        if let Some(empty) = patterns.iter().find(|pattern| pattern.bytes.is_empty()) {
            return Err(EmptyPattern { name: empty.name });
        }
        let finders = patterns.iter().map(|pattern| (pattern.name, Finder::new(&pattern.bytes).into_owned()));
        let longest = patterns.iter().map(|pattern| pattern.bytes.len()).max().unwrap_or(0);
        Ok(Self { patterns: finders.collect(), longest })
    }

    /// Returns the first place of every pattern that is in what is read, in the order of the patterns.
    ///
    /// # Errors
    /// What the reader fails with.
    pub fn find_leaks(&self, mut reader: impl Read) -> io::Result<Vec<Leak>> {
        let mut found: Vec<Option<u64>> = vec![None; self.patterns.len()];
        let mut window = Vec::with_capacity(CHUNK + self.longest);
        let mut start = 0_u64;
        while found.contains(&None) {
            let read = reader.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
            for ((_, finder), place) in self.patterns.iter().zip(&mut found) {
                if place.is_none() {
                    *place = finder.find(&window).map(|index| start + index as u64);
                }
            }
            if read == 0 {
                break;
            }
            // A pattern may begin in this window and end in the next one.
            let done = window.len().saturating_sub(self.longest - 1);
            window.drain(..done);
            start += done as u64;
        }
        let places = self.patterns.iter().zip(found);
        Ok(places.filter_map(|((name, _), place)| place.map(|offset| Leak { name, offset })).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner(patterns: &[(&'static str, &str)]) -> LeakScanner {
        let pattern = |(name, text): &(&'static str, &str)| LeakPattern { name, bytes: text.as_bytes().to_vec() };
        LeakScanner::new(&patterns.iter().map(pattern).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_first_place_of_every_pattern_is_told() {
        let scanner = scanner(&[("longer", "/build/x"), ("absent", "/home"), ("shorter", "/build")]);
        let leaks = scanner.find_leaks(&b"#!/build/x/bin/python\n/build\n"[..]).unwrap();
        assert_eq!(leaks, [Leak { name: "longer", offset: 2 }, Leak { name: "shorter", offset: 2 }]);
    }

    #[test]
    fn a_pattern_across_two_chunks_is_found() {
        let scanner = scanner(&[("build", "/build/whois"), ("one byte", "!")]);
        for before in CHUNK - 13..CHUNK + 2 {
            let mut content = vec![b'x'; before];
            content.extend_from_slice(b"/build/whois");
            content.resize(3 * CHUNK, b'y');
            let leaks = scanner.find_leaks(&content[..]).unwrap();
            assert_eq!(leaks, [Leak { name: "build", offset: before as u64 }]);
        }
    }

    #[test]
    fn readers_that_give_one_byte_at_a_time_are_searched_whole() {
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let end = buffer.len().min(1);
                self.0.read(&mut buffer[..end])
            }
        }
        let leaks = scanner(&[("build", "/build")]).find_leaks(Slow(b"ab/build")).unwrap();
        assert_eq!(leaks, [Leak { name: "build", offset: 2 }]);
    }

    #[test]
    fn clean_and_empty_files_have_no_leak() {
        let scanner = scanner(&[("build", "/build")]);
        assert_eq!(scanner.find_leaks(io::empty()).unwrap(), []);
        assert_eq!(scanner.find_leaks(&b"/buil"[..]).unwrap(), []);
        assert_eq!(LeakScanner::new(&[]).unwrap().find_leaks(&b"x"[..]).unwrap(), []);
    }

    #[test]
    fn an_empty_pattern_is_refused() {
        let error = LeakScanner::new(&[LeakPattern { name: "prefix", bytes: vec![] }]).unwrap_err();
        assert_eq!(error, EmptyPattern { name: "prefix" });
    }
}
