//! The prefix of an interpreter in the files that it consists of, and another one in its place.
//!
//! In text the one stands for the other. In compiled code every byte has its place: there a path can become longer only
//! where zeros were left behind it for that.

use memchr::{memchr, memmem};
use vb_graph::RELOCATION_ROOM;

/// A path in compiled code has no room for a longer prefix.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("compiled code has room for a prefix of {room} bytes, and `{to}` has more")]
pub struct RelocateError {
    /// The prefix that is too long.
    pub to: String,
    /// How long it may be.
    pub room: usize,
}

/// Writes the prefix `to` wherever a file has the prefix `from`; returns nothing for a file that does not have it.
///
/// # Errors
/// [`RelocateError`], when it does not fit.
pub fn relocate(bytes: &[u8], from: &str, to: &str) -> Result<Option<Vec<u8>>, RelocateError> {
    if find(bytes, from).is_none() {
        return Ok(None);
    }
    if !bytes.contains(&0) {
        return Ok(Some(replace(bytes, from, to)));
    }
    let mut relocated = Vec::with_capacity(bytes.len());
    while let Some(place) = find(&bytes[relocated.len()..], from) {
        let start = relocated.len() + place;
        let end = memchr(0, &bytes[start..]).map_or(bytes.len(), |length| start + length);
        let zeros = bytes[end..].iter().take_while(|byte| **byte == 0).count();
        // Where nobody left room, a zero more may be the next number.
        let room = if zeros > RELOCATION_ROOM { RELOCATION_ROOM } else { 0 };
        relocated.extend_from_slice(&bytes[relocated.len()..start]);
        relocated.extend(replace(&bytes[start..end], from, to));
        if relocated.len() > end + room {
            return Err(RelocateError { to: to.to_owned(), room: from.len() + room });
        }
        relocated.resize(end + zeros, 0);
    }
    relocated.extend_from_slice(&bytes[relocated.len()..]);
    Ok(Some(relocated))
}

/// Finds the prefix, and not one that only begins like it.
fn find(bytes: &[u8], prefix: &str) -> Option<usize> {
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+~".contains(byte);
    memmem::find_iter(bytes, prefix).find(|place| !bytes.get(place + prefix.len()).is_some_and(goes_on))
}

fn replace(mut text: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    while let Some(place) = find(text, from) {
        replaced.extend_from_slice(&text[..place]);
        replaced.extend_from_slice(to.as_bytes());
        text = &text[place + from.len()..];
    }
    replaced.extend_from_slice(text);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "/vrmd/python3.13";
    const LONGER: &str = "/vrmd/whois/python";

    /// Compiled code with a string, and zeros up to where the next thing is.
    fn code(string: &str, next: usize) -> Vec<u8> {
        let mut code = [b"\x7fELF\0", string.as_bytes()].concat();
        code.resize(5 + next, 0);
        [code.as_slice(), b"next"].concat()
    }

    #[test]
    fn in_text_every_path_below_the_prefix_moves() {
        let text = b"prefix=/vrmd/python3.13\n#!/vrmd/python3.13/bin/python3.13\n/vrmd/python3.13.1 /vrmd/python3.1";
        let moved = relocate(text, FROM, LONGER).unwrap().unwrap();
        assert_eq!(
            String::from_utf8(moved).unwrap(),
            "prefix=/vrmd/whois/python\n#!/vrmd/whois/python/bin/python3.13\n/vrmd/python3.13.1 /vrmd/python3.1"
        );
        assert_eq!(relocate(b"/vrmd/python3.1", FROM, "/x"), Ok(None));
    }

    #[test]
    fn in_compiled_code_everything_else_stays_where_it_is() {
        let (path, search) = (FROM.len() + 1 + RELOCATION_ROOM, 41 + 1 + RELOCATION_ROOM);
        for to in [LONGER, "/x"] {
            assert_eq!(relocate(&code(FROM, path), FROM, to), Ok(Some(code(to, path))));
        }
        let built = code("/vrmd/python3.13/lib:/vrmd/python3.13/bin", search);
        let moved = code("/vrmd/whois/python/lib:/vrmd/whois/python/bin", search);
        assert_eq!(relocate(&built, FROM, LONGER), Ok(Some(moved)));
    }

    #[test]
    fn what_does_not_fit_into_compiled_code_is_refused() {
        let place = FROM.len() + 1 + RELOCATION_ROOM;
        let longest = "p".repeat(FROM.len() + RELOCATION_ROOM);
        assert_eq!(relocate(&code(FROM, place), FROM, &longest), Ok(Some(code(&longest, place))));
        let room = |next: usize, to: &str| relocate(&code(FROM, next), FROM, to).unwrap_err().room;
        assert_eq!(room(place, &format!("{longest}p")), FROM.len() + RELOCATION_ROOM);
        // Zeros that nobody left for it.
        assert_eq!(room(FROM.len() + 8, LONGER), FROM.len());
    }
}
