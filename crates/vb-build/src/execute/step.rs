//! Steps of a pipeline: what they read is laid out at the application's path, what they wrote is found by comparison.
//!
//! Invariant: a step's output holds exactly the files that it wrote, and it wrote only what it may.

mod cache_busting;
mod collect_static;
mod command;
mod explain;
mod precompress;

use std::sync::atomic::AtomicBool;

use fs_err as fs;
use vb_graph::{InputDigest, Node, Step, Work};
use vb_store::{Listing, export_copy};

use super::{
    Executed,
    command::{Prepared, layered, read_write},
    node_modules::NODE_MODULES,
};
use crate::{
    builder::Builder,
    error::{ExecuteError, StepError},
    inputs::Inputs,
};

/// The inputs that are laid over each other, by the first word of their names.
const LAYERS: [&str; 4] = ["source", "sub_app", "step", "rewrite"];

impl From<StepError> for ExecuteError {
    fn from(error: StepError) -> Self {
        Self::Step(Box::new(error))
    }
}

/// Is an input part of the application?
pub(super) fn is_layer(name: &str) -> bool {
    name.split(' ').next().is_some_and(|word| LAYERS.contains(&word))
}

impl Builder {
    pub(super) fn step(&self, step: &Step, inputs: &Inputs, cancel: &AtomicBool) -> Result<Executed, ExecuteError> {
        match &step.work {
            Work::BustCaches(bust) => self.bust_caches(bust, inputs).map(Executed::without_command),
            Work::Precompress(precompress) => self.precompress(precompress, inputs).map(Executed::without_command),
            Work::Compile(_) | Work::Compress(_) | Work::CompileCatalogues | Work::CollectStatic(_) | Work::Run(_) => {
                let prepared = self.prepare_step(step, inputs)?.expect("the kind has a command");
                let log = self.run(&prepared, cancel).map_err(|error| self.explain_step(step, inputs, error))?;
                let output = self.finish_step(step, inputs, &prepared)?;
                Ok(Executed { output, log: Some(log) })
            }
        }
    }

    /// Prepares the sandbox of a step, `None` for one that vb does itself.
    pub(super) fn prepare_step(&self, step: &Step, inputs: &Inputs) -> Result<Option<Prepared>, ExecuteError> {
        let Some(argv) = self.step_command(step, inputs)? else { return Ok(None) };
        let scratch = self.scratch()?;
        let application = scratch.path().join("application");
        let tree = self.store.put_listing(self.laid_over(inputs)?.to_tree()?).map_err(ExecuteError::Store)?;
        self.on_data_pool(|| export_copy(&self.store, &tree, &application))?;
        for directory in command::output_directories(step) {
            fs::create_dir_all(application.join(directory)).map_err(ExecuteError::scratch)?;
        }
        let mut lowers = vec![self.layer(&inputs.directory("root"))?];
        let prefix = match &step.work {
            Work::CollectStatic(collect) => Some(collect.prefix.as_str()),
            Work::Run(run) => run.prefix.as_deref(),
            _ => None,
        };
        if let Some(prefix) = prefix {
            lowers.insert(0, self.layer_at(prefix, inputs, "environment")?);
        }
        if inputs.has("node_modules") {
            lowers.insert(0, self.layer_at(NODE_MODULES, inputs, "node_modules")?);
        }
        let mut spec = layered(lowers, argv, vec![read_write(&application, &step.application)]);
        spec.cwd = super::command::guest(&step.application);
        spec.env.extend(command::variables(step, inputs));
        let prepared = Prepared { spec, scratch };
        match &step.work {
            Work::CollectStatic(_) => self.prepare_collect_static(prepared).map(Some),
            _ => Ok(Some(prepared)),
        }
    }

    /// Returns what the step reads: its trees, each over the one before.
    pub(super) fn laid_over(&self, inputs: &Inputs) -> Result<Listing, ExecuteError> {
        let mut tree = Listing::default();
        for (name, _, digest, _) in inputs.with_outputs().filter(|(name, ..)| is_layer(name)) {
            let InputDigest::Node(Node::Directory { digest, .. }) = digest else {
                unreachable!("the layer `{name}` is a directory")
            };
            tree.lay_over(self.listing(digest)?.as_ref().clone());
        }
        Ok(tree)
    }

    fn finish_step(&self, step: &Step, inputs: &Inputs, prepared: &Prepared) -> Result<Node, ExecuteError> {
        let Node::Directory { digest, .. } = self.take_in(&prepared.path("application"))? else {
            unreachable!("the application is a directory")
        };
        let (before, after) = (self.laid_over(inputs)?, self.store.list_tree(&digest)?);
        if let Some((path, _)) = before.entries().find(|(path, _)| after.get(path).is_none()) {
            return Err(StepError::Removed { path: path.to_owned() }.into());
        }
        let is_written = |(path, node): &(&str, &Node)| before.get(path) != Some(*node);
        let written: Listing =
            after.entries().filter(is_written).map(|(path, node)| (path.to_owned(), node.clone())).collect();
        let checked = match &step.work {
            Work::CollectStatic(collect) => self.check_collected(step, collect, inputs, prepared, &written, &after),
            Work::Run(run) => command::check_run(run, &after, &written),
            _ => command::check_written(&command::expected(step, &before)?, &written).map_err(ExecuteError::from),
        };
        checked.map_err(|error| self.with_writer(error, inputs))?;
        self.put_output(&written)
    }

    /// Adds which step had written a file that this one may not write.
    fn with_writer(&self, error: ExecuteError, inputs: &Inputs) -> ExecuteError {
        let ExecuteError::Step(mut step) = error else { return error };
        if let StepError::Outside { path, writer, .. } = step.as_mut() {
            let has_path = |digest: &InputDigest| match digest {
                InputDigest::Node(Node::Directory { digest, .. }) => {
                    self.listing(digest).is_ok_and(|listing| listing.get(path).is_some())
                }
                _ => false,
            };
            let layers = inputs.with_outputs().filter(|(name, ..)| is_layer(name));
            let last = layers.filter(|(_, _, digest, _)| has_path(digest)).last();
            *writer = last.and_then(|(name, ..)| name.split_once(' ')).map(|(_, name)| name.to_owned());
        }
        ExecuteError::Step(step)
    }

    /// Stores what a step wrote, as its output.
    fn put_output(&self, written: &Listing) -> Result<Node, ExecuteError> {
        let digest = self.store.put_listing(written.to_tree()?).map_err(ExecuteError::Store)?;
        Ok(Node::directory(digest))
    }
}

/// Finds the one file that a name in the recipe means.
fn find_file<'a>(tree: &'a Listing, name: &str) -> Result<&'a str, StepError> {
    match tree.find(name).as_slice() {
        [path] => Ok(path),
        [] => Err(StepError::NoFile { name: name.to_owned(), similar: similar(tree, name) }),
        found => Err(StepError::Ambiguous {
            name: name.to_owned(),
            found: found.iter().map(|path| (*path).to_owned()).collect(),
        }),
    }
}

/// Finds the file that was probably meant: one of that name elsewhere, of nearly that name, or of another kind.
fn similar(tree: &Listing, name: &str) -> Option<String> {
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let wanted = last(name);
    let stem = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    let names = tree.entries().map(|(path, _)| (path, last(path)));
    let near = names.filter_map(|(path, name)| {
        let distance = strsim::damerau_levenshtein(&wanted, &name);
        let is_near = distance <= wanted.len() / 4 || stem(&wanted) == stem(&name);
        is_near.then_some((distance, path))
    });
    near.min().map(|(_, path)| path.to_owned())
}
