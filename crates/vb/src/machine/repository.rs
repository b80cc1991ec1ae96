//! Where the files of a platform are that has no apt archive: RPM repositories, and images.

use std::path::{Path, PathBuf};

use vb_platform::{
    ArchiveLocation, SignedBy,
    rpm::{RepositorySourcesError, Variables, read_repositories},
};
use vb_recipe::{Image, Platform, PlatformRepository, Workspace};

/// Finds the places that a platform's repository can be had from: the workspace's, else the platform's own, else those of
/// the machine's repository of that name.
pub(crate) fn locate_repository(
    workspace: &Workspace,
    platform: &Platform,
    repository: &PlatformRepository,
) -> Result<Vec<ArchiveLocation>, RepositorySourcesError> {
    let own = platform.keyring.iter().map(|path| SignedBy::Path(PathBuf::from(path))).collect::<Vec<_>>();
    let bases = workspace.archives.get(&platform.name).unwrap_or(&platform.archives);
    let path = repository.path.trim_matches('/');
    let at = |base: &String| ArchiveLocation {
        base: format!("{}/{path}", base.trim_end_matches('/')).trim_end_matches('/').to_owned(),
        keyrings: own.clone(),
    };
    if !bases.is_empty() {
        return Ok(bases.iter().map(at).collect());
    }
    let variables: Variables = [
        ("releasever", platform.version.as_str()),
        ("basearch", platform.architecture.as_str()),
        ("arch", platform.architecture.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let known = read_repositories(Path::new("/etc/yum.repos.d"), &variables)?;
    let mut found: Vec<ArchiveLocation> =
        known.into_iter().filter(|known| known.name == repository.name).flat_map(|known| known.locations).collect();
    if !own.is_empty() {
        found.iter_mut().for_each(|location| location.keyrings.clone_from(&own));
    }
    Ok(found)
}

/// Returns the bases below which the files of a platform without suites are looked for.
pub(super) fn bases(workspace: &Workspace, platform: &Platform) -> Vec<String> {
    if let Some(image) = &platform.image {
        return vec![split_image(image).0];
    }
    let mut bases: Vec<String> = Vec::new();
    for repository in &platform.repositories {
        // What cannot be read is an error where a lock is made, and at the latest when a file is not found.
        for location in locate_repository(workspace, platform, repository).unwrap_or_default() {
            if !bases.contains(&location.base) {
                bases.push(location.base);
            }
        }
    }
    bases
}

/// Returns the directory that an image's files are in, and the name of its archive there, if it is one.
pub(crate) fn split_image(image: &Image) -> (String, Option<&str>) {
    match image {
        Image::Archive { file, .. } => match file.rsplit_once('/') {
            Some((directory, name)) => (directory.to_owned(), Some(name)),
            None => (String::new(), Some(file)),
        },
        Image::OciLayout { path, .. } => (path.trim_end_matches('/').to_owned(), None),
    }
}
