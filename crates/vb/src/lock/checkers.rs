//! `vb lock --lint`: the checkers of packages, for the platforms of the recipes.

use std::collections::BTreeSet;

use vb_recipe::{Family, Platform, PlatformLock};

use super::{Locker, difference::difference, packages};
use crate::{checkers, display, exit::Exit, fatal::Fatal};

/// Locks the checkers of each platform that names some.
pub(super) fn run(locker: &mut Locker<'_>) -> Result<Exit, Fatal> {
    let root = &locker.session.root;
    let mut lock = checkers::read(root)?;
    let (mut seen, mut told) = (BTreeSet::new(), Vec::new());
    for (_, platform) in locker.session.pairs() {
        if platform.lint.is_empty() || !seen.insert(&platform.name) {
            continue;
        }
        display::note(&format!("lock    checkers {}", platform.name));
        let locked = locker.lock_checkers(platform)?;
        if let Some(old) = lock.platforms.insert(platform.name.clone(), locked.clone()) {
            told.push(format!("{}:", platform.name));
            let lines = difference(&old, &locked);
            told.extend(if lines.is_empty() { vec!["  nothing has moved".to_owned()] } else { lines });
        }
    }
    locker.display.finish();
    locker.display.moved(&told);
    let path = checkers::path(root);
    lock.write(&path).map_err(|error| Fatal::new(Exit::Environment, error))?;
    locker.display.made("lock", &path);
    Ok(Exit::Success)
}

impl Locker<'_> {
    fn lock_checkers(&mut self, platform: &Platform) -> Result<PlatformLock, Fatal> {
        let mut lock = PlatformLock::new(checkers::request(platform));
        if let Some(image) = &platform.image {
            let message = format!("`{}` is the image {}, to which nothing is added", platform.name, image.sha256());
            let help = format!("leave `lint` out in `recipes/platforms/{}.ncl`", platform.name);
            return Err(Fatal::message(Exit::Recipe, "vb::lint::image", message, help));
        }
        match platform.family {
            Family::Deb => packages::lock_checkers(&mut self.indexes, platform, &mut lock)?,
            Family::Rpm => self.repositories.lock_checkers(platform, &mut lock)?,
        }
        Ok(lock)
    }
}
