//! Locations of indexes and files: resolving relative ones, and their last component.

use std::path::PathBuf;

use url::Url;

/// Returns the local path that a plain path or a `file://` URL means, and nothing for other URLs.
pub(crate) fn local_path(location: &str) -> Option<PathBuf> {
    match Url::parse(location) {
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        Ok(_) => None,
        Err(_) => Some(PathBuf::from(location)),
    }
}

/// Resolves a reference against the page that it stands on. A file on the page's own server inherits its credentials.
pub(crate) fn join(page: &str, reference: &str) -> Option<Url> {
    let page = Url::parse(page).ok()?;
    let mut joined = page.join(reference).ok()?;
    if joined.origin() == page.origin() && joined.username().is_empty() && joined.password().is_none() {
        let _ = joined.set_username(page.username());
        let _ = joined.set_password(page.password());
    }
    Some(joined)
}

/// Returns a URL's last path component, percent-decoded: the name of the file that it leads to.
pub(crate) fn file_name(url: &Url) -> Option<String> {
    let last = url.path().rsplit('/').next().filter(|last| !last.is_empty())?;
    percent_decode(last)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' && tail.len() >= 2 {
            decoded.extend(hex::decode(&tail[..2]).ok()?);
            rest = &tail[2..];
        } else {
            decoded.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_on_the_same_server_inherits_credentials() {
        let page = "https://bob:secret@index.example/simple/attrs/";
        assert_eq!(join(page, "../../f/a.whl").unwrap().as_str(), "https://bob:secret@index.example/f/a.whl");
        assert_eq!(join(page, "https://files.example/a.whl").unwrap().as_str(), "https://files.example/a.whl");
    }

    #[test]
    fn the_file_name_is_decoded() {
        let url = Url::parse("https://files.example/p/torch-2.0%2Bcpu-py3-none-any.whl?a=b#sha256=00").unwrap();
        assert_eq!(file_name(&url).unwrap(), "torch-2.0+cpu-py3-none-any.whl");
        assert_eq!(file_name(&Url::parse("https://files.example/").unwrap()), None);
    }

    #[test]
    fn only_paths_and_file_urls_are_local() {
        assert_eq!(local_path("/srv/my%20wheels"), Some("/srv/my%20wheels".into()));
        assert_eq!(local_path("file:///srv/my%20wheels"), Some("/srv/my wheels".into()));
        assert_eq!(local_path("https://files.example/"), None);
    }
}
