//! An application with private requirements beside public ones, and the two indexes that they are in.
//!
//! In the public index and in the mirror's directory are files of the private names, with higher versions: nothing may
//! choose them.

use std::{path::PathBuf, process::Command, time::SystemTime};

use fs_err as fs;
use vb_recipe::{DistributionLock, Lock};

use super::{
    distribution::{write_wheel, write_wheel_requiring},
    env::TestEnv,
    index_server::IndexServer,
    mirror::Mirror,
    run::Run,
};

/// Its roots are those of `whois`.
const TEXT: &str = r#"let vb = import "vb.ncl" in
{
  name = "desk",
  source = 'Path "apps/desk",
  version = 'Fixed "1.0",
  python = "3.11",
  build_deps = ["libpq-dev"],
  run_deps = ["adduser", "libpq5", "runit"],
  platforms = ["bookworm"],
} | vb.Recipe
"#;

/// The user of the private index.
pub(crate) const USER: &str = "bob";
/// The user's password; in an address it looks otherwise.
pub(crate) const PASSWORD: &str = "s3cr/t@Xyzzy-42";

/// An application that needs `acme-tool`, which needs `acme-base` and `one`.
pub(crate) struct Desk {
    pub(crate) env: TestEnv,
    private: PathBuf,
    pub(crate) public: IndexServer,
    pub(crate) begun: SystemTime,
    _mirror: Mirror,
}

impl Desk {
    /// The recipe's path in the workspace.
    pub(crate) const RECIPE: &str = "recipes/desk.ncl";
    /// The lock's.
    pub(crate) const LOCK: &str = "recipes/desk.lock";

    /// `index` is what the workspace says of the index `company` beside its name and names.
    pub(crate) fn new(index: &str) -> Self {
        let (env, mirror) = (TestEnv::new(), Mirror::of_whois());
        mirror.use_in(&env);
        let [private, public] = ["private", "public"].map(|name| env.directory().join(name));
        [&private, &public].into_iter().for_each(|directory| fs::create_dir(directory).unwrap());
        // No other run has files of these bytes, so that each has to be fetched.
        let nonce = format!("NONCE = '{}'\n", env.directory().display());
        write_wheel_requiring(&private, ("acme_tool", "1.0"), &["acme-base", "one"], &[("acme_tool.py", &nonce)]);
        write_wheel(&private, "acme_base", "1.0", &[("acme_base.py", &nonce)]);
        write_wheel(&private, "one", "9.0", &[("one.py", "")]);
        write_wheel(&public, "one", "1.0", &[("one.py", &nonce)]);
        write_wheel(&public, "acme_tool", "99.0", &[("acme_tool.py", "")]);
        write_wheel(&mirror.links(), "acme_base", "99.0", &[("acme_base.py", "")]);
        let public = IndexServer::start(&public, None);
        let bound = format!("indexes = [{{ name = \"company\", packages = [\"acme-*\"]{index} }}]");
        let open = format!("python_indexes = [\"{}\"],\n  {bound},", public.url());
        env.edit("recipes/workspace.ncl", "python_indexes = [],", &open);
        env.write(Self::RECIPE, TEXT);
        env.write("recipes/apps/desk/requirements.txt", "acme-tool\n");
        env.write("recipes/apps/desk/desk.py", "import acme_base\nimport acme_tool\nimport one\n");
        fs::create_dir(env.directory().join("tmp")).unwrap();
        Self { env, private, public, begun: SystemTime::now(), _mirror: mirror }
    }

    /// Starts the private index, behind its password.
    pub(crate) fn serve(&self) -> IndexServer {
        IndexServer::start(&self.private, Some(&format!("{USER}:{PASSWORD}")))
    }

    /// Prepares a run in which the private index is at `url`.
    pub(crate) fn command(&self, arguments: &[&str], url: &str) -> Command {
        let mut command = self.env.command(arguments);
        command.env("VB_INDEX_COMPANY_URL", url).env("TMPDIR", self.env.directory().join("tmp"));
        command
    }

    /// Runs with the login in the environment.
    #[must_use]
    pub(crate) fn run(&self, arguments: &[&str], url: &str) -> Run {
        self.run_with(arguments, url, PASSWORD)
    }

    /// Runs with the user and a password in the environment.
    #[must_use]
    pub(crate) fn run_with(&self, arguments: &[&str], url: &str, password: &str) -> Run {
        let mut command = self.command(arguments, url);
        Run::of(command.env("VB_INDEX_COMPANY_USERNAME", USER).env("VB_INDEX_COMPANY_PASSWORD", password))
    }

    /// Returns `name version index` of what is locked.
    pub(crate) fn locked(&self) -> Vec<String> {
        let lock = Lock::read(&self.env.workspace().join(Self::LOCK)).unwrap();
        let line = |locked: &DistributionLock| {
            let file = &locked.distribution;
            format!("{} {} {}", file.name, file.version, locked.index.as_deref().unwrap_or("-"))
        };
        lock.platforms["bookworm"].distributions.iter().map(line).collect()
    }
}
