//! The tools that are compared, and the place they work in.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use fs_err as fs;
use tempfile::TempDir;

use super::{
    figures::Taken,
    packages::{write_deb, write_rpm},
};
use crate::error::BenchError;

/// A directory with a key for gpg and one for vb.
#[derive(Debug)]
pub(super) struct Workplace {
    directory: TempDir,
    vb: PathBuf,
    /// The fingerprint of gpg's key; nothing on a machine without gpg.
    key: Option<String>,
}

/// A way to make a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// vb, with `.deb` packages.
    VbDeb,
    /// vb, with `.rpm` packages.
    VbRpm,
    /// `reprepro includedeb`.
    Reprepro,
    /// `aptly repo add` and `aptly publish`.
    Aptly,
    /// `apt-ftparchive packages` with gzip, xz and gpg.
    AptFtparchive,
    /// `createrepo_c`, with `--update` for one package more.
    CreaterepoC,
}

/// What `/usr/bin/time` writes: user and system seconds, and kilobytes.
const TIME_FORMAT: &str = "%U %S %M";

impl Workplace {
    /// Makes the place and its keys.
    pub(super) fn new() -> Result<Self, BenchError> {
        let vb = std::env::current_exe()?.with_file_name("vb");
        if !vb.is_file() {
            return Err(BenchError::NoProgram { path: vb });
        }
        let directory = tempfile::Builder::new().prefix("vb-bench-").tempdir()?;
        let mut place = Self { directory, vb, key: None };
        let key = place.path().join("key.asc");
        place.run(
            place.command(&place.vb).args(["key", "new"]).arg(key).args(["--user", "Bench <bench@example.org>"]),
        )?;
        if has("gpg") {
            fs::create_dir(place.path().join("gpg"))?;
            let user = "Bench <bench@example.org>";
            let make = ["--batch", "--quiet", "--passphrase", "", "--quick-gen-key", user, "rsa3072", "sign", "never"];
            place.run(place.command("gpg").args(make))?;
            let list = place.run(place.command("gpg").args(["--list-keys", "--with-colons"]))?;
            let fingerprint = list.lines().find_map(|line| line.strip_prefix("fpr:"));
            place.key = fingerprint.map(|line| line.trim_matches(':').to_owned());
        }
        Ok(place)
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the tools that are there for the packages of a directory, vb first.
    pub(super) fn tools_for(&self, packages: &Path) -> Result<Vec<Tool>, BenchError> {
        let mut tools = vec![self.vb_for(packages)];
        let others = match tools[0] {
            Tool::VbRpm => &[(Tool::CreaterepoC, "createrepo_c")][..],
            _ => &[(Tool::Reprepro, "reprepro"), (Tool::Aptly, "aptly"), (Tool::AptFtparchive, "apt-ftparchive")],
        };
        let can_sign = |tool: Tool| tool == Tool::CreaterepoC || self.key.is_some();
        tools.extend(others.iter().filter(|(tool, program)| has(program) && can_sign(*tool)).map(|(tool, _)| *tool));
        Ok(tools)
    }

    /// Returns vb for the packages of a directory.
    pub(super) fn vb_for(&self, packages: &Path) -> Tool {
        let is_rpm = packages.to_string_lossy().ends_with("rpms");
        if is_rpm { Tool::VbRpm } else { Tool::VbDeb }
    }

    /// Writes a package that no repository has, alone in a directory.
    pub(super) fn fresh_package(&self, like: &Path, number: usize) -> Result<PathBuf, BenchError> {
        let directory = self.path().join(format!("one-{number}"));
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir(&directory)?;
        let version = format!("2.{number}");
        match self.vb_for(like) {
            Tool::VbRpm => write_rpm(&directory, "fresh", &version)?,
            _ => write_deb(&directory, "fresh", &version)?,
        }
        Ok(directory)
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("GNUPGHOME", self.path().join("gpg")).env("HOME", self.path()).current_dir(self.path());
        command.env_remove("VB_REPO").env_remove("VB_REPO_KEY");
        command
    }

    fn run(&self, command: &mut Command) -> Result<String, BenchError> {
        crate::run::output_of(command)
    }

    /// Runs a script with the directories that it names, and measures it.
    fn measure(&self, script: &str, arguments: &[&Path]) -> Result<Taken, BenchError> {
        let times = self.path().join("times");
        let mut command = self.command("/usr/bin/time");
        command.args(["-f", TIME_FORMAT, "-o"]).arg(&times).args(["sh", "-euc", script, "sh"]).args(arguments);
        command.env("VB", &self.vb).env("KEY", self.key.as_deref().unwrap_or_default());
        command.stdin(Stdio::null());
        let begun = Instant::now();
        self.run(&mut command)?;
        let wall = begun.elapsed();
        let text = fs::read_to_string(&times)?;
        let mut words = text.split_whitespace().map(|word| word.parse::<f64>().unwrap_or_default());
        let mut next = || words.next().unwrap_or_default();
        let cpu = Duration::from_secs_f64(next() + next());
        let memory =
            text.split_whitespace().last().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default() * 1024;
        Ok(Taken { wall, cpu, memory })
    }
}

impl Tool {
    /// Returns the name that tables have.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::VbDeb | Self::VbRpm => "vb",
            Self::Reprepro => "reprepro",
            Self::Aptly => "aptly",
            Self::AptFtparchive => "apt-ftparchive",
            Self::CreaterepoC => "createrepo_c",
        }
    }

    /// Can it add one package to what it made?
    pub(super) fn is_incremental(self) -> bool {
        self != Self::AptFtparchive
    }

    fn directory(self) -> &'static str {
        match self {
            Self::VbDeb => "vb-deb",
            Self::VbRpm => "vb-rpm",
            other => other.name(),
        }
    }

    /// Makes an empty repository.
    pub(super) fn begin(self, place: &Workplace) -> Result<(), BenchError> {
        let script = match self {
            Self::VbDeb | Self::VbRpm => "\"$VB\" repo init \"$1\" --key key.asc >&2",
            Self::Reprepro => {
                "mkdir -p \"$1/conf\"; printf 'Codename: bookworm\\nArchitectures: amd64\\nComponents: main\\nSignWith: %s\\n' \"$KEY\" > \"$1/conf/distributions\""
            }
            Self::Aptly => {
                "mkdir \"$1\"; printf '{\"rootDir\": \"%s\", \"architectures\": [\"amd64\"], \"gpgProvider\": \"gpg\"}' \"$1\" > \"$1/conf\"; aptly -config=\"$1/conf\" repo create -distribution=bookworm ours"
            }
            Self::AptFtparchive | Self::CreaterepoC => "mkdir \"$1\"",
        };
        let directory = place.path().join(self.directory());
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        place.measure(script, &[&directory]).map(drop)
    }

    /// Makes the repository of all packages of a directory.
    pub(super) fn add_all(self, place: &Workplace, packages: &Path) -> Result<Taken, BenchError> {
        let script = match self {
            Self::Aptly => {
                "aptly -config=\"$1/conf\" repo add ours \"$2\"; aptly -config=\"$1/conf\" publish repo -batch -gpg-key=\"$KEY\" ours"
            }
            Self::AptFtparchive => {
                "cp -al \"$2\" \"$1/pool\"; cd \"$1\"; apt-ftparchive packages pool > Packages; gzip -9nk Packages; xz -k Packages; apt-ftparchive release . > Release; gpg --batch --yes --clearsign -o InRelease Release; gpg --batch --yes -abs -o Release.gpg Release"
            }
            Self::CreaterepoC => "cp -al \"$2\" \"$1/packages\"; createrepo_c -q \"$1\"",
            other => other.add_script(),
        };
        place.measure(script, &[&place.path().join(self.directory()), packages])
    }

    /// Adds the one package of a directory.
    pub(super) fn add_one(self, place: &Workplace, package: &Path) -> Result<Taken, BenchError> {
        let script = match self {
            Self::Aptly => {
                "aptly -config=\"$1/conf\" repo add ours \"$2\"; aptly -config=\"$1/conf\" publish update -batch -gpg-key=\"$KEY\" bookworm"
            }
            Self::CreaterepoC => "cp -l \"$2\"/* \"$1/packages/\"; createrepo_c -q --update \"$1\"",
            other => other.add_script(),
        };
        place.measure(script, &[&place.path().join(self.directory()), package])
    }

    /// `find` and `xargs -x` pass as many names as there are, in one call.
    /// Names are short, because 50,000 of them are near the limit of what a program is given.
    fn add_script(self) -> &'static str {
        match self {
            Self::VbDeb => "cd \"$2\"; \"$VB\" repo add \"$1/\" --platform bookworm *.deb >&2",
            Self::VbRpm => "cd \"$2\"; \"$VB\" repo add \"$1/\" --platform el9 *.rpm >&2",
            _ => "reprepro -s -b \"$1\" includedeb bookworm \"$2\"/*.deb",
        }
    }
}

/// Is a program on the machine?
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
