//! Sends the requests of object stores through `vb-fetch`: one HTTP client, one set of certificates and proxies.

use http_body_util::BodyExt as _;
use object_store::{
    ClientConfigKey, ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService},
};
use vb_fetch::{ExchangeError, Fetcher, http};

/// Makes the clients of object stores.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    fetcher: Fetcher,
}

/// A request is not sent.
#[derive(Debug, thiserror::Error)]
#[error("requests without TLS are refused; `AWS_ALLOW_HTTP=true` and its likes allow them")]
pub(super) struct ConnectorError;

impl Connector {
    pub(super) fn new(fetcher: Fetcher) -> Self {
        Self { fetcher }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allows_http = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|value| value == "true");
        Ok(HttpClient::new(Service { fetcher: self.fetcher.clone(), allows_http }))
    }
}

#[derive(Debug)]
struct Service {
    fetcher: Fetcher,
    allows_http: bool,
}

#[async_trait::async_trait]
impl HttpService for Service {
    /// The thread that waits for the answer is the one that wants it: nothing else runs on it.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.uri().scheme() != Some(&http::uri::Scheme::HTTPS) && !self.allows_http {
            return Err(HttpError::new(HttpErrorKind::Unknown, ConnectorError));
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        let answer = self.fetcher.exchange(http::Request::from_parts(parts, body)).map_err(failed)?;
        Ok(answer.map(Into::into))
    }
}

fn failed(error: ExchangeError) -> HttpError {
    let kind = match &error {
        error if error.is_before_request() => HttpErrorKind::Connect,
        error if error.is_timeout() => HttpErrorKind::Timeout,
        _ => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error)
}
