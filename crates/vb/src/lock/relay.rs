//! What answers uv, or pip, in the place of the Python indexes, on the loopback interface, for the time of one resolution.
//!
//! uv cannot bind the names of dependencies to an index, and should know no password. So it asks one index, which is here:
//! each name is looked for where it belongs, and the relay alone has the logins. Files that need one are handed through;
//! for the others uv is told where they are. The relay's path has a secret, so that no other user of the machine can use it.

use std::{
    collections::BTreeMap,
    io::{Cursor, Seek, SeekFrom},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};
use tiny_http::{Header, Request, Response, ResponseBox, Server};
use vb_build::Builder;
use vb_fetch::{FetchError, Fetcher};
use vb_python::{IndexConfig, IndexFile, ProjectPageError, has_credentials, normalize_name, project_files};

use crate::{exit::Exit, fatal::Fatal};

/// uv asks for many pages at once.
const THREADS: usize = 16;

/// A running relay; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    base: String,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// It reads pages of JSON (PEP 691), and fetches what needs no login by itself.
    Uv,
    /// A pip for Python 2: it reads pages of HTML (PEP 503), and everything comes from here.
    Pip,
}

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Uv => "uv",
            Self::Pip => "pip",
        })
    }
}

/// What all threads of a relay have.
struct Shared {
    client: Client,
    server: Server,
    secret: String,
    fetcher: Fetcher,
    config: IndexConfig,
    pages: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
    files: Mutex<Vec<String>>,
    failure: Mutex<Option<Failure>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Why a name or a file could not be had.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Page(#[from] ProjectPageError),
    #[error("cannot fetch `{file}`")]
    File {
        file: String,
        #[source]
        source: FetchError,
    },
    #[error("cannot keep `{file}` for a moment")]
    Temporary {
        file: String,
        #[source]
        source: std::io::Error,
    },
}

impl Failure {
    fn is_refused(&self) -> bool {
        match self {
            Self::Page(error) => error.is_refused(),
            Self::File { source, .. } => source.is_refused(),
            Self::Temporary { .. } => false,
        }
    }
}

impl Relay {
    /// Starts a relay, if uv cannot ask the indexes itself: when names are bound, or an index needs a login.
    pub(super) fn start(builder: &Builder) -> Result<Option<Self>, Fatal> {
        let config = builder.indexes();
        let has_login = config.indexes.iter().chain(&config.find_links).any(|location| has_credentials(location));
        if config.bound.is_empty() && !has_login {
            return Ok(None);
        }
        Self::new(builder, Client::Uv).map(Some)
    }

    /// Starts a relay for a pip, which asks nobody else.
    pub(super) fn for_pip(builder: &Builder) -> Result<Self, Fatal> {
        Self::new(builder, Client::Pip)
    }

    fn new(builder: &Builder, client: Client) -> Result<Self, Fatal> {
        let failed = |reason: String| {
            let message = format!("cannot answer {client} on the loopback interface: {reason}");
            Fatal::message(Exit::Environment, "vb::lock::relay", message, "allow it to listen at 127.0.0.1")
        };
        let server = Server::http(("127.0.0.1", 0)).map_err(|error| failed(error.to_string()))?;
        let secret = secret().map_err(|error| failed(error.to_string()))?;
        let shared = Arc::new(Shared {
            client,
            server,
            secret,
            fetcher: builder.fetcher().clone(),
            config: builder.indexes().clone(),
            pages: Mutex::default(),
            files: Mutex::default(),
            failure: Mutex::default(),
        });
        let base = format!("http://{}/{}", shared.server.server_addr(), shared.secret);
        let serve = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.serve())
        };
        let threads = (0..THREADS).map(serve).collect();
        Ok(Self { base, shared, threads })
    }

    /// Returns the address of the one index.
    pub(super) fn index(&self) -> String {
        format!("{}/simple/", self.base)
    }

    /// Returns the indexes as uv is told: this one.
    pub(super) fn config(&self) -> IndexConfig {
        let indexes = vec![self.index()];
        IndexConfig { indexes, has_default_index: true, ..IndexConfig::default() }
    }

    /// Fails if something could not be had since the last time.
    pub(super) fn check(&self) -> Result<(), Fatal> {
        let Some(failure) = locked(&self.shared.failure).take() else { return Ok(()) };
        let help = if failure.is_refused() {
            "check user name and password: docs/indexes.md says where they are looked for"
        } else {
            "check the network, and the configuration of indexes: docs/indexes.md"
        };
        let message = "a Python index does not give what was asked of it";
        Err(Fatal::caused(Exit::Environment, "vb::lock::python_index", message, help, failure))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.threads.iter().for_each(|_| self.shared.server.unblock());
        // A thread that panicked has said so.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Nobody who does not know it is answered.
fn secret() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::io::Read::read_exact(&mut fs_err::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn serve(&self) {
        while let Ok(request) = self.server.recv() {
            let response = self.response(&request).unwrap_or_else(|failure| {
                locked(&self.failure).get_or_insert(failure);
                // Nothing that uv would try again, or take for a name that is not there.
                plain(400)
            });
            // uv may have gone away.
            drop(request.respond(response));
        }
    }

    fn response(&self, request: &Request) -> Result<ResponseBox, Failure> {
        let path = request.url().split(['?', '#']).next().unwrap_or("");
        let path = path.strip_prefix('/').and_then(|path| path.strip_prefix(&self.secret));
        let parts: Vec<&str> = path.unwrap_or("").split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            ["simple", project] => self.page(project),
            ["files", number, name] => self.file(number, name),
            _ => Ok(plain(404)),
        }
    }

    fn page(&self, project: &str) -> Result<ResponseBox, Failure> {
        let project = normalize_name(&percent_decode_str(project).decode_utf8_lossy());
        let known = locked(&self.pages).get(&project).cloned();
        let page = match known {
            Some(page) => page,
            None => {
                let files = project_files(&self.fetcher, &self.config, &project)?;
                let page = files.map(|files| match self.client {
                    Client::Uv => self.to_page(&project, files),
                    Client::Pip => self.to_html(&files),
                });
                locked(&self.pages).insert(project, page.clone());
                page
            }
        };
        let Some(page) = page else { return Ok(plain(404)) };
        let kind = match self.client {
            Client::Uv => "application/vnd.pypi.simple.v1+json",
            Client::Pip => "text/html",
        };
        let header =
            Header::from_bytes(&b"Content-Type"[..], kind.as_bytes()).expect("a media type is a header's value");
        Ok(Response::from_data(page).with_header(header).boxed())
    }

    /// Writes a project's page as PEP 691 has it.
    fn to_page(&self, project: &str, files: Vec<IndexFile>) -> Vec<u8> {
        let files: Vec<Value> = files.into_iter().map(|file| self.to_entry(file)).collect();
        json!({ "meta": { "api-version": "1.1" }, "name": project, "files": files }).to_string().into_bytes()
    }

    /// Writes a project's page as PEP 503 has it.
    fn to_html(&self, files: &[IndexFile]) -> Vec<u8> {
        let links: String = files.iter().map(|file| html_link(file, &self.own_url(file))).collect();
        format!("<!DOCTYPE html><html><body>{links}</body></html>").into_bytes()
    }

    fn to_entry(&self, file: IndexFile) -> Value {
        let needs_relay = has_credentials(&file.location) || Path::new(&file.location).is_absolute();
        let url = if needs_relay { self.own_url(&file) } else { file.location };
        let mut entry: Map<String, Value> = file.details;
        entry.insert("filename".to_owned(), file.name.into());
        entry.insert("url".to_owned(), url.into());
        entry.entry("hashes").or_insert_with(|| Map::new().into());
        Value::Object(entry)
    }

    fn own_url(&self, file: &IndexFile) -> String {
        let mut files = locked(&self.files);
        files.push(file.location.clone());
        let name = utf8_percent_encode(&file.name, NON_ALPHANUMERIC);
        format!("http://{}/{}/files/{}/{name}", self.server.server_addr(), self.secret, files.len() - 1)
    }

    /// Hands a file through, or the metadata beside it (PEP 658).
    fn file(&self, number: &str, name: &str) -> Result<ResponseBox, Failure> {
        let name = percent_decode_str(name).decode_utf8_lossy();
        let known = number.parse::<usize>().ok().and_then(|number| locked(&self.files).get(number).cloned());
        let Some(mut location) = known else { return Ok(plain(404)) };
        if name.ends_with(".metadata") && !location.ends_with(".metadata") {
            location.push_str(".metadata");
        }
        let temporary = |source| Failure::Temporary { file: name.to_string(), source };
        let mut content = tempfile::tempfile().map_err(temporary)?;
        match self.fetcher.download(&location, &mut content) {
            Err(error) if error.is_not_found() => return Ok(plain(404)),
            Err(source) => return Err(Failure::File { file: name.to_string(), source }),
            Ok(_) => {}
        }
        content.seek(SeekFrom::Start(0)).map_err(temporary)?;
        Ok(Response::from_file(content).boxed())
    }
}

/// Writes a link with what pip reads of it.
fn html_link(file: &IndexFile, url: &str) -> String {
    let escape =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let sha256 = file.details.get("hashes").and_then(|hashes| hashes.get("sha256")).and_then(Value::as_str);
    let fragment = sha256.map(|digest| format!("#sha256={digest}")).unwrap_or_default();
    let python = file.details.get("requires-python").and_then(Value::as_str);
    let python = python.map(|python| format!(" data-requires-python=\"{}\"", escape(python))).unwrap_or_default();
    let yanked = match file.details.get("yanked") {
        Some(Value::String(reason)) => format!(" data-yanked=\"{}\"", escape(reason)),
        Some(Value::Bool(true)) => " data-yanked=\"\"".to_owned(),
        _ => String::new(),
    };
    format!("<a href=\"{}\"{python}{yanked}>{}</a><br>", escape(&format!("{url}{fragment}")), escape(&file.name))
}

fn plain(status: u16) -> ResponseBox {
    Response::new(status.into(), vec![], Cursor::new(vec![]), Some(0), None).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_what_pip_chooses_by() {
        let link = |details: Value| {
            let Value::Object(details) = details else { unreachable!("the tests give objects") };
            let file = IndexFile { name: "a-1.tar.gz".to_owned(), location: "/srv/a-1.tar.gz".to_owned(), details };
            html_link(&file, "http://127.0.0.1/x?a&b")
        };
        assert_eq!(link(json!({})), "<a href=\"http://127.0.0.1/x?a&amp;b\">a-1.tar.gz</a><br>");
        assert_eq!(
            link(json!({ "hashes": { "sha256": "00" }, "requires-python": ">=2.7,<3", "yanked": "\"old\"" })),
            "<a href=\"http://127.0.0.1/x?a&amp;b#sha256=00\" data-requires-python=\"&gt;=2.7,&lt;3\" \
             data-yanked=\"&quot;old&quot;\">a-1.tar.gz</a><br>"
        );
        assert!(link(json!({ "yanked": true })).contains(" data-yanked=\"\""));
        assert!(!link(json!({ "yanked": false })).contains("yanked"));
    }
}
