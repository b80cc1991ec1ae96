//! How missing libraries are shown.

use vb_build::{LibrariesError, MissingLibrary};

/// Returns the code of an error.
pub(super) fn code(error: &LibrariesError) -> &'static str {
    match error {
        LibrariesError::Missing { .. } => "vb::libraries::missing",
        LibrariesError::Unknown { .. } => "vb::libraries::unknown",
        LibrariesError::Architecture { .. } => "vb::libraries::architecture",
        LibrariesError::Root(_) | LibrariesError::Report(_) => "vb::libraries::unreadable",
    }
}

/// Returns a line for each library.
pub(super) fn details(error: &LibrariesError) -> Vec<String> {
    match error {
        LibrariesError::Missing { missing: libraries, .. } | LibrariesError::Unknown { unknown: libraries } => {
            libraries.iter().map(line).collect()
        }
        _ => vec![],
    }
}

fn line(library: &MissingLibrary) -> String {
    let MissingLibrary { soname, file, others, distribution } = library;
    let of = distribution.as_ref().map(|distribution| format!(" of `{distribution}`")).unwrap_or_default();
    let more =
        if *others > 0 { format!(", and {} more", super::super::counted(*others, "file")) } else { String::new() };
    format!("  `{soname}` is needed by `{file}`{of}{more}")
}

/// Returns what to do.
pub(super) fn help(error: &LibrariesError) -> Option<String> {
    Some(match error {
        LibrariesError::Missing { owners, .. } if !owners.is_empty() => add_packages(owners),
        LibrariesError::Missing { .. } => {
            "add the packages that have them to run_deps, then run `vb lock`; name those that only optional code needs in `missing_libraries`".to_owned()
        }
        LibrariesError::Unknown { .. } => {
            "set `run_deps_auto = false`, and name the packages that have them in run_deps".to_owned()
        }
        LibrariesError::Architecture { .. } => "mend `architecture` in the platform's file".to_owned(),
        LibrariesError::Root(_) | LibrariesError::Report(_) => return None,
    })
}

/// Says which packages of the build's roots to add.
pub(super) fn add_packages(owners: &[(String, String)]) -> String {
    let add = |(library, package): &(String, String)| format!("add \"{package}\" to run_deps (it has {library})");
    let adds: Vec<String> = owners.iter().map(add).collect();
    format!("{}, then run `vb lock`", adds.join("; "))
}
