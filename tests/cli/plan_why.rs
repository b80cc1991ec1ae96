//! What a build would do and why, before and after it.

use expect_test::expect;

use crate::support::{TestEnv, redact, seeded_store};

/// A file of the application.
const SOURCE: &str = "recipes/apps/whois/whois_server/__init__.py";

fn built() -> TestEnv {
    let env = TestEnv::new();
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    env
}

#[test]
fn after_a_build_everything_is_a_hit() {
    let plan = built().vb(&["plan", "recipes/whois.ncl"]).ok().stdout;
    expect![[r#"
        hit   whois bookworm root interpreter
        hit   whois bookworm unpack attrs
        hit   whois bookworm unpack automat
        hit   whois bookworm unpack constantly
        hit   whois bookworm unpack hyperlink
        hit   whois bookworm unpack idna
        hit   whois bookworm unpack incremental
        hit   whois bookworm unpack packaging
        hit   whois bookworm root build
        hit   whois bookworm wheel psycopg2
        hit   whois bookworm unpack psycopg2
        hit   whois bookworm unpack pyyaml
        hit   whois bookworm unpack structlog
        hit   whois bookworm unpack twisted
        hit   whois bookworm unpack typing-extensions
        hit   whois bookworm unpack zope-interface
        hit   whois bookworm environment
        hit   whois source
        hit   whois bookworm stage
        hit   whois bookworm root run
        hit   whois bookworm libraries
        hit   whois bookworm import check
        hit   whois bookworm package
        23 hits, 0 to run, 0 after these, 0 files to fetch
    "#]]
    .assert_eq(&plan);
}

#[test]
fn an_edited_file_of_the_application_runs_what_reads_it() {
    let env = built();
    env.edit(SOURCE, "\n", "\n# another line\n");
    let plan = env.vb(&["plan", "recipes/whois.ncl"]).ok().stdout;
    let not_hit: String =
        plan.lines().filter(|line| !line.starts_with("hit")).map(|line| format!("{line}\n")).collect();
    expect![[r#"
        run   whois source
        run   whois bookworm stage
        run?  whois bookworm libraries  (after `whois bookworm stage`)
        run?  whois bookworm import check  (after `whois bookworm stage`)
        run?  whois bookworm package  (after `whois bookworm stage`)
        18 hits, 2 to run, 3 after these, 0 files to fetch
    "#]]
    .assert_eq(&not_hit);
}

#[test]
fn an_empty_store_has_everything_to_run_and_to_fetch() {
    let env = TestEnv::new();
    let store = env.directory().join("store");
    let plan = env.with_store(store).vb(&["plan", "recipes/whois.ncl"]).ok().stdout;
    expect![[r#"
        run   whois bookworm root interpreter
        run?  whois bookworm unpack attrs  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack automat  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack constantly  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack hyperlink  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack idna  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack incremental  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack packaging  (after `whois bookworm root interpreter`)
        run   whois bookworm root build
        run?  whois bookworm wheel psycopg2  (after `whois bookworm root build`)
        run?  whois bookworm unpack psycopg2  (after `whois bookworm wheel psycopg2`)
        run?  whois bookworm unpack pyyaml  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack structlog  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack twisted  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack typing-extensions  (after `whois bookworm root interpreter`)
        run?  whois bookworm unpack zope-interface  (after `whois bookworm root interpreter`)
        run?  whois bookworm environment  (after `whois bookworm unpack attrs`)
        run   whois source
        run?  whois bookworm stage  (after `whois bookworm environment`)
        run   whois bookworm root run
        run?  whois bookworm libraries  (after `whois bookworm stage`)
        run?  whois bookworm import check  (after `whois bookworm stage`)
        run?  whois bookworm package  (after `whois bookworm stage`)
        0 hits, 4 to run, 19 after these, 163 files to fetch
    "#]]
    .assert_eq(&plan);
}

/// A store of the test's own, where the application was last built with a file that no other test has: what `why`
/// compares with does not depend on other tests.
fn edited_and_built() -> TestEnv {
    let env = TestEnv::new();
    let store = seeded_store(env.directory().join("store"));
    let env = env.with_store(store);
    env.edit(SOURCE, "\n", "\n# the last build has this line\n");
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    env
}

#[test]
fn why_names_the_input_and_the_file_that_changed_before_and_after_the_build() {
    let env = edited_and_built();
    env.edit(SOURCE, "the last build has", "the next build has");
    let arguments = ["why", "recipes/whois.ncl", "--action", "stage"];
    let why = env.vb(&arguments).ok().stdout;
    expect![[r#"
        run   whois bookworm stage: these parts of its key have changed
                input source: directory [DIGEST] -> directory [DIGEST]
                    changed whois_server/__init__.py
    "#]]
    .assert_eq(&redact(&env, &why));
    env.vb(&["build", "recipes/whois.ncl"]).ok();
    let why = env.vb(&arguments).ok().stdout;
    expect![[r#"
        hit   whois bookworm stage: it ran last because these parts of its key had changed
                input source: directory [DIGEST] -> directory [DIGEST]
                    changed whois_server/__init__.py
    "#]]
    .assert_eq(&redact(&env, &why));
}

#[test]
fn why_of_an_action_that_is_not_there_is_an_error() {
    let run = TestEnv::new().vb(&["why", "recipes/whois.ncl", "--action", "nope"]).expect(2);
    assert!(run.stderr.contains("vb::usage::unknown_action") && run.stdout.is_empty(), "{}", run.stderr);
}

#[test]
fn why_shows_a_variable_of_the_compiler_before_and_after() {
    let env = edited_and_built();
    env.edit("recipes/workspace.ncl", "-pipe -Os -g0", "-pipe -O0 -g0");
    env.vb(&["output", "recipes/whois.ncl", "wheel psycopg2"]).ok();
    env.edit("recipes/workspace.ncl", "-pipe -O0 -g0", "-pipe -O1 -g0");
    let why = env.vb(&["why", "recipes/whois.ncl", "--action", "psycopg2"]).ok().stdout;
    expect![[r#"
        run   whois bookworm wheel psycopg2: these parts of its key have changed
                variables: [CFLAGS=-pipe -O0 -g0] -> [CFLAGS=-pipe -O1 -g0]
        run?  whois bookworm unpack psycopg2: only when `whois bookworm wheel psycopg2` turns out otherwise than before
    "#]]
    .assert_eq(&redact(&env, &why));
}

#[test]
fn json_gives_one_event_a_line_and_a_summary_at_the_end() {
    let env = built();
    let run = env.vb(&["build", "--json", "recipes/whois.ncl"]).ok();
    assert_eq!(run.stderr, "");
    let events: Vec<serde_json::Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds[kinds.len() - 2..], ["package", "summary"]);
    assert!(kinds[..kinds.len() - 2].iter().all(|kind| *kind == "finished"), "{kinds:?}");
    let summary = events.last().unwrap();
    assert_eq!((summary["packages"].as_u64(), summary["executed"].as_u64()), (Some(1), Some(0)));
    let package = events[events.len() - 2]["path"].as_str().unwrap();
    assert!(env.workspace().join(package).is_file());
}

#[test]
fn json_gives_a_plan_and_what_changed_as_a_document_and_is_refused_where_there_is_none() {
    let env = edited_and_built();
    env.edit(SOURCE, "the last build has", "the next build has");
    let document = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&env.vb(&[arguments, &["recipes/whois.ncl", "--json"]].concat()).ok().stdout).unwrap()
    };
    let plan = document(&["plan"]);
    let counts = ["hits", "run", "after", "fetch"].map(|name| plan[name].as_u64().unwrap());
    assert_eq!(counts, [18, 2, 3, 0]);
    let actions = plan["actions"].as_array().unwrap();
    assert_eq!(actions.len(), 23);
    let stage = serde_json::json!({
        "label": "whois bookworm stage", "kind": "stage", "forecast": "run",
    });
    assert!(actions.contains(&stage), "{plan:#}");
    let package = serde_json::json!({
        "label": "whois bookworm package", "kind": "package", "forecast": "after", "after": "whois bookworm stage",
    });
    assert!(actions.contains(&package), "{plan:#}");

    let why = document(&["why", "--action", "stage"]);
    assert_eq!((&why[0]["label"], &why[0]["state"]), (&"whois bookworm stage".into(), &"run".into()));
    let entries = &why[0]["changes"][0]["entries"];
    assert_eq!(*entries, serde_json::json!([{ "path": "whois_server/__init__.py", "what": "changed" }]));

    let refused = env.vb(&["repo", "list", "--json"]).expect(2);
    assert!(refused.stderr.contains("`vb repo` prints no JSON"), "{}", refused.stderr);
}

#[test]
fn json_tells_which_action_failed() {
    let env = built();
    env.edit(SOURCE, "\n", "\nimport module_that_is_nowhere\n");
    let run = env.vb(&["build", "--json", "recipes/whois.ncl"]).expect(1);
    let events: Vec<serde_json::Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "failed")
        .map(|event| event["label"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["whois bookworm import check"]);
    assert_eq!(events.last().unwrap()["failed"], 1);
}
