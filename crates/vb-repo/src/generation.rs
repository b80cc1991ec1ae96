//! A generation: what a channel holds at one moment, and how it came to that.

use serde::{Deserialize, Serialize};

use crate::{
    channel::ChannelId,
    chunk::ChunkId,
    record::{Format, RecordKey},
};

/// Names a generation: the BLAKE3 of its object's bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GenerationId(String);

/// A part of a channel that indexes take whole: the packages of one component and architecture.
///
/// Packages for every architecture (`all`, `noarch`) have a section of their own, which every index takes too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SectionId {
    /// The component, `main`; yum repositories have that one alone.
    pub component: String,
    /// The architecture of the packages.
    pub architecture: String,
}

/// A section and its chunks, in the order of their records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Which section it is.
    #[serde(flatten)]
    pub id: SectionId,
    /// Its chunks.
    pub chunks: Vec<ChunkRef>,
}

/// A chunk as a generation lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRef {
    /// The chunk.
    pub id: ChunkId,
    /// How many records it has.
    pub count: usize,
    /// The key of its first record.
    pub first: RecordKey,
}

/// What made a generation of its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// The channel was made.
    Init,
    /// Packages were added.
    Add {
        /// Their keys.
        packages: Vec<RecordKey>,
    },
    /// Packages were removed.
    Remove {
        /// Their keys.
        packages: Vec<RecordKey>,
    },
    /// Packages of another channel were added.
    Promote {
        /// Their keys.
        packages: Vec<RecordKey>,
        /// The channel that they are from.
        from: ChannelId,
    },
    /// The channel, or some names in it, hold what they held at an earlier time.
    Rollback {
        /// The generation whose packages it has.
        to: GenerationId,
        /// The names; none for the whole channel.
        packages: Vec<String>,
    },
    /// Nothing changed; the indexes were signed again.
    Refresh,
}

/// What a channel holds at one moment. Never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The channel.
    pub channel: ChannelId,
    /// What kind of packages it has.
    pub format: Format,
    /// The generation that it was made of.
    pub parent: Option<GenerationId>,
    /// How many generations stand before it.
    pub number: u64,
    /// When it was made, in seconds since 1970; later than its parent, whatever the clocks say.
    pub time: u64,
    /// What made it.
    pub operation: Operation,
    /// Who made it, as the publisher says.
    pub publisher: String,
    /// What it holds, sorted, none of them empty.
    pub sections: Vec<Section>,
}

impl GenerationId {
    /// Returns the name of the object that holds the generation.
    pub fn object(&self) -> String {
        format!("state/generations/{}.json", self.0)
    }

    /// Returns its hexadecimal digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first 12 digits, enough to tell generations apart on a screen.
    pub fn to_short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl Generation {
    /// Returns the bytes of its object, and its id.
    pub(crate) fn encode(&self) -> (GenerationId, Vec<u8>) {
        let bytes = serde_json::to_vec(self).expect("generations have string keys and finite numbers");
        (GenerationId(blake3::hash(&bytes).to_hex().to_string()), bytes)
    }

    /// Returns how many packages it holds.
    pub fn count(&self) -> usize {
        self.sections.iter().flat_map(|section| &section.chunks).map(|chunk| chunk.count).sum()
    }
}
