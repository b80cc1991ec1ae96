//! Records results beside the actions that run: one `syncfs` for all that ended within a moment.
//!
//! What reads an output does not wait for its record. A record still comes after a sync that began when everything that it
//! names was written, so that it never names what is not on the disk; results of readers are recorded later or together.
//! Must not be here: what a result is made of.

use std::{
    io,
    panic::resume_unwind,
    sync::mpsc::{Receiver, Sender, channel},
    time::{Duration, Instant},
};

use vb_graph::{ActionDigest, ActionIndex};
use vb_store::{ActionLock, ActionResult, Store};

/// How long a result may wait for others. Each `syncfs` writes what all actions touched, and they wait for its journal.
const MOMENT: Duration = Duration::from_millis(500);

/// A result that is to be recorded.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) action: ActionIndex,
    pub(crate) key: ActionDigest,
    pub(crate) result: ActionResult,
    /// Other processes wait for the record, not for the end of the execution.
    pub(crate) lock: ActionLock,
}

/// Takes results from the threads of a build.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    sender: Sender<Record>,
}

impl Recorder {
    /// Runs `work` with a recorder; at its end everything is recorded. Returns what could not be, and why.
    pub(crate) fn during(store: &Store, work: impl FnOnce(&Self)) -> Vec<(ActionIndex, io::Error)> {
        let (sender, receiver) = channel();
        std::thread::scope(move |scope| {
            let recording = scope.spawn(move || record_all(store, &receiver));
            let recorder = Self { sender };
            work(&recorder);
            // This ends the other thread, as unwinding does when `work` panics.
            drop(recorder);
            recording.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Hands a result over. Everything that it names is written.
    pub(crate) fn record(&self, record: Record) {
        self.sender.send(record).expect("the other thread receives as long as there is a recorder");
    }
}

fn record_all(store: &Store, receiver: &Receiver<Record>) -> Vec<(ActionIndex, io::Error)> {
    let mut failures = Vec::new();
    while let Ok(first) = receiver.recv() {
        let (mut records, until) = (vec![first], Instant::now() + MOMENT);
        // Nothing is waited for at the end of the build.
        while let Ok(record) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            records.push(record);
        }
        let synced = store.sync_written();
        for Record { action, key, result, lock } in records {
            let recorded = match &synced {
                Ok(()) => store.put_synced_result(&key, &result),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            failures.extend(recorded.err().map(|error| (action, error)));
            drop(lock);
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use vb_graph::{Graph, Ingest, Kind, Node, Provenance};

    use super::*;

    /// A store, an action, and results of it under several keys.
    fn given(directory: &std::path::Path, count: usize) -> (Store, Vec<Record>) {
        let store = Store::open(directory).unwrap();
        let mut graph = Graph::default();
        let provenance = Provenance { label: "source".into(), declared_at: None };
        let ingest = Kind::Ingest(Ingest { path: "a".into(), excludes: vec![] });
        let action = graph.add(ingest, vec![], provenance);
        let resolved = graph.action(action).resolve(&[]);
        let records = (0..count).map(|number| {
            let key: ActionDigest = format!("{number:064x}").parse().unwrap();
            let result = ActionResult {
                action: resolved.clone(),
                label: number.to_string(),
                output: Node::Symlink { target: number.to_string() },
                log: None,
                wall_milliseconds: 0,
                previous: None,
            };
            let lock = store.try_lock_action(&key).unwrap().unwrap();
            Record { action, key, result, lock }
        });
        let records = records.collect();
        (store, records)
    }

    #[test]
    fn everything_that_was_handed_over_is_recorded_at_the_end_and_its_lock_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let (store, records) = given(directory.path(), 20);
        let keys: Vec<ActionDigest> = records.iter().map(|record| record.key).collect();
        let failures = Recorder::during(&store, |recorder| {
            std::thread::scope(|scope| {
                for record in records {
                    scope.spawn(move || recorder.record(record));
                }
            });
        });
        assert!(failures.is_empty(), "{failures:?}");
        for (number, key) in keys.iter().enumerate() {
            assert_eq!(store.action_result(key).unwrap().label, number.to_string());
            assert!(store.try_lock_action(key).unwrap().is_some());
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_told_for_each_action() {
        let directory = tempfile::tempdir().unwrap();
        let (store, records) = given(directory.path(), 3);
        fs_err::remove_dir(directory.path().join("tmp")).unwrap();
        let failures =
            Recorder::during(&store, |recorder| records.into_iter().for_each(|record| recorder.record(record)));
        assert_eq!(failures.len(), 3);
    }
}
