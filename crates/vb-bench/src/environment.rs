//! The environment of a large application from fetched wheels, beside uv from its warm cache.

use std::process::Command;

use crate::{
    Common,
    bigapp::{RECIPE, REQUIREMENTS},
    case::{Case, absent, find_program, interleave, observe, table},
    error::BenchError,
    machine,
    run::{Program, output_of},
    workspace::Copy,
};

const PEER: &str = "uv";

pub(crate) fn measure(common: &Common) -> Result<String, BenchError> {
    let program = Program::beside_this_one(&common.platform)?;
    let workspace = Copy::of_current_directory_with_bigapp()?;
    let header = machine::describe(&program)?;
    let fetched = workspace.store_with_links_of(&common.store)?;
    // What is not fetched yet is fetched here, and the root is made.
    let whole = workspace.empty_store()?;
    workspace.copy_store_into(&fetched, &whole)?;
    observe(&mut program.output(&workspace, &whole, "environment"))?;
    let seed = workspace.store_with_files_of(&whole)?;
    observe(&mut program.output(&workspace, &seed, "root interpreter"))?;

    let [store, unpacked, target] = ["store", "unpacked", "venv"].map(|name| workspace.root().join(name));
    let peer = find_program(PEER).unwrap_or_default();
    let venv = || {
        workspace.set_aside(&target)?;
        output_of(Command::new(&peer).args(["venv", "--quiet"]).arg(&target)).map(drop)
    };
    let install = || {
        let mut command = Command::new(&peer);
        command.args(["pip", "install", "--quiet", "--no-deps", "--compile-bytecode", "--python"]);
        command.arg(target.join("bin/python")).arg("-r").arg(workspace.root().join(REQUIREMENTS));
        command
    };
    let mut cases = Vec::new();
    if peer.is_file() {
        // Once, so that its cache is warm.
        venv()?;
        observe(&mut install())?;
        cases.push(Case::new("uv pip install --compile-bytecode, warm cache", venv, install));
    }
    cases.push(Case::new(
        "vb, fetched wheels",
        || {
            workspace.set_aside(&store)?;
            workspace.copy_store_into(&seed, &store)
        },
        || program.output(&workspace, &store, "environment"),
    ));
    workspace.copy_store_into(&whole, &unpacked)?;
    cases.push(Case::new(
        "vb, every wheel unpacked before",
        || workspace.forget(&unpacked, &format!("bigapp {} environment", common.platform)),
        || program.output(&workspace, &unpacked, "environment"),
    ));
    let samples = interleave(&cases, if common.quick { 1 } else { 5 })?;
    Ok(format!("{header}\nRecipe: `{RECIPE}`.\n\n{}{}", absent(&[PEER]), table(&cases, &samples)))
}
