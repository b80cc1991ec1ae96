//! The steps of a pipeline as a recipe has them, with the contracts' defaults, and what each reads and writes.
//!
//! Reads and writes are patterns: which step follows which is known before any source has been read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vb_graph::Pattern;

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PipelineStep {
    /// Compiles `.less` to `.css`.
    CompileLess(CompileOptions),
    /// Compiles `.scss` to `.css`.
    CompileSass(CompileOptions),
    /// Makes style sheets smaller.
    CompressCss(CompressOptions),
    /// Makes scripts smaller.
    CompressJs(CompressOptions),
    /// Compiles `.po` to `.mo`.
    CompileI18n(CatalogueOptions),
    /// Runs Django's `collectstatic`.
    CollectStatic(CollectOptions),
    /// Replaces a marker by what changes with the version, or with the content.
    AddCacheBusting(CacheBustingOptions),
    /// Writes compressed copies beside static files.
    PrecompressStatic(PrecompressOptions),
    /// Runs a command.
    Run(RunOptions),
}

/// The options of `'CompileLess` and `'CompileSass`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompileOptions {
    /// The style sheets, each by the end of its path.
    pub files: Vec<String>,
    /// Is a source map written?
    pub source_map: bool,
    /// What the step may read beside style sheets of its language.
    pub inputs: Vec<String>,
}

/// The options of `'CompressCss` and `'CompressJs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressOptions {
    /// The files, each by the end of its path.
    pub files: Vec<String>,
    /// What does it; `None` for what is there.
    pub with: Option<CompressorName>,
}

/// A compressor, as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompressorName {
    /// YUI Compressor.
    YuiCompressor,
    /// esbuild.
    Esbuild,
}

/// The options of `'CompileI18n`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueOptions {
    /// Catalogues in other places than `LC_MESSAGES`.
    pub inputs: Vec<String>,
}

/// The options of `'CollectStatic`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectOptions {
    /// Files that have to arrive, by path below the static root.
    pub files: Vec<String>,
    /// The settings' module.
    pub settings: Option<String>,
    /// Variables that the settings want.
    pub variables: BTreeMap<String, String>,
    /// What the settings read beside themselves, and static files outside of `static`.
    pub inputs: Vec<String>,
}

/// The options of `'AddCacheBusting`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheBustingOptions {
    /// The files, each by the end of its path.
    pub files: Vec<String>,
    /// What is replaced.
    pub marker: String,
    /// What it is replaced by.
    pub by: TokenSource,
    /// What counts as content.
    pub content: Vec<String>,
}

/// What a marker is replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenSource {
    /// The package's version.
    Version,
    /// A digest of the content.
    Content,
}

/// The options of `'PrecompressStatic`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrecompressOptions {
    /// The files; none for what was collected.
    pub files: Vec<String>,
    /// The formats of the copies.
    pub formats: Vec<CopyFormat>,
}

/// A format of compressed copies, as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyFormat {
    /// `.gz`.
    Gzip,
    /// `.br`.
    Brotli,
    /// `.zst`.
    Zstd,
}

/// The options of `'Run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOptions {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// What it reads.
    pub inputs: Vec<String>,
    /// What it writes.
    pub outputs: Vec<String>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Does it see the application's environment?
    pub environment: bool,
}

/// What `'CollectStatic` reads: static files, and what Django's settings usually consist of.
const STATIC_SOURCES: [&str; 6] =
    ["**/static/**", "**/manage.py", "**/settings*.py", "**/settings/**", "**/apps.py", "**/__init__.py"];

/// What `'PrecompressStatic` reads where nothing is collected.
const STATIC_FILES: &str = "**/static/**";

impl PipelineStep {
    /// Returns the step's tag.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::CompileLess(_) => "CompileLess",
            Self::CompileSass(_) => "CompileSass",
            Self::CompressCss(_) => "CompressCss",
            Self::CompressJs(_) => "CompressJs",
            Self::CompileI18n(_) => "CompileI18n",
            Self::CollectStatic(_) => "CollectStatic",
            Self::AddCacheBusting(_) => "AddCacheBusting",
            Self::PrecompressStatic(_) => "PrecompressStatic",
            Self::Run(_) => "Run",
        }
    }

    /// Returns the step for each of its files alone, when it makes each of them without the others.
    pub fn parts(&self) -> Vec<Self> {
        let mut whole = self.clone();
        let Some(files) = whole.single_files().map(std::mem::take) else { return vec![whole] };
        let part = |file: String| {
            let mut part = whole.clone();
            part.single_files().expect("it is of the same kind").push(file);
            part
        };
        files.into_iter().map(part).collect()
    }

    /// Returns the files of a step that makes each of them by itself.
    fn single_files(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::CompileLess(options) | Self::CompileSass(options) => Some(&mut options.files),
            Self::CompressCss(options) | Self::CompressJs(options) => Some(&mut options.files),
            Self::AddCacheBusting(options) => Some(&mut options.files),
            Self::CompileI18n(_) | Self::CollectStatic(_) | Self::PrecompressStatic(_) | Self::Run(_) => None,
        }
    }

    /// Returns what a part of a step is called: its tag, and its file where it has one of its own.
    pub fn name(&self) -> String {
        match self.clone().single_files() {
            Some(files) => format!("{} {}", self.tag(), files.join(" ")),
            None => self.tag().to_owned(),
        }
    }

    /// Returns what the step can read of the application.
    pub fn reads(&self) -> Vec<Pattern> {
        match self {
            Self::CompileLess(options) => compiled(options, &["**/*.less"]),
            Self::CompileSass(options) => compiled(options, &["**/*.scss", "**/*.sass"]),
            Self::CompressCss(options) | Self::CompressJs(options) => names(&options.files).collect(),
            Self::CompileI18n(options) => globs(&["**/LC_MESSAGES/*.po"]).chain(globs(&options.inputs)).collect(),
            Self::CollectStatic(options) => globs(&STATIC_SOURCES).chain(globs(&options.inputs)).collect(),
            Self::AddCacheBusting(options) => names(&options.files).collect(),
            Self::PrecompressStatic(options) if options.files.is_empty() => globs(&[STATIC_FILES]).collect(),
            Self::PrecompressStatic(options) => globs(&options.files).collect(),
            Self::Run(options) => globs(&options.inputs).collect(),
        }
    }

    /// Returns what the step can write.
    pub fn writes(&self) -> Vec<Pattern> {
        match self {
            Self::CompileLess(options) | Self::CompileSass(options) => {
                options.files.iter().flat_map(|file| style_sheets(file, options.source_map)).collect()
            }
            Self::CompressCss(options) | Self::CompressJs(options) => names(&options.files).collect(),
            Self::CompileI18n(_) => globs(&["**/*.mo"]).collect(),
            Self::CollectStatic(_) => vec![Pattern::everything()],
            Self::AddCacheBusting(options) => names(&options.files).collect(),
            Self::PrecompressStatic(_) => globs(&["**/*.gz", "**/*.br", "**/*.zst"]).collect(),
            Self::Run(options) => globs(&options.outputs).collect(),
        }
    }

    /// Does the step write files in the place of what it read?
    pub fn rewrites(&self) -> bool {
        match self {
            Self::CompressCss(_) | Self::CompressJs(_) | Self::AddCacheBusting(_) => true,
            Self::Run(options) => options.outputs.iter().any(|output| options.inputs.contains(output)),
            _ => false,
        }
    }
}

fn compiled(options: &CompileOptions, own: &[&str]) -> Vec<Pattern> {
    globs(own).chain(names(&options.files)).chain(globs(&options.inputs)).collect()
}

fn style_sheets(file: &str, has_map: bool) -> impl Iterator<Item = Pattern> {
    let stem = match file.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') => stem,
        _ => file,
    };
    let map = has_map.then(|| Pattern::Name(format!("{stem}.css.map")));
    std::iter::once(Pattern::Name(format!("{stem}.css"))).chain(map)
}

fn names(files: &[String]) -> impl Iterator<Item = Pattern> {
    files.iter().cloned().map(Pattern::Name)
}

fn globs<T: AsRef<str>>(patterns: &[T]) -> impl Iterator<Item = Pattern> {
    patterns.iter().map(|pattern| Pattern::Glob(pattern.as_ref().to_owned()))
}
