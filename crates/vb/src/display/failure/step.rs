//! How the failure of a pipeline's step is shown: its code, its details, and the line to add to the recipe.

use vb_build::StepError;

/// Returns the code of a failure.
pub(super) fn code(error: &StepError) -> &'static str {
    match error {
        StepError::NoFile { .. } => "vb::step::no_file",
        StepError::Ambiguous { .. } => "vb::step::ambiguous_file",
        StepError::NothingToDo { .. } => "vb::step::nothing_to_do",
        StepError::NoTool { .. } => "vb::step::no_tool",
        StepError::Undeclared { .. } => "vb::step::undeclared_input",
        StepError::NoVariable { .. } => "vb::step::no_variable",
        StepError::Outside { .. } => "vb::step::undeclared_output",
        StepError::Removed { .. } => "vb::step::removed",
        StepError::NotWritten { .. } => "vb::step::not_written",
        StepError::WrittenTwice { .. } => "vb::step::written_twice",
        StepError::NoMarker { .. } => "vb::step::no_marker",
        StepError::NotCollected { .. } => "vb::step::not_collected",
        StepError::StaticRoot { .. } => "vb::step::static_root",
        StepError::Report(_) => "vb::step::report",
    }
}

/// Returns what else there is to tell, a line each.
pub(super) fn details(error: &StepError) -> Vec<String> {
    match error {
        StepError::Ambiguous { found, .. } => found.iter().map(|path| format!("  {path}")).collect(),
        StepError::Outside { writer, others, .. } => {
            let writer = writer.iter().map(|writer| format!("  written by    {writer}"));
            writer.chain((*others > 0).then(|| format!("  and {others} more"))).collect()
        }
        StepError::NotCollected { root, .. } => vec![format!("  collected to  {root}")],
        _ => error.command().map(super::command_details).unwrap_or_default(),
    }
}

/// Returns what the user should do.
pub(super) fn help(error: &StepError) -> Option<String> {
    Some(match error {
        StepError::NoFile { similar: Some(similar), .. } => {
            format!("name a file that is there, such as `{similar}`, or let an earlier step write it")
        }
        StepError::NoFile { .. } => "name a file that is there, or let an earlier step write it".to_owned(),
        StepError::Ambiguous { .. } => "give as much of the path as tells the files apart".to_owned(),
        StepError::NothingToDo { .. } => {
            "take the step out of the pipeline, or say in `inputs` where they are".to_owned()
        }
        StepError::NoTool { tools } => {
            let mut packages: Vec<String> =
                tools.iter().map(|(_, packages)| format!("\"{}\"", packages.distribution)).collect();
            packages.dedup();
            let npm = tools.iter().find_map(|(_, packages)| packages.npm);
            let npm =
                npm.map(|npm| format!(", or the npm package `{npm}` to the `package-lock.json` that `npm` names"));
            format!("add {} to build_deps{}, then run `vb lock`", packages.join(" or "), npm.unwrap_or_default())
        }
        StepError::Undeclared { paths, .. } => {
            let quoted: Vec<String> = paths.iter().map(|path| format!("\"{path}\"")).collect();
            format!("add `inputs = [{}]` to the step in the recipe", quoted.join(", "))
        }
        StepError::NoVariable { name, .. } => {
            format!(
                "add `variables = {{ {name} = \"stub\" }}` to the step in the recipe; nothing of it reaches the package"
            )
        }
        StepError::Outside { path, writer: Some(writer), .. } => format!(
            "let the command write elsewhere, or add \"{path}\" to the step's `inputs` and `outputs` to change what `{writer}` wrote"
        ),
        StepError::Outside { path, .. } => {
            format!("add \"{path}\" to the step's `outputs`, or let the command write to /tmp")
        }
        StepError::Removed { .. } => "a step cannot take files out of the application: use `excludes`".to_owned(),
        StepError::NotWritten { .. } => "correct the step's `outputs`, or its command".to_owned(),
        StepError::WrittenTwice { .. } => {
            "let one of the two write the file elsewhere, or read what the other wrote".to_owned()
        }
        StepError::NoMarker { marker, .. } => {
            format!(
                "write `{marker}` where the version belongs, such as `style.css?v={marker}`, or name the step's `marker`"
            )
        }
        StepError::NotCollected { .. } => {
            "correct the names, which are below the static root, or add where the files are to the step's `inputs`"
                .to_owned()
        }
        StepError::StaticRoot { .. } => {
            "let `STATIC_ROOT` be a directory in the application's, such as `BASE_DIR / \"static\"`".to_owned()
        }
        StepError::Report(_) => return None,
    })
}
