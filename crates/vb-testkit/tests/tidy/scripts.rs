//! The scripts that actions run or put into packages: whose text they change must change keys.

use sha2::{Digest, Sha256};

use crate::tree::text_files;

/// The scripts in shipped code, with the beginning of the SHA-256 of each, and the actions whose output its text decides.
///
/// One that has changed gets its new digest here, and each of its actions another version (`version` in
/// `vb-graph/src/action.rs`), unless no output can differ. An action that is named `key` has the text itself in its key, and
/// `lock` is no action.
const SCRIPTS: &[(&str, &str, &str)] = &[
    ("crates/vb-build/src/execute/step/collect_static.py", "8cfe012c4a414dd4", "collect static"),
    ("crates/vb-build/src/execute/step/each.sh", "0d4132cfedc2419b", "compile i18n, compress, compile, run"),
    ("crates/vb-build/src/execute/trial/first.py", "25147d640f697728", "test"),
    ("crates/vb-build/src/execute/trial/systemctl.py", "7da9a35fd2da31ff", "test"),
    ("crates/vb-build/src/execute/trial/trial.py", "504abf760fa64357", "test"),
    ("crates/vb-graph/src/scripts/build_interpreter.sh", "15836753816a3c7f", "key"),
    ("crates/vb-package/src/lifecycle/shell/common.sh", "616e729886e40e51", "package"),
    ("crates/vb-package/src/lifecycle/shell/files.sh", "b0e0c1e14312cfe4", "package"),
    ("crates/vb-package/src/lifecycle/shell/interpreter.sh", "c30f8b8716d9cf32", "package"),
    ("crates/vb-package/src/lifecycle/shell/interpreter_deb.sh", "40e74c835f6b606c", "package"),
    ("crates/vb-package/src/lifecycle/shell/interpreter_rpm.sh", "df0a4f292a6ff93c", "package"),
    ("crates/vb-package/src/lifecycle/shell/look_deb.sh", "c7a91e544855dfa0", "package"),
    ("crates/vb-package/src/lifecycle/shell/look_rpm.sh", "5182243f2f905adf", "package"),
    ("crates/vb-package/src/lifecycle/shell/runit.sh", "12856a783d0a6c93", "package"),
    ("crates/vb-package/src/lifecycle/shell/supervisor.sh", "8d47aeaa13044fc1", "package"),
    ("crates/vb-package/src/lifecycle/shell/systemd.sh", "8a852be000fb390c", "package"),
    ("crates/vb-python/src/ask_build_requires.py", "0bec54144cc6e620", "lock"),
    ("crates/vb-python/src/compile_bytecode.py", "5bfd981d0c01c78c", "unpack, interpreter, relocate"),
    ("crates/vb-python/src/import_check.py", "90dc0c53552d31c4", "import check"),
    ("crates/vb-python/src/python2/backend.py", "19fd9204125bfb8d", "wheel"),
    ("crates/vb-python/src/python2/compile_bytecode.py", "3540a9c4f47a67f5", "unpack"),
    ("crates/vb-python/src/python2/import_check.py", "cda5d6f7aceb3c1b", "import check"),
    ("crates/vb-python/src/python2/site.py", "c22ebc81769db3e1", "environment"),
    ("crates/vb-python/src/serve_bytecode.py", "9b98009fe75b3172", "unpack"),
];

#[test]
fn whose_text_changes_an_output_changes_keys() {
    let is_script = |path: &str| [".py", ".sh"].iter().any(|end| path.ends_with(end));
    let files = text_files();
    let shipped = files.iter().filter(|file| file.is_shipped() && is_script(&file.path));
    let shipped = shipped.filter(|file| !["vb-bench", "vb-testkit"].contains(&file.crate_name().unwrap_or_default()));
    let mut found: Vec<(&str, String)> =
        shipped.map(|file| (file.path.as_str(), hex::encode(&Sha256::digest(file.text.as_bytes())[..8]))).collect();
    found.sort();
    let known: Vec<(&str, String)> = SCRIPTS.iter().map(|(path, digest, _)| (*path, (*digest).to_owned())).collect();
    assert_eq!(
        found, known,
        "raise the versions of the actions that a changed script is for, then write its digest here"
    );
}
