//! Scripts that vb brings, and whose texts are parts of the keys of the actions that run them.

use crate::{digest::BlobDigest, resolved::Part};

/// Compiles CPython; its arguments are in its first lines.
pub const BUILD_INTERPRETER: &str = include_str!("scripts/build_interpreter.sh");

/// Returns the part of a key that stands for a script.
pub(crate) fn script(name: &str, text: &str) -> Part {
    Part::text(&format!("script {name}"), BlobDigest::of(text.as_bytes()).to_string())
}
