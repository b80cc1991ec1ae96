//! `Contents-<architecture>.gz`: which package has a file (Debian wiki, "DebianRepository/Format", section Contents).

use std::collections::BTreeMap;

use super::record::CONTENTS;
use crate::{
    generation::Section,
    piece::{StateError, load_attachment, load_chunk},
    record::Record,
    storage::Storage,
};

/// Returns the text: each path once, with the packages that have it.
pub(super) fn contents_index(storage: &Storage, sections: &[&Section]) -> Result<Vec<u8>, StateError> {
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for chunk in sections.iter().flat_map(|section| &section.chunks) {
        for record in load_chunk(storage, chunk)?.records() {
            // What was added before there were `Contents` has no list of its files.
            let Some(id) = record.attachments.get(CONTENTS) else { continue };
            let (files, owner) = (load_attachment(storage, id)?, owner(record));
            for path in String::from_utf8_lossy(&files).lines() {
                let owners = owners.entry(path.to_owned()).or_default();
                if !owners.contains(&owner) {
                    owners.push(owner.clone());
                }
            }
        }
    }
    let lines = owners.iter().map(|(path, owners)| format!("{path:<59} {}\n", owners.join(",")));
    Ok(lines.collect::<String>().into_bytes())
}

/// `section/name`, or the name alone.
fn owner(record: &Record) -> String {
    let section = record.text.lines().find_map(|line| line.strip_prefix("Section: "));
    section.map_or_else(|| record.key.name.clone(), |section| format!("{}/{}", section.trim(), record.key.name))
}
