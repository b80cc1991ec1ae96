//! Every import of the application's modules, tried where it will run: with the run dependencies alone.

use fs_err as fs;
use vb_graph::{Graph, ImportCheck, Kind, Node};
use vb_python::{ImportCause, ImportCheckOptions, ImportFailure, import_check_command, parse_import_report, python2};

use super::command::{Prepared, layered, private, read_write};
use crate::{build::static_digest, builder::Builder, error::ExecuteError, inputs::Inputs};

impl Builder {
    pub(super) fn prepare_import_check(&self, check: &ImportCheck, inputs: &Inputs) -> Result<Prepared, ExecuteError> {
        let scratch = self.scratch()?;
        let report = scratch.path().join("report");
        fs::create_dir(&report).map_err(ExecuteError::scratch)?;
        let stage = Node::directory(inputs.directory("stage"));
        let Some(Node::Directory { digest: staged, .. }) = self.store.find(&stage, "root")? else {
            unreachable!("a stage has a root")
        };
        let mut lowers = self.staged_layers(&staged, &inputs.directory("environment"), &check.prefix)?;
        lowers.push(self.layer(&inputs.directory("root"))?);
        let python = format!("{}/bin/python", check.prefix);
        let seconds = Some(check.seconds).filter(|seconds| *seconds != ImportCheck::SECONDS);
        let options = ImportCheckOptions { skip: check.skip.clone(), seconds };
        let is_python_2 = self.has_python_2(&inputs.directory("stage"), &check.prefix)?;
        let command = if is_python_2 { python2::import_check_command } else { import_check_command };
        let argv = command(&python, &check.application, &private("report/report.json"), &options);
        let spec = layered(lowers, argv, vec![read_write(&report, &private("report"))]);
        Ok(Prepared { spec, scratch })
    }

    pub(super) fn finish_import_check(&self, prepared: &Prepared) -> Result<Node, ExecuteError> {
        // Read out of the store, where a link that imported code may have left is not followed.
        let output = self.take_in(&prepared.path("report"))?;
        let report = match self.store.find(&output, "report.json")? {
            Some(Node::File { blob, .. }) => self.store.read_blob(&blob)?,
            _ => vec![],
        };
        let report = parse_import_report(&report)?;
        if !report.failures.is_empty() {
            return Err(ExecuteError::Imports { failures: report.failures, owners: vec![] });
        }
        Ok(output)
    }

    /// Finds which package of the graph's other roots has each missing library.
    pub(super) fn library_owners(&self, failures: &[ImportFailure], graph: &Graph) -> Vec<(String, String)> {
        let missing = |failure: &'_ ImportFailure| match failure.cause() {
            ImportCause::MissingLibrary(library) => Some(library.to_owned()),
            _ => None,
        };
        let mut libraries: Vec<String> = failures.iter().filter_map(missing).collect();
        libraries.sort_unstable();
        libraries.dedup();
        let roots = self.built_roots(graph);
        let owner = |library: &str| roots.iter().find_map(|root| vb_platform::find_soname_owner(root, library));
        libraries.into_iter().filter_map(|library| Some((library.clone(), owner(&library)?))).collect()
    }

    /// Returns the roots of the graph that are there.
    pub(super) fn built_roots(&self, graph: &Graph) -> Vec<std::path::PathBuf> {
        let roots = graph.indices().filter(|index| matches!(graph.action(*index).kind, Kind::Root(_)));
        roots
            .filter_map(|index| {
                let action = graph.action(index);
                let inputs: Option<Vec<_>> =
                    action.inputs.iter().map(|input| static_digest(graph, input.action)).collect();
                let node = self.known_output(&action.resolve(&inputs?).digest())?;
                match node {
                    Node::Directory { digest, .. } => self.store.materialize(&digest).ok(),
                    _ => None,
                }
            })
            .collect()
    }
}
