//! Which packages of a repository belong to modules (`modules.yaml`).
//!
//! A module's stream has to be enabled on a machine, which a lock cannot say, so its packages are never chosen. What is
//! kept is enough to say so where they would have been.

use std::collections::{BTreeMap, BTreeSet};

use rpm_version::Nevra;
use saphyr::{LoadableYamlNode, Yaml};

use super::{index::IndexPackage, version::Version};

/// The modules' metadata is not YAML.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be read as YAML")]
pub struct ModulesError {
    /// What is wrong with it.
    #[source]
    pub source: saphyr::ScanError,
}

/// What the modules of all repositories hold.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    /// Each package of a module by name, version and architecture.
    artifacts: BTreeMap<String, Vec<(Version, String)>>,
    /// The streams that have packages of a name.
    streams: BTreeMap<String, BTreeSet<String>>,
    /// The streams that are enabled unless a machine says otherwise.
    defaults: BTreeSet<String>,
}

impl Modules {
    /// Adds what a `modules.yaml` says.
    pub(crate) fn read(&mut self, text: &str) -> Result<(), ModulesError> {
        for document in Yaml::load_from_str(text).map_err(|source| ModulesError { source })? {
            let word = |value: &Yaml<'_>, name: &str| {
                let found = value.as_mapping_get(name)?;
                found.as_str().map(str::to_owned).or_else(|| found.as_integer().map(|number| number.to_string()))
            };
            let Some(data) = document.as_mapping_get("data") else { continue };
            let stream = word(data, "stream").unwrap_or_default();
            match word(&document, "document").as_deref() {
                Some("modulemd") => {
                    let stream = format!("{}:{stream}", word(data, "name").unwrap_or_default());
                    let artifacts =
                        data.as_mapping_get("artifacts").and_then(|artifacts| artifacts.as_mapping_get("rpms"));
                    for artifact in artifacts.and_then(Yaml::as_sequence).into_iter().flatten() {
                        self.add(artifact.as_str().unwrap_or_default(), &stream);
                    }
                }
                Some("modulemd-defaults") => {
                    let module = word(data, "module").unwrap_or_default();
                    self.defaults.insert(format!("{module}:{stream}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, artifact: &str, stream: &str) {
        let nevra = Nevra::parse(artifact);
        let version = Version::new(nevra.epoch(), nevra.version(), Some(nevra.release()));
        self.artifacts.entry(nevra.name().to_owned()).or_default().push((version, nevra.arch().to_owned()));
        self.streams.entry(nevra.name().to_owned()).or_default().insert(stream.to_owned());
    }

    /// Is this one of a module's packages?
    pub(crate) fn has(&self, package: &IndexPackage) -> bool {
        let known = self.artifacts.get(&package.name).into_iter().flatten();
        known.into_iter().any(|(version, arch)| *version == package.version && *arch == package.architecture)
    }

    /// Returns the streams that have packages of a name.
    pub(crate) fn streams_of(&self, name: &str) -> Vec<&str> {
        self.streams.get(name).into_iter().flatten().map(String::as_str).collect()
    }

    /// Returns the stream whose packages of a name a machine would take, unless told otherwise.
    pub(crate) fn default_stream_of(&self, name: &str) -> Option<&str> {
        self.streams.get(name)?.iter().find(|stream| self.defaults.contains(*stream)).map(String::as_str)
    }
}
