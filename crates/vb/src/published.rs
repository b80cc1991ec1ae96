//! What the workspace's repository says of packages that are to be made: their build numbers, and those that it has.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use vb_build::Builder;
use vb_graph::{ActionDigest, Format, Sha256};
use vb_recipe::{Evaluated, Older, Platform, Recipe};
use vb_repo::{Record, Repository, compare_versions};
use vb_store::{FetchedFile, Store};

use crate::{
    command::place::place_published,
    command::repo::{
        errors::{open_error, state_error},
        open::storage,
        signers::no_signers,
    },
    display::FREE_SPACE,
    exit::Exit,
    fatal::Fatal,
    session::Session,
};

/// The recipe's file and the platform's name.
pub(crate) type PairKey = (PathBuf, String);

/// What the repository says of some packages.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// The versions that are build numbers.
    pub(crate) numbers: BTreeMap<PairKey, String>,
    /// The packages that are published already, made of the same inputs: they need not be built.
    pub(crate) answers: BTreeMap<(PairKey, String), Record>,
}

impl Published {
    /// Finds the build numbers of all packages of a session that have one.
    pub(crate) fn find(session: &Session, builder: &Builder) -> Result<Self, Fatal> {
        let mut published = Self::default();
        let pairs = session.numbered_pairs();
        if pairs.is_empty() {
            return Ok(published);
        }
        let Some(repository) = session.repository()? else {
            published.numbers.extend(pairs.iter().map(|pair| (key_of(pair), "1".to_owned())));
            return Ok(published);
        };
        for pair in pairs {
            let key = key_of(&pair);
            let (version, answers) = number(&repository, &pair.1.name, &deep_keys(session, builder, pair)?)?;
            published.answers.extend(answers.into_iter().map(|(name, answer)| ((key.clone(), name), answer)));
            published.numbers.insert(key, version);
        }
        Ok(published)
    }
}

/// Returns the version of all packages of a recipe on a platform, and those that are published already: all, or none.
fn number(
    repository: &Repository,
    platform: &str,
    keys: &[(String, ActionDigest)],
) -> Result<(String, Vec<(String, Record)>), Fatal> {
    let (mut latest_of, mut highest) = (Vec::new(), 0);
    for (name, _) in keys {
        latest_of.push(latest(repository, platform, name)?);
        highest = highest.max(repository.highest_number(name).map_err(state_error)?);
    }
    let answer = |((name, key), latest): (&(String, ActionDigest), &Option<Record>)| {
        let made_of = key.to_string();
        let answer = latest.as_ref().filter(|answer| answer.made_of() == Some(made_of.as_str()))?;
        Some((name.clone(), answer.clone()))
    };
    let answers: Option<Vec<(String, Record)>> = keys.iter().zip(&latest_of).map(answer).collect();
    if let Some(answers) = answers
        && let Some(version) = answers.first().map(|(_, answer)| declared_version(answer).to_owned())
        && answers.iter().all(|(_, answer)| declared_version(answer) == version)
    {
        return Ok((version, answers));
    }
    let epoch = latest_of.iter().flatten().next().map(epoch_of).unwrap_or_default();
    Ok((format!("{epoch}{}", highest + 1), vec![]))
}

/// Finds what was published last of each recipe's packages, and puts it into the store: all in one version, or none.
pub(crate) fn published_before(session: &Session, store: &Store) -> Result<BTreeMap<PairKey, Vec<Older>>, Fatal> {
    let mut before = BTreeMap::new();
    let Some(repository) = session.repository()? else { return Ok(before) };
    for pair in session.pairs() {
        let names = pair.0.value.package_names(&session.workspace.value, &pair.1.name);
        let found = names.iter().map(|name| latest(&repository, &pair.1.name, name));
        let Some(records) = found.collect::<Result<Option<Vec<Record>>, Fatal>>()? else { continue };
        if records.iter().any(|record| record.key.version != records[0].key.version) {
            continue;
        }
        let mut older = Vec::new();
        for (name, record) in names.into_iter().zip(records) {
            take_in(&repository, &record, store)?;
            let file = record.path.rsplit('/').next().unwrap_or(&record.path).to_owned();
            let format = match record.format {
                vb_repo::Format::Deb => Format::Deb,
                vb_repo::Format::Rpm => Format::Rpm,
            };
            older.push(Older { name, format, file, sha256: record.sha256, size: record.size });
        }
        before.insert(key_of(&pair), older);
    }
    Ok(before)
}

/// Puts a published package into the store, where a build finds it as what was fetched.
fn take_in(repository: &Repository, record: &Record, store: &Store) -> Result<(), Fatal> {
    if store.fetched_file(&record.sha256).is_some() {
        return Ok(());
    }
    let failed = |error: io::Error| {
        Fatal::caused(Exit::Environment, "vb::test::published", "cannot take in what was published", FREE_SPACE, error)
    };
    let directory = tempfile::tempdir().map_err(failed)?;
    place_published(repository, record, directory.path())?;
    let name = record.path.rsplit('/').next().unwrap_or(&record.path);
    put_file(store, &directory.path().join(name), &record.sha256).map_err(failed)
}

/// Puts a file into the store, where a build finds it as what was fetched.
pub(crate) fn put_file(store: &Store, path: &Path, sha256: &Sha256) -> io::Result<()> {
    let mut file = fs_err::File::open(path)?;
    let mut writer = store.blob_writer()?;
    io::copy(&mut file, &mut writer)?;
    let (blob, size) = writer.finish()?;
    store.put_fetched_file(sha256, &FetchedFile { blob, size })
}

/// Returns what each package of the platform's own format is made of, its version and commit aside, by name.
pub(crate) fn deep_keys(
    session: &Session,
    builder: &Builder,
    (recipe, platform): (&Evaluated<Recipe>, &Platform),
) -> Result<Vec<(String, ActionDigest)>, Fatal> {
    let (graph, packages) = session.graph_without_version(recipe, platform)?;
    let failed = |error| Fatal::caused(Exit::Environment, "vb::plan::source", "cannot read a source", "", error);
    let key = |(name, package)| Ok((name, builder.deep_key(&graph, package).map_err(failed)?));
    packages.into_iter().map(key).collect()
}

pub(crate) fn key_of((recipe, platform): &(&Evaluated<Recipe>, &Platform)) -> PairKey {
    (recipe.path().to_owned(), platform.name.clone())
}

/// Opens the repository at a location to read it; nothing if there is none.
pub(crate) fn open_to_read(location: &str) -> Result<Option<Repository>, Fatal> {
    match Repository::open(storage(location)?, no_signers()) {
        Ok(repository) => Ok(Some(repository)),
        Err(vb_repo::OpenError::NoRepository) => Ok(None),
        Err(error) => Err(open_error(location, error)),
    }
}

/// Returns the latest package of a name that any channel of a platform has.
fn latest(repository: &Repository, platform: &str, name: &str) -> Result<Option<Record>, Fatal> {
    let found = repository.packages_of_platform(platform, name).map_err(state_error)?;
    let records = found.into_iter().map(|(_, record)| record);
    let latest = records.max_by(|one, other| compare_versions(one.format, &one.key.version, &other.key.version));
    Ok(latest.map(Arc::unwrap_or_clone))
}

/// Returns the version that the recipe gave a package; an `.rpm` has a release behind it.
fn declared_version(record: &Record) -> &str {
    let version = record.key.version.as_str();
    match record.format {
        vb_repo::Format::Deb => version,
        vb_repo::Format::Rpm => version.rsplit_once('-').map_or(version, |(version, _)| version),
    }
}

fn epoch_of(record: &Record) -> String {
    let epoch = record.key.version.split_once(':');
    epoch.map(|(epoch, _)| format!("{epoch}:")).unwrap_or_default()
}

/// Returns the version of a package as its repository has it.
pub(crate) fn version_in(format: Format, version: &str) -> String {
    match (format, vb_package::RpmVersion::of_debian(version)) {
        (Format::Rpm, Ok(version)) => version.to_string(),
        _ => version.to_owned(),
    }
}
