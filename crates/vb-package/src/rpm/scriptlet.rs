//! The scripts that rpm runs around a package: their names, their files in a source's `rpm/`, and their tags.

use std::fmt;

use rpm::{Dependency, DependencyFlags, IndexTag};

use super::read::RpmScript;
use crate::maintainer::MaintainerFileError;

const SHELL: &str = "/bin/sh";
/// The interpreter inside of rpm, the only one that `%pretrans` can count on.
const LUA: &str = "<lua>";

/// A script that rpm runs when a package is installed or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptletName {
    /// Before the files are unpacked.
    Pre,
    /// After the files are unpacked.
    Post,
    /// Before the files are removed.
    Preun,
    /// After the files are removed.
    Postun,
    /// Before the whole transaction.
    Pretrans,
    /// After the whole transaction.
    Posttrans,
}

impl ScriptletName {
    /// All scripts, in the order of their tags.
    pub const ALL: [Self; 6] = [Self::Pre, Self::Post, Self::Preun, Self::Postun, Self::Pretrans, Self::Posttrans];

    /// Returns its name as a spec file has it, without the `%`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Preun => "preun",
            Self::Postun => "postun",
            Self::Pretrans => "pretrans",
            Self::Posttrans => "posttrans",
        }
    }

    /// Returns the script that a file of `rpm/` is: `post`, `post.sh`, `post.lua`.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let stem = [".sh", ".lua"].iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(name);
        Self::ALL.into_iter().find(|scriptlet| scriptlet.as_str() == stem)
    }

    pub(crate) fn when(self) -> DependencyFlags {
        match self {
            Self::Pre => DependencyFlags::SCRIPT_PRE,
            Self::Post => DependencyFlags::SCRIPT_POST,
            Self::Preun => DependencyFlags::SCRIPT_PREUN,
            Self::Postun => DependencyFlags::SCRIPT_POSTUN,
            Self::Pretrans => DependencyFlags::PRETRANS,
            Self::Posttrans => DependencyFlags::POSTTRANS,
        }
    }

    /// Returns the tags of its text and of its interpreter.
    pub(crate) fn tags(self) -> (IndexTag, IndexTag) {
        match self {
            Self::Pre => (IndexTag::RPMTAG_PREIN, IndexTag::RPMTAG_PREINPROG),
            Self::Post => (IndexTag::RPMTAG_POSTIN, IndexTag::RPMTAG_POSTINPROG),
            Self::Preun => (IndexTag::RPMTAG_PREUN, IndexTag::RPMTAG_PREUNPROG),
            Self::Postun => (IndexTag::RPMTAG_POSTUN, IndexTag::RPMTAG_POSTUNPROG),
            Self::Pretrans => (IndexTag::RPMTAG_PRETRANS, IndexTag::RPMTAG_PRETRANSPROG),
            Self::Posttrans => (IndexTag::RPMTAG_POSTTRANS, IndexTag::RPMTAG_POSTTRANSPROG),
        }
    }
}

impl fmt::Display for ScriptletName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes a script of a file of `rpm/`: a first line `#!…` names the interpreter, the shell is that of all others.
pub(crate) fn script_of(name: &str, content: &[u8]) -> Result<RpmScript, MaintainerFileError> {
    let not_text = || MaintainerFileError::ScriptletNotText { file: name.to_owned() };
    let text = str::from_utf8(content).ok().filter(|text| !text.contains('\0')).ok_or_else(not_text)?;
    let default = if name.ends_with(".lua") { LUA } else { SHELL };
    let Some(rest) = text.strip_prefix("#!") else {
        return Ok(RpmScript { program: vec![default.to_owned()], text: text.to_owned() });
    };
    let (line, text) = rest.split_once('\n').unwrap_or((rest, ""));
    let program: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let is_program = program.first().is_some_and(|path| path == LUA || path.starts_with('/'));
    if !is_program || line.ends_with('\r') {
        return Err(MaintainerFileError::NoScriptletInterpreter { file: name.to_owned() });
    }
    Ok(RpmScript { program, text: text.to_owned() })
}

/// Returns what a script needs to run, when it is run.
pub(crate) fn requires_of(when: DependencyFlags, script: &RpmScript) -> Vec<Dependency> {
    let Some((interpreter, arguments)) = script.program.split_first() else {
        return vec![];
    };
    let mut requires = vec![match interpreter.as_str() {
        LUA => Dependency::rpmlib("BuiltinLuaScripts", "4.2.2-1"),
        path => Dependency { name: path.to_owned(), flags: DependencyFlags::INTERP | when, version: String::new() },
    }];
    if !arguments.is_empty() {
        requires.push(Dependency::rpmlib("ScriptletInterpreterArgs", "4.0.3-1"));
    }
    requires
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, content: &str) -> (Vec<String>, String) {
        let RpmScript { program, text } = script_of(name, content.as_bytes()).unwrap();
        (program, text)
    }

    #[test]
    fn scriptlets_are_files_with_or_without_an_extension() {
        for (name, expect) in [
            ("post", Some(ScriptletName::Post)),
            ("preun.sh", Some(ScriptletName::Preun)),
            ("pretrans.lua", Some(ScriptletName::Pretrans)),
            ("postinst", None),
            ("post.txt", None),
        ] {
            assert_eq!(ScriptletName::from_file_name(name), expect, "{name}");
        }
    }

    #[test]
    fn the_first_line_or_the_extension_names_the_interpreter() {
        let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(program("post", "echo\n"), (of(&["/bin/sh"]), "echo\n".into()));
        assert_eq!(program("post.lua", "print(1)\n"), (of(&["<lua>"]), "print(1)\n".into()));
        assert_eq!(program("post.sh", "#!/bin/bash -e\necho\n"), (of(&["/bin/bash", "-e"]), "echo\n".into()));
        assert_eq!(program("pretrans", "#!<lua>\nprint(1)\n"), (of(&["<lua>"]), "print(1)\n".into()));
    }

    #[test]
    fn a_scriptlet_that_nothing_could_run_is_refused() {
        for content in ["#!sh\n", "#!\necho\n", "#!/bin/sh\r\necho\r\n"] {
            let error = script_of("post", content.as_bytes()).unwrap_err();
            assert_eq!(error, MaintainerFileError::NoScriptletInterpreter { file: "post".into() }, "{content:?}");
        }
        let error = script_of("post", b"\xff").unwrap_err();
        assert_eq!(error, MaintainerFileError::ScriptletNotText { file: "post".into() });
    }

    #[test]
    fn an_interpreter_is_required_where_it_runs() {
        let script = RpmScript { program: vec!["/bin/bash".into(), "-e".into()], text: String::new() };
        let requires = requires_of(DependencyFlags::SCRIPT_POSTUN, &script);
        let flags = DependencyFlags::INTERP | DependencyFlags::SCRIPT_POSTUN;
        assert_eq!(requires[0], Dependency { name: "/bin/bash".into(), flags, version: String::new() });
        assert_eq!(requires[1].name, "rpmlib(ScriptletInterpreterArgs)");
    }
}
