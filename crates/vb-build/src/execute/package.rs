//! The package, out of a staged tree and the files of its source's `debian/` and `rpm/`.

use std::{
    collections::BTreeSet,
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use vb_graph::{BlobDigest, DirectoryDigest, Format, Node, PackageSpec};
use vb_package::{
    Content, Entry, FileTree, FlattenError, LeakPattern, MaintainerFiles, RememberedSegment, Resources, SegmentCache,
    enliven, write_deb, write_rpm, write_tar,
};
use vb_store::{BlobError, Store};

use super::{
    inventory::{Installed, copyright, write_bill},
    share_out::BESIDE,
};
use crate::{PRIVATE_DIRECTORY, build::Mode, builder::Builder, error::ExecuteError, inputs::Inputs};

/// Returns the place of a file of `debian/` that users can read: under `/usr/share/doc` (Debian Policy, 12.5 and 12.7),
/// and in an `.rpm` the licence among the licences. The changelog of an `.rpm` is in its header.
fn document_path(spec: &PackageSpec, name: &str) -> Option<String> {
    let is_native = !spec.version.contains('-');
    let (directory, name) = match (name, spec.format) {
        (COPYRIGHT, Format::Rpm) => ("licenses", "copyright"),
        (COPYRIGHT, _) => ("doc", "copyright"),
        (CHANGELOG, Format::Rpm) => return None,
        (CHANGELOG, _) if is_native => ("doc", "changelog.gz"),
        (CHANGELOG, _) => ("doc", "changelog.Debian.gz"),
        _ => return None,
    };
    Some(format!("usr/share/{directory}/{}/{name}", spec.name))
}

pub(super) const CHANGELOG: &str = "changelog";
pub(super) const COPYRIGHT: &str = "copyright";

/// A file up to this size is read at once, when it is checked.
const SMALL: u64 = 4 << 20;

/// What the store keeps of a compressed segment.
#[derive(Debug, Serialize, Deserialize)]
struct SegmentMemory {
    blob: BlobDigest,
    facts: String,
}

/// What is known of the blobs of one package.
#[derive(Default)]
struct BlobChecks {
    /// The large ones whose digest was right.
    large: Mutex<BTreeSet<BlobDigest>>,
    damaged: Mutex<Option<BlobError>>,
}

/// Adds what compiled code needs to the packages that are depended on. What rpm needs is told by soname instead.
fn with_libraries(spec: &PackageSpec, libraries: &[String]) -> PackageSpec {
    let mut spec = spec.clone();
    if spec.format == Format::Rpm {
        return spec;
    }
    let name = |relation: &str| relation.split([' ', ':']).next().unwrap_or(relation).to_owned();
    let is_said_better = |relation: &String| {
        !relation.contains([' ', '|', '(']) && libraries.iter().any(|library| name(library) == name(relation))
    };
    spec.depends.retain(|relation| !is_said_better(relation));
    for library in libraries {
        if !spec.depends.contains(library) {
            spec.depends.push(library.clone());
        }
    }
    spec
}

/// Returns the entries of a tree that are no directories.
fn files(tree: &FileTree) -> Vec<Entry> {
    tree.entries().iter().filter(|entry| entry.content != Content::Directory).cloned().collect()
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
        let spec = &with_libraries(spec, &self.library_report(inputs)?.depends);
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
        let Some(Node::Directory { digest: root, .. }) = self.store.find(&stage, "root")? else {
            unreachable!("a stage has a root")
        };
        if let Some(changelog) = &spec.changelog {
            self.take_in_changelog(spec, changelog.as_bytes(), &mut maintainer, &mut documents)?;
        }
        let mut own = self.tree(root)?;
        if let Some(Node::Directory { digest: others, .. }) = self.store.find(&stage, BESIDE)? {
            own = own.beside(files(&self.tree(others)?));
        }
        let installed = self.inventory(spec, &own, &mut documents)?;
        let tree = own.with(documents)?;
        let (tree, maintainer) = enliven(spec, tree, maintainer, |bytes| self.store.put_bytes(bytes))?;
        let checks = BlobChecks::default();
        let open = |digest: &BlobDigest, start| self.open(digest, start, &checks);
        let recall = |key: &BlobDigest| if mode == Mode::Build { self.recall_segment(key) } else { None };
        let remember = |key: &BlobDigest, bytes: &[u8], facts: &str| {
            if mode == Mode::Build { self.remember_segment(key, bytes, facts) } else { None }
        };
        let cache = SegmentCache { recall: &recall, remember: &remember };
        let resources = Resources { threads: self.data_threads(), cache };
        let write = match spec.format {
            Format::Deb => write_deb,
            Format::Rpm => write_rpm,
            Format::Tar => write_tar,
        };
        let written = self.on_data_pool(|| write(spec, &tree, &maintainer, &open, resources, &out));
        if let Some(error) = checks.damaged.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(ExecuteError::Blob(error));
        }
        let written = written?;
        if spec.has_bill {
            write_bill(spec, &written, &installed, &out).map_err(ExecuteError::scratch)?;
        }
        self.take_in(&out)
    }

    /// Lists what is in the package, where somebody wants to know. Without `debian/copyright`, the list is one.
    fn inventory(
        &self,
        spec: &PackageSpec,
        own: &FileTree,
        documents: &mut Vec<Entry>,
    ) -> Result<Vec<Installed>, ExecuteError> {
        let path = document_path(spec, COPYRIGHT).expect("every format has a place for it");
        let is_told = documents.iter().any(|document| document.path == path);
        if is_told && !spec.has_bill {
            return Ok(vec![]);
        }
        let installed = self.installed(own)?;
        if !is_told {
            documents.push(self.document(path, copyright(spec, &installed).as_bytes())?);
        }
        Ok(installed)
    }

    pub(super) fn tree(&self, root: DirectoryDigest) -> Result<FileTree, ExecuteError> {
        FileTree::from_directory(root, |digest| self.store.directory(digest)).map_err(|error| match error {
            FlattenError::Load { source, .. } => ExecuteError::Directory(source),
            FlattenError::Tree(source) => ExecuteError::Tree(source),
        })
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
            let name = name.as_str();
            let content = self.store.read_blob(blob)?;
            if name == CHANGELOG {
                self.take_in_changelog(spec, &content, maintainer, documents)?;
            } else if let Some(path) = document_path(spec, name) {
                documents.push(self.document(path, &content)?);
            } else {
                maintainer.take_in(name, content).map_err(vb_package::WritePackageError::from)?;
            }
        }
        Ok(())
    }

    fn take_in_changelog(
        &self,
        spec: &PackageSpec,
        content: &[u8],
        maintainer: &mut MaintainerFiles,
        documents: &mut Vec<Entry>,
    ) -> Result<(), ExecuteError> {
        maintainer.take_in_changelog(content);
        if let Some(path) = document_path(spec, CHANGELOG) {
            documents.push(self.document(path, content)?);
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

    fn recall_segment(&self, key: &BlobDigest) -> Option<RememberedSegment> {
        let SegmentMemory { blob, facts } = self.store.recall(&segment_name(key))?;
        let bytes = self.store.read_blob(&blob).ok()?;
        Some(RememberedSegment { bytes, place: Some(self.store.blob_path(&blob)), facts })
    }

    /// A segment that cannot be remembered is compressed again the next time.
    fn remember_segment(&self, key: &BlobDigest, bytes: &[u8], facts: &str) -> Option<PathBuf> {
        let blob = self.store.put_bytes(bytes).ok()?;
        let memory = SegmentMemory { blob, facts: facts.to_owned() };
        drop(self.store.remember(&segment_name(key), &memory));
        // One that was there already may be damaged, and nobody looks at it again before it is in the package.
        self.store.check_blob(&blob).ok()?;
        Some(self.store.blob_path(&blob))
    }

    /// Gives the checked bytes of a blob from a place on; a damaged one is remembered, because an I/O error cannot say
    /// that it was.
    fn open(&self, digest: &BlobDigest, start: u64, checks: &BlobChecks) -> io::Result<Box<dyn Read>> {
        self.open_checked(digest, start, checks).map_err(|error| {
            checks.damaged.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            io::ErrorKind::InvalidData.into()
        })
    }

    fn open_checked(&self, digest: &BlobDigest, start: u64, checks: &BlobChecks) -> Result<Box<dyn Read>, BlobError> {
        let in_blob = |source| BlobError::Io { digest: *digest, source };
        let path = self.store.blob_path(digest);
        let is_small = fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= SMALL);
        if is_small && start == 0 {
            return Ok(Box::new(Cursor::new(self.store.read_blob(digest)?)));
        }
        // A large file is read part by part, by several threads: its digest is computed once.
        let mut large = checks.large.lock().unwrap_or_else(PoisonError::into_inner);
        if !large.contains(digest) {
            self.store.check_blob(digest)?;
            large.insert(*digest);
        }
        drop(large);
        let mut file = fs::File::open(path).map_err(in_blob)?;
        file.seek(SeekFrom::Start(start)).map_err(in_blob)?;
        Ok(Box::new(file))
    }
}
