//! The same inputs give the same bytes: somewhere else, as somebody else, with other settings.

use std::{
    os::unix::{
        fs::{PermissionsExt, lchown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;

use crate::support::{GOOD_SETUP, Mirror, OwnProgram, Run, SMALL, TestEnv, add_small_recipe, sha256};

const PACKAGE: &str = "dist/bookworm/vrmd-whois_1.0.0_amd64.deb";

/// A user that owns nothing.
const SOMEBODY: u32 = 12345;

#[test]
fn two_builds_from_nothing_give_the_same_bytes_whoever_builds_and_wherever() {
    let mirror = Mirror::of_whois();
    let first = usual_build(&mirror);
    let second = unusual_build(&mirror);
    assert_eq!(first, second, "the packages differ");
}

/// Builds as the tests usually do, one action at a time.
fn usual_build(mirror: &Mirror) -> String {
    let env = own_store(TestEnv::new());
    mirror.use_in(&env);
    let program = OwnProgram::new(&env);
    let build = ["build", "recipes/whois.ncl", "--jobs", "1"];
    let run = Run::of(&mut program.command(&env, &build)).ok();
    assert!(run.executed().contains(&"whois bookworm package".to_owned()), "{}", run.stderr);
    sha256(&env.workspace().join(PACKAGE))
}

/// Builds in another directory, with another umask, time zone, locale, home and number of jobs, and as another user
/// where the tests may become one.
#[expect(clippy::print_stdout, reason = "shown with a failure: what was not varied")]
fn unusual_build(mirror: &Mirror) -> String {
    let env = own_store(TestEnv::new());
    mirror.use_in(&env);
    let program = OwnProgram::new(&env);
    let checkout = env.directory().join("a longer path/of the checkout");
    fs::create_dir(checkout.parent().unwrap()).unwrap();
    fs::rename(env.workspace(), &checkout).unwrap();
    let home = env.directory().join("another home");
    fs::create_dir(&home).unwrap();
    each_entry(&checkout, &|path, metadata| {
        let mode = if metadata.is_dir() || metadata.permissions().mode() & 0o100 != 0 { 0o700 } else { 0o600 };
        if !metadata.is_symlink() {
            fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
    });

    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec \"$@\"", "sh"]).arg(&program.path);
    command.args(["build", "recipes/whois.ncl", "--jobs", "2"]).current_dir(&checkout).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", &home).env("VB_STORE", env.store());
    command.env("TZ", "Asia/Kathmandu").env("LC_ALL", "tr_TR.UTF-8").env("SOURCE_DATE_EPOCH", "1234567890");
    if rustix::process::getuid().is_root() {
        give_away(&env, mirror);
        command.uid(SOMEBODY).gid(SOMEBODY);
    } else {
        println!("the tests do not run as root: the second build is the same user's");
    }
    let run = Run::of(&mut command).ok();
    assert!(run.executed().contains(&"whois bookworm package".to_owned()), "{}", run.stderr);
    sha256(&checkout.join(PACKAGE))
}

/// Gives the environment to another user, and lets everybody read the mirror.
fn give_away(env: &TestEnv, mirror: &Mirror) {
    each_entry(env.directory(), &|path, _| {
        if path.file_name().is_none_or(|name| name != "own-vb") {
            lchown(path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        }
    });
    fs::set_permissions(mirror.links().parent().unwrap(), PermissionsExt::from_mode(0o755)).unwrap();
}

fn own_store(env: TestEnv) -> TestEnv {
    let store = env.directory().join("store");
    env.with_store(store)
}

fn each_entry(path: &Path, visit: &dyn Fn(&Path, &std::fs::Metadata)) {
    let metadata = fs::symlink_metadata(path).unwrap();
    if metadata.is_dir() {
        let entries: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.iter().for_each(|entry| each_entry(entry, visit));
    }
    visit(path, &metadata);
}

#[test]
fn a_check_executes_everything_again_and_finds_the_same_bytes() {
    let env = TestEnv::new();
    drop(env.vb(&["build", "recipes/whois.ncl"]).ok());
    let run = env.vb(&["build", "--check", "recipes/whois.ncl"]).ok();
    let executed = run.executed();
    for action in ["root build", "wheel psycopg2", "unpack twisted", "stage", "package"] {
        assert!(executed.contains(&format!("whois bookworm {action}")), "`{action}` is not in {executed:?}");
    }
    assert_eq!(run.stdout, format!("{PACKAGE}\n"));
    assert!(run.stderr.contains(" actions executed again, with the same bytes\n1 package, "), "{}", run.stderr);
}

#[test]
fn a_build_with_chance_in_it_fails_its_check_and_the_file_is_named() {
    const CHANCE: &str = "import os, pathlib\n\
        pathlib.Path('extra.py').write_text('SEED = ' + repr(os.urandom(16).hex()) + '\\n')\n";
    let mirror = Mirror::of_whois();
    let env = TestEnv::new();
    add_small_recipe(&env, &mirror, &format!("{CHANCE}{GOOD_SETUP}"));
    drop(env.vb(&["build", SMALL]).ok());
    let run = env.vb(&["build", "--check", SMALL]).expect(5);
    let start = run.stderr.find("\nerror").unwrap_or_else(|| panic!("no error is shown:\n{}", run.stderr));
    let end = run.stderr[start..].find("\n1 package").unwrap() + start;
    expect_test::expect![[r#"
        error[vb::check::not_reproducible]: small bookworm wheel extra failed: a second execution gave another output
          asked for at  recipes/small.ncl:2
          extra-1.0-py3-none-any.whl: the content differs ([SIZES] bytes); in it: `extra-1.0.dist-info/RECORD`, `extra.py`
          help          make the step write the same bytes for the same input; the differing files are named above"#]].assert_eq(&without_sizes(run.stderr[start..end].trim()));
}

/// Compressed chance has no fixed size.
fn without_sizes(text: &str) -> String {
    let (before, rest) = text.split_once("(").unwrap();
    let (_, after) = rest.split_once(" bytes)").unwrap();
    format!("{before}([SIZES] bytes){after}")
}
