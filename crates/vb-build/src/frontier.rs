//! Which action can be looked up or executed: a pure state machine.
//!
//! Must not be here: threads, time, the store. The machine is told what happened and says what can be done.
//!
//! An action is looked up when the digests of its inputs are known. A fetch has a known digest before it runs (its
//! declared SHA-256), so nothing waits for a fetch until an action that reads it was looked up and missed: what is
//! cached never fetches anything.
//!
//! Invariants: an action is offered at most once for each step; every action that the goals need ends as done, failed
//! or skipped; the order in which steps complete does not change how they end.

use std::collections::VecDeque;

use vb_graph::{ActionIndex, Graph, Kind};

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look the action up; answer with [`Frontier::hit`] or [`Frontier::miss`].
    LookUp(ActionIndex),
    /// Execute the action; answer with [`Frontier::succeeded`] or [`Frontier::failed`].
    Execute(ActionIndex),
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No goal needs it, as far as is known.
    Unneeded,
    /// It waits for the digests of this many inputs.
    Blocked(usize),
    /// It is offered, or being looked up.
    LookingUp,
    /// It missed and waits for this many files to be fetched.
    Fetching(usize),
    /// It is offered, or being executed.
    Executing,
    /// Its output is known.
    Done,
    /// Its execution failed.
    Failed,
    /// Something that it needs failed, or the build was stopped.
    Skipped,
}

/// What happens to the rest of the build when an action fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing else is started.
    Stop,
    /// What does not need the failed action is finished.
    KeepGoing,
}

/// The state of every action of a graph.
#[derive(Debug)]
pub(crate) struct Frontier {
    states: Vec<State>,
    inputs: Vec<Vec<ActionIndex>>,
    readers: Vec<Vec<ActionIndex>>,
    is_fetch: Vec<bool>,
    ready: VecDeque<Step>,
    on_failure: OnFailure,
    needed: usize,
    unfinished: usize,
}

impl Frontier {
    /// Starts with what the goals need.
    pub(crate) fn new(graph: &Graph, goals: &[ActionIndex], on_failure: OnFailure) -> Self {
        let inputs: Vec<Vec<ActionIndex>> = graph.indices().map(|index| distinct_inputs(graph, index)).collect();
        let mut readers = vec![Vec::new(); graph.len()];
        for index in graph.indices() {
            for input in &inputs[index.as_usize()] {
                readers[input.as_usize()].push(index);
            }
        }
        let is_fetch = graph.indices().map(|index| matches!(graph.action(index).kind, Kind::Fetch(_))).collect();
        let mut frontier = Self {
            states: vec![State::Unneeded; graph.len()],
            inputs,
            readers,
            is_fetch,
            ready: VecDeque::new(),
            on_failure,
            needed: 0,
            unfinished: 0,
        };
        for goal in goals {
            frontier.need(*goal);
        }
        frontier
    }

    /// Returns something that can be done, and counts it as begun.
    pub(crate) fn next_step(&mut self) -> Option<Step> {
        self.ready.pop_front()
    }

    /// Has every needed action ended?
    pub(crate) fn is_finished(&self) -> bool {
        self.unfinished == 0
    }

    /// Returns how many actions have ended, and how many are needed as far as is known: what is cached needs no fetches,
    /// and whether it is shows only when its turn comes.
    pub(crate) fn progress(&self) -> (usize, usize) {
        (self.needed - self.unfinished, self.needed)
    }

    /// Returns how far an action is.
    pub(crate) fn state(&self, action: ActionIndex) -> State {
        self.states[action.as_usize()]
    }

    /// The action was found in the cache.
    pub(crate) fn hit(&mut self, action: ActionIndex) {
        self.end(action, State::Done);
    }

    /// The action was not found: it is to be executed, after the files that it reads are fetched.
    pub(crate) fn miss(&mut self, action: ActionIndex) {
        if self.state(action) == State::Skipped {
            return;
        }
        let mut waiting = 0;
        let mut is_doomed = false;
        for input in self.inputs[action.as_usize()].clone() {
            if !self.is_fetch[input.as_usize()] {
                continue;
            }
            self.need(input);
            match self.state(input) {
                State::Done => {}
                State::Failed | State::Skipped => is_doomed = true,
                _ => waiting += 1,
            }
        }
        if is_doomed {
            self.skip(action);
        } else if waiting == 0 {
            self.offer(Step::Execute(action));
        } else {
            self.states[action.as_usize()] = State::Fetching(waiting);
        }
    }

    /// The action was executed and its output is known.
    pub(crate) fn succeeded(&mut self, action: ActionIndex) {
        self.end(action, State::Done);
    }

    /// The action's execution failed: what needs it is skipped.
    pub(crate) fn failed(&mut self, action: ActionIndex) {
        self.end(action, State::Failed);
        if self.on_failure == OnFailure::Stop {
            self.stop();
        }
    }

    /// Skips everything that is not begun.
    pub(crate) fn stop(&mut self) {
        self.on_failure = OnFailure::Stop;
        let begun: Vec<Step> = self.ready.drain(..).collect();
        for step in begun {
            let (Step::LookUp(action) | Step::Execute(action)) = step;
            self.skip(action);
        }
        for index in 0..self.states.len() {
            if matches!(self.states[index], State::Blocked(_) | State::Fetching(_)) {
                self.states[index] = State::Skipped;
                self.unfinished -= 1;
            }
        }
    }

    fn need(&mut self, action: ActionIndex) {
        if self.state(action) != State::Unneeded {
            return;
        }
        self.needed += 1;
        self.unfinished += 1;
        let mut missing = 0;
        let mut is_doomed = false;
        for input in self.inputs[action.as_usize()].clone() {
            if self.is_fetch[input.as_usize()] {
                continue;
            }
            self.need(input);
            match self.state(input) {
                State::Done => {}
                State::Failed | State::Skipped => is_doomed = true,
                _ => missing += 1,
            }
        }
        self.states[action.as_usize()] = State::Blocked(missing);
        if is_doomed {
            self.skip(action);
        } else if missing == 0 {
            self.offer(Step::LookUp(action));
        }
    }

    fn offer(&mut self, step: Step) {
        let (action, state) = match step {
            Step::LookUp(action) => (action, State::LookingUp),
            Step::Execute(action) => (action, State::Executing),
        };
        self.states[action.as_usize()] = state;
        self.ready.push_back(step);
    }

    fn end(&mut self, action: ActionIndex, state: State) {
        self.states[action.as_usize()] = state;
        self.unfinished -= 1;
        for reader in self.readers[action.as_usize()].clone() {
            match (state, self.state(reader)) {
                (State::Done, State::Blocked(missing)) if !self.is_fetch[action.as_usize()] => {
                    self.unblock(reader, missing - 1);
                }
                (State::Done, State::Fetching(waiting)) => self.fetched(reader, waiting - 1),
                (State::Failed | State::Skipped, State::Blocked(_)) if self.is_fetch[action.as_usize()] => {}
                (State::Failed | State::Skipped, State::Blocked(_) | State::Fetching(_)) => self.skip(reader),
                _ => {}
            }
        }
    }

    fn unblock(&mut self, action: ActionIndex, missing: usize) {
        self.states[action.as_usize()] = State::Blocked(missing);
        if missing == 0 {
            self.offer(Step::LookUp(action));
        }
    }

    fn fetched(&mut self, action: ActionIndex, waiting: usize) {
        self.states[action.as_usize()] = State::Fetching(waiting);
        if waiting == 0 {
            self.offer(Step::Execute(action));
        }
    }

    fn skip(&mut self, action: ActionIndex) {
        if !matches!(self.state(action), State::Done | State::Failed | State::Skipped | State::Unneeded) {
            self.end(action, State::Skipped);
        }
    }
}

fn distinct_inputs(graph: &Graph, index: ActionIndex) -> Vec<ActionIndex> {
    let mut inputs: Vec<_> = graph.action(index).inputs.iter().map(|input| input.action).collect();
    inputs.sort();
    inputs.dedup();
    inputs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vb_graph::{Fetch, Ingest, Input, Origin, Provenance, Sha256};

    use super::*;

    /// One action for each element: is it a fetch, and which earlier ones does it read?
    fn graph_of(shape: &[(bool, Vec<usize>)]) -> (Graph, Vec<ActionIndex>) {
        let mut graph = Graph::default();
        let mut indices: Vec<ActionIndex> = Vec::new();
        for (number, (is_fetch, reads)) in shape.iter().enumerate() {
            let provenance = Provenance { label: number.to_string(), declared_at: None };
            let index = if *is_fetch {
                let mut bytes = [0; 32];
                bytes[0] = u8::try_from(number).unwrap();
                let fetch = Fetch {
                    sha256: Sha256::from_bytes(bytes),
                    size: None,
                    file: number.to_string(),
                    origin: Origin::Index { project: "p".into() },
                };
                graph.add(Kind::Fetch(fetch), vec![], provenance)
            } else {
                let reads = reads.iter().filter(|_| number > 0);
                let inputs = reads.map(|read| Input::whole(read.to_string(), indices[read % number])).collect();
                graph.add(Kind::Ingest(Ingest { path: number.to_string(), excludes: vec![] }), inputs, provenance)
            };
            indices.push(index);
        }
        (graph, indices)
    }

    /// Drives a frontier to its end, picking the step to complete by `order`; returns how every action ended.
    fn drive(
        graph: &Graph,
        goal: ActionIndex,
        hits: &[bool],
        fails: &[bool],
        order: &mut dyn FnMut(usize) -> usize,
    ) -> Vec<State> {
        let mut frontier = Frontier::new(graph, &[goal], OnFailure::KeepGoing);
        let mut begun = Vec::new();
        loop {
            while let Some(step) = frontier.next_step() {
                assert!(!begun.contains(&step), "{step:?} was offered twice");
                begun.push(step);
            }
            if begun.is_empty() {
                break;
            }
            let chosen = order(begun.len());
            match begun.swap_remove(chosen) {
                Step::LookUp(action) if hits[action.as_usize()] => frontier.hit(action),
                Step::LookUp(action) => frontier.miss(action),
                Step::Execute(action) if fails[action.as_usize()] => frontier.failed(action),
                Step::Execute(action) => frontier.succeeded(action),
            }
        }
        assert!(frontier.is_finished());
        let states: Vec<State> = graph.indices().map(|index| frontier.state(index)).collect();
        let needed = states.iter().filter(|state| **state != State::Unneeded).count();
        assert_eq!(frontier.progress(), (needed, needed));
        states
    }

    #[test]
    fn nothing_is_fetched_for_an_action_that_is_in_the_cache() {
        let (graph, indices) = graph_of(&[(true, vec![]), (false, vec![0])]);
        let states = drive(&graph, indices[1], &[false, true], &[false; 2], &mut |_| 0);
        assert_eq!(states, [State::Unneeded, State::Done]);
    }

    #[test]
    fn a_missed_action_waits_for_its_files() {
        let (graph, indices) = graph_of(&[(true, vec![]), (false, vec![0])]);
        let mut frontier = Frontier::new(&graph, &[indices[1]], OnFailure::Stop);
        assert_eq!(frontier.next_step(), Some(Step::LookUp(indices[1])));
        frontier.miss(indices[1]);
        assert_eq!(frontier.next_step(), Some(Step::LookUp(indices[0])));
        assert_eq!(frontier.next_step(), None);
        frontier.miss(indices[0]);
        assert_eq!(frontier.next_step(), Some(Step::Execute(indices[0])));
        frontier.succeeded(indices[0]);
        assert_eq!(frontier.next_step(), Some(Step::Execute(indices[1])));
        frontier.succeeded(indices[1]);
        assert!(frontier.is_finished());
    }

    #[test]
    fn a_failure_skips_its_readers_and_stops_the_rest() {
        let (graph, indices) = graph_of(&[(false, vec![]), (false, vec![0]), (false, vec![0, 1])]);
        let mut frontier = Frontier::new(&graph, &[indices[2]], OnFailure::Stop);
        frontier.next_step();
        frontier.miss(indices[0]);
        frontier.next_step();
        frontier.failed(indices[0]);
        assert!(frontier.is_finished());
        assert_eq!(frontier.state(indices[0]), State::Failed);
        assert_eq!(frontier.state(indices[2]), State::Skipped);
    }

    proptest! {
        #[test]
        fn every_order_of_completion_ends_in_the_same_state(
            shape in prop::collection::vec((prop::bool::weighted(0.3), prop::collection::vec(0usize..12, 0..4)), 1..12),
            hits in prop::collection::vec(any::<bool>(), 12),
            fails in prop::collection::vec(prop::bool::weighted(0.2), 12),
            picks in prop::collection::vec(any::<usize>(), 64),
        ) {
            let (graph, indices) = graph_of(&shape);
            let goal = *indices.last().unwrap();
            let first = drive(&graph, goal, &hits, &fails, &mut |_| 0);
            let mut picks = picks.into_iter().cycle();
            let other = drive(&graph, goal, &hits, &fails, &mut |count| picks.next().unwrap() % count);
            prop_assert_eq!(first, other);
        }
    }
}
