//! What kind of location a text is, and the text without its credentials.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};

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

/// Returns the path of a location that is a file of this machine: a `file://` URL or an absolute path.
pub fn local_path(text: &str) -> Option<PathBuf> {
    match Location::parse(text) {
        Ok(Location::File(path)) => Some(path),
        _ => None,
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

/// Returns a location without `user:password@`, which must not reach a message or a log.
pub fn without_credentials(text: &str) -> String {
    match split_credentials(text) {
        (clean, Some(_)) => clean,
        (_, None) => text.to_owned(),
    }
}

/// Returns the value of the `Authorization` header that the credentials of a URL mean (RFC 7617), and the URL without
/// them. They are percent-encoded in the URL and not in the header.
pub(crate) fn split_authorization(url: &str) -> (String, Option<String>) {
    let (clean, credentials) = split_credentials(url);
    let value = credentials.map(|credentials| {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let decode = |text: &str| percent_decode(text).unwrap_or_else(|| text.to_owned());
        format!("Basic {}", STANDARD.encode(format!("{}:{}", decode(user), decode(password))))
    });
    (clean, value)
}

fn split_credentials(text: &str) -> (String, Option<&str>) {
    let Some((scheme, rest)) = text.split_once("://") else { return (text.to_owned(), None) };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((credentials, host)) => (format!("{scheme}://{host}{path}"), Some(credentials)),
        None => (text.to_owned(), None),
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
        assert_eq!(without_credentials("https://h?q=a@b"), "https://h?q=a@b");
        assert_eq!(without_credentials("/a@b"), "/a@b");
    }

    #[test]
    fn credentials_become_a_header_decoded() {
        let check = |url, value: Option<&str>| {
            assert_eq!(split_authorization(url), ("https://h/x".to_owned(), value.map(str::to_owned)));
        };
        check("https://h/x", None);
        check("https://me:secret@h/x", Some("Basic bWU6c2VjcmV0"));
        check("https://me:a%40b%3Ac@h/x", Some("Basic bWU6YUBiOmM="));
        check("https://token@h/x", Some("Basic dG9rZW46"));
        check("https://me:100%@h/x", Some("Basic bWU6MTAwJQ=="));
    }
}
