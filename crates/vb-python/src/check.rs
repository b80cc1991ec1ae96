//! The import check: the command that runs in a sandbox, and what it reports.
//!
//! Every module of the application, every module that its sources import, and every top-level module of a distribution that
//! no other one requires is imported once, in a root that has only the run dependencies: those of one package in a process
//! of its own, with a limit of time.
//! Imports that the source itself treats as optional (`try: … except ImportError`, `if TYPE_CHECKING`, conditions on the
//! platform or the Python version) do not count, nor do those of tests. A Django project is set up with the settings that
//! its `manage.py` names; variables of the environment that these demand have a stub, because secrets are no part of a
//! build.

use std::fmt;

use serde::{Deserialize, Serialize};

const SCRIPT: &str = include_str!("import_check.py");

/// How many places of one failing import a message names.
const SHOWN_PLACES: usize = 3;

/// What the import check found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImportReport {
    /// How many different imports were tried.
    pub imports: usize,
    /// Those that failed, by module; without those that only pass on another failure.
    pub failures: Vec<ImportFailure>,
    /// Sources whose imports are not known; those that are modules are among the failures.
    pub unparsed: Vec<UnparsedSource>,
}

/// A source of the application that this Python cannot parse.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UnparsedSource {
    /// The source, relative to the application's directory.
    pub file: String,
    /// What the parser says.
    pub message: String,
}

/// One import that failed. Its `Display` is a sentence fragment for the user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImportFailure {
    /// The module.
    pub module: String,
    /// Where it is imported: `file:line`, relative to the application's directory; sorted. Where no line does, the file that it
    /// is, or `requirements` for a module of a distribution.
    pub needed_by: Vec<String>,
    /// The type of the exception, or `Crash`, `Exit` or `Timeout`.
    pub error: String,
    /// What the exception says.
    pub message: String,
    /// The shared library that the dynamic linker did not find.
    pub missing_library: Option<String>,
    /// The module that was not found: the module itself, or one that it imports.
    pub missing_module: Option<String>,
    /// The last line of the application that ran: `file:line`, relative to the application's directory.
    pub raised_at: Option<String>,
    /// The installed distribution that the module is of.
    pub distribution: Option<String>,
}

/// Why an import failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportCause<'a> {
    /// This shared library is in no package of the root.
    MissingLibrary(&'a str),
    /// This module is not in the environment.
    MissingModule(&'a str),
    /// The module is there, but does not have what is imported, or its import failed otherwise (`ImportError`).
    NotImportable,
    /// What is imported is no source of this Python.
    Syntax,
    /// The module's own code raised another exception.
    Raised,
    /// The module ended the interpreter.
    Exited,
    /// The import did not end.
    TimedOut,
    /// The interpreter crashed.
    Crashed,
}

/// The check's report is not what it writes.
#[derive(Debug, thiserror::Error)]
#[error("the import check's report cannot be read")]
pub struct ImportReportError(#[source] serde_json::Error);

impl ImportFailure {
    /// Returns why the import failed.
    pub fn cause(&self) -> ImportCause<'_> {
        match (self.error.as_str(), &self.missing_library, &self.missing_module) {
            ("Crash", ..) => ImportCause::Crashed,
            ("Timeout", ..) => ImportCause::TimedOut,
            ("Exit" | "SystemExit", ..) => ImportCause::Exited,
            (_, Some(library), _) => ImportCause::MissingLibrary(library),
            (_, _, Some(module)) => ImportCause::MissingModule(module),
            ("ImportError" | "ModuleNotFoundError", ..) => ImportCause::NotImportable,
            ("SyntaxError" | "IndentationError" | "TabError", ..) => ImportCause::Syntax,
            _ => ImportCause::Raised,
        }
    }
}

impl fmt::Display for ImportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` cannot be imported: ", self.module)?;
        match self.cause() {
            ImportCause::MissingLibrary(library) => write!(f, "the shared library `{library}` is missing"),
            ImportCause::MissingModule(module) if module == self.module => f.write_str("it is not in the environment"),
            ImportCause::MissingModule(module) => write!(f, "it needs `{module}`, which is not in the environment"),
            ImportCause::Exited => write!(f, "it ends the interpreter ({}: {})", self.error, self.message),
            ImportCause::TimedOut | ImportCause::Crashed => f.write_str(&self.message),
            ImportCause::NotImportable | ImportCause::Syntax | ImportCause::Raised => {
                write!(f, "{}: {}", self.error, self.message)
            }
        }?;
        if let (ImportCause::Raised | ImportCause::Exited, Some(place)) = (self.cause(), &self.raised_at) {
            write!(f, " at `{place}`")?;
        }
        let shown = &self.needed_by[..self.needed_by.len().min(SHOWN_PLACES)];
        let places: Vec<_> = shown.iter().map(|place| format!("`{place}`")).collect();
        write!(f, " (needed by {}", places.join(", "))?;
        match self.needed_by.len() - shown.len() {
            0 => f.write_str(")"),
            more => write!(f, " and {more} more)"),
        }
    }
}

/// What an import check does otherwise than usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportCheckOptions {
    /// Modules that are not imported, and nothing below them is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// How long the imports of one package may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// Returns the command line that checks the imports of the sources below `application` with the environment's interpreter
/// `python`, and writes its report to the file `report`. It fails only if the check itself cannot run.
pub fn import_check_command(
    python: &str,
    application: &str,
    report: &str,
    options: &ImportCheckOptions,
) -> Vec<String> {
    command_with_options([python, "-c", SCRIPT, application, report], options)
}

/// Adds options to a check's command, where there are any.
pub(crate) fn command_with_options(command: [&str; 5], options: &ImportCheckOptions) -> Vec<String> {
    let mut command: Vec<String> = command.map(str::to_owned).into();
    if *options != ImportCheckOptions::default() {
        command.push(serde_json::to_string(options).expect("options are plain data"));
    }
    command
}

/// Reads the content of the report file.
///
/// # Errors
/// The content is not what the check writes.
pub fn parse_import_report(report: &[u8]) -> Result<ImportReport, ImportReportError> {
    serde_json::from_slice(report).map_err(ImportReportError)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Checks an application of these files; its directory is on the module path, as an environment would have it.
    fn check(files: &[(&str, &str)]) -> ImportReport {
        check_with(files, &ImportCheckOptions::default())
    }

    fn check_with(files: &[(&str, &str)], options: &ImportCheckOptions) -> ImportReport {
        let dir = tempfile::tempdir().unwrap();
        let application = dir.path().join("application");
        for (name, text) in files {
            let path = application.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let report = dir.path().join("report.json");
        let command = import_check_command("python3", application.to_str().unwrap(), report.to_str().unwrap(), options);
        let output = Command::new(&command[0])
            .args(&command[1..])
            .env("PYTHONPATH", std::env::join_paths([&application, &dir.path().join("site")]).unwrap())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.stdout, output.stderr), (vec![], vec![]));
        parse_import_report(&fs_err::read(report).unwrap()).unwrap()
    }

    fn failures(files: &[(&str, &str)]) -> Vec<String> {
        check(files).failures.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_module_is_reported_with_all_places_that_need_it() {
        assert_eq!(
            failures(&[
                ("service/__init__.py", ""),
                ("service/main.py", "import json\nfrom . import store\nfrom .store import x\n"),
                ("service/store.py", "import absent_module\nx = 1\n"),
                ("service/views/__init__.py", "def view():\n    from absent_module.deep import y\n"),
            ]),
            [
                "`absent_module` cannot be imported: it is not in the environment (needed by `service/store.py:1`)",
                "`absent_module.deep` cannot be imported: it needs `absent_module`, which is not in the environment \
                 (needed by `service/views/__init__.py:2`)",
            ]
        );
    }

    #[test]
    fn optional_imports_and_tests_do_not_count() {
        let source = "
import os, sys
from typing import TYPE_CHECKING
import contextlib
try:
    import absent_a
except ImportError:
    try:
        import json
    except ImportError:
        import absent_b
try:
    import absent_c
except (ValueError, ModuleNotFoundError):
    absent_c = None
if TYPE_CHECKING:
    import absent_d
if sys.platform == 'win32' or os.name == 'nt' or sys.platform.startswith('cygwin'):
    import absent_e
elif sys.version_info < (3, 4):
    import absent_f
with contextlib.suppress(ImportError):
    import absent_g
if False:
    import absent_h
";
        let report = check(&[
            ("main.py", source),
            ("tests/test_main.py", "import absent_i\n"),
            ("test_other.py", "import absent_j\n"),
            ("conftest.py", "import absent_k\n"),
            ("setup.py", "import absent_l\n"),
            (".hidden/x.py", "import absent_m\n"),
        ]);
        assert_eq!(report.failures, []);
        // Of these, one is `main` itself.
        assert_eq!(report.imports, 5);
    }

    #[test]
    fn imports_that_are_not_optional_count_wherever_they_are() {
        let source = "
import sys
try:
    import absent_a
except ValueError:
    pass
else:
    import absent_b
if sys.argv:
    import absent_c
with open('/dev/null'):
    import absent_d
class C:
    async def f(self):
        import absent_e
";
        let modules: Vec<_> =
            check(&[("main.py", source)]).failures.into_iter().map(|failure| failure.module).collect();
        assert_eq!(modules, ["absent_a", "absent_b", "absent_c", "absent_d", "absent_e"]);
    }

    #[test]
    fn names_that_a_module_does_not_have_are_reported() {
        assert_eq!(
            failures(&[(
                "main.py",
                "from json import loads, absent_name\nfrom os import path\nfrom email import mime\n"
            )]),
            ["`json` cannot be imported: ImportError: cannot import name 'absent_name' from 'json' \
                 (needed by `main.py:1`)"]
        );
    }

    #[test]
    fn modules_that_exit_crash_or_raise_are_reported_by_name_and_the_rest_is_still_checked() {
        let report = check(&[
            ("main.py", "import a_crash, b_hard_exit, c_exit, d_raise, e_good, f_absent\n"),
            ("a_crash.py", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"),
            ("b_hard_exit.py", "import os\nos._exit(3)\n"),
            ("c_exit.py", "import sys\nprint('noise')\nsys.exit('no configuration')\n"),
            ("d_raise.py", "raise ValueError('bad setting')\n"),
            ("e_good.py", ""),
        ]);
        let found: Vec<_> = report.failures.iter().map(|failure| (failure.module.as_str(), failure.cause())).collect();
        assert_eq!(
            found,
            [
                ("a_crash", ImportCause::Crashed),
                ("b_hard_exit", ImportCause::Exited),
                ("c_exit", ImportCause::Exited),
                ("d_raise", ImportCause::Raised),
                ("f_absent", ImportCause::MissingModule("f_absent")),
            ]
        );
        let text: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
        assert_eq!(
            text[0],
            "`a_crash` cannot be imported: the interpreter was killed by SIGSEGV (needed by `main.py:1`)"
        );
        assert_eq!(
            text[2],
            "`c_exit` cannot be imported: it ends the interpreter (SystemExit: no configuration) at `c_exit.py:3` \
             (needed by `main.py:1`)"
        );
        assert_eq!(
            text[3],
            "`d_raise` cannot be imported: ValueError: bad setting at `d_raise.py:1` (needed by `main.py:1`)"
        );
    }

    #[test]
    fn what_is_skipped_is_not_imported_and_nothing_below_it_is() {
        let options = ImportCheckOptions { skip: vec!["absent.gpu".to_owned(), "gone".to_owned()], seconds: None };
        let files = [("a.py", "import absent.gpu.fast\nfrom absent import gpu, cpu\nimport gone\nimport goner\n")];
        let report = check_with(&files, &options);
        let modules: Vec<&str> = report.failures.iter().map(|failure| failure.module.as_str()).collect();
        assert_eq!(modules, ["absent", "goner"]);
    }

    #[test]
    fn an_import_that_takes_longer_than_it_may_is_told() {
        let options = ImportCheckOptions { skip: vec![], seconds: Some(1) };
        let report = check_with(&[("a.py", "import slow\n"), ("slow.py", "while True: pass\n")], &options);
        assert_eq!(report.failures[0].cause(), ImportCause::TimedOut);
        assert_eq!(report.failures[0].message, "its package's imports did not end within 1 seconds");
        let modules: Vec<&str> = report.failures.iter().map(|failure| failure.module.as_str()).collect();
        assert_eq!(modules, ["slow"]);
    }

    /// What is beside the application's directory in an environment.
    fn beside(name: &str) -> String {
        format!("../site/{name}")
    }

    #[test]
    fn what_hangs_crashes_or_changes_the_interpreter_harms_no_other_package_and_is_named() {
        let hides = "import signal, sys\nfor number in range(1, 65):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n    \
                     except (OSError, ValueError):\n        pass\nsys.path.clear()\nwhile True: pass\n";
        let packages = [
            ("closes.py", "import os\nos.closerange(0, 100)\n"),
            ("crashes/__init__.py", "import ctypes\nctypes.string_at(0)\n"),
            ("exits.py", "import os\nos._exit(0)\n"),
            ("fine.py", ""),
            ("forks.py", "import os, time\nif os.fork() == 0: time.sleep(600)\n"),
            ("hangs.py", hides),
            ("spoils.py", "import builtins, sys\nbuiltins.open = None\nsys.path.clear()\nsys.modules['fine'] = None\n"),
        ];
        let paths: Vec<String> = packages.iter().map(|(name, _)| beside(name)).collect();
        let mut files: Vec<(&str, &str)> =
            paths.iter().zip(packages).map(|(path, (_, text))| (path.as_str(), text)).collect();
        files.push(("app/__init__.py", ""));
        files.push(("app/all.py", "import closes, crashes, exits, fine, forks, hangs, spoils, zz_absent\n"));
        files.push(("app/other.py", "raise RuntimeError('of its own')\n"));
        let options = ImportCheckOptions { skip: vec![], seconds: Some(2) };
        let report = check_with(&files, &options);
        let found: Vec<_> = report.failures.iter().map(|failure| (failure.module.as_str(), failure.cause())).collect();
        assert_eq!(
            found,
            [
                ("app.other", ImportCause::Raised),
                ("closes", ImportCause::Exited),
                ("crashes", ImportCause::Crashed),
                ("exits", ImportCause::Exited),
                ("hangs", ImportCause::TimedOut),
                ("zz_absent", ImportCause::MissingModule("zz_absent")),
            ]
        );
        assert_eq!(
            report.failures[0].to_string(),
            "`app.other` cannot be imported: RuntimeError: of its own at `app/other.py:1` (needed by `app/other.py`)"
        );
    }

    #[test]
    fn distributions_that_no_other_one_requires_are_imported_though_no_source_does() {
        let distribution = |name: &str| {
            [beside(&format!("{name}-1.dist-info/METADATA")), beside(&format!("{name}-1.dist-info/RECORD"))]
        };
        let [first, second] = [distribution("first"), distribution("second")];
        let files = [
            (beside("one/__init__.py"), "raise ValueError('one')\n"),
            (beside("two.py"), "raise ValueError('two')\n"),
            (first[0].clone(), "Name: First\nVersion: 1\nRequires-Dist: Second[x] >=1; extra == 'y'\n"),
            (first[1].clone(), "one/__init__.py,,\none/more.py,,\ntests/__init__.py,,\n_own.py,,\n"),
            (second[0].clone(), "Name: second\nVersion: 1\n"),
            (second[1].clone(), "two.py,,\n"),
            ("app/__init__.py".to_owned(), ""),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert_eq!(failures(&files), ["`one` cannot be imported: ValueError: one (needed by `requirements`)"]);
    }

    #[test]
    fn scripts_are_read_and_not_imported_and_what_a_module_demands_has_a_stub() {
        let exit = "raise SystemExit(3)\n";
        let script = format!("#!/usr/bin/python3\n{exit}");
        let files = [
            ("run.py", script.as_str()),
            ("templates/page.py", exit),
            ("app/__main__.py", exit),
            ("app/__init__.py", "import os\nos.environ['SECRET'] + 'x'\n"),
        ];
        assert_eq!(failures(&files), Vec::<String>::new());
    }

    #[test]
    fn a_missing_shared_library_is_told_by_its_name() {
        let message = "libpq.so.5: cannot open shared object file: No such file or directory";
        let failure = check(&[
            ("main.py", "import database\nimport other\n"),
            ("other.py", "import database\n"),
            ("database.py", &format!("raise ImportError('{message}')\n")),
            ("database-2.0.dist-info/METADATA", "Name: Database\nVersion: 2.0\n"),
            ("database-2.0.dist-info/RECORD", "database.py,,\n"),
        ])
        .failures
        .remove(0);
        assert_eq!(failure.cause(), ImportCause::MissingLibrary("libpq.so.5"));
        assert_eq!(failure.distribution.as_deref(), Some("Database"));
        assert_eq!(
            failure.to_string(),
            "`database` cannot be imported: the shared library `libpq.so.5` is missing \
             (needed by `main.py:1`, `other.py:1`)"
        );
    }

    /// A Django of three lines: models of a project can be imported once its settings are.
    const DJANGO: [(&str, &str); 4] = [
        (
            "django/__init__.py",
            "import importlib, os\nready = False\ndef setup():\n    global ready\n    \
             importlib.import_module(os.environ['DJANGO_SETTINGS_MODULE'])\n    ready = True\n",
        ),
        (
            "django/db.py",
            "import django\nclass ImproperlyConfigured(Exception): pass\nif not django.ready:\n    raise \
             ImproperlyConfigured('settings are not configured')\n",
        ),
        ("manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_settings')\n"),
        ("a_model.py", "import django.db\n"),
    ];

    #[test]
    fn a_django_project_is_set_up_with_stubs_for_what_its_settings_demand() {
        let settings = "import os\nassert os.environ['SECRET'] and 'SECRET' not in os.environ\n\
                        assert os.environ.get('DEBUG') is None and os.environ.pop('X', 1) == 1\n";
        let mut files = DJANGO.to_vec();
        files.extend([("site_settings.py", settings), ("views.py", "import a_model\nimport b_exit\nimport z_model\n")]);
        files.extend([("b_exit.py", "import os\nos._exit(3)\n"), ("z_model.py", "import django.db\n")]);
        // The imports after the one that ends the interpreter are tried in a project that is set up, too.
        assert_eq!(
            failures(&files),
            ["`b_exit` cannot be imported: it ends the interpreter (Exit: the import ended the interpreter with exit \
              status 3) (needed by `views.py:2`)"]
        );
    }

    #[test]
    fn settings_that_fail_are_told_once() {
        let mut files = DJANGO.to_vec();
        files.extend([("site_settings.py", "raise ValueError('bad')\n"), ("views.py", "import a_model, absent\n")]);
        assert_eq!(
            failures(&files),
            [
                "`site_settings` cannot be imported: ValueError: bad at `site_settings.py:1` (needed by `manage.py:2`)",
                "`absent` cannot be imported: it is not in the environment (needed by `views.py:1`)"
            ]
        );
    }

    #[test]
    fn a_circle_of_failing_imports_is_not_lost() {
        let files = [("a.py", "from b import x\n"), ("b.py", "from a import y\n")];
        assert_eq!(check(&files).failures.len(), 2);
    }

    #[test]
    fn a_script_sees_the_modules_beside_it() {
        let files = [("bin/tool.py", "import beside\nimport absent\n"), ("bin/beside.py", "")];
        let modules: Vec<_> = check(&files).failures.into_iter().map(|failure| failure.module).collect();
        assert_eq!(modules, ["absent"]);
    }

    #[test]
    fn a_source_that_does_not_parse_is_listed_and_fails_where_it_is_a_module() {
        let files = [("main.py", "import notes\n"), ("notes.py", "x = (\n"), ("templates/page.py", "print 'two'\n")];
        let report = check(&files);
        assert_eq!(
            report.unparsed.iter().map(|source| source.file.as_str()).collect::<Vec<_>>(),
            [files[1].0, files[2].0]
        );
        let causes: Vec<_> = report.failures.iter().map(|failure| (failure.module.as_str(), failure.cause())).collect();
        assert_eq!(causes, [("notes", ImportCause::Syntax)]);
        assert!(report.failures[0].message.ends_with("(notes.py, line 1)"), "{}", report.failures[0]);
        let options = ImportCheckOptions { skip: vec!["notes".to_owned()], seconds: None };
        assert_eq!(check_with(&files, &options).failures, []);
    }

    #[test]
    fn many_places_are_shortened() {
        let files: Vec<_> = ["a.py", "b.py", "c.py", "d.py", "e.py"].map(|name| (name, "import absent\n")).into();
        assert_eq!(
            failures(&files),
            ["`absent` cannot be imported: it is not in the environment \
                 (needed by `a.py:1`, `b.py:1`, `c.py:1` and 2 more)"]
        );
    }
}
