//! Evaluations that are remembered from run to run: a build in which no recipe changed does not start Nickel.
//!
//! Must not be here: where they are kept. Invariant: what is remembered is what an evaluation would give, because its
//! key covers every byte that the evaluation reads, and the version of vb.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use vb_graph::BlobDigest;

use crate::{
    evaluate::CONTRACTS,
    fields::FileKind,
    position::{Evaluated, Positions, SourceFile},
};

type Recall = dyn Fn(&str) -> Option<String> + Send + Sync;
type Remember = dyn Fn(&str, &str) + Send + Sync;

/// Keeps texts by name from run to run. It may forget any of them, and replaces the one that had a name before.
///
/// The default one keeps nothing.
pub struct Memory {
    recall: Box<Recall>,
    remember: Box<Remember>,
}

impl Memory {
    /// Takes what finds a text, and what keeps one.
    pub fn new(
        recall: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        remember: impl Fn(&str, &str) + Send + Sync + 'static,
    ) -> Self {
        Self { recall: Box::new(recall), remember: Box::new(remember) }
    }

    /// Returns what the first of the files evaluated to when all of them were as they are, and so were those that it
    /// turned out to need beside them, which `read` reads.
    pub(crate) fn recall<T: DeserializeOwned>(
        &self,
        kind: FileKind,
        files: &[SourceFile],
        mut read: impl FnMut(&Path) -> Option<Vec<SourceFile>>,
    ) -> Option<Evaluated<T>> {
        let text = (self.recall)(&name(kind, &files[0]))?;
        let record: Record<T> = serde_json::from_str(&text).ok()?;
        let Record { key, more, value, positions } = record;
        let mut files = files.to_vec();
        for path in more {
            files.extend(read(&path)?.into_iter().find(|file| file.path == path));
        }
        (key == key_of(&files)).then_some(Evaluated { value, positions, files })
    }

    /// Keeps an evaluation; all but the first `own` of its files are those that it turned out to need.
    pub(crate) fn remember<T: Serialize>(&self, kind: FileKind, evaluated: &Evaluated<T>, own: usize) {
        let Evaluated { value, positions, files } = evaluated;
        let more = files[own..].iter().map(|file| file.path.clone()).collect();
        let record = Record { key: key_of(files), more, value, positions: positions.clone() };
        let text = serde_json::to_string(&record).expect("evaluated files are plain data");
        (self.remember)(&name(kind, &files[0]), &text);
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(|_| None, |_, _| ())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Record<T> {
    key: BlobDigest,
    more: Vec<PathBuf>,
    value: T,
    positions: Positions,
}

fn name(kind: FileKind, main: &SourceFile) -> String {
    format!("evaluated {} {}", kind.contract(), main.path.display())
}

/// Digests the version of vb, its contracts, and the files: their number, and path and digest of each.
fn key_of(files: &[SourceFile]) -> BlobDigest {
    let mut text =
        format!("{}\n{}\n{}\n", env!("CARGO_PKG_VERSION"), BlobDigest::of(CONTRACTS.as_bytes()), files.len());
    for file in files {
        text.push_str(&format!("{:?} {}\n", file.path, file.digest));
    }
    BlobDigest::of(text.as_bytes())
}
