//! The arguments of `vb repo` and `vb key`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};

/// Which repository, and who signs.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The repository: a directory or the location of an object store [default: the workspace's].
    #[arg(long = "repo", global = true, env = "VB_REPO", value_name = "REPO")]
    pub(crate) repository: Option<String>,
    /// A file with a secret key that signs; may be given several times [default: the workspace's or repository's keys].
    #[arg(long = "key", global = true, env = "VB_REPO_KEY", value_name = "FILE", value_delimiter = ',')]
    pub(crate) keys: Vec<PathBuf>,
    /// A key of the machine's gpg that signs.
    #[arg(long, global = true, value_name = "FINGERPRINT")]
    pub(crate) gpg_key: Vec<String>,
    /// A program, with its arguments, that writes the detached signature of its standard input.
    #[arg(long, global = true, value_name = "COMMAND")]
    pub(crate) sign_command: Option<String>,
}

/// Which channels.
#[derive(Args, Clone, Debug)]
pub(crate) struct Channels {
    /// Only this channel; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Vec<String>,
    /// Only this platform; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Repo {
    /// Make a repository.
    Init(Init),
    /// Add packages to a channel.
    Add(Add),
    /// Take packages of a repository that another tool made.
    Import(Import),
    /// Show what channels hold.
    List(Look),
    /// Show what was done to channels, the latest first.
    History(Look),
    /// Read everything, and say what is damaged.
    Verify(Look),
    /// Add packages of one channel to another, with what they need in exactly one version.
    Promote(Promote),
    /// Give a channel, or some packages in it, what it held before.
    Rollback(Rollback),
    /// Remove packages from a channel.
    Remove(Remove),
    /// Remove old versions from channels.
    Retain(Retain),
    /// Remove what no channel, history or snapshot names.
    Gc(Gc),
    /// Sign the indexes again, with a later date.
    Refresh(Refresh),
    /// Give a name to what channels hold, or show the names.
    Snapshot(Snapshot),
    /// Give channels what they held when a snapshot was made.
    Restore(Restore),
    /// Serve the repository to this machine.
    Serve(Serve),
    /// Print what a machine needs to use a channel.
    ClientConfig(ClientConfig),
}

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The repository [default: the workspace's].
    #[arg(value_name = "REPO")]
    pub(crate) at: Option<String>,
    /// Whose repository it is, as clients show it.
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// The channels, in the order in which packages go through them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) channels: Vec<String>,
    /// Have apt's indexes of a channel all in one directory.
    #[arg(long)]
    pub(crate) flat: bool,
    /// The address that serves it, which clients of yum are told in a list of mirrors.
    #[arg(long, value_name = "URL", value_parser = address)]
    pub(crate) url: Option<String>,
    /// Have clients refuse an index that is older than so many days.
    #[arg(long, value_name = "N")]
    pub(crate) valid_days: Option<u32>,
    /// Write `Contents` indexes.
    #[arg(long)]
    pub(crate) contents: bool,
    /// The public keys of programs that sign.
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// The repository, if it is not the workspace's, and packages.
    #[arg(value_name = "REPO|PACKAGE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The channel [default: the repository's first].
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
    /// The platform [default: the name of the directory that a package is in].
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<String>,
    /// The component of apt's indexes.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub(crate) component: String,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The repository, if it is not the workspace's, and the other one: a directory, or the address that serves it.
    #[arg(value_name = "REPO|SOURCE", required = true, num_args = 1..=2)]
    pub(crate) places: Vec<String>,
    /// What goes where: a suite of apt, or a directory that has `repodata/`, and the platform and channel that get its
    /// packages; may be given several times.
    #[arg(long, value_name = "SUITE=PLATFORM-CHANNEL", required = true)]
    pub(crate) map: Vec<String>,
    /// The public keys that sign the other repository.
    #[arg(long, value_name = "FILE", conflicts_with = "trust", required_unless_present = "trust")]
    pub(crate) source_key: Option<PathBuf>,
    /// Believe the other repository's index without a signature.
    #[arg(long)]
    pub(crate) trust: bool,
    /// Link packages in place of copying them, where both repositories are on one file system.
    #[arg(long)]
    pub(crate) link: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Look {
    /// The repository [default: the workspace's].
    #[arg(value_name = "REPO")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) channels: Channels,
}

#[derive(Args, Debug)]
pub(crate) struct Promote {
    /// The packages, `name` or `name=version`; a recipe's name means its package.
    #[arg(value_name = "PACKAGE", required_unless_present = "all")]
    pub(crate) packages: Vec<String>,
    /// Every package, its latest version.
    #[arg(long, conflicts_with = "packages")]
    pub(crate) all: bool,
    /// The channel that has them.
    #[arg(long, value_name = "NAME")]
    pub(crate) from: String,
    /// The channel that gets them.
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,
    /// Only this platform; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Rollback {
    /// The packages; none for the whole channel.
    #[arg(value_name = "PACKAGE")]
    pub(crate) packages: Vec<String>,
    /// The channel.
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: String,
    /// Only this platform; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Vec<String>,
    /// To the generation of this number [default: to what was there before the latest change].
    #[arg(long, value_name = "N")]
    pub(crate) to: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// The packages, `name` or `name=version`; without a version, all versions.
    #[arg(value_name = "PACKAGE", required = true)]
    pub(crate) packages: Vec<String>,
    /// The channel.
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: String,
    /// Only this platform; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Retain {
    #[command(flatten)]
    pub(crate) look: Look,
    /// So many of the latest versions stay.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) keep: usize,
    /// What is younger than so many days stays.
    #[arg(long, value_name = "DAYS")]
    pub(crate) days: Option<u64>,
    /// Remove also what another channel of the platform holds.
    #[arg(long)]
    pub(crate) even_promoted: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Gc {
    /// The repository [default: the workspace's].
    #[arg(value_name = "REPO")]
    pub(crate) at: Option<String>,
    /// How long clients may go on with an index that was replaced, in hours.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub(crate) grace: u64,
    /// For how many days one can roll back.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub(crate) history: u64,
    /// Only show what would be removed.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Refresh {
    #[command(flatten)]
    pub(crate) look: Look,
    /// The address that serves it from here on.
    #[arg(long, value_name = "URL", value_parser = address)]
    pub(crate) url: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Snapshot {
    /// The snapshot's name [default: show the snapshots].
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Forget the snapshot of that name.
    #[arg(long, requires = "name")]
    pub(crate) remove: bool,
    #[command(flatten)]
    pub(crate) channels: Channels,
}

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The snapshot's name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) channels: Channels,
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The repository [default: the workspace's].
    #[arg(value_name = "REPO")]
    pub(crate) at: Option<String>,
    /// The address to serve at.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) bind: SocketAddr,
}

#[derive(Args, Debug)]
pub(crate) struct ClientConfig {
    /// The repository [default: the workspace's].
    #[arg(value_name = "REPO")]
    pub(crate) at: Option<String>,
    /// The platform.
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: String,
    /// The channel [default: the repository's last].
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
    /// The address that serves the repository [default: the one that the repository knows, or that of `vb repo serve`].
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = ConfigPart::All)]
    pub(crate) part: ConfigPart,
}

/// A part of what a client needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigPart {
    /// The file with its place, and the command.
    All,
    /// The `.sources` or `.repo` file alone.
    File,
    /// The public keys.
    Key,
    /// One line of shell.
    Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key that signs repositories.
    New {
        /// Where the secret key goes.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Whose key it is: `Jane Doe <jane@example.org>`.
        #[arg(long, value_name = "NAME")]
        user: String,
        /// The kind of key.
        #[arg(long, value_enum, default_value_t = Algorithm::Ed25519)]
        algorithm: Algorithm,
    },
    /// Print the public key of a secret one.
    Export {
        /// The secret key.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// Small and fast; read by gpg since 2.1 and rpm since 4.17.
    Ed25519,
    /// Read by everything.
    Rsa4096,
}

/// What clients are told has to be whole: librepo skips every other address in a list of mirrors.
fn address(text: &str) -> Result<String, &'static str> {
    match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err("give where clients find it: `https://packages.example.org`"),
    }
}
