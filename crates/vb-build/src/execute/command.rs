//! Running the command of an action in its sandbox, and what a failure of it tells.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use fs_err as fs;
use vb_graph::{BlobDigest, DirectoryDigest, Node};
use vb_sandbox::{
    Access, Bind, Filter, GuestPath, HostPath, Identity, Network, Root, SandboxError, Spec, Status, Stdio, Upper,
};
use vb_store::{FIXED_TIME, Scratch};

use crate::{
    PRIVATE_DIRECTORY,
    builder::Builder,
    error::{CommandFailure, ExecuteError},
};

/// How many lines of a failed command's output are shown.
const LAST_LINES: usize = 20;

/// How much of the end of a log is looked at for them: a log can be larger than the memory.
const LOG_END: u64 = 64 << 10;

/// A sandbox that is ready to run its command.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) spec: Spec,
    pub(crate) scratch: Scratch,
}

impl Prepared {
    /// Returns a path of the scratch directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

/// Returns the environment variables that every command has.
pub(crate) fn base_variables() -> BTreeMap<String, String> {
    [
        ("HOME", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("LOGNAME", "vb"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("PYTHONHASHSEED", "0"),
        ("SOURCE_DATE_EPOCH", &FIXED_TIME.to_string()),
        ("TMPDIR", "/tmp"),
        ("TZ", "UTC"),
        ("USER", "vb"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Returns the path of something of vb's own inside a sandbox.
pub(crate) fn private(name: &str) -> String {
    format!("{PRIVATE_DIRECTORY}/{name}")
}

pub(crate) fn guest(path: &str) -> GuestPath {
    GuestPath::new(path).expect("paths inside a sandbox are absolute")
}

pub(crate) fn host(path: &Path) -> HostPath {
    HostPath::new(path).expect("paths of the store are absolute")
}

pub(crate) fn read_only(source: &Path, target: &str) -> Bind {
    Bind { source: host(source), target: guest(target), access: Access::ReadOnly }
}

pub(crate) fn read_write(source: &Path, target: &str) -> Bind {
    Bind { source: host(source), target: guest(target), access: Access::ReadWrite }
}

/// Returns the spec of a command over read-only layers, as the build user, without network.
pub(crate) fn layered(lowers: Vec<HostPath>, argv: Vec<String>, binds: Vec<Bind>) -> Spec {
    Spec {
        root: Root::Layers { lowers, upper: Upper::Discard },
        binds,
        tmpfs: vec![],
        argv,
        env: base_variables(),
        cwd: guest("/"),
        identity: Identity::User,
        network: Network::Isolated,
        filter: Filter::None,
        timeout: None,
    }
}

impl Builder {
    /// Materializes a root, or another directory that is a layer of one.
    pub(crate) fn layer(&self, digest: &DirectoryDigest) -> Result<HostPath, ExecuteError> {
        let tree = self.on_data_pool(|| self.store.materialize(digest))?;
        Ok(host(&tree))
    }

    pub(crate) fn scratch(&self) -> Result<Scratch, ExecuteError> {
        self.store.scratch().map_err(ExecuteError::scratch)
    }

    /// Runs the command and returns the blob of what it printed.
    pub(crate) fn run(&self, prepared: &Prepared, cancel: &AtomicBool) -> Result<BlobDigest, ExecuteError> {
        let log_path = prepared.path("log");
        let log = fs::File::create(&log_path).map_err(ExecuteError::scratch)?;
        let outcome = vb_sandbox::run(&self.helper, &prepared.spec, Stdio::Log(log.into_file()), cancel);
        let outcome = outcome.map_err(|error| match error {
            SandboxError::Cancelled => ExecuteError::Cancelled,
            other => ExecuteError::Sandbox(other),
        })?;
        let Node::File { blob: log, .. } = self.take_in(&log_path)? else { unreachable!("the log is a file") };
        if outcome.status == Status::Exited(0) {
            return Ok(log);
        }
        if cancel.load(Ordering::Relaxed) {
            return Err(ExecuteError::Cancelled);
        }
        self.check_disk()?;
        let last_lines = fs::File::open(&log_path).and_then(last_lines).map_err(ExecuteError::scratch)?;
        Err(ExecuteError::Command(Box::new(CommandFailure {
            argv: prepared.spec.argv.clone(),
            status: outcome.status,
            last_lines,
            log: self.store.blob_path(&log),
        })))
    }

    /// A command that failed on a full disk failed because of that.
    pub(super) fn check_disk(&self) -> Result<(), ExecuteError> {
        const ENOUGH: u64 = 1 << 20;
        let free = rustix::fs::statvfs(self.store.path()).map(|stat| stat.f_bavail * stat.f_frsize);
        match free {
            Ok(bytes) if bytes < ENOUGH => Err(ExecuteError::Store(std::io::ErrorKind::StorageFull.into())),
            _ => Ok(()),
        }
    }
}

pub(super) fn last_lines(mut log: impl Read + Seek) -> io::Result<Vec<String>> {
    let size = log.seek(SeekFrom::End(0))?;
    log.seek(SeekFrom::Start(size.saturating_sub(LOG_END)))?;
    let mut end = Vec::new();
    log.read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| (*line).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_long_log_are_read_from_its_end() {
        let log: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        let lines = last_lines(io::Cursor::new(log)).unwrap();
        let expected: Vec<String> = (99_980..100_000).map(|number| format!("line {number}")).collect();
        assert_eq!(lines, expected);
        assert_eq!(last_lines(io::Cursor::new("one")).unwrap(), ["one"]);
        assert!(last_lines(io::Cursor::new("")).unwrap().is_empty());
    }
}
