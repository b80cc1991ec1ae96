//! A local mirror of what a lock names: the archive with a signed index of its own, and the Python files.
//!
//! Its files are links to blobs of the shared store: a file is replaced or removed, never written in place.

mod release;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use fs_err as fs;
use tempfile::TempDir;
use vb_graph::{LockedDistribution, LockedPackage, Sha256};
use vb_platform::Deb;
use vb_recipe::{DistributionLock, Lock};
use vb_store::Store;
use vb_testkit::archive::{Key, KeyOptions};

pub(crate) use self::release::Release;
use self::release::SuiteText;
use super::env::{TestEnv, repository, shared_store};

/// An archive and a directory of Python files, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Mirror {
    directory: TempDir,
    release: Release,
    key: Key,
    packages: Vec<LockedPackage>,
    /// The dates of the suites, as the locks have them: none goes back.
    dates: BTreeMap<String, String>,
    /// Which package has which file, as far as the archive tells.
    contents: String,
}

impl Mirror {
    /// Makes the mirror of everything that the lock of `whois` names.
    pub(crate) fn of_whois() -> Self {
        Self::of_whois_as(Release::Bookworm)
    }

    /// Makes the archive of a release out of what the lock of `whois` names for bookworm.
    pub(crate) fn of_whois_as(release: Release) -> Self {
        build_whois_once();
        Self::of_locks_as(&[repository().join("recipes/whois.lock")], release)
    }

    /// Makes the mirror of what some locks name for bookworm; the shared store has all of these files.
    pub(crate) fn of_locks(locks: &[PathBuf]) -> Self {
        Self::of_locks_as(locks, Release::Bookworm)
    }

    fn of_locks_as(locks: &[PathBuf], release: Release) -> Self {
        let locked = locks.iter().map(|path| Lock::read(path).unwrap().platforms["bookworm"].archive.clone());
        let (created, _) = release.times();
        let mut mirror = Self {
            directory: tempfile::Builder::new().prefix("vb-mirror-").tempdir().unwrap(),
            release,
            key: Key::generate(KeyOptions { created, ..KeyOptions::default() }),
            packages: vec![],
            dates: locked.flatten().collect(),
            contents: String::new(),
        };
        fs::create_dir(mirror.links()).unwrap();
        fs::write(mirror.keyring(), mirror.key.to_armor()).unwrap();
        let store = Store::open(&shared_store()).unwrap();
        for path in locks {
            let lock = Lock::read(path).unwrap();
            let lock = &lock.platforms["bookworm"];
            lock.packages.iter().for_each(|locked| mirror.add_package(&store, locked.package.clone()));
            let distributions = lock.distributions.iter().chain(&lock.application).flat_map(DistributionLock::files);
            distributions.chain(&lock.tools).for_each(|locked| mirror.add_distribution(&store, locked));
        }
        mirror.publish();
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

    /// Returns the id of the key that signs the index.
    pub(crate) fn key_id(&self) -> String {
        self.key.id()
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
        let platform = self.release.platform();
        let fields = format!(
            "  archives = {{ {platform} = {archives} }},\n  python_indexes = [],\n  find_links = {links},\n}} | vb.Workspace"
        );
        replace_end(env, "recipes/workspace.ncl", "archives", "} | vb.Workspace", &fields);
        let file = format!("recipes/platforms/{platform}.ncl");
        let text = env.read(&file);
        let line = text.lines().find(|line| line.starts_with("  keyring = ")).expect("the platform has a keyring");
        env.edit(&file, line, &format!("  keyring = \"{}\",", self.keyring().display()));
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

    fn add_package(&mut self, store: &Store, mut package: LockedPackage) {
        let blob = blob(store, &package.sha256, &package.path);
        let component = format!("/{}/", self.release.component(&package.name));
        package.path = package.path.replacen("/main/", &component, 1);
        link(&blob, &self.archive().join(&package.path));
        self.packages.push(package);
    }

    /// Puts a package into the archive in place of the one of its name, which is gone then, and publishes that state.
    pub(crate) fn update(&mut self, package: LockedPackage, deb: &[u8], date: &str) {
        self.packages.retain(|known| {
            let stays = known.name != package.name;
            if !stays {
                fs::remove_file(self.directory.path().join("archive").join(&known.path)).unwrap();
            }
            stays
        });
        fs::write(self.archive().join(&package.path), deb).unwrap();
        self.packages.push(package);
        self.dates.insert(self.release.suites()[0].clone(), date.to_owned());
        self.publish();
    }

    /// Publishes an index of files: lines of a path and the packages that have it.
    pub(crate) fn publish_contents(&mut self, lines: &str) {
        lines.clone_into(&mut self.contents);
        self.publish();
    }

    /// Writes and signs the index of each suite.
    fn publish(&mut self) {
        self.packages.sort();
        self.packages.dedup();
        for (place, suite) in self.release.suites().iter().enumerate() {
            let text = |component| if place == 0 { self.packages_text(component) } else { String::new() };
            let packages = self.release.components().iter().map(|component| (*component, text(component))).collect();
            let date = self.dates.get(suite).map_or(self.release.date(), String::as_str);
            let contents = if place == 0 { BTreeMap::from([("main", self.contents.clone())]) } else { BTreeMap::new() };
            self.release.write(&self.archive(), &SuiteText { name: suite, date, packages, contents }, &self.key);
        }
    }

    /// Returns the paragraphs of a component's packages, as their own control files have them.
    fn packages_text(&self, component: &str) -> String {
        let mut text = String::new();
        for package in self.packages.iter().filter(|package| self.release.component(&package.name) == component) {
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

/// Builds `whois` in the shared store, and fetches what its tests alone need, so that what its lock names is there.
pub(crate) fn build_whois_once() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let env = TestEnv::new();
        for command in ["build", "fetch"] {
            drop(env.vb(&[command, "recipes/whois.ncl"]).ok());
        }
    });
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
