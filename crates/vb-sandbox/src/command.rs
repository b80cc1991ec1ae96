//! The process that becomes the command: takes its identity, gives up privileges, executes the program.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, chdir, execve, getpid, setpgid, setsid, tcsetpgrp};

use crate::error::{AtStep, Failure};
use crate::identity::Outside;
use crate::syscall::{close_on_exec_from, drop_capability_bounds, install_filter, reset_signals, unshare_with_user};
use crate::terminal::Foreground;
use crate::wire::{Request, Streams};
use crate::{Filter, Identity, Spec, Step, filter};

/// Where programs are looked for when the environment has no `PATH`, as in the C library.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Becomes the command. Returns only when that failed.
pub(crate) fn become_command(request: &Request, foreground: Foreground) -> Result<Infallible, Failure> {
    let spec = &request.spec;
    take_identity(&spec.identity).at(Step::TakeIdentity)?;
    take_session(request.streams, foreground).at(Step::TakeTerminal)?;
    chdir(spec.cwd.as_path()).at(Step::EnterDirectory { path: spec.cwd.clone() })?;
    confine(spec).at(Step::Confine)?;
    execute(&spec.argv, &spec.env).at(Step::Execute { program: spec.argv.first().cloned().unwrap_or_default() })
}

/// Enters a second user namespace. The mounts and all other namespaces belong to the first: even a command that is root
/// can neither undo a read-only mount, nor reach what is below one, nor trace the first process and report in its name.
/// On a machine the first process has entered one already.
fn take_identity(identity: &Identity) -> Result<(), Errno> {
    let inside = match identity {
        Identity::User => 1000,
        Identity::Root => 0,
        Identity::Machine { .. } => return Ok(()),
    };
    let outside = Outside::current();
    unshare_with_user(CloneFlags::empty())?;
    outside.map_to(inside)
}

fn take_session(streams: Streams, foreground: Foreground) -> Result<(), Errno> {
    match (streams, foreground) {
        (Streams::Log, _) => setsid().map(drop),
        (Streams::Inherited, Foreground::Elsewhere) => Ok(()),
        (Streams::Inherited, Foreground::Ours(_)) => {
            setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
            tcsetpgrp(io::stdin().as_fd(), getpid())
        }
    }
}

fn confine(spec: &Spec) -> Result<(), Errno> {
    if spec.identity == Identity::User {
        drop_capability_bounds()?;
    }
    if !matches!(spec.identity, Identity::Machine { .. }) {
        prctl::set_no_new_privs()?;
    }
    become_fresh()?;
    match spec.filter {
        Filter::None => Ok(()),
        Filter::PretendOwnership => install_filter(&mut filter::pretend_ownership()),
    }
}

/// Leaves nothing of this program to the one that it becomes: no descriptor, no disposition of a signal.
pub(crate) fn become_fresh() -> Result<(), Errno> {
    close_on_exec_from(3)?;
    reset_signals();
    SigSet::empty().thread_set_mask()
}

/// Executes a program, looked for in the environment that it will have. Returns only when that failed.
pub(crate) fn execute(argv: &[String], env: &BTreeMap<String, String>) -> Result<Infallible, Errno> {
    let program = argv.first().ok_or(Errno::ENOENT)?;
    let args = argv.iter().map(|arg| to_c(arg)).collect::<Result<Vec<_>, _>>()?;
    let variables = env.iter().map(|(name, value)| to_c(&format!("{name}={value}"))).collect::<Result<Vec<_>, _>>()?;
    let mut answer = Errno::ENOENT;
    for candidate in candidates(program, env) {
        let Err(errno) = execve(&to_c(&candidate)?, &args, &variables);
        match errno {
            Errno::ENOENT | Errno::ENOTDIR => {}
            // Another directory may still have a program of that name that may be executed.
            Errno::EACCES => answer = errno,
            _ => return Err(errno),
        }
    }
    Err(answer)
}

fn candidates(program: &str, env: &BTreeMap<String, String>) -> Vec<String> {
    if program.is_empty() || program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
    path.split(':')
        .map(|dir| match dir {
            "" => format!("./{program}"),
            dir => format!("{dir}/{program}"),
        })
        .collect()
}

fn to_c(text: &str) -> Result<CString, Errno> {
    CString::new(text).map_err(|_| Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_slash_is_not_looked_for() {
        assert_eq!(candidates("./run", &BTreeMap::new()), ["./run"]);
    }

    #[test]
    fn a_program_is_looked_for_in_the_path_of_the_command() {
        let env = BTreeMap::from([("PATH".to_owned(), "/a:/b".to_owned())]);
        assert_eq!(candidates("run", &env), ["/a/run", "/b/run"]);
        assert_eq!(candidates("run", &BTreeMap::new()), ["/bin/run", "/usr/bin/run"]);
    }
}
