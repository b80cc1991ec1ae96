//! The paths of a root while many packages are unpacked into it at once.
//!
//! Every path is claimed here before it is made. That gives three things whatever the order of the threads: no path leaves
//! the root (each directory above a claimed path is a claimed directory, so no link is ever followed), a directory's mode
//! is that of the first package by list, and two packages that ship one path are noticed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    Link,
}

/// Who has a path, by place in the list of packages; nobody, for a directory that no package ships itself.
#[derive(Clone, Copy, Debug)]
struct Claim {
    kind: Kind,
    owner: Option<usize>,
    mode: u32,
}

/// The answer to a claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claimed {
    /// The path is the claimant's to make.
    Free,
    /// Something is there already: of this kind, by this package.
    Taken(Kind, Option<usize>),
    /// A directory above is no directory: this path, of this package.
    Through(PathBuf, Option<usize>),
}

/// All claimed paths.
#[derive(Debug, Default)]
pub(super) struct Tree {
    claims: Mutex<BTreeMap<PathBuf, Claim>>,
}

impl Tree {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Claim>> {
        self.claims.lock().expect("no thread panics while it holds the claims")
    }

    /// Claims a file or link, and the directories above it.
    pub(super) fn claim(&self, path: &Path, kind: Kind, owner: usize) -> Claimed {
        let mut claims = self.lock();
        if let Some(blocked) = claim_parents(&mut claims, path) {
            return blocked;
        }
        if let Some(claim) = claims.get(path) {
            return Claimed::Taken(claim.kind, claim.owner);
        }
        claims.insert(path.to_owned(), Claim { kind, owner: Some(owner), mode: 0 });
        Claimed::Free
    }

    /// Claims a directory; any number of packages may have it.
    pub(super) fn claim_directory(&self, path: &Path, mode: u32, owner: usize) -> Claimed {
        let mut claims = self.lock();
        if let Some(blocked) = claim_parents(&mut claims, path) {
            return blocked;
        }
        let ours = Claim { kind: Kind::Directory, owner: Some(owner), mode };
        let claim = claims.entry(path.to_owned()).or_insert(ours);
        if claim.kind != Kind::Directory {
            return Claimed::Taken(claim.kind, claim.owner);
        }
        if claim.owner.is_none_or(|other| owner < other) {
            *claim = ours;
        }
        Claimed::Free
    }

    /// Is the path a file of this package? A hard link's target must be.
    pub(super) fn is_file_of(&self, path: &Path, owner: usize) -> bool {
        self.lock().get(path).is_some_and(|claim| claim.kind == Kind::File && claim.owner == Some(owner))
    }

    /// Is the path a file, whoever has it?
    pub(super) fn is_file(&self, path: &Path) -> bool {
        self.lock().get(path).is_some_and(|claim| claim.kind == Kind::File)
    }

    /// Returns the directories with their modes, each before what is in it.
    pub(super) fn into_directories(self) -> Vec<(PathBuf, u32)> {
        let claims = self.claims.into_inner().expect("no thread panics while it holds the claims");
        let directories = claims.into_iter().filter(|(_, claim)| claim.kind == Kind::Directory);
        directories.map(|(path, claim)| (path, claim.mode)).collect()
    }
}

/// Claims the directories above a path; returns what stands in the way.
fn claim_parents(claims: &mut BTreeMap<PathBuf, Claim>, path: &Path) -> Option<Claimed> {
    for parent in path.ancestors().skip(1) {
        match claims.get(parent) {
            Some(claim) if claim.kind == Kind::Directory => break,
            Some(claim) => return Some(Claimed::Through(parent.to_owned(), claim.owner)),
            None => {}
        }
    }
    for parent in path.ancestors().skip(1) {
        if claims.contains_key(parent) {
            break;
        }
        claims.insert(parent.to_owned(), Claim { kind: Kind::Directory, owner: None, mode: 0o755 });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_the_first_who_claims_it() {
        let tree = Tree::default();
        assert_eq!(tree.claim(Path::new("a/b"), Kind::File, 1), Claimed::Free);
        assert_eq!(tree.claim(Path::new("a/b"), Kind::File, 2), Claimed::Taken(Kind::File, Some(1)));
        assert_eq!(tree.claim(Path::new("a"), Kind::File, 2), Claimed::Taken(Kind::Directory, None));
        assert!(tree.is_file_of(Path::new("a/b"), 1));
        assert!(!tree.is_file_of(Path::new("a/b"), 2));
        assert!(!tree.is_file_of(Path::new("a"), 1));
    }

    #[test]
    fn no_path_goes_through_a_link_or_file() {
        let tree = Tree::default();
        tree.claim(Path::new("a"), Kind::Link, 1);
        assert_eq!(tree.claim(Path::new("a/b/c"), Kind::File, 2), Claimed::Through(PathBuf::from("a"), Some(1)));
        assert_eq!(tree.claim_directory(Path::new("a"), 0o755, 2), Claimed::Taken(Kind::Link, Some(1)));
    }

    #[test]
    fn a_directorys_mode_does_not_depend_on_the_order() {
        for order in [[0, 1], [1, 0]] {
            let tree = Tree::default();
            tree.claim(Path::new("d/f"), Kind::File, 5);
            for owner in order {
                assert_eq!(tree.claim_directory(Path::new("d"), [0o700, 0o711][owner], owner), Claimed::Free);
            }
            let expect = [(PathBuf::new(), 0o755), (PathBuf::from("d"), 0o700)];
            assert_eq!(tree.into_directories(), expect);
        }
    }
}
