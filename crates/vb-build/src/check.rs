//! Where two outputs differ, and for known causes why.

use std::collections::BTreeMap;

use vb_graph::Node;
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
            (Some(first), Some(second)) if first != second => Contrast::Differs(describe(path, first, second)),
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

fn describe(path: &str, first: &Node, second: &Node) -> String {
    match (first, second) {
        (Node::File { size: a, mode: x, .. }, Node::File { size: b, mode: y, .. }) => {
            let sizes = if a == b { format!("{a} bytes") } else { format!("{a} and {b} bytes") };
            let modes = if x == y { String::new() } else { format!(", mode {x:o} and {y:o}") };
            format!("the content differs ({sizes}{modes}){}", known_cause(path))
        }
        _ => "it is of another kind".to_owned(),
    }
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
