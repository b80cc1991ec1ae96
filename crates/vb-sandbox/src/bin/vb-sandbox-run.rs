//! A caller for the tests, to be started as another user, killed, or put in front of a terminal.
//!
//! `vb-sandbox-run HELPER SPEC LOG` runs the spec in a JSON file and prints how it ended as one line of JSON: `{"Ok":OUTCOME}`
//! or `{"Err":MESSAGE}`. With `-` as the log, the command has this program's own standard streams.

use std::error::Error;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

use vb_sandbox::{Helper, Outcome, Spec, Stdio, run};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [helper, spec, log] = args.as_slice() else {
        return Err("usage: vb-sandbox-run HELPER SPEC LOG".into());
    };
    let outcome = run_spec(helper, spec, log).map_err(|error| describe(error.as_ref()));
    writeln!(io::stdout(), "{}", serde_json::to_string(&outcome)?)?;
    Ok(())
}

fn run_spec(helper: &str, spec: &str, log: &str) -> Result<Outcome, Box<dyn Error>> {
    let helper = Helper { program: helper.into(), args: Vec::new() };
    let spec: Spec = serde_json::from_str(&fs_err::read_to_string(spec)?)?;
    let stdio = match log {
        "-" => Stdio::Inherit,
        path => Stdio::Log(fs_err::File::create(path)?.into_parts().0),
    };
    Ok(run(&helper, &spec, stdio, &AtomicBool::new(false))?)
}

fn describe(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}
