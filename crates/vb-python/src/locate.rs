//! Finds where a locked file can be fetched: find-links locations first, then the project's page in each index.
//!
//! A lock names files, not hosts; this is where it meets the machine's configuration. What is found is a candidate:
//! whoever downloads it compares the SHA-256.

use std::{io, path::Path};

use sha2::{Digest, Sha256 as Hasher};
use vb_fetch::{FetchError, Fetcher, without_credentials};
use vb_graph::LockedFile;

use crate::{
    bound::NoLocation,
    indexes::IndexConfig,
    location::{local_path, with_netrc},
    names::normalize_name,
    netrc::Netrc,
    pages::{self, PageFile},
};

/// The forms of a project's page that are read (PEP 691).
pub(crate) const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

/// No configured place has a locked file.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// All places answered, and none of them has it.
    #[error("`{file}` is not in {}", list(searched))]
    NotFound {
        /// The file's name.
        file: String,
        /// The places that were searched, without credentials.
        searched: Vec<String>,
    },
    /// There is a file of that name, but not with the locked content.
    #[error("`{file}` at `{location}` has the sha256 {found}, and the lock says {expected}")]
    OtherContent {
        /// The file's name.
        file: String,
        /// Where it is, without credentials.
        location: String,
        /// The SHA-256 of the file that is there.
        found: String,
        /// The locked SHA-256.
        expected: String,
    },
    /// The index that the file is bound to is not configured.
    #[error(transparent)]
    NoLocation(#[from] NoLocation),
    /// A place could not be asked, and no other has the file.
    #[error("cannot look for `{file}`")]
    Fetch {
        /// The file's name.
        file: String,
        /// Why the place could not be asked.
        #[source]
        source: FetchError,
    },
    /// A place answered with a page that cannot be read, and no other has the file.
    #[error("cannot read the index page `{page}`")]
    Page {
        /// The page, without credentials.
        page: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

fn list(searched: &[String]) -> String {
    match searched {
        [] => "any index: none is configured".to_owned(),
        _ => searched.iter().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(", "),
    }
}

impl LocateError {
    /// Was an index not asked, because the network is not used?
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_offline())
    }

    /// Does a server want another login, or any at all?
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_refused())
    }
}

/// Returns the locations of a locked file of `project`, best first. One that is bound to an index is looked for there alone.
///
/// A local file counts only if its content is the locked one; then no index is asked at all. The file of a page
/// counts if its name is the locked one and the page does not give another SHA-256.
///
/// # Errors
/// Nothing was found. A place that could not be asked matters only then.
pub fn locate(
    fetcher: &Fetcher,
    config: &IndexConfig,
    project: &str,
    file: &LockedFile,
) -> Result<Vec<String>, LocateError> {
    let places = config.places(project)?;
    let mut search =
        Search { fetcher, file, netrc: &config.netrc, locations: Vec::new(), searched: Vec::new(), error: None };
    for location in places.find_links {
        match local_path(location) {
            Some(path) => search.look_in_path(&path),
            None => search.look_in_page(location),
        }
    }
    if !search.has_local_file() {
        for index in places.indexes {
            search.look_in_page(&project_page(index, project));
        }
    }
    search.finish()
}

pub(crate) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut hasher = Hasher::new();
    io::copy(&mut fs_err::File::open(path)?, &mut hasher)?;
    Ok(hex::encode(hasher.finalize()))
}

pub(crate) fn project_page(index: &str, project: &str) -> String {
    format!("{}/{}/", index.trim_end_matches('/'), normalize_name(project))
}

struct Search<'a> {
    fetcher: &'a Fetcher,
    file: &'a LockedFile,
    netrc: &'a Netrc,
    locations: Vec<String>,
    searched: Vec<String>,
    /// The first thing that went wrong.
    error: Option<LocateError>,
}

impl Search<'_> {
    fn look_in_path(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.look_in_page(&format!("file://{}", path.display()));
        }
        self.searched.push(path.display().to_string());
        let candidate = path.join(&self.file.file);
        if let Ok(found) = sha256_of(&candidate) {
            self.add(&candidate.display().to_string(), Some(&found));
        }
    }

    fn look_in_page(&mut self, page: &str) {
        self.searched.push(without_credentials(page));
        match self.fetcher.get_accepting(page, Some(ACCEPT)) {
            Ok(bytes) => match pages::read(page, &bytes) {
                Ok(files) => self.add_files(files),
                Err(source) => self.fail(LocateError::Page { page: without_credentials(page), source }),
            },
            Err(error) if error.is_not_found() => {}
            Err(source) => self.fail(LocateError::Fetch { file: self.file.file.clone(), source }),
        }
    }

    fn add_files(&mut self, files: Vec<PageFile>) {
        for file in files.into_iter().filter(|file| file.name == self.file.file) {
            self.add(&with_netrc(&file.location, self.netrc), file.sha256.as_deref());
        }
    }

    fn add(&mut self, location: &str, sha256: Option<&str>) {
        let expected = self.file.sha256.to_string();
        match sha256 {
            Some(found) if found != expected => self.fail(LocateError::OtherContent {
                file: self.file.file.clone(),
                location: without_credentials(location),
                found: found.to_owned(),
                expected,
            }),
            _ if self.locations.iter().any(|known| known == location) => {}
            _ => self.locations.push(location.to_owned()),
        }
    }

    fn fail(&mut self, error: LocateError) {
        self.error.get_or_insert(error);
    }

    fn has_local_file(&self) -> bool {
        self.locations.iter().any(|location| location.starts_with('/'))
    }

    fn finish(self) -> Result<Vec<String>, LocateError> {
        if !self.locations.is_empty() {
            return Ok(self.locations);
        }
        Err(self.error.unwrap_or(LocateError::NotFound { file: self.file.file.clone(), searched: self.searched }))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpListener,
    };

    use super::*;

    const CONTENT: &[u8] = b"wheel";

    fn locked() -> LockedFile {
        let digest: [u8; 32] = Hasher::digest(CONTENT).into();
        LockedFile { file: "a_b-1.0-py3-none-any.whl".into(), size: None, sha256: vb_graph::Sha256::from_bytes(digest) }
    }

    fn locate_with(config: &IndexConfig) -> Result<Vec<String>, LocateError> {
        let options =
            vb_fetch::FetchOptions { attempts: 1, proxy: vb_fetch::Proxy::Direct, ..vb_fetch::FetchOptions::default() };
        locate(&Fetcher::new(&options).unwrap(), config, "A.b", &locked())
    }

    /// Serves `pages` (path, body) until the test ends; returns the base URL.
    fn serve(pages: Vec<(&'static str, String)>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let request = lines.next().unwrap().unwrap();
                let headers: Vec<String> = lines
                    .map(Result::unwrap)
                    .take_while(|line| !line.is_empty())
                    .map(|line| line.to_lowercase())
                    .collect();
                let does_accept_json =
                    headers.iter().any(|line| line.starts_with("accept:") && line.contains("simple.v1+json"));
                let path = request.split(' ').nth(1).unwrap();
                let (status, body) = match pages.iter().find(|(known, _)| *known == path) {
                    Some((_, body)) if does_accept_json => ("200 OK", body.as_str()),
                    Some(_) => ("406 Not Acceptable", ""),
                    None => ("404 Not Found", ""),
                };
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        });
        base
    }

    fn indexes(urls: &[String]) -> IndexConfig {
        IndexConfig { indexes: urls.to_vec(), has_default_index: true, ..IndexConfig::default() }
    }

    #[test]
    fn a_file_of_a_find_links_directory_needs_no_index() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(locked().file);
        fs_err::write(&path, CONTENT).unwrap();
        let mut config = indexes(&["http://127.0.0.1:1/simple".into()]);
        config.find_links = vec![format!("file://{}", dir.path().display())];
        assert_eq!(locate_with(&config).unwrap(), [path.display().to_string()]);
    }

    #[test]
    fn a_local_file_with_other_content_is_an_error_when_nothing_else_has_it() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join(locked().file), "other").unwrap();
        let config = IndexConfig { find_links: vec![dir.path().display().to_string()], ..indexes(&[]) };
        assert!(matches!(locate_with(&config), Err(LocateError::OtherContent { .. })));
        let base = serve(vec![("/simple/a-b/", format!("<a href='{}'>x</a>", locked().file))]);
        let config = IndexConfig { indexes: vec![format!("{base}/simple")], ..config };
        assert_eq!(locate_with(&config).unwrap(), [format!("{base}/simple/a-b/{}", locked().file)]);
    }

    #[test]
    fn json_and_html_pages_are_searched_in_order() {
        let file = locked().file;
        let digest = locked().sha256;
        let json = format!(
            r#"{{"files": [{{"filename": "{file}", "url": "/f/{file}", "hashes": {{"sha256": "{digest}"}}}},
                           {{"filename": "other.whl", "url": "/f/other.whl", "hashes": {{}}}}]}}"#
        );
        let html = format!("<a href=\"../{file}#sha256={digest}\">{file}</a>");
        let base = serve(vec![("/one/a-b/", json), ("/two/a-b/", html)]);
        let found = locate_with(&indexes(&[format!("{base}/two/"), format!("{base}/none"), format!("{base}/one")]));
        assert_eq!(found.unwrap(), [format!("{base}/two/{file}"), format!("{base}/f/{file}")]);
    }

    #[test]
    fn a_find_links_page_is_read_like_an_index_page() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("all.html");
        fs_err::write(&page, format!("<a href='https://files.example/{}'>x</a>", locked().file)).unwrap();
        let config = IndexConfig { find_links: vec![page.display().to_string()], ..indexes(&[]) };
        assert_eq!(locate_with(&config).unwrap(), [format!("https://files.example/{}", locked().file)]);
    }

    #[test]
    fn a_page_with_another_digest_is_no_candidate() {
        let html = format!("<a href=\"{}#sha256={}\">x</a>", locked().file, "0".repeat(64));
        let base = serve(vec![("/simple/a-b/", html)]);
        let error = locate_with(&indexes(&[format!("{base}/simple")])).unwrap_err();
        assert!(matches!(error, LocateError::OtherContent { .. }), "{error}");
    }

    #[test]
    fn what_was_searched_is_told_without_credentials() {
        let base = serve(vec![]).replace("http://", "http://bob:secret@");
        let error = locate_with(&indexes(&[format!("{base}/simple")])).unwrap_err();
        let address = base.trim_start_matches("http://bob:secret@");
        assert_eq!(error.to_string(), format!("`a_b-1.0-py3-none-any.whl` is not in `http://{address}/simple/a-b/`"));
        assert_eq!(
            locate_with(&indexes(&[])).unwrap_err().to_string(),
            "`a_b-1.0-py3-none-any.whl` is not in any index: none is configured"
        );
    }
}
