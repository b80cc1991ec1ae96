//! All `.deb` packages at once into one directory.
//!
//! What depends on an order is taken from the packages sorted by name.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use md5::{Digest, Md5};
use rayon::prelude::*;
use vb_graph::LockedPackage;

use super::{
    assembly::{Assembly, write_error},
    database,
    error::UnpackError,
    paths::{MERGED, is_merging_link, normalise},
    prepare::{self, Masters},
};
use crate::deb::Deb;

/// What a root must know about its distribution.
#[derive(Clone, Debug)]
pub struct RootOptions {
    /// Are `/bin`, `/sbin` and `/lib*` links into `/usr`?
    pub has_merged_usr: bool,
    /// Debian's name of the architecture: `amd64`.
    pub architecture: String,
}

/// Unpacks packages into an empty or absent directory and registers them with dpkg as unpacked.
///
/// The root that comes out wants [`configure_script`](super::configure_script) to be run in it. The files are taken as
/// they are: that they are the locked ones is the caller's to check. Runs on the current rayon pool.
///
/// # Errors
/// See [`UnpackError`]; once `cancel` is set, no further package is begun. The target is left as it is then.
pub fn unpack(
    debs: &[(LockedPackage, PathBuf)],
    target: &Path,
    options: &RootOptions,
    cancel: &AtomicBool,
) -> Result<(), UnpackError> {
    let mut debs: Vec<&(LockedPackage, PathBuf)> = debs.iter().collect();
    debs.sort();
    let assembly = Assembly::new(target, debs.iter().map(|(locked, _)| locked.name.clone()).collect())?;
    let packages: Vec<Package> =
        debs.par_iter().enumerate().map(|(owner, deb)| open(owner, deb)).collect::<Result<_, _>>()?;
    let unpacker = Unpacker { options, assembly: &assembly };
    unpacker.merge_usr()?;
    let mut largest_first: Vec<&Package> = packages.iter().collect();
    largest_first.sort_by_key(|package| std::cmp::Reverse(package.size));
    let mut lists: Vec<(usize, String)> = largest_first
        .into_iter()
        .par_bridge()
        .map(|package| {
            check_wanted(cancel)?;
            Ok((package.owner, unpacker.unpack_package(package)?))
        })
        .collect::<Result<_, UnpackError>>()?;
    lists.sort();
    assembly.compare_twice()?;
    let contents = packages.iter().map(|package| &package.deb).zip(lists.iter().map(|(_, list)| list.as_str()));
    let mut own = database::files(contents, &options.architecture, |path| unpacker.md5(path));
    own.extend(prepare::files(Masters::BasePasswd, |path| assembly.read(path)).map_err(write_error)?);
    own.push(prepare::policy());
    own.iter().try_for_each(|file| assembly.place(file))?;
    assembly.finish()
}

/// Ends an unpacking that nobody wants any more.
pub(crate) fn check_wanted(cancel: &AtomicBool) -> Result<(), UnpackError> {
    if cancel.load(Ordering::Relaxed) { Err(UnpackError::Cancelled) } else { Ok(()) }
}

/// A package to unpack, with its place in the sorted list.
struct Package {
    owner: usize,
    label: String,
    size: u64,
    deb: Deb,
}

struct Unpacker<'a> {
    options: &'a RootOptions,
    assembly: &'a Assembly<'a>,
}

fn open(owner: usize, (locked, path): &(LockedPackage, PathBuf)) -> Result<Package, UnpackError> {
    let deb = Deb::open(path).map_err(|source| UnpackError::Deb { package: locked.name.clone(), source })?;
    let expected = format!("{} {} {}", locked.name, locked.version, locked.architecture);
    let found = database::identity(&deb);
    let is_plain = database::is_plain_name(&locked.name) && database::is_plain_name(&locked.architecture);
    if found != expected || !is_plain {
        return Err(UnpackError::OtherPackage { expected, found });
    }
    Ok(Package { owner, label: locked.name.clone(), size: locked.size, deb })
}

impl Unpacker<'_> {
    /// Makes the links of a merged `/usr`.
    fn merge_usr(&self) -> Result<(), UnpackError> {
        if !self.options.has_merged_usr {
            return Ok(());
        }
        for name in MERGED {
            let is_needed = match name {
                "lib32" | "libx32" => false,
                "lib64" => self.options.architecture == "amd64",
                _ => true,
            };
            if is_needed {
                self.link_into_usr(Path::new(name))?;
            }
        }
        Ok(())
    }

    fn link_into_usr(&self, name: &Path) -> Result<(), UnpackError> {
        self.assembly.link_directory(name, &Path::new("usr").join(name))
    }

    /// Unpacks one package; returns the text of its `.list` file.
    fn unpack_package(&self, package: &Package) -> Result<String, UnpackError> {
        let data_error = |source| UnpackError::Data { package: package.label.clone(), source };
        let deb_error = |source| UnpackError::Deb { package: package.label.clone(), source };
        let mut archive = package.deb.data().map_err(deb_error)?;
        let mut list = String::new();
        for entry in archive.entries().map_err(data_error)? {
            let mut entry = entry.map_err(data_error)?;
            let shipped = entry.path().map_err(data_error)?.into_owned();
            let unsafe_path = || UnpackError::UnsafePath { package: package.label.clone(), path: shipped.clone() };
            let path = normalise(&shipped, self.options.has_merged_usr).ok_or_else(unsafe_path)?;
            let listed = normalise(&shipped, false).unwrap_or_default();
            let listed = listed.to_str().ok_or_else(unsafe_path)?;
            list.push('/');
            list.push_str(if listed.is_empty() { "." } else { listed });
            list.push('\n');
            self.unpack_entry(package, &path, &mut entry)?;
        }
        Ok(list)
    }

    fn unpack_entry(
        &self,
        package: &Package,
        path: &Path,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<(), UnpackError> {
        let data_error = |source| UnpackError::Data { package: package.label.clone(), source };
        let owner = package.owner;
        let mode = entry.header().mode().map_err(data_error)?;
        match entry.header().entry_type() {
            tar::EntryType::Directory => {
                self.link_merged_directory(path)?;
                self.assembly.directory(owner, path, mode)
            }
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                self.assembly.file(owner, path, mode, entry, data_error)
            }
            tar::EntryType::Symlink => {
                let to = entry.link_name().map_err(data_error)?.unwrap_or_default().into_owned();
                let is_there_anyway = self.options.has_merged_usr && is_merging_link(path, &to);
                if is_there_anyway { Ok(()) } else { self.assembly.link(owner, path, to) }
            }
            tar::EntryType::Link => {
                let to = entry.link_name().map_err(data_error)?.unwrap_or_default().into_owned();
                let unsafe_path = || UnpackError::UnsafePath { package: package.label.clone(), path: to.clone() };
                let to = normalise(&to, self.options.has_merged_usr).ok_or_else(unsafe_path)?;
                self.assembly.hard_link(owner, path, &to)
            }
            _ => Err(UnpackError::UnsupportedEntry { package: package.label.clone(), path: path.to_owned() }),
        }
    }

    /// `/lib32` and `/libx32` exist only where a package has something in them.
    fn link_merged_directory(&self, path: &Path) -> Result<(), UnpackError> {
        match path.strip_prefix("usr") {
            Ok(name) if self.options.has_merged_usr && MERGED.iter().any(|merged| name == Path::new(merged)) => {
                self.link_into_usr(name)
            }
            _ => Ok(()),
        }
    }

    /// Returns the MD5 of a file that a package shipped, the only digest that dpkg knows for conffiles.
    fn md5(&self, path: &str) -> Option<String> {
        let path = normalise(Path::new(path), self.options.has_merged_usr)?;
        let content = self.assembly.read(&path).ok()??;
        Some(hex::encode(Md5::digest(&content)))
    }
}
