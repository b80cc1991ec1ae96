//! Hermetic environments, fixture archives and redaction, for tests only.

pub mod archive;
pub mod installed;
pub mod installers;
pub mod repack;
pub mod rpm;
