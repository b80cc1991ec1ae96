//! Applications of the package index as packages: how long builds of them take, and whether what is installed starts.

use std::{
    io::{Read, Seek},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

use fs_err as fs;
use vb_recipe::Lock;
use vb_sandbox::{
    Access, Bind, Filter, GuestPath, Helper, HostPath, Identity, Network, Root, Spec, Status, Stdio, Upper,
};

use crate::{
    Common,
    error::BenchError,
    machine,
    report::{executed, shown},
    run::{Program, Run, failed, output_of},
    workspace::Copy,
};

/// How long an installed application may take to say its version.
const TIMEOUT: Duration = Duration::from_secs(300);

/// An application, by its recipe in `tests/corpus`.
struct Application {
    name: &'static str,
    /// What is run below its prefix once it is installed.
    starts: &'static str,
    /// A pure distribution that gets another version.
    moved: &'static str,
}

const APPLICATIONS: [Application; 12] = [
    Application { name: "ansible", starts: "bin/ansible --version", moved: "packaging" },
    Application { name: "awscli", starts: "bin/aws --version", moved: "pyasn1" },
    Application { name: "black", starts: "bin/black --version", moved: "pathspec" },
    Application { name: "datasette", starts: "bin/datasette --version", moved: "pluggy" },
    Application { name: "fastapi", starts: "bin/python -m serve_once", moved: "idna" },
    Application { name: "glances", starts: "bin/glances --version", moved: "packaging" },
    Application { name: "httpie", starts: "bin/http --version", moved: "idna" },
    Application { name: "jupyterlab", starts: "bin/jupyter lab --version", moved: "idna" },
    Application { name: "scrapy", starts: "bin/scrapy version", moved: "idna" },
    Application { name: "sphinx", starts: "bin/sphinx-build --version", moved: "idna" },
    Application { name: "sshtool", starts: "bin/python -m sshtool", moved: "pycparser" },
    Application { name: "supervisor", starts: "bin/supervisord --version", moved: "setuptools" },
];

/// Which applications are built.
#[derive(Debug, clap::Args)]
pub(crate) struct Corpus {
    /// Applications of `tests/corpus`; all where none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

impl Corpus {
    /// Measures one application after the other, and goes on after one that fails.
    pub(crate) fn measure(&self, common: &Common) -> Result<String, BenchError> {
        let program = Program::beside_this_one(&common.platform)?;
        let mut text = format!(
            "{}\n| application on {} | distributions | cold | no change | one dependency moved | actions then | package | \
             installed, it says |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
            machine::describe(&program)?,
            common.platform
        );
        let is_wanted = |one: &&Application| self.names.is_empty() || self.names.iter().any(|name| name == one.name);
        for application in APPLICATIONS.iter().filter(is_wanted) {
            match application.measure(common, &program) {
                Ok(row) => text.push_str(&row),
                Err(error) => text.push_str(&format!("| {} | failed: {error} |\n", application.name)),
            }
        }
        Ok(text)
    }
}

impl Application {
    fn measure(&self, common: &Common, program: &Program) -> Result<String, BenchError> {
        let workspace = Copy::of_corpus(self.name)?;
        workspace.compress_quickly(&common.platform)?;
        // Everything is fetched by the first build, which is not measured.
        let given = std::env::current_dir()?.join(&common.store);
        program.build(&workspace, &given)?;
        let store = workspace.store_with_links_of(&given)?;
        let cold = program.build(&workspace, &store)?;
        let package = package_of(&workspace, &common.platform)?;
        let says = self.start(program, &workspace, &store, &package)?;
        let size = fs::metadata(&package)?.len();
        let unchanged = program.build(&workspace, &store)?;

        let lock = workspace.root().join(workspace.recipe()).with_extension("lock");
        let missing = || BenchError::Missing { name: self.moved.to_owned() };
        let mut locked = Lock::read(&lock).map_err(BenchError::from_library)?;
        let distributions = locked.platforms.remove(&common.platform).ok_or_else(missing)?.distributions;
        let mut names = distributions.iter().map(|one| &one.distribution);
        let version = names.find(|one| one.name == self.moved).ok_or_else(missing)?.version.clone();
        self.move_dependency(program, &workspace, &store, &version)?;
        let moved = program.build(&workspace, &store)?;
        let actions = executed(&moved.events).len();
        let [cold, unchanged, moved] = [cold, unchanged, moved].map(|run: Run| shown(run.wall));
        let (name, count) = (self.name, distributions.len());
        Ok(format!(
            "| {name} | {count} | {cold} | {unchanged} | {moved} | {actions} | {:.1} MB | `{says}` |\n",
            size as f64 / 1e6
        ))
    }

    /// Asks for an older version than the locked one, and locks that.
    fn move_dependency(
        &self,
        program: &Program,
        workspace: &Copy,
        store: &Path,
        version: &str,
    ) -> Result<(), BenchError> {
        let requirements = workspace.root().join(format!("recipes/apps/{}/requirements.txt", self.name));
        let text = fs::read_to_string(&requirements)?;
        fs::write(&requirements, format!("{text}{}<{version}\n", self.moved))?;
        output_of(&mut program.lock(workspace, store)).map(drop)
    }

    /// Installs the package in the root that has what it depends on, and returns the first line that it prints.
    fn start(&self, program: &Program, workspace: &Copy, store: &Path, package: &Path) -> Result<String, BenchError> {
        // An application without `run_deps` has one root for both.
        let root = |name| output_of(&mut program.output(workspace, store, name)).map(PathBuf::from);
        let root = root("root run").or_else(|_| root("root interpreter"))?;
        let script = format!("dpkg --install /package.deb >/dev/null && cd /vrmd/{} && {}", self.name, self.starts);
        let helper = Helper { program: program.path().to_owned(), args: vec!["__sandbox".to_owned()] };
        let path = |text: &str| GuestPath::new(text).expect("the path is absolute");
        let host = |path: &Path| HostPath::new(path).expect("the path is absolute");
        let variables =
            [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/tmp"), ("LC_ALL", "C.UTF-8"), ("TERM", "dumb")];
        let spec = Spec {
            root: Root::Layers { lowers: vec![host(&root)], upper: Upper::Discard },
            binds: vec![Bind { source: host(package), target: path("/package.deb"), access: Access::ReadOnly }],
            tmpfs: vec![],
            argv: ["/bin/sh", "-c", &script].map(str::to_owned).into(),
            env: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            cwd: path("/"),
            identity: Identity::Root,
            network: Network::Isolated,
            filter: Filter::PretendOwnership,
            timeout: Some(TIMEOUT),
        };
        let mut log = tempfile::tempfile()?;
        let outcome = vb_sandbox::run(&helper, &spec, Stdio::Log(log.try_clone()?), &AtomicBool::new(false));
        let status = outcome.map_err(BenchError::from_library)?.status;
        let mut output = Vec::new();
        log.rewind()?;
        log.read_to_end(&mut output)?;
        if status != Status::Exited(0) {
            return Err(failed(std::process::Command::new("sh").arg("-c").arg(script), &output));
        }
        Ok(String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_owned())
    }
}

fn package_of(workspace: &Copy, platform: &str) -> Result<PathBuf, BenchError> {
    let directory = workspace.root().join("dist").join(platform);
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    let packages = fs::read_dir(&directory)?.filter_map(|entry| Some(entry.ok()?.path()));
    packages.into_iter().find(is_package).ok_or(BenchError::Missing { name: directory.display().to_string() })
}
