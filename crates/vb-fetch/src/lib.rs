//! Bytes from a location: HTTP(S), `file://` URLs and absolute paths, with bounded retries.
//!
//! A [`Fetcher`] gives what a location holds; whether these are the *right* bytes is the caller's to check, by digest
//! or by signature. Must not be here: knowledge of any index format, caching, the choice between mirrors.

mod error;
mod exchange;
mod fetcher;
mod location;

pub use error::FetchError;
pub use exchange::ExchangeError;
pub use fetcher::{FetchOptions, Fetcher, NetworkUse, Proxy};
pub use location::{local_path, without_credentials};
/// The types of requests and answers.
pub use ureq::http;
