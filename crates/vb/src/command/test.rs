//! `vb test`: packages where they are installed, as cached actions.

use std::time::Instant;

use vb_build::OnFailure;
use vb_graph::{Kind, Machine};

use super::{
    build::{exit_of, missing_header, place_of, shell_command},
    doctor::no_machine,
    offline::Wanted,
};
use crate::{
    arguments::{Common, Selection},
    display::{self, Display, LockedFrom, Surroundings},
    exit::Exit,
    fatal::Fatal,
    machine::helper,
    workbench::Workbench,
};

/// Runs the command. What can be tested is, whatever fails beside it.
pub(crate) fn run(common: &Common, selection: &Selection) -> Result<Exit, Fatal> {
    let begun = Instant::now();
    let bench = Workbench::of(common, selection, true)?;
    if bench.tests.is_empty() {
        return Err(Fatal::message(
            Exit::Usage,
            "vb::test::nothing",
            "nothing that is selected is installed by a package manager".to_owned(),
            "choose a recipe, a platform or a format that has a `.deb` or an `.rpm`",
        ));
    }
    let wanted = Wanted { builder: &bench.builder, graph: &bench.graph, goals: &bench.tests, fetch: "vb fetch" };
    if common.offline {
        wanted.check_before()?;
    }
    let display = Display::new(common.json);
    let cancel = crate::command::interrupt_flag();
    let report =
        bench.builder.build(&bench.graph, &bench.tests, OnFailure::KeepGoing, cancel, &|event| display.event(event));
    display.finish();
    wanted.check_after(&report)?;
    let surroundings = Surroundings {
        shell: &|label| Some(shell_command(&bench.session, label)),
        locked: &|sha256| LockedFrom::find(&bench.session, sha256),
        place: &|label, field| place_of(&bench.session, label, field),
        missing: &|label, failure| missing_header(&bench, label, failure),
    };
    display::failures(&bench.graph, &report, &surroundings);
    let passed = bench.tests.iter().zip(&report.outputs).filter(|(_, output)| output.is_some());
    if !common.json {
        let lines: Vec<String> =
            passed.clone().map(|(test, _)| format!("passed  {}", bench.graph.provenance(*test).label)).collect();
        display::lines(&lines);
    }
    if is_pretended(&bench)
        && let Err(refusal) = vb_sandbox::probe_machine(&helper())
    {
        display::warn(&no_machine(&refusal));
    }
    display.test_summary(passed.count(), &report, begun.elapsed());
    Ok(exit_of(&report))
}

/// Is there a service, and no machine for it?
fn is_pretended(bench: &Workbench) -> bool {
    bench.tests.iter().any(|test| match &bench.graph.action(*test).kind {
        Kind::Test(test) => !test.services.is_empty() && test.machine == Machine::Sandbox,
        _ => false,
    })
}
