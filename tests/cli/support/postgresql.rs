//! A PostgreSQL server in a sandbox of its own, as a database on another machine would be.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use fs_err as fs;
use tempfile::TempDir;
use vb_sandbox::{Access, Identity, SandboxError, Stdio};

use super::root::{bind, helper, test_root};

/// Where the server's socket is inside of every sandbox.
pub(crate) const SOCKET_DIRECTORY: &str = "/run/postgresql";

/// A server with one database; it ends with the value.
#[derive(Debug)]
pub(crate) struct Postgresql {
    directory: TempDir,
    cancel: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Postgresql {
    /// Starts a server with a database of a user of the same name, which runs a script of SQL there and then makes the file
    /// `ready` beside its socket.
    pub(crate) fn start(name: &str, schema: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("vb-test-").tempdir().unwrap();
        let socket = directory.path().join("socket");
        fs::create_dir(&socket).unwrap();
        // The server refuses to run as root.
        let argv = ["/bin/sh", "-c", SCRIPT, "sh", name, schema];
        let mut spec = test_root("postgresql").spec(&argv, Identity::User);
        spec.binds = vec![bind(&socket, SOCKET_DIRECTORY, Access::ReadWrite)];
        let log = directory.path().join("log");
        let stdio = Stdio::Log(fs::File::create(&log).unwrap().into_parts().0);
        let cancel = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&cancel);
        let thread = thread::spawn(move || {
            let outcome = vb_sandbox::run(&helper(), &spec, stdio, &seen);
            let is_cancelled = matches!(outcome, Err(SandboxError::Cancelled));
            let text = || fs::read_to_string(&log).unwrap();
            assert!(is_cancelled, "PostgreSQL ended by itself: {outcome:?}\n{}", text());
        });
        Self { directory, cancel, thread: Some(thread) }
    }

    /// Returns the directory to show at [`SOCKET_DIRECTORY`].
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }
}

impl Drop for Postgresql {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
        let ended = self.thread.take().expect("it is taken here alone").join();
        // A second panic would abort the program and hide the first one.
        assert!(ended.is_ok() || thread::panicking(), "PostgreSQL failed, see above");
    }
}

const SCRIPT: &str = r#"
set -eu
# initdb wants its user to have a name.
echo 'postgres:x:1000:1000::/tmp:/bin/sh' >> /etc/passwd
PATH="/usr/lib/postgresql/15/bin:$PATH"
export PGHOST=/run/postgresql PGUSER=postgres PGDATA=/tmp/data
initdb --auth=trust --username=postgres --encoding=UTF8 --locale=C.UTF-8 --no-sync
pg_ctl start --wait --options="-k $PGHOST -c listen_addresses= -c fsync=off"
createuser "$1"
createdb --owner="$1" "$1"
psql --username="$1" --dbname="$1" --set=ON_ERROR_STOP=1 --command="$2"
touch "$PGHOST/ready"
exec sleep infinity
"#;
