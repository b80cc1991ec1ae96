//! Which files of a staged tree a package has, where a recipe makes several of one tree.
//!
//! The main package has what no other one claims. Bytecode goes with its source, and a directory with what is in it.

use std::collections::BTreeSet;

use vb_graph::{Claim, Pattern, Share};
use vb_package::{Content, Entry, FileTree};
use vb_store::{Matcher, PatternError};

use crate::error::ShareError;

/// The claims of all packages, ready to be matched.
#[derive(Debug)]
pub(super) struct Claims<'a> {
    share: &'a Share,
    claims: Vec<(&'a str, &'a Claim, Matcher)>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(share: &'a Share) -> Result<Self, ShareError> {
        let claim = |(part, claim): (&'a String, &'a Claim)| {
            let matcher = matcher(&claim.patterns).map_err(|source| ShareError::Pattern {
                part: part.clone(),
                index: 0,
                source,
            })?;
            Ok((part.as_str(), claim, matcher))
        };
        Ok(Self { share, claims: share.claims.iter().map(claim).collect::<Result<_, ShareError>>()? })
    }

    /// Is the file at a path, without a slash at its beginning, in the package?
    pub(super) fn is_own(&self, path: &str) -> Result<bool, ShareError> {
        Ok(self.owner(path)? == self.share.part.as_deref())
    }

    fn owner(&self, path: &str) -> Result<Option<&'a str>, ShareError> {
        let source = source_of_bytecode(path);
        let path = source.as_deref().unwrap_or(path);
        let is_config_file = |claim: &Claim| claim.config_files.iter().any(|file| file.strip_prefix('/') == Some(path));
        let claims = |(_, claim, matcher): &&(&str, &Claim, Matcher)| matcher.is_match(path) || is_config_file(claim);
        let mut owners = self.claims.iter().filter(claims).map(|(part, ..)| *part);
        match (owners.next(), owners.next()) {
            (Some(first), Some(second)) => {
                Err(ShareError::Twice { first: first.to_owned(), second: second.to_owned(), path: path.to_owned() })
            }
            (owner, _) => Ok(owner),
        }
    }

    /// Finds the first pattern of the package that matches none of the paths.
    fn check_matches(&self, tree: &FileTree) -> Result<(), ShareError> {
        let Some((part, claim)) = self.share.part.as_ref().and_then(|part| self.share.claims.get_key_value(part))
        else {
            return Ok(());
        };
        for (index, pattern) in claim.patterns.iter().enumerate() {
            let failed = |source| ShareError::Pattern { part: part.clone(), index, source };
            let matcher = matcher(std::slice::from_ref(pattern)).map_err(failed)?;
            if !tree.entries().iter().any(|entry| matcher.is_match(&entry.path)) {
                let pattern = Pattern::as_str(pattern).to_owned();
                return Err(ShareError::NoMatch { part: part.clone(), index, pattern });
            }
        }
        Ok(())
    }
}

/// A staged tree, shared out.
#[derive(Debug)]
pub(super) struct Portion {
    /// The part that is a package's.
    pub(super) own: FileTree,
    /// What is no directory in the parts of the others.
    pub(super) others: Vec<Entry>,
}

/// Finds the part of a staged tree that is a package's.
pub(super) fn share_of(tree: &FileTree, share: &Share) -> Result<Portion, ShareError> {
    let claims = Claims::new(share)?;
    claims.check_matches(tree)?;
    let (mut own, mut others) = (Vec::new(), Vec::new());
    let filled: BTreeSet<&str> = tree.entries().iter().filter_map(|entry| parent(&entry.path)).collect();
    let mut needed = BTreeSet::new();
    // From the end, so that what is in a directory is seen before the directory.
    for entry in tree.entries().iter().rev() {
        let (path, is_directory) = (entry.path.as_str(), entry.content == Content::Directory);
        let is_own = if filled.contains(path) { needed.contains(path) } else { claims.is_own(path)? };
        if is_own {
            needed.extend(parent(path));
            own.push(entry.clone());
        } else if !is_directory {
            others.push(entry.clone());
        }
    }
    Ok(Portion { own: FileTree::from_entries(own)?, others })
}

/// A pattern that matches a directory means everything below it.
fn matcher(patterns: &[Pattern]) -> Result<Matcher, PatternError> {
    let below = patterns.iter().map(|pattern| Pattern::Glob(format!("{}/**", pattern.as_str())));
    Matcher::new(&patterns.iter().cloned().chain(below).collect::<Vec<_>>())
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

/// Returns the module that bytecode was made of (PEP 3147): `a/b.py` for `a/__pycache__/b.cpython-311.opt-1.pyc`.
fn source_of_bytecode(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    let module = name.strip_suffix(".pyc")?.split('.').next()?;
    let directory = directory.strip_suffix("__pycache__")?;
    Some(format!("{directory}{module}.py"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vb_graph::BlobDigest;

    use super::*;

    fn paths(tree: &FileTree) -> Vec<&str> {
        tree.entries().iter().map(|entry| entry.path.as_str()).collect()
    }

    fn tree() -> FileTree {
        let entry = |path: &str, content| Entry { path: path.to_owned(), mode: 0o755, content };
        let file = |path: &str| entry(path, Content::File { blob: BlobDigest::of(b""), size: 0 });
        FileTree::from_entries([
            file("vrmd/w/bin/whois"),
            file("vrmd/w/bin/whois-admin"),
            file("vrmd/w/lib/admin/__pycache__/main.cpython-311.pyc"),
            file("vrmd/w/lib/admin/main.py"),
            file("vrmd/w/lib/server.py"),
            entry("vrmd/w/log", Content::Directory),
            entry("vrmd/w/lib-x", Content::Directory),
            file("etc/whois/cli.yml"),
        ])
        .unwrap()
    }

    fn share(claims: &[(&str, &[&str])]) -> Share {
        let claim = |(part, patterns): &(&str, &[&str])| {
            let patterns = patterns.iter().map(|glob| Pattern::Glob((*glob).to_owned())).collect();
            ((*part).to_owned(), Claim { patterns, config_files: vec![] })
        };
        Share::of_main(claims.iter().map(claim).collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn the_main_package_has_what_no_other_one_claims_and_bytecode_goes_with_its_source() {
        let mut share = share(&[("cli", &["vrmd/w/bin/whois-*", "vrmd/w/lib/ad*"])]);
        share.claims.get_mut("cli").unwrap().config_files.push("/etc/whois/cli.yml".to_owned());
        let cli = share_of(&tree(), &share.of_part("cli")).unwrap().own;
        let expect = [
            "etc",
            "etc/whois",
            "etc/whois/cli.yml",
            "vrmd",
            "vrmd/w",
            "vrmd/w/bin",
            "vrmd/w/bin/whois-admin",
            "vrmd/w/lib",
            "vrmd/w/lib/admin",
            "vrmd/w/lib/admin/__pycache__",
            "vrmd/w/lib/admin/__pycache__/main.cpython-311.pyc",
            "vrmd/w/lib/admin/main.py",
        ];
        assert_eq!(paths(&cli), expect);
        let main = share_of(&tree(), &share).unwrap().own;
        let expect = [
            "vrmd",
            "vrmd/w",
            "vrmd/w/bin",
            "vrmd/w/bin/whois",
            "vrmd/w/lib",
            "vrmd/w/lib-x",
            "vrmd/w/lib/server.py",
            "vrmd/w/log",
        ];
        assert_eq!(paths(&main), expect);
    }

    #[test]
    fn an_empty_directory_can_be_claimed() {
        let share = share(&[("log", &["vrmd/w/log"])]);
        assert_eq!(paths(&share_of(&tree(), &share.of_part("log")).unwrap().own), ["vrmd", "vrmd/w", "vrmd/w/log"]);
        assert!(!paths(&share_of(&tree(), &share).unwrap().own).contains(&"vrmd/w/log"));
    }

    #[test]
    fn a_pattern_that_matches_nothing_and_a_file_that_two_packages_claim_are_told_with_their_fields() {
        let share = share(&[("a", &["vrmd/w/bin/*", "usr/none"]), ("b", &["vrmd/w/bin/whois"])]);
        let error = share_of(&tree(), &share.of_part("a")).unwrap_err();
        assert_eq!(error.to_string(), "`usr/none` of `a` matches no file");
        assert_eq!(error.field().unwrap(), "packages.a.files[1]");
        for part in [share.of_part("b"), share.clone()] {
            let error = share_of(&tree(), &part).unwrap_err();
            assert_eq!(error.to_string(), "`a` and `b` both have `/vrmd/w/bin/whois`");
            assert_eq!(error.field().unwrap(), "packages.b.files");
        }
    }
}
