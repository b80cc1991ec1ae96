//! Is everything that a node names in the store?

use vb_graph::Node;

use crate::layout::Store;

impl Store {
    /// Is the node itself there? What a directory names is not looked at.
    pub fn has_node(&self, node: &Node) -> bool {
        match node {
            Node::File { blob, size, .. } => self.has_blob(blob, *size),
            Node::Directory { digest, .. } => self.has_directory(digest),
            Node::Symlink { .. } => true,
        }
    }

    /// Is the node there with everything below it? Contents are not read.
    pub fn is_complete(&self, node: &Node) -> bool {
        let Node::Directory { digest, .. } = node else { return self.has_node(node) };
        self.directory(digest).is_ok_and(|directory| directory.entries().all(|(_, node)| self.is_complete(node)))
    }
}
