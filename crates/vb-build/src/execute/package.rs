//! The package, out of a staged tree and the files of its source's `debian/` and `rpm/`.

use std::{
    io::{self, Cursor, Read},
    path::Path,
    sync::{Mutex, PoisonError},
};

use fs_err as fs;
use vb_graph::{BlobDigest, DirectoryDigest, Format, Node, PackageSpec};
use vb_package::{
    Content, Entry, FileTree, FlattenError, LeakPattern, MaintainerFiles, Resources, SegmentCache, write_deb,
    write_rpm, write_tar,
};
use vb_store::{BlobError, Store};

use crate::{PRIVATE_DIRECTORY, build::Mode, builder::Builder, error::ExecuteError, inputs::Inputs};

/// Returns the place of a file of `debian/` that users can read: under `/usr/share/doc` (Debian Policy, 12.5 and 12.7),
/// and in an `.rpm` the licence among the licences. The changelog of an `.rpm` is in its header.
fn document_path(spec: &PackageSpec, name: &str) -> Option<String> {
    let is_native = !spec.version.contains('-');
    let (directory, name) = match (name, spec.format) {
        ("copyright", Format::Rpm) => ("licenses", "copyright"),
        ("copyright", _) => ("doc", "copyright"),
        ("changelog", Format::Rpm) => return None,
        ("changelog", _) if is_native => ("doc", "changelog.gz"),
        ("changelog", _) => ("doc", "changelog.Debian.gz"),
        _ => return None,
    };
    Some(format!("usr/share/{directory}/{}/{name}", spec.name))
}

fn segment_name(key: &BlobDigest) -> String {
    format!("segment {key}")
}

/// Returns the paths of a build that must not be in a package.
pub(super) fn leak_patterns(store: &Store, home: Option<&Path>) -> Vec<LeakPattern> {
    let pattern = |name, path: &Path| {
        let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
        bytes.push(b'/');
        LeakPattern { name, bytes }
    };
    let mut patterns = vec![
        pattern("a path of the store", store.path()),
        pattern("a path of the sandbox's private directory", Path::new(PRIVATE_DIRECTORY)),
    ];
    if let Some(home) = home.filter(|home| home.components().count() > 1) {
        patterns.push(pattern("a path of the user's home directory", home));
    }
    patterns
}

impl Builder {
    pub(super) fn package(&self, spec: &PackageSpec, inputs: &Inputs, mode: Mode) -> Result<Node, ExecuteError> {
        let stage = Node::directory(inputs.directory("stage"));
        let scratch = self.scratch()?;
        let out = scratch.path().join("out");
        fs::create_dir(&out).map_err(ExecuteError::scratch)?;

        let mut maintainer = MaintainerFiles::default();
        let mut documents = Vec::new();
        if let Some(Node::Directory { digest, .. }) = self.store.find(&stage, "debian")? {
            self.read_debian(spec, &digest, &mut maintainer, &mut documents)?;
        }
        if let Some(Node::Directory { digest, .. }) = self.store.find(&stage, "rpm")? {
            self.read_scriptlets(&digest, &mut maintainer)?;
        }
        let tree = self.tree(&stage, documents)?;
        let damaged = Mutex::new(None);
        let open = |digest: &BlobDigest| self.open(digest, &damaged);
        let recall = |key: &BlobDigest| if mode == Mode::Build { self.recall_segment(key) } else { None };
        let remember = |key: &BlobDigest, segment: &[u8]| {
            if mode == Mode::Build {
                self.remember_segment(key, segment);
            }
        };
        let cache = SegmentCache { recall: &recall, remember: &remember };
        let resources = Resources { threads: self.data_threads(), cache };
        let write = match spec.format {
            Format::Deb => write_deb,
            Format::Rpm => write_rpm,
            Format::Tar => write_tar,
        };
        let written = self.on_data_pool(|| write(spec, &tree, &maintainer, &open, resources, &out));
        if let Some(error) = damaged.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(ExecuteError::Blob(error));
        }
        written?;
        self.take_in(&out)
    }

    fn tree(&self, stage: &Node, documents: Vec<Entry>) -> Result<FileTree, ExecuteError> {
        let Some(Node::Directory { digest, .. }) = self.store.find(stage, "root")? else {
            unreachable!("a stage has a root")
        };
        let staged =
            FileTree::from_directory(digest, |digest| self.store.directory(digest)).map_err(|error| match error {
                FlattenError::Load { source, .. } => ExecuteError::Directory(source),
                FlattenError::Tree(source) => ExecuteError::Tree(source),
            })?;
        let entries = staged.entries().iter().cloned().chain(documents);
        Ok(FileTree::from_entries(entries)?)
    }

    fn read_debian(
        &self,
        spec: &PackageSpec,
        debian: &DirectoryDigest,
        maintainer: &mut MaintainerFiles,
        documents: &mut Vec<Entry>,
    ) -> Result<(), ExecuteError> {
        for (name, node) in self.store.directory(debian)?.entries() {
            let Node::File { blob, .. } = node else { continue };
            let content = self.store.read_blob(blob)?;
            if name.as_str() == "changelog" {
                maintainer.take_in_changelog(&content);
            }
            if let Some(path) = document_path(spec, name.as_str()) {
                documents.push(self.document(path, &content)?);
            } else {
                maintainer.take_in(name.as_str(), content).map_err(vb_package::WritePackageError::from)?;
            }
        }
        Ok(())
    }

    fn read_scriptlets(&self, rpm: &DirectoryDigest, maintainer: &mut MaintainerFiles) -> Result<(), ExecuteError> {
        for (name, node) in self.store.directory(rpm)?.entries() {
            let Node::File { blob, .. } = node else { continue };
            let content = self.store.read_blob(blob)?;
            maintainer.take_in_scriptlet(name.as_str(), &content).map_err(vb_package::WritePackageError::from)?;
        }
        Ok(())
    }

    fn document(&self, path: String, content: &[u8]) -> Result<Entry, ExecuteError> {
        let bytes = if path.ends_with(".gz") { vb_package::gzip(content) } else { content.to_vec() };
        let blob = self.store.put_bytes(&bytes).map_err(ExecuteError::Store)?;
        Ok(Entry { path, mode: 0o644, content: Content::File { blob, size: bytes.len() as u64 } })
    }

    fn recall_segment(&self, key: &BlobDigest) -> Option<Vec<u8>> {
        let blob: BlobDigest = self.store.recall(&segment_name(key))?;
        self.store.read_blob(&blob).ok()
    }

    /// A segment that cannot be remembered is compressed again the next time.
    fn remember_segment(&self, key: &BlobDigest, segment: &[u8]) {
        if let Ok(blob) = self.store.put_bytes(segment) {
            drop(self.store.remember(&segment_name(key), &blob));
        }
    }

    /// Gives the checked bytes of a blob; a damaged one is remembered, because an I/O error cannot say that it was.
    fn open(&self, digest: &BlobDigest, damaged: &Mutex<Option<BlobError>>) -> io::Result<Box<dyn Read>> {
        match self.store.read_blob(digest) {
            Ok(bytes) => Ok(Box::new(Cursor::new(bytes))),
            Err(error) => {
                damaged.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                Err(io::ErrorKind::InvalidData.into())
            }
        }
    }
}
