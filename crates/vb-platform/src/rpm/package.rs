//! Reads an `.rpm`: its header by the `rpm` crate, its payload as a stream.

use std::{
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use fs_err::File;
use rpm::{DigestAlgorithm, FileFlags, FileType, IndexTag, PackageMetadata};

use super::version::Version;
use crate::decompress::decompress;

/// An `.rpm` could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RpmError {
    /// The file cannot be opened or read, or its payload not be decompressed.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The `.rpm`.
        path: PathBuf,
        /// The error of the file system or of a decompressor.
        #[source]
        source: io::Error,
    },
    /// Lead, signature or header are not those of an `.rpm`.
    #[error("`{}` is not a package that rpm would read", path.display())]
    Malformed {
        /// The `.rpm`.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<rpm::Error>,
    },
}

/// An open `.rpm`, with what its header says.
#[derive(Debug)]
pub(crate) struct Rpm {
    path: PathBuf,
    payload: u64,
    /// Name, version and architecture, with blanks between.
    pub(crate) identity: String,
    /// Has it a scriptlet or trigger that would run when it is installed?
    pub(crate) has_scriptlets: bool,
    pub(crate) files: Vec<RpmFile>,
}

/// One file of a package.
#[derive(Clone, Debug)]
pub(crate) struct RpmFile {
    /// Its absolute path, as it is written.
    pub(crate) path: PathBuf,
    pub(crate) kind: RpmFileKind,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    /// Its SHA-256, where the package has SHA-256 of its files.
    pub(crate) sha256: Option<String>,
    /// Is it in the header alone?
    pub(crate) is_ghost: bool,
    /// Files with the same device and inode are one file.
    pub(crate) identity: Option<(u32, u32)>,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RpmFileKind {
    Directory,
    Regular,
    /// A symbolic link and where it leads.
    Link(PathBuf),
    /// A device, a pipe or a socket.
    Special,
}

/// The tags of what is run when a package is installed into an empty root.
const SCRIPTLETS: [IndexTag; 11] = [
    IndexTag::RPMTAG_PRETRANS,
    IndexTag::RPMTAG_PRETRANSPROG,
    IndexTag::RPMTAG_PREIN,
    IndexTag::RPMTAG_PREINPROG,
    IndexTag::RPMTAG_POSTIN,
    IndexTag::RPMTAG_POSTINPROG,
    IndexTag::RPMTAG_POSTTRANS,
    IndexTag::RPMTAG_POSTTRANSPROG,
    IndexTag::RPMTAG_TRIGGERSCRIPTS,
    IndexTag::RPMTAG_FILETRIGGERSCRIPTS,
    IndexTag::RPMTAG_TRANSFILETRIGGERSCRIPTS,
];

impl Rpm {
    /// Opens an `.rpm` and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self, RpmError> {
        let file = File::open(path).map_err(|source| RpmError::Read { path: path.to_owned(), source })?;
        let malformed = |source| RpmError::Malformed { path: path.to_owned(), source: Box::new(source) };
        let metadata = PackageMetadata::parse(&mut BufReader::new(file)).map_err(malformed)?;
        Ok(Self {
            path: path.to_owned(),
            payload: metadata.get_package_segment_offsets().payload,
            identity: identity(&metadata).map_err(malformed)?,
            has_scriptlets: SCRIPTLETS.iter().any(|tag| metadata.header.entry_is_present(*tag)),
            files: files(&metadata).map_err(malformed)?,
        })
    }

    /// Opens the archive of the files that the package installs.
    pub(crate) fn payload(&self) -> Result<Box<dyn Read>, RpmError> {
        let read_error = |source| RpmError::Read { path: self.path.clone(), source };
        let mut file = File::open(&self.path).map_err(read_error)?;
        file.seek(SeekFrom::Start(self.payload)).map_err(read_error)?;
        decompress(BufReader::with_capacity(128 << 10, file)).map_err(read_error)
    }
}

fn identity(metadata: &PackageMetadata) -> Result<String, rpm::Error> {
    let epoch = metadata.get_epoch().unwrap_or(0).to_string();
    let version = Version::new(&epoch, metadata.get_version()?, Some(metadata.get_release()?));
    Ok(format!("{} {version} {}", metadata.get_name()?, metadata.get_arch()?))
}

fn files(metadata: &PackageMetadata) -> Result<Vec<RpmFile>, rpm::Error> {
    let numbers = |tag| metadata.header.get_entry_data_as_u32_array(tag).unwrap_or_default();
    let (devices, inodes) = (numbers(IndexTag::RPMTAG_FILEDEVICES), numbers(IndexTag::RPMTAG_FILEINODES));
    let entries = metadata.get_file_entries()?.into_iter().enumerate();
    let file = |(place, entry): (usize, rpm::FileEntry<'_>)| {
        let sha256 = entry.digest().filter(|digest| digest.algorithm() == DigestAlgorithm::Sha2_256);
        RpmFile {
            path: entry.path(),
            kind: match entry.file_type() {
                FileType::Dir => RpmFileKind::Directory,
                FileType::Regular => RpmFileKind::Regular,
                FileType::SymbolicLink => RpmFileKind::Link(PathBuf::from(entry.linkto().unwrap_or_default())),
                _ => RpmFileKind::Special,
            },
            mode: u32::from(entry.permissions()),
            size: entry.size() as u64,
            sha256: sha256.map(|digest| digest.as_hex().to_owned()).filter(|hex| !hex.is_empty()),
            is_ghost: entry.flags().contains(FileFlags::GHOST),
            identity: devices.get(place).copied().zip(inodes.get(place).copied()),
        }
    };
    Ok(entries.map(file).collect())
}
