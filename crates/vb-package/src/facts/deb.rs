//! The facts of a `.deb`, and of the entries of any tar archive.

use std::path::Path;

use vb_graph::Format;

use super::{FileFacts, PackageFacts, PathKind, ReadPackageError};
use crate::read::{DebEntry, DebEntryKind, DebMetadata, read_deb};

/// Fields that hold relations (Debian Policy, chapter 7).
const RELATIONS: [&str; 9] =
    ["depends", "pre-depends", "recommends", "suggests", "enhances", "breaks", "conflicts", "replaces", "provides"];
/// Fields that are told in other ways.
const OTHERWISE: [&str; 4] = ["package", "version", "architecture", "installed-size"];

pub(super) fn read(path: &Path) -> Result<PackageFacts, ReadPackageError> {
    let metadata = read_deb(path)?;
    let field = |name| metadata.field(name).unwrap_or_default().to_owned();
    let mut facts = PackageFacts::new(Format::Deb, field("Package"), field("Version"), field("Architecture"));
    let data = metadata.members.iter().find_map(|member| member.strip_prefix("data.tar"));
    facts.compression = data.and_then(|extension| extension.strip_prefix('.')).map(str::to_owned);
    fields(&metadata, &mut facts);
    let scripts = metadata.scripts.iter().map(|(name, text)| (name.as_str(), text));
    let others = metadata.other_control_files.iter().map(|(name, text)| (name.as_str(), text));
    for (name, text) in scripts.chain(others) {
        facts.scripts.insert(name.to_owned(), String::from_utf8_lossy(text).into_owned());
    }
    facts.conffiles = metadata.conffiles.iter().cloned().collect();
    facts.files = metadata.entries.iter().filter_map(entry).collect();
    facts.changelog.clone_from(&metadata.changelog);
    Ok(facts)
}

fn fields(metadata: &DebMetadata, facts: &mut PackageFacts) {
    for field in &metadata.control {
        let name = field.name.to_ascii_lowercase();
        if RELATIONS.contains(&name.as_str()) {
            let relations = field.value.split(',').map(|relation| relation.trim().to_owned());
            facts.set_relations(&name, relations.filter(|relation| !relation.is_empty()).collect());
        } else if name == "description" {
            let (summary, rest) = field.value.split_once('\n').unwrap_or((&field.value, ""));
            facts.set_field("summary", Some(summary));
            facts.set_field("description", Some(&unfold(rest)));
        } else if !OTHERWISE.contains(&name.as_str()) {
            facts.set_field(&name, Some(&field.value));
        }
    }
}

/// Undoes the marks of an extended description (Policy 5.6.13).
fn unfold(text: &str) -> String {
    let line =
        |line: &str| if line == " ." { String::new() } else { line.strip_prefix(' ').unwrap_or(line).to_owned() };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns what an entry of a tar archive has at which absolute path; the root is no news.
pub(super) fn entry(entry: &DebEntry) -> Option<(String, FileFacts)> {
    let absolute = |path: &str| format!("/{}", path.trim_start_matches("./").trim_matches('/'));
    let path = absolute(&entry.path);
    let kind = match &entry.kind {
        DebEntryKind::Directory => PathKind::Directory,
        DebEntryKind::File => PathKind::File { size: entry.size, digest: entry.sha256.clone() },
        DebEntryKind::Symlink { target } => PathKind::Symlink { target: target.clone() },
        DebEntryKind::HardLink { target } => PathKind::Hardlink { target: absolute(target) },
        DebEntryKind::Special => PathKind::Special,
    };
    let facts =
        FileFacts { kind, mode: entry.mode, owner: entry.owner.clone(), group: entry.group.clone(), time: entry.mtime };
    (path != "/" && entry.path != ".").then_some((path, facts))
}
