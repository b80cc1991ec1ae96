//! Writes a `.tar.zst` of a tree, for those who want neither dpkg nor rpm, and a manifest beside it.
//!
//! The archive is the one that a `.deb` has inside: names begin with `./`, everything belongs to root. The manifest is
//! JSON: who the archive is, what it needs, and each entry with its mode, size and SHA-256.

use std::{
    io::{self, BufWriter, Seek, Write},
    path::Path,
};

use serde::Serialize;
use vb_graph::{Compression, PackageArchitecture, PackageSpec};

use crate::{
    compress::{Compressor, Pieces},
    contents::{Hashed, Open, Source},
    control::{installed_size_kib, relations},
    error::{Resources, WritePackageError, Written},
    fields::{check_spec, without_epoch},
    learnt::{LearntFiles, Wanted, find_code, learnt_of},
    maintainer::MaintainerFiles,
    member::write_tree,
    sonames::Sonames,
    tree::{Content, Entry, FileTree, Unpacker},
};

const BUFFER: usize = 128 << 10;

/// What stands in the `.json` beside an archive.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    name: &'a str,
    version: &'a str,
    architecture: &'a str,
    summary: &'a str,
    license: Option<&'a str>,
    /// Packages of the platform, in its words.
    requires: Vec<String>,
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
/// `open` gives the bytes of a blob; files whose segments are remembered are not read. Scripts of maintainers have no place here.
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
    tree.check_lengths(Unpacker::Tar)?;
    let conffiles = maintainer.conffiles_in(tree)?;
    let in_directory = |source| WritePackageError::Write { directory: directory.to_owned(), source };

    let source = Source { open, wanted: Wanted::Sha256 };
    let compressor = Compressor::new(Compression::Zstd, Pieces::Any, source, resources, directory);
    let (packed, learnt) =
        write_tree(spec, tree, compressor.map_err(in_directory)?).map_err(|error| error.in_directory(directory))?;
    find_code(spec, tree.entries(), &learnt)?;
    let sonames = Sonames::of(tree.entries(), &learnt).beside(tree.siblings());
    let entries = tree.entries().iter().map(|entry| manifest_entry(entry, &learnt)).collect();

    let native = PackageArchitecture::Native(spec.native_architecture.clone());
    let architecture = if sonames.has_code() { native } else { PackageArchitecture::All };
    let stem = format!("{}_{}_{}", spec.name, without_epoch(&spec.version), architecture.as_str());
    let file = tempfile::NamedTempFile::new_in(directory).map_err(in_directory)?;
    let mut out = Hashed::new(BufWriter::with_capacity(BUFFER, file));
    io::copy(&mut packed.reader(), &mut out).map_err(in_directory)?;
    let (sha256, size) = out.digest();
    let manifest = Manifest {
        name: &spec.name,
        version: &spec.version,
        architecture: architecture.as_str(),
        summary: &spec.summary,
        license: spec.license.as_deref(),
        requires: relations(spec),
        libraries: sonames.libraries(),
        conffiles: conffiles.iter().map(|path| format!("/{path}")).collect(),
        archive: Archive { file: format!("{stem}.tar.zst"), size, sha256 },
        entries,
    };
    let file = out.into_inner().into_inner().map_err(|error| in_directory(error.into_error()))?;
    place(file, &directory.join(&manifest.archive.file)).map_err(in_directory)?;
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

fn manifest_entry<'t>(entry: &'t Entry, learnt: &LearntFiles) -> ManifestEntry<'t> {
    let (path, mode) = (format!("/{}", entry.path), format!("{:04o}", entry.mode));
    match &entry.content {
        Content::Directory => ManifestEntry::Directory { path, mode },
        Content::Symlink { target } => ManifestEntry::Symlink { path, target },
        Content::File { blob, size } => {
            ManifestEntry::File { path, mode, size: *size, sha256: learnt_of(learnt, blob).digest.clone() }
        }
    }
}
