//! Every transition of a package with a service, through the real dpkg and the real rpm, on a machine with all users: with
//! runit and Supervisor as processes, and with systemd as its first one. Where the kernel or the container that the tests
//! run in allows no machine, users are pretended, a systemctl that records what it is asked takes systemd's place, and the
//! test says so.
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
use vb_sandbox::{Access, Filter, HostPath, Identity, Root, Spec, Upper};

use crate::support::{bind, run_spec, scripts, systemd_refusal, test_root};

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

/// The same, but its status is that of a failure when it is stopped.
const UNWILLING: &str = r#"#!/usr/bin/perl
use strict;
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die $!;
$SIG{TERM} = sub { sleep 1; exit 3 };
while (1) {
    my $client = $listener->accept() or next;
    print $client "VERSION $$ unwilling\n";
    close($client);
}
"#;

/// What starts the service, and looks after it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stage {
    manager: Manager,
    users: Users,
}

/// Whom a service can be started as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Users {
    /// Those of a machine, whose first process is systemd where that is the manager.
    Real,
    /// One that calls itself by any name; a systemctl that records what it is asked stands in for systemd.
    Pretended,
}

impl Stage {
    fn of(manager: Manager) -> Self {
        let users = if systemd_refusal().is_none() { Users::Real } else { Users::Pretended };
        Self { manager, users }
    }

    fn is_booted(self) -> bool {
        self.manager == Manager::Systemd && self.users == Users::Real
    }

    /// What the script calls it.
    fn as_str(self) -> &'static str {
        match self {
            Self { manager: Manager::Systemd, users: Users::Pretended } => "stand-in",
            Self { manager, .. } => manager.as_str(),
        }
    }

    /// The ports of the two services. A sandbox has no user that might take one that is reserved.
    fn ports(self) -> [&'static str; 2] {
        if self.users == Users::Real { ["43", "44"] } else { ["4343", "4344"] }
    }
}

/// How a package says what it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Declared(OnUpgrade),
    /// By a unit or a run script, and by scripts that somebody wrote.
    ByHand,
}

/// A package of the service, in one version.
struct Sample {
    name: &'static str,
    version: &'static str,
    config: &'static str,
    /// Hand-written scripts of `debian/` or `rpm/`.
    scripts: Vec<(&'static str, &'static str)>,
    form: Form,
    restart: Restart,
    server: &'static str,
}

fn lifecycle(sample: &Sample, stage: Stage, on_upgrade: OnUpgrade) -> Lifecycle {
    let Sample { name, version, restart, .. } = *sample;
    let port = stage.ports()[usize::from(name != "answer")];
    let (prefix, config) = (format!("/srv/{name}"), format!("/etc/{name}/{name}.conf"));
    Lifecycle {
        services: vec![Service {
            name: name.to_owned(),
            description: format!("{name} {version}"),
            managers: vec![stage.manager],
            exec: vec![format!("{prefix}/bin/serve"), port.to_owned(), config.clone()],
            reload: vec![],
            user: name.to_owned(),
            group: None,
            directory: prefix.clone(),
            environment: BTreeMap::from([("GREETING".to_owned(), "a b".to_owned())]),
            capabilities: if stage.users == Users::Real { vec!["CAP_NET_BIND_SERVICE".to_owned()] } else { vec![] },
            limits: BTreeMap::from([("nofile".to_owned(), 512)]),
            after: vec![],
            restart,
            stop_seconds: 5,
            is_enabled: true,
            on_upgrade,
            systemd: BTreeMap::new(),
        }],
        users: vec![User {
            name: name.to_owned(),
            groups: vec!["adm".to_owned()],
            home: prefix.clone(),
            shell: "/bin/false".to_owned(),
            comment: "a test".to_owned(),
        }],
        directories: [
            (format!("/var/lib/{name}"), name, None),
            (format!("/etc/{name}"), "root", Some(name.to_owned())),
        ]
        .map(|(path, owner, group)| OwnedDirectory {
            path,
            owner: owner.to_owned(),
            group,
            mode: 0o750,
            is_purged: true,
        })
        .into(),
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

fn write(sample: &Sample, format: Format, stage: Stage, directory: &Path) {
    let Sample { name, version, config, scripts, form, server, .. } = sample;
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
        companions: vec![],
        changelog: None,
        lifecycle: Box::new(match form {
            Form::Declared(on_upgrade) => lifecycle(sample, stage, *on_upgrade),
            Form::ByHand => Lifecycle::default(),
        }),
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
    let mut entries = vec![
        entry(format!("srv/{name}/bin/serve"), 0o755, &server.replace("VERSION", version)),
        entry(format!("srv/{name}/{name}/service.conf"), 0o644, config),
    ];
    if *form == Form::ByHand {
        entries.push(entry(format!("etc/{name}/{name}.conf"), 0o644, config));
        entries.extend(by_hand(stage).into_iter().map(|(path, mode, text)| entry(path.to_owned(), mode, &text)));
        if stage.manager == Manager::Runit {
            // runsv's state, which would be left in the package's own directory otherwise.
            let content = Content::Symlink { target: "/run/answer-by-hand".to_owned() };
            entries.push(Entry { path: "srv/answer/answer/runit/answer/supervise".to_owned(), mode: 0o777, content });
        }
    }
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
fn samples(format: Format, stage: Stage) -> Vec<Sample> {
    let declared = Form::Declared(OnUpgrade::Restart);
    let (restart, server) = (Restart::Always, SERVER);
    let sample =
        |version, config, scripts| Sample { name: "answer", version, config, scripts, form: declared, restart, server };
    let other = |version, scripts| Sample {
        name: "other",
        version,
        config: "other\n",
        scripts,
        form: Form::Declared(OnUpgrade::Leave),
        restart,
        server,
    };
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
        other("1", vec![]),
        other("2", vec![]),
        Sample {
            name: "answer",
            version: "0",
            config: "old\n",
            scripts: by_hand_scripts(format, stage),
            form: Form::ByHand,
            restart,
            server,
        },
        Sample { restart: Restart::Never, ..sample("2.7", "second\n", vec![]) },
        // systemd alone knows a failure of what it does not start again.
        Sample {
            restart: if stage.manager == Manager::Systemd { Restart::Never } else { Restart::Always },
            server: "#!/usr/bin/perl\ndie 'it fails';\n",
            ..sample("2.8", "second\n", vec![])
        },
        Sample { server: UNWILLING, ..sample("2.9", "second\n", vec![]) },
    ];
    samples.extend(broken.into_iter().map(|(version, script, text)| sample(version, "second\n", vec![(script, text)])));
    samples
}

/// Returns what a package by hand has for its service: path, mode and text.
fn by_hand(stage: Stage) -> Vec<(&'static str, u32, String)> {
    let command = format!("/srv/answer/bin/serve {} /etc/answer/answer.conf", stage.ports()[0]);
    match stage.manager {
        Manager::Runit => {
            vec![("srv/answer/answer/runit/answer/run", 0o755, format!("#!/bin/sh\nexec 2>&1\nexec {command}\n"))]
        }
        Manager::Supervisor => {
            vec![("etc/supervisor/conf.d/answer.conf", 0o644, format!("[program:answer]\ncommand={command}\n"))]
        }
        Manager::Systemd => {
            let unit = format!("[Service]\nExecStart={command}\n\n[Install]\nWantedBy=multi-user.target\n");
            vec![("etc/systemd/system/answer.service", 0o644, unit)]
        }
    }
}

/// As packages have them that were written before anything was declared: they stop the service in every upgrade.
fn by_hand_scripts(format: Format, stage: Stage) -> Vec<(&'static str, &'static str)> {
    match (format, stage.manager) {
        (Format::Rpm, Manager::Runit) => vec![
            ("post", "ln -sfn /srv/answer/answer/runit/answer /etc/service/answer\n"),
            (
                "preun",
                "[ \"$1\" -gt 0 ] || { rm -f /etc/service/answer; sv force-shutdown /srv/answer/answer/runit/answer; }\n",
            ),
        ],
        (Format::Rpm, Manager::Supervisor) => vec![
            ("post", "supervisorctl update answer\n"),
            ("preun", "[ \"$1\" -gt 0 ] || supervisorctl stop answer\n"),
        ],
        (Format::Rpm, Manager::Systemd) => vec![
            ("post", "systemctl daemon-reload\nsystemctl enable answer.service\nsystemctl start answer.service\n"),
            ("preun", "[ \"$1\" -gt 0 ] || systemctl --no-reload disable --now answer.service\n"),
            ("postun", "systemctl daemon-reload\n[ \"$1\" -lt 1 ] || systemctl try-restart answer.service\n"),
        ],
        (_, Manager::Runit) => vec![
            ("postinst", "#!/bin/sh\nset -e\nln -sfn /srv/answer/answer/runit/answer /etc/service/answer\n"),
            (
                "prerm",
                "#!/bin/sh\nset -e\nrm -f /etc/service/answer\nsv -w 10 force-shutdown /srv/answer/answer/runit/answer || true\n",
            ),
        ],
        (_, Manager::Supervisor) => vec![
            ("postinst", "#!/bin/sh\nset -e\nsupervisorctl update answer\n"),
            ("prerm", "#!/bin/sh\nset -e\nsupervisorctl stop answer\n"),
        ],
        (_, Manager::Systemd) => vec![
            (
                "postinst",
                "#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl enable answer.service\nsystemctl restart answer.service\n",
            ),
            ("prerm", "#!/bin/sh\nset -e\nsystemctl stop answer.service\n"),
            ("postrm", "#!/bin/sh\nset -e\nsystemctl daemon-reload\n"),
        ],
    }
}

fn go_through(format: Format, stage: Stage) {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    for sample in samples(format, stage) {
        write(&sample, format, stage, &make(&format!("packages/{}-{}", sample.name, sample.version)));
    }
    let spec = |part: &str, identity| {
        let [port, other_port] = stage.ports();
        let users = if stage.users == Users::Real { "real" } else { "pretended" };
        let script = "/scripts/transitions.sh";
        let words = ["/bin/sh", script, format.as_str(), stage.as_str(), part, port, other_port, users];
        let mut spec = test_root("services").spec(&words, identity);
        spec.binds = vec![scripts(), bind(&directory.path().join("packages"), "/packages", Access::ReadOnly)];
        spec
    };
    if stage.is_booted() {
        // The writes of one machine are what the other one boots with.
        let host = |path| HostPath::new(path).unwrap();
        let upper = Upper::Keep { upper: host(&make("upper")), work: host(&make("work")) };
        fs::create_dir(directory.path().join("upper/etc")).unwrap();
        // Without it, systemd would set up a machine that has never been booted.
        fs::write(directory.path().join("upper/etc/machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
        let machine = |part, first: &[&str]| {
            let first = first.iter().map(|word| (*word).to_owned()).collect();
            let mut spec = spec(part, Identity::Machine { first });
            let Root::Layers { upper: to, .. } = &mut spec.root else { unreachable!("a test's root has layers") };
            *to = upper.clone();
            // Debian's rpm has its database there, and what is in `/tmp` does not outlive a machine.
            spec.env.insert("HOME".to_owned(), "/root".to_owned());
            spec
        };
        expect_done(&machine("off", &["/bin/sleep", "infinity"]));
        expect_done(&machine("on", &["/lib/systemd/systemd", "--unit=multi-user.target"]));
    } else if stage.users == Users::Real {
        let reaper = ["/usr/bin/perl", "-e", "while (1) { wait() < 0 and sleep 1 }"].map(str::to_owned);
        expect_done(&spec("off on", Identity::Machine { first: reaper.into() }));
    } else {
        let mut spec = spec("off on", Identity::Root);
        spec.filter = Filter::PretendOwnership;
        expect_done(&spec);
    }
}

fn expect_done(spec: &Spec) {
    let run = run_spec(spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
}

#[test]
fn a_deb_goes_through_every_transition_under_runit() {
    go_through(Format::Deb, Stage::of(Manager::Runit));
}

#[test]
fn a_deb_goes_through_every_transition_under_supervisor() {
    go_through(Format::Deb, Stage::of(Manager::Supervisor));
}

#[test]
fn a_deb_goes_through_every_transition_under_systemd() {
    go_through(Format::Deb, Stage::of(Manager::Systemd));
}

#[test]
fn an_rpm_goes_through_every_transition_under_runit() {
    go_through(Format::Rpm, Stage::of(Manager::Runit));
}

#[test]
fn an_rpm_goes_through_every_transition_under_supervisor() {
    go_through(Format::Rpm, Stage::of(Manager::Supervisor));
}

#[test]
fn an_rpm_goes_through_every_transition_under_systemd() {
    go_through(Format::Rpm, Stage::of(Manager::Systemd));
}
