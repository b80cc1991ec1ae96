//! What answers uv in the place of the Python indexes, on the loopback interface, for the time of one resolution.
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

/// What all threads of a relay have.
struct Shared {
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
        let failed = |reason: String| {
            let message = format!("cannot answer uv on the loopback interface: {reason}");
            Fatal::message(Exit::Environment, "vb::lock::relay", message, "allow it to listen at 127.0.0.1")
        };
        let server = Server::http(("127.0.0.1", 0)).map_err(|error| failed(error.to_string()))?;
        let secret = secret().map_err(|error| failed(error.to_string()))?;
        let shared = Arc::new(Shared {
            server,
            secret,
            fetcher: builder.fetcher().clone(),
            config: config.clone(),
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
        Ok(Some(Self { base, shared, threads }))
    }

    /// Returns the indexes as uv is told: this one.
    pub(super) fn config(&self) -> IndexConfig {
        let indexes = vec![format!("{}/simple/", self.base)];
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
                let page = files.map(|files| self.to_page(&project, files));
                locked(&self.pages).insert(project, page.clone());
                page
            }
        };
        let Some(page) = page else { return Ok(plain(404)) };
        let kind = "application/vnd.pypi.simple.v1+json";
        let header =
            Header::from_bytes(&b"Content-Type"[..], kind.as_bytes()).expect("a media type is a header's value");
        Ok(Response::from_data(page).with_header(header).boxed())
    }

    /// Writes a project's page as PEP 691 has it.
    fn to_page(&self, project: &str, files: Vec<IndexFile>) -> Vec<u8> {
        let files: Vec<Value> = files.into_iter().map(|file| self.to_entry(file)).collect();
        json!({ "meta": { "api-version": "1.1" }, "name": project, "files": files }).to_string().into_bytes()
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

fn plain(status: u16) -> ResponseBox {
    Response::new(status.into(), vec![], Cursor::new(vec![]), Some(0), None).boxed()
}
