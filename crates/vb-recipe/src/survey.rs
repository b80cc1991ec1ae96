//! The files of a run, each read once: recipes, platforms, the workspace file and what they import.
//!
//! Nickel is given these texts and opens nothing itself, so the digests are those of the bytes that are evaluated.
//! Invariant: a file that is not a regular one inside the workspace's root is never read.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use nickel_lang_core::cache::{InputFormat, normalize_abs_path};
use vb_graph::BlobDigest;

use crate::{
    diagnostic::{Code, RecipeDiagnostic},
    position::SourceFile,
    scan::{Import, scan},
};

/// The name under which recipes import the contracts.
pub(crate) const CONTRACTS_FILE: &str = "vb.ncl";

/// A larger file is not a recipe.
const MAX_SIZE: u64 = 4 << 20;

/// All files read so far.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The workspace's root, without symbolic links.
    root: PathBuf,
    files: BTreeMap<PathBuf, Surveyed>,
}

/// One file, with what it imports.
#[derive(Debug)]
struct Surveyed {
    file: SourceFile,
    formats: BTreeSet<&'static str>,
    imports: Vec<PathBuf>,
    diagnostics: Vec<RecipeDiagnostic>,
}

impl Survey {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, files: BTreeMap::new() }
    }

    /// Returns the workspace's root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Reads a file and what it imports, and returns all of them, the file itself first.
    pub(crate) fn read(&mut self, path: &Path) -> Result<Vec<SourceFile>, Vec<RecipeDiagnostic>> {
        let path = normalize_abs_path(path);
        self.visit(&path, InputFormat::Nickel).map_err(|error| {
            let shown = self.shown(&path);
            vec![error.into_diagnostic(&shown)]
        })?;
        let mut files = Vec::new();
        let mut diagnostics = Vec::new();
        for path in self.reachable(&path) {
            let surveyed = &self.files[&path];
            files.push(surveyed.file.clone());
            diagnostics.extend(surveyed.diagnostics.iter().cloned());
        }
        if diagnostics.is_empty() { Ok(files) } else { Err(diagnostics) }
    }

    /// Returns a file that was read.
    pub(crate) fn file(&self, path: &Path) -> Option<&SourceFile> {
        self.files.get(path).map(|surveyed| &surveyed.file)
    }

    /// Returns how a file that was read is imported, in all ways.
    pub(crate) fn formats(&self, path: &Path) -> Vec<InputFormat> {
        let formats = self.files.get(path).map(|surveyed| &surveyed.formats);
        formats.into_iter().flatten().filter_map(|name| name.parse().ok()).collect()
    }

    fn reachable(&self, start: &Path) -> Vec<PathBuf> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![start.to_owned()];
        while let Some(path) = waiting.pop() {
            if seen.insert(path.clone()) {
                waiting.extend(self.files[&path].imports.iter().cloned());
            }
        }
        seen.remove(start);
        std::iter::once(start.to_owned()).chain(seen).collect()
    }

    fn visit(&mut self, path: &Path, format: InputFormat) -> Result<(), OpenError> {
        let is_read_as_nickel =
            self.files.get(path).is_some_and(|known| known.formats.contains(InputFormat::Nickel.to_str()));
        if let Some(known) = self.files.get_mut(path) {
            known.formats.insert(format.to_str());
        } else {
            let file = self.open(path)?;
            let formats = BTreeSet::from([format.to_str()]);
            let surveyed = Surveyed { file, formats, imports: Vec::new(), diagnostics: Vec::new() };
            self.files.insert(path.to_owned(), surveyed);
        }
        if matches!(format, InputFormat::Nickel) && !is_read_as_nickel {
            self.follow(path);
        }
        Ok(())
    }

    /// Reads what a Nickel file imports.
    fn follow(&mut self, path: &Path) {
        let file = self.files[path].file.clone();
        let scanned = scan(&file.text);
        let mut imports = Vec::new();
        let mut diagnostics = Vec::new();
        if let Some(range) = scanned.too_deep {
            let deep = RecipeDiagnostic::new(Code::TooDeep, "expressions are nested too deeply")
                .help("take inner parts out into a `let` or into a file of their own")
                .in_file(&file)
                .label(range, Some("here".to_owned()));
            diagnostics.push(deep);
        }
        for import in scanned.imports {
            let target = import_target(path, &import);
            if import.path == CONTRACTS_FILE && !target.exists() {
                continue;
            }
            match self.visit(&target, import.format) {
                Ok(()) => imports.push(target),
                Err(error) => diagnostics.push(error.into_import_diagnostic(&import, &file)),
            }
        }
        let surveyed = self.files.get_mut(path).expect("the file was read before it is followed");
        surveyed.imports = imports;
        surveyed.diagnostics = diagnostics;
    }

    fn open(&self, path: &Path) -> Result<SourceFile, OpenError> {
        let real = fs_err::canonicalize(path).map_err(OpenError::Io)?;
        if !real.starts_with(&self.root) {
            return Err(OpenError::Foreign);
        }
        let metadata = fs_err::metadata(&real).map_err(OpenError::Io)?;
        if !metadata.is_file() {
            return Err(OpenError::NotAFile);
        }
        if metadata.len() > MAX_SIZE {
            return Err(OpenError::TooLarge);
        }
        let text = fs_err::read_to_string(&real).map_err(OpenError::Io)?;
        Ok(SourceFile {
            path: path.to_owned(),
            shown: self.shown(path),
            digest: BlobDigest::of(text.as_bytes()),
            text: Arc::from(text),
        })
    }

    /// Returns a path as it is shown: relative to the root where it is inside.
    pub(crate) fn shown(&self, path: &Path) -> String {
        let real = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        real.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

fn import_target(importer: &Path, import: &Import) -> PathBuf {
    let dir = importer.parent().expect("a file is in a directory");
    normalize_abs_path(&dir.join(&import.path))
}

/// Why a file is not read.
#[derive(Debug)]
enum OpenError {
    Foreign,
    NotAFile,
    TooLarge,
    Io(io::Error),
}

impl OpenError {
    fn reason(&self) -> String {
        match self {
            Self::Foreign => "it is outside the workspace".to_owned(),
            Self::NotAFile => "it is not a regular file".to_owned(),
            Self::TooLarge => format!("it is larger than {} MiB", MAX_SIZE >> 20),
            Self::Io(error) => match error.kind() {
                io::ErrorKind::NotFound => "it does not exist".to_owned(),
                io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
                io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
                kind => kind.to_string(),
            },
        }
    }

    fn into_diagnostic(self, shown: &str) -> RecipeDiagnostic {
        let help = match self {
            Self::Foreign => "give a file below the directory that holds `recipes/workspace.ncl`",
            _ => "give the path of a recipe, such as `recipes/whois.ncl`",
        };
        RecipeDiagnostic::new(Code::Unreadable, format!("cannot read `{shown}`: {}", self.reason())).help(help)
    }

    fn into_import_diagnostic(self, import: &Import, file: &SourceFile) -> RecipeDiagnostic {
        let (code, help) = match self {
            Self::Foreign => (Code::ForeignImport, "copy the file into the workspace, so that every checkout has it"),
            _ => (Code::Import, "correct the path: it is relative to the importing file"),
        };
        RecipeDiagnostic::new(code, format!("cannot import `{}`: {}", import.path, self.reason()))
            .help(help)
            .in_file(file)
            .label(import.range.clone(), None)
    }
}
