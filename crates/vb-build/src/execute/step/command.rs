//! The commands of steps, and what each of them may write.

use std::collections::{BTreeMap, BTreeSet};

use vb_graph::{AssetLanguage, Compile, Compress, Compressor, Node, Pattern, Run, Step, StyleLanguage, Work};
use vb_store::{Listing, Matcher};

use super::{collect_static::collect_static_command, find_file};
use crate::{
    builder::Builder,
    error::{ExecuteError, StepError, ToolPackages},
    execute::node_modules::programs,
    inputs::Inputs,
};

/// Does one thing to each file.
const EACH: &str = include_str!("each.sh");

/// The directories of programs in a root, as the search path has them.
const PROGRAMS: [&str; 3] = ["usr/local/bin", "usr/bin", "bin"];

/// A program, and the packages that have it.
#[derive(Clone, Copy, Debug)]
struct Tool {
    name: &'static str,
    packages: ToolPackages,
}

const LESSC: Tool = Tool { name: "lessc", packages: ToolPackages { distribution: "node-less", npm: Some("less") } };
const SASS: Tool = Tool { name: "sass", packages: ToolPackages { distribution: "sassc", npm: Some("sass") } };
const SASSC: Tool = Tool { name: "sassc", ..SASS };
const MSGFMT: Tool = Tool { name: "msgfmt", packages: ToolPackages { distribution: "gettext", npm: None } };

/// What each step that makes something of single files is done by, the better one first.
const LESS_COMPILERS: [Tool; 1] = [LESSC];
const SASS_COMPILERS: [Tool; 2] = [SASS, SASSC];

impl Builder {
    /// Returns the command of a step, `None` for one that vb does itself.
    pub(super) fn step_command(&self, step: &Step, inputs: &Inputs) -> Result<Option<Vec<String>>, ExecuteError> {
        let each = |how: String, files: Vec<String>| {
            let words = ["/bin/sh", "-c", EACH, "step", &how].map(str::to_owned);
            Some(words.into_iter().chain(files).collect())
        };
        let tree = || self.laid_over(inputs);
        Ok(match &step.work {
            Work::Compile(compile) => each(self.compiler(compile, inputs)?, vec![named(&tree()?, &compile.file)?]),
            Work::Compress(compress) => {
                each(self.compressor(compress, inputs)?, vec![named(&tree()?, &compress.file)?])
            }
            Work::CompileCatalogues => {
                let tool = self.first_tool(&[MSGFMT], inputs)?;
                each(tool.name.to_owned(), catalogues(&tree()?)?)
            }
            Work::CollectStatic(collect) => Some(collect_static_command(collect)),
            Work::Run(run) => Some(run.command.clone()),
            Work::BustCaches(_) | Work::Precompress(_) => None,
        })
    }

    /// Chooses the compiler that is there.
    fn compiler(&self, compile: &Compile, inputs: &Inputs) -> Result<String, ExecuteError> {
        let tools: &[Tool] = match compile.language {
            StyleLanguage::Less => &LESS_COMPILERS,
            StyleLanguage::Sass => &SASS_COMPILERS,
        };
        let tool = self.first_tool(tools, inputs)?;
        Ok(format!("{}{}", tool.name, if compile.has_source_map { "-map" } else { "" }))
    }

    /// Takes the compressor that the recipe chooses, or the one that is there.
    fn compressor(&self, compress: &Compress, inputs: &Inputs) -> Result<String, ExecuteError> {
        let tools = match compress.compressor {
            Some(compressor) => vec![compressor_tool(compressor)],
            None => Compressor::ALL.map(compressor_tool).to_vec(),
        };
        let tool = self.first_tool(&tools, inputs)?;
        Ok(format!("{}-{}", tool.name, extension(compress.language)))
    }

    /// Finds the first of some tools that is there.
    fn first_tool(&self, tools: &[Tool], inputs: &Inputs) -> Result<Tool, ExecuteError> {
        for tool in tools {
            if self.has_tool(*tool, inputs)? {
                return Ok(*tool);
            }
        }
        let tools = tools.iter().map(|tool| (tool.name, tool.packages)).collect();
        Err(StepError::NoTool { tools }.into())
    }

    fn has_tool(&self, tool: Tool, inputs: &Inputs) -> Result<bool, ExecuteError> {
        if inputs.has("node_modules") {
            let modules = Node::directory(inputs.directory("node_modules"));
            if self.store.find(&modules, &format!(".bin/{}", tool.name))?.is_some() {
                return Ok(true);
            }
        }
        let root = Node::directory(inputs.directory("root"));
        for directory in PROGRAMS {
            if self.store.find(&root, &format!("{directory}/{}", tool.name))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn compressor_tool(compressor: Compressor) -> Tool {
    let name = compressor.as_str();
    let npm = match compressor {
        Compressor::Esbuild => Some("esbuild"),
        Compressor::YuiCompressor => None,
    };
    Tool { name, packages: ToolPackages { distribution: name, npm } }
}

fn extension(language: AssetLanguage) -> &'static str {
    match language {
        AssetLanguage::Css => "css",
        AssetLanguage::Js => "js",
    }
}

/// Returns the path that a name in a recipe means.
fn named(tree: &Listing, name: &str) -> Result<String, StepError> {
    find_file(tree, name).map(str::to_owned)
}

fn catalogues(tree: &Listing) -> Result<Vec<String>, StepError> {
    let paths = tree.entries().map(|(path, _)| path);
    let found: Vec<String> = paths.filter(|path| path.ends_with(".po")).map(str::to_owned).collect();
    if found.is_empty() {
        return Err(StepError::NothingToDo { what: "message catalogue (`LC_MESSAGES/*.po`)" });
    }
    Ok(found)
}

fn compiled_catalogue(path: &str) -> String {
    format!("{}.mo", path.strip_suffix(".po").unwrap_or(path))
}

/// Returns where a step's command looks for programs.
fn search_path(prefix: Option<&str>, inputs: &Inputs) -> String {
    let own = prefix.map(|prefix| format!("{prefix}/bin"));
    let modules = inputs.has("node_modules").then(programs);
    let fixed = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
    own.into_iter().chain(modules).chain([fixed]).collect::<Vec<_>>().join(":")
}

/// Returns the variables that a step's command has beside those of every command.
pub(super) fn variables(step: &Step, inputs: &Inputs) -> BTreeMap<String, String> {
    let (prefix, own) = match &step.work {
        Work::CollectStatic(collect) => (Some(&collect.prefix), Some(&collect.variables)),
        Work::Run(run) => (run.prefix.as_ref(), Some(&run.variables)),
        _ => (None, None),
    };
    let mut variables = BTreeMap::from([
        ("PATH".to_owned(), search_path(prefix.map(String::as_str), inputs)),
        // Bytecode of what a step imports would be a file that it wrote.
        ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
    ]);
    variables.extend(own.cloned().unwrap_or_default());
    variables
}

/// Returns the directories that a command of the recipe's own may expect: those that its outputs are in.
pub(super) fn output_directories(step: &Step) -> Vec<String> {
    let Work::Run(run) = &step.work else { return vec![] };
    let directory = |pattern: &Pattern| {
        let (parents, _) = pattern.as_str().rsplit_once('/')?;
        let literal = parents.split('/').take_while(|component| !component.contains(['*', '?', '[', '{']));
        Some(literal.collect::<Vec<_>>().join("/"))
    };
    run.outputs.iter().filter_map(directory).collect()
}

/// Returns the files that a step has to write, or may leave as they are.
pub(super) fn expected(step: &Step, before: &Listing) -> Result<BTreeSet<String>, StepError> {
    Ok(match &step.work {
        Work::Compile(compile) => {
            let path = named(before, &compile.file)?;
            let stem = path.rsplit_once('.').map_or(path.as_str(), |(stem, _)| stem);
            let map = compile.has_source_map.then(|| format!("{stem}.css.map"));
            std::iter::once(format!("{stem}.css")).chain(map).collect()
        }
        Work::Compress(Compress { file, .. }) => BTreeSet::from([named(before, file)?]),
        Work::CompileCatalogues => catalogues(before)?.iter().map(|path| compiled_catalogue(path)).collect(),
        _ => unreachable!("the other steps have checks of their own"),
    })
}

/// Checks that nothing was written but what is expected.
pub(super) fn check_written(expected: &BTreeSet<String>, written: &Listing) -> Result<(), StepError> {
    check_outside(written, |path| expected.contains(path))
}

/// Checks that a command wrote what the recipe declares, and nothing else.
pub(super) fn check_run(run: &Run, after: &Listing, written: &Listing) -> Result<(), ExecuteError> {
    let all = Matcher::new(&run.outputs)?;
    check_outside(written, |path| all.is_match(path))?;
    for pattern in &run.outputs {
        let one = Matcher::new(std::slice::from_ref(pattern))?;
        if !after.entries().any(|(path, _)| one.is_match(path)) {
            return Err(StepError::NotWritten { pattern: pattern.as_str().to_owned() }.into());
        }
    }
    Ok(())
}

/// Checks that every file that was written may be.
pub(super) fn check_outside(written: &Listing, may_be_written: impl Fn(&str) -> bool) -> Result<(), StepError> {
    let outside: Vec<&str> = written.entries().map(|(path, _)| path).filter(|path| !may_be_written(path)).collect();
    match outside.first() {
        Some(first) => Err(StepError::Outside { path: (*first).to_owned(), writer: None, others: outside.len() - 1 }),
        None => Ok(()),
    }
}
