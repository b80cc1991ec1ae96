//! Every transition of a package with a service, through the real dpkg and the real rpm, with runit and Supervisor as
//! processes, and with a systemctl that records what it is asked.
//!
//! The service is a few lines of Perl, which every Debian root has, so that a package takes no time to make.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
};

use fs_err as fs;
use vb_graph::{
    BlobDigest, Compression, ConfigFile, Format, Lifecycle, Manager, OnUpgrade, OwnedDirectory, PackageSpec, Restart,
    Service, User,
};
use vb_package::{Content, Entry, FileTree, MaintainerFiles, Resources, SegmentCache, enliven, write_deb, write_rpm};
use vb_sandbox::{Access, Filter, Identity};

use crate::support::{bind, run_spec, scripts, test_root};

/// Answers each connection with what its configuration says, and its own version.
const SERVER: &str = r#"#!/usr/bin/perl
use strict;
use IO::Socket::INET;
my ($port, $config) = @ARGV;
$SIG{TERM} = sub { exit 0 };
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 5, ReuseAddr => 1) or die $!;
while (1) {
    my $client = $listener->accept() or next;
    open(my $file, '<', $config) or die $!;
    print $client "VERSION $$ ", <$file>;
    close($client);
}
"#;

/// A package of the service, in one version.
struct Sample {
    name: &'static str,
    version: &'static str,
    config: &'static str,
    /// Hand-written scripts of `debian/` or `rpm/`.
    scripts: Vec<(&'static str, &'static str)>,
}

fn lifecycle(name: &str, manager: Manager) -> Lifecycle {
    let port = if name == "answer" { "4343" } else { "4344" };
    let (prefix, config) = (format!("/srv/{name}"), format!("/etc/{name}/{name}.conf"));
    Lifecycle {
        services: vec![Service {
            name: name.to_owned(),
            description: format!("the service {name}"),
            managers: vec![manager],
            exec: vec![format!("{prefix}/bin/serve"), port.to_owned(), config.clone()],
            reload: vec![],
            user: name.to_owned(),
            group: None,
            directory: prefix.clone(),
            environment: BTreeMap::from([("GREETING".to_owned(), "a b".to_owned())]),
            capabilities: vec![],
            limits: BTreeMap::from([("nofile".to_owned(), 512)]),
            after: vec![],
            restart: Restart::Always,
            stop_seconds: 5,
            is_enabled: true,
            on_upgrade: OnUpgrade::Restart,
            systemd: BTreeMap::new(),
        }],
        users: vec![User {
            name: name.to_owned(),
            groups: vec!["adm".to_owned()],
            home: prefix.clone(),
            shell: "/bin/false".to_owned(),
            comment: "a test".to_owned(),
        }],
        directories: vec![OwnedDirectory {
            path: format!("/var/lib/{name}"),
            owner: name.to_owned(),
            group: None,
            mode: 0o750,
            is_purged: true,
        }],
        config_files: vec![ConfigFile {
            path: config,
            source: "service.conf".to_owned(),
            owner: "root".to_owned(),
            group: name.to_owned(),
            mode: Some(0o640),
        }],
        unit_directory: "/lib/systemd/system".to_owned(),
        service_directory: format!("{prefix}/etc/services"),
        ..Lifecycle::default()
    }
}

fn write(sample: &Sample, format: Format, manager: Manager, directory: &Path) {
    let Sample { name, version, config, scripts } = sample;
    let spec = PackageSpec {
        format,
        name: format!("vrmd-{name}"),
        version: (*version).to_owned(),
        native_architecture: "amd64".into(),
        maintainer: "Ops <ops@example.org>".into(),
        section: "net".into(),
        priority: "optional".into(),
        homepage: None,
        license: None,
        summary: "a service".into(),
        description: vec![],
        depends: vec![],
        compression: Compression::Gzip,
        epoch: 1_700_000_000,
        application: format!("/srv/{name}/{name}"),
        vcs: BTreeMap::new(),
        has_bill: false,
        share: None,
        companions: vec![],
        changelog: None,
        lifecycle: Box::new(lifecycle(name, manager)),
    };
    let mut blobs: BTreeMap<BlobDigest, Vec<u8>> = BTreeMap::new();
    let mut keep = |bytes: &[u8]| {
        blobs.insert(BlobDigest::of(bytes), bytes.to_vec());
        BlobDigest::of(bytes)
    };
    let mut entry = |path: String, mode: u32, text: &str| {
        let content = Content::File { blob: keep(text.as_bytes()), size: text.len() as u64 };
        Entry { path, mode, content }
    };
    let entries = [
        entry(format!("srv/{name}/bin/serve"), 0o755, &SERVER.replace("VERSION", version)),
        entry(format!("srv/{name}/{name}/service.conf"), 0o644, config),
    ];
    let mut maintainer = MaintainerFiles::default();
    for (script, text) in scripts {
        match format {
            Format::Rpm => maintainer.take_in_scriptlet(script, text.as_bytes()).unwrap(),
            _ => maintainer.take_in(script, text.as_bytes().to_vec()).unwrap(),
        };
    }
    let tree = FileTree::from_entries(entries).unwrap();
    let (tree, maintainer) = enliven(&spec, tree, maintainer, |bytes| Ok(keep(bytes))).unwrap();
    let open = |blob: &BlobDigest, start: u64| {
        let mut bytes = io::Cursor::new(blobs[blob].clone());
        bytes.set_position(start);
        Ok::<_, io::Error>(Box::new(bytes) as Box<dyn Read>)
    };
    let resources = Resources { threads: 1, cache: SegmentCache::none() };
    let write = if format == Format::Rpm { write_rpm } else { write_deb };
    write(&spec, &tree, &maintainer, &open, resources, directory).unwrap();
}

/// What the script of the test installs, in the order of versions; each broken one fails in another script.
fn samples(format: Format) -> Vec<Sample> {
    let sample = |version, config, scripts| Sample { name: "answer", version, config, scripts };
    let broken: [(&str, &str, &str); 4] = match format {
        Format::Rpm => [
            ("3.1", "pre", "#VB#\n[ \"$1\" -lt 2 ] || exit 1\n"),
            ("3.2", "post", "#VB#\nexit 1\n"),
            ("3.3", "preun", "#VB#\n[ \"$1\" -eq 0 ] || exit 1\n"),
            ("3.4", "postun", "#VB#\nexit 1\n"),
        ],
        _ => [
            ("3.1", "preinst", "#!/bin/sh\n#VB#\n[ \"$1\" != upgrade ]\n"),
            ("3.2", "postinst", "#!/bin/sh\nset -e\n#VB#\n[ \"$1\" != configure ]\n"),
            ("3.3", "prerm", "#!/bin/sh\nset -e\n#VB#\n[ \"$1\" != upgrade ]\n"),
            ("3.4", "postrm", "#!/bin/sh\nset -e\n#VB#\n[ \"$1\" != upgrade ]\n"),
        ],
    };
    let stops = match format {
        Format::Rpm => vec![("preun", "#VB#\nstop-answer\n")],
        _ => vec![("prerm", "#!/bin/sh\nset -e\n#VB#\nstop-answer\n")],
    };
    let mut samples = vec![
        sample("1", "first\n", vec![]),
        sample("2", "second\n", vec![]),
        sample("2.5", "second\n", stops),
        sample("4", "fourth\n", vec![]),
        Sample { name: "other", version: "1", config: "other\n", scripts: vec![] },
    ];
    samples.extend(broken.into_iter().map(|(version, script, text)| sample(version, "second\n", vec![(script, text)])));
    samples
}

fn go_through(format: Format, manager: Manager) {
    let directory = tempfile::tempdir().unwrap();
    for sample in samples(format) {
        let of_version = directory.path().join(format!("{}-{}", sample.name, sample.version));
        fs::create_dir(&of_version).unwrap();
        write(&sample, format, manager, &of_version);
    }
    let arguments = ["/bin/sh", "/scripts/transitions.sh", format.as_str(), manager.as_str()];
    let mut spec = test_root("services").spec(&arguments, Identity::Root);
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![scripts(), bind(directory.path(), "/packages", Access::ReadOnly)];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
}

#[test]
fn a_deb_goes_through_every_transition_under_runit() {
    go_through(Format::Deb, Manager::Runit);
}

#[test]
fn a_deb_goes_through_every_transition_under_supervisor() {
    go_through(Format::Deb, Manager::Supervisor);
}

#[test]
fn a_deb_goes_through_every_transition_with_a_recording_systemctl() {
    go_through(Format::Deb, Manager::Systemd);
}

#[test]
fn an_rpm_goes_through_every_transition_under_runit() {
    go_through(Format::Rpm, Manager::Runit);
}

#[test]
fn an_rpm_goes_through_every_transition_under_supervisor() {
    go_through(Format::Rpm, Manager::Supervisor);
}

#[test]
fn an_rpm_goes_through_every_transition_with_a_recording_systemctl() {
    go_through(Format::Rpm, Manager::Systemd);
}
