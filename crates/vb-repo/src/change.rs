//! Changes of a channel: read, change, compare-and-swap, publish; again from the start where somebody was faster.

use std::collections::BTreeMap;

use crate::{
    channel::ChannelId,
    draft::Draft,
    generation::{Generation, GenerationId, Operation},
    piece::StateError,
    publish::{PublishError, encode},
    record::{Format, RecordKey},
    repository::Repository,
    storage::{Expected, Lock, LockKind, PutOutcome, Staged, StorageError},
};

/// A channel could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The repository's state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// What clients see could not be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The channel holds a package of that name, version and architecture that has other bytes.
    #[error(
        "`{channel}` has another package `{}` of version `{}` for `{}`",
        key.name, key.version, key.architecture
    )]
    Conflict {
        /// The channel.
        channel: ChannelId,
        /// What the package is called.
        key: Box<RecordKey>,
    },
    /// The channel holds no such package.
    #[error("`{channel}` has no package `{package}`")]
    NoPackage {
        /// The channel.
        channel: ChannelId,
        /// What was asked for.
        package: String,
    },
    /// A package is of another kind than the platform's.
    #[error("`{}` is not what `{channel}` has packages of", package.name)]
    Format {
        /// The channel.
        channel: ChannelId,
        /// What the package is called.
        package: Box<RecordKey>,
    },
    /// The platform is not known to the repository.
    #[error("the repository does not know the platform `{platform}`")]
    UnknownPlatform {
        /// The platform.
        platform: String,
    },
    /// Several channels were to change, and some have.
    #[error("only {} changed: the rest failed", listed(moved))]
    Partly {
        /// The channels that hold what they should.
        moved: Vec<ChannelId>,
        /// Why the next one does not.
        #[source]
        source: Box<ChangeError>,
    },
    /// There is no such generation to go back to.
    #[error("`{channel}` has no earlier generation that fits")]
    NoGeneration {
        /// The channel.
        channel: ChannelId,
    },
}

fn listed(channels: &[ChannelId]) -> String {
    channels.iter().map(|channel| format!("`{channel}`")).collect::<Vec<_>>().join(", ")
}

impl From<StorageError> for ChangeError {
    fn from(error: StorageError) -> Self {
        Self::State(error.into())
    }
}

/// Who changes a channel, and when.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// As `vb repo history` shows it: `ci@builder`.
    pub name: String,
    /// The clock, in seconds since 1970.
    pub time: u64,
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The channel is at this generation.
    To {
        /// Its id.
        id: GenerationId,
        /// How many generations stand before it.
        number: u64,
        /// What was done.
        operation: Operation,
    },
    /// It is as it was: everything was there already.
    Nothing,
}

/// What is done to what a channel holds: what it came to, or nothing. Can be called several times.
pub(crate) type Edit<'a> = dyn Fn(&mut Draft<'_>) -> Result<Option<Operation>, ChangeError> + 'a;

/// A generation that is written, and whose pointer waits for its name.
struct Prepared {
    id: GenerationId,
    pointer: Staged,
    expected: Expected,
    changed: Changed,
}

fn partly(moved: &[ChannelId], error: ChangeError) -> ChangeError {
    match moved {
        [] => error,
        moved => ChangeError::Partly { moved: moved.to_vec(), source: Box::new(error) },
    }
}

impl Repository {
    /// Changes a channel. `edit` can be called several times, each time with what the channel holds then; it returns
    /// what it did, or nothing.
    pub(crate) fn change(
        &self,
        channel: &ChannelId,
        publisher: &Publisher,
        edit: impl Fn(&mut Draft<'_>) -> Result<Option<Operation>, ChangeError>,
    ) -> Result<Changed, ChangeError> {
        let lock = self.lock_channel(channel)?;
        let prepared = self.prepare(channel, publisher, &edit)?;
        let changed = self.advance(channel, publisher, &edit, prepared)?;
        // It may hold all records that were added, and indexes need memory, too.
        drop(edit);
        self.publish(channel, lock.as_ref())?;
        Ok(changed)
    }

    /// Changes several channels. All generations are written and durable before the first pointer moves, so that what can
    /// be refused is refused before; pointers then move one after the other, and clients' files follow.
    ///
    /// # Errors
    /// As [`change`](Self::change); [`ChangeError::Partly`] when some pointers have moved already.
    pub(crate) fn change_together(
        &self,
        edits: &BTreeMap<ChannelId, Box<Edit<'_>>>,
        publisher: &Publisher,
    ) -> Result<Vec<(ChannelId, Changed)>, ChangeError> {
        // In the order of their names, so that two publishers do not wait for each other.
        let locks = edits.keys().map(|channel| self.lock_channel(channel)).collect::<Result<Vec<_>, _>>()?;
        let mut all = Vec::new();
        for (channel, edit) in edits {
            all.push(self.prepare(channel, publisher, edit.as_ref())?);
        }
        let mut moved: Vec<ChannelId> = Vec::new();
        let mut changes = Vec::new();
        for ((channel, edit), prepared) in edits.iter().zip(all) {
            let changed = self.advance(channel, publisher, edit.as_ref(), prepared);
            let changed = changed.map_err(|error| partly(&moved, error))?;
            moved.extend(matches!(changed, Changed::To { .. }).then(|| channel.clone()));
            changes.push((channel.clone(), changed));
        }
        for (channel, lock) in edits.keys().zip(&locks) {
            self.publish(channel, lock.as_ref()).map_err(|error| partly(&moved, error.into()))?;
        }
        Ok(changes)
    }

    /// Writes the generation that an edit makes of what a channel holds; nothing if the edit does nothing.
    fn prepare(
        &self,
        channel: &ChannelId,
        publisher: &Publisher,
        edit: &Edit<'_>,
    ) -> Result<Option<Prepared>, ChangeError> {
        let position = self.position(channel)?;
        let parent = position.as_ref().map(|position| &position.generation);
        let mut draft = Draft::new(&self.storage, parent);
        let Some(operation) = edit(&mut draft)? else { return Ok(None) };
        let generation = Generation {
            channel: channel.clone(),
            format: self.format(channel)?,
            parent: position.as_ref().map(|position| position.id.clone()),
            number: parent.map_or(0, |parent| parent.number + 1),
            // Clients take no index that is older than the one they have, and publishers' clocks differ.
            time: parent.map_or(publisher.time, |parent| publisher.time.max(parent.time + 1)),
            operation,
            publisher: publisher.name.clone(),
            sections: draft.finish()?,
        };
        let (id, bytes) = generation.encode();
        self.storage.put_immutable(&id.object(), &bytes)?;
        let pointer = self.storage.stage(&channel.pointer(), &encode(&id))?;
        let expected = position.map_or(Expected::Absent, |position| Expected::Unchanged(position.token));
        let changed = Changed::To { id: id.clone(), number: generation.number, operation: generation.operation };
        Ok(Some(Prepared { id, pointer, expected, changed }))
    }

    /// Moves the pointer to a generation that is written, or to one on top of what somebody else did meanwhile.
    fn advance(
        &self,
        channel: &ChannelId,
        publisher: &Publisher,
        edit: &Edit<'_>,
        mut prepared: Option<Prepared>,
    ) -> Result<Changed, ChangeError> {
        while let Some(Prepared { id, pointer, expected, changed }) = prepared {
            self.storage.flush(&id.object())?;
            if self.storage.commit_if(pointer, &expected)? == PutOutcome::Written {
                return Ok(changed);
            }
            prepared = self.prepare(channel, publisher, edit)?;
        }
        Ok(Changed::Nothing)
    }

    pub(crate) fn lock_channel(&self, channel: &ChannelId) -> Result<Option<Lock>, StorageError> {
        self.storage.lock(&format!("channel-{}", channel.suite()), LockKind::Exclusive)
    }

    pub(crate) fn format(&self, channel: &ChannelId) -> Result<Format, ChangeError> {
        let platform = self.settings.platforms.get(&channel.platform);
        let unknown = || ChangeError::UnknownPlatform { platform: channel.platform.clone() };
        platform.map(|platform| platform.format).ok_or_else(unknown)
    }
}
