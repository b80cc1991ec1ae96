//! Where fetched files are looked for: the machine's own configuration, never a lock.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use vb_fetch::Fetcher;
use vb_graph::{Fetch, LockedFile, Origin};
use vb_npm::NpmConfig;
use vb_python::{IndexConfig, LocateError};

/// A configuration that is found out when it is first needed: a build that fetches nothing asks nobody.
pub struct Lazy<T>(LazyLock<T, Box<dyn FnOnce() -> T + Send>>);

impl<T> Lazy<T> {
    /// Takes what finds it out.
    pub fn new(find_out: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(LazyLock::new(Box::new(find_out)))
    }

    /// Returns it.
    pub fn get(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lazy").finish_non_exhaustive()
    }
}

/// Where distribution packages, Python files and npm packages are looked for.
#[derive(Debug)]
pub struct Locations {
    /// The bases of the archives of each platform, in the order in which they are tried.
    pub archives: BTreeMap<String, Vec<String>>,
    /// Python package indexes and directories.
    pub indexes: Lazy<IndexConfig>,
    /// npm registries.
    pub npm: Lazy<NpmConfig>,
}

impl Locations {
    /// Returns where a file may be, best first.
    ///
    /// # Errors
    /// [`LocateError`] when no index knows the file.
    pub(crate) fn of(&self, fetcher: &Fetcher, fetch: &Fetch) -> Result<Vec<String>, LocateError> {
        match &fetch.origin {
            Origin::Archive { platform, path } => Ok(self
                .archives
                .get(platform)
                .into_iter()
                .flatten()
                .map(|base| format!("{}/{path}", base.trim_end_matches('/')))
                .collect()),
            // Without a registry there is no place to look, which is told as such.
            Origin::Npm { package } => Ok(self.npm.get().location(package, &fetch.file).into_iter().collect()),
            Origin::Index { project } => {
                let file = LockedFile { file: fetch.file.clone(), size: fetch.size, sha256: fetch.sha256 };
                vb_python::locate(fetcher, self.indexes.get(), project, &file)
            }
        }
    }
}
