//! A local mirror of what a lock names: the archive with a signed index of its own, and the Python files.
//!
//! Its files are links to blobs of the shared store: a file is replaced or removed, never written in place.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use fs_err as fs;
use sha2::{Digest, Sha256 as Hasher};
use tempfile::TempDir;
use vb_graph::{LockedDistribution, LockedPackage, Sha256};
use vb_platform::Deb;
use vb_recipe::Lock;
use vb_store::Store;
use vb_testkit::archive::{Key, KeyOptions};

use super::env::{TestEnv, repository, shared_store};

/// The suites of the platform; all packages are in the first one.
const SUITES: [&str; 3] = ["bookworm", "bookworm-updates", "bookworm-security"];

/// When the mirror's key was made and its index signed: 2026-01-01.
const SIGNED: u32 = 1_767_225_600;

/// An archive and a directory of Python files, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Mirror {
    directory: TempDir,
    /// The dates of the suites, as the locks have them: none goes back.
    dates: BTreeMap<String, String>,
}

impl Mirror {
    /// Makes the mirror of everything that the lock of `whois` names.
    pub(crate) fn of_whois() -> Self {
        build_whois_once();
        Self::of_locks(&[repository().join("recipes/whois.lock")])
    }

    /// Makes the mirror of what some locks name for bookworm; the shared store has all of these files.
    pub(crate) fn of_locks(locks: &[PathBuf]) -> Self {
        let directory = tempfile::Builder::new().prefix("vb-mirror-").tempdir().unwrap();
        let locked = locks.iter().map(|path| Lock::read(path).unwrap().platforms["bookworm"].archive.clone());
        let mirror = Self { directory, dates: locked.flatten().collect() };
        fs::create_dir(mirror.links()).unwrap();
        let store = Store::open(&shared_store()).unwrap();
        let mut packages = Vec::new();
        for path in locks {
            let lock = Lock::read(path).unwrap();
            let lock = &lock.platforms["bookworm"];
            packages.extend(lock.packages.iter().map(|locked| locked.package.clone()));
            let built = lock.distributions.iter().flat_map(|locked| &locked.build);
            let distributions = lock.distributions.iter().map(|locked| &locked.distribution);
            distributions.chain(built).chain(&lock.tools).for_each(|locked| mirror.add_distribution(&store, locked));
        }
        packages.sort();
        packages.dedup();
        packages.iter().for_each(|package| {
            link(&blob(&store, &package.sha256, &package.path), &mirror.archive().join(&package.path));
        });
        mirror.sign(&packages);
        mirror
    }

    /// Returns the directory of the mirror.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the base of the archive.
    pub(crate) fn archive(&self) -> PathBuf {
        self.directory.path().join("archive")
    }

    /// Returns the directory of Python files.
    pub(crate) fn links(&self) -> PathBuf {
        self.directory.path().join("links")
    }

    /// Returns the file with the key that signs the index.
    pub(crate) fn keyring(&self) -> PathBuf {
        self.directory.path().join("keyring.asc")
    }

    /// Makes a workspace fetch from here and from nowhere else.
    pub(crate) fn use_in(&self, env: &TestEnv) {
        self.use_after(env, &[]);
    }

    /// Makes a workspace fetch from other mirrors first, and then from here. The index has to be signed by this one.
    pub(crate) fn use_after(&self, env: &TestEnv, earlier: &[&Self]) {
        let all: Vec<&Self> = earlier.iter().copied().chain([self]).collect();
        let list = |texts: Vec<String>| format!("[{}]", texts.join(", "));
        let archives = list(all.iter().map(|one| format!("\"file://{}\"", one.archive().display())).collect());
        let links = list(all.iter().map(|one| format!("\"{}\"", one.links().display())).collect());
        let fields = format!(
            "  archives = {{ bookworm = {archives} }},\n  python_indexes = [],\n  find_links = {links},\n}} | vb.Workspace"
        );
        replace_end(env, "recipes/workspace.ncl", "archives", "} | vb.Workspace", &fields);
        let platform = "recipes/platforms/bookworm.ncl";
        let text = env.read(platform);
        let line = text.lines().find(|line| line.starts_with("  keyring = ")).expect("the platform has a keyring");
        env.edit(platform, line, &format!("  keyring = \"{}\",", self.keyring().display()));
    }

    /// Puts other bytes in the place of a file.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Finds the file of a package in the pool.
    pub(crate) fn deb(&self, name: &str) -> PathBuf {
        let begin = format!("{name}_");
        let mut pending = vec![self.archive().join("pool")];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else if path.file_name().unwrap().to_string_lossy().starts_with(&begin) {
                    return path;
                }
            }
        }
        panic!("the mirror has no package `{name}`")
    }

    fn add_distribution(&self, store: &Store, locked: &LockedDistribution) {
        link(&blob(store, &locked.file.sha256, &locked.file.file), &self.links().join(&locked.file.file));
    }

    /// Writes and signs the index of each suite.
    fn sign(&self, packages: &[LockedPackage]) {
        let key = Key::generate(KeyOptions { created: SIGNED, ..KeyOptions::default() });
        fs::write(self.keyring(), key.to_armor()).unwrap();
        for suite in SUITES {
            let text = if suite == SUITES[0] { self.packages_text(packages) } else { String::new() };
            let dist = self.archive().join("dists").join(suite);
            fs::create_dir_all(dist.join("main/binary-amd64")).unwrap();
            fs::write(dist.join("main/binary-amd64/Packages"), &text).unwrap();
            let date = self.dates.get(suite).map_or("Thu, 01 Jan 2026 00:00:00 UTC", String::as_str);
            let release = format!(
                "Suite: {suite}\nCodename: {suite}\nDate: {date}\nArchitectures: amd64\n\
                 Components: main\nSHA256:\n {} {} main/binary-amd64/Packages\n",
                hex(&Hasher::digest(&text)),
                text.len()
            );
            fs::write(dist.join("InRelease"), key.clearsign(&release, SIGNED)).unwrap();
        }
    }

    /// Returns the paragraphs of the packages, as their own control files have them.
    fn packages_text(&self, packages: &[LockedPackage]) -> String {
        let mut text = String::new();
        for package in packages {
            let deb = Deb::open(&self.archive().join(&package.path)).unwrap();
            let control = String::from_utf8_lossy(&deb.control_file("control").unwrap().content).into_owned();
            let LockedPackage { path, size, sha256, .. } = package;
            writeln!(text, "{}\nFilename: {path}\nSize: {size}\nSHA256: {sha256}\n", control.trim_end()).unwrap();
        }
        text
    }
}

/// Replaces the end of a file, from the line of a field on that an earlier mirror may have written.
fn replace_end(env: &TestEnv, path: &str, field: &str, end: &str, replacement: &str) {
    let text = env.read(path);
    let written = text.find(&format!("  {field} = ")).or_else(|| text.find(end)).unwrap();
    env.write(path, &format!("{}{replacement}\n", &text[..written]));
}

/// Builds `whois` in the shared store, so that what its lock names is there.
pub(crate) fn build_whois_once() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| drop(TestEnv::new().vb(&["build", "recipes/whois.ncl"]).ok()));
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn blob(store: &Store, sha256: &Sha256, name: &str) -> PathBuf {
    let file = store.fetched_file(sha256).unwrap_or_else(|| panic!("the shared store lacks `{name}`"));
    store.blob_path(&file.blob)
}

fn link(blob: &Path, target: &Path) {
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    if !target.exists() {
        fs::hard_link(blob, target).or_else(|_| fs::copy(blob, target).map(drop)).unwrap();
    }
}
