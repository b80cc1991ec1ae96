//! A simple index (PEP 503) on the loopback interface, behind a password at will, that remembers what it was asked.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use fs_err as fs;
use tiny_http::{Header, Request, Response, ResponseBox, Server, StatusCode};
use vb_python::normalize_name;

use super::distribution::sha256;

/// An index of the files in a directory; it ends when it is dropped.
pub(crate) struct IndexServer {
    server: Arc<Server>,
    asked: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl IndexServer {
    /// Serves a directory; with `user:password`, only to who gives them.
    pub(crate) fn start(directory: &Path, login: Option<&str>) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let wanted = login.map(|login| format!("Basic {}", STANDARD.encode(login)));
        let (running, log, directory) = (Arc::clone(&server), Arc::clone(&asked), directory.to_owned());
        let thread = std::thread::spawn(move || {
            while let Ok(request) = running.recv() {
                log.lock().unwrap().push(request.url().to_owned());
                let response = answer(&request, &directory, wanted.as_deref());
                // A client that went away needs no answer.
                drop(request.respond(response));
            }
        });
        Self { server, asked, thread: Some(thread) }
    }

    /// Returns `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        self.server.server_addr().to_string()
    }

    /// Returns the base of the index.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/simple", self.host())
    }

    /// Returns the names of which pages or files were asked for, each once.
    pub(crate) fn asked(&self) -> Vec<String> {
        let paths = self.asked.lock().unwrap();
        let mut names: Vec<String> =
            paths.iter().filter_map(|path| Some(path.split('/').nth(2)?.split('-').next()?.to_owned())).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Drop for IndexServer {
    fn drop(&mut self) {
        self.server.unblock();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn answer(request: &Request, directory: &Path, wanted: Option<&str>) -> ResponseBox {
    let given = request.headers().iter().find(|header| header.field.equiv("Authorization"));
    let given = given.map(|header| header.value.as_str());
    if wanted.is_some() && given != wanted {
        return Response::from_data("no").with_status_code(StatusCode(401)).boxed();
    }
    let parts: Vec<&str> = request.url().split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["simple", project] => page(directory, project),
        ["files", name] if directory.join(name).is_file() => {
            Response::from_data(fs::read(directory.join(name)).unwrap()).boxed()
        }
        _ => not_found(),
    }
}

/// A page with relative links, as most private indexes have it.
fn page(directory: &Path, project: &str) -> ResponseBox {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let link = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_asked = normalize_name(name.split('-').next().unwrap()) == project;
        is_asked.then(|| format!("<a href=\"../../files/{name}#sha256={}\">{name}</a>\n", sha256(path)))
    };
    let links: String = files.filter_map(|path| link(&path)).collect();
    if links.is_empty() {
        return not_found();
    }
    let header = Header::from_bytes(&b"Content-Type"[..], &b"text/html"[..]).unwrap();
    Response::from_data(format!("<!DOCTYPE html><html><body>{links}</body></html>")).with_header(header).boxed()
}

fn not_found() -> ResponseBox {
    Response::from_data("not there").with_status_code(StatusCode(404)).boxed()
}
