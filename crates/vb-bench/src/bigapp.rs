//! The large application that is measured: its files are compiled into this program.
//!
//! `bigapp/` holds recipe, lock and requirements; nothing in them says where anything is fetched from.

use std::path::Path;

use fs_err as fs;

use crate::error::BenchError;

/// The recipe, below the workspace.
pub(crate) const RECIPE: &str = "recipes/bigapp.ncl";
/// What uv installs.
pub(crate) const REQUIREMENTS: &str = "recipes/apps/bigapp/requirements.txt";

const FILES: [(&str, &str); 6] = [
    (RECIPE, include_str!("../bigapp/bigapp.ncl")),
    ("recipes/bigapp.lock", include_str!("../bigapp/bigapp.lock")),
    (REQUIREMENTS, include_str!("../bigapp/apps/bigapp/requirements.txt")),
    ("recipes/apps/bigapp/bigapp/__init__.py", include_str!("../bigapp/apps/bigapp/bigapp/__init__.py")),
    ("recipes/apps/bigapp/bigapp/settings.py", include_str!("../bigapp/apps/bigapp/bigapp/settings.py")),
    ("recipes/apps/bigapp/bigapp/urls.py", include_str!("../bigapp/apps/bigapp/bigapp/urls.py")),
];

/// Adds the application to a workspace.
pub(crate) fn write_into(workspace: &Path) -> Result<(), BenchError> {
    for (path, text) in FILES {
        let target = workspace.join(path);
        fs::create_dir_all(target.parent().unwrap_or(workspace))?;
        fs::write(target, text)?;
    }
    Ok(())
}
