//! The fetcher against a loopback server that answers from a script, and against local files.

#![expect(clippy::unwrap_used, reason = "a broken fixture must fail its test")]

use std::{
    error::Error as _,
    io::{self, BufRead, BufReader, Write},
    net::TcpListener,
    thread::{self, JoinHandle},
    time::Duration,
};

use vb_fetch::{FetchError, FetchOptions, Fetcher, Proxy};

/// Answers one connection after the other with the given bytes, and returns the requests' heads.
struct Server {
    base: String,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            answers
                .iter()
                .map(|answer| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut head = String::new();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while !head.ends_with("\r\n\r\n") {
                        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "a request without an end");
                    }
                    stream.write_all(answer.as_bytes()).unwrap();
                    head
                })
                .collect()
        });
        Self { base, thread }
    }

    fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn answer(status: &str, extra: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{extra}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn options() -> FetchOptions {
    FetchOptions {
        proxy: Proxy::Direct,
        pause: Duration::ZERO,
        silence_timeout: Duration::from_secs(20),
        ..FetchOptions::default()
    }
}

fn fetcher() -> Fetcher {
    Fetcher::new(&options()).unwrap()
}

#[test]
fn a_server_error_is_tried_again() {
    let server = Server::start(vec![answer("500 Oops", "", "bad"), answer("200 OK", "", "good")]);
    assert_eq!(fetcher().get(&format!("{}/x", server.base)).unwrap(), b"good");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_last_of_three_server_errors_is_reported() {
    let statuses = ["500 A", "429 B", "503 C"];
    let server = Server::start(statuses.iter().map(|status| answer(status, "", "")).collect());
    let error = fetcher().get(&format!("{}/x", server.base)).unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 503, .. }), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_missing_file_is_not_tried_again() {
    let server = Server::start(vec![answer("404 Not Found", "", "")]);
    let location = format!("{}/x", server.base);
    let error = fetcher().get(&location).unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.to_string(), format!("`{location}` does not exist"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_refusal_is_not_tried_again_and_is_not_a_missing_file() {
    let server = Server::start(vec![answer("403 Forbidden", "", "")]);
    let error = fetcher().get(&format!("{}/x", server.base)).unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 403, .. }), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_truncated_body_is_an_error() {
    let truncated = answer("200 OK", "", "whole body").replace("whole body", "whole");
    let server = Server::start(vec![truncated; 3]);
    let error = fetcher().get(&format!("{}/x", server.base)).unwrap_err();
    assert!(matches!(error, FetchError::Transport { attempts: 3, .. }), "{error:?}");
    assert!(error.source().is_some());
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_download_goes_on_where_the_connection_broke() {
    let truncated = answer("200 OK", "", "whole body").replace("whole body", "whole");
    let server = Server::start(vec![truncated, answer("200 OK", "", "whole body")]);
    let mut bytes = Vec::new();
    assert_eq!(fetcher().download(&format!("{}/x", server.base), &mut bytes).unwrap(), 10);
    assert_eq!(bytes, b"whole body");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_redirect_is_followed() {
    let server =
        Server::start(vec![answer("302 Found", "Location: /elsewhere\r\n", ""), answer("200 OK", "", "there")]);
    assert_eq!(fetcher().get(&format!("{}/x", server.base)).unwrap(), b"there");
    assert!(server.requests()[1].starts_with("GET /elsewhere "));
}

#[test]
fn the_accept_header_is_sent() {
    let server = Server::start(vec![answer("200 OK", "", "{}")]);
    fetcher().get_accepting(&format!("{}/x", server.base), Some("application/json")).unwrap();
    assert!(server.requests()[0].to_ascii_lowercase().contains("\r\naccept: application/json\r\n"));
}

#[test]
fn credentials_are_sent_decoded_and_to_their_own_host_only() {
    let other = Server::start(vec![answer("200 OK", "", "there")]);
    let elsewhere = format!("Location: {}/y\r\n", other.base.replace("127.0.0.1", "localhost"));
    let server =
        Server::start(vec![answer("302 Found", "Location: /same\r\n", ""), answer("302 Found", &elsewhere, "")]);
    let location = format!("{}/x", server.base.replace("http://", "http://me:a%40b@"));
    assert_eq!(fetcher().get(&location).unwrap(), b"there");
    for request in server.requests() {
        assert!(request.to_ascii_lowercase().contains("\r\nauthorization: basic bwu6yubi\r\n"), "{request}");
    }
    assert!(!other.requests()[0].to_ascii_lowercase().contains("authorization"));
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let server = Server::start(vec![answer("200 OK", "", "12345"), answer("200 OK", "", "1234")]);
    let fetcher = Fetcher::new(&FetchOptions { get_limit: 4, ..options() }).unwrap();
    let location = format!("{}/x", server.base);
    assert!(matches!(fetcher.get(&location).unwrap_err(), FetchError::TooLarge { limit: 4, .. }));
    assert_eq!(fetcher.get(&location).unwrap(), b"1234");
    server.requests();
}

#[test]
fn a_refused_connection_names_the_location_without_the_password() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fetcher().get(&format!("http://me:secret@{address}/x")).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot fetch `http://{address}/x` (attempts: 3)"));
}

#[test]
fn a_failing_writer_ends_the_download_at_once() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let server = Server::start(vec![answer("200 OK", "", "body")]);
    let error = fetcher().download(&format!("{}/x", server.base), &mut Full).unwrap_err();
    assert!(matches!(error, FetchError::Write { .. }), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn files_are_read_by_path_and_by_url() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a b");
    fs_err::write(&path, "content").unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(fetcher().get(path).unwrap(), b"content");
    assert_eq!(fetcher().get(&format!("file://{}", path.replace(' ', "%20"))).unwrap(), b"content");
    assert!(fetcher().get(&format!("{path}.missing")).unwrap_err().is_not_found());
    let directory = fetcher().get(dir.path().to_str().unwrap()).unwrap_err();
    assert!(matches!(directory, FetchError::ReadFile { .. }), "{directory}");
}

#[test]
fn a_proxy_that_is_no_url_is_refused() {
    let options = FetchOptions { proxy: Proxy::Through("not a url".to_owned()), ..options() };
    assert!(matches!(Fetcher::new(&options).unwrap_err(), FetchError::Proxy { .. }));
}

#[test]
fn requests_go_through_the_given_proxy() {
    let server = Server::start(vec![answer("403 Forbidden", "", "")]);
    let proxy = Proxy::Through(server.base.clone());
    let fetcher = Fetcher::new(&FetchOptions { proxy, attempts: 1, ..options() }).unwrap();
    fetcher.get("http://archive.invalid/x").unwrap_err();
    assert!(server.requests()[0].starts_with("CONNECT archive.invalid:80 "));
}
