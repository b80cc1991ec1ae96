//! Why an action failed.

use std::{io, path::PathBuf};

use vb_fetch::FetchError;
use vb_graph::Sha256;
use vb_npm::TreeError;
use vb_package::{InvalidTree, LifecycleError, WritePackageError};
use vb_platform::{FinishError, UnpackError};
use vb_python::{
    ArchiveError, ImportFailure, ImportReportError, LocateError, RecordError, RelocateError, SdistError, WheelError,
};
use vb_sandbox::{SandboxError, Status};
use vb_store::{BlobError, DirectoryError, IngestError, MaterializeError, PatternError, TreePathError};

mod step;

pub use self::step::{StepError, ToolPackages};

mod install;
mod libraries;
mod share;
mod trial;

pub use self::{
    install::InstallError,
    libraries::{LibrariesError, MissingLibrary},
    share::ShareError,
    trial::{TestFailure, TestedThing},
};

/// One place where a file was looked for, and why it was not had from there.
#[derive(Debug)]
pub enum FetchAttempt {
    /// It could not be downloaded.
    Failed(FetchError),
    /// It was downloaded, and is another file.
    WrongDigest {
        /// Where from.
        location: String,
        /// The SHA-256 of what came.
        found: Sha256,
        /// How many bytes came.
        size: u64,
    },
}

/// A command of an action that did not end with exit code 0.
#[derive(Debug)]
pub struct CommandFailure {
    /// The command as it ran inside.
    pub argv: Vec<String>,
    /// How it ended.
    pub status: Status,
    /// The last lines that it printed.
    pub last_lines: Vec<String>,
    /// Where everything is that it printed.
    pub log: PathBuf,
}

/// One path at which two outputs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path in the output.
    pub path: String,
    /// How they differ there.
    pub contrast: Contrast,
}

/// How two trees differ at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contrast {
    /// Only the first tree has the path.
    OnlyFirst,
    /// Only the second tree has the path.
    OnlySecond,
    /// Both have it, with these differences, in words.
    Differs(String),
}

/// An action failed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// No location gave the file.
    #[error("cannot fetch `{file}`")]
    Fetch {
        /// The file.
        file: String,
        /// What its bytes must hash to.
        expected: Sha256,
        /// What was tried.
        attempts: Vec<FetchAttempt>,
    },
    /// No index knows the file.
    #[error("cannot locate `{file}`")]
    Locate {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: LocateError,
    },
    /// An npm package cannot become part of the tree.
    #[error("cannot make `node_modules`")]
    NodeModules(#[from] TreeError),
    /// The source tree is damaged or cannot be read.
    #[error("cannot read the source")]
    Ingest(#[source] IngestError),
    /// What the action wrote cannot be kept: it holds a socket or a name that is not UTF-8, or the disk fails.
    #[error("cannot take in what the action wrote")]
    Output(#[source] IngestError),
    /// A distribution package cannot be unpacked.
    #[error("cannot unpack the root")]
    UnpackRoot(#[from] UnpackError),
    /// A configured root cannot be made reproducible.
    #[error("cannot finish the root")]
    FinishRoot(#[from] FinishError),
    /// A wheel breaks the wheel format, or would write outside its place.
    #[error("cannot unpack the wheel")]
    Wheel(#[from] WheelError),
    /// An sdist cannot be unpacked.
    #[error("cannot unpack the source distribution")]
    Sdist(#[from] SdistError),
    /// The root does not have the interpreter's command as a file.
    #[error("`{command}` is not a file of the root")]
    NoCommand {
        /// Its path.
        command: String,
    },
    /// A wheel that was built, or the one that brings a tool, is no archive.
    #[error("cannot read the wheel's members")]
    Archive(#[from] ArchiveError),
    /// A build of an sdist gave no wheel, or several.
    #[error("the build gave {} wheels instead of one", found.len())]
    WheelCount {
        /// The names of what it gave.
        found: Vec<String>,
    },
    /// A command failed.
    #[error("the command failed")]
    Command(Box<CommandFailure>),
    /// The sandbox could not be set up.
    #[error("the sandbox could not be set up")]
    Sandbox(#[from] SandboxError),
    /// Two distributions install the same file with different content.
    #[error("`{first}` and `{second}` both install `{path}`, with different content")]
    Conflict {
        /// The path below the environment.
        path: String,
        /// One distribution.
        first: String,
        /// The other one.
        second: String,
    },
    /// A path of the build is left in a file of the package.
    #[error("`{path}` contains {what}, which only this machine has")]
    Leak {
        /// The file in the package.
        path: String,
        /// What was found in it.
        what: String,
        /// Is it a file of the application's source?
        is_in_source: bool,
    },
    /// Modules that the application imports cannot be imported where it will run.
    #[error("{} of the application's imports cannot succeed with the run dependencies alone", failures.len())]
    Imports {
        /// Each failing module.
        failures: Vec<ImportFailure>,
        /// For a missing library: the package of the build root that has it.
        owners: Vec<(String, String)>,
    },
    /// Shared libraries are missing, or cannot be depended on.
    #[error(transparent)]
    Libraries(#[from] LibrariesError),
    /// An interpreter has no room for the path of the application.
    #[error("cannot move the interpreter")]
    Relocate(#[from] RelocateError),
    /// The application's source has no place in the environment.
    #[error("the application's directory `{path}` is taken by a file of its environment")]
    ApplicationTaken {
        /// The directory.
        path: String,
    },
    /// `debian/install` cannot be followed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The package cannot be written.
    #[error("cannot write the package")]
    Package(#[from] WritePackageError),
    /// The package does not have what its services need.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// The recipe's packages cannot have the files that it says.
    #[error("cannot share out the files")]
    Share(#[from] ShareError),
    /// The tree cannot be in a package.
    #[error("the tree cannot be packaged")]
    Tree(#[from] InvalidTree),
    /// The record of an installed distribution cannot be completed.
    #[error("cannot list the bytecode of the distribution")]
    Record(#[from] RecordError),
    /// The import check gave no report.
    #[error("the import check gave no report that can be read")]
    ImportReport(#[from] ImportReportError),
    /// A step of the pipeline failed.
    #[error(transparent)]
    Step(#[from] Box<StepError>),
    /// What a test of a package asks is not so.
    #[error(transparent)]
    Test(#[from] Box<TestFailure>),
    /// A test of a package gave no report.
    #[error("the test gave no report that can be read")]
    TestReport(#[source] serde_json::Error),
    /// What a checker found cannot be read back.
    #[error("there are no findings that can be read")]
    LintReport(#[source] serde_json::Error),
    /// A pattern of what an action reads or writes is not one.
    #[error("cannot select files")]
    Pattern(#[from] PatternError),
    /// A file and a directory have one path.
    #[error("cannot put the files together")]
    TreePath(#[from] TreePathError),
    /// A second execution gave other bytes.
    #[error("a second execution gave another output")]
    NotReproducible {
        /// Where they differ.
        differences: Vec<Difference>,
    },
    /// A fetched file is no longer in the store.
    #[error("the file with SHA-256 {} is no longer in the store", sha256.to_short())]
    FileLost {
        /// Its SHA-256.
        sha256: Sha256,
    },
    /// A blob of an input is missing or was damaged.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A directory of an input is missing or was damaged.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// An input cannot be written out.
    #[error(transparent)]
    Materialize(#[from] MaterializeError),
    /// The store or a scratch directory cannot be written.
    #[error("cannot write to the store")]
    Store(#[source] io::Error),
    /// The build was interrupted.
    #[error("interrupted")]
    Cancelled,
}

impl ExecuteError {
    /// A scratch directory cannot be used.
    pub(crate) fn scratch(source: io::Error) -> Self {
        Self::Store(source)
    }

    /// Did an input turn out to be missing or damaged, so that what made it must run again?
    pub(crate) fn is_lost_input(&self) -> bool {
        use MaterializeError as M;
        matches!(
            self,
            Self::FileLost { .. }
                | Self::Blob(BlobError::Missing { .. } | BlobError::Corrupt { .. })
                | Self::Directory(DirectoryError::Missing { .. })
                | Self::Materialize(M::MissingBlob { .. } | M::Directory(DirectoryError::Missing { .. }))
        )
    }

    /// Was each place of a file reached, and has none of them the file?
    pub fn is_gone(&self) -> bool {
        let Self::Fetch { attempts, .. } = self else { return false };
        let is_not_found =
            |attempt: &FetchAttempt| matches!(attempt, FetchAttempt::Failed(error) if error.is_not_found());
        !attempts.is_empty() && attempts.iter().all(is_not_found)
    }

    /// Was a file not there, and the network not used?
    pub fn is_offline(&self) -> bool {
        match self {
            Self::Locate { source, .. } => source.is_offline(),
            Self::Fetch { attempts, .. } => {
                let is_offline =
                    |attempt: &FetchAttempt| matches!(attempt, FetchAttempt::Failed(error) if error.is_offline());
                attempts.iter().any(is_offline)
            }
            _ => false,
        }
    }

    /// Does a server want another login, or any at all?
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Locate { source, .. } => source.is_refused(),
            Self::Fetch { attempts, .. } => {
                let is_refused =
                    |attempt: &FetchAttempt| matches!(attempt, FetchAttempt::Failed(error) if error.is_refused());
                !attempts.is_empty() && attempts.iter().all(is_refused)
            }
            _ => false,
        }
    }

    /// Is the machine at fault (disk, network, kernel), and not the recipe or the application?
    pub fn is_environment(&self) -> bool {
        self.is_disk_full()
            || self.is_of_store()
            || matches!(self, Self::Fetch { .. } | Self::Locate { .. } | Self::Sandbox(_))
    }

    /// Could the store not be read or written? What was only missing has been made again before a build gives up.
    fn is_of_store(&self) -> bool {
        matches!(
            self,
            Self::Store(_) | Self::FileLost { .. } | Self::Blob(_) | Self::Directory(_) | Self::Materialize(_)
        ) || matches!(self, Self::Output(IngestError::Io { .. }))
    }

    /// Is the disk full?
    pub fn is_disk_full(&self) -> bool {
        let mut current: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = current {
            let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
            if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
                return true;
            }
            current = error.source();
        }
        false
    }
}
