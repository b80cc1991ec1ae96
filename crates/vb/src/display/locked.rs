//! From where and when a locked distribution package is: what to tell when its archive no longer has it.

use std::path::PathBuf;

use vb_graph::Sha256;
use vb_recipe::{Lock, PlatformLock, lock_path};

use crate::session::Session;

/// A distribution package of a lock.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LockedFrom {
    recipe: PathBuf,
    platform: String,
    package: String,
    /// The suites of the archive that the lock was made from, with their dates.
    archive: Vec<(String, String)>,
}

impl LockedFrom {
    /// Finds a package in the locks of a session, by the SHA-256 of its file.
    pub(crate) fn find(session: &Session, sha256: &Sha256) -> Option<Self> {
        session.recipes.iter().find_map(|recipe| {
            let lock = Lock::read(&lock_path(recipe.path())).ok()?;
            let mut platforms = lock.platforms.iter();
            platforms.find_map(|(name, platform)| {
                let package = package(platform, sha256)?;
                let archive = platform.archive.iter().map(|(suite, date)| (suite.clone(), date.clone()));
                let recipe = super::relative(recipe.path());
                Some(Self { recipe, platform: name.clone(), package, archive: archive.collect() })
            })
        })
    }

    pub(crate) fn to_lines(&self) -> Vec<String> {
        let lock = lock_path(&self.recipe);
        let mut lines =
            vec![format!("  locked        {} for `{}`, in `{}`", self.package, self.platform, lock.display())];
        for (suite, date) in &self.archive {
            lines.push(format!("  locked from   `{suite}` of {date}"));
        }
        lines
    }

    pub(crate) fn help(&self) -> String {
        format!(
            "its archive has another version by now: run `vb lock --refresh --platform {} {}`, or let `archives` in the workspace name a dated snapshot",
            self.platform,
            self.recipe.display()
        )
    }
}

fn package(platform: &PlatformLock, sha256: &Sha256) -> Option<String> {
    let found = platform.packages.iter().map(|locked| &locked.package).find(|package| package.sha256 == *sha256)?;
    Some(format!("`{} {}`", found.name, found.version))
}
