//! Writes an `.rpm`.
//!
//! The payload is compressed before anything is written, because the header stands before it and has its digest, and that
//! of each file. rpm reads payloads in pieces of all three compressions, so all of them are segments.

use std::{
    collections::BTreeSet,
    io::{self, BufWriter, Write},
    path::Path,
};

use rpm::{Dependency, DependencyFlags, FileFlags};
use vb_graph::{PackageArchitecture, PackageSpec, is_of_distribution};

use super::{
    cpio::{CpioEntry, CpioFormat, CpioWriter},
    header::{FileRecord, Package, Payload},
    relation,
    version::RpmVersion,
};
use crate::{
    architecture::rpm_name,
    compress::{Compressor, Pieces},
    contents::{Hashed, Open, Source, time_of, zone_of},
    control::installed_size_kib,
    error::{MemberError, Resources, WritePackageError, Written},
    fields::{FieldError, check_spec},
    learnt::{Wanted, find_code, learnt_of},
    maintainer::MaintainerFiles,
    packed::Packed,
    sonames::Sonames,
    tree::{Content, Entry, FileTree, Unpacker},
};

const BUFFER: usize = 128 << 10;
const DIRECTORY: u16 = 0o040_000;
const REGULAR: u16 = 0o100_000;
const SYMLINK: u16 = 0o120_000;

/// Writes the `.rpm` that a spec, a tree and a maintainer's files make into `directory`, under its own file name:
/// `name-version-release.architecture.rpm`.
///
/// `open` gives the bytes of a blob; files whose segments are remembered are not read. Who gives it also verifies what is read. The
/// package appears whole or not at all; one that is there already is replaced.
///
/// # Errors
/// [`WritePackageError`]; fields and maintainer's files are checked before anything is written.
pub fn write_rpm(
    spec: &PackageSpec,
    tree: &FileTree,
    maintainer: &MaintainerFiles,
    open: &Open<'_>,
    resources: Resources<'_>,
    directory: &Path,
) -> Result<Written, WritePackageError> {
    check_spec(spec)?;
    tree.check_lengths(Unpacker::PackageManager)?;
    let evr = RpmVersion::of_debian(&spec.version)?;
    let requires = requires_of(spec, &evr)?;
    let conffiles = maintainer.conffiles_in(tree)?;
    let in_directory = |source| WritePackageError::Write { directory: directory.to_owned(), source };

    let owned: Vec<&Entry> = tree.entries().iter().filter(|entry| is_owned(entry)).collect();
    let format = CpioFormat::for_largest(owned.iter().map(|entry| size_of(entry)).max().unwrap_or_default());
    let source = Source { open, wanted: Wanted::Sha256 };
    let compressor =
        Compressor::new(spec.compression, Pieces::Any, source, resources, directory).map_err(in_directory)?;
    let cpio = CpioWriter::new(format, compressor);
    let mut writer = PayloadWriter { spec, cpio };
    let mut files = Vec::new();
    for (index, entry) in owned.iter().enumerate() {
        files.push(writer.append(index, entry, &conffiles).map_err(|error| error.in_directory(directory))?);
    }
    let (compressor, plain_size) = writer.cpio.finish().map_err(in_directory)?;
    let (packed, learnt) = compressor.finish().map_err(|error| error.in_directory(directory))?;
    find_code(spec, owned.iter().copied(), &learnt)?;
    for (record, entry) in files.iter_mut().zip(&owned) {
        if let Content::File { blob, .. } = &entry.content {
            record.digest.clone_from(&learnt_of(&learnt, blob).digest);
        }
    }
    let sonames = Sonames::of(owned.iter().copied(), &learnt).beside(tree.siblings());

    let has_code = sonames.has_code();
    let mut hashed = Hashed::new(io::sink());
    io::copy(&mut packed.reader(), &mut hashed).map_err(in_directory)?;
    let (digest, size) = hashed.digest();
    let payload = Payload { format, plain_size, size, digest };
    let native = rpm_name(&spec.native_architecture).expect("the architecture was checked with the other fields");
    let package = Package {
        spec,
        evr,
        architecture: if has_code { native } else { "noarch" },
        maintainer,
        requires: requires.into_iter().chain(sonames.requires()).collect(),
        files,
        payload,
    };
    let file_name = format!("{}-{}.{}.rpm", spec.name, package.evr.without_epoch(), package.architecture);
    write_file(&package, &packed, &directory.join(&file_name))?;
    let native = PackageArchitecture::Native(spec.native_architecture.clone());
    Ok(Written {
        architecture: if has_code { native } else { PackageArchitecture::All },
        installed_size_kib: installed_size_kib(tree),
        file_name,
    })
}

fn is_owned(entry: &Entry) -> bool {
    entry.content != Content::Directory || !is_of_distribution(&entry.path)
}

fn size_of(entry: &Entry) -> u64 {
    if let Content::File { size, .. } = entry.content { size } else { 0 }
}

/// Returns what the recipe says that the package needs.
fn requires_of(spec: &PackageSpec, evr: &RpmVersion) -> Result<Vec<Dependency>, FieldError> {
    let rule =
        "`name`, `name (>= version)`, `name >= version`, alternatives with `|`, or a rich relation in parentheses";
    let refused = |value: &String| FieldError { field: "Requires", value: value.clone(), rule };
    let parsed = |text: &String| relation::parse(text).ok_or_else(|| refused(text));
    let mut requires: Vec<Dependency> = spec.depends.iter().map(parsed).collect::<Result<_, _>>()?;
    // `%pre` looks at the interpreter, so rpm has to have it there by then. What is required for a script alone could be
    // removed afterwards: it is required twice.
    for text in spec.lifecycle.interpreter.iter().flat_map(|interpreter| &interpreter.depends) {
        let mut needed = parsed(text)?;
        needed.flags |= DependencyFlags::SCRIPT_PRE;
        requires.push(needed);
    }
    requires.extend(spec.companions.iter().map(|name| Dependency::eq(name.as_str(), evr.to_string())));
    Ok(requires)
}

/// Writes the files of the package.
struct PayloadWriter<'a> {
    spec: &'a PackageSpec,
    cpio: CpioWriter<Compressor<'a>>,
}

impl PayloadWriter<'_> {
    /// Writes an entry; the digest of a file is not known yet.
    fn append(&mut self, index: usize, entry: &Entry, conffiles: &BTreeSet<&str>) -> Result<FileRecord, MemberError> {
        let (kind, target) = match &entry.content {
            Content::Directory => (DIRECTORY, ""),
            Content::File { .. } => (REGULAR, ""),
            Content::Symlink { target } => (SYMLINK, target.as_str()),
        };
        let path = format!("/{}", entry.path);
        let (owner, group) = owner_of(self.spec, &path);
        let permissions = if kind == SYMLINK { 0o777 } else { entry.mode & 0o7777 };
        let record = FileRecord {
            path,
            mode: kind | u16::try_from(permissions).expect("the mode was masked"),
            mtime: u32::try_from(time_of(self.spec, &entry.path)).expect("the epoch was checked with the fields"),
            size: if kind == SYMLINK { target.len() as u64 } else { size_of(entry) },
            digest: String::new(),
            target: target.to_owned(),
            flags: flags_of(&entry.path, kind, conffiles),
            owner: owner.to_owned(),
            group: group.to_owned(),
        };
        self.start(index, entry, &record)?;
        if let Content::File { blob, size } = &entry.content {
            self.cpio.out().file(&entry.path, *blob, *size)?;
            self.cpio.skip(*size);
        }
        self.cpio.content(target.as_bytes())?;
        self.cpio.end_entry()?;
        Ok(record)
    }

    fn start(&mut self, index: usize, entry: &Entry, record: &FileRecord) -> Result<(), MemberError> {
        self.cpio.out().start_entry(&entry.path, zone_of(self.spec, &entry.path))?;
        let index = u32::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let FileRecord { mode, mtime, size, .. } = *record;
        Ok(self.cpio.start_entry(&CpioEntry { index, path: &entry.path, mode, mtime, size })?)
    }
}

/// Returns owner and group of what is at an absolute path.
fn owner_of<'a>(spec: &'a PackageSpec, path: &str) -> (&'a str, &'a str) {
    let lifecycle = &spec.lifecycle;
    let file = lifecycle.config_files.iter().find(|file| file.path == path);
    let of_directory = || {
        let directory = lifecycle.directories.iter().find(|directory| directory.path == path)?;
        Some((directory.owner.as_str(), directory.group_name()))
    };
    let of_file = file.map(|file| (file.owner.as_str(), file.group.as_str()));
    of_file.or_else(of_directory).unwrap_or(("root", "root"))
}

fn flags_of(path: &str, kind: u16, conffiles: &BTreeSet<&str>) -> FileFlags {
    if conffiles.contains(path) {
        FileFlags::CONFIG | FileFlags::NOREPLACE
    } else if kind == REGULAR && path.starts_with("usr/share/licenses/") {
        FileFlags::LICENSE
    } else if kind == REGULAR && path.starts_with("usr/share/doc/") {
        FileFlags::DOC
    } else {
        FileFlags::empty()
    }
}

fn write_file(package: &Package<'_>, payload: &Packed, path: &Path) -> Result<(), WritePackageError> {
    let directory = path.parent().expect("the path was joined to its directory");
    let in_directory = |source| WritePackageError::Write { directory: directory.to_owned(), source };
    let mut headers = Vec::new();
    let metadata = package.to_metadata().and_then(|metadata| metadata.write(&mut headers));
    metadata.map_err(|source| WritePackageError::RpmHeader { source })?;
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        let mut out = BufWriter::with_capacity(BUFFER, file.as_file_mut());
        out.write_all(&headers)?;
        io::copy(&mut payload.reader(), &mut out)?;
        out.flush()?;
        drop(out);
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(in_directory)
}
