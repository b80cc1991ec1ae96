//! `vb lock`: the answers that it writes, and those that it cannot give.

use expect_test::{Expect, expect};

use crate::support::{Mirror, TestEnv, redact, write_hello, write_wheel};

const LOCK: &str = "recipes/whois.lock";

/// A workspace with a mirror of its own, so that nothing moves between two runs.
fn mirrored() -> (TestEnv, Mirror) {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
    mirror.use_in(&env);
    (env, mirror)
}

/// Compares what is told after the progress.
fn check_failure(env: &TestEnv, expected: &Expect) {
    let before = env.read(LOCK);
    let run = env.vb(&["lock", "recipes/whois.ncl"]).expect(3);
    assert_eq!(run.stdout, "");
    assert_eq!(env.read(LOCK), before, "a lock is written whole or not at all");
    let is_progress = |line: &&str| ["lock ", "run ", "done ", "wait "].iter().any(|word| line.starts_with(word));
    let told: String = run.stderr.lines().filter(|line| !is_progress(line)).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&redact(env, &told));
}

#[test]
fn the_same_index_gives_the_same_bytes_and_no_place_of_it() {
    let (env, _mirror) = mirrored();
    let run = env.vb(&["lock", "recipes/whois.ncl"]).ok();
    assert_eq!(run.stdout, "recipes/whois.lock\n");
    let first = env.read(LOCK);
    let again = env.vb(&["lock", "--all", "--json"]).ok();
    assert_eq!(env.read(LOCK), first);
    let events: Vec<serde_json::Value> = again.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let paths: Vec<_> = events.iter().filter(|event| event["event"] == "lock").map(|event| &event["path"]).collect();
    assert!(paths.contains(&&serde_json::json!("recipes/whois.lock")), "{}", again.stdout);
    assert!(!first.contains("://") && !first.contains("/tmp"), "{first}");
}

#[test]
fn a_mirror_of_a_lock_gives_the_lock_again() {
    let (env, _mirror) = mirrored();
    let committed = env.read(LOCK);
    env.write(LOCK, "");
    env.vb(&["lock", "recipes/whois.ncl"]).ok();
    assert_eq!(env.read(LOCK), committed);
}

#[test]
fn the_lock_of_the_machines_own_indexes_names_no_host() {
    let env = TestEnv::new();
    env.vb(&["lock", "recipes/whois.ncl"]).ok();
    assert!(!env.read(LOCK).contains("://"));
    let request = |text: &str| text.split("[bookworm.archive]").next().unwrap().to_owned();
    let committed = fs_err::read_to_string(crate::support::repository().join(LOCK)).unwrap();
    assert_eq!(request(&env.read(LOCK)), request(&committed));
}

#[test]
fn an_unknown_package_is_told_with_its_place_and_a_likely_name() {
    let (env, _mirror) = mirrored();
    env.edit("recipes/whois.ncl", "[\"adduser\", \"libpq5\", \"runit\"]", "[\"adduser\", \"libpq55\", \"runit\"]");
    check_failure(
        &env,
        &expect![[r#"
        vb::lock::packages

          x cannot resolve the packages of `recipes/whois.ncl:19` for `bookworm`
          `-> no package is named `libpq55`, did you mean `libpq5`?
          help: change `run_deps` in the recipe
    "#]],
    );
}

#[test]
fn an_unknown_package_of_the_tests_is_told_with_its_field() {
    let (env, _mirror) = mirrored();
    env.edit("recipes/whois.ncl", "test_deps = [\"systemd\"]", "test_deps = [\"sytemd\"]");
    check_failure(
        &env,
        &expect![[r#"
        vb::lock::packages

          x cannot resolve the packages of `recipes/whois.ncl:40` for `bookworm`
          `-> no package is named `sytemd`, did you mean `systemd`?
          help: change `test_deps` in the recipe
    "#]],
    );
}

#[test]
fn a_version_that_the_archive_lacks_is_told() {
    let (env, _mirror) = mirrored();
    env.edit(
        "recipes/whois.ncl",
        "[\"adduser\", \"libpq5\", \"runit\"]",
        "[\"adduser\", \"libpq5 (>= 99)\", \"runit\"]",
    );
    check_failure(
        &env,
        &expect![[r#"
        vb::lock::packages

          x cannot resolve the packages of `recipes/whois.ncl:19` for `bookworm`
          `-> no package satisfies `libpq5 (>= 99)` (there is: 15.20-0+deb12u1)
          help: change `run_deps` in the recipe
    "#]],
    );
}

#[test]
fn a_requirement_that_does_not_exist_is_told_in_uvs_words() {
    let (env, _mirror) = mirrored();
    env.edit("recipes/apps/whois/requirements.txt", "structlog==26.1.0", "structlogg==26.1.0");
    check_failure(
        &env,
        &expect![[r#"
        vb::lock::resolve

          x uv cannot resolve requirements.txt for `bookworm`
          |   error: No solution found when resolving dependencies
          |     cause: Because structlogg was not found in the provided package locations and you require structlogg==26.1.0, we can conclude that your requirements are unsatisfiable.
          help: change the requirements; a failing build of metadata may need another of `build_deps`
    "#]],
    );
}

#[test]
fn requirements_that_contradict_each_other_are_told_in_uvs_words() {
    let (env, mirror) = mirrored();
    write_wheel(&mirror.links(), "one", "1.0", &[("one.py", "")]);
    write_wheel(&mirror.links(), "one", "2.0", &[("one.py", "")]);
    env.edit("recipes/apps/whois/requirements.txt", "structlog==26.1.0", "one==1.0\none==2.0");
    check_failure(
        &env,
        &expect![[r#"
        vb::lock::resolve

          x uv cannot resolve requirements.txt for `bookworm`
          |   error: No solution found when resolving dependencies
          |     cause: Because you require one==1.0 and one==2.0, we can conclude that your requirements are unsatisfiable.
          help: change the requirements; a failing build of metadata may need another of `build_deps`
    "#]],
    );
}

#[test]
fn a_distribution_that_is_only_there_as_source_is_refused_where_only_wheels_are_asked() {
    let (env, _mirror) = mirrored();
    env.edit("recipes/whois.ncl", "python = \"3.11\",", "python = \"3.11\",\n  only_binary = [\":all:\"],");
    check_failure(
        &env,
        &expect![[r#"
        vb::lock::resolve

          x uv cannot resolve requirements.txt for `bookworm`
          |   error: No solution found when resolving dependencies
          |     cause: Because psycopg2==2.9.13 has no usable wheels and you require psycopg2==2.9.13, we can conclude that your requirements are unsatisfiable.
          |  
          |   hint: Wheels are required for `psycopg2` because building from source is disabled for all packages (i.e., with `--no-build`)
          help: change the requirements; a failing build of metadata may need another of `build_deps`
    "#]],
    );
}

#[test]
fn an_index_that_is_signed_and_then_changed_is_refused() {
    let (env, mirror) = mirrored();
    let path = mirror.archive().join("dists/bookworm/InRelease");
    let text = fs_err::read_to_string(&path).unwrap();
    mirror.replace(&path, text.replace("Components: main", "Components: main more").as_bytes());
    let before = env.read(LOCK);
    let run = env.vb(&["lock", "recipes/whois.ncl"]).expect(4);
    assert_eq!(env.read(LOCK), before);
    let text = redact(&env, &run.stderr).replace(&mirror.archive().display().to_string(), "[ARCHIVE]");
    for words in
        ["cannot load the package index of `bookworm`", "is not signed as it should be", "it does not match the text"]
    {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn an_index_that_is_not_the_signed_one_is_refused() {
    let (env, mirror) = mirrored();
    let path = mirror.archive().join("dists/bookworm/main/binary-amd64/Packages");
    let text = fs_err::read_to_string(&path).unwrap();
    mirror.replace(&path, text.replace("Package: bash\n", "Package: bush\n").as_bytes());
    // A store that has read the index before needs only its signature.
    let empty = env.directory().join("empty").display().to_string();
    let run = env.vb(&["--store", &empty, "lock", "recipes/whois.ncl"]).expect(4);
    for words in ["has not the digest that the signed Release file of", "try again later"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn an_archive_that_is_older_than_the_lock_is_refused_unless_that_is_meant() {
    let (env, _mirror) = mirrored();
    let later = |line: &str| {
        let is_date = line.starts_with("bookworm = ") && line.contains(" UTC");
        if is_date { "bookworm = \"Fri, 01 Jan 2100 00:00:00 UTC\"\n".to_owned() } else { format!("{line}\n") }
    };
    let changed: String = env.read(LOCK).lines().map(later).collect();
    env.write(LOCK, &changed);
    let run = env.vb(&["lock", "recipes/whois.ncl"]).expect(4);
    assert_eq!(env.read(LOCK), changed);
    for words in ["and a state of Fri, 01 Jan 2100 00:00:00 UTC is known already", "say `--allow-older`"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    env.vb(&["lock", "recipes/whois.ncl", "--allow-older"]).ok();
    assert_ne!(env.read(LOCK), changed);
}

#[test]
fn a_policy_for_what_is_not_locked_is_a_warning_with_its_line() {
    let (env, _mirror) = mirrored();
    write_hello(&env, "structlog==26.1.0\n");
    let policy = "  no_binary = [\"nothing_like_it\"],\n  only_binary = [\":all:\", \"StructLgo\"],\n} | vb.Recipe";
    env.edit("recipes/hello.ncl", "} | vb.Recipe", policy);
    let run = env.vb(&["lock", "recipes/hello.ncl"]).ok();
    for warning in [
        "warning: recipes/hello.ncl:9: `no_binary` names `nothing_like_it`, which is not locked for `bookworm`\n",
        "warning: recipes/hello.ncl:10: `only_binary` names `StructLgo`, which is not locked for `bookworm`; did you mean \
         `structlog`?\n",
    ] {
        assert!(run.stderr.contains(warning), "{warning}{}", run.stderr);
    }
}
