//! Distribution packages: from the signed index to the exact list of each root.

use std::{collections::BTreeMap, error::Error, rc::Rc, time::SystemTime};

use vb_build::Builder;
use vb_graph::{BlobDigest, LockedPackage};
use vb_platform::{
    Index, IndexError, IndexMemory, MissingFile, Pin, PinError, ResolveError, Resolver, Suite, ValidUntil, find_source,
    is_older, load, packages_with,
};
use vb_recipe::{Evaluated, Family, Lock, LockRequest, Platform, PlatformLock, Recipe, RootKind, Workspace};
use vb_store::Store;

use crate::{exit::Exit, fatal::Fatal, machine::Machine};

/// What to do about an index that is older than a known one.
pub(super) const OLDER: &str = "the mirror lags behind, or somebody shows an old state: try another; where going back is meant, say `--allow-older`";

/// What to do about an index that is not the signed one.
pub(super) const MIXED: &str = "the archive is just being published, or its mirror mixes two states: try again later";

/// The latest dates that locks were made from, by platform and suite or repository.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownDates(BTreeMap<(String, String), String>);

impl KnownDates {
    /// Takes note of what a lock was made from: the archive may not go back behind it.
    pub(super) fn know(&mut self, lock: &Lock) {
        for (platform, locked) in &lock.platforms {
            for (suite, date) in &locked.archive {
                let known = self.0.entry((platform.clone(), suite.clone())).or_insert_with(|| date.clone());
                if is_older(known, date) {
                    known.clone_from(date);
                }
            }
        }
    }

    pub(super) fn get(&self, platform: &Platform, suite: &str) -> Option<String> {
        self.0.get(&(platform.name.clone(), suite.to_owned())).cloned()
    }
}

/// The package indexes of one run, each platform's loaded once.
pub(crate) struct Indexes<'a> {
    machine: &'a Machine,
    workspace: &'a Workspace,
    builder: &'a Builder,
    known: KnownDates,
    loaded: BTreeMap<String, Rc<Index>>,
}

impl<'a> Indexes<'a> {
    pub(crate) fn new(machine: &'a Machine, workspace: &'a Workspace, builder: &'a Builder) -> Self {
        Self { machine, workspace, builder, known: KnownDates::default(), loaded: BTreeMap::new() }
    }

    /// Refuses states of archives that are older than these.
    pub(super) fn know(&mut self, known: KnownDates) {
        self.known = known;
    }

    /// Loads the index of a platform's archive, with all checks.
    pub(crate) fn of(&mut self, platform: &Platform) -> Result<Rc<Index>, Fatal> {
        if let Some(index) = self.loaded.get(&platform.name) {
            return Ok(Rc::clone(index));
        }
        let suites = self.suites(platform);
        let store = self.builder.store();
        let (recall, remember) =
            (|name: &str| recall(store, name), |name: &str, text: &str| remember(store, name, text));
        let memory = IndexMemory { recall: &recall, remember: &remember };
        let index = load(self.builder.fetcher(), &suites, &platform.architecture, SystemTime::now(), memory)
            .map_err(|error| index_error(platform, error))?;
        let index = Rc::new(index);
        self.loaded.insert(platform.name.clone(), Rc::clone(&index));
        Ok(index)
    }

    /// Finds the packages of a platform's archive that have a file.
    pub(crate) fn packages_with(&self, platform: &Platform, file: &MissingFile) -> Result<Vec<String>, IndexError> {
        let store = self.builder.store();
        let (recall, remember) =
            (|name: &str| recall(store, name), |name: &str, text: &str| remember(store, name, text));
        let memory = IndexMemory { recall: &recall, remember: &remember };
        packages_with(self.builder.fetcher(), &self.suites(platform), &platform.architecture, memory, file)
    }

    fn suites(&self, platform: &Platform) -> Vec<Suite> {
        let suite = |suite: &vb_recipe::PlatformSuite| Suite {
            name: suite.name.clone(),
            components: suite.components.clone(),
            locations: self.machine.archive(self.workspace, platform, &suite.name).locations,
            valid_until: if platform.check_valid_until { ValidUntil::Checked } else { ValidUntil::Ignored },
            known_date: self.known.get(platform, &suite.name),
        };
        platform.suites.iter().map(suite).collect()
    }
}

/// Recalls the packages of an index from the store.
fn recall(store: &Store, name: &str) -> Option<String> {
    let blob: BlobDigest = store.recall(name)?;
    String::from_utf8(store.read_blob(&blob).ok()?).ok()
}

/// An index that cannot be remembered is read again the next time.
fn remember(store: &Store, name: &str, text: &str) {
    if let Ok(blob) = store.put_bytes(text.as_bytes()) {
        drop(store.remember(name, &blob));
    }
}

/// Fills in the packages of the roots.
pub(super) fn lock_roots(
    indexes: &mut Indexes<'_>,
    recipe: &Evaluated<Recipe>,
    platform: &Platform,
    lock: &mut PlatformLock,
) -> Result<(), Fatal> {
    let index = indexes.of(platform)?;
    lock.archive = index.suites().iter().map(|suite| (suite.name.clone(), suite.date.clone())).collect();
    let resolver = resolver(&index, platform)?;
    for (kind, names, field) in requests(&lock.request) {
        let packages = resolver.resolve(&names).map_err(|error| resolve_error(recipe, platform, field, error))?;
        packages.into_iter().for_each(|package| lock.add_to_root(kind, package));
    }
    Ok(())
}

/// Fills in the packages of the root that has a platform's checkers.
pub(super) fn lock_checkers(
    indexes: &mut Indexes<'_>,
    platform: &Platform,
    lock: &mut PlatformLock,
) -> Result<(), Fatal> {
    let index = indexes.of(platform)?;
    lock.archive = index.suites().iter().map(|suite| (suite.name.clone(), suite.date.clone())).collect();
    let (kind, names) = checkers(&lock.request);
    let packages = resolver(&index, platform)?.resolve(&names).map_err(|error| checkers_error(platform, error))?;
    packages.into_iter().for_each(|package| lock.add_to_root(kind, package));
    Ok(())
}

/// Finds the source of an interpreter, in a suite that need not be one of the platform's.
pub(super) fn source(
    indexes: &Indexes<'_>,
    recipe: &Evaluated<Recipe>,
    platform: &Platform,
    (package, suite): (&str, &str),
) -> Result<LockedPackage, Fatal> {
    if platform.family != Family::Deb || platform.image.is_some() {
        let message = format!("`{}` has no archive with sources as Debian's are", platform.name);
        let help = "build the interpreter for platforms of the Debian family";
        return Err(Fatal::message(Exit::Recipe, "vb::lock::source", message, help));
    }
    let wanted = Suite {
        name: suite.to_owned(),
        components: vec!["main".to_owned()],
        locations: indexes.machine.archive(indexes.workspace, platform, suite).locations,
        valid_until: if platform.check_valid_until { ValidUntil::Checked } else { ValidUntil::Ignored },
        known_date: None,
    };
    let found = find_source(indexes.builder.fetcher(), &wanted, package, SystemTime::now())
        .map_err(|error| index_error(platform, error))?;
    found.ok_or_else(|| {
        let place = recipe.place(&recipe.value.field_for(&platform.name, "source"));
        let message = format!("the suite `{suite}` has no source package `{package}`, which {place} asks for");
        Fatal::message(Exit::Recipe, "vb::lock::source", message, "change `source` in the recipe")
    })
}

/// Prepares a platform's index with its pins.
pub(crate) fn resolver<'a>(index: &'a Index, platform: &Platform) -> Result<Resolver<'a>, Fatal> {
    Resolver::new(index, &pins(platform)).map_err(|error| pin_error(platform, error))
}

fn pins(platform: &Platform) -> Vec<Pin> {
    let pin =
        |pin: &vb_recipe::Pin| Pin { packages: pin.packages.clone(), suite: pin.suite.clone(), priority: pin.priority };
    platform.pins.iter().map(pin).collect()
}

fn pin_error(platform: &Platform, error: PinError) -> Fatal {
    Fatal::caused(
        Exit::Recipe,
        "vb::lock::pins",
        format!("cannot use the pins of `{}`", platform.name),
        "change `pins` in the platform's file",
        error,
    )
}

/// Returns what is asked for each root, and the field of the recipe that asks last.
pub(super) fn requests(request: &LockRequest) -> Vec<(RootKind, Vec<String>, &'static str)> {
    let all = |lists: &[&Vec<String>]| lists.iter().copied().flatten().cloned().collect();
    let mut requests = vec![
        (RootKind::Interpreter, all(&[&request.base]), "python"),
        (RootKind::Build, all(&[&request.base, &request.toolchain, &request.build_deps]), "build_deps"),
        (RootKind::Run, all(&[&request.base, &request.run_deps]), "run_deps"),
    ];
    if !request.test_deps.is_empty() {
        let names = all(&[&request.base, &request.run_deps, &request.test_deps]);
        requests.push((RootKind::Test, names, "test_deps"));
    }
    requests
}

/// Returns the root that has a platform's checkers, and what is asked for it.
pub(super) fn checkers(request: &LockRequest) -> (RootKind, Vec<String>) {
    (RootKind::Run, request.base.clone())
}

fn index_error(platform: &Platform, error: IndexError) -> Fatal {
    let help = match error {
        IndexError::Older { .. } => OLDER,
        IndexError::Mismatch { .. } => MIXED,
        _ => {
            "check the machine's apt sources and keyrings, or `archives` and `keyring` in the workspace and the platform"
        }
    };
    let message = format!("cannot load the package index of `{}`", platform.name);
    Fatal::caused(Exit::Environment, "vb::lock::index", message, help, error)
}

/// Says that the checkers of a platform cannot be resolved.
pub(super) fn checkers_error(platform: &Platform, error: impl Error + Send + Sync + 'static) -> Fatal {
    let (name, help) = (&platform.name, "change `lint` in the platform's file");
    let message = format!("cannot resolve the checkers of `{name}`");
    Fatal::caused(Exit::Recipe, "vb::lock::packages", message, help, error)
}

fn resolve_error(recipe: &Evaluated<Recipe>, platform: &Platform, field: &str, error: ResolveError) -> Fatal {
    Fatal::caused(
        Exit::Recipe,
        "vb::lock::packages",
        format!(
            "cannot resolve the packages of `{}` for `{}`",
            recipe.place(&recipe.value.field_for(&platform.name, field)),
            platform.name
        ),
        format!("change `{field}` in the recipe"),
        error,
    )
}
