//! What a package says about a file beside its bytes: a digest, and what compiled code needs.
//!
//! LearntFiles depend on the bytes alone, so they are remembered with the segment that a file begins in.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use vb_graph::{BlobDigest, PackageSpec};

use crate::{
    elf::{ElfFacts, ElfMachine, inspect_elf},
    error::WritePackageError,
    tree::{Content, Entry},
};

/// The facts of all files of a package, by their blobs.
pub(crate) type LearntFiles = BTreeMap<BlobDigest, Learnt>;

/// What is known of the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learnt {
    /// In hexadecimal digits.
    pub(crate) digest: String,
    /// The machine that it is compiled for, if it begins as compiled code.
    pub(crate) machine: Option<ElfMachine>,
    /// What its dynamic section says, where that was asked for. A file that only begins as compiled code, as test data do,
    /// has none.
    pub(crate) elf: Option<ElfFacts>,
}

/// What a format has to know of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// MD5, and is it compiled code?
    Md5,
    /// SHA-256, and what does compiled code need?
    Sha256,
}

impl Wanted {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        }
    }
}

/// Learns the facts of a file from its bytes, piece by piece.
#[derive(Debug)]
pub(crate) enum Learner {
    Md5 { hasher: Md5, start: Vec<u8> },
    Sha256 { hasher: Sha256, code: Vec<u8>, is_other: bool },
}

impl Learner {
    pub(crate) fn new(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Md5 => Self::Md5 { hasher: Md5::new(), start: Vec::new() },
            Wanted::Sha256 => Self::Sha256 { hasher: Sha256::new(), code: Vec::new(), is_other: false },
        }
    }

    /// Takes in the next bytes of the file.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        const MAGIC: &[u8] = b"\x7fELF";
        match self {
            Self::Md5 { hasher, start } => {
                hasher.update(bytes);
                start.extend(bytes.iter().take(ElfMachine::START - start.len()));
            }
            Self::Sha256 { hasher, code, is_other } => {
                hasher.update(bytes);
                if !*is_other {
                    code.extend_from_slice(bytes);
                    *is_other = code.len() >= MAGIC.len() && !code.starts_with(MAGIC);
                }
                if *is_other {
                    *code = Vec::new();
                }
            }
        }
    }

    pub(crate) fn finish(self) -> Learnt {
        match self {
            Self::Md5 { hasher, start } => {
                Learnt { digest: hex::encode(hasher.finalize()), machine: ElfMachine::from_start(&start), elf: None }
            }
            Self::Sha256 { hasher, code, .. } => Learnt {
                digest: hex::encode(hasher.finalize()),
                machine: ElfMachine::from_start(&code),
                elf: inspect_elf(&code).ok().flatten(),
            },
        }
    }
}

/// Returns the facts of a file of the tree whose content was written.
pub(crate) fn learnt_of<'a>(facts: &'a LearntFiles, blob: &BlobDigest) -> &'a Learnt {
    facts.get(blob).expect("every file that was written has facts")
}

/// Is there compiled code among the entries?
///
/// # Errors
/// [`WritePackageError::ForeignCode`], with the first file that is compiled for another machine than the package.
pub(crate) fn find_code<'a>(
    spec: &PackageSpec,
    entries: impl IntoIterator<Item = &'a Entry>,
    facts: &LearntFiles,
) -> Result<bool, WritePackageError> {
    let native = &spec.native_architecture;
    let mut has_code = false;
    for Entry { path, content, .. } in entries {
        let Content::File { blob, .. } = content else { continue };
        let Some(found) = learnt_of(facts, blob).machine else { continue };
        if ElfMachine::of_architecture(native) != Some(found) {
            return Err(WritePackageError::ForeignCode { path: path.clone(), found, native: native.clone() });
        }
        has_code = true;
    }
    Ok(has_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_do_not_depend_on_where_the_bytes_are_divided() {
        let code = b"\x7fELF\x02\x01\x01 and some more bytes that mean nothing".to_vec();
        for bytes in [code, b"text".to_vec(), vec![], b"\x7fEL".to_vec()] {
            for wanted in [Wanted::Md5, Wanted::Sha256] {
                let mut whole = Learner::new(wanted);
                whole.read(&bytes);
                let mut single = Learner::new(wanted);
                bytes.iter().for_each(|byte| single.read(&[*byte]));
                assert_eq!(whole.finish(), single.finish());
            }
        }
    }

    #[test]
    fn what_only_begins_as_compiled_code_is_code_that_needs_nothing() {
        let mut reader = Learner::new(Wanted::Sha256);
        [&b"\x7f"[..], b"ELF", b"\x02\x01", &[1; 60]].into_iter().for_each(|bytes| reader.read(bytes));
        let learnt = reader.finish();
        assert!(learnt.machine.is_some() && learnt.elf.is_none());
    }

    #[test]
    fn the_bytes_of_other_files_are_not_kept() {
        let mut reader = Learner::new(Wanted::Sha256);
        ["#", "!/bin/sh\n", "set -e\n"].into_iter().for_each(|bytes| reader.read(bytes.as_bytes()));
        assert!(matches!(reader, Learner::Sha256 { code, .. } if code.is_empty()));
    }
}
