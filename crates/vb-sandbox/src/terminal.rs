//! The foreground of the terminal, lent to an interactive command and taken back afterwards.

use std::io;
use std::os::fd::AsFd;

use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// Whose the terminal at standard input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreground {
    /// The process group of this process, which may lend it to the command.
    Ours(Pid),
    /// There is no terminal, or another job is in front.
    Elsewhere,
}

impl Foreground {
    /// Looks at the terminal, if there is one.
    pub(crate) fn current() -> Self {
        match tcgetpgrp(io::stdin().as_fd()) {
            Ok(group) if group == getpgrp() => Self::Ours(group),
            _ => Self::Elsewhere,
        }
    }

    /// Gives the terminal back to whom it belonged. Needs SIGTTOU to be blocked.
    pub(crate) fn restore(self) {
        if let Self::Ours(group) = self {
            // A terminal that has gone away has no foreground to restore.
            let _ = tcsetpgrp(io::stdin().as_fd(), group);
        }
    }
}
