//! `vb platform`: the platforms of a workspace, what their files say, and whether they can be built for.

mod check;
mod show;

use vb_recipe::{Evaluated, Loader, Platform};

use crate::{
    arguments::{Common, Platform as Command, Selection},
    display,
    exit::Exit,
    fatal::Fatal,
    session::{loader_and_store, recipe_errors, unknown_platform, workspace_root},
};

/// Runs the command.
pub(crate) fn run(common: &Common, command: &Command) -> Result<Exit, Fatal> {
    let root = workspace_root(&Selection { recipes: vec![], all: true, platform: vec![], format: vec![] })?;
    let (loader, store) = loader_and_store(common, &root)?;
    match command {
        Command::List => list(&loader),
        Command::Show { name } => show::run(&loader, name),
        Command::Check { names } => check::run(common, &loader, store?, names),
    }
}

/// Loads one platform that the command line names.
fn load(loader: &Loader, name: &str) -> Result<Evaluated<Platform>, Fatal> {
    let names = loader.platform_names().map_err(recipe_errors)?;
    if !names.iter().any(|known| known == name) {
        return Err(unknown_platform(name, names.iter().map(String::as_str)));
    }
    loader.platform(name).map_err(recipe_errors)
}

fn list(loader: &Loader) -> Result<Exit, Fatal> {
    let platforms = loader.platforms().map_err(recipe_errors)?;
    let header = ["name", "family", "release", "arch", "pythons", "glibc", "formats"].map(str::to_owned);
    let rows = platforms.loaded().map(|platform| row(&platform.value));
    display::lines(&aligned(std::iter::once(header).chain(rows)));
    Ok(Exit::Success)
}

fn row(platform: &Platform) -> [String; 7] {
    [
        platform.name.clone(),
        platform.family.format().to_string(),
        release(platform),
        platform.architecture.clone(),
        platform.python_versions().join(" "),
        platform.glibc.clone(),
        platform.output.formats.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    ]
}

fn release(platform: &Platform) -> String {
    let distribution = platform.distribution.as_deref().unwrap_or(&platform.codename);
    format!("{distribution} {}", platform.version)
}

/// Makes columns as wide as what is in them.
fn aligned<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Vec<String> {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
