//! The resolver against apt itself: the same packages for the same requests, over the real archive's indexes.
//!
//! Both read the same signed files, which are fetched once. Where the answers differ, the request must be in the list of
//! differences; `docs/resolver.md` explains them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    time::{Duration, SystemTime},
};

use fs_err as fs;
use tempfile::TempDir;
use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{
    ArchiveLocation, Index, IndexError, IndexMemory, Resolver, SignedBy, Suite, ValidUntil, load, locate_suite,
    read_sources,
};
use vb_sandbox::{Access, Identity};

use crate::support::{TestRoot, bind, run_spec, test_root};

/// How many requests must have the same answer.
const ENOUGH: usize = 200;

/// Two whole comparisons may share a slow machine.
const TIMEOUT: Duration = Duration::from_secs(1500);

/// Why an answer differs.
#[derive(Clone, Copy, Debug)]
enum Reason {
    /// Of several alternatives apt takes the first that it meets, depth first; vb decides when all is known that is
    /// needed in any case.
    Order,
    /// Of several providers of the same priority apt takes the one that its cache has first, vb the first by name.
    Provider,
}

/// What differs on both releases.
const DIFFERENCES: &[(&str, Reason)] = &[
    ("mariadb-server", Reason::Order),
    ("gimp", Reason::Order),
    ("libgdal-dev", Reason::Order),
    ("python3-django", Reason::Order),
    ("httpd", Reason::Provider),
    ("mail-transport-agent", Reason::Provider),
    ("c-compiler", Reason::Provider),
    ("java-runtime", Reason::Provider),
];

#[test]
fn bookworm_is_resolved_as_apt_resolves_it() {
    compare("bookworm", &[]);
}

#[test]
fn trixie_is_resolved_as_apt_resolves_it() {
    let own = [
        ("devscripts", Reason::Provider),
        ("python3-gunicorn", Reason::Order),
        ("podman", Reason::Order),
        ("libvirt-daemon", Reason::Order),
    ];
    compare("trixie", &own);
}

/// `name version size sha256` of each package.
type Answer = BTreeSet<String>;

fn compare(codename: &str, own_differences: &[(&str, Reason)]) {
    let archive = Indexes::fetch(codename);
    let index = archive.load().unwrap();
    let resolver = Resolver::new(&index, &[]).unwrap();
    let requests = requests();
    let apt = Apt { root: test_root("server"), archive: &archive };
    let apts = apt.answers(&requests.iter().map(|request| request.to_arguments(&index)).collect::<Vec<_>>());

    let known: BTreeMap<&str, Reason> = DIFFERENCES.iter().chain(own_differences).copied().collect();
    let (mut same, mut unknown) = (0, String::new());
    for (request, apts) in requests.iter().zip(apts) {
        let ours = resolver.resolve(&request.relations()).ok().map(|packages| packages.iter().map(line).collect());
        match (ours, apts) {
            (ours, apts) if ours == apts => same += 1,
            (Some(_), Some(_)) if known.contains_key(request.text.as_str()) => {}
            (ours, apts) => describe(&mut unknown, request, ours.as_ref(), apts.as_ref()),
        }
    }
    assert!(unknown.is_empty(), "{codename}: {same} of {} are the same, but:\n{unknown}", requests.len());
    assert!(same >= ENOUGH, "only {same} of {} requests have the same answer", requests.len());
}

fn describe(text: &mut String, request: &Request, ours: Option<&Answer>, apts: Option<&Answer>) {
    let empty = Answer::new();
    let (ours, apts) = (ours.unwrap_or(&empty), apts.unwrap_or(&empty));
    let names = |one: &Answer, other: &Answer| -> Vec<String> {
        one.difference(other).take(12).map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    let (only_ours, only_apts) = (names(ours, apts), names(apts, ours));
    writeln!(text, "`{}`: {} and {} packages", request.text, ours.len(), apts.len()).unwrap();
    writeln!(text, "  only vb:  {only_ours:?}\n  only apt: {only_apts:?}").unwrap();
}

/// One line of the lists of requests.
struct Request {
    text: String,
    is_relation: bool,
}

fn requests() -> Vec<Request> {
    let lines = |text: &str, is_relation| {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| Request { text: line.to_owned(), is_relation }).collect::<Vec<_>>()
    };
    let mut requests = lines(include_str!("apt_oracle/requests.txt"), false);
    requests.extend(lines(include_str!("apt_oracle/relations.txt"), true));
    requests
}

impl Request {
    fn relations(&self) -> Vec<String> {
        self.text.split(", ").map(str::to_owned).collect()
    }

    /// Returns what apt is to do: install names and what is essential, or satisfy relations.
    fn to_arguments(&self, index: &Index) -> Vec<String> {
        if self.is_relation {
            let packages = index.packages().iter().filter(|package| package.is_essential);
            let names: BTreeSet<&str> = packages.map(|package| package.name.as_str()).collect();
            let essential = names.into_iter().collect::<Vec<_>>().join(", ");
            return vec!["satisfy".to_owned(), format!("{essential}, {}", self.text)];
        }
        let mut arguments = vec!["install".to_owned(), "?essential".to_owned()];
        arguments.extend(self.relations());
        arguments
    }
}

fn line(package: &vb_graph::LockedPackage) -> String {
    format!("{} {} {} {}", package.name, package.version, package.size, package.sha256)
}

/// The signed indexes of a release, as files of an archive without packages.
struct Indexes {
    directory: TempDir,
    suites: Vec<Suite>,
}

impl Indexes {
    fn fetch(codename: &str) -> Self {
        let sources = read_sources(Path::new("/etc/apt")).unwrap();
        let os_release = fs::read_to_string("/etc/os-release").unwrap();
        let host = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
        let names = ["", "-updates", "-security"].map(|part| format!("{codename}{part}"));
        let located = names.map(|name| (locate_suite(&sources, host, &name), name));
        let fetcher = Fetcher::new(&FetchOptions::default()).unwrap();
        // The archive may be published between two files of it; a second time it is not.
        let mut attempts = (0..2).map(|_| Self::fetch_once(&fetcher, &located));
        attempts.find(|indexes| !matches!(indexes.load(), Err(IndexError::Mismatch { .. }))).unwrap()
    }

    fn fetch_once(fetcher: &Fetcher, located: &[(Vec<ArchiveLocation>, String)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let suites = located.iter().map(|(locations, name)| {
            let dist = directory.path().join("dists").join(name);
            fs::create_dir_all(dist.join("main/binary-amd64")).unwrap();
            let location = locations.first().unwrap_or_else(|| panic!("apt's sources do not lead to `{name}`"));
            for file in ["InRelease", "main/binary-amd64/Packages.xz"] {
                let bytes = fetcher.get(&format!("{}/dists/{name}/{file}", location.base)).unwrap();
                fs::write(dist.join(file), bytes).unwrap();
            }
            let base = directory.path().to_str().unwrap().to_owned();
            Suite {
                name: name.clone(),
                components: vec!["main".to_owned()],
                locations: vec![ArchiveLocation { base, keyrings: location.keyrings.clone() }],
                valid_until: ValidUntil::Ignored,
                known_date: None,
            }
        });
        let suites = suites.collect();
        Self { directory, suites }
    }

    fn load(&self) -> Result<Index, IndexError> {
        let fetcher = Fetcher::new(&FetchOptions::default()).unwrap();
        load(&fetcher, &self.suites, "amd64", SystemTime::now(), IndexMemory::none())
    }

    /// Returns the apt sources for these files where they are shown at `/archive`, and the keyrings that they name.
    fn sources(&self) -> (String, BTreeSet<&Path>) {
        let (mut text, mut keyrings) = (String::new(), BTreeSet::new());
        for suite in &self.suites {
            let mut paths = Vec::new();
            for keyring in &suite.locations[0].keyrings {
                let SignedBy::Path(path) = keyring else { panic!("only keyring files are compared: {keyring:?}") };
                keyrings.insert(path.as_path());
                paths.push(path.display().to_string());
            }
            let options = format!("signed-by={} check-valid-until=no", paths.join(","));
            writeln!(text, "deb [{options}] file:/archive {} main", suite.name).unwrap();
        }
        (text, keyrings)
    }
}

/// An apt in a sandbox, with an empty system of its own.
struct Apt<'a> {
    root: TestRoot,
    archive: &'a Indexes,
}

impl Apt<'_> {
    /// Returns what apt would install for each list of arguments; nothing where it refuses.
    fn answers(&self, requests: &[Vec<String>]) -> Vec<Option<Answer>> {
        let input = tempfile::tempdir().unwrap();
        let (sources, keyrings) = self.archive.sources();
        fs::write(input.path().join("sources.list"), sources).unwrap();
        fs::write(input.path().join("apt.conf"), include_str!("apt_oracle/apt.conf")).unwrap();
        fs::write(input.path().join("run.sh"), include_str!("apt_oracle/run.sh")).unwrap();
        let lines: String = requests.iter().map(|arguments| arguments.join("\t") + "\n").collect();
        fs::write(input.path().join("requests"), lines).unwrap();

        let mut spec = self.root.spec(&["/bin/sh", "/input/run.sh"], Identity::User);
        spec.binds.push(bind(self.archive.directory.path(), "/archive", Access::ReadOnly));
        spec.binds.push(bind(input.path(), "/input", Access::ReadOnly));
        let shown = |path: &Path| bind(path, path.to_str().unwrap(), Access::ReadOnly);
        spec.binds.extend(keyrings.into_iter().map(shown));
        spec.timeout = Some(TIMEOUT);
        let run = run_spec(&spec);
        assert_eq!(run.code, 0, "{}", run.stdout);
        let answers: Vec<Option<Answer>> = run.stdout.split("# request\n").skip(1).map(read_answer).collect();
        assert_eq!(answers.len(), requests.len(), "{}", run.stdout);
        answers
    }
}

/// Reads the lines of `--print-uris`: `'location' name_version_architecture.deb size SHA256:digest`.
fn read_answer(text: &str) -> Option<Answer> {
    if text.contains("# refused\n") {
        return None;
    }
    let lines = text.lines().filter(|line| line.starts_with('\''));
    let answer = lines.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, file, size, digest] = words[..] else { panic!("not a line of --print-uris: {line}") };
        let parts: Vec<&str> = file.split('_').collect();
        let digest = digest.strip_prefix("SHA256:").unwrap();
        format!("{} {} {size} {digest}", parts[0], parts[1].replace("%3a", ":"))
    });
    Some(answer.collect())
}
