//! `debian/install`: files of the application that the package has elsewhere, too.
//!
//! The format is that of dh_install(1) without wildcards: on each line one or more paths in the source, then the
//! directory below the root that they are put into; `#` begins a comment. A path in `debian/` is found as well.

use vb_graph::{Directory, Name, Node};
use vb_store::Store;

use crate::error::{ExecuteError, InstallError};

/// Where the words of `debian/install` are looked up.
pub(super) struct Sources<'a> {
    /// The application, as it is staged.
    pub(super) application: &'a Node,
    /// The source, for what is in `debian/` alone.
    pub(super) source: &'a Node,
}

/// Returns the root with what the text of `debian/install` puts into it.
pub(super) fn install(store: &Store, root: Node, text: &[u8], sources: &Sources) -> Result<Node, ExecuteError> {
    let text = str::from_utf8(text).map_err(InstallError::Text)?;
    let mut root = root;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [paths @ .., directory] = words.as_slice() else { continue };
        if paths.is_empty() {
            return Err(InstallError::NoDirectory { line: line.to_owned() }.into());
        }
        for path in paths {
            let node = sources.find(store, path)?;
            let target = format!("{}/{}", directory.trim_matches('/'), path.rsplit('/').next().unwrap_or(path));
            root = put(store, &root, &target, &target, node)?;
        }
    }
    Ok(root)
}

impl Sources<'_> {
    fn find(&self, store: &Store, path: &str) -> Result<Node, ExecuteError> {
        for tree in [self.application, self.source] {
            if let Some(node) = store.find(tree, path)? {
                return Ok(node);
            }
        }
        Err(InstallError::Absent { path: path.to_owned() }.into())
    }
}

/// Puts a node at a path of a tree; the directories on the way are made.
fn put(store: &Store, tree: &Node, path: &str, whole: &str, node: Node) -> Result<Node, ExecuteError> {
    let taken = || ExecuteError::from(InstallError::Taken { path: whole.to_owned() });
    let Node::Directory { digest, .. } = tree else { return Err(taken()) };
    let mut directory = store.directory(digest)?;
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let name = Name::new(first).map_err(|source| InstallError::Name { path: whole.to_owned(), source })?;
    if rest.is_empty() {
        directory.insert(name, node).map_err(|_| taken())?;
    } else {
        let empty = || store.put_directory(&Directory::default()).map(Node::directory).map_err(ExecuteError::Store);
        let inner = directory.get(first).cloned().map_or_else(empty, Ok)?;
        directory.replace(name, put(store, &inner, rest, whole, node)?);
    }
    Ok(Node::directory(store.put_directory(&directory).map_err(ExecuteError::Store)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Installs out of an application with `conf/a.conf`, `conf/b.conf`, and returns the paths of the root.
    fn installed(text: &str) -> Result<Vec<String>, String> {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store")).unwrap();
        let file = |text: &str| Node::File {
            blob: store.put_bytes(text.as_bytes()).unwrap(),
            size: text.len() as u64,
            mode: 0o644,
        };
        let tree = |entries: Vec<(&str, Node)>| {
            let mut directory = Directory::default();
            entries.into_iter().for_each(|(name, node)| directory.replace(Name::new(name).unwrap(), node));
            Node::directory(store.put_directory(&directory).unwrap())
        };
        let application = tree(vec![("conf", tree(vec![("a.conf", file("a")), ("b.conf", file("b"))]))]);
        let source = tree(vec![("debian", tree(vec![("a.conf", file("other")), ("c.conf", file("c"))]))]);
        let root = tree(vec![("vrmd", tree(vec![("whois", file("x"))]))]);
        let sources = Sources { application: &application, source: &source };
        match install(&store, root, text.as_bytes(), &sources) {
            Ok(Node::Directory { digest, .. }) => {
                let mut paths = Vec::new();
                let mut visit = |path: &str, node: &Node| {
                    if matches!(node, Node::File { .. }) {
                        paths.push(path.to_owned());
                    }
                };
                store.walk(&digest, &mut visit).unwrap();
                paths.sort();
                Ok(paths)
            }
            Ok(node) => panic!("{node:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_line_puts_files_into_a_directory() {
        let text = "# comment\n\nconf/a.conf conf/b.conf etc/one\ndebian/c.conf\t/etc/one/two/\n";
        assert_eq!(installed(text).unwrap(), ["etc/one/a.conf", "etc/one/b.conf", "etc/one/two/c.conf", "vrmd/whois"]);
    }

    #[test]
    fn a_directory_is_put_whole() {
        assert_eq!(installed("conf etc").unwrap(), ["etc/conf/a.conf", "etc/conf/b.conf", "vrmd/whois"]);
    }

    #[test]
    fn lines_that_cannot_be_followed_are_refused() {
        let message = |text| installed(text).unwrap_err();
        assert_eq!(message("conf/a.conf"), "the line `conf/a.conf` of `debian/install` names no directory");
        assert_eq!(message("absent.conf etc"), "`debian/install` names `absent.conf`, which is not in the source");
        assert_eq!(
            message("conf/a.conf etc\ndebian/a.conf etc"),
            "`debian/install` puts a file at `etc/a.conf`, which is taken"
        );
        assert_eq!(
            message("conf/a.conf vrmd/whois"),
            "`debian/install` puts a file at `vrmd/whois/a.conf`, which is taken"
        );
        assert_eq!(message("conf/a.conf ../etc"), "`debian/install` puts a file at `../etc/a.conf`");
    }
}
