//! A draft: what a channel will hold, while it is being changed. Only chunks that a change touches are read.

use std::collections::BTreeMap;

use crate::{
    chunk::{Chunk, begins_chunk},
    generation::{ChunkRef, Generation, Section, SectionId},
    piece::{StateError, load_chunk},
    record::{Record, RecordKey},
    storage::Storage,
};

/// A channel's content while it is being changed.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    storage: &'a Storage,
    sections: BTreeMap<SectionId, Vec<Slot>>,
}

/// A chunk that is as it was, or sorted records in its place.
#[derive(Debug)]
enum Slot {
    Kept(ChunkRef),
    Changed(Vec<Record>),
}

impl Slot {
    /// Returns its first key; a slot that lost all its records has none.
    fn first(&self) -> Option<&RecordKey> {
        match self {
            Self::Kept(chunk) => Some(&chunk.first),
            Self::Changed(records) => records.first().map(|record| &record.key),
        }
    }

    fn open(&mut self, storage: &Storage) -> Result<&mut Vec<Record>, StateError> {
        if let Self::Kept(chunk) = self {
            *self = Self::Changed(load_chunk(storage, chunk)?.into_records());
        }
        match self {
            Self::Changed(records) => Ok(records),
            Self::Kept(_) => unreachable!("it was just opened"),
        }
    }
}

impl<'a> Draft<'a> {
    /// Starts with what a generation holds, or with nothing.
    pub(crate) fn new(storage: &'a Storage, generation: Option<&Generation>) -> Self {
        let sections = generation.into_iter().flat_map(|generation| &generation.sections);
        let slots = |section: &Section| section.chunks.iter().cloned().map(Slot::Kept).collect();
        Self { storage, sections: sections.map(|section| (section.id.clone(), slots(section))).collect() }
    }

    /// Takes the content of another generation.
    pub(crate) fn replace(&mut self, generation: &Generation) {
        *self = Self::new(self.storage, Some(generation));
    }

    /// Finds the record of a key, with its section.
    pub(crate) fn find(&mut self, key: &RecordKey) -> Result<Option<(SectionId, Record)>, StateError> {
        for (id, slots) in self.sections.iter_mut().filter(|(id, _)| id.architecture == key.architecture) {
            let Some(slot) = slots.iter_mut().rfind(|slot| slot.first().is_some_and(|first| first <= key)) else {
                continue;
            };
            let records = slot.open(self.storage)?;
            if let Ok(at) = records.binary_search_by(|record| record.key.cmp(key)) {
                return Ok(Some((id.clone(), records[at].clone())));
            }
        }
        Ok(None)
    }

    /// Returns every record of a name, with its section.
    pub(crate) fn named(&mut self, name: &str) -> Result<Vec<(SectionId, Record)>, StateError> {
        let mut found = Vec::new();
        for (id, slots) in &mut self.sections {
            // A run of one name can begin in the middle of a chunk, and go on in those after it.
            let after = slots.partition_point(|slot| slot.first().is_none_or(|first| first.name.as_str() < name));
            for slot in &mut slots[after.saturating_sub(1)..] {
                if slot.first().is_some_and(|first| first.name.as_str() > name) {
                    break;
                }
                let records = slot.open(self.storage)?.iter().filter(|record| record.key.name == name);
                found.extend(records.map(|record| (id.clone(), record.clone())));
            }
        }
        Ok(found)
    }

    /// Returns every record, with its section.
    pub(crate) fn all(&self) -> Result<Vec<(SectionId, Record)>, StateError> {
        let mut found = Vec::new();
        for (id, slots) in &self.sections {
            for slot in slots {
                let records = match slot {
                    Slot::Kept(chunk) => load_chunk(self.storage, chunk)?.into_records(),
                    Slot::Changed(records) => records.clone(),
                };
                found.extend(records.into_iter().map(|record| (id.clone(), record)));
            }
        }
        Ok(found)
    }

    /// Adds a record; one of the same key is replaced.
    pub(crate) fn insert(&mut self, section: &SectionId, record: Record) -> Result<(), StateError> {
        let slots = self.sections.entry(section.clone()).or_default();
        let is_before = |slot: &Slot| slot.first().is_none_or(|first| *first <= record.key);
        let at = slots.partition_point(is_before).saturating_sub(1);
        if slots.is_empty() {
            slots.push(Slot::Changed(Vec::new()));
        }
        let records = slots[at].open(self.storage)?;
        match records.binary_search_by(|own| own.key.cmp(&record.key)) {
            Ok(at) => records[at] = record,
            Err(at) => records.insert(at, record),
        }
        Ok(())
    }

    /// Removes the record of a key, if it is there.
    pub(crate) fn remove(&mut self, key: &RecordKey) -> Result<Option<Record>, StateError> {
        let Some((section, record)) = self.find(key)? else { return Ok(None) };
        let slots = self.sections.get_mut(&section).expect("the record was found in it");
        for slot in slots.iter_mut() {
            if let Slot::Changed(records) = slot {
                records.retain(|record| record.key != *key);
            }
        }
        // Every slot has a first key, so that slots can be searched.
        slots.retain(|slot| slot.first().is_some());
        Ok(Some(record))
    }

    /// Cuts what changed into chunks and writes them; returns what the channel holds.
    pub(crate) fn finish(self) -> Result<Vec<Section>, StateError> {
        let Self { storage, sections } = self;
        let mut finished = Vec::new();
        for (id, slots) in sections {
            let mut chunks = Vec::new();
            for slot in joined(storage, slots)? {
                match slot {
                    Slot::Kept(chunk) => chunks.push(chunk),
                    Slot::Changed(records) => {
                        for chunk in Chunk::cut(records) {
                            chunks.push(write_chunk(storage, &chunk)?);
                        }
                    }
                }
            }
            if !chunks.is_empty() {
                finished.push(Section { id, chunks });
            }
        }
        Ok(finished)
    }
}

/// Joins changed records that do not begin a chunk to the slot before them.
fn joined(storage: &Storage, slots: Vec<Slot>) -> Result<Vec<Slot>, StateError> {
    let mut joined: Vec<Slot> = Vec::new();
    for slot in slots {
        match (slot, joined.last_mut()) {
            (Slot::Changed(records), _) if records.is_empty() => {}
            (Slot::Changed(records), Some(before)) if !begins_chunk(&records[0].key) => {
                before.open(storage)?.extend(records);
            }
            (slot, _) => joined.push(slot),
        }
    }
    Ok(joined)
}

fn write_chunk(storage: &Storage, chunk: &Chunk) -> Result<ChunkRef, StateError> {
    storage.put_immutable(&chunk.id().object(), &chunk.encode())?;
    let records = chunk.records();
    Ok(ChunkRef { id: chunk.id().clone(), count: records.len(), first: records[0].key.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chunk::tests::record, storage::LocalDirectory};

    fn section() -> SectionId {
        SectionId { component: "main".to_owned(), architecture: "all".to_owned() }
    }

    fn generation(sections: Vec<Section>) -> Generation {
        let channel = crate::channel::ChannelId::new("bookworm", "staging").unwrap();
        let operation = crate::generation::Operation::Init;
        let format = crate::record::Format::Deb;
        Generation { channel, format, parent: None, number: 0, time: 0, operation, publisher: String::new(), sections }
    }

    #[test]
    fn the_chunks_are_those_of_the_set_of_packages_however_it_came_about() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::Local(LocalDirectory::new(directory.path().to_owned()));
        let mut whole = Draft::new(&storage, None);
        (0..600).for_each(|index| whole.insert(&section(), record(index)).unwrap());
        let whole = whole.finish().unwrap();
        assert!(whole[0].chunks.len() > 1);

        let mut state = generation(Vec::new());
        // An order in which packages come before, between and behind those that are there.
        for step in 0..7 {
            let mut draft = Draft::new(&storage, Some(&state));
            for index in (0..600).filter(|index| (index * 5) % 7 == step) {
                draft.insert(&section(), record(index)).unwrap();
                draft.insert(&section(), record(index + 1000)).unwrap();
            }
            state = generation(draft.finish().unwrap());
        }
        assert_ne!(state.sections, whole);
        let keys: Vec<RecordKey> = (1000..1600).map(|index| record(index).key).collect();
        for keys in keys.chunks(50) {
            let mut draft = Draft::new(&storage, Some(&state));
            for key in keys {
                assert_eq!(draft.remove(key).unwrap().unwrap().key, *key);
                assert_eq!(draft.find(key).unwrap(), None);
            }
            state = generation(draft.finish().unwrap());
        }
        assert_eq!(state.sections, whole);
    }

    #[test]
    fn all_versions_of_a_name_are_found_across_chunks() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::Local(LocalDirectory::new(directory.path().to_owned()));
        let mut draft = Draft::new(&storage, None);
        (0..3).for_each(|index| draft.insert(&section(), record(index)).unwrap());
        for version in 0..700 {
            let mut record = record(1);
            record.key.version = format!("2.{version}");
            draft.insert(&section(), record).unwrap();
        }
        let state = generation(draft.finish().unwrap());
        assert!(state.sections[0].chunks.len() > 2);
        let name = record(1).key.name;
        assert_eq!(Draft::new(&storage, Some(&state)).named(&name).unwrap().len(), 701);
        assert_eq!(Draft::new(&storage, Some(&state)).named("package").unwrap().len(), 0);
    }
}
