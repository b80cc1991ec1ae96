//! Hand-written scripts that stop a service in an upgrade and leave it so: found by reading, and only warned about.
//!
//! A shell script can do anything in any way, so this knows the usual commands and the usual ways to tell a removal from
//! an upgrade, and says nothing where it is not sure.

use std::{fmt, path::Path};

use fs_err as fs;

use crate::{position::Evaluated, recipe::Recipe, service::Scripts};

/// Programs that stop and start services.
const PROGRAMS: [&str; 6] = ["systemctl", "deb-systemd-invoke", "sv", "supervisorctl", "service", "invoke-rc.d"];
const STOPPING: [&str; 7] = ["stop", "down", "force-stop", "shutdown", "force-shutdown", "kill", "exit"];
const STARTING: [&str; 7] = ["start", "restart", "try-restart", "force-restart", "up", "reload-or-restart", "update"];
const MARKERS: [&str; 2] = ["#VB#", "#DEBHELPER#"];

/// Scripts that run in an upgrade, with those that run after it.
const PAIRS: [(&str, &[&str]); 4] = [
    ("debian/prerm", &["debian/postinst"]),
    ("debian/preinst", &["debian/postinst"]),
    ("rpm/pre", &["rpm/post", "rpm/posttrans"]),
    ("rpm/preun", &["rpm/post", "rpm/posttrans", "rpm/postun"]),
];

/// A line of a script stops a service in an upgrade, and no script starts it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedService {
    /// The script, relative to the source.
    pub file: String,
    /// The number of the line, counted from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl fmt::Display for StoppedService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, text } = self;
        write!(f, "{file}:{line} stops a service in an upgrade, and nothing starts it again: `{text}`")
    }
}

/// Finds such lines in the source of a recipe that has services.
pub fn stopped_services(recipe: &Evaluated<Recipe>) -> Vec<StoppedService> {
    if recipe.value.services.is_empty() {
        return vec![];
    }
    let (source, scripts) = (recipe.source_dir(), recipe.value.scripts);
    let mut found = Vec::new();
    for (name, after) in PAIRS {
        let Some((file, text)) = read(&source, name) else { continue };
        let is_started = after.iter().filter_map(|name| read(&source, name)).any(|(_, text)| starts(&text));
        if !is_started {
            let stops = stops(&text, scripts);
            found.extend(stops.map(|(line, text)| StoppedService { file: file.clone(), line, text: text.to_owned() }));
        }
    }
    found
}

fn read(source: &Path, name: &str) -> Option<(String, String)> {
    let names = [name.to_owned(), format!("{name}.sh")];
    names.into_iter().find_map(|name| Some((name.clone(), fs::read_to_string(source.join(&name)).ok()?)))
}

fn starts(text: &str) -> bool {
    text.lines().any(|line| commands(line, &STARTING))
}

/// Returns the lines that stop a service in an upgrade, unless what vb puts into the script has seen it run before.
fn stops(text: &str, scripts: Scripts) -> impl Iterator<Item = (usize, &str)> {
    let mut is_reached = true;
    let mut is_remembered = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let line = line.trim();
        is_remembered |= scripts == Scripts::Merge && MARKERS.contains(&line);
        if let Some(reached) = reached_in_upgrade(line) {
            is_reached = reached;
        }
        (is_reached && !is_remembered && commands(line, &STOPPING)).then_some((index + 1, line))
    })
}

/// Says whether what follows a line runs in an upgrade, where the line tells.
fn reached_in_upgrade(line: &str) -> Option<bool> {
    if ["esac", "fi", ";;"].contains(&line) {
        return Some(true);
    }
    if let Some(pattern) = line.split_once(')').map(|(pattern, _)| pattern.trim().trim_start_matches('('))
        && pattern.split('|').all(|word| !word.trim().is_empty() && !word.trim().contains([' ', '(', '$']))
    {
        return Some(pattern.split('|').any(|word| ["upgrade", "*", "1", "2"].contains(&word.trim())));
    }
    let is_test = line.starts_with("if ") || line.starts_with('[');
    let of_removal = ["= remove", "= \"remove\"", "-eq 0", "-lt 1", "= 0", "== 0", "= \"0\""];
    (is_test && line.contains("$1") && of_removal.iter().any(|test| line.contains(test))).then_some(false)
}

fn commands(line: &str, verbs: &[&str]) -> bool {
    let code = line.split(" #").next().unwrap_or_default();
    if code.starts_with('#') {
        return false;
    }
    let mut words = code.split(|char: char| char.is_whitespace() || "\"';&|".contains(char));
    words.any(|word| PROGRAMS.contains(&word.rsplit('/').next().unwrap_or_default()))
        && words.any(|word| verbs.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, scripts: Scripts) -> Vec<usize> {
        stops(text, scripts).map(|(line, _)| line).collect()
    }

    #[test]
    fn a_stop_that_an_upgrade_reaches_is_found_with_its_line() {
        for (text, expect) in [
            ("#!/bin/sh\nsystemctl stop whois\n", vec![2]),
            ("case \"$1\" in\nupgrade|remove)\n/usr/bin/sv down whois\n;;\nesac\n", vec![3]),
            ("case \"$1\" in\nremove)\nsv down whois\n;;\nesac\n", vec![]),
            ("if [ \"$1\" = remove ]; then\nservice whois stop\nfi\nsupervisorctl stop whois\n", vec![4]),
            ("if [ $1 -eq 0 ]; then\n  systemctl stop whois || true\nfi\n", vec![]),
            ("# systemctl stop whois\necho stop\n", vec![]),
        ] {
            assert_eq!(lines(text, Scripts::Merge), expect, "{text}");
        }
    }

    #[test]
    fn a_stop_behind_the_marker_is_mended_by_what_stands_there() {
        let text = "#!/bin/sh\n#VB#\nsystemctl stop whois\n";
        assert_eq!(lines(text, Scripts::Merge), Vec::<usize>::new());
        assert_eq!(lines(text, Scripts::Replace), [3]);
    }
}
