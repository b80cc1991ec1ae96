//! What is done at each moment in the life of a package, in the words of neither format.
//!
//! Invariants: an upgrade stops nothing, it remembers what runs and restarts that when all files are there; a service
//! that somebody has stopped stays stopped; what a script of the old version stopped meanwhile is started again; users
//! are never removed.

use vb_graph::{Format, Lifecycle, Manager, OnUpgrade, PackageSpec, Service};

use super::{definition, shell_word};

/// A moment at which something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before anything else: an upgrade that was called off may have left what it knew.
    Forget,
    /// Before the new version's files are there, while the old version's scripts can still run.
    BeforeUpgrade,
    /// Before the new version's files are there, if the old version has remembered nothing.
    Look,
    /// After the files are unpacked: users and directories.
    Prepare,
    /// After that: what an older version, or somebody, has put where a service will be enabled makes room.
    Yield,
    /// After that, and in an upgrade once no file of the old version can stand where a service is enabled.
    Enable(Enable),
    /// After everything of the old version is gone, and after a first installation.
    Settle(Upgraded),
    /// An upgrade was called off.
    Resume,
    /// Before the files go for good.
    BeforeRemoval,
    /// After the files are gone.
    AfterRemoval,
    /// After configuration and data go, too.
    AfterPurge,
}

/// Which services are enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enable {
    /// All of them: on Debian the helper knows which the administrator has disabled.
    All,
    /// Those that the version before did not have.
    New,
}

/// Was there a version before?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgraded {
    /// As the shell expression says.
    If(&'static str),
    /// Certainly.
    Yes,
    /// Certainly not.
    No,
}

/// Drops what is known of the services of an older version.
const FORGET: &str = "rm -rf \"$vb_state\"";

/// Returns the lines that do it, as calls of the functions in `shell/`.
pub(super) fn commands(spec: &PackageSpec, moment: Moment) -> Vec<String> {
    let lifecycle = &spec.lifecycle;
    let services = &lifecycle.services;
    match moment {
        Moment::Forget => services.first().map(|_| FORGET.to_owned()).into_iter().collect(),
        Moment::BeforeUpgrade => {
            let mut lines = vec![FORGET.to_owned()];
            lines.extend(services.iter().map(|service| remember(lifecycle, service)));
            lines
        }
        Moment::Look => services.iter().map(look).collect(),
        Moment::Prepare => {
            let mut lines = users(lifecycle);
            lines.extend(lifecycle.directories.iter().map(|directory| {
                let group = directory.group_name();
                format!(
                    "vb_directory {} {} {group} {:04o}",
                    shell_word(&directory.path),
                    directory.owner,
                    directory.mode
                )
            }));
            lines
        }
        Moment::Yield => yields(spec),
        Moment::Enable(enable) => {
            let enabled = services.iter().filter(|service| service.is_enabled);
            enabled.map(|service| enable_service(service, enable)).collect()
        }
        Moment::Settle(upgraded) => {
            let mut lines = reread(services);
            lines.extend(services.iter().map(|service| settle(service, upgraded)));
            lines.push(FORGET.to_owned());
            lines
        }
        Moment::Resume => {
            let resume = |service: &Service| format!("vb_resume {} {}", service.name, managers(service));
            let mut lines = reread(services);
            lines.extend(services.iter().map(resume));
            lines.push(FORGET.to_owned());
            lines
        }
        Moment::BeforeRemoval => {
            of_managers(services, |service, manager| format!("vb_{manager}_stop {}", service.name))
        }
        Moment::AfterRemoval => forget(services, "remove"),
        Moment::AfterPurge => {
            let mut lines = forget(services, "purge");
            lines.extend(purge_logs(lifecycle));
            let purged = lifecycle.directories.iter().filter(|directory| directory.is_purged);
            lines.extend(purged.map(|directory| format!("vb_purge {}", shell_word(&directory.path))));
            lines
        }
    }
}

/// Returns the lines that make the users: the files of an `.rpm` belong to them, so they have to be there first, and
/// scriptlets go on after an error.
pub(super) fn users(lifecycle: &Lifecycle) -> Vec<String> {
    let mut lines = Vec::new();
    for user in &lifecycle.users {
        let [home, shell, comment] = [&user.home, &user.shell, &user.comment].map(|word| shell_word(word));
        lines.push(format!("vb_user {} {home} {shell} {comment} || exit 1", user.name));
        lines.extend(user.groups.iter().map(|group| format!("vb_member {} {group}", user.name)));
    }
    lines
}

fn remember(lifecycle: &Lifecycle, service: &Service) -> String {
    let file = definition(lifecycle, service, service.managers[0]);
    format!("vb_remember {} {} {}", service.name, shell_word(&file), managers(service))
}

fn look(service: &Service) -> String {
    let name = &service.name;
    format!("[ -e \"$vb_state/{name}.known\" ] || vb_look {name} {}", managers(service))
}

/// Whether or not a service is enabled, what is in its way would hide what the package has. rpm removes configuration
/// files of an older version by itself; a directory of runit's is left, because of what runsv has put into it.
fn yields(spec: &PackageSpec) -> Vec<String> {
    let is_asked = |manager: &&Manager| spec.format != Format::Rpm || **manager == Manager::Runit;
    let line = |service: &Service, manager: &Manager| match spec.format {
        Format::Rpm => format!("[ -e \"$vb_state/{0}.known\" ] || vb_{manager}_yield {0}", service.name),
        Format::Deb | Format::Tar => format!("vb_{manager}_yield {}", service.name),
    };
    let of_service = |service: &Service| -> Vec<String> {
        service.managers.iter().filter(is_asked).map(|manager| line(service, manager)).collect()
    };
    spec.lifecycle.services.iter().flat_map(of_service).collect()
}

fn enable_service(service: &Service, enable: Enable) -> String {
    let name = &service.name;
    let call = match service.managers.as_slice() {
        [manager] => format!("vb_{manager}_enable {name}"),
        _ => format!("\"vb_$(vb_choose {name} {})_enable\" {name}", managers(service)),
    };
    match enable {
        Enable::All => call,
        Enable::New => format!("[ -e \"$vb_state/{name}.known\" ] || {call}"),
    }
}

/// A unit is read again whatever becomes of its service, so that somebody who starts it later starts the new one.
fn reread(services: &[Service]) -> Vec<String> {
    let is_any = services.iter().any(|service| service.managers.contains(&Manager::Systemd));
    is_any.then(|| "vb_systemd_reread".to_owned()).into_iter().collect()
}

fn settle(service: &Service, upgraded: Upgraded) -> String {
    let change = match service.on_upgrade {
        OnUpgrade::Restart => "restart",
        OnUpgrade::Reload => "reload",
        OnUpgrade::Leave => "leave",
    };
    let upgraded = match upgraded {
        Upgraded::If(expression) => expression,
        Upgraded::Yes => "yes",
        Upgraded::No => "no",
    };
    format!("vb_settle {} {change} {upgraded} {}", service.name, managers(service))
}

fn forget(services: &[Service], why: &str) -> Vec<String> {
    of_managers(services, |service, manager| format!("vb_{manager}_forget {} {why}", service.name))
}

/// Logs that the recipe keeps as a directory of its own are not the manager's to remove.
fn purge_logs(lifecycle: &Lifecycle) -> Vec<String> {
    let is_kept = |service: &Service| {
        let log = format!("/var/log/{}", service.name);
        lifecycle.directories.iter().any(|directory| directory.path == log && !directory.is_purged)
    };
    let is_logged = |service: &&Service| service.managers.contains(&Manager::Runit) && !is_kept(service);
    lifecycle.services.iter().filter(is_logged).map(|service| format!("vb_runit_purge_log {}", service.name)).collect()
}

fn of_managers(services: &[Service], line: impl Fn(&Service, &str) -> String) -> Vec<String> {
    let each = |service: &Service| -> Vec<String> {
        service.managers.iter().map(|manager| line(service, manager.as_str())).collect()
    };
    services.iter().flat_map(each).collect()
}

fn managers(service: &Service) -> String {
    service.managers.iter().map(|manager| manager.as_str()).collect::<Vec<_>>().join(" ")
}
