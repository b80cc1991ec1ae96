//! Writes a `.deb` (deb(5)).
//!
//! The archive holds `debian-binary`, `control.tar.gz` and `data.tar.<extension>`, in this order, in the common `ar`
//! format with plain names. The control member is gzip for every package: dpkg before 1.17.6 (Ubuntu 14.04) reads no
//! other, and so few bytes gain nothing from a better one. It holds `control`, `md5sums`, `conffiles`, `triggers` and
//! the maintainer scripts. Entries of both tar archives are sorted, belong to root and have the time of the spec.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, BufWriter, Read, Seek, Write},
    path::{Path, PathBuf},
};

use md5::{Digest, Md5};
use vb_graph::{BlobDigest, PackageArchitecture, PackageSpec};

use crate::{
    compress::{Compressor, gzip},
    control,
    elf::ElfMachine,
    fields::{FieldError, check_spec, without_epoch},
    maintainer::{MaintainerFileError, MaintainerFiles},
    segment::SegmentCache,
    tarball::{LARGEST_FILE, TarWriter},
    tree::{Content, Entry, FileTree},
};

/// The size field of an `ar` header has ten decimal digits.
const LARGEST_MEMBER: u64 = 9_999_999_999;
const BUFFER: usize = 128 << 10;

/// The time of every entry that is not the application's own: 2000-01-01. Archive tools take earlier ones for mistakes.
const ENVIRONMENT_TIME: u64 = 946_684_800;

/// A package could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteDebError {
    /// A field of the spec has a value that a control file cannot hold.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A maintainer's file would not be accepted by dpkg.
    #[error(transparent)]
    Maintainer(#[from] MaintainerFileError),
    /// The bytes of a file could not be read.
    #[error("cannot read the content of `/{path}`, blob `{blob}`")]
    ReadBlob {
        /// The path in the package.
        path: String,
        /// The blob.
        blob: BlobDigest,
        /// What opening or reading failed with.
        #[source]
        source: io::Error,
    },
    /// The bytes of a file are more or fewer than the tree says.
    #[error("`/{path}` has {declared} bytes by its tree, its blob `{blob}` has {found} or more")]
    BlobSize {
        /// The path in the package.
        path: String,
        /// The blob.
        blob: BlobDigest,
        /// The size that the tree declares.
        declared: u64,
        /// How many bytes were read until the difference was clear.
        found: u64,
    },
    /// A file is larger than dpkg can unpack.
    #[error("`/{path}` has {size} bytes, more than the 8 GiB that an entry of a package can hold")]
    FileTooLarge {
        /// The path in the package.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// All files together are larger than the archive can hold.
    #[error("the member `{member}` has {size} bytes, more than a package can hold")]
    MemberTooLarge {
        /// The member of the archive.
        member: String,
        /// Its compressed size in bytes.
        size: u64,
    },
    /// Compiled code inside is for another machine than the package.
    #[error("`/{path}` is compiled for `{found}`, the package is for `{native}`")]
    ForeignCode {
        /// The path in the package.
        path: String,
        /// The machine that the file names.
        found: ElfMachine,
        /// The dpkg architecture of the spec.
        native: String,
    },
    /// The package, or a temporary file beside it, could not be written.
    #[error("cannot write the package in `{directory}`")]
    Write {
        /// The directory of the package.
        directory: PathBuf,
        /// What the file system, or a compressor for want of memory, answered.
        #[source]
        source: io::Error,
    },
}

/// What writing a package may use. It changes how long that takes and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Resources<'a> {
    /// How many threads compress a member that is not cut into segments; segments use the current rayon pool.
    pub threads: usize,
    /// Where compressed segments are found again.
    pub cache: SegmentCache<'a>,
}

/// What a written package turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `all`, or the native architecture when an ELF file is inside.
    pub architecture: PackageArchitecture,
    /// `Installed-Size`.
    pub installed_size_kib: u64,
    /// The name of the file in its directory: name, version without epoch, architecture.
    pub file_name: String,
}

/// Writes the package that a spec, a tree and a maintainer's files make into `directory`, under its own file name.
///
/// `open` gives the bytes of a blob; it is called once for each file, and who gives it also verifies what is read.
/// The package appears whole or not at all; one that is there
/// already is replaced.
///
/// # Errors
/// [`WriteDebError`]; fields and maintainer's files are checked before anything is written.
pub fn write_deb(
    spec: &PackageSpec,
    tree: &FileTree,
    maintainer: &MaintainerFiles,
    open: &dyn Fn(&BlobDigest) -> io::Result<Box<dyn Read>>,
    resources: Resources<'_>,
    directory: &Path,
) -> Result<Written, WriteDebError> {
    check_spec(spec)?;
    maintainer.check()?;
    let conffiles = maintainer.conffiles_in(tree)?;
    let in_directory = |source| WriteDebError::Write { directory: directory.to_owned(), source };

    let data = tempfile::tempfile_in(directory).map_err(in_directory)?;
    let Resources { threads, cache } = resources;
    let compressor = Compressor::new(spec.compression, threads, cache, data).map_err(in_directory)?;
    let tar = TarWriter::new(compressor, ENVIRONMENT_TIME).map_err(in_directory)?;
    let mut writer = DataWriter { spec, open, directory, tar, md5sums: String::new(), has_code: false };
    for entry in tree.entries() {
        writer.append(entry, &conffiles)?;
    }
    let DataWriter { tar, md5sums, has_code, .. } = writer;
    let data = tar.finish().and_then(Compressor::finish).map_err(in_directory)?;

    let native = PackageArchitecture::Native(spec.native_architecture.clone());
    let architecture = if has_code { native } else { PackageArchitecture::All };
    let installed_size_kib = control::installed_size_kib(tree);
    let control = control::render(spec, &architecture, installed_size_kib);
    let control = ControlMember { spec, control, md5sums, conffiles, maintainer };
    let control = control.compress().map_err(in_directory)?;
    let file_name = format!("{}_{}_{}.deb", spec.name, without_epoch(&spec.version), architecture.as_str());
    write_archive(spec, &control, data, &directory.join(&file_name))?;
    Ok(Written { architecture, installed_size_kib, file_name })
}

/// Writes the files of the package and learns from their bytes what the control member says about them.
struct DataWriter<'a, W: Write> {
    spec: &'a PackageSpec,
    open: &'a dyn Fn(&BlobDigest) -> io::Result<Box<dyn Read>>,
    directory: &'a Path,
    tar: TarWriter<Compressor<'a, W>>,
    md5sums: String,
    has_code: bool,
}

impl<W: Write> DataWriter<'_, W> {
    fn append(&mut self, entry: &Entry, conffiles: &BTreeSet<&str>) -> Result<(), WriteDebError> {
        self.tar.set_mtime(self.time_of(&entry.path));
        self.tar.out().start_entry(&entry.path).map_err(|error| self.cannot_write(error))?;
        match &entry.content {
            Content::Directory => self.tar.directory(&entry.path, entry.mode).map_err(|error| self.cannot_write(error)),
            Content::Symlink { target } => {
                self.tar.symlink(&entry.path, target).map_err(|error| self.cannot_write(error))
            }
            Content::File { blob, size } => {
                let md5 = self.append_file(entry, blob, *size)?;
                // dpkg keeps the sums of configuration files itself.
                if !conffiles.contains(entry.path.as_str()) {
                    writeln!(self.md5sums, "{md5}  {}", entry.path).expect("writing to a string cannot fail");
                }
                Ok(())
            }
        }
    }

    /// Returns the time of an entry: that of the source for the application's own, a fixed one for all others, so that a
    /// commit changes no byte of the environment.
    fn time_of(&self, path: &str) -> u64 {
        let application = self.spec.application.trim_start_matches('/');
        let rest = path.strip_prefix(application).filter(|_| !application.is_empty());
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            self.spec.epoch
        } else {
            ENVIRONMENT_TIME
        }
    }

    /// Writes a regular file and returns the MD5 of its bytes in hexadecimal digits.
    fn append_file(&mut self, entry: &Entry, blob: &BlobDigest, size: u64) -> Result<String, WriteDebError> {
        let path = &entry.path;
        if size > LARGEST_FILE {
            return Err(WriteDebError::FileTooLarge { path: path.clone(), size });
        }
        let cannot_read = |source| WriteDebError::ReadBlob { path: path.clone(), blob: *blob, source };
        let mut reader = (self.open)(blob).map_err(cannot_read)?;
        self.tar.start_file(path, entry.mode, size).map_err(|error| self.cannot_write(error))?;
        let (mut md5, mut found, mut start) = (Md5::new(), 0_u64, Vec::new());
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cannot_read(error)),
            };
            found += read.len() as u64;
            if found > size {
                break;
            }
            start.extend(read.iter().take(ElfMachine::START - start.len()));
            md5.update(read);
            self.tar.content(read).map_err(|error| self.cannot_write(error))?;
        }
        if found != size {
            return Err(WriteDebError::BlobSize { path: path.clone(), blob: *blob, declared: size, found });
        }
        self.tar.end_file(size).map_err(|error| self.cannot_write(error))?;
        self.look_for_code(path, &start)?;
        Ok(hex::encode(md5.finalize()))
    }

    fn look_for_code(&mut self, path: &str, start: &[u8]) -> Result<(), WriteDebError> {
        let Some(found) = ElfMachine::from_start(start) else {
            return Ok(());
        };
        let native = &self.spec.native_architecture;
        if ElfMachine::of_architecture(native) != Some(found) {
            return Err(WriteDebError::ForeignCode { path: path.to_owned(), found, native: native.clone() });
        }
        self.has_code = true;
        Ok(())
    }

    fn cannot_write(&self, source: io::Error) -> WriteDebError {
        WriteDebError::Write { directory: self.directory.to_owned(), source }
    }
}

/// What the control member is made of.
struct ControlMember<'a> {
    spec: &'a PackageSpec,
    control: String,
    md5sums: String,
    conffiles: BTreeSet<&'a str>,
    maintainer: &'a MaintainerFiles,
}

impl ControlMember<'_> {
    fn compress(&self) -> io::Result<Vec<u8>> {
        let mut tar = TarWriter::new(Vec::new(), self.spec.epoch)?;
        if !self.conffiles.is_empty() {
            let lines: String = self.conffiles.iter().flat_map(|path| ["/", path, "\n"]).collect();
            tar.file("conffiles", 0o644, lines.as_bytes())?;
        }
        tar.file("control", 0o644, self.control.as_bytes())?;
        if !self.md5sums.is_empty() {
            tar.file("md5sums", 0o644, self.md5sums.as_bytes())?;
        }
        for (script, content) in &self.maintainer.scripts {
            tar.file(script.as_str(), 0o755, content)?;
        }
        if let Some(triggers) = &self.maintainer.triggers {
            tar.file("triggers", 0o644, triggers.as_bytes())?;
        }
        Ok(gzip(&tar.finish()?))
    }
}

fn write_archive(
    spec: &PackageSpec,
    control: &[u8],
    mut data: impl Read + Seek,
    path: &Path,
) -> Result<(), WriteDebError> {
    let directory = path.parent().expect("the path was joined to its directory");
    let in_directory = |source| WriteDebError::Write { directory: directory.to_owned(), source };
    let data_size = data.seek(io::SeekFrom::End(0)).map_err(in_directory)?;
    data.rewind().map_err(in_directory)?;
    let data_name = format!("data.tar.{}", spec.compression.extension());
    if data_size > LARGEST_MEMBER {
        return Err(WriteDebError::MemberTooLarge { member: data_name, size: data_size });
    }
    let header = |name: &str, size: u64| {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), size);
        header.set_mode(0o100_644);
        header.set_mtime(spec.epoch);
        header
    };
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        let mut archive = ar::Builder::new(BufWriter::with_capacity(BUFFER, &mut file));
        archive.append(&header("debian-binary", 4), &b"2.0\n"[..])?;
        archive.append(&header("control.tar.gz", control.len() as u64), control)?;
        archive.append(&header(&data_name, data_size), data)?;
        archive.into_inner()?.flush()?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(in_directory)
}
