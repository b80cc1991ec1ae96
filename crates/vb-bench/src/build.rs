//! Builds of one recipe: cold, with nothing changed, with one line changed.

use crate::{
    Common,
    case::{Case, interleave, remove, table},
    error::BenchError,
    machine,
    report::{Figures, actions_table, edits_table, executed, figures_table},
    run::Program,
    workspace::{Copy, Edit},
};

/// What is built.
#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// Measure a build that fetches everything, too.
    #[arg(long)]
    network: bool,
    /// What is built.
    #[arg(value_name = "RECIPE", default_value = "recipes/whois.ncl")]
    recipe: std::path::PathBuf,
}

impl Build {
    pub(crate) fn measure(&self, common: &Common) -> Result<String, BenchError> {
        let program = Program::beside_this_one(&common.platform)?;
        let workspace = Copy::of_current_directory(&self.recipe)?;
        let header = machine::describe(&program)?;
        let (unchanged_runs, changed_runs) = if common.quick { (3, 1) } else { (20, 5) };

        let mut figures = Figures::default();
        if self.network {
            let run = program.build(&workspace, &workspace.empty_store()?)?;
            figures.add("cold build with fetching", &[run]);
        }
        let store = workspace.store_with_files_of(&common.store)?;
        let cold = program.build(&workspace, &store)?;
        let actions = actions_table(&cold.events);
        figures.add("cold build, everything fetched before", &[cold]);

        let mut unchanged = Vec::new();
        for _ in 0..unchanged_runs {
            unchanged.push(program.build(&workspace, &store)?);
        }
        figures.add("no-change build", &unchanged);

        let mut edited = Vec::new();
        for edit in Edit::ALL {
            let mut changed = Vec::new();
            for number in 0..changed_runs {
                if workspace.change_one_line(edit, number)? {
                    changed.push(program.build(&workspace, &store)?);
                }
            }
            figures.add(edit.name(), &changed);
            edited.extend(changed.last().map(|run| (edit.name(), executed(&run.events))));
        }
        let (figures, edits) = (figures_table(&figures), edits_table(&edited));
        Ok(format!(
            "{header}\n{figures}\nWhat an edit executes:\n\n{edits}\nThe actions of the cold build:\n\n{actions}"
        ))
    }
}

/// The platforms of the example.
const PLATFORMS: [&str; 2] = ["bookworm", "trixie"];

/// Builds the example cold for each platform alone, and for both at once.
pub(crate) fn measure_platforms(common: &Common) -> Result<String, BenchError> {
    let programs = PLATFORMS.map(Program::beside_this_one).into_iter().collect::<Result<Vec<_>, _>>()?;
    let workspace = Copy::of_current_directory(std::path::Path::new("recipes/whois.ncl"))?;
    let header = machine::describe(&programs[0])?;
    let fetched = workspace.store_with_files_of(&common.store)?;
    let store = workspace.root().join("store");
    let fresh = || {
        remove(&store)?;
        workspace.copy_store_into(&fetched, &store)
    };
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (program, platform) in programs.iter().zip(PLATFORMS) {
        cases.push(Case::new(platform, fresh, || program.build_command(&workspace, &store)));
    }
    let all = &programs[0];
    cases.push(Case::new("both at once", fresh, || {
        let mut command = all.build_command(&workspace, &store);
        command.args(["--platform", PLATFORMS[1]]);
        command
    }));
    let samples = interleave(&cases, if common.quick { 1 } else { 3 })?;
    Ok(format!("{header}\n{}", table(&cases, &samples)))
}
