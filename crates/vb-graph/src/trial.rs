//! Tests of a package on a machine of its own: what is done with it there, and what is asked of it then.

use std::collections::BTreeMap;

use crate::{lifecycle::Manager, package::Format, resolved::Part};

/// Where the interpreter is that drives a test, unless it is the platform's: besides all that is tested.
pub const DRIVER: &str = "/vb-build/python";

/// Takes the packages of a recipe through one part of their life, in a root that has their run dependencies.
///
/// The inputs are `package` and, where the scenario needs a version before, `older`, each with a package's name; `root`; with
/// the names of packages `needed`; and `driver`, where the root has no interpreter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Test {
    /// The part of its life.
    pub scenario: Scenario,
    /// What kind of file the package is.
    pub format: Format,
    /// The names of the packages that the recipe makes: they are installed together.
    pub names: Vec<String>,
    /// The names of packages of the workspace that are there before: the interpreter.
    pub needs: Vec<String>,
    /// The environment's path.
    pub prefix: String,
    /// The interpreter that drives the test: the platform's, `/usr/bin/python3.11`, or one at [`DRIVER`].
    pub python: String,
    /// The services that have to be up.
    pub services: Vec<TestedService>,
    /// Files that are on the machine before the package is, by their absolute path.
    pub files: BTreeMap<String, String>,
    /// What is asked once the services are up.
    pub checks: Vec<Check>,
    /// What the package is installed on.
    pub machine: Machine,
}

/// What a package is installed on for a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    /// A sandbox with one user, and a stand-in for systemd.
    Sandbox,
    /// A machine with all users.
    Users,
    /// One that systemd boots, where the root has systemd.
    Booted,
}

impl Machine {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Users => "users",
            Self::Booted => "booted",
        }
    }
}

/// A part of the life of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// It is installed.
    Install,
    /// It replaces an older version.
    Upgrade,
    /// An older version replaces it.
    Rollback,
    /// It is removed, installed again, and purged.
    Remove,
}

impl Scenario {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Install, Self::Upgrade, Self::Rollback, Self::Remove];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Remove => "remove",
        }
    }

    /// Does it need a version before?
    pub fn needs_older(self) -> bool {
        matches!(self, Self::Upgrade | Self::Rollback)
    }
}

/// A service that a test waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TestedService {
    /// Its name.
    pub name: String,
    /// What can run it, the preferred one first.
    pub managers: Vec<Manager>,
}

/// Something that has to be so while a package is installed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// A port answers.
    Tcp {
        /// The port, on the machine's loopback interface.
        port: u16,
        /// What is sent when the connection is there.
        send: String,
        /// A text that has to be in the answer.
        expect: String,
    },
    /// A command ends well.
    Command {
        /// The program's absolute path, and its arguments.
        argv: Vec<String>,
        /// A text that has to be in what it prints.
        expect: String,
    },
}

impl Test {
    pub(crate) fn parts(&self) -> Vec<Part> {
        let files: Vec<String> = self.files.iter().map(|(path, text)| format!("{path}={text}")).collect();
        let mut parts = vec![
            Part::text("scenario", self.scenario.as_str()),
            Part::text("format", self.format.as_str()),
            Part::list("names", &self.names),
            Part::text("prefix", &self.prefix),
            Part::text("python command", &self.python),
            Part::list("files", &files),
            Part::text("machine", self.machine.as_str()),
        ];
        if !self.needs.is_empty() {
            parts.push(Part::list("needs", &self.needs));
        }
        parts.extend(self.services.iter().map(|service| {
            let managers: Vec<String> = service.managers.iter().map(ToString::to_string).collect();
            Part::list(&format!("service {}", service.name), &managers)
        }));
        parts.extend(self.checks.iter().enumerate().map(|(index, check)| check.part(index)));
        parts
    }
}

impl Check {
    fn part(&self, index: usize) -> Part {
        let words = match self {
            Self::Tcp { port, send, expect } => vec!["tcp".to_owned(), port.to_string(), send.clone(), expect.clone()],
            Self::Command { argv, expect } => {
                let words = ["command", expect].into_iter().chain(argv.iter().map(String::as_str));
                words.map(str::to_owned).collect()
            }
        };
        Part::list(&format!("check {index}"), &words)
    }
}
