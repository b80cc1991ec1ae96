//! A package in memory, with one of everything.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
};

use vb_graph::{BlobDigest, Compression, Format, PackageSpec};
use vb_package::{
    Content, Entry, FileTree, MaintainerFiles, Resources, ScriptName, SegmentCache, WritePackageError, Written,
    write_deb, write_rpm, write_tar,
};

pub(crate) const EPOCH: u64 = 1_700_000_000;
/// What all entries outside of the application's own directory have: 2000-01-01.
pub(crate) const ENVIRONMENT_TIME: u64 = 946_684_800;

/// The size of [`zeros`]: more than 32 bits can say.
pub(crate) const LARGE: u64 = (4 << 30) + 1;

/// Names a file of [`LARGE`] zeros. It is not the digest of its bytes, which nobody computes here.
pub(crate) fn zeros() -> BlobDigest {
    BlobDigest::of(b"zeros")
}

/// A package in memory.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) spec: PackageSpec,
    pub(crate) entries: Vec<Entry>,
    pub(crate) blobs: BTreeMap<BlobDigest, Vec<u8>>,
    pub(crate) maintainer: MaintainerFiles,
}

impl Fixture {
    pub(crate) fn empty(compression: Compression) -> Self {
        let spec = PackageSpec {
            format: Format::Deb,
            name: "vrmd-whois".into(),
            version: "1:1.2.3-1".into(),
            native_architecture: "amd64".into(),
            maintainer: "Ops <ops@example.org>".into(),
            section: "web".into(),
            priority: "optional".into(),
            homepage: None,
            license: None,
            summary: "whois over the web".into(),
            description: vec!["Looks up names.".into()],
            depends: vec!["python3.11".into()],
            compression,
            epoch: EPOCH,
            application: "/vrmd/whois/whois".into(),
            vcs: BTreeMap::new(),
            has_bill: false,
            companions: vec![],
            changelog: None,
            lifecycle: Box::default(),
        };
        Self { spec, entries: vec![], blobs: BTreeMap::new(), maintainer: MaintainerFiles::default() }
    }

    /// A package with one of everything.
    pub(crate) fn full(compression: Compression) -> Self {
        let mut fixture = Self::empty(compression);
        fixture.file("vrmd/whois/bin/whois-app", 0o755, b"#!/vrmd/whois/bin/python\n");
        fixture.link("vrmd/whois/bin/python", "/usr/bin/python3.11");
        fixture.file("vrmd/whois/whois/empty.py", 0o644, b"");
        fixture.file("vrmd/whois/whois/secret", 0o600, b"x");
        fixture.file("vrmd/whois/whois/\u{151}ri.txt", 0o644, "\u{151}ri\n".as_bytes());
        fixture.file(&format!("vrmd/whois/{}/{}.py", "d".repeat(90), "f".repeat(80)), 0o644, b"long\n");
        fixture.link("vrmd/whois/long", &format!("/{}", "t".repeat(180)));
        fixture.add("vrmd/whois/log", 0o2775, Content::Directory);
        fixture.file("etc/whois/app.yaml", 0o640, b"port: 8080\n");
        fixture.file("srv/whois.conf", 0o644, b"a=b\n");
        fixture.maintainer.scripts.insert(ScriptName::Postinst, b"#!/bin/sh\nset -e\n".to_vec());
        fixture.maintainer.scripts.insert(ScriptName::Prerm, b"#!/bin/sh\nexit 0\n".to_vec());
        fixture.maintainer.triggers = Some("interest-noawait /usr/bin/python3.11\n".into());
        fixture.maintainer.conffiles.push("/srv/whois.conf".into());
        fixture
    }

    pub(crate) fn add(&mut self, path: &str, mode: u32, content: Content) {
        self.entries.push(Entry { path: path.to_owned(), mode, content });
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        let blob = BlobDigest::of(bytes);
        self.blobs.insert(blob, bytes.to_vec());
        self.add(path, mode, Content::File { blob, size: bytes.len() as u64 });
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.add(path, 0o777, Content::Symlink { target: target.to_owned() });
    }

    pub(crate) fn write(&self, threads: usize, directory: &Path) -> Result<Written, WritePackageError> {
        self.write_with(Resources { threads, cache: SegmentCache::none() }, directory)
    }

    fn write_with(&self, resources: Resources<'_>, directory: &Path) -> Result<Written, WritePackageError> {
        let tree = FileTree::from_entries(self.entries.clone()).unwrap();
        let open = |blob: &BlobDigest, start: u64| match self.blobs.get(blob) {
            Some(bytes) => {
                let bytes = bytes.get(usize::try_from(start).unwrap()..).unwrap_or_default().to_vec();
                Ok(Box::new(io::Cursor::new(bytes)) as Box<dyn Read>)
            }
            // A large file of zeros, which nobody has in memory.
            None if *blob == zeros() => Ok(Box::new(io::repeat(0).take(LARGE - start)) as Box<dyn Read>),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let write = match self.spec.format {
            Format::Deb => write_deb,
            Format::Rpm => write_rpm,
            Format::Tar => write_tar,
        };
        write(&self.spec, &tree, &self.maintainer, &open, resources, directory)
    }

    pub(crate) fn to_bytes_with(&self, cache: SegmentCache<'_>) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let written = self.write_with(Resources { threads: 1, cache }, directory.path()).unwrap();
        fs_err::read(directory.path().join(written.file_name)).unwrap()
    }

    pub(crate) fn to_bytes(&self, threads: usize) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let written = self.write(threads, directory.path()).unwrap();
        fs_err::read(directory.path().join(written.file_name)).unwrap()
    }

    pub(crate) fn error(&self) -> WritePackageError {
        let directory = tempfile::tempdir().unwrap();
        let error = self.write(1, directory.path()).unwrap_err();
        let left = fs_err::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 0, "a failed write left files behind");
        error
    }
}

/// The first bytes of a 64-bit little-endian ELF file.
pub(crate) fn elf(machine: u8) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    (bytes[16], bytes[18]) = (3, machine);
    bytes
}
