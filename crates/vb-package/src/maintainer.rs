//! The files that the directories `debian/` and `rpm/` of an application's source add to its packages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    fields::is_package_name,
    rpm::{RpmChange, RpmScript, RpmTrigger, ScriptletName, parse_changelog, parse_triggers, script_of},
    tree::{Content, FileTree},
};

const TRIGGER_DIRECTIVES: [&str; 6] =
    ["interest", "interest-await", "interest-noawait", "activate", "activate-await", "activate-noawait"];

/// A script that dpkg runs when a package is installed or removed (Debian Policy, chapter 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptName {
    /// Before the files are unpacked.
    Preinst,
    /// After the files are unpacked, to configure.
    Postinst,
    /// Before the files are removed.
    Prerm,
    /// After the files are removed.
    Postrm,
}

impl ScriptName {
    /// Returns the name of the file in `debian/` and in the control archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preinst => "preinst",
            Self::Postinst => "postinst",
            Self::Prerm => "prerm",
            Self::Postrm => "postrm",
        }
    }

    /// Returns the script that a file of that name is.
    pub fn from_file_name(name: &str) -> Option<Self> {
        [Self::Preinst, Self::Postinst, Self::Prerm, Self::Postrm].into_iter().find(|script| script.as_str() == name)
    }
}

impl fmt::Display for ScriptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file of `debian/` or `rpm/` that could not be in a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaintainerFileError {
    /// A file of lines is not UTF-8.
    #[error("`{file}` is not UTF-8")]
    NotText {
        /// The name of the file.
        file: &'static str,
    },
    /// A maintainer script names no interpreter, or its first line ends in a carriage return: the kernel could not run it.
    #[error("the maintainer script `{script}` does not begin with `#!` and an interpreter")]
    NoInterpreter {
        /// The script.
        script: ScriptName,
    },
    /// A line of `triggers` is no directive (deb-triggers(5)).
    #[error("`{}` is not a trigger directive", .line.escape_debug())]
    Trigger {
        /// The line.
        line: String,
    },
    /// A conffile is not an absolute path.
    #[error("the conffile `{}` is not an absolute path", .path.escape_debug())]
    RelativeConffile {
        /// The path as it was given.
        path: String,
    },
    /// A scriptlet is not UTF-8, or has a NUL.
    #[error("the scriptlet `rpm/{file}` is not text")]
    ScriptletNotText {
        /// The name of the file in `rpm/`.
        file: String,
    },
    /// The first line of a scriptlet names no interpreter, or ends in a carriage return.
    #[error("the scriptlet `rpm/{file}` begins with `#!` and no interpreter")]
    NoScriptletInterpreter {
        /// The name of the file in `rpm/`.
        file: String,
    },
    /// A line of `rpm/triggers` begins none.
    #[error("`{}` in `rpm/triggers` begins no trigger as a spec file has it", .line.escape_debug())]
    RpmTrigger {
        /// The line.
        line: String,
    },
    /// Two files of `rpm/` are the same scriptlet.
    #[error("`rpm/{file}` is a second `%{scriptlet}`")]
    ScriptletTwice {
        /// The name of the file in `rpm/`.
        file: String,
        /// What it would be.
        scriptlet: ScriptletName,
    },
    /// A conffile is no regular file of the package.
    #[error("the conffile `{}` is not a file of the package", .path.escape_debug())]
    MissingConffile {
        /// The path as it was given.
        path: String,
    },
}

/// What a maintainer adds to a package beside its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintainerFiles {
    /// The maintainer scripts, byte for byte.
    pub scripts: BTreeMap<ScriptName, Vec<u8>>,
    /// The content of `triggers` (deb-triggers(5)).
    pub triggers: Option<String>,
    /// Absolute paths of configuration files, in addition to every file under `/etc`.
    pub conffiles: Vec<String>,
    /// The scripts of an `.rpm`.
    pub scriptlets: BTreeMap<ScriptletName, RpmScript>,
    /// The triggers of an `.rpm`.
    pub rpm_triggers: Vec<RpmTrigger>,
    /// The changelog of an `.rpm`, the newest entry first.
    pub changelog: Vec<RpmChange>,
}

impl MaintainerFiles {
    /// Takes in a file of `debian/`, if its name is one of those that have a place here, and returns whether it was.
    ///
    /// # Errors
    /// [`MaintainerFileError::NotText`] for `triggers` and `conffiles` that are not UTF-8. All other checks are made when
    /// the package is written.
    pub fn take_in(&mut self, name: &str, content: Vec<u8>) -> Result<bool, MaintainerFileError> {
        match name {
            "triggers" => self.triggers = Some(to_text("triggers", content)?),
            "conffiles" => {
                let text = to_text("conffiles", content)?;
                let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
                self.conffiles.extend(lines.map(str::to_owned));
            }
            _ => match ScriptName::from_file_name(name) {
                Some(script) => {
                    self.scripts.insert(script, content);
                }
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    /// Takes in a file of `rpm/`, if its name is one of those that have a place here, and returns whether it was.
    ///
    /// # Errors
    /// [`MaintainerFileError`] for a scriptlet that rpm could not run.
    pub fn take_in_scriptlet(&mut self, name: &str, content: &[u8]) -> Result<bool, MaintainerFileError> {
        if name == "triggers" {
            self.rpm_triggers = parse_triggers(content)?;
            return Ok(true);
        }
        let Some(scriptlet) = ScriptletName::from_file_name(name) else {
            return Ok(false);
        };
        if self.scriptlets.insert(scriptlet, script_of(name, content)?).is_some() {
            return Err(MaintainerFileError::ScriptletTwice { file: name.to_owned(), scriptlet });
        }
        Ok(true)
    }

    /// Takes in a changelog of `debian/`; names in any other encoding than UTF-8 are shown as well as can be.
    pub fn take_in_changelog(&mut self, content: &[u8]) {
        self.changelog = parse_changelog(&String::from_utf8_lossy(content));
    }

    /// Checks scripts and triggers.
    pub(crate) fn check(&self) -> Result<(), MaintainerFileError> {
        for (script, content) in &self.scripts {
            if !has_interpreter(content) {
                return Err(MaintainerFileError::NoInterpreter { script: *script });
            }
        }
        let lines = self.triggers.iter().flat_map(|text| text.lines());
        match lines.into_iter().find(|line| !is_trigger_line(line)) {
            Some(line) => Err(MaintainerFileError::Trigger { line: line.to_owned() }),
            None => Ok(()),
        }
    }

    /// Returns the configuration files of a tree, as paths of the tree: every file under `/etc`, as debhelper has it,
    /// and those that are listed.
    pub(crate) fn conffiles_in<'a>(&'a self, tree: &'a FileTree) -> Result<BTreeSet<&'a str>, MaintainerFileError> {
        let is_file = |path: &str| tree.get(path).is_some_and(|entry| matches!(entry.content, Content::File { .. }));
        let paths = tree.entries().iter().map(|entry| entry.path.as_str());
        let mut conffiles: BTreeSet<&str> = paths.filter(|path| path.starts_with("etc/") && is_file(path)).collect();
        for path in &self.conffiles {
            let Some(inside) = path.strip_prefix('/') else {
                return Err(MaintainerFileError::RelativeConffile { path: path.clone() });
            };
            if !is_file(inside) {
                return Err(MaintainerFileError::MissingConffile { path: path.clone() });
            }
            conffiles.insert(inside);
        }
        Ok(conffiles)
    }
}

fn to_text(file: &'static str, content: Vec<u8>) -> Result<String, MaintainerFileError> {
    String::from_utf8(content).map_err(|_| MaintainerFileError::NotText { file })
}

fn has_interpreter(script: &[u8]) -> bool {
    let line = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // The kernel would look for an interpreter whose name ends in a carriage return.
    let line = if line.ends_with(b"\r") { b"" } else { line };
    line.strip_prefix(b"#!").is_some_and(|interpreter| interpreter.trim_ascii().starts_with(b"/"))
}

fn is_trigger_line(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [] => true,
        [directive, name] => {
            let is_trigger = if name.starts_with('/') { name.is_ascii() } else { is_package_name(name) };
            TRIGGER_DIRECTIVES.contains(&directive) && is_trigger
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use vb_graph::BlobDigest;

    use super::*;
    use crate::tree::Entry;

    fn tree() -> FileTree {
        let entry = |path: &str, content| Entry { path: path.into(), mode: 0o644, content };
        let file = || Content::File { blob: BlobDigest::of(b""), size: 0 };
        FileTree::from_entries([
            entry("etc/whois/app.yaml", file()),
            entry("etc/alternative", Content::Symlink { target: "whois".into() }),
            entry("etc/empty", Content::Directory),
            entry("etcetera/x", file()),
            entry("srv/whois.conf", file()),
        ])
        .unwrap()
    }

    fn with_script(content: &[u8]) -> MaintainerFiles {
        MaintainerFiles { scripts: [(ScriptName::Postinst, content.to_vec())].into(), ..Default::default() }
    }

    #[test]
    fn files_under_etc_are_conffiles_beside_those_listed() {
        let listed = ["/srv/whois.conf", "/etc/whois/app.yaml"].map(String::from);
        let files = MaintainerFiles { conffiles: listed.into(), ..Default::default() };
        let paths: Vec<_> = files.conffiles_in(&tree()).unwrap().into_iter().map(str::to_owned).collect();
        assert_eq!(paths, ["etc/whois/app.yaml", "srv/whois.conf"]);
    }

    #[test]
    fn conffiles_that_are_no_file_of_the_package_are_refused() {
        for path in ["/etc/absent", "/etc/empty", "/etc/alternative", "/", "//etc/whois/app.yaml"] {
            let files = MaintainerFiles { conffiles: vec![path.into()], ..Default::default() };
            let error = files.conffiles_in(&tree()).unwrap_err();
            assert_eq!(error, MaintainerFileError::MissingConffile { path: path.into() });
        }
        let files = MaintainerFiles { conffiles: vec!["etc/whois/app.yaml".into()], ..Default::default() };
        let error = files.conffiles_in(&tree()).unwrap_err();
        assert_eq!(error, MaintainerFileError::RelativeConffile { path: "etc/whois/app.yaml".into() });
    }

    #[test]
    fn scripts_need_an_interpreter() {
        for script in ["#!/bin/sh\nset -e\n", "#! /usr/bin/perl -w\n", "#!/bin/sh"] {
            assert_eq!(with_script(script.as_bytes()).check(), Ok(()));
        }
        for script in
            ["", "#!/bin/sh\r\nset -e\r\n", "set -e\n", "\n#!/bin/sh\n", "#!\n/bin/sh\n", "#!sh\n", " #!/bin/sh\n"]
        {
            let expect = MaintainerFileError::NoInterpreter { script: ScriptName::Postinst };
            assert_eq!(with_script(script.as_bytes()).check(), Err(expect), "{script:?}");
        }
    }

    #[test]
    fn triggers_are_directives_with_one_name() {
        let check = |line: &str| MaintainerFiles { triggers: Some(line.into()), ..Default::default() }.check();
        for line in ["", "# why\n\n", "interest-noawait /usr/bin/python3.11 # why\n", "activate ldconfig"] {
            assert_eq!(check(line), Ok(()), "{line:?}");
        }
        for line in ["interest", "activate-noawait a1 b1", "watch /usr", "interest Bad_Name"] {
            assert_eq!(check(line), Err(MaintainerFileError::Trigger { line: line.into() }));
        }
    }

    #[test]
    fn files_of_the_rpm_directory_are_taken_in_by_name() {
        let mut files = MaintainerFiles::default();
        assert_eq!(files.take_in_scriptlet("post.sh", b"echo\n"), Ok(true));
        assert_eq!(files.take_in_scriptlet("README", b"\xff"), Ok(false));
        let error = MaintainerFileError::ScriptletTwice { file: "post".into(), scriptlet: ScriptletName::Post };
        assert_eq!(files.take_in_scriptlet("post", b"echo\n"), Err(error));
    }

    #[test]
    fn files_of_the_debian_directory_are_taken_in_by_name() {
        let mut files = MaintainerFiles::default();
        assert_eq!(files.take_in("postinst", b"#!/bin/sh\n".to_vec()), Ok(true));
        assert_eq!(files.take_in("conffiles", b"/srv/a\n\n/srv/b \n".to_vec()), Ok(true));
        assert_eq!(files.take_in("triggers", b"activate ldconfig\n".to_vec()), Ok(true));
        assert_eq!(files.take_in("rules", b"%:\n".to_vec()), Ok(false));
        let expect = MaintainerFiles {
            scripts: [(ScriptName::Postinst, b"#!/bin/sh\n".to_vec())].into(),
            triggers: Some("activate ldconfig\n".into()),
            conffiles: vec!["/srv/a".into(), "/srv/b".into()],
            ..Default::default()
        };
        assert_eq!(files, expect);
        let error = files.take_in("conffiles", vec![0xff]).unwrap_err();
        assert_eq!(error, MaintainerFileError::NotText { file: "conffiles" });
    }
}
