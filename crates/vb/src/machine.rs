//! What the machine says: environment variables, apt's and pip's configuration, the number of processors.

mod archive;
mod indexes;
mod npm;
mod repository;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use fs_err as fs;
use vb_build::{Builder, BuilderOptions, Lazy, Locations};
use vb_fetch::{FetchOptions, Fetcher, NetworkUse};
use vb_platform::{AptSource, read_sources};
use vb_recipe::{Platform, Workspace};
use vb_sandbox::Helper;
use vb_store::Store;

pub(crate) use self::{
    archive::Archive,
    indexes::index_of,
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
    fn locations<'a>(
        &self,
        workspace: &Workspace,
        root: &Path,
        platforms: impl Iterator<Item = &'a Platform>,
    ) -> Locations {
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
        let (workspace, root, home) = (workspace.clone(), root.to_owned(), self.home.clone());
        let npm = npm::Query { registry: workspace.npm_registry.clone(), home: home.clone() };
        Locations {
            archives,
            indexes: Lazy::new(move || indexes::indexes(&workspace, &root, home.as_deref())),
            npm: Lazy::new(move || npm.find_out()),
        }
    }

    /// Makes the builder of this run.
    pub(crate) fn builder<'a>(
        &self,
        common: &Common,
        store: Store,
        (workspace, root): (&Workspace, &Path),
        platforms: impl Iterator<Item = &'a Platform>,
    ) -> Result<Builder, Fatal> {
        let network = if common.offline { NetworkUse::Refused } else { NetworkUse::Allowed };
        let fetcher = Fetcher::new(&FetchOptions { network, ..FetchOptions::default() }).map_err(|error| {
            Fatal::caused(Exit::Environment, "vb::machine::fetcher", "cannot set up downloads", "", error)
        })?;
        let options = BuilderOptions {
            store,
            helper: helper(),
            fetcher,
            locations: self.locations(workspace, root, platforms),
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
