//! Archives that are damaged, forged or half published, before the whole program: each has its error, and nothing of it
//! stays in the store.

use expect_test::{Expect, expect};
use fs_err as fs;
use vb_testkit::archive::{Key, KeyOptions};

use crate::support::{Mirror, Release, TestEnv, redact, write_hello};

const HELLO: &str = "recipes/hello.ncl";

/// A mirror of Debian 12, and a workspace that locks `hello` from it into a store of its own.
fn start() -> (TestEnv, Mirror) {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
    mirror.use_in(&env);
    write_hello(&env, "attrs\n");
    let store = env.directory().join("store");
    (env.with_store(store), mirror)
}

/// Locks, and compares exit code and message; the store is whole then.
fn refuse(env: &TestEnv, mirror: &Mirror, stranger: Option<&Key>, expected: &Expect) {
    let run = env.vb(&["lock", HELLO]);
    let text = redact(env, &format!("exit code {}\n{}", run.code, run.stderr));
    let text: String = text.split_inclusive('\n').filter(|line| !line.starts_with("lock ")).collect();
    let text = text.replace(&mirror.path().display().to_string(), "[MIRROR]");
    let text = stranger.map_or(text.clone(), |key| text.replace(&key.id(), "[KEY OF A STRANGER]"));
    expected.assert_eq(&text.replace(&mirror.key_id(), "[KEY OF THE MIRROR]"));
    assert!(!env.workspace().join("recipes/hello.lock").exists());
    let told = env.vb(&["cache", "verify"]).ok().stdout;
    assert!(told.starts_with("the store is intact: "), "{told}");
}

#[test]
fn a_truncated_index_is_refused() {
    let (env, mirror) = start();
    let packages = mirror.archive().join("dists/bookworm/main/binary-amd64/Packages");
    let whole = fs::read(&packages).unwrap();
    mirror.replace(&packages, &whole[..whole.len() / 2]);
    refuse(
        &env,
        &mirror,
        None,
        &expect![[r#"
        exit code 4
        vb::lock::index

          x cannot load the package index of `bookworm`
          `-> `file://[MIRROR]/archive/dists/bookworm/main/binary-amd64/Packages` has 74842 bytes, and the signed Release file of Sat, 11 Jul 2026 10:16:37 UTC names 149684
          help: the archive is just being published, or its mirror mixes two states: try again later
    "#]],
    );
}

#[test]
fn a_signature_by_an_unknown_key_is_refused() {
    let (env, mirror) = start();
    let (created, signed) = Release::Bookworm.times();
    let stranger = Key::generate(KeyOptions { created, ..KeyOptions::default() });
    for suite in Release::Bookworm.suites() {
        let path = mirror.archive().join("dists").join(suite).join("InRelease");
        let text = fs::read_to_string(&path).unwrap();
        let (_, text) = text.split_once("\n\n").unwrap();
        let (text, _) = text.split_once("-----BEGIN PGP SIGNATURE-----").unwrap();
        mirror.replace(&path, stranger.clearsign(text, signed).as_bytes());
    }
    refuse(
        &env,
        &mirror,
        Some(&stranger),
        &expect![[r#"
        exit code 4
        vb::lock::index

          x cannot load the package index of `bookworm`
          |-> suite `bookworm` at `file://[MIRROR]/archive` is not signed as it should be
          `-> no good signature: signature by `[KEY OF A STRANGER]` refused: the keyring does not hold its key; the keyring has [KEY OF THE MIRROR]
          help: check the machine's apt sources and keyrings, or `archives` and `keyring` in the workspace and the platform
    "#]],
    );
}

#[test]
fn an_archive_that_mixes_two_states_is_refused() {
    let (env, mirror) = start();
    let packages = mirror.archive().join("dists/bookworm/main/binary-amd64/Packages");
    let text = fs::read_to_string(&packages).unwrap();
    // Of the same size, as when a version is replaced.
    mirror.replace(&packages, text.replacen("Version: 3.8-5\n", "Version: 3.8-6\n", 1).as_bytes());
    refuse(
        &env,
        &mirror,
        None,
        &expect![[r#"
        exit code 4
        vb::lock::index

          x cannot load the package index of `bookworm`
          `-> `file://[MIRROR]/archive/dists/bookworm/main/binary-amd64/Packages` has not the digest that the signed Release file of Sat, 11 Jul 2026 10:16:37 UTC names
          help: the archive is just being published, or its mirror mixes two states: try again later
    "#]],
    );
}

#[test]
fn a_package_whose_digest_does_not_fit_is_refused() {
    let (env, mirror) = start();
    let dash = mirror.deb("dash");
    let mut bytes = fs::read(&dash).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    mirror.replace(&dash, &bytes);
    refuse(
        &env,
        &mirror,
        None,
        &expect![[r#"
        exit code 4
        failed  fetch dash_0.5.12-2_amd64.deb

        error[vb::fetch::failed]: fetch dash_0.5.12-2_amd64.deb failed: cannot fetch `dash_0.5.12-2_amd64.deb`
          tried         `file://[MIRROR]/archive/pool/main/d/dash/dash_0.5.12-2_amd64.deb`: it has another content (91848 bytes)
                        expected SHA-256 [DIGEST]
                        found    SHA-256 [DIGEST]
          help          a mirror or proxy changes the file, or it was replaced: look at the location, then run `vb lock` if the new file is meant
        vb::build::failed

          x a step before this command failed
    "#]],
    );
}
