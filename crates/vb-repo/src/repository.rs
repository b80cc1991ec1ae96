//! A repository: its storage, its settings, and who signs for it.

use crate::{
    channel::{ChannelId, ChannelNameError},
    generation::{Generation, GenerationId},
    piece::StateError,
    settings::{PlatformSettings, SETTINGS, Settings, VERSION},
    sign::{CheckSignatureError, PublicKeys, Signers},
    storage::{Expected, PutOutcome, Storage, StorageError, Token},
};

/// The object that clients take the keys from.
pub const KEY_FILE: &str = "key.asc";

/// A repository that is open.
#[derive(Debug)]
pub struct Repository {
    pub(crate) storage: Storage,
    pub(crate) settings: Settings,
    pub(crate) signers: Signers,
}

/// A repository could not be opened or set up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The storage refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no repository.
    #[error("there is no repository here")]
    NoRepository,
    /// There is a repository already.
    #[error("there is a repository here already")]
    Exists,
    /// The settings cannot be read.
    #[error("the settings of the repository are damaged")]
    Damaged {
        /// What is wrong with them.
        #[source]
        source: serde_json::Error,
    },
    /// The repository is of another version of vb.
    #[error("the repository has layout {found}, this vb reads layout {VERSION}")]
    Version {
        /// The layout's version.
        found: u32,
    },
    /// A channel or platform cannot be called that.
    #[error(transparent)]
    Name(#[from] ChannelNameError),
    /// The public keys cannot be read or written.
    #[error("cannot keep the public keys")]
    Keys {
        /// What is wrong with them.
        #[source]
        source: CheckSignatureError,
    },
}

/// Where a channel is.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub(crate) id: GenerationId,
    pub(crate) generation: Generation,
    pub(crate) token: Token,
}

impl Repository {
    /// Makes a repository where there is none.
    ///
    /// # Errors
    /// [`OpenError`] when there is one, or the storage refuses.
    pub fn init(storage: Storage, settings: Settings, signers: Signers, keys: &PublicKeys) -> Result<Self, OpenError> {
        for channel in &settings.channels {
            ChannelId::new("x", channel)?;
        }
        let repository = Self { storage, settings, signers };
        repository.write_keys(keys)?;
        match repository.storage.put_if(SETTINGS, &repository.encoded_settings(), &Expected::Absent)? {
            PutOutcome::Written => Ok(repository),
            PutOutcome::Refused => Err(OpenError::Exists),
        }
    }

    /// Opens a repository. Without signers it can be read, and published only if it is an unsigned one.
    ///
    /// # Errors
    /// [`OpenError`] when there is none, or one of another version.
    pub fn open(storage: Storage, signers: Signers) -> Result<Self, OpenError> {
        let (settings, _) = read_settings(&storage)?;
        Ok(Self { storage, settings, signers })
    }

    /// Reads the settings of the repository in a storage, for example to find out who signs for it.
    ///
    /// # Errors
    /// [`OpenError`] when there is none, or one of another version.
    pub fn read_settings(storage: &Storage) -> Result<Settings, OpenError> {
        Ok(read_settings(storage)?.0)
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns where it is.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Changes the settings; several publishers may do so at once.
    ///
    /// # Errors
    /// [`OpenError`] when they cannot be read or written.
    pub fn change_settings(&mut self, change: impl Fn(&mut Settings)) -> Result<(), OpenError> {
        loop {
            let (settings, token) = read_settings(&self.storage)?;
            self.settings = settings.clone();
            change(&mut self.settings);
            if self.settings == settings {
                return Ok(());
            }
            let written = self.storage.put_if(SETTINGS, &self.encoded_settings(), &Expected::Unchanged(token))?;
            if written == PutOutcome::Written {
                return Ok(());
            }
        }
    }

    /// Makes a platform known. One that is known keeps its settings; an architecture that is missing there is added.
    ///
    /// # Errors
    /// [`OpenError`] when the settings cannot be written.
    pub fn add_platform(&mut self, name: &str, platform: &PlatformSettings) -> Result<(), OpenError> {
        ChannelId::new(name, "x")?;
        self.change_settings(|settings| {
            let known = settings.platforms.entry(name.to_owned()).or_insert_with(|| platform.clone());
            for architecture in &platform.architectures {
                if !known.architectures.contains(architecture) {
                    known.architectures.push(architecture.clone());
                }
            }
        })
    }

    /// Writes the public keys that clients need. Keys that are there stay, so that clients that know only the old one
    /// can learn the new one.
    ///
    /// # Errors
    /// [`OpenError`] when they cannot be written.
    pub fn write_keys(&self, keys: &PublicKeys) -> Result<(), OpenError> {
        let failed = |source| OpenError::Keys { source };
        let text = keys.to_armor().map_err(failed)?;
        if !keys.is_empty() {
            self.storage.put(KEY_FILE, text.as_bytes())?;
        }
        Ok(())
    }

    /// Reads the public keys that clients need.
    ///
    /// # Errors
    /// [`OpenError`] when they cannot be read; a repository without keys has none.
    pub fn public_keys(&self) -> Result<PublicKeys, OpenError> {
        let Some((bytes, _)) = self.storage.get(KEY_FILE)? else { return Ok(PublicKeys::default()) };
        PublicKeys::read(&String::from_utf8_lossy(&bytes)).map_err(|source| OpenError::Keys { source })
    }

    fn encoded_settings(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(&self.settings).expect("settings have string keys and finite numbers")
    }

    /// Returns every channel that was ever published to, sorted.
    ///
    /// # Errors
    /// [`StateError`] when the storage refuses.
    pub fn channels(&self) -> Result<Vec<ChannelId>, StateError> {
        let objects = self.storage.list("state/channels")?;
        let id = |name: &str| {
            let (platform, channel) = name.strip_prefix("state/channels/")?.split_once('/')?;
            ChannelId::new(platform, channel).ok()
        };
        let mut channels: Vec<ChannelId> = objects.iter().filter_map(|object| id(&object.name)).collect();
        channels.sort();
        Ok(channels)
    }

    /// Returns what a channel holds, or nothing if it was never published to.
    ///
    /// # Errors
    /// [`StateError`] when the state is damaged.
    pub fn current(&self, channel: &ChannelId) -> Result<Option<(GenerationId, Generation)>, StateError> {
        Ok(self.position(channel)?.map(|position| (position.id, position.generation)))
    }

    pub(crate) fn position(&self, channel: &ChannelId) -> Result<Option<Position>, StateError> {
        let name = channel.pointer();
        let Some((bytes, token)) = self.storage.get(&name)? else { return Ok(None) };
        let id: GenerationId = serde_json::from_slice(&bytes).map_err(|source| StateError::Damaged { name, source })?;
        let generation = self.generation(&id)?;
        Ok(Some(Position { id, generation, token }))
    }

    /// Reads a generation.
    ///
    /// # Errors
    /// [`StateError`] when it is not there or damaged.
    pub fn generation(&self, id: &GenerationId) -> Result<Generation, StateError> {
        let name = id.object();
        let (bytes, _) = self.storage.get(&name)?.ok_or_else(|| StateError::Missing { name: name.clone() })?;
        serde_json::from_slice(&bytes).map_err(|source| StateError::Damaged { name, source })
    }

    /// Returns a channel's generations, the latest first, as far back as they are kept.
    ///
    /// # Errors
    /// [`StateError`] when the state is damaged.
    pub fn history(&self, channel: &ChannelId) -> Result<Vec<(GenerationId, Generation)>, StateError> {
        let mut history = Vec::new();
        let mut next = self.current(channel)?;
        while let Some((id, generation)) = next {
            let parent = generation.parent.clone();
            history.push((id, generation));
            next = match parent {
                Some(parent) if self.storage.metadata(&parent.object())?.is_some() => {
                    let generation = self.generation(&parent)?;
                    Some((parent, generation))
                }
                _ => None,
            };
        }
        Ok(history)
    }
}

fn read_settings(storage: &Storage) -> Result<(Settings, Token), OpenError> {
    /// What every version has.
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    let damaged = |source| OpenError::Damaged { source };
    let (bytes, token) = storage.get(SETTINGS)?.ok_or(OpenError::NoRepository)?;
    let Versioned { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version != VERSION {
        return Err(OpenError::Version { found: version });
    }
    Ok((serde_json::from_slice(&bytes).map_err(damaged)?, token))
}
