//! Services, users, directories and configuration files as a recipe has them, with the contracts' defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRecipe {
    /// The command and its arguments; one that is relative is below the application's directory.
    pub exec: Vec<String>,
    /// What it is run by, the preferred one first.
    pub manager: Vec<ManagerName>,
    /// One line that says what it is.
    pub description: Option<String>,
    /// The user that it runs as.
    pub user: String,
    /// The group that it runs as, where that is not the user's.
    pub group: Option<String>,
    /// Where it is started, where that is not the application's directory.
    pub directory: Option<String>,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
    /// The capabilities that it keeps.
    pub capabilities: Vec<String>,
    /// Its limits.
    pub limits: BTreeMap<String, u64>,
    /// The command that makes it read its configuration again.
    pub reload: Vec<String>,
    /// Is it restarted in an upgrade?
    pub restart_on_upgrade: bool,
    /// When it is started again.
    pub restart: RestartName,
    /// How long it has to stop.
    pub stop_seconds: u32,
    /// Is it enabled when it is installed?
    pub enable: bool,
    /// Units that systemd starts before it.
    pub after: Vec<String>,
    /// Other settings of its unit.
    pub systemd: BTreeMap<String, String>,
}

/// A service manager, as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ManagerName {
    /// systemd.
    Systemd,
    /// runit.
    Runit,
    /// Supervisor.
    Supervisor,
}

/// When a service is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartName {
    /// However it ended.
    Always,
    /// When it failed.
    OnFailure,
    /// By hand.
    Never,
}

/// What hand-written scripts do to those that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scripts {
    /// They hold them.
    Merge,
    /// They take their place.
    Replace,
}

/// A user that is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecipe {
    /// Other groups that the user is in.
    pub groups: Vec<String>,
    /// The home directory, where that is not the application's.
    pub home: Option<String>,
    /// The login shell.
    pub shell: String,
    /// What the user is for.
    pub comment: Option<String>,
}

/// A file that an upgrade does not overwrite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFileRecipe {
    /// Where it is; one that is relative is below the application's directory.
    pub path: String,
    /// The file of the source that it is a copy of, where that is not at the same path.
    pub source: Option<String>,
    /// Its owner.
    pub owner: String,
    /// Its group.
    pub group: String,
    /// Its permission bits, in octal digits.
    pub mode: Option<String>,
}

/// A directory that is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryRecipe {
    /// Its path.
    pub path: String,
    /// Its owner.
    pub owner: String,
    /// Its group, where that is not the owner's own.
    pub group: Option<String>,
    /// Its permission bits, in octal digits.
    pub mode: String,
    /// Is it removed when the package is purged?
    pub purge: bool,
}
