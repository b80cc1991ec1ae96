//! Services and what belongs to them, with every path absolute.

use std::collections::BTreeMap;

use vb_graph::{
    ConfigFile, Format, Lifecycle, Manager, OnUpgrade, OwnedDirectory, Restart, ScriptPolicy, Service, User,
};

use crate::{
    platform::Platform,
    service::{ConfigFileRecipe, DirectoryRecipe, ManagerName, RestartName, Scripts, ServiceRecipe, UserRecipe},
};

/// What a recipe says of the life of one of its packages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life<'a> {
    pub(super) services: &'a BTreeMap<String, ServiceRecipe>,
    pub(super) users: &'a BTreeMap<String, UserRecipe>,
    pub(super) directories: &'a [DirectoryRecipe],
    pub(super) config_files: &'a [ConfigFileRecipe],
    pub(super) scripts: Scripts,
    /// What the package is, for services and users that do not say.
    pub(super) summary: &'a str,
}

/// Returns the life of a package on a platform. `prefix` is the environment's path.
pub(super) fn of(life: &Life<'_>, prefix: &str, platform: &Platform, format: Format) -> Lifecycle {
    let summary = life.summary;
    let services = life.services.iter().map(|(name, written)| service(name, written, prefix, summary));
    let scripts = match life.scripts {
        Scripts::Merge => ScriptPolicy::Merge,
        Scripts::Replace => ScriptPolicy::Replace,
    };
    Lifecycle {
        services: services.collect(),
        users: life.users.iter().map(|(name, written)| user(name, written, prefix, summary)).collect(),
        directories: life.directories.iter().map(directory).collect(),
        config_files: life.config_files.iter().map(|written| config_file(written, prefix)).collect(),
        scripts,
        unit_directory: match format {
            Format::Rpm => "/usr/lib/systemd/system".to_owned(),
            Format::Deb | Format::Tar => platform.output.deb.unit_directory.clone(),
        },
        service_directory: format!("{prefix}/etc/services"),
        interpreter: None,
    }
}

fn service(name: &str, written: &ServiceRecipe, prefix: &str, summary: &str) -> Service {
    let manager = |name: &ManagerName| match name {
        ManagerName::Systemd => Manager::Systemd,
        ManagerName::Runit => Manager::Runit,
        ManagerName::Supervisor => Manager::Supervisor,
    };
    let on_upgrade = match (written.restart_on_upgrade, written.reload.is_empty()) {
        (true, _) => OnUpgrade::Restart,
        (false, false) => OnUpgrade::Reload,
        (false, true) => OnUpgrade::Leave,
    };
    let restart = match written.restart {
        RestartName::Always => Restart::Always,
        RestartName::OnFailure => Restart::OnFailure,
        RestartName::Never => Restart::Never,
    };
    Service {
        name: name.to_owned(),
        description: written.description.clone().unwrap_or_else(|| summary.to_owned()),
        managers: written.manager.iter().map(manager).collect(),
        exec: command(&written.exec, prefix),
        reload: command(&written.reload, prefix),
        user: written.user.clone(),
        group: written.group.clone(),
        directory: written.directory.clone().unwrap_or_else(|| prefix.to_owned()),
        environment: written.environment.clone(),
        capabilities: written.capabilities.clone(),
        limits: written.limits.clone(),
        after: written.after.clone(),
        restart,
        stop_seconds: written.stop_seconds,
        is_enabled: written.enable,
        on_upgrade,
        systemd: written.systemd.clone(),
    }
}

/// Only the command is a path for certain; the service itself finds relative arguments where it is started.
pub(super) fn command(words: &[String], prefix: &str) -> Vec<String> {
    let absolute = |(index, word): (usize, &String)| if index == 0 { below(prefix, word) } else { word.clone() };
    words.iter().enumerate().map(absolute).collect()
}

pub(super) fn below(prefix: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{prefix}/{path}") }
}

fn user(name: &str, written: &UserRecipe, prefix: &str, summary: &str) -> User {
    User {
        name: name.to_owned(),
        groups: written.groups.clone(),
        home: written.home.clone().unwrap_or_else(|| prefix.to_owned()),
        shell: written.shell.clone(),
        // A colon ends a field of passwd(5).
        comment: written.comment.as_deref().unwrap_or(summary).replace([':', ','], " "),
    }
}

fn directory(written: &DirectoryRecipe) -> OwnedDirectory {
    OwnedDirectory {
        path: written.path.clone(),
        owner: written.owner.clone(),
        group: written.group.clone(),
        mode: octal(&written.mode),
        is_purged: written.purge,
    }
}

fn config_file(written: &ConfigFileRecipe, prefix: &str) -> ConfigFile {
    ConfigFile {
        path: below(prefix, &written.path),
        source: written.source.clone().unwrap_or_else(|| written.path.trim_start_matches('/').to_owned()),
        owner: written.owner.clone(),
        group: written.group.clone(),
        mode: written.mode.as_deref().map(octal),
    }
}

fn octal(digits: &str) -> u32 {
    u32::from_str_radix(digits, 8).expect("the contract lets octal digits through")
}
