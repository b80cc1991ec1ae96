//! Repositories of `.rpm` packages as real clients meet them, beside what `createrepo_c` makes of the same packages.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use flate2::read::MultiGzDecoder;
use fs_err as fs;
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder, Scriptlet};
use vb_repo::{
    ChannelId, Format, IndexCompression, KeyAlgorithm, KeySetting, KeySigner, LocalDirectory, PlatformSettings,
    Publisher, Repository, Settings, Signer, Signers, Storage, generate_key,
    yum::{RepoFile, read_repomd, repo_file},
};
use vb_sandbox::{Access, Filter, Identity};

use crate::support::{TestRoot, bind, repository, run_spec, test_root};

/// The clock of the tests: later than the packages, earlier than the machine's.
const TIME: u64 = 1_780_000_000;
const INDEXES: &str = "rpm/el9-production/x86_64/repodata";

fn builder(name: &str, version: &str) -> PackageBuilder {
    let config = BuildConfig::v4().compression(CompressionWithLevel::None).source_date(1_700_000_000);
    let mut builder = PackageBuilder::new(name, version, "MIT", "noarch", "An application");
    builder.using_config(config).description("It says \"its\" version.\n\nÄ & <b>.");
    builder
}

fn write(builder: &mut PackageBuilder, directory: &Path, file_name: &str) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    let path = directory.join(file_name);
    builder.build().unwrap().write_file(&path).unwrap();
    path
}

fn package(directory: &Path, name: &str, version: &str) -> PathBuf {
    let mut builder = builder(name, version);
    let options = FileOptions::new(format!("/opt/{name}/version"));
    builder.with_file_contents(format!("{version}\n"), options).unwrap();
    write(&mut builder, directory, &format!("{name}-{version}-1.noarch.rpm"))
}

/// A repository of one channel in a directory, with a key of its own.
struct Yum {
    directory: PathBuf,
    key: String,
    repository: Repository,
}

fn signer(key: &str) -> KeySigner {
    KeySigner::read(key.as_bytes(), "").unwrap()
}

impl Yum {
    fn new(directory: PathBuf, signs_packages: bool) -> Self {
        Self::with(directory, &PlatformSettings { signs_packages, ..PlatformSettings::usual(Format::Rpm, "x86_64") })
    }

    fn with(directory: PathBuf, platform: &PlatformSettings) -> Self {
        let key = generate_key("A company <packages@example.org>", KeyAlgorithm::Ed25519).unwrap();
        let url = Some(Self::url(&directory));
        let settings = Settings { keys: vec![KeySetting::File("secret.asc".to_owned())], url, ..Settings::usual() };
        let storage = Storage::Local(LocalDirectory::new(directory.clone()));
        let keys = signer(&key).public();
        let signers = Signers::new(vec![Signer::Key(signer(&key))]);
        let mut repository = Repository::init(storage, settings, signers, &keys).unwrap();
        repository.add_platform("el9", platform).unwrap();
        Self { directory, key, repository }
    }

    /// Copies it as it is; what is added to the copy is signed with the same key.
    fn copy_to(&self, name: &str) -> Self {
        let directory = self.directory.with_file_name(name);
        let copied = Command::new("cp").arg("-a").args([&self.directory, &directory]).status().unwrap();
        assert!(copied.success());
        let storage = Storage::Local(LocalDirectory::new(directory.clone()));
        let signers = Signers::new(vec![Signer::Key(signer(&self.key))]);
        Self { directory, key: self.key.clone(), repository: Repository::open(storage, signers).unwrap() }
    }

    fn add(&self, packages: &[PathBuf]) {
        let channel = ChannelId::new("el9", "production").unwrap();
        let publisher = Publisher { name: "test".to_owned(), time: TIME };
        self.repository.add(&channel, "main", packages, &publisher).unwrap();
    }

    /// Returns where nginx serves a repository.
    fn url(directory: &Path) -> String {
        format!("http://127.0.0.1:8080/{}", directory.file_name().unwrap().to_str().unwrap())
    }

    /// Writes what a client needs, beside the repository.
    fn write_client(&self, name: &str, keys_of: &str) {
        self.write_client_of(name, keys_of, false);
    }

    fn write_client_of(&self, name: &str, keys_of: &str, has_mirror_list: bool) {
        let repo = repo_file(&RepoFile {
            id: name,
            name: "A company's packages",
            url: &Self::url(&self.directory),
            path: "rpm/el9-production",
            has_mirror_list,
            keys: &[format!("http://127.0.0.1:8080/{keys_of}/key.asc")],
            has_signed_packages: true,
        });
        fs::write(self.directory.with_file_name(format!("{name}.repo")), repo).unwrap();
    }
}

/// Runs a part of the script over the repositories in a directory.
fn run(part: &str, repositories: &Path) -> String {
    let mut spec = test_root("repositories").spec(&["/bin/sh", "/repo_yum.sh", part], Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![
        bind(&repository().join("tests/cli/repo_yum.sh"), "/repo_yum.sh", Access::ReadOnly),
        bind(repositories, "/repositories", Access::ReadOnly),
    ];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
    run.stdout
}

/// Changes the one file below a directory whose name ends so.
fn change(directory: &Path, end: &str, change: impl Fn(&mut Vec<u8>)) {
    let mut pending = vec![directory.to_owned()];
    let mut changed = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.to_str().unwrap().ends_with(end) {
            let mut bytes = fs::read(&path).unwrap();
            change(&mut bytes);
            fs::write(&path, bytes).unwrap();
            changed += 1;
        }
    }
    assert_eq!(changed, 1, "{end}");
}

#[test]
fn dnf_installs_upgrades_and_downgrades_and_refuses_what_is_not_the_publishers() {
    let directory = tempfile::tempdir().unwrap();
    let (files, served) = (directory.path().join("files"), directory.path().join("served"));
    fs::create_dir(&served).unwrap();
    let old = package(&files, "app", "1.0");
    let first = Yum::new(served.join("first"), true);
    first.add(std::slice::from_ref(&old));
    first.write_client("first", "first");
    first.write_client_of("mirrors", "first", true);
    for (name, end, alter) in [
        ("truncated", ".noarch.rpm", (|bytes| bytes.truncate(bytes.len() - 100)) as fn(&mut Vec<u8>)),
        ("altered", ".noarch.rpm", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("altered-index", "el9-production/x86_64/repodata/repomd.xml", |bytes| bytes.extend(b"<!-- -->")),
    ] {
        let copy = first.copy_to(name);
        change(&copy.directory, end, alter);
        copy.write_client(name, "first");
    }
    let second = first.copy_to("second");
    second.add(&[package(&files, "app", "1.1")]);
    second.write_client("second", "first");
    Yum::new(served.join("other"), true).add(std::slice::from_ref(&old));
    first.write_client("otherkey", "other");
    let unsigned = Yum::new(served.join("unsigned"), false);
    unsigned.add(std::slice::from_ref(&old));
    unsigned.write_client("unsigned", "unsigned");
    let compression = IndexCompression::Zst;
    let zstd = PlatformSettings { compression, ..PlatformSettings::usual(Format::Rpm, "x86_64") };
    let zstd = Yum::with(served.join("zstd"), &zstd);
    zstd.add(&[old]);
    let repomd = fs::read_to_string(zstd.directory.join(INDEXES).join("repomd.xml")).unwrap();
    assert!(repomd.contains("-primary.xml.zst\"") && !repomd.contains(".xml.gz"), "{repomd}");
    zstd.write_client("zstd", "zstd");
    run("life", &served);
}

#[test]
fn dnf_never_fails_beside_eight_publishers() {
    const PUBLISHERS: usize = 8;
    const PACKAGES: usize = 6;
    let directory = tempfile::tempdir().unwrap();
    let served = directory.path().join("served");
    fs::create_dir(&served).unwrap();
    let yum = Yum::new(served.join("busy"), true);
    yum.add(&[package(directory.path(), "busy-first", "1.0")]);
    yum.write_client_of("busy", "busy", true);
    // The root is made before, so that both sides begin together.
    let _: TestRoot = test_root("repositories");
    let publish = |publisher: usize| {
        for number in 0..PACKAGES {
            yum.add(&[package(&directory.path().join("files"), &format!("busy-{publisher}-{number}"), "1.0")]);
        }
    };
    let output = std::thread::scope(|scope| {
        let client = scope.spawn(|| run("loop", &served));
        std::thread::scope(|publishers| {
            (0..PUBLISHERS).for_each(|number| drop(publishers.spawn(move || publish(number))));
        });
        fs::write(served.join("stop"), "").unwrap();
        client.join().unwrap()
    });
    assert!(output.contains(&format!(" times, {} packages\n", 1 + PUBLISHERS * PACKAGES)), "{output}");
}

/// A package with everything that an index shows.
fn varied(directory: &Path) -> PathBuf {
    let mut builder = builder("varied", "1.0~rc1");
    builder
        .epoch(3)
        .release("4.el9")
        .url("https://example.org/?a=1&b=2")
        .vendor("A company")
        .packager("Somebody <s@example.org>")
        .requires(Dependency::greater_eq("python3", "3.9"))
        .requires(Dependency::less("other", "2:3.0-1"))
        .requires(Dependency::any("(one or two)"))
        .requires(Dependency::any("/usr/bin/varied"))
        .requires(Dependency::any("/bin/sh"))
        .requires(Dependency::any("/bin/sh"))
        .provides(Dependency::eq("virtual", "1"))
        .conflicts(Dependency::greater("enemy", "1.0"))
        .obsoletes(Dependency::less_eq("former", "0.9-2"))
        .recommends(Dependency::any("recommended"))
        .suggests(Dependency::any("suggested"))
        .supplements(Dependency::any("supplemented"))
        .enhances(Dependency::any("enhanced"))
        .post_install_script(Scriptlet::new("exit 0\n"));
    for number in 0_u32..12 {
        builder.add_changelog_entry(
            format!("Somebody <s@example.org> - {number}"),
            format!("- number {number}\n- \"more\" & <less>"),
            1_600_000_000 + number * 100,
        );
    }
    for path in ["/usr/bin/varied", "/etc/varied.conf", "/opt/varied/ä & b"] {
        builder.with_file_contents("content", FileOptions::new(path)).unwrap();
    }
    builder.with_dir_entry(FileOptions::dir("/etc/varied.d")).unwrap();
    builder.with_symlink(FileOptions::symlink("/usr/sbin/varied", "../bin/varied")).unwrap();
    builder.with_ghost(FileOptions::ghost("/var/log/varied")).unwrap();
    write(&mut builder, directory, "varied.rpm")
}

#[test]
fn the_indexes_say_what_createrepo_c_says() {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("files");
    let packages = [package(&files, "plain", "1.0"), varied(&files)];
    let yum = Yum::new(directory.path().join("repo"), false);
    yum.add(&packages);
    let mut spec =
        test_root("repositories").spec(&["createrepo_c", "--quiet", "--no-database", "/files"], Identity::User);
    spec.binds = vec![bind(&files, "/files", Access::ReadWrite)];
    run_spec(&spec).ok();
    for kind in ["primary", "filelists", "other"] {
        let own = comparable(&index(&yum.directory.join(INDEXES), kind));
        let reference = comparable(&index(&files.join("repodata"), kind));
        assert!(own.contains(&"<name>varied</name>".to_owned()) || kind != "primary");
        assert_eq!(own, reference, "{kind}");
    }
}

fn index(repodata: &Path, kind: &str) -> String {
    let entries = read_repomd(&fs::read(repodata.join("repomd.xml")).unwrap()[..]).unwrap();
    let entry = entries.iter().find(|entry| entry.kind == kind).unwrap();
    let file = fs::File::open(repodata.with_file_name("").join(&entry.href)).unwrap();
    std::io::read_to_string(MultiGzDecoder::new(file)).unwrap()
}

/// Returns the lines without what differs on purpose: the time of the file, its place, and how quotes are written.
fn comparable(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().replace("&quot;", "\"").replace("&apos;", "'"));
    let lines = lines.map(|line| match line.strip_prefix("<time file=\"").and_then(|rest| rest.split_once('"')) {
        Some((_, rest)) => format!("<time{rest}"),
        None => line,
    });
    lines.filter(|line| !line.starts_with("<location ")).collect()
}
