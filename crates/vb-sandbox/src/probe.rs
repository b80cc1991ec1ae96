//! Asks whether sandboxes, and machines, work on this machine for this user, without running anything.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use nix::errno::Errno;

use crate::{
    Filter, GuestPath, Helper, HostPath, Identity, Network, Root, SandboxError, Spec, Stdio, Step, Upper, run,
};

/// A program that no root has. That it cannot be executed is the last thing that can go wrong.
const NO_PROGRAM: &str = "/dev/no-program";

/// Sets up a sandbox with everything that one can have and takes it down again.
///
/// # Errors
/// What stands in the way, with the kernel setting if it is one.
pub fn probe(helper: &Helper) -> Result<(), SandboxError> {
    probe_as(helper, Identity::User)
}

/// Sets up a machine and takes it down again.
///
/// # Errors
/// What stands in the way.
pub fn probe_machine(helper: &Helper) -> Result<(), SandboxError> {
    probe_as(helper, Identity::Machine { first: vec![NO_PROGRAM.to_owned()] })
}

fn probe_as(helper: &Helper, identity: Identity) -> Result<(), SandboxError> {
    let start_error = |source| SandboxError::Start { program: helper.program.clone(), source };
    let program = fs_err::canonicalize(&helper.program).map_err(start_error)?;
    let layer = HostPath::new(program.parent().unwrap_or(Path::new("/")))
        .map_err(|error| start_error(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let spec = Spec {
        root: Root::Layers { lowers: vec![layer], upper: Upper::Discard },
        binds: Vec::new(),
        tmpfs: Vec::new(),
        argv: vec![NO_PROGRAM.to_owned()],
        env: BTreeMap::new(),
        cwd: GuestPath::new("/").expect("a constant path"),
        identity,
        network: Network::Isolated,
        filter: Filter::PretendOwnership,
        timeout: Some(Duration::from_secs(30)),
    };
    let nowhere =
        fs_err::OpenOptions::new().write(true).open("/dev/null").map_err(|source| SandboxError::Pipe { source })?;
    let log = Stdio::Log(nowhere.into_parts().0);
    match run(helper, &spec, log, &AtomicBool::new(false)) {
        Err(SandboxError::Setup { step: Step::Execute { .. }, errno: Errno::ENOENT }) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}
