//! Listings: every file and link of a tree by its path, to be selected from, laid over each other and compared.
//!
//! A listing has no directories of its own: a tree that is made of one has those that its entries need, with mode 0755.

use std::{collections::BTreeMap, io};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use vb_graph::{Directory, DirectoryDigest, Node, Pattern, Selection};

use crate::{
    directory::DirectoryError,
    layout::Store,
    tree::{TreeBuilder, TreePathError},
};

/// A pattern of a selection is not a glob.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a glob pattern")]
pub struct PatternError {
    /// The pattern as written.
    pub pattern: String,
    /// Why.
    #[source]
    pub source: globset::Error,
}

/// The files and links of a tree, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    entries: BTreeMap<String, Node>,
}

/// Patterns, ready to be matched.
#[derive(Debug)]
pub struct Matcher {
    names: Vec<String>,
    globs: GlobSet,
}

impl Matcher {
    /// Compiles patterns.
    ///
    /// # Errors
    /// [`PatternError`], with the first that is no glob.
    pub fn new(patterns: &[Pattern]) -> Result<Self, PatternError> {
        let mut names = Vec::new();
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns {
            match pattern {
                Pattern::Name(name) => names.push(name.clone()),
                Pattern::Glob(glob) => {
                    let failed = |source| PatternError { pattern: glob.clone(), source };
                    let compile = |glob: &str| GlobBuilder::new(glob).literal_separator(true).build();
                    globs.add(compile(glob).map_err(failed)?);
                    if pattern.may_name_directory() {
                        globs.add(compile(&format!("{glob}/**")).map_err(failed)?);
                    }
                }
            }
        }
        let all = || patterns.iter().map(Pattern::as_str).collect::<Vec<_>>().join(", ");
        let globs = globs.build().map_err(|source| PatternError { pattern: all(), source })?;
        Ok(Self { names, globs })
    }

    /// Does one of the patterns name the path?
    pub fn is_match(&self, path: &str) -> bool {
        self.names.iter().any(|name| ends_with(path, name)) || self.globs.is_match(path)
    }
}

/// Is the name the path itself, or the end of it?
fn ends_with(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

impl Listing {
    /// Returns the entries, by path.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.entries.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Returns the entry at a path.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.entries.get(path)
    }

    /// Puts an entry in the place of whatever was at its path.
    pub fn replace(&mut self, path: impl Into<String>, node: Node) {
        self.entries.insert(path.into(), node);
    }

    /// Lays another listing over this one: its entries win.
    pub fn lay_over(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Returns the paths that a name means: the path itself, or all that end in it.
    pub fn find(&self, name: &str) -> Vec<&str> {
        match self.entries.get_key_value(name) {
            Some((path, _)) => vec![path],
            None => self.entries.keys().map(String::as_str).filter(|path| ends_with(path, name)).collect(),
        }
    }

    /// Is there an entry below a directory?
    pub fn has_directory(&self, directory: &str) -> bool {
        self.entries.keys().any(|path| path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Returns what a selection takes of the listed tree.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn select(&self, selection: &Selection) -> Result<Self, PatternError> {
        let (matcher, excludes) = (Matcher::new(&selection.patterns)?, Matcher::new(&selection.excludes)?);
        let placed = self.entries.iter().map(|(path, node)| match selection.directory.as_str() {
            "" => (path.clone(), node.clone()),
            directory => (format!("{directory}/{path}"), node.clone()),
        });
        Ok(Self { entries: placed.filter(|(path, _)| matcher.is_match(path) && !excludes.is_match(path)).collect() })
    }

    /// Computes the digest of the tree, without a store.
    ///
    /// # Errors
    /// [`TreePathError::Taken`] when an entry is where another one needs a directory.
    pub fn digest(&self) -> Result<DirectoryDigest, TreePathError> {
        self.to_tree()?.build(&mut |directory: &Directory| Ok::<_, TreePathError>(directory.digest()))
    }

    /// Makes the tree.
    ///
    /// # Errors
    /// As [`Listing::digest`].
    pub fn to_tree(&self) -> Result<TreeBuilder, TreePathError> {
        let mut tree = TreeBuilder::default();
        for (path, node) in &self.entries {
            tree.insert(path, node.clone())?;
        }
        Ok(tree)
    }
}

impl FromIterator<(String, Node)> for Listing {
    fn from_iter<I: IntoIterator<Item = (String, Node)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

impl Store {
    /// Lists a tree.
    ///
    /// # Errors
    /// [`DirectoryError`] when a directory cannot be read.
    pub fn list_tree(&self, digest: &DirectoryDigest) -> Result<Listing, DirectoryError> {
        let mut listing = Listing::default();
        self.walk(digest, &mut |path, node| {
            if !matches!(node, Node::Directory { .. }) {
                listing.replace(path, node.clone());
            }
        })?;
        Ok(listing)
    }

    /// Stores the directories of a listed tree, whose files are in the store already.
    ///
    /// # Errors
    /// What the system said.
    pub fn put_listing(&self, tree: TreeBuilder) -> io::Result<DirectoryDigest> {
        tree.build(&mut |directory: &Directory| self.put_directory(directory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Listing {
        paths.iter().map(|path| ((*path).to_owned(), Node::Symlink { target: (*path).to_owned() })).collect()
    }

    fn select(paths: &[&str], directory: &str, patterns: &[Pattern]) -> Vec<String> {
        let selection = Selection { directory: directory.to_owned(), patterns: patterns.to_vec(), excludes: vec![] };
        listing(paths).select(&selection).unwrap().entries.into_keys().collect()
    }

    fn glob(text: &str) -> Pattern {
        Pattern::Glob(text.to_owned())
    }

    fn name(text: &str) -> Pattern {
        Pattern::Name(text.to_owned())
    }

    const PATHS: [&str; 5] = ["a.less", "app/a.less", "app/sub/b.less", "app/sub/b.css", "data.less/c"];

    #[test]
    fn a_star_stops_at_a_directory_and_two_stars_do_not() {
        assert_eq!(select(&PATHS, "", &[glob("*.less")]), ["a.less"]);
        assert_eq!(select(&PATHS, "", &[glob("**/*.css")]), ["app/sub/b.css"]);
        assert_eq!(select(&PATHS, "", &[Pattern::everything()]).len(), PATHS.len());
    }

    #[test]
    fn a_directory_means_everything_below_it() {
        assert_eq!(select(&PATHS, "", &[glob("app/sub")]), ["app/sub/b.css", "app/sub/b.less"]);
        assert_eq!(select(&PATHS, "", &[glob("app/su")]), [""; 0]);
    }

    #[test]
    fn a_name_is_the_end_of_a_path_at_a_slash() {
        assert_eq!(select(&PATHS, "", &[name("a.less")]), ["a.less", "app/a.less"]);
        assert_eq!(select(&PATHS, "", &[name("sub/b.css")]), ["app/sub/b.css"]);
        assert_eq!(select(&["xa.less"], "", &[name("a.less")]), [""; 0]);
    }

    #[test]
    fn patterns_are_matched_where_the_tree_is_put() {
        assert_eq!(select(&["urls.py", "a.css"], "nav", &[glob("nav/*.py")]), ["nav/urls.py"]);
    }

    #[test]
    fn what_is_excluded_is_not_selected() {
        let selection = Selection {
            directory: String::new(),
            patterns: vec![Pattern::everything()],
            excludes: vec![glob("app/**/*.less"), name("c")],
        };
        let selected = listing(&PATHS).select(&selection).unwrap();
        assert_eq!(selected.entries.into_keys().collect::<Vec<_>>(), ["a.less", "app/sub/b.css"]);
    }

    #[test]
    fn a_whole_path_is_meant_before_the_ends_of_others() {
        assert_eq!(listing(&PATHS).find("a.less"), ["a.less"]);
        assert_eq!(listing(&PATHS).find("b.less"), ["app/sub/b.less"]);
        assert_eq!(listing(&["x/a", "y/a"]).find("a"), ["x/a", "y/a"]);
    }

    #[test]
    fn what_is_laid_over_wins_and_the_digest_is_that_of_the_stored_tree() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let mut one = listing(&["a/b", "c"]);
        one.lay_over([("c".to_owned(), Node::Symlink { target: "other".to_owned() })].into_iter().collect());
        let stored = store.put_listing(one.to_tree().unwrap()).unwrap();
        assert_eq!(one.digest().unwrap(), stored);
        assert_eq!(store.list_tree(&stored).unwrap(), one);
        assert_eq!(one.get("c"), Some(&Node::Symlink { target: "other".to_owned() }));
    }

    #[test]
    fn a_file_where_a_directory_is_needed_is_an_error() {
        assert!(matches!(listing(&["a", "a/b"]).digest(), Err(TreePathError::Taken { .. })));
    }

    #[test]
    fn a_pattern_that_is_no_glob_is_told() {
        assert_eq!(Matcher::new(&[glob("a[")]).unwrap_err().pattern, "a[");
    }
}
