//! A recipe whose package takes seconds to build: one small root, three wheels, and an sdist that a test chooses.

use std::{collections::BTreeSet, path::Path};

use vb_graph::{LockedDistribution, LockedFile};
use vb_recipe::{DistributionLock, Lock, RootKind};

use super::{
    distribution::{sha256, write_sdist},
    env::TestEnv,
    mirror::Mirror,
};

/// The `setup.py` of an sdist that is as it should be.
pub(crate) const GOOD_SETUP: &str =
    "from setuptools import setup\nsetup(name='extra', version='1.0', py_modules=['extra'])\n";

/// The recipe's path in its workspace.
pub(crate) const SMALL: &str = "recipes/small.ncl";

const RECIPE: &str = r#"let vb = import "vb.ncl" in
{
  name = "small",
  source = 'Path "apps/small",
  version = 'Fixed "1.0",
  python = "3.11",
} | vb.Recipe
"#;

const WHEELS: [&str; 3] = ["attrs", "idna", "packaging"];

/// Adds the recipe with its application and lock to a workspace that fetches from a mirror.
pub(crate) fn add_small_recipe(env: &TestEnv, mirror: &Mirror, setup: &str) {
    mirror.use_in(env);
    env.write(SMALL, RECIPE);
    env.write("recipes/apps/small/requirements.txt", "attrs\nextra\nidna\npackaging\n");
    env.write("recipes/apps/small/small.py", "import attr\nimport extra\nimport idna\nimport packaging\n");
    let sdist = write_sdist(&mirror.links(), "extra", "1.0", &[("setup.py", setup), ("extra.py", "SEED = None\n")]);
    let lock = env.workspace().join("recipes/small.lock");
    small_lock(env, &sdist).write(&lock).unwrap();
}

/// Cuts the lock of `whois` down: every root is that of the interpreter.
fn small_lock(env: &TestEnv, sdist: &Path) -> Lock {
    let mut lock = Lock::read(&env.workspace().join("recipes/whois.lock")).unwrap();
    let platform = lock.platforms.get_mut("bookworm").unwrap();
    let requirements = env.workspace().join("recipes/apps/small/requirements.txt");
    platform.request.build_deps.clear();
    platform.request.run_deps.clear();
    platform.request.test_deps.clear();
    platform.request.requirements =
        [("requirements.txt".to_owned(), sha256(&requirements).parse().unwrap())].into_iter().collect();
    platform.packages.retain(|package| package.roots.contains(&RootKind::Interpreter));
    let all = BTreeSet::from([RootKind::Interpreter, RootKind::Build, RootKind::Run]);
    platform.packages.iter_mut().for_each(|package| package.roots.clone_from(&all));
    let build = platform.distributions.iter().flat_map(|locked| locked.build.clone()).collect();
    platform.distributions.retain(|locked| WHEELS.contains(&locked.distribution.name.as_str()));
    platform.distributions.push(DistributionLock { build, ..DistributionLock::new(extra(sdist)) });
    platform.distributions.sort();
    lock
}

fn extra(sdist: &Path) -> LockedDistribution {
    let file = sdist.file_name().unwrap().to_str().unwrap().to_owned();
    LockedDistribution {
        name: "extra".to_owned(),
        version: "1.0".to_owned(),
        file: LockedFile { file, size: None, sha256: sha256(sdist).parse().unwrap() },
    }
}
