//! An application out of its source, what is put into it, and what the steps of its pipeline wrote.

use std::collections::BTreeMap;

use vb_graph::{DirectoryDigest, InputDigest, Node};
use vb_store::Listing;

use crate::{
    builder::Builder,
    error::{ExecuteError, StepError},
    execute::step::is_layer,
    inputs::Inputs,
};

/// A tree that grows layer by layer, and who wrote what of it.
#[derive(Debug)]
struct Assembly {
    tree: Listing,
    writers: BTreeMap<String, String>,
}

impl Builder {
    /// Puts sub-applications into the source, and over both what the steps of the pipeline wrote.
    pub(super) fn assembled(&self, inputs: &Inputs) -> Result<DirectoryDigest, ExecuteError> {
        let source = inputs.directory("source");
        let others: Vec<_> = inputs.of_kind("").filter(|(name, _)| is_layer(name) && *name != "source").collect();
        if others.is_empty() {
            return Ok(source);
        }
        let tree = self.listing(&source)?.as_ref().clone();
        let mut assembly = Assembly { tree, writers: BTreeMap::new() };
        for (name, input) in others {
            let InputDigest::Node(Node::Directory { digest, .. }) = input else {
                unreachable!("the layer `{name}` is a directory")
            };
            assembly.add(name, self.listing(digest)?.as_ref())?;
        }
        self.store.put_listing(assembly.tree.to_tree()?).map_err(ExecuteError::Store)
    }
}

impl Assembly {
    fn add(&mut self, name: &str, layer: &Listing) -> Result<(), StepError> {
        for (path, node) in layer.entries() {
            if let Some(first) = self.taken_by(name, path) {
                let [first, second] = [first.as_str(), name].map(|name| shown(name).to_owned());
                return Err(StepError::WrittenTwice { path: path.to_owned(), first, second });
            }
            self.tree.replace(path, node.clone());
            if !name.starts_with("sub_app ") {
                self.writers.insert(path.to_owned(), name.to_owned());
            }
        }
        Ok(())
    }

    /// Returns who has a path that a layer may not replace. A step replaces what is in a source; one that rewrites also
    /// what other steps wrote, which it has read; a sub-application nothing.
    fn taken_by(&self, name: &str, path: &str) -> Option<String> {
        match name.split(' ').next() {
            Some("rewrite") => None,
            Some("step") => self.writers.get(path).cloned(),
            _ => self.tree.get(path).map(|_| "source".to_owned()),
        }
    }
}

/// Returns the name of a layer as the user knows it.
fn shown(name: &str) -> &str {
    ["step ", "rewrite "].iter().find_map(|word| name.strip_prefix(word)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(paths: &[&str], target: &str) -> Listing {
        paths.iter().map(|path| ((*path).to_owned(), Node::Symlink { target: target.to_owned() })).collect()
    }

    fn assemble(layers: &[(&str, &[&str])]) -> Result<Listing, StepError> {
        let mut assembly = Assembly { tree: layer(&["a.py", "a.css"], "source"), writers: BTreeMap::new() };
        layers.iter().try_for_each(|(name, paths)| assembly.add(name, &layer(paths, name)))?;
        Ok(assembly.tree)
    }

    fn conflict(layers: &[(&str, &[&str])]) -> [String; 3] {
        match assemble(layers).unwrap_err() {
            StepError::WrittenTwice { path, first, second } => [path, first, second],
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_step_replaces_what_is_in_a_source() {
        let tree = assemble(&[("sub_app nav", &["nav/a.css"]), ("step Run", &["a.css", "nav/a.css"])]).unwrap();
        for path in ["a.css", "nav/a.css"] {
            assert_eq!(tree.get(path), Some(&Node::Symlink { target: "step Run".to_owned() }));
        }
    }

    #[test]
    fn a_file_of_two_steps_is_told_with_both_names_unless_the_second_rewrites() {
        let first: (&str, &[&str]) = ("step CompileLess", &["b.css"]);
        assert_eq!(conflict(&[first, ("step Run", &["b.css"])]), ["b.css", "CompileLess", "Run"]);
        assert!(assemble(&[first, ("rewrite CompressCss", &["b.css"])]).is_ok());
        let rewritten = [first, ("rewrite CompressCss", &["b.css"]), ("step Run", &["b.css"])];
        assert_eq!(conflict(&rewritten), ["b.css", "CompressCss", "Run"]);
    }

    #[test]
    fn a_sub_application_replaces_nothing() {
        assert_eq!(conflict(&[("sub_app nav", &["a.py"])]), ["a.py", "source", "sub_app nav"]);
    }
}
