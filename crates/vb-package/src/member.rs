//! The archive of a tree that `.deb` and `.tar.zst` have in common, through a compressor.

use vb_graph::PackageSpec;

use crate::{
    compress::Compressor,
    contents::{ENVIRONMENT_TIME, time_of, zone_of},
    error::{MemberError, WritePackageError},
    learnt::LearntFiles,
    packed::Packed,
    tarball::{LARGEST_FILE, TarWriter},
    tree::{Content, Entry, FileTree},
};

/// Writes all entries of a tree; returns the compressed archive, and what was learnt of the files.
pub(crate) fn write_tree(
    spec: &PackageSpec,
    tree: &FileTree,
    compressor: Compressor<'_>,
) -> Result<(Packed, LearntFiles), MemberError> {
    let mut tar = TarWriter::new(compressor, ENVIRONMENT_TIME)?;
    for entry in tree.entries() {
        tar.set_mtime(time_of(spec, &entry.path));
        tar.out().start_entry(&entry.path, zone_of(spec, &entry.path))?;
        append(&mut tar, entry)?;
    }
    tar.finish()?.finish()
}

fn append(tar: &mut TarWriter<Compressor<'_>>, entry: &Entry) -> Result<(), MemberError> {
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
