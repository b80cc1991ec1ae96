//! From sub-applications and the steps of a pipeline to actions. A step follows the earlier ones that can write what it
//! can read, and no others.

use std::collections::BTreeMap;

use vb_graph::{
    ActionIndex, AssetLanguage, BustCaches, CacheToken, CollectStatic, Compile, Compress, Compressor, ContentCoding,
    Input, Kind, Pattern, Precompress, Run, Selection, Step, StyleLanguage, Work,
};

use super::{Lowering, input, overlap::overlap};
use crate::{
    lock::RootKind,
    pipeline::{
        CacheBustingOptions, CollectOptions, CompileOptions, CompressOptions, CompressorName, CopyFormat, PipelineStep,
        RunOptions, TokenSource,
    },
};

/// What the settings of a Django application find in the place of the secret that only a server has.
const SECRETS: [&str; 2] = ["DJANGO_SECRET_KEY", "SECRET_KEY"];
const STUB: &str = "stub-of-the-build";

/// One of the trees that the application's directory consists of; each lies over those before it.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// The name of inputs that are this tree.
    name: String,
    action: ActionIndex,
    /// Where it is put.
    directory: String,
    /// What can be in it.
    holds: Vec<Pattern>,
    /// Is it a source, and not what a step wrote?
    is_source: bool,
    /// Is it what was collected?
    is_collected: bool,
}

/// What steps have beside the build root.
#[derive(Clone, Copy, Debug)]
struct Tools {
    environment: ActionIndex,
    node_modules: Option<ActionIndex>,
}

impl Layer {
    fn source(name: String, action: ActionIndex, directory: &str) -> Self {
        let holds = match directory {
            "" => Pattern::everything(),
            directory => Pattern::Glob(format!("{directory}/**")),
        };
        Self { name, action, directory: directory.to_owned(), holds: vec![holds], is_source: true, is_collected: false }
    }

    fn written(step: &PipelineStep, name: &str, action: ActionIndex) -> Self {
        let word = if step.rewrites() { "rewrite" } else { "step" };
        Self {
            name: format!("{word} {name}"),
            action,
            directory: String::new(),
            holds: step.writes(),
            is_source: false,
            is_collected: matches!(step, PipelineStep::CollectStatic(_)),
        }
    }

    /// Makes an edge to the part that some patterns name.
    fn part(&self, name: String, patterns: &[Pattern]) -> Input {
        let selection = Selection { directory: self.directory.clone(), patterns: patterns.to_vec(), excludes: vec![] };
        Input { name, action: self.action, selection: Some(selection) }
    }

    /// Makes an edge to all of it.
    pub(super) fn whole(&self) -> Input {
        match self.directory.as_str() {
            "" => input(&self.name, self.action),
            _ => self.part(self.name.clone(), &[Pattern::everything()]),
        }
    }
}

impl Lowering<'_> {
    /// Adds the actions of all sources and steps, and returns what the application's directory consists of.
    pub(super) fn layers(&mut self, environment: ActionIndex, node_modules: Option<ActionIndex>) -> Vec<Layer> {
        let recipe = self.application.recipe;
        let mut layers = vec![Layer::source("source".to_owned(), self.source(), "")];
        for (index, sub_app) in recipe.value.sub_apps.iter().enumerate() {
            let source =
                self.ingest(&sub_app.source, &format!("source {}", sub_app.name), &format!("sub_apps[{index}]"));
            layers.push(Layer::source(format!("sub_app {}", sub_app.name), source, &sub_app.dir));
        }
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for (index, step) in recipe.value.pipeline.iter().enumerate() {
            // What one file is made of is none of the step's other files: they are made at the same time.
            let earlier = layers.clone();
            for part in step.parts() {
                let name = part.name();
                let count = names.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1);
                let name = if *count == 1 { name } else { format!("{name} {count}") };
                let tools = Tools { environment, node_modules };
                let action = self.step(&part, &name, &format!("pipeline[{index}]"), &earlier, tools);
                layers.push(Layer::written(&part, &name, action));
            }
        }
        layers
    }

    fn step(&mut self, step: &PipelineStep, name: &str, field: &str, layers: &[Layer], tools: Tools) -> ActionIndex {
        let work = self.work(step);
        let mut inputs = layer_inputs(step, layers);
        if let PipelineStep::AddCacheBusting(CacheBustingOptions { by: TokenSource::Content, content, .. }) = step {
            let content: Vec<Pattern> = content.iter().cloned().map(Pattern::Glob).collect();
            let parts = layers.iter().filter(|layer| overlap(&layer.holds, &content));
            inputs.extend(parts.map(|layer| layer.part(format!("content {}", layer.name), &content)));
        }
        let has_command = !matches!(work, Work::BustCaches(_) | Work::Precompress(_));
        if has_command {
            inputs.push(input("root", self.root(RootKind::Build, "build_deps")));
        }
        if matches!(&work, Work::CollectStatic(_) | Work::Run(Run { prefix: Some(_), .. })) {
            inputs.push(input("environment", tools.environment));
        }
        if matches!(work, Work::Compile(_) | Work::Compress(_) | Work::Run(_)) {
            inputs.extend(tools.node_modules.map(|modules| input("node_modules", modules)));
        }
        let step = Step { application: self.directory.clone(), work };
        self.add(Kind::Step(step), inputs, name, field)
    }

    fn work(&self, step: &PipelineStep) -> Work {
        match step {
            PipelineStep::CompileLess(options) => compile(StyleLanguage::Less, options),
            PipelineStep::CompileSass(options) => compile(StyleLanguage::Sass, options),
            PipelineStep::CompressCss(options) => compress(AssetLanguage::Css, options),
            PipelineStep::CompressJs(options) => compress(AssetLanguage::Js, options),
            PipelineStep::CompileI18n(_) => Work::CompileCatalogues,
            PipelineStep::CollectStatic(options) => Work::CollectStatic(self.collect(options)),
            PipelineStep::AddCacheBusting(options) => Work::BustCaches(BustCaches {
                file: one_file(&options.files),
                marker: options.marker.clone(),
                token: match options.by {
                    TokenSource::Version => CacheToken::Version(self.application.version.to_owned()),
                    TokenSource::Content => CacheToken::Content,
                },
            }),
            PipelineStep::PrecompressStatic(options) => Work::Precompress(Precompress {
                codings: options.formats.iter().map(|format| coding(*format)).collect(),
            }),
            PipelineStep::Run(options) => Work::Run(self.run(options)),
        }
    }

    fn collect(&self, options: &CollectOptions) -> CollectStatic {
        let mut variables: BTreeMap<_, _> = SECRETS.iter().map(|name| ((*name).to_owned(), STUB.to_owned())).collect();
        variables.extend(options.variables.clone());
        CollectStatic {
            prefix: self.prefix.clone(),
            files: options.files.clone(),
            settings: options.settings.clone(),
            variables,
        }
    }

    fn run(&self, options: &RunOptions) -> Run {
        Run {
            command: options.command.clone(),
            outputs: options.outputs.iter().cloned().map(Pattern::Glob).collect(),
            variables: options.variables.clone(),
            prefix: options.environment.then(|| self.prefix.clone()),
        }
    }
}

/// Assets: what no module needs to be imported, as far as the steps of a pipeline write it or read it.
const ASSETS: [&str; 9] = ["css", "js", "map", "less", "scss", "sass", "gz", "br", "zst"];

/// Returns the part of a staged tree that imports can depend on.
pub(super) fn without_assets(application: &str) -> Selection {
    let application = application.trim_start_matches('/');
    let exclude = |extension: &&str| Pattern::Glob(format!("root/{application}/**/*.{extension}"));
    Selection {
        directory: String::new(),
        patterns: vec![Pattern::everything()],
        excludes: ASSETS.iter().map(exclude).collect(),
    }
}

/// Extensions of files that hold no compiled code.
const TEXTS: [&str; 22] = [
    "py", "pyc", "pyi", "html", "css", "js", "map", "less", "scss", "sass", "gz", "br", "zst", "txt", "md", "rst",
    "json", "yml", "yaml", "po", "mo", "svg",
];

/// Returns the part of a staged tree that can hold compiled code, with what says which distribution has it.
pub(super) fn without_text() -> Selection {
    let packaging = ["debian/**", "rpm/**"].map(|glob| Pattern::Glob(glob.to_owned()));
    let texts = TEXTS.iter().map(|extension| Pattern::Glob(format!("root/**/*.{extension}")));
    Selection {
        directory: String::new(),
        patterns: vec![Pattern::everything()],
        excludes: texts.chain(packaging).collect(),
    }
}

/// Makes the edges to what a step reads of the application.
fn layer_inputs(step: &PipelineStep, layers: &[Layer]) -> Vec<Input> {
    if let (PipelineStep::PrecompressStatic(options), Some(collected)) =
        (step, layers.iter().rfind(|layer| layer.is_collected))
        && options.files.is_empty()
    {
        return vec![collected.whole()];
    }
    let reads = step.reads();
    // A source of which a step reads nothing is there all the same: a command that misses a file of it is to be told.
    let parts = layers.iter().filter(|layer| layer.is_source || overlap(&layer.holds, &reads));
    parts.map(|layer| layer.part(layer.name.clone(), &reads)).collect()
}

fn compile(language: StyleLanguage, options: &CompileOptions) -> Work {
    Work::Compile(Compile { language, file: one_file(&options.files), has_source_map: options.source_map })
}

fn compress(language: AssetLanguage, options: &CompressOptions) -> Work {
    let compressor = options.with.map(|name| match name {
        CompressorName::YuiCompressor => Compressor::YuiCompressor,
        CompressorName::Esbuild => Compressor::Esbuild,
    });
    Work::Compress(Compress { language, file: one_file(&options.files), compressor })
}

/// Returns the file of a step that [`PipelineStep::parts`] has taken apart.
fn one_file(files: &[String]) -> String {
    let [file] = files else { unreachable!("a part of a step has one file") };
    file.clone()
}

fn coding(format: CopyFormat) -> ContentCoding {
    match format {
        CopyFormat::Gzip => ContentCoding::Gzip,
        CopyFormat::Brotli => ContentCoding::Brotli,
        CopyFormat::Zstd => ContentCoding::Zstd,
    }
}
