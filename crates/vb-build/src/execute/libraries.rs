//! The shared libraries that compiled code needs: found in the package, or in a root that has only the run dependencies,
//! before anything is run.
//!
//! The output is a directory with `libraries.json`: which packages have the libraries, where the recipe wants to know, and
//! which libraries are in none of both and may be. It names no file, so that an edit that needs nothing else gives the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use vb_graph::{BlobDigest, Directory, Graph, Libraries, Name, Node};
use vb_package::{CompiledFile, ElfMachine, ForeignLibrary, foreign_libraries};
use vb_platform::{LibraryNeed, SystemLibraries};

use super::share::Claims;
use crate::{
    builder::Builder,
    error::{ExecuteError, LibrariesError, MissingLibrary},
    inputs::Inputs,
};

const REPORT: &str = "libraries.json";

/// What the action finds out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct LibraryReport {
    /// Relations to the packages that have the libraries.
    pub(super) depends: Vec<String>,
    /// Sonames that are nowhere, and may be.
    missing: BTreeSet<String>,
}

/// The files of a staged tree that this is about.
#[derive(Debug, Default)]
struct Staged {
    paths: BTreeSet<String>,
    files: Vec<(String, BlobDigest)>,
}

impl Builder {
    pub(super) fn libraries(&self, libraries: &Libraries, inputs: &Inputs) -> Result<Node, ExecuteError> {
        let staged = self.staged(inputs)?;
        let root = self.on_data_pool(|| self.store.materialize(&inputs.directory("root")))?;
        let machine = ElfMachine::of_architecture(&libraries.architecture)
            .ok_or_else(|| LibrariesError::Architecture { name: libraries.architecture.clone() })?;
        let claims = libraries.share.as_ref().map(Claims::new).transpose()?;
        let mut code = Vec::new();
        for (path, blob) in &staged.files {
            if let Some(claims) = &claims
                && !claims.is_own(path.trim_start_matches('/'))?
            {
                continue;
            }
            // What only begins as compiled code, as test data do, needs nothing.
            code.extend(CompiledFile::read(path, &self.store.read_blob(blob)?, machine).ok().flatten());
        }
        let system = SystemLibraries::read(&root).map_err(LibrariesError::Root)?;
        let foreign = foreign_libraries(&code, &staged.paths);
        let (present, absent): (BTreeMap<_, _>, BTreeMap<_, _>) =
            foreign.into_iter().partition(|(soname, library)| is_in_root(&root, &system, soname, library));
        let missing = |(soname, library): &(&String, &ForeignLibrary)| {
            !library.is_elsewhere && !libraries.optional.contains(soname)
        };
        let unmet: Vec<_> = absent.iter().filter(missing).collect();
        if !unmet.is_empty() {
            let missing = self.describe(&unmet, &staged)?;
            return Err(LibrariesError::Missing { missing, owners: vec![] }.into());
        }
        let depends =
            if libraries.names_packages { self.packages_of(libraries, &system, &present, &staged)? } else { vec![] };
        let missing = absent.into_iter().filter(|(_, library)| !library.is_elsewhere).map(|(soname, _)| soname);
        self.put_report(&LibraryReport { depends, missing: missing.collect() })
    }

    /// Reads what the action has found out.
    pub(super) fn library_report(&self, inputs: &Inputs) -> Result<LibraryReport, ExecuteError> {
        let node = Node::directory(inputs.directory("libraries"));
        match self.store.find(&node, REPORT)? {
            Some(Node::File { blob, .. }) => {
                Ok(serde_json::from_slice(&self.store.read_blob(&blob)?).map_err(LibrariesError::Report)?)
            }
            _ => unreachable!("the action writes its report"),
        }
    }

    fn put_report(&self, report: &LibraryReport) -> Result<Node, ExecuteError> {
        let text = serde_json::to_vec_pretty(report).expect("the report is plain data");
        let blob = self.store.put_bytes(&text).map_err(ExecuteError::Store)?;
        let mut output = Directory::default();
        output.replace(Name::new(REPORT).expect("a name"), Node::File { blob, size: text.len() as u64, mode: 0o644 });
        Ok(Node::directory(self.store.put_directory(&output).map_err(ExecuteError::Store)?))
    }

    fn staged(&self, inputs: &Inputs) -> Result<Staged, ExecuteError> {
        let mut staged = Staged::default();
        self.store.walk(&inputs.directory("stage"), &mut |path, node| {
            let Some(path) = path.strip_prefix("root").filter(|path| path.starts_with('/')) else { return };
            match node {
                Node::File { blob, .. } => {
                    staged.paths.insert(path.to_owned());
                    staged.files.push((path.to_owned(), *blob));
                }
                Node::Symlink { .. } => drop(staged.paths.insert(path.to_owned())),
                Node::Directory { .. } => {}
            }
        })?;
        Ok(staged)
    }

    fn packages_of(
        &self,
        libraries: &Libraries,
        system: &SystemLibraries,
        present: &BTreeMap<String, ForeignLibrary>,
        staged: &Staged,
    ) -> Result<Vec<String>, ExecuteError> {
        let need = |(soname, library): (&String, &ForeignLibrary)| LibraryNeed {
            soname: soname.clone(),
            symbols: library.symbols.iter().map(|symbol| (symbol.name.clone(), symbol.version.clone())).collect(),
        };
        let found = system.packages(&present.iter().map(need).collect::<Vec<_>>(), &libraries.build_depends);
        if found.unknown.is_empty() {
            return Ok(found.relations);
        }
        let unknown: Vec<_> = found.unknown.iter().filter_map(|soname| present.get_key_value(soname)).collect();
        Err(LibrariesError::Unknown { unknown: self.describe(&unknown, staged)? }.into())
    }

    /// Says of each library which file needs it, and of which distribution that is.
    fn describe(
        &self,
        libraries: &[(&String, &ForeignLibrary)],
        staged: &Staged,
    ) -> Result<Vec<MissingLibrary>, ExecuteError> {
        let mut described = Vec::new();
        for (soname, library) in libraries {
            let file = library.needed_by.first().expect("a file needs the library");
            described.push(MissingLibrary {
                soname: (*soname).clone(),
                file: file.clone(),
                others: library.needed_by.len() - 1,
                distribution: self.distribution_of(file, staged)?,
            });
        }
        Ok(described)
    }

    /// Finds the distribution whose `RECORD` lists a file.
    fn distribution_of(&self, path: &str, staged: &Staged) -> Result<Option<String>, ExecuteError> {
        for (record, blob) in &staged.files {
            let Some((site, name)) = record.strip_suffix(".dist-info/RECORD").and_then(|stem| stem.rsplit_once('/'))
            else {
                continue;
            };
            let Some(own) = path.strip_prefix(&format!("{site}/")) else { continue };
            let text = String::from_utf8_lossy(&self.store.read_blob(blob)?).into_owned();
            if text.lines().any(|line| line.strip_prefix(own).is_some_and(|rest| rest.starts_with(','))) {
                return Ok(Some(name.replacen('-', " ", 1)));
            }
        }
        Ok(None)
    }

    /// Finds which package of the graph's other roots has each missing library.
    pub(super) fn owners_of_missing(&self, missing: &[MissingLibrary], graph: &Graph) -> Vec<(String, String)> {
        let roots = self.built_roots(graph);
        let owner = |soname: &str| roots.iter().find_map(|root| vb_platform::find_soname_owner(root, soname));
        missing.iter().filter_map(|library| Some((library.soname.clone(), owner(&library.soname)?))).collect()
    }
}

/// Is a library in the system's directories, or in one that its user names?
fn is_in_root(root: &Path, system: &SystemLibraries, soname: &str, library: &ForeignLibrary) -> bool {
    let is_at =
        |directory: &String| fs::symlink_metadata(root.join(directory.trim_start_matches('/')).join(soname)).is_ok();
    system.has(soname) || library.directories.iter().any(is_at)
}
