//! Loading suites from their archives, by indexes that a signed `Release` file vouches for.
//!
//! The chain: a keyring's key signs `InRelease` (or `Release` through `Release.gpg`), which gives size and digest of each
//! `Packages` file, which gives size and SHA-256 of each package. Nothing that breaks the chain is skipped silently.
//!
//! What a signed `Release` file vouches for never changes, so the packages of its indexes can be remembered by the
//! digest of its bytes. The signature is checked each time all the same.

use std::time::SystemTime;

use rayon::prelude::*;
use sha2::{Digest, Sha256 as Sha256Hasher};
use vb_fetch::{FetchError, Fetcher, without_credentials};

use crate::{
    contents::{self, MissingFile},
    date,
    index::{Index, IndexPackage, SuiteState, parse_packages, to_text},
    load_error::IndexError,
    packages_file::{Found, PackagesFile},
    release::Release,
    signature::{Keyring, SignatureError},
    sources::ArchiveLocation,
};

/// The version of what is remembered; another one is never recalled.
const MEMORY_VERSION: u32 = 1;

/// Does an index have to be as fresh as its archive promises?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ValidUntil {
    /// An expired index is refused.
    #[default]
    Checked,
    /// An expired index is used: for an archive that is no longer maintained, or a snapshot.
    Ignored,
}

/// One suite to load.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Its name below `dists/`: `bookworm-security`. A name that ends in `/` is a directory below the archive's base
    /// that holds the indexes itself, without components (sources.list(5), "exact path").
    pub name: String,
    /// The components to take: `main`.
    pub components: Vec<String>,
    /// Where it can be had; the first that works is used.
    pub locations: Vec<ArchiveLocation>,
    /// Is its freshness checked?
    pub valid_until: ValidUntil,
    /// The date of the state that was seen last, as its `Release` file said it: an older one is refused. `None` where
    /// nothing was seen, or going back is meant.
    pub known_date: Option<String>,
}

/// Keeps the packages of an index between runs.
///
/// What is recalled under a name must be what was remembered under it; something else makes another index.
#[derive(Clone, Copy)]
pub struct IndexMemory<'a> {
    /// Returns what was remembered under a name.
    pub recall: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Remembers a text under a name.
    pub remember: &'a (dyn Fn(&str, &str) + Sync),
}

impl std::fmt::Debug for IndexMemory<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexMemory").finish_non_exhaustive()
    }
}

impl IndexMemory<'_> {
    /// Remembers nothing.
    pub fn none() -> Self {
        Self { recall: &|_| None, remember: &|_, _| {} }
    }
}

/// Loads the indexes of some suites for one architecture, as of a time.
///
/// # Errors
/// See [`IndexError`]. A location that cannot be reached is passed over for the next one; a location that can be
/// reached and whose signature or digests are wrong ends the load.
pub fn load(
    fetcher: &Fetcher,
    suites: &[Suite],
    architecture: &str,
    time: SystemTime,
    memory: IndexMemory<'_>,
) -> Result<Index, IndexError> {
    let loaded = suites.par_iter().enumerate().map(|(number, suite)| {
        let loader = Loader { fetcher, suite, number, architecture, time, memory };
        loader.load()
    });
    // All of them, so that of several errors the first suite's is told, whichever came first.
    let loaded: Vec<Result<(SuiteState, Vec<IndexPackage>), IndexError>> = loaded.collect();
    let mut index = Index { architecture: architecture.to_owned(), ..Index::default() };
    for suite in loaded {
        let (state, packages) = suite?;
        index.suites.push(state);
        index.packages.extend(packages);
    }
    Ok(index)
}

/// Why one location did not give a suite.
pub(crate) enum LoadError {
    /// The next location may do better.
    Unreachable(FetchError),
    /// Something is wrong that must be seen.
    Refused(Box<IndexError>),
}

impl From<FetchError> for LoadError {
    fn from(error: FetchError) -> Self {
        Self::Unreachable(error)
    }
}

impl From<IndexError> for LoadError {
    fn from(error: IndexError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl LoadError {
    /// Does it look as if two states of the archive were mixed, or a file was cut off on its way?
    fn may_pass(&self) -> bool {
        let Self::Refused(error) = self else { return false };
        match &**error {
            IndexError::Mismatch { .. } => true,
            IndexError::Signature { source, .. } => source.is_mismatch(),
            _ => false,
        }
    }
}

/// A `Release` file whose signature counts.
struct Signed {
    text: String,
    release: Release,
}

/// Loads one suite.
pub(crate) struct Loader<'a> {
    pub(crate) fetcher: &'a Fetcher,
    pub(crate) suite: &'a Suite,
    pub(crate) number: usize,
    pub(crate) architecture: &'a str,
    pub(crate) time: SystemTime,
    pub(crate) memory: IndexMemory<'a>,
}

/// Loads the texts of the `Sources` indexes of a suite's components, as of a time, from the first location that works.
pub(crate) fn load_sources(fetcher: &Fetcher, suite: &Suite, time: SystemTime) -> Result<Vec<String>, IndexError> {
    let memory = IndexMemory::none();
    let loader = Loader { fetcher, suite, number: 0, architecture: "source", time, memory };
    loader.at_first_location(|location| loader.fetch_sources(location))
}

impl Loader<'_> {
    fn load(&self) -> Result<(SuiteState, Vec<IndexPackage>), IndexError> {
        self.at_first_location(|location| self.load_from(location))
    }

    /// Returns the packages of the suite that have a file. The answer is remembered, because the indexes are large.
    pub(crate) fn packages_with(&self, file: &MissingFile) -> Result<Vec<String>, IndexError> {
        self.at_first_location(|location| {
            let dist = self.dist(location);
            let Signed { text, release } = self.fetch_release(location, &dist)?;
            self.check_release(&release, location)?;
            let name = format!("{} has {file}", self.memory_name(&text));
            if let Some(known) = (self.memory.recall)(&name) {
                return Ok(known.lines().map(str::to_owned).collect());
            }
            let components = self.suite.components.iter().map(|component| format!("{component}/"));
            let mut packages = Vec::new();
            for place in components.chain([String::new()]) {
                let path = format!("{place}Contents-{}", self.architecture);
                let found = PackagesFile { release: &release, dist: &dist, path: &path }.fetch(self.fetcher)?;
                packages.extend(found.iter().flat_map(|found| contents::owners(&found.text, file)));
            }
            (self.memory.remember)(&name, &packages.iter().map(|package| format!("{package}\n")).collect::<String>());
            Ok(packages)
        })
    }

    /// Asks one location after the other.
    fn at_first_location<T>(&self, take: impl Fn(&ArchiveLocation) -> Result<T, LoadError>) -> Result<T, IndexError> {
        let mut last = None;
        for location in &self.suite.locations {
            let mut loaded = take(location);
            // An archive may be published while it is read: what was mixed a moment ago need not be again.
            if loaded.as_ref().is_err_and(LoadError::may_pass) {
                loaded = take(location);
            }
            match loaded {
                Err(LoadError::Unreachable(source)) => last = Some(source),
                Err(LoadError::Refused(error)) => return Err(*error),
                Ok(loaded) => return Ok(loaded),
            }
        }
        let suite = self.suite.name.clone();
        Err(match last {
            None => IndexError::NoLocation { suite },
            Some(source) => {
                let locations = self.suite.locations.iter().map(|location| without_credentials(&location.base));
                IndexError::Fetch { suite, locations: locations.collect(), source }
            }
        })
    }

    /// Returns where the suite's `Release` file is.
    fn dist(&self, location: &ArchiveLocation) -> String {
        match self.suite.name.strip_suffix('/') {
            Some(directory) => format!("{}/{directory}", location.base),
            None => format!("{}/dists/{}", location.base, self.suite.name),
        }
    }

    fn fetch_sources(&self, location: &ArchiveLocation) -> Result<Vec<String>, LoadError> {
        let dist = self.dist(location);
        let Signed { release, .. } = self.fetch_release(location, &dist)?;
        self.check_release(&release, location)?;
        let mut texts = Vec::new();
        for component in &self.suite.components {
            let path = format!("{component}/source/Sources");
            texts.extend(PackagesFile { release: &release, dist: &dist, path: &path }.fetch(self.fetcher)?);
        }
        Ok(texts.into_iter().map(|found| found.text).collect())
    }

    fn load_from(&self, location: &ArchiveLocation) -> Result<(SuiteState, Vec<IndexPackage>), LoadError> {
        let dist = self.dist(location);
        let Signed { text, release } = self.fetch_release(location, &dist)?;
        self.check_release(&release, location)?;
        let name = self.memory_name(&text);
        let known = (self.memory.recall)(&name).and_then(|text| parse_packages(&text, self.number).ok());
        let packages = match known {
            Some(packages) => packages,
            None => {
                let packages = self.fetch_indexes(&release, &dist)?;
                (self.memory.remember)(&name, &to_text(&packages));
                packages
            }
        };
        let priority = release.priority();
        Ok((SuiteState { name: self.suite.name.clone(), date: release.date, priority }, packages))
    }

    fn memory_name(&self, release: &str) -> String {
        let digest = hex::encode(Sha256Hasher::digest(release));
        let components = self.suite.components.join(" ");
        format!("packages {MEMORY_VERSION} {digest} {} {components}", self.architecture)
    }

    /// Fetches the indexes of the components.
    fn fetch_indexes(&self, release: &Release, dist: &str) -> Result<Vec<IndexPackage>, LoadError> {
        if self.suite.name.ends_with('/') {
            return Ok(self.fetch_packages(release, dist, "Packages")?.unwrap_or_default());
        }
        let mut packages = Vec::new();
        for component in &self.suite.components {
            let path = format!("{component}/binary-{}/Packages", self.architecture);
            let Some(found) = self.fetch_packages(release, dist, &path)? else {
                return Err(LoadError::from(IndexError::NoComponent {
                    suite: self.suite.name.clone(),
                    component: component.clone(),
                    architecture: self.architecture.to_owned(),
                    found: release.components(self.architecture),
                }));
            };
            packages.extend(found);
            if release.has_separate_all {
                let path = format!("{component}/binary-all/Packages");
                packages.extend(self.fetch_packages(release, dist, &path)?.unwrap_or_default());
            }
        }
        Ok(packages)
    }

    /// Fetches one `Packages` index; nothing, if the `Release` file lists none.
    fn fetch_packages(
        &self,
        release: &Release,
        dist: &str,
        path: &str,
    ) -> Result<Option<Vec<IndexPackage>>, LoadError> {
        let Some(Found { text, location }) = PackagesFile { release, dist, path }.fetch(self.fetcher)? else {
            return Ok(None);
        };
        let packages = parse_packages(&text, self.number).map_err(|malformed| IndexError::MalformedPackage {
            location,
            package: malformed.package,
            field: malformed.field,
        })?;
        Ok(Some(packages))
    }

    /// Fetches the suite's `Release` file and checks its signature.
    fn fetch_release(&self, location: &ArchiveLocation, dist: &str) -> Result<Signed, LoadError> {
        let text = self.fetch_signed_text(location, dist)?;
        let release = Release::parse(&text).ok_or_else(|| IndexError::MalformedRelease {
            suite: self.suite.name.clone(),
            base: without_credentials(&location.base),
        })?;
        Ok(Signed { text, release })
    }

    fn fetch_signed_text(&self, location: &ArchiveLocation, dist: &str) -> Result<String, LoadError> {
        let refused = |source| IndexError::Signature {
            suite: self.suite.name.clone(),
            base: without_credentials(&location.base),
            source,
        };
        let keyring = || Keyring::read(&location.keyrings).map_err(refused);
        let in_release = match self.fetcher.get(&format!("{dist}/InRelease")) {
            Err(error) if error.is_not_found() => None,
            other => Some(other?),
        };
        if let Some(message) = in_release {
            return Ok(keyring()?.verify_clearsigned(&message, self.time).map_err(refused)?);
        }
        let release = self.fetcher.get(&format!("{dist}/Release"))?;
        // A Release without a signature is refused, not passed over: the place is there and nobody vouches for it.
        let signature = match self.fetcher.get(&format!("{dist}/Release.gpg")) {
            Err(error) if error.is_not_found() => Vec::new(),
            other => other?,
        };
        keyring()?.verify_detached(&release, &signature, self.time).map_err(refused)?;
        Ok(String::from_utf8(release)
            .map_err(|error| refused(SignatureError::NotText { source: error.utf8_error() }))?)
    }

    fn check_release(&self, release: &Release, location: &ArchiveLocation) -> Result<(), IndexError> {
        let suite = || self.suite.name.clone();
        let base = || without_credentials(&location.base);
        let names: Vec<&String> = release.codename.iter().chain(&release.suite).collect();
        if let Some(found) = names.first().filter(|_| !is_called(&self.suite.name, &names)) {
            return Err(IndexError::OtherSuite { suite: suite(), base: base(), found: (*found).clone() });
        }
        if let Some(known) = self.suite.known_date.as_ref().filter(|known| is_older(&release.date, known)) {
            let (date, known) = (release.date.clone(), known.clone());
            return Err(IndexError::Older { suite: suite(), base: base(), date, known });
        }
        match &release.valid_until {
            Some(valid_until) if self.suite.valid_until == ValidUntil::Checked && release.is_expired(self.time) => {
                let (date, valid_until) = (release.date.clone(), valid_until.clone());
                Err(IndexError::Expired { suite: suite(), base: base(), date, valid_until })
            }
            _ => Ok(()),
        }
    }
}

/// May a suite be asked for by this name? Security archives of old releases lie at `buster/updates` and call
/// themselves `buster`; a directory of indexes has any name.
fn is_called(name: &str, own: &[&String]) -> bool {
    let without_part = name.strip_suffix("/updates").unwrap_or(name);
    name.ends_with('/') || own.iter().any(|own| *own == name || *own == without_part)
}

/// Is one date of a suite before another? A date that cannot be read is before every other.
pub fn is_older(date: &str, known: &str) -> bool {
    match (date::parse(date), date::parse(known)) {
        (Some(date), Some(known)) => date < known,
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_called_by_its_names_and_old_security_suites_by_their_directory() {
        let check = |name: &str, own: &[&str], expect| {
            let own: Vec<String> = own.iter().map(ToString::to_string).collect();
            assert_eq!(is_called(name, &own.iter().collect::<Vec<_>>()), expect, "{name} {own:?}");
        };
        check("bookworm", &["bookworm", "oldstable"], true);
        check("oldstable", &["bookworm", "oldstable"], true);
        check("buster/updates", &["buster", "oldoldstable"], true);
        check("buster/updates", &["stretch"], false);
        check("trixie", &["bookworm"], false);
        check("./", &["anything"], true);
    }

    #[test]
    fn dates_are_compared_as_moments() {
        let (before, after) = ("Sat, 31 Jan 2026 00:00:00 UTC", "Sun, 01 Feb 2026 00:00:00 UTC");
        assert!(is_older(before, after) && !is_older(after, before) && !is_older(after, after));
        assert!(is_older("unknown", after) && !is_older(after, "unknown"));
    }
}
