//! What every build of a process shares: store, sandbox helper, locations, pools of threads.

use std::{
    collections::HashMap,
    panic::resume_unwind,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use vb_fetch::Fetcher;
use vb_graph::DirectoryDigest;
use vb_npm::NpmConfig;
use vb_python::IndexConfig;
use vb_sandbox::Helper;
use vb_store::{Listing, Store};

use crate::{execute::Compiler, locations::Locations};

/// How many files are fetched at once: what limits them is the network, not the processor.
const FETCH_THREADS: usize = 8;

/// A builder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// The system gave no threads.
    #[error("cannot start the threads of the build")]
    Threads(#[from] ThreadPoolBuildError),
}

/// What a [`Builder`] is made of.
#[derive(Debug)]
pub struct BuilderOptions {
    /// Where everything is kept.
    pub store: Store,
    /// How to re-execute this program as the sandbox helper.
    pub helper: Helper,
    /// What fetches.
    pub fetcher: Fetcher,
    /// Where fetched files are looked for.
    pub locations: Locations,
    /// The user's home directory: its path must not get into a package.
    pub home: Option<PathBuf>,
    /// How many actions run at once.
    pub jobs: usize,
}

/// Runs builds.
#[derive(Debug)]
pub struct Builder {
    pub(crate) store: Store,
    pub(crate) helper: Helper,
    pub(crate) fetcher: Fetcher,
    pub(crate) locations: Locations,
    pub(crate) home: Option<PathBuf>,
    pub(crate) actions: ThreadPool,
    pub(crate) fetches: ThreadPool,
    data: ThreadPool,
    pub(crate) listings: Mutex<HashMap<DirectoryDigest, Arc<Listing>>>,
    /// Those that wait.
    pub(crate) compilers: Mutex<Vec<Compiler>>,
}

impl Builder {
    /// Starts the pools.
    ///
    /// # Errors
    /// [`BuilderError`] when the system gives no threads.
    pub fn new(options: BuilderOptions) -> Result<Self, BuilderError> {
        let pool = |name: &'static str, threads: usize| {
            ThreadPoolBuilder::new().num_threads(threads).thread_name(move |index| format!("{name}-{index}")).build()
        };
        Ok(Self {
            store: options.store,
            helper: options.helper,
            fetcher: options.fetcher,
            locations: options.locations,
            home: options.home,
            actions: pool("action", options.jobs.max(1))?,
            fetches: pool("fetch", FETCH_THREADS)?,
            data: pool("data", options.jobs.max(1))?,
            listings: Mutex::default(),
            compilers: Mutex::default(),
        })
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns what fetches.
    pub fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// Returns the Python package indexes, found out at the first call.
    pub fn indexes(&self) -> &IndexConfig {
        self.locations.indexes.get()
    }

    /// Returns the npm registries, found out at the first call.
    pub fn npm(&self) -> &NpmConfig {
        self.locations.npm.get()
    }

    /// Runs hashing or compression on the pool for data, and waits outside of every pool.
    pub(crate) fn on_data_pool<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| {
            scope.spawn(|| self.data.install(work)).join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Returns how many threads compress at once.
    pub(crate) fn data_threads(&self) -> usize {
        self.data.current_num_threads()
    }
}
