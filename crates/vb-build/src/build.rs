//! One build: the loop that looks up, starts and records, until the goals are there.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use rayon::Scope;
use vb_graph::{ActionDigest, ActionIndex, Graph, InputDigest, Kind, Node, ResolvedAction};
use vb_store::{ActionLock, ActionResult};

use crate::{
    builder::Builder,
    check::compare,
    error::ExecuteError,
    event::{Event, How},
    frontier::{Frontier, OnFailure, State, Step},
    inputs::Inputs,
    queue::{Queue, weight},
    recorder::{Record, Recorder},
};

/// How often a build starts again because something in the store was damaged.
const REPAIRS: usize = 3;

/// An action that failed.
#[derive(Debug)]
pub struct Failure {
    /// The action.
    pub action: ActionIndex,
    /// Why.
    pub error: ExecuteError,
}

/// How a build ended.
#[derive(Debug, Default)]
pub struct BuildReport {
    /// The outputs of the goals, in their order; `None` where it was not made.
    pub outputs: Vec<Option<Node>>,
    /// How many actions were found in the cache.
    pub hits: usize,
    /// How many actions were executed.
    pub executed: usize,
    /// How many actions were not begun because something else failed.
    pub skipped: usize,
    /// What failed, in the order of the graph.
    pub failures: Vec<Failure>,
    /// Was the build interrupted?
    pub is_cancelled: bool,
}

impl BuildReport {
    /// Did everything succeed?
    pub fn is_success(&self) -> bool {
        self.failures.is_empty() && !self.is_cancelled && self.outputs.iter().all(Option::is_some)
    }
}

/// Does what was done before count, or is everything executed again and compared?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What is known is not done again.
    Build,
    /// Nothing is taken from an earlier execution, and nothing is recorded.
    Check,
}

struct Completion {
    action: ActionIndex,
    how: How,
    wall: Duration,
    result: Result<InputDigest, ExecuteError>,
}

type Message = Result<Completion, Box<dyn std::any::Any + Send>>;

impl Builder {
    /// Builds the goals.
    pub fn build(
        &self,
        graph: &Graph,
        goals: &[ActionIndex],
        on_failure: OnFailure,
        cancel: &AtomicBool,
        events: &(dyn Fn(&Event) + Sync),
    ) -> BuildReport {
        self.run_with_repairs(Mode::Build, graph, goals, on_failure, cancel, events)
    }

    /// Executes again what the goals were made by, and compares. The goals were built before.
    pub fn check(
        &self,
        graph: &Graph,
        goals: &[ActionIndex],
        cancel: &AtomicBool,
        events: &(dyn Fn(&Event) + Sync),
    ) -> BuildReport {
        self.run_with_repairs(Mode::Check, graph, goals, OnFailure::KeepGoing, cancel, events)
    }

    fn run_with_repairs(
        &self,
        mode: Mode,
        graph: &Graph,
        goals: &[ActionIndex],
        on_failure: OnFailure,
        cancel: &AtomicBool,
        events: &(dyn Fn(&Event) + Sync),
    ) -> BuildReport {
        let mut repairs = 0;
        loop {
            let mut run = Run::new(self, mode, graph, goals, on_failure, cancel, events);
            run.drive();
            if repairs == REPAIRS || !run.repair() {
                return run.into_report();
            }
            repairs += 1;
        }
    }
}

struct Run<'a> {
    builder: &'a Builder,
    mode: Mode,
    graph: &'a Graph,
    goals: &'a [ActionIndex],
    frontier: Frontier,
    digests: Vec<Option<InputDigest>>,
    keys: Vec<Option<ActionDigest>>,
    cancel: &'a AtomicBool,
    events: &'a (dyn Fn(&Event) + Sync),
    /// What is to be executed and not fetched, and waits for a thread.
    queue: Arc<Queue<Execution<'a>>>,
    running: usize,
    report: BuildReport,
}

impl<'a> Run<'a> {
    fn new(
        builder: &'a Builder,
        mode: Mode,
        graph: &'a Graph,
        goals: &'a [ActionIndex],
        on_failure: OnFailure,
        cancel: &'a AtomicBool,
        events: &'a (dyn Fn(&Event) + Sync),
    ) -> Self {
        Self {
            builder,
            mode,
            graph,
            goals,
            frontier: Frontier::new(graph, goals, on_failure),
            digests: graph.indices().map(|index| static_digest(graph, index)).collect(),
            keys: vec![None; graph.len()],
            cancel,
            events,
            queue: Arc::default(),
            running: 0,
            report: BuildReport::default(),
        }
    }

    fn drive(&mut self) {
        let builder = self.builder;
        let (sender, receiver) = channel();
        let unrecorded = Recorder::during(&builder.store, |recorder| {
            builder.actions.in_place_scope(|actions| {
                builder.fetches.in_place_scope(|fetches| {
                    self.coordinate(actions, fetches, recorder, &sender, &receiver);
                });
            });
            builder.end_compilers();
        });
        let failure = |(action, error)| Failure { action, error: ExecuteError::Store(error) };
        self.report.failures.extend(unrecorded.into_iter().map(failure));
    }

    fn coordinate<'scope>(
        &mut self,
        actions: &Scope<'scope>,
        fetches: &Scope<'scope>,
        recorder: &Recorder,
        sender: &Sender<Message>,
        receiver: &Receiver<Message>,
    ) where
        'a: 'scope,
    {
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                self.frontier.stop();
            }
            while let Some(step) = self.frontier.next_step() {
                match step {
                    Step::LookUp(action) => self.look_up(action),
                    Step::Execute(action) => {
                        let is_fetch = matches!(self.graph.action(action).kind, Kind::Fetch(_));
                        let pool = if is_fetch { fetches } else { actions };
                        self.start(action, pool, recorder.clone(), sender.clone());
                    }
                }
            }
            if self.frontier.is_finished() && self.running == 0 {
                return;
            }
            // The sender lives as long as this loop, so that an error can only be the time-out, after which Ctrl-C is
            // looked at again.
            if let Ok(message) = receiver.recv_timeout(Duration::from_millis(50)) {
                self.running -= 1;
                match message {
                    Ok(completion) => self.complete(completion),
                    Err(panic) => resume_unwind(panic),
                }
            }
        }
    }

    fn look_up(&mut self, action: ActionIndex) {
        match &self.graph.action(action).kind {
            Kind::Fetch(fetch) => match self.builder.store.fetched_file(&fetch.sha256) {
                Some(_) => self.frontier.hit(action),
                None => self.frontier.miss(action),
            },
            Kind::Ingest(ingest) => {
                let begun = Instant::now();
                let result = self.builder.ingest(ingest);
                let (how, result) = match result {
                    Ok((node, how)) => (how, Ok(InputDigest::Node(node))),
                    Err(error) => (How::Executed, Err(error)),
                };
                self.complete(Completion { action, how, wall: begun.elapsed(), result });
            }
            _ => self.look_up_result(action),
        }
    }

    fn look_up_result(&mut self, action: ActionIndex) {
        let key = match self.resolve(action) {
            Ok(resolved) => resolved.digest(),
            Err(error) => {
                let wall = Duration::ZERO;
                return self.complete(Completion { action, how: How::Executed, wall, result: Err(error) });
            }
        };
        self.keys[action.as_usize()] = Some(key);
        let known = self.builder.known_output(&key).filter(|node| self.is_whole(action, &key, node));
        match (known, self.mode) {
            (Some(node), Mode::Build) => self.complete(Completion {
                action,
                how: How::Hit,
                wall: Duration::ZERO,
                result: Ok(InputDigest::Node(node)),
            }),
            _ => self.frontier.miss(action),
        }
    }

    /// Is everything of a hit there, as far as nothing else would notice? A goal is read by nobody in the graph; one that
    /// lost something is forgotten.
    fn is_whole(&self, action: ActionIndex, key: &ActionDigest, output: &Node) -> bool {
        if !self.goals.contains(&action) || self.builder.store.is_complete(output) {
            return true;
        }
        (self.events)(&Event::Repairing { label: self.graph.provenance(action).label.clone() });
        // When it cannot be removed it is found again, and who reads the goal says what is missing.
        drop(self.builder.store.remove_action_result(key));
        false
    }

    fn resolve(&self, action: ActionIndex) -> Result<ResolvedAction, ExecuteError> {
        let outputs = self.input_outputs(action);
        let action = self.graph.action(action);
        Ok(action.resolve(&self.builder.selected_digests(action, &outputs)?))
    }

    fn input_outputs(&self, action: ActionIndex) -> Vec<InputDigest> {
        let inputs = &self.graph.action(action).inputs;
        let digest = |index: ActionIndex| self.digests[index.as_usize()].clone();
        inputs.iter().map(|input| digest(input.action).expect("inputs are done before an action is offered")).collect()
    }

    fn start<'scope>(&mut self, action: ActionIndex, pool: &Scope<'scope>, recorder: Recorder, sender: Sender<Message>)
    where
        'a: 'scope,
    {
        self.running += 1;
        let outputs = self.input_outputs(action);
        let weight = weight(&self.builder.store, self.graph.action(action), &outputs);
        let execution = Execution {
            builder: self.builder,
            graph: self.graph,
            action,
            outputs,
            mode: self.mode,
            cancel: self.cancel,
            events: self.events,
            recorder,
        };
        let is_fetch = matches!(self.graph.action(action).kind, Kind::Fetch(_));
        let queue = if is_fetch { Arc::default() } else { Arc::clone(&self.queue) };
        queue.add(weight, execution);
        pool.spawn(move |_| {
            let execution = queue.take().expect("there is one for each time that something is spawned");
            let message = catch_unwind(AssertUnwindSafe(|| execution.run()));
            // The loop ended before its executions only when it panicked itself.
            drop(sender.send(message));
        });
    }

    fn complete(&mut self, completion: Completion) {
        let Completion { action, how, wall, result } = completion;
        let label = self.graph.provenance(action).label.clone();
        let kind = self.graph.action(action).kind.name();
        match result {
            Ok(digest) => {
                self.digests[action.as_usize()] = Some(digest);
                match how {
                    How::Executed => self.report.executed += 1,
                    How::Hit | How::ExecutedElsewhere => self.report.hits += 1,
                }
                self.frontier.succeeded(action);
                let (ended, needed) = self.frontier.progress();
                (self.events)(&Event::Finished { label, kind, how, wall, ended, needed });
            }
            Err(ExecuteError::Cancelled) => {
                self.report.is_cancelled = true;
                self.frontier.failed(action);
                self.frontier.stop();
            }
            Err(error) => {
                if !error.is_lost_input() {
                    (self.events)(&Event::Failed { label, kind });
                }
                self.report.failures.push(Failure { action, error });
                self.frontier.failed(action);
            }
        }
    }

    /// Forgets the results of inputs that turned out to be incomplete; true when there were some, so that another run
    /// makes them again.
    fn repair(&mut self) -> bool {
        let lost = self.report.failures.iter().filter(|failure| failure.error.is_lost_input());
        let mut pending: Vec<ActionIndex> = lost.flat_map(|failure| self.inputs_of(failure.action)).collect();
        let mut seen = vec![false; self.graph.len()];
        let mut is_repaired = false;
        while let Some(action) = pending.pop() {
            if !std::mem::replace(&mut seen[action.as_usize()], true) && self.forget_if_incomplete(action) {
                is_repaired = true;
                // What an environment lacks, the wheel that it was merged from lacks too.
                pending.extend(self.inputs_of(action));
            }
        }
        is_repaired
    }

    fn inputs_of(&self, action: ActionIndex) -> impl Iterator<Item = ActionIndex> {
        self.graph.action(action).inputs.iter().map(|input| input.action)
    }

    fn forget_if_incomplete(&self, action: ActionIndex) -> bool {
        let store = &self.builder.store;
        let is_incomplete = match (&self.graph.action(action).kind, &self.digests[action.as_usize()]) {
            (Kind::Fetch(fetch), _) => store.fetched_file(&fetch.sha256).is_none(),
            (_, Some(InputDigest::Node(node))) => !store.is_complete(node),
            _ => false,
        };
        if !is_incomplete {
            return false;
        }
        (self.events)(&Event::Repairing { label: self.graph.provenance(action).label.clone() });
        match self.keys[action.as_usize()] {
            Some(key) => store.remove_action_result(&key).is_ok(),
            None => true,
        }
    }

    fn into_report(mut self) -> BuildReport {
        self.report.outputs = self
            .goals
            .iter()
            .map(|goal| match &self.digests[goal.as_usize()] {
                Some(InputDigest::Node(node)) if self.frontier.state(*goal) == State::Done => Some(node.clone()),
                _ => None,
            })
            .collect();
        self.report.skipped =
            self.graph.indices().filter(|index| self.frontier.state(*index) == State::Skipped).count();
        self.report.is_cancelled |=
            self.cancel.load(Ordering::Relaxed) && self.report.outputs.iter().any(Option::is_none);
        self.report.failures.sort_by_key(|failure| failure.action);
        self.report
    }
}

/// A fetch is known by its name and declared digest before it runs.
pub(crate) fn static_digest(graph: &Graph, index: ActionIndex) -> Option<InputDigest> {
    match &graph.action(index).kind {
        Kind::Fetch(fetch) => Some(InputDigest::File { file: fetch.file.clone(), sha256: fetch.sha256 }),
        _ => None,
    }
}

/// One execution of one action, on a thread of its own pool.
struct Execution<'a> {
    builder: &'a Builder,
    graph: &'a Graph,
    action: ActionIndex,
    outputs: Vec<InputDigest>,
    mode: Mode,
    cancel: &'a AtomicBool,
    events: &'a (dyn Fn(&Event) + Sync),
    recorder: Recorder,
}

impl Execution<'_> {
    fn run(&self) -> Completion {
        let begun = Instant::now();
        let result = self.run_locked();
        let wall = begun.elapsed();
        match result {
            Ok((digest, how)) => Completion { action: self.action, how, wall, result: Ok(digest) },
            Err(error) => Completion { action: self.action, how: How::Executed, wall, result: Err(error) },
        }
    }

    fn run_locked(&self) -> Result<(InputDigest, How), ExecuteError> {
        let inputs = Inputs::new(self.builder, self.graph.action(self.action), &self.outputs)?;
        let resolved = self.graph.action(self.action).resolve(inputs.digests());
        let key = resolved.digest();
        let mut is_announced = false;
        let lock = loop {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(ExecuteError::Cancelled);
            }
            match self.builder.store.try_lock_action(&key).map_err(ExecuteError::Store)? {
                Some(lock) => break lock,
                None if is_announced => std::thread::sleep(Duration::from_millis(50)),
                None => {
                    is_announced = true;
                    (self.events)(&Event::Waiting { label: self.label() });
                }
            }
        };
        // Another process may have executed it between the look-up and the lock, without having been waited for.
        if self.mode == Mode::Build
            && let Some(digest) = self.made_elsewhere(&key)
        {
            return Ok((digest, How::ExecutedElsewhere));
        }
        (self.events)(&Event::Started { label: self.label(), kind: self.graph.action(self.action).kind.name() });
        Ok((self.execute(resolved, &inputs, lock)?, How::Executed))
    }

    fn made_elsewhere(&self, key: &ActionDigest) -> Option<InputDigest> {
        match &self.graph.action(self.action).kind {
            Kind::Fetch(fetch) => {
                self.builder.store.fetched_file(&fetch.sha256)?;
                static_digest(self.graph, self.action)
            }
            _ => self.builder.known_output(key).map(InputDigest::Node),
        }
    }

    /// Executes the action. Its lock is held until its result is recorded.
    fn execute(
        &self,
        resolved: ResolvedAction,
        inputs: &Inputs,
        lock: ActionLock,
    ) -> Result<InputDigest, ExecuteError> {
        if let Kind::Fetch(fetch) = &self.graph.action(self.action).kind {
            self.builder.fetch(fetch, self.cancel)?;
            return Ok(InputDigest::File { file: fetch.file.clone(), sha256: fetch.sha256 });
        }
        let (begun, key) = (Instant::now(), resolved.digest());
        let executed = self.builder.execute(&self.graph.action(self.action).kind, inputs, self.mode, self.cancel);
        let executed = executed.map_err(|error| self.builder.explain(error, self.graph))?;
        let previous = match self.mode {
            Mode::Build => self.builder.store.latest_action(&self.label()).filter(|previous| *previous != key),
            Mode::Check => return self.compare(&key, executed.output),
        };
        let result = ActionResult {
            action: resolved,
            label: self.label(),
            output: executed.output.clone(),
            log: executed.log,
            wall_milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            previous,
        };
        self.recorder.record(Record { action: self.action, key, result, lock });
        Ok(InputDigest::Node(executed.output))
    }

    fn compare(&self, key: &ActionDigest, output: Node) -> Result<InputDigest, ExecuteError> {
        let Some(known) = self.builder.known_output(key) else { return Ok(InputDigest::Node(output)) };
        if known == output {
            return Ok(InputDigest::Node(output));
        }
        Err(ExecuteError::NotReproducible { differences: compare(&self.builder.store, &known, &output)? })
    }

    fn label(&self) -> String {
        self.graph.provenance(self.action).label.clone()
    }
}
