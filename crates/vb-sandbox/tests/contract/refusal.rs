//! What is said when a sandbox cannot be made.

use std::process::Command;
use std::sync::atomic::AtomicBool;

use vb_sandbox::{Access, Errno, Helper, Root, SandboxError, Stdio, Step, Upper, probe, run};

use crate::harness::{Bench, bind, for_each_caller, guest, host};

#[test]
fn a_missing_program_is_not_an_exit_code() {
    for_each_caller(|bench| {
        for program in ["/nowhere/program", "no-such-program"] {
            let done = bench.run(&bench.program(&[program]));
            assert_eq!(
                done.error(),
                format!("the sandbox could not execute `{program}`: ENOENT: No such file or directory")
            );
        }
        let done = bench.run(&bench.program(&["/usr/bin"]));
        assert_eq!(done.error(), "the sandbox could not execute `/usr/bin`: EACCES: Permission denied");
    });
}

#[test]
fn the_step_that_failed_is_named() {
    for_each_caller(|bench| {
        let missing = host(bench.path("missing"));
        let shown = missing.to_string();
        let absent = "ENOENT: No such file or directory";

        let mut spec = bench.shell("true");
        spec.cwd = guest("/missing");
        assert_eq!(
            bench.run(&spec).error(),
            format!("the sandbox could not enter the working directory `/missing`: {absent}")
        );

        let mut spec = bench.shell("true");
        spec.binds.push(bind(&missing, "/x", Access::ReadOnly));
        assert_eq!(bench.run(&spec).error(), format!("the sandbox could not open the bind source `{shown}`: {absent}"));

        let mut spec = bench.shell("true");
        spec.root = Root::Layers { lowers: vec![missing.clone()], upper: Upper::Discard };
        assert_eq!(bench.run(&spec).error(), format!("the sandbox could not open the layer `{shown}`: {absent}"));

        let file = bench.make_layer("files", &["file"]);
        let mut spec = bench.shell("true");
        spec.binds.push(bind(&host(file.as_path().join("file")), "/dev", Access::ReadOnly));
        assert_eq!(bench.run(&spec).error(), "the sandbox could not bind `/dev`: EISDIR: Is a directory");
    });
}

#[test]
fn a_failed_set_up_is_a_typed_error() {
    let bench = Bench::new(None);
    let mut spec = bench.shell("true");
    spec.cwd = guest("/missing");
    let result = run(&bench.helper(), &spec, Stdio::Inherit, &AtomicBool::new(false));
    let Err(SandboxError::Setup { step, errno }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(step, Step::EnterDirectory { path: guest("/missing") });
    assert_eq!(errno, Errno::ENOENT);
}

#[test]
fn a_spec_without_a_command_or_a_layer_is_refused() {
    let bench = Bench::new(None);
    let run = |spec| run(&bench.helper(), &spec, Stdio::Inherit, &AtomicBool::new(false));
    let result = run(bench.program(&[]));
    assert!(matches!(result, Err(SandboxError::NoCommand)), "{result:?}");
    let mut spec = bench.shell("true");
    spec.root = Root::Layers { lowers: Vec::new(), upper: Upper::Discard };
    let result = run(spec);
    assert!(matches!(result, Err(SandboxError::NoLayer)), "{result:?}");
}

#[test]
fn a_program_that_is_no_helper_is_an_error() {
    let bench = Bench::new(None);
    let run = |program: &str| {
        let helper = Helper { program: program.into(), args: Vec::new() };
        run(&helper, &bench.shell("true"), Stdio::Inherit, &AtomicBool::new(false))
    };
    let result = run("/bin/true");
    assert!(matches!(result, Err(SandboxError::HelperDied { status }) if status.success()), "{result:?}");
    let result = run("/nowhere/helper");
    assert!(matches!(result, Err(SandboxError::Start { .. })), "{result:?}");
}

#[test]
fn a_helper_that_run_did_not_start_ends_at_once() {
    let bench = Bench::new(None);
    let status = Command::new(bench.helper().program).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn the_kernel_setting_that_refuses_is_named() {
    for_each_caller(|bench| {
        // The limit of a user namespace that the test makes for itself.
        let refuse = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
        let mut argv = ["unshare", "--user", "--map-root-user", "sh", "-c", refuse, "sh"].map(str::to_owned).to_vec();
        let spec = bench.shell("true");
        argv.extend(bench.runner_args(&spec, bench.log_path().to_str().unwrap()));
        let done = bench.run_command(&argv);
        assert_eq!(
            done.error(),
            "the sandbox could not create its namespaces because the kernel setting \
             `user.max_user_namespaces` is `0`: ENOSPC: No space left on device"
        );
    });
}

#[test]
fn a_probe_succeeds_where_sandboxes_work() {
    let bench = Bench::new(None);
    probe(&bench.helper()).unwrap();
    let helper = Helper { program: bench.path("missing"), args: Vec::new() };
    let result = probe(&helper);
    assert!(matches!(result, Err(SandboxError::Start { .. })), "{result:?}");
}
