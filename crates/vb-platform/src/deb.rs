//! Reads a `.deb` (deb(5)): an `ar` archive of `debian-binary`, `control.tar*` and `data.tar*`.
//!
//! Control files are small and held in memory; the data is streamed.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use fs_err::File;

/// Longest file of a control member that is believed; the largest in Debian are a few megabytes of md5sums and symbols.
const MAX_CONTROL_FILE: u64 = 64 << 20;

/// A `.deb` could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// The file cannot be opened or read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The `.deb`.
        path: PathBuf,
        /// The error of the file system, of the archive or of a decompressor.
        #[source]
        source: io::Error,
    },
    /// A member that every `.deb` has is not there.
    #[error("`{}` has no `{member}`", path.display())]
    NoMember {
        /// The `.deb`.
        path: PathBuf,
        /// The member.
        member: &'static str,
    },
    /// The format is a later one than 2.x.
    #[error("`{}` has format version `{version}`, not 2", path.display())]
    Version {
        /// The `.deb`.
        path: PathBuf,
        /// The version that it claims.
        version: String,
    },
    /// A member is compressed in a way that vb does not know.
    #[error("`{}` has a `{member}` of an unknown compression", path.display())]
    Compression {
        /// The `.deb`.
        path: PathBuf,
        /// The member's name.
        member: String,
    },
}

/// One file of a package's control archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFile {
    /// Its bytes.
    pub content: Vec<u8>,
    /// May it be executed?
    pub is_executable: bool,
}

/// An open `.deb`, with its control files.
#[derive(Debug)]
pub struct Deb {
    path: PathBuf,
    control: BTreeMap<String, ControlFile>,
    data: Member,
}

#[derive(Debug)]
struct Member {
    name: String,
    start: u64,
    size: u64,
}

impl Deb {
    /// Opens a `.deb` and reads its control files.
    ///
    /// # Errors
    /// See [`DebError`].
    pub fn open(path: &Path) -> Result<Self, DebError> {
        let members = read_members(path).map_err(|source| DebError::Read { path: path.to_owned(), source })?;
        let find = |prefix: &'static str| {
            let found = members.iter().find(|member| member.name.starts_with(prefix));
            found.ok_or(DebError::NoMember { path: path.to_owned(), member: prefix })
        };
        check_version(path, find("debian-binary")?)?;
        let control = read_control(path, find("control.tar")?)?;
        let data = find("data.tar")?;
        let data = Member { name: data.name.clone(), ..*data };
        Ok(Self { path: path.to_owned(), control, data })
    }

    /// Returns where the `.deb` is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a control file by its name: `control`, `postinst`, `md5sums`, …
    pub fn control_file(&self, name: &str) -> Option<&ControlFile> {
        self.control.get(name)
    }

    /// Iterates over the control files, sorted by name.
    pub fn control_files(&self) -> impl Iterator<Item = (&str, &ControlFile)> {
        self.control.iter().map(|(name, file)| (name.as_str(), file))
    }

    /// Opens the archive of the files that the package installs.
    ///
    /// # Errors
    /// See [`DebError`].
    pub fn data(&self) -> Result<tar::Archive<Box<dyn Read>>, DebError> {
        open_member(&self.path, &self.data).map(tar::Archive::new)
    }
}

fn read_members(path: &Path) -> io::Result<Vec<Member>> {
    let file = File::open(path)?;
    let mut archive = ar::Archive::new(&file);
    let mut members = Vec::new();
    while let Some(entry) = archive.next_entry() {
        let entry = entry?;
        let name = String::from_utf8_lossy(entry.header().identifier()).trim_end_matches('/').to_owned();
        members.push(Member { name, start: (&file).stream_position()?, size: entry.header().size() });
    }
    Ok(members)
}

fn check_version(path: &Path, member: &Member) -> Result<(), DebError> {
    let read_error = |source| DebError::Read { path: path.to_owned(), source };
    let mut version = String::new();
    let mut reader = open_raw(path, member).map_err(read_error)?.take(64);
    reader.read_to_string(&mut version).map_err(read_error)?;
    let version = version.lines().next().unwrap_or_default();
    if version.starts_with("2.") {
        Ok(())
    } else {
        Err(DebError::Version { path: path.to_owned(), version: version.to_owned() })
    }
}

fn read_control(path: &Path, member: &Member) -> Result<BTreeMap<String, ControlFile>, DebError> {
    let read_error = |source| DebError::Read { path: path.to_owned(), source };
    let mut archive = tar::Archive::new(open_member(path, member)?);
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(read_error)? {
        let entry = entry.map_err(read_error)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        // dpkg knows no directories here, and a name with a slash would leave its info directory.
        if !entry.header().entry_type().is_file() || name.is_empty() || name.contains('/') {
            continue;
        }
        let is_executable = entry.header().mode().map_err(read_error)? & 0o111 != 0;
        let mut content = Vec::new();
        entry.take(MAX_CONTROL_FILE + 1).read_to_end(&mut content).map_err(read_error)?;
        if content.len() as u64 > MAX_CONTROL_FILE {
            return Err(read_error(io::ErrorKind::FileTooLarge.into()));
        }
        files.insert(name, ControlFile { content, is_executable });
    }
    Ok(files)
}

fn open_raw(path: &Path, member: &Member) -> io::Result<io::Take<File>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(member.start))?;
    Ok(file.take(member.size))
}

fn open_member(path: &Path, member: &Member) -> Result<Box<dyn Read>, DebError> {
    let read_error = |source| DebError::Read { path: path.to_owned(), source };
    let raw = BufReader::with_capacity(128 << 10, open_raw(path, member).map_err(read_error)?);
    let extension = member.name.split_once(".tar").map(|(_, extension)| extension);
    Ok(match extension {
        Some("") => Box::new(raw),
        Some(".xz") => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(raw)),
        Some(".gz") => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
        Some(".zst") => Box::new(zstd::stream::read::Decoder::with_buffer(raw).map_err(read_error)?),
        _ => return Err(DebError::Compression { path: path.to_owned(), member: member.name.clone() }),
    })
}
