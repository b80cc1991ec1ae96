//! The state that the command starts in, its streams, and what it cost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use vb_sandbox::Status;

use crate::harness::{for_each_caller, guest};

#[test]
fn the_environment_is_exactly_the_one_given() {
    for_each_caller(|bench| {
        let mut spec = bench.program(&["/usr/bin/env"]);
        spec.env =
            BTreeMap::from([("ONE".to_owned(), "1 and = more\n".to_owned()), ("EMPTY".to_owned(), String::new())]);
        assert_eq!(bench.output(&spec), "EMPTY=\nONE=1 and = more\n\n");
    });
}

#[test]
fn a_program_is_found_in_the_path_of_the_command() {
    for_each_caller(|bench| {
        let mut spec = bench.program(&["echo", "found"]);
        spec.env = BTreeMap::from([("PATH".to_owned(), "/nowhere:/usr/bin".to_owned())]);
        assert_eq!(bench.output(&spec), "found\n");
    });
}

#[test]
fn the_working_directory_and_the_umask_are_set() {
    for_each_caller(|bench| {
        let mut spec = bench.shell("pwd; umask");
        spec.cwd = guest("/usr/bin");
        let log = bench.log_path();
        let mut argv = ["sh", "-c", "umask 077; exec \"$@\"", "sh"].map(str::to_owned).to_vec();
        argv.extend(bench.runner_args(&spec, log.to_str().unwrap()));
        let done = bench.run_command(&argv);
        assert_eq!(done.status(), Status::Exited(0));
        assert_eq!(done.log, "/usr/bin\n0022\n");
    });
}

#[test]
fn the_command_leads_a_session_of_its_own() {
    for_each_caller(|bench| {
        let stat = bench.output(&bench.program(&["cat", "/proc/self/stat"]));
        let fields: Vec<&str> = stat.split(' ').collect();
        let (pid, group, session, terminal) = (fields[0], fields[4], fields[5], fields[6]);
        assert_eq!((group, session, terminal), (pid, pid, "0"));
    });
}

#[test]
fn signals_have_their_default_dispositions_and_none_is_blocked() {
    for_each_caller(|bench| {
        let spec = bench.program(&["cat", "/proc/self/status"]);
        let mut argv = ["sh", "-c", "trap '' INT QUIT PIPE USR1 CHLD; exec \"$@\"", "sh"].map(str::to_owned).to_vec();
        argv.extend(bench.runner_args(&spec, bench.log_path().to_str().unwrap()));
        let done = bench.run_command(&argv);
        assert_eq!(done.status(), Status::Exited(0));
        for set in ["SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"] {
            let line = format!("{set}:\t0000000000000000");
            assert!(done.log.lines().any(|found| found == line), "{}", done.log);
        }
    });
}

#[test]
fn no_descriptor_leaks_into_the_command() {
    for_each_caller(|bench| {
        let spec = bench.program(&["ls", "/proc/self/fd"]);
        let leak = "exec 3</etc/passwd 4</etc/passwd 5</etc/passwd 7</etc/passwd 9</etc/passwd; exec \"$@\"";
        let mut argv = ["sh", "-c", leak, "sh"].map(str::to_owned).to_vec();
        argv.extend(bench.runner_args(&spec, bench.log_path().to_str().unwrap()));
        let done = bench.run_command(&argv);
        assert_eq!(done.status(), Status::Exited(0));
        // The fourth is the directory that ls itself reads.
        assert_eq!(done.log, "0\n1\n2\n3\n");
    });
}

#[test]
fn standard_input_is_the_null_device() {
    for_each_caller(|bench| {
        let log = bench.output(&bench.shell("readlink /proc/self/fd/0; cat"));
        assert_eq!(log, "/dev/null\n");
    });
}

#[test]
fn both_outputs_go_to_the_log_in_order() {
    for_each_caller(|bench| {
        let mut script = String::new();
        let mut expected = String::new();
        for line in 0..50 {
            writeln!(script, "echo out {line}; echo err {line} >&2").unwrap();
            writeln!(expected, "out {line}\nerr {line}").unwrap();
        }
        assert_eq!(bench.output(&bench.shell(&script)), expected);
    });
}

#[test]
fn opening_the_standard_streams_anew_keeps_the_log() {
    for_each_caller(|bench| {
        let log = bench.output(
            &bench.shell("echo one; echo two > /dev/stderr; echo three > /dev/stdout; echo four > /proc/self/fd/1"),
        );
        assert_eq!(log, "one\ntwo\nthree\nfour\n");
    });
}

#[test]
fn a_large_output_arrives_whole() {
    for_each_caller(|bench| {
        let log = bench.output(&bench.shell("seq 300000"));
        assert_eq!(log.lines().count(), 300_000);
        assert!(log.ends_with("\n300000\n"));
    });
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_and_not_a_hang() {
    for_each_caller(|bench| {
        let spec = bench.shell("seq 300000");
        let done = bench.run_command(&bench.runner_args(&spec, "/dev/full"));
        assert_eq!(done.error(), "the sandbox could not write the log: ENOSPC: No space left on device");
    });
}

#[test]
fn inherited_streams_are_the_callers() {
    for_each_caller(|bench| {
        let args = bench.runner_args(&bench.shell("read line; echo got $line; echo bad >&2"), "-");
        let mut argv = ["sh", "-c", "echo hello | \"$@\"", "sh"].map(str::to_owned).to_vec();
        argv.extend(args);
        let output = bench.command(&argv).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.starts_with("got hello\n{\"Ok\":"), "{stdout}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "bad\n");
    });
}

#[test]
fn an_interactive_command_has_the_foreground_of_the_terminal() {
    for_each_caller(|bench| {
        let spec = bench.shell("cat /proc/self/stat; true");
        let runner = bench.runner_args(&spec, "-").join(" ");
        // After the run, the caller's own group is in front again, or reading the terminal's state would stop it.
        let line = format!("{runner}; ps -o tpgid=,pgid= -p $$");
        let argv = ["script", "-qec", &line, "/dev/null"].map(str::to_owned);
        let output = bench.command(&argv).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = stdout.lines().collect();
        let fields: Vec<&str> = lines[0].split(' ').collect();
        let (group, foreground) = (fields[4], fields[7]);
        assert_eq!(group, foreground, "{stdout}");
        assert_ne!(group, "0", "{stdout}");
        let after: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(after[0], after[1], "{stdout}");
    });
}

#[test]
fn the_cost_is_measured() {
    for_each_caller(|bench| {
        let burn = "import time\n\
                    block = bytearray(64 * 1024 * 1024)\n\
                    block[::4096] = b'x' * len(block[::4096])\n\
                    while time.process_time() < 0.3: pass\n";
        let done = bench.run(&bench.python(burn));
        let outcome = done.result.unwrap();
        assert!(outcome.cpu >= Duration::from_millis(300), "{outcome:?}");
        assert!(outcome.wall >= Duration::from_millis(300), "{outcome:?}");
        assert!(outcome.max_rss_bytes >= 64 * 1024 * 1024, "{outcome:?}");
    });
}
