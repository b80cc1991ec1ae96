//! The pipe between the command and its log.
//!
//! The command never holds the log file itself: a program that opens `/dev/stderr` anew would truncate it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{dup2_stderr, dup2_stdout, pipe2, read};

use crate::wire::write_all;

/// Copies what the command writes to this process's standard output, which is the log.
#[derive(Debug)]
pub(crate) struct LogPipe {
    reader: Option<OwnedFd>,
    writer: Option<OwnedFd>,
    buffer: Vec<u8>,
    failure: Option<Errno>,
}

impl LogPipe {
    pub(crate) fn new() -> Result<Self, Errno> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        // Only this end: the command's end stays an ordinary pipe.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { reader: Some(reader), writer: Some(writer), buffer: vec![0; 64 * 1024], failure: None })
    }

    /// Makes the pipe standard output and error of this process.
    pub(crate) fn become_output(self) -> Result<(), Errno> {
        let writer = self.writer.ok_or(Errno::EBADF)?;
        dup2_stdout(&writer)?;
        dup2_stderr(&writer)
    }

    /// Leaves the writing to the other process.
    pub(crate) fn close_writer(&mut self) {
        self.writer = None;
    }

    /// What to wait on; nothing when the pipe has ended.
    pub(crate) fn reader(&self) -> Option<BorrowedFd<'_>> {
        self.reader.as_ref().map(AsFd::as_fd)
    }

    /// Copies what is there, at most a buffer full, and tells whether there was any. A log that cannot be written does not
    /// stop the command: its output is read and dropped.
    pub(crate) fn copy_some(&mut self) -> bool {
        let Some(reader) = &self.reader else {
            return false;
        };
        match read(reader, &mut self.buffer) {
            Ok(0) => {
                self.reader = None;
                false
            }
            Ok(count) => {
                if self.failure.is_none() {
                    let stdout = io::stdout();
                    self.failure = write_all(stdout.as_fd(), &self.buffer[..count]).err();
                }
                true
            }
            Err(Errno::EINTR) => true,
            Err(Errno::EAGAIN) => false,
            Err(errno) => {
                self.failure.get_or_insert(errno);
                self.reader = None;
                false
            }
        }
    }

    /// Copies the rest, after the last writer has ended.
    pub(crate) fn finish(mut self) -> Result<(), Errno> {
        while self.copy_some() {}
        self.failure.map_or(Ok(()), Err)
    }
}
