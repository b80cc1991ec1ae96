//! Checks of the Python indexes that a workspace binds to names.

use crate::{
    diagnostic::{Code, RecipeDiagnostic},
    position::Evaluated,
    workspace::{PythonIndex, Workspace},
};

pub(super) fn check(workspace: &Evaluated<Workspace>) -> Vec<RecipeDiagnostic> {
    let indexes = &workspace.value.indexes;
    let mut diagnostics = Vec::new();
    for (position, index) in indexes.iter().enumerate() {
        let field = format!("indexes[{position}]");
        let at =
            |message: String, field: &str| RecipeDiagnostic::at_field(Code::PythonIndex, message, workspace, field);
        if indexes[..position].iter().any(|earlier| earlier.name == index.name) {
            let message = format!("there are two indexes `{}`", index.name);
            diagnostics.push(at(message, &format!("{field}.name")).help("give each a name of its own"));
        }
        if index.packages.is_empty() {
            let message = format!("nothing is bound to the index `{}`", index.name);
            diagnostics.push(at(message, &field).help("name what comes from it in `packages`: `[\"acme-*\"]`"));
        }
        if index.url.is_some() && index.directory.is_some() {
            let message = format!("the index `{}` has an address and a directory", index.name);
            diagnostics.push(at(message, &format!("{field}.directory")).help("leave out one of them"));
        }
        if has_password(index) {
            // Its line is not shown, because the password is in it.
            let message = format!("the address of the index `{}` in the workspace file has a password", index.name);
            diagnostics.push(
                RecipeDiagnostic::new(Code::PythonIndex, message)
                    .help("take it out, and give it in the environment, in `~/.netrc` or in the keyring"),
            );
        }
    }
    diagnostics
}

fn has_password(index: &PythonIndex) -> bool {
    let authority = index.url.as_deref().and_then(|url| url.split_once("://")?.1.split(['/', '?', '#']).next());
    let login = authority.and_then(|authority| Some(authority.rsplit_once('@')?.0));
    login.is_some_and(|login| login.contains(':'))
}
