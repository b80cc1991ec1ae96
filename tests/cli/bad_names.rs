//! Names and files that an application's source may have, and those that no package can hold.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
};

use fs_err as fs;
use vb_package::{PathKind, read_package};

use crate::support::{Mirror, TestEnv, write_hello};

/// The application's directory.
const APP: &str = "recipes/apps/hello";

fn locked() -> (TestEnv, Mirror) {
    let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
    mirror.use_in(&env);
    write_hello(&env, "structlog==26.1.0\n");
    env.vb(&["lock", "recipes/hello.ncl"]).ok();
    (env, mirror)
}

#[test]
fn hard_links_sparse_files_and_long_paths_are_packed_and_names_that_no_package_can_hold_are_told() {
    let (env, _mirror) = locked();
    let app = env.workspace().join(APP);
    env.write(&format!("{APP}/one.txt"), "linked\n");
    fs::hard_link(app.join("one.txt"), app.join("two.txt")).unwrap();
    let sparse = fs::File::create(app.join("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    assert!(sparse.metadata().unwrap().blocks() < 1000);
    let deep = format!("{}/{}", vec!["d".repeat(200); 3].join("/"), "f".repeat(246));
    env.write(&format!("{APP}/{deep}"), "deep\n");
    let built = env.vb(&["build", "recipes/hello.ncl", "--format", "deb,rpm,tar"]).ok().stdout;
    for line in built.lines().filter(|line| !line.ends_with(".json")) {
        let facts = read_package(&env.workspace().join(line)).unwrap();
        let kind = |name: &str| &facts.files[&format!("/vrmd/hello/hello/{name}")].kind;
        assert_eq!(kind("one.txt"), kind("two.txt"), "{line}");
        assert!(matches!(kind("sparse"), PathKind::File { size, .. } if *size == 64 << 20), "{line}");
        assert!(matches!(kind(&deep), PathKind::File { size: 5, .. }), "{line}");
        assert!(facts.packed_size < 4 << 20, "{line}: {}", facts.packed_size);
    }

    let failing = |name: &[u8], formats: &str, words: &[&str]| {
        let path = app.join(OsStr::from_bytes(name));
        fs::write(&path, "x").unwrap();
        let run = env.vb(&["build", "recipes/hello.ncl", "--format", formats]).expect(1);
        for word in words.iter().chain(&["asked for at  recipes/hello.ncl:"]) {
            assert!(run.stderr.contains(word), "{word}:\n{}", run.stderr);
        }
        fs::remove_file(path).unwrap();
    };
    failing(b"two\nlines", "deb", &["vb::package::invalid", "`vrmd/hello/hello/two\\nlines` cannot be a path"]);
    failing(b"latin-\xe9", "deb", &["vb::source::unreadable", "is not UTF-8"]);
    let long = [b'n'; 250];
    failing(&long, "rpm", &["vb::package::invalid", "a name of 250 bytes, 246 are the most"]);
}
