//! A repository as real apt clients meet it, over HTTP, with signature checks on.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fs_err as fs;
use vb_repo::{
    ChannelId, Format, KeySigner, LocalDirectory, PlatformSettings, Publisher, Repository, Settings, Signer, Signers,
    Storage,
};
use vb_sandbox::{Access, Filter, Identity};
use vb_testkit::archive::{Compression, Package};

use crate::support::{TestEnv, TestRoot, bind, run_spec, scripts, test_root, test_root_of};

const URL: &str = "http://127.0.0.1:8080";
/// The time of the files of the first stage; each other one is a minute younger.
const FIRST_STAGE: Duration = Duration::from_secs(1_750_000_000);

/// The repository at several moments, in directories beside each other.
struct Stages {
    env: TestEnv,
}

impl Stages {
    fn new() -> Self {
        let stages = Self { env: TestEnv::new() };
        fs::create_dir(stages.directory()).unwrap();
        stages
    }

    fn directory(&self) -> PathBuf {
        self.env.directory().join("stages")
    }

    fn vb(&self, arguments: &[&str]) -> String {
        self.env.vb(arguments).ok().stdout
    }

    /// Keeps a copy of the repository as it is.
    fn keep(&self, name: &str) -> PathBuf {
        let target = self.directory().join(name);
        let age = Duration::from_secs(60 * fs::read_dir(self.directory()).unwrap().count() as u64);
        copy_tree(&self.env.workspace().join("repo"), &target, UNIX_EPOCH + FIRST_STAGE + age);
        target
    }

    fn package(&self, version: &str) -> String {
        let package = Package::new("hello", version)
            .field("Maintainer", "test <test@example.org>")
            .field("Description", "says hello")
            .file("./usr/share/hello.version", version, 0o644);
        let path = self.env.workspace().join(format!("dist/bookworm/hello_{version}_amd64.deb"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, package.to_deb()).unwrap();
        path.display().to_string()
    }

    fn key(&self, name: &str) -> String {
        let path = self.env.workspace().join(name).display().to_string();
        drop(self.vb(&["key", "new", &path, "--user", "test <test@example.org>"]));
        path
    }
}

/// Copies files, all of one time: a server tells two states of a file by it, to the second.
fn copy_tree(from: &Path, to: &Path, time: SystemTime) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (source, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if source.is_dir() {
            copy_tree(&source, &target, time);
        } else {
            fs::copy(&source, &target).unwrap();
            fs::OpenOptions::new().write(true).open(&target).unwrap().set_modified(time).unwrap();
        }
    }
}

/// Makes a repository by the library, at a time of the test's own.
fn make(at: &Path, key: &str, time: u64, change: impl Fn(&mut Settings), packages: &[PathBuf]) {
    let signer = KeySigner::read(&fs::read(key).unwrap(), "").unwrap();
    let keys = signer.public();
    let storage = Storage::Local(LocalDirectory::new(at.to_owned()));
    let mut settings = Settings::usual();
    change(&mut settings);
    let mut repository = Repository::init(storage, settings, Signers::new(vec![Signer::Key(signer)]), &keys).unwrap();
    repository.add_platform("bookworm", &PlatformSettings::usual(Format::Deb, "amd64")).unwrap();
    let channel = ChannelId::new("bookworm", "production").unwrap();
    let publisher = Publisher { name: "test".to_owned(), time };
    repository.add(&channel, "main", packages, &publisher).unwrap();
}

fn stages() -> Stages {
    let stages = Stages::new();
    let (key, new_key, foreign_key) = (stages.key("key.asc"), stages.key("new.asc"), stages.key("foreign.asc"));
    let (first, second) = (stages.package("1.0"), stages.package("1.1"));
    stages.vb(&["repo", "init", "repo", "--key", &key]);
    stages.vb(&["repo", "add", "repo/", &first]);
    let promote = ["repo", "promote", "hello", "--from", "development", "--to", "production", "--repo", "repo"];
    stages.vb(&promote);
    stages.keep("first");
    stages.vb(&["repo", "add", "repo/", &second]);
    stages.vb(&promote);
    stages.keep("second");
    let cut_off = stages.keep("cut-off");
    let forged = stages.keep("forged");
    stages.vb(&["repo", "rollback", "hello", "--channel", "production", "--repo", "repo"]);
    stages.keep("rolled-back");
    stages.vb(&["repo", "refresh", "repo", "--key", &key, "--key", &new_key]);
    stages.keep("rotated");
    stages.vb(&["repo", "refresh", "repo", "--key", &foreign_key]);
    stages.keep("foreign");

    let list = stages.vb(&["repo", "list", "repo", "--channel", "development"]);
    let line = list.lines().find(|line| line.contains(" 1.1 ")).unwrap();
    let package = cut_off.join(line.rsplit(' ').next().unwrap());
    let bytes = fs::read(&package).unwrap();
    fs::write(&package, &bytes[..bytes.len() - 1]).unwrap();
    let in_release = forged.join("dists/bookworm-production/InRelease");
    let text = fs::read_to_string(&in_release).unwrap();
    fs::write(&in_release, text.replace("Origin: vb", "Origin: vc")).unwrap();

    let directory = stages.directory();
    let expires = |settings: &mut Settings| settings.valid_days = Some(1);
    make(&directory.join("expired"), &key, 1_700_000_000, expires, &[second.clone().into()]);
    let many: Vec<PathBuf> = (0..400).map(|index| many_package(&stages, index)).collect();
    make(&directory.join("many"), &key, 1_700_000_000, |_| {}, &many);
    let with_contents = |settings: &mut Settings| settings.has_contents = true;
    let both = [first.clone().into(), second.clone().into()];
    make(&directory.join("contents"), &key, 1_700_000_000, with_contents, &both);
    let flat = |settings: &mut Settings| settings.layout = vb_repo::AptLayout::Flat;
    make(&directory.join("flat"), &key, 1_700_000_000, flat, &[second.into()]);
    fs::write(directory.join("new-key.asc"), stages.vb(&["key", "export", &new_key])).unwrap();
    for (name, at) in [("hello", "repo"), ("flat", "../stages/flat")] {
        let config = ["repo", "client-config", at, "--platform", "bookworm", "--url", URL, "--part", "file"];
        fs::write(directory.join(format!("{name}.sources")), stages.vb(&config)).unwrap();
    }
    stages
}

fn many_package(stages: &Stages, index: usize) -> PathBuf {
    let path = stages.env.workspace().join(format!("dist/many-{index}.deb"));
    let package = Package::new(&format!("many-{index:03}"), "1.0")
        .field("Maintainer", "test <test@example.org>")
        .field("Description", "one of many")
        .compression(Compression::Plain);
    fs::write(&path, package.to_deb()).unwrap();
    path
}

fn run_script(root: &TestRoot, stages: &Stages, arguments: &[&str]) -> String {
    let mut spec = root.spec(&[&["/bin/sh", "/scripts/repo_apt.sh"], arguments].concat(), Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![scripts(), bind(&stages.directory(), "/stages", Access::ReadOnly)];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
    run.stdout
}

/// Packages of each of the publishers; each comes back so often, as a process of its own.
const PUBLISHERS: usize = 8;
const PACKAGES: usize = 50;
const CALLS: usize = 5;

fn busy_package(stages: &Stages, name: &str) -> String {
    let path = stages.env.workspace().join(format!("dist/busy/{name}_1.0_amd64.deb"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let package = Package::new(name, "1.0")
        .field("Maintainer", "test <test@example.org>")
        .field("Description", "one of many")
        .compression(Compression::Plain);
    fs::write(&path, package.to_deb()).unwrap();
    path.display().to_string()
}

#[test]
fn apt_updates_at_any_moment_while_eight_publishers_of_processes_of_their_own_add_400_packages() {
    let stages = Stages::new();
    let (key, busy) = (stages.key("key.asc"), stages.directory().join("busy").display().to_string());
    let add = |packages: &[String]| {
        let packages = packages.iter().map(String::as_str);
        let arguments: Vec<&str> =
            ["repo", "add", &busy, "--platform", "bookworm"].into_iter().chain(packages).collect();
        stages.vb(&arguments);
    };
    stages.vb(&["repo", "init", &busy, "--key", &key]);
    add(&[busy_package(&stages, "busy-first")]);
    let config = ["repo", "client-config", &busy, "--platform", "bookworm", "--channel", "development", "--url", URL];
    let sources = stages.vb(&[&config[..], &["--part", "file"]].concat());
    fs::write(stages.directory().join("busy.sources"), sources).unwrap();
    let of = |publisher| (0..PACKAGES).map(move |index| format!("busy-{publisher}-{index:02}"));
    let packages: Vec<Vec<String>> =
        (0..PUBLISHERS).map(|publisher| of(publisher).map(|name| busy_package(&stages, &name)).collect()).collect();
    // The root is made before, so that both sides begin together.
    let root = test_root("repositories");
    let output = std::thread::scope(|scope| {
        let client = scope.spawn(|| run_script(&root, &stages, &["beside-publishers"]));
        std::thread::scope(|publishers| {
            for packages in &packages {
                publishers.spawn(|| packages.chunks(PACKAGES / CALLS).for_each(add));
            }
        });
        fs::write(stages.directory().join("stop"), "").unwrap();
        client.join().unwrap()
    });
    assert!(output.contains(&format!(" updates, {} packages\n", 1 + PUBLISHERS * PACKAGES)), "{output}");
    stages.vb(&["repo", "verify", &busy]);
}

#[test]
fn apt_of_three_releases_installs_upgrades_and_rolls_back_and_refuses_what_is_wrong() {
    let stages = stages();
    run_script(&test_root("repositories"), &stages, &[]);
    for platform in ["bullseye", "trixie"] {
        run_script(&test_root_of("apt-clients", platform), &stages, &[]);
    }
}
