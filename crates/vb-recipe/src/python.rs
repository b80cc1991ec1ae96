//! Which interpreter a recipe asks for, and how it is written: a version alone, or a tag.
//!
//! Must not be here: what a platform has, and whether it has what is asked for.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        EnumAccess, MapAccess, Visitor,
        value::{EnumAccessDeserializer, MapAccessDeserializer},
    },
};

/// The interpreter that a recipe asks for. A version alone, `"3.11"`, is the same as `'System "3.11"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Python {
    /// One of the platform's own, by its version: `3.11`, or `3` for the one that the platform has as its own.
    System(String),
    /// One that the workspace builds as a package of its own, by the name of its recipe: `python313`.
    Package(String),
    /// The same, as a part of the application's package.
    Bundled(String),
}

impl Python {
    /// Returns the version of a platform's own interpreter; nothing for one that the workspace builds.
    pub fn system(&self) -> Option<&str> {
        match self {
            Self::System(version) => Some(version),
            Self::Package(_) | Self::Bundled(_) => None,
        }
    }

    /// Returns the name of the recipe that builds it; nothing for a platform's own.
    pub fn recipe(&self) -> Option<&str> {
        match self {
            Self::System(_) => None,
            Self::Package(name) | Self::Bundled(name) => Some(name),
        }
    }

    /// Is it a part of the application's package?
    pub fn is_bundled(&self) -> bool {
        matches!(self, Self::Bundled(_))
    }
}

impl fmt::Display for Python {
    /// Writes it as recipes and locks have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(version) => f.write_str(version),
            Self::Package(name) => write!(f, "'Package \"{name}\""),
            Self::Bundled(name) => write!(f, "'Bundled \"{name}\""),
        }
    }
}

impl<'de> Deserialize<'de> for Python {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PythonVisitor)
    }
}

/// A value with a tag, which serde reads by itself.
#[derive(Deserialize)]
enum Tagged {
    System(String),
    Package(String),
    Bundled(String),
}

impl From<Tagged> for Python {
    fn from(tagged: Tagged) -> Self {
        match tagged {
            Tagged::System(version) => Self::System(version),
            Tagged::Package(name) => Self::Package(name),
            Tagged::Bundled(name) => Self::Bundled(name),
        }
    }
}

/// Reads what Nickel gives, and what is remembered of it as JSON.
struct PythonVisitor;

impl<'de> Visitor<'de> for PythonVisitor {
    type Value = Python;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Python version, or an interpreter with a tag")
    }

    fn visit_str<E: serde::de::Error>(self, version: &str) -> Result<Python, E> {
        Ok(Python::System(version.to_owned()))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Python, A::Error> {
        Tagged::deserialize(EnumAccessDeserializer::new(access)).map(Python::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Python, A::Error> {
        Tagged::deserialize(MapAccessDeserializer::new(map)).map(Python::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_reads_back_and_a_version_alone_is_the_platforms() {
        let system = Python::System("3.11".to_owned());
        let text = serde_json::to_string(&system).unwrap();
        assert_eq!(text, r#"{"System":"3.11"}"#);
        assert_eq!(serde_json::from_str::<Python>(&text).unwrap(), system);
        assert_eq!(serde_json::from_str::<Python>("\"3.11\"").unwrap(), system);
        for package in [Python::Package("python313".to_owned()), Python::Bundled("python313".to_owned())] {
            let text = serde_json::to_string(&package).unwrap();
            assert_eq!(serde_json::from_str::<Python>(&text).unwrap(), package);
        }
        assert!(serde_json::from_str::<Python>(r#"{"Systen":"3.11"}"#).is_err());
        assert!(serde_json::from_str::<Python>("3.11").is_err());
    }
}
