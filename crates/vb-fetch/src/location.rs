//! What kind of location a text is, and the text without its credentials.

use std::path::{Path, PathBuf};

use crate::FetchError;

/// A location, told apart by how it is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Location<'a> {
    Http(&'a str),
    File(PathBuf),
}

impl<'a> Location<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, FetchError> {
        let unsupported = || FetchError::UnsupportedLocation { location: without_credentials(text) };
        match text.split_once("://") {
            Some((scheme, _)) if is_http(scheme) => Ok(Self::Http(text)),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
                file_url_path(rest).map(Self::File).ok_or_else(unsupported)
            }
            _ if Path::new(text).is_absolute() => Ok(Self::File(PathBuf::from(text))),
            _ => Err(unsupported()),
        }
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// Returns the path of a file URL (RFC 8089) on this host: `/a%20b` or `localhost/a%20b`.
fn file_url_path(rest: &str) -> Option<PathBuf> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let path = path.split(['?', '#']).next()?;
    path.starts_with('/').then(|| percent_decode(path)).flatten().map(PathBuf::from)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Returns the text without `user:password@`, which must not reach a message or a log.
pub(crate) fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_absolute_paths_are_told_apart() {
        assert_eq!(Location::parse("HTTP://h/x").unwrap(), Location::Http("HTTP://h/x"));
        assert_eq!(Location::parse("https://h/x").unwrap(), Location::Http("https://h/x"));
        for text in ["/a/b c", "file:///a/b%20c", "file://localhost/a/b%20c", "FILE:///a/b c#sha256=0"] {
            assert_eq!(Location::parse(text).unwrap(), Location::File(PathBuf::from("/a/b c")), "{text}");
        }
    }

    #[test]
    fn other_schemes_relative_paths_and_foreign_hosts_are_refused() {
        for text in ["ftp://h/x", "a/b", "", "file://other/a", "file:///a%2", "file:///a%zz"] {
            assert!(matches!(Location::parse(text), Err(FetchError::UnsupportedLocation { .. })), "{text}");
        }
    }

    #[test]
    fn credentials_do_not_reach_messages() {
        assert_eq!(without_credentials("https://me:se@cret@h:8/a@b"), "https://h:8/a@b");
        assert_eq!(without_credentials("https://h/a@b"), "https://h/a@b");
        assert_eq!(without_credentials("/a@b"), "/a@b");
    }
}
