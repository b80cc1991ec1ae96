//! The interpreter that a package needs, as dpkg and rpm meet it: there, gone, diverted, another version.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
};

use vb_graph::{BlobDigest, Compression, Format, Lifecycle, NeededInterpreter, PackageSpec};
use vb_package::{Content, Entry, FileTree, MaintainerFiles, Resources, SegmentCache, enliven, write_deb, write_rpm};
use vb_sandbox::{Access, Filter, HostPath, Identity, Root, Upper};

use crate::support::{TestEnv, bind, repository, run_spec, test_root};

const TEXT: &[u8] = b"here\n";

/// Writes a package that needs Python 3.11, with a hand-written script or none.
fn write(format: Format, script: Option<&str>, directory: &Path) {
    let needed = NeededInterpreter {
        command: "/usr/bin/python3.11".into(),
        version: "3.11".into(),
        depends: vec!["python3.11".into()],
    };
    let spec = PackageSpec {
        format,
        name: if script.is_some() { "vrmd-written" } else { "vrmd-made" }.into(),
        version: "1.0".into(),
        native_architecture: "amd64".into(),
        maintainer: "Ops <ops@example.org>".into(),
        section: "net".into(),
        priority: "optional".into(),
        homepage: None,
        license: None,
        summary: "a service".into(),
        description: vec![],
        depends: vec!["python3.11".into()],
        compression: Compression::Gzip,
        epoch: 1_700_000_000,
        application: "/srv/made/made".into(),
        vcs: BTreeMap::new(),
        has_bill: false,
        lifecycle: Box::new(Lifecycle { interpreter: Some(needed), ..Lifecycle::default() }),
        companions: vec![],
        changelog: None,
    };
    let mut maintainer = MaintainerFiles::default();
    if let Some(script) = script {
        match format {
            Format::Rpm => maintainer.take_in_scriptlet("pre", script.as_bytes()).unwrap(),
            _ => maintainer.take_in("preinst", script.as_bytes().to_vec()).unwrap(),
        };
    }
    let content = Content::File { blob: BlobDigest::of(TEXT), size: TEXT.len() as u64 };
    let tree = FileTree::from_entries([Entry { path: format!("srv/{}", spec.name), mode: 0o644, content }]).unwrap();
    let (tree, maintainer) = enliven(&spec, tree, maintainer, |bytes| Ok(BlobDigest::of(bytes))).unwrap();
    let open = |_: &BlobDigest, start: u64| {
        let mut bytes = io::Cursor::new(TEXT);
        bytes.set_position(start);
        Ok::<_, io::Error>(Box::new(bytes) as Box<dyn Read>)
    };
    let resources = Resources { threads: 1, cache: SegmentCache::none() };
    let write = if format == Format::Rpm { write_rpm } else { write_deb };
    write(&spec, &tree, &maintainer, &open, resources, directory).unwrap();
}

/// Runs the script of this test over the root that `whois` runs in, with rpm beside it where that is what is tested.
fn run(format: Format, written: &str) {
    let env = TestEnv::new();
    let packages = env.directory().join("packages");
    fs_err::create_dir(&packages).unwrap();
    write(format, None, &packages);
    write(format, Some(written), &packages);
    let runtime = env.vb(&["output", "recipes/whois.ncl", "whois bookworm root run"]).ok();
    let runtime = HostPath::new(Path::new(runtime.stdout.trim())).unwrap();
    let mut spec = test_root("rpm").spec(&["/bin/sh", "/interpreters.sh", format.as_str()], Identity::Root);
    let lowers = match (&spec.root, format) {
        (Root::Layers { lowers, .. }, Format::Rpm) => [lowers.clone(), vec![runtime]].concat(),
        _ => vec![runtime],
    };
    spec.root = Root::Layers { lowers, upper: Upper::Discard };
    spec.filter = Filter::PretendOwnership;
    spec.binds = vec![
        bind(&repository().join("tests/cli/interpreters.sh"), "/interpreters.sh", Access::ReadOnly),
        bind(&packages, "/packages", Access::ReadOnly),
    ];
    let run = run_spec(&spec).ok();
    assert!(run.stdout.ends_with("== done\n"), "the script ended early:\n{}", run.stdout);
}

#[test]
fn dpkg_is_told_what_is_wrong_with_an_interpreter_before_anything_is_unpacked() {
    run(Format::Deb, "#!/bin/sh\necho written\n");
}

#[test]
fn rpm_is_told_what_is_wrong_with_an_interpreter_before_anything_is_unpacked() {
    run(Format::Rpm, "echo written\n");
}
