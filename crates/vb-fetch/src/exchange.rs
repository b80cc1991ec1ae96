//! One HTTP request and its answer, for protocols that are more than fetching: object stores.

use ureq::http::{Method, Request, Response};

use crate::Fetcher;

/// The server could not be reached, or the connection broke. Whether the request had an effect is not known.
#[derive(Debug, thiserror::Error)]
#[error("the request failed")]
pub struct ExchangeError {
    #[source]
    source: Box<ureq::Error>,
}

impl ExchangeError {
    /// Is it certain that the request did not reach the server?
    pub fn is_before_request(&self) -> bool {
        matches!(*self.source, ureq::Error::HostNotFound | ureq::Error::ConnectionFailed)
    }

    /// Did the time run out?
    pub fn is_timeout(&self) -> bool {
        matches!(*self.source, ureq::Error::Timeout(_))
    }
}

impl Fetcher {
    /// Sends a request once, and returns the answer whatever its status is. Redirections are not followed.
    ///
    /// # Errors
    /// [`ExchangeError`] when there is no answer, or it is cut off.
    pub fn exchange(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, ExchangeError> {
        let exchange = || -> Result<Response<Vec<u8>>, ureq::Error> {
            let (parts, body) = request.into_parts();
            let mut response = if body.is_empty() && !matches!(parts.method, Method::POST | Method::PUT) {
                self.send(Request::from_parts(parts, ()))?
            } else {
                self.send(Request::from_parts(parts, body))?
            };
            let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
            let (parts, _) = response.into_parts();
            Ok(Response::from_parts(parts, body))
        };
        exchange().map_err(|source| ExchangeError { source: Box::new(source) })
    }

    fn send(&self, request: Request<impl ureq::AsSendBody>) -> Result<Response<ureq::Body>, ureq::Error> {
        let configured =
            self.agent().configure_request(request).max_redirects(0).max_redirects_will_error(false).build();
        self.agent().run(configured)
    }
}
