//! Steps of a pipeline: what makes an application's assets out of its source.
//!
//! What a step reads is in its inputs: trees that are laid over each other in their order. What it gives is a directory
//! of the files that it wrote, at their paths in the application.

use std::collections::BTreeMap;

use crate::{resolved::Part, selection::Pattern};

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The application's own directory, where the step finds its files: `/vrmd/whois/whois`.
    pub application: String,
    /// What is done.
    pub work: Work,
}

/// What a step does. A `file` is matched as [`Pattern::Name`] against what the step reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Compiles a style sheet to a `.css` beside it.
    Compile(Compile),
    /// Makes a file smaller, in its place.
    Compress(Compress),
    /// Compiles every `.po` that the step reads to a `.mo` beside it.
    CompileCatalogues,
    /// Runs Django's `collectstatic`.
    CollectStatic(CollectStatic),
    /// Replaces a marker in a file by a text that changes when the version or the content does.
    BustCaches(BustCaches),
    /// Writes compressed copies beside every file that the step reads and that gains by it.
    Precompress(Precompress),
    /// Runs a command of the recipe's own.
    Run(Run),
}

/// A language that is compiled to CSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StyleLanguage {
    /// `.less`.
    Less,
    /// `.scss`, or `.sass`.
    Sass,
}

/// See [`Work::Compile`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Compile {
    /// What it is written in.
    pub language: StyleLanguage,
    /// The style sheet; what it imports is only read.
    pub file: String,
    /// Is a `.css.map` written beside the `.css`?
    pub has_source_map: bool,
}

/// A language that is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssetLanguage {
    /// `.css`.
    Css,
    /// `.js`.
    Js,
}

/// A program that compresses style sheets and scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compressor {
    /// YUI Compressor, for CSS 2 and ECMAScript 5.
    YuiCompressor,
    /// esbuild, for what browsers read today.
    Esbuild,
}

impl Compressor {
    /// All of them, the better one first.
    pub const ALL: [Self; 2] = [Self::Esbuild, Self::YuiCompressor];

    /// Returns the program's name, as it is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::YuiCompressor => "yui-compressor",
            Self::Esbuild => "esbuild",
        }
    }
}

/// See [`Work::Compress`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Compress {
    /// What it is written in.
    pub language: AssetLanguage,
    /// The file.
    pub file: String,
    /// What does it; `None` for the first of [`Compressor::ALL`] that is there.
    pub compressor: Option<Compressor>,
}

/// See [`Work::CollectStatic`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CollectStatic {
    /// The environment's path: `/vrmd/whois`.
    pub prefix: String,
    /// Files that have to be there afterwards, by path below `STATIC_ROOT`.
    pub files: Vec<String>,
    /// The settings' module; `None` for the one that `manage.py` names.
    pub settings: Option<String>,
    /// Variables of the settings: stubs for the secrets that a server has.
    pub variables: BTreeMap<String, String>,
}

/// What a marker is replaced by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CacheToken {
    /// The package's version.
    Version(String),
    /// A digest of the step's inputs whose names begin with `content`.
    Content,
}

/// See [`Work::BustCaches`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BustCaches {
    /// The file.
    pub file: String,
    /// What is replaced.
    pub marker: String,
    /// What it is replaced by.
    pub token: CacheToken,
}

/// A format of compressed copies (the content codings of RFC 9110, 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentCoding {
    /// `.gz`.
    Gzip,
    /// `.br` (RFC 7932).
    Brotli,
    /// `.zst` (RFC 8878).
    Zstd,
}

impl ContentCoding {
    /// Returns the file name extension of a copy.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Brotli => "br",
            Self::Zstd => "zst",
        }
    }
}

/// See [`Work::Precompress`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Precompress {
    /// The formats of the copies.
    pub codings: Vec<ContentCoding>,
}

/// See [`Work::Run`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The command and its arguments; it runs in the application's directory.
    pub command: Vec<String>,
    /// What it may write. Each of these has to be there afterwards.
    pub outputs: Vec<Pattern>,
    /// Its variables beside the fixed ones.
    pub variables: BTreeMap<String, String>,
    /// The environment's path, for a command that reads the environment.
    pub prefix: Option<String>,
}

impl Step {
    pub(crate) fn name(&self) -> &'static str {
        match &self.work {
            Work::Compile(Compile { language: StyleLanguage::Less, .. }) => "compile less",
            Work::Compile(Compile { language: StyleLanguage::Sass, .. }) => "compile sass",
            Work::Compress(Compress { language: AssetLanguage::Css, .. }) => "compress css",
            Work::Compress(Compress { language: AssetLanguage::Js, .. }) => "compress js",
            Work::CompileCatalogues => "compile i18n",
            Work::CollectStatic(_) => "collect static",
            Work::BustCaches(_) => "add cache busting",
            Work::Precompress(_) => "precompress static",
            Work::Run(_) => "run",
        }
    }

    /// Returns the version of what vb does for the kind of step.
    pub(crate) fn version(&self) -> u32 {
        match &self.work {
            // 2: one file for each action.
            Work::Compile(_) | Work::Compress(_) | Work::BustCaches(_) => 2,
            Work::CompileCatalogues | Work::CollectStatic(_) | Work::Precompress(_) | Work::Run(_) => 1,
        }
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::text("application", &self.application)];
        parts.extend(match &self.work {
            Work::Compile(compile) => compile.parts(),
            Work::Compress(compress) => compress.parts(),
            Work::CompileCatalogues => vec![],
            Work::CollectStatic(collect) => collect.parts(),
            Work::BustCaches(bust) => bust.parts(),
            Work::Precompress(precompress) => precompress.parts(),
            Work::Run(run) => run.parts(),
        });
        parts
    }
}

impl Compile {
    fn parts(&self) -> Vec<Part> {
        vec![Part::text("file", &self.file), Part::text("source map", self.has_source_map.to_string())]
    }
}

impl Compress {
    fn parts(&self) -> Vec<Part> {
        let compressor = self.compressor.map_or("any", Compressor::as_str);
        vec![Part::text("file", &self.file), Part::text("compressor", compressor)]
    }
}

impl CollectStatic {
    fn parts(&self) -> Vec<Part> {
        vec![
            Part::text("prefix", &self.prefix),
            Part::list("files", &self.files),
            Part::list("settings", self.settings.as_slice()),
            Part::list("variables", &variables(&self.variables)),
        ]
    }
}

impl BustCaches {
    fn parts(&self) -> Vec<Part> {
        let version = match &self.token {
            CacheToken::Version(version) => vec![version.clone()],
            CacheToken::Content => vec![],
        };
        vec![Part::text("file", &self.file), Part::text("marker", &self.marker), Part::list("version", &version)]
    }
}

impl Precompress {
    fn parts(&self) -> Vec<Part> {
        let codings: Vec<String> = self.codings.iter().map(|coding| coding.extension().to_owned()).collect();
        vec![Part::list("codings", &codings)]
    }
}

impl Run {
    fn parts(&self) -> Vec<Part> {
        let outputs: Vec<String> = self.outputs.iter().map(|pattern| pattern.as_str().to_owned()).collect();
        vec![
            Part::list("command", &self.command),
            Part::list("outputs", &outputs),
            Part::list("variables", &variables(&self.variables)),
            Part::list("prefix", self.prefix.as_slice()),
        ]
    }
}

fn variables(variables: &BTreeMap<String, String>) -> Vec<String> {
    variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
}
