//! Tests of the lock's text.

use std::collections::BTreeSet;

use expect_test::expect;
use vb_graph::{LockedFile, LockedPackage, Sha256};

use std::collections::BTreeMap;

use super::*;
use crate::lock::{LockError, Mismatch, RootKind};

fn sha256(byte: u8) -> Sha256 {
    Sha256::from_bytes([byte; 32])
}

fn package(name: &str, version: &str, byte: u8) -> LockedPackage {
    LockedPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: "amd64".to_owned(),
        path: format!("pool/main/{name}_{version}_amd64.deb"),
        size: 1000,
        sha256: sha256(byte),
    }
}

fn distribution(name: &str, file: &str, size: Option<u64>) -> LockedDistribution {
    let file = LockedFile { file: file.to_owned(), size, sha256: sha256(0xcd) };
    LockedDistribution { name: name.to_owned(), version: "1.0".to_owned(), file }
}

fn wheel(name: &str, size: Option<u64>) -> DistributionLock {
    let distribution = distribution(name, &format!("{name}-1.0-py3-none-any.whl"), size);
    DistributionLock::new(distribution)
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn request() -> LockRequest {
    LockRequest {
        python: "3.11".to_owned(),
        base: strings(&["base-files"]),
        toolchain: strings(&["gcc"]),
        build_deps: strings(&["libpq-dev"]),
        run_deps: strings(&["runit", "libpq5"]),
        test_deps: Vec::new(),
        no_binary: Vec::new(),
        only_binary: strings(&[":all:"]),
        extras: Vec::new(),
        groups: Vec::new(),
        setup_install: false,
        source: None,
        requirements: BTreeMap::from([("requirements.txt".to_owned(), sha256(0xef))]),
        npm: BTreeMap::new(),
    }
}

/// A lock whose lists are not sorted, with one package in two versions.
fn lock() -> Lock {
    let mut platform = PlatformLock {
        request: request(),
        archive: [("bookworm-security", "Fri, 20 Nov 2026"), ("bookworm", "Thu, 19 Nov 2026")]
            .map(|(suite, date)| (suite.to_owned(), date.to_owned()))
            .into(),
        packages: Vec::new(),
        distributions: vec![
            DistributionLock {
                build: vec![wheel("wheel", None), wheel("setuptools", Some(5))],
                ..DistributionLock::new(distribution("psycopg2", "psycopg2-1.0.tar.gz", None))
            },
            DistributionLock::new(distribution("attrs", "attrs-1.0-py3-none-any.whl", Some(u64::from(u32::MAX) + 1))),
        ],
        application: Vec::new(),
        tools: vec![distribution("uv", "uv-1.0-py3-none-musllinux_1_1_x86_64.whl", Some(7))],
        npm: vec![],
    };
    for (kind, package) in [
        (RootKind::Run, package("libpq5", "15.2", 0x02)),
        (RootKind::Build, package("libpq5", "15.1", 0x01)),
        (RootKind::Run, package("base-files", "12", 0x03)),
        (RootKind::Interpreter, package("base-files", "12", 0x03)),
    ] {
        platform.add_to_root(kind, package);
    }
    let mut empty = platform.clone();
    (empty.packages, empty.distributions, empty.tools) = (Vec::new(), Vec::new(), Vec::new());
    (empty.request, empty.archive) = (LockRequest::default(), BTreeMap::new());
    let platforms = BTreeMap::from([("trixie".to_owned(), empty), ("bookworm".to_owned(), platform)]);
    Lock { platforms, ..Lock::default() }
}

#[test]
fn a_lock_has_a_line_for_each_package_and_file() {
    expect![[r##"
        # Written by `vb lock`. Everything that builds read from outside, by SHA-256.
        version = 1

        [bookworm.request]
        python = "3.11"
        base = ["base-files"]
        toolchain = ["gcc"]
        build_deps = ["libpq-dev"]
        run_deps = ["libpq5", "runit"]
        no_binary = []
        only_binary = [":all:"]
        requirements = { "requirements.txt" = "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef" }

        [bookworm.archive]
        bookworm = "Thu, 19 Nov 2026"
        bookworm-security = "Fri, 20 Nov 2026"

        [bookworm]
        packages = [
            { name = "base-files", version = "12", architecture = "amd64", path = "pool/main/base-files_12_amd64.deb", size = 1000, sha256 = "0303030303030303030303030303030303030303030303030303030303030303", roots = ["interpreter", "run"] },
            { name = "libpq5", version = "15.1", architecture = "amd64", path = "pool/main/libpq5_15.1_amd64.deb", size = 1000, sha256 = "0101010101010101010101010101010101010101010101010101010101010101", roots = ["build"] },
            { name = "libpq5", version = "15.2", architecture = "amd64", path = "pool/main/libpq5_15.2_amd64.deb", size = 1000, sha256 = "0202020202020202020202020202020202020202020202020202020202020202", roots = ["run"] },
        ]
        distributions = [
            { name = "attrs", version = "1.0", file = "attrs-1.0-py3-none-any.whl", sha256 = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd" },
            { name = "psycopg2", version = "1.0", file = "psycopg2-1.0.tar.gz", sha256 = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd", build = [
                { name = "setuptools", version = "1.0", file = "setuptools-1.0-py3-none-any.whl", sha256 = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd" },
                { name = "wheel", version = "1.0", file = "wheel-1.0-py3-none-any.whl", sha256 = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd" },
            ] },
        ]
        tools = [
            { name = "uv", version = "1.0", file = "uv-1.0-py3-none-musllinux_1_1_x86_64.whl", sha256 = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd" },
        ]

        [trixie.request]
        python = ""
        base = []
        toolchain = []
        build_deps = []
        run_deps = []
        no_binary = []
        only_binary = []
        requirements = {}

        [trixie]
        packages = []
        distributions = []
        tools = []
    "##]].assert_eq(&lock().to_text());
}

#[test]
fn what_builds_the_application_and_its_own_builds_have_lines_one_step_further_in() {
    let mut lock = lock();
    let platform = lock.platforms.get_mut("trixie").unwrap();
    (platform.request.extras, platform.request.setup_install) = (strings(&["pg", "cli", "pg"]), true);
    let sdist = distribution("flit-core", "flit_core-1.0.tar.gz", None);
    platform.application =
        vec![DistributionLock { build: vec![wheel("hatchling", None)], ..DistributionLock::new(sdist) }];
    let text = lock.to_text();
    let digest = "cd".repeat(32);
    let expected = format!(
        "application = [\n    {{ name = \"flit-core\", version = \"1.0\", file = \"flit_core-1.0.tar.gz\", sha256 = \"{digest}\", \
         build = [\n        {{ name = \"hatchling\", version = \"1.0\", file = \"hatchling-1.0-py3-none-any.whl\", \
         sha256 = \"{digest}\" }},\n    ] }},\n]\n"
    );
    assert!(text.contains(&expected), "{text}");
    assert!(text.contains("extras = [\"cli\", \"pg\"]\nsetup_install = true\n"), "{text}");
    let read = from_text(&text).unwrap();
    assert_eq!(read.to_text(), text);
    assert_eq!(read.platforms["trixie"].application[0].files().len(), 2);
}

#[test]
fn what_is_read_is_written_again() {
    let text = lock().to_text();
    let read = from_text(&text).unwrap();
    assert_eq!(read.to_text(), text);
    assert_eq!(read.platforms["trixie"], lock().platforms["trixie"]);
    assert_eq!(read.platforms["bookworm"].distributions[1].build.len(), 2);
}

#[test]
fn what_is_bound_to_another_index_than_it_was_locked_from_does_not_fit() {
    let mut lock = lock();
    let platform = lock.platforms.get_mut("bookworm").unwrap();
    platform.distributions[0].index = Some("company".to_owned());
    let read = from_text(&lock.to_text()).unwrap();
    assert_eq!(read.to_text(), lock.to_text());
    assert!(lock.to_text().contains(", index = \"company\""));
    let (own, read) = (platform_name_of_first(&lock), &read.platforms["bookworm"]);
    let told = |bound: &str| {
        let rebound = read.rebound(|name| (name == bound).then(|| "company".to_owned()));
        rebound.iter().map(Mismatch::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told(&own), Vec::<String>::new());
    let other = told("setuptools");
    assert_eq!(other.len(), 2, "{other:?}");
    assert!(other.contains(&format!(
        "`{own}`: the lock has it from the index `company`, the workspace binds it to no index of its own"
    )));
    assert!(
        other.contains(
            &"`setuptools`: the lock has it from no index of its own, the workspace binds it to the index `company`"
                .to_owned()
        )
    );
}

fn platform_name_of_first(lock: &Lock) -> String {
    lock.platforms["bookworm"].distributions[0].distribution.name.clone()
}

#[test]
fn sizes_of_python_files_that_an_older_lock_has_are_read_and_not_written_again() {
    let text = lock().to_text();
    let older = text.replace("whl\", sha256", "whl\", size = 7, sha256");
    assert_ne!(older, text);
    assert_eq!(from_text(&older).unwrap().to_text(), text);
}

#[test]
fn the_order_of_lists_does_not_change_the_text() {
    let mut turned = lock();
    let platform = turned.platforms.get_mut("bookworm").unwrap();
    platform.packages.reverse();
    platform.distributions.reverse();
    platform.request.run_deps.reverse();
    assert_eq!(turned.to_text(), lock().to_text());
}

#[test]
fn one_package_may_have_two_versions_in_two_roots() {
    let lock = from_text(&lock().to_text()).unwrap();
    let versions = |kind| {
        let packages = lock.platforms["bookworm"].root(kind);
        packages.into_iter().map(|package| format!("{} {}", package.name, package.version)).collect::<Vec<_>>()
    };
    assert_eq!(versions(RootKind::Run), ["base-files 12", "libpq5 15.2"]);
    assert_eq!(versions(RootKind::Build), ["libpq5 15.1"]);
    assert_eq!(versions(RootKind::Interpreter), ["base-files 12"]);
}

#[test]
fn a_lock_names_no_host() {
    assert!(!lock().to_text().contains("://"));
}

#[test]
fn a_lock_that_is_not_there_names_the_command_that_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = Lock::read(&dir.path().join("whois.lock")).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }));
    let help = miette::Diagnostic::help(&error).unwrap().to_string();
    assert_eq!(help, format!("run `vb lock {}`", dir.path().join("whois.ncl").display()));
}

#[test]
fn a_lock_is_read_as_it_was_written_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whois.lock");
    lock().write(&path).unwrap();
    lock().write(&path).unwrap();
    assert_eq!(Lock::read(&path).unwrap().to_text(), lock().to_text());
    assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_wrong_line_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whois.lock");
    let text = lock().to_text();
    let wrong_lines = [
        ("sha256 = \"0202", "sha256 = \"x202"),
        ("size = 1000,", "size = \"1000\","),
        ("roots = [\"build\"]", "roots = [\"bild\"]"),
        ("only_binary = ", "only_binaries = "),
        ("tools = [\n", "tools = {\n"),
    ];
    for (right, wrong) in wrong_lines {
        let line = 1 + text.lines().position(|line| format!("{line}\n").contains(right)).unwrap();
        fs_err::write(&path, text.replacen(right, wrong, 1)).unwrap();
        match Lock::read(&path).unwrap_err() {
            LockError::Syntax { line: named, .. } if wrong.ends_with('\n') => assert!(named >= line, "{wrong}"),
            LockError::Syntax { line: named, source, .. } => assert_eq!(named, line, "{wrong}: {source}"),
            other => panic!("{wrong}: {other}"),
        }
    }
}

#[test]
fn a_lock_of_a_later_version_is_refused_whatever_is_in_it() {
    let error = from_text("version = 2\nbookworm = 7").unwrap_err();
    assert!(matches!(error, ReadLockError::Version(2)));
}

fn mismatches(change: impl FnOnce(&mut LockRequest)) -> Vec<String> {
    let mut asked = request();
    change(&mut asked);
    lock().mismatches("bookworm", &asked).iter().map(Mismatch::to_string).collect()
}

#[test]
fn a_lock_fits_its_own_request_in_any_order() {
    assert_eq!(mismatches(|asked| asked.run_deps.reverse()), Vec::<String>::new());
}

#[test]
fn each_field_that_no_longer_fits_is_said_in_words() {
    let added = mismatches(|asked| asked.build_deps.push("libffi-dev".to_owned()));
    assert_eq!(added, ["`build_deps`: the lock has `libpq-dev`, the recipe has `libffi-dev, libpq-dev`"]);
    let removed = mismatches(|asked| asked.toolchain.clear());
    assert_eq!(removed, ["`toolchain`: the lock has `gcc`, the platform has nothing"]);
    let python = mismatches(|asked| asked.python = "3.13".to_owned());
    assert_eq!(python, ["`python`: the lock has `3.11`, the recipe has `3.13`"]);
    let all = mismatches(|asked| *asked = LockRequest::default());
    let fields: BTreeSet<_> = all.iter().map(|text| text.split(':').next().unwrap().to_owned()).collect();
    let expected =
        ["`base`", "`build_deps`", "`only_binary`", "`python`", "`requirements.txt`", "`run_deps`", "`toolchain`"];
    assert_eq!(fields, expected.map(str::to_owned).into());
}

#[test]
fn a_changed_requirements_file_and_one_more_are_named() {
    let changed = mismatches(|asked| {
        asked.requirements.insert("requirements.txt".to_owned(), sha256(1));
        asked.requirements.insert("more.txt".to_owned(), sha256(2));
    });
    let words = [
        "`more.txt`: the file is not the one that was locked",
        "`requirements.txt`: the file is not the one that was locked",
    ];
    assert_eq!(changed, words);
}

#[test]
fn a_platform_that_is_not_locked_is_a_mismatch() {
    let mismatches = lock().mismatches("el9", &request());
    assert_eq!(mismatches[0].to_string(), "`el9`: the lock does not have this platform");
}

#[test]
fn a_name_that_would_be_a_path_or_two_words_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whois.lock");
    for bad in ["../../evil.whl", "/evil.whl", "..", "", "two words.whl"] {
        let mut lock = lock();
        let platform = lock.platforms.values_mut().next().unwrap();
        platform.distributions[0].distribution.file.file = bad.to_owned();
        lock.write(&path).unwrap();
        let error = Lock::read(&path).unwrap_err();
        assert!(matches!(&error, LockError::Name { name, .. } if name == bad), "{bad}: {error:?}");
    }
}

#[test]
fn npm_packages_are_lines_of_their_own_and_a_lock_without_any_does_not_speak_of_them() {
    let mut lock = lock();
    assert!(!lock.to_text().contains("npm"));
    let platform = lock.platforms.values_mut().next().unwrap();
    platform.request.npm = BTreeMap::from([("tools/package-lock.json".to_owned(), sha256(1))]);
    platform.npm = ["less/node_modules/@a/b", "less"]
        .map(|place| LockedNodePackage {
            place: place.to_owned(),
            name: "less".to_owned(),
            version: "4.2.0".to_owned(),
            file: LockedFile { file: "less-4.2.0.tgz".to_owned(), size: Some(3), sha256: sha256(2) },
        })
        .into();
    let text = lock.to_text();
    let digest = sha256(2);
    let line = |place: &str| {
        format!(
            "\n    {{ place = \"{place}\", name = \"less\", version = \"4.2.0\", file = \"less-4.2.0.tgz\", size = 3, sha256 = \"{digest}\" }},"
        )
    };
    assert!(text.contains(&format!("npm = [{}{}\n]", line("less"), line("less/node_modules/@a/b"))), "{text}");
    assert_eq!(from_text(&text).unwrap().to_text(), text);
}

#[test]
fn commits_come_before_the_platforms_and_are_read_again() {
    let commit = |branch: Option<&str>, tag: Option<&str>, digit: &str| CommitLock {
        branch: branch.map(str::to_owned),
        tag: tag.map(str::to_owned),
        commit: digit.repeat(40),
    };
    let mut lock = lock();
    lock.commits = BTreeMap::from([
        ("sub_apps[0].source".to_owned(), commit(None, Some("v1"), "b")),
        ("source".to_owned(), commit(Some("main"), None, "a")),
    ]);
    let text = to_text(&lock);
    let (one, other) = ("a".repeat(40), "b".repeat(40));
    let table = format!(
        "\n[commits]\nsource = {{ branch = \"main\", commit = \"{one}\" }}\n\"sub_apps[0].source\" = {{ tag = \"v1\", commit = \
         \"{other}\" }}\n\n[bookworm.request]\n"
    );
    assert!(text.contains(&table), "{text}");
    assert_eq!(from_text(&text).unwrap().commits, lock.commits);
}

#[test]
fn packages_of_tests_are_in_a_root_of_their_own_and_a_lock_without_any_does_not_speak_of_them() {
    let mut lock = lock();
    assert!(!lock.to_text().contains("test"));
    assert_eq!(
        mismatches(|asked| asked.test_deps = strings(&["systemd"])),
        ["`test_deps`: the lock has nothing, the recipe has `systemd`"]
    );
    let platform = lock.platforms.get_mut("bookworm").unwrap();
    platform.request.test_deps = strings(&["systemd", "postgresql"]);
    platform.add_to_root(RootKind::Test, package("systemd", "252", 0x04));
    let text = lock.to_text();
    assert!(text.contains("only_binary = [\":all:\"]\ntest_deps = [\"postgresql\", \"systemd\"]\n"), "{text}");
    assert!(text.contains("roots = [\"test\"]"), "{text}");
    let again = from_text(&text).unwrap();
    assert_eq!(again.to_text(), text);
    assert_eq!(again.platforms["bookworm"].root(RootKind::Test), [package("systemd", "252", 0x04)]);
}
