//! The commands of steps, and what each of them may write.

use std::collections::{BTreeMap, BTreeSet};

use vb_graph::{AssetLanguage, Compile, Compress, Compressor, Node, Pattern, Run, Step, StyleLanguage, Work};
use vb_store::{Listing, Matcher};

use super::{collect_static::collect_static_command, find_file};
use crate::{
    builder::Builder,
    error::{ExecuteError, StepError},
    inputs::Inputs,
};

/// Does one thing to each file.
const EACH: &str = include_str!("each.sh");

/// The directories of programs in a root, as the search path has them.
const PROGRAMS: [&str; 3] = ["usr/local/bin", "usr/bin", "bin"];

/// A program, and the package that has it.
#[derive(Clone, Copy, Debug)]
struct Tool {
    name: &'static str,
    package: &'static str,
}

impl Builder {
    /// Returns the command of a step, `None` for one that vb does itself.
    pub(super) fn step_command(&self, step: &Step, inputs: &Inputs) -> Result<Option<Vec<String>>, ExecuteError> {
        let each = |how: String, files: Vec<String>| {
            let words = ["/bin/sh", "-c", EACH, "step", &how].map(str::to_owned);
            Some(words.into_iter().chain(files).collect())
        };
        let tree = || self.laid_over(inputs);
        Ok(match &step.work {
            Work::Compile(compile) => each(self.compiler(compile, inputs)?, named(&tree()?, &compile.files)?),
            Work::Compress(compress) => {
                let tool = compressor(compress.compressor);
                self.check_tool(tool, inputs)?;
                each(format!("{}-{}", tool.name, extension(compress.language)), named(&tree()?, &compress.files)?)
            }
            Work::CompileCatalogues => {
                self.check_tool(Tool { name: "msgfmt", package: "gettext" }, inputs)?;
                each("msgfmt".to_owned(), catalogues(&tree()?)?)
            }
            Work::CollectStatic(collect) => Some(collect_static_command(collect)),
            Work::Run(run) => Some(run.command.clone()),
            Work::BustCaches(_) | Work::Precompress(_) => None,
        })
    }

    /// Chooses the compiler that is there.
    fn compiler(&self, compile: &Compile, inputs: &Inputs) -> Result<String, ExecuteError> {
        let tools: &[Tool] = match compile.language {
            StyleLanguage::Less => &[Tool { name: "lessc", package: "node-less" }],
            StyleLanguage::Sass => {
                &[Tool { name: "sass", package: "the npm package sass" }, Tool { name: "sassc", package: "sassc" }]
            }
        };
        let maps = if compile.has_source_maps { "-map" } else { "" };
        for tool in tools {
            if self.has_tool(*tool, inputs)? {
                return Ok(format!("{}{maps}", tool.name));
            }
        }
        let last = tools[tools.len() - 1];
        Err(StepError::NoTool { tool: last.name, package: last.package }.into())
    }

    fn check_tool(&self, tool: Tool, inputs: &Inputs) -> Result<(), ExecuteError> {
        if self.has_tool(tool, inputs)? {
            return Ok(());
        }
        Err(StepError::NoTool { tool: tool.name, package: tool.package }.into())
    }

    fn has_tool(&self, tool: Tool, inputs: &Inputs) -> Result<bool, ExecuteError> {
        let root = Node::directory(inputs.directory("root"));
        for directory in PROGRAMS {
            if self.store.find(&root, &format!("{directory}/{}", tool.name))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn compressor(compressor: Compressor) -> Tool {
    let name = compressor.as_str();
    Tool { name, package: name }
}

fn extension(language: AssetLanguage) -> &'static str {
    match language {
        AssetLanguage::Css => "css",
        AssetLanguage::Js => "js",
    }
}

/// Returns the paths that the names in a recipe mean.
fn named(tree: &Listing, names: &[String]) -> Result<Vec<String>, StepError> {
    names.iter().map(|name| find_file(tree, name).map(str::to_owned)).collect()
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
fn search_path(prefix: Option<&str>) -> String {
    let fixed = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    prefix.map_or_else(|| fixed.to_owned(), |prefix| format!("{prefix}/bin:{fixed}"))
}

/// Returns the variables that a step's command has beside those of every command.
pub(super) fn variables(step: &Step) -> BTreeMap<String, String> {
    let (prefix, own) = match &step.work {
        Work::CollectStatic(collect) => (Some(&collect.prefix), Some(&collect.variables)),
        Work::Run(run) => (run.prefix.as_ref(), Some(&run.variables)),
        _ => (None, None),
    };
    let mut variables = BTreeMap::from([
        ("PATH".to_owned(), search_path(prefix.map(String::as_str))),
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
            let stems = named(before, &compile.files)?;
            let stems = stems.iter().map(|path| path.rsplit_once('.').map_or(path.as_str(), |(stem, _)| stem));
            let maps = compile.has_source_maps;
            let outputs = |stem: &str| {
                let map = maps.then(|| format!("{stem}.css.map"));
                std::iter::once(format!("{stem}.css")).chain(map)
            };
            stems.flat_map(outputs).collect()
        }
        Work::Compress(Compress { files, .. }) => named(before, files)?.into_iter().collect(),
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
        Some(first) => Err(StepError::Outside { path: (*first).to_owned(), others: outside.len() - 1 }),
        None => Ok(()),
    }
}
