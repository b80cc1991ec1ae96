//! The archive that the machine's own apt sources name: vb must resolve a request as apt itself does.
//!
//! This needs the network that apt has, and `apt-get`.

#![expect(clippy::unwrap_used, reason = "a broken set-up must fail its test")]

use std::{collections::BTreeSet, path::Path, process::Command, time::SystemTime};

use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{ArchiveLocation, SignedBy, Suite, ValidUntil, load, locate_suite, read_sources, resolve};

const SUITES: [&str; 3] = ["bookworm", "bookworm-updates", "bookworm-security"];

const REQUESTS: [&[&str]; 2] = [
    &["base-files", "base-passwd", "usr-is-merged", "python3.11", "libpq5"],
    &["usr-is-merged", "gcc", "libc6-dev", "python3-dev", "libpq-dev", "gettext", "node-less", "yui-compressor"],
];

#[test]
fn the_machines_own_archive_is_resolved_as_apt_resolves_it() {
    let sources = read_sources(Path::new("/etc/apt")).unwrap();
    let suites = SUITES.map(|name| Suite {
        name: name.to_owned(),
        components: vec!["main".to_owned()],
        locations: locate_suite(&sources, Some("bookworm"), name),
        valid_until: ValidUntil::Checked,
    });
    let fetcher = Fetcher::new(&FetchOptions::default()).unwrap();
    let index = load(&fetcher, &suites, "amd64", SystemTime::now()).unwrap();
    let apt = Apt::new(&suites);
    for request in REQUESTS {
        let request: Vec<String> = request.iter().map(ToString::to_string).collect();
        let ours: BTreeSet<String> = resolve(&index, &request)
            .unwrap()
            .into_iter()
            .map(|package| format!("{} {} {} {}", package.name, package.version, package.size, package.sha256))
            .collect();
        let apts = apt.resolve(&request);
        let only_ours: Vec<_> = ours.difference(&apts).collect();
        let only_apts: Vec<_> = apts.difference(&ours).collect();
        assert!(only_ours.is_empty() && only_apts.is_empty(), "only vb: {only_ours:#?}\nonly apt: {only_apts:#?}");
    }
}

/// An apt with directories of its own, so that neither the machine's packages nor its settings matter.
struct Apt {
    dir: tempfile::TempDir,
}

impl Apt {
    fn new(suites: &[Suite]) -> Self {
        let apt = Self { dir: tempfile::tempdir().unwrap() };
        let dir = apt.dir.path();
        for sub in ["state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"] {
            fs_err::create_dir_all(dir.join(sub)).unwrap();
        }
        fs_err::write(dir.join("state/status"), "").unwrap();
        let lines: String = suites.iter().map(|suite| source_line(suite, &suite.locations[0])).collect();
        fs_err::write(dir.join("etc/sources.list"), lines).unwrap();
        let root = dir.display();
        let settings = format!(
            "Dir \"{root}\"; Dir::State \"{root}/state\"; Dir::State::status \"{root}/state/status\";\n\
             Dir::Cache \"{root}/cache\"; Dir::Etc \"{root}/etc\"; Dir::Etc::main \"/dev/null\";\n\
             Dir::Etc::parts \"{root}/etc/apt.conf.d\"; APT::Architecture \"amd64\"; APT::Architectures \"amd64\";\n\
             APT::Install-Recommends \"false\"; APT::Sandbox::User \"\"; Debug::NoLocking \"true\";\n\
             Acquire::Languages \"none\"; Acquire::ForceHash \"SHA256\"; DPkg::Path \"\";\n\
             pkgCacheGen::ForceEssential \",\";\n"
        );
        fs_err::write(dir.join("apt.conf"), settings).unwrap();
        apt.run(&["-q", "update"]);
        apt
    }

    fn run(&self, args: &[&str]) -> String {
        let output = Command::new("apt-get")
            .args(args)
            .env("APT_CONFIG", self.dir.path().join("apt.conf"))
            .output()
            .expect("this test compares with the real apt: install apt-get");
        assert!(output.status.success(), "apt-get {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns `name version size sha256` for each package that apt would install into an empty system.
    fn resolve(&self, request: &[String]) -> BTreeSet<String> {
        let mut args = vec!["-qq", "-y", "--print-uris", "install", "?essential"];
        args.extend(request.iter().map(String::as_str));
        self.run(&args)
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split_ascii_whitespace().collect();
                let [_, file, size, digest] = words[..] else { panic!("not a line of --print-uris: {line}") };
                let mut parts = file.strip_suffix(".deb").unwrap().split('_');
                let (name, version) = (parts.next().unwrap(), parts.next().unwrap().replace("%3a", ":"));
                format!("{name} {version} {size} {}", digest.strip_prefix("SHA256:").unwrap())
            })
            .collect()
    }
}

fn source_line(suite: &Suite, location: &ArchiveLocation) -> String {
    let keyrings: Vec<String> = location
        .keyrings
        .iter()
        .map(|keyring| match keyring {
            SignedBy::Path(path) => path.display().to_string(),
            other => panic!("the comparison knows keyring files only: {other:?}"),
        })
        .collect();
    let components = suite.components.join(" ");
    format!("deb [signed-by={}] {} {} {components}\n", keyrings.join(","), location.base, suite.name)
}
