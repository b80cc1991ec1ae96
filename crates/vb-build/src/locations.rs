//! Where fetched files are looked for: the machine's own configuration, never a lock.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use vb_fetch::Fetcher;
use vb_graph::{Fetch, LockedFile, Origin};
use vb_python::{IndexConfig, LocateError};

/// Python package indexes that are found out when they are first needed: a build that fetches nothing asks nobody.
pub struct LazyIndexes(LazyLock<IndexConfig, Box<dyn FnOnce() -> IndexConfig + Send>>);

impl LazyIndexes {
    /// Takes what finds the indexes out.
    pub fn new(find_out: impl FnOnce() -> IndexConfig + Send + 'static) -> Self {
        Self(LazyLock::new(Box::new(find_out)))
    }

    /// Returns the indexes.
    pub fn get(&self) -> &IndexConfig {
        &self.0
    }
}

impl fmt::Debug for LazyIndexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LazyIndexes").finish_non_exhaustive()
    }
}

/// Where distribution packages and Python files are looked for.
#[derive(Debug)]
pub struct Locations {
    /// The bases of the archives of each platform, in the order in which they are tried.
    pub archives: BTreeMap<String, Vec<String>>,
    /// Python package indexes and directories.
    pub indexes: LazyIndexes,
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
            Origin::Index { project } => {
                let file = LockedFile { file: fetch.file.clone(), size: fetch.size, sha256: fetch.sha256 };
                vb_python::locate(fetcher, self.indexes.get(), project, &file)
            }
        }
    }
}
