//! The archive of a tree that `.deb` and `.tar.zst` have in common, through a compressor.

use std::io::Write;

use vb_graph::PackageSpec;

use crate::{
    compress::Compressor,
    contents::{ENVIRONMENT_TIME, time_of},
    error::{MemberError, WritePackageError},
    learnt::LearntFiles,
    tarball::{LARGEST_FILE, TarWriter},
    tree::{Content, Entry, FileTree},
};

/// Writes all entries of a tree; returns what was written to, and what was learnt of the files.
pub(crate) fn write_tree<W: Write>(
    spec: &PackageSpec,
    tree: &FileTree,
    compressor: Compressor<'_, W>,
) -> Result<(W, LearntFiles), MemberError> {
    let mut tar = TarWriter::new(compressor, ENVIRONMENT_TIME)?;
    for entry in tree.entries() {
        tar.set_mtime(time_of(spec, &entry.path));
        tar.out().start_entry(&entry.path)?;
        append(&mut tar, entry)?;
    }
    tar.finish()?.finish()
}

fn append<W: Write>(tar: &mut TarWriter<Compressor<'_, W>>, entry: &Entry) -> Result<(), MemberError> {
    let Entry { path, mode, content } = entry;
    match content {
        Content::Directory => tar.directory(path, *mode)?,
        Content::Symlink { target } => tar.symlink(path, target)?,
        Content::File { size, .. } if *size > LARGEST_FILE => {
            return Err(MemberError::File(WritePackageError::FileTooLarge { path: path.clone(), size: *size }));
        }
        Content::File { blob, size } => {
            tar.start_file(path, *mode, *size)?;
            tar.out().file(path, *blob, *size)?;
            tar.end_file(*size)?;
        }
    }
    Ok(())
}
