//! Names in `no_binary` and `only_binary` that are without effect.

use std::collections::BTreeSet;

use vb_python::normalize_name;
use vb_recipe::{DistributionLock, Evaluated, Platform, PlatformLock, Recipe, did_you_mean};

use crate::display;

/// Warns of each name that is no locked distribution, build requirements included.
pub(super) fn warn_of_unknown(recipe: &Evaluated<Recipe>, platform: &Platform, lock: &PlatformLock) {
    let mut known = BTreeSet::new();
    add_names(&lock.distributions, &mut known);
    add_names(&lock.application, &mut known);
    for (field, names) in [("no_binary", &lock.request.no_binary), ("only_binary", &lock.request.only_binary)] {
        let is_unknown = |name: &&String| *name != ":all:" && !known.contains(normalize_name(name).as_str());
        for name in names.iter().filter(is_unknown) {
            let place = recipe.place(&recipe.value.field_for(&platform.name, field));
            let meant = did_you_mean(&normalize_name(name), known.iter().copied());
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            display::warn(&format!(
                "{place}: `{field}` names `{name}`, which is not locked for `{}`{meant}",
                platform.name
            ));
        }
    }
}

fn add_names<'a>(distributions: &'a [DistributionLock], names: &mut BTreeSet<&'a str>) {
    for locked in distributions {
        names.insert(&locked.distribution.name);
        add_names(&locked.build, names);
    }
}
