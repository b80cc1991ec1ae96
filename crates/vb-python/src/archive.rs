//! The members of a wheel as a plain archive: to look into one, or to take one file out.

use std::{
    io::{self, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use zip::{ZipArchive, result::ZipError};

use crate::{lock::UvTool, python2::PipTool};

/// A wheel cannot be read as an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be opened, or a member cannot be read or written.
    #[error("cannot read the wheel `{}`", path.display())]
    Io {
        /// The wheel.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is no zip archive, or a member is not there.
    #[error("cannot read the wheel `{}`", path.display())]
    Zip {
        /// The wheel.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ZipError,
    },
}

struct Failed<'a>(&'a Path);

impl Failed<'_> {
    fn io(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Io { path: self.0.to_owned(), source }
    }

    fn zip(&self, source: ZipError) -> ArchiveError {
        ArchiveError::Zip { path: self.0.to_owned(), source }
    }
}

fn open(wheel: &Path) -> Result<ZipArchive<BufReader<fs_err::File>>, ArchiveError> {
    let file = fs_err::File::open(wheel).map_err(|error| Failed(wheel).io(error))?;
    ZipArchive::new(BufReader::new(file)).map_err(|error| Failed(wheel).zip(error))
}

/// Calls `visit` with the name and the bytes of every file of a wheel, in the wheel's order.
///
/// # Errors
/// [`ArchiveError`] when the wheel cannot be read, or `visit` fails.
pub fn read_members(
    wheel: &Path,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> Result<(), ArchiveError> {
    let failed = Failed(wheel);
    let mut archive = open(wheel)?;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|error| failed.zip(error))?;
        if member.is_dir() {
            continue;
        }
        let name = member.name().map_err(|error| failed.zip(error))?.into_owned();
        visit(&name, &mut member).map_err(|error| failed.io(error))?;
    }
    Ok(())
}

impl PipTool {
    /// Unpacks the wheel into a directory: pip cannot build out of an archive.
    ///
    /// # Errors
    /// [`ArchiveError`] when the wheel cannot be read, or its files cannot be written.
    pub fn unpack(&self, wheel: &Path, target: &Path) -> Result<(), ArchiveError> {
        let failed = Failed(wheel);
        fs_err::create_dir_all(target).map_err(|error| failed.io(error))?;
        open(wheel)?.extract(target).map_err(|error| failed.zip(error))
    }
}

impl UvTool {
    /// Takes the program out of its wheel and makes it executable.
    ///
    /// # Errors
    /// [`ArchiveError`] when the wheel is not that of this uv, or the program cannot be written.
    pub fn extract(&self, wheel: &Path, target: &Path) -> Result<(), ArchiveError> {
        let failed = Failed(wheel);
        let mut archive = open(wheel)?;
        let mut member = archive.by_name(self.member).map_err(|error| failed.zip(error))?;
        let mut file = fs_err::File::create(target).map_err(|error| failed.io(error))?;
        io::copy(&mut member, &mut file).map_err(|error| failed.io(error))?;
        file.set_permissions(PermissionsExt::from_mode(0o755)).map_err(|error| failed.io(error))
    }
}
