//! npm packages of a recipe: locked by their integrity, unpacked without npm, run without network.

use std::path::Path;

use expect_test::{Expect, expect};
use flate2::{Compression, write::GzEncoder};
use fs_err as fs;
use vb_npm::Integrity;
use vb_package::read_deb;

use crate::support::{Mirror, Run, TestEnv, redact, write_hello};

const RECIPE: &str = "recipes/hello.ncl";
const PACKAGE_LOCK: &str = "recipes/apps/hello/package-lock.json";

/// The package `greet`: a program that says what the package's install script made, and that script.
fn greet(made: &str) -> Vec<u8> {
    let manifest = format!(r#"{{ "bin": "greet.sh", "scripts": {{ "postinstall": "echo {made} > made.txt" }} }}"#);
    let program = "#!/bin/sh\ncat /node_modules/greet/made.txt 2>/dev/null || echo not made\n";
    let mut archive = tar::Builder::new(GzEncoder::new(vec![], Compression::fast()));
    for (path, text) in [("package/package.json", manifest.as_str()), ("package/greet.sh", program)] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// A `package-lock.json` with `greet`, and with a package of another system that no registry has.
fn package_lock(greet: &[u8]) -> String {
    let [own, other] = [greet, b"other"].map(Integrity::of);
    format!(
        r#"{{
  "lockfileVersion": 3,
  "packages": {{
    "": {{ "devDependencies": {{ "greet": "1.0.0" }} }},
    "node_modules/greet": {{ "version": "1.0.0", "integrity": "{own}", "hasInstallScript": true }},
    "node_modules/@greet/darwin": {{ "version": "1.0.0", "integrity": "{other}", "optional": true, "os": ["darwin"] }}
  }}
}}
"#
    )
}

/// A workspace with the recipe `hello`, whose one step runs `greet`, a mirror, and a registry that has the tarball.
fn shop(tarball: &[u8], package_lock: &str) -> (TestEnv, Mirror) {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
    mirror.use_in(&env);
    write_hello(&env, "");
    let pipeline = "'Run { command = [\"sh\", \"-c\", \"greet > greeting.txt\"], outputs = [\"greeting.txt\"] }";
    env.edit(RECIPE, "} | vb.Recipe", &format!("  npm = {{}},\n  pipeline = [{pipeline}],\n}} | vb.Recipe"));
    env.write(PACKAGE_LOCK, package_lock);
    let registry = env.directory().join("registry/greet/-");
    fs::create_dir_all(&registry).unwrap();
    fs::write(registry.join("greet-1.0.0.tgz"), tarball).unwrap();
    (env, mirror)
}

fn vb(env: &TestEnv, arguments: &[&str]) -> Run {
    let registry = format!("file://{}", env.directory().join("registry").display());
    Run::of(env.command(arguments).env("NPM_CONFIG_REGISTRY", registry))
}

/// Returns what the step of the recipe wrote.
fn greeting(env: &TestEnv) -> String {
    let run = vb(env, &["output", RECIPE, "Run"]).ok();
    fs::read_to_string(Path::new(run.stdout.trim()).join("greeting.txt")).unwrap()
}

fn check_refusal(env: &TestEnv, arguments: &[&str], expected: &Expect) {
    let run = vb(env, arguments).expect(3);
    let is_progress = |line: &&str| ["lock ", "run ", "done ", "wait "].iter().any(|word| line.starts_with(word));
    let told: String = run.stderr.lines().filter(|line| !is_progress(line)).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&redact(env, &told));
}

#[test]
fn a_locked_package_is_a_program_of_the_steps_and_its_install_script_runs_only_where_that_is_allowed() {
    let tarball = greet("made");
    let (env, _mirror) = shop(&tarball, &package_lock(&tarball));
    let run = vb(&env, &["lock", RECIPE]).ok();
    assert!(run.stderr.contains("warning: the install script of `greet` will not run"), "{}", run.stderr);
    let lock = env.read("recipes/hello.lock");
    assert!(lock.contains("file = \"greet-1.0.0.tgz\"") && !lock.contains("darwin"), "{lock}");
    assert!(!lock.contains("://"), "{lock}");

    assert_eq!(greeting(&env), "not made\n");
    env.edit(RECIPE, "npm = {}", "npm = { allow_scripts = [\"greet\"] }");
    assert_eq!(greeting(&env), "made\n");

    vb(&env, &["build", RECIPE]).ok();
    let package = read_deb(&env.package()).unwrap();
    let paths: Vec<&str> = package.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert!(paths.contains(&"./vrmd/hello/hello/greeting.txt"), "{paths:?}");
    assert!(paths.iter().all(|path| !path.contains("node_modules") && !path.contains("greet.sh")), "{paths:?}");

    env.edit(RECIPE, "[\"greet\"]", "[\"gret\"]");
    check_refusal(
        &env,
        &["output", RECIPE, "Run"],
        &expect![[r#"
        vb::recipe::unknown_node_package

          x there is no npm package `gret` whose install scripts could run
          help: take it out of `npm.allow_scripts`, or add it to the `package-lock.json`
    "#]],
    );
    env.edit(PACKAGE_LOCK, "\"lockfileVersion\": 3", "\"lockfileVersion\":  3");
    check_refusal(
        &env,
        &["output", RECIPE, "Run"],
        &expect![[r#"
        vb::lock::mismatch

          x the lock of `recipes/hello.ncl` does not fit its recipe for `bookworm`
          |   `package-lock.json`: the file is not the one that was locked
          help: run `vb lock recipes/hello.ncl`
    "#]],
    );
}

#[test]
fn a_tarball_that_is_not_the_one_of_the_package_lock_is_refused() {
    let (meant, given) = (greet("meant"), greet("given"));
    let (env, _mirror) = shop(&given, &package_lock(&meant));
    let run = vb(&env, &["lock", RECIPE]).expect(4);
    let told = [
        "vb::lock::npm_integrity".to_owned(),
        "`greet-1.0.0.tgz` is not the one that `package-lock.json` means".to_owned(),
        format!("expected {}", Integrity::of(&meant)),
        format!("found    {}", Integrity::of(&given)),
    ];
    let unwrapped: String = run.stderr.split_whitespace().collect();
    for words in told {
        let words: String = words.split_whitespace().collect();
        assert!(unwrapped.contains(&words), "`{words}` is not in:\n{}", run.stderr);
    }
    assert!(!env.workspace().join("recipes/hello.lock").exists());
}

#[test]
fn a_package_lock_that_cannot_be_followed_is_refused_with_the_package_and_what_to_do() {
    let tarball = greet("refused");
    let good = package_lock(&tarball);
    let (env, _mirror) = shop(&tarball, &good);
    let arguments = ["lock", RECIPE];
    let check = |from: &str, to: &str, expected: &Expect| {
        env.write(PACKAGE_LOCK, &good.replace(from, to));
        check_refusal(&env, &arguments, expected);
    };
    check(
        "\"lockfileVersion\": 3",
        "\"lockfileVersion\": 1",
        &expect![[r#"
        vb::lock::package_lock

          x cannot follow `recipes/apps/hello/package-lock.json`
          `-> its `lockfileVersion` is 1, and 2 and 3 are read
          help: remove it, and let `npm install --package-lock-only --lockfile-version 3` write it anew
    "#]],
    );
    check(
        "\"integrity\"",
        "\"unsigned\"",
        &expect![[r#"
        vb::lock::package_lock

          x cannot follow `recipes/apps/hello/package-lock.json`
          `-> `node_modules/greet` has no `integrity`
          help: remove it, and let `npm install --package-lock-only --lockfile-version 3` write it anew
    "#]],
    );
    let git = "\"version\": \"1.0.0\", \"resolved\": \"git+ssh://git@example.org/greet.git#1\",";
    check(
        "\"version\": \"1.0.0\",",
        git,
        &expect![[r#"
        vb::lock::package_lock

          x cannot follow `recipes/apps/hello/package-lock.json`
          `-> `node_modules/greet` comes from `git+ssh:…`, not from a registry
          help: publish the package to a registry, or put its files into the application's source
    "#]],
    );
    fs::remove_file(env.workspace().join(PACKAGE_LOCK)).unwrap();
    check_refusal(
        &env,
        &arguments,
        &expect![[r#"
          x one error in the recipes

        Error: vb::recipe::missing_package_lock

          x the source has no file `package-lock.json`
            ,-[recipes/hello.ncl:9:9]
          8 |   run_deps = ["libpq5", "runit"],
          9 |   npm = {},
            :         ^^
         10 |   pipeline = ['Run { command = ["sh", "-c", "greet > greeting.txt"], outputs = ["greeting.txt"] }],
            `----
          help: let `npm install --package-lock-only` write it, or name another file in `lock`
    "#]],
    );
}
