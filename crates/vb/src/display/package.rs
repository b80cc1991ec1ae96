//! What is in a package, for people: a summary first, then what it needs and does, then where its size is.

use std::collections::BTreeMap;

use vb_package::{FileFacts, PackageFacts, PathKind};

use super::{counted, size};

/// How many directories are named as the largest.
const LARGEST: usize = 8;
/// Width of the names of fields.
const WIDTH: usize = 12;
/// How long a line gets before a list goes on in the next one.
const LINE: usize = 96;

/// Shows a package at a glance.
pub(crate) fn package_lines(facts: &PackageFacts) -> Vec<String> {
    let mut lines = vec![format!("{} {} {} .{}", facts.name, facts.version, facts.architecture, facts.format)];
    if let Some(summary) = facts.fields.get("summary") {
        lines.push(format!("  {summary}"));
    }
    lines.push(String::new());
    lines.push(field("size", &sizes(facts)));
    lines.push(field("files", &counts(facts)));
    for (name, value) in facts.fields.iter().filter(|(name, _)| !["summary", "description"].contains(&name.as_str())) {
        lines.push(field(name, &value.replace('\n', " ")));
    }
    for (name, relations) in &facts.relations {
        lines.extend(list(name, relations));
    }
    lines.extend(list("conffiles", &facts.conffiles.iter().cloned().collect::<Vec<_>>()));
    let scripts = facts.scripts.iter();
    let scripts: Vec<String> =
        scripts.map(|(name, text)| format!("{name} ({})", counted(text.lines().count(), "line"))).collect();
    lines.extend(list("scripts", &scripts));
    let distributions = facts.distributions.iter();
    let distributions: Vec<String> = distributions.map(|(name, version)| format!("{name} {version}")).collect();
    lines.extend(list("python", &distributions));
    lines.extend(largest(facts));
    lines
}

/// Shows a script.
pub(crate) fn script_lines(name: &str, text: &str) -> Vec<String> {
    let heading = [String::new(), format!("{name}:")];
    heading.into_iter().chain(text.lines().map(|line| format!("  {line}"))).collect()
}

/// Shows one path, as `ls -l` does.
pub(crate) fn file_line(path: &str, file: &FileFacts) -> String {
    let owner = format!("{}:{}", file.owner, file.group);
    let (mark, size, rest) = match &file.kind {
        PathKind::Directory => ('d', String::new(), String::new()),
        PathKind::File { size, .. } => ('-', size.to_string(), String::new()),
        PathKind::Symlink { target } => ('l', String::new(), format!(" -> {target}")),
        PathKind::Hardlink { target } => ('h', String::new(), format!(" = {target}")),
        PathKind::Special => ('s', String::new(), String::new()),
    };
    format!("{mark} {:04o} {owner:<10} {size:>10} {}{rest}", file.mode, path.escape_debug())
}

fn field(name: &str, value: &str) -> String {
    format!("  {name:<WIDTH$} {value}")
}

fn sizes(facts: &PackageFacts) -> String {
    let how = facts.compression.as_ref().map(|compression| format!(" ({compression})")).unwrap_or_default();
    format!("{} packed{how}, {} of files", size(facts.packed_size), size(facts.installed_size))
}

fn counts(facts: &PackageFacts) -> String {
    let count = |wanted: fn(&PathKind) -> bool| facts.files.values().filter(|file| wanted(&file.kind)).count();
    let files = count(|kind| matches!(kind, PathKind::File { .. }));
    let directories = count(|kind| *kind == PathKind::Directory);
    let links = count(|kind| matches!(kind, PathKind::Symlink { .. } | PathKind::Hardlink { .. }));
    let directories = if directories == 1 { "1 directory".to_owned() } else { format!("{directories} directories") };
    format!("{}, {directories}, {}", counted(files, "file"), counted(links, "link"))
}

/// Shows a list behind its name, in as many lines as it needs; nothing when it is empty.
fn list(name: &str, items: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let item = if index + 1 < items.len() { format!("{item},") } else { item.clone() };
        match lines.last_mut() {
            Some(line) if line.chars().count() + item.chars().count() < LINE => line.extend([" ", &item]),
            last => {
                let name = if last.is_none() { name } else { "" };
                lines.push(field(name, &item));
            }
        }
    }
    lines
}

/// Returns where the size is: the smallest directories that hold a tenth of it, or the largest ones.
fn largest(facts: &PackageFacts) -> Vec<String> {
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    for (path, file) in &facts.files {
        for (end, _) in path.match_indices('/').skip(1) {
            *sizes.entry(&path[..end]).or_default() += file.size();
        }
    }
    // A directory that has its size from one directory in it is not told beside that one.
    let is_told = |(directory, size): &(&str, u64)| {
        let inside = format!("{directory}/");
        let lower = sizes.range(inside.as_str()..).take_while(|(path, _)| path.starts_with(&inside));
        *size > 0 && lower.map(|(_, size)| *size).max().unwrap_or_default() * 4 < size * 3
    };
    let mut told: Vec<(&str, u64)> = sizes.iter().map(|(path, size)| (*path, *size)).filter(is_told).collect();
    told.sort_by_key(|(path, size)| (std::cmp::Reverse(*size), *path));
    let line = |(path, bytes): &(&str, u64)| format!("  {:>10}  {}", size(*bytes), path.escape_debug());
    let lines: Vec<String> = told.iter().take(LARGEST).map(line).collect();
    if lines.is_empty() {
        lines
    } else {
        [String::new(), "largest directories".to_owned()].into_iter().chain(lines).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_goes_on_below_its_first_item() {
        let items: Vec<String> = (0..14).map(|index| format!("package-{index}")).collect();
        let lines = list("depends", &items);
        let expect = [
            "  depends      package-0, package-1, package-2, package-3, package-4, package-5, package-6,",
            "               package-7, package-8, package-9, package-10, package-11, package-12, package-13",
        ];
        assert_eq!(lines, expect);
        assert_eq!(list("depends", &[]), Vec::<String>::new());
    }
}
