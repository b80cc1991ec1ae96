//! What can be wrong with an archive's index.

use std::io;

use vb_fetch::FetchError;

use crate::signature::SignatureError;

/// A suite's index could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A suite has no location: nothing in the machine's apt sources leads to it.
    #[error("no location is known for suite `{suite}`")]
    NoLocation {
        /// The suite.
        suite: String,
    },
    /// No location has the suite; the source is why the last one did not give it.
    #[error("suite `{suite}` cannot be fetched from {}", locations.iter().map(|base| format!("`{base}`")).collect::<Vec<_>>().join(", "))]
    Fetch {
        /// The suite.
        suite: String,
        /// All bases that were tried.
        locations: Vec<String>,
        /// The last failure.
        #[source]
        source: FetchError,
    },
    /// The suite is there and its signature does not count.
    #[error("suite `{suite}` at `{base}` is not signed as it should be")]
    Signature {
        /// The suite.
        suite: String,
        /// The archive's base.
        base: String,
        /// Why not.
        #[source]
        source: SignatureError,
    },
    /// The `Release` file cannot be read.
    #[error("the Release file of suite `{suite}` at `{base}` is malformed")]
    MalformedRelease {
        /// The suite.
        suite: String,
        /// The archive's base.
        base: String,
    },
    /// The signed `Release` file is another suite's.
    #[error("`{base}` gives suite `{found}` for suite `{suite}`")]
    OtherSuite {
        /// The suite that was asked for.
        suite: String,
        /// The archive's base.
        base: String,
        /// The codename or suite in the `Release` file.
        found: String,
    },
    /// The index is older than its archive promises to let it get.
    #[error("suite `{suite}` at `{base}` is expired: made on {date}, valid until {valid_until}")]
    Expired {
        /// The suite.
        suite: String,
        /// The archive's base.
        base: String,
        /// When it was made.
        date: String,
        /// Until when it was to be used.
        valid_until: String,
    },
    /// The suite has no such component for the architecture.
    #[error("suite `{suite}` has no component `{component}` for `{architecture}` (it has: {})", found.join(", "))]
    NoComponent {
        /// The suite.
        suite: String,
        /// The component that was asked for.
        component: String,
        /// The architecture.
        architecture: String,
        /// The components that there are.
        found: Vec<String>,
    },
    /// The suite is in an older state than one that was seen before.
    #[error("suite `{suite}` at `{base}` is of {date}, and a state of {known} is known already")]
    Older {
        /// The suite.
        suite: String,
        /// The archive's base.
        base: String,
        /// When it was made.
        date: String,
        /// When the state was made that is known.
        known: String,
    },
    /// An index is not the one that the `Release` file vouches for: it is cut off, or of another state of the archive.
    #[error("`{location}` {}", mismatch(*size, *expected, date))]
    Mismatch {
        /// Where the index came from.
        location: String,
        /// How many bytes there were.
        size: u64,
        /// How many there should be.
        expected: u64,
        /// When the `Release` file was made.
        date: String,
    },
    /// An index cannot be decompressed, or is not UTF-8.
    #[error("`{location}` cannot be read")]
    Read {
        /// Where the index came from.
        location: String,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// A package in an index lacks a field, or has one that makes no sense.
    #[error("`{location}`: package `{package}` has no valid `{field}`")]
    MalformedPackage {
        /// Where the index came from.
        location: String,
        /// The package.
        package: String,
        /// The field.
        field: &'static str,
    },
}

fn mismatch(size: u64, expected: u64, date: &str) -> String {
    if size == expected {
        format!("has not the digest that the signed Release file of {date} names")
    } else {
        format!("has {size} bytes, and the signed Release file of {date} names {expected}")
    }
}
