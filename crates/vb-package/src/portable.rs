//! Writes a `.tar.zst` of a tree, for those who want neither dpkg nor rpm, and a manifest beside it.
//!
//! The archive is the one that a `.deb` has inside: names begin with `./`, everything belongs to root. The manifest is
//! JSON: who the archive is, what it needs, and each entry with its mode, size and SHA-256.

use std::{
    io::{self, Seek, Write},
    path::Path,
};

use serde::Serialize;
use sha2::{Digest, Sha256};
use vb_graph::{Compression, PackageArchitecture, PackageSpec};

use crate::{
    compress::{Compressor, Pieces},
    contents::{ENVIRONMENT_TIME, Hashed, Open, copy_file, time_of},
    control::installed_size_kib,
    error::{Resources, WritePackageError, Written},
    fields::{check_spec, without_epoch},
    maintainer::MaintainerFiles,
    sonames::{CodeReader, Sonames},
    tarball::{LARGEST_FILE, TarWriter},
    tree::{Content, Entry, FileTree},
};

/// What stands in the `.json` beside an archive.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    name: &'a str,
    version: &'a str,
    architecture: &'a str,
    summary: &'a str,
    license: Option<&'a str>,
    /// Packages of the platform, in its words.
    requires: &'a [String],
    /// Sonames of libraries that the archive does not bring.
    libraries: Vec<&'a str>,
    /// Files that somebody may edit.
    conffiles: Vec<String>,
    archive: Archive,
    entries: Vec<ManifestEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct Archive {
    file: String,
    size: u64,
    sha256: String,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ManifestEntry<'a> {
    Directory { path: String, mode: String },
    File { path: String, mode: String, size: u64, sha256: String },
    Symlink { path: String, target: &'a str },
}

/// Writes the `.tar.zst` of a tree into `directory`, and its manifest beside it: `name_version_architecture.tar.zst`
/// and `….json`.
///
/// `open` gives the bytes of a blob; it is called once for each file. Scripts of maintainers have no place here.
///
/// # Errors
/// [`WritePackageError`]; fields and maintainer's files are checked before anything is written.
pub fn write_tar(
    spec: &PackageSpec,
    tree: &FileTree,
    maintainer: &MaintainerFiles,
    open: &Open<'_>,
    resources: Resources<'_>,
    directory: &Path,
) -> Result<Written, WritePackageError> {
    check_spec(spec)?;
    let conffiles = maintainer.conffiles_in(tree)?;
    let in_directory = |source| WritePackageError::Write { directory: directory.to_owned(), source };

    let file = tempfile::NamedTempFile::new_in(directory).map_err(in_directory)?;
    let Resources { threads, cache } = resources;
    let compressor = Compressor::new(Compression::Zstd, Pieces::Any, threads, cache, Hashed::new(file));
    let tar = TarWriter::new(compressor.map_err(in_directory)?, ENVIRONMENT_TIME).map_err(in_directory)?;
    let mut writer = EntryWriter { spec, open, directory, tar, sonames: Sonames::default() };
    let entries: Vec<ManifestEntry<'_>> =
        tree.entries().iter().map(|entry| writer.append(entry)).collect::<Result<_, _>>()?;
    let EntryWriter { tar, sonames, .. } = writer;
    let out = tar.finish().and_then(Compressor::finish).map_err(in_directory)?;

    let native = PackageArchitecture::Native(spec.native_architecture.clone());
    let architecture = if sonames.has_code() { native } else { PackageArchitecture::All };
    let stem = format!("{}_{}_{}", spec.name, without_epoch(&spec.version), architecture.as_str());
    let (sha256, size) = out.digest();
    let manifest = Manifest {
        name: &spec.name,
        version: &spec.version,
        architecture: architecture.as_str(),
        summary: &spec.summary,
        license: spec.license.as_deref(),
        requires: &spec.depends,
        libraries: sonames.libraries(),
        conffiles: conffiles.iter().map(|path| format!("/{path}")).collect(),
        archive: Archive { file: format!("{stem}.tar.zst"), size, sha256 },
        entries,
    };
    place(out.into_inner(), &directory.join(&manifest.archive.file)).map_err(in_directory)?;
    write_manifest(&manifest, &directory.join(format!("{stem}.json"))).map_err(in_directory)?;
    let file_name = manifest.archive.file;
    Ok(Written { architecture, installed_size_kib: installed_size_kib(tree), file_name })
}

fn write_manifest(manifest: &Manifest<'_>, path: &Path) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().expect("the path was joined to its directory"))?;
    serde_json::to_writer_pretty(&mut file, manifest)?;
    file.write_all(b"\n")?;
    place(file, path)
}

fn place(mut file: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    file.rewind()?;
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

/// Writes the entries of the archive and learns from their bytes what the manifest says about them.
struct EntryWriter<'a, W: Write> {
    spec: &'a PackageSpec,
    open: &'a Open<'a>,
    directory: &'a Path,
    tar: TarWriter<Compressor<'a, W>>,
    sonames: Sonames,
}

impl<W: Write> EntryWriter<'_, W> {
    fn append<'t>(&mut self, entry: &'t Entry) -> Result<ManifestEntry<'t>, WritePackageError> {
        self.tar.set_mtime(time_of(self.spec, &entry.path));
        self.tar.out().start_entry(&entry.path).map_err(|error| self.cannot_write(error))?;
        let (path, mode) = (format!("/{}", entry.path), format!("{:04o}", entry.mode));
        match &entry.content {
            Content::Directory => {
                self.tar.directory(&entry.path, entry.mode).map_err(|error| self.cannot_write(error))?;
                Ok(ManifestEntry::Directory { path, mode })
            }
            Content::Symlink { target } => {
                self.tar.symlink(&entry.path, target).map_err(|error| self.cannot_write(error))?;
                Ok(ManifestEntry::Symlink { path, target })
            }
            Content::File { size, .. } => {
                let sha256 = self.append_file(entry, *size)?;
                Ok(ManifestEntry::File { path, mode, size: *size, sha256 })
            }
        }
    }

    /// Writes a regular file and returns the SHA-256 of its bytes in hexadecimal digits.
    fn append_file(&mut self, entry: &Entry, size: u64) -> Result<String, WritePackageError> {
        if size > LARGEST_FILE {
            return Err(WritePackageError::FileTooLarge { path: entry.path.clone(), size });
        }
        self.tar.start_file(&entry.path, entry.mode, size).map_err(|error| self.cannot_write(error))?;
        let Self { spec, open, directory, tar, .. } = self;
        let in_directory = |source| WritePackageError::Write { directory: directory.to_path_buf(), source };
        let (mut sha256, mut code) = (Sha256::new(), CodeReader::default());
        copy_file(spec, *open, entry, |bytes| {
            sha256.update(bytes);
            code.read(bytes);
            tar.content(bytes).map_err(in_directory)
        })?;
        self.tar.end_file(size).map_err(|error| self.cannot_write(error))?;
        self.sonames.add(&entry.path, &code);
        Ok(hex::encode(sha256.finalize()))
    }

    fn cannot_write(&self, source: io::Error) -> WritePackageError {
        WritePackageError::Write { directory: self.directory.to_owned(), source }
    }
}
