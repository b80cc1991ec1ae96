//! Nothing is lost: killed, interrupted, crowded, and out of space.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fs_err as fs;

use crate::support::{GOOD_SETUP, Mirror, OwnProgram, Run, SMALL, Started, TestEnv, add_small_recipe, sha256};

const PACKAGE: &str = "dist/bookworm/vrmd-small_1.0_all.deb";

/// How often the build is killed.
const KILLS: u32 = 20;

/// Within which time it is killed, at least and at most.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(12);

/// A workspace with the small recipe and an empty store of its own.
fn small_env(mirror: &Mirror) -> TestEnv {
    let env = TestEnv::new();
    add_small_recipe(&env, mirror, GOOD_SETUP);
    let store = env.directory().join("store");
    env.with_store(store)
}

/// Builds the package in the shared store.
fn expected_package(mirror: &Mirror) -> String {
    let env = TestEnv::new();
    add_small_recipe(&env, mirror, GOOD_SETUP);
    drop(env.vb(&["build", SMALL]).ok());
    sha256(&env.workspace().join(PACKAGE))
}

/// SplitMix64: a seed that a test prints gives the same numbers again.
struct Random(u64);

impl Random {
    #[expect(clippy::print_stdout, reason = "shown with a failure: how to repeat it")]
    fn seeded() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() & u128::from(u64::MAX);
        let seed = std::env::var("VB_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::try_from(now).unwrap());
        println!("VB_TEST_SEED={seed}");
        Self(seed)
    }

    /// Returns a part of a duration.
    fn part_of(&mut self, whole: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        whole.mul_f64(f64::from(u32::try_from(mixed >> 32).unwrap()) / f64::from(u32::MAX))
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "shown with a failure: what was going on at each kill")]
fn a_build_that_is_killed_again_and_again_ends_as_if_nothing_had_happened() {
    let mirror = Mirror::of_whois();
    let env = small_env(&mirror);
    let program = OwnProgram::new(&env);
    let mut random = Random::seeded();
    let mut limit = SHORTEST;
    for kill in 0..KILLS {
        let mut run = Started::new(&mut program.command(&env, &["build", SMALL]));
        let delay = random.part_of(limit);
        let (seen, has_ended) = run.watch(delay);
        run.kill();
        let (status, rest) = run.finish();
        println!("kill {kill} after {delay:?}: {seen:?} {rest:?}");
        program.assert_ends(env.store());
        if has_ended {
            assert!(status.success(), "{status}: {seen:#?}");
            // There has to be something to kill the next time.
            env.write("recipes/apps/small/changed.txt", &kill.to_string());
        }
        // An action has to be able to end in the time, or else nothing but the first one would ever be killed.
        let is_stuck = !seen.iter().any(|line| line.starts_with("done") && !line.contains("source"));
        limit = if is_stuck { limit * 3 / 2 } else { limit * 2 / 3 }.clamp(SHORTEST, LONGEST);
    }
    if env.workspace().join("recipes/apps/small/changed.txt").exists() {
        fs::remove_file(env.workspace().join("recipes/apps/small/changed.txt")).unwrap();
    }

    drop(Run::of(&mut program.command(&env, &["build", SMALL])).ok());
    assert_eq!(sha256(&env.workspace().join(PACKAGE)), expected_package(&mirror));
    let verified = Run::of(&mut program.command(&env, &["cache", "verify"])).ok();
    assert!(verified.stdout.starts_with("the store is intact: "), "{}", verified.stdout);
    assert_eq!(unfinished_directories(env.store()), Vec::<String>::new());
}

/// Lists the scratch directories in a store, with their locks.
fn unfinished_directories(store: &Path) -> Vec<String> {
    let entries = fs::read_dir(store.join("tmp")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("s-")).collect()
}

#[test]
fn two_builds_at_once_share_the_work() {
    let mirror = Mirror::of_whois();
    let env = small_env(&mirror);
    let program = OwnProgram::new(&env);
    let outputs = ["one", "two"].map(|name| env.directory().join(name));
    let start = |output: &PathBuf| {
        let mut command = program.command(&env, &["build", SMALL, "--output", output.to_str().unwrap()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = outputs.each_ref().map(start);
    let runs = children.map(|child| Run::from_output(&child.wait_with_output().unwrap()).ok());

    let [one, two] = outputs.map(|output| sha256(&output.join("bookworm/vrmd-small_1.0_all.deb")));
    assert_eq!(one, two);
    let mut executed: Vec<String> = runs.iter().flat_map(Run::executed).collect();
    // A source is read by everybody; it is no work.
    executed.retain(|label| label != "small source");
    executed.sort();
    let expected = [
        "environment",
        "import check",
        "libraries",
        "package",
        "root interpreter",
        "stage",
        "unpack attrs",
        "unpack extra",
        "unpack idna",
        "unpack packaging",
        "wheel extra",
    ];
    assert_eq!(executed, expected.map(|action| format!("small bookworm {action}")));
}

#[test]
fn an_interrupted_build_leaves_no_process_and_the_next_one_goes_on() {
    let mirror = Mirror::of_whois();
    let env = small_env(&mirror);
    let program = OwnProgram::new(&env);
    let run = Started::new(&mut program.command(&env, &["build", SMALL]));
    run.wait_for("run     small bookworm wheel extra");
    run.interrupt();
    let (status, lines) = run.finish();
    assert_eq!(program.processes(env.store()), []);
    assert_eq!(status.code(), Some(130), "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.contains(", interrupted in ")), "{lines:#?}");
    assert_eq!(unfinished_directories(env.store()), Vec::<String>::new());

    let next = Run::of(&mut program.command(&env, &["build", SMALL])).ok();
    let executed = next.executed();
    assert!(executed.contains(&"small bookworm wheel extra".to_owned()), "{executed:?}");
    assert!(!executed.contains(&"small bookworm root interpreter".to_owned()), "{executed:?}");
}

/// Mounts a small disk at `$1` for its own eyes only, runs the rest of its arguments, makes the disk larger, and runs
/// them again.
const ON_A_SMALL_DISK: &str = r#"
    mount -t tmpfs -o size=60m small-disk "$VB_STORE" || exit 99
    "$@" >first.stdout 2>first.stderr; echo $? >first.code
    mount -o remount,size=2g "$VB_STORE" || exit 99
    "$@" >second.stdout 2>second.stderr; echo $? >second.code
"#;

#[test]
fn a_full_disk_is_named_and_with_more_space_the_build_goes_on() {
    let mirror = Mirror::of_whois();
    let env = small_env(&mirror);
    let program = OwnProgram::new(&env);
    fs::create_dir(env.store()).unwrap();
    let build = program.command(&env, &["build", SMALL]);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh"]);
    command.arg(build.get_program()).args(build.get_args()).current_dir(env.workspace()).env_clear();
    command.envs(build.get_envs().filter_map(|(name, value)| Some((name, value?))));
    drop(Run::of(&mut command).ok());

    let first = env.read("first.stderr");
    assert_eq!(env.read("first.code"), "4\n", "{first}");
    assert!(first.contains("\nerror[vb::store::disk_full]: "), "{first}");
    assert!(first.contains(env.store().to_str().unwrap()), "{first}");
    assert!(first.contains("\n  help          free some space on the disk of the store"), "{first}");
    let second = env.read("second.stderr");
    assert_eq!(env.read("second.code"), "0\n", "{second}");
    assert_eq!(sha256(&env.workspace().join(PACKAGE)), expected_package(&mirror));
}

#[test]
fn completions_into_a_closed_pipe_are_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = TestEnv::new().command(&["completions", "bash"]).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
}
