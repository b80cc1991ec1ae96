//! Packages pass between channels, leave them, and come back: nothing is uploaded, only pointers move.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    add::{GARBAGE_LOCK, insert},
    change::{ChangeError, Changed, Publisher},
    channel::ChannelId,
    dependency::ExactDependency,
    draft::Draft,
    generation::{Generation, GenerationId, Operation, SectionId},
    piece::StateError,
    record::{Format, Record, RecordKey},
    repository::Repository,
    storage::{Expected, LockKind, PutOutcome},
    version::compare_versions,
};

/// A package that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its version; the one that is meant without it depends on what is asked.
    pub version: Option<String>,
}

/// Where a rollback leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollbackTarget {
    /// To what was there before the latest change.
    Previous,
    /// To the generation of a number.
    Number(u64),
}

/// Which versions of a package stay in a channel. The latest always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    /// So many of the latest stay.
    pub keep: usize,
    /// What was added less than so many seconds ago stays.
    pub younger_than: Option<u64>,
    /// Does what another channel of the platform holds stay?
    pub keeps_promoted: bool,
}

/// A name for what channels held at one moment. While it is there, nothing that it names is garbage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// The channels, and where they were.
    pub channels: Vec<(ChannelId, GenerationId)>,
}

type Found = (SectionId, Arc<Record>);

impl Repository {
    /// Adds packages of one channel to another: the version that is asked for, or the latest of each architecture. What
    /// they depend on in exactly one version comes along, where the first channel has it and the other one lacks it:
    /// nobody could install them there without it.
    ///
    /// # Errors
    /// [`ChangeError`] when a package is not there, or the other channel has one of the same name and version that has
    /// other bytes.
    pub fn promote(
        &self,
        from: &ChannelId,
        to: &ChannelId,
        wanted: &[Wanted],
        publisher: &Publisher,
    ) -> Result<Changed, ChangeError> {
        let _lock = self.storage.lock(GARBAGE_LOCK, LockKind::Shared)?;
        let source = self.position(from)?;
        let mut source = Draft::new(&self.storage, source.as_ref().map(|position| &position.generation));
        let mut chosen: Vec<Found> = Vec::new();
        for wanted in wanted {
            let found = choose(self.format(from)?, source.named(&wanted.name)?, wanted);
            if found.is_empty() {
                return Err(no_package(from, wanted));
            }
            chosen.extend(found);
        }
        let needed = needed_exactly(&mut source, &chosen)?;
        self.change(to, publisher, |draft| {
            let mut coming = Vec::new();
            for (dependency, found) in &needed {
                if !draft.named(&dependency.name)?.iter().any(|(_, record)| dependency.is_met_by(record)) {
                    coming.extend(found);
                }
            }
            let mut added = Vec::new();
            for (section, record) in coming.into_iter().chain(&chosen) {
                if insert(draft, to, &section.component, record)? {
                    added.push(record.key.clone());
                }
            }
            Ok((!added.is_empty()).then_some(Operation::Promote { packages: added, from: from.clone() }))
        })
    }

    /// Removes packages from a channel: the version that is asked for, or all. They stay in the pool.
    ///
    /// # Errors
    /// [`ChangeError`] when a package is not there.
    pub fn remove(
        &self,
        channel: &ChannelId,
        wanted: &[Wanted],
        publisher: &Publisher,
    ) -> Result<Changed, ChangeError> {
        self.change(channel, publisher, |draft| {
            let mut removed = Vec::new();
            for wanted in wanted {
                let found = draft.named(&wanted.name)?;
                let is_meant = |record: &Record| wanted.version.as_ref().is_none_or(|own| *own == record.key.version);
                let keys: Vec<RecordKey> =
                    found.iter().filter(|(_, record)| is_meant(record)).map(|(_, record)| record.key.clone()).collect();
                if keys.is_empty() {
                    return Err(no_package(channel, wanted));
                }
                for key in keys {
                    draft.remove(&key)?;
                    removed.push(key);
                }
            }
            Ok(Some(Operation::Remove { packages: removed }))
        })
    }

    /// Removes the versions from a channel that a rule does not keep.
    ///
    /// # Errors
    /// [`ChangeError`] when the state is damaged or cannot be written.
    pub fn retain(
        &self,
        channel: &ChannelId,
        rule: RetentionRule,
        publisher: &Publisher,
    ) -> Result<Changed, ChangeError> {
        let format = self.format(channel)?;
        let promoted = if rule.keeps_promoted { self.held_elsewhere(channel)? } else { BTreeSet::new() };
        self.change(channel, publisher, |draft| {
            let mut packages: BTreeMap<(String, String), Vec<Arc<Record>>> = BTreeMap::new();
            for (_, record) in draft.all()? {
                let package = (record.key.name.clone(), record.key.architecture.clone());
                packages.entry(package).or_default().push(record);
            }
            let mut removed = Vec::new();
            for mut records in packages.into_values() {
                records.sort_by(|one, other| compare_versions(format, &other.key.version, &one.key.version));
                for record in records.into_iter().skip(rule.keep.max(1)) {
                    let age = publisher.time.saturating_sub(record.added);
                    let is_young = rule.younger_than.is_some_and(|limit| age < limit);
                    if !is_young && !promoted.contains(&record.key) {
                        draft.remove(&record.key)?;
                        removed.push(record.key.clone());
                    }
                }
            }
            Ok((!removed.is_empty()).then_some(Operation::Remove { packages: removed }))
        })
    }

    fn held_elsewhere(&self, channel: &ChannelId) -> Result<BTreeSet<RecordKey>, StateError> {
        let mut keys = BTreeSet::new();
        for other in self.channels()? {
            if other.platform == channel.platform && other != *channel {
                keys.extend(self.packages(&other)?.into_iter().map(|(_, record)| record.key.clone()));
            }
        }
        Ok(keys)
    }

    /// Returns everything that a channel holds, with its section.
    ///
    /// # Errors
    /// [`StateError`] when the state is damaged.
    pub fn packages(&self, channel: &ChannelId) -> Result<Vec<(SectionId, Arc<Record>)>, StateError> {
        let position = self.position(channel)?;
        Draft::new(&self.storage, position.as_ref().map(|position| &position.generation)).all()
    }

    /// Returns everything of a name that a channel holds, with its section.
    ///
    /// # Errors
    /// [`StateError`] when the state is damaged.
    pub fn packages_named(&self, channel: &ChannelId, name: &str) -> Result<Vec<Found>, StateError> {
        let position = self.position(channel)?;
        Draft::new(&self.storage, position.as_ref().map(|position| &position.generation)).named(name)
    }

    /// Signs the indexes of a channel again, with the date of this moment.
    ///
    /// # Errors
    /// [`ChangeError`] when they cannot be written.
    pub fn refresh(&self, channel: &ChannelId, publisher: &Publisher) -> Result<Changed, ChangeError> {
        self.change(channel, publisher, |_| Ok(Some(Operation::Refresh)))
    }

    /// Gives a channel, or some names in it, what it held before.
    ///
    /// # Errors
    /// [`ChangeError`] when there is no such generation, or a package of it is gone from the pool.
    pub fn rollback(
        &self,
        channel: &ChannelId,
        names: &[String],
        target: &RollbackTarget,
        publisher: &Publisher,
    ) -> Result<Changed, ChangeError> {
        let _lock = self.storage.lock(GARBAGE_LOCK, LockKind::Shared)?;
        let none = || ChangeError::NoGeneration { channel: channel.clone() };
        let (id, generation) = match target {
            RollbackTarget::Number(number) => {
                self.history(channel)?.into_iter().find(|(_, generation)| generation.number == *number)
            }
            RollbackTarget::Previous => self.before(channel, names)?,
        }
        .ok_or_else(none)?;
        self.return_to(channel, names, &id, &generation, publisher)
    }

    /// Gives a channel what it held when a snapshot was made.
    ///
    /// # Errors
    /// [`ChangeError`] when the snapshot does not have the channel, or a package of it is gone from the pool.
    pub fn restore(
        &self,
        snapshot: &Snapshot,
        channel: &ChannelId,
        publisher: &Publisher,
    ) -> Result<Changed, ChangeError> {
        let _lock = self.storage.lock(GARBAGE_LOCK, LockKind::Shared)?;
        let found = snapshot.channels.iter().find(|(own, _)| own == channel);
        let (_, id) = found.ok_or_else(|| ChangeError::NoGeneration { channel: channel.clone() })?;
        self.return_to(channel, &[], id, &self.generation(id)?, publisher)
    }

    fn return_to(
        &self,
        channel: &ChannelId,
        names: &[String],
        id: &GenerationId,
        generation: &Generation,
        publisher: &Publisher,
    ) -> Result<Changed, ChangeError> {
        let mut earlier = Draft::new(&self.storage, Some(generation));
        let mut records = Vec::new();
        for name in names {
            records.extend(earlier.named(name)?);
        }
        let coming = if names.is_empty() { earlier.all()? } else { records.clone() };
        for (_, record) in coming {
            if self.storage.metadata(&record.path)?.is_none() {
                return Err(StateError::Missing { name: record.path.clone() }.into());
            }
        }
        self.change(channel, publisher, |draft| {
            if names.is_empty() {
                draft.replace(generation);
            }
            for name in names {
                for (_, record) in draft.named(name)? {
                    draft.remove(&record.key)?;
                }
            }
            for (section, record) in &records {
                draft.insert(section, Arc::clone(record))?;
            }
            Ok(Some(Operation::Rollback { to: id.clone(), packages: names.to_vec() }))
        })
    }

    /// Finds the latest generation that holds something else of some names, or of all. What a rollback undid is
    /// skipped, so that a second one goes one step further back.
    fn before(&self, channel: &ChannelId, names: &[String]) -> Result<Option<(GenerationId, Generation)>, StateError> {
        let Some((mut id, mut generation)) = self.current(channel)? else { return Ok(None) };
        let now = self.content(&generation, names)?;
        loop {
            let next = match &generation.operation {
                Operation::Rollback { to, packages } if concerns(packages, names) => Some(to.clone()),
                _ => generation.parent.clone(),
            };
            let Some(next) = next.filter(|next| *next != id) else { return Ok(None) };
            if self.storage.metadata(&next.object())?.is_none() {
                return Ok(None);
            }
            (generation, id) = (self.generation(&next)?, next);
            let then = self.content(&generation, names)?;
            if then != now {
                // A package that was not there yet is not what anybody wants back.
                return Ok((!then.is_empty()).then_some((id, generation)));
            }
        }
    }

    fn content(&self, generation: &Generation, names: &[String]) -> Result<BTreeSet<String>, StateError> {
        let mut draft = Draft::new(&self.storage, Some(generation));
        let mut content = BTreeSet::new();
        if names.is_empty() {
            let chunks = generation.sections.iter().flat_map(|section| &section.chunks);
            return Ok(chunks.map(|chunk| chunk.id.object()).collect());
        }
        for name in names {
            content.extend(draft.named(name)?.into_iter().map(|(_, record)| record.path.clone()));
        }
        Ok(content)
    }

    /// Gives a name to what channels hold.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be written; the answer is false when there is one of that name.
    pub fn snapshot(&self, name: &str, channels: &[ChannelId], time: u64) -> Result<bool, StateError> {
        let _lock = self.storage.lock(GARBAGE_LOCK, LockKind::Shared)?;
        let mut held = Vec::new();
        for channel in channels {
            held.extend(self.position(channel)?.map(|position| (channel.clone(), position.id)));
        }
        let bytes = serde_json::to_vec_pretty(&Snapshot { time, channels: held }).expect("a snapshot has no maps");
        Ok(self.storage.put_if(&snapshot_object(name), &bytes, &Expected::Absent)? == PutOutcome::Written)
    }

    /// Returns the snapshots and their names, sorted.
    ///
    /// # Errors
    /// [`StateError`] when one is damaged.
    pub fn snapshots(&self) -> Result<BTreeMap<String, Snapshot>, StateError> {
        let mut snapshots = BTreeMap::new();
        for object in self.storage.list("state/snapshots")? {
            let Some(name) = object.name.strip_prefix("state/snapshots/") else { continue };
            let Some((bytes, _)) = self.storage.get(&object.name)? else { continue };
            let damaged = |source| StateError::Damaged { name: object.name.clone(), source };
            snapshots.insert(name.to_owned(), serde_json::from_slice(&bytes).map_err(damaged)?);
        }
        Ok(snapshots)
    }

    /// Removes the name of a snapshot.
    ///
    /// # Errors
    /// [`StateError`] when it cannot be removed.
    pub fn remove_snapshot(&self, name: &str) -> Result<(), StateError> {
        Ok(self.storage.delete(&snapshot_object(name))?)
    }
}

/// Can a snapshot be called that?
pub fn is_snapshot_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()) && name.bytes().all(is_part)
}

fn snapshot_object(name: &str) -> String {
    format!("state/snapshots/{name}")
}

/// Did a rollback of some packages move all those that are asked for?
fn concerns(rolled_back: &[String], asked: &[String]) -> bool {
    rolled_back.is_empty() || (!asked.is_empty() && asked.iter().all(|name| rolled_back.contains(name)))
}

fn no_package(channel: &ChannelId, wanted: &Wanted) -> ChangeError {
    let version = wanted.version.as_ref().map(|version| format!("={version}"));
    ChangeError::NoPackage {
        channel: channel.clone(),
        package: format!("{}{}", wanted.name, version.unwrap_or_default()),
    }
}

/// Finds what packages, and what these need, depend on in exactly one version, as far as their channel has it; what needs
/// others stands behind them.
fn needed_exactly(
    source: &mut Draft<'_>,
    packages: &[Found],
) -> Result<Vec<(ExactDependency, Vec<Found>)>, StateError> {
    let mut needed: Vec<(ExactDependency, Vec<Found>)> = Vec::new();
    let mut pending: Vec<ExactDependency> =
        packages.iter().flat_map(|(_, record)| ExactDependency::of(record)).collect();
    while let Some(dependency) = pending.pop() {
        let is_chosen = packages.iter().any(|(_, own)| own.key.name == dependency.name && dependency.is_met_by(own));
        if is_chosen || needed.iter().any(|(known, _)| *known == dependency) {
            continue;
        }
        let mut found = source.named(&dependency.name)?;
        found.retain(|(_, record)| dependency.is_met_by(record));
        pending.extend(found.iter().flat_map(|(_, record)| ExactDependency::of(record)));
        needed.push((dependency, found));
    }
    needed.reverse();
    Ok(needed)
}

/// Returns the version that is asked for, or the latest, of each architecture.
fn choose(format: Format, found: Vec<Found>, wanted: &Wanted) -> Vec<Found> {
    if let Some(version) = &wanted.version {
        return found.into_iter().filter(|(_, record)| record.key.version == *version).collect();
    }
    let mut latest: BTreeMap<String, Found> = BTreeMap::new();
    for (section, record) in found {
        let known = latest.get(&record.key.architecture);
        let is_later =
            known.is_none_or(|(_, known)| compare_versions(format, &record.key.version, &known.key.version).is_gt());
        if is_later {
            latest.insert(record.key.architecture.clone(), (section, record));
        }
    }
    latest.into_values().collect()
}
