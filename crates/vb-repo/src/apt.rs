//! Repositories as apt reads them: what a `.deb` is in an index, and the indexes of a generation.
//!
//! Format: Debian wiki, "DebianRepository/Format"; sources.list(5) and apt-secure(8).

mod contents;
mod index;
mod record;
mod release;

pub use self::{index::IndexError, record::DebRecordError};
pub(crate) use self::{
    index::publication,
    record::{Facts, deb_record},
};
