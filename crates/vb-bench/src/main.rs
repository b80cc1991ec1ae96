//! Measures the `vb` program that lies beside this one, and prints the figures as Markdown for `docs/benchmarks.md`.
//!
//! Must not be here: any judgement. A figure that depends on the machine is no test.

mod error;
mod machine;
mod memory;
mod report;
mod run;
mod workspace;

use std::{io::Write, path::PathBuf};

use clap::Parser;

use crate::{
    error::BenchError,
    report::{Figures, actions_table, figures_table},
    run::Program,
    workspace::{Copy, Edit},
};

/// Measures the release build of vb in a copy of the workspace around the current directory.
#[derive(Debug, Parser)]
#[command(name = "vb-bench", version)]
struct Arguments {
    /// Few runs, to see that everything works.
    #[arg(long)]
    quick: bool,
    /// Measure a build that fetches everything, too.
    #[arg(long)]
    network: bool,
    /// The store that has what the recipe's lock names.
    #[arg(long, value_name = "DIR", default_value = "cache")]
    store: PathBuf,
    /// The platform that is built for.
    #[arg(long, value_name = "NAME", default_value = "bookworm")]
    platform: String,
    /// What is built.
    #[arg(value_name = "RECIPE", default_value = "recipes/whois.ncl")]
    recipe: PathBuf,
}

fn main() -> Result<(), BenchError> {
    let text = measure(&Arguments::parse())?;
    std::io::stdout().write_all(text.as_bytes()).map_err(BenchError::Io)
}

fn measure(arguments: &Arguments) -> Result<String, BenchError> {
    let program = Program::beside_this_one(&arguments.platform)?;
    let workspace = Copy::of_current_directory(&arguments.recipe)?;
    let header = machine::describe(&program)?;
    let (unchanged_runs, changed_runs) = if arguments.quick { (3, 1) } else { (20, 5) };

    let mut figures = Figures::default();
    if arguments.network {
        let run = program.build(&workspace, &workspace.empty_store()?)?;
        figures.add("cold build with fetching", &[run]);
    }
    let store = workspace.store_with_files_of(&arguments.store)?;
    let cold = program.build(&workspace, &store)?;
    let actions = actions_table(&cold.events);
    figures.add("cold build, everything fetched before", &[cold]);

    let mut unchanged = Vec::new();
    for _ in 0..unchanged_runs {
        unchanged.push(program.build(&workspace, &store)?);
    }
    figures.add("no-change build", &unchanged);

    for edit in Edit::ALL {
        let mut changed = Vec::new();
        for number in 0..changed_runs {
            if workspace.change_one_line(edit, number)? {
                changed.push(program.build(&workspace, &store)?);
            }
        }
        figures.add(edit.name(), &changed);
    }
    Ok(format!("{header}\n{}\nThe actions of the cold build:\n\n{actions}", figures_table(&figures)))
}
