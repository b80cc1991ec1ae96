//! Reads what a `.deb` says about itself, be it one of vb's or a distribution's (deb(5)).
//!
//! Must not be here: writing its files anywhere.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use tar::EntryType;

use crate::{compress::decompress, contents::Hashed, maintainer::ScriptName};

/// One field of a control file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlField {
    /// Its name, as it is spelt there.
    pub name: String,
    /// Its value, without the space after the colon; continuation lines follow as they are, each after a line feed.
    pub value: String,
}

/// What an entry of a package is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DebEntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink {
        /// Its target.
        target: String,
    },
    /// Another name of a file that stands before it.
    HardLink {
        /// The path of that file.
        target: String,
    },
    /// A device or a pipe.
    Special,
}

/// One entry of a tar archive in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebEntry {
    /// The path as it stands in the archive: `./usr/bin/whois`, `./usr/`.
    pub path: String,
    /// What it is.
    pub kind: DebEntryKind,
    /// The permission bits.
    pub mode: u32,
    /// Its size in bytes.
    pub size: u64,
    /// The number of its owner.
    pub uid: u64,
    /// The number of its group.
    pub gid: u64,
    /// The name of its owner.
    pub owner: String,
    /// The name of its group.
    pub group: String,
    /// Its time, in seconds since 1970.
    pub mtime: u64,
    /// The SHA-256 of a regular file in hexadecimal digits.
    pub sha256: Option<String>,
}

/// A changelog up to this size is read.
const LARGEST_CHANGELOG: u64 = 4 << 20;

/// What a package says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebMetadata {
    /// The names of the members of the archive, in its order.
    pub members: Vec<String>,
    /// The fields of the control file, in its order.
    pub control: Vec<ControlField>,
    /// The lines of `md5sums`: path relative to the root to hexadecimal digits.
    pub md5sums: BTreeMap<String, String>,
    /// The lines of `conffiles`.
    pub conffiles: Vec<String>,
    /// The maintainer scripts.
    pub scripts: BTreeMap<ScriptName, Vec<u8>>,
    /// Every other file of the control member: `triggers`, `shlibs`, `templates`, `config`.
    pub other_control_files: BTreeMap<String, Vec<u8>>,
    /// The entries of the control member.
    pub control_entries: Vec<DebEntry>,
    /// The entries of the data member.
    pub entries: Vec<DebEntry>,
    /// The changelog, where it has one of a usual size.
    pub changelog: Option<String>,
}

impl DebMetadata {
    /// Returns the value of a field of the control file; the case of its name does not matter.
    pub fn field(&self, name: &str) -> Option<&str> {
        let field = self.control.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.map(|field| field.value.as_str())
    }
}

/// A package could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadDebError {
    /// The file could not be read, or is damaged.
    #[error("cannot read the package `{path}`")]
    Read {
        /// The package.
        path: PathBuf,
        /// What the file system or a decoder answered.
        #[source]
        source: io::Error,
    },
    /// The first member is not a `debian-binary` of version 2.
    #[error("`{path}` is not a package of format 2")]
    NotDeb {
        /// The file.
        path: PathBuf,
    },
    /// A member that every package has is absent.
    #[error("the package `{path}` has no member `{member}`")]
    NoMember {
        /// The package.
        path: PathBuf,
        /// The name of the member, without the extension of its compression.
        member: &'static str,
    },
    /// A member is compressed in a way that vb does not read.
    #[error("the package `{path}` has a member `{member}`, a compression that vb cannot read")]
    Compression {
        /// The package.
        path: PathBuf,
        /// The full name of the member.
        member: String,
    },
    /// A file of the control member is not what its format says.
    #[error("the package `{path}` has a malformed `{file}`")]
    Malformed {
        /// The package.
        path: PathBuf,
        /// The name of the file in the control member.
        file: &'static str,
    },
}

/// Reads the metadata of a package; of its files, paths, modes and digests but not the bytes.
///
/// # Errors
/// [`ReadDebError`] when the file is not a package, or damaged.
pub fn read_deb(path: &Path) -> Result<DebMetadata, ReadDebError> {
    read(path, Depth::Whole)
}

/// Like [`read_deb`], but does not unpack the files: [`DebMetadata::entries`] stays empty, whatever the package's size
/// the answer takes the same time.
///
/// # Errors
/// [`ReadDebError`] when the file is not a package, or damaged before its files begin.
pub fn read_deb_control(path: &Path) -> Result<DebMetadata, ReadDebError> {
    read(path, Depth::Control)
}

/// How much of a package is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Control,
    Whole,
}

fn read(path: &Path, depth: Depth) -> Result<DebMetadata, ReadDebError> {
    let cannot_read = |source| ReadDebError::Read { path: path.to_owned(), source };
    let file = fs_err::File::open(path).map_err(cannot_read)?;
    let mut archive = ar::Archive::new(BufReader::new(file));
    let mut metadata = DebMetadata::default();
    while let Some(member) = archive.next_entry() {
        let mut member = member.map_err(cannot_read)?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        if metadata.members.is_empty() {
            if name != "debian-binary" || !is_format_2(&mut member).map_err(cannot_read)? {
                return Err(ReadDebError::NotDeb { path: path.to_owned() });
            }
        } else if let Some(tar_member) = TarMember::of_name(&name)
            && (tar_member == TarMember::Control || depth == Depth::Whole)
        {
            let reader = decompress(&name, member).map_err(cannot_read)?;
            let reader =
                reader.ok_or_else(|| ReadDebError::Compression { path: path.to_owned(), member: name.clone() })?;
            let (entries, files) = read_tar(reader, tar_member).map_err(cannot_read)?;
            match tar_member {
                TarMember::Data => {
                    metadata.changelog = changelog_of(&files);
                    metadata.entries = entries;
                }
                TarMember::Control => {
                    metadata.control_entries = entries;
                    take_control_files(files, &mut metadata)
                        .map_err(|file| ReadDebError::Malformed { path: path.to_owned(), file })?;
                }
            }
        }
        metadata.members.push(name);
    }
    for (wanted, member) in [(TarMember::Control, "control.tar"), (TarMember::Data, "data.tar")] {
        if !metadata.members.iter().any(|name| TarMember::of_name(name) == Some(wanted)) {
            return Err(ReadDebError::NoMember { path: path.to_owned(), member });
        }
    }
    Ok(metadata)
}

/// What a tar archive is in a package.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TarMember {
    /// What describes the package.
    Control,
    /// Its files.
    Data,
}

impl TarMember {
    fn of_name(name: &str) -> Option<Self> {
        let has_stem = |stem| name.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        match () {
            () if has_stem("control.tar") => Some(Self::Control),
            () if has_stem("data.tar") => Some(Self::Data),
            () => None,
        }
    }
}

/// Later minor versions and lines are to be accepted.
fn is_format_2(member: &mut impl Read) -> io::Result<bool> {
    let mut start = Vec::new();
    member.take(2).read_to_end(&mut start)?;
    Ok(start == b"2.")
}

type Files = BTreeMap<String, Vec<u8>>;

/// Returns the entries of a tar member and, for the control member, the bytes of its files by name.
pub(crate) fn read_tar(reader: impl Read, member: TarMember) -> io::Result<(Vec<DebEntry>, Files)> {
    let (mut entries, mut files, mut sink) = (Vec::new(), Files::new(), io::sink());
    for entry in tar::Archive::new(reader).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let mut described = describe(&entry)?;
        if described.kind == DebEntryKind::File {
            let mut content = Vec::new();
            let is_kept = member == TarMember::Control || is_changelog(&described);
            let mut hashed = match is_kept {
                true => Hashed::new(&mut content as &mut dyn Write),
                false => Hashed::new(&mut sink as &mut dyn Write),
            };
            io::copy(&mut entry, &mut hashed)?;
            described.sha256 = Some(hashed.digest().0);
            if is_kept {
                files.insert(described.path.trim_start_matches("./").to_owned(), content);
            }
        }
        entries.push(described);
    }
    Ok((entries, files))
}

/// Is it a changelog, as Debian Policy 12.7 has them?
fn is_changelog(entry: &DebEntry) -> bool {
    let path = entry.path.trim_start_matches("./");
    let name = path.strip_prefix("usr/share/doc/").and_then(|path| path.split_once('/'));
    name.is_some_and(|(_, name)| name.starts_with("changelog")) && entry.size <= LARGEST_CHANGELOG
}

/// Returns the packaging's changelog among the files of a data member; where there are two, the upstream one is another.
pub(crate) fn changelog_of(files: &Files) -> Option<String> {
    let is_packaging = |path: &&String| path.contains("/changelog.Debian");
    let path = files.keys().find(is_packaging).or_else(|| files.keys().next())?;
    let content = &files[path];
    let mut text = Vec::new();
    match path.ends_with(".gz") {
        true => flate2::read::MultiGzDecoder::new(content.as_slice())
            .take(LARGEST_CHANGELOG)
            .read_to_end(&mut text)
            .map(drop)
            .ok()?,
        false => text.clone_from(content),
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn describe(entry: &tar::Entry<'_, impl Read>) -> io::Result<DebEntry> {
    let header = entry.header();
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let target = || text(entry.link_name_bytes().as_deref());
    Ok(DebEntry {
        path: text(Some(&entry.path_bytes())),
        kind: match header.entry_type() {
            EntryType::Directory => DebEntryKind::Directory,
            EntryType::Symlink => DebEntryKind::Symlink { target: target() },
            EntryType::Link => DebEntryKind::HardLink { target: target() },
            EntryType::Char | EntryType::Block | EntryType::Fifo => DebEntryKind::Special,
            _ => DebEntryKind::File,
        },
        mode: header.mode()?,
        size: entry.size(),
        uid: header.uid()?,
        gid: header.gid()?,
        owner: text(header.username_bytes()),
        group: text(header.groupname_bytes()),
        mtime: header.mtime()?,
        sha256: None,
    })
}

/// Sorts the files of a control member into the metadata; an error is the name of one that is malformed.
fn take_control_files(mut files: Files, metadata: &mut DebMetadata) -> Result<(), &'static str> {
    let mut text = |name: &'static str| match files.remove(name) {
        Some(content) => String::from_utf8(content).map(Some).map_err(|_| name),
        None => Ok(None),
    };
    metadata.control = text("control")?.and_then(|text| parse_control(&text)).ok_or("control")?;
    metadata.md5sums = parse_md5sums(&text("md5sums")?.unwrap_or_default()).ok_or("md5sums")?;
    metadata.conffiles = text("conffiles")?.unwrap_or_default().lines().map(str::to_owned).collect();
    for (name, content) in files {
        match ScriptName::from_file_name(&name) {
            Some(script) => metadata.scripts.insert(script, content),
            None => metadata.other_control_files.insert(name, content),
        };
    }
    Ok(())
}

fn parse_control(text: &str) -> Option<Vec<ControlField>> {
    let mut fields: Vec<ControlField> = Vec::new();
    for line in text.trim_end().lines() {
        if line.starts_with([' ', '\t']) {
            let field = fields.last_mut()?;
            field.value.push('\n');
            field.value.push_str(line);
        } else {
            let (name, value) = line.split_once(':')?;
            fields.push(ControlField { name: name.to_owned(), value: value.trim().to_owned() });
        }
    }
    Some(fields)
}

/// A line is 32 hexadecimal digits, a space, a space or asterisk, and a path.
fn parse_md5sums(text: &str) -> Option<BTreeMap<String, String>> {
    let parse_line = |line: &str| {
        let (sum, path) = line.split_at_checked(32)?;
        let path = path.strip_prefix("  ").or_else(|| path.strip_prefix(" *"))?;
        let is_sum = sum.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_sum.then(|| (path.to_owned(), sum.to_owned()))
    };
    text.lines().map(parse_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> ControlField {
        ControlField { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn control_fields_keep_their_order_and_continuations() {
        let fields = parse_control("Package: x\nDepends:a,\n b\nDescription: s\n .\n  v\n\n").unwrap();
        let expect = [field("Package", "x"), field("Depends", "a,\n b"), field("Description", "s\n .\n  v")];
        assert_eq!(fields, expect);
    }

    #[test]
    fn text_that_is_no_control_file_is_refused() {
        for text in [" continued\n", "Package\n", "Package: x\n\nVersion: 1\n"] {
            assert_eq!(parse_control(text), None, "{text:?}");
        }
    }

    #[test]
    fn lines_of_md5sums_are_a_sum_and_a_path() {
        let sum = "d41d8cd98f00b204e9800998ecf8427e";
        let sums = parse_md5sums(&format!("{sum}  usr/a b\n{sum} *usr/c\n")).unwrap();
        assert_eq!(sums, [("usr/a b", sum), ("usr/c", sum)].map(|(path, sum)| (path.into(), sum.into())).into());
        for text in ["x  usr/a", &format!("{sum} usr/a"), &format!("{}  a", sum.replace('d', "g"))] {
            assert_eq!(parse_md5sums(text), None, "{text:?}");
        }
    }

    fn archive(members: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut builder = ar::Builder::new(file.as_file());
        for (name, content) in members {
            builder.append(&ar::Header::new(name.as_bytes().to_vec(), content.len() as u64), *content).unwrap();
        }
        file
    }

    fn message(members: &[(&str, &[u8])]) -> String {
        let file = archive(members);
        let error = read_deb(file.path()).unwrap_err();
        error.to_string().replace(&file.path().display().to_string(), "x.deb")
    }

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = crate::tarball::TarWriter::new(Vec::new(), 1).unwrap();
        for (name, content) in files {
            writer.file(name, 0o644, content).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn files_that_are_no_package_are_refused() {
        let (binary, control) = (("debian-binary", &b"2.0\n"[..]), tar_of(&[("control", b"Package: x\n")]));
        let (control, broken) = (("control.tar", &control[..]), tar_of(&[("control", b"Package\n")]));
        assert_eq!(message(&[("debian-binary", b"3.0\n")]), "`x.deb` is not a package of format 2");
        assert_eq!(message(&[control]), "`x.deb` is not a package of format 2");
        assert_eq!(message(&[binary]), "the package `x.deb` has no member `control.tar`");
        assert_eq!(message(&[binary, control]), "the package `x.deb` has no member `data.tar`");
        assert_eq!(
            message(&[binary, control, ("data.tar.bz2", b"")]),
            "the package `x.deb` has a member `data.tar.bz2`, a compression that vb cannot read"
        );
        assert_eq!(message(&[binary, control, ("data.tar.xz", b"x")]), "cannot read the package `x.deb`");
        assert_eq!(message(&[binary, ("control.tar", &broken)]), "the package `x.deb` has a malformed `control`");
        assert_eq!(message(&[binary, ("control.tar", &tar_of(&[]))]), "the package `x.deb` has a malformed `control`");
    }

    #[test]
    fn unknown_members_and_uncompressed_ones_are_accepted() {
        let tar = tar_of(&[("control", b"Package: x\n"), ("shlibs", b"libx 1 x\n")]);
        let data = tar_of(&[("f", b"")]);
        let members =
            [("debian-binary", &b"2.1\nmore\n"[..]), ("control.tar", &tar), ("_gpgorigin", b"x"), ("data.tar", &data)];
        let metadata = read_deb(archive(&members).path()).unwrap();
        assert_eq!(metadata.members, ["debian-binary", "control.tar", "_gpgorigin", "data.tar"]);
        assert_eq!(metadata.field("PACKAGE"), Some("x"));
        assert_eq!(metadata.field("Version"), None);
        assert_eq!(metadata.other_control_files["shlibs"], b"libx 1 x\n");
        assert_eq!(metadata.entries.len(), 2);
    }
}
