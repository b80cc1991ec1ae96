//! Loading suites of fixture archives: what is accepted, and what each broken link of the chain is called.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::{
    error::Error as _,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{
    ArchiveLocation, Index, IndexError, IndexMemory, RefusalReason, Resolver, SignatureError, SignedBy, Suite,
    ValidUntil, load,
};
use vb_testkit::archive::{Archive, Compression, Key, KeyOptions, Package, Signing};

/// 2026-11-20, the day of every fixture.
const TODAY: u32 = 1_795_132_800;
const YESTERDAY: u32 = TODAY - 86_400;
const LAST_YEAR: u32 = TODAY - 365 * 86_400;

fn today() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(TODAY.into())
}

fn key_options() -> KeyOptions {
    KeyOptions { created: LAST_YEAR, ..KeyOptions::default() }
}

/// An archive on disk, and the keyring that it is to be checked with.
struct Fixture {
    dir: TempDir,
    key: Key,
    archive: Archive,
}

impl Fixture {
    fn new() -> Self {
        Self::with_key(Key::generate(key_options()))
    }

    fn with_key(key: Key) -> Self {
        let packages = vec![Package::new("hello", "1.0"), Package::new("bye", "2:3-4")];
        Self { dir: tempfile::tempdir().unwrap(), key, archive: Archive::new("bookworm", packages, YESTERDAY) }
    }

    fn written(self) -> Self {
        self.archive.write(self.dir.path(), &self.key);
        self
    }

    fn keyring(&self) -> PathBuf {
        let path = self.dir.path().join("keyring.gpg");
        fs_err::write(&path, self.key.to_bytes()).unwrap();
        path
    }

    fn suite(&self) -> Suite {
        let base = self.dir.path().to_str().unwrap().to_owned();
        Suite {
            name: self.archive.suite.clone(),
            components: vec!["main".to_owned()],
            locations: vec![ArchiveLocation { base, keyrings: vec![SignedBy::Path(self.keyring())] }],
            valid_until: ValidUntil::Checked,
            known_date: None,
        }
    }

    fn load(&self) -> Result<Index, IndexError> {
        load_at(&[self.suite()], today())
    }

    fn binary_dir(&self) -> PathBuf {
        self.dir.path().join("dists/bookworm/main/binary-amd64")
    }
}

fn load_at(suites: &[Suite], time: SystemTime) -> Result<Index, IndexError> {
    load(&Fetcher::new(&FetchOptions::default()).unwrap(), suites, "amd64", time, IndexMemory::none())
}

fn names(index: &Index) -> Vec<String> {
    index.packages().iter().map(|package| format!("{} {}", package.name, package.version)).collect()
}

/// Returns why the one signature of a fixture does not count.
fn refusal(result: Result<Index, IndexError>) -> RefusalReason {
    match result.unwrap_err() {
        IndexError::Signature { source: SignatureError::NoGoodSignature { refusals, .. }, .. } => refusals[0].reason,
        error => panic!("not refused for its signature: {error}"),
    }
}

#[test]
fn a_signed_archive_is_loaded() {
    let index = Fixture::new().written().load().unwrap();
    assert_eq!(names(&index), ["hello 1.0", "bye 2:3-4"]);
    assert_eq!(index.packages()[1].filename, "pool/bye_2%3a3-4.deb");
}

#[test]
fn every_form_of_index_and_signature_is_read() {
    for form in [Compression::Plain, Compression::Gz, Compression::Xz] {
        for signing in [Signing::Inline, Signing::Detached] {
            for is_by_hash in [false, true] {
                let mut fixture = Fixture::new();
                fixture.archive = Archive { forms: vec![form], signing, is_by_hash, ..fixture.archive };
                assert_eq!(fixture.written().load().unwrap().packages().len(), 2, "{form:?} {signing:?} {is_by_hash}");
            }
        }
    }
}

#[test]
fn keyrings_may_be_armored_inline_or_one_key_of_a_file() {
    let fixture = Fixture::new().written();
    let other = Key::generate(key_options());
    let armored = fixture.dir.path().join("two.asc");
    fs_err::write(&armored, other.to_armor() + &fixture.key.to_armor()).unwrap();
    let one_key = |fingerprint| SignedBy::Key { path: armored.clone(), fingerprint };
    let load_with = |keyring| {
        let mut suite = fixture.suite();
        suite.locations[0].keyrings = vec![keyring];
        load_at(&[suite], today())
    };
    load_with(SignedBy::Path(armored.clone())).unwrap();
    load_with(SignedBy::Inline(fixture.key.to_armor())).unwrap();
    load_with(one_key(fixture.key.fingerprint())).unwrap();
    assert_eq!(refusal(load_with(one_key(other.fingerprint()))), RefusalReason::UnknownKey);
}

#[test]
fn a_signing_subkey_counts_for_its_own_primary_key_only() {
    let fixture = Fixture::with_key(Key::generate_with_subkey());
    let now = SystemTime::now();
    let signed = u32::try_from(now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let fixture = Fixture { archive: Archive { signed, ..fixture.archive.clone() }, ..fixture }.written();
    load_at(&[fixture.suite()], now).unwrap();

    let thief = Key::generate(KeyOptions { created: signed, ..KeyOptions::default() });
    let suite = fixture.suite();
    fs_err::write(fixture.dir.path().join("keyring.gpg"), thief.claiming_subkeys_of(&fixture.key)).unwrap();
    assert_eq!(refusal(load_at(&[suite], now)), RefusalReason::KeyMayNotSign);
}

#[test]
fn a_changed_text_is_refused() {
    let fixture = Fixture::new().written();
    let path = fixture.dir.path().join("dists/bookworm/InRelease");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, text.replace("Codename: bookworm", "Codename: bookworm\nValid-Until: never")).unwrap();
    assert_eq!(refusal(fixture.load()), RefusalReason::Mismatch);
}

#[test]
fn an_unknown_key_is_refused_and_both_keys_are_named() {
    let fixture = Fixture::new().written();
    let signer = fixture.key.id();
    let fixture = Fixture { key: Key::generate(key_options()), ..fixture };
    let error = fixture.load().unwrap_err();
    let source = error.source().unwrap().to_string();
    let known = fixture.key.id();
    assert_eq!(
        source,
        format!(
            "no good signature: signature by `{signer}` refused: the keyring does not hold its key; the keyring has {known}"
        )
    );
}

#[test]
fn keys_that_are_not_in_order_are_refused() {
    let lifetime = YESTERDAY - LAST_YEAR + 3600;
    for (options, expect) in [
        (KeyOptions { is_revoked: true, ..key_options() }, RefusalReason::KeyRevoked),
        (KeyOptions { lifetime, ..key_options() }, RefusalReason::KeyExpired),
        (KeyOptions { is_certify_only: true, ..key_options() }, RefusalReason::KeyMayNotSign),
    ] {
        assert_eq!(refusal(Fixture::with_key(Key::generate(options)).written().load()), expect, "{options:?}");
    }
    let alive = KeyOptions { lifetime: lifetime + 86_400, ..key_options() };
    Fixture::with_key(Key::generate(alive)).written().load().unwrap();
}

#[test]
fn signatures_of_the_future_are_refused() {
    let mut fixture = Fixture::new();
    fixture.archive.signed = TODAY + 3 * 86_400;
    assert_eq!(refusal(fixture.written().load()), RefusalReason::Date);
}

#[test]
fn an_archive_without_signature_is_refused() {
    let mut fixture = Fixture::new();
    fixture.archive.signing = Signing::None;
    let error = fixture.written().load().unwrap_err();
    assert!(error.source().unwrap().to_string().contains("it is not signed"), "{error:?}");
}

#[test]
fn an_expired_archive_is_refused_with_its_dates_unless_that_is_allowed() {
    let mut fixture = Fixture::new();
    fixture.archive.release_fields = "Valid-Until: Thu, 19 Nov 2026 12:00:00 UTC\n".to_owned();
    let fixture = fixture.written();
    let base = fixture.dir.path().display();
    assert_eq!(
        fixture.load().unwrap_err().to_string(),
        format!(
            "suite `bookworm` at `{base}` is expired: made on Thu, 19 Nov 2026 02:12:54 UTC, valid until Thu, 19 Nov 2026 12:00:00 UTC"
        )
    );
    load_at(&[Suite { valid_until: ValidUntil::Ignored, ..fixture.suite() }], today()).unwrap();
    load_at(&[fixture.suite()], today() - Duration::from_secs(86_400)).unwrap();
}

#[test]
fn an_index_that_is_not_the_signed_one_is_refused() {
    let fixture = Fixture::new().written();
    let path = fixture.binary_dir().join("Packages.xz");
    let mut bytes = fs_err::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let error = fixture.load().unwrap_err();
    assert!(matches!(error, IndexError::Mismatch { .. }), "{error}");
}

#[test]
fn the_next_form_is_used_when_one_is_not_there() {
    let fixture = Fixture::new().written();
    fs_err::remove_file(fixture.binary_dir().join("Packages.xz")).unwrap();
    assert_eq!(fixture.load().unwrap().packages().len(), 2);
    fs_err::remove_file(fixture.binary_dir().join("Packages")).unwrap();
    let error = fixture.load().unwrap_err();
    assert!(matches!(error, IndexError::Fetch { .. }), "{error}");
}

#[test]
fn another_suites_release_is_refused() {
    let fixture = Fixture::new().written();
    let dists = fixture.dir.path().join("dists");
    fs_err::rename(dists.join("bookworm"), dists.join("trixie")).unwrap();
    let error = load_at(&[Suite { name: "trixie".to_owned(), ..fixture.suite() }], today()).unwrap_err();
    assert!(matches!(error, IndexError::OtherSuite { .. }), "{error}");
}

#[test]
fn a_missing_component_is_named_with_those_there_are() {
    let fixture = Fixture::new().written();
    let suite = Suite { components: vec!["contrib".to_owned()], ..fixture.suite() };
    assert_eq!(
        load_at(&[suite], today()).unwrap_err().to_string(),
        "suite `bookworm` has no component `contrib` for `amd64` (it has: main)"
    );
}

#[test]
fn a_location_without_the_suite_is_passed_over_and_one_with_a_bad_signature_is_not() {
    let good = Fixture::new().written();
    let bad = Fixture { key: Key::generate(key_options()), ..Fixture::new().written() };
    let empty = tempfile::tempdir().unwrap();
    let nowhere = ArchiveLocation { base: empty.path().to_str().unwrap().to_owned(), keyrings: Vec::new() };
    let at = |locations: &[&ArchiveLocation]| {
        let locations = locations.iter().map(|location| (*location).clone()).collect();
        load_at(&[Suite { locations, ..good.suite() }], today())
    };
    let (good_place, bad_place) = (&good.suite().locations[0], &bad.suite().locations[0]);
    at(&[&nowhere, good_place]).unwrap();
    assert_eq!(refusal(at(&[bad_place, good_place])), RefusalReason::UnknownKey);
    assert!(matches!(at(&[&nowhere]).unwrap_err(), IndexError::Fetch { .. }));
    assert!(matches!(at(&[]).unwrap_err(), IndexError::NoLocation { .. }));
}

#[test]
fn no_message_holds_the_password_of_a_location() {
    let mut suite = Fixture::new().written().suite();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    suite.locations[0].base = format!("http://me:secret@127.0.0.1:{port}/debian");
    let fetcher = Fetcher::new(&FetchOptions { attempts: 1, ..FetchOptions::default() }).unwrap();
    let error = load(&fetcher, &[suite], "amd64", today(), IndexMemory::none()).unwrap_err();
    assert_eq!(error.to_string(), format!("suite `bookworm` cannot be fetched from `http://127.0.0.1:{port}/debian`"));
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[test]
fn a_package_of_two_suites_is_taken_from_the_earlier_one() {
    let first = Fixture::new().written();
    let mut second = Fixture::new();
    second.archive.suite = "bookworm-updates".to_owned();
    second.archive.packages =
        vec![Package::new("hello", "1.0").field("Depends", "other"), Package::new("hello", "1.1")];
    let second = second.written();
    let index = load_at(&[first.suite(), second.suite()], today()).unwrap();
    let resolved = Resolver::new(&index, &[]).unwrap().resolve(&["hello (= 1.0)".to_owned()]).unwrap();
    assert_eq!((resolved.len(), resolved[0].path.as_str()), (1, "pool/hello_1.0.deb"));
}
