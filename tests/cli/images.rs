//! Platforms whose root is given whole: what an archive and an image layout are good for, and which are refused.

use std::path::{Path, PathBuf};

use expect_test::expect;
use fs_err as fs;

use crate::support::{Mirror, TestEnv, redact, sha256, write_hello};

const HELLO: &str = "recipes/hello.ncl";

/// A workspace with `hello` for a platform `boxed`, whose root is what a test gives.
fn workspace(mirror: &Mirror) -> TestEnv {
    let env = TestEnv::new();
    mirror.use_in(&env);
    write_hello(&env, "attrs\n");
    env.edit(
        HELLO,
        "  build_deps = [\"libpq-dev\"],\n  run_deps = [\"libpq5\", \"runit\"],\n",
        "  platforms = [\"boxed\"],\n",
    );
    env
}

fn set_image(env: &TestEnv, image: &str) {
    let text = format!(
        "# Debian 12, made by somebody else.\nlet bookworm = import \"bookworm.ncl\" in\n\
         bookworm & {{ suites | force = [], image = {image} }}\n"
    );
    env.write("recipes/platforms/boxed.ncl", &text);
}

fn archive(path: &Path) -> String {
    format!("'Archive {{ file = \"{}\", sha256 = \"{}\" }}", path.display(), sha256(path))
}

/// Writes a directory in OCI layout with one layer, and returns the image that it is.
fn layout(directory: &Path, layer: &Path) -> String {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let digest = sha256(layer);
    fs::copy(layer, blobs.join(&digest)).unwrap();
    let manifest = format!(
        "{{\"schemaVersion\": 2, \"layers\": [{{\"mediaType\": \"application/vnd.oci.image.layer.v1.tar\", \
         \"digest\": \"sha256:{digest}\", \"size\": {}}}]}}",
        fs::metadata(layer).unwrap().len(),
    );
    let path = directory.join("manifest.json");
    fs::write(&path, manifest).unwrap();
    let digest = sha256(&path);
    fs::rename(&path, blobs.join(&digest)).unwrap();
    format!("'OciLayout {{ path = \"{}\", digest = \"sha256:{digest}\" }}", directory.display())
}

/// Packs the root of bookworm's interpreter.
fn pack_root(env: &TestEnv) -> PathBuf {
    let tree = env.vb(&["output", "recipes/whois.ncl", "root interpreter"]).ok().stdout;
    let path = env.directory().join("root.tar");
    let mut builder = tar::Builder::new(fs::File::create(&path).unwrap().into_file());
    builder.follow_symlinks(false);
    builder.append_dir_all(".", tree.trim()).unwrap();
    builder.finish().unwrap();
    path
}

#[test]
fn an_archive_of_a_root_and_an_image_layout_are_checked_and_built_on() {
    let mirror = Mirror::of_whois();
    let env = workspace(&mirror);
    let root = pack_root(&env);
    set_image(&env, &archive(&root));
    let told = "boxed: `recipes/platforms/boxed.ncl` keeps to its contract\n\
                boxed: its image can be read: 1 layer has its digest\n";
    assert_eq!(env.vb(&["platform", "check", "boxed"]).ok().stdout, told);
    env.vb(&["lock", HELLO]).ok();
    let lock = env.read("recipes/hello.lock");
    assert!(
        lock.contains("{ name = \"image\", version = \"000\", architecture = \"amd64\", path = \"root.tar\""),
        "{lock}"
    );
    assert_eq!(env.vb(&["build", HELLO]).ok().stdout, "dist/boxed/vrmd-hello_1.0_all.deb\n");

    let directory = env.directory().join("layout");
    set_image(&env, &layout(&directory, &root));
    assert_eq!(env.vb(&["platform", "check", "boxed"]).ok().stdout, told);
    env.vb(&["lock", HELLO]).ok();
    // The same bytes are the same root, however they are given.
    assert_eq!(env.vb(&["build", HELLO]).ok().executed(), Vec::<String>::new());

    let blob = directory.join("blobs/sha256").join(sha256(&root));
    fs::write(&blob, b"something else").unwrap();
    let changed = env.vb(&["platform", "check", "boxed"]).expect(4);
    fs::remove_file(&blob).unwrap();
    let missing = env.vb(&["platform", "check", "boxed"]).expect(4);
    set_image(
        &env,
        &format!("'OciLayout {{ path = \"{}\", digest = \"sha256:{}\" }}", directory.display(), "0".repeat(64)),
    );
    let unknown = env.vb(&["platform", "check", "boxed"]).expect(4);
    let told = [changed, missing, unknown].map(|run| redact(&env, &run.stderr)).concat();
    expect![[r#"
        vb::lock::image

          x cannot read the image of `boxed`
          `-> `[DIRECTORY]/layout/blobs/sha256/[DIGEST]` has not the SHA-256 [DIGEST], but [DIGEST]
          help: check `image` in the platform's file
        vb::lock::image

          x cannot read the image of `boxed`
          |-> cannot read a file of the image
          `-> `[DIRECTORY]/layout/blobs/sha256/[DIGEST]` does not exist
          help: check `image` in the platform's file
        vb::lock::image

          x cannot read the image of `boxed`
          |-> cannot read the image's manifest
          `-> `[DIRECTORY]/layout/blobs/sha256/[DIGEST]` does not exist
          help: check `image` in the platform's file
    "#]]
    .assert_eq(&told);
}

/// Writes an archive of one entry, whose name is written as it is.
fn write_archive(path: &Path, name: &str, kind: tar::EntryType, mode: u32) {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header.set_cksum();
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap().into_file());
    builder.append(&header, &[][..]).unwrap();
    builder.finish().unwrap();
}

#[test]
fn an_image_that_leaves_its_root_or_has_what_no_sandbox_uses_is_refused_and_the_store_stays_whole() {
    let mirror = Mirror::of_whois();
    let env = workspace(&mirror);
    let store = env.directory().join("store");
    let env = env.with_store(store);
    let image = env.directory().join("image.tar");
    let (file, device) = (tar::EntryType::Regular, tar::EntryType::Char);
    let entries = [
        ("/etc/passwd", file, 0o644),
        ("usr/../../etc/passwd", file, 0o644),
        ("dev/null", device, 0o666),
        ("usr/bin/su", file, 0o4755),
        ("usr/bin/write", file, 0o2755),
    ];
    let mut told = String::new();
    let mut refuse = |name: &str| {
        set_image(&env, &archive(&image));
        let run = env.vb(&["lock", HELLO]).expect(1);
        let (_, failure) = run.stderr.split_once("\nerror").unwrap_or_else(|| panic!("{}", run.stderr));
        told.push_str(&redact(&env, &format!("== {name}\nerror{failure}")));
    };
    for (name, kind, mode) in entries {
        write_archive(&image, name, kind, mode);
        refuse(name);
    }
    fs::write(&image, [b'x'; 700]).unwrap();
    refuse("no archive");
    expect![[r#"
        == /etc/passwd
        error[vb::root::unpack]: hello boxed root build failed: cannot unpack the root
          asked for at  recipes/hello.ncl:2
          because       cannot unpack the image
          because       the image has the path `/etc/passwd`, which leaves the root
          help          pack the image in its own directory: `tar -C ROOT -cf image.tar .`
        vb::build::failed

          x a step before this command failed
        == usr/../../etc/passwd
        error[vb::root::unpack]: hello boxed root build failed: cannot unpack the root
          asked for at  recipes/hello.ncl:2
          because       cannot unpack the image
          because       the image has the path `usr/../../etc/passwd`, which leaves the root
          help          pack the image in its own directory: `tar -C ROOT -cf image.tar .`
        vb::build::failed

          x a step before this command failed
        == dev/null
        error[vb::root::unpack]: hello boxed root build failed: cannot unpack the root
          asked for at  recipes/hello.ncl:2
          because       cannot unpack the image
          because       the image has `dev/null`, which is no file, directory or link: no sandbox has use for it
          help          pack the image without it: `tar --exclude=./dev/* …`
        vb::build::failed

          x a step before this command failed
        == usr/bin/su
        error[vb::root::unpack]: hello boxed root build failed: cannot unpack the root
          asked for at  recipes/hello.ncl:2
          because       cannot unpack the image
          because       the image has `usr/bin/su`, which is set-user-id or set-group-id: no sandbox has use for it
          help          pack the image without these bits: `tar --mode=ug-s …`
        vb::build::failed

          x a step before this command failed
        == usr/bin/write
        error[vb::root::unpack]: hello boxed root build failed: cannot unpack the root
          asked for at  recipes/hello.ncl:2
          because       cannot unpack the image
          because       the image has `usr/bin/write`, which is set-user-id or set-group-id: no sandbox has use for it
          help          pack the image without these bits: `tar --mode=ug-s …`
        vb::build::failed

          x a step before this command failed
        == no archive
        error[vb::root::unpack]: hello boxed root build failed: cannot unpack the root
          asked for at  recipes/hello.ncl:2
          because       cannot unpack the image
          because       cannot read the layer `[STORE]/blobs/9c/[DIGEST]`
          because       numeric field was not a number: xxxxxxxx when getting cksum for xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
          help          check `image` in the platform's file: it wants a `.tar`, which may be compressed
        vb::build::failed

          x a step before this command failed
    "#]].assert_eq(&told);
    assert!(env.vb(&["cache", "verify"]).ok().stdout.starts_with("the store is intact: "));
}
