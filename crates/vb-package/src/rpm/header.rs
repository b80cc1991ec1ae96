//! The headers of an `.rpm` (rpm-format(5), format 4): what rpm 4.14 and later read and verify.
//!
//! The signature header has the SHA-256 of the header and room for a signature; the header has the SHA-256 of the
//! compressed payload and of every file. Digests that are older than SHA-256 are left out: rpm since 4.14 does
//! without, and a system that refuses SHA-1 would refuse the package.

use rpm::{
    Dependency, DependencyFlags, FileFlags, Header, HeaderEntry, IndexData, IndexSignatureTag, IndexTag, Lead,
    PackageMetadata,
};
use sha2::{Digest, Sha256};
use vb_graph::{Compression, PackageSpec};

use super::{
    cpio::CpioFormat,
    scriptlet::requires_of,
    trigger::{Family, PRIORITY},
    version::RpmVersion,
};
use crate::maintainer::MaintainerFiles;

/// What rpm itself reserves: a signature of 4 KiB and its index entry. A signature is put there without moving anything.
const RESERVED: usize = 4128;
const SHA256: u32 = 8;
const NO_LICENSE: &str = "Unspecified";
/// There is no machine and no rpm that the package was built on.
const BUILDER: &str = "vb";
const VERIFY_ALL: u32 = u32::MAX;

/// One path of the package, as the header tells it.
#[derive(Clone, Debug)]
pub(crate) struct FileRecord {
    /// The absolute path.
    pub(crate) path: String,
    /// Type and permission bits.
    pub(crate) mode: u16,
    pub(crate) mtime: u32,
    pub(crate) size: u64,
    /// The SHA-256 of a regular file in hexadecimal digits, or nothing.
    pub(crate) digest: String,
    /// The target of a symbolic link, or nothing.
    pub(crate) target: String,
    pub(crate) flags: FileFlags,
    pub(crate) owner: String,
    pub(crate) group: String,
}

/// What the payload turned out to be.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) format: CpioFormat,
    pub(crate) plain_size: u64,
    pub(crate) size: u64,
    /// The SHA-256 of its compressed bytes in hexadecimal digits.
    pub(crate) digest: String,
}

/// What the headers are made of.
#[derive(Debug)]
pub(crate) struct Package<'a> {
    pub(crate) spec: &'a PackageSpec,
    pub(crate) evr: RpmVersion,
    /// rpm's name of the architecture, or `noarch`.
    pub(crate) architecture: &'a str,
    pub(crate) maintainer: &'a MaintainerFiles,
    /// What is needed beside what the format and the scripts need.
    pub(crate) requires: Vec<Dependency>,
    pub(crate) files: Vec<FileRecord>,
    pub(crate) payload: Payload,
}

impl Package<'_> {
    /// Makes lead, signature header and header.
    pub(crate) fn to_metadata(&self) -> Result<PackageMetadata, rpm::Error> {
        let mut entries = Entries::default();
        self.identity(&mut entries);
        self.description(&mut entries);
        self.relations(&mut entries);
        self.scripts(&mut entries);
        self.triggers(&mut entries);
        self.changelog(&mut entries);
        self.paths(&mut entries);
        self.attributes(&mut entries);
        self.payload(&mut entries);
        let header = Header::from_entries(entries.0, IndexTag::RPMTAG_HEADERIMMUTABLE);
        let lead = Lead::new(&format!("{}-{}", self.spec.name, self.evr.without_epoch()));
        let unsigned = Header::from_entries([], IndexSignatureTag::HEADER_SIGNATURES);
        let mut metadata = PackageMetadata { lead, signature: unsigned, header };
        metadata.signature = self.signature(&metadata.header_bytes()?);
        Ok(metadata)
    }

    fn signature(&self, header: &[u8]) -> Header<IndexSignatureTag> {
        use IndexSignatureTag as Tag;
        let mut entries = Entries::default();
        let size = header.len() as u64 + self.payload.size;
        entries.size(Tag::RPMSIGTAG_SIZE as u32, Tag::RPMSIGTAG_LONGSIZE as u32, size);
        let plain = self.payload.plain_size;
        entries.size(Tag::RPMSIGTAG_PAYLOADSIZE as u32, Tag::RPMSIGTAG_LONGARCHIVESIZE as u32, plain);
        let digest = hex::encode(Sha256::digest(header));
        entries.0.push(HeaderEntry::new(Tag::RPMSIGTAG_SHA256 as u32, IndexData::StringTag(digest)));
        entries.0.push(HeaderEntry::new(Tag::RPMSIGTAG_RESERVEDSPACE as u32, IndexData::Bin(vec![0; RESERVED])));
        Header::from_entries(entries.0, Tag::HEADER_SIGNATURES)
    }

    fn identity(&self, entries: &mut Entries) {
        let Self { spec, evr, architecture, .. } = self;
        entries.text(IndexTag::RPMTAG_NAME, &spec.name);
        entries.text(IndexTag::RPMTAG_VERSION, &evr.version);
        entries.text(IndexTag::RPMTAG_RELEASE, &evr.release);
        entries.numbers(IndexTag::RPMTAG_EPOCH, evr.epoch);
        entries.text(IndexTag::RPMTAG_ARCH, architecture);
        entries.text(IndexTag::RPMTAG_OS, "linux");
        entries.text(IndexTag::RPMTAG_ENCODING, "utf-8");
        // A package without the name of its source package would be taken for one itself.
        let source = format!("{}-{}.src.rpm", spec.name, evr.without_epoch());
        entries.text(IndexTag::RPMTAG_SOURCERPM, &source);
        entries.numbers(IndexTag::RPMTAG_BUILDTIME, [to_time(spec.epoch)]);
        entries.text(IndexTag::RPMTAG_BUILDHOST, BUILDER);
        entries.text(IndexTag::RPMTAG_RPMVERSION, BUILDER);
    }

    fn description(&self, entries: &mut Entries) {
        let spec = self.spec;
        entries.words(IndexTag::RPMTAG_HEADERI18NTABLE, ["C".to_owned()]);
        entries.translated(IndexTag::RPMTAG_SUMMARY, &spec.summary);
        entries.translated(IndexTag::RPMTAG_DESCRIPTION, &spec.description.join("\n"));
        entries.translated(IndexTag::RPMTAG_GROUP, "Unspecified");
        entries.text(IndexTag::RPMTAG_LICENSE, spec.license.as_deref().unwrap_or(NO_LICENSE));
        entries.text(IndexTag::RPMTAG_PACKAGER, &spec.maintainer);
        if let Some(homepage) = &spec.homepage {
            entries.text(IndexTag::RPMTAG_URL, homepage);
        }
        if let Some((kind, place)) = spec.vcs.iter().find(|(kind, _)| *kind != "Browser") {
            entries.text(IndexTag::RPMTAG_VCS, &format!("{}:{place}", kind.to_lowercase()));
        }
    }

    fn relations(&self, entries: &mut Entries) {
        use IndexTag as Tag;
        let name = &self.spec.name;
        let evr = self.evr.to_string();
        let mut provides = vec![Dependency::eq(name, &evr)];
        if self.architecture != "noarch" {
            provides.push(Dependency::eq(format!("{name}({})", isa(self.architecture)), &evr));
        }
        let mut requires = self.requires.clone();
        requires.extend(self.features());
        for (name, script) in &self.maintainer.scriptlets {
            requires.extend(requires_of(name.when(), script));
        }
        for trigger in &self.maintainer.rpm_triggers {
            requires.extend(requires_of(DependencyFlags::empty(), &trigger.script));
        }
        let provide_tags = [Tag::RPMTAG_PROVIDENAME, Tag::RPMTAG_PROVIDEFLAGS, Tag::RPMTAG_PROVIDEVERSION];
        entries.dependencies(provide_tags, provides);
        let require_tags = [Tag::RPMTAG_REQUIRENAME, Tag::RPMTAG_REQUIREFLAGS, Tag::RPMTAG_REQUIREVERSION];
        entries.dependencies(require_tags, requires);
    }

    /// Returns the features of rpm without which it could not read the package.
    fn features(&self) -> Vec<Dependency> {
        let mut features =
            vec![("CompressedFileNames", "3.0.4-1"), ("FileDigests", "4.6.0-1"), ("PayloadFilesHavePrefix", "4.0-1")];
        match self.spec.compression {
            Compression::Xz => features.push(("PayloadIsXz", "5.2-1")),
            Compression::Zstd => features.push(("PayloadIsZstd", "5.4.18-1")),
            Compression::Gzip => {}
        }
        if self.payload.format == CpioFormat::Stripped {
            features.push(("LargeFiles", "4.12.0-1"));
        }
        let versions = self.requires.iter().map(|dependency| dependency.version.as_str());
        if versions.chain([self.evr.to_string().as_str()]).any(|version| version.contains('~')) {
            features.push(("TildeInVersions", "4.10.0-1"));
        }
        if self.requires.iter().any(|dependency| super::relation::is_rich_name(&dependency.name)) {
            features.push(("RichDependencies", "4.12.0-1"));
        }
        features.into_iter().map(|(name, version)| Dependency::rpmlib(name, version)).collect()
    }

    fn scripts(&self, entries: &mut Entries) {
        for (name, script) in &self.maintainer.scriptlets {
            let (text_tag, program_tag) = name.tags();
            entries.text(text_tag, &script.text);
            match script.program.as_slice() {
                [program] => entries.text(program_tag, program),
                program => entries.words(program_tag, program.iter().cloned()),
            }
        }
    }

    fn triggers(&self, entries: &mut Entries) {
        for family in Family::ALL {
            let tags = family.tags();
            let triggers = || self.maintainer.rpm_triggers.iter().filter(|trigger| trigger.family == family);
            entries.words(tags.scripts, triggers().map(|trigger| trigger.script.text.clone()));
            entries.words(tags.programs, triggers().flat_map(|trigger| trigger.script.program.iter().cloned()));
            if let Some(priorities) = tags.priorities {
                entries.numbers(priorities, triggers().map(|_| PRIORITY));
            }
            let conditions: Vec<(&str, &str, u32, u32)> = (0..)
                .zip(triggers())
                .flat_map(|(index, trigger)| {
                    trigger.conditions().map(move |(name, version, flags)| (name, version, flags, index))
                })
                .collect();
            let [names, versions, flags, indices] = tags.conditions;
            entries.words(names, conditions.iter().map(|condition| condition.0.to_owned()));
            entries.words(versions, conditions.iter().map(|condition| condition.1.to_owned()));
            entries.numbers(flags, conditions.iter().map(|condition| condition.2));
            entries.numbers(indices, conditions.iter().map(|condition| condition.3));
        }
    }

    fn changelog(&self, entries: &mut Entries) {
        let changes = &self.maintainer.changelog;
        entries.numbers(IndexTag::RPMTAG_CHANGELOGTIME, changes.iter().map(|change| to_time(change.time)));
        entries.words(IndexTag::RPMTAG_CHANGELOGNAME, changes.iter().map(|change| change.author.clone()));
        entries.words(IndexTag::RPMTAG_CHANGELOGTEXT, changes.iter().map(|change| change.text.clone()));
    }

    /// Writes the paths, each divided into its directory and its name.
    fn paths(&self, entries: &mut Entries) {
        let (mut directories, mut indices, mut names) = (Vec::<String>::new(), Vec::new(), Vec::new());
        for file in &self.files {
            let (directory, name) = file.path.rsplit_once('/').expect("paths are absolute");
            let directory = format!("{directory}/");
            // The paths are sorted, but what is below a directory can stand between two of its files.
            let known = directories.iter().rposition(|known| *known == directory);
            let index = known.unwrap_or_else(|| {
                directories.push(directory);
                directories.len() - 1
            });
            indices.push(to_index(index));
            names.push(name.to_owned());
        }
        entries.numbers(IndexTag::RPMTAG_DIRINDEXES, indices);
        entries.words(IndexTag::RPMTAG_BASENAMES, names);
        entries.words(IndexTag::RPMTAG_DIRNAMES, directories);
    }

    fn attributes(&self, entries: &mut Entries) {
        use IndexTag as Tag;
        let files = &self.files;
        let sizes: Vec<u64> = files.iter().map(|file| file.size).collect();
        match sizes.iter().map(|size| u32::try_from(*size)).collect::<Result<Vec<u32>, _>>() {
            Ok(sizes) => entries.numbers(Tag::RPMTAG_FILESIZES, sizes),
            Err(_) => entries.long_numbers(Tag::RPMTAG_LONGFILESIZES, sizes.clone()),
        }
        let installed = sizes.iter().sum();
        entries.size(Tag::RPMTAG_SIZE as u32, Tag::RPMTAG_LONGSIZE as u32, installed);
        entries.short_numbers(Tag::RPMTAG_FILEMODES, files.iter().map(|file| file.mode));
        entries.short_numbers(Tag::RPMTAG_FILERDEVS, files.iter().map(|_| 0));
        entries.numbers(Tag::RPMTAG_FILEMTIMES, files.iter().map(|file| file.mtime));
        entries.words(Tag::RPMTAG_FILEDIGESTS, files.iter().map(|file| file.digest.clone()));
        entries.words(Tag::RPMTAG_FILELINKTOS, files.iter().map(|file| file.target.clone()));
        entries.numbers(Tag::RPMTAG_FILEFLAGS, files.iter().map(|file| file.flags.bits()));
        entries.words(Tag::RPMTAG_FILEUSERNAME, files.iter().map(|file| file.owner.clone()));
        entries.words(Tag::RPMTAG_FILEGROUPNAME, files.iter().map(|file| file.group.clone()));
        entries.numbers(Tag::RPMTAG_FILEVERIFYFLAGS, files.iter().map(|_| VERIFY_ALL));
        entries.numbers(Tag::RPMTAG_FILEDEVICES, files.iter().map(|_| 1));
        entries.numbers(Tag::RPMTAG_FILEINODES, (1..).take(files.len()));
        entries.words(Tag::RPMTAG_FILELANGS, files.iter().map(|_| String::new()));
        entries.numbers(Tag::RPMTAG_FILEDIGESTALGO, [SHA256]);
    }

    fn payload(&self, entries: &mut Entries) {
        let (compressor, level) = match self.spec.compression {
            Compression::Xz => ("xz", "6"),
            Compression::Gzip => ("gzip", "9"),
            Compression::Zstd => ("zstd", "9"),
        };
        entries.text(IndexTag::RPMTAG_PAYLOADFORMAT, "cpio");
        entries.text(IndexTag::RPMTAG_PAYLOADCOMPRESSOR, compressor);
        entries.text(IndexTag::RPMTAG_PAYLOADFLAGS, level);
        entries.words(IndexTag::RPMTAG_PAYLOADSHA256, [self.payload.digest.clone()]);
        entries.numbers(IndexTag::RPMTAG_PAYLOADSHA256ALGO, [SHA256]);
    }
}

/// Collects the entries of a header. A list of nothing is left out: rpm refuses an entry without a value.
#[derive(Debug, Default)]
struct Entries(Vec<HeaderEntry>);

impl Entries {
    fn push(&mut self, tag: IndexTag, data: IndexData) {
        self.0.push(HeaderEntry::new(tag as u32, data));
    }

    fn text(&mut self, tag: IndexTag, text: &str) {
        self.push(tag, IndexData::StringTag(text.to_owned()));
    }

    fn translated(&mut self, tag: IndexTag, text: &str) {
        self.push(tag, IndexData::I18NString(vec![text.to_owned()]));
    }

    fn words(&mut self, tag: IndexTag, words: impl IntoIterator<Item = String>) {
        let words: Vec<String> = words.into_iter().collect();
        if !words.is_empty() {
            self.push(tag, IndexData::StringArray(words));
        }
    }

    fn short_numbers(&mut self, tag: IndexTag, numbers: impl IntoIterator<Item = u16>) {
        let numbers: Vec<u16> = numbers.into_iter().collect();
        if !numbers.is_empty() {
            self.push(tag, IndexData::Int16(numbers));
        }
    }

    fn numbers(&mut self, tag: IndexTag, numbers: impl IntoIterator<Item = u32>) {
        let numbers: Vec<u32> = numbers.into_iter().collect();
        if !numbers.is_empty() {
            self.push(tag, IndexData::Int32(numbers));
        }
    }

    fn long_numbers(&mut self, tag: IndexTag, numbers: Vec<u64>) {
        self.push(tag, IndexData::Int64(numbers));
    }

    /// Writes a size under one tag when it has 32 bits, under another when it has more.
    fn size(&mut self, short: u32, long: u32, size: u64) {
        self.0.push(match u32::try_from(size) {
            Ok(size) => HeaderEntry::new(short, IndexData::Int32(vec![size])),
            Err(_) => HeaderEntry::new(long, IndexData::Int64(vec![size])),
        });
    }

    fn dependencies(&mut self, tags: [IndexTag; 3], mut dependencies: Vec<Dependency>) {
        let key = |one: &Dependency| (one.name.clone(), one.version.clone(), one.flags.bits());
        dependencies.sort_by_key(key);
        dependencies.dedup_by_key(|one| key(one));
        let [names, flags, versions] = tags;
        self.words(names, dependencies.iter().map(|one| one.name.clone()));
        self.numbers(flags, dependencies.iter().map(|one| DependencyFlags::bits(&one.flags)));
        self.words(versions, dependencies.iter().map(|one| one.version.clone()));
    }
}

/// Returns what stands in `name(x86-64)`: rpm has a name of its own for each instruction set.
fn isa(architecture: &str) -> String {
    match architecture {
        "x86_64" => "x86-64".to_owned(),
        "i686" => "x86-32".to_owned(),
        "aarch64" => "aarch-64".to_owned(),
        "ppc64" | "ppc64le" => "ppc-64".to_owned(),
        "riscv64" => "riscv-64".to_owned(),
        "s390x" => "s390-64".to_owned(),
        "armv7hl" | "armv5tel" => format!("{architecture}-32"),
        other => other.to_owned(),
    }
}

/// A time after 2106 is no time of a source; the fields were checked before.
fn to_time(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

fn to_index(index: usize) -> u32 {
    u32::try_from(index).expect("a package has fewer directories than a header can hold")
}
