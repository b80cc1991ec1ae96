//! The answers of the RPM solver are those of dnf.

mod universe;

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use fs_err as fs;
use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{ArchiveLocation, SignedBy, rpm};
use vb_testkit::archive::{Key, KeyOptions};

use self::universe::{REQUESTS, packages};
use crate::support::{Run, test_root};

/// Asks dnf, which runs in a root of its own.
const ORACLE: &str = include_str!("dnf_oracle/oracle.py");

/// Requests that are answered in another way, and why.
const DIFFERENCES: &[(&str, &str)] = &[(
    "malformed",
    "libsolv leaves out a rich relation that it cannot read; rpm itself refuses the package, and so does vb",
)];

/// What a request is answered: `name evr arch` of each package, or nothing where it is refused.
type Answer = Option<Vec<String>>;

#[test]
fn every_request_is_answered_as_dnf_answers_it() {
    let directory = tempfile::tempdir().unwrap();
    make_repository(directory.path());
    let expected = ask_dnf(directory.path());
    let answers = ask_vb(directory.path());
    assert!(REQUESTS.len() >= 50 && packages().len() >= 60);
    let differences: BTreeMap<String, (&Answer, &Answer)> = REQUESTS
        .iter()
        .zip(expected.iter().zip(&answers))
        .filter(|(_, (dnf, vb))| dnf != vb)
        .map(|(request, answers)| (request.join(" + "), answers))
        .collect();
    let explained: Vec<&str> = DIFFERENCES.iter().map(|(request, _)| *request).collect();
    let found: Vec<&str> = differences.keys().map(String::as_str).collect();
    assert_eq!(found, explained, "request: (dnf, vb): {differences:#?}");
    let refused = expected.iter().filter(|answer| answer.is_none()).count();
    assert!(refused >= 10 && refused <= REQUESTS.len() / 2, "{refused} requests are refused");
}

/// Writes the packages and has the real createrepo_c make their index, which is signed here.
fn make_repository(directory: &Path) {
    let source = directory.join("source");
    fs::create_dir(&source).unwrap();
    for package in packages() {
        fs::write(source.join(package.file_name()), package.to_rpm()).unwrap();
    }
    let script = "set -e; cp -r /source /tmp/repository; createrepo_c --quiet --no-database /tmp/repository; cd /tmp/repository; \
                  tar -cf - repodata | base64 --wrap=0";
    let run = test_root("rpm").run(&["/bin/sh", "-c", script], &[(&source, "/source")]).ok();
    let archive = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, run.stdout.trim()).unwrap();
    tar::Archive::new(archive.as_slice()).unpack(&source).unwrap();
    let key = Key::generate(KeyOptions::default());
    let repomd = fs::read(source.join("repodata/repomd.xml")).unwrap();
    fs::write(source.join("repodata/repomd.xml.asc"), key.sign(&repomd, 1_700_000_000)).unwrap();
    fs::write(directory.join("key.asc"), key.to_armor()).unwrap();
}

fn ask_dnf(directory: &Path) -> Vec<Answer> {
    let (oracle, requests) = (directory.join("oracle.py"), directory.join("requests.json"));
    fs::write(&oracle, ORACLE).unwrap();
    fs::write(&requests, serde_json::to_vec(REQUESTS).unwrap()).unwrap();
    let shown = [(directory.join("source"), "/repository"), (oracle, "/oracle.py"), (requests, "/requests.json")];
    let shown: Vec<(&Path, &str)> = shown.iter().map(|(source, target)| (source.as_path(), *target)).collect();
    let argv = ["/usr/bin/python3", "/oracle.py", "/repository", "/requests.json"];
    let run: Run = test_root("rpm").run(&argv, &shown).ok();
    let answers = run.stdout.lines().filter(|line| line.starts_with('[') || *line == "null");
    let answers: Vec<Answer> = answers.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), REQUESTS.len(), "{}", run.stdout);
    answers
}

fn ask_vb(directory: &Path) -> Vec<Answer> {
    let fetcher = Fetcher::new(&FetchOptions::default()).unwrap();
    let location = ArchiveLocation {
        base: directory.join("source").to_str().unwrap().to_owned(),
        keyrings: vec![SignedBy::Path(directory.join("key.asc"))],
    };
    let repository = rpm::Repository { name: "fixture".to_owned(), locations: vec![location], known_date: None };
    let mut index = rpm::load(&fetcher, &[repository], "x86_64", SystemTime::now()).unwrap();
    let answer = |request: &&[&str]| -> Answer {
        let request: Vec<String> = request.iter().map(|word| (*word).to_owned()).collect();
        match rpm::resolve(&mut index, &fetcher, &request) {
            Ok(locked) => {
                let line = |package: vb_graph::LockedPackage| {
                    format!("{} {} {}", package.name, package.version, package.architecture)
                };
                let mut lines: Vec<String> = locked.into_iter().map(line).collect();
                lines.sort();
                Some(lines)
            }
            Err(rpm::ResolveError::Files { source }) => panic!("{source:?}"),
            Err(_) => None,
        }
    };
    REQUESTS.iter().map(answer).collect()
}
