//! Packages from the store to their places below `dist/`.

use std::{
    fs::Permissions,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use fs_err as fs;
use sha2::{Digest as _, Sha256};
use vb_build::BuildReport;
use vb_graph::{BlobDigest, DirectoryDigest, Node};
use vb_repo::{Record, Repository, StateError};
use vb_store::{BlobError, DirectoryError, Store};

use super::repo::errors::state_error;
use crate::{display, exit::Exit, fatal::Fatal, session::Target};

/// A package could not be put into its directory.
#[derive(Debug, thiserror::Error)]
#[error("cannot put the package into `{}`", directory.display())]
pub(crate) struct PlaceError {
    directory: PathBuf,
    #[source]
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl PlaceError {
    /// Is the package gone from the store, so that building it again helps?
    pub(crate) fn is_lost(&self) -> bool {
        matches!(
            self.cause,
            Cause::Blob(BlobError::Missing { .. } | BlobError::Corrupt { .. })
                | Cause::Directory(DirectoryError::Missing { .. })
        )
    }
}

impl From<PlaceError> for Fatal {
    fn from(error: PlaceError) -> Self {
        let help = "name a directory that can be written with `--output`";
        Self::caused(Exit::Environment, "vb::build::output", error.to_string(), help, error.cause)
    }
}

/// Copies each package that was made to its place; one that is there already is left. Returns the places.
pub(crate) fn place_packages(
    store: &Store,
    output: &Path,
    targets: &[Target],
    report: &BuildReport,
) -> Result<Vec<PathBuf>, PlaceError> {
    let mut placed = Vec::new();
    for (target, node) in targets.iter().zip(&report.outputs) {
        let Some(Node::Directory { digest, .. }) = node else { continue };
        let directory = output.join(&target.platform);
        let paths = place_all(store, digest, &directory).map_err(|cause| PlaceError { directory, cause })?;
        placed.extend(paths.iter().map(|path| display::relative(path)));
    }
    Ok(placed)
}

/// Copies a published package to a directory, and returns its place.
pub(crate) fn place_published(repository: &Repository, record: &Record, directory: &Path) -> Result<PathBuf, Fatal> {
    let failed = |cause: io::Error| Fatal::from(PlaceError { directory: directory.to_owned(), cause: cause.into() });
    let lost = || state_error(StateError::Missing { name: record.path.clone() });
    let name = record.path.rsplit('/').next().unwrap_or(&record.path);
    let target = directory.join(name);
    let mut content =
        repository.storage().open(&record.path).map_err(|error| state_error(error.into()))?.ok_or_else(lost)?;
    fs::create_dir_all(directory).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = content.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        file.write_all(&buffer[..count]).map_err(failed)?;
    }
    if hasher.finalize().as_slice() != record.sha256.as_bytes() {
        return Err(lost());
    }
    fs::set_permissions(file.path(), Permissions::from_mode(0o644)).map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(display::relative(&target))
}

fn place_all(store: &Store, packages: &DirectoryDigest, directory: &Path) -> Result<Vec<PathBuf>, Cause> {
    let mut placed = Vec::new();
    for (name, node) in store.directory(packages)?.entries() {
        let Node::File { blob, .. } = node else { continue };
        let path = directory.join(name.as_str());
        place(store, blob, &path)?;
        placed.push(path);
    }
    Ok(placed)
}

/// Copies a blob to a place. Who reads there at the same time sees the old file or all of the new one.
fn place(store: &Store, blob: &BlobDigest, target: &Path) -> Result<(), Cause> {
    let source = store.blob_path(blob);
    // What cannot be compared is copied, and tells why it cannot be read or written then.
    if is_same(&source, target).unwrap_or(false) {
        return Ok(());
    }
    store.check_blob(blob)?;
    let directory = target.parent().expect("a package is in a directory");
    fs::create_dir_all(directory)?;
    let mut name = target.file_name().expect("a package has a name").to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = directory.join(name);
    let copied = fs::copy(source, &temporary).and_then(|_| fs::rename(&temporary, target));
    if copied.is_err() {
        // The error that is told is the copy's.
        drop(fs::remove_file(&temporary));
    }
    Ok(copied?)
}

fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(fs::File::open(one)?), BufReader::new(fs::File::open(other)?));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let count = left.len().min(right.len());
        if left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
        one.consume(count);
        other.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_damaged_in_the_store_does_not_replace_a_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let target = dir.path().join("dist/a_1_all.deb");
        let blob = store.put_bytes(b"package").unwrap();
        place(&store, &blob, &target).unwrap();
        fs::write(store.blob_path(&blob), b"damaged").unwrap();

        let error = place(&store, &blob, &target).unwrap_err();
        assert!(matches!(error, Cause::Blob(BlobError::Corrupt { .. })), "{error:?}");
        assert_eq!(fs::read(&target).unwrap(), b"package");
    }

    #[test]
    fn a_package_that_cannot_be_placed_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let blob = store.put_bytes(b"package").unwrap();
        let target = dir.path().join("dist/a_1_all.deb");
        fs::create_dir_all(target.join("in the way")).unwrap();
        place(&store, &blob, &target).unwrap_err();
        assert_eq!(fs::read_dir(dir.path().join("dist")).unwrap().count(), 1);
    }
}
