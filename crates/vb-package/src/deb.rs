//! Writes a `.deb` (deb(5)).
//!
//! The archive holds `debian-binary`, `control.tar.gz` and `data.tar.<extension>`, in this order, in the common `ar`
//! format with plain names. The control member is gzip for every package: dpkg before 1.17.6 (Ubuntu 14.04) reads no
//! other, and so few bytes gain nothing from a better one. It holds `control`, `md5sums`, `conffiles`, `triggers` and
//! the maintainer scripts. Entries of both tar archives are sorted, belong to root and have the time of the spec.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, BufWriter, Write},
    path::Path,
};

use vb_graph::{PackageArchitecture, PackageSpec};

use crate::{
    architecture::debian_name,
    compress::{Compressor, Pieces, gzip},
    contents::{Open, Source},
    control,
    error::{Resources, WritePackageError, Written},
    fields::{check_depends, check_spec, without_epoch},
    learnt::{LearntFiles, Wanted, find_code, learnt_of},
    maintainer::MaintainerFiles,
    member::write_tree,
    packed::Packed,
    tarball::TarWriter,
    tree::{Content, Entry, FileTree, Unpacker},
};

/// The size field of an `ar` header has ten decimal digits.
const LARGEST_MEMBER: u64 = 9_999_999_999;
const BUFFER: usize = 128 << 10;

/// Writes the package that a spec, a tree and a maintainer's files make into `directory`, under its own file name.
///
/// `open` gives the bytes of a blob; files whose segments are remembered are not read. Who gives it also verifies what is read.
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
    tree.check_lengths(Unpacker::PackageManager)?;
    check_depends(spec)?;
    maintainer.check()?;
    let conffiles = maintainer.conffiles_in(tree)?;
    let in_directory = |source| WritePackageError::Write { directory: directory.to_owned(), source };

    let source = Source { open, wanted: Wanted::Md5 };
    let compressor =
        Compressor::new(spec.compression, Pieces::NoFrames, source, resources, directory).map_err(in_directory)?;
    let (data, learnt) = write_tree(spec, tree, compressor).map_err(|error| error.in_directory(directory))?;
    let has_code = find_code(spec, tree.entries(), &learnt)?;
    let md5sums = md5sums(tree, &conffiles, &learnt);

    let native = PackageArchitecture::Native(
        debian_name(&spec.native_architecture).expect("the architecture was checked").to_owned(),
    );
    let architecture = if has_code { native } else { PackageArchitecture::All };
    let installed_size_kib = control::installed_size_kib(tree);
    let control = control::render(spec, &architecture, installed_size_kib);
    let control = ControlMember { spec, control, md5sums, conffiles, maintainer };
    let control = control.compress().map_err(in_directory)?;
    let file_name = format!("{}_{}_{}.deb", spec.name, without_epoch(&spec.version), architecture.as_str());
    write_archive(spec, &control, &data, &directory.join(&file_name))?;
    Ok(Written { architecture, installed_size_kib, file_name })
}

/// Returns the text of `md5sums`. dpkg keeps the sums of configuration files itself.
fn md5sums(tree: &FileTree, conffiles: &BTreeSet<&str>, learnt: &LearntFiles) -> String {
    let mut lines = String::new();
    for Entry { path, content, .. } in tree.entries() {
        if let Content::File { blob, .. } = content
            && !conffiles.contains(path.as_str())
        {
            writeln!(lines, "{}  {path}", learnt_of(learnt, blob).digest).expect("writing to a string cannot fail");
        }
    }
    lines
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

fn write_archive(spec: &PackageSpec, control: &[u8], data: &Packed, path: &Path) -> Result<(), WritePackageError> {
    let directory = path.parent().expect("the path was joined to its directory");
    let in_directory = |source| WritePackageError::Write { directory: directory.to_owned(), source };
    let data_size = data.size();
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
        let mut archive = ar::Builder::new(BufWriter::with_capacity(BUFFER, file.as_file_mut()));
        archive.append(&header("debian-binary", 4), &b"2.0\n"[..])?;
        archive.append(&header("control.tar.gz", control.len() as u64), control)?;
        archive.append(&header(&data_name, data_size), data.reader())?;
        archive.into_inner()?.flush()?;
        file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(in_directory)
}
