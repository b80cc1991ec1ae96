//! A plain web server of a directory, on this machine's loopback interface.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use fs_err as fs;
use tiny_http::{Response, Server};

/// A server that ends with the value.
pub(crate) struct WebServer {
    server: Arc<Server>,
    asked: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Starts to serve the files of a directory.
    pub(crate) fn start(directory: PathBuf) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (own, seen) = (Arc::clone(&server), Arc::clone(&asked));
        let thread = thread::spawn(move || serve(&own, &directory, &seen));
        Self { server, asked, thread: Some(thread) }
    }

    /// Returns the address of a file or directory.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.server.server_addr())
    }

    /// Returns what was asked for since the last time.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn serve(server: &Server, directory: &Path, asked: &Mutex<Vec<String>>) {
    for request in server.incoming_requests() {
        asked.lock().unwrap().push(request.url().to_owned());
        let path = directory.join(request.url().trim_start_matches('/'));
        // Whoever asked and went away is not missed.
        drop(match fs::File::open(&path) {
            Ok(file) if path.is_file() => request.respond(Response::from_file(file.into_parts().0)),
            _ => request.respond(Response::empty(404)),
        });
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.server.unblock();
        let ended = self.thread.take().expect("it is taken here alone").join();
        // A second panic would abort the program and hide the first one.
        assert!(ended.is_ok() || thread::panicking(), "the server failed, see above");
    }
}
