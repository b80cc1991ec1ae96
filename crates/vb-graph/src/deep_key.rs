//! Deep keys: what an action is made of, down to sources and fetched files, known before anything is built.

use crate::{
    action::{Ingest, Kind},
    digest::{ActionDigest, DirectoryDigest},
    directory::Node,
    graph::{ActionIndex, Graph, Input},
    resolved::{InputDigest, Part, PartValue, ResolvedAction},
    selection::{Pattern, Selection},
};

impl Graph {
    /// Returns the deep key of an action: the digest of its encoding with each input in it by the input's own deep key,
    /// where its key has the digest of what the input gives. A fetched file is its declared SHA-256, and a source what
    /// `source` says that it holds.
    ///
    /// Equal deep keys mean equal outputs; other inputs may still give the same bytes, which only their keys tell.
    ///
    /// # Errors
    /// What `source` returns.
    pub fn deep_key<E>(
        &self,
        goal: ActionIndex,
        mut source: impl FnMut(&Ingest) -> Result<Node, E>,
    ) -> Result<ActionDigest, E> {
        let mut is_needed = vec![false; self.len()];
        is_needed[goal.as_usize()] = true;
        for index in self.indices().rev().filter(|index| *index <= goal) {
            if is_needed[index.as_usize()] {
                self.action(index).inputs.iter().for_each(|input| is_needed[input.action.as_usize()] = true);
            }
        }
        let mut digests: Vec<Option<InputDigest>> = vec![None; self.len()];
        for index in self.indices().filter(|index| is_needed[index.as_usize()]) {
            let action = self.action(index);
            digests[index.as_usize()] = Some(match &action.kind {
                Kind::Fetch(fetch) => InputDigest::File { file: fetch.file.clone(), sha256: fetch.sha256 },
                Kind::Ingest(ingest) => InputDigest::Node(source(ingest)?),
                _ => {
                    let inputs: Vec<InputDigest> = action.inputs.iter().map(|input| read(input, &digests)).collect();
                    named(&action.resolve(&inputs).digest())
                }
            });
        }
        let key = ResolvedAction {
            kind: "deep key".to_owned(),
            version: 1,
            parts: vec![Part { name: "goal".to_owned(), value: PartValue::Input(known(&digests, goal)) }],
        };
        Ok(key.digest())
    }
}

/// Returns what an action reads of an input: all of it, or what a selection takes of it.
fn read(input: &Input, digests: &[Option<InputDigest>]) -> InputDigest {
    let whole = known(digests, input.action);
    let Some(Selection { directory, patterns, excludes }) = &input.selection else { return whole };
    let parts = vec![
        Part::text("directory", directory),
        Part::list("patterns", &texts(patterns)),
        Part::list("excludes", &texts(excludes)),
        Part { name: "of".to_owned(), value: PartValue::Input(whole) },
    ];
    named(&ResolvedAction { kind: "selection".to_owned(), version: 1, parts }.digest())
}

fn texts(patterns: &[Pattern]) -> Vec<String> {
    let text = |pattern: &Pattern| match pattern {
        Pattern::Name(name) => format!("name {name}"),
        Pattern::Glob(glob) => format!("glob {glob}"),
    };
    patterns.iter().map(text).collect()
}

fn known(digests: &[Option<InputDigest>], index: ActionIndex) -> InputDigest {
    digests[index.as_usize()].clone().expect("inputs stand before their action")
}

/// A key in the place of what the action gives.
fn named(key: &ActionDigest) -> InputDigest {
    InputDigest::Node(Node::Directory { digest: DirectoryDigest::from_bytes(*key.as_bytes()), mode: 0o755 })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{
        action::{Environment, InterpreterSpec},
        graph::Provenance,
    };

    /// A source that one action reads, or a part of it.
    fn key(path: &str, content: u8, selection: Option<&str>) -> String {
        let mut graph = Graph::default();
        let provenance = |label: &str| Provenance { label: label.to_owned(), declared_at: None };
        let ingest = Ingest { path: path.to_owned(), excludes: vec![] };
        let source = graph.add(Kind::Ingest(ingest), vec![], provenance("source"));
        let interpreter = InterpreterSpec { version: "3.11".to_owned(), command: "/usr/bin/python3.11".to_owned() };
        let environment =
            Environment { prefix: "/vrmd/x".to_owned(), interpreter, module_paths: vec![], prune: vec![] };
        let selection = selection.map(|glob| Selection {
            directory: String::new(),
            patterns: vec![Pattern::Glob(glob.to_owned())],
            excludes: vec![],
        });
        let input = Input { name: "source".to_owned(), action: source, selection };
        let goal = graph.add(Kind::Environment(environment), vec![input], provenance(path));
        let node = Node::Directory { digest: DirectoryDigest::from_bytes([content; 32]), mode: 0o755 };
        graph.deep_key(goal, |_| Ok::<_, Infallible>(node.clone())).unwrap().to_string()
    }

    #[test]
    fn a_deep_key_depends_on_what_a_source_holds_and_what_is_read_of_it_and_not_on_where_it_is() {
        let first = key("/one", 1, None);
        assert_eq!(key("/other", 1, None), first);
        assert_ne!(key("/one", 2, None), first);
        assert_ne!(key("/one", 1, Some("*.py")), first);
        assert_ne!(key("/one", 1, Some("*.py")), key("/one", 1, Some("*.js")));
    }

    #[test]
    fn deep_keys_have_not_changed() {
        assert_eq!(key("/one", 1, Some("*.py")), "141ef78eedb8ce1812ff136cca980055d0954b13506a5154a52c6af15bae0c3d");
    }
}
