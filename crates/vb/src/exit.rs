//! Exit codes: a contract with scripts and CI.

use std::process::ExitCode;

/// How the program ends. A bug, which panics, ends with 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: what was asked for is done.
    Success,
    /// 1: an action failed.
    ActionFailed,
    /// 1: two packages differ, as diff(1) has it.
    Different,
    /// 2: the command line is wrong.
    Usage,
    /// 3: a recipe, a platform, the workspace or a lock is wrong.
    Recipe,
    /// 4: the machine is at fault: kernel, disk, network.
    Environment,
    /// 5: a second execution gave other bytes.
    NotReproducible,
    /// 130: interrupted, as shells have it for SIGINT.
    Interrupted,
}

impl Exit {
    /// Returns the number that the caller of the program sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::ActionFailed | Self::Different => 1,
            Self::Usage => 2,
            Self::Recipe => 3,
            Self::Environment => 4,
            Self::NotReproducible => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
