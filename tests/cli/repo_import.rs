//! Repositories that reprepro, aptly and `createrepo_c` made are taken over.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use fs_err as fs;
use rpm::{BuildConfig, CompressionWithLevel, FileOptions, PackageBuilder};
use vb_sandbox::{Access, Filter, Identity};
use vb_testkit::archive::Package;

use crate::support::{Run, TestEnv, WebServer, bind, repository, run_spec, test_root};

/// What their tools made, and a repository of vb beside it.
struct Takeover {
    env: TestEnv,
}

impl Takeover {
    fn new() -> Self {
        let takeover = Self { env: TestEnv::new() };
        let packages = takeover.env.directory().join("packages");
        fs::create_dir(&packages).unwrap();
        fs::create_dir(takeover.made()).unwrap();
        for (name, architecture) in
            [("first", "amd64"), ("second", "amd64"), ("third", "amd64"), ("next", "amd64"), ("every", "all")]
        {
            write_deb(&packages, name, architecture);
        }
        write_rpm(&packages, "app", "1.0");
        write_rpm(&packages, "app", "1.1");
        let mut spec = test_root("repositories").spec(&["/bin/sh", "/repo_import.sh"], Identity::Root);
        spec.filter = Filter::PretendOwnership;
        spec.binds = vec![
            bind(&repository().join("tests/cli/repo_import.sh"), "/repo_import.sh", Access::ReadOnly),
            bind(&packages, "/packages", Access::ReadOnly),
            bind(&takeover.made(), "/made", Access::ReadWrite),
        ];
        let run = run_spec(&spec).ok();
        assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
        takeover.vb(&["key", "new", "ours.asc", "--user", "Our company <us@example.org>"]);
        takeover.vb(&["repo", "init", "repo", "--key", "ours.asc"]);
        takeover
    }

    fn made(&self) -> PathBuf {
        self.env.directory().join("made")
    }

    fn vb(&self, arguments: &[&str]) -> String {
        self.env.vb(arguments).ok().stdout
    }

    /// Imports from what their tool made in a directory; returns what was said.
    fn import(&self, from: &str, maps: &[&str], more: &[&str]) -> Run {
        self.import_from(&self.made().join(from).display().to_string(), maps, more)
    }

    fn import_from(&self, source: &str, maps: &[&str], more: &[&str]) -> Run {
        let mut arguments = vec!["repo", "import", "repo/", source];
        maps.iter().for_each(|map| arguments.extend(["--map", map]));
        arguments.extend(more);
        self.env.vb(&arguments)
    }

    /// Imports what their key signed.
    fn import_signed(&self, from: &str, maps: &[&str]) -> String {
        self.import(from, maps, &["--source-key", &self.key()]).ok().stdout
    }

    fn key(&self) -> String {
        self.made().join("key.asc").display().to_string()
    }

    /// Returns `channel name version architecture` of everything, sorted.
    fn list(&self) -> Vec<String> {
        let list = self.vb(&["repo", "list", "repo/"]);
        let without_path = |line: &str| line.rsplit_once("  ").map(|(rest, _)| rest.replace("  ", " "));
        let mut listed: Vec<String> = list.lines().filter_map(without_path).collect();
        listed.sort();
        listed
    }
}

fn write_deb(directory: &Path, name: &str, architecture: &str) {
    let package = Package::new(name, "1.0")
        .field("Architecture", architecture)
        .field("Maintainer", "them <them@example.org>")
        .field("Section", "misc")
        .field("Priority", "optional")
        .field("Description", "a package");
    fs::write(directory.join(format!("{name}_1.0_{architecture}.deb")), package.to_deb()).unwrap();
}

fn write_rpm(directory: &Path, name: &str, version: &str) {
    let config = BuildConfig::v4().compression(CompressionWithLevel::None).source_date(1_700_000_000);
    let mut builder = PackageBuilder::new(name, version, "MIT", "noarch", "An application");
    builder.using_config(config);
    builder.with_file_contents(version, FileOptions::new(format!("/opt/{name}/version"))).unwrap();
    builder.build().unwrap().write_file(directory.join(format!("{name}-{version}-1.noarch.rpm"))).unwrap();
}

#[test]
fn repositories_of_reprepro_aptly_and_createrepo_c_are_taken_over() {
    let takeover = Takeover::new();
    let reprepro = ["bookworm=bookworm-production", "testing=bookworm-development"];
    let said = takeover.import_signed("reprepro", &reprepro);
    assert!(said.contains("bookworm-production  4 packages imported, 0 known"), "{said}");
    takeover.import_signed("aptly/public", &["stable=trixie-production"]);
    takeover.import_signed("yum", &[".=el9-production"]);
    takeover.import_signed("flat", &[".=bullseye-production"]);
    assert_eq!(
        takeover.list(),
        [
            "bookworm-development next 1.0 amd64",
            "bookworm-production every 1.0 all",
            "bookworm-production first 1.0 amd64",
            "bookworm-production second 1.0 amd64",
            "bookworm-production third 1.0 amd64",
            "bullseye-production first 1.0 amd64",
            "el9-production app 1.0-1 noarch",
            "el9-production app 1.1-1 noarch",
            "trixie-production every 1.0 all",
            "trixie-production first 1.0 amd64",
        ]
    );
    let index = takeover.env.read("repo/dists/bookworm-production/extra/binary-amd64/Packages");
    assert!(index.contains("Package: third\n") && !index.contains("Package: first\n"), "{index}");
    takeover.vb(&["repo", "verify", "repo/"]);

    // A second import takes what is new, and reads nothing else: the old package could not be read again.
    let old = find(&takeover.made().join("reprepro/pool"), "first_1.0_amd64.deb");
    fs::write(&old, "damaged since").unwrap();
    let said = takeover.import_signed("reprepro", &reprepro);
    assert!(said.contains("bookworm-production  0 packages imported, 4 known"), "{said}");
    assert_eq!(takeover.vb(&["repo", "history", "repo/", "--channel", "development"]).lines().count(), 1);
}

#[test]
fn an_import_takes_nothing_that_is_not_what_a_trusted_index_says() {
    let takeover = Takeover::new();
    let (map, ours) = (["bookworm=bookworm-production"], takeover.env.workspace().join("repo/key.asc"));
    let refused = takeover.import("reprepro", &map, &["--source-key", ours.to_str().unwrap()]).expect(2);
    assert!(refused.stderr.contains("vb::repo::untrusted_source"), "{}", refused.stderr);
    let refused = takeover.import("reprepro", &["bookworm=production"], &["--trust"]).expect(2);
    assert!(refused.stderr.contains("vb::repo::mapping"), "{}", refused.stderr);
    let refused = takeover.import("reprepro", &["nothing=bookworm-production"], &["--trust"]).expect(2);
    assert!(refused.stderr.contains("vb::repo::no_source"), "{}", refused.stderr);

    let theirs = takeover.made().join("reprepro");
    let package = find(&theirs.join("pool"), "second_1.0_amd64.deb");
    let whole = fs::read(&package).unwrap();
    fs::write(&package, &whole[..whole.len() - 1]).unwrap();
    let refused = takeover.import("reprepro", &map, &["--trust"]).expect(4);
    assert!(refused.stderr.contains("second_1.0_amd64.deb"), "{}", refused.stderr);
    assert_eq!(takeover.list(), [""; 0]);
    fs::write(&package, &whole).unwrap();

    // Links, where both are on one file system.
    takeover.import("reprepro", &map, &["--trust", "--link"]).ok();
    let taken = find(&takeover.env.workspace().join("repo/pool"), "second_1.0_amd64.deb");
    assert_eq!(fs::metadata(taken).unwrap().ino(), fs::metadata(&package).unwrap().ino());

    let index = theirs.join("dists/bookworm/main/binary-amd64/Packages");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("Package: first", "Package: fir5t")).unwrap();
    let refused = takeover.import("reprepro", &map, &["--trust"]).expect(4);
    assert!(refused.stderr.contains("vb::repo::damaged_source"), "{}", refused.stderr);
}

#[test]
fn repositories_are_taken_over_from_the_server_that_serves_them() {
    let takeover = Takeover::new();
    let server = WebServer::start(takeover.made());
    let import =
        |from: &str, map: &str| takeover.import_from(&server.url(from), &[map], &["--source-key", &takeover.key()]);
    let ours = takeover.env.workspace().join("repo/key.asc").display().to_string();
    let map = "bookworm=bookworm-production";
    let refused = takeover.import_from(&server.url("reprepro"), &[map], &["--source-key", &ours]).expect(2);
    assert!(refused.stderr.contains("vb::repo::untrusted_source"), "{}", refused.stderr);
    let refused = import("reprepro", "nothing=bookworm-production").expect(2);
    assert!(refused.stderr.contains("vb::repo::no_source"), "{}", refused.stderr);
    let package = find(&takeover.made().join("reprepro/pool"), "second_1.0_amd64.deb");
    let whole = fs::read(&package).unwrap();
    fs::write(&package, &whole[..whole.len() - 1]).unwrap();
    let refused = import("reprepro", map).expect(4);
    assert!(refused.stderr.contains("vb::repo::damaged_source"), "{}", refused.stderr);
    assert_eq!(takeover.list(), [""; 0]);
    fs::write(&package, &whole).unwrap();

    import("reprepro/", map).ok();
    import("aptly/public", "stable=trixie-production").ok();
    import("yum", ".=el9-production").ok();
    import("flat", ".=bullseye-production").ok();
    assert_eq!(
        takeover.list(),
        [
            "bookworm-production every 1.0 all",
            "bookworm-production first 1.0 amd64",
            "bookworm-production second 1.0 amd64",
            "bookworm-production third 1.0 amd64",
            "bullseye-production first 1.0 amd64",
            "el9-production app 1.0-1 noarch",
            "el9-production app 1.1-1 noarch",
            "trixie-production every 1.0 all",
            "trixie-production first 1.0 amd64",
        ]
    );
    takeover.vb(&["repo", "verify", "repo/"]);

    // What the channel holds is not fetched again.
    server.take_asked();
    assert!(import("reprepro", map).ok().stdout.contains("0 packages imported, 4 known"));
    let asked = server.take_asked();
    assert!(!asked.is_empty() && !asked.iter().any(|name| name.ends_with(".deb")), "{asked:?}");
    let gone = server.url("reprepro");
    drop(server);
    let refused = takeover.import_from(&gone, &[map], &["--trust"]).expect(4);
    assert!(refused.stderr.contains("vb::repo::source_unreachable"), "{}", refused.stderr);
}

fn find(directory: &Path, name: &str) -> PathBuf {
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.file_name().is_some_and(|own| own == name) {
            return path;
        }
    }
    panic!("there is no {name} in {}", directory.display());
}
