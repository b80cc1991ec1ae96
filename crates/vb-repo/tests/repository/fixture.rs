//! A signed repository in a directory of the test's own, with packages made on the spot.

use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vb_repo::{
    ChannelId, Format, KeyAlgorithm, KeySetting, KeySigner, LocalDirectory, PlatformSettings, PublicKeys, Publisher,
    Repository, Settings, Signer, Signers, Storage, generate_key,
};
use vb_testkit::archive::Package;

/// A repository and where its parts are.
pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    pub(crate) repository: Repository,
}

/// Makes the signer of an armored key.
pub(crate) fn signer(armor: &str) -> KeySigner {
    KeySigner::read(armor.as_bytes(), "").unwrap()
}

impl Fixture {
    /// Makes a repository with a key and the platform `bookworm`.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// Makes a repository whose settings differ from the usual.
    pub(crate) fn with(change: impl Fn(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let armor = generate_key("test <test@example.org>", KeyAlgorithm::Ed25519).unwrap();
        fs::write(directory.path().join("secret.asc"), &armor).unwrap();
        let mut settings = Settings::usual();
        settings.keys = vec![KeySetting::File("secret.asc".to_owned())];
        change(&mut settings);
        let key = signer(&armor);
        let mut keys = PublicKeys::default();
        keys.extend(key.public());
        let storage = Storage::Local(LocalDirectory::new(directory.path().join("repo")));
        let signers = Signers::new(vec![Signer::Key(key)]);
        let mut repository = Repository::init(storage, settings, signers, &keys).unwrap();
        repository.add_platform("bookworm", &PlatformSettings::usual(Format::Deb, "amd64")).unwrap();
        Self { directory, repository }
    }

    /// Opens the repository once more, as another process does.
    pub(crate) fn again(&self) -> Repository {
        open(self.directory.path())
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("repo")
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.root().join(name)).unwrap()
    }

    /// Writes a package beside the repository.
    pub(crate) fn package(&self, package: &Package) -> PathBuf {
        write_package(self.directory.path(), package)
    }
}

/// Opens the repository in a fixture's directory.
pub(crate) fn open(directory: &Path) -> Repository {
    let armor = fs::read_to_string(directory.join("secret.asc")).unwrap();
    let storage = Storage::Local(LocalDirectory::new(directory.join("repo")));
    Repository::open(storage, Signers::new(vec![Signer::Key(signer(&armor))])).unwrap()
}

pub(crate) fn write_package(directory: &Path, package: &Package) -> PathBuf {
    let path = directory.join(package.file_name());
    fs::write(&path, package.to_deb()).unwrap();
    path
}

pub(crate) fn channel(name: &str) -> ChannelId {
    ChannelId::new("bookworm", name).unwrap()
}

pub(crate) fn publisher(time: u64) -> Publisher {
    Publisher { name: "test".to_owned(), time }
}

/// What a client finds that reads a suite by its rules: every package's name and version.
pub(crate) fn read_as_client(root: &Path, suite: &str) -> Vec<String> {
    let keys = PublicKeys::read(&fs::read_to_string(root.join("key.asc")).unwrap()).unwrap();
    let base = root.join("dists").join(suite);
    let release = keys.check_clearsigned(&fs::read_to_string(base.join("InRelease")).unwrap()).unwrap();
    let line = release.lines().find(|line| line.ends_with(" main/binary-amd64/Packages")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let bytes = fs::read(base.join(format!("main/binary-amd64/by-hash/SHA256/{}", words[0]))).unwrap();
    assert_eq!(format!("{:x}", Sha256::digest(&bytes)), words[0]);
    assert_eq!(bytes.len().to_string(), words[1]);
    let text = String::from_utf8(bytes).unwrap();
    let mut found = Vec::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let field = |name: &str| {
            let line = paragraph.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("no {name} in {paragraph}")).to_owned()
        };
        let package = fs::read(root.join(field("Filename"))).unwrap();
        assert_eq!(format!("{:x}", Sha256::digest(&package)), field("SHA256"));
        found.push(format!("{} {}", field("Package"), field("Version")));
    }
    found
}
