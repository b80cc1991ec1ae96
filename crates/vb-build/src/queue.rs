//! Which of the actions that can be executed is begun next, when there are fewer threads than actions.
//!
//! Wheels are unpacked the largest first: of two threads, none is then left with the last large one while the other has
//! nothing to do. Everything else comes before them, in the order in which it became ready, because more depends on it.
//!
//! Must not be here: what executes.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    sync::{Mutex, PoisonError},
};

use vb_graph::{Action, InputDigest, Kind};
use vb_store::Store;

/// What waits for a thread.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    entries: BinaryHeap<Entry<T>>,
    count: u64,
}

#[derive(Debug)]
struct Entry<T> {
    rank: (u64, Reverse<u64>),
    value: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: Mutex::new(Waiting { entries: BinaryHeap::new(), count: 0 }) }
    }
}

impl<T> Queue<T> {
    /// Adds something of a weight, as [`weight`] has it.
    pub(crate) fn add(&self, weight: u64, value: T) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let rank = (weight, Reverse(waiting.count));
        waiting.count += 1;
        waiting.entries.push(Entry { rank, value });
    }

    /// Takes what has the most weight; of two that have the same, what was added first.
    pub(crate) fn take(&self) -> Option<T> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).entries.pop().map(|entry| entry.value)
    }
}

/// Returns how early an action is to be begun, by what its inputs gave: for a fetched wheel that is unpacked its size in
/// bytes. A lock does not give it.
pub(crate) fn weight(store: &Store, action: &Action, outputs: &[InputDigest]) -> u64 {
    let size = |output: &InputDigest| match output {
        InputDigest::File { sha256, .. } => store.fetched_file(sha256).map(|file| file.size),
        InputDigest::Node(_) => None,
    };
    match &action.kind {
        Kind::Unpack(_) => outputs.iter().find_map(size).unwrap_or(u64::MAX),
        _ => u64::MAX,
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_is_taken_first_and_of_equals_the_one_that_came_first() {
        let queue = Queue::default();
        for (weight, value) in [(5, "small"), (u64::MAX, "root"), (9, "large"), (u64::MAX, "stage"), (5, "other")] {
            queue.add(weight, value);
        }
        let order: Vec<&str> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(order, ["root", "stage", "large", "small", "other"]);
    }
}
