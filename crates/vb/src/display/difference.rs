//! How two packages differ, for people: `+` came, `-` went, `~` has changed.

use std::collections::BTreeMap;

use similar::{ChangeTag, TextDiff};
use vb_package::{Change, FileFacts, Identity, PackageDiff, PathKind};

use super::{counted, size};

/// How many unchanged lines are shown around a changed one.
const CONTEXT: usize = 1;

/// Shows a difference; all paths of it, or without bytecode and with whole directories in one line.
pub(crate) fn difference_lines(diff: &PackageDiff, is_all: bool) -> Vec<String> {
    let mut lines = vec![heading(&diff.old, &diff.new)];
    lines.push(format!("  packed {}", sizes(diff.old.packed_size, diff.new.packed_size)));
    lines.push(format!("  files  {}", sizes(diff.old.installed_size, diff.new.installed_size)));
    if diff.is_empty() {
        lines.push(format!("  nothing else differs: {} are the same", counted(diff.same_files, "path")));
        return lines;
    }
    section(&mut lines, "fields", values(&diff.fields));
    for (kind, changes) in &diff.relations {
        section(&mut lines, kind, relations(changes));
    }
    section(&mut lines, "python", versions(&diff.distributions));
    section(&mut lines, "conffiles", diff.conffiles.iter().map(|(path, change)| marked(change, path)).collect());
    section(&mut lines, "scripts", diff.scripts.iter().flat_map(|(name, change)| script(name, change)).collect());
    let changelog = diff.changelog.iter().flat_map(|change| script("changelog", change));
    section(&mut lines, "changelog", changelog.collect());
    section(&mut lines, "times", times(diff, is_all));
    let files = if is_all { all_files(&diff.files) } else { files(&diff.files) };
    section(&mut lines, &counts(diff), files);
    lines
}

/// Times differ in many paths at once: they are counted.
fn times(diff: &PackageDiff, is_all: bool) -> Vec<String> {
    if diff.times.is_empty() {
        return vec![];
    }
    if !is_all {
        return vec![format!("~ {} in nothing but the time", counted(diff.times.len(), "path"))];
    }
    diff.times.iter().map(|(path, change)| marked(change, path)).collect()
}

fn section(lines: &mut Vec<String>, title: &str, content: Vec<String>) {
    if !content.is_empty() {
        lines.extend([String::new(), title.to_owned()]);
        lines.extend(content.into_iter().map(|line| format!("  {line}")));
    }
}

fn heading(old: &Identity, new: &Identity) -> String {
    let text = |one: &str, other: &str| {
        if one == other { one.to_owned() } else { format!("{one} → {other}") }
    };
    format!(
        "{} {} {} .{}",
        text(&old.name, &new.name),
        text(&old.version, &new.version),
        text(&old.architecture, &new.architecture),
        text(old.format.as_str(), new.format.as_str()),
    )
}

fn sizes(old: u64, new: u64) -> String {
    let sign = if new < old { '-' } else { '+' };
    match old.abs_diff(new) {
        0 => size(old),
        difference => format!("{} → {} ({sign}{})", size(old), size(new), size(difference)),
    }
}

fn marked<T>(change: &Change<T>, text: &str) -> String {
    let mark = match change {
        Change::Added { .. } => '+',
        Change::Removed { .. } => '-',
        Change::Changed { .. } => '~',
    };
    format!("{mark} {text}")
}

fn values(changes: &BTreeMap<String, Change<String>>) -> Vec<String> {
    let lines = |(name, change): (&String, &Change<String>)| match change {
        Change::Added { new } => vec![format!("+ {name}: {}", one_line(new))],
        Change::Removed { old } => vec![format!("- {name}: {}", one_line(old))],
        Change::Changed { old, new } if old.contains('\n') || new.contains('\n') => text(name, old, new),
        Change::Changed { old, new } => vec![format!("~ {name}: {old} → {new}")],
    };
    changes.iter().flat_map(lines).collect()
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

fn relations(changes: &BTreeMap<String, Change<String>>) -> Vec<String> {
    let line = |change: &Change<String>| match change {
        Change::Added { new } => format!("+ {new}"),
        Change::Removed { old } => format!("- {old}"),
        Change::Changed { old, new } => format!("~ {old} → {new}"),
    };
    changes.values().map(line).collect()
}

fn versions(changes: &BTreeMap<String, Change<String>>) -> Vec<String> {
    let line = |(name, change): (&String, &Change<String>)| match change {
        Change::Added { new } => format!("+ {name} {new}"),
        Change::Removed { old } => format!("- {name} {old}"),
        Change::Changed { old, new } => format!("~ {name} {old} → {new}"),
    };
    changes.iter().map(line).collect()
}

fn script(name: &str, change: &Change<String>) -> Vec<String> {
    match change {
        Change::Added { new } => vec![format!("+ {name} ({})", counted(new.lines().count(), "line"))],
        Change::Removed { old } => vec![format!("- {name} ({})", counted(old.lines().count(), "line"))],
        Change::Changed { old, new } => text(name, old, new),
    }
}

/// Shows the lines that differ, each with its neighbours.
fn text(name: &str, old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = vec![format!("~ {name}")];
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            lines.push("    …".to_owned());
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let mark = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("    {mark} {}", change.value().trim_end_matches('\n')));
        }
    }
    lines
}

fn counts(diff: &PackageDiff) -> String {
    let (mut added, mut removed, mut changed) = (0, 0, 0);
    for change in diff.files.values() {
        match change {
            Change::Added { .. } => added += 1,
            Change::Removed { .. } => removed += 1,
            Change::Changed { .. } => changed += 1,
        }
    }
    format!("paths: {added} added, {removed} removed, {changed} changed, {} the same", diff.same_files)
}

fn all_files(changes: &BTreeMap<String, Change<FileFacts>>) -> Vec<String> {
    changes.iter().map(|(path, change)| file(path, change)).collect()
}

/// Shows a directory that came or went in one line, and leaves out bytecode that only follows its source.
fn files(changes: &BTreeMap<String, Change<FileFacts>>) -> Vec<String> {
    let (mut lines, mut bytecode) = (Vec::new(), 0);
    let mut whole: Option<String> = None;
    for (path, change) in changes {
        if whole.as_ref().is_some_and(|directory| path.starts_with(directory)) {
            continue;
        }
        if path.contains("/__pycache__") {
            bytecode += 1;
            continue;
        }
        if let Change::Added { new: facts } | Change::Removed { old: facts } = change
            && facts.kind == PathKind::Directory
        {
            let inside = format!("{path}/");
            lines.push(marked(change, &format!("{}  {}", path.escape_debug(), inside_of(&inside, changes))));
            whole = Some(inside);
        } else {
            lines.push(file(path, change));
        }
    }
    if bytecode > 0 {
        lines.push(format!("and {} of bytecode (`--all` shows them)", counted(bytecode, "path")));
    }
    lines
}

/// Counts what came or went with a directory.
fn inside_of(inside: &str, changes: &BTreeMap<String, Change<FileFacts>>) -> String {
    let lower = changes.range(inside.to_owned()..).take_while(|(path, _)| path.starts_with(inside));
    let (mut count, mut bytes) = (0, 0);
    for (_, change) in lower {
        if let Change::Added { new: facts } | Change::Removed { old: facts } = change
            && facts.kind != PathKind::Directory
        {
            count += 1;
            bytes += facts.size();
        }
    }
    format!("{}, {}", counted(count, "file"), size(bytes))
}

fn file(path: &str, change: &Change<FileFacts>) -> String {
    let path = path.escape_debug();
    match change {
        Change::Added { new: facts } | Change::Removed { old: facts } => {
            marked(change, &format!("{path}  {}", what(facts)))
        }
        Change::Changed { old, new } => marked(change, &format!("{path}  {}", how(old, new))),
    }
}

fn what(facts: &FileFacts) -> String {
    match &facts.kind {
        PathKind::Directory => "directory".to_owned(),
        PathKind::File { size: bytes, .. } => size(*bytes),
        PathKind::Symlink { target } => format!("-> {target}"),
        PathKind::Hardlink { target } => format!("= {target}"),
        PathKind::Special => "device, pipe or socket".to_owned(),
    }
}

fn how(old: &FileFacts, new: &FileFacts) -> String {
    let mut differences = Vec::new();
    if old.kind != new.kind {
        differences.push(match (&old.kind, &new.kind) {
            (PathKind::File { size: one, .. }, PathKind::File { size: other, .. }) if one == other => {
                format!("other bytes, {}", size(*one))
            }
            (PathKind::File { size: one, .. }, PathKind::File { size: other, .. }) => sizes(*one, *other),
            _ => format!("{} → {}", what(old), what(new)),
        });
    }
    if old.mode != new.mode {
        differences.push(format!("mode {:04o} → {:04o}", old.mode, new.mode));
    }
    if (&old.owner, &old.group) != (&new.owner, &new.group) {
        differences.push(format!("owner {}:{} → {}:{}", old.owner, old.group, new.owner, new.group));
    }
    differences.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(kind: PathKind) -> FileFacts {
        FileFacts { kind, mode: 0o644, owner: "root".to_owned(), group: "root".to_owned(), time: 0 }
    }

    fn regular(size: u64, digest: &str) -> FileFacts {
        facts(PathKind::File { size, digest: Some(digest.to_owned()) })
    }

    #[test]
    fn a_new_directory_is_one_line_and_bytecode_is_counted() {
        let changes = [
            ("/a", Change::Added { new: facts(PathKind::Directory) }),
            ("/a/b", Change::Added { new: regular(1024, "aa") }),
            ("/a/c", Change::Added { new: regular(1024, "bb") }),
            ("/d.py", Change::Changed { old: regular(1, "aa"), new: regular(1, "bb") }),
            ("/__pycache__/d.cpython-311.pyc", Change::Changed { old: regular(1, "aa"), new: regular(2, "bb") }),
        ];
        let changes: BTreeMap<_, _> = changes.map(|(path, change)| (path.to_owned(), change)).into();
        let expect =
            ["+ /a  2 files, 2.00 KiB", "~ /d.py  other bytes, 1 B", "and 1 path of bytecode (`--all` shows them)"];
        assert_eq!(files(&changes), expect);
        assert_eq!(all_files(&changes).len(), changes.len());
    }

    #[test]
    fn a_changed_text_is_shown_with_its_neighbours() {
        let lines = text("postinst", "#!/bin/sh\nset -e\necho one\nexit 0\n", "#!/bin/sh\nset -e\necho two\nexit 0\n");
        let expect = ["~ postinst", "      set -e", "    - echo one", "    + echo two", "      exit 0"];
        assert_eq!(lines, expect);
    }

    #[test]
    fn what_is_other_about_a_path_is_told() {
        let new = FileFacts { mode: 0o755, group: "adm".to_owned(), ..regular(2048, "bb") };
        assert_eq!(
            how(&regular(1024, "aa"), &new),
            "1.00 KiB → 2.00 KiB (+1.00 KiB), mode 0644 → 0755, owner root:root → root:adm"
        );
    }
}
