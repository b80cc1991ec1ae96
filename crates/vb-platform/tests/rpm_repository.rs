//! Reading RPM repositories: what is signed counts, and nothing else.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{
    ArchiveLocation, SignedBy,
    rpm::{Index, Repository, RepositoryError, ResolveError, load, resolve},
};
use vb_testkit::archive::{Key, KeyOptions};

const SIGNED: u32 = 1_700_000_000;

/// One repository in a directory, signed by a key.
struct Fixture {
    dir: TempDir,
    key: Key,
    records: Vec<(&'static str, String, Vec<u8>)>,
}

fn package(name: &str, inner: &str) -> String {
    let digest = hex::encode(Sha256::digest(name));
    format!(
        r#"<package type="rpm"><name>{name}</name><arch>x86_64</arch><version epoch="0" ver="1" rel="1"/>
<checksum type="sha256" pkgid="YES">{digest}</checksum><size package="10"/><location href="Packages/{name}.rpm"/>
<format><rpm:provides><rpm:entry name="{name}" flags="EQ" epoch="0" ver="1" rel="1"/></rpm:provides>{inner}</format></package>"#
    )
}

fn primary(packages: &[String]) -> Vec<u8> {
    let head = r#"<?xml version="1.0"?><metadata xmlns="urn:common" xmlns:rpm="urn:rpm">"#;
    format!("{head}{}</metadata>", packages.concat()).into_bytes()
}

fn requires(name: &str) -> String {
    format!("<rpm:requires><rpm:entry name=\"{name}\"/></rpm:requires>")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl Fixture {
    fn new(packages: &[String]) -> Self {
        let key = Key::generate(KeyOptions { created: SIGNED, ..KeyOptions::default() });
        let records = vec![("primary", "repodata/primary.xml.gz".to_owned(), gzip(&primary(packages)))];
        let fixture = Self { dir: tempfile::tempdir().unwrap(), key, records };
        fixture.write();
        fixture
    }

    fn with(mut self, kind: &'static str, file: &str, bytes: Vec<u8>) -> Self {
        self.records.retain(|(known, ..)| *known != kind);
        self.records.push((kind, format!("repodata/{file}"), bytes));
        self.write();
        self
    }

    fn repomd(&self) -> String {
        let record = |(kind, path, bytes): &(&str, String, Vec<u8>)| {
            let (digest, size) = (hex::encode(Sha256::digest(bytes)), bytes.len());
            format!(
                "<data type=\"{kind}\"><checksum type=\"sha256\">{digest}</checksum><location href=\"{path}\"/>\
                 <size>{size}</size><timestamp>1700000000</timestamp></data>"
            )
        };
        format!("<repomd>{}</repomd>", self.records.iter().map(record).collect::<String>())
    }

    fn write(&self) {
        let dir = self.dir.path();
        fs_err::create_dir_all(dir.join("repodata")).unwrap();
        for (_, path, bytes) in &self.records {
            fs_err::write(dir.join(path), bytes).unwrap();
        }
        let repomd = self.repomd();
        fs_err::write(dir.join("repodata/repomd.xml"), &repomd).unwrap();
        let signature = self.key.sign(repomd.as_bytes(), SIGNED);
        fs_err::write(dir.join("repodata/repomd.xml.asc"), signature).unwrap();
        fs_err::write(dir.join("key.asc"), self.key.to_armor()).unwrap();
    }

    fn load(&self) -> Result<Index, RepositoryError> {
        load_from(self.dir.path().to_str().unwrap(), &self.dir.path().join("key.asc"))
    }

    fn resolve(&self, request: &[&str]) -> Result<Vec<String>, ResolveError> {
        let request: Vec<String> = request.iter().map(|word| (*word).to_owned()).collect();
        let locked = resolve(&mut self.load().unwrap(), &fetcher(), &request)?;
        Ok(locked.into_iter().map(|package| package.name).collect())
    }
}

fn fetcher() -> Fetcher {
    Fetcher::new(&FetchOptions::default()).unwrap()
}

fn load_from(base: &str, key: &Path) -> Result<Index, RepositoryError> {
    load_after(base, key, None)
}

/// Loads a repository of which a state of some date was seen before.
fn load_after(base: &str, key: &Path, known_date: Option<&str>) -> Result<Index, RepositoryError> {
    let location = ArchiveLocation { base: base.to_owned(), keyrings: vec![SignedBy::Path(key.to_owned())] };
    let repository =
        Repository { name: "fixture".to_owned(), locations: vec![location], known_date: known_date.map(str::to_owned) };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(SIGNED) + 60);
    load(&fetcher(), &[repository], "x86_64", time)
}

fn chain(error: &dyn Error) -> String {
    let source = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", source.unwrap_or_default())
}

#[test]
fn an_index_is_read_in_every_compression() {
    let text = primary(&[package("a", &requires("b")), package("b", "")]);
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&text).unwrap();
    let forms = [
        ("primary.xml", text.clone()),
        ("primary.xml.xz", xz.finish().unwrap()),
        ("primary.xml.zst", zstd::encode_all(text.as_slice(), 1).unwrap()),
    ];
    for (file, bytes) in forms {
        let fixture = Fixture::new(&[]).with("primary", file, bytes);
        assert_eq!(fixture.resolve(&["a"]).unwrap(), ["a", "b"], "{file}");
    }
}

#[test]
fn a_repository_without_a_signature_or_by_an_unknown_key_is_refused() {
    let fixture = Fixture::new(&[package("a", "")]);
    let other = Key::generate(KeyOptions { created: SIGNED, ..KeyOptions::default() });
    fs_err::write(fixture.dir.path().join("key.asc"), other.to_armor()).unwrap();
    let error = fixture.load().unwrap_err();
    assert!(chain(&error).contains("the keyring does not hold its key"), "{}", chain(&error));
    fs_err::remove_file(fixture.dir.path().join("repodata/repomd.xml.asc")).unwrap();
    let error = fixture.load().unwrap_err();
    assert!(chain(&error).contains("it is not signed"), "{}", chain(&error));
}

#[test]
fn a_changed_repomd_is_refused() {
    let fixture = Fixture::new(&[package("a", "")]);
    let path = fixture.dir.path().join("repodata/repomd.xml");
    fs_err::write(&path, fixture.repomd() + " ").unwrap();
    assert!(matches!(fixture.load(), Err(RepositoryError::Signature { .. })));
}

#[test]
fn a_state_older_than_the_known_one_is_refused() {
    let fixture = Fixture::new(&[package("bash", "")]);
    let (base, key) = (fixture.dir.path().to_str().unwrap(), fixture.dir.path().join("key.asc"));
    let date = fixture.load().unwrap().dates()["fixture"].clone();
    assert_eq!(date, "Tue, 14 Nov 2023 22:13:20 UTC");
    let after = |known: &str| load_after(base, &key, Some(known));
    assert!(after(&date).is_ok());
    let error = after("Tue, 14 Nov 2023 22:13:21 UTC").unwrap_err();
    assert!(matches!(error, RepositoryError::Older { .. }), "{error:?}");
}

#[test]
fn a_truncated_or_changed_index_is_refused() {
    let fixture = Fixture::new(&[package("a", "")]);
    let path = fixture.dir.path().join("repodata/primary.xml.gz");
    let bytes = fs_err::read(&path).unwrap();
    for damaged in [bytes[..bytes.len() - 1].to_vec(), [bytes.as_slice(), b"x"].concat()] {
        fs_err::write(&path, damaged).unwrap();
        assert!(matches!(fixture.load(), Err(RepositoryError::Mismatch { .. })));
    }
    // Signed as it is, and still no document.
    let whole = primary(&[package("a", "")]);
    for text in [&whole[..whole.len() - 20], b"", b"no document"] {
        let fixture = Fixture::new(&[]).with("primary", "primary.xml.gz", gzip(text));
        let is_refused = match fixture.load() {
            Err(RepositoryError::Malformed { .. }) => true,
            // Nothing at all is a repository without packages.
            Ok(index) => index.packages().is_empty() && text.len() < 20,
            Err(_) => false,
        };
        assert!(is_refused, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_package_with_another_digest_than_sha256_or_a_path_that_leads_out_is_refused() {
    let good = package("a", "");
    for (from, to) in [("\"sha256\" pkgid", "\"sha\" pkgid"), ("Packages/a.rpm", "../a.rpm"), ("\"10\"", "\"ten\"")] {
        let fixture = Fixture::new(&[good.replace(from, to)]);
        assert!(matches!(fixture.load(), Err(RepositoryError::Malformed { .. })), "{to}");
    }
}

/// Serves a directory that is replaced by another when its `repomd.xml` has been read often enough.
fn serve_two_states(first: &Path, second: &Path, switch_after: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (first, second) = (first.to_owned(), second.to_owned());
    std::thread::spawn(move || {
        let mut signatures = 0;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = text.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
            let state = if signatures >= switch_after { &second } else { &first };
            if path.ends_with(".asc") {
                signatures += 1;
            }
            let (status, body) = match fs_err::read(state.join(&path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", vec![]),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        }
    });
    base
}

#[test]
fn a_repository_that_changes_while_it_is_read_is_read_once_more() {
    let old = Fixture::new(&[package("old", "")]);
    let mut new =
        Fixture::new(&[package("new", "")]).with("primary", "other.xml.gz", gzip(&primary(&[package("new", "")])));
    new.key = Key::generate(KeyOptions { created: SIGNED, ..KeyOptions::default() });
    new.write();
    // Both keys may sign.
    let keys = old.key.to_armor() + "\n" + &new.key.to_armor();
    let both = old.dir.path().join("both.asc");
    fs_err::write(&both, keys).unwrap();
    fs_err::remove_file(new.dir.path().join("repodata/primary.xml.gz")).unwrap();
    let base = serve_two_states(old.dir.path(), new.dir.path(), 1);
    let mut index = load_from(&base, &both).unwrap();
    let locked = resolve(&mut index, &fetcher(), &["new".to_owned()]).unwrap();
    assert_eq!(locked[0].path, "Packages/new.rpm");
}

#[test]
fn an_index_that_is_not_the_signed_one_is_told_from_one_that_changed() {
    let old = Fixture::new(&[package("old", "")]);
    let damaged = Fixture::new(&[package("old", "")]);
    // The same signed repomd.xml, with another primary.xml.
    for file in ["repomd.xml", "repomd.xml.asc"] {
        let bytes = fs_err::read(old.dir.path().join("repodata").join(file)).unwrap();
        fs_err::write(damaged.dir.path().join("repodata").join(file), bytes).unwrap();
    }
    fs_err::write(damaged.dir.path().join("repodata/primary.xml.gz"), gzip(b"<metadata/>")).unwrap();
    let base = serve_two_states(old.dir.path(), damaged.dir.path(), 1);
    let error = load_from(&base, &old.dir.path().join("key.asc")).unwrap_err();
    assert!(matches!(error, RepositoryError::Mismatch { .. }), "{}", chain(&error));
}

const MODULES: &str = "---
document: modulemd
version: 2
data:
  name: nodejs
  stream: \"18\"
  artifacts:
    rpms:
    - nodejs-0:1-1.x86_64
---
document: modulemd-defaults
version: 1
data:
  module: perl
  stream: \"5.26\"
---
document: modulemd
version: 2
data:
  name: perl
  stream: \"5.26\"
  artifacts:
    rpms:
    - perl-0:5.26-1.x86_64
...
";

#[test]
fn packages_of_modules_are_never_chosen_and_said_to_be_modular() {
    let packages = [package("nodejs", ""), package("app", &requires("nodejs")), package("perl", "")];
    let fixture = Fixture::new(&packages).with("modules", "modules.yaml.gz", gzip(MODULES.as_bytes()));
    let error = fixture.resolve(&["nodejs"]).unwrap_err();
    assert!(error.to_string().contains("`nodejs` belongs to a module (`nodejs:18`)"), "{error}");
    let error = fixture.resolve(&["app"]).unwrap_err();
    assert!(error.to_string().contains("nodejs:18"), "{error}");
    // A machine would take perl from the default stream, which is another perl.
    let error = fixture.resolve(&["perl"]).unwrap_err();
    assert!(matches!(error, ResolveError::Modular { .. }), "{error}");
}

#[test]
fn unknown_names_have_suggestions_and_contradictions_a_chain() {
    let conflict = "<rpm:conflicts><rpm:entry name=\"b\"/></rpm:conflicts>";
    let fixture = Fixture::new(&[
        package("postgresql", &requires("b")),
        package("b", ""),
        package("c", conflict),
        package("broken", &requires("absent")),
    ]);
    let error = fixture.resolve(&["postgresqll"]).unwrap_err();
    assert!(error.to_string().contains("did you mean `postgresql`?"), "{error}");
    let error = fixture.resolve(&["postgresql", "c"]).unwrap_err();
    assert!(matches!(error, ResolveError::Unsatisfiable { .. }), "{error}");
    let error = fixture.resolve(&["broken"]).unwrap_err();
    assert!(error.to_string().contains("it requires `absent`, which no repository has"), "{error}");
}

#[test]
fn file_lists_are_fetched_only_where_a_path_needs_them() {
    let packages = [package("a", &requires("/usr/share/x")), package("b", ""), package("c", "")];
    let fixture = Fixture::new(&packages);
    let error = fixture.resolve(&["a"]).unwrap_err();
    let no_lists =
        matches!(&error, ResolveError::Files { source: RepositoryError::NoRecord { record: "filelists", .. } });
    assert!(no_lists, "{error}");
    assert_eq!(fixture.resolve(&["c"]).unwrap(), ["c"]);
    let digest = hex::encode(Sha256::digest("b"));
    let lists =
        format!("<filelists><package pkgid=\"{digest}\" name=\"b\"><file>/usr/share/x</file></package></filelists>");
    let fixture = fixture.with("filelists", "filelists.xml.gz", gzip(lists.as_bytes()));
    assert_eq!(fixture.resolve(&["a"]).unwrap(), ["a", "b"]);
}
