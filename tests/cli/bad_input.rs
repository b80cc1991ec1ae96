//! Damaged and hostile input: it is refused with its name, stored never, and repaired where that can be done.

use std::path::{Path, PathBuf};

use expect_test::expect;
use fs_err as fs;
use vb_graph::BlobDigest;
use vb_recipe::Lock;

use crate::support::{
    Mirror, Run, TestEnv, damage, forget, redact, seeded_store, sha256, write_hello, write_sdist, write_wheel,
};

const BUILD: [&str; 2] = ["build", "recipes/whois.ncl"];

/// What is told of the failed action, with the mirror's directory redacted; progress and sums are left out.
fn failure(env: &TestEnv, mirror: Option<&Mirror>, run: &Run) -> String {
    let (_, told) = run.stderr.split_once("\nerror[").unwrap_or_else(|| panic!("{}", run.stderr));
    let told: Vec<&str> = told.lines().collect();
    let text = redact(env, &format!("error[{}\n", told[..told.len() - 1].join("\n")));
    match mirror {
        Some(mirror) => text.replace(&mirror.path().display().to_string(), "[MIRROR]"),
        None => text,
    }
}

fn assert_told(run: &Run, words: &[&str]) {
    for words in words {
        assert!(run.stderr.contains(words), "`{words}` is not in:\n{}", run.stderr);
    }
}

fn own_store(env: TestEnv) -> TestEnv {
    let store = seeded_store(env.directory().join("store"));
    env.with_store(store)
}

/// Locks and builds `hello` with what is in the mirror.
fn build_hello(mirror: &Mirror, requirements: &str) -> (TestEnv, Run) {
    let env = TestEnv::new();
    mirror.use_in(&env);
    write_hello(&env, requirements);
    env.vb(&["lock", "recipes/hello.ncl"]).ok();
    let run = env.vb(&["build", "recipes/hello.ncl"]);
    (env, run)
}

#[test]
fn a_package_that_is_truncated_or_missing_in_the_archive_is_not_stored_and_comes_from_the_next_location() {
    let (bad, good) = (Mirror::of_whois(), Mirror::of_whois());
    let env = TestEnv::new();
    let store = env.directory().join("store");
    let env = env.with_store(store);
    bad.use_in(&env);
    let output = ["output", "recipes/whois.ncl", "root interpreter"];

    let (dash, grep) = (bad.deb("dash"), bad.deb("grep"));
    let whole = fs::read(&dash).unwrap();
    bad.replace(&dash, &whole[..whole.len() - 100]);
    let run = env.vb(&output).expect(4);
    let [expected, found] = [&good.deb("dash"), &dash].map(|path| sha256(path));
    let size = format!("it has another content ({} bytes)", whole.len() - 100);
    assert_told(&run, &["error[vb::fetch::failed]: fetch dash_", &size]);
    assert_told(&run, &[&format!("expected SHA-256 {expected}"), &format!("found    SHA-256 {found}")]);
    assert_told(&run, &["or it was replaced: look at the location"]);
    assert!(!env.store().join("files").join(&expected[..2]).join(&expected[2..]).exists());
    let blob = BlobDigest::of(&fs::read(&dash).unwrap()).to_string();
    assert!(!env.store().join("blobs").join(&blob[..2]).join(&blob[2..]).exists());

    bad.replace(&dash, &whole);
    fs::remove_file(&grep).unwrap();
    let empty = env.directory().join("empty").display().to_string();
    let run = env.vb(&[&["--store", &empty], &output[..]].concat()).expect(4);
    assert_told(&run, &["error[vb::fetch::gone]: fetch grep_", "does not exist"]);

    let date =
        Lock::read(&env.workspace().join("recipes/whois.lock")).unwrap().platforms["bookworm"].archive["bookworm"]
            .clone();
    let told = [
        "  locked        `grep 3.8-5` for `bookworm`, in `recipes/whois.lock`".to_owned(),
        format!("  locked from   `bookworm` of {date}"),
        "run `vb lock --refresh --platform bookworm recipes/whois.ncl`".to_owned(),
    ];
    told.iter().for_each(|line| assert_told(&run, &[line]));

    bad.replace(&dash, b"no package");
    good.use_after(&env, &[&bad]);
    env.vb(&output).ok();
}

#[test]
fn a_wheel_with_other_bytes_is_not_stored_and_comes_from_the_next_directory() {
    let (bad, good) = (Mirror::of_whois(), Mirror::of_whois());
    let env = TestEnv::new();
    // The directory's name makes it a wheel that no earlier run has left in the shared store.
    let unique = format!("# {}\n", env.directory().display());
    let right = write_wheel(&good.links(), "extra", "1.0", &[("extra.py", &unique)]);
    let wrong = write_wheel(&bad.links(), "extra", "1.0", &[("extra.py", "# something else\n")]);
    good.use_in(&env);
    write_hello(&env, "extra==1.0\n");
    env.vb(&["lock", "recipes/hello.ncl"]).ok();
    let output = ["output", "recipes/hello.ncl", "unpack extra"];

    bad.use_in(&env);
    let run = env.vb(&output).expect(4);
    assert_told(&run, &["cannot locate `extra-1.0-py3-none-any.whl`", &sha256(&right), &sha256(&wrong)]);

    good.use_after(&env, &[&bad]);
    let tree = PathBuf::from(env.vb(&output).ok().stdout.trim());
    assert_eq!(fs::read_to_string(tree.join("lib/python3.11/site-packages/extra.py")).unwrap(), unique);
}

/// Builds in a store of its own, damages a file that an action gave, makes the build need it, and builds again.
fn check_repair(damaged: impl Fn(&TestEnv, &Path) -> BlobDigest, forgotten: &[&str], repaired: &[&str]) {
    let env = own_store(TestEnv::new());
    let mirror = Mirror::of_whois();
    mirror.use_in(&env);
    env.vb(&BUILD).ok();
    let before = fs::read(env.package()).unwrap();
    damage(env.store(), &damaged(&env, mirror.path()));
    fs::remove_dir_all(env.store().join("trees")).unwrap();
    forgotten.iter().for_each(|label| forget(env.store(), label));
    let run = env.vb(&BUILD).ok();
    let told: Vec<&str> = run.stderr.lines().filter_map(|line| line.strip_prefix("repair  ")).collect();
    let expected: Vec<String> =
        repaired.iter().map(|label| format!("{label} (its output was damaged or missing in the store)")).collect();
    assert_eq!(told, expected, "{}", run.stderr);
    assert_eq!(fs::read(env.package()).unwrap(), before);
}

fn blob_of_output(env: &TestEnv, action: &str, path: &str) -> BlobDigest {
    let tree = env.vb(&["output", "recipes/whois.ncl", action]).ok().stdout;
    BlobDigest::of(&fs::read(Path::new(tree.trim()).join(path)).unwrap())
}

#[test]
fn a_corrupted_wheel_is_fetched_again() {
    let wheel = |_: &TestEnv, mirror: &Path| {
        BlobDigest::of(&fs::read(mirror.join("links/attrs-26.1.0-py3-none-any.whl")).unwrap())
    };
    check_repair(wheel, &["whois bookworm unpack attrs"], &["fetch attrs-26.1.0-py3-none-any.whl"]);
}

#[test]
fn a_corrupted_file_of_an_unpacked_wheel_is_unpacked_again() {
    let path = "lib/python3.11/site-packages/attrs/__init__.py";
    check_repair(
        |env, _| blob_of_output(env, "unpack attrs", path),
        &["whois bookworm stage", "whois bookworm package"],
        &["whois bookworm environment", "whois bookworm unpack attrs"],
    );
}

#[test]
fn a_file_that_a_root_lost_is_made_again() {
    let env = own_store(TestEnv::new());
    env.vb(&BUILD).ok();
    let before = fs::read(env.package()).unwrap();
    let blob = blob_of_output(&env, "root interpreter", "usr/lib/python3.11/abc.py").to_string();
    fs::remove_file(env.store().join("blobs").join(&blob[..2]).join(&blob[2..])).unwrap();
    fs::remove_dir_all(env.store().join("trees")).unwrap();
    forget(env.store(), "whois bookworm unpack attrs");
    let run = env.vb(&BUILD).ok();
    assert_told(&run, &["repair  whois bookworm root interpreter (its output was damaged or missing in the store)"]);
    assert_eq!(fs::read(env.package()).unwrap(), before);
}

#[test]
fn cache_verify_removes_a_corrupted_file_of_a_root_and_the_next_build_makes_it_again() {
    let env = own_store(TestEnv::new());
    env.vb(&BUILD).ok();
    let before = fs::read(env.package()).unwrap();
    let blob = blob_of_output(&env, "root interpreter", "usr/lib/python3.11/abc.py");
    damage(env.store(), &blob);
    let told = env.vb(&["cache", "verify"]).ok().stdout;
    assert!(told.contains(&format!("removed the corrupted blob {blob}\n")), "{told}");
    assert!(told.contains("action results that name what is not there"), "{told}");
    assert!(env.vb(&["cache", "verify"]).ok().stdout.starts_with("the store is intact: "));
    let run = env.vb(&BUILD).ok();
    assert!(run.executed().contains(&"whois bookworm root interpreter".to_owned()), "{}", run.stderr);
    assert_eq!(fs::read(env.package()).unwrap(), before);
}

#[test]
fn an_extension_that_does_not_compile_shows_the_compilers_words_the_log_and_a_shell() {
    let mirror = Mirror::of_whois();
    let setup = "from setuptools import Extension, setup\n\
                 setup(name='broken', version='1.0', ext_modules=[Extension('broken', ['broken.c'])])\n";
    let source = "int this_is_no_c(\n";
    write_sdist(&mirror.links(), "broken", "1.0", &[("setup.py", setup), ("broken.c", source)]);
    let (env, run) = build_hello(&mirror, "broken==1.0\n");
    let run = run.expect(1);
    let text = failure(&env, Some(&mirror), &run);
    let shown: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("  | ") && !line.contains("whole log")).collect();
    expect![[r#"
        error[vb::action::command]: hello bookworm wheel broken failed: the command failed
          asked for at  recipes/hello.ncl:7
          command       /vb-build/in/uv build --wheel --force-pep517 --no-sources --no-create-gitignore --no-index --find-links /vb-build/in/requirements --build-constraints /vb-build/in/constraints.txt --require-hashes --python /usr/bin/python3.11 --out-dir /vb-build/out -- /vb-build/source
          ended with    exit code 2
          its last 20 lines:
          shell         vb shell recipes/hello.ncl 'hello bookworm wheel broken'"#]].assert_eq(&shown.join("\n"));
    assert_told(&run, &["  | ", "broken.c:1:", "error: "]);
    let log = run.stderr.lines().find_map(|line| line.trim().strip_prefix("whole log")).unwrap().trim();
    assert!(fs::read_to_string(log).unwrap().contains("broken.c"));
    let shell =
        env.vb(&["shell", "recipes/hello.ncl", "hello bookworm wheel broken", "--", "ls", "/vb-build/source"]).ok();
    assert!(shell.stdout.contains("broken.c\n"), "{}", shell.stdout);
}

#[test]
fn a_shell_shows_what_the_action_has_and_gives_a_failed_commands_exit_code() {
    let env = TestEnv::new();
    let shell = |script: &str| env.vb(&["shell", "recipes/whois.ncl", "wheel psycopg2", "--", "sh", "-c", script]);
    assert_eq!(
        shell("ls /vb-build; echo $CFLAGS").ok().stdout,
        "in\nout\nsource\nwork\n-DNDEBUG -fwrapv -pipe -Os -g0\n"
    );
    shell("exit 3").expect(1);
}

#[test]
fn an_action_without_a_sandbox_has_no_shell() {
    let env = TestEnv::new();
    let run = env.vb(&["shell", "recipes/whois.ncl", "environment", "--", "true"]);
    // What the action reads is made first, by this test or by another one.
    let start = run.stderr.find("vb::usage").unwrap_or_default();
    expect![[r#"
        exit code 2
        vb::usage::no_sandbox

          x `environment` has no sandbox: vb does it itself
          help: choose an action that runs a command: root, wheel, unpack, stage, import check or test
    "#]]
    .assert_eq(&format!("exit code {}\n{}", run.code, &run.stderr[start..]));
}

#[test]
fn a_conffile_that_is_not_in_the_package_is_refused() {
    let env = TestEnv::new();
    env.write("recipes/apps/whois/debian/conffiles", "/etc/whois/whois.yml\n");
    let run = env.vb(&BUILD).expect(1);
    expect![[r#"
        error[vb::package::invalid]: whois bookworm package failed: cannot write the package
          asked for at  recipes/whois.ncl:4
          because       the conffile `/etc/whois/whois.yml` is not a file of the package
    "#]]
    .assert_eq(&failure(&env, None, &run));
}

#[test]
fn two_distributions_with_one_file_are_both_named() {
    let mirror = Mirror::of_whois();
    write_wheel(&mirror.links(), "one", "1.0", &[("shared.py", "1\n")]);
    write_wheel(&mirror.links(), "two", "1.0", &[("shared.py", "2\n")]);
    let (env, run) = build_hello(&mirror, "one==1.0\ntwo==1.0\n");
    expect![[r#"
        error[vb::environment::conflict]: hello bookworm environment failed: `one 1.0` and `two 1.0` both install `lib/python3.11/site-packages/shared.py`, with different content
          asked for at  recipes/hello.ncl:2
          help          leave `one 1.0` or `two 1.0` out of the requirements
    "#]].assert_eq(&failure(&env, Some(&mirror), &run.expect(1)));
}

#[test]
fn a_wheel_that_would_write_outside_the_environment_is_refused() {
    let mirror = Mirror::of_whois();
    write_wheel(&mirror.links(), "evil", "1.0", &[("evil.py", ""), ("../../../../../etc/evil.py", "print('evil')\n")]);
    let (env, run) = build_hello(&mirror, "evil==1.0\n");
    expect![[r#"
        error[vb::wheel::invalid]: hello bookworm unpack evil failed: cannot unpack the wheel
          asked for at  recipes/hello.ncl:2
          because       `../../../../../etc/evil.py` is not a path below the environment
    "#]]
    .assert_eq(&failure(&env, Some(&mirror), &run.expect(1)));
}

#[test]
fn a_path_of_the_store_in_a_file_of_the_application_is_refused() {
    let env = TestEnv::new();
    let text = format!("WHERE = '{}/blobs/x'\n", env.store().display());
    env.write("recipes/apps/whois/whois_server/where.py", &text);
    expect![[r#"
        error[vb::stage::leak]: whois bookworm stage failed: `/vrmd/whois/whois/whois_server/where.py` contains a path of the store, which only this machine has
          asked for at  recipes/whois.ncl:12
          help          take the path out, or leave the file out with `excludes` or `.gitignore`
    "#]].assert_eq(&failure(&env, None, &env.vb(&BUILD).expect(1)));
}

#[test]
fn a_path_of_the_home_directory_in_a_file_of_the_application_is_refused() {
    let env = TestEnv::new();
    let text = format!("WHERE = '{}/checkout'\n", env.home().display());
    env.write("recipes/apps/whois/whois_server/where.py", &text);
    expect![[r#"
        error[vb::stage::leak]: whois bookworm stage failed: `/vrmd/whois/whois/whois_server/where.py` contains a path of the user's home directory, which only this machine has
          asked for at  recipes/whois.ncl:12
          help          take the path out, or leave the file out with `excludes` or `.gitignore`
    "#]].assert_eq(&failure(&env, None, &env.vb(&BUILD).expect(1)));
}

#[test]
fn a_store_that_cannot_be_written_is_told() {
    let env = TestEnv::new().with_store(PathBuf::from("/proc/store"));
    let run = env.vb(&BUILD);
    expect![[r#"
        exit code 4
        vb::store::open

          x there is no store to work with
          |-> cannot open the store `/proc/store`
          `-> failed to create directory `/proc/store`: No such file or directory (os error 2)
          help: name a directory that can be written with `--store`
    "#]]
    .assert_eq(&format!("exit code {}\n{}", run.code, run.stderr));
}

#[test]
fn a_service_that_runs_nothing_of_the_package_is_told_at_its_line_and_a_script_that_stops_it_is_warned_about() {
    let env = TestEnv::new();
    env.edit("recipes/whois.ncl", "[\"bin/python\", \"-B\"", "[\"bin/pythom\", \"-B\"");
    env.write("recipes/apps/whois/debian/prerm", "#!/bin/sh\nset -e\nsv down whois\n#VB#\n");
    let run = env.vb(&["build", "recipes/whois.ncl"]).expect(1);
    for words in [
        "debian/prerm:3 stops a service in an upgrade, and nothing starts it again: `sv down whois`",
        "error[vb::package::lifecycle]: whois bookworm package failed: the service `whois` runs \
         `/vrmd/whois/bin/pythom`, which is not in the package",
        "asked for at  recipes/whois.ncl:23",
    ] {
        assert!(run.stderr.contains(words), "`{words}` is not in:\n{}", run.stderr);
    }
    env.edit("recipes/whois.ncl", "bin/pythom", "bin/python");
    env.write("recipes/apps/whois/debian/prerm", "#!/bin/sh\nexit 0\n");
    let run = env.vb(&["build", "recipes/whois.ncl"]).expect(1);
    assert!(run.stderr.contains("`debian/prerm` has no line `#VB#`"), "{}", run.stderr);
}
