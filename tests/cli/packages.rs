//! `vb inspect` and `vb diff`: packages of all formats looked into, without dpkg or rpm.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Run, TestEnv};

const FORMATS: [&str; 3] =
    ["vrmd-whois_1.0.0_amd64.deb", "vrmd-whois-1.0.0-1.x86_64.rpm", "vrmd-whois_1.0.0_amd64.tar.zst"];

/// A whois with a script of each format.
fn whois() -> TestEnv {
    let env = TestEnv::new();
    env.write("recipes/apps/whois/debian/preinst", "#!/bin/sh\nset -e\n");
    env.write("recipes/apps/whois/rpm/pretrans", "echo one\n");
    env
}

/// Builds it in all formats.
fn build(env: &TestEnv) {
    env.vb(&["build", "recipes/whois.ncl", "--format", "deb,rpm,tar"]).ok();
}

/// A whois that has another text, a directory more, and other scripts.
fn changed() -> TestEnv {
    let env = whois();
    env.edit("recipes/apps/whois/whois_server/protocol.py", "No match for", "Nothing known of");
    env.edit("recipes/apps/whois/debian/preinst", "set -e\n", "set -e\n# Of the next version.\n");
    env.write("recipes/apps/whois/new/file.txt", "new\n");
    env.edit("recipes/apps/whois/rpm/pretrans", "one", "two");
    env.edit("recipes/apps/whois/debian/changelog", "\n -- ", "  * Of another time.\n\n -- ");
    env.commit();
    build(&env);
    env
}

/// Runs vb where no other program can be found.
fn alone(env: &TestEnv, arguments: &[&str]) -> Run {
    let run = Run::of(env.command(arguments).env("PATH", "/nonexistent"));
    let is_diff = arguments[0] == "diff";
    let is_same = run.stdout.contains("nothing else differs");
    if is_diff && !is_same { run.expect(1) } else { run.ok() }
}

fn json(env: &TestEnv, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&alone(env, &arguments).stdout).unwrap()
}

fn path(env: &TestEnv, name: &str) -> PathBuf {
    env.workspace().join("dist/bookworm").join(name)
}

#[test]
fn a_package_of_each_format_is_looked_into_and_all_tell_the_same_files() {
    let env = whois();
    build(&env);
    let mut listed = Vec::new();
    for name in FORMATS {
        let package = format!("dist/bookworm/{name}");
        let facts = json(&env, &["inspect", &package]);
        assert_eq!(facts["name"], "vrmd-whois", "{name}");
        assert_eq!(facts["fields"]["summary"], "WHOIS server with a PostgreSQL table behind it");
        assert_eq!(facts["distributions"]["psycopg2"].as_str().map(|version| version.starts_with("2.")), Some(true));
        let kind = if name.ends_with(".deb") { "depends" } else { "requires" };
        let relations = facts["relations"][kind].as_array().unwrap();
        assert!(relations.iter().any(|name| name.as_str().unwrap().starts_with("libpq5")), "{facts:#}");
        let files = facts["files"].as_object().unwrap();
        let own = files.iter().filter(|(path, _)| path.starts_with("/vrmd/"));
        listed.push(own.map(|(path, file)| (path.clone(), file.clone())).collect::<Vec<_>>());

        let shown = alone(&env, &["inspect", &package, "--files", "--scripts"]).stdout;
        assert!(shown.contains("/vrmd/whois/whois/whois_server/protocol.py\n"), "{shown}");
        assert!(shown.contains("  python       ") && shown.contains("largest directories"), "{shown}");
    }
    assert!(listed[0].len() > 1000);
    assert!(listed[0] == listed[1] && listed[1] == listed[2]);
}

/// Bytecode holds the time of its source's digest, and the changelog is compared by itself.
fn is_left_out(path: &str) -> bool {
    path.ends_with(".pyc") || path.ends_with("/changelog.gz")
}

#[test]
fn a_difference_is_what_was_changed_and_nothing_else() {
    let (first, second) = (whois(), changed());
    build(&first);
    for name in FORMATS {
        let (old, new) = (path(&first, name), path(&second, name));
        let diff = json(&first, &["diff", old.to_str().unwrap(), new.to_str().unwrap()]);
        let files: Vec<&String> = diff["files"].as_object().unwrap().keys().filter(|path| !is_left_out(path)).collect();
        let changelog = diff["changelog"]["new"].as_str().unwrap_or_default();
        assert!(changelog.contains("Of another time."), "{name}: {diff:#}");
        let own = "/vrmd/whois/whois";
        let expect = [format!("{own}/new"), format!("{own}/new/file.txt"), format!("{own}/whois_server/protocol.py")];
        assert_eq!(files, expect.iter().collect::<Vec<_>>(), "{name}");
        let script = if name.ends_with(".deb") { "preinst" } else { "pretrans" };
        assert_eq!(diff["scripts"].get(script).is_some(), !name.ends_with(".zst"), "{name}");
        assert_eq!(diff["distributions"], serde_json::json!({}));
        let shown = alone(&first, &["diff", old.to_str().unwrap(), new.to_str().unwrap()]).stdout;
        assert!(shown.contains("  + /vrmd/whois/whois/new  1 file, 4 B\n"), "{shown}");
        assert!(shown.contains("paths: 2 added, 0 removed, "), "{shown}");
        assert!(
            shown.contains("    +   * Of another time.\n") || shown.contains("    + - Of another time.\n"),
            "{shown}"
        );
    }
    let deb = path(&first, FORMATS[0]);
    let same = alone(&first, &["diff", deb.to_str().unwrap(), deb.to_str().unwrap()]).stdout;
    assert!(same.contains("nothing else differs"), "{same}");
}

#[test]
fn a_package_is_compared_with_what_a_channel_has() {
    let (first, second) = (whois(), changed());
    build(&first);
    first.vb(&["key", "new", "key.asc", "--user", "test <test@example.org>"]).ok();
    first.vb(&["repo", "init", "repo", "--key", "key.asc"]).ok();
    first
        .vb(&[
            "repo",
            "add",
            "repo",
            "dist/bookworm/vrmd-whois_1.0.0_amd64.deb",
            "--platform",
            "bookworm",
            "--key",
            "key.asc",
        ])
        .ok();
    let new = path(&second, FORMATS[0]);
    let arguments = ["diff", "bookworm/development", new.to_str().unwrap(), "--repo", "repo"];
    let shown = alone(&first, &arguments).stdout;
    assert!(shown.contains("~ preinst\n") && shown.contains("    + # Of the next version.\n"), "{shown}");
    let none = first.vb(&["diff", "bookworm/production", new.to_str().unwrap(), "--repo", "repo"]).expect(2);
    assert!(none.stderr.contains("vb::repo::no_package"), "{}", none.stderr);
    let no_package = first.vb(&["inspect", "recipes/whois.ncl"]).expect(2);
    assert!(no_package.stderr.contains("vb::package::unreadable"), "{}", no_package.stderr);
}
