//! An archive with the layout of Red Hat Enterprise Linux 9: two signed repositories, whose packages make a root that
//! really runs.
//!
//! No archive of that family can be counted on to be reachable, so the packages are made here, of files that vb has put
//! into Debian's roots: one for each Debian package, with what it depends on, and a few that have el9's names for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use fs_err as fs;
use tempfile::TempDir;
use vb_sandbox::{Access, Filter, Identity};
use vb_testkit::{
    archive::{Key, KeyOptions},
    rpm::RpmPackage,
};

use super::{
    env::TestEnv,
    mirror::build_whois_once,
    root::{bind, run_spec, test_root},
};

/// The names of el9, and the packages that have what they promise.
const NAMES: &[(&str, &[&str])] = &[
    ("system-release", &[]),
    ("filesystem", &["base-files", "base-passwd", "dash", "debianutils"]),
    ("coreutils-single", &["coreutils", "diffutils", "findutils", "grep", "gzip", "hostname", "mawk", "sed", "tar"]),
    ("glibc-minimal-langpack", &["libc6", "libc-bin"]),
    ("gcc-c++", &["gcc"]),
    ("glibc-devel", &["libc6-dev"]),
    ("pkgconf-pkg-config", &["pkgconf"]),
    ("python3.11-devel", &["python3.11-dev"]),
    ("libpq", &["libpq5"]),
    ("shadow-utils", &["passwd"]),
    ("libpq-devel", &["libpq-dev"]),
];

/// What is large and compiles nothing that is tested: sanitizers, and optimisation at link time.
const LARGE: [&str; 6] = ["/lto1", "lto-dump", "libasan", "libtsan", "libubsan", "/ld.gold"];

/// Packages whose libraries other packages name by soname.
const LIBRARIES: [&str; 2] = ["libc6", "libpq5"];

/// What `%post` of the interpreter leaves in a root, so that a test sees that it ran there.
pub(crate) const TRACE: &str = "etc/scriptlets-that-ran";

/// The repositories, by what el9's platform file calls them, with their paths.
const REPOSITORIES: [(&str, &str); 2] = [("baseos", "BaseOS/x86_64/os"), ("appstream", "AppStream/x86_64/os")];

/// An archive of el9 in a directory, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct El9 {
    directory: TempDir,
}

impl El9 {
    /// Makes the archive.
    pub(crate) fn new() -> Self {
        build_whois_once();
        let env = TestEnv::new();
        let output = |action: &str| {
            let run = env.vb(&["output", "recipes/whois.ncl", action]).ok();
            DebianTree::read(Path::new(run.stdout.trim()))
        };
        let roots = ["build", "run", "test"].map(|root| output(&format!("whois bookworm root {root}")));
        let trees: Vec<DebianTree> = roots.into_iter().chain([test_root_tree("rpm")]).collect();
        let archive = Self { directory: tempfile::Builder::new().prefix("vb-el9-").tempdir().unwrap() };
        archive.write_packages(&trees);
        archive.write_triggers();
        let key = Key::generate(KeyOptions::default());
        fs::write(archive.keyring(), key.to_armor()).unwrap();
        for (_, path) in REPOSITORIES {
            archive.index(&archive.base().join(path), &key);
        }
        archive
    }

    /// Returns the base of the archive.
    pub(crate) fn base(&self) -> PathBuf {
        self.directory.path().join("archive")
    }

    /// Returns the file with the key that signs it.
    pub(crate) fn keyring(&self) -> PathBuf {
        self.directory.path().join("key.asc")
    }

    /// Makes a workspace take el9 from here.
    pub(crate) fn use_in(&self, env: &TestEnv) {
        let archives = format!("  archives = {{ el9 = [\"file://{}\"] }},\n}} | vb.Workspace", self.base().display());
        env.edit("recipes/workspace.ncl", "} | vb.Workspace", &archives);
        let platform = "recipes/platforms/el9.ncl";
        let text = env.read(platform);
        let line = text.lines().find(|line| line.starts_with("  keyring = ")).expect("the platform has a keyring");
        env.edit(platform, line, &format!("  keyring = \"{}\",", self.keyring().display()));
    }

    fn write_packages(&self, trees: &[DebianTree]) {
        let mut wanted: Vec<String> = NAMES.iter().flat_map(|(_, needed)| *needed).map(ToString::to_string).collect();
        wanted.extend(["bash", "rpm", "gcc", "make", "python3.11", "runit", "systemd"].map(str::to_owned));
        let mut done = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if done.insert(name.clone()) {
                let tree = trees.iter().find(|tree| tree.packages.contains_key(&name));
                let tree = tree.unwrap_or_else(|| panic!("no root has `{name}`"));
                let needed = tree.needed(&name);
                self.write(&tree.to_rpm(&name, &needed));
                wanted.extend(needed);
            }
        }
        for (name, needed) in NAMES {
            let package = RpmPackage::new(name, "9-1").architecture("noarch");
            let package = needed.iter().fold(package, |package, needed| package.requires(needed));
            self.write(&match *name {
                "filesystem" => MERGED.iter().fold(package, |package, name| {
                    package.directory(&format!("/usr/{name}"), 0o755).link(&format!("/{name}"), &format!("usr/{name}"))
                }),
                "system-release" => {
                    package.requires("triggers").file("/etc/system-release", "A fixture, release 9\n", 0o644)
                }
                "coreutils-single" => package.link("/usr/bin/awk", "mawk"),
                _ => package,
            });
        }
    }

    fn write(&self, package: &RpmPackage) {
        let name = package.file_name();
        let is_application =
            ["python", "libpq", "gcc", "g++", "cpp", "runit"].iter().any(|begin| name.starts_with(begin));
        let (_, path) = REPOSITORIES[usize::from(is_application)];
        let directory = self.base().join(path).join("Packages");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(name), package.to_rpm()).unwrap();
    }

    /// Has the real rpmbuild make a package with what the fixtures' own writer has not: a scriptlet in Lua, and triggers.
    fn write_triggers(&self) {
        let repository = self.base().join(REPOSITORIES[0].1);
        fs::write(repository.join(SPEC), TRIGGERS).unwrap();
        let script = format!(
            "SOURCE_DATE_EPOCH=1700000000 rpmbuild --quiet -bb --define '_topdir /tmp/build' \
             --define '_rpmdir /repository' --define '_rpmfilename Packages/%%{{NAME}}.rpm' \
             --define 'use_source_date_epoch_as_buildtime 1' --define '_buildhost fixture' /repository/{SPEC}"
        );
        let mut spec = test_root("rpm").spec(&["/bin/sh", "-c", &script], Identity::Root);
        spec.binds = vec![bind(&repository, "/repository", Access::ReadWrite)];
        spec.filter = Filter::PretendOwnership;
        run_spec(&spec).ok();
        fs::remove_file(repository.join(SPEC)).unwrap();
    }

    /// Has the real createrepo_c make the index of a repository, and signs it.
    fn index(&self, repository: &Path, key: &Key) {
        let argv = ["createrepo_c", "--quiet", "--no-database", "--revision=1700000000", "/repository"];
        let mut spec = test_root("rpm").spec(&argv, Identity::Root);
        spec.binds = vec![bind(repository, "/repository", Access::ReadWrite)];
        spec.filter = Filter::PretendOwnership;
        run_spec(&spec).ok();
        let repomd = fs::read(repository.join("repodata/repomd.xml")).unwrap();
        fs::write(repository.join("repodata/repomd.xml.asc"), key.sign(&repomd, 1_700_000_000)).unwrap();
    }
}

const SPEC: &str = "triggers.spec";

/// What runs when the root is made: by rpm's own Lua, for files that other packages have, and for another package.
const TRIGGERS: &str = r#"Name: triggers
Version: 9
Release: 1
Summary: a fixture
License: none
BuildArch: noarch
%description
A fixture.
%files
%post -p <lua>
local trace = io.open("/etc/scriptlets-that-ran", "a")
trace:write("lua\n")
trace:close()
%transfiletriggerin -- /usr/include
echo "file trigger" >> /etc/scriptlets-that-ran
%triggerin -- python3.11
echo "trigger" >> /etc/scriptlets-that-ran
"#;

/// Directories of the root that are links into `/usr`.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

fn test_root_tree(name: &str) -> DebianTree {
    DebianTree::read(test_root(name).tree())
}

/// A configured root of Debian packages, with what its database says of them.
struct DebianTree {
    tree: PathBuf,
    packages: BTreeMap<String, Paragraph>,
}

/// What is used of a package's paragraph.
struct Paragraph {
    version: String,
    architecture: String,
    depends: Vec<String>,
    provides: Vec<String>,
}

impl DebianTree {
    fn read(tree: &Path) -> Self {
        let status = fs::read_to_string(tree.join("var/lib/dpkg/status")).unwrap();
        let packages = status.split("\n\n").filter(|text| !text.trim().is_empty()).map(paragraph).collect();
        Self { tree: tree.to_owned(), packages }
    }

    /// Returns what a package depends on: of each alternative the first that the root has.
    fn needed(&self, name: &str) -> Vec<String> {
        let has = |wanted: &str| {
            let provider = |(name, paragraph): (&String, &Paragraph)| {
                paragraph.provides.iter().any(|provided| provided == wanted).then(|| name.clone())
            };
            let own = self.packages.contains_key(wanted).then(|| wanted.to_owned());
            own.or_else(|| self.packages.iter().find_map(provider))
        };
        let first = |relation: &String| relation.split('|').find_map(|alternative| has(bare(alternative)));
        self.packages[name].depends.iter().filter_map(first).filter(|needed| needed != name).collect()
    }

    fn to_rpm(&self, name: &str, needed: &[String]) -> RpmPackage {
        let Paragraph { version, architecture, .. } = &self.packages[name];
        let version = if version.contains('-') { version.clone() } else { format!("{version}-1") };
        let architecture = if architecture == "all" { "noarch" } else { "x86_64" };
        let mut package = RpmPackage::new(name, &version).architecture(architecture);
        package = needed.iter().fold(package, |package, needed| package.requires(needed));
        if name == "python3.11" {
            package = package.provides("python(abi) = 3.11").post_install(&format!("echo python3.11 >> /{TRACE}"));
        }
        if name == "dash" {
            package = package.provides("/bin/sh");
        }
        if LIBRARIES.contains(&name) {
            let provided = self.sonames(name);
            package = provided.iter().fold(package, |package, provided| package.provides(provided));
        }
        self.paths(name).iter().fold(package, |package, path| self.add(package, path))
    }

    /// Returns the paths of a package, without those that make the archive large for nothing.
    fn paths(&self, name: &str) -> BTreeSet<String> {
        let info = self.tree.join("var/lib/dpkg/info");
        let file = [format!("{name}.list"), format!("{name}:amd64.list")].map(|file| info.join(file));
        let text = fs::read_to_string(file.iter().find(|file| file.exists()).unwrap()).unwrap();
        text.lines().filter(|path| !is_left_out(path)).map(merged).filter(|path| !is_top(path)).collect()
    }

    fn add(&self, package: RpmPackage, path: &str) -> RpmPackage {
        let source = self.tree.join(path.trim_start_matches('/'));
        // A maintainer script may have removed or diverted what a package has.
        let Ok(metadata) = fs::symlink_metadata(&source) else { return package };
        let mode = u16::try_from(metadata.permissions().mode() & 0o7777).unwrap();
        if metadata.is_symlink() {
            return package.link(path, fs::read_link(&source).unwrap().to_str().unwrap());
        }
        if metadata.is_dir() { package.directory(path, mode) } else { package.copy(&source, path, mode) }
    }

    /// Asks rpm's own generator what the libraries of a package provide.
    fn sonames(&self, name: &str) -> Vec<String> {
        let libraries: Vec<String> = self
            .paths(name)
            .into_iter()
            .filter(|path| path.starts_with("/usr/lib") && path.contains(".so."))
            .map(|path| format!("/tree{path}"))
            .collect();
        let script = "printf '%s\\n' \"$@\" | /usr/lib/rpm/elfdeps --provides";
        let mut argv = vec!["/bin/sh", "-c", script, "sonames"];
        argv.extend(libraries.iter().map(String::as_str));
        let run = test_root("rpm").run(&argv, &[(&self.tree, "/tree")]).ok();
        let mut provided: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
        provided.sort();
        provided.dedup();
        // What the dynamic loader of every el9 can read.
        provided.push("rtld(GNU_HASH)".to_owned());
        provided
    }
}

fn paragraph(text: &str) -> (String, Paragraph) {
    let field = |name: &str| {
        let begin = format!("{name}: ");
        text.lines().find_map(|line| line.strip_prefix(&begin)).unwrap_or_default().to_owned()
    };
    let list =
        |text: &str| -> Vec<String> { text.split(", ").filter(|item| !item.is_empty()).map(str::to_owned).collect() };
    let depends = [list(&field("Pre-Depends")), list(&field("Depends"))].concat();
    let provides = list(&field("Provides")).iter().map(|provided| bare(provided).to_owned()).collect();
    let paragraph = Paragraph { version: field("Version"), architecture: field("Architecture"), depends, provides };
    (field("Package"), paragraph)
}

/// Returns the name of a relation, without version and architecture.
fn bare(relation: &str) -> &str {
    relation.trim().split([' ', ':', '(']).next().unwrap_or_default()
}

/// Returns where a path is in a root with a merged `/usr`.
fn merged(path: &str) -> String {
    let is_below = |name: &&str| path[1..].strip_prefix(*name).is_some_and(|rest| rest.starts_with('/'));
    let prefix = if path.len() > 1 && MERGED.iter().any(is_below) { "/usr" } else { "" };
    format!("{prefix}{path}")
}

/// Is this what `filesystem` has?
fn is_top(path: &str) -> bool {
    path == "/." || MERGED.iter().any(|name| path == format!("/{name}") || path == format!("/usr/{name}"))
}

/// Is this something that only people read, or that no build of the tests needs?
fn is_left_out(path: &str) -> bool {
    let is_shared = |name: &str| {
        let rest = path.strip_prefix("/usr/share/").and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ["doc", "man", "locale", "info", "lintian"].into_iter().any(is_shared)
        || LARGE.iter().any(|part| path.contains(part))
}
