//! The commands that resolve requirements at lock time, as data: uv's `pip compile` and `export`, run inside the
//! platform's root.
//!
//! Index locations go through the environment, not the command line: they may hold credentials, and command lines are shown.

use std::collections::BTreeMap;

use vb_graph::LockedFile;

use crate::{indexes::IndexConfig, pylock::BinaryPolicy, tags::Target};

/// The one tool that vb pins itself: a statically linked uv, which runs in any root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UvTool {
    /// Its version.
    pub version: &'static str,
    /// The wheel that holds it.
    pub file: &'static str,
    /// The wheel's SHA-256.
    pub sha256: [u8; 32],
    /// The wheel's size in bytes.
    pub size: u64,
    /// The path of the program inside the wheel.
    pub member: &'static str,
}

/// The pinned uv.
pub const UV: UvTool = UvTool {
    version: "0.13.8",
    file: "uv-0.13.8-py3-none-musllinux_1_1_x86_64.whl",
    sha256: [
        0x29, 0x45, 0x1c, 0x60, 0xf5, 0xe8, 0xb0, 0x74, 0x03, 0xe0, 0xa1, 0x75, 0xd5, 0x22, 0x9e, 0xfc, 0x36, 0xb0,
        0x28, 0x9b, 0x34, 0x14, 0x3f, 0xf4, 0xaa, 0xa4, 0x99, 0xa5, 0xdd, 0x52, 0x55, 0x3a,
    ],
    size: 19_139_972,
    member: "uv-0.13.8.data/scripts/uv",
};

impl UvTool {
    /// Returns the wheel as a lock names it; its project is `uv`.
    pub fn locked_file(&self) -> LockedFile {
        let sha256 = vb_graph::Sha256::from_bytes(self.sha256);
        LockedFile { file: self.file.to_owned(), size: Some(self.size), sha256 }
    }
}

/// What a resolution takes in beside what its requirements name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependencies {
    /// What these depend on, and so on.
    Followed,
    /// Nothing: the requirements are a lock.
    Listed,
}

/// One resolution: requirements files to a `pylock.toml`. All paths are those inside the sandbox.
#[derive(Clone, Debug)]
pub struct CompileRequest<'a> {
    /// The uv program.
    pub uv: &'a str,
    /// The interpreter that the environment will have: `/usr/bin/python3.11`.
    pub python: &'a str,
    /// What the wheels must fit.
    pub target: &'a Target,
    /// The configured indexes. Its local find-links directories must be visible in the sandbox at their own paths.
    pub indexes: &'a IndexConfig,
    /// Which distributions are built and which are not.
    pub policy: &'a BinaryPolicy,
    /// The requirements files: lines, or a `pyproject.toml`.
    pub requirements: &'a [String],
    /// Are their dependencies taken in?
    pub dependencies: Dependencies,
    /// Extras of the `pyproject.toml`.
    pub extras: &'a [String],
    /// Its dependency groups.
    pub groups: &'a [String],
    /// Where the lock is written: a file called `pylock.toml`. Versions of one that is there are preferred: see
    /// [`preferences`].
    pub output: &'a str,
    /// A writable directory for uv's cache.
    pub cache: &'a str,
}

impl CompileRequest<'_> {
    /// Returns the command line.
    pub fn arguments(&self) -> Vec<String> {
        let platform = python_platform(self.target);
        let mut arguments = vec![self.uv, "pip", "compile", "--quiet", "--no-annotate", "--no-header"];
        arguments.extend(["--format", "pylock.toml", "--python", self.python, "--python-platform", &platform]);
        if self.indexes.indexes.is_empty() {
            arguments.push("--no-index");
        }
        for (option, names) in [("--no-binary", &self.policy.no_binary), ("--only-binary", &self.policy.only_binary)] {
            arguments.extend(names.iter().flat_map(|name| [option, name]));
        }
        if self.dependencies == Dependencies::Listed {
            arguments.push("--no-deps");
        }
        arguments.extend(self.extras.iter().flat_map(|extra| ["--extra", extra]));
        let group = |group: &String| format!("{}:{group}", self.requirements.first().map_or("", String::as_str));
        let groups: Vec<String> = self.groups.iter().map(group).collect();
        arguments.extend(groups.iter().flat_map(|group| ["--group", group]));
        arguments.extend(["--output-file", self.output, "--"]);
        arguments.extend(self.requirements.iter().map(String::as_str));
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Returns the environment variables, to be added to the sandbox's own. Values may hold credentials.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = uv_variables(self.cache);
        let (default, additional) = match self.indexes.indexes.split_last() {
            Some((default, additional)) if self.indexes.has_default_index => (Some(default), additional),
            _ => (None, self.indexes.indexes.as_slice()),
        };
        let mut set = |name: &str, value: String| (!value.is_empty()).then(|| variables.insert(name.into(), value));
        set("UV_DEFAULT_INDEX", default.cloned().unwrap_or_default());
        set("UV_INDEX", additional.join(" "));
        set("UV_FIND_LINKS", self.indexes.find_links.join(","));
        variables
    }
}

/// Returns the text of a `pylock.toml` that holds no more than versions: what a resolution prefers where its requirements
/// leave a choice.
pub fn preferences<'a>(pins: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let package = |(name, version): (&str, &str)| format!("[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n");
    format!("lock-version = \"1.0\"\ncreated-by = \"vb\"\n{}", pins.map(package).collect::<String>())
}

/// One `uv.lock` to requirements with hashes, without asking any index. All paths are those inside the sandbox.
#[derive(Clone, Debug)]
pub struct ExportRequest<'a> {
    /// The uv program.
    pub uv: &'a str,
    /// The interpreter that the environment will have.
    pub python: &'a str,
    /// The directory with `uv.lock` and `pyproject.toml`.
    pub project: &'a str,
    /// Extras of the project.
    pub extras: &'a [String],
    /// Dependency groups of the project.
    pub groups: &'a [String],
    /// Where the requirements are written.
    pub output: &'a str,
    /// A writable directory for uv's cache.
    pub cache: &'a str,
}

impl ExportRequest<'_> {
    /// Returns the command line.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![self.uv, "export", "--quiet", "--frozen", "--offline", "--no-emit-project"];
        arguments.extend(["--no-default-groups", "--no-annotate", "--no-header", "--format", "requirements.txt"]);
        arguments.extend(["--python", self.python, "--project", self.project]);
        arguments.extend(self.extras.iter().flat_map(|extra| ["--extra", extra]));
        arguments.extend(self.groups.iter().flat_map(|group| ["--group", group]));
        arguments.extend(["--output-file", self.output]);
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Returns the environment variables, to be added to the sandbox's own.
    pub fn variables(&self) -> BTreeMap<String, String> {
        uv_variables(self.cache)
    }
}

/// Returns the variables that every run of uv has: no configuration, no interpreters of its own, no progress bars.
pub(crate) fn uv_variables(cache: &str) -> BTreeMap<String, String> {
    [
        ("UV_CACHE_DIR", cache),
        ("UV_LINK_MODE", "copy"),
        ("UV_NO_CONFIG", "1"),
        ("UV_NO_PROGRESS", "1"),
        ("UV_PYTHON_DOWNLOADS", "never"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The glibc minor versions that uv has a manylinux platform name for, newest first.
const UV_GLIBC_MINORS: [u16; 12] = [40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17];

/// Returns uv's name for the newest platform whose wheels the target accepts.
///
/// uv knows none below glibc 2.17; what it then offers too much is left out by [`read_pylock`](crate::read_pylock).
fn python_platform(target: &Target) -> String {
    let (major, minor) = target.glibc;
    let is_newer_major = major > 2;
    let fitting = UV_GLIBC_MINORS.iter().find(|known| is_newer_major || **known <= minor).unwrap_or(&17);
    format!("{}-manylinux_2_{fitting}", target.machine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tags::Implementation;

    fn target(minor: u16) -> Target {
        Target { implementation: Implementation::Cpython, python: (3, 11), glibc: (2, minor), machine: "x86_64".into() }
    }

    #[test]
    fn the_command_names_the_platform_and_no_index() {
        let indexes = IndexConfig {
            indexes: vec!["https://x.example/simple".into(), "https://bob:secret@d.example/simple".into()],
            find_links: vec!["/srv/a".into(), "/srv/b".into()],
            has_default_index: true,
            ..IndexConfig::default()
        };
        let policy = BinaryPolicy { no_binary: vec!["psycopg2".into(), "lxml".into()], only_binary: vec![] };
        let request = CompileRequest {
            uv: "/vb/uv",
            python: "/usr/bin/python3.11",
            target: &target(36),
            indexes: &indexes,
            policy: &policy,
            requirements: &["/in/requirements.txt".into()],
            dependencies: Dependencies::Followed,
            extras: &[],
            groups: &[],
            output: "/out/pylock.toml",
            cache: "/tmp/uv",
        };
        assert_eq!(
            request.arguments().join(" "),
            "/vb/uv pip compile --quiet --no-annotate --no-header --format pylock.toml --python /usr/bin/python3.11 \
             --python-platform x86_64-manylinux_2_36 --no-binary psycopg2 --no-binary lxml \
             --output-file /out/pylock.toml -- /in/requirements.txt"
        );
        let variables: Vec<_> =
            request.variables().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            variables,
            [
                "UV_CACHE_DIR=/tmp/uv",
                "UV_DEFAULT_INDEX=https://bob:secret@d.example/simple",
                "UV_FIND_LINKS=/srv/a,/srv/b",
                "UV_INDEX=https://x.example/simple",
                "UV_LINK_MODE=copy",
                "UV_NO_CONFIG=1",
                "UV_NO_PROGRESS=1",
                "UV_PYTHON_DOWNLOADS=never",
            ]
        );
        let nothing = IndexConfig::default();
        let offline = CompileRequest { indexes: &nothing, ..request };
        assert!(offline.arguments().contains(&"--no-index".to_owned()));
        assert!(!offline.variables().contains_key("UV_DEFAULT_INDEX"));
    }

    #[test]
    fn a_project_is_resolved_with_its_extras_and_groups_and_a_lock_without_more() {
        let request = CompileRequest {
            uv: "/vb/uv",
            python: "/usr/bin/python3.11",
            target: &target(36),
            indexes: &IndexConfig::default(),
            policy: &BinaryPolicy::default(),
            requirements: &["/in/pyproject.toml".into()],
            dependencies: Dependencies::Listed,
            extras: &["pg".into()],
            groups: &["prod".into()],
            output: "/out/pylock.toml",
            cache: "/tmp/uv",
        };
        let arguments = request.arguments().join(" ");
        let end =
            "--no-deps --extra pg --group /in/pyproject.toml:prod --output-file /out/pylock.toml -- /in/pyproject.toml";
        assert!(arguments.ends_with(end), "{arguments}");
        assert_eq!(
            preferences([("six", "1.17.0")].into_iter()),
            "lock-version = \"1.0\"\ncreated-by = \"vb\"\n[[packages]]\nname = \"six\"\nversion = \"1.17.0\"\n"
        );
    }

    #[test]
    fn the_platform_is_the_newest_that_the_glibc_fulfils() {
        for (minor, expect) in [(12, 17), (17, 17), (27, 17), (28, 28), (31, 31), (36, 36), (41, 40)] {
            assert_eq!(python_platform(&target(minor)), format!("x86_64-manylinux_2_{expect}"));
        }
    }

    #[test]
    fn the_pinned_uv_is_a_wheel_of_its_version() {
        let file = UV.locked_file();
        assert!(file.is_wheel() && file.file.contains(UV.version) && UV.member.contains(UV.version));
        assert_eq!(file.sha256.to_string(), "29451c60f5e8b07403e0a175d5229efc36b0289b34143ff4aaa499a5dd52553a");
    }
}
