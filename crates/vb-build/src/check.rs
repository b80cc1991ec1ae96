//! Where two outputs differ, and for known causes why.

use std::collections::BTreeMap;

use vb_graph::{BlobDigest, Node};
use vb_python::ArchiveError;
use vb_store::{DirectoryError, Store};

use crate::error::{Contrast, Difference};

/// How many differences are told; the first ones lead to the cause.
const LIMIT: usize = 20;

/// Lists the paths at which two outputs differ.
pub(crate) fn compare(store: &Store, one: &Node, other: &Node) -> Result<Vec<Difference>, DirectoryError> {
    let (one, other) = (flatten(store, one)?, flatten(store, other)?);
    let mut paths: Vec<&String> = one.keys().chain(other.keys()).collect();
    paths.sort();
    paths.dedup();
    let differences = paths.into_iter().filter_map(|path| {
        let contrast = match (one.get(path), other.get(path)) {
            (Some(_), None) => Contrast::OnlyFirst,
            (None, Some(_)) => Contrast::OnlySecond,
            (Some(first), Some(second)) if first != second => Contrast::Differs(describe(store, path, first, second)),
            _ => return None,
        };
        Some(Difference { path: path.clone(), contrast })
    });
    Ok(differences.take(LIMIT).collect())
}

fn flatten(store: &Store, node: &Node) -> Result<BTreeMap<String, Node>, DirectoryError> {
    let mut entries = BTreeMap::new();
    match node {
        Node::Directory { digest, .. } => store.walk(digest, &mut |path, node| {
            // A directory differs where its entries do; its mode alone is worth a line.
            let shown = match node {
                Node::Directory { mode, .. } => Node::Symlink { target: format!("directory of mode {mode:o}") },
                other => other.clone(),
            };
            entries.insert(path.to_owned(), shown);
        })?,
        other => drop(entries.insert(String::from("."), other.clone())),
    }
    Ok(entries)
}

fn describe(store: &Store, path: &str, first: &Node, second: &Node) -> String {
    match (first, second) {
        (Node::File { blob: one, size: a, mode: x }, Node::File { blob: other, size: b, mode: y }) => {
            let sizes = if a == b { format!("{a} bytes") } else { format!("{a} and {b} bytes") };
            let modes = if x == y { String::new() } else { format!(", mode {x:o} and {y:o}") };
            let members = different_members(store, path, one, other);
            let cause = if members.is_empty() { known_cause(path).to_owned() } else { format!("; in it: {members}") };
            format!("the content differs ({sizes}{modes}){cause}")
        }
        _ => "it is of another kind".to_owned(),
    }
}

/// Names the members of two wheels that differ. None of them does when only the times and the order are others.
fn different_members(store: &Store, path: &str, one: &BlobDigest, other: &BlobDigest) -> String {
    if !path.ends_with(".whl") {
        return String::new();
    }
    let (Ok(one), Ok(other)) = (members(store, one), members(store, other)) else { return String::new() };
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    let different = names.into_iter().filter(|name| one.get(*name) != other.get(*name));
    different.take(LIMIT).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn members(store: &Store, wheel: &BlobDigest) -> Result<BTreeMap<String, BlobDigest>, ArchiveError> {
    let mut found = BTreeMap::new();
    vb_python::read_members(&store.blob_path(wheel), &mut |name, reader| {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        found.insert(name.to_owned(), BlobDigest::of(&bytes));
        Ok(())
    })?;
    Ok(found)
}

fn known_cause(path: &str) -> &'static str {
    let extension = path.rsplit('.').next().unwrap_or_default();
    match extension {
        "pyc" => "; bytecode differs when the order of compilation or a set's order does: is a hash seed set?",
        "so" | "o" | "a" => "; compiled code often has the build time (`__DATE__`) or a build path in it",
        "whl" | "zip" | "jar" => "; an archive keeps times: does its tool read `SOURCE_DATE_EPOCH`?",
        "gz" => "; a gzip header keeps a time and a name: use `gzip -n`",
        _ => "",
    }
}
