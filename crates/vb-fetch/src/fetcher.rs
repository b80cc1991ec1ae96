//! The fetcher: one connection pool, the retries, and the two ways to take what comes.

use std::{
    io::{self, Read, Write},
    path::Path,
    thread,
    time::Duration,
};

use ureq::{
    Agent,
    config::RedirectAuthHeaders,
    http::header::{ACCEPT, AUTHORIZATION, HeaderName},
    tls::{RootCerts, TlsConfig},
};

use crate::{
    FetchError,
    location::{Location, split_authorization, without_credentials},
};

/// Which proxy HTTP requests go through.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Proxy {
    /// What the usual variables (`https_proxy`, `no_proxy`, …) of the process say.
    #[default]
    FromEnvironment,
    /// None.
    Direct,
    /// The proxy at this URL: `http`, `https` (both asked to `CONNECT`), `socks4`, `socks4a` or `socks5`.
    Through(String),
}

/// May a fetcher use the network?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NetworkUse {
    /// Yes.
    #[default]
    Allowed,
    /// No: only files of this machine are there.
    Refused,
}

/// How a [`Fetcher`] behaves. The defaults fit a package archive or index.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Whether HTTP requests are made at all.
    pub network: NetworkUse,
    /// Which proxy requests go through.
    pub proxy: Proxy,
    /// How often a location is tried before its failure is reported; at least once.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles for each one after that.
    pub pause: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a connection may be silent. There is no limit on a whole download.
    pub silence_timeout: Duration,
    /// The most bytes that [`Fetcher::get`] takes into memory.
    pub get_limit: u64,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!("vb/", env!("CARGO_PKG_VERSION")).to_owned(),
            network: NetworkUse::default(),
            proxy: Proxy::default(),
            attempts: 3,
            pause: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(60),
            get_limit: 512 << 20,
        }
    }
}

/// Fetches locations; cheap to clone, and all clones share their connections.
///
/// Transport errors and the statuses 408, 429 and 5xx are tried again after a pause; a 404 never is.
#[derive(Clone, Debug)]
pub struct Fetcher {
    agent: Agent,
    network: NetworkUse,
    attempts: u32,
    pause: Duration,
    get_limit: u64,
}

impl Fetcher {
    /// Makes a fetcher that trusts what the platform trusts (so `SSL_CERT_FILE` counts).
    ///
    /// # Errors
    /// [`FetchError::Proxy`], when the options name a proxy that is not a URL.
    pub fn new(options: &FetchOptions) -> Result<Self, FetchError> {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(options.user_agent.as_str())
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.silence_timeout))
            .timeout_per_read(Some(options.silence_timeout));
        match &options.proxy {
            Proxy::FromEnvironment => {}
            Proxy::Direct => config = config.proxy(None),
            Proxy::Through(url) => {
                let proxy = ureq::Proxy::new(url).map_err(|source| FetchError::Proxy { source: Box::new(source) })?;
                config = config.proxy(Some(proxy));
            }
        }
        Ok(Self {
            agent: config.build().new_agent(),
            network: options.network,
            attempts: options.attempts.max(1),
            pause: options.pause,
            get_limit: options.get_limit,
        })
    }

    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Returns what a location holds.
    ///
    /// # Errors
    /// See [`FetchError`]; [`FetchError::TooLarge`] beyond [`FetchOptions::get_limit`].
    pub fn get(&self, location: &str) -> Result<Vec<u8>, FetchError> {
        self.get_accepting(location, None)
    }

    /// Does as [`get`](Self::get), and sends an `Accept` header, by which an index chooses the form of its answer.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_accepting(&self, location: &str, accept: Option<&str>) -> Result<Vec<u8>, FetchError> {
        let mut target = Memory { bytes: Vec::new(), limit: self.get_limit, is_full: false };
        match self.fetch(location, accept, &mut target) {
            Err(FetchError::Write { location, .. }) if target.is_full => {
                Err(FetchError::TooLarge { location, limit: self.get_limit })
            }
            Err(error) => Err(error),
            Ok(_) => Ok(target.bytes),
        }
    }

    /// Writes what a location holds to `to`, and returns how many bytes these are.
    ///
    /// After a broken connection the attempt that follows skips what was written already, so a file that changes
    /// meanwhile gives a mixture: check its digest.
    ///
    /// # Errors
    /// See [`FetchError`]. What was written before the error stays written.
    pub fn download(&self, location: &str, to: &mut dyn Write) -> Result<u64, FetchError> {
        self.fetch(location, None, to)
    }

    fn fetch(&self, location: &str, accept: Option<&str>, to: &mut dyn Write) -> Result<u64, FetchError> {
        match Location::parse(location)? {
            Location::File(path) => copy_file(&path, location, to),
            Location::Http(url) if self.network == NetworkUse::Refused => {
                Err(FetchError::Offline { location: without_credentials(url) })
            }
            Location::Http(url) => self.fetch_http(url, accept, to),
        }
    }

    fn fetch_http(&self, url: &str, accept: Option<&str>, to: &mut dyn Write) -> Result<u64, FetchError> {
        // Apart from the URL, credentials cannot get into an error's text.
        let (url, authorization) = split_authorization(url);
        let headers: Vec<(HeaderName, &str)> = [(ACCEPT, accept), (AUTHORIZATION, authorization.as_deref())]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let mut written = 0;
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            match self.try_once(&url, &headers, to, &mut written) {
                Ok(()) => return Ok(written),
                Err(failure) if failure.may_pass() && attempt < self.attempts => {
                    thread::sleep(pause);
                    pause *= 2;
                    attempt += 1;
                }
                Err(failure) => return Err(failure.into_error(url, attempt)),
            }
        }
    }

    fn try_once(
        &self,
        url: &str,
        headers: &[(HeaderName, &str)],
        to: &mut dyn Write,
        written: &mut u64,
    ) -> Result<(), Failure> {
        let request = headers.iter().fold(self.agent.get(url), |request, (name, value)| request.header(name, *value));
        let mut response = request.call().map_err(|error| Failure::Transport(Box::new(error)))?;
        let status = response.status();
        if !status.is_success() {
            return Err(Failure::Status(status.as_u16()));
        }
        let mut body = response.body_mut().as_reader();
        let already = *written;
        let skipped = io::copy(&mut (&mut body).take(already), &mut io::sink()).map_err(Failure::broken)?;
        if skipped < already {
            return Err(Failure::broken(io::ErrorKind::UnexpectedEof.into()));
        }
        copy(&mut body, to, written)
    }
}

/// Why one attempt failed.
enum Failure {
    Status(u16),
    Transport(Box<ureq::Error>),
    Write(io::Error),
}

impl Failure {
    fn broken(error: io::Error) -> Self {
        Self::Transport(Box::new(ureq::Error::from(error)))
    }

    /// Can the same request succeed a moment later?
    fn may_pass(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 429 | 500..),
            Self::Transport(error) => matches!(
                **error,
                ureq::Error::Io(_)
                    | ureq::Error::Timeout(_)
                    | ureq::Error::Protocol(_)
                    | ureq::Error::ConnectionFailed
                    | ureq::Error::HostNotFound
            ),
            Self::Write(_) => false,
        }
    }

    fn into_error(self, location: String, attempts: u32) -> FetchError {
        match self {
            Self::Status(404 | 410) => FetchError::NotFound { location },
            Self::Status(status) => FetchError::Status { location, status },
            Self::Transport(source) => FetchError::Transport { location, attempts, source },
            Self::Write(source) => FetchError::Write { location, source },
        }
    }
}

/// Copies and counts; tells a broken source, which may be tried again, from a broken target.
fn copy(from: &mut dyn Read, to: &mut dyn Write, written: &mut u64) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::broken(error)),
        };
        to.write_all(&buffer[..length]).map_err(Failure::Write)?;
        *written += length as u64;
    }
}

fn copy_file(path: &Path, location: &str, to: &mut dyn Write) -> Result<u64, FetchError> {
    let read_error = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            FetchError::NotFound { location: location.to_owned() }
        }
        _ => FetchError::ReadFile { location: location.to_owned(), source },
    };
    let mut file = fs_err::File::open(path).map_err(read_error)?;
    let mut written = 0;
    match copy(&mut file, to, &mut written) {
        Ok(()) => Ok(written),
        Err(Failure::Transport(error)) => Err(read_error(error.into_io())),
        Err(failure) => Err(failure.into_error(location.to_owned(), 1)),
    }
}

/// A buffer that refuses to grow beyond its limit.
struct Memory {
    bytes: Vec<u8>,
    limit: u64,
    is_full: bool,
}

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + buffer.len()) as u64 > self.limit {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
