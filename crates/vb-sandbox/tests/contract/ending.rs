//! How a run ends, and that nothing outlives it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vb_sandbox::{SandboxError, Status, Stdio, run};

use crate::harness::{Bench, Witness, for_each_caller};

/// Processes that do their best to stay: ignored signals, another session, an orphan.
const STAY: &str = "trap '' TERM INT HUP; nohup sleep 1000 & setsid sleep 1000 & (setsid sleep 1000 &); ";

#[test]
fn the_exit_code_is_the_commands_own() {
    for_each_caller(|bench| {
        for code in [0, 1, 125, 126, 127, 255] {
            let done = bench.run(&bench.shell(&format!("exit {code}")));
            assert_eq!(done.status(), Status::Exited(code));
        }
    });
}

#[test]
fn a_signal_is_told_apart_from_an_exit() {
    for_each_caller(|bench| {
        // The last one is a real-time signal.
        for signal in [9, 11, 15, 40] {
            let done = bench.run(&bench.shell(&format!("kill -{signal} $$")));
            assert_eq!(done.status(), Status::Signaled(signal));
        }
    });
}

#[test]
fn a_daemon_does_not_outlive_the_command() {
    for_each_caller(|bench| {
        let mut witness = Witness::new(bench);
        let mut spec = bench.shell(&format!("{}{STAY} exit 3", Witness::HOLD));
        spec.binds.push(witness.bind());
        let done = bench.run(&spec);
        assert_eq!(done.status(), Status::Exited(3));
        witness.wait_until_ready();
        assert!(witness.is_alone());
    });
}

#[test]
fn the_end_of_an_orphan_is_not_the_commands_end() {
    for_each_caller(|bench| {
        // The orphan becomes a child of the first process, which reaps it before the command ends.
        let orphan = "while [ $(cut -d' ' -f4 /proc/$$/stat) != 1 ]; do :; done; echo $$ > /tmp/pid; exit 9";
        let script = "(sh -c \"$ORPHAN\" &); until [ -s /tmp/pid ]; do :; done; read pid < /tmp/pid;\n\
                      while [ -e /proc/$pid ]; do :; done; exit 4";
        let mut spec = bench.shell(script);
        spec.env.insert("ORPHAN".to_owned(), orphan.to_owned());
        assert_eq!(bench.run(&spec).status(), Status::Exited(4));
    });
}

#[test]
fn a_timeout_leaves_no_process() {
    for_each_caller(|bench| {
        let mut witness = Witness::new(bench);
        let mut spec = bench.shell(&format!("{}{STAY} echo before; wait", Witness::HOLD));
        spec.binds.push(witness.bind());
        spec.timeout = Some(Duration::from_secs(2));
        let done = bench.run(&spec);
        assert_eq!(done.status(), Status::TimedOut);
        assert!(done.result.unwrap().wall >= Duration::from_secs(2));
        assert!(done.log.contains("before\n"));
        witness.wait_until_ready();
        assert!(witness.is_alone());
    });
}

#[test]
fn a_cancel_leaves_no_process() {
    let bench = Bench::new(None);
    let mut witness = Witness::new(&bench);
    let mut spec = bench.shell(&format!("{}{STAY} wait", Witness::HOLD));
    spec.binds.push(witness.bind());
    let cancel = AtomicBool::new(false);
    let log = fs_err::File::create(bench.log_path()).unwrap().into_parts().0;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&bench.helper(), &spec, Stdio::Log(log), &cancel));
        witness.wait_until_ready();
        cancel.store(true, Ordering::Relaxed);
        let result = running.join().unwrap();
        assert!(matches!(result, Err(SandboxError::Cancelled)), "{result:?}");
    });
    assert!(witness.is_alone());
}

#[test]
fn a_cancel_before_the_start_runs_nothing() {
    let bench = Bench::new(None);
    let kept = bench.make_dir("kept");
    let mut spec = bench.shell("echo ran > /kept/file; sleep 1000");
    spec.binds.push(crate::harness::bind(&kept, "/kept", vb_sandbox::Access::ReadWrite));
    let log = fs_err::File::create(bench.log_path()).unwrap().into_parts().0;
    let result = run(&bench.helper(), &spec, Stdio::Log(log), &AtomicBool::new(true));
    assert!(matches!(result, Err(SandboxError::Cancelled)), "{result:?}");
    assert!(!kept.as_path().join("file").exists());
}

#[test]
fn a_killed_caller_leaves_no_process() {
    for_each_caller(|bench| {
        let mut witness = Witness::new(bench);
        let mut spec = bench.shell(&format!("{}{STAY} wait", Witness::HOLD));
        spec.binds.push(witness.bind());
        let mut caller = bench.start(&spec);
        witness.wait_until_ready();
        assert!(!witness.is_alone());
        caller.kill().unwrap();
        caller.wait().unwrap();
        witness.wait_until_alone();
    });
}

#[test]
fn a_killed_helper_leaves_no_process_and_is_an_error() {
    for_each_caller(|bench| {
        let mut witness = Witness::new(bench);
        let mut spec = bench.shell(&format!("{}{STAY} wait", Witness::HOLD));
        spec.binds.push(witness.bind());
        let log = bench.log_path();
        let args = bench.runner_args(&spec, log.to_str().unwrap());
        let caller = bench.command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
        witness.wait_until_ready();
        let children = format!("/proc/{0}/task/{0}/children", caller.id());
        let helper: i32 = fs_err::read_to_string(children).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(helper), nix::sys::signal::Signal::SIGKILL).unwrap();
        let output = caller.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("the sandbox helper ended without a report (signal: 9"), "{text}");
        witness.wait_until_alone();
    });
}

#[test]
fn many_sandboxes_run_at_once_from_any_thread() {
    let bench = Bench::new(None);
    std::thread::scope(|scope| {
        for index in 0..16 {
            let bench = &bench;
            scope.spawn(move || {
                let spec = bench.shell(&format!("echo {index}; exit {index}"));
                let path = bench.path(&format!("log-{index}"));
                let log = fs_err::File::create(&path).unwrap().into_parts().0;
                let outcome = run(&bench.helper(), &spec, Stdio::Log(log), &AtomicBool::new(false)).unwrap();
                assert_eq!(outcome.status, Status::Exited(index));
                assert_eq!(fs_err::read_to_string(path).unwrap(), format!("{index}\n"));
            });
        }
    });
}
