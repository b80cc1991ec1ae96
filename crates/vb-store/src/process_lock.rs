//! One execution of an action at a time, over all processes that use the store.

use std::io;

use fs_err as fs;
use vb_graph::ActionDigest;

use crate::layout::Store;

/// Held while an action executes. Released when dropped, or when the process ends.
#[derive(Debug)]
pub struct ActionLock {
    _file: fs::File,
}

impl Store {
    /// Takes the lock of an action if no other process has it.
    ///
    /// # Errors
    /// What the system said.
    pub fn try_lock_action(&self, digest: &ActionDigest) -> io::Result<Option<ActionLock>> {
        let path = self.place("locks", &digest.to_string());
        crate::atomic::make_parent(&path)?;
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        match file.file().try_lock() {
            Ok(()) => Ok(Some(ActionLock { _file: file })),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}
