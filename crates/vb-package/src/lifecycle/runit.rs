//! A service as a directory for runsv(8), and the script that starts it, which Supervisor uses too.
//!
//! What runsv keeps about a service is in `/run`, behind links: nothing appears among the package's own files.

use std::fmt::Write as _;

use vb_graph::{PackageSpec, Restart, Service};

use super::{Made, Text, shell_word, shell_words};

/// Returns the files of the directory beside `run` and `reload`.
pub(super) fn files(spec: &PackageSpec, service: &Service, directory: &str) -> Vec<Made> {
    let state = |what: &str| Text::Link(format!("/run/{}-{}.{what}", spec.name, service.name));
    let link = |path: &str, what: &str| Made { path: format!("{directory}/{path}"), mode: 0o777, text: state(what) };
    let mut files = vec![
        link("supervise", "supervise"),
        link("log/supervise", "log.supervise"),
        link("down", "down"),
        Made::file(format!("{directory}/finish"), 0o755, finish_script(service)),
        Made::file(format!("{directory}/log/run"), 0o755, log_script(service)),
    ];
    if !service.reload.is_empty() {
        files.push(Made::file(format!("{directory}/control/h"), 0o755, "#!/bin/sh\nexec ./reload\n".to_owned()));
    }
    files
}

/// Makes the script that becomes the service.
pub(super) fn run_script(service: &Service) -> String {
    let mut script = format!("#!/bin/sh\n# Starts the service `{}`.\nexec 2>&1\n", service.name);
    prepare(service, &mut script);
    for (name, value) in &service.limits {
        script += &limit(name, *value);
    }
    script += &become_user(service, &service.exec);
    script
}

/// Makes the script that runs the service's reload command as the service's user.
pub(super) fn reload_script(service: &Service) -> String {
    let mut script = format!("#!/bin/sh\n# Makes the service `{}` read its configuration again.\n", service.name);
    prepare(service, &mut script);
    script += &become_user(service, &service.reload);
    script
}

fn prepare(service: &Service, script: &mut String) {
    let mut line = |line: String| writeln!(script, "{line}").expect("a string can be written to");
    line(format!("cd {} || exit 100", shell_word(&service.directory)));
    for (name, value) in &service.environment {
        line(format!("{name}={}; export {name}", shell_word(value)));
    }
}

fn become_user(service: &Service, command: &[String]) -> String {
    let mut script = format!("set -- {}\n", shell_words(command));
    if service.user == "root" && service.capabilities.is_empty() {
        return script + "exec \"$@\"\n";
    }
    let Service { user, group, capabilities, .. } = service;
    let group = group.as_ref();
    // A library that looks for files in root's home would fail because it may not.
    script += &format!(
        "if [ \"$(id -u)\" -ne 0 ]; then exec \"$@\"; fi\n\
         HOME=$(getent passwd {user} | cut -d: -f6); export HOME\nUSER={user} LOGNAME={user}; export USER LOGNAME\n"
    );
    let regid = group.cloned().unwrap_or_else(|| format!("\"$(id -g {user})\""));
    let setpriv = format!("setpriv --reuid={user} --regid={regid} --init-groups");
    if !capabilities.is_empty() {
        let names: Vec<String> =
            capabilities.iter().map(|name| format!("+{}", name.to_lowercase().trim_start_matches("cap_"))).collect();
        let set = format!("-all,{}", names.join(","));
        return script
            + &format!("exec {setpriv} --inh-caps={set} --ambient-caps={set} --bounding-set={set} -- \"$@\"\n");
    }
    let chpst = group.map_or_else(|| user.clone(), |group| format!("{user}:{group}"));
    script
        + &format!(
            "if command -v setpriv >/dev/null 2>&1; then exec {setpriv} -- \"$@\"; fi\nexec chpst -u {chpst} \"$@\"\n"
        )
}

/// Sets a limit; shells count memory in KiB and files in blocks of 512 bytes.
fn limit(name: &str, value: u64) -> String {
    match name {
        "nproc" => format!("ulimit -u {value} 2>/dev/null || ulimit -p {value}\n"),
        "nofile" => format!("ulimit -n {value}\n"),
        "core" => format!("ulimit -c {}\n", value / 512),
        "fsize" => format!("ulimit -f {}\n", value / 512),
        "memlock" => format!("ulimit -l {}\n", value / 1024),
        "stack" => format!("ulimit -s {}\n", value / 1024),
        _ => format!("ulimit -v {}\n", value / 1024),
    }
}

fn finish_script(service: &Service) -> String {
    let down = match service.restart {
        Restart::Always => "",
        Restart::OnFailure => "if [ \"$1\" -eq 0 ]; then exec sv down .; fi\n",
        Restart::Never => "exec sv down .\n",
    };
    // runsv restarts a service after one second. What makes it fail takes longer to mend, so its log should not fill up
    // meanwhile. The status is -1 when a signal ended it, as "sv stop" may: that needs no pause.
    format!(
        "#!/bin/sh\n# Pauses before a service that has failed is started again.\n{down}[ \"$1\" -le 0 ] || exec sleep 5\n"
    )
}

fn log_script(service: &Service) -> String {
    let directory = format!("/var/log/{}", service.name);
    format!("#!/bin/sh\numask 027\nmkdir -p {directory}\nexec svlogd {directory}\n")
}
