//! What `vb lock` keeps of the lock that was there.

use std::collections::BTreeSet;

use vb_python::normalize_name;
use vb_recipe::{DistributionLock, Lock, PlatformLock};

use crate::{exit::Exit, fatal::Fatal};

/// Which Python distributions may move though the requirements would allow what is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    Nothing,
    Everything,
    Named(BTreeSet<String>),
}

impl Upgrade {
    /// Reads the values of `--upgrade`; an empty one is that of the option alone.
    pub(super) fn new(values: Option<&[String]>) -> Self {
        match values {
            None => Self::Nothing,
            Some(values) if values.iter().any(String::is_empty) => Self::Everything,
            Some(values) => Self::Named(values.iter().map(|name| normalize_name(name)).collect()),
        }
    }

    /// Finds out whether the locks have what is named.
    pub(super) fn check<'a>(&self, locks: impl Iterator<Item = &'a Lock>) -> Result<(), Fatal> {
        let Self::Named(names) = self else { return Ok(()) };
        let platforms = locks.flat_map(|lock| lock.platforms.values());
        let known: BTreeSet<&str> = platforms.flat_map(all_files).map(|(name, _)| name).collect();
        match names.iter().find(|name| !known.contains(name.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(Fatal::message(
                Exit::Usage,
                "vb::usage::unknown_distribution",
                format!("no lock has a distribution `{unknown}`"),
                "name one that `vb lock` has locked before, or write `--upgrade` behind the recipes for all",
            )),
        }
    }

    /// Returns the names and versions of a list that are preferred to others.
    pub(super) fn preferred(&self, locked: &[DistributionLock]) -> Vec<(String, String)> {
        let keeps = |name: &str| match self {
            Self::Nothing => true,
            Self::Everything => false,
            Self::Named(names) => !names.contains(name),
        };
        let files = locked.iter().map(|lock| &lock.distribution).filter(|file| keeps(&file.name));
        files.map(|file| (file.name.clone(), file.version.clone())).collect()
    }
}

fn all_files(lock: &PlatformLock) -> impl Iterator<Item = (&str, &str)> {
    let built = lock.distributions.iter().chain(&lock.application).flat_map(DistributionLock::files);
    built.chain(&lock.tools).map(|file| (file.name.as_str(), file.version.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_alone_is_for_everything() {
        let values = |list: &[&str]| list.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        assert_eq!(Upgrade::new(None), Upgrade::Nothing);
        assert_eq!(Upgrade::new(Some(&values(&["A_b", ""]))), Upgrade::Everything);
        assert_eq!(Upgrade::new(Some(&values(&["A_b"]))), Upgrade::Named(BTreeSet::from(["a-b".to_owned()])));
    }
}
