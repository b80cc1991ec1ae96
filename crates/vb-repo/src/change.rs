//! Changes of a channel: read, change, compare-and-swap, publish; again from the start where somebody was faster.

use crate::{
    channel::ChannelId,
    draft::Draft,
    generation::{Generation, GenerationId, Operation},
    piece::StateError,
    publish::{PublishError, encode},
    record::{Format, RecordKey},
    repository::Repository,
    storage::{Expected, Lock, LockKind, PutOutcome, StorageError},
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
    /// There is no such generation to go back to.
    #[error("`{channel}` has no earlier generation that fits")]
    NoGeneration {
        /// The channel.
        channel: ChannelId,
    },
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
        loop {
            let position = self.position(channel)?;
            let parent = position.as_ref().map(|position| &position.generation);
            let mut draft = Draft::new(&self.storage, parent);
            let Some(operation) = edit(&mut draft)? else {
                self.publish(channel, lock.as_ref())?;
                return Ok(Changed::Nothing);
            };
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
            let expected = position.map_or(Expected::Absent, |position| Expected::Unchanged(position.token));
            let pointer = self.storage.stage(&channel.pointer(), &encode(&id))?;
            self.storage.flush(&id.object())?;
            if self.storage.commit_if(pointer, &expected)? == PutOutcome::Written {
                self.publish(channel, lock.as_ref())?;
                return Ok(Changed::To { id, number: generation.number, operation: generation.operation });
            }
        }
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
