//! How long a command takes to start in a sandbox over a root that is materialized.

use std::{path::Path, process::Command};

use crate::{
    Common,
    case::{Case, absent, find_program, interleave, observe, table},
    error::BenchError,
    machine,
    run::{Program, output_of},
    workspace::Copy,
};

const PEER: &str = "bwrap";

pub(crate) fn measure(common: &Common) -> Result<String, BenchError> {
    let program = Program::beside_this_one(&common.platform)?;
    let workspace = Copy::of_current_directory(Path::new("recipes/whois.ncl"))?;
    let header = machine::describe(&program)?;
    let store = workspace.store_with_files_of(&common.store)?;
    let root = output_of(&mut program.output(&workspace, &store, "root interpreter"))?;
    let shell = || program.shell(&workspace, &store, "unpack idna", &["true"]);
    observe(&mut shell())?;
    let mut cases = vec![
        Case::new("`true` on the machine", || Ok(()), || Command::new("true")),
        Case::new(
            "`vb --version`",
            || Ok(()),
            || {
                let mut command = program.command();
                command.arg("--version");
                command
            },
        ),
    ];
    if let Some(peer) = find_program(PEER) {
        let root = root.clone();
        cases.push(Case::new(
            "`bwrap` over the same root",
            || Ok(()),
            move || {
                let mut command = Command::new(&peer);
                command.args(["--ro-bind", &root, "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "true"]);
                command
            },
        ));
    }
    cases.push(Case::new("`vb shell … -- true`, with all that finds the action", || Ok(()), shell));
    let samples = interleave(&cases, if common.quick { 3 } else { 20 })?;
    Ok(format!("{header}\n{}{}", absent(&[PEER]), table(&cases, &samples)))
}
