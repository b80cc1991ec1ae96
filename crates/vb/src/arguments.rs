//! The arguments of the command line.

mod repo;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use vb_graph::Format;
use vb_recipe::is_package_version;

pub(crate) use self::repo::{
    Add, Algorithm, Channels, ClientConfig, ConfigPart, Gc, Import, Init, Key, Look, Place, Promote, Refresh, Remove,
    Repo, Restore, Retain, Rollback, Serve, Snapshot,
};

/// Python applications to reproducible packages, with their whole virtual environment.
#[derive(Debug, Parser)]
#[command(name = "vb", version, propagate_version = true)]
#[command(after_help = "Exit codes: 0 done, 1 an action failed, 2 usage, 3 recipe or lock error, 4 environment \
                        (kernel, disk, network), 5 not reproducible, 101 bug, 130 interrupted.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Where the store is [default: `cache` in the workspace].
    #[arg(long, global = true, env = "VB_STORE", value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// How many actions run at once [default: the number of processors].
    #[arg(long, short, global = true, env = "VB_JOBS", value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Use no network: what is not in the store or on this machine is missing, and all of it is named.
    #[arg(long, global = true, env = "VB_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) offline: bool,
    /// Print JSON on standard output: each event of a build as a line, or all that a command found as one document.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Which recipes, and for which platforms.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// The recipes.
    #[arg(value_name = "RECIPE", required_unless_present = "all")]
    pub(crate) recipes: Vec<PathBuf>,
    /// Every recipe of the workspace.
    #[arg(long, conflicts_with = "recipes")]
    pub(crate) all: bool,
    /// Only this platform; may be given several times [default: those that the recipe names].
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Vec<String>,
    /// Only these package formats: `deb`, `rpm`, `tar` [default: those of the recipe, or of each platform].
    #[arg(long, value_name = "FORMAT", value_delimiter = ',')]
    pub(crate) format: Vec<Format>,
}

/// Which version the packages have.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct VersionChoice {
    /// Give the packages this version, whatever the recipes say.
    #[arg(long, value_name = "VERSION", value_parser = package_version)]
    pub(crate) force_version: Option<String>,
}

fn package_version(text: &str) -> Result<String, NotAVersion> {
    if is_package_version(text) { Ok(text.to_owned()) } else { Err(NotAVersion) }
}

/// A text cannot be a package's version.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("give a Debian version: a digit, then letters, digits, `.`, `+`, `~` and `-`")]
struct NotAVersion;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build packages.
    Build(Build),
    /// Install packages on machines of their own, start their services, and run the checks of their recipes; then upgrade,
    /// roll back, remove and purge them.
    Test(Selection),
    /// Let lintian look at `.deb` packages, and rpmlint at `.rpm` packages: what recipes build, or package files in the place
    /// of recipes. What they find has to be accepted in `lint` of the recipe or the workspace, each tag with its reason.
    Lint(Selection),
    /// Resolve what recipes need, and write it to their locks.
    Lock(Lock),
    /// Bring every file that locks name into the store, so that it can be built without a network.
    Fetch(Fetch),
    /// Take out the wheels of recipes.
    Wheels {
        #[command(subcommand)]
        command: Wheels,
    },
    /// Show what a build would do: a hit or a miss for each action.
    Plan(Plan),
    /// Explain why actions ran, or would run: which part of their keys differs from the last time.
    Why(Why),
    /// Open a shell in the sandbox of an action.
    Shell(Shell),
    /// Build one action, and print where its output is.
    Output(ActionChoice),
    /// Show what is in a package: sizes, dependencies, scripts, Python distributions, files.
    Inspect(Inspect),
    /// Show how two packages differ, or a package and the one that a channel of a repository has.
    Diff(Diff),
    /// Look at the platforms of the workspace.
    Platform {
        #[command(subcommand)]
        command: Platform,
    },
    /// Look after the store.
    Cache {
        #[command(subcommand)]
        command: Cache,
    },
    /// Build packages, and publish those that are not published yet.
    Push(Push),
    /// Publish packages, and look after what was published.
    Repo {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        command: Repo,
    },
    /// Make keys that sign repositories.
    Key {
        #[command(subcommand)]
        command: Key,
    },
    /// Check whether this machine can build.
    Doctor,
    /// Print shell completions.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) version: VersionChoice,
    /// Finish what does not need a failed action.
    #[arg(long, short)]
    pub(crate) keep_going: bool,
    /// Execute everything a second time and compare the bytes.
    #[arg(long)]
    pub(crate) check: bool,
    /// Where the packages go [default: `dist` in the workspace].
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Push {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) version: VersionChoice,
    #[command(flatten)]
    pub(crate) place: Place,
    /// The channel [default: the repository's first; the second where a tagged commit is checked out].
    #[arg(long, value_name = "NAME")]
    pub(crate) channel: Option<String>,
    /// Publish also what has changes that are in no commit.
    #[arg(long)]
    pub(crate) allow_modified: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Lock {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Move the distribution packages alone to what the archive has, and show what moved.
    #[arg(long)]
    pub(crate) refresh: bool,
    /// Lock the checkers that `vb lint` needs, for the platforms of these recipes, and nothing else.
    #[arg(long, conflicts_with_all = ["refresh", "upgrade"])]
    pub(crate) lint: bool,
    /// Move sources that are in git to the commits that their branches and tags have now, and lock what these need.
    #[arg(long, conflicts_with_all = ["refresh", "lint"])]
    pub(crate) source: bool,
    /// Take an archive that is in an older state than the lock was made from.
    #[arg(long)]
    pub(crate) allow_older: bool,
    /// Move this Python distribution, or all of them, to the newest version that the requirements allow; may be given
    /// several times. The recipes come first. Without it, locked versions are kept where they still fit.
    #[arg(long, short = 'U', conflicts_with = "refresh", value_name = "NAME", num_args = 0..=1, default_missing_value = "", value_parser = upgrade_name)]
    pub(crate) upgrade: Option<Vec<String>>,
}

/// A recipe behind `--upgrade` would be taken for the name of a distribution.
fn upgrade_name(value: &str) -> Result<String, String> {
    let is_name = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_name && !value.ends_with(".ncl") {
        Ok(value.to_owned())
    } else {
        Err("it is not the name of a distribution; name recipes before `--upgrade`".to_owned())
    }
}

#[derive(Args, Debug)]
pub(crate) struct Fetch {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// With the checkers that `vb lint` needs.
    #[arg(long)]
    pub(crate) lint: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Wheels {
    /// Write the wheels of a recipe's environment into a directory, those that are built here among them, for
    /// `pip install --no-index --find-links DIR`.
    Export {
        /// The directory.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        #[command(flatten)]
        selection: Selection,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// What `vb test` would do.
    #[arg(long)]
    pub(crate) tests: bool,
    /// What `vb lint` would do.
    #[arg(long, conflicts_with = "tests")]
    pub(crate) lint: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Why {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// Why tests ran, or would run.
    #[arg(long)]
    pub(crate) tests: bool,
    /// Why checkers of packages ran, or would run.
    #[arg(long, conflicts_with = "tests")]
    pub(crate) lint: bool,
    /// Only actions whose labels contain this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) action: Option<String>,
}

/// Which action of which recipe.
#[derive(Args, Debug)]
pub(crate) struct ActionChoice {
    /// The recipe.
    pub(crate) recipe: PathBuf,
    /// The action's label, as `vb plan` shows it, or its end: `wheel psycopg2`.
    pub(crate) action: String,
    /// Which platform, where the recipe has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Vec<String>,
}

impl ActionChoice {
    /// Is it one that `vb test` needs?
    pub(crate) fn is_of_tests(&self) -> bool {
        self.has_word("test")
    }

    /// Is it one of `vb lint`?
    pub(crate) fn is_of_lint(&self) -> bool {
        self.has_word("lint")
    }

    fn has_word(&self, word: &str) -> bool {
        self.action.split(' ').any(|each| each == word)
    }

    /// Returns the recipe as a selection.
    pub(crate) fn selection(&self) -> Selection {
        Selection { recipes: vec![self.recipe.clone()], all: false, platform: self.platform.clone(), format: vec![] }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Shell {
    #[command(flatten)]
    pub(crate) choice: ActionChoice,
    /// The command to run instead of a shell.
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// A `.deb`, an `.rpm` or a `.tar.zst`, of vb's or of anybody's.
    #[arg(value_name = "PACKAGE")]
    pub(crate) package: PathBuf,
    /// List every path with its mode, owner and size.
    #[arg(long)]
    pub(crate) files: bool,
    /// Print the scripts.
    #[arg(long)]
    pub(crate) scripts: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// A package, or a channel as `PLATFORM/CHANNEL`: what it has of the other package's name.
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// Another package, or a channel.
    #[arg(value_name = "NEW")]
    pub(crate) new: String,
    /// Show every path, those of bytecode and those in directories that came or went too.
    #[arg(long)]
    pub(crate) all: bool,
    /// The repository that channels are in [default: the workspace's].
    #[arg(long = "repo", env = "VB_REPO", value_name = "REPO")]
    pub(crate) repository: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// Read everything in the store, and remove what is damaged.
    Verify,
    /// Remove what no build has made or used lately, and nothing needs that one has.
    Gc {
        /// What was made or used within so many days stays.
        #[arg(long, value_name = "N", default_value_t = 30)]
        days: u32,
        /// Only show how much would be removed.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Platform {
    /// List all platforms.
    List,
    /// Show what a platform's file says, and where its archive is.
    Show {
        /// The platform's name.
        name: String,
    },
    /// Check that platforms can be locked and built for: their files, their archives, and the packages that they name.
    Check {
        /// The platforms' names.
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}
