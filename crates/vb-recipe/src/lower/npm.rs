//! From the locked npm packages to the action that makes a tree of them.

use vb_graph::{ActionIndex, Fetch, Input, Kind, LockedNodePackage, NodeModules, Origin};

use super::{LowerError, Lowering, fetch_provenance, input};
use crate::lock::RootKind;

impl Lowering<'_> {
    /// Adds the action that makes `node_modules`, for a recipe that has npm packages.
    pub(super) fn node_modules(&mut self) -> Result<Option<ActionIndex>, LowerError> {
        let Some(npm) = &self.application.recipe.value.npm else { return Ok(None) };
        let packages = &self.application.lock.npm;
        if let Some(unknown) = npm.allow_scripts.iter().find(|name| packages.iter().all(|known| known.name != **name)) {
            return Err(LowerError::NoNodePackage { package: unknown.clone() });
        }
        let allowed = packages.iter().filter(|package| npm.allow_scripts.contains(&package.name));
        let mut scripts: Vec<String> = allowed.map(|package| package.place.clone()).collect();
        scripts.sort();
        let mut packages: Vec<&LockedNodePackage> = packages.iter().collect();
        packages.sort();
        let mut inputs: Vec<Input> = packages.into_iter().map(|package| self.node_package(package)).collect();
        if !scripts.is_empty() {
            inputs.push(input("root", self.root(RootKind::Build, "build_deps")));
        }
        Ok(Some(self.add(Kind::NodeModules(NodeModules { scripts }), inputs, "node_modules", "npm")))
    }

    fn node_package(&mut self, package: &LockedNodePackage) -> Input {
        let file = &package.file;
        let fetch = Fetch {
            sha256: file.sha256,
            size: file.size,
            file: file.file.clone(),
            origin: Origin::Npm { package: package.name.clone() },
        };
        let fetched = self.graph.add(Kind::Fetch(fetch), vec![], fetch_provenance(&file.file));
        input(&format!("package {}", package.place), fetched)
    }
}
