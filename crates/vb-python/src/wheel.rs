//! Unpacks a wheel to the tree that it installs below a prefix, by PyPA's binary distribution format (PEP 427).
//!
//! The tree is a function of the wheel, the prefix and the interpreter's version alone: modes are 0644 or 0755, `RECORD` is
//! sorted, nothing tells where or when it was made. Every file is held against `RECORD` before it is written.
//! Must not be here: bytecode, which only the target's own interpreter can make.

use std::{
    collections::BTreeSet,
    io::{self, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use fs_err::os::unix::fs::OpenOptionsExt;
use zip::{ZipArchive, result::ZipError};

use crate::{
    entry_points::{EntryPointError, parse_scripts},
    names::{is_same_version, normalize_name},
    record::{InstalledRecord, Record, RecordError, Row, below, recorded},
    scripts::{entry_point_script, rewrite_shebang},
    tags::WheelName,
};

/// Files of `.dist-info` that installers write about an installation, and the signatures of a RECORD that is rewritten.
const NOT_INSTALLED: [&str; 6] =
    ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "RECORD.jws", "RECORD.p7s"];

/// How much memory is taken for a member before it is read, in bytes.
const MOST_AT_ONCE: u64 = 64 << 20;

/// Where an environment will be, and for which interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The environment's absolute path at run time: `/vrmd/whois`.
    pub prefix: String,
    /// How the interpreter's directory of modules is called: `python3.11`, `pypy3.9`.
    pub library: String,
}

impl Layout {
    /// Returns the path of `site-packages` below the prefix.
    pub fn site_packages(&self) -> String {
        format!("lib/{}/site-packages", self.library)
    }

    /// Returns the absolute path of the environment's interpreter.
    pub fn python(&self) -> String {
        format!("{}/bin/python", self.prefix)
    }
}

/// What a wheel turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The distribution's normalised name.
    pub name: String,
    /// Its version, as its metadata says it.
    pub version: String,
    /// Does it bring ELF files, so that its libraries have to be looked at?
    pub has_elf: bool,
    /// The names that can be imported: top-level packages and modules, sorted.
    pub top_level: Vec<String>,
}

/// One file that a wheel installs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledFile {
    /// Its path below the prefix, which is clean.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its permission bits: 0644 or 0755.
    pub mode: u32,
}

impl InstalledFile {
    /// Is it a source that gets bytecode?
    pub fn is_source(&self) -> bool {
        self.path.ends_with(".py") && !self.path.split('/').any(|part| part == "__pycache__")
    }
}

/// A wheel is malformed, unsafe, or cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// The file cannot be opened.
    #[error("cannot open the wheel")]
    Open(#[source] io::Error),
    /// The zip file is broken.
    #[error("cannot read the wheel's zip file")]
    Zip(#[source] ZipError),
    /// A member cannot be read.
    #[error("cannot read `{member}` of the wheel")]
    Read {
        /// The member.
        member: String,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The file's name is not `name-version[-build]-python-abi-platform.whl`.
    #[error("`{file}` is not a wheel's file name")]
    FileName {
        /// The name.
        file: String,
    },
    /// There is not exactly one `.dist-info` directory, or it belongs to another distribution.
    #[error("`{file}` holds metadata of {}", if found.is_empty() { "no distribution".to_owned() } else { found.join(", ") })]
    DistInfo {
        /// The wheel's file name.
        file: String,
        /// The `.dist-info` directories that it has.
        found: Vec<String>,
    },
    /// A file that every wheel has is missing, or not what it should be.
    #[error("`{member}` of the wheel is missing or malformed")]
    Metadata {
        /// The file.
        member: String,
    },
    /// The wheel's format version is not 1.
    #[error("the wheel has the format version `{version}`, and only `1` is understood")]
    WheelVersion {
        /// The `Wheel-Version`.
        version: String,
    },
    /// RECORD is broken, or a file is not what it says.
    #[error("the wheel contradicts its RECORD")]
    Record(#[source] RecordError),
    /// A file is in the wheel and not in RECORD.
    #[error("`{member}` is not listed in the wheel's RECORD")]
    NotInRecord {
        /// The file.
        member: String,
    },
    /// A file is in RECORD and not in the wheel.
    #[error("`{member}` is listed in the wheel's RECORD and not there")]
    Missing {
        /// The file.
        member: String,
    },
    /// A path is absolute, has `..`, `.` or empty components, or a backslash.
    #[error("`{member}` is not a path below the environment")]
    UnsafePath {
        /// The path.
        member: String,
    },
    /// A member is a symbolic link or another thing that is neither file nor directory.
    #[error("`{member}` of the wheel is not a regular file")]
    NotAFile {
        /// The member.
        member: String,
    },
    /// Two members have one name.
    #[error("the wheel holds two files of one name")]
    DuplicateMember,
    /// Two members, or a member and a generated script, would be one file.
    #[error("the wheel installs `{path}` twice, or over a file that is there")]
    DuplicateTarget {
        /// The path below the prefix.
        path: String,
    },
    /// A directory below `.data` is not one of the five that the format has.
    #[error("`{member}` has no place in an environment")]
    UnknownScheme {
        /// The member.
        member: String,
    },
    /// `entry_points.txt` cannot be understood.
    #[error("cannot make the wheel's scripts")]
    EntryPoints(#[source] EntryPointError),
    /// A file cannot be written.
    #[error("cannot write the wheel's tree")]
    Write(#[source] io::Error),
}

type Archive = ZipArchive<BufReader<fs_err::File>>;

/// Unpacks a wheel below `target`, which stands for the layout's prefix.
///
/// After it, `target` holds `lib/python<version>/site-packages/…`, and where the wheel has them `bin/…`, `include/…` and
/// what its `.data/data` puts elsewhere. Bytecode that the wheel brings is left out: it names the paths of its maker.
///
/// # Errors
/// See [`WheelError`]. What was written before an error stays.
pub fn unpack(wheel: &Path, target: &Path, layout: &Layout) -> Result<Unpacked, WheelError> {
    let file_name = wheel.file_name().unwrap_or_default().to_string_lossy();
    let write = &mut |file: InstalledFile| write_below(target, &file);
    let (unpacked, record) = unpack_each(wheel, &file_name, layout, write)?;
    let record = record.into_file();
    write_below(target, &record).map_err(|error| not_put(record.path, error))?;
    Ok(unpacked)
}

/// Unpacks a wheel of that file name, file by file, as [`unpack`] would write it. What `RECORD` is to hold comes at the end.
///
/// `put` is called with each file once, and fails with [`io::ErrorKind::AlreadyExists`] when something else is at its path.
///
/// # Errors
/// See [`WheelError`]. What was put before an error stays.
pub fn unpack_each(
    wheel: &Path,
    file_name: &str,
    layout: &Layout,
    put: &mut dyn FnMut(InstalledFile) -> io::Result<()>,
) -> Result<(Unpacked, InstalledRecord), WheelError> {
    let file = fs_err::File::open(wheel).map_err(WheelError::Open)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(WheelError::Zip)?;
    let members = check_members(&archive)?;
    let stem = dist_info_stem(file_name, &members)?;
    check_wheel_version(&mut archive, &stem)?;
    let (name, version) = read_metadata(&mut archive, &stem)?;
    let source = Record::parse(&read_required(&mut archive, &format!("{stem}.dist-info/RECORD"))?)
        .map_err(WheelError::Record)?;
    check_nothing_missing(&source, &members)?;
    let mut installation = Installation {
        put,
        layout,
        places: Places::new(&stem, layout),
        source,
        installed: Record::default(),
        has_elf: false,
        top_level: BTreeSet::new(),
    };
    installation.install_members(&mut archive)?;
    installation.install_scripts(&mut archive, &stem)?;
    let record = installation.finish_record(&stem)?;
    let Installation { has_elf, top_level, .. } = installation;
    Ok((Unpacked { name, version, has_elf, top_level: top_level.into_iter().collect() }, record))
}

/// Returns the names of all files, after a check that each is safe and unique.
fn check_members(archive: &Archive) -> Result<BTreeSet<String>, WheelError> {
    if archive.has_duplicate_names() {
        return Err(WheelError::DuplicateMember);
    }
    let mut members = BTreeSet::new();
    for name in archive.file_names() {
        let name = name.map_err(WheelError::Zip)?;
        check_path(name.strip_suffix('/').unwrap_or(&name))?;
        if !name.ends_with('/') {
            members.insert(name.into_owned());
        }
    }
    Ok(members)
}

fn check_path(path: &str) -> Result<(), WheelError> {
    let is_safe = path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\\', '\0']);
    if is_safe { Ok(()) } else { Err(WheelError::UnsafePath { member: path.to_owned() }) }
}

/// Returns `name-version` of the one `.dist-info` directory, after a check that it is that of the file's name.
fn dist_info_stem(file_name: &str, members: &BTreeSet<String>) -> Result<String, WheelError> {
    let wheel = WheelName::parse(file_name).ok_or_else(|| WheelError::FileName { file: file_name.to_owned() })?;
    let found: BTreeSet<&str> = members
        .iter()
        .filter_map(|member| member.split_once('/'))
        .filter_map(|(top, _)| top.strip_suffix(".dist-info"))
        .collect();
    let is_of_wheel = |stem: &str| {
        let (name, version) = stem.split_once('-').unwrap_or((stem, ""));
        normalize_name(name) == normalize_name(wheel.name) && is_same_version(version, wheel.version)
    };
    match found.first() {
        Some(stem) if found.len() == 1 && is_of_wheel(stem) => Ok((*stem).to_owned()),
        _ => Err(WheelError::DistInfo {
            file: file_name.to_owned(),
            found: found.into_iter().map(|stem| format!("`{stem}`")).collect(),
        }),
    }
}

fn check_wheel_version(archive: &mut Archive, stem: &str) -> Result<(), WheelError> {
    let member = format!("{stem}.dist-info/WHEEL");
    let bytes = read_required(archive, &member)?;
    match header(&bytes, "Wheel-Version") {
        Some(version) if version.split('.').next() == Some("1") => Ok(()),
        Some(version) => Err(WheelError::WheelVersion { version }),
        None => Err(WheelError::Metadata { member }),
    }
}

fn read_metadata(archive: &mut Archive, stem: &str) -> Result<(String, String), WheelError> {
    let member = format!("{stem}.dist-info/METADATA");
    let bytes = read_required(archive, &member)?;
    let name = header(&bytes, "Name").map(|name| normalize_name(&name));
    let stem_name = stem.split('-').next().map(normalize_name);
    match (name, header(&bytes, "Version")) {
        (Some(name), Some(version)) if Some(&name) == stem_name.as_ref() => Ok((name, version)),
        _ => Err(WheelError::Metadata { member }),
    }
}

/// Returns a header of an e-mail-like metadata file; the body after the first empty line does not count.
fn header(bytes: &[u8], wanted: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let headers = text.lines().take_while(|line| !line.trim().is_empty());
    let mut fields = headers.filter_map(|line| line.split_once(':'));
    fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
}

fn read_required(archive: &mut Archive, member: &str) -> Result<Vec<u8>, WheelError> {
    read_optional(archive, member)?.ok_or_else(|| WheelError::Metadata { member: member.to_owned() })
}

fn read_optional(archive: &mut Archive, member: &str) -> Result<Option<Vec<u8>>, WheelError> {
    match archive.by_name(member) {
        Ok(mut entry) => {
            let size = entry.size();
            read_all(&mut entry, size, member).map(Some)
        }
        Err(ZipError::FileNotFound) => Ok(None),
        Err(error) => Err(WheelError::Zip(error)),
    }
}

fn read_all(entry: &mut impl Read, size: u64, member: &str) -> Result<Vec<u8>, WheelError> {
    // What the archive says about sizes is no reason to take any amount of memory.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(MOST_AT_ONCE)).unwrap_or_default());
    entry.read_to_end(&mut bytes).map_err(|source| WheelError::Read { member: member.to_owned(), source })?;
    Ok(bytes)
}

fn check_nothing_missing(record: &Record, members: &BTreeSet<String>) -> Result<(), WheelError> {
    match record.paths().find(|path| !members.contains(*path)) {
        Some(path) => Err(WheelError::Missing { member: path.to_owned() }),
        None => Ok(()),
    }
}

/// Where a member goes.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A path below the prefix; the mode is the member's.
    File(String),
    /// A path below the prefix; executable, and its first line may be rewritten.
    Script(String),
    /// It is checked but not installed.
    Nowhere,
}

/// The table from the names in a wheel to paths below the prefix.
#[derive(Debug)]
struct Places {
    dist_info: String,
    headers: String,
    site_packages: String,
}

impl Places {
    fn new(stem: &str, layout: &Layout) -> Self {
        // The format does not say where headers go. As uv has it, whatever the wheel's own spelling is.
        let name = normalize_name(stem.split('-').next().unwrap_or(stem));
        Self {
            dist_info: format!("{stem}.dist-info/"),
            headers: format!("include/site/{}/{name}", layout.library),
            site_packages: layout.site_packages(),
        }
    }

    fn place(&self, member: &str) -> Result<Place, WheelError> {
        let is_in_dist_info = |names: &[&str]| {
            member.strip_prefix(&self.dist_info).is_some_and(|name| name == "RECORD" || names.contains(&name))
        };
        if is_in_dist_info(&NOT_INSTALLED) || is_bytecode(member) {
            return Ok(Place::Nowhere);
        }
        // As pip has it: the name before `.data` need not be spelt as that of `.dist-info`.
        let Some((_, rest)) = member.split_once('/').filter(|(top, _)| top.ends_with(".data")) else {
            return Ok(Place::File(format!("{}/{member}", self.site_packages)));
        };
        match rest.split_once('/') {
            Some(("purelib" | "platlib", path)) => Ok(Place::File(format!("{}/{path}", self.site_packages))),
            Some(("scripts", path)) => Ok(Place::Script(format!("bin/{path}"))),
            Some(("headers", path)) => Ok(Place::File(format!("{}/{path}", self.headers))),
            Some(("data", path)) => Ok(Place::File(path.to_owned())),
            _ => Err(WheelError::UnknownScheme { member: member.to_owned() }),
        }
    }
}

fn is_bytecode(member: &str) -> bool {
    member.ends_with(".pyc") && member.rsplit('/').nth(1) == Some("__pycache__")
}

struct Installation<'a> {
    put: &'a mut dyn FnMut(InstalledFile) -> io::Result<()>,
    layout: &'a Layout,
    places: Places,
    /// The wheel's own RECORD.
    source: Record,
    /// The RECORD of what was written.
    installed: Record,
    has_elf: bool,
    top_level: BTreeSet<String>,
}

impl Installation<'_> {
    fn install_members(&mut self, archive: &mut Archive) -> Result<(), WheelError> {
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(WheelError::Zip)?;
            let member = entry.name().map_err(WheelError::Zip)?.into_owned();
            let mode = entry.unix_mode().unwrap_or(0);
            if entry.is_dir() {
                continue;
            }
            if !is_regular(mode) {
                return Err(WheelError::NotAFile { member });
            }
            let size = entry.size();
            let bytes = read_all(&mut entry, size, &member)?;
            let row = self.check(&member, &bytes)?;
            match self.places.place(&member)? {
                Place::Nowhere => {}
                Place::File(path) => self.write_recorded(path, bytes, mode & 0o111 != 0, row)?,
                Place::Script(path) => self.write(path, rewrite_shebang(bytes, &self.layout.python()), true)?,
            }
        }
        Ok(())
    }

    /// Returns the row of a member that is what RECORD says. RECORD cannot list its own digest, and its signatures come
    /// after it.
    fn check(&self, member: &str, bytes: &[u8]) -> Result<Row, WheelError> {
        let name = member.strip_prefix(&self.places.dist_info).unwrap_or_default();
        if matches!(name, "RECORD" | "RECORD.jws" | "RECORD.p7s") {
            return Ok(Row::default());
        }
        let row = self.source.check(member, bytes).map_err(WheelError::Record)?;
        row.ok_or_else(|| WheelError::NotInRecord { member: member.to_owned() })
    }

    fn install_scripts(&mut self, archive: &mut Archive, stem: &str) -> Result<(), WheelError> {
        let member = format!("{stem}.dist-info/entry_points.txt");
        let Some(bytes) = read_optional(archive, &member)? else { return Ok(()) };
        let text = String::from_utf8(bytes).map_err(|_| WheelError::Metadata { member })?;
        for entry in parse_scripts(&text).map_err(WheelError::EntryPoints)? {
            let script = entry_point_script(&entry, &self.layout.python());
            self.write(format!("bin/{}", entry.name), script, true)?;
        }
        Ok(())
    }

    fn finish_record(&mut self, stem: &str) -> Result<InstalledRecord, WheelError> {
        let site_packages = self.places.site_packages.clone();
        let dir = format!("{site_packages}/{stem}.dist-info");
        self.write(format!("{dir}/INSTALLER"), b"vb\n".to_vec(), false)?;
        let mut record = std::mem::take(&mut self.installed);
        record.insert(format!("{stem}.dist-info/RECORD"), Row::default());
        Ok(InstalledRecord { path: format!("{dir}/RECORD"), site_packages, record })
    }

    fn write(&mut self, path: String, bytes: Vec<u8>, is_executable: bool) -> Result<(), WheelError> {
        let row = Row::of(&bytes);
        self.write_recorded(path, bytes, is_executable, row)
    }

    fn write_recorded(
        &mut self,
        path: String,
        bytes: Vec<u8>,
        is_executable: bool,
        row: Row,
    ) -> Result<(), WheelError> {
        check_path(&path)?;
        self.has_elf |= bytes.starts_with(b"\x7fELF");
        let site_packages = &self.places.site_packages;
        self.top_level.extend(below(site_packages, &path).and_then(importable_name));
        self.installed.insert(recorded(site_packages, &path), row);
        let mode = if is_executable { 0o755 } else { 0o644 };
        (self.put)(InstalledFile { path: path.clone(), bytes, mode }).map_err(|error| not_put(path, error))
    }
}

fn not_put(path: String, error: io::Error) -> WheelError {
    match error.kind() {
        io::ErrorKind::AlreadyExists => WheelError::DuplicateTarget { path },
        _ => WheelError::Write(error),
    }
}

fn write_below(target: &Path, file: &InstalledFile) -> io::Result<()> {
    let full = target.join(&file.path);
    let open = || fs_err::OpenOptions::new().write(true).create_new(true).mode(file.mode).open(&full);
    let mut opened = open().or_else(|error| make_parent(&full, error).and_then(|()| open()))?;
    opened.write_all(&file.bytes)?;
    // The mode of `open` is subject to the umask.
    opened.set_permissions(std::fs::Permissions::from_mode(file.mode))
}

/// Makes the directory of a file that could not be opened without it.
fn make_parent(file: &Path, error: io::Error) -> io::Result<()> {
    match file.parent() {
        Some(parent) if error.kind() == io::ErrorKind::NotFound => fs_err::create_dir_all(parent),
        _ => Err(error),
    }
}

/// Is a Unix mode that of a regular file, or one without a type (as some archivers write it)?
fn is_regular(mode: u32) -> bool {
    matches!(mode & 0o170_000, 0 | 0o100_000)
}

/// Returns the name by which a file below `site-packages` can be imported: its first component without suffixes.
fn importable_name(path: &str) -> Option<String> {
    let (name, is_package) = match path.split_once('/') {
        Some((top, _)) => (top, true),
        None => (path, false),
    };
    if is_package {
        let is_module = !name.contains(['.', '-']) && name != "__pycache__";
        return is_module.then(|| name.to_owned());
    }
    let is_module = name.ends_with(".py") || name.ends_with(".so");
    is_module.then(|| name.split('.').next().unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests;
