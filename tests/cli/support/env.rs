//! A hermetic workspace: a copy of the repository's recipes in a git repository of its own, with fixed commits.
//!
//! Tests share one store below cargo's directory for test data: its content is named by digests, so that what one
//! test built is what another one would build. A test that is about the store takes one of its own.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;
use tempfile::TempDir;

use super::run::Run;

/// Variables that say how the machine reaches its package registries. Everything else is set by the tests.
const MACHINE_PREFIXES: [&str; 5] = ["PIP_", "UV_", "SSL_CERT_", "NPM_CONFIG_", "npm_config_"];
const MACHINE_NAMES: [&str; 8] =
    ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "CURL_CA_BUNDLE"];

/// Returns the repository that the tests are part of.
pub(crate) fn repository() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    crates.parent().unwrap().to_owned()
}

/// Returns the store that tests share.
pub(crate) fn shared_store() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("store")
}

/// A workspace in a directory of its own.
#[derive(Debug)]
#[must_use]
pub(crate) struct TestEnv {
    directory: TempDir,
    store: PathBuf,
}

impl TestEnv {
    /// Copies the repository's workspace with the recipe `whois` alone, for bookworm alone, and uses the shared store.
    pub(crate) fn new() -> Self {
        let env = Self::of("recipes", "whois", &["whois"]);
        env.keep_bookworm();
        env.begin()
    }

    /// Copies the repository's workspace with both of its recipes for all of their platforms, and uses the shared store.
    pub(crate) fn repository() -> Self {
        let env = Self::of("recipes", "whois", &["whois", "somedjangoapp", "django_nav"]);
        for file in ["recipes/somedjangoapp.ncl", "recipes/somedjangoapp.lock"] {
            env.write(file, &fs::read_to_string(repository().join(file)).unwrap());
        }
        env.begin()
    }

    /// Copies the repository's workspace with the recipe `somedjangoapp` alone, and uses the shared store.
    pub(crate) fn django() -> Self {
        Self::of("recipes", "somedjangoapp", &["somedjangoapp", "django_nav"]).begin()
    }

    /// Makes a workspace with the repository's conventions and platforms and the recipe `shop`, which has every kind of
    /// step, and uses the shared store.
    pub(crate) fn shop() -> Self {
        Self::of("tests/pipeline", "shop", &["shop", "cart"]).begin()
    }

    /// Makes a workspace with the repository's conventions and platforms and the recipe `greeter`, which is for three
    /// releases, and uses the shared store.
    pub(crate) fn greeter() -> Self {
        Self::of("tests/greeter", "greeter", &["greeter"]).begin()
    }

    /// Makes a workspace with the repository's conventions and platforms and the recipe `duo`, which makes two packages.
    pub(crate) fn duo() -> Self {
        Self::of("tests/duo", "duo", &["duo"]).begin()
    }

    /// Makes a workspace with the repository's conventions and platforms and the recipe `clock`, whose service is
    /// systemd's, and uses the shared store.
    pub(crate) fn clock() -> Self {
        Self::of("tests/clock", "clock", &["clock"]).begin()
    }

    /// Makes the workspace of [`TestEnv::new`] with `whois` as it was packaged by hand: with scripts of its own.
    pub(crate) fn by_hand() -> Self {
        let env = Self::of("recipes", "whois", &["whois"]);
        env.keep_bookworm();
        copy_tree(&repository().join("tests/by_hand/apps"), &env.workspace().join("recipes/apps"));
        env.begin()
    }

    /// Copies one application of `tests/corpus`, and uses the shared store.
    pub(crate) fn corpus(name: &str) -> Self {
        Self::of("tests/corpus", name, &[name]).begin()
    }

    fn of(place: &str, recipe: &str, sources: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("vb-test-").tempdir().unwrap();
        let env = Self { directory, store: shared_store() };
        fs::create_dir(env.home()).unwrap();
        let (common, place) = (repository().join("recipes"), repository().join(place));
        let to = env.workspace().join("recipes");
        copy_tree(&common.join("platforms"), &to.join("platforms"));
        for source in sources {
            copy_tree(&place.join("apps").join(source), &to.join("apps").join(source));
        }
        let (recipe, lock) = (format!("{recipe}.ncl"), format!("{recipe}.lock"));
        let own = ["workspace.ncl", "workspace.lock"].map(|file| (&common, file));
        for (from, file) in own.into_iter().chain([(&place, recipe.as_str()), (&place, &lock)]) {
            fs::write(to.join(file), fs::read(from.join(file)).unwrap()).unwrap();
        }
        env
    }

    /// Makes the first commit of what is in the workspace.
    fn begin(self) -> Self {
        drop(self.git(&["init", "--quiet", "--initial-branch=main"]));
        self.commit();
        self
    }

    /// Takes the other platforms out of `whois` and its lock, so that a test of one thing builds one thing.
    fn keep_bookworm(&self) {
        let recipe = self.read("recipes/whois.ncl");
        let (before, _) = recipe.split_once("  platforms = ").expect("whois names its platforms");
        self.write("recipes/whois.ncl", &format!("{before}  platforms = [\"bookworm\"],\n}} | vb.Recipe\n"));
        let lock = self.read("recipes/whois.lock");
        let (before, _) = lock.split_once("\n[trixie").expect("the lock of whois has trixie behind bookworm");
        self.write("recipes/whois.lock", before);
    }

    /// Uses a store of the test's own.
    pub(crate) fn with_store(mut self, store: PathBuf) -> Self {
        self.store = store;
        self
    }

    /// Returns the directory that is removed with the environment.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the workspace's root.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    /// Returns the user's home directory.
    pub(crate) fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// Returns the store.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// Returns a file of the workspace.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.workspace().join(path)).unwrap()
    }

    /// Writes a file of the workspace.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let target = self.workspace().join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, text).unwrap();
    }

    /// Replaces text that occurs in a file of the workspace.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "`{from}` is not in {path}:\n{text}");
        self.write(path, &text.replace(from, to));
    }

    /// Commits everything.
    pub(crate) fn commit(&self) {
        drop(self.git(&["add", "--all"]));
        drop(self.git(&["commit", "--quiet", "--allow-empty", "--message", "test"]));
    }

    /// Runs git in the workspace, always as the same author at the same time.
    pub(crate) fn git(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.workspace()).env("HOME", self.home());
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "test").env(format!("GIT_{who}_EMAIL"), "test@example.org");
            command.env(format!("GIT_{who}_DATE"), "2026-01-02T03:04:05Z");
        }
        Run::of(command.env("GIT_CONFIG_NOSYSTEM", "1")).ok()
    }

    /// Prepares a run of the program in the workspace.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vb"));
        command.args(arguments).current_dir(self.workspace()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home()).env("VB_STORE", &self.store);
        command.envs(machine_variables());
        command
    }

    /// Runs the program in the workspace.
    #[must_use]
    pub(crate) fn vb(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// Returns the one package below `dist/`.
    pub(crate) fn package(&self) -> PathBuf {
        let found: Vec<PathBuf> =
            fs::read_dir(self.workspace().join("dist/bookworm")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }
}

/// Returns the variables that say how the machine reaches its registries.
fn machine_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter(|(name, _)| {
        MACHINE_NAMES.contains(&name.as_str()) || MACHINE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// Copies files, links and the execute bit; what git ignores stays behind.
fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if entry.file_name() != "__pycache__" {
                copy_tree(&source, &target);
            }
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source).unwrap(), &target).unwrap();
        } else {
            fs::write(&target, fs::read(&source).unwrap()).unwrap();
            let is_executable = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
            let mode = if is_executable { 0o755 } else { 0o644 };
            fs::set_permissions(&target, PermissionsExt::from_mode(mode)).unwrap();
        }
    }
}
