//! `.rpm` packages: writing one out of a tree, and reading what one says about itself.
//!
//! The crate `rpm` encodes and decodes the headers. The payload is vb's own: it is compressed in segments that are
//! remembered, and never in memory as a whole.

mod changelog;
mod cpio;
mod header;
mod read;
mod relation;
mod scriptlet;
mod trigger;
mod version;
mod write;

pub(crate) use changelog::parse as parse_changelog;
pub use read::{
    ReadRpmError, RpmChange, RpmComparison, RpmFile, RpmFileKind, RpmMetadata, RpmRelation, RpmScript, read_rpm,
};
pub use scriptlet::ScriptletName;
pub(crate) use scriptlet::script_of;
pub use trigger::RpmTrigger;
pub(crate) use trigger::parse as parse_triggers;
pub use version::{RpmVersion, RpmVersionError};
pub use write::write_rpm;
