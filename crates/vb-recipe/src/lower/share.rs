//! The packages that a recipe makes beside the main one: which files each has, and what it needs.

use std::collections::BTreeMap;

use vb_graph::{ActionIndex, Claim, Format, Input, Kind, Lifecycle, PackageSpec, Pattern, Selection, Share, ShareOut};

use super::{Lowering, input, lifecycle};
use crate::{packages::SubPackage, recipe::package_name};

impl Lowering<'_> {
    /// Returns the share of the main package, for a recipe that makes several.
    pub(super) fn share(&self) -> Option<Share> {
        let packages = &self.recipe.packages;
        let claims: BTreeMap<String, Claim> =
            packages.iter().map(|(name, package)| (name.clone(), self.claim(package))).collect();
        (!claims.is_empty()).then(|| Share::of_main(claims))
    }

    fn claim(&self, package: &SubPackage) -> Claim {
        let pattern =
            |path: &String| Pattern::Glob(lifecycle::below(&self.prefix, path).trim_start_matches('/').to_owned());
        Claim {
            patterns: package.files.iter().map(pattern).collect(),
            config_files: package.config_files.iter().map(|file| lifecycle::below(&self.prefix, &file.path)).collect(),
        }
    }

    /// Returns what a package is made of: the whole stage, or its share of it, so that an edit of what another package has
    /// packs this one not again.
    pub(super) fn staged(
        &mut self,
        spec: &PackageSpec,
        part: Option<&str>,
        stage: ActionIndex,
        package: &str,
    ) -> Input {
        let Some(main) = self.share() else { return input("stage", stage) };
        let lifecycle = &spec.lifecycle;
        let commands = lifecycle.services.iter().flat_map(|service| [&service.exec, &service.reload]);
        let names =
            self.recipe.packages.keys().map(|name| (name.clone(), package_name(name, self.application.workspace)));
        let out = ShareOut {
            share: part.map_or_else(|| main.clone(), |part| main.of_part(part)),
            packages: names.collect(),
            commands: commands.filter_map(|command| command.first()).cloned().collect(),
            originals: lifecycle
                .config_files
                .iter()
                .map(|file| format!("{}/{}", spec.application, file.source))
                .collect(),
        };
        let field = part.map_or_else(|| "packages".to_owned(), |part| format!("packages.{part}"));
        let what = package.replacen("package", "share", 1);
        input("stage", self.add(Kind::ShareOut(out), vec![input("stage", stage)], &what, &field))
    }

    /// Returns the check of imports as an input. Where there are several packages, its report, which counts the imports of all
    /// of them, is not read.
    pub(super) fn passed(&self, check: ActionIndex) -> Input {
        let nothing = Selection { directory: String::new(), patterns: vec![], excludes: vec![] };
        let selection = (!self.recipe.packages.is_empty()).then_some(nothing);
        Input { selection, ..input("import check", check) }
    }

    /// Returns the packages that the main one needs.
    pub(super) fn companions(&self) -> Vec<String> {
        let needed = self.recipe.packages.iter().filter(|(_, package)| package.needed);
        needed.map(|(name, _)| package_name(name, self.application.workspace)).collect()
    }

    /// Does a package beside the main one need that, or does that need it, be it through others?
    fn is_with_main(&self, name: &str) -> bool {
        let main = &self.application.recipe.value.name;
        let package = &self.recipe.packages[name];
        let (mut open, mut seen) = (package.needs(main), vec![]);
        while let Some(needed) = open.pop() {
            let Some(package) = self.recipe.packages.get(&needed) else { return true };
            if !seen.contains(&needed) {
                open.extend(package.needs(main));
                seen.push(needed);
            }
        }
        // It is needed, and does not say itself that it stands alone.
        package.needed && package.needs.is_none()
    }

    /// Returns the spec of a package beside the main one, whose spec is given.
    pub(super) fn part_spec(&self, main: &PackageSpec, name: &str, format: Format) -> PackageSpec {
        let package = &self.recipe.packages[name];
        let super::Application { workspace, recipe, platform, .. } = self.application;
        let summary = package.summary.clone().unwrap_or_else(|| format!("{name}, of {}", recipe.value.name));
        let life = lifecycle::Life {
            services: &package.services,
            users: &package.users,
            directories: &package.dirs,
            config_files: &package.config_files,
            scripts: recipe.value.scripts,
            summary: &summary,
        };
        let needs = package.needs(&recipe.value.name);
        // What has the main package beside it runs on its interpreter.
        let interpreter = main.lifecycle.interpreter.clone().filter(|_| self.is_with_main(name));
        let lifecycle = Lifecycle { interpreter, ..lifecycle::of(&life, &self.prefix, platform, format) };
        PackageSpec {
            name: package_name(name, workspace),
            section: package.section.as_ref().unwrap_or(&main.section).clone(),
            description: super::description(package.description.as_deref(), self.application.facts),
            depends: package.run_deps.clone(),
            lifecycle: Box::new(lifecycle),
            companions: needs.iter().map(|needed| package_name(needed, workspace)).collect(),
            changelog: self.application.facts.changelog(
                &package_name(name, workspace),
                &main.version,
                &main.maintainer,
            ),
            summary,
            ..main.clone()
        }
    }
}
