//! Reads what an `.rpm` says about itself, be it one of vb's or a distribution's (rpm-format(5), formats 3 and 4).
//!
//! Only the headers are read. Must not be here: the payload, signatures, and the digest of the file.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use fs_err as fs;
use rpm::{Dependency, DependencyFlags, FileFlags, FileType, Header, IndexData, IndexTag, PackageMetadata};

use super::{
    scriptlet::ScriptletName,
    trigger::{RpmTrigger, triggers_of},
};

const LEAD: usize = 96;
const INTRO: usize = 16;
/// rpm's own limits for one header.
const MOST_ENTRIES: usize = 0xffff;
const MOST_DATA: usize = 256 << 20;
const HEADER_MAGIC: &[u8] = b"\x8e\xad\xe8\x01";
const LEAD_MAGIC: &[u8] = b"\xed\xab\xee\xdb";

/// How a relation compares versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RpmComparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl RpmComparison {
    /// Returns the sign that spec files and queries have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }

    /// Returns the comparison of a sign, `None` for any other text.
    pub fn from_sign(sign: &str) -> Option<Self> {
        let all = [Self::Less, Self::LessOrEqual, Self::Equal, Self::GreaterOrEqual, Self::Greater];
        all.into_iter().find(|comparison| comparison.as_str() == sign)
    }

    pub(crate) fn flags(self) -> DependencyFlags {
        match self {
            Self::Less => DependencyFlags::LESS,
            Self::LessOrEqual => DependencyFlags::LE,
            Self::Equal => DependencyFlags::EQUAL,
            Self::GreaterOrEqual => DependencyFlags::GE,
            Self::Greater => DependencyFlags::GREATER,
        }
    }
}

/// One capability that a package requires, provides, conflicts with or obsoletes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RpmRelation {
    /// A package's name, a file's path, or a name like `libpq.so.5()(64bit)`; a rich relation begins with `(`.
    pub name: String,
    /// The comparison and the version, `[epoch:]version[-release]`, where there is one.
    pub version: Option<(RpmComparison, String)>,
    /// Is it needed before the package's files or its `%post` script?
    pub is_pre: bool,
}

impl RpmRelation {
    pub(super) fn of(dependency: Dependency) -> Self {
        let sign = dependency.flags.comparator_str();
        let pre = DependencyFlags::PREREQ | DependencyFlags::SCRIPT_PRE | DependencyFlags::SCRIPT_POST;
        Self {
            name: dependency.name,
            version: RpmComparison::from_sign(sign).map(|comparison| (comparison, dependency.version)),
            is_pre: dependency.flags.intersects(pre),
        }
    }
}

/// The relation as `rpm -q --requires` prints it.
impl fmt::Display for RpmRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some((comparison, version)) => write!(f, "{} {} {version}", self.name, comparison.as_str()),
            None => f.write_str(&self.name),
        }
    }
}

/// What a path of a package is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpmFileKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink {
        /// Its target.
        target: String,
    },
    /// A device, a pipe or a socket.
    Special,
}

/// One path of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmFile {
    /// The absolute path.
    pub path: String,
    /// What it is.
    pub kind: RpmFileKind,
    /// The permission bits.
    pub mode: u32,
    /// Its size in bytes.
    pub size: u64,
    /// Its time, in seconds since 1970.
    pub mtime: u64,
    /// The name of its owner.
    pub user: String,
    /// The name of its group.
    pub group: String,
    /// The digest of a regular file in hexadecimal digits, by the algorithm that the package says.
    pub digest: Option<String>,
    /// Is it a configuration file?
    pub is_config: bool,
    /// Is it a configuration file that an upgrade leaves as it is when it was edited?
    pub is_noreplace: bool,
    /// Does it only belong to the package, without being in the payload?
    pub is_ghost: bool,
}

/// A script of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmScript {
    /// The interpreter and its arguments; `<lua>` for the one inside rpm.
    pub program: Vec<String>,
    /// What it interprets.
    pub text: String,
}

/// One entry of a package's changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmChange {
    /// Its time, in seconds since 1970.
    pub time: u64,
    /// Who wrote it, by custom with the version.
    pub author: String,
    /// What has changed.
    pub text: String,
}

/// What a package says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmMetadata {
    /// Its name.
    pub name: String,
    /// Its epoch, where it has one.
    pub epoch: Option<u32>,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Its architecture: `x86_64`, `noarch`.
    pub architecture: String,
    /// Is it a source package?
    pub is_source: bool,
    /// One line that says what it is.
    pub summary: String,
    /// The paragraphs below the summary.
    pub description: String,
    /// Under which licence it is.
    pub license: String,
    /// Where to read more.
    pub url: Option<String>,
    /// Who distributes it.
    pub vendor: Option<String>,
    /// Who packaged it.
    pub packager: Option<String>,
    /// The group that it is listed in.
    pub group: Option<String>,
    /// The machine that it was built on.
    pub build_host: Option<String>,
    /// When it was built, in seconds since 1970.
    pub build_time: u64,
    /// The file name of its source package.
    pub source_rpm: Option<String>,
    /// The size of its files in bytes.
    pub installed_size: u64,
    /// The size of the uncompressed payload in bytes, where it is told.
    pub archive_size: Option<u64>,
    /// How the payload is compressed: `zstd`, `xz`, `gzip`.
    pub compressor: Option<String>,
    /// Where in the file the header is, which is what signatures sign; the payload begins at its end.
    pub header_range: Range<u64>,
    /// Has the header a signature? Whose, and whether it is good, is not looked at.
    pub is_signed: bool,
    /// What it provides.
    pub provides: Vec<RpmRelation>,
    /// What it needs; `rpmlib(…)` names a feature of rpm itself.
    pub requires: Vec<RpmRelation>,
    /// What it cannot be installed beside.
    pub conflicts: Vec<RpmRelation>,
    /// What it replaces.
    pub obsoletes: Vec<RpmRelation>,
    /// What is installed with it where that is possible.
    pub recommends: Vec<RpmRelation>,
    /// What may be useful with it.
    pub suggests: Vec<RpmRelation>,
    /// With what it is installed where that is possible.
    pub supplements: Vec<RpmRelation>,
    /// With what it may be useful.
    pub enhances: Vec<RpmRelation>,
    /// Its paths, in the order of the package.
    pub files: Vec<RpmFile>,
    /// Its scripts.
    pub scripts: BTreeMap<ScriptletName, RpmScript>,
    /// Its triggers: those for packages first, then those for files.
    pub triggers: Vec<RpmTrigger>,
    /// Its changelog, the newest entry first.
    pub changelog: Vec<RpmChange>,
}

impl RpmMetadata {
    /// Returns `[epoch:]version-release`.
    pub fn evr(&self) -> String {
        let epoch = self.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
        format!("{epoch}{}-{}", self.version, self.release)
    }

    /// Returns the name that its file has by custom: `name-version-release.architecture.rpm`.
    pub fn file_name(&self) -> String {
        let architecture = if self.is_source { "src" } else { &self.architecture };
        format!("{}-{}-{}.{architecture}.rpm", self.name, self.version, self.release)
    }
}

/// A package could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadRpmError {
    /// The file could not be read, or ends early.
    #[error("cannot read the package `{path}`")]
    Read {
        /// The package.
        path: PathBuf,
        /// What the file system answered.
        #[source]
        source: io::Error,
    },
    /// The file does not begin as a package.
    #[error("`{path}` is not an rpm package")]
    NotRpm {
        /// The file.
        path: PathBuf,
    },
    /// A header is larger than rpm allows, or points outside of itself.
    #[error("the package `{path}` has a damaged header")]
    DamagedHeader {
        /// The package.
        path: PathBuf,
    },
    /// A tag is absent or has a value of another type.
    #[error("the package `{path}` has a header that cannot be read")]
    Header {
        /// The package.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rpm::Error,
    },
}

/// Reads the headers of a package.
///
/// # Errors
/// [`ReadRpmError`] when the file is no package, ends early, or has a header that does not fit its own digest.
pub fn read_rpm(path: &Path) -> Result<RpmMetadata, ReadRpmError> {
    let in_file = |source| ReadRpmError::Read { path: path.to_owned(), source };
    let mut file = io::BufReader::new(fs::File::open(path).map_err(in_file)?);
    let bytes = read_headers(&mut file, path)?;
    let in_header = |source| ReadRpmError::Header { path: path.to_owned(), source };
    let package = PackageMetadata::parse(&mut &bytes[..]).map_err(in_header)?;
    let digests = package.check_digests().map_err(in_header)?;
    let is_mismatch = [&digests.header_sha1, &digests.header_sha256].iter().any(|status| status.is_mismatch());
    if is_mismatch {
        return Err(ReadRpmError::DamagedHeader { path: path.to_owned() });
    }
    metadata_of(&package).map_err(in_header)
}

/// Reads lead and headers, and checks that they are whole: a decoder can trust every size and offset in them.
fn read_headers(reader: &mut impl Read, path: &Path) -> Result<Vec<u8>, ReadRpmError> {
    let in_file = |source| ReadRpmError::Read { path: path.to_owned(), source };
    let damaged = || ReadRpmError::DamagedHeader { path: path.to_owned() };
    let mut bytes = vec![0; LEAD];
    reader.read_exact(&mut bytes).map_err(in_file)?;
    if !bytes.starts_with(LEAD_MAGIC) {
        return Err(ReadRpmError::NotRpm { path: path.to_owned() });
    }
    for is_signature in [true, false] {
        let start = bytes.len();
        let mut intro = [0; INTRO];
        reader.read_exact(&mut intro).map_err(in_file)?;
        let (count, size) = (number(&intro[8..]), number(&intro[12..]));
        if !intro.starts_with(HEADER_MAGIC) || count > MOST_ENTRIES || size > MOST_DATA {
            return Err(damaged());
        }
        let padding = if is_signature { size.next_multiple_of(8) - size } else { 0 };
        let rest = (count * INTRO + size + padding) as u64;
        bytes.extend(intro);
        let read = reader.take(rest).read_to_end(&mut bytes).map_err(in_file)?;
        if read as u64 != rest {
            return Err(in_file(io::ErrorKind::UnexpectedEof.into()));
        }
        let (index, data) = bytes[start + INTRO..].split_at(count * INTRO);
        if !index.chunks_exact(INTRO).all(|entry| is_inside(entry, &data[..size])) {
            return Err(damaged());
        }
    }
    Ok(bytes)
}

fn number(bytes: &[u8]) -> usize {
    let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    usize::try_from(number).expect("a machine that runs vb has 32 bits at least")
}

/// Is the value of an index entry inside of the data?
fn is_inside(entry: &[u8], data: &[u8]) -> bool {
    let (kind, offset, count) = (number(&entry[4..]), number(&entry[8..]), number(&entry[12..]));
    let Some(value) = data.get(offset..) else {
        return false;
    };
    let is_long = |size: usize| count.checked_mul(size).is_some_and(|length| length <= value.len());
    match kind {
        0 => true,
        1 | 2 | 7 => is_long(1),
        3 => is_long(2),
        4 => is_long(4),
        5 => is_long(8),
        6 | 8 | 9 => value.iter().filter(|byte| **byte == 0).take(count).count() == count,
        _ => false,
    }
}

fn metadata_of(package: &PackageMetadata) -> Result<RpmMetadata, rpm::Error> {
    let header = &package.header;
    let offsets = package.get_package_segment_offsets();
    let relations = |dependencies: Vec<Dependency>| dependencies.into_iter().map(RpmRelation::of).collect();
    let changes = package.get_changelog_entries()?.into_iter();
    Ok(RpmMetadata {
        name: package.get_name()?.to_owned(),
        epoch: optional(package.get_epoch())?,
        version: package.get_version()?.to_owned(),
        release: package.get_release()?.to_owned(),
        architecture: package.get_arch()?.to_owned(),
        is_source: package.is_source_package(),
        summary: text(package.get_summary())?.unwrap_or_default(),
        description: text(package.get_description())?.unwrap_or_default(),
        license: text(package.get_license())?.unwrap_or_default(),
        url: text(package.get_url())?,
        vendor: text(package.get_vendor())?,
        packager: text(package.get_packager())?,
        group: text(package.get_group())?,
        build_host: text(package.get_build_host())?,
        build_time: optional(package.get_build_time())?.unwrap_or_default(),
        source_rpm: text(package.get_source_rpm())?,
        installed_size: optional(package.get_installed_size())?.unwrap_or_default(),
        archive_size: archive_size(package)?,
        compressor: text(header.get_entry_data_as_string(IndexTag::RPMTAG_PAYLOADCOMPRESSOR))?,
        header_range: offsets.header..offsets.payload,
        is_signed: is_signed(package),
        provides: relations(package.get_provides()?),
        requires: relations(package.get_requires()?),
        conflicts: relations(package.get_conflicts()?),
        obsoletes: relations(package.get_obsoletes()?),
        recommends: relations(package.get_recommends()?),
        suggests: relations(package.get_suggests()?),
        supplements: relations(package.get_supplements()?),
        enhances: relations(package.get_enhances()?),
        files: files(package)?,
        scripts: scripts(header)?,
        triggers: triggers_of(header)?,
        changelog: changes
            .map(|entry| RpmChange { time: entry.timestamp, author: entry.name, text: entry.description })
            .collect(),
    })
}

pub(super) fn optional<T>(value: Result<T, rpm::Error>) -> Result<Option<T>, rpm::Error> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(rpm::Error::TagNotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn text(value: Result<&str, rpm::Error>) -> Result<Option<String>, rpm::Error> {
    Ok(optional(value)?.map(str::to_owned))
}

/// The size stands in the header of old packages, and beside the signature in others.
fn archive_size(package: &PackageMetadata) -> Result<Option<u64>, rpm::Error> {
    use rpm::IndexSignatureTag as Tag;
    let signature = &package.signature;
    if let Some(size) = optional(signature.get_entry_data_as_u64(Tag::RPMSIGTAG_LONGARCHIVESIZE))? {
        return Ok(Some(size));
    }
    if let Some(size) = optional(signature.get_entry_data_as_u32(Tag::RPMSIGTAG_PAYLOADSIZE))? {
        return Ok(Some(size.into()));
    }
    Ok(optional(package.header.get_entry_data_as_u32(IndexTag::RPMTAG_ARCHIVESIZE))?.map(u64::from))
}

fn is_signed(package: &PackageMetadata) -> bool {
    use rpm::IndexSignatureTag as Tag;
    let tags = [Tag::RPMSIGTAG_RSA, Tag::RPMSIGTAG_DSA, Tag::RPMSIGTAG_OPENPGP];
    tags.into_iter().any(|tag| package.signature.entry_is_present(tag))
}

fn files(package: &PackageMetadata) -> Result<Vec<RpmFile>, rpm::Error> {
    let entries = package.get_file_entries()?;
    let file = |entry: rpm::FileEntry<'_>| {
        let flags = entry.flags();
        RpmFile {
            path: format!("{}{}", entry.dirname(), entry.basename()),
            kind: match (entry.file_type(), entry.linkto()) {
                (FileType::Dir, _) => RpmFileKind::Directory,
                (FileType::Regular, _) => RpmFileKind::File,
                (FileType::SymbolicLink, target) => {
                    RpmFileKind::Symlink { target: target.unwrap_or_default().to_owned() }
                }
                _ => RpmFileKind::Special,
            },
            mode: entry.permissions().into(),
            size: entry.size() as u64,
            mtime: entry.modified_at().0.into(),
            user: entry.user().to_owned(),
            group: entry.group().to_owned(),
            digest: entry.digest().map(|digest| digest.as_hex().to_owned()),
            is_config: flags.contains(FileFlags::CONFIG),
            is_noreplace: flags.contains(FileFlags::NOREPLACE),
            is_ghost: flags.contains(FileFlags::GHOST),
        }
    };
    Ok(entries.into_iter().map(file).collect())
}

fn scripts(header: &Header<IndexTag>) -> Result<BTreeMap<ScriptletName, RpmScript>, rpm::Error> {
    let mut scripts = BTreeMap::new();
    for name in ScriptletName::ALL {
        let (text_tag, program_tag) = name.tags();
        let text = text(header.get_entry_data_as_string(text_tag))?;
        let program = match optional(header.entry(program_tag))? {
            Some(IndexData::StringTag(program)) => vec![program],
            Some(IndexData::StringArray(program)) => program,
            _ => vec![],
        };
        if text.is_some() || !program.is_empty() {
            scripts.insert(name, RpmScript { program, text: text.unwrap_or_default() });
        }
    }
    Ok(scripts)
}
