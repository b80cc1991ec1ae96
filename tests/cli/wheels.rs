//! Directories of wheels: as an index, and written out for pip.

use std::path::Path;

use fs_err as fs;

use crate::support::{Desk, TestEnv, TestRoot, test_output};

const PIP: &str = "s3-server bookworm-python unpack pip";

#[test]
fn a_directory_of_wheels_is_an_index_for_the_names_that_are_bound_to_it() {
    let desk = Desk::new(", directory = \"../private\"");
    desk.run(&["lock", Desk::RECIPE], "").ok();
    assert_eq!(desk.locked(), ["acme-base 1.0 company", "acme-tool 1.0 company", "one 1.0 -"]);
    assert_eq!(desk.public.asked(), ["one"]);
    desk.run(&["fetch", Desk::RECIPE], "").ok();
    // What is in a directory of this machine needs no network.
    desk.run(&["build", "--offline", Desk::RECIPE], "").ok();
}

#[test]
fn pip_installs_from_the_wheels_that_are_exported() {
    let env = TestEnv::new();
    let run = env.vb(&["wheels", "export", "wheels", "recipes/whois.ncl"]).ok();
    let directory = env.workspace().join("wheels");
    let mut names: Vec<String> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let printed: Vec<String> = names.iter().map(|name| format!("wheels/{name}")).collect();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), printed);
    let compiled = "psycopg2-2.9.13-cp311-cp311-linux_x86_64.whl";
    assert!(names.iter().any(|name| name == compiled), "{names:?}");

    let root = env.vb(&["output", "recipes/whois.ncl", "whois bookworm root run"]).ok();
    let root = TestRoot::of(Path::new(root.stdout.trim()));
    let pip = test_output("s3-server", PIP);
    let packages = pip.tree().join("lib/python3.11/site-packages");
    let requirements = env.workspace().join("recipes/apps/whois/requirements.txt");
    let script = "PYTHONPATH=/pip python3.11 -m pip install --no-index --find-links /wheels --target /tmp/env \
                  -r /requirements.txt && PYTHONPATH=/tmp/env python3.11 -c 'import psycopg2, structlog, yaml, twisted'";
    root.run(
        &["sh", "-euc", script],
        &[(&directory, "/wheels"), (&packages, "/pip"), (&requirements, "/requirements.txt")],
    )
    .ok();
}
