//! A staged tree as layers: the environment, which stays from one edit to the next, and what is above it.
//!
//! A materialized tree is made once and kept. That of a whole stage would be made again for each edit, with a directory
//! and a link for everything in the environment.

use vb_graph::{Directory, DirectoryDigest, Node};
use vb_sandbox::HostPath;
use vb_store::Store;

use super::stage::wrap;
use crate::{builder::Builder, error::ExecuteError};

impl Builder {
    /// Returns layers, the upper one first, that together are the tree `root`, which has an environment at `prefix`.
    pub(super) fn staged_layers(
        &self,
        root: &DirectoryDigest,
        environment: &DirectoryDigest,
        prefix: &str,
    ) -> Result<Vec<HostPath>, ExecuteError> {
        let lower = wrap(&self.store, prefix, &self.store.directory(environment)?)?;
        let Node::Directory { digest: lower, .. } = lower else { unreachable!("what is wrapped is in a directory") };
        let whole = self.store.directory(root)?;
        let Some(upper) = above(&self.store, &whole, &self.store.directory(&lower)?)? else {
            return Ok(vec![self.layer(root)?]);
        };
        let upper = self.store.put_directory(&upper).map_err(ExecuteError::Store)?;
        Ok(vec![self.layer(&upper)?, self.layer(&lower)?])
    }
}

/// Returns what makes a directory out of another one by being laid over it; nothing when something of the lower one is
/// gone, which no layer of plain files tells.
fn above(store: &Store, whole: &Directory, lower: &Directory) -> Result<Option<Directory>, ExecuteError> {
    if lower.entries().any(|(name, _)| whole.get(name.as_str()).is_none()) {
        return Ok(None);
    }
    let mut upper = Directory::default();
    for (name, node) in whole.entries() {
        let node = match (node, lower.get(name.as_str())) {
            (node, Some(below)) if node == below => continue,
            (Node::Directory { digest, mode }, Some(Node::Directory { digest: below, .. })) => {
                let Some(inner) = above(store, &store.directory(digest)?, &store.directory(below)?)? else {
                    return Ok(None);
                };
                Node::Directory { digest: store.put_directory(&inner).map_err(ExecuteError::Store)?, mode: *mode }
            }
            (node, _) => node.clone(),
        };
        upper.replace(name.clone(), node);
    }
    Ok(Some(upper))
}

#[cfg(test)]
mod tests {
    use vb_graph::{BlobDigest, Name};

    use super::*;

    fn file(text: &str) -> Node {
        Node::File { blob: BlobDigest::of(text.as_bytes()), size: text.len() as u64, mode: 0o644 }
    }

    fn directory<'a>(store: &Store, entries: impl IntoIterator<Item = (&'a str, Node)>) -> (Directory, Node) {
        let mut directory = Directory::default();
        for (name, node) in entries {
            directory.insert(Name::new(name).unwrap(), node).unwrap();
        }
        let node = Node::directory(store.put_directory(&directory).unwrap());
        (directory, node)
    }

    #[test]
    fn what_is_equal_is_in_the_lower_layer_alone() {
        let place = tempfile::tempdir().unwrap();
        let store = &Store::open(place.path()).unwrap();
        let (_, lib) = directory(store, [("a.py", file("a"))]);
        let (_, bin) = directory(store, [("python", file("python"))]);
        let (_, more) = directory(store, [("python", file("python")), ("whois", file("whois"))]);
        let (lower, _) = directory(store, [("lib", lib.clone()), ("bin", bin), ("pyvenv.cfg", file("old"))]);
        let (_, own) = directory(store, [("x.py", file("x"))]);
        let (whole, _) =
            directory(store, [("lib", lib), ("bin", more), ("pyvenv.cfg", file("new")), ("own", own.clone())]);
        let (_, rest) = directory(store, [("whois", file("whois"))]);
        let (upper, _) = directory(store, [("bin", rest), ("pyvenv.cfg", file("new")), ("own", own)]);
        assert_eq!(above(store, &whole, &lower).unwrap(), Some(upper));
    }

    #[test]
    fn what_is_gone_makes_the_whole_one_layer() {
        let place = tempfile::tempdir().unwrap();
        let store = &Store::open(place.path()).unwrap();
        let (_, lib) = directory(store, [("a.py", file("a")), ("b.py", file("b"))]);
        let (_, less) = directory(store, [("a.py", file("a"))]);
        let (lower, _) = directory(store, [("lib", lib)]);
        let (whole, _) = directory(store, [("lib", less)]);
        assert_eq!(above(store, &whole, &lower).unwrap(), None);
    }
}
