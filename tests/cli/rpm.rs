//! `.rpm` packages and `.tar.zst` archives where they are used: rpm and dnf read, install and remove them.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use fs_err as fs;
use vb_graph::{BlobDigest, Compression, Format, PackageSpec};
use vb_package::{
    Content, Entry, FileTree, MaintainerFiles, Resources, RpmMetadata, SegmentCache, read_package, read_rpm, write_rpm,
};
use vb_sandbox::{Access, Filter, GuestPath, HostPath, Identity, Root, Upper};

use crate::support::{Run, TestEnv, bind, run_spec, scripts, test_root, test_root_of};

/// A whois with scriptlets, and with a configuration file.
fn whois() -> TestEnv {
    let env = TestEnv::new();
    env.write("recipes/apps/whois/rpm/post.sh", "#VB#\necho \"post $1\" >> /var/log/whois-scripts\n");
    env.write("recipes/apps/whois/rpm/preun", "#!/bin/sh\n#VB#\necho \"preun $1\" >> /var/log/whois-scripts\n");
    env.write("recipes/apps/whois/debian/install", "etc/whois.example.yml etc/whois\n");
    env.commit();
    env
}

/// A version 1.0.1 that answers an unknown domain in other words, and has another configuration.
fn next_version() -> TestEnv {
    let env = whois();
    env.edit("recipes/apps/whois/whois_server/protocol.py", "No match for", "Nothing known of");
    let configuration = env.read("recipes/apps/whois/etc/whois.example.yml");
    env.write("recipes/apps/whois/etc/whois.example.yml", &format!("{configuration}# Of 1.0.1.\n"));
    let changelog = env.read("recipes/apps/whois/debian/changelog");
    let entry = "vrmd-whois (1.0.1) unstable; urgency=medium\n\n  * Other words.\n\n \
                 -- vb maintainers <vb@example.org>  Sat, 21 Nov 2026 12:00:00 +0000\n\n";
    env.write("recipes/apps/whois/debian/changelog", &format!("{entry}{changelog}"));
    env.commit();
    env
}

fn build(env: &TestEnv, formats: &str) -> PathBuf {
    env.vb(&["build", "recipes/whois.ncl", "--format", formats]).ok();
    env.workspace().join("dist/bookworm")
}

fn metadata(packages: &Path) -> RpmMetadata {
    read_rpm(&packages.join("vrmd-whois-1.0.0-1.x86_64.rpm")).unwrap()
}

#[test]
fn rpm_verifies_a_package_and_dnf_installs_upgrades_downgrades_and_erases_it() {
    let (first, second) = (whois(), next_version());
    let (one, two) = (build(&first, "rpm"), build(&second, "rpm"));
    let runtime = first.vb(&["output", "recipes/whois.ncl", "whois bookworm root run"]).ok();

    let mut spec = test_root("rpm").spec(&["/bin/bash", "/scripts/rpm.sh"], Identity::Root);
    let Root::Layers { lowers, upper: Upper::Discard } = &mut spec.root else { panic!("{:?}", spec.root) };
    // What the application needs, from the same distribution: the interpreter and its libraries.
    lowers.push(HostPath::new(Path::new(runtime.stdout.trim())).unwrap());
    spec.filter = Filter::PretendOwnership;
    spec.cwd = GuestPath::new("/").unwrap();
    spec.binds =
        vec![scripts(), bind(&one, "/packages/1", Access::ReadOnly), bind(&two, "/packages/2", Access::ReadOnly)];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
}

#[test]
fn one_build_makes_all_formats_of_one_tree_and_gives_the_same_bytes_again() {
    let env = whois();
    let packages = build(&env, "deb,rpm,tar");
    let mut names: Vec<String> =
        fs::read_dir(&packages).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expect = [
        "vrmd-whois-1.0.0-1.x86_64.rpm",
        "vrmd-whois_1.0.0_amd64.deb",
        "vrmd-whois_1.0.0_amd64.json",
        "vrmd-whois_1.0.0_amd64.tar.zst",
    ];
    assert_eq!(names, expect);
    let run = env.vb(&["build", "recipes/whois.ncl", "--format", "rpm,tar", "--check"]).ok();
    assert!(run.stderr.contains("\n2 packages, "), "{}", run.stderr);

    let rpm = metadata(&packages);
    let text = fs::read_to_string(packages.join("vrmd-whois_1.0.0_amd64.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entries = manifest["entries"].as_array().unwrap();
    let below = |path: &str| path.starts_with("/vrmd/whois/");
    let of_tar: Vec<&str> =
        entries.iter().filter_map(|entry| entry["path"].as_str()).filter(|path| below(path)).collect();
    let of_rpm: Vec<&str> = rpm.files.iter().map(|file| file.path.as_str()).filter(|path| below(path)).collect();
    assert_eq!(of_rpm, of_tar);
    assert!(manifest["libraries"].as_array().unwrap().contains(&"libpq.so.5".into()));
}

#[test]
fn a_format_that_the_platform_refuses_is_told_with_its_reason() {
    let env = TestEnv::new();
    env.edit(
        "recipes/platforms/bookworm.ncl",
        "output.deb.compression",
        "output.refused.rpm = \"nobody has it\",\n  output.deb.compression",
    );
    let run = env.vb(&["build", "recipes/whois.ncl", "--format", "rpm"]).expect(3);
    assert!(run.stderr.contains("vb::recipe::refused_format"), "{}", run.stderr);
    assert!(run.stderr.contains("`bookworm` has no `rpm` packages: nobody has it"), "{}", run.stderr);
    let run: Run = env.vb(&["build", "recipes/whois.ncl", "--format", "flatpak"]).expect(2);
    assert!(run.stderr.contains("`flatpak` is not a package format"), "{}", run.stderr);
}

fn spec_of(name: &str, compression: Compression) -> PackageSpec {
    PackageSpec {
        format: Format::Rpm,
        name: name.to_owned(),
        version: "1.0".into(),
        native_architecture: "amd64".into(),
        maintainer: "Ops <ops@example.org>".into(),
        section: "web".into(),
        priority: "optional".into(),
        homepage: None,
        license: None,
        summary: "for rpm alone".into(),
        description: vec![],
        depends: vec![],
        compression,
        epoch: 1_700_000_000,
        application: "/srv/none".into(),
        vcs: std::collections::BTreeMap::new(),
        has_bill: false,
        companions: vec![],
        changelog: None,
        lifecycle: Box::default(),
    }
}

/// Writes a package with more than two segments of payload.
fn write_large(compression: Compression, directory: &Path) {
    let spec = spec_of(&format!("large-{}", compression.extension()), compression);
    let line = |number: u32| format!("{}{:100}\n", number.wrapping_mul(2_654_435_761), "");
    let content = |file: u32| (0..5_000).map(|number| line(file << 16 | number)).collect::<String>().into_bytes();
    let files: Vec<Vec<u8>> = (0..24).map(content).collect();
    let entry = |(number, bytes): (usize, &Vec<u8>)| Entry {
        path: format!("opt/{}/{number}", spec.name),
        mode: 0o644,
        content: Content::File { blob: BlobDigest::of(bytes), size: bytes.len() as u64 },
    };
    let tree = FileTree::from_entries(files.iter().enumerate().map(entry)).unwrap();
    let open = |blob: &BlobDigest, start: u64| {
        let bytes = files.iter().find(|bytes| BlobDigest::of(bytes) == *blob).unwrap();
        let bytes = bytes[usize::try_from(start).unwrap()..].to_vec();
        Ok(Box::new(io::Cursor::new(bytes)) as Box<dyn Read>)
    };
    let resources = Resources { threads: 1, cache: SegmentCache::none() };
    write_rpm(&spec, &tree, &MaintainerFiles::default(), &open, resources, directory).unwrap();
}

#[test]
fn every_rpm_since_4_16_installs_payloads_of_several_pieces_of_each_compression() {
    let directory = tempfile::tempdir().unwrap();
    for compression in [Compression::Xz, Compression::Gzip, Compression::Zstd] {
        write_large(compression, directory.path());
    }
    let script = "set -e; mkdir /root-of-it; rpm --version; \
                  rpm --root /root-of-it --dbpath /var/lib/rpm --initdb; \
                  rpm --checksig /packages/*.rpm; \
                  rpm --root /root-of-it --dbpath /var/lib/rpm --install --nodeps /packages/*.rpm; \
                  rpm --root /root-of-it --dbpath /var/lib/rpm --verify --all --nodeps && echo whole";
    let roots = [
        (test_root_of("rpm-versions", "bullseye"), "4.16"),
        (test_root("rpm"), "4.18"),
        (test_root_of("rpm-versions", "trixie"), "4.20"),
    ];
    for (root, version) in roots {
        let mut spec = root.spec(&["/bin/sh", "-c", script], Identity::Root);
        spec.filter = Filter::PretendOwnership;
        spec.binds = vec![bind(directory.path(), "/packages", Access::ReadOnly)];
        let run = run_spec(&spec).ok();
        assert!(run.stdout.contains(&format!("RPM version {version}.")), "{}", run.stdout);
        assert!(run.stdout.ends_with("whole\n"), "{}", run.stdout);
    }
}

/// Writes a package with one file and, where there is a text, with triggers.
fn write_small(name: &str, path: &str, triggers: &str, directory: &Path) {
    let entry =
        Entry { path: path.to_owned(), mode: 0o644, content: Content::File { blob: BlobDigest::of(b""), size: 0 } };
    let tree = FileTree::from_entries([entry]).unwrap();
    let mut maintainer = MaintainerFiles::default();
    assert!(maintainer.take_in_scriptlet("triggers", triggers.as_bytes()).unwrap());
    let open = |_: &BlobDigest, _| Ok(Box::new(io::empty()) as Box<dyn Read>);
    let resources = Resources { threads: 1, cache: SegmentCache::none() };
    write_rpm(&spec_of(name, Compression::Gzip), &tree, &maintainer, &open, resources, directory).unwrap();
}

#[test]
fn every_rpm_since_4_16_runs_the_triggers_of_a_package() {
    let directory = tempfile::tempdir().unwrap();
    let triggers = "%triggerin -- watched >= 1.0, other\necho \"in $1 $2\"\n\
                    %triggerin -- watched > 1.0\necho never\n\
                    %triggerun -p /bin/bash -- watched\necho \"un $1 $2 $BASH_VERSION\" | cut -d. -f1\n\
                    %filetriggerin -- /opt/none /opt/watched\nread path; echo \"file $path\"\n\
                    %transfiletriggerin -- /opt/watched\nread path; echo \"transaction $path\"\n";
    write_small("listener", "opt/listener/file", triggers, directory.path());
    let listener = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(read_package(&listener).unwrap().scripts["triggers"], triggers);
    write_small("watched", "opt/watched/file", "", directory.path());
    let script = "rpm --initdb; set -e; rpm --install --nodeps /packages/listener*.rpm; echo listens; \
                  rpm --install --nodeps /packages/watched*.rpm; rpm --erase --nodeps watched; echo end";
    let roots = [test_root_of("rpm-versions", "bullseye"), test_root("rpm"), test_root_of("rpm-versions", "trixie")];
    for root in roots {
        let mut spec = root.spec(&["/bin/sh", "-c", script], Identity::Root);
        spec.filter = Filter::PretendOwnership;
        spec.binds = vec![bind(directory.path(), "/packages", Access::ReadOnly)];
        let run = run_spec(&spec).ok();
        let (_, told) = run.stdout.split_once("listens\n").unwrap_or_else(|| panic!("{}", run.stdout));
        // Debian's rpm says that it is not the one to use.
        let told: Vec<&str> = told.lines().filter(|line| !line.starts_with("rpm: ")).collect();
        assert_eq!(told, ["file /opt/watched", "in 1 1", "transaction /opt/watched", "un 1 0 5", "end"]);
    }
}
