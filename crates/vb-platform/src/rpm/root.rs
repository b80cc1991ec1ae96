//! All `.rpm` packages at once into one directory, and what rpm is to do there.
//!
//! A package may ship a path below what another ships as a link (`/lib64` of `filesystem`, or `/usr/sbin` since Fedora 42):
//! rpm follows the link, so the path is rewritten here before anything is made. Nothing is written through a link.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vb_graph::LockedPackage;

use super::{
    cpio::{CpioReader, Member, PayloadError},
    links::Links,
    package::{Rpm, RpmFile, RpmFileKind},
};
use crate::root::{
    RootOptions, UnpackError,
    assembly::{Assembly, OwnFile, write_error},
    prepare::{self, Masters},
    unpack::check_wanted,
};

/// Where the files of each package are listed, for whoever asks which package has a library.
pub(crate) const LISTS: &str = "var/lib/vb/packages";

/// Where rpm is.
const RPM: &str = "usr/bin/rpm";

/// Unpacks packages into an empty or absent directory.
///
/// The root that comes out wants [`configure_script`] to be run in it. The files are taken as they are: that they are the
/// locked ones is the caller's to check. Runs on the current rayon pool.
///
/// # Errors
/// See [`UnpackError`]; once `cancel` is set, no further package is begun. The target is left as it is then.
pub fn unpack(
    rpms: &[(LockedPackage, PathBuf)],
    target: &Path,
    options: &RootOptions,
    cancel: &AtomicBool,
) -> Result<(), UnpackError> {
    let mut rpms: Vec<&(LockedPackage, PathBuf)> = rpms.iter().collect();
    rpms.sort();
    let assembly = Assembly::new(target, rpms.iter().map(|(locked, _)| locked.name.clone()).collect())?;
    let packages: Vec<Package> =
        rpms.par_iter().enumerate().map(|(owner, rpm)| open(owner, rpm)).collect::<Result<_, _>>()?;
    let links = Links::new(packages.iter().flat_map(|package| &package.rpm.files), options);
    for (link, to) in links.merged() {
        assembly.link_directory(link, to)?;
    }
    let unpacker = Unpacker { assembly: &assembly, links: &links };
    let mut largest_first: Vec<&Package> = packages.iter().collect();
    largest_first.sort_by_key(|package| std::cmp::Reverse(package.size));
    largest_first.into_iter().par_bridge().try_for_each(|package| {
        check_wanted(cancel)?;
        unpacker.unpack_package(package)
    })?;
    assembly.compare_twice()?;
    check_scriptlets(&assembly, &packages)?;
    let mut own = prepare::files(Masters::Setup, |path| assembly.read(path)).map_err(write_error)?;
    own.extend(packages.iter().map(list));
    own.iter().try_for_each(|file| assembly.place(file))?;
    assembly.finish()
}

/// A package to unpack, with its place in the sorted list.
struct Package {
    owner: usize,
    label: String,
    size: u64,
    rpm: Rpm,
}

fn open(owner: usize, (locked, path): &(LockedPackage, PathBuf)) -> Result<Package, UnpackError> {
    let rpm = Rpm::open(path).map_err(|source| UnpackError::Rpm { package: locked.name.clone(), source })?;
    let expected = format!("{} {} {}", locked.name, locked.version, locked.architecture);
    if rpm.identity != expected || locked.name.contains('/') {
        return Err(UnpackError::OtherPackage { expected, found: rpm.identity });
    }
    Ok(Package { owner, label: locked.name.clone(), size: locked.size, rpm })
}

/// Scriptlets are run by the root's own rpm, so they need one.
fn check_scriptlets(assembly: &Assembly<'_>, packages: &[Package]) -> Result<(), UnpackError> {
    let has_rpm = assembly.read(Path::new(RPM)).map_err(write_error)?.is_some();
    match packages.iter().find(|package| package.rpm.has_scriptlets) {
        Some(package) if !has_rpm => Err(UnpackError::NoRpm { package: package.label.clone() }),
        _ => Ok(()),
    }
}

/// Lists a package's files, one path per line.
fn list(package: &Package) -> OwnFile {
    let lines: Vec<String> = package.rpm.files.iter().map(|file| format!("{}\n", file.path.display())).collect();
    let path = Path::new(LISTS).join(format!("{}.list", package.label));
    OwnFile { path, content: lines.concat().into_bytes(), mode: 0o644 }
}

struct Unpacker<'a> {
    assembly: &'a Assembly<'a>,
    links: &'a Links,
}

/// Which files of a package are one, and where the first of them is written.
type Names = BTreeMap<(u32, u32), (Option<PathBuf>, Vec<PathBuf>)>;

impl Unpacker<'_> {
    fn unpack_package(&self, package: &Package) -> Result<(), UnpackError> {
        let payload_error = |source| UnpackError::Payload { package: package.label.clone(), source };
        let input =
            package.rpm.payload().map_err(|source| UnpackError::Rpm { package: package.label.clone(), source })?;
        let mut reader = CpioReader::new(input);
        let by_path: HashMap<PathBuf, usize> =
            package.rpm.files.iter().enumerate().map(|(place, file)| (plain(&file.path), place)).collect();
        let linked = Linked::new(&package.rpm.files);
        let mut names = Names::new();
        let mut seen = BTreeSet::new();
        while let Some(member) = reader.next().map_err(payload_error)? {
            let place = match &member {
                Member::Named(name, _) => by_path.get(&plain(Path::new(name))).copied(),
                Member::Numbered(number) => usize::try_from(*number).ok().filter(|n| *n < package.rpm.files.len()),
            };
            let unlisted = || payload_error(PayloadError::Unlisted { member: format!("{member:?}") });
            let place = place.ok_or_else(unlisted)?;
            let file = &package.rpm.files[place];
            if !seen.insert(place) {
                return Err(payload_error(PayloadError::NotOnce { path: file.path.display().to_string() }));
            }
            let size = match member {
                Member::Named(_, size) => size,
                Member::Numbered(_) => linked.size_in_payload(place, file),
            };
            reader.expect(size);
            if !file.is_ghost {
                let identity = linked.identity(file);
                self.unpack_file(package, file, identity.map(|identity| (identity, size)), &mut names, &mut reader)?;
            }
        }
        self.finish_names(package, names)?;
        let absent = package.rpm.files.iter().enumerate().find(|(place, file)| !file.is_ghost && !seen.contains(place));
        absent.map_or(Ok(()), |(_, file)| {
            Err(payload_error(PayloadError::NotOnce { path: file.path.display().to_string() }))
        })
    }

    fn unpack_file(
        &self,
        package: &Package,
        file: &RpmFile,
        identity: Option<((u32, u32), u64)>,
        names: &mut Names,
        content: &mut impl Read,
    ) -> Result<(), UnpackError> {
        let owner = package.owner;
        let unsafe_path = || UnpackError::UnsafePath { package: package.label.clone(), path: file.path.clone() };
        let path = self.links.resolve(&file.path).ok_or_else(unsafe_path)?;
        match &file.kind {
            // A directory of one package may be a link to a directory in another.
            RpmFileKind::Directory => {
                let path = self.links.follow(&path).ok_or_else(unsafe_path)?;
                self.assembly.directory(owner, &path, file.mode)
            }
            RpmFileKind::Link(to) => self.assembly.link(owner, &path, to.clone()),
            RpmFileKind::Special => {
                Err(UnpackError::UnsupportedEntry { package: package.label.clone(), path: file.path.clone() })
            }
            RpmFileKind::Regular => match identity {
                None => self.write(package, file, &path, content),
                Some((identity, size)) => {
                    let (first, others) = names.entry(identity).or_default();
                    match first {
                        None if size == 0 => others.push(path),
                        Some(first) => return self.assembly.hard_link(owner, &path, first),
                        None => {
                            self.write(package, file, &path, content)?;
                            *first = Some(path);
                        }
                    }
                    Ok(())
                }
            },
        }
    }

    /// Makes the names of files whose content came with the last of them.
    fn finish_names(&self, package: &Package, names: Names) -> Result<(), UnpackError> {
        for (first, others) in names.into_values() {
            let mut others = others.into_iter();
            let first = match first {
                Some(first) => first,
                None => {
                    let Some(path) = others.next() else { continue };
                    self.assembly.file(package.owner, &path, 0o644, &mut io::empty(), write_error)?;
                    path
                }
            };
            others.try_for_each(|path| self.assembly.hard_link(package.owner, &path, &first))?;
        }
        Ok(())
    }

    fn write(
        &self,
        package: &Package,
        file: &RpmFile,
        path: &Path,
        content: &mut impl Read,
    ) -> Result<(), UnpackError> {
        let payload_error = |source| UnpackError::Payload { package: package.label.clone(), source };
        let mut hashing = Hashing { input: content, hasher: Sha256::new() };
        let read_error = |source| payload_error(PayloadError::Read { source });
        self.assembly.file(package.owner, path, file.mode, &mut hashing, read_error)?;
        let found = hex::encode(hashing.hasher.finalize());
        match &file.sha256 {
            Some(expected) if *expected != found => {
                Err(payload_error(PayloadError::Digest { path: file.path.display().to_string() }))
            }
            _ => Ok(()),
        }
    }
}

/// Which files of a package share their content with others.
struct Linked {
    /// The last file of each content that has several names: rpm puts the bytes there.
    last: BTreeMap<(u32, u32), usize>,
    shared: BTreeSet<(u32, u32)>,
}

impl Linked {
    fn new(files: &[RpmFile]) -> Self {
        let (mut last, mut shared) = (BTreeMap::new(), BTreeSet::new());
        for (place, file) in files.iter().enumerate().filter(|(_, file)| is_regular(file)) {
            if let Some(identity) = file.identity
                && last.insert(identity, place).is_some()
            {
                shared.insert(identity);
            }
        }
        Self { last, shared }
    }

    /// Returns what a file shares its content by.
    fn identity(&self, file: &RpmFile) -> Option<(u32, u32)> {
        file.identity.filter(|identity| is_regular(file) && self.shared.contains(identity))
    }

    fn size_in_payload(&self, place: usize, file: &RpmFile) -> u64 {
        match self.identity(file) {
            Some(identity) if self.last.get(&identity) != Some(&place) => 0,
            _ if file.kind == RpmFileKind::Directory => 0,
            _ => file.size,
        }
    }
}

fn is_regular(file: &RpmFile) -> bool {
    file.kind == RpmFileKind::Regular && !file.is_ghost
}

/// A path in the one form that payload and header can be compared in.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect()
}

/// Hashes what is read.
struct Hashing<'a, R> {
    input: &'a mut R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
