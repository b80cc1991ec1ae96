//! A package on a machine of its own: a Python program in the root's own interpreter, or in one beside it, installs it,
//! watches its services, and asks what the recipe wants to know. Where services are systemd's and it is in the root, it is
//! the first process; elsewhere that is a program that does nothing but reap.
//!
//! The output is a directory with `report.json`: what was done. A failed test has no output, so that it runs again.

use std::{path::Path, sync::atomic::AtomicBool};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use vb_graph::{Check, DRIVER, InputDigest, Machine, Manager, Node, Test};
use vb_sandbox::{Bind, Filter, Identity, Root, Upper};

use super::{
    Executed,
    command::{Prepared, host, layered, private, read_only, read_write},
};
use crate::{
    builder::Builder,
    error::{ExecuteError, TestFailure, TestedThing},
    inputs::Inputs,
};

const PROGRAM: &str = include_str!("trial/trial.py");
/// Any will do: it is what systemd knows a machine by that it has booted before.
const MACHINE_ID: &str = "76622074657374207662207465737421\n";

const FIRST: &str = include_str!("trial/first.py");
const SYSTEMCTL: &str = include_str!("trial/systemctl.py");

/// What the program is told.
#[derive(Debug, Serialize)]
struct Plan<'a> {
    scenario: &'static str,
    format: &'static str,
    names: &'a [String],
    prefix: &'a str,
    services: Vec<(&'a str, Vec<&'static str>)>,
    files: &'a std::collections::BTreeMap<String, String>,
    checks: Vec<PlannedCheck<'a>>,
    needed: Vec<String>,
    packages: Vec<String>,
    older: Vec<String>,
    machine: &'static str,
    systemctl: String,
    report: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum PlannedCheck<'a> {
    Tcp { port: u16, send: &'a str, expect: &'a str },
    Command { argv: &'a [String], expect: &'a str },
}

/// What the program says.
#[derive(Debug, Deserialize)]
struct Report {
    failure: Option<ReportedFailure>,
}

#[derive(Debug, Deserialize)]
struct ReportedFailure {
    step: String,
    thing: TestedThing,
    asked: String,
    expected: String,
    found: String,
    logs: Vec<(String, Vec<String>)>,
}

impl Builder {
    pub(super) fn test(&self, test: &Test, inputs: &Inputs, cancel: &AtomicBool) -> Result<Executed, ExecuteError> {
        let prepared = self.prepare_test(test, inputs)?;
        let log = self.run(&prepared, cancel)?;
        // Read out of the store, where a link that tested code may have left is not followed.
        let output = self.take_in(&prepared.path("report"))?;
        let report = match self.store.find(&output, "report.json")? {
            Some(Node::File { blob, .. }) => self.store.read_blob(&blob)?,
            _ => vec![],
        };
        let report: Report = serde_json::from_slice(&report).map_err(ExecuteError::TestReport)?;
        match report.failure {
            None => Ok(Executed { output, log: Some(log) }),
            Some(ReportedFailure { step, thing, asked, expected, found, logs }) => {
                let log = self.store.blob_path(&log);
                Err(Box::new(TestFailure { step, thing, asked, expected, found, logs, log }).into())
            }
        }
    }

    pub(super) fn prepare_test(&self, test: &Test, inputs: &Inputs) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let path = |name: &str| scratch.path().join(name);
        for name in ["in", "report", "upper", "work"] {
            fs::create_dir(path(name)).map_err(ExecuteError::scratch)?;
        }
        let mut binds = Vec::new();
        for name in &test.names {
            binds.push(self.show_package(inputs, &format!("package {name}"), scratch.path())?);
            if test.scenario.needs_older() {
                binds.push(self.show_package(inputs, &format!("older {name}"), scratch.path())?);
            }
        }
        for name in &test.needs {
            binds.push(self.show_package(inputs, &format!("needed {name}"), scratch.path())?);
        }
        if inputs.has("driver") {
            let moved = self.on_data_pool(|| self.store.materialize(&inputs.directory("driver")))?;
            binds.push(read_only(&moved.join("root").join(DRIVER.trim_start_matches('/')), DRIVER));
        }
        let root = self.layer(&inputs.directory("root"))?;
        let systemd = systemd_of(test, root.as_path());
        let plan =
            serde_json::to_string(&plan(test, machine_of(test, systemd.is_some()))).expect("the plan is plain data");
        let systemctl = format!("#!{}\n{SYSTEMCTL}", test.python);
        for (name, text) in
            [("trial.py", PROGRAM), ("first.py", FIRST), ("systemctl", &systemctl), ("plan.json", &plan)]
        {
            fs::write(path("in").join(name), text).map_err(ExecuteError::scratch)?;
        }
        binds.push(read_only(&path("in"), &private("in")));
        binds.push(read_write(&path("report"), &private("report")));
        let argv = [test.python.clone(), private("in/trial.py"), private("in/plan.json")];
        let mut spec = layered(vec![], argv.to_vec(), binds);
        let upper = Upper::Keep { upper: host(&path("upper")), work: host(&path("work")) };
        spec.root = Root::Layers { lowers: vec![root], upper };
        if systemd.is_some() {
            let etc = path("upper/etc");
            fs::create_dir(&etc).map_err(ExecuteError::scratch)?;
            // Without it, systemd would set up a machine that has never been booted.
            fs::write(etc.join("machine-id"), MACHINE_ID).map_err(ExecuteError::scratch)?;
        }
        if test.machine == Machine::Sandbox {
            spec.identity = Identity::Root;
            spec.filter = Filter::PretendOwnership;
        } else {
            let reaper = || vec![test.python.clone(), private("in/first.py")];
            let first = systemd.map_or_else(reaper, |systemd| vec![systemd, "--unit=multi-user.target".to_owned()]);
            spec.identity = Identity::Machine { first };
            spec.env.insert("HOME".to_owned(), "/root".to_owned());
        }
        spec.env.insert("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned());
        Ok(Prepared { spec, scratch })
    }

    /// Shows the directory that an action made of a package, or one with a file that was published.
    pub(super) fn show_package(&self, inputs: &Inputs, name: &str, scratch: &Path) -> Result<Bind, ExecuteError> {
        let place = scratch.join(name);
        let directory = match inputs.get(name) {
            InputDigest::File { .. } => {
                inputs.file(&self.store, name)?.place(&place)?;
                place
            }
            InputDigest::Node(_) => self.on_data_pool(|| self.store.materialize(&inputs.directory(name)))?,
        };
        Ok(read_only(&directory, &private(&name.replace(' ', "/"))))
    }
}

/// Finds what boots the machine of a test, in its root.
fn systemd_of(test: &Test, root: &Path) -> Option<String> {
    let places = ["usr/lib/systemd/systemd", "lib/systemd/systemd"];
    let found = places.into_iter().find(|place| test.machine == Machine::Booted && root.join(place).is_file());
    found.map(|place| format!("/{place}"))
}

/// Returns the word of the program for what a test is on.
fn machine_of(test: &Test, is_booted: bool) -> &'static str {
    match test.machine {
        Machine::Sandbox => "sandbox",
        _ if is_booted => "systemd",
        _ => "users",
    }
}

fn plan<'a>(test: &'a Test, machine: &'static str) -> Plan<'a> {
    let managers = |managers: &[Manager]| managers.iter().map(|manager| manager.as_str()).collect();
    Plan {
        scenario: test.scenario.as_str(),
        format: test.format.as_str(),
        names: &test.names,
        prefix: &test.prefix,
        services: test.services.iter().map(|service| (service.name.as_str(), managers(&service.managers))).collect(),
        files: &test.files,
        checks: test.checks.iter().map(planned).collect(),
        needed: test.needs.iter().map(|name| private(&format!("needed/{name}"))).collect(),
        packages: test.names.iter().map(|name| private(&format!("package/{name}"))).collect(),
        older: test.names.iter().map(|name| private(&format!("older/{name}"))).collect(),
        machine,
        systemctl: private("in/systemctl"),
        report: private("report/report.json"),
    }
}

fn planned(check: &Check) -> PlannedCheck<'_> {
    match check {
        Check::Tcp { port, send, expect } => PlannedCheck::Tcp { port: *port, send, expect },
        Check::Command { argv, expect } => PlannedCheck::Command { argv, expect },
    }
}
