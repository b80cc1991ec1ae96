//! Absolute paths outside and inside of a sandbox, as two types that cannot be mixed up.
//!
//! Both are valid UTF-8 without NUL: a spec travels to the helper as JSON and ends as C strings.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An absolute path on the host, as the caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub struct HostPath(PathBuf);

impl HostPath {
    /// Takes an absolute path of the host.
    ///
    /// # Errors
    /// When the path is relative, is not UTF-8 or holds a NUL byte.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, PathError> {
        check(path.into()).map(Self)
    }

    /// The path itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// An absolute path as the command in the sandbox sees it; it never climbs with `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub struct GuestPath(PathBuf);

impl GuestPath {
    /// Takes an absolute path of the sandbox.
    ///
    /// # Errors
    /// When the path is relative, climbs with `..`, is not UTF-8 or holds a NUL byte.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, PathError> {
        let path = check(path.into())?;
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(PathError::Climbs { path });
        }
        Ok(Self(path))
    }

    /// The path itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// Why a path cannot be a [`HostPath`] or a [`GuestPath`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// The path does not start with `/`.
    #[error("`{}` is not an absolute path", path.display())]
    Relative {
        /// The path as given.
        path: PathBuf,
    },
    /// The path holds a `..` component.
    #[error("`{}` climbs with `..`", path.display())]
    Climbs {
        /// The path as given.
        path: PathBuf,
    },
    /// The path is not valid UTF-8.
    #[error("`{}` is not UTF-8", path.display())]
    NotUtf8 {
        /// The path as given.
        path: PathBuf,
    },
    /// The path holds a NUL byte.
    #[error("`{}` holds a NUL byte", path.display())]
    HoldsNul {
        /// The path as given.
        path: PathBuf,
    },
}

fn check(path: PathBuf) -> Result<PathBuf, PathError> {
    let Some(text) = path.to_str() else {
        return Err(PathError::NotUtf8 { path });
    };
    if text.contains('\0') {
        return Err(PathError::HoldsNul { path });
    }
    if !path.is_absolute() {
        return Err(PathError::Relative { path });
    }
    Ok(path)
}

macro_rules! path_conversions {
    ($name:ident) => {
        impl TryFrom<PathBuf> for $name {
            type Error = PathError;

            fn try_from(path: PathBuf) -> Result<Self, PathError> {
                Self::new(path)
            }
        }

        impl From<$name> for PathBuf {
            fn from(path: $name) -> PathBuf {
                path.0
            }
        }

        impl AsRef<Path> for $name {
            fn as_ref(&self) -> &Path {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.display().fmt(f)
            }
        }
    };
}

path_conversions!(HostPath);
path_conversions!(GuestPath);

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_relative_path_is_refused() {
        let path = PathBuf::from("usr/bin");
        assert_eq!(HostPath::new(path.clone()), Err(PathError::Relative { path: path.clone() }));
        assert_eq!(GuestPath::new(path.clone()), Err(PathError::Relative { path }));
    }

    #[test]
    fn only_a_host_path_may_climb() {
        assert!(HostPath::new("/a/../b").is_ok());
        assert!(matches!(GuestPath::new("/a/../b"), Err(PathError::Climbs { .. })));
    }

    #[test]
    fn bytes_that_cannot_travel_are_refused() {
        assert!(matches!(HostPath::new("/a\0b"), Err(PathError::HoldsNul { .. })));
        let path = Path::new(OsStr::from_bytes(b"/\xff"));
        assert!(matches!(HostPath::new(path), Err(PathError::NotUtf8 { .. })));
    }

    #[test]
    fn a_deserialized_path_is_checked_too() {
        assert!(serde_json::from_str::<GuestPath>("\"/build\"").is_ok());
        assert!(serde_json::from_str::<GuestPath>("\"build\"").is_err());
        assert!(serde_json::from_str::<GuestPath>("\"/build/..\"").is_err());
    }
}
