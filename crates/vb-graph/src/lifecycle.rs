//! What a package does on the machine that it is installed on: its services, their users, and the files that somebody
//! there looks after.
//!
//! Must not be here: the text of units and scripts, which `vb-package` makes of these values.

use std::{collections::BTreeMap, fmt};

use crate::resolved::Part;

/// What a package brings to life, and what it leaves to the administrator. An empty one adds nothing to a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lifecycle {
    /// The services, by name.
    pub services: Vec<Service>,
    /// The users, by name.
    pub users: Vec<User>,
    /// Directories outside of the package's files.
    pub directories: Vec<OwnedDirectory>,
    /// Files that an upgrade does not overwrite.
    pub config_files: Vec<ConfigFile>,
    /// What hand-written scripts do to those that are made of all this.
    pub scripts: ScriptPolicy,
    /// Where units of systemd are: `/usr/lib/systemd/system`.
    pub unit_directory: String,
    /// Where run scripts of the other managers are, a directory for each service: `/vrmd/whois/etc/services`.
    pub service_directory: String,
    /// The interpreter that is looked at before anything is unpacked; none where the package brings its own.
    pub interpreter: Option<NeededInterpreter>,
}

/// The interpreter that a package needs, and does not bring.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NeededInterpreter {
    /// The absolute path of its versioned command.
    pub command: String,
    /// Major and minor version that it has to say: `3.11`.
    pub version: String,
    /// The relations of the package that promise it.
    pub depends: Vec<String>,
}

/// What becomes of a script that is written by hand, where one is made for the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ScriptPolicy {
    /// The made one is put into it, where its marker stands.
    #[default]
    Merge,
    /// It takes the made one's place.
    Replace,
}

/// A program that starts services and looks after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manager {
    /// systemd.
    Systemd,
    /// runit.
    Runit,
    /// Supervisor.
    Supervisor,
}

impl Manager {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Runit => "runit",
            Self::Supervisor => "supervisor",
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a service that has ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Restart {
    /// However it ended.
    Always,
    /// When it ended with another status than 0.
    OnFailure,
    /// By hand.
    Never,
}

/// What happens to a running service when its package is upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnUpgrade {
    /// It is restarted, once all files are there.
    Restart,
    /// Its reload command is run.
    Reload,
    /// It runs on.
    Leave,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// What managers call it.
    pub name: String,
    /// One line that says what it is.
    pub description: String,
    /// The managers that it can be run by, the preferred one first.
    pub managers: Vec<Manager>,
    /// The command and its arguments; the command is an absolute path.
    pub exec: Vec<String>,
    /// The command that makes it read its configuration again; the command is an absolute path. Nothing for none.
    pub reload: Vec<String>,
    /// The user that it runs as.
    pub user: String,
    /// The group that it runs as, where that is not the user's own.
    pub group: Option<String>,
    /// Where it is started.
    pub directory: String,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
    /// Capabilities that it keeps as that user: `CAP_NET_BIND_SERVICE`.
    pub capabilities: Vec<String>,
    /// Limits by name, in systemd's units: `nofile`.
    pub limits: BTreeMap<String, u64>,
    /// Units that systemd starts before it.
    pub after: Vec<String>,
    /// When it is started again.
    pub restart: Restart,
    /// How many seconds it has to stop in.
    pub stop_seconds: u32,
    /// Is it enabled when it is installed?
    pub is_enabled: bool,
    /// What an upgrade does to it.
    pub on_upgrade: OnUpgrade,
    /// Settings of systemd's `[Service]` beside these.
    pub systemd: BTreeMap<String, String>,
}

/// A user of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The user's name; a group of that name is the user's own.
    pub name: String,
    /// Other groups that the user is in.
    pub groups: Vec<String>,
    /// The home directory, which is not made.
    pub home: String,
    /// The login shell.
    pub shell: String,
    /// What the user is for.
    pub comment: String,
}

/// A directory that the package makes and does not bring.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnedDirectory {
    /// Its absolute path.
    pub path: String,
    /// Its owner.
    pub owner: String,
    /// Its group, where that is not the owner's own.
    pub group: Option<String>,
    /// Its permission bits.
    pub mode: u32,
    /// Is it removed, with all that is in it, when the package is purged?
    pub is_purged: bool,
}

impl OwnedDirectory {
    /// Returns the name of its group.
    pub fn group_name(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.owner)
    }
}

/// A file that an upgrade does not overwrite when somebody has edited it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConfigFile {
    /// Its absolute path.
    pub path: String,
    /// The file of the application that it is a copy of, where the package has nothing at that path.
    pub source: String,
    /// Its owner.
    pub owner: String,
    /// Its group.
    pub group: String,
    /// Its permission bits, where they are not the source's.
    pub mode: Option<u32>,
}

impl Lifecycle {
    /// Is there nothing that a package could do, but look at its interpreter?
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.users.is_empty() && self.directories.is_empty() && self.config_files.is_empty()
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = self.interpreter.iter().map(NeededInterpreter::part).collect();
        if self.is_empty() {
            return parts;
        }
        parts.extend([
            Part::text("scripts", format!("{:?}", self.scripts)),
            Part::text("unit directory", &self.unit_directory),
            Part::text("service directory", &self.service_directory),
        ]);
        parts.extend(self.services.iter().flat_map(Service::parts));
        parts.extend(self.users.iter().flat_map(User::parts));
        parts.extend(self.directories.iter().map(OwnedDirectory::part));
        parts.extend(self.config_files.iter().map(ConfigFile::part));
        parts
    }
}

impl NeededInterpreter {
    fn part(&self) -> Part {
        let mut values = vec![self.command.clone(), self.version.clone()];
        values.extend(self.depends.iter().cloned());
        Part::list("interpreter", &values)
    }
}

impl Service {
    fn parts(&self) -> Vec<Part> {
        let name = |field: &str| format!("service {} {field}", self.name);
        let managers: Vec<String> = self.managers.iter().map(ToString::to_string).collect();
        let limits = self.limits.iter().map(|(name, value)| (name, value.to_string()));
        vec![
            Part::text(&name("description"), &self.description),
            Part::list(&name("managers"), &managers),
            Part::list(&name("exec"), &self.exec),
            Part::list(&name("reload"), &self.reload),
            Part::text(&name("user"), &self.user),
            Part::list(&name("group"), self.group.as_slice()),
            Part::text(&name("directory"), &self.directory),
            Part::list(&name("environment"), &settings(self.environment.iter())),
            Part::list(&name("capabilities"), &self.capabilities),
            Part::list(&name("limits"), &settings(limits)),
            Part::list(&name("after"), &self.after),
            Part::text(&name("restart"), format!("{:?}", self.restart)),
            Part::text(&name("stop seconds"), self.stop_seconds.to_string()),
            Part::text(&name("enabled"), self.is_enabled.to_string()),
            Part::text(&name("on upgrade"), format!("{:?}", self.on_upgrade)),
            Part::list(&name("systemd"), &settings(self.systemd.iter())),
        ]
    }
}

impl User {
    fn parts(&self) -> Vec<Part> {
        let attributes = [&self.home, &self.shell, &self.comment].map(Clone::clone);
        vec![
            Part::list(&format!("user {}", self.name), &attributes),
            Part::list(&format!("user {} groups", self.name), &self.groups),
        ]
    }
}

impl OwnedDirectory {
    fn part(&self) -> Part {
        let group = self.group.clone().unwrap_or_default();
        let values = [self.owner.clone(), group, format!("{:o}", self.mode), self.is_purged.to_string()];
        Part::list(&format!("directory {}", self.path), &values)
    }
}

impl ConfigFile {
    fn part(&self) -> Part {
        let mode = self.mode.map(|mode| format!("{mode:o}")).unwrap_or_default();
        let values = [self.source.clone(), self.owner.clone(), self.group.clone(), mode];
        Part::list(&format!("config file {}", self.path), &values)
    }
}

fn settings<'a>(entries: impl Iterator<Item = (&'a String, impl fmt::Display)>) -> Vec<String> {
    entries.map(|(name, value)| format!("{name}={value}")).collect()
}
