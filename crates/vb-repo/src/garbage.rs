//! Garbage: what no channel, snapshot or kept generation names, and no reader can be fetching any more.
//!
//! A client that read an index may fetch what it names for a while after the index was replaced; this time is the
//! grace. It counts from when a generation was *replaced*, not from when it was written. What nothing names yet because
//! a publisher is just adding it is younger than the grace; where the storage has locks, no publisher is at work
//! anyhow.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use crate::{
    add::GARBAGE_LOCK,
    generation::{Generation, GenerationId},
    piece::{StateError, load_chunk},
    publish::Manifest,
    repository::Repository,
    storage::{LockKind, Metadata},
};

/// What is kept beside what channels hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GarbagePolicy {
    /// For how many seconds a reader may use an index that was replaced.
    pub grace: u64,
    /// For how many seconds one can go back to a generation that was replaced.
    pub history: u64,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GarbageReport {
    /// The names of the objects.
    pub removed: Vec<String>,
    /// Their sizes together.
    pub bytes: u64,
}

/// What is not garbage.
#[derive(Debug, Default)]
struct InUse {
    generations: BTreeSet<GenerationId>,
    readable: BTreeSet<GenerationId>,
    objects: BTreeSet<String>,
    chunks: BTreeSet<String>,
}

impl Repository {
    /// Removes garbage, or, if `is_trial`, only says what it would remove.
    ///
    /// # Errors
    /// [`StateError`] when the state is damaged or the storage refuses. What was removed by then was garbage.
    pub fn collect_garbage(
        &self,
        policy: GarbagePolicy,
        time: u64,
        is_trial: bool,
    ) -> Result<GarbageReport, StateError> {
        let _lock = self.storage.lock(GARBAGE_LOCK, LockKind::Exclusive)?;
        let in_use = self.in_use(policy, time)?;
        let mut report = GarbageReport::default();
        // Generations before their chunks, so that no generation is left whose chunks are gone.
        for object in self.garbage(&in_use, policy, time)? {
            if !is_trial {
                self.storage.delete(&object.name)?;
            }
            report.bytes += object.size;
            report.removed.push(object.name);
        }
        Ok(report)
    }

    fn in_use(&self, policy: GarbagePolicy, time: u64) -> Result<InUse, StateError> {
        let mut in_use = InUse::default();
        for channel in self.channels()? {
            let mut replaced = None;
            for (id, generation) in self.history(&channel)? {
                let age = replaced.map_or(0, |replaced| time.saturating_sub(replaced));
                replaced = Some(generation.time);
                if age <= policy.grace {
                    in_use.readable.insert(id.clone());
                }
                if age <= policy.grace.max(policy.history) {
                    self.mark(id, &generation, &mut in_use)?;
                }
            }
        }
        for snapshot in self.snapshots()?.into_values() {
            for (_, id) in snapshot.channels {
                let generation = self.generation(&id)?;
                self.mark(id, &generation, &mut in_use)?;
            }
        }
        Ok(in_use)
    }

    fn mark(&self, id: GenerationId, generation: &Generation, in_use: &mut InUse) -> Result<(), StateError> {
        in_use.objects.insert(id.object());
        in_use.generations.insert(id);
        for chunk in generation.sections.iter().flat_map(|section| &section.chunks) {
            // Neighbouring generations have most of their chunks in common.
            if !in_use.chunks.insert(chunk.id.piece("")) {
                continue;
            }
            in_use.objects.insert(chunk.id.object());
            for record in load_chunk(&self.storage, chunk)?.records() {
                in_use.objects.insert(record.path.clone());
                in_use.objects.extend(record.attachments.values().map(|id| id.object()));
            }
        }
        Ok(())
    }

    fn garbage(&self, in_use: &InUse, policy: GarbagePolicy, time: u64) -> Result<Vec<Metadata>, StateError> {
        let oldest = SystemTime::UNIX_EPOCH + Duration::from_secs(time.saturating_sub(policy.grace));
        let is_old = |object: &Metadata| object.modified < oldest;
        let mut garbage = self.index_garbage(in_use)?;
        for directory in ["state/generations", "state/chunks", "state/attachments", "pool"] {
            let unused = |object: &Metadata| !in_use.objects.contains(&object.name) && is_old(object);
            garbage.extend(self.storage.list(directory)?.into_iter().filter(unused));
        }
        let of_chunk = |name: &str| name.split_once('.').map(|(chunk, _)| format!("{chunk}."));
        let unused = |object: &Metadata| {
            of_chunk(&object.name).is_none_or(|chunk| !in_use.chunks.contains(&chunk)) && is_old(object)
        };
        garbage.extend(self.storage.list("state/pieces")?.into_iter().filter(unused));
        garbage.extend(self.storage.list("state/tmp")?.into_iter().filter(is_old));
        Ok(garbage)
    }

    /// Finds the client files that only generations have which nobody reads any more.
    fn index_garbage(&self, in_use: &InUse) -> Result<Vec<Metadata>, StateError> {
        let readable: BTreeSet<String> = in_use.readable.iter().map(Manifest::object).collect();
        let (mut kept, mut old, mut garbage) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for object in self.storage.list("state/manifests")? {
            let Some((bytes, _)) = self.storage.get(&object.name)? else { continue };
            let damaged = |source| StateError::Damaged { name: object.name.clone(), source };
            let manifest: Manifest = serde_json::from_slice(&bytes).map_err(damaged)?;
            if readable.contains(&object.name) {
                kept.extend(manifest.immutable);
            } else {
                old.extend(manifest.immutable);
                garbage.push(object);
            }
        }
        let mut files = Vec::new();
        for name in old.difference(&kept) {
            files.extend(self.storage.metadata(name)?);
        }
        // The manifests last, so that what a crash left is found again.
        files.extend(garbage);
        Ok(files)
    }
}
