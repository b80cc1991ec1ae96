//! A server that one reaches by ssh, on this machine's loopback interface, and a client that knows it.

use std::{
    io::Read,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use fs_err as fs;
use tempfile::TempDir;
use vb_sandbox::{Access, Identity, Network, SandboxError, Stdio};

use super::root::{bind, helper, test_root};

/// Where the directory that both sides see is on the server.
const SHARED: &str = "/shared";

/// A server; it ends with the value.
#[derive(Debug)]
pub(crate) struct SshServer {
    directory: TempDir,
    port: u16,
    cancel: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SshServer {
    /// Starts the server.
    pub(crate) fn start() -> Self {
        let root = test_root("ssh");
        let directory = tempfile::Builder::new().prefix("vb-test-").tempdir().unwrap();
        // sshd cannot choose a port that is free.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let ready = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = ready.local_addr().unwrap();
        let ports = [port, address.port()].map(|port| port.to_string());
        let mut spec = root.spec(&["/bin/bash", "-c", SCRIPT, "sh", &ports[0], &ports[1]], Identity::User);
        spec.network = Network::Host;
        spec.timeout = None;
        spec.binds = vec![bind(directory.path(), SHARED, Access::ReadWrite)];
        let log = directory.path().join("log");
        let stdio = Stdio::Log(fs::File::create(&log).unwrap().into_parts().0);
        let cancel = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&cancel);
        let thread = thread::spawn(move || {
            let outcome = vb_sandbox::run(&helper(), &spec, stdio, &seen);
            // Whoever waits for a server that is not coming waits no longer.
            drop(TcpStream::connect(address));
            let is_cancelled = matches!(outcome, Err(SandboxError::Cancelled));
            let text = || fs::read_to_string(&log).unwrap();
            assert!(is_cancelled, "sshd ended by itself: {outcome:?}\n{}", text());
        });
        let mut told = String::new();
        ready.accept().unwrap().0.read_to_string(&mut told).unwrap();
        assert_eq!(told, "ready\n");
        let server = Self { directory, port, cancel, thread: Some(thread) };
        server.write_client(&root.tree().display().to_string());
        server
    }

    /// Writes the root's client as a program of this machine, with the root's own C library.
    fn write_client(&self, tree: &str) {
        let path = self.programs().join("ssh");
        fs::create_dir(self.programs()).unwrap();
        let shared = self.directory.path().display();
        let script = format!(
            "#!/bin/sh\nlib='{tree}/usr/lib/x86_64-linux-gnu'\n\
             exec \"$lib/ld-linux-x86-64.so.2\" --library-path \"$lib\" '{tree}/usr/bin/ssh' -F none -l publisher \
             -i '{shared}/user' -o UserKnownHostsFile='{shared}/known' -o StrictHostKeyChecking=accept-new \
             -o ControlPath='{shared}/c-%C' \"$@\"\n"
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn programs(&self) -> PathBuf {
        self.directory.path().join("bin")
    }

    /// Lets a command find the client.
    pub(crate) fn show(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.programs().display()));
    }

    /// Returns the location of a directory, and where it is for somebody on the server.
    pub(crate) fn place(&self, name: &str) -> (String, PathBuf) {
        (format!("ssh://127.0.0.1:{}{SHARED}/{name}", self.port), self.directory.path().join(name))
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        // The connection that stays for the next command.
        let mut command = Command::new(self.programs().join("ssh"));
        drop(command.args(["-p", &self.port.to_string(), "-O", "exit", "127.0.0.1"]).output());
        self.cancel.store(true, Ordering::Relaxed);
        let ended = self.thread.take().expect("it is taken here alone").join();
        // A second panic would abort the program and hide the first one.
        assert!(ended.is_ok() || thread::panicking(), "sshd failed, see above");
    }
}

const SCRIPT: &str = r#"
set -eu
# sshd wants its user to have a name.
echo 'publisher:x:1000:1000::/shared:/bin/sh' >> /etc/passwd
for key in host user; do ssh-keygen -q -t ed25519 -N '' -f "/shared/$key"; done
cat > /tmp/sshd_config << X
Port $1
ListenAddress 127.0.0.1
HostKey /shared/host
AuthorizedKeysFile /shared/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
MaxStartups 100
MaxSessions 100
X
# It goes to the background before it listens.
/usr/sbin/sshd -f /tmp/sshd_config -E /shared/sshd.log
attempts=300
until (: > "/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || { cat /shared/sshd.log; exit 1; }
    sleep 0.1
done
echo ready > "/dev/tcp/127.0.0.1/$2"
exec sleep infinity
"#;
