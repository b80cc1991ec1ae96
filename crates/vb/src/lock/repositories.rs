//! Packages of the RPM family, and images: from what is signed, or given by its digest, to the exact list of each root.

use std::{collections::BTreeMap, error::Error, time::SystemTime};

use sha2::{Digest, Sha256 as Hasher};
use vb_fetch::{FetchError, Fetcher, without_credentials};
use vb_graph::{LockedPackage, Sha256};
use vb_platform::{
    image::{ImageLayer, find_layers},
    rpm::{Index, Repository, RepositoryError, RepositorySourcesError, ResolveError, load, resolve},
};
use vb_recipe::{Evaluated, Image, Platform, PlatformLock, Recipe, Workspace};

use super::packages::{KnownDates, MIXED, OLDER, checkers, checkers_error, requests};
use crate::{
    exit::Exit,
    fatal::Fatal,
    machine::{locate_repository, split_image},
};

/// The indexes of one run, each platform's loaded once.
pub(crate) struct Repositories<'a> {
    workspace: &'a Workspace,
    fetcher: &'a Fetcher,
    known: KnownDates,
    loaded: BTreeMap<String, Index>,
}

impl<'a> Repositories<'a> {
    pub(crate) fn new(workspace: &'a Workspace, fetcher: &'a Fetcher) -> Self {
        Self { workspace, fetcher, known: KnownDates::default(), loaded: BTreeMap::new() }
    }

    /// Refuses states of repositories that are older than these.
    pub(super) fn know(&mut self, known: KnownDates) {
        self.known = known;
    }

    /// Loads the index of a platform's repositories, with all checks.
    pub(crate) fn of(&mut self, platform: &Platform) -> Result<&mut Index, Fatal> {
        if !self.loaded.contains_key(&platform.name) {
            let index = self.load(platform)?;
            self.loaded.insert(platform.name.clone(), index);
        }
        Ok(self.loaded.get_mut(&platform.name).expect("inserted above"))
    }

    fn load(&self, platform: &Platform) -> Result<Index, Fatal> {
        let repository = |repository: &vb_recipe::PlatformRepository| {
            let locations = locate_repository(self.workspace, platform, repository)?;
            let known_date = self.known.get(platform, &repository.name);
            Ok(Repository { name: repository.name.clone(), locations, known_date })
        };
        let repositories: Vec<Repository> = platform
            .repositories
            .iter()
            .map(repository)
            .collect::<Result<_, RepositorySourcesError>>()
            .map_err(sources_error)?;
        load(self.fetcher, &repositories, &platform.architecture, SystemTime::now())
            .map_err(|error| index_error(platform, error))
    }

    /// Fills in the packages of the three roots.
    pub(super) fn lock_roots(
        &mut self,
        recipe: &Evaluated<Recipe>,
        platform: &Platform,
        lock: &mut PlatformLock,
    ) -> Result<(), Fatal> {
        let fetcher = self.fetcher;
        let index = self.of(platform)?;
        lock.archive = index.dates();
        for (kind, names, field) in requests(&lock.request) {
            let packages =
                resolve(index, fetcher, &names).map_err(|error| resolve_error(recipe, platform, field, error))?;
            packages.into_iter().for_each(|package| lock.add_to_root(kind, package));
        }
        Ok(())
    }

    /// Fills in the packages of the root that has a platform's checkers.
    pub(super) fn lock_checkers(&mut self, platform: &Platform, lock: &mut PlatformLock) -> Result<(), Fatal> {
        let fetcher = self.fetcher;
        let index = self.of(platform)?;
        lock.archive = index.dates();
        let (kind, names) = checkers(&lock.request);
        let packages = resolve(index, fetcher, &names).map_err(|error| checkers_error(platform, error))?;
        packages.into_iter().for_each(|package| lock.add_to_root(kind, package));
        Ok(())
    }
}

/// Fills in the files of an image, which is all roots.
pub(super) fn lock_image(
    fetcher: &Fetcher,
    platform: &Platform,
    image: &Image,
    lock: &mut PlatformLock,
) -> Result<(), Fatal> {
    let layers = image_files(fetcher, platform, image)?;
    for (kind, ..) in requests(&lock.request) {
        layers.iter().for_each(|layer| lock.add_to_root(kind, layer.clone()));
    }
    Ok(())
}

/// Reads an image whole, and holds each of its files against the digest that names it; returns how many there are.
pub(crate) fn check_image(fetcher: &Fetcher, platform: &Platform, image: &Image) -> Result<usize, Fatal> {
    let files = image_files(fetcher, platform, image)?;
    let (base, _) = split_image(image);
    for LockedPackage { path, sha256, .. } in &files {
        check_file(fetcher, &format!("{base}/{path}"), sha256).map_err(|error| image_error(platform, error))?;
    }
    Ok(files.len())
}

/// A file of an image is not what it should be.
#[derive(Debug, thiserror::Error)]
enum ImageFileError {
    /// It cannot be had.
    #[error("cannot read a file of the image")]
    Fetch {
        /// Why not, with the location.
        #[source]
        source: FetchError,
    },
    /// It has another digest.
    #[error("`{location}` has not the SHA-256 {expected}, but {found}")]
    Digest {
        /// The file.
        location: String,
        /// What it should have.
        expected: Sha256,
        /// What it has.
        found: Sha256,
    },
}

fn check_file(fetcher: &Fetcher, location: &str, expected: &Sha256) -> Result<(), ImageFileError> {
    let mut hasher = Hasher::new();
    fetcher.download(location, &mut hasher).map_err(|source| ImageFileError::Fetch { source })?;
    let found = Sha256::from_bytes(hasher.finalize().into());
    if found == *expected {
        return Ok(());
    }
    Err(ImageFileError::Digest { location: without_credentials(location), expected: *expected, found })
}

fn image_files(fetcher: &Fetcher, platform: &Platform, image: &Image) -> Result<Vec<LockedPackage>, Fatal> {
    let (base, _) = split_image(image);
    match image {
        Image::Archive { .. } => Ok(vec![archive(platform, image)]),
        Image::OciLayout { digest, .. } => {
            let layers = find_layers(fetcher, &base, digest).map_err(|error| image_error(platform, error))?;
            let layers = layers.into_iter().enumerate();
            let package = |(place, layer): (usize, ImageLayer)| {
                layer_package(platform, place, layer.path, layer.size, layer.sha256)
            };
            Ok(layers.map(package).collect())
        }
    }
}

fn archive(platform: &Platform, image: &Image) -> LockedPackage {
    let (_, name) = split_image(image);
    // Nothing says how large an archive is before it is fetched.
    layer_package(platform, 0, name.unwrap_or_default().to_owned(), 0, *image.sha256())
}

/// A layer is locked like a package; its version is its place, so that the order is the layers'.
fn layer_package(platform: &Platform, place: usize, path: String, size: u64, sha256: Sha256) -> LockedPackage {
    LockedPackage {
        name: "image".to_owned(),
        version: format!("{place:03}"),
        architecture: platform.architecture.clone(),
        path,
        size,
        sha256,
    }
}

fn sources_error(error: RepositorySourcesError) -> Fatal {
    Fatal::caused(
        Exit::Environment,
        "vb::machine::yum_repositories",
        "cannot read the machine's yum repositories",
        "mend them, or set `archives` in `recipes/workspace.ncl`",
        error,
    )
}

fn index_error(platform: &Platform, error: RepositoryError) -> Fatal {
    let help = match error {
        RepositoryError::Older { .. } => OLDER,
        RepositoryError::Mismatch { .. } | RepositoryError::Changing { .. } => MIXED,
        _ => {
            "check the machine's yum repositories and keys, or `archives` and `keyring` in the workspace and the platform"
        }
    };
    Fatal::caused(
        Exit::Environment,
        "vb::lock::index",
        format!("cannot load the package index of `{}`", platform.name),
        help,
        error,
    )
}

fn image_error<E: Error + Send + Sync + 'static>(platform: &Platform, error: E) -> Fatal {
    Fatal::caused(
        Exit::Environment,
        "vb::lock::image",
        format!("cannot read the image of `{}`", platform.name),
        "check `image` in the platform's file",
        error,
    )
}

fn resolve_error(recipe: &Evaluated<Recipe>, platform: &Platform, field: &str, error: ResolveError) -> Fatal {
    Fatal::caused(
        Exit::Recipe,
        "vb::lock::packages",
        format!("cannot resolve the packages of `{}` for `{}`", recipe.place(field), platform.name),
        format!("change `{field}` in the recipe"),
        error,
    )
}
