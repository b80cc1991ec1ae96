//! Errors of repositories as the user meets them: a code, and what to do.

use vb_repo::{
    AddError, ChangeError, ChannelNameError, IndexError, OpenError, PublishError, ReadForeignError, SignError,
    StateError,
};

use crate::{exit::Exit, fatal::Fatal};

/// A repository could not be opened.
pub(crate) fn open_error(location: &str, error: OpenError) -> Fatal {
    let (exit, code, help) = match &error {
        OpenError::NoRepository => {
            (Exit::Usage, "vb::repo::none", "make one with `vb repo init`, or name another with `--repo`")
        }
        OpenError::Exists => (Exit::Usage, "vb::repo::exists", "use it, or name another directory"),
        OpenError::Version { .. } => (Exit::Environment, "vb::repo::version", "use the vb that made it"),
        OpenError::Name(_) => (Exit::Usage, "vb::repo::name", "use lower case letters, digits, `.`, `_` and `+`"),
        OpenError::Storage(_) | OpenError::Damaged { .. } | OpenError::Keys { .. } => {
            (Exit::Environment, "vb::repo::open", "check that it can be read and written")
        }
    };
    Fatal::caused(exit, code, format!("cannot use the repository `{location}`"), help, error)
}

/// A name cannot be a channel's.
pub(crate) fn channel_name(error: ChannelNameError) -> Fatal {
    open_error(&error.name.clone(), OpenError::Name(error))
}

/// The repository's state could not be read.
pub(crate) fn state_error(error: StateError) -> Fatal {
    let help = "`vb repo verify` says what is damaged";
    Fatal::caused(Exit::Environment, "vb::repo::state", "cannot read or write the repository", help, error)
}

/// Packages could not be added.
pub(crate) fn add_error(error: AddError) -> Fatal {
    match error {
        AddError::Change(error) => change_error(error),
        AddError::Foreign(error) => foreign_error(error),
        error @ AddError::Digest { .. } => {
            let help =
                "repair that package or have its repository's indexes written again; what came before it is taken";
            Fatal::caused(Exit::Environment, "vb::repo::damaged_source", "cannot import", help, error)
        }
        error => {
            let help = "give packages as `vb build`, `dpkg-deb` or `rpmbuild` writes them";
            Fatal::caused(Exit::Usage, "vb::repo::package", "cannot add a package", help, error)
        }
    }
}

/// Another repository could not be read.
pub(crate) fn foreign_error(error: ReadForeignError) -> Fatal {
    let (exit, code, help) = match &error {
        ReadForeignError::NoIndex { .. } => (
            Exit::Usage,
            "vb::repo::no_source",
            "name the directory that has `dists/` or, in another one, `repodata/`, and a suite with `--map`",
        ),
        ReadForeignError::Unsigned { .. } | ReadForeignError::Signature { .. } => (
            Exit::Usage,
            "vb::repo::untrusted_source",
            "name the key that signs it with `--source-key`, or say `--trust` if you trust where it is",
        ),
        ReadForeignError::Fetch { .. } | ReadForeignError::Copy { .. } => (
            Exit::Environment,
            "vb::repo::source_unreachable",
            "check the address and the network; packages that were taken stay, and are not fetched again",
        ),
        _ => (Exit::Environment, "vb::repo::damaged_source", "have its own tool write its indexes again"),
    };
    Fatal::caused(exit, code, "cannot import".to_owned(), help, error)
}

/// A channel could not be changed.
pub(crate) fn change_error(error: ChangeError) -> Fatal {
    match error {
        ChangeError::State(error) => state_error(error),
        ChangeError::Publish(error) => publish_error(error),
        error @ ChangeError::Partly { .. } => {
            let help = "mend what the cause says, and run the same command again: it completes what is left";
            Fatal::caused(Exit::Environment, "vb::repo::partly", "cannot change all channels", help, error)
        }
        error => {
            let (code, help) = match &error {
                ChangeError::Conflict { .. } => (
                    "vb::repo::conflict",
                    "publish it as another version, or remove the other one from the channel first",
                ),
                ChangeError::NoPackage { .. } => {
                    ("vb::repo::no_package", "`vb repo list` shows what the channels hold")
                }
                ChangeError::NoGeneration { .. } => {
                    ("vb::repo::no_generation", "`vb repo history` shows what one can go back to")
                }
                _ => ("vb::repo::platform", "name the platform that the package is for with `--platform`"),
            };
            Fatal::message(Exit::Usage, code, error.to_string(), help)
        }
    }
}

fn publish_error(error: PublishError) -> Fatal {
    match error {
        PublishError::NoKey | PublishError::Index(IndexError::Sign(_)) => sign_error(error),
        error => {
            let help = "run the command again: what is there is whole, and is completed then";
            Fatal::caused(Exit::Environment, "vb::repo::publish", "cannot write the indexes", help, error)
        }
    }
}

fn sign_error(error: PublishError) -> Fatal {
    let help = match &error {
        PublishError::Index(IndexError::Sign(SignError::Key { .. })) => "check the key and its passphrase",
        _ => "name the keys with `--key`, or in the workspace's `repository`",
    };
    Fatal::caused(Exit::Environment, "vb::repo::sign", "cannot sign the indexes", help, error)
}
