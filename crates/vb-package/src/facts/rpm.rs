//! The facts of an `.rpm`, from its header alone.

use std::path::Path;

use vb_graph::Format;

use super::{FileFacts, PackageFacts, PathKind, ReadPackageError};
use crate::rpm::{RpmChange, RpmFile, RpmFileKind, RpmMetadata, RpmRelation, read_rpm};

pub(super) fn read(path: &Path) -> Result<PackageFacts, ReadPackageError> {
    let metadata = read_rpm(path)?;
    let mut facts =
        PackageFacts::new(Format::Rpm, metadata.name.clone(), metadata.evr(), metadata.architecture.clone());
    facts.compression.clone_from(&metadata.compressor);
    for (name, value) in [
        ("summary", Some(&metadata.summary)),
        ("description", Some(&metadata.description)),
        ("license", Some(&metadata.license)),
        ("homepage", metadata.url.as_ref()),
        ("maintainer", metadata.packager.as_ref()),
        ("vendor", metadata.vendor.as_ref()),
        ("group", metadata.group.as_ref()),
    ] {
        facts.set_field(name, value.map(String::as_str));
    }
    relations(&metadata, &mut facts);
    for (name, script) in &metadata.scripts {
        let text = format!("#!{}\n{}", script.program.join(" "), script.text);
        facts.scripts.insert(name.to_string(), text);
    }
    if !metadata.triggers.is_empty() {
        let triggers: String = metadata.triggers.iter().map(ToString::to_string).collect();
        facts.scripts.insert("triggers".to_owned(), triggers);
    }
    let configuration = metadata.files.iter().filter(|file| file.is_config);
    facts.conffiles = configuration.map(|file| file.path.clone()).collect();
    facts.files = metadata.files.iter().map(|file| (file.path.clone(), file_facts(file))).collect();
    let change = |change: &RpmChange| format!("{}\n{}\n", change.author, change.text);
    let changelog: String = metadata.changelog.iter().map(change).collect();
    facts.changelog = Some(changelog).filter(|text| !text.is_empty());
    Ok(facts)
}

/// What rpm itself has to be able to, and that a package provides itself, is not told.
fn relations(metadata: &RpmMetadata, facts: &mut PackageFacts) {
    let own = format!("{}(", metadata.name);
    let is_told = |relation: &&RpmRelation| {
        !relation.name.starts_with("rpmlib(") && relation.name != metadata.name && !relation.name.starts_with(&own)
    };
    for (name, relations) in [
        ("requires", &metadata.requires),
        ("provides", &metadata.provides),
        ("conflicts", &metadata.conflicts),
        ("obsoletes", &metadata.obsoletes),
        ("recommends", &metadata.recommends),
        ("suggests", &metadata.suggests),
        ("supplements", &metadata.supplements),
        ("enhances", &metadata.enhances),
    ] {
        facts.set_relations(name, relations.iter().filter(is_told).map(ToString::to_string).collect());
    }
}

fn file_facts(file: &RpmFile) -> FileFacts {
    let kind = match &file.kind {
        RpmFileKind::Directory => PathKind::Directory,
        RpmFileKind::File => PathKind::File { size: file.size, digest: file.digest.clone() },
        RpmFileKind::Symlink { target } => PathKind::Symlink { target: target.clone() },
        RpmFileKind::Special => PathKind::Special,
    };
    FileFacts { kind, mode: file.mode, owner: file.user.clone(), group: file.group.clone(), time: file.mtime }
}
