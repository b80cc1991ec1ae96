//! Why a package cannot have the lifecycle that its recipe declares.

use std::io;

use crate::tree::InvalidTree;

/// A lifecycle does not fit the package.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// A command is below the package's directory, and not in the package.
    #[error("the service `{service}` runs `{path}`, which is not in the package")]
    NoCommand {
        /// The service.
        service: String,
        /// Which of its commands: `exec` or `reload`.
        field: &'static str,
        /// The command.
        path: String,
    },
    /// A command is a file that nobody may execute.
    #[error("the service `{service}` runs `{path}`, which is not executable")]
    NotExecutable {
        /// The service.
        service: String,
        /// Which of its commands: `exec` or `reload`.
        field: &'static str,
        /// The command.
        path: String,
    },
    /// There is a file where one of a service's has to be.
    #[error("the service `{service}` needs `{path}`, where the package has a file already")]
    Taken {
        /// The service.
        service: String,
        /// The path.
        path: String,
    },
    /// A configuration file is neither in the package nor in the application.
    #[error("the configuration file `{path}` is not in the package, and the application has no `{origin}`")]
    NoConfigFile {
        /// Its place in the recipe's list.
        index: usize,
        /// Its path.
        path: String,
        /// What it would be a copy of.
        origin: String,
    },
    /// A hand-written script has no line where the made one could be put.
    #[error("`{file}` has no line `#VB#`, where what services and users need would be put")]
    NoMarker {
        /// The file of the source.
        file: String,
    },
    /// A hand-written script is for another interpreter than a shell.
    #[error("`{file}` is no script of a shell, so what services and users need cannot be put into it")]
    NotShell {
        /// The file of the source.
        file: String,
    },
    /// The tree would be none.
    #[error(transparent)]
    Tree(#[from] InvalidTree),
    /// The bytes of a file could not be kept.
    #[error("cannot keep a file that was made for a service")]
    Put(#[source] io::Error),
}

impl LifecycleError {
    /// Returns the field of the recipe that asks for what cannot be.
    pub fn field(&self) -> Option<String> {
        match self {
            Self::NoCommand { service, field, .. } | Self::NotExecutable { service, field, .. } => {
                Some(format!("services.{service}.{field}"))
            }
            Self::Taken { service, .. } => Some(format!("services.{service}")),
            Self::NoConfigFile { index, .. } => Some(format!("config_files[{index}]")),
            Self::NoMarker { .. } | Self::NotShell { .. } => Some("services".to_owned()),
            Self::Tree(_) | Self::Put(_) => None,
        }
    }
}
