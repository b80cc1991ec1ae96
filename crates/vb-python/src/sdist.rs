//! An sdist: what its build requires, and the command that builds it to a wheel.
//!
//! The build runs in a sandbox without network: the sdist and the wheels of its build requirements lie in read-only
//! directories, and every one of them is held against its SHA-256.

use std::{
    collections::BTreeMap,
    fmt::Write,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde::Deserialize;
use vb_graph::LockedDistribution;

use crate::lock::uv_variables;

/// What PEP 518 has for a project that says nothing.
const DEFAULT_REQUIRES: &str = "setuptools>=40.8.0";

/// An sdist cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SdistError {
    /// The file cannot be opened.
    #[error("cannot open the sdist")]
    Open(#[source] io::Error),
    /// The tree cannot be written.
    #[error("cannot unpack the sdist")]
    Unpack(#[source] io::Error),
    /// The name ends neither in `.tar.gz` nor in `.zip`.
    #[error("`{}` is neither a `.tar.gz` nor a `.zip`", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The gzip or tar stream is broken.
    #[error("cannot read the sdist `{}`", path.display())]
    Tar {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The zip file is broken.
    #[error("cannot read the sdist `{}`", path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: zip::result::ZipError,
    },
    /// A member's path is absolute, leads out of the archive, or is not below its one top directory.
    #[error("`{}` holds the path `{member}`, which leads out of it", path.display())]
    UnsafePath {
        /// The file.
        path: PathBuf,
        /// The member.
        member: String,
    },
    /// There is not exactly one top directory.
    #[error("`{}` does not have one top directory", path.display())]
    TopDirectory {
        /// The file.
        path: PathBuf,
    },
    /// Its `pyproject.toml` is not UTF-8 TOML, or `[build-system]` has another shape.
    #[error("cannot read `pyproject.toml` of `{}`", path.display())]
    Pyproject {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<toml::de::Error>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Pyproject {
    build_system: Option<BuildSystem>,
}

#[derive(Deserialize)]
struct BuildSystem {
    requires: Vec<String>,
}

/// Returns the requirements of an sdist's build: `[build-system].requires`, or PEP 518's default.
///
/// What a back end asks for beyond that when it runs is told by [`HookRequest`](crate::HookRequest).
///
/// # Errors
/// The sdist is broken, or holds a path that leads out of it.
pub fn build_requires(sdist: &Path) -> Result<Vec<String>, SdistError> {
    let pyproject = match Format::of(sdist)? {
        Format::TarGz => pyproject_of_tar(sdist)?,
        Format::Zip => pyproject_of_zip(sdist)?,
    };
    requires_of_pyproject(pyproject.as_deref())
        .map_err(|source| SdistError::Pyproject { path: sdist.to_owned(), source: Box::new(source) })
}

/// Returns the requirements of a build that a `pyproject.toml` gives, or PEP 518's default where there is none.
///
/// # Errors
/// It is not UTF-8 TOML, or `[build-system]` has another shape.
pub fn requires_of_pyproject(pyproject: Option<&[u8]>) -> Result<Vec<String>, toml::de::Error> {
    let default = || vec![DEFAULT_REQUIRES.to_owned()];
    let Some(bytes) = pyproject else { return Ok(default()) };
    let parsed: Pyproject = toml::from_slice(bytes)?;
    Ok(parsed.build_system.map_or_else(default, |system| system.requires))
}

/// Unpacks an sdist below the empty directory `target`, and returns its top directory.
///
/// Building this, and not the sdist itself, keeps the path of the build the same each time: uv unpacks sdists to
/// directories with random names, which debug information and `__FILE__` would carry into the wheel.
///
/// # Errors
/// The sdist is broken, or holds a path that leads out of it.
pub fn unpack_sdist(sdist: &Path, target: &Path) -> Result<PathBuf, SdistError> {
    // The check reads all members' paths before the first one is written.
    build_requires(sdist)?;
    fs_err::create_dir_all(target).map_err(SdistError::Unpack)?;
    match Format::of(sdist)? {
        Format::TarGz => {
            let broken = |source| SdistError::Tar { path: sdist.to_owned(), source };
            open_tar(sdist)?.unpack(target).map_err(broken)?;
        }
        Format::Zip => {
            let broken = |source| SdistError::Zip { path: sdist.to_owned(), source };
            open_zip(sdist)?.extract(target).map_err(broken)?;
        }
    }
    let entries = fs_err::read_dir(target).map_err(SdistError::Unpack)?;
    let tops: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(SdistError::Unpack)?;
    match tops.as_slice() {
        [top] if top.is_dir() && !top.is_symlink() => Ok(top.clone()),
        _ => Err(SdistError::TopDirectory { path: sdist.to_owned() }),
    }
}

/// The archive formats that sdists have.
enum Format {
    TarGz,
    Zip,
}

impl Format {
    fn of(sdist: &Path) -> Result<Self, SdistError> {
        let name = sdist.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            Ok(Self::TarGz)
        } else if name.ends_with(".zip") {
            Ok(Self::Zip)
        } else {
            Err(SdistError::Format { path: sdist.to_owned() })
        }
    }
}

type Reader = io::BufReader<fs_err::File>;

fn open_tar(sdist: &Path) -> Result<tar::Archive<GzDecoder<Reader>>, SdistError> {
    let file = fs_err::File::open(sdist).map_err(SdistError::Open)?;
    Ok(tar::Archive::new(GzDecoder::new(io::BufReader::new(file))))
}

fn open_zip(sdist: &Path) -> Result<zip::ZipArchive<Reader>, SdistError> {
    let file = fs_err::File::open(sdist).map_err(SdistError::Open)?;
    let broken = |source| SdistError::Zip { path: sdist.to_owned(), source };
    zip::ZipArchive::new(io::BufReader::new(file)).map_err(broken)
}

fn pyproject_of_tar(sdist: &Path) -> Result<Option<Vec<u8>>, SdistError> {
    let broken = |source| SdistError::Tar { path: sdist.to_owned(), source };
    let mut archive = open_tar(sdist)?;
    let mut found = None;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let member = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if is_pyproject(sdist, &member)? && entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(broken)?;
            found = Some(bytes);
        }
    }
    Ok(found)
}

fn pyproject_of_zip(sdist: &Path) -> Result<Option<Vec<u8>>, SdistError> {
    let broken = |source| SdistError::Zip { path: sdist.to_owned(), source };
    let mut archive = open_zip(sdist)?;
    let mut found = None;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(broken)?;
        let member = entry.name().map_err(broken)?.into_owned();
        if is_pyproject(sdist, &member)? && entry.is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|source| broken(source.into()))?;
            found = Some(bytes);
        }
    }
    Ok(found)
}

/// Is a member `<top>/pyproject.toml`? Checks on the way that it stays inside.
fn is_pyproject(sdist: &Path, member: &str) -> Result<bool, SdistError> {
    let path = Path::new(member);
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !is_inside || member.contains('\\') {
        return Err(SdistError::UnsafePath { path: sdist.to_owned(), member: member.to_owned() });
    }
    let parts: Vec<_> = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    Ok(parts.len() == 2 && parts[1].as_os_str() == "pyproject.toml")
}

/// Returns the text of the constraints file of a build: each requirement's exact version and SHA-256.
pub fn build_constraints(requirements: &[LockedDistribution]) -> String {
    requirements.iter().fold(String::new(), |mut text, requirement| {
        let LockedDistribution { name, version, file } = requirement;
        writeln!(text, "{name}=={version} --hash=sha256:{}", file.sha256).expect("a String takes all text");
        text
    })
}

/// One build of an sdist to a wheel (PEP 517). All paths are those inside the sandbox.
#[derive(Clone, Debug)]
pub struct BuildRequest<'a> {
    /// The uv program.
    pub uv: &'a str,
    /// The interpreter that the wheel is for: `/usr/bin/python3.11`.
    pub python: &'a str,
    /// The directory that [`unpack_sdist`] returned, writable and at a path that is the same each time; or the sdist itself,
    /// which may be read-only, but is then built below a random path.
    pub sdist: &'a str,
    /// The directory with the wheels of the build requirements; may be read-only.
    pub requirements: &'a str,
    /// The file that holds [`build_constraints`].
    pub constraints: &'a str,
    /// The writable directory that the wheel is written to.
    pub output: &'a str,
    /// A writable directory for uv's cache, in which the build happens.
    pub cache: &'a str,
    /// The `SOURCE_DATE_EPOCH`, in seconds.
    pub epoch: u64,
    /// The recipe's build variables: `CFLAGS`, …
    pub extra_variables: &'a BTreeMap<String, String>,
}

impl BuildRequest<'_> {
    /// Returns the command line. It leaves exactly one file in the output directory: the wheel.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments =
            vec![self.uv, "build", "--wheel", "--force-pep517", "--no-sources", "--no-create-gitignore", "--no-index"];
        arguments.extend(["--find-links", self.requirements, "--build-constraints", self.constraints]);
        arguments.extend(["--require-hashes", "--python", self.python, "--out-dir", self.output, "--", self.sdist]);
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Returns the environment variables, to be added to the sandbox's own.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = uv_variables(self.cache);
        variables.insert("UV_OFFLINE".to_owned(), "1".to_owned());
        variables.insert("PYTHONHASHSEED".to_owned(), "0".to_owned());
        variables.insert("SOURCE_DATE_EPOCH".to_owned(), self.epoch.to_string());
        variables.extend(with_interpreters_flags(self.extra_variables));
        variables
    }
}

/// What CPython is compiled with, and what is compiled for it has to be: without assertions, which also write down where its
/// headers are, and with signed integers that wrap around. Newer versions of setuptools take the variables in place of all
/// that the interpreter says. What comes later on the command line counts.
const FLAGS: &str = "-DNDEBUG -fwrapv";

/// Returns a recipe's build variables with the flags that the interpreter's code has before the recipe's own.
pub(crate) fn with_interpreters_flags(recipes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut variables = recipes.clone();
    for name in ["CFLAGS", "CXXFLAGS"] {
        if let Some(flags) = variables.get_mut(name) {
            *flags = format!("{FLAGS} {flags}");
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn tar_gz(members: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, text) in members {
            let mut header = tar::Header::new_gnu();
            // `set_path` refuses what these tests need.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn zip(members: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, text) in members {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn unpack(name: &str, bytes: &[u8]) -> Result<Vec<String>, SdistError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        let top = unpack_sdist(&path, &dir.path().join("build"))?;
        assert_eq!(fs_err::read_to_string(top.join("setup.py")).unwrap(), "x = 1\n");
        let below = top.strip_prefix(dir.path()).unwrap();
        Ok(vec![below.display().to_string()])
    }

    #[test]
    fn an_sdist_is_unpacked_to_its_own_top_directory() {
        let members = [("a-1.0/setup.py", "x = 1\n"), ("a-1.0/b/c.txt", "")];
        for (name, bytes) in [("a-1.0.tar.gz", tar_gz(&members)), ("a-1.0.zip", zip(&members))] {
            assert_eq!(unpack(name, &bytes).unwrap(), ["build/a-1.0"], "{name}");
        }
    }

    #[test]
    fn an_sdist_without_one_top_directory_or_with_unsafe_paths_is_not_unpacked() {
        let two = tar_gz(&[("a-1.0/setup.py", ""), ("b/setup.py", "")]);
        assert!(matches!(unpack("a.tar.gz", &two), Err(SdistError::TopDirectory { .. })));
        let outside = tar_gz(&[("a-1.0/setup.py", ""), ("a-1.0/../../x", "")]);
        assert!(matches!(unpack("a.tar.gz", &outside), Err(SdistError::UnsafePath { .. })));
    }

    fn requires_of(name: &str, bytes: &[u8]) -> Result<Vec<String>, SdistError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        build_requires(&path)
    }

    #[test]
    fn the_requirements_are_read_from_the_top_pyproject() {
        let members = [
            ("a-1.0/vendor/pyproject.toml", "[build-system]\nrequires = [\"wrong\"]\n"),
            ("a-1.0/pyproject.toml", "[build-system]\nrequires = [\"hatchling>=1\", \"cython\"]\n"),
        ];
        for (name, bytes) in [("a-1.0.tar.gz", tar_gz(&members)), ("a-1.0.zip", zip(&members))] {
            assert_eq!(requires_of(name, &bytes).unwrap(), ["hatchling>=1", "cython"], "{name}");
        }
    }

    #[test]
    fn a_project_that_says_nothing_has_the_default() {
        for members in [&[("a-1.0/setup.py", "")][..], &[("a-1.0/pyproject.toml", "[tool.x]\na = 1\n")]] {
            assert_eq!(requires_of("a-1.0.tar.gz", &tar_gz(members)).unwrap(), [DEFAULT_REQUIRES]);
        }
    }

    #[test]
    fn a_build_system_without_requires_is_refused() {
        let bytes = tar_gz(&[("a-1.0/pyproject.toml", "[build-system]\nbuild-backend = \"x\"\n")]);
        assert!(matches!(requires_of("a-1.0.tar.gz", &bytes), Err(SdistError::Pyproject { .. })));
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for member in ["/etc/passwd", "a-1.0/../../x", "..\\x"] {
            for (name, bytes) in [("a.tar.gz", tar_gz(&[(member, "")])), ("a.zip", zip(&[(member, "")]))] {
                let error = requires_of(name, &bytes).unwrap_err();
                assert!(matches!(error, SdistError::UnsafePath { .. }), "{name} {member}: {error}");
            }
        }
    }

    #[test]
    fn other_formats_and_broken_files_are_refused() {
        assert!(matches!(requires_of("a.tar.bz2", b""), Err(SdistError::Format { .. })));
        assert!(matches!(requires_of("a.tar.gz", b"\x1f\x8b\x08nonsense"), Err(SdistError::Tar { .. })));
        assert!(matches!(requires_of("a.zip", b"nonsense"), Err(SdistError::Zip { .. })));
    }

    #[test]
    fn a_build_needs_no_network_and_checks_every_requirement() {
        let extra = [("CFLAGS".to_owned(), "-Os".to_owned())].into();
        let request = BuildRequest {
            uv: "/vb/uv",
            python: "/usr/bin/python3.11",
            sdist: "/in/a-1.0.tar.gz",
            requirements: "/requirements",
            constraints: "/constraints.txt",
            output: "/out",
            cache: "/tmp/uv",
            epoch: 315_532_800,
            extra_variables: &extra,
        };
        assert_eq!(
            request.arguments().join(" "),
            "/vb/uv build --wheel --force-pep517 --no-sources --no-create-gitignore --no-index --find-links /requirements \
             --build-constraints /constraints.txt --require-hashes --python /usr/bin/python3.11 --out-dir /out \
             -- /in/a-1.0.tar.gz"
        );
        let variables = request.variables();
        for (name, value) in
            [("UV_OFFLINE", "1"), ("SOURCE_DATE_EPOCH", "315532800"), ("CFLAGS", "-DNDEBUG -fwrapv -Os")]
        {
            assert_eq!(variables[name], value);
        }
    }

    #[test]
    fn constraints_pin_version_and_digest() {
        let sha256 = vb_graph::Sha256::from_bytes([0xab; 32]);
        let file = vb_graph::LockedFile { file: "wheel-0.48.0-py3-none-any.whl".into(), size: None, sha256 };
        let wheel = LockedDistribution { name: "wheel".into(), version: "0.48.0".into(), file };
        let expect = format!("wheel==0.48.0 --hash=sha256:{}\n", "ab".repeat(32));
        assert_eq!(build_constraints(&[wheel]), expect);
    }
}
