//! Packages come into several channels at once, with a note of what they are made of.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use rayon::prelude::*;

use crate::{
    add::{AddError, COMPONENT, GARBAGE_LOCK, Incoming},
    change::{ChangeError, Changed, Edit, Publisher},
    channel::ChannelId,
    draft::Draft,
    generation::Operation,
    piece::StateError,
    record::Record,
    repository::Repository,
    storage::{LockKind, Transfer},
};

/// The note of what a package is made of.
const MADE_OF: &str = "made-of";

/// A package to be pushed.
#[derive(Clone, Debug)]
pub enum PushedPackage {
    /// A file of this machine.
    File {
        /// Where it is.
        path: PathBuf,
        /// Says what it is made of, its version and its commit aside: equal texts, equal inputs.
        made_of: String,
    },
    /// A package that another channel holds.
    Held {
        /// The other channel.
        from: ChannelId,
        /// The package's name.
        name: String,
        /// Its version, as the repository has it.
        version: String,
    },
}

/// What comes into a channel, and the other channel if all of it is from there.
struct Taken {
    packages: Vec<(String, Arc<Record>)>,
    from: Option<ChannelId>,
}

impl Record {
    /// Returns what the package is made of, if it was pushed.
    pub fn made_of(&self) -> Option<&str> {
        self.notes.get(MADE_OF).map(String::as_str)
    }
}

impl Repository {
    /// Adds packages to channels. All are in the pool, and fit into their channels, before the first channel changes;
    /// each channel then changes once. A channel without packages is completed, if its last publisher died.
    ///
    /// # Errors
    /// [`AddError`] as with [`Repository::add`]; then no channel is changed, unless it is [`ChangeError::Partly`]. Who pushes
    /// again completes what was begun.
    pub fn push(
        &self,
        parts: &BTreeMap<ChannelId, Vec<PushedPackage>>,
        publisher: &Publisher,
    ) -> Result<Vec<(ChannelId, Changed)>, AddError> {
        let _lock = self.storage.lock(GARBAGE_LOCK, LockKind::Shared)?;
        let mut edits: BTreeMap<ChannelId, Box<Edit<'_>>> = BTreeMap::new();
        for (channel, packages) in parts {
            let taken = self.take_pushed(channel, packages, publisher)?;
            let edit = move |draft: &mut Draft<'_>| {
                let packages = self.insert_all(draft, channel, &taken.packages)?;
                let from = taken.from.clone();
                let is_new = !packages.is_empty();
                Ok(is_new.then_some(match from {
                    Some(from) => Operation::Promote { packages, from },
                    None => Operation::Add { packages },
                }))
            };
            edits.insert(channel.clone(), Box::new(edit));
        }
        Ok(self.change_together(&edits, publisher)?)
    }

    fn take_pushed(
        &self,
        channel: &ChannelId,
        pushed: &[PushedPackage],
        publisher: &Publisher,
    ) -> Result<Taken, AddError> {
        let take = |package: &PushedPackage| match package {
            PushedPackage::File { path, made_of } => {
                let (component, transfer) = (COMPONENT.to_owned(), Transfer::Copy);
                let incoming = Incoming { path: path.clone(), component: component.clone(), expected: None, transfer };
                let mut record = self.take(channel, &incoming, publisher.time)?;
                record.notes.insert(MADE_OF.to_owned(), made_of.clone());
                Ok(vec![(component, Arc::new(record))])
            }
            PushedPackage::Held { from, name, version } => self.held(from, name, version),
        };
        let packages: Vec<Vec<_>> = pushed.par_iter().map(take).collect::<Result<_, AddError>>()?;
        let mut sources = pushed.iter().map(|package| match package {
            PushedPackage::File { .. } => None,
            PushedPackage::Held { from, .. } => Some(from),
        });
        let first = sources.next().flatten();
        let from = first.filter(|first| sources.all(|source| source == Some(first))).cloned();
        Ok(Taken { packages: packages.concat(), from })
    }

    /// Finds a version of a package, for all architectures, with its components.
    fn held(&self, from: &ChannelId, name: &str, version: &str) -> Result<Vec<(String, Arc<Record>)>, AddError> {
        let found = self.packages_named(from, name).map_err(ChangeError::from)?;
        let found = found.into_iter().filter(|(_, record)| record.key.version == version);
        let found: Vec<_> = found.map(|(section, record)| (section.component, record)).collect();
        if found.is_empty() {
            let package = format!("{name}={version}");
            return Err(ChangeError::NoPackage { channel: from.clone(), package }.into());
        }
        Ok(found)
    }

    /// Returns everything of a name that the channels of a platform hold, in the order of the repository's channels.
    ///
    /// # Errors
    /// [`StateError`] when the state is damaged.
    pub fn packages_of_platform(
        &self,
        platform: &str,
        name: &str,
    ) -> Result<Vec<(ChannelId, Arc<Record>)>, StateError> {
        let mut found = Vec::new();
        for channel in &self.settings.channels {
            let Ok(channel) = ChannelId::new(platform, channel) else { continue };
            let records = self.packages_named(&channel, name)?;
            found.extend(records.into_iter().map(|(_, record)| (channel.clone(), record)));
        }
        Ok(found)
    }

    /// Returns the highest number that a version of a package begins with, 0 if there is none: of all packages of the
    /// name in the pool, for whatever platform, also those that no channel holds any more.
    ///
    /// # Errors
    /// [`StateError`] when the storage refuses.
    pub fn highest_number(&self, name: &str) -> Result<u64, StateError> {
        let letter = name.chars().next().unwrap_or('_');
        let directory = format!("pool/{letter}/{name}");
        let number = |object: &str| {
            let file = object.strip_prefix(&directory)?.strip_prefix('/')?.rsplit('/').next()?;
            leading_number(file.strip_prefix(name)?.strip_prefix(['_', '-'])?)
        };
        let objects = self.storage.list(&directory)?;
        Ok(objects.iter().filter_map(|object| number(&object.name)).max().unwrap_or_default())
    }
}

fn leading_number(version: &str) -> Option<u64> {
    let end = version.find(|char: char| !char.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}
