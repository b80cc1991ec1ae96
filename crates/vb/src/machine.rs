//! What the machine says: environment variables, apt's and pip's configuration, the number of processors.

mod archive;
mod npm;
mod repository;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;
use vb_build::{Builder, BuilderOptions, Lazy, Locations};
use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{AptSource, read_sources};
use vb_python::{HostFiles, IndexConfig, default_index_query, read_config};
use vb_recipe::{Platform, Workspace};
use vb_sandbox::Helper;
use vb_store::Store;

pub(crate) use self::{
    archive::Archive,
    repository::{locate_repository, split_image},
};
use crate::{arguments::Common, exit::Exit, fatal::Fatal};

/// The hidden argument that makes this program the sandbox helper.
pub(crate) const SANDBOX_COMMAND: &str = "__sandbox";

/// What the machine's configuration says about where files come from.
#[derive(Debug)]
pub(crate) struct Machine {
    sources: Vec<AptSource>,
    release: Release,
    home: Option<PathBuf>,
}

impl Machine {
    /// Reads apt's configuration.
    pub(crate) fn read() -> Result<Self, Fatal> {
        let sources = read_sources(Path::new("/etc/apt")).map_err(|error| {
            Fatal::caused(
                Exit::Environment,
                "vb::machine::apt_sources",
                "cannot read the machine's apt sources",
                "mend them, or set `archives` in `recipes/workspace.ncl`",
                error,
            )
        })?;
        Ok(Self { sources, release: Release::read(), home: home() })
    }

    /// Finds the places that a platform's suite can be had from, with who says so.
    pub(crate) fn archive(&self, workspace: &Workspace, platform: &Platform, suite: &str) -> Archive {
        Archive::find(self, workspace, platform, suite)
    }

    /// Says where fetched files are looked for.
    fn locations<'a>(&self, workspace: &Workspace, platforms: impl Iterator<Item = &'a Platform>) -> Locations {
        let mut archives = BTreeMap::new();
        for platform in platforms {
            let mut bases = repository::bases(workspace, platform);
            for suite in &platform.suites {
                for location in self.archive(workspace, platform, &suite.name).locations {
                    if !bases.contains(&location.base) {
                        bases.push(location.base);
                    }
                }
            }
            archives.insert(platform.name.clone(), bases);
        }
        let (workspace, home) = (workspace.clone(), self.home.clone());
        let npm = npm::Query { registry: workspace.npm_registry.clone(), home: home.clone() };
        Locations {
            archives,
            indexes: Lazy::new(move || indexes(&workspace, home.as_deref())),
            npm: Lazy::new(move || npm.find_out()),
        }
    }

    /// Makes the builder of this run.
    pub(crate) fn builder<'a>(
        &self,
        common: &Common,
        store: Store,
        workspace: &Workspace,
        platforms: impl Iterator<Item = &'a Platform>,
    ) -> Result<Builder, Fatal> {
        let fetcher = Fetcher::new(&FetchOptions::default()).map_err(|error| {
            Fatal::caused(Exit::Environment, "vb::machine::fetcher", "cannot set up downloads", "", error)
        })?;
        let options = BuilderOptions {
            store,
            helper: helper(),
            fetcher,
            locations: self.locations(workspace, platforms),
            home: self.home.clone(),
            jobs: common.jobs.unwrap_or_else(processors),
        };
        Builder::new(options).map_err(|error| {
            Fatal::caused(Exit::Environment, "vb::machine::threads", "cannot start the build", "", error)
        })
    }
}

/// Says how this program is executed again as the sandbox helper: as the file that runs, also when an upgrade has
/// put another one in its place.
pub(crate) fn helper() -> Helper {
    Helper { program: PathBuf::from("/proc/self/exe"), args: vec![SANDBOX_COMMAND.to_owned()] }
}

/// Returns the user's home directory, without a `/` at its end; a relative path is nobody's home.
fn home() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    home.is_absolute().then(|| home.components().collect())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The workspace's indexes, or those of pip's and uv's configuration, or the one that the machine's pip has built in.
fn indexes(workspace: &Workspace, home: Option<&Path>) -> IndexConfig {
    let files = HostFiles {
        home: home.unwrap_or(Path::new("/nonexistent")).to_owned(),
        etc: PathBuf::from("/etc"),
        xdg_config: std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from),
    };
    let mut config = match read_config(&variables(), &files) {
        Ok(config) => config,
        Err(error) => {
            crate::display::warn(&format!("{error}; it is left out"));
            IndexConfig::default()
        }
    };
    if let Some(links) = &workspace.find_links {
        config.find_links.clone_from(links);
    }
    if let Some(indexes) = &workspace.python_indexes {
        config.indexes.clone_from(indexes);
        config.has_default_index = true;
    }
    if config.has_default_index {
        return config;
    }
    match default_index() {
        Some(url) => config.with_default_index(url),
        None => config,
    }
}

/// Returns the environment; a variable that is not UTF-8 is none of pip's, uv's or npm's.
fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

fn default_index() -> Option<String> {
    let query = default_index_query();
    let (program, arguments) = query.split_first()?;
    let output = Command::new(program).args(arguments).output().ok()?;
    let url = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !url.is_empty()).then_some(url)
}

/// Returns the file with the certificates that this machine trusts.
pub(crate) fn certificates() -> Option<PathBuf> {
    let common = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    let own = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    own.into_iter().chain(common.map(PathBuf::from)).find(|path| path.is_file())
}

/// Which distribution the machine runs, by os-release(5).
#[derive(Clone, Debug, Default)]
struct Release {
    id: Option<String>,
    codename: Option<String>,
}

impl Release {
    fn read() -> Self {
        let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            Some(value.trim_matches('"').to_owned())
        };
        Self { id: field("ID"), codename: field("VERSION_CODENAME") }
    }
}
