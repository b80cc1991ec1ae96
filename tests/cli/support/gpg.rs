//! The gpg of a root, as a program of this machine: vb starts it by its name.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;
use tempfile::TempDir;

use super::{root::test_root, run::Run};

/// A directory with the programs, and a home of gpg beside it. Its agent ends with the value.
#[derive(Debug)]
pub(crate) struct Gpg {
    directory: TempDir,
}

impl Gpg {
    /// Makes both.
    pub(crate) fn new() -> Self {
        let gpg = Self { directory: tempfile::Builder::new().prefix("vb-test-").tempdir().unwrap() };
        fs::create_dir(gpg.programs()).unwrap();
        fs::create_dir(gpg.home()).unwrap();
        fs::set_permissions(gpg.home(), PermissionsExt::from_mode(0o700)).unwrap();
        let root = test_root("repositories");
        let (tree, agent) = (root.tree().display().to_string(), gpg.programs().join("gpg-agent"));
        let agent = format!("--agent-program '{}'", agent.display());
        for (program, options) in [("gpg", &*agent), ("gpg-connect-agent", &*agent), ("gpg-agent", "")] {
            // With the root's own C library, because the machine's may be another.
            let script = format!(
                "#!/bin/sh\nlib='{tree}/usr/lib/x86_64-linux-gnu'\n\
                 exec \"$lib/ld-linux-x86-64.so.2\" --library-path \"$lib\" '{tree}/usr/bin/{program}' {options} \"$@\"\n"
            );
            let path = gpg.programs().join(program);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        gpg
    }

    fn programs(&self) -> PathBuf {
        self.directory.path().join("bin")
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// Returns the path of a program.
    pub(crate) fn program(&self, name: &str) -> String {
        self.programs().join(name).display().to_string()
    }

    /// Lets a command find gpg, and gpg its keys.
    pub(crate) fn show(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.programs().display())).env("GNUPGHOME", self.home());
    }

    /// Runs gpg.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(self.program("gpg"));
        self.show(command.args(["--batch", "--passphrase", ""]).args(arguments));
        Run::of(&mut command).ok()
    }

    /// Makes a key; returns its fingerprint.
    pub(crate) fn make_key(&self, user: &str, kind: &[&str], options: &[&str]) -> String {
        self.run(&[options, &["--quick-gen-key", user], kind].concat());
        self.fingerprints(user)[0].clone()
    }

    /// Returns the fingerprints of a key and its subkeys.
    pub(crate) fn fingerprints(&self, user: &str) -> Vec<String> {
        let list = self.run(&["--list-keys", "--with-colons", user]).stdout;
        list.lines()
            .filter_map(|line| line.strip_prefix("fpr:"))
            .map(|line| line.trim_matches(':').to_owned())
            .collect()
    }

    /// Returns how many good signatures gpg finds, of files with detached or inline ones.
    pub(crate) fn good_signatures(&self, files: &[&Path]) -> usize {
        let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
        let status = self.run(&[&["--status-fd", "1", "--verify"], &files[..]].concat()).stdout;
        status.lines().filter(|line| line.starts_with("[GNUPG:] GOODSIG ")).count()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut command = Command::new(self.program("gpg-connect-agent"));
        self.show(command.args(["--no-autostart", "killagent", "/bye"]));
        drop(Run::of(&mut command));
    }
}
