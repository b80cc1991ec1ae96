//! A server that speaks the protocol of S3, from wheels that a recipe of `tests/roots` locks.

use std::{
    collections::BTreeMap,
    io::Read,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use fs_err as fs;
use tempfile::TempDir;
use vb_sandbox::{Access, Identity, Network, SandboxError, Stdio};

use super::{
    env::repository,
    root::{bind, helper, test_output},
};

const RECIPE: &str = "s3-server";
const PACKAGES: &str = "/packages";

/// What no file may hold.
pub(crate) const SECRET: &str = "VjFsZXRzIG5vdCB3cml0ZSB0aGlz";

/// A server with one bucket, `packages`, in memory; it ends with the value.
#[derive(Debug)]
pub(crate) struct S3Server {
    port: u16,
    cancel: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _directory: TempDir,
}

impl S3Server {
    /// Starts the server on this machine's loopback interface.
    pub(crate) fn start() -> Self {
        let root = test_output(RECIPE, "s3-server bookworm-python root interpreter");
        let environment = test_output(RECIPE, "s3-server bookworm-python environment");
        let directory = tempfile::Builder::new().prefix("vb-test-").tempdir().unwrap();
        let ready = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = ready.local_addr().unwrap();
        let port = address.port().to_string();
        let mut spec = root.spec(&["/usr/bin/python3.11", "-P", "/s3_server.py", &port], Identity::User);
        spec.network = Network::Host;
        spec.timeout = None;
        spec.env.extend(BTreeMap::from([("PYTHONPATH".to_owned(), PACKAGES.to_owned())]));
        let packages = environment.tree().join("lib/python3.11/site-packages");
        spec.binds = vec![
            bind(&packages, PACKAGES, Access::ReadOnly),
            bind(&repository().join("tests/cli/support/s3_server.py"), "/s3_server.py", Access::ReadOnly),
        ];
        let log: PathBuf = directory.path().join("log");
        let stdio = Stdio::Log(fs::File::create(&log).unwrap().into_parts().0);
        let cancel = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&cancel);
        let thread = thread::spawn(move || {
            let outcome = vb_sandbox::run(&helper(), &spec, stdio, &seen);
            // Whoever waits for a server that is not coming waits no longer.
            drop(TcpStream::connect(address));
            let is_cancelled = matches!(outcome, Err(SandboxError::Cancelled));
            let text = || fs::read_to_string(&log).unwrap();
            assert!(is_cancelled, "the server ended by itself: {outcome:?}\n{}", text());
        });
        let mut told = String::new();
        ready.accept().unwrap().0.read_to_string(&mut told).unwrap();
        let port = told.parse().expect("the server tells its port");
        Self { port, cancel, thread: Some(thread), _directory: directory }
    }

    /// Returns the variables by which clients find it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
        let ended = self.thread.take().expect("it is taken here alone").join();
        // A second panic would abort the program and hide the first one.
        assert!(ended.is_ok() || thread::panicking(), "the server failed, see above");
    }
}
