//! A draft: what a channel will hold, while it is being changed. Only chunks that a change touches are read.

use std::{collections::BTreeMap, sync::Arc};

use rayon::prelude::*;

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

/// A chunk that is as it was, or records in its place.
#[derive(Debug)]
enum Slot {
    Kept(ChunkRef),
    Changed(Records),
}

type Records = BTreeMap<RecordKey, Arc<Record>>;

impl Slot {
    /// Returns its first key; a slot that lost all its records has none.
    fn first(&self) -> Option<&RecordKey> {
        match self {
            Self::Kept(chunk) => Some(&chunk.first),
            Self::Changed(records) => records.first_key_value().map(|(key, _)| key),
        }
    }

    fn open(&mut self, storage: &Storage) -> Result<&mut Records, StateError> {
        if let Self::Kept(chunk) = self {
            let records = load_chunk(storage, chunk)?.into_records().into_iter();
            *self = Self::Changed(records.map(|record| (record.key.clone(), record)).collect());
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
    pub(crate) fn find(&mut self, key: &RecordKey) -> Result<Option<(SectionId, Arc<Record>)>, StateError> {
        for (id, slots) in self.sections.iter_mut().filter(|(id, _)| id.architecture == key.architecture) {
            let Some(slot) = slots.iter_mut().rfind(|slot| slot.first().is_some_and(|first| first <= key)) else {
                continue;
            };
            if let Some(record) = slot.open(self.storage)?.get(key) {
                return Ok(Some((id.clone(), Arc::clone(record))));
            }
        }
        Ok(None)
    }

    /// Returns every record of a name, with its section.
    pub(crate) fn named(&mut self, name: &str) -> Result<Vec<(SectionId, Arc<Record>)>, StateError> {
        let mut found = Vec::new();
        for (id, slots) in &mut self.sections {
            // A run of one name can begin in the middle of a chunk, and go on in those after it.
            let after = slots.partition_point(|slot| slot.first().is_none_or(|first| first.name.as_str() < name));
            for slot in &mut slots[after.saturating_sub(1)..] {
                if slot.first().is_some_and(|first| first.name.as_str() > name) {
                    break;
                }
                let records = slot.open(self.storage)?.values().filter(|record| record.key.name == name);
                found.extend(records.map(|record| (id.clone(), Arc::clone(record))));
            }
        }
        Ok(found)
    }

    /// Returns every record, with its section.
    pub(crate) fn all(&self) -> Result<Vec<(SectionId, Arc<Record>)>, StateError> {
        let mut found = Vec::new();
        for (id, slots) in &self.sections {
            for slot in slots {
                let records = match slot {
                    Slot::Kept(chunk) => load_chunk(self.storage, chunk)?.into_records(),
                    Slot::Changed(records) => records.values().cloned().collect(),
                };
                found.extend(records.into_iter().map(|record| (id.clone(), record)));
            }
        }
        Ok(found)
    }

    /// Adds a record; one of the same key is replaced.
    pub(crate) fn insert(&mut self, section: &SectionId, record: Arc<Record>) -> Result<(), StateError> {
        let slots = self.sections.entry(section.clone()).or_default();
        let is_before = |slot: &Slot| slot.first().is_none_or(|first| *first <= record.key);
        let at = slots.partition_point(is_before).saturating_sub(1);
        if slots.is_empty() {
            slots.push(Slot::Changed(Records::new()));
        }
        slots[at].open(self.storage)?.insert(record.key.clone(), record);
        Ok(())
    }

    /// Removes the record of a key, if it is there.
    pub(crate) fn remove(&mut self, key: &RecordKey) -> Result<Option<Arc<Record>>, StateError> {
        let Some((section, record)) = self.find(key)? else { return Ok(None) };
        let slots = self.sections.get_mut(&section).expect("the record was found in it");
        for slot in slots.iter_mut() {
            if let Slot::Changed(records) = slot {
                records.remove(key);
            }
        }
        // Every slot has a first key, so that slots can be searched.
        slots.retain(|slot| slot.first().is_some());
        Ok(Some(record))
    }

    /// Cuts what changed into chunks and writes them; returns what the channel holds.
    pub(crate) fn finish(self) -> Result<Vec<Section>, StateError> {
        let Self { storage, sections } = self;
        let finish = |slot| match slot {
            Slot::Kept(chunk) => Ok(vec![chunk]),
            Slot::Changed(records) => {
                let chunks = Chunk::cut(records.into_values()).into_par_iter();
                chunks.map(|records| write_chunk(storage, records)).collect()
            }
        };
        let mut finished = Vec::new();
        for (id, slots) in sections {
            let chunks: Vec<Vec<ChunkRef>> =
                joined(storage, slots)?.into_par_iter().map(finish).collect::<Result<_, StateError>>()?;
            if !chunks.is_empty() {
                finished.push(Section { id, chunks: chunks.concat() });
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
            (slot @ Slot::Kept(_), _) => joined.push(slot),
            (Slot::Changed(mut records), before) => match (before, records.keys().next().is_some_and(begins_chunk)) {
                (Some(before), false) => before.open(storage)?.append(&mut records),
                _ => joined.push(Slot::Changed(records)),
            },
        }
    }
    Ok(joined)
}

fn write_chunk(storage: &Storage, records: Vec<Arc<Record>>) -> Result<ChunkRef, StateError> {
    let (chunk, bytes) = Chunk::of(records);
    storage.put_immutable(&chunk.id().object(), &bytes)?;
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
        let keys: Vec<RecordKey> = (1000..1600).map(|index| record(index).key.clone()).collect();
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
            let mut record = Arc::unwrap_or_clone(record(1));
            record.key.version = format!("2.{version}");
            draft.insert(&section(), Arc::new(record)).unwrap();
        }
        let state = generation(draft.finish().unwrap());
        assert!(state.sections[0].chunks.len() > 2);
        let name = &record(1).key.name;
        assert_eq!(Draft::new(&storage, Some(&state)).named(name).unwrap().len(), 701);
        assert_eq!(Draft::new(&storage, Some(&state)).named("package").unwrap().len(), 0);
    }
}
