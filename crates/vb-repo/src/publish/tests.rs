//! A publisher that dies at any step leaves a repository that clients can read, and that the next one completes.

use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest, Sha256};
use vb_testkit::archive::Package;

use crate::{
    AddError, Changed, ChannelId, Format, KeySigner, LocalDirectory, PlatformSettings, PublicKeys, Publisher,
    Repository, Settings, Signer, Signers, Storage, generate_key,
};

const MOST_STEPS: usize = 200;

struct Given {
    directory: tempfile::TempDir,
    key: String,
}

impl Given {
    fn root(&self) -> PathBuf {
        self.directory.path().join("repo")
    }

    fn signers(&self) -> Signers {
        Signers::new(vec![Signer::Key(KeySigner::read(self.key.as_bytes(), "").unwrap())])
    }

    fn open(&self, directory: LocalDirectory) -> Repository {
        Repository::open(Storage::Local(directory), self.signers()).unwrap()
    }

    fn add(&self, repository: &Repository, version: &str) -> Result<Changed, AddError> {
        let path = self.directory.path().join(format!("{version}.deb"));
        fs::write(&path, Package::new("whois", version).to_deb()).unwrap();
        let publisher = Publisher { name: "test".to_owned(), time: 1_700_000_000 };
        repository.add(&channel(), "main", &[path], &publisher)
    }

    /// Makes a repository that has version 1.0.
    fn new(key: &str) -> Self {
        let given = Self { directory: tempfile::tempdir().unwrap(), key: key.to_owned() };
        let mut keys = PublicKeys::default();
        keys.extend(KeySigner::read(key.as_bytes(), "").unwrap().public());
        let storage = Storage::Local(LocalDirectory::new(given.root()));
        let mut repository = Repository::init(storage, Settings::usual(), given.signers(), &keys).unwrap();
        repository.add_platform("bookworm", &PlatformSettings::usual(Format::Deb, "amd64")).unwrap();
        given.add(&repository, "1.0").unwrap();
        given
    }
}

fn channel() -> ChannelId {
    ChannelId::new("bookworm", "development").unwrap()
}

/// Returns the versions that a client finds, which reads indexes by their digests.
fn seen(root: &Path) -> Vec<String> {
    let keys = PublicKeys::read(&fs::read_to_string(root.join("key.asc")).unwrap()).unwrap();
    let suite = root.join("dists/bookworm-development");
    let release = keys.check_clearsigned(&fs::read_to_string(suite.join("InRelease")).unwrap()).unwrap();
    let digest = release.lines().find_map(|line| line.strip_suffix(" main/binary-amd64/Packages")).unwrap();
    let digest = digest.split_whitespace().next().unwrap();
    let text = fs::read(suite.join("main/binary-amd64/by-hash/SHA256").join(digest)).unwrap();
    assert_eq!(hex::encode(Sha256::digest(&text)), digest);
    let text = String::from_utf8(text).unwrap();
    for path in text.lines().filter_map(|line| line.strip_prefix("Filename: ")) {
        assert!(root.join(path).exists());
    }
    text.lines().filter_map(|line| line.strip_prefix("Version: ")).map(str::to_owned).collect()
}

#[test]
fn every_prefix_of_the_writes_leaves_a_repository_that_clients_read_and_publishers_complete() {
    let key = generate_key("test <test@example.org>", crate::KeyAlgorithm::Ed25519).unwrap();
    let mut outcomes = Vec::new();
    for steps in 0..MOST_STEPS {
        let given = Given::new(&key);
        let broken = given.open(LocalDirectory::failing_after(given.root(), steps));
        let added = given.add(&broken, "1.1");
        let found = seen(&given.root());
        assert!(found == ["1.0"] || found == ["1.0", "1.1"], "after {steps} steps: {found:?}");
        if added.is_ok() {
            assert_eq!(found, ["1.0", "1.1"]);
        }
        let whole = given.open(LocalDirectory::new(given.root()));
        given.add(&whole, "1.2").unwrap();
        let is_held = whole.packages(&channel()).unwrap().len() == 3;
        let expect: &[&str] = if is_held { &["1.0", "1.1", "1.2"] } else { &["1.0", "1.2"] };
        assert_eq!(seen(&given.root()), expect, "after {steps} steps");
        assert!(whole.verify(&[channel()]).unwrap().problems.is_empty());
        outcomes.push(is_held);
        if added.is_ok() {
            // From one step on, and not before, the package is there for good.
            assert!(outcomes.is_sorted() && outcomes.contains(&false), "{outcomes:?}");
            return;
        }
    }
    panic!("adding a package takes more than {MOST_STEPS} writes");
}
