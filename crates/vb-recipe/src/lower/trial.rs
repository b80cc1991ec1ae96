//! Tests of packages: one action for each part of a package's life.

use vb_graph::{
    Action, ActionIndex, Check, DRIVER, Fetch, Format, Graph, Input, Kind, Machine, Manager, Origin, PackageSpec,
    Scenario, Sha256, Test, TestedService,
};

use super::{
    Application, LowerError, Lowering, Provider, input,
    interpreter::{at, lower_interpreter, prefix_of},
    lifecycle, lower,
};
use crate::{lock::RootKind, source::SourceFacts, trial::CheckRecipe};

/// The version of a package that is made to be older than every other one.
const OLDEST: &str = "0~0";

/// A package that was published, which an upgrade begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// The package's name.
    pub name: String,
    /// What kind of file it is.
    pub format: Format,
    /// Its file's name.
    pub file: String,
    /// The digest of its file, which the store has.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// Adds the tests of an application's packages to a graph that has these, and returns them. Packages that no package
/// manager installs have none. `machine` is what there can be on this machine.
///
/// # Errors
/// As [`lower`].
pub fn lower_tests(
    graph: &mut Graph,
    application: Application<'_>,
    packages: &[ActionIndex],
    older: &[Older],
    machine: Machine,
) -> Result<Vec<ActionIndex>, LowerError> {
    let mut lowering = Lowering::new(graph, application)?;
    if lowering.interpreter.is_python_2() {
        return Err(LowerError::OldDriver { platform: application.platform.name.clone() });
    }
    let needed = lowering.packages_of_interpreter()?;
    let mut tests = Vec::new();
    for format in [Format::Deb, Format::Rpm] {
        let together = lowering.of_format(packages, format);
        if !together.is_empty() {
            let before = Before { needed: lowering.of_format(&needed, format), older, machine };
            tests.extend(lowering.tests(format, &together, &before)?);
        }
    }
    Ok(tests)
}

/// A package, with what it is made of.
struct Tested {
    action: ActionIndex,
    spec: PackageSpec,
    inputs: Vec<Input>,
}

/// What is on the machine of a test, or was.
struct Before<'a> {
    /// The interpreter's package.
    needed: Vec<Tested>,
    /// What was published before.
    older: &'a [Older],
    /// What there can be.
    machine: Machine,
}

impl Lowering<'_> {
    /// Adds the packages of the interpreter that an application depends on, where the workspace builds it.
    fn packages_of_interpreter(&mut self) -> Result<Vec<ActionIndex>, LowerError> {
        match self.application.provider {
            Some(Provider { recipe, lock, version }) if self.is_outside() => {
                let facts = &SourceFacts::NONE;
                lower(self.graph, Application { recipe, lock, provider: None, facts, version, ..self.application })
            }
            _ => Ok(vec![]),
        }
    }

    /// Adds the interpreter that drives tests, where the root has none: one that the tested packages cannot take away.
    fn driver(&mut self) -> Result<Option<ActionIndex>, LowerError> {
        let Application { workspace, recipe, platform, lock, provider, .. } = self.application;
        let (from, root) = if recipe.value.interpreter.is_some() {
            self.provided = Some(lower_interpreter(self.graph, workspace, platform, recipe, lock)?);
            (self.prefix.clone(), self.root(RootKind::Run, "run_deps"))
        } else if let Some(Provider { recipe, .. }) = provider {
            (prefix_of(workspace, &recipe.value), self.root(RootKind::Interpreter, "python"))
        } else {
            return Ok(None);
        };
        Ok(self.relocation((from, DRIVER), root, None, "driver"))
    }

    /// Adds what the packages are installed on: what a server has, and what the tests alone need.
    fn root_of_test(&mut self) -> ActionIndex {
        let (kind, field) =
            if self.recipe.test_deps.is_empty() { (RootKind::Run, "run_deps") } else { (RootKind::Test, "test_deps") };
        self.root_of_packages(kind, field)
    }

    fn of_format(&self, packages: &[ActionIndex], format: Format) -> Vec<Tested> {
        let tested = |action: &ActionIndex| match self.graph.action(*action).clone() {
            Action { kind: Kind::Package(spec), inputs } if spec.format == format => {
                Some(Tested { action: *action, spec: *spec, inputs })
            }
            _ => None,
        };
        packages.iter().filter_map(tested).collect()
    }

    /// Adds the tests of packages that are installed together.
    fn tests(
        &mut self,
        format: Format,
        packages: &[Tested],
        before: &Before<'_>,
    ) -> Result<Vec<ActionIndex>, LowerError> {
        let of = |package: &Tested| {
            before.older.iter().find(|older| older.format == format && older.name == package.spec.name)
        };
        // Packages beside the main one have to be of its version: what was published counts where all of them were.
        let published: Option<Vec<&Older>> = packages.iter().map(of).collect();
        let named = |what: &str, package: &Tested, action| input(&format!("{what} {}", package.spec.name), action);
        let current: Vec<Input> = packages.iter().map(|package| named("package", package, package.action)).collect();
        let older: Vec<Input> = match published {
            Some(published) => {
                let packages = packages.iter().zip(published);
                packages.map(|(package, older)| named("older", package, self.published(older))).collect()
            }
            None => packages.iter().map(|package| named("older", package, self.older(package))).collect(),
        };
        let mut others: Vec<Input> =
            before.needed.iter().map(|package| named("needed", package, package.action)).collect();
        others.push(input("root", self.root_of_test()));
        others.extend(self.driver()?.map(|driver| input("driver", driver)));
        let mut tests = Vec::new();
        for scenario in Scenario::ALL {
            let mut inputs = current.clone();
            if scenario.needs_older() {
                inputs.extend(older.iter().cloned());
            }
            inputs.extend(others.iter().cloned());
            let test = self.test(scenario, format, packages, before);
            let what = self.what(scenario.as_str(), format);
            tests.push(self.add(Kind::Test(Box::new(test)), inputs, &what, "checks"));
        }
        Ok(tests)
    }

    fn what(&self, scenario: &str, format: Format) -> String {
        let is_own = format == self.application.platform.family.format();
        if is_own { format!("test {scenario}") } else { format!("test {format} {scenario}") }
    }

    /// Adds a package that was published.
    fn published(&mut self, Older { file, sha256, size, .. }: &Older) -> ActionIndex {
        let origin =
            Origin::Archive { platform: self.application.platform.name.clone(), path: format!("published/{file}") };
        let fetch = Fetch { sha256: *sha256, size: Some(*size), file: file.clone(), origin };
        self.graph.add(Kind::Fetch(fetch), vec![], super::fetch_provenance(file))
    }

    /// Adds a package of the same content that calls itself older.
    fn older(&mut self, package: &Tested) -> ActionIndex {
        let Tested { spec, inputs, .. } = package;
        let older = PackageSpec { version: OLDEST.to_owned(), ..spec.clone() };
        let what = self.what(&format!("version before of {}", spec.name), spec.format);
        self.add(Kind::Package(Box::new(older)), inputs.clone(), &what, "name")
    }

    fn test(&self, scenario: Scenario, format: Format, packages: &[Tested], before: &Before<'_>) -> Test {
        let value = &self.application.recipe.value;
        let services = packages.iter().flat_map(|package| &package.spec.lifecycle.services);
        let services: Vec<_> = services.filter(|service| service.is_enabled).collect();
        let is_for_systemd = services.iter().any(|service| service.managers.contains(&Manager::Systemd));
        Test {
            scenario,
            format,
            names: packages.iter().map(|package| package.spec.name.clone()).collect(),
            needs: before.needed.iter().map(|package| package.spec.name.clone()).collect(),
            prefix: self.prefix.clone(),
            python: match self.provided {
                Some(_) => at(&self.interpreter.version, DRIVER).command,
                None => self.interpreter.command.clone(),
            },
            services: services.iter().map(|service| tested(&service.name, &service.managers)).collect(),
            files: value.test_files.clone(),
            checks: value.checks.iter().map(|check| self.check(check)).collect(),
            machine: match before.machine {
                Machine::Booted if !is_for_systemd => Machine::Users,
                machine => machine,
            },
        }
    }

    fn check(&self, check: &CheckRecipe) -> Check {
        let CheckRecipe { tcp, send, command, expect } = check;
        match tcp {
            Some(port) => Check::Tcp { port: *port, send: send.clone(), expect: expect.clone() },
            None => Check::Command { argv: lifecycle::command(command, &self.prefix), expect: expect.clone() },
        }
    }
}

fn tested(name: &str, managers: &[Manager]) -> TestedService {
    TestedService { name: name.to_owned(), managers: managers.to_vec() }
}
