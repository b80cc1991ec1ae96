//! What happens in a build: the only contract between building and showing it.

use std::time::Duration;

use serde::Serialize;

/// How the output of an action came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was in the cache.
    Hit,
    /// The action was executed.
    Executed,
    /// Another vb process executed it meanwhile.
    ExecutedElsewhere,
}

/// One thing that happened. Labels are those of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An action is being executed.
    Started {
        /// The action.
        label: String,
        /// The kind of the action.
        kind: &'static str,
    },
    /// Another vb process executes the action; this one waits for it.
    Waiting {
        /// The action.
        label: String,
    },
    /// The output of an action is known.
    Finished {
        /// The action.
        label: String,
        /// The kind of the action.
        kind: &'static str,
        /// How it came to be known.
        how: How,
        /// How long it took.
        #[serde(serialize_with = "seconds")]
        wall: Duration,
        /// How many actions have ended.
        ended: usize,
        /// How many are needed, as far as is known: it grows where fetches turn out to be.
        needed: usize,
    },
    /// An action failed.
    Failed {
        /// The action.
        label: String,
        /// The kind of the action.
        kind: &'static str,
    },
    /// Something was damaged or missing in the store, and what made it is run again.
    Repairing {
        /// What is made again.
        label: String,
    },
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
