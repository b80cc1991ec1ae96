//! A repository of `.rpm` packages, from the files to what clients see.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::path::{Path, PathBuf};

use fs_err as fs;
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};
use sha2::{Digest, Sha256};
use vb_repo::{
    ChannelId, Format, GarbagePolicy, KeyAlgorithm, KeySetting, KeySigner, LocalDirectory, ObjectStorage,
    PlatformSettings, PublicKeys, Publisher, Repository, Settings, Signer, Signers, Storage, generate_key,
    yum::{IndexedPackage, read_primary, read_repomd},
};

const TIME: u64 = 1_800_000_000;

fn package(directory: &Path, name: &str, version: &str, files: usize) -> PathBuf {
    let config = BuildConfig::v4().compression(CompressionWithLevel::None).source_date(1_700_000_000);
    let mut builder = PackageBuilder::new(name, version, "MIT", "noarch", "a < b & c");
    builder
        .using_config(config)
        .description("Line one.\nLine two.")
        .requires(Dependency::greater_eq("python3", "3.9"))
        .requires(Dependency::any("/bin/sh"))
        .add_changelog_entry("Somebody <s@example.org> - 1", "- first", 1_600_000_000_u32);
    for number in 0..files {
        let options = FileOptions::new(format!("/opt/{name}/file-with-a-longer-name-{number}"));
        builder.with_file_contents(format!("{version} {number}"), options).unwrap();
    }
    builder.with_file_contents("#!/bin/sh\n", FileOptions::new(format!("/usr/bin/{name}")).permissions(0o755)).unwrap();
    let path = directory.join(format!("{name}-{version}-1.noarch.rpm"));
    builder.build().unwrap().write_file(&path).unwrap();
    path
}

fn repository(storage: Storage) -> Repository {
    repository_at(storage, None)
}

fn repository_at(storage: Storage, url: Option<&str>) -> Repository {
    let key = generate_key("Test <test@example.org>", KeyAlgorithm::Ed25519).unwrap();
    let signer = KeySigner::read(key.as_bytes(), "").unwrap();
    let keys = signer.public();
    let settings = Settings {
        keys: vec![KeySetting::File("key.asc".to_owned())],
        url: url.map(str::to_owned),
        ..Settings::usual()
    };
    let signers = Signers::new(vec![Signer::Key(signer)]);
    let mut repository = Repository::init(storage, settings, signers, &keys).unwrap();
    repository.add_platform("el9", &PlatformSettings::usual(Format::Rpm, "x86_64")).unwrap();
    repository
}

fn publisher() -> Publisher {
    Publisher { name: "test".to_owned(), time: TIME }
}

fn read(repository: &Repository, name: &str) -> Vec<u8> {
    repository.storage().get(name).unwrap().unwrap_or_else(|| panic!("no {name}")).0
}

const BASE: &str = "rpm/el9-staging/x86_64";

/// Reads an index through `repomd.xml`, as a client does.
fn index(repository: &Repository, kind: &str) -> String {
    let entries = read_repomd(&read(repository, &format!("{BASE}/repodata/repomd.xml"))[..]).unwrap();
    let entry = entries.iter().find(|entry| entry.kind == kind).unwrap();
    let bytes = read(repository, &format!("{BASE}/{}", entry.href));
    assert_eq!(hex::encode(Sha256::digest(&bytes)), entry.checksum);
    assert_eq!(entry.size, Some(bytes.len() as u64));
    String::from_utf8(gunzip(&bytes)).unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes), &mut text).unwrap();
    text
}

fn packages(repository: &Repository) -> Vec<IndexedPackage> {
    let mut packages = Vec::new();
    read_primary(index(repository, "primary").as_bytes(), |package| packages.push(package)).unwrap();
    packages
}

#[test]
fn packages_are_in_all_indexes_and_where_these_say() {
    let directory = tempfile::tempdir().unwrap();
    let memory = ObjectStorage::in_memory().unwrap();
    let local = directory.path().join("repo");
    for storage in [Storage::Local(LocalDirectory::new(local)), Storage::Object(memory)] {
        let repository = repository(storage);
        let channel = ChannelId::new("el9", "staging").unwrap();
        // One with its lists in the record, one with too many files for that.
        let files = [package(directory.path(), "few", "1.0", 2), package(directory.path(), "many", "2.0", 200)];
        repository.add(&channel, "main", &files, &publisher()).unwrap();
        let packages = packages(&repository);
        let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["few", "many"]);
        for package in &packages {
            let bytes = read(&repository, package.href.strip_prefix("../../../").unwrap());
            assert_eq!(hex::encode(Sha256::digest(&bytes)), package.checksum);
            assert_eq!(package.size, bytes.len() as u64);
        }
        let filelists = index(&repository, "filelists");
        assert_eq!(filelists.matches("<file>").count(), 2 + 200 + 2);
        assert!(filelists.ends_with("</package>\n</filelists>\n"));
        assert_eq!(index(&repository, "other").matches("- first</changelog>").count(), 2);
    }
}

#[test]
fn a_package_that_comes_again_is_known_though_it_was_signed() {
    let directory = tempfile::tempdir().unwrap();
    let repository = repository(Storage::Local(LocalDirectory::new(directory.path().join("repo"))));
    let channel = ChannelId::new("el9", "staging").unwrap();
    let file = package(directory.path(), "few", "1.0", 2);
    repository.add(&channel, "main", std::slice::from_ref(&file), &publisher()).unwrap();
    let later = Publisher { time: TIME + 1000, ..publisher() };
    let again = repository.add(&channel, "main", std::slice::from_ref(&file), &later).unwrap();
    assert_eq!(again, vb_repo::Changed::Nothing);
    // Other bytes under the same name and version.
    fs::create_dir(directory.path().join("other")).unwrap();
    let other = package(&directory.path().join("other"), "few", "1.0", 3);
    let error = repository.add(&channel, "main", &[other], &later).unwrap_err();
    assert_eq!(error.to_string(), "`el9-staging` has another package `few` of version `1.0-1` for `noarch`");
}

#[test]
fn the_signature_file_fits_the_last_index_alone() {
    let directory = tempfile::tempdir().unwrap();
    let repository = repository(Storage::Local(LocalDirectory::new(directory.path().join("repo"))));
    let channel = ChannelId::new("el9", "staging").unwrap();
    let repomd = format!("{BASE}/repodata/repomd.xml");
    let mut indexes = Vec::new();
    for version in ["1.0", "1.1", "1.2"] {
        let file = package(directory.path(), "few", version, 2);
        repository.add(&channel, "main", &[file], &publisher()).unwrap();
        indexes.push(read(&repository, &repomd));
    }
    let signature = read(&repository, &format!("{repomd}.asc"));
    let keys: PublicKeys = repository.public_keys().unwrap();
    let latest = indexes.pop().unwrap();
    keys.check_detached(&latest, &signature).unwrap();
    // librepo's gpg ends with the first signature that does not fit, so that none of an earlier index may be there.
    assert_eq!(String::from_utf8(signature.clone()).unwrap().matches("BEGIN PGP SIGNATURE").count(), 1);
    for earlier in indexes {
        assert!(keys.check_detached(&earlier, &signature).is_err());
    }
}

#[test]
fn the_list_of_mirrors_leads_to_an_index_beside_its_own_signature_until_that_is_garbage() {
    let directory = tempfile::tempdir().unwrap();
    let storage = Storage::Local(LocalDirectory::new(directory.path().join("repo")));
    let repository = repository_at(storage, Some("https://packages.example.org/"));
    let channel = ChannelId::new("el9", "staging").unwrap();
    let mut mirrors = Vec::new();
    for version in ["1.0", "1.1"] {
        let file = package(directory.path(), "few", version, 2);
        repository.add(&channel, "main", &[file], &publisher()).unwrap();
        let list = String::from_utf8(read(&repository, &format!("{BASE}/mirrorlist"))).unwrap();
        let mirror = list.strip_prefix("https://packages.example.org/").unwrap();
        mirrors.push(mirror.strip_suffix("/\n").unwrap().to_owned());
    }
    assert_ne!(mirrors[0], mirrors[1]);
    let keys: PublicKeys = repository.public_keys().unwrap();
    for mirror in &mirrors {
        let repomd = read(&repository, &format!("{mirror}/repodata/repomd.xml"));
        keys.check_detached(&repomd, &read(&repository, &format!("{mirror}/repodata/repomd.xml.asc"))).unwrap();
        for entry in read_repomd(&repomd[..]).unwrap() {
            let bytes = read(&repository, &format!("{mirror}/{}", entry.href));
            assert_eq!(hex::encode(Sha256::digest(&bytes)), entry.checksum);
        }
    }
    // Packages are where they are said to be from there, too.
    assert_eq!(mirrors[0].matches('/').count(), BASE.matches('/').count());
    assert!(repository.verify(std::slice::from_ref(&channel)).unwrap().problems.is_empty());
    let none = GarbagePolicy { grace: 0, history: 0 };
    repository.collect_garbage(none, TIME + 1_000_000, false).unwrap();
    assert!(!directory.path().join("repo").join(&mirrors[0]).parent().unwrap().exists());
    assert!(repository.verify(&[channel]).unwrap().problems.is_empty());
}
