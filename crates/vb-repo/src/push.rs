//! Packages come into several channels at once, with a note of what they are made of.

use std::{path::PathBuf, sync::Arc};

use rayon::prelude::*;

use crate::{
    add::{AddError, COMPONENT, GARBAGE_LOCK, Incoming},
    change::{ChangeError, Changed, Publisher},
    channel::ChannelId,
    draft::Draft,
    piece::StateError,
    record::Record,
    repository::Repository,
    storage::{LockKind, Transfer},
};

/// The note of what a package is made of.
const MADE_OF: &str = "made-of";

/// A package to be pushed.
#[derive(Clone, Debug)]
pub struct PushedPackage {
    /// Where its file is.
    pub path: PathBuf,
    /// Says what it is made of, its version and its commit aside: equal texts, equal inputs.
    pub made_of: String,
}

impl Record {
    /// Returns what the package is made of, if it was pushed.
    pub fn made_of(&self) -> Option<&str> {
        self.notes.get(MADE_OF).map(String::as_str)
    }
}

impl Repository {
    /// Adds packages to channels. All are in the pool, and fit into their channels, before the first channel changes;
    /// each channel then changes once.
    ///
    /// # Errors
    /// [`AddError`] as with [`Repository::add`]; then no channel is changed, unless a storage fails in between. Who
    /// pushes again completes what was begun.
    pub fn push(
        &self,
        parts: &[(ChannelId, Vec<PushedPackage>)],
        publisher: &Publisher,
    ) -> Result<Vec<(ChannelId, Changed)>, AddError> {
        let _lock = self.storage.lock(GARBAGE_LOCK, LockKind::Shared)?;
        let mut taken = Vec::new();
        for (channel, packages) in parts {
            let take = |package: &PushedPackage| {
                let incoming = Incoming {
                    path: package.path.clone(),
                    component: COMPONENT.to_owned(),
                    expected: None,
                    transfer: Transfer::Copy,
                };
                let mut record = self.take(channel, &incoming, publisher.time)?;
                record.notes.insert(MADE_OF.to_owned(), package.made_of.clone());
                Ok(Arc::new(record))
            };
            let records: Vec<Arc<Record>> = packages.par_iter().map(take).collect::<Result<_, AddError>>()?;
            taken.push((channel, records));
        }
        for (channel, records) in &taken {
            let position = self.position(channel).map_err(ChangeError::from)?;
            let mut draft = Draft::new(&self.storage, position.as_ref().map(|position| &position.generation));
            let components = vec![COMPONENT; records.len()];
            self.insert_all(&mut draft, channel, &components, records)?;
        }
        let mut changes = Vec::new();
        for (channel, records) in &taken {
            let components = vec![COMPONENT; records.len()];
            let changed =
                self.change(channel, publisher, |draft| self.insert_all(draft, channel, &components, records))?;
            changes.push(((*channel).clone(), changed));
        }
        Ok(changes)
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
