//! Locations of indexes and files: resolving relative ones, and their last component.

use std::path::PathBuf;

use url::Url;

use crate::netrc::{Login, Netrc};

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

/// Puts a user name and a password into a URL; other locations stay as they are.
pub fn with_login(location: &str, login: &Login) -> String {
    let Some(mut url) = http_url(location) else { return location.to_owned() };
    // What looks like an escape is none; the library leaves `%` as it is.
    let [user, password] = [&login.user, &login.password].map(|part| part.replace('%', "%25"));
    let put = url.set_username(&user).and_then(|()| url.set_password(Some(&password)));
    if put.is_ok() { url.to_string() } else { location.to_owned() }
}

/// Returns the host of an HTTP URL, and the user that it names.
pub fn host_and_user(location: &str) -> Option<(String, Option<String>)> {
    let url = http_url(location)?;
    let user = percent_decode(url.username()).filter(|user| !user.is_empty());
    Some((url.host_str()?.to_owned(), user))
}

/// Has a URL a password?
pub fn has_password(location: &str) -> bool {
    http_url(location).is_some_and(|url| url.password().is_some())
}

/// Has a location a user name or a password, which nobody else may see?
pub fn has_credentials(location: &str) -> bool {
    http_url(location).is_some_and(|url| !url.username().is_empty() || url.password().is_some())
}

/// Adds what the user's login file knows for a location that has no login of its own.
pub(crate) fn with_netrc(location: &str, netrc: &Netrc) -> String {
    if has_credentials(location) {
        return location.to_owned();
    }
    let login = host_and_user(location).and_then(|(host, _)| netrc.login(&host, None));
    login.map_or_else(|| location.to_owned(), |login| with_login(location, login))
}

fn http_url(location: &str) -> Option<Url> {
    Url::parse(location).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
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
    fn a_login_is_encoded_into_a_url_and_nothing_else_has_one() {
        let login = Login { user: "bob@acme".into(), password: "p:/%".into() };
        let with = with_login("https://index.example/simple", &login);
        assert_eq!(with, "https://bob%40acme:p%3A%2F%25@index.example/simple");
        assert_eq!(host_and_user(&with), Some(("index.example".into(), Some("bob@acme".into()))));
        assert!(has_credentials(&with) && has_password(&with));
        assert_eq!(with_login("/srv/wheels", &login), "/srv/wheels");
        assert!(has_credentials("https://token@index.example/") && !has_password("https://token@index.example/"));
        let netrc = Netrc::parse("machine index.example login eve password e");
        assert_eq!(with_netrc("https://index.example/a.whl", &netrc), "https://eve:e@index.example/a.whl");
        assert_eq!(with_netrc(&with, &netrc), with);
        assert_eq!(with_netrc("https://other.example/", &netrc), "https://other.example/");
    }

    #[test]
    fn only_paths_and_file_urls_are_local() {
        assert_eq!(local_path("/srv/my%20wheels"), Some("/srv/my%20wheels".into()));
        assert_eq!(local_path("file:///srv/my%20wheels"), Some("/srv/my wheels".into()));
        assert_eq!(local_path("https://files.example/"), None);
    }
}
