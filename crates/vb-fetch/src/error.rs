//! Why a location gave nothing.

use std::io;

/// A location could not be fetched. The location in it never holds a user name or password.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is nothing at the location: HTTP 404 or 410, or no such file.
    #[error("`{location}` does not exist")]
    NotFound {
        /// Where it was looked for.
        location: String,
    },
    /// The server answered with a status that is neither success nor "not there".
    #[error("`{location}` answered with HTTP status {status}")]
    Status {
        /// What was asked for.
        location: String,
        /// The last status, after all attempts.
        status: u16,
    },
    /// The server could not be reached, or the connection broke.
    #[error("cannot fetch `{location}` (attempts: {attempts})")]
    Transport {
        /// What was asked for.
        location: String,
        /// How often it was tried.
        attempts: u32,
        /// What happened at the last attempt.
        #[source]
        source: Box<ureq::Error>,
    },
    /// A local file exists and cannot be read.
    #[error("cannot read `{location}`")]
    ReadFile {
        /// The location as it was given.
        location: String,
        /// The file system's error.
        #[source]
        source: io::Error,
    },
    /// The caller's writer failed.
    #[error("cannot write what `{location}` holds")]
    Write {
        /// What was being fetched.
        location: String,
        /// The writer's error.
        #[source]
        source: io::Error,
    },
    /// There is more at the location than [`FetchOptions::get_limit`](crate::FetchOptions::get_limit) allows.
    #[error("`{location}` is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        location: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The location is no `http://`, `https://` or `file://` URL and no absolute path.
    #[error("`{location}` is neither an http(s) or file URL nor an absolute path")]
    UnsupportedLocation {
        /// The location as it was given.
        location: String,
    },
    /// The location is on the network, which the options do not allow.
    #[error("`{location}` is on the network, which is not used")]
    Offline {
        /// What was asked for.
        location: String,
    },
    /// The proxy that the options name is not a proxy URL.
    #[error("the configured proxy is not a proxy URL")]
    Proxy {
        /// What is wrong with it.
        #[source]
        source: Box<ureq::Error>,
    },
}

impl FetchError {
    /// Is it certain that there is nothing at the location? Everything else may be different at the next try.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Was nothing asked for, because the network is not used?
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Offline { .. })
    }

    /// Does the server want another login, or any at all?
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Status { status: 401 | 403 | 407, .. })
    }
}
