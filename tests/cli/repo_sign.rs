//! Who signs a repository: the real gpg with its agent, a program, key files, and several at once.

use std::path::PathBuf;

use fs_err as fs;
use vb_testkit::archive::Package;

use crate::support::{Gpg, Run, TestEnv};

/// A workspace whose commands find gpg.
struct Publisher {
    env: TestEnv,
    gpg: Gpg,
}

impl Publisher {
    fn new() -> Self {
        let publisher = Self { env: TestEnv::new(), gpg: Gpg::new() };
        let package = Package::new("hello", "1.0").field("Maintainer", "test <test@example.org>");
        let path = publisher.env.workspace().join("dist/bookworm/hello_1.0_amd64.deb");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, package.field("Description", "says hello").to_deb()).unwrap();
        publisher
    }

    fn vb(&self, arguments: &[&str]) -> Run {
        let mut command = self.env.command(arguments);
        self.gpg.show(&mut command);
        Run::of(&mut command).ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.env.workspace().join(name)
    }

    /// Makes a repository with some signers and a package in it; returns what `init` warned of.
    fn publish(&self, name: &str, signers: &[&str]) -> String {
        let warned = self.vb(&[&["repo", "init", name], signers].concat()).stderr;
        // The repository has noted who signs.
        self.vb(&["repo", "add", &format!("{name}/"), "dist/bookworm/hello_1.0_amd64.deb"]);
        self.vb(&["repo", "verify", name]);
        warned
    }

    /// Returns how many signatures gpg believes: of the inline ones, and of the detached ones.
    fn good(&self, name: &str) -> (usize, usize) {
        let suite = self.path(name).join("dists/bookworm-development");
        let detached = [suite.join("Release.gpg"), suite.join("Release")];
        (self.gpg.good_signatures(&[&suite.join("InRelease")]), self.gpg.good_signatures(&[&detached[0], &detached[1]]))
    }
}

#[test]
fn gpg_with_its_agent_a_program_and_a_key_file_sign_alone_and_together() {
    let publisher = Publisher::new();
    let gpg = &publisher.gpg;
    // The primary key only certifies; what signs is a subkey, as those are advised who publish.
    let primary = gpg.make_key("Us <us@example.org>", &["ed25519", "cert", "never"], &[]);
    gpg.run(&["--quick-add-key", &primary, "rsa4096", "sign", "never"]);
    let subkey = format!("{}!", gpg.fingerprints("us@example.org")[1]);
    publisher.publish("by-gpg", &["--gpg-key", &subkey]);
    assert_eq!(publisher.good("by-gpg"), (1, 1));

    let public = publisher.path("public.asc").display().to_string();
    gpg.run(&["--armor", "--output", &public, "--export", &primary]);
    let program = format!("{} --batch --local-user {subkey} --detach-sign", gpg.program("gpg"));
    publisher.publish("by-program", &["--sign-command", &program, "--public-key", &public]);
    assert_eq!(publisher.good("by-program"), (1, 1));

    // The subkey alone in a file: the primary key stays at home.
    let exported = publisher.path("subkey.asc").display().to_string();
    gpg.run(&["--armor", "--output", &exported, "--export-secret-subkeys", &subkey]);
    publisher.publish("by-file", &["--key", &exported]);
    assert_eq!(publisher.good("by-file"), (1, 1));

    let rsa = publisher.path("keys/rsa.asc").display().to_string();
    publisher.vb(&["key", "new", &rsa, "--user", "Later <later@example.org>", "--algorithm", "rsa4096"]);
    gpg.run(&["--import", &rsa]);
    let warned = publisher.publish("by-two", &["--key", &rsa, "--gpg-key", &subkey]);
    assert_eq!(publisher.good("by-two"), (2, 2));
    assert!(!warned.contains("SHA-1"), "{warned}");
}

#[test]
fn a_key_that_says_who_it_is_with_sha1_is_warned_of() {
    let publisher = Publisher::new();
    let key =
        publisher.gpg.make_key("Old <old@example.org>", &["rsa3072", "sign", "never"], &["--cert-digest-algo", "SHA1"]);
    let warned = publisher.publish("old", &["--gpg-key", &key]);
    assert!(warned.contains(&format!("the key {key} says who it is with SHA-1 alone")), "{warned}");
}

#[test]
fn a_program_that_does_not_sign_is_told_with_what_it_said() {
    let publisher = Publisher::new();
    let env = &publisher.env;
    env.write("sign.sh", "echo 'the token is locked' >&2\nexit 7\n");
    publisher.vb(&["repo", "init", "repo", "--sign-command", "sh sign.sh"]);
    let add = ["repo", "add", "repo/", "dist/bookworm/hello_1.0_amd64.deb"];
    let failed = env.vb(&add).expect(4).stderr;
    assert!(failed.contains("vb::repo::sign") && failed.contains("the token is locked"), "{failed}");
    env.write("sign.sh", "cat\n");
    let failed = env.vb(&add).expect(4).stderr;
    assert!(failed.contains("is not an OpenPGP signature"), "{failed}");
}
