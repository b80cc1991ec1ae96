//! What to do about imports that fail.

use vb_python::{ImportCause, ImportFailure};

/// Says what to do about each kind of cause that is among the failures; `owners` are packages that have missing libraries.
pub(super) fn help(failures: &[ImportFailure], owners: &[(String, String)]) -> String {
    let has = |is: fn(ImportCause<'_>) -> bool| failures.iter().any(|failure| is(failure.cause()));
    let mut helps = Vec::new();
    if !owners.is_empty() {
        helps.push(super::libraries::add_packages(owners));
    } else if has(is_missing) {
        helps.push("add what is missing to the requirements or to run_deps, or delete the import".to_owned());
    }
    if has(|cause| cause == ImportCause::Syntax) {
        let help = "correct the source; if it is for another Python, name it in `import_check.skip` with the reason";
        helps.push(help.to_owned());
    }
    if has(|cause| !is_missing(cause) && cause != ImportCause::Syntax) {
        let help = "if a module needs what only a server has, name it in `import_check.skip` with the reason";
        helps.push(help.to_owned());
    }
    helps.join("; ")
}

fn is_missing(cause: ImportCause<'_>) -> bool {
    match cause {
        ImportCause::MissingLibrary(_) | ImportCause::MissingModule(_) | ImportCause::NotImportable => true,
        ImportCause::Syntax
        | ImportCause::Raised
        | ImportCause::Exited
        | ImportCause::TimedOut
        | ImportCause::Crashed => false,
    }
}
