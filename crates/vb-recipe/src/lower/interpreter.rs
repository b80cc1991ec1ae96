//! Interpreters that the workspace builds: their own packages, and the roots of applications that run on them.

use vb_graph::{ActionIndex, BuildInterpreter, Graph, Input, InterpreterSpec, Kind, Provenance, TestInterpreter};

use super::{Application, LowerError, Lowering, fetch_package, formats::formats_for, input, lower_root};
use crate::{
    lock::{PlatformLock, RootKind},
    platform::Platform,
    position::Evaluated,
    recipe::{OwnInterpreter, PlatformRecipe, Recipe},
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
    if let Some(own) = &application.recipe.value.interpreter {
        return Ok((spec(workspace, &application.recipe.value, own), vec![]));
    }
    if let Some(Provider { recipe, version, .. }) = application.provider
        && let Some(own) = &recipe.value.interpreter
    {
        let depends = format!("{} (= {version})", recipe.value.package_name(workspace));
        return Ok((spec(workspace, &recipe.value, own), vec![depends]));
    }
    let unknown = || LowerError::Interpreter { platform: platform.name.clone(), python: recipe.python.to_string() };
    let python = recipe.python.system().ok_or_else(unknown)?;
    let interpreter = platform.interpreter(python).ok_or_else(unknown)?;
    let version = platform.python_version(python).to_owned();
    Ok((InterpreterSpec { version, command: interpreter.command.clone() }, interpreter.depends.clone()))
}

fn prefix_of(workspace: &Workspace, recipe: &Recipe) -> String {
    format!("{}/{}", workspace.prefix.trim_end_matches('/'), recipe.name)
}

fn spec(workspace: &Workspace, recipe: &Recipe, own: &OwnInterpreter) -> InterpreterSpec {
    let command = format!("{}/bin/python{}", prefix_of(workspace, recipe), own.version);
    InterpreterSpec { version: own.version.clone(), command }
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
        is_optimized: own.optimized,
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
        let Application { workspace, recipe, platform, lock, formats, .. } = self.application;
        let own = recipe.value.interpreter.as_ref().expect("the caller has looked");
        let formats = formats_for(formats, &recipe.value, workspace, platform)?;
        let built = lower_interpreter(self.graph, workspace, platform, recipe, lock)?;
        let run_root = self.root(RootKind::Run, "run_deps");
        let libraries = self.libraries(built, run_root, None)[0];
        let test =
            TestInterpreter { prefix: self.prefix.clone(), version: own.version.clone(), tests: own.tests.clone() };
        let inputs: Vec<Input> =
            vec![input("interpreter", built), input("libraries", libraries), input("root", run_root)];
        let test = self.add(Kind::InterpreterTest(test), inputs, "interpreter test", "interpreter");
        let mut packages = Vec::new();
        for format in formats {
            let spec = self.spec(format, None);
            packages.push(self.package(spec, None, built, [libraries, test]));
        }
        Ok(packages)
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
