//! From a recipe, a platform and a lock to actions and edges. Nothing is read from disk here.

mod formats;
mod interpreter;
mod lifecycle;
mod lint;
mod npm;
mod overlap;
mod pipeline;
mod prune;
mod share;
mod trial;

use vb_graph::{
    ActionIndex, Environment, Fetch, Format, Graph, ImportCheck, Ingest, Input, InterpreterSpec, Kind, Libraries,
    Lifecycle, LockedDistribution, LockedFile, LockedPackage, NeededInterpreter, Origin, PackageSpec, Pattern,
    Provenance, Root, RootContent, Selection, Share, Stage, Unpack, Wheel,
};

pub use self::interpreter::{Provider, lower_interpreter, lower_overlay};

use self::formats::{compression_of, formats_for};
pub use self::lint::lower_lint;
use self::pipeline::Layer;
pub use self::trial::{Older, lower_tests};
use crate::{
    lock::{DistributionLock, PlatformLock, RootKind},
    platform::{Configure, Family, Platform},
    position::Evaluated,
    recipe::{PlatformRecipe, Recipe, Source},
    source::SourceFacts,
    workspace::Workspace,
};

/// Everything that one package is lowered from.
#[derive(Clone, Copy, Debug)]
pub struct Application<'a> {
    /// The workspace's conventions.
    pub workspace: &'a Workspace,
    /// The recipe, with the places of its fields.
    pub recipe: &'a Evaluated<Recipe>,
    /// The platform.
    pub platform: &'a Platform,
    /// What is locked for the platform.
    pub lock: &'a PlatformLock,
    /// The interpreter, where the workspace builds it.
    pub provider: Option<&'a Provider<'a>>,
    /// What the source says of itself.
    pub facts: &'a SourceFacts,
    /// The package's version.
    pub version: &'a str,
    /// The formats that are asked for, in place of those that the recipe or the platform has.
    pub formats: Option<&'a [Format]>,
}

/// A recipe cannot be lowered for a platform.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LowerError {
    /// The platform has no such interpreter.
    #[error("`{platform}` has no Python `{python}`")]
    #[diagnostic(
        code(vb::recipe::unknown_python),
        help("choose a version that `recipes/platforms/{platform}.ncl` has")
    )]
    Interpreter {
        /// The platform's name.
        platform: String,
        /// The version that the recipe asks for.
        python: String,
    },
    /// The platform's file says that it has no packages of a format.
    #[error("`{platform}` has no `{format}` packages: {reason}")]
    #[diagnostic(code(vb::recipe::refused_format), help("leave `{format}` out for `{platform}`"))]
    RefusedFormat {
        /// The platform's name.
        platform: String,
        /// The format.
        format: Format,
        /// Why, as the platform's file has it.
        reason: String,
    },
    /// None of the formats is one of the platform's.
    #[error("`{platform}` cannot have packages of the format {wanted}")]
    #[diagnostic(code(vb::recipe::no_format), help("ask for `{own}` or `tar`"))]
    NoFormat {
        /// The platform's name.
        platform: String,
        /// The formats, in backticks.
        wanted: String,
        /// The format that its package manager has.
        own: Format,
    },
    /// The install scripts of a package are allowed that is not there.
    #[error("there is no npm package `{package}` whose install scripts could run")]
    #[diagnostic(
        code(vb::recipe::unknown_node_package),
        help("take it out of `npm.allow_scripts`, or add it to the `package-lock.json`")
    )]
    NoNodePackage {
        /// The package's name.
        package: String,
    },
    /// A distribution is to be left out that is not locked.
    #[error("`{platform}` has no Python distribution `{distribution}` that could be left out, as {place} has it")]
    #[diagnostic(code(vb::recipe::unknown_pruned), help("{help}"))]
    NoPruned {
        /// The platform's name.
        platform: String,
        /// What `prune` names.
        distribution: String,
        /// Where it does.
        place: String,
        /// The name that was probably meant, or what to write.
        help: String,
    },
    /// The lock has no source of an interpreter.
    #[error("the lock has no source of the interpreter `{recipe}` for `{platform}`")]
    #[diagnostic(code(vb::lock::no_source), help("run `vb lock` for the interpreter's recipe"))]
    NoSource {
        /// The platform's name.
        platform: String,
        /// The interpreter's name.
        recipe: String,
    },
    /// The interpreter of the root cannot drive a test.
    #[error("a test of packages is driven by the root's own interpreter, which has to be a Python 3")]
    #[diagnostic(
        code(vb::test::old_python),
        help("leave `{platform}` out; the import check of `vb build` runs there all the same")
    )]
    OldDriver {
        /// The platform's name.
        platform: String,
    },
    /// The lock has sdists and no tool to build them.
    #[error("the lock has no `{tool}` for `{platform}`, which builds `{distribution}`")]
    #[diagnostic(code(vb::lock::no_tool), help("run `vb lock` for the recipe"))]
    NoTool {
        /// The tool's name.
        tool: String,
        /// The platform's name.
        platform: String,
        /// The sdist.
        distribution: String,
    },
}

/// Adds the actions of one application to a graph and returns the last ones: one package for each format.
///
/// # Errors
/// [`LowerError`], when recipe, platform and lock do not fit together.
pub fn lower(graph: &mut Graph, application: Application<'_>) -> Result<Vec<ActionIndex>, LowerError> {
    let lowering = Lowering::new(graph, application)?;
    if application.recipe.value.interpreter.is_some() { lowering.interpreter_packages() } else { lowering.packages() }
}

/// Adds the actions that give the wheels of some distributions, in their order: fetches, and builds of sdists.
///
/// # Errors
/// [`LowerError`], when recipe, platform and lock do not fit together.
pub fn lower_wheels(
    graph: &mut Graph,
    application: Application<'_>,
    distributions: &[DistributionLock],
) -> Result<Vec<ActionIndex>, LowerError> {
    let mut lowering = Lowering::new(graph, application)?;
    distributions.iter().map(|locked| lowering.fetched_or_built(locked)).collect()
}

/// Adds the actions that make a root of locked packages and returns the last one.
pub fn lower_root(
    graph: &mut Graph,
    platform: &Platform,
    packages: &[LockedPackage],
    provenance: Provenance,
) -> ActionIndex {
    let content = match (&platform.image, platform.family) {
        (Some(_), _) => RootContent::Layers,
        (None, Family::Deb) => match platform.configure {
            Configure::Full => RootContent::Debs,
            Configure::Unpack => RootContent::UnpackedDebs,
        },
        (None, Family::Rpm) => RootContent::Rpms,
    };
    let what = if content == RootContent::Layers { "layer" } else { "package" };
    let inputs = packages
        .iter()
        .map(|package| {
            let name = format!("{what} {} {} {}", package.name, package.version, package.architecture);
            Input::whole(name, fetch_package(graph, platform, package))
        })
        .collect();
    let root = Root { content, architecture: platform.architecture.clone(), has_merged_usr: platform.has_merged_usr };
    graph.add(Kind::Root(root), inputs, provenance)
}

/// Adds the action that fetches a file of a Python index.
pub fn lower_fetch(graph: &mut Graph, project: &str, file: &LockedFile) -> ActionIndex {
    let fetch = Fetch {
        sha256: file.sha256,
        size: file.size,
        file: file.file.clone(),
        origin: Origin::Index { project: project.to_owned() },
    };
    graph.add(Kind::Fetch(fetch), vec![], fetch_provenance(&file.file))
}

fn fetch_package(graph: &mut Graph, platform: &Platform, package: &LockedPackage) -> ActionIndex {
    let file = package.path.rsplit('/').next().unwrap_or(&package.path).to_owned();
    let origin = Origin::Archive { platform: platform.name.clone(), path: package.path.clone() };
    let provenance = fetch_provenance(&file);
    let fetch = Fetch { sha256: package.sha256, size: Some(package.size), file, origin };
    graph.add(Kind::Fetch(fetch), vec![], provenance)
}

fn fetch_provenance(file: &str) -> Provenance {
    Provenance { label: format!("fetch {file}"), declared_at: None }
}

struct Lowering<'a> {
    graph: &'a mut Graph,
    application: Application<'a>,
    recipe: PlatformRecipe,
    /// What wheels and bytecode are made with.
    interpreter: InterpreterSpec,
    /// What the environment leads to: the same, or where that is in the package.
    installed: InterpreterSpec,
    interpreter_depends: Vec<String>,
    /// What builds the interpreter, where the workspace does.
    provided: Option<ActionIndex>,
    prefix: String,
    directory: String,
}

impl<'a> Lowering<'a> {
    fn new(graph: &'a mut Graph, application: Application<'a>) -> Result<Self, LowerError> {
        let Application { workspace, platform, .. } = application;
        let recipe = application.recipe.value.for_platform(workspace, &platform.name);
        let (interpreter, interpreter_depends) = interpreter::of_application(&application, &recipe)?;
        let name = &application.recipe.value.name;
        let prefix = format!("{}/{name}", workspace.prefix.trim_end_matches('/'));
        let installed = if recipe.python.is_bundled() {
            interpreter::at(&interpreter.version, &interpreter::bundled_prefix(&prefix))
        } else {
            interpreter.clone()
        };
        let provided = application
            .provider
            .map(|Provider { recipe, lock, .. }| lower_interpreter(graph, workspace, platform, recipe, lock))
            .transpose()?;
        Ok(Self {
            graph,
            application,
            interpreter,
            installed,
            interpreter_depends,
            provided,
            recipe,
            directory: format!("{prefix}/{name}"),
            prefix,
        })
    }

    fn packages(mut self) -> Result<Vec<ActionIndex>, LowerError> {
        let Application { workspace, recipe, platform, formats, .. } = self.application;
        let formats = formats_for(formats, &recipe.value, workspace, platform)?;
        let interpreter_root = self.root(RootKind::Interpreter, "python");
        let environment = self.environment(interpreter_root)?;
        let node_modules = self.node_modules()?;
        let layers = self.layers(environment, node_modules);
        let stage = self.stage(&layers, environment, interpreter_root);
        let run_root = self.root(RootKind::Run, "run_deps");
        let parts: Vec<String> = self.recipe.packages.keys().cloned().collect();
        let share = self.share();
        let libraries = self.libraries(stage, run_root, share.as_ref());
        let check = self.import_check([stage, environment], &libraries, run_root);
        let mut packages = Vec::new();
        for format in formats {
            let main = self.spec(format);
            packages.push(self.package(main.clone(), None, stage, [libraries[0], check]));
            for (index, part) in parts.iter().enumerate() {
                let spec = self.part_spec(&main, part, format);
                let libraries = libraries.get(index + 1).unwrap_or(&libraries[0]);
                packages.push(self.package(spec, Some(part), stage, [*libraries, check]));
            }
        }
        Ok(packages)
    }

    /// Adds a package. The main one of the format that is the platform's own is called just that.
    fn package(
        &mut self,
        spec: PackageSpec,
        part: Option<&str>,
        stage: ActionIndex,
        [libraries, check]: [ActionIndex; 2],
    ) -> ActionIndex {
        let is_own = spec.format == self.application.platform.family.format();
        let mut what = if is_own { "package".to_owned() } else { format!("package {}", spec.format) };
        if let Some(part) = part {
            what = format!("{what} {part}");
        }
        let staged = self.staged(&spec, part, stage, &what);
        let inputs = vec![staged, input("libraries", libraries), self.passed(check)];
        let field = part.map_or_else(|| "name".to_owned(), |part| format!("packages.{part}"));
        self.add(Kind::Package(Box::new(spec)), inputs, &what, &field)
    }

    /// Adds an action that is called after the recipe and the platform, and came from a field of the recipe.
    fn add(&mut self, kind: Kind, inputs: Vec<Input>, what: &str, field: &str) -> ActionIndex {
        let Application { recipe, platform, .. } = self.application;
        let provenance = Provenance {
            label: format!("{} {} {what}", recipe.value.name, platform.name),
            declared_at: Some(recipe.place(&recipe.value.field_for(&platform.name, field))),
        };
        self.graph.add(kind, inputs, provenance)
    }

    fn source(&mut self) -> ActionIndex {
        self.ingest(&self.application.recipe.value.source, "source", "source")
    }

    fn ingest(&mut self, source: &Source, what: &str, field: &str) -> ActionIndex {
        let Application { workspace, recipe, .. } = self.application;
        let ingest = Ingest {
            path: recipe.dir_of(source).to_string_lossy().into_owned(),
            excludes: recipe.value.excludes(workspace).to_vec(),
        };
        let provenance =
            Provenance { label: format!("{} {what}", recipe.value.name), declared_at: Some(recipe.place(field)) };
        self.graph.add(Kind::Ingest(ingest), vec![], provenance)
    }

    /// Adds a root, with the interpreter in it where the workspace builds that.
    fn root(&mut self, kind: RootKind, field: &str) -> ActionIndex {
        let root = self.root_of_packages(kind, field);
        // A server has no other than the one in the package.
        let is_in_root = kind != RootKind::Run || !self.recipe.python.is_bundled();
        if is_in_root { self.with_interpreter(root, kind.as_str()) } else { root }
    }

    fn root_of_packages(&mut self, kind: RootKind, field: &str) -> ActionIndex {
        let Application { recipe, platform, lock, .. } = self.application;
        let what = kind.as_str();
        let provenance = Provenance {
            label: format!("{} {} root {what}", recipe.value.name, platform.name),
            declared_at: Some(recipe.place(&recipe.value.field_for(&platform.name, field))),
        };
        lower_root(self.graph, platform, &lock.root(kind), provenance)
    }

    fn environment(&mut self, interpreter_root: ActionIndex) -> Result<ActionIndex, LowerError> {
        let lock = self.application.lock;
        let mut inputs = self.bundled(interpreter_root)?;
        let platform = &self.application.platform.name;
        let prune = prune::Prune::of(self.application.recipe, lock, platform)?;
        for locked in lock.distributions.iter().filter(|locked| !prune.has(&locked.distribution.name)) {
            let unpacked = self.unpack(locked, interpreter_root)?;
            let name = format!("distribution {} {}", locked.distribution.name, locked.distribution.version);
            inputs.push(input(&name, unpacked));
        }
        let is_installed = self.application.recipe.value.setup_install;
        if is_installed {
            let wheel = self.application_wheel()?;
            let unpacked = self.unpack_wheel(wheel, "application", interpreter_root);
            inputs.push(input("distribution of the application", unpacked));
        }
        if self.interpreter.is_python_2() {
            // Its command is copied, and it makes bytecode of the environment's own module.
            inputs.push(input("root", interpreter_root));
        }
        let environment = Environment {
            prefix: self.prefix.clone(),
            interpreter: self.installed.clone(),
            // What is installed is imported from there; its source would be a second copy of each module.
            module_paths: if is_installed { vec![] } else { vec![self.directory.clone()] },
            prune: prune.globs,
        };
        Ok(self.add(Kind::Environment(environment), inputs, "environment", "requirements"))
    }

    fn unpack(&mut self, locked: &DistributionLock, interpreter_root: ActionIndex) -> Result<ActionIndex, LowerError> {
        let name = &locked.distribution.name;
        let wheel = self.fetched_or_built(locked)?;
        Ok(self.unpack_wheel(wheel, name, interpreter_root))
    }

    fn unpack_wheel(&mut self, wheel: ActionIndex, name: &str, interpreter_root: ActionIndex) -> ActionIndex {
        let inputs = vec![input("wheel", wheel), input("root", interpreter_root)];
        let unpack = Unpack { prefix: self.prefix.clone(), interpreter: self.interpreter.clone() };
        self.add(Kind::Unpack(unpack), inputs, &format!("unpack {name}"), "requirements")
    }

    /// Adds what gives the wheel of a distribution: its fetch, or the build of its sdist.
    fn fetched_or_built(&mut self, locked: &DistributionLock) -> Result<ActionIndex, LowerError> {
        let LockedDistribution { name, file, .. } = &locked.distribution;
        if file.is_wheel() { Ok(lower_fetch(self.graph, name, file)) } else { self.wheel(locked) }
    }

    /// Adds what a build needs, and names it by name and version.
    fn build_requirements(&mut self, build: &[DistributionLock]) -> Result<Vec<Input>, LowerError> {
        let requirement = |locked: &DistributionLock| {
            let LockedDistribution { name, version, .. } = &locked.distribution;
            Ok(input(&format!("requirement {name} {version}"), self.fetched_or_built(locked)?))
        };
        build.iter().map(requirement).collect()
    }

    fn wheel(&mut self, locked: &DistributionLock) -> Result<ActionIndex, LowerError> {
        let LockedDistribution { name, file, .. } = &locked.distribution;
        let sdist = input("sdist", lower_fetch(self.graph, name, file));
        self.build(sdist, &locked.build, name)
    }

    /// Adds the build of the application itself, of all its source but what says how it is packaged.
    fn application_wheel(&mut self) -> Result<ActionIndex, LowerError> {
        let mut source = input("source", self.source());
        source.selection = Some(Selection {
            directory: String::new(),
            patterns: vec![Pattern::everything()],
            excludes: ["debian/**", "rpm/**"].map(|glob| Pattern::Glob(glob.to_owned())).to_vec(),
        });
        self.build(source, &self.application.lock.application, "application")
    }

    /// Adds the action that builds a wheel of an sdist or a source.
    fn build(&mut self, of: Input, build: &[DistributionLock], name: &str) -> Result<ActionIndex, LowerError> {
        let tools = &self.application.lock.tools;
        let front_end = if self.interpreter.is_python_2() { "pip" } else { "uv" };
        let tool = tools.iter().find(|tool| tool.name == front_end).ok_or_else(|| LowerError::NoTool {
            tool: front_end.to_owned(),
            platform: self.application.platform.name.clone(),
            distribution: name.to_owned(),
        })?;
        let mut inputs = vec![of, input(front_end, lower_fetch(self.graph, &tool.name, &tool.file))];
        inputs.extend(self.build_requirements(build)?);
        inputs.push(input("root", self.root(RootKind::Build, "build_deps")));
        let wheel = Wheel { interpreter: self.interpreter.clone(), variables: self.recipe.variables.clone() };
        Ok(self.add(Kind::Wheel(wheel), inputs, &format!("wheel {name}"), "build_deps"))
    }

    fn stage(&mut self, layers: &[Layer], environment: ActionIndex, root: ActionIndex) -> ActionIndex {
        let stage = Stage {
            prefix: self.prefix.clone(),
            application: self.directory.clone(),
            interpreter: self.interpreter.clone(),
            relocated_from: self.bundle().map(|(_, own)| own),
        };
        let mut inputs: Vec<Input> = layers.iter().map(Layer::whole).collect();
        inputs.extend([input("environment", environment), input("root", root)]);
        self.add(Kind::Stage(stage), inputs, "stage", "source")
    }

    /// Only a version says more of a library than its symbols do.
    fn build_minimums(&self) -> Vec<String> {
        let has_minimum = |dependency: &&String| dependency.contains("(>= ") || dependency.contains("(= ");
        self.recipe.build_deps.iter().filter(has_minimum).cloned().collect()
    }

    /// Code that somebody writes or reads needs no library: an edit of it looks for none again.
    /// There is one action for each package, the main one first, where they could depend on other libraries.
    fn libraries(&mut self, stage: ActionIndex, root: ActionIndex, share: Option<&Share>) -> Vec<ActionIndex> {
        let Application { recipe, platform, .. } = self.application;
        let is_wanted = recipe.value.run_deps_auto || self.bundle().is_some_and(|(own, _)| own.value.run_deps_auto);
        let names_packages = is_wanted && platform.family == Family::Deb;
        let libraries = Libraries {
            architecture: platform.architecture.clone(),
            optional: recipe.value.missing_libraries.clone(),
            names_packages,
            share: None,
            build_depends: if names_packages { self.build_minimums() } else { vec![] },
        };
        let mut wanted = vec![("libraries".to_owned(), libraries.clone())];
        if let Some(share) = share.filter(|_| libraries.names_packages) {
            let of = |share: Share| Libraries { share: Some(share), ..libraries.clone() };
            wanted = vec![("libraries".to_owned(), of(share.clone()))];
            let parts = share.claims.keys();
            wanted.extend(parts.map(|part| (format!("libraries {part}"), of(share.of_part(part)))));
        }
        let staged = Input { selection: Some(pipeline::without_text()), ..input("stage", stage) };
        let inputs = vec![staged, input("root", root)];
        let mut add = |(what, libraries): (String, Libraries)| {
            self.add(Kind::Libraries(libraries), inputs.clone(), &what, "run_deps")
        };
        wanted.into_iter().map(&mut add).collect()
    }

    fn import_check(
        &mut self,
        [stage, environment]: [ActionIndex; 2],
        libraries: &[ActionIndex],
        root: ActionIndex,
    ) -> ActionIndex {
        let wanted = &self.application.recipe.value.import_check;
        let check = ImportCheck {
            prefix: self.prefix.clone(),
            application: self.directory.clone(),
            skip: wanted.skip.iter().map(|skipped| skipped.module.clone()).collect(),
            seconds: wanted.seconds,
        };
        let mut staged = input("stage", stage);
        if !self.application.recipe.value.pipeline.is_empty() {
            staged.selection = Some(pipeline::without_assets(&self.directory));
        }
        // The stage has the environment in it; apart from that it is a layer that edits leave alone.
        let mut inputs = vec![staged, input("environment", environment)];
        // What lacks a library is told before anything is run.
        let parts = self.recipe.packages.keys().map(|part| format!("libraries {part}"));
        let names = std::iter::once("libraries".to_owned()).chain(parts);
        inputs.extend(names.zip(libraries).map(|(name, libraries)| input(&name, *libraries)));
        inputs.push(input("root", root));
        self.add(Kind::ImportCheck(check), inputs, "import check", "run_deps")
    }

    fn spec(&self, format: Format) -> PackageSpec {
        let Application { workspace, recipe, platform, facts, version, .. } = self.application;
        let value = &recipe.value;
        let life = lifecycle::Life {
            services: &self.recipe.services,
            users: &self.recipe.users,
            directories: &self.recipe.dirs,
            config_files: &self.recipe.config_files,
            scripts: value.scripts,
            summary: value.summary.as_deref().unwrap_or(&value.name),
        };
        let mut depends = self.interpreter_depends.clone();
        depends.extend(self.recipe.run_deps.iter().cloned());
        PackageSpec {
            format,
            name: value.package_name(workspace),
            version: version.to_owned(),
            native_architecture: platform.architecture.clone(),
            maintainer: value.maintainer(workspace).to_owned(),
            section: value.section.as_ref().unwrap_or(&workspace.section).clone(),
            priority: value.priority.as_ref().unwrap_or(&workspace.priority).clone(),
            homepage: value.homepage(workspace).cloned(),
            license: value.license.clone(),
            summary: value.summary.clone().unwrap_or_else(|| format!("{} with its Python environment", value.name)),
            description: description(value.description.as_deref(), facts),
            depends,
            compression: compression_of(platform, format),
            epoch: facts.epoch,
            application: self.directory.clone(),
            vcs: value.vcs(workspace),
            has_bill: value.sbom.unwrap_or(workspace.sbom),
            lifecycle: Box::new(Lifecycle {
                interpreter: self.is_outside().then(|| NeededInterpreter {
                    command: self.interpreter.command.clone(),
                    version: self.interpreter.python_version().to_owned(),
                    depends: self.interpreter_depends.clone(),
                }),
                ..lifecycle::of(&life, &self.prefix, platform, format)
            }),
            companions: self.companions(),
            changelog: self.changelog(),
        }
    }
}

fn input(name: &str, action: ActionIndex) -> Input {
    Input::whole(name, action)
}

/// The recipe's paragraphs, then one line that says which source the package is made of.
fn description(text: Option<&str>, facts: &SourceFacts) -> Vec<String> {
    let mut lines: Vec<String> =
        text.unwrap_or_default().trim().lines().map(|line| line.trim_end().to_owned()).collect();
    if let Some(origin) = facts.origin() {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(origin);
    }
    lines
}
