//! One pure distribution of sixty gets another version.

use std::time::{SystemTime, UNIX_EPOCH};

use vb_graph::{LockedDistribution, LockedFile};
use vb_recipe::Lock;

use crate::support::{TestEnv, sha256, write_wheel};

const BUILD: [&str; 3] = ["build", "--json", "recipes/hard.ncl"];

#[test]
fn another_version_of_one_of_sixty_distributions_runs_six_actions_and_one_fetch() {
    let env = TestEnv::corpus("hard");
    // Saves a minute.
    env.edit("recipes/platforms/bookworm.ncl", "compression = 'Xz", "compression = 'Zstd");
    env.vb(&BUILD).ok();

    // A text that no earlier run has built: the tests' store stays between runs.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let links = env.directory().join("links");
    fs_err::create_dir(&links).unwrap();
    let wheel = write_wheel(&links, "tabulate", "99.0", &[("tabulate.py", &format!("NUMBER = {now}\n"))]);
    env.edit(
        "recipes/workspace.ncl",
        "  prefix = ",
        &format!("  find_links = [\"{}\"],\n  prefix = ", links.display()),
    );
    let path = env.workspace().join("recipes/hard.lock");
    let mut lock = Lock::read(&path).unwrap();
    let distributions = &mut lock.platforms.get_mut("bookworm").unwrap().distributions;
    assert!(distributions.len() >= 60, "{} distributions", distributions.len());
    let moved = distributions.iter_mut().find(|one| one.distribution.name == "tabulate").unwrap();
    let file = wheel.file_name().unwrap().to_str().unwrap().to_owned();
    moved.distribution = LockedDistribution {
        name: "tabulate".to_owned(),
        version: "99.0".to_owned(),
        file: LockedFile { file, size: None, sha256: sha256(&wheel).parse().unwrap() },
    };
    lock.write(&path).unwrap();

    let run = env.vb(&BUILD).ok();
    // What might be compiled code, by its name, is looked at again: `METADATA` has no suffix.
    let expected = ["environment", "import check", "libraries", "package", "stage", "unpack tabulate"];
    assert_eq!(run.executed_events(), expected.map(|action| format!("hard bookworm {action}")));
    let events = run.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let fetched: Vec<String> = events
        .filter(|event| event["event"] == "finished" && event["kind"] == "fetch" && event["how"] == "executed")
        .map(|event| event["label"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(fetched.len(), 1, "{fetched:?}");
}
