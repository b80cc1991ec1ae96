//! What makes merged trees a virtual environment (PEP 405): the files beside those that wheels install.
//!
//! Nothing here depends on where or when the environment is made; the prefix is that of production.

use vb_graph::Environment;

use crate::{python2, wheel::Layout};

/// One file of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvironmentFile {
    /// A regular file.
    File {
        /// Its content.
        bytes: Vec<u8>,
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link with this target.
    Symlink(String),
}

/// Returns the files that an environment has beside the unpacked wheels, by path below the prefix; sorted by path.
///
/// `bin/python` leads to the interpreter's *versioned* command, so that another version of the distribution's Python never
/// comes to see `site-packages` that is not its own.
pub fn environment_files(environment: &Environment) -> Vec<(String, EnvironmentFile)> {
    let Environment { prefix, interpreter, module_paths, .. } = environment;
    if interpreter.is_python_2() {
        return python2::environment_files(environment);
    }
    let layout = Layout { prefix: prefix.clone(), library: interpreter.versioned_name() };
    let mut files = vec![
        ("bin/activate".to_owned(), text(&activate(prefix))),
        ("bin/python".to_owned(), EnvironmentFile::Symlink(target_of_python(prefix, &interpreter.command))),
        ("bin/python3".to_owned(), link_to_python()),
        (format!("bin/{}", interpreter.versioned_name()), link_to_python()),
        ("lib64".to_owned(), EnvironmentFile::Symlink("lib".to_owned())),
        ("pyvenv.cfg".to_owned(), text(&pyvenv_cfg(&interpreter.command, interpreter.python_version()))),
    ];
    if interpreter.version.starts_with("pypy") {
        let major = interpreter.version.split('.').next().unwrap_or_default();
        files.push((format!("bin/{major}"), link_to_python()));
    }
    if !module_paths.is_empty() {
        let paths: String = module_paths.iter().map(|path| format!("{path}\n")).collect();
        files.push((format!("{}/_vb_application.pth", layout.site_packages()), text(&paths)));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// An interpreter that is a part of the package is named from here (Debian Policy 10.5).
fn target_of_python(prefix: &str, command: &str) -> String {
    let inside = command.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
    inside.map_or_else(|| command.to_owned(), |inside| format!("../{inside}"))
}

pub(crate) fn text(text: &str) -> EnvironmentFile {
    EnvironmentFile::File { bytes: text.as_bytes().to_vec(), mode: 0o644 }
}

fn link_to_python() -> EnvironmentFile {
    EnvironmentFile::Symlink("python".to_owned())
}

fn pyvenv_cfg(command: &str, version: &str) -> String {
    let home = command.rsplit_once('/').map_or("", |(dir, _)| dir);
    format!("home = {home}\ninclude-system-site-packages = false\nversion = {version}\n")
}

/// Quotes a word for a POSIX shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

pub(crate) fn activate(prefix: &str) -> String {
    let name = quote(prefix.rsplit('/').next().unwrap_or(prefix));
    let prefix = quote(prefix);
    format!(
        r#"# Use with `. bin/activate` in a POSIX shell; `deactivate` undoes it.

deactivate () {{
    if [ -n "${{_OLD_VIRTUAL_PATH:-}}" ]; then
        PATH="$_OLD_VIRTUAL_PATH"
        export PATH
        unset _OLD_VIRTUAL_PATH
    fi
    if [ -n "${{_OLD_VIRTUAL_PYTHONHOME:-}}" ]; then
        PYTHONHOME="$_OLD_VIRTUAL_PYTHONHOME"
        export PYTHONHOME
        unset _OLD_VIRTUAL_PYTHONHOME
    fi
    if [ -n "${{_OLD_VIRTUAL_PS1+set}}" ]; then
        PS1="$_OLD_VIRTUAL_PS1"
        unset _OLD_VIRTUAL_PS1
    fi
    hash -r 2> /dev/null
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    if [ "${{1:-}}" != nondestructive ]; then
        unset -f deactivate
    fi
}}

deactivate nondestructive

VIRTUAL_ENV={prefix}
export VIRTUAL_ENV
VIRTUAL_ENV_PROMPT={name}
export VIRTUAL_ENV_PROMPT

_OLD_VIRTUAL_PATH="$PATH"
PATH="$VIRTUAL_ENV/bin:$PATH"
export PATH

if [ -n "${{PYTHONHOME:-}}" ]; then
    _OLD_VIRTUAL_PYTHONHOME="$PYTHONHOME"
    unset PYTHONHOME
fi

if [ -z "${{VIRTUAL_ENV_DISABLE_PROMPT:-}}" ]; then
    _OLD_VIRTUAL_PS1="${{PS1-}}"
    PS1="($VIRTUAL_ENV_PROMPT) ${{PS1-}}"
fi

hash -r 2> /dev/null
"#
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use vb_graph::InterpreterSpec;

    use super::*;

    fn environment(module_paths: &[&str]) -> Environment {
        Environment {
            prefix: "/vrmd/whois".into(),
            interpreter: InterpreterSpec { version: "3.11".into(), command: "/usr/bin/python3.11".into() },
            module_paths: module_paths.iter().map(|path| (*path).to_owned()).collect(),
            prune: vec![],
        }
    }

    fn show(files: &[(String, EnvironmentFile)]) -> String {
        let show = |(path, file): &(String, EnvironmentFile)| match file {
            EnvironmentFile::Symlink(target) => format!("{path} -> {target}\n"),
            EnvironmentFile::File { mode, .. } if path == "bin/activate" => format!("{path} {mode:o}\n"),
            EnvironmentFile::File { bytes, mode } => {
                format!("{path} {mode:o}\n{}", String::from_utf8(bytes.clone()).unwrap())
            }
        };
        files.iter().map(show).collect()
    }

    #[test]
    fn an_environment_is_these_files() {
        assert_eq!(
            show(&environment_files(&environment(&["/vrmd/whois/whois", "/vrmd/whois/whois/lib"]))),
            "bin/activate 644\n\
             bin/python -> /usr/bin/python3.11\n\
             bin/python3 -> python\n\
             bin/python3.11 -> python\n\
             lib/python3.11/site-packages/_vb_application.pth 644\n\
             /vrmd/whois/whois\n\
             /vrmd/whois/whois/lib\n\
             lib64 -> lib\n\
             pyvenv.cfg 644\n\
             home = /usr/bin\n\
             include-system-site-packages = false\n\
             version = 3.11\n"
        );
    }

    #[test]
    fn an_interpreter_of_the_package_itself_is_named_from_where_the_link_is() {
        assert_eq!(target_of_python("/vrmd/a", "/vrmd/a/python/bin/python3.13"), "../python/bin/python3.13");
        assert_eq!(target_of_python("/vrmd/a", "/vrmd/ab/bin/python3.13"), "/vrmd/ab/bin/python3.13");
    }

    #[test]
    fn an_environment_for_pypy_has_its_names() {
        let interpreter = InterpreterSpec { version: "pypy3.9".into(), command: "/usr/bin/pypy3.9".into() };
        let files = show(&environment_files(&Environment { interpreter, ..environment(&["/vrmd/whois/whois"]) }));
        let lines: Vec<&str> = files.lines().filter(|line| line.starts_with("bin/p") || line.contains('9')).collect();
        assert_eq!(
            lines,
            [
                "bin/pypy3 -> python",
                "bin/pypy3.9 -> python",
                "bin/python -> /usr/bin/pypy3.9",
                "bin/python3 -> python",
                "lib/pypy3.9/site-packages/_vb_application.pth 644",
                "version = 3.9",
            ]
        );
    }

    #[test]
    fn without_module_paths_there_is_no_pth_file() {
        assert!(!show(&environment_files(&environment(&[]))).contains(".pth"));
    }

    #[test]
    fn activating_and_deactivating_restores_the_shell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("activate");
        fs_err::write(&path, activate("/vrmd/it's")).unwrap();
        let script = r#"set -eu; PATH=/usr/bin:/bin; PS1=p; . "$1"; echo "$VIRTUAL_ENV|$PATH|$PS1"; deactivate; echo "${VIRTUAL_ENV-none}|$PATH|$PS1""#;
        let output = Command::new("sh").args(["-c", script, "sh"]).arg(&path).output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "/vrmd/it's|/vrmd/it's/bin:/usr/bin:/bin|(it's) p\nnone|/usr/bin:/bin|p\n"
        );
    }
}
