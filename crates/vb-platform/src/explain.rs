//! Why a request cannot be satisfied, in sentences that follow the relations from the request on.

use std::collections::VecDeque;

use petgraph::{graph::NodeIndex, visit::EdgeRef};
use resolvo::{
    SolvableId,
    conflict::{ConflictCause, ConflictEdge, ConflictGraph, ConflictNode},
};

use crate::{sat::Relations, solver::DebianRelations};

/// How many sentences are shown.
const LIMIT: usize = 20;

/// Versions of one package that have something in common.
struct Sentence {
    name: String,
    versions: Vec<String>,
    /// What they do: `depends on …`.
    predicate: String,
}

/// Explains a conflict, the relations nearest to the request first.
pub(crate) fn explain(graph: &ConflictGraph<SolvableId>, relations: &DebianRelations<'_>) -> Vec<String> {
    let mut sentences: Vec<Sentence> = Vec::new();
    for node in nearest_first(graph) {
        let ConflictNode::Solvable(solvable) = graph.graph[node] else { continue };
        let package = relations.package(solvable);
        for predicate in predicates(graph, node, relations) {
            let version = package.version.clone();
            let known = sentences.iter_mut().find(|one| one.name == package.name && one.predicate == predicate);
            match known {
                Some(sentence) if sentence.versions.contains(&version) => {}
                Some(sentence) => sentence.versions.push(version),
                None => sentences.push(Sentence { name: package.name.clone(), versions: vec![version], predicate }),
            }
        }
    }
    let mut lines: Vec<String> = sentences.iter().take(LIMIT).map(Sentence::to_line).collect();
    if sentences.len() > LIMIT {
        lines.push(format!("… and {} more relations", sentences.len() - LIMIT));
    }
    lines
}

impl Sentence {
    fn to_line(&self) -> String {
        format!("`{} {}` {}", self.name, self.versions.join(", "), self.predicate)
    }
}

/// Lists the nodes of a conflict by their distance from the request.
fn nearest_first(graph: &ConflictGraph<SolvableId>) -> Vec<NodeIndex> {
    let mut found = vec![graph.root_node];
    let mut pending = VecDeque::from([graph.root_node]);
    while let Some(node) = pending.pop_front() {
        // The edges of a node come back in the reverse of the order in which they were added.
        let mut targets: Vec<NodeIndex> = graph.graph.edges(node).map(|edge| edge.target()).collect();
        targets.reverse();
        for target in targets {
            if !found.contains(&target) {
                found.push(target);
                pending.push_back(target);
            }
        }
    }
    found
}

fn predicates(graph: &ConflictGraph<SolvableId>, node: NodeIndex, relations: &DebianRelations<'_>) -> Vec<String> {
    let mut predicates = Vec::new();
    for edge in graph.graph.edges(node) {
        let predicate = match (edge.weight(), graph.graph[edge.target()]) {
            (ConflictEdge::Requires(requirement), _) => {
                format!("depends on `{}`", relations.requirement_text(*requirement))
            }
            (ConflictEdge::Conflict(ConflictCause::Constrains(conflict)), _) => relations.conflict_text(*conflict),
            (ConflictEdge::Conflict(ConflictCause::ForbidMultipleInstances), ConflictNode::Solvable(other)) => {
                let other = relations.package(other);
                format!("cannot be installed together with `{} {}`", other.name, other.version)
            }
            (ConflictEdge::Conflict(ConflictCause::Excluded), ConflictNode::Excluded(reason)) => {
                relations.pool().resolve_string(reason).to_string()
            }
            (ConflictEdge::Conflict(_), _) => continue,
        };
        if !predicates.contains(&predicate) {
            predicates.push(predicate);
        }
    }
    predicates.reverse();
    predicates
}
