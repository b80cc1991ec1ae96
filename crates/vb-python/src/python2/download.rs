//! One resolution by pip, as the files that it downloads.

use std::path::Path;

use fs_err as fs;
use sha2::{Digest, Sha256 as Hasher};
use vb_graph::{LockedDistribution, LockedFile, Sha256};

use crate::{
    lock::Dependencies,
    metadata::DistributionMetadata,
    names::normalize_name,
    pylock::BinaryPolicy,
    sdist::{SdistError, unpack_sdist},
    tags::WheelName,
};

/// One resolution: requirements files to the files of a set of distributions. All paths are those inside the sandbox.
#[derive(Clone, Debug)]
pub struct DownloadRequest<'a> {
    /// The interpreter that the environment will have.
    pub python: &'a str,
    /// The directory that [`PIP`](super::PIP) is unpacked in.
    pub pip: &'a str,
    /// The one index: a page of simple HTML for each project below it.
    pub index: &'a str,
    /// Which distributions are built and which are not.
    pub policy: &'a BinaryPolicy,
    /// The requirements file.
    pub requirements: &'a str,
    /// A file with [`exact_constraints`], where versions are given.
    pub constraints: Option<&'a str>,
    /// Are dependencies taken in?
    pub dependencies: Dependencies,
    /// The directory that the files are written to.
    pub output: &'a str,
}

impl DownloadRequest<'_> {
    /// Returns the command line.
    pub fn arguments(&self) -> Vec<String> {
        let program = format!("{}/pip", self.pip);
        let mut arguments = vec![self.python, &program, "download", "--isolated", "--quiet", "--no-input"];
        arguments.extend(["--no-cache-dir", "--disable-pip-version-check", "--no-python-version-warning"]);
        // Without it, an sdist with a `setup.py` alone would be asked by whatever setuptools the root happens to have.
        arguments.extend(["--use-pep517", "--index-url", self.index]);
        for (option, names) in [("--no-binary", &self.policy.no_binary), ("--only-binary", &self.policy.only_binary)] {
            arguments.extend(names.iter().flat_map(|name| [option, name]));
        }
        if self.dependencies == Dependencies::Listed {
            arguments.push("--no-deps");
        }
        arguments.extend(self.constraints.iter().flat_map(|file| ["--constraint", file]));
        arguments.extend(["--dest", self.output, "--requirement", self.requirements]);
        arguments.into_iter().map(str::to_owned).collect()
    }
}

/// Returns the text of a constraints file that leaves no choice for these names.
pub fn exact_constraints(pins: &[(String, String)]) -> String {
    pins.iter().map(|(name, version)| format!("{name}=={version}\n")).collect()
}

/// What pip downloaded is not what a lock can name.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// A directory or file cannot be read or written.
    #[error("cannot read what pip has downloaded")]
    Io(#[source] std::io::Error),
    /// An sdist cannot be unpacked.
    #[error("cannot read `{file}`")]
    Sdist {
        /// The file.
        file: String,
        /// Why not.
        #[source]
        source: SdistError,
    },
    /// An sdist has no `PKG-INFO` with name and version.
    #[error("`{file}` does not say its name and version")]
    NoName {
        /// The file.
        file: String,
    },
}

/// Reads what pip downloaded: one file for each distribution, sorted by name. Sdists are unpacked below `scratch` for it.
///
/// # Errors
/// See [`DownloadError`].
pub fn read_downloads(directory: &Path, scratch: &Path) -> Result<Vec<LockedDistribution>, DownloadError> {
    let mut found = Vec::new();
    for (number, entry) in fs::read_dir(directory).map_err(DownloadError::Io)?.enumerate() {
        let path = entry.map_err(DownloadError::Io)?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (name, version) = match WheelName::parse(&file) {
            Some(wheel) => (normalize_name(wheel.name), wheel.version.to_owned()),
            None => name_of_sdist(&path, &file, &scratch.join(number.to_string()))?,
        };
        let bytes = fs::read(&path).map_err(DownloadError::Io)?;
        let (size, sha256) = (Some(bytes.len() as u64), Sha256::from_bytes(Hasher::digest(&bytes).into()));
        found.push(LockedDistribution { name, version, file: LockedFile { file, size, sha256 } });
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// The name of an sdist's file does not tell where the version begins.
fn name_of_sdist(path: &Path, file: &str, scratch: &Path) -> Result<(String, String), DownloadError> {
    let broken = |source| DownloadError::Sdist { file: file.to_owned(), source };
    let top = unpack_sdist(path, scratch).map_err(broken)?;
    let unnamed = || DownloadError::NoName { file: file.to_owned() };
    let bytes = fs::read(top.join("PKG-INFO")).map_err(|_| unnamed())?;
    let metadata = DistributionMetadata::parse(&String::from_utf8_lossy(&bytes));
    if metadata.name.is_empty() || metadata.version.is_empty() {
        return Err(unnamed());
    }
    Ok((normalize_name(&metadata.name), metadata.version))
}
