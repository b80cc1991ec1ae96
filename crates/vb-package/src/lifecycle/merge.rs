//! Putting a made script into one that is written by hand, where its marker stands.

use super::LifecycleError;
use crate::rpm::RpmScript;

/// Where the made script goes; the second is debhelper's, which many a script has already.
const MARKERS: [&str; 2] = ["#VB#", "#DEBHELPER#"];

/// Merges into a maintainer script.
pub(super) fn into_debian(written: &[u8], block: &str, file: &str) -> Result<Vec<u8>, LifecycleError> {
    let not_shell = || LifecycleError::NotShell { file: file.to_owned() };
    let text = str::from_utf8(written).map_err(|_| not_shell())?;
    let first = text.lines().next().unwrap_or_default();
    let interpreter = first.trim_start_matches("#!").split_whitespace().next().unwrap_or_default();
    if !is_shell(interpreter) {
        return Err(not_shell());
    }
    merged(text, block, file).map(String::into_bytes)
}

/// Merges into a `preinst`, which only looks: without a marker at the beginning, and into one of another language not.
pub(super) fn into_preinst(written: &[u8], block: &str) -> Vec<u8> {
    if let Ok(merged) = into_debian(written, block, "debian/preinst") {
        return merged;
    }
    match shell_script(written) {
        Some((first, rest)) => format!("{first}\n{block}\n{rest}").into_bytes(),
        None => written.to_owned(),
    }
}

/// Divides a script behind its first line, if a shell is what that names.
pub(super) fn shell_script(script: &[u8]) -> Option<(&str, &str)> {
    let (first, rest) = str::from_utf8(script).ok()?.split_once('\n')?;
    let interpreter = first.strip_prefix("#!")?.split_whitespace().next()?;
    is_shell(interpreter).then_some((first, rest))
}

/// Merges into a scriptlet.
pub(super) fn into_rpm(written: &RpmScript, block: &str, file: &str) -> Result<RpmScript, LifecycleError> {
    if !written.program.first().is_some_and(|program| is_shell(program)) {
        return Err(LifecycleError::NotShell { file: file.to_owned() });
    }
    Ok(RpmScript { program: written.program.clone(), text: merged(&written.text, block, file)? })
}

pub(super) fn is_shell(interpreter: &str) -> bool {
    ["sh", "bash", "dash"].contains(&interpreter.rsplit('/').next().unwrap_or_default())
}

fn merged(text: &str, block: &str, file: &str) -> Result<String, LifecycleError> {
    let mut is_found = false;
    let mut merged = String::new();
    for line in text.split_inclusive('\n') {
        if !is_found && MARKERS.contains(&line.trim()) {
            is_found = true;
            merged += block;
        } else {
            merged += line;
        }
    }
    if is_found { Ok(merged) } else { Err(LifecycleError::NoMarker { file: file.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_script_stands_where_its_marker_stood() {
        let written = b"#!/bin/sh\nset -e\n#DEBHELPER#\necho mine\n";
        let merged = into_debian(written, "made\n", "debian/postinst").unwrap();
        assert_eq!(merged, b"#!/bin/sh\nset -e\nmade\necho mine\n");
    }

    #[test]
    fn a_preinst_needs_no_marker() {
        let merged = |written: &[u8]| String::from_utf8(into_preinst(written, "made\n")).unwrap();
        assert_eq!(merged(b"#!/bin/sh\necho mine\n#VB#\n"), "#!/bin/sh\necho mine\nmade\n");
        assert_eq!(merged(b"#!/bin/sh\necho mine\n"), "#!/bin/sh\nmade\n\necho mine\n");
        assert_eq!(merged(b"#!/usr/bin/perl\n#VB#\n"), "#!/usr/bin/perl\n#VB#\n");
    }

    #[test]
    fn a_script_without_a_marker_or_of_another_language_is_refused() {
        let message = |written: &[u8]| into_debian(written, "made\n", "debian/prerm").unwrap_err().to_string();
        assert!(message(b"#!/bin/sh\nexit 0\n").starts_with("`debian/prerm` has no line `#VB#`"));
        assert!(message(b"#!/usr/bin/perl\n#VB#\n").starts_with("`debian/prerm` is no script of a shell"));
        assert!(message(b"\xff").starts_with("`debian/prerm` is no script of a shell"));
    }
}
