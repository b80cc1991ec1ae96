//! Packages' tarballs to a tree `node_modules`, as npm makes it without running anything.
//!
//! Invariant: nothing is written outside of the directory that a package is unpacked to. There are no links in it while
//! packages are unpacked, because those of tarballs are left out, as npm does.

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use fs_err as fs;
use serde::Deserialize;
use tar::EntryType;

/// The scripts that npm runs when it installs a package, in their order.
const INSTALL_SCRIPTS: [&str; 3] = ["preinstall", "install", "postinstall"];

/// A package cannot become part of the tree.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The tarball cannot be read.
    #[error("cannot read the package `{place}`")]
    Tar {
        /// The package's place.
        place: String,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// A member leads out of the package.
    #[error("the package `{place}` holds the path `{member}`, which leads out of it")]
    UnsafePath {
        /// The package's place.
        place: String,
        /// The member.
        member: String,
    },
    /// Something else than files and directories is in a tarball.
    #[error("the package `{place}` holds `{member}`, which is neither a file nor a directory")]
    Special {
        /// The package's place.
        place: String,
        /// The member.
        member: String,
    },
    /// `package.json` is not there or says something else.
    #[error("cannot read `package.json` of the package `{place}`")]
    Manifest {
        /// The package's place.
        place: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The tree cannot be written.
    #[error("cannot write the tree of packages")]
    Write(#[source] io::Error),
}

/// What is read of a package's `package.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Manifest {
    bin: Bin,
    scripts: BTreeMap<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Bin {
    One(String),
    Several(BTreeMap<String, String>),
    #[default]
    None,
}

/// Unpacks a package's tarball to its place below `node_modules`.
///
/// # Errors
/// [`TreeError`], when a member leads out of the package or is something special.
pub fn unpack_package(tarball: &Path, node_modules: &Path, place: &str) -> Result<(), TreeError> {
    let broken = |source| TreeError::Tar { place: place.to_owned(), source };
    let target = node_modules.join(place);
    fs::create_dir_all(&target).map_err(TreeError::Write)?;
    let file = fs::File::open(tarball).map_err(broken)?;
    let mut archive = tar::Archive::new(MultiGzDecoder::new(io::BufReader::new(file)));
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let member = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(inner) = inner_path(&member) else {
            return Err(TreeError::UnsafePath { place: place.to_owned(), member });
        };
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous if inner != Path::new("") => {
                let is_executable = entry.header().mode().map_err(broken)? & 0o111 != 0;
                write_file(&mut entry, &target.join(inner), is_executable).map_err(TreeError::Write)?;
            }
            EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
            EntryType::Symlink | EntryType::Link | EntryType::XGlobalHeader => {}
            _ => return Err(TreeError::Special { place: place.to_owned(), member }),
        }
    }
    Ok(())
}

/// Returns a member's path in its package: without the first directory, whatever that is called.
fn inner_path(member: &str) -> Option<PathBuf> {
    let mut components = Path::new(member).components().filter(|component| *component != Component::CurDir);
    let is_normal = |component: &Component<'_>| matches!(component, Component::Normal(_));
    components.next().filter(is_normal)?;
    components.map(|component| is_normal(&component).then_some(component.as_os_str())).collect()
}

fn write_file(content: &mut impl io::Read, path: &Path, is_executable: bool) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    io::copy(content, &mut fs::File::create(path)?)?;
    set_mode(path, is_executable)
}

fn set_mode(path: &Path, is_executable: bool) -> io::Result<()> {
    let mode = if is_executable { 0o755 } else { 0o644 };
    fs::set_permissions(path, PermissionsExt::from_mode(mode))
}

fn manifest(node_modules: &Path, place: &str) -> Result<Manifest, TreeError> {
    let bytes = fs::read(node_modules.join(place).join("package.json")).unwrap_or_default();
    // npm writes and reads a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    serde_json::from_slice(bytes).map_err(|source| TreeError::Manifest { place: place.to_owned(), source })
}

/// Links a package's programs in the directory `.bin` beside it. The first of two programs with one name stays.
///
/// # Errors
/// [`TreeError`]; a program that leads out of its package is [`TreeError::UnsafePath`].
pub fn link_programs(node_modules: &Path, place: &str) -> Result<(), TreeError> {
    let (around, name) = match place.rsplit_once("/node_modules/") {
        Some((outer, name)) => (node_modules.join(outer).join("node_modules"), name),
        None => (node_modules.to_owned(), place),
    };
    let base = name.rsplit('/').next().unwrap_or(name);
    let programs = match manifest(node_modules, place)?.bin {
        Bin::One(path) => BTreeMap::from([(base.to_owned(), path)]),
        Bin::Several(programs) => programs,
        Bin::None => BTreeMap::new(),
    };
    for (program, path) in programs {
        let is_name = !program.is_empty() && !program.starts_with('.') && !program.contains('/');
        let is_inner = |component: Component<'_>| matches!(component, Component::Normal(_) | Component::CurDir);
        if !is_name || !Path::new(&path).components().all(is_inner) {
            return Err(TreeError::UnsafePath { place: place.to_owned(), member: path });
        }
        let target = around.join(name).join(&path);
        let link = around.join(".bin").join(&program);
        if target.is_file() && !link.is_symlink() {
            link_program(&target, &link, &format!("../{name}/{}", path.trim_start_matches("./")))
                .map_err(TreeError::Write)?;
        }
    }
    Ok(())
}

fn link_program(target: &Path, link: &Path, relative: &str) -> io::Result<()> {
    set_mode(target, true)?;
    if let Some(parent) = link.parent() {
        fs::create_dir_all(parent)?;
    }
    symlink(relative, link)
}

/// Returns the scripts that npm would run for a package, by name, in their order.
///
/// # Errors
/// [`TreeError::Manifest`].
pub fn install_scripts(node_modules: &Path, place: &str) -> Result<Vec<(&'static str, String)>, TreeError> {
    let scripts = manifest(node_modules, place)?.scripts;
    let script = |name: &'static str| Some((name, scripts.get(name)?.as_str()?.to_owned()));
    Ok(INSTALL_SCRIPTS.into_iter().filter_map(script).collect())
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use tempfile::TempDir;

    use super::*;

    /// A member by its raw path, which the `tar` crate would not write.
    fn member(archive: &mut tar::Builder<GzEncoder<Vec<u8>>>, path: &str, mode: u32, kind: EntryType, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        header.set_entry_type(kind);
        header.set_cksum();
        archive.append(&header, bytes).unwrap();
    }

    fn unpacked(members: &[(&str, u32, EntryType, &str)], place: &str) -> (TempDir, Result<(), TreeError>) {
        let directory = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(GzEncoder::new(vec![], Compression::fast()));
        for (path, mode, kind, text) in members {
            member(&mut archive, path, *mode, *kind, text.as_bytes());
        }
        let tarball = directory.path().join("a.tgz");
        fs::write(&tarball, archive.into_inner().unwrap().finish().unwrap()).unwrap();
        let result = unpack_package(&tarball, &directory.path().join("node_modules"), place);
        (directory, result)
    }

    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn a_package_is_unpacked_without_its_first_directory_and_its_programs_are_linked() {
        let manifest =
            r#"{ "bin": { "lessc": "./bin/lessc" }, "scripts": { "postinstall": "node a.js", "test": "x" } }"#;
        let (directory, result) = unpacked(
            &[
                ("package/package.json", 0o600, FILE, manifest),
                ("package/bin/lessc", 0o644, FILE, "#!/usr/bin/env node\n"),
                ("other/lib/tool", 0o775, FILE, "tool"),
                ("package/link", 0o777, EntryType::Symlink, ""),
            ],
            "@a/less",
        );
        result.unwrap();
        let tree = directory.path().join("node_modules");
        link_programs(&tree, "@a/less").unwrap();
        let mode = |path: &str| fs::metadata(tree.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("@a/less/package.json"), 0o644);
        assert_eq!(mode("@a/less/lib/tool"), 0o755);
        assert_eq!(mode(".bin/lessc"), 0o755);
        assert_eq!(fs::read_link(tree.join(".bin/lessc")).unwrap(), Path::new("../@a/less/bin/lessc"));
        assert!(!tree.join("@a/less/link").exists());
        assert_eq!(install_scripts(&tree, "@a/less").unwrap(), [("postinstall", "node a.js".to_owned())]);
    }

    #[test]
    fn a_program_of_a_nested_package_is_linked_beside_it_and_the_first_of_a_name_stays() {
        let (directory, result) = unpacked(
            &[("package/package.json", 0o644, FILE, r#"{ "bin": "cli.js" }"#), ("package/cli.js", 0o644, FILE, "")],
            "a/node_modules/b",
        );
        result.unwrap();
        let tree = directory.path().join("node_modules");
        link_programs(&tree, "a/node_modules/b").unwrap();
        link_programs(&tree, "a/node_modules/b").unwrap();
        assert_eq!(fs::read_link(tree.join("a/node_modules/.bin/b")).unwrap(), Path::new("../b/cli.js"));
    }

    #[test]
    fn members_and_programs_that_lead_out_of_the_package_are_refused() {
        for path in ["package/../../evil", "/evil", "../evil", "package/a/../../../evil", ".."] {
            let (directory, result) = unpacked(&[(path, 0o644, FILE, "evil")], "a");
            assert!(matches!(result, Err(TreeError::UnsafePath { .. })), "{path}: {result:?}");
            assert!(!directory.path().join("evil").exists() && !directory.path().join("node_modules/evil").exists());
        }
        for bin in [r#""../../evil""#, r#"{ "../evil": "cli.js" }"#, r#"{ "x": "/etc/passwd" }"#] {
            let manifest = format!(r#"{{ "bin": {bin} }}"#);
            let (directory, result) = unpacked(&[("package/package.json", 0o644, FILE, &manifest)], "a");
            result.unwrap();
            let linked = link_programs(&directory.path().join("node_modules"), "a");
            assert!(matches!(linked, Err(TreeError::UnsafePath { .. })), "{bin}: {linked:?}");
        }
    }

    #[test]
    fn devices_and_torn_tarballs_are_refused() {
        let (_directory, result) = unpacked(&[("package/null", 0o666, EntryType::Char, "")], "a");
        assert!(matches!(result, Err(TreeError::Special { .. })), "{result:?}");
        let directory = tempfile::tempdir().unwrap();
        let tarball = directory.path().join("a.tgz");
        fs::write(&tarball, b"\x1f\x8b no gzip").unwrap();
        let result = unpack_package(&tarball, &directory.path().join("node_modules"), "a");
        assert!(matches!(result, Err(TreeError::Tar { .. })), "{result:?}");
    }
}
