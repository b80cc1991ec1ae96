//! The check of the interpreter before anything is unpacked: what is wrong with it is told there, not by an import that
//! fails.
//!
//! dpkg runs a `preinst` before what the package depends on is there, so a missing interpreter counts only where dpkg
//! says that its packages are set up. rpm has the interpreter there before `%pre`, which is required of it.

use vb_graph::{Format, NeededInterpreter, PackageSpec, ScriptPolicy};

use super::shell_word;
use crate::{
    maintainer::{MaintainerFiles, ScriptName},
    rpm::{RpmScript, ScriptletName},
};

const WHY: &str = "# The interpreter that everything in the package is made for.\n";

/// Puts the check to the beginning of what runs first. A hand-written script of another language, or one that takes the
/// place of made ones, stays as it is.
pub(super) fn add(spec: &PackageSpec, interpreter: &NeededInterpreter, maintainer: &mut MaintainerFiles) {
    match spec.format {
        Format::Deb => add_debian(spec, interpreter, maintainer),
        Format::Rpm => add_rpm(spec, interpreter, maintainer),
        Format::Tar => {}
    }
}

fn add_debian(spec: &PackageSpec, interpreter: &NeededInterpreter, maintainer: &mut MaintainerFiles) {
    let block = text(spec, interpreter, include_str!("shell/interpreter_deb.sh"));
    let script = match maintainer.scripts.get(&ScriptName::Preinst) {
        None => format!("#!/bin/sh\nset -e\n\n{block}\nexit 0\n").into_bytes(),
        Some(_) if spec.lifecycle.scripts == ScriptPolicy::Replace => return,
        Some(written) => {
            let Some((first, rest)) = super::merge::shell_script(written) else { return };
            // The check is for itself, whether or not the script stops at the first error.
            let block = block.replace("vb_check_interpreter ;;", "vb_check_interpreter || exit 1 ;;");
            format!("{first}\n{block}\n{rest}").into_bytes()
        }
    };
    maintainer.scripts.insert(ScriptName::Preinst, script);
}

fn add_rpm(spec: &PackageSpec, interpreter: &NeededInterpreter, maintainer: &mut MaintainerFiles) {
    let block = text(spec, interpreter, include_str!("shell/interpreter_rpm.sh"));
    let script = match maintainer.scriptlets.get(&ScriptletName::Pre) {
        None => RpmScript { program: vec!["/bin/sh".to_owned()], text: block },
        Some(_) if spec.lifecycle.scripts == ScriptPolicy::Replace => return,
        Some(written) if written.program.first().is_some_and(|program| super::merge::is_shell(program)) => {
            RpmScript { program: written.program.clone(), text: format!("{block}\n{}", written.text) }
        }
        Some(_) => return,
    };
    maintainer.scriptlets.insert(ScriptletName::Pre, script);
}

fn text(spec: &PackageSpec, interpreter: &NeededInterpreter, check: &str) -> String {
    let name = |relation: &String| relation.split([' ', ':', '|']).next().unwrap_or(relation).to_owned();
    let needed: Vec<String> = interpreter.depends.iter().map(|relation| shell_word(&name(relation))).collect();
    format!("{WHY}{}\n{check}", include_str!("shell/interpreter.sh"))
        .replace("@PACKAGE@", &spec.name)
        .replace("@COMMAND@", &shell_word(&interpreter.command))
        .replace("@VERSION@", &interpreter.version)
        .replace("@NEEDED@", &needed.join(" "))
}
