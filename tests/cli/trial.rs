//! `vb test`: packages that are installed, asked, upgraded, rolled back and removed, each once.

use std::path::Path;

use expect_test::expect;
use fs_err as fs;

use super::push::with_repository;
use crate::support::{Run, TestEnv, redact, systemd_refusal};

const SCENARIOS: [&str; 4] = ["install", "upgrade", "rollback", "remove"];

fn labels(of: &str) -> Vec<String> {
    let mut labels: Vec<String> = SCENARIOS.map(|scenario| format!("whois bookworm test {of}{scenario}")).to_vec();
    labels.sort();
    labels
}

fn tests_of(run: &Run) -> Vec<String> {
    run.executed().into_iter().filter(|label| SCENARIOS.iter().any(|word| label.ends_with(word))).collect()
}

/// What is told of the one failed action, without what only this run has.
fn failure(env: &TestEnv, run: &Run) -> String {
    let begin = "error[vb::test::failed]: whois bookworm test install failed";
    let told = run.stderr.lines().skip_while(|line| !line.starts_with(begin)).take_while(|line| !line.is_empty());
    let is_same = |line: &&str| !line.starts_with("  | ") && !line.starts_with("  whole log     ");
    redact(env, &format!("{}\n", told.filter(is_same).collect::<Vec<_>>().join("\n")))
}

#[test]
fn a_package_passes_its_tests_once_and_is_not_tested_again() {
    let env = TestEnv::new();
    // An edit that no other test makes, so that the shared store has no result for it.
    env.write("recipes/apps/whois/NEWS", &format!("Tested by process {}.\n", std::process::id()));
    let run = env.vb(&["test", "recipes/whois.ncl"]).ok();
    let passed: Vec<String> = SCENARIOS.map(|scenario| format!("passed  whois bookworm test {scenario}")).to_vec();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), passed);
    assert_eq!(tests_of(&run), labels(""));
    // What is in `test_deps` is there, and no dependency of the package.
    if systemd_refusal().is_none() {
        let report = env.vb(&["output", "recipes/whois.ncl", "test install"]).ok();
        let report = fs::read_to_string(format!("{}/report.json", report.stdout.trim())).unwrap();
        assert_eq!(report, r#"{"failure": null, "machine": "systemd", "scenario": "install"}"#);
    }
    let root = env.vb(&["output", "recipes/whois.ncl", "root run"]).ok();
    assert!(!Path::new(root.stdout.trim()).join("lib/systemd/systemd").exists());

    let again = env.vb(&["test", "recipes/whois.ncl"]).ok();
    assert_eq!(again.executed(), Vec::<String>::new());
    assert_eq!(again.stdout, run.stdout);
    assert!(again.stderr.lines().last().unwrap().starts_with("4 passed tests, 0 actions executed"), "{}", again.stderr);

    env.edit("recipes/whois.ncl", "expect = \"Malformed query.\"", "expect = \"Malformed\"");
    let plan = env.vb(&["plan", "--tests", "recipes/whois.ncl"]).ok();
    let runs: Vec<&str> = plan.stdout.lines().filter(|line| line.starts_with("run")).collect();
    assert_eq!(runs, SCENARIOS.map(|scenario| format!("run   whois bookworm test {scenario}")));
    let why = env.vb(&["why", "--tests", "--action", "test install", "recipes/whois.ncl"]).ok();
    assert!(why.stdout.contains("check 0: [tcp, 4343, a..b"), "{}", why.stdout);
}

#[test]
fn an_upgrade_begins_with_what_was_published_last() {
    let env = with_repository("");
    env.vb(&["push", "recipes/whois.ncl"]).ok();
    let plan = env.vb(&["plan", "--tests", "recipes/whois.ncl"]).ok();
    assert!(plan.stdout.contains("whois bookworm test upgrade"), "{}", plan.stdout);
    assert!(!plan.stdout.contains("version before"), "{}", plan.stdout);
    let report = env.vb(&["output", "recipes/whois.ncl", "test upgrade"]).ok();
    let report = fs::read_to_string(format!("{}/report.json", report.stdout.trim())).unwrap();
    assert!(report.starts_with(r#"{"failure": null, "#), "{report}");
}

#[test]
fn a_check_that_fails_is_told_with_what_came_and_the_log_of_the_service() {
    let env = TestEnv::new();
    env.edit("recipes/whois.ncl", "expect = \"Malformed query.\"", "expect = \"Well formed.\"");
    let run = env.vb(&["test", "recipes/whois.ncl", "--format", "deb"]).expect(1);
    assert!(run.stdout.is_empty(), "{}", run.stdout);
    expect![[r#"
        error[vb::test::failed]: whois bookworm test install failed: after `install`, check 1 fails
          asked for at  recipes/whois.ncl:36
          asked         port 4343, sent "a..b\r\n"
          expected      "Well formed."
          found         "Malformed query.\r\n"
          last lines of the log of whois:
          shell         vb shell recipes/whois.ncl 'whois bookworm test install'
          help          mend the application, or what the check expects
    "#]]
    .assert_eq(&failure(&env, &run));
    assert!(run.stderr.contains("\n  whole log     /"), "{}", run.stderr);
    assert!(run.stderr.contains("  | ") && run.stderr.contains("\"listening\""), "{}", run.stderr);
    assert!(
        run.stderr.contains("whois bookworm test upgrade failed: after `upgrade`, check 1 fails"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_service_that_does_not_come_up_is_told_with_its_log() {
    let env = TestEnv::new();
    env.edit("recipes/whois.ncl", "host: 127.0.0.1, port: 4343", "host: 127.0.0.1, port: none");
    let run = env.vb(&["test", "recipes/whois.ncl"]).expect(1);
    let manager = if systemd_refusal().is_none() { "systemd" } else { "runit" };
    expect![[r#"
        error[vb::test::failed]: whois bookworm test install failed: after `install`, the service `whois` is not as it has to be
          asked for at  recipes/whois.ncl:22
          asked         is it up?
          expected      up, and steady, under MANAGER
          found         it ended, was started again, and ended
          last lines of the log of whois:
          shell         vb shell recipes/whois.ncl 'whois bookworm test install'
          help          look at its log; files that it needs to come up can be given in `test_files`
    "#]]
    .assert_eq(&failure(&env, &run).replace(&format!("under {manager}"), "under MANAGER"));
    assert!(run.stderr.contains("configuration refused"), "{}", run.stderr);
}

#[test]
fn packages_of_both_formats_that_belong_together_pass_their_tests_under_supervisor() {
    let env = TestEnv::duo();
    let run = env.vb(&["test", "recipes/duo.ncl", "--format", "rpm"]).ok();
    let passed: Vec<String> = SCENARIOS.map(|scenario| format!("passed  duo bookworm test rpm {scenario}")).to_vec();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), passed);
    // The .deb packages pass the one that has the others' steps in it, as the user that they make.
    let is_machine = systemd_refusal().is_none();
    if is_machine {
        let check = r#"{ command = ["/bin/sh", "-c", "stat -c %U /proc/$(supervisorctl pid duo)"], expect = "duo" },"#;
        env.edit("recipes/duo.ncl", "checks = [\n", &format!("checks = [\n    {check}\n"));
    }
    let report = env.vb(&["output", "recipes/duo.ncl", "duo bookworm test upgrade"]).ok();
    let report = fs::read_to_string(format!("{}/report.json", report.stdout.trim())).unwrap();
    let machine = if is_machine { r#""machine": "users", "# } else { "" };
    assert_eq!(report, format!(r#"{{"failure": null, {machine}"scenario": "upgrade"}}"#));

    env.edit(
        "recipes/duo.ncl",
        "exec = [\"bin/python\", \"-B\", \"-m\", \"duo\"]",
        "exec = [\"bin/python\", \"-c\", \"1/0\"]",
    );
    let failed = env.vb(&["output", "recipes/duo.ncl", "test rpm install"]).expect(1);
    assert!(failed.stderr.contains("the service `duo` is not as it has to be"), "{}", failed.stderr);
    assert!(failed.stderr.contains("up, and steady, under supervisor"), "{}", failed.stderr);
    assert!(failed.stderr.contains("ZeroDivisionError"), "{}", failed.stderr);
}

#[test]
fn systemd_is_booted_for_a_service_of_its_own_which_runs_as_its_user_with_its_capability() {
    let env = TestEnv::clock();
    if let Some(refusal) = systemd_refusal() {
        // A stand-in has neither users nor capabilities, which is said.
        let run = env.vb(&["test", "recipes/clock.ncl"]).expect(1);
        let told = format!(
            "warning: `vb test` pretends that there are users, and has a stand-in for systemd, because {refusal}"
        );
        assert!(run.stderr.contains(&told), "{}", run.stderr);
        return;
    }
    let passed: Vec<String> = SCENARIOS.map(|scenario| format!("passed  clock bookworm test {scenario}")).to_vec();
    let run = env.vb(&["test", "recipes/clock.ncl"]).ok();
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), passed);
    assert!(!run.stderr.contains("stand-in"), "{}", run.stderr);
    let report = env.vb(&["output", "recipes/clock.ncl", "test install"]).ok();
    let report = fs::read_to_string(format!("{}/report.json", report.stdout.trim())).unwrap();
    assert_eq!(report, r#"{"failure": null, "machine": "systemd", "scenario": "install"}"#);

    env.edit("recipes/clock.ncl", "    capabilities = [\"CAP_NET_BIND_SERVICE\"],\n", "");
    let run = env.vb(&["test", "recipes/clock.ncl"]).expect(1);
    let told = "clock bookworm test install failed: after `install`, the service `clock` is not as it has to be";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert!(run.stderr.contains("  | PermissionError: [Errno 13] Permission denied"), "{}", run.stderr);
}

#[test]
fn runit_starts_a_service_as_its_user_who_may_not_take_a_port_that_is_roots() {
    if systemd_refusal().is_some() {
        return;
    }
    let env = TestEnv::new();
    env.edit("recipes/whois.ncl", "manager = ['Runit, 'Systemd],", "manager = 'Runit,");
    let pid = "$(cat /vrmd/whois/etc/services/whois/supervise/pid)";
    let check = format!(r#"{{ command = ["/bin/sh", "-c", "stat -c %U /proc/{pid}"], expect = "whois" }},"#);
    env.edit("recipes/whois.ncl", "  checks = [\n", &format!("  checks = [\n    {check}\n"));
    let report = env.vb(&["output", "recipes/whois.ncl", "test install"]).ok();
    let report = fs::read_to_string(format!("{}/report.json", report.stdout.trim())).unwrap();
    assert_eq!(report, r#"{"failure": null, "machine": "users", "scenario": "install"}"#);

    env.edit("recipes/whois.ncl", "host: 127.0.0.1, port: 4343", "host: 127.0.0.1, port: 43");
    let run = env.vb(&["output", "recipes/whois.ncl", "test install"]).expect(1);
    assert!(run.stderr.contains("up, and steady, under runit"), "{}", run.stderr);
    assert!(run.stderr.contains("Permission denied"), "{}", run.stderr);
}
