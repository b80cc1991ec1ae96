//! One resolution by pip, as the files that it downloads.

use std::{collections::BTreeMap, path::Path};

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
    /// An empty directory for what asks sdists for their metadata.
    pub tools: &'a str,
}

impl DownloadRequest<'_> {
    /// Returns the command line that has to run before: pip asks the `setup.py` of a dependency with the setuptools that it
    /// finds, whatever it is told. Nothing when no sdist can be among what is downloaded.
    pub fn tools_arguments(&self) -> Option<Vec<String>> {
        let has_sdists = !self.policy.only_binary.iter().any(|name| name == ":all:");
        has_sdists.then(|| {
            let mut arguments = self.command("install");
            arguments.extend(["--no-compile", "--target", self.tools, "setuptools"].map(str::to_owned));
            arguments
        })
    }

    fn command(&self, command: &str) -> Vec<String> {
        let program = format!("{}/pip", self.pip);
        let mut arguments = vec![self.python, &program, command, "--isolated", "--quiet", "--no-input"];
        arguments.extend(["--no-cache-dir", "--disable-pip-version-check", "--no-python-version-warning"]);
        arguments.extend(["--index-url", self.index]);
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Returns the command line.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--use-pep517"];
        for (option, names) in [("--no-binary", &self.policy.no_binary), ("--only-binary", &self.policy.only_binary)] {
            arguments.extend(names.iter().flat_map(|name| [option, name]));
        }
        if self.dependencies == Dependencies::Listed {
            arguments.push("--no-deps");
        }
        arguments.extend(self.constraints.iter().flat_map(|file| ["--constraint", file]));
        arguments.extend(["--dest", self.output, "--requirement", self.requirements]);
        self.command("download").into_iter().chain(arguments.into_iter().map(str::to_owned)).collect()
    }

    /// Returns the environment variables, to be added to the sandbox's own. A pip that this one starts, to install what a
    /// build requires, is told by them alone.
    pub fn variables(&self) -> BTreeMap<String, String> {
        [
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("PIP_NO_PYTHON_VERSION_WARNING", "1"),
            ("PIP_USE_PEP517", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONPATH", self.tools),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
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
