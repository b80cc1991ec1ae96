//! The two generators: moments to the maintainer scripts of dpkg (Debian Policy, chapter 6), and to the scriptlets of rpm.
//!
//! dpkg upgrades in the order old `prerm upgrade`, new `preinst upgrade`, unpack, old `postrm upgrade`, new `postinst
//! configure`. rpm: new `%pre`, unpack, new `%post`, old `%preun`, old files go, old `%postun`, new `%posttrans`; the
//! argument is how many versions there will be. A `%preun` that fails leaves two versions in rpm's database, so nothing
//! here fails there.

use std::collections::BTreeSet;

use vb_graph::{ConfigFile, Format, Manager, OwnedDirectory, PackageSpec, ScriptPolicy};

use super::{
    LifecycleError, functions, merge,
    transition::{self, Enable, Moment, Upgraded, commands},
};
use crate::{
    maintainer::{MaintainerFiles, ScriptName},
    rpm::{RpmScript, ScriptletName},
};

/// What one script does for each value of its argument.
type Arms = Vec<(&'static str, Vec<String>)>;

/// Adds the maintainer scripts, into those written by hand where there are some. `packed` are the directories that dpkg
/// unpacks.
pub(super) fn add_debian(
    spec: &PackageSpec,
    packed: &[&OwnedDirectory],
    maintainer: &mut MaintainerFiles,
) -> Result<(), LifecycleError> {
    for (name, arms) in debian_arms(spec, packed) {
        let Some(block) = block(spec, "$1", &arms) else { continue };
        let script = match maintainer.scripts.get(&name) {
            None => format!("#!/bin/sh\nset -e\n\n{block}\nexit 0\n").into_bytes(),
            Some(_) if spec.lifecycle.scripts == ScriptPolicy::Replace => continue,
            Some(written) if name == ScriptName::Preinst => merge::into_preinst(written, &block),
            Some(written) => merge::into_debian(written, &block, &format!("debian/{name}"))?,
        };
        maintainer.scripts.insert(name, script);
    }
    Ok(())
}

fn debian_arms(spec: &PackageSpec, packed: &[&OwnedDirectory]) -> Vec<(ScriptName, Arms)> {
    let of = |moment| commands(spec, moment);
    let mut configure = of(Moment::Prepare);
    configure.extend(of(Moment::Yield));
    configure.extend(of(Moment::Enable(Enable::All)));
    let owned = owned(spec, packed);
    configure.extend(owned.iter().map(Owned::own));
    configure.extend(of(Moment::Settle(Upgraded::If("\"${2:+yes}\""))));
    let mut again = of(Moment::Prepare);
    again.extend(of(Moment::Enable(Enable::All)));
    again.extend(of(Moment::Settle(Upgraded::No)));
    let forget = of(Moment::Forget).into_iter().map(|line| format!("vb_remembered || {line}"));
    let upgrade = forget.chain(of(Moment::Look)).collect();
    let before_upgrade = [of(Moment::BeforeUpgrade), owned.iter().map(Owned::keep_owner).collect()].concat();
    vec![
        (ScriptName::Preinst, vec![("install", of(Moment::Forget)), ("upgrade", upgrade)]),
        (
            ScriptName::Postinst,
            vec![
                ("configure", configure),
                ("abort-upgrade", of(Moment::Resume)),
                // What prerm stopped and unlinked is put back.
                ("abort-remove", again),
            ],
        ),
        (ScriptName::Prerm, vec![("upgrade|failed-upgrade", before_upgrade), ("remove", of(Moment::BeforeRemoval))]),
        (ScriptName::Postrm, vec![("remove", of(Moment::AfterRemoval)), ("purge", of(Moment::AfterPurge))]),
    ]
}

/// Files and directories are unpacked as root's; rpm's own header says whose they are.
fn owned<'a>(spec: &'a PackageSpec, packed: &[&'a OwnedDirectory]) -> Vec<Owned<'a>> {
    let files = spec.lifecycle.config_files.iter().filter(|file| file.owner != "root" || file.group != "root");
    let of_file = |file: &'a ConfigFile| {
        let ConfigFile { path, owner, group, mode, .. } = file;
        Owned { path, owner, group, mode: *mode }
    };
    let of_directory = |directory: &&'a OwnedDirectory| {
        let OwnedDirectory { path, owner, mode, .. } = *directory;
        Owned { path, owner, group: directory.group_name(), mode: Some(*mode) }
    };
    files.map(of_file).chain(packed.iter().map(of_directory)).collect()
}

/// What belongs to somebody else than root, or has another mode than what dpkg makes.
struct Owned<'a> {
    path: &'a str,
    owner: &'a str,
    group: &'a str,
    mode: Option<u32>,
}

impl Owned<'_> {
    fn own(&self) -> String {
        let mode = self.mode.map_or(String::new(), |mode| format!(" {mode:04o}"));
        format!("vb_own \"${{2:+yes}}\" {} {} {}{mode}", super::shell_word(self.path), self.owner, self.group)
    }

    fn keep_owner(&self) -> String {
        format!("vb_keep_owner {}", super::shell_word(self.path))
    }
}

/// Adds the scriptlets, into those written by hand where there are some.
pub(super) fn add_rpm(spec: &PackageSpec, maintainer: &mut MaintainerFiles) -> Result<(), LifecycleError> {
    for (name, arms) in rpm_arms(spec) {
        let Some(block) = block(spec, "$1", &arms) else { continue };
        let script = match maintainer.scriptlets.get(&name) {
            None => RpmScript { program: vec!["/bin/sh".to_owned()], text: format!("{block}\nexit 0\n") },
            Some(_) if spec.lifecycle.scripts == ScriptPolicy::Replace => continue,
            Some(written) => merge::into_rpm(written, &block, &format!("rpm/{name}"))?,
        };
        maintainer.scriptlets.insert(name, script);
    }
    Ok(())
}

fn rpm_arms(spec: &PackageSpec) -> Vec<(ScriptletName, Arms)> {
    let of = |moment| commands(spec, moment);
    let users = transition::users(&spec.lifecycle);
    let mut first = of(Moment::Prepare);
    first.extend(of(Moment::Yield));
    first.extend(of(Moment::Enable(Enable::All)));
    first.extend(of(Moment::Settle(Upgraded::No)));
    let first_of_all = [of(Moment::Forget), users.clone()].concat();
    let before_upgrade = [users, of(Moment::BeforeUpgrade), of(Moment::Look)].concat();
    // Only an upgrade has something to remember, and `%posttrans` gets no argument that tells.
    let mut settle = vec!["if [ -d \"$vb_state\" ]; then".to_owned()];
    let lines = [of(Moment::Yield), of(Moment::Enable(Enable::New)), of(Moment::Settle(Upgraded::Yes))].concat();
    settle.extend(lines.into_iter().map(|line| format!("    {line}")));
    settle.push("fi".to_owned());
    let mark = "mkdir -p \"$vb_state\"".to_owned();
    vec![
        (ScriptletName::Pre, vec![("1", first_of_all), ("*", [before_upgrade, vec![mark]].concat())]),
        (ScriptletName::Post, vec![("1", first), ("*", of(Moment::Prepare))]),
        (ScriptletName::Preun, vec![("0", of(Moment::BeforeRemoval))]),
        (ScriptletName::Postun, vec![("0", of(Moment::AfterRemoval))]),
        (ScriptletName::Posttrans, vec![("*", settle)]),
    ]
}

/// Makes the functions that are called, and what is done for each argument; nothing where nothing is done.
fn block(spec: &PackageSpec, argument: &str, arms: &Arms) -> Option<String> {
    let arms: Vec<_> = arms.iter().filter(|(_, lines)| !lines.is_empty()).collect();
    if arms.is_empty() {
        return None;
    }
    let mut text = format!("# What the services and users of {} need, as its recipe declares them.\n", spec.name);
    let mut calls = format!("case \"{argument}\" in\n");
    for (pattern, lines) in arms {
        calls += &format!("    {pattern})\n");
        lines.iter().for_each(|line| calls += &format!("        {line}\n"));
        calls += "        ;;\n";
    }
    calls += "esac\n";
    text += &functions(spec, &calls);
    text += &calls;
    Some(text)
}

fn functions(spec: &PackageSpec, calls: &str) -> String {
    let managers: BTreeSet<Manager> =
        spec.lifecycle.services.iter().flat_map(|service| service.managers.iter().copied()).collect();
    let of_manager = |manager: &Manager| match manager {
        Manager::Systemd => include_str!("shell/systemd.sh"),
        Manager::Runit => include_str!("shell/runit.sh"),
        Manager::Supervisor => include_str!("shell/supervisor.sh"),
    };
    let look = match spec.format {
        Format::Rpm => include_str!("shell/look_rpm.sh"),
        Format::Deb | Format::Tar => include_str!("shell/look_deb.sh"),
    };
    let common = [include_str!("shell/common.sh"), look, include_str!("shell/files.sh")];
    let managers: Vec<&str> = managers.iter().map(of_manager).collect();
    let text = functions::needed(calls, &common, &managers);
    text.replace("@PACKAGE@", &spec.name).replace("@SERVICES@", &spec.lifecycle.service_directory)
}
