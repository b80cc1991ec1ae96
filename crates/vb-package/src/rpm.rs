//! `.rpm` packages: writing one out of a tree, and reading what one says about itself.
//!
//! The crate `rpm` encodes and decodes the headers. The payload is vb's own: it is compressed in segments that are
//! remembered, and never in memory as a whole.

mod read;
mod scriptlet;

pub use read::{
    ReadRpmError, RpmChange, RpmComparison, RpmFile, RpmFileKind, RpmMetadata, RpmRelation, RpmScript, read_rpm,
};
pub use scriptlet::ScriptletName;
