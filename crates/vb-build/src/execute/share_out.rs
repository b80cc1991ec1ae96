//! What one of several packages has of a stage, as a stage of its own, so that its package is made again only if that has
//! changed.
//!
//! Beside `root`, `debian` and `rpm` the output has `beside`: what the package looks at of other packages' files. Of most of
//! them that is nothing, of libraries the name, of a command that they exist and may be executed.

use std::collections::BTreeMap;

use vb_graph::{BlobDigest, Directory, DirectoryDigest, Name, Node, ShareOut};
use vb_package::{Content, Entry, FileTree};

use super::{
    package::{CHANGELOG, COPYRIGHT},
    share::{Portion, share_of},
    stage::PACKAGING,
};
use crate::{builder::Builder, error::ExecuteError, inputs::Inputs};

/// The name of what is looked at of other packages' files.
pub(super) const BESIDE: &str = "beside";

impl Builder {
    pub(super) fn share_out(&self, out: &ShareOut, inputs: &Inputs) -> Result<Node, ExecuteError> {
        let stage = self.store.directory(&inputs.directory("stage"))?;
        let mut output = Directory::default();
        for (name, node) in stage.entries() {
            let Node::Directory { digest, mode } = node else { continue };
            if PACKAGING.contains(&name.as_str()) {
                let own = own_files(out, &self.store.directory(digest)?);
                let digest = self.store.put_directory(&own).map_err(ExecuteError::Store)?;
                output.replace(name.clone(), Node::Directory { digest, mode: *mode });
                continue;
            }
            let Portion { own, others } = share_of(&self.tree(*digest)?, &out.share)?;
            let empty = self.store.put_bytes(b"").map_err(ExecuteError::Store)?;
            let seen = others.into_iter().filter_map(|entry| seen(out, entry, empty));
            let beside = self.put_tree(&FileTree::from_entries(seen)?)?;
            output.replace(Name::new(BESIDE).expect("a name"), Node::directory(beside));
            output.replace(name.clone(), Node::Directory { digest: self.put_tree(&own)?, mode: *mode });
        }
        Ok(Node::directory(self.store.put_directory(&output).map_err(ExecuteError::Store)?))
    }

    /// Puts a tree into the store, with the modes of its directories.
    fn put_tree(&self, tree: &FileTree) -> Result<DirectoryDigest, ExecuteError> {
        let mut directories: BTreeMap<&str, Directory> = BTreeMap::new();
        // From the end, so that what is in a directory is seen before the directory.
        for Entry { path, mode, content } in tree.entries().iter().rev() {
            let node = match content {
                Content::File { blob, size } => Node::File { blob: *blob, size: *size, mode: *mode },
                Content::Symlink { target } => Node::Symlink { target: target.clone() },
                Content::Directory => {
                    let directory = directories.remove(path.as_str()).unwrap_or_default();
                    let digest = self.store.put_directory(&directory).map_err(ExecuteError::Store)?;
                    Node::Directory { digest, mode: *mode }
                }
            };
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            directories.entry(parent).or_default().replace(Name::new(name).expect("a path of a tree"), node);
        }
        self.store.put_directory(&directories.remove("").unwrap_or_default()).map_err(ExecuteError::Store)
    }
}

/// Returns what a package sees of a file of another one.
fn seen(out: &ShareOut, entry: Entry, empty: BlobDigest) -> Option<Entry> {
    let is_among = |paths: &[String]| paths.iter().any(|path| path.strip_prefix('/') == Some(&entry.path));
    if is_among(&out.originals) {
        return Some(entry);
    }
    let is_command = is_among(&out.commands);
    let is_library = entry.path.rsplit('/').next().is_some_and(|name| name.contains(".so"));
    if !is_command && !is_library {
        return None;
    }
    let mode = if is_command { entry.mode } else { 0o644 };
    Some(Entry { mode, content: Content::File { blob: empty, size: 0 }, ..entry })
}

/// Returns the files of `debian/` or `rpm/` that are a package's, under the names that they have for it: their own for the
/// main one; for another what stands behind its name, as `postinst` in `vrmd-whois-cli.postinst`. Changelog and copyright
/// are everybody's.
fn own_files(out: &ShareOut, all: &Directory) -> Directory {
    let named = |package: &String, name: &str| name.strip_prefix(package)?.strip_prefix('.').map(str::to_owned);
    let files = || all.entries().filter(|(_, node)| matches!(node, Node::File { .. }));
    let mut own = Directory::default();
    let Some(package) = out.share.part.as_ref().map(|part| &out.packages[part]) else {
        let is_of_other = |name: &str| out.packages.values().any(|package| named(package, name).is_some());
        files()
            .filter(|(name, _)| !is_of_other(name.as_str()))
            .for_each(|(name, node)| own.replace(name.clone(), node.clone()));
        return own;
    };
    let common = files().filter(|(name, _)| [CHANGELOG, COPYRIGHT].contains(&name.as_str()));
    common.for_each(|(name, node)| own.replace(name.clone(), node.clone()));
    for (name, node) in files() {
        if let Some(name) = named(package, name.as_str()).and_then(|name| Name::new(name).ok()) {
            own.replace(name, node.clone());
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use vb_graph::{Claim, Share};

    use super::*;

    fn out(part: Option<&str>) -> ShareOut {
        let share = Share::of_main([("cli".to_owned(), Claim::default())].into());
        ShareOut {
            share: part.map_or_else(|| share.clone(), |part| share.of_part(part)),
            packages: [("cli".to_owned(), "vrmd-cli".to_owned())].into(),
            commands: vec!["/vrmd/w/bin/w".to_owned()],
            originals: vec!["/vrmd/w/w/w.yml".to_owned()],
        }
    }

    #[test]
    fn each_package_has_its_own_scripts_and_all_have_the_changelog_and_the_copyright() {
        let mut debian = Directory::default();
        for name in ["changelog", "copyright", "postinst", "vrmd-cli.copyright", "vrmd-cli.postinst", "vrmd-clipper.x"]
        {
            let node = Node::File { blob: BlobDigest::of(name.as_bytes()), size: 0, mode: 0o644 };
            debian.replace(Name::new(name).unwrap(), node);
        }
        debian.replace(Name::new("source").unwrap(), Node::Symlink { target: "x".to_owned() });
        let files = |part| {
            let own = own_files(&out(part), &debian);
            let text = |(name, node): (&Name, &Node)| match node {
                Node::File { blob, .. } => (name.to_string(), *blob),
                other => panic!("{other:?}"),
            };
            own.entries().map(text).collect::<Vec<_>>()
        };
        let of = |name: &str, bytes: &str| (name.to_owned(), BlobDigest::of(bytes.as_bytes()));
        let same = |name| of(name, name);
        assert_eq!(files(None), ["changelog", "copyright", "postinst", "vrmd-clipper.x"].map(same));
        let own = [same("changelog"), of("copyright", "vrmd-cli.copyright"), of("postinst", "vrmd-cli.postinst")];
        assert_eq!(files(Some("cli")), own);
    }

    #[test]
    fn of_what_others_have_a_package_sees_originals_whole_commands_with_their_mode_and_libraries_by_name() {
        let (blob, empty) = (BlobDigest::of(b"x"), BlobDigest::of(b""));
        let sees = |path: &str| {
            let content = Content::File { blob, size: 1 };
            let seen = seen(&out(None), Entry { path: path.to_owned(), mode: 0o755, content }, empty);
            seen.map(|entry| (entry.mode, entry.content))
        };
        let nothing = Content::File { blob: empty, size: 0 };
        assert_eq!(sees("vrmd/w/w/w.yml"), Some((0o755, Content::File { blob, size: 1 })));
        assert_eq!(sees("vrmd/w/bin/w"), Some((0o755, nothing.clone())));
        assert_eq!(sees("vrmd/w/lib/libx.so.1"), Some((0o644, nothing)));
        assert_eq!(sees("vrmd/w/w/w.py"), None);
    }
}
