//! Archives over time: what is remembered of a state, and archives that change, go back or are old themselves.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{ArchiveLocation, Index, IndexError, IndexMemory, SignedBy, Suite, ValidUntil, load};
use vb_testkit::archive::{Archive, Compression, Key, KeyOptions, Package};

const TODAY: u32 = 1_795_132_800;

fn key() -> Key {
    Key::generate(KeyOptions { created: TODAY - 86_400, ..KeyOptions::default() })
}

fn archive(version: &str) -> Archive {
    Archive::new("bookworm", vec![Package::new("hello", version)], TODAY)
}

fn written(archive: &Archive, key: &Key) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    archive.write(directory.path(), key);
    directory
}

fn suite(base: &str, key: &Key) -> Suite {
    Suite {
        name: "bookworm".to_owned(),
        components: vec!["main".to_owned()],
        locations: vec![ArchiveLocation { base: base.to_owned(), keyrings: vec![SignedBy::Inline(key.to_armor())] }],
        valid_until: ValidUntil::Checked,
        known_date: None,
    }
}

fn load_with(suite: Suite, memory: IndexMemory<'_>) -> Result<Index, IndexError> {
    let options = FetchOptions { attempts: 1, ..FetchOptions::default() };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(TODAY.into());
    load(&Fetcher::new(&options).unwrap(), &[suite], "amd64", time, memory)
}

fn load_dir(directory: &Path, key: &Key) -> Result<Index, IndexError> {
    load_with(suite(directory.to_str().unwrap(), key), IndexMemory::none())
}

fn versions(index: &Index) -> Vec<&str> {
    index.packages().iter().map(|package| package.version.as_str()).collect()
}

/// Serves the files of a directory that is asked for anew at each request, and lists what was asked for.
struct Server {
    base: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// The function says which of some directories a path is read from, given the paths that were asked for before.
    fn start(choose: impl Fn(&[String], &str) -> std::path::PathBuf + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let path = first.split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
                let mut requests = shared.lock().unwrap();
                let file = choose(&requests, &path).join(&path);
                requests.push(path);
                let (status, body) = fs_err::read(file).map_or(("404 Not Found", vec![]), |body| ("200 OK", body));
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&body).unwrap();
            }
        });
        Self { base, requests }
    }

    fn count(&self, end: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|path| path.ends_with(end)).count()
    }
}

#[test]
fn a_state_that_is_remembered_is_not_fetched_again_but_its_signature_is_checked() {
    let memory = Mutex::new(BTreeMap::<String, String>::new());
    let recall = |name: &str| memory.lock().unwrap().get(name).cloned();
    let remember = |name: &str, text: &str| drop(memory.lock().unwrap().insert(name.to_owned(), text.to_owned()));
    let memory_of = IndexMemory { recall: &recall, remember: &remember };
    let key = key();
    let directory = written(&archive("1"), &key);
    let base = directory.path().to_str().unwrap();
    let first = load_with(suite(base, &key), memory_of).unwrap();

    fs_err::remove_dir_all(directory.path().join("dists/bookworm/main")).unwrap();
    let second = load_with(suite(base, &key), memory_of).unwrap();
    assert_eq!(second.packages(), first.packages());
    assert_eq!(second.suites(), first.suites());
    let other = Key::generate(KeyOptions { created: TODAY - 86_400, ..KeyOptions::default() });
    assert!(matches!(load_with(suite(base, &other), memory_of), Err(IndexError::Signature { .. })));

    archive("2").write(directory.path(), &key);
    assert_eq!(versions(&load_with(suite(base, &key), memory_of).unwrap()), ["2"]);
    assert_eq!(memory.lock().unwrap().len(), 2);
}

#[test]
fn an_archive_that_is_published_while_it_is_read_is_read_again() {
    let key = key();
    let (old, new) = (written(&archive("1"), &key), written(&archive("2"), &key));
    let paths = (old.path().to_owned(), new.path().to_owned());
    // The new state appears just after the first `InRelease` was read.
    let server = Server::start(move |before, _| if before.is_empty() { paths.0.clone() } else { paths.1.clone() });
    let index = load_with(suite(&server.base, &key), IndexMemory::none()).unwrap();
    assert_eq!(versions(&index), ["2"]);
    assert_eq!(server.count("InRelease"), 2);
}

#[test]
fn an_index_by_digest_is_found_where_the_name_has_another_state() {
    let key = key();
    for is_by_hash in [true, false] {
        let directory = written(&Archive { is_by_hash: true, ..archive("1") }, &key);
        if !is_by_hash {
            // The archive keeps files by digest, and does not say so.
            let plain = Archive { is_by_hash: false, ..archive("1") };
            plain.write(directory.path(), &key);
        }
        let other = Compression::Xz.compress(b"Package: other\n");
        fs_err::write(directory.path().join("dists/bookworm/main/binary-amd64/Packages.xz"), other).unwrap();
        assert_eq!(versions(&load_dir(directory.path(), &key).unwrap()), ["1"], "{is_by_hash}");
    }
}

#[test]
fn an_archive_that_stays_mixed_is_refused_after_a_second_reading() {
    let key = key();
    let (old, new) = (written(&archive("1"), &key), written(&archive("2"), &key));
    let paths = (old.path().to_owned(), new.path().to_owned());
    let of =
        move |_: &[String], path: &str| if path.ends_with("InRelease") { paths.0.clone() } else { paths.1.clone() };
    let server = Server::start(of);
    let error = load_with(suite(&server.base, &key), IndexMemory::none()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("that the signed Release file of Thu, 19 Nov 2026 02:12:54 UTC names"), "{text}");
    assert_eq!(server.count("InRelease"), 2);
}

#[test]
fn a_truncated_index_is_refused_with_both_sizes() {
    let key = key();
    let directory = written(&Archive { forms: vec![Compression::Plain], ..archive("1") }, &key);
    let path = directory.path().join("dists/bookworm/main/binary-amd64/Packages");
    let text = fs_err::read(&path).unwrap();
    fs_err::write(&path, &text[..text.len() / 2]).unwrap();
    let expect = format!(
        "`{}` has {} bytes, and the signed Release file of Thu, 19 Nov 2026 02:12:54 UTC names {}",
        path.display(),
        text.len() / 2,
        text.len()
    );
    assert_eq!(load_dir(directory.path(), &key).unwrap_err().to_string(), expect);
}

#[test]
fn a_state_older_than_the_known_one_is_refused() {
    let key = key();
    let directory = written(&archive("1"), &key);
    let known = |date: &str| {
        let suite = suite(directory.path().to_str().unwrap(), &key);
        load_with(Suite { known_date: Some(date.to_owned()), ..suite }, IndexMemory::none())
    };
    let index = known("Thu, 19 Nov 2026 02:12:54 UTC").unwrap();
    assert_eq!(index.suites()[0].date, "Thu, 19 Nov 2026 02:12:54 UTC");
    let error = known("Thu, 19 Nov 2026 02:12:55 UTC").unwrap_err();
    assert!(matches!(error, IndexError::Older { .. }), "{error}");
}

#[test]
fn an_archive_of_the_old_layout_is_read() {
    let key = key();
    let packages = vec![Package::new("hello", "1").compression(Compression::Gz)];
    let directory = written(&Archive::old("bookworm", packages, TODAY), &key);
    let dist = directory.path().join("dists/bookworm");
    assert!(!dist.join("InRelease").exists() && dist.join("Release.gpg").exists());
    assert!(fs_err::read_to_string(dist.join("Release")).unwrap().contains("MD5Sum:\n"));
    assert_eq!(versions(&load_dir(directory.path(), &key).unwrap()), ["1"]);
}

#[test]
fn a_directory_of_indexes_without_components_is_read() {
    let key = key();
    let directory = written(&Archive { forms: vec![Compression::Plain], ..archive("1") }, &key);
    let flat = directory.path().join("flat");
    fs_err::create_dir(&flat).unwrap();
    let text = archive("1").packages_text();
    fs_err::write(flat.join("Packages"), &text).unwrap();
    let digest = sha256(text.as_bytes());
    let release = format!("Date: Thu, 19 Nov 2026 02:12:54 UTC\nSHA256:\n {digest} {} Packages\n", text.len());
    fs_err::write(flat.join("InRelease"), key.clearsign(&release, TODAY)).unwrap();
    let suite =
        Suite { name: "flat/".to_owned(), components: vec![], ..suite(directory.path().to_str().unwrap(), &key) };
    assert_eq!(versions(&load_with(suite, IndexMemory::none()).unwrap()), ["1"]);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}
