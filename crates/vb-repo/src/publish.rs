//! What clients see is brought to where a channel's pointer is.
//!
//! Where the storage has locks, the publisher holds the channel's, and nobody else writes. Where it has none, any
//! number of publishers may be here at once, each with the generation that it found. A named file is then replaced in
//! three steps: look at its state; look whether the pointer is still the same; replace the file if its state is. Whoever
//! is overtaken by another publisher either sees that in the second step, or fails in the third because the other one
//! wrote in between. So no file goes back to an earlier generation, and the last one to be here leaves all files at the
//! last generation. Nobody returns before the generation that he made, or a later one, is what clients see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    apt::{self, IndexError},
    channel::ChannelId,
    generation::{Generation, GenerationId},
    piece::StateError,
    publication::{ClientFile, Content, Publication},
    record::Format,
    repository::Repository,
    sign::Signers,
    storage::{Expected, Lock, PutOutcome, Staged, StorageError},
    yum,
};

/// What clients see could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The indexes could not be made.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The repository's state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The repository has signed indexes, and there is nobody to sign.
    #[error("the repository is signed, and no key is given to sign with")]
    NoKey,
    /// The platform is not known to the repository.
    #[error("the repository does not know the platform `{platform}`")]
    UnknownPlatform {
        /// The platform.
        platform: String,
    },
}

impl From<StorageError> for PublishError {
    fn from(error: StorageError) -> Self {
        Self::State(error.into())
    }
}

/// The client files of a generation whose names no other bytes have, by which garbage is told from what is in use.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) immutable: Vec<String>,
}

impl Manifest {
    pub(crate) fn object(id: &GenerationId) -> String {
        id.object().replace("state/generations/", "state/manifests/")
    }
}

/// Was a named file written, or has the channel gone on?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Done,
    Overtaken,
}

impl Repository {
    /// Writes the client files of the generation that a channel is at, unless they are there.
    pub(crate) fn publish(&self, channel: &ChannelId, lock: Option<&Lock>) -> Result<(), PublishError> {
        while let Some(position) = self.position(channel)? {
            let published = self.storage.get(&published(channel))?;
            if published.is_some_and(|(bytes, _)| bytes == encode(&position.id)) {
                return Ok(());
            }
            let mut publication = self.publication(&position.generation)?;
            self.write_immutable(&position.id, &publication)?;
            let written = match lock {
                Some(_) => self.write_locked(channel, &position.id, &publication)?,
                None => self.write_fenced(channel, &position.id, &publication)?,
            };
            for piece in publication.pieces.drain(..) {
                self.storage.commit(piece)?;
            }
            if written == Step::Done && lock.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes the client files of a generation, signed.
    pub(crate) fn publication(&self, generation: &Generation) -> Result<Publication, PublishError> {
        if self.signers.is_empty() && !self.settings.keys.is_empty() {
            return Err(PublishError::NoKey);
        }
        self.publication_by(generation, &self.signers)
    }

    /// Makes the client files of a generation without signatures, to compare with.
    pub(crate) fn unsigned_publication(&self, generation: &Generation) -> Result<Publication, PublishError> {
        self.publication_by(generation, &Signers::new(Vec::new()))
    }

    fn publication_by(&self, generation: &Generation, signers: &Signers) -> Result<Publication, PublishError> {
        let name = &generation.channel.platform;
        let unknown = || PublishError::UnknownPlatform { platform: name.clone() };
        let platform = self.settings.platforms.get(name).ok_or_else(unknown)?;
        match generation.format {
            Format::Deb => Ok(apt::publication(&self.storage, &self.settings, platform, generation, signers)?),
            Format::Rpm => Ok(yum::publication(&self.storage, &self.settings, platform, generation, signers)?),
        }
    }

    fn write_immutable(&self, id: &GenerationId, publication: &Publication) -> Result<(), PublishError> {
        let manifest = Manifest { immutable: publication.immutable.iter().map(|file| file.name.clone()).collect() };
        let manifest = serde_json::to_vec(&manifest).expect("a manifest is a list of texts");
        // First, so that no file is without a generation that accounts for it.
        self.storage.put(&Manifest::object(id), &manifest)?;
        for file in &publication.immutable {
            match &file.content {
                Content::Bytes(bytes) => self.storage.put_immutable(&file.name, bytes)?,
                Content::SameAs(other) => self.storage.copy(other, &file.name)?,
            }
        }
        Ok(())
    }

    /// Nothing that clients read is replaced before its bytes, what it names, and the pointer are durable.
    fn write_locked(
        &self,
        channel: &ChannelId,
        id: &GenerationId,
        publication: &Publication,
    ) -> Result<Step, StorageError> {
        let stage = |file: &ClientFile| match &file.content {
            Content::Bytes(bytes) => self.storage.stage(&file.name, bytes).map(Some),
            Content::SameAs(_) => Ok(None),
        };
        let staged: Vec<Option<Staged>> = publication.named.iter().map(stage).collect::<Result<_, _>>()?;
        let last = self.storage.stage(&published(channel), &encode(id))?;
        self.storage.flush(&channel.pointer())?;
        for (file, staged) in publication.named.iter().zip(staged) {
            match (staged, &file.content) {
                (Some(staged), _) => self.storage.commit(staged)?,
                (None, Content::SameAs(other)) => self.storage.copy(other, &file.name)?,
                (None, Content::Bytes(_)) => unreachable!("bytes were staged"),
            }
        }
        self.storage.commit(last)?;
        Ok(Step::Done)
    }

    fn write_fenced(
        &self,
        channel: &ChannelId,
        id: &GenerationId,
        publication: &Publication,
    ) -> Result<Step, PublishError> {
        let bytes_of: BTreeMap<&str, &[u8]> = publication.immutable.iter().filter_map(in_memory).collect();
        for file in &publication.named {
            let bytes = match &file.content {
                Content::Bytes(bytes) => bytes,
                Content::SameAs(other) => bytes_of.get(other.as_str()).copied().unwrap_or_default(),
            };
            if self.replace_fenced(channel, id, &file.name, bytes)? == Step::Overtaken {
                return Ok(Step::Overtaken);
            }
        }
        self.replace_fenced(channel, id, &published(channel), &encode(id))
    }

    /// Replaces a file unless the channel has gone on.
    fn replace_fenced(
        &self,
        channel: &ChannelId,
        id: &GenerationId,
        name: &str,
        bytes: &[u8],
    ) -> Result<Step, PublishError> {
        loop {
            let found = self.storage.metadata(name)?;
            let is_current = self.storage.get(&channel.pointer())?.is_some_and(|(pointer, _)| pointer == encode(id));
            if !is_current {
                return Ok(Step::Overtaken);
            }
            let expected = found.map_or(Expected::Absent, |metadata| Expected::Unchanged(metadata.token));
            if self.storage.put_if(name, bytes, &expected)? == PutOutcome::Written {
                return Ok(Step::Done);
            }
        }
    }
}

fn in_memory(file: &ClientFile) -> Option<(&str, &[u8])> {
    match &file.content {
        Content::Bytes(bytes) => Some((&file.name, bytes)),
        Content::SameAs(_) => None,
    }
}

/// The object that says whose client files are complete.
fn published(channel: &ChannelId) -> String {
    format!("state/published/{}", channel.suite())
}

pub(crate) fn encode(id: &GenerationId) -> Vec<u8> {
    serde_json::to_vec(id).expect("an id is a text")
}

#[cfg(test)]
mod tests;
