//! `vb repo serve`: the repository over HTTP, for this machine and for trying things out.
//!
//! Names come from clients: what is not a plain path below the repository, and its state, is not there for them.

mod answer;

use std::{io::Read, sync::Arc, thread, time::SystemTime};

use percent_encoding::percent_decode_str;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};
use vb_repo::{Storage, StorageError};

use self::answer::{Answer, Conditions, answer};
use super::open::{Opened, Purpose};
use crate::{
    arguments::{Place, Serve},
    display,
    exit::Exit,
    fatal::Fatal,
};

/// Clients open a handful of connections.
const THREADS: usize = 8;

type Content = Box<dyn Read + Send>;

/// Runs the command, until it is interrupted.
pub(crate) fn run(place: &Place, arguments: &Serve) -> Result<Exit, Fatal> {
    let opened = Opened::new(place, arguments.at.as_deref(), Purpose::Read)?;
    let server = Server::http(arguments.bind).map_err(|error| {
        let message = format!("cannot serve at `{}`: {error}", arguments.bind);
        Fatal::message(Exit::Environment, "vb::repo::serve", message, "choose another address with `--bind`")
    })?;
    let server = Arc::new(server);
    // With port 0 the system chooses.
    display::lines(&[format!("http://{}", server.server_addr())]);
    let storage = opened.repository.storage();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let server = Arc::clone(&server);
            scope.spawn(move || {
                while let Ok(request) = server.recv() {
                    respond(storage, request);
                }
            });
        }
    });
    Ok(Exit::Success)
}

fn respond(storage: &Storage, request: Request) {
    let response = match response(storage, &request) {
        Ok(response) => response,
        Err(error) => {
            display::warn(&error.to_string());
            plain(500)
        }
    };
    // A client that went away needs no answer.
    drop(request.respond(response));
}

fn response(storage: &Storage, request: &Request) -> Result<Response<Content>, StorageError> {
    if ![Method::Get, Method::Head].contains(request.method()) {
        return Ok(plain(405));
    }
    let Some(name) = object_name(request.url()) else { return Ok(plain(404)) };
    let Some(metadata) = storage.metadata(&name)? else { return Ok(plain(404)) };
    let header = |name: &'static str| {
        let found = request.headers().iter().find(|header| header.field.equiv(name));
        found.map(|header| header.value.as_str())
    };
    let conditions = Conditions {
        none_match: header("If-None-Match"),
        modified_since: header("If-Modified-Since"),
        range: header("Range"),
        if_range: header("If-Range"),
    };
    let tag = entity_tag(metadata.modified, metadata.size);
    let answer = answer(&conditions, &tag, metadata.modified, metadata.size);
    let Some(content) = storage.open(&name)? else { return Ok(plain(404)) };
    let mut response = match answer {
        Answer::NotModified => plain(304),
        Answer::Whole => sized(200, content, metadata.size),
        Answer::Part { from, length } => {
            let part = sized(206, skip(content, from), length);
            part.with_header(field("Content-Range", &format!("bytes {from}-{}/{}", from + length - 1, metadata.size)))
        }
        Answer::Unsatisfiable => plain(416).with_header(field("Content-Range", &format!("bytes */{}", metadata.size))),
    };
    response.add_header(field("ETag", &tag));
    response.add_header(field("Last-Modified", &httpdate::fmt_http_date(metadata.modified)));
    response.add_header(field("Accept-Ranges", "bytes"));
    Ok(response)
}

/// Returns the object that a request is for; nothing for one that clients have no business with.
fn object_name(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
    let name = percent_decode_str(path).decode_utf8().ok()?.into_owned();
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
    let is_for_clients = name != "state" && !name.starts_with("state/");
    (is_for_clients && name.split('/').all(is_plain)).then_some(name)
}

fn entity_tag(modified: SystemTime, size: u64) -> String {
    let nanos = modified.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("\"{nanos:x}-{size:x}\"")
}

fn skip(mut content: Content, count: u64) -> Content {
    // What cannot be skipped cannot be read either, which the answer then shows by being too short.
    drop(std::io::copy(&mut content.by_ref().take(count), &mut std::io::sink()));
    content
}

fn plain(status: u16) -> Response<Content> {
    sized(status, Box::new(std::io::empty()), 0)
}

fn sized(status: u16, content: Content, size: u64) -> Response<Content> {
    let length = usize::try_from(size).ok();
    let content: Content = Box::new(content.take(size));
    Response::new(StatusCode(status), Vec::new(), content, length, None).with_chunked_threshold(usize::MAX)
}

fn field(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("these headers are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_below_the_repository_and_not_of_its_state() {
        let name = |url: &str| object_name(url);
        assert_eq!(name("/dists/a/InRelease?x").as_deref(), Some("dists/a/InRelease"));
        assert_eq!(name("/pool/g/g%2b%2b/a_1%7erc1.deb").as_deref(), Some("pool/g/g++/a_1~rc1.deb"));
        for url in
            ["/", "/../etc/passwd", "/a/%2e%2e/b", "//a", "/a//b", "/state/settings.json", "/%73tate", "a", "/a/."]
        {
            assert_eq!(name(url), None, "{url}");
        }
    }
}
