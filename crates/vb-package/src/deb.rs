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
    path::Path,
};

use md5::{Digest, Md5};
use vb_graph::{PackageArchitecture, PackageSpec};

use crate::{
    architecture::debian_name,
    compress::{Compressor, Pieces, gzip},
    contents::{ENVIRONMENT_TIME, Open, copy_file, time_of},
    control,
    error::{Resources, WritePackageError, Written},
    fields::{check_depends, check_spec, without_epoch},
    maintainer::MaintainerFiles,
    tarball::{LARGEST_FILE, TarWriter},
    tree::{Content, Entry, FileTree},
};

/// The size field of an `ar` header has ten decimal digits.
const LARGEST_MEMBER: u64 = 9_999_999_999;
const BUFFER: usize = 128 << 10;

/// Writes the package that a spec, a tree and a maintainer's files make into `directory`, under its own file name.
///
/// `open` gives the bytes of a blob; it is called once for each file, and who gives it also verifies what is read.
/// The package appears whole or not at all; one that is there
/// already is replaced.
///
/// # Errors
/// [`WritePackageError`]; fields and maintainer's files are checked before anything is written.
pub fn write_deb(
    spec: &PackageSpec,
    tree: &FileTree,
    maintainer: &MaintainerFiles,
    open: &Open<'_>,
    resources: Resources<'_>,
    directory: &Path,
) -> Result<Written, WritePackageError> {
    check_spec(spec)?;
    check_depends(spec)?;
    maintainer.check()?;
    let conffiles = maintainer.conffiles_in(tree)?;
    let in_directory = |source| WritePackageError::Write { directory: directory.to_owned(), source };

    let data = tempfile::tempfile_in(directory).map_err(in_directory)?;
    let Resources { threads, cache } = resources;
    let compressor = Compressor::new(spec.compression, Pieces::NoFrames, threads, cache, data).map_err(in_directory)?;
    let tar = TarWriter::new(compressor, ENVIRONMENT_TIME).map_err(in_directory)?;
    let mut writer = DataWriter { spec, open, directory, tar, md5sums: String::new(), has_code: false };
    for entry in tree.entries() {
        writer.append(entry, &conffiles)?;
    }
    let DataWriter { tar, md5sums, has_code, .. } = writer;
    let data = tar.finish().and_then(Compressor::finish).map_err(in_directory)?;

    let native = PackageArchitecture::Native(
        debian_name(&spec.native_architecture).expect("the architecture was checked").to_owned(),
    );
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
    open: &'a Open<'a>,
    directory: &'a Path,
    tar: TarWriter<Compressor<'a, W>>,
    md5sums: String,
    has_code: bool,
}

impl<W: Write> DataWriter<'_, W> {
    fn append(&mut self, entry: &Entry, conffiles: &BTreeSet<&str>) -> Result<(), WritePackageError> {
        self.tar.set_mtime(time_of(self.spec, &entry.path));
        self.tar.out().start_entry(&entry.path).map_err(|error| self.cannot_write(error))?;
        match &entry.content {
            Content::Directory => self.tar.directory(&entry.path, entry.mode).map_err(|error| self.cannot_write(error)),
            Content::Symlink { target } => {
                self.tar.symlink(&entry.path, target).map_err(|error| self.cannot_write(error))
            }
            Content::File { size, .. } => {
                let md5 = self.append_file(entry, *size)?;
                // dpkg keeps the sums of configuration files itself.
                if !conffiles.contains(entry.path.as_str()) {
                    writeln!(self.md5sums, "{md5}  {}", entry.path).expect("writing to a string cannot fail");
                }
                Ok(())
            }
        }
    }

    /// Writes a regular file and returns the MD5 of its bytes in hexadecimal digits.
    fn append_file(&mut self, entry: &Entry, size: u64) -> Result<String, WritePackageError> {
        let path = &entry.path;
        if size > LARGEST_FILE {
            return Err(WritePackageError::FileTooLarge { path: path.clone(), size });
        }
        self.tar.start_file(path, entry.mode, size).map_err(|error| self.cannot_write(error))?;
        let Self { spec, open, directory, tar, .. } = self;
        let in_directory = |source| WritePackageError::Write { directory: directory.to_path_buf(), source };
        let mut md5 = Md5::new();
        let is_code = copy_file(spec, *open, entry, |bytes| {
            md5.update(bytes);
            tar.content(bytes).map_err(in_directory)
        })?;
        self.tar.end_file(size).map_err(|error| self.cannot_write(error))?;
        self.has_code |= is_code;
        Ok(hex::encode(md5.finalize()))
    }

    fn cannot_write(&self, source: io::Error) -> WritePackageError {
        WritePackageError::Write { directory: self.directory.to_owned(), source }
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
) -> Result<(), WritePackageError> {
    let directory = path.parent().expect("the path was joined to its directory");
    let in_directory = |source| WritePackageError::Write { directory: directory.to_owned(), source };
    let data_size = data.seek(io::SeekFrom::End(0)).map_err(in_directory)?;
    data.rewind().map_err(in_directory)?;
    let data_name = format!("data.tar.{}", spec.compression.extension());
    if data_size > LARGEST_MEMBER {
        return Err(WritePackageError::MemberTooLarge { member: data_name, size: data_size });
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
