//! A publisher that dies at any step leaves a repository that clients can read, and that the next one completes.

use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest, Sha256};
use vb_testkit::archive::Package;

use crate::{
    AddError, ChangeError, Changed, ChannelId, Format, KeySigner, LocalDirectory, PlatformSettings, PublicKeys,
    Publisher, PushedPackage, Repository, Settings, Signer, Signers, Storage, generate_key,
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

    fn package(&self, version: &str) -> PathBuf {
        let path = self.directory.path().join(format!("{version}.deb"));
        fs::write(&path, Package::new("whois", version).to_deb()).unwrap();
        path
    }

    fn add(&self, repository: &Repository, version: &str) -> Result<Changed, AddError> {
        repository.add(&channel(), "main", &[self.package(version)], &publisher())
    }

    /// Pushes a version to two channels.
    fn push(&self, repository: &Repository, version: &str) -> Result<(), AddError> {
        let package = PushedPackage::File { path: self.package(version), made_of: version.to_owned() };
        let part = |channel: ChannelId| (channel, vec![package.clone()]);
        repository.push(&[channel(), staging()].map(part).into(), &publisher()).map(drop)
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

fn publisher() -> Publisher {
    Publisher { name: "test".to_owned(), time: 1_700_000_000 }
}

fn staging() -> ChannelId {
    ChannelId::new("bookworm", "staging").unwrap()
}

fn channel() -> ChannelId {
    ChannelId::new("bookworm", "development").unwrap()
}

/// Returns the versions that a client finds, which reads indexes by their digests.
fn seen(root: &Path) -> Vec<String> {
    seen_in(root, &channel())
}

fn seen_in(root: &Path, channel: &ChannelId) -> Vec<String> {
    let keys = PublicKeys::read(&fs::read_to_string(root.join("key.asc")).unwrap()).unwrap();
    let suite = root.join("dists").join(channel.to_string());
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

#[test]
fn every_prefix_of_a_push_to_two_channels_says_which_have_changed_and_the_next_push_completes_it() {
    let key = generate_key("test <test@example.org>", crate::KeyAlgorithm::Ed25519).unwrap();
    let mut counts = Vec::new();
    for steps in 0..2 * MOST_STEPS {
        let given = Given::new(&key);
        let whole = given.open(LocalDirectory::new(given.root()));
        whole.add(&staging(), "main", &[given.package("1.0")], &publisher()).unwrap();
        let broken = given.open(LocalDirectory::failing_after(given.root(), steps));
        let pushed = given.push(&broken, "1.1");
        let told = match &pushed {
            Ok(()) => vec![channel(), staging()],
            Err(AddError::Change(ChangeError::Partly { moved, .. })) => moved.clone(),
            Err(_) => Vec::new(),
        };
        let holds = |channel: &ChannelId| whole.packages(channel).unwrap().len() == 2;
        let changed: Vec<ChannelId> = [channel(), staging()].into_iter().filter(holds).collect();
        assert_eq!(told, changed, "after {steps} steps");
        counts.push(changed.len());
        for channel in [channel(), staging()] {
            let found = seen_in(&given.root(), &channel);
            assert!(found == ["1.0"] || found == ["1.0", "1.1"], "{channel} after {steps} steps: {found:?}");
        }
        given.push(&whole, "1.1").unwrap();
        for channel in [channel(), staging()] {
            assert_eq!(seen_in(&given.root(), &channel), ["1.0", "1.1"], "{channel} after {steps} steps");
        }
        assert!(whole.verify(&[channel(), staging()]).unwrap().problems.is_empty());
        if pushed.is_ok() {
            assert!(counts.is_sorted() && counts.contains(&0) && counts.contains(&1), "{counts:?}");
            return;
        }
    }
    panic!("a push takes more than {} writes", 2 * MOST_STEPS);
}
