//! Wheels, good and bad, unpacked to trees.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{Layout, Unpacked, WheelError, unpack};
use crate::record::RecordError;

/// Modes and contents by path.
type Tree = BTreeMap<String, (u32, String)>;

const FILE: &str = "demo_app-1.0-py3-none-any.whl";

/// A wheel in the making: members in order, and what RECORD says about them.
struct Wheel {
    members: Vec<(String, Vec<u8>, u32)>,
    record: String,
}

impl Wheel {
    fn new() -> Self {
        Self { members: Vec::new(), record: String::new() }
            .with("demo/__init__.py", "x = 1\n")
            .with("demo_app-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            .with(
                "demo_app-1.0.dist-info/METADATA",
                "Metadata-Version: 2.1\nName: Demo.App\nVersion: 1.0\n\nName: body\n",
            )
    }

    fn with(self, member: &str, text: impl AsRef<[u8]>) -> Self {
        self.with_mode(member, text, 0o644)
    }

    fn with_mode(mut self, member: &str, text: impl AsRef<[u8]>, mode: u32) -> Self {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_ref()));
        self.record.push_str(&format!("{member},sha256={digest},{}\n", text.as_ref().len()));
        self.unlisted(member, text, mode)
    }

    fn unlisted(mut self, member: &str, text: impl AsRef<[u8]>, mode: u32) -> Self {
        self.members.push((member.to_owned(), text.as_ref().to_vec(), mode));
        self
    }

    fn without(mut self, member: &str) -> Self {
        self.members.retain(|(name, ..)| name != member);
        self
    }

    fn without_row(mut self, member: &str) -> Self {
        let rows: Vec<_> = self.record.lines().filter(|row| !row.starts_with(member)).collect();
        self.record = rows.iter().map(|row| format!("{row}\n")).collect();
        self
    }

    fn row(mut self, row: &str) -> Self {
        self.record.push_str(row);
        self
    }

    fn replaced(self, member: &str, text: &str) -> Self {
        self.without(member).without_row(member).with(member, text)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let record = format!("{}demo_app-1.0.dist-info/RECORD,,\n", self.record);
        let record_member = ("demo_app-1.0.dist-info/RECORD".to_owned(), record.into_bytes(), 0o644);
        for (name, bytes, mode) in self.members.iter().chain([&record_member]) {
            if mode & 0o170_000 == 0o120_000 {
                let target = String::from_utf8_lossy(bytes);
                writer.add_symlink(name.as_str(), &*target, SimpleFileOptions::default()).unwrap();
            } else {
                writer.start_file(name.as_str(), SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
                writer.write_all(bytes).unwrap();
            }
        }
        writer.finish().unwrap().into_inner()
    }

    fn unpack(&self) -> Result<(Unpacked, Tree), WheelError> {
        unpack_bytes(FILE, &self.bytes(), "/vrmd/whois")
    }

    fn error(&self) -> WheelError {
        self.unpack().unwrap_err()
    }
}

fn unpack_bytes(file: &str, bytes: &[u8], prefix: &str) -> Result<(Unpacked, Tree), WheelError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file);
    fs_err::write(&path, bytes).unwrap();
    let target = dir.path().join("target");
    let layout = Layout { prefix: prefix.into(), library: "python3.11".into() };
    let unpacked = unpack(&path, &target, &layout)?;
    let mut tree = BTreeMap::new();
    read_tree(&target, "", &mut tree);
    Ok((unpacked, tree))
}

fn read_tree(dir: &Path, below: &str, tree: &mut Tree) {
    for entry in fs_err::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            read_tree(&entry.path(), &format!("{name}/"), tree);
        } else {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            let text = String::from_utf8_lossy(&fs_err::read(entry.path()).unwrap()).into_owned();
            tree.insert(name, (mode, text));
        }
    }
}

#[test]
fn a_wheel_becomes_the_tree_that_pip_would_install() {
    let (unpacked, tree) = Wheel::new()
        .with_mode("demo/tool.sh", "#!/bin/sh\n", 0o775)
        .with("top.py", "")
        .with("_native.cpython-311-x86_64-linux-gnu.so", b"\x7fELF...")
        .with("demo/__pycache__/__init__.cpython-311.pyc", "foreign")
        .with("demo_app-1.0.dist-info/INSTALLER", "pip\n")
        .with("demo_app-1.0.dist-info/direct_url.json", "{}")
        .with("demo_app-1.0.dist-info/entry_points.txt", "[console_scripts]\nrun-demo = demo.main:App.run\n")
        .with("demo_app-1.0.data/scripts/old-demo", "#!python\nimport demo\n")
        .with("demo_app-1.0.data/headers/demo.h", "")
        .with("demo_app-1.0.data/data/share/man/man1/demo.1", "")
        .with("demo_app-1.0.data/purelib/pure.py", "")
        .with("demo_app-1.0.data/platlib/plat/__init__.py", "")
        .unlisted("demo_app-1.0.dist-info/RECORD.jws", "signature", 0o644)
        .unpack()
        .unwrap();
    assert_eq!(
        unpacked,
        Unpacked {
            name: "demo-app".into(),
            version: "1.0".into(),
            has_elf: true,
            top_level: ["_native", "demo", "plat", "pure", "top"].map(str::to_owned).into(),
        }
    );
    let modes: Vec<_> = tree.iter().map(|(path, (mode, _))| format!("{mode:o} {path}")).collect();
    assert_eq!(
        modes,
        [
            "755 bin/old-demo",
            "755 bin/run-demo",
            "644 include/site/python3.11/demo-app/demo.h",
            "644 lib/python3.11/site-packages/_native.cpython-311-x86_64-linux-gnu.so",
            "644 lib/python3.11/site-packages/demo/__init__.py",
            "755 lib/python3.11/site-packages/demo/tool.sh",
            "644 lib/python3.11/site-packages/demo_app-1.0.dist-info/INSTALLER",
            "644 lib/python3.11/site-packages/demo_app-1.0.dist-info/METADATA",
            "644 lib/python3.11/site-packages/demo_app-1.0.dist-info/RECORD",
            "644 lib/python3.11/site-packages/demo_app-1.0.dist-info/WHEEL",
            "644 lib/python3.11/site-packages/demo_app-1.0.dist-info/entry_points.txt",
            "644 lib/python3.11/site-packages/plat/__init__.py",
            "644 lib/python3.11/site-packages/pure.py",
            "644 lib/python3.11/site-packages/top.py",
            "644 share/man/man1/demo.1",
        ]
    );
    assert_eq!(tree["bin/old-demo"].1, "#!/vrmd/whois/bin/python\nimport demo\n");
    assert!(tree["bin/run-demo"].1.contains("from demo.main import App\n"));
    assert_eq!(tree["lib/python3.11/site-packages/demo_app-1.0.dist-info/INSTALLER"].1, "vb\n");
}

#[test]
fn the_written_record_lists_every_file_sorted() {
    let (_, tree) = Wheel::new()
        .with("demo_app-1.0.data/scripts/tool", "#!python\n")
        .unlisted("demo/a,b.txt", "", 0o644)
        .row("\"demo/a,b.txt\",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n")
        .unpack()
        .unwrap();
    let record = &tree["lib/python3.11/site-packages/demo_app-1.0.dist-info/RECORD"].1;
    let script = URL_SAFE_NO_PAD.encode(Sha256::digest("#!/vrmd/whois/bin/python\n"));
    let paths: Vec<_> = record.lines().map(|row| row.rsplitn(3, ',').nth(2).unwrap()).collect();
    assert_eq!(
        paths,
        [
            "../../../bin/tool",
            "demo/__init__.py",
            "\"demo/a,b.txt\"",
            "demo_app-1.0.dist-info/INSTALLER",
            "demo_app-1.0.dist-info/METADATA",
            "demo_app-1.0.dist-info/RECORD",
            "demo_app-1.0.dist-info/WHEEL",
        ]
    );
    assert!(record.starts_with(&format!("../../../bin/tool,sha256={script},25\n")), "{record}");
    assert!(record.contains("demo_app-1.0.dist-info/RECORD,,\n"));
}

#[test]
fn the_order_of_members_does_not_matter() {
    let wheel = Wheel::new().with("a.py", "").with("demo_app-1.0.data/scripts/tool", "#!python\n");
    let mut reversed = Wheel::new().with("a.py", "").with("demo_app-1.0.data/scripts/tool", "#!python\n");
    reversed.members.reverse();
    assert_eq!(wheel.unpack().unwrap(), reversed.unpack().unwrap());
}

#[test]
fn a_long_prefix_starts_its_scripts_through_the_shell() {
    let bytes = Wheel::new().with("demo_app-1.0.data/scripts/tool", "#!python\n").bytes();
    let prefix = format!("/{}", "p".repeat(120));
    let (_, tree) = unpack_bytes(FILE, &bytes, &prefix).unwrap();
    assert_eq!(tree["bin/tool"].1, format!("#!/bin/sh\n'''exec' {prefix}/bin/python \"$0\" \"$@\"\n' '''\n"));
}

#[test]
fn a_wheel_with_paths_that_lead_out_is_refused() {
    for member in ["../x.py", "/etc/x.py", "demo/../../x.py", "./x.py", "demo//x.py", "demo\\x.py"] {
        let error = Wheel::new().with(member, "").error();
        assert!(matches!(error, WheelError::UnsafePath { .. }), "{member}: {error}");
    }
    let error = Wheel::new().with("demo_app-1.0.data/data/../x", "").error();
    assert!(matches!(error, WheelError::UnsafePath { .. }), "{error}");
}

#[test]
fn a_file_that_record_does_not_list_is_refused() {
    let error = Wheel::new().unlisted("demo/extra.py", "", 0o644).error();
    assert_eq!(error.to_string(), "`demo/extra.py` is not listed in the wheel's RECORD");
}

#[test]
fn a_file_that_record_lists_and_the_wheel_lacks_is_refused() {
    let error = Wheel::new().with("demo/a.py", "").without("demo/a.py").error();
    assert_eq!(error.to_string(), "`demo/a.py` is listed in the wheel's RECORD and not there");
}

#[test]
fn a_file_that_is_not_what_record_says_is_refused() {
    let wheel = Wheel::new().with("demo/a.py", "right").without("demo/a.py").unlisted("demo/a.py", "wrong", 0o644);
    assert!(matches!(wheel.error(), WheelError::Record(RecordError::OtherContent { path }) if path == "demo/a.py"));
    for row in ["demo/a.py,,\n", "demo/a.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0\n"] {
        let wheel = Wheel::new().unlisted("demo/a.py", "", 0o644).row(row);
        assert!(matches!(wheel.error(), WheelError::Record(RecordError::WeakDigest { .. })), "{row}");
    }
}

#[test]
fn a_file_that_would_be_written_twice_is_refused() {
    let same_module = Wheel::new().with("demo_app-1.0.data/purelib/demo/__init__.py", "y = 2\n");
    let error = same_module.error();
    assert!(
        matches!(&error, WheelError::DuplicateTarget { path } if path == "lib/python3.11/site-packages/demo/__init__.py"),
        "{error}"
    );
    let same_script = Wheel::new()
        .with("demo_app-1.0.data/scripts/tool", "")
        .with("demo_app-1.0.dist-info/entry_points.txt", "[console_scripts]\ntool = demo:f\n");
    assert!(matches!(same_script.error(), WheelError::DuplicateTarget { path } if path == "bin/tool"));
}

#[test]
fn two_members_of_one_name_are_refused() {
    // No writer makes such a file, so a second name of the same length is patched to the first.
    let bytes = Wheel::new().with("demo/aaaa.py", "").with("demo/bbbb.py", "").bytes();
    let mut patched = bytes.clone();
    let name = b"demo/bbbb.py";
    let is_zip_name =
        |start: &usize| bytes[*start..].starts_with(name) && !bytes[*start..].starts_with(b"demo/bbbb.py,");
    for start in (0..bytes.len()).filter(is_zip_name) {
        patched[start..start + name.len()].copy_from_slice(b"demo/aaaa.py");
    }
    assert_ne!(bytes, patched);
    assert!(matches!(unpack_bytes(FILE, &patched, "/p"), Err(WheelError::DuplicateMember)));
}

#[test]
fn a_symbolic_link_is_refused() {
    let error = Wheel::new().with_mode("demo/link", "/etc/passwd", 0o120_777).error();
    assert!(matches!(&error, WheelError::NotAFile { member } if member == "demo/link"), "{error}");
}

#[test]
fn another_format_version_is_refused() {
    let wheel =
        |version: &str| Wheel::new().replaced("demo_app-1.0.dist-info/WHEEL", &format!("Wheel-Version: {version}\n"));
    assert!(matches!(wheel("2.0").error(), WheelError::WheelVersion { version } if version == "2.0"));
    wheel("1.9").unpack().unwrap();
}

#[test]
fn metadata_that_is_missing_or_of_another_distribution_is_refused() {
    for member in ["WHEEL", "METADATA"] {
        let member = format!("demo_app-1.0.dist-info/{member}");
        let error = Wheel::new().without(&member).without_row(&member).error();
        assert!(matches!(&error, WheelError::Metadata { member: found } if *found == member), "{error}");
    }
    let error = Wheel::new().replaced("demo_app-1.0.dist-info/METADATA", "Name: other\nVersion: 1.0\n").error();
    assert!(matches!(error, WheelError::Metadata { .. }));
    let bytes = Wheel::new().bytes();
    for file in ["other-1.0-py3-none-any.whl", "demo_app-2.0-py3-none-any.whl"] {
        let error = unpack_bytes(file, &bytes, "/p").unwrap_err();
        assert_eq!(error.to_string(), format!("`{file}` holds metadata of `demo_app-1.0`"));
    }
    assert!(matches!(unpack_bytes("demo.whl", &bytes, "/p"), Err(WheelError::FileName { .. })));
    let two = Wheel::new().with("other-1.0.dist-info/METADATA", "");
    assert_eq!(two.error().to_string(), format!("`{FILE}` holds metadata of `demo_app-1.0`, `other-1.0`"));
}

#[test]
fn data_under_another_spelling_of_the_name_is_data() {
    let (_, tree) = Wheel::new().with("Demo.App-1.0.data/scripts/run", "#!python\n").unpack().unwrap();
    assert_eq!(tree["bin/run"], (0o755, "#!/vrmd/whois/bin/python\n".to_owned()));
}

#[test]
fn a_part_of_data_that_has_no_place_is_refused() {
    for member in ["demo_app-1.0.data/etc/x", "demo_app-1.0.data/x"] {
        let error = Wheel::new().with(member, "").error();
        assert!(matches!(error, WheelError::UnknownScheme { .. }), "{member}: {error}");
    }
}

#[test]
fn entry_points_that_are_no_calls_are_refused() {
    let wheel = Wheel::new().with("demo_app-1.0.dist-info/entry_points.txt", "[console_scripts]\n../x = demo:f\n");
    assert!(matches!(wheel.error(), WheelError::EntryPoints(_)));
}

#[test]
fn a_broken_zip_file_is_refused() {
    assert!(matches!(unpack_bytes(FILE, b"PK nonsense", "/p"), Err(WheelError::Zip(_))));
}
