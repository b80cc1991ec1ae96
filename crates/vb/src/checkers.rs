//! The lock of the distributions' checkers of packages: `recipes/workspace.lock`, beside the workspace file.
//!
//! It is a lock like a recipe's, with a run root alone: the platform's base, and what its file names in `lint`.

use std::path::{Path, PathBuf};

use vb_graph::Checker;
use vb_recipe::{Lock, LockError, LockRequest, Platform, PlatformLock, WORKSPACE_FILE, lock_path};

use crate::{display, exit::Exit, fatal::Fatal};

const HELP: &str = "run `vb lock --lint --all`";

/// Returns where the lock is in a workspace.
pub(crate) fn path(root: &Path) -> PathBuf {
    display::relative(&lock_path(&root.join(WORKSPACE_FILE)))
}

/// Returns what the lock has to answer for a platform.
pub(crate) fn request(platform: &Platform) -> LockRequest {
    LockRequest { base: [&platform.base[..], &platform.lint].concat(), ..LockRequest::default() }
}

/// Reads the lock; where there is none, one of nothing.
pub(crate) fn read(root: &Path) -> Result<Lock, Fatal> {
    match Lock::read(&path(root)) {
        Ok(lock) => Ok(lock),
        Err(LockError::Missing { .. }) => Ok(Lock::default()),
        Err(error) => {
            let message = "the checkers of packages have no lock that can be read";
            Err(Fatal::caused(Exit::Recipe, "vb::lint::lock", message, HELP, error))
        }
    }
}

/// Returns what is locked for a platform that has the checker.
pub(crate) fn fitting<'a>(lock: &'a Lock, platform: &Platform, checker: Checker) -> Result<&'a PlatformLock, Fatal> {
    let (name, checker) = (&platform.name, checker.as_str());
    if !platform.lint.iter().any(|package| package == checker) {
        let message = format!("`{name}` names no `{checker}` that could look at its packages");
        let help = format!("add it to `lint` of `recipes/platforms/{name}.ncl`, or choose other formats or platforms");
        return Err(Fatal::message(Exit::Recipe, "vb::lint::no_checker", message, help));
    }
    let mismatches = lock.mismatches(name, &request(platform));
    match lock.platforms.get(name) {
        Some(locked) if mismatches.is_empty() => Ok(locked),
        _ => {
            let lines: Vec<String> = mismatches.iter().map(|mismatch| format!("\n  {mismatch}")).collect();
            let message = format!("the checkers of packages are not locked for `{name}`{}", lines.concat());
            Err(Fatal::message(Exit::Recipe, "vb::lint::lock", message, HELP))
        }
    }
}
