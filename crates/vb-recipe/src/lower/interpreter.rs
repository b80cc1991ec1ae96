//! Interpreters that the workspace builds: their own packages, and the roots of applications that run on them.

use vb_graph::{
    ActionIndex, BuildInterpreter, Graph, Input, InterpreterSpec, Kind, Provenance, RelocateInterpreter,
    TestInterpreter,
};

use super::{Application, LowerError, Lowering, fetch_package, formats::formats_for, input, lower_root};
use crate::{
    lock::{PlatformLock, RootKind},
    platform::Platform,
    position::Evaluated,
    recipe::{OwnInterpreter, PlatformRecipe, Recipe},
    source::SourceFacts,
    version::Release,
    workspace::Workspace,
};

/// The architecture by which a lock tells a source from packages.
pub(crate) const SOURCE: &str = "source";

/// An interpreter that the workspace builds, as an application meets it.
#[derive(Clone, Debug)]
pub struct Provider<'a> {
    /// Its recipe.
    pub recipe: &'a Evaluated<Recipe>,
    /// What is locked for the platform.
    pub lock: PlatformLock,
    /// The version of its package.
    pub version: String,
}

impl Provider<'_> {
    /// Returns the absolute path of its command.
    pub fn command(&self, workspace: &Workspace) -> String {
        let own = self.recipe.value.interpreter.as_ref();
        own.map(|own| spec(workspace, &self.recipe.value, own).command).unwrap_or_default()
    }
}

/// Returns the interpreter of an application, and what its package depends on for it. An interpreter is its own.
pub(super) fn of_application(
    application: &Application<'_>,
    recipe: &PlatformRecipe,
) -> Result<(InterpreterSpec, Vec<String>), LowerError> {
    let Application { workspace, platform, .. } = application;
    let is_bundled = recipe.python.is_bundled();
    if let Some(own) = &application.recipe.value.interpreter {
        return Ok((spec(workspace, &application.recipe.value, own), vec![]));
    }
    if let Some(Provider { recipe, version, .. }) = application.provider
        && let Some(own) = &recipe.value.interpreter
    {
        let depends = if is_bundled {
            recipe.value.for_platform(workspace, &platform.name).run_deps
        } else {
            vec![format!("{} (= {version})", recipe.value.package_name(workspace))]
        };
        return Ok((spec(workspace, &recipe.value, own), depends));
    }
    let unknown = || LowerError::Interpreter { platform: platform.name.clone(), python: recipe.python.to_string() };
    let python = recipe.python.system().ok_or_else(unknown)?;
    let interpreter = platform.interpreter(python).ok_or_else(unknown)?;
    let version = platform.python_version(python).to_owned();
    Ok((InterpreterSpec { version, command: interpreter.command.clone() }, interpreter.depends.clone()))
}

pub(super) fn prefix_of(workspace: &Workspace, recipe: &Recipe) -> String {
    format!("{}/{}", workspace.prefix.trim_end_matches('/'), recipe.name)
}

/// Returns where an environment has an interpreter that is a part of it.
pub(super) fn bundled_prefix(prefix: &str) -> String {
    format!("{prefix}/python")
}

/// Returns an interpreter of the workspace as it is at a prefix.
pub(super) fn at(version: &str, prefix: &str) -> InterpreterSpec {
    InterpreterSpec { version: version.to_owned(), command: format!("{prefix}/bin/python{version}") }
}

fn spec(workspace: &Workspace, recipe: &Recipe, own: &OwnInterpreter) -> InterpreterSpec {
    at(&own.version, &prefix_of(workspace, recipe))
}

/// Adds the actions that build an interpreter and returns the last one. Its package's version is no part of them.
///
/// # Errors
/// [`LowerError::NoSource`], when the lock does not have its source.
///
/// # Panics
/// When the recipe is not that of an interpreter.
pub fn lower_interpreter(
    graph: &mut Graph,
    workspace: &Workspace,
    platform: &Platform,
    recipe: &Evaluated<Recipe>,
    lock: &PlatformLock,
) -> Result<ActionIndex, LowerError> {
    let own = recipe.value.interpreter.as_ref().expect("whoever calls this knows that it is one");
    let name = &recipe.value.name;
    let source = lock.packages.iter().map(|locked| &locked.package).find(|package| package.architecture == SOURCE);
    let no_source = || LowerError::NoSource { platform: platform.name.clone(), recipe: name.clone() };
    let source = fetch_package(graph, platform, source.ok_or_else(no_source)?);
    let provenance = |what: &str, field: &str| Provenance {
        label: format!("{name} {} {what}", platform.name),
        declared_at: Some(recipe.place(&recipe.value.field_for(&platform.name, field))),
    };
    let root = lower_root(graph, platform, &lock.root(RootKind::Build), provenance("root build", "build_deps"));
    let build = BuildInterpreter {
        prefix: prefix_of(workspace, &recipe.value),
        version: own.version.clone(),
        variables: recipe.value.for_platform(workspace, &platform.name).variables,
    };
    let inputs = vec![input("source", source), input("root", root)];
    Ok(graph.add(Kind::Interpreter(build), inputs, provenance("interpreter", "interpreter")))
}

/// Adds the action that puts an interpreter into a root.
pub fn lower_overlay(
    graph: &mut Graph,
    root: ActionIndex,
    interpreter: ActionIndex,
    provenance: Provenance,
) -> ActionIndex {
    graph.add(Kind::Overlay, vec![input("root", root), input("interpreter", interpreter)], provenance)
}

impl Lowering<'_> {
    /// Adds the packages of an interpreter: they have no environment, and its own tests in the place of an import check.
    pub(super) fn interpreter_packages(mut self) -> Result<Vec<ActionIndex>, LowerError> {
        let Application { workspace, recipe, platform, formats, .. } = self.application;
        let formats = formats_for(formats, &recipe.value, workspace, platform)?;
        let [built, libraries, test] = self.tested()?;
        let mut packages = Vec::new();
        for format in formats {
            let spec = self.spec(format);
            packages.push(self.package(spec, None, built, [libraries, test]));
        }
        Ok(packages)
    }

    /// Adds what builds an interpreter, looks for its libraries, and runs its own tests.
    fn tested(&mut self) -> Result<[ActionIndex; 3], LowerError> {
        let Application { workspace, recipe, platform, lock, .. } = self.application;
        let own = recipe.value.interpreter.as_ref().expect("the caller has looked");
        let built = lower_interpreter(self.graph, workspace, platform, recipe, lock)?;
        let run_root = self.root(RootKind::Run, "run_deps");
        let libraries = self.libraries(built, run_root, None)[0];
        let test =
            TestInterpreter { prefix: self.prefix.clone(), version: own.version.clone(), tests: own.tests.clone() };
        let inputs = vec![input("interpreter", built), input("libraries", libraries), input("root", run_root)];
        Ok([built, libraries, self.add(Kind::InterpreterTest(test), inputs, "interpreter test", "interpreter")])
    }

    /// Returns the recipe of the interpreter that is a part of the package, and the prefix that it is built for.
    pub(super) fn bundle(&self) -> Option<(&Evaluated<Recipe>, String)> {
        let Application { workspace, provider, .. } = self.application;
        let Provider { recipe, .. } = provider.filter(|_| self.recipe.python.is_bundled())?;
        Some((recipe, prefix_of(workspace, &recipe.value)))
    }

    /// Returns the changelog of the package. That of an interpreter says which source it was compiled of.
    pub(super) fn changelog(&self) -> Option<String> {
        let Application { workspace, recipe, lock, facts, version, .. } = self.application;
        let value = &recipe.value;
        let (package, maintainer) = (value.package_name(workspace), value.maintainer(workspace));
        match lock.packages.iter().find(|locked| locked.package.architecture == SOURCE) {
            None => facts.changelog(&package, version, maintainer),
            Some(locked) => {
                let what = format!("Upstream's source of {} {}.", locked.package.name, locked.package.version);
                let compiled = SourceFacts { releases: vec![Release::undated(what)], ..facts.clone() };
                compiled.changelog(&package, version, maintainer)
            }
        }
    }

    /// Does what is packaged run on an interpreter that it does not bring?
    pub(super) fn is_outside(&self) -> bool {
        self.application.recipe.value.interpreter.is_none() && !self.recipe.python.is_bundled()
    }

    /// Adds what moves the interpreter to its place in the package, where it is a part of that. Its own tests have to pass.
    pub(super) fn bundled(&mut self, root: ActionIndex) -> Result<Vec<Input>, LowerError> {
        let Some((_, from)) = self.bundle() else { return Ok(vec![]) };
        let Provider { recipe, lock, version } = self.application.provider.expect("what is bundled is provided");
        let facts = &SourceFacts::NONE;
        let own = Application { recipe, lock, provider: None, facts, version, ..self.application };
        let [_, _, test] = Lowering::new(self.graph, own)?.tested()?;
        let to = bundled_prefix(&self.prefix);
        let moved = self.relocation((from, &to), root, Some(test), "interpreter moved");
        Ok(moved.map(|moved| input("interpreter", moved)).into_iter().collect())
    }

    /// Adds what moves an interpreter of the workspace, which is in a root at its own prefix.
    pub(super) fn relocation(
        &mut self,
        (from, to): (String, &str),
        root: ActionIndex,
        test: Option<ActionIndex>,
        what: &str,
    ) -> Option<ActionIndex> {
        let version = self.interpreter.version.clone();
        let mut inputs = vec![input("interpreter", self.provided?), input("root", root)];
        inputs.extend(test.map(|test| input("interpreter test", test)));
        let relocate = RelocateInterpreter { from, to: to.to_owned(), version };
        Some(self.add(Kind::Relocate(relocate), inputs, what, "python"))
    }

    /// Puts the interpreter that the workspace builds into a root.
    pub(super) fn with_interpreter(&mut self, root: ActionIndex, what: &str) -> ActionIndex {
        let Some(interpreter) = self.provided else { return root };
        let Application { recipe, platform, .. } = self.application;
        let provenance = Provenance {
            label: format!("{} {} root {what} with interpreter", recipe.value.name, platform.name),
            declared_at: Some(recipe.place(&recipe.value.field_for(&platform.name, "python"))),
        };
        lower_overlay(self.graph, root, interpreter, provenance)
    }
}
