//! Evaluates files with Nickel: one context for all files of a run, on the thread that owns it.

mod overrides;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use nickel_lang_core::{
    cache::{CacheHub, InputFormat, SourcePath},
    error::{Error, EvalErrorKind, NullReporter},
    eval::{
        VirtualMachine, VmContext,
        cache::CacheImpl,
        value::{Container, NickelValue, ValueContentRef},
    },
    files::FileId,
    position::TermPos,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    convert::{Texts, to_diagnostics},
    diagnostic::{Code, RecipeDiagnostic},
    fields::{Extent, FileKind, KnownFields, Nested, fields},
    memory::Memory,
    position::{Evaluated, FieldPosition, Position, Positions, SourceFile},
    survey::{CONTRACTS_FILE, Survey},
};

pub(crate) const CONTRACTS: &str = include_str!("vb.ncl");

/// A directory that cannot exist, for texts that are not files: a file name cannot hold a NUL byte.
const VIRTUAL_DIR: &str = "/\0vb";

/// Contracts reach this deep into a value; nothing below is looked at.
const MAX_VALUE_DEPTH: usize = 64;

type Context = VmContext<CacheHub, CacheImpl>;

/// The Nickel context of a run.
pub(crate) struct Evaluator {
    context: Context,
    survey: Survey,
    memory: Arc<Memory>,
    given: BTreeSet<(PathBuf, &'static str)>,
    known: BTreeMap<&'static str, KnownFields>,
}

impl Evaluator {
    /// Makes a context for the workspace below a root that has no symbolic links in it.
    pub(crate) fn new(root: PathBuf, memory: Arc<Memory>) -> Self {
        let mut hub = CacheHub::new();
        let contracts = Path::new(VIRTUAL_DIR).join(CONTRACTS_FILE);
        hub.sources.add_string(SourcePath::Path(contracts, InputFormat::Nickel), CONTRACTS.to_owned());
        hub.sources.add_import_paths(std::iter::once(PathBuf::from(VIRTUAL_DIR)));
        Self {
            context: VmContext::new(hub, std::io::sink(), NullReporter {}),
            survey: Survey::new(root),
            memory,
            given: BTreeSet::new(),
            known: BTreeMap::new(),
        }
    }

    /// Evaluates one file under its contract, or remembers what it evaluated to.
    pub(crate) fn evaluate<T: Serialize + DeserializeOwned>(
        &mut self,
        path: &Path,
        kind: FileKind,
    ) -> Result<Evaluated<T>, Vec<RecipeDiagnostic>> {
        let files = self.survey.read(path)?;
        let more = |path: &Path| self.survey.read(path).ok();
        if let Some(evaluated) = self.memory.recall(kind, &files, more) {
            return Ok(evaluated);
        }
        let own = files.len();
        let (evaluated, is_lasting) = self.evaluate_files(files, kind)?;
        if is_lasting {
            self.memory.remember(kind, &evaluated, own);
        }
        Ok(evaluated)
    }

    /// Evaluates, and says whether another evaluation of the same files would give the same.
    fn evaluate_files<T: DeserializeOwned>(
        &mut self,
        mut files: Vec<SourceFile>,
        kind: FileKind,
    ) -> Result<(Evaluated<T>, bool), Vec<RecipeDiagnostic>> {
        self.give_to_nickel(&files);
        let main = files[0].clone();
        let mut written = self.prepare_file(&main).map_err(|error| self.convert(error, &main))?;
        let overrides = match kind {
            FileKind::Recipe => self.overrides(&written, &main)?,
            FileKind::Workspace | FileKind::Platform => None,
        };
        if let Some(overrides) = overrides.as_ref().filter(|overrides| overrides.has_functions) {
            let applied = self.prepare_text(&format!("applied:{}", main.path.display()), overrides.applied.clone());
            written = applied.map_err(|error| self.convert(error, &main))?;
        }
        let mut diagnostics = self.check_fields(&written, kind, &main)?;
        let checked = match &overrides {
            Some(overrides) => self.prepare_text(&format!("merged:{}", main.path.display()), overrides.checked()),
            None => self.prepare_checked(&main, kind),
        };
        let checked = checked.map_err(|error| self.convert(error, &main))?;
        let exported = match self.export(checked.clone()) {
            Ok(exported) if diagnostics.is_empty() => exported,
            Ok(_) => return Err(diagnostics),
            Err(first) => {
                diagnostics.extend(self.broken_contracts(checked, &main));
                return Err(if diagnostics.is_empty() { self.convert(first, &main) } else { diagnostics });
            }
        };
        let is_lasting = overrides.as_ref().is_none_or(|overrides| overrides.is_complete);
        files.extend(overrides.into_iter().flat_map(|overrides| overrides.files));
        let positions = self.positions(written, &exported, &files);
        Ok((deserialize(exported, positions, files)?, is_lasting))
    }

    fn give_to_nickel(&mut self, files: &[SourceFile]) {
        for file in files {
            for format in self.survey.formats(&file.path) {
                if self.given.insert((file.path.clone(), format.to_str())) {
                    let name = SourcePath::Path(file.path.clone(), format);
                    self.context.import_resolver.sources.add_string(name, file.text.to_string());
                }
            }
        }
    }

    /// Prepares a file as it is.
    fn prepare_file(&mut self, file: &SourceFile) -> Result<NickelValue, Error> {
        let name = SourcePath::Path(file.path.clone(), InputFormat::Nickel);
        let id = self.context.import_resolver.sources.id_of(&name).expect("the file was given to Nickel");
        self.context.prepare_eval(id)
    }

    /// Prepares a file under its contract, whether or not the file itself applies it.
    fn prepare_checked(&mut self, file: &SourceFile, kind: FileKind) -> Result<NickelValue, Error> {
        let path = quote(&file.path.to_string_lossy());
        let contract = kind.contract();
        self.prepare_text(
            &format!("{contract}:{}", file.path.display()),
            format!("(import {path}) | (import \"{CONTRACTS_FILE}\").{contract}"),
        )
    }

    fn prepare_text(&mut self, name: &str, text: String) -> Result<NickelValue, Error> {
        let name = Path::new(VIRTUAL_DIR).join(name.replace('/', ":"));
        let name = SourcePath::Path(name, InputFormat::Nickel);
        let id: FileId = self.context.import_resolver.sources.add_string(name, text);
        self.context.prepare_eval(id)
    }

    fn evaluate_shallow(&mut self, value: NickelValue) -> Result<NickelValue, Error> {
        VirtualMachine::new(&mut self.context).eval(value).map_err(Error::EvalError)
    }

    fn export(&mut self, value: NickelValue) -> Result<NickelValue, Error> {
        VirtualMachine::new(&mut self.context).eval_full_for_export(value).map_err(Error::EvalError)
    }

    /// Finds unknown and missing fields. A value that cannot be evaluated is the contracts' to report; one that is no
    /// record is the only error, as nothing else can be said of it.
    fn check_fields(
        &mut self,
        written: &NickelValue,
        kind: FileKind,
        main: &SourceFile,
    ) -> Result<Vec<RecipeDiagnostic>, Vec<RecipeDiagnostic>> {
        let Ok(record) = self.evaluate_shallow(written.clone()) else { return Ok(Vec::new()) };
        if !matches!(record.content_ref(), ValueContentRef::Record(_)) {
            return Err(vec![self.not_a_record(&record, kind, main)]);
        }
        let mut diagnostics = self.compare(kind.contract(), kind.word(), &record, Extent::Whole, main);
        diagnostics.extend(self.check_nested(&record, kind.nested(), Extent::Whole, main));
        Ok(diagnostics)
    }

    fn check_nested(
        &mut self,
        record: &NickelValue,
        all: &'static [Nested],
        extent: Extent,
        main: &SourceFile,
    ) -> Vec<RecipeDiagnostic> {
        let mut diagnostics = Vec::new();
        for nested in all {
            let Some(value) = self.descend(record, nested.path) else { continue };
            let records = if nested.is_collection { self.elements(&value) } else { vec![value] };
            for record in records {
                diagnostics.extend(self.compare(nested.contract, nested.word, &record, extent, main));
                let extent = if nested.contract == "Override" { Extent::Part } else { extent };
                diagnostics.extend(self.check_nested(&record, nested.nested(), extent, main));
            }
        }
        diagnostics
    }

    /// Returns the evaluated value of a field, or of a field of a field.
    fn descend(&mut self, record: &NickelValue, path: &[&str]) -> Option<NickelValue> {
        path.iter().try_fold(record.clone(), |record, name| {
            let value = fields(&record).find(|(id, _)| id.label() == *name)?.1.value.clone()?;
            self.evaluate_shallow(value).ok()
        })
    }

    fn not_a_record(&self, value: &NickelValue, kind: FileKind, main: &SourceFile) -> RecipeDiagnostic {
        let message = format!("{} has to be a record", kind.word());
        let diagnostic =
            RecipeDiagnostic::new(Code::WrongValue, message).help("write its fields in braces: `{ name = \"value\" }`");
        match self.texts(main).place(value.pos(&self.context.pos_table)) {
            Some((file, range)) => diagnostic.in_file(file).label(range.start..range.start + 1, None),
            None => diagnostic.in_file(main),
        }
    }

    /// Returns the evaluated records in a list or a record.
    fn elements(&mut self, value: &NickelValue) -> Vec<NickelValue> {
        let elements: Vec<_> = match value.content_ref() {
            ValueContentRef::Record(_) => fields(value).filter_map(|(_, field)| field.value.clone()).collect(),
            ValueContentRef::Array(Container::Alloc(array)) => array.array.iter().cloned().collect(),
            _ => Vec::new(),
        };
        let elements = elements.into_iter().filter_map(|element| self.evaluate_shallow(element).ok());
        elements.filter(|element| matches!(element.content_ref(), ValueContentRef::Record(_))).collect()
    }

    fn compare(
        &mut self,
        contract: &'static str,
        word: &str,
        record: &NickelValue,
        extent: Extent,
        main: &SourceFile,
    ) -> Vec<RecipeDiagnostic> {
        if !self.known.contains_key(contract) {
            let text = format!("(import \"{CONTRACTS_FILE}\").{contract}");
            let value = self.prepare_text(contract, text).and_then(|value| self.evaluate_shallow(value));
            self.known.insert(contract, KnownFields::of(&value.expect("the contracts of vb evaluate")));
        }
        let position = record.pos(&self.context.pos_table);
        self.known[contract].check(word, record, position, extent, &self.texts(main))
    }

    /// Finds all contracts that are broken, where exporting ends with the first.
    fn broken_contracts(&mut self, checked: NickelValue, main: &SourceFile) -> Vec<RecipeDiagnostic> {
        let errors = VirtualMachine::new(&mut self.context).eval_permissive(checked, MAX_VALUE_DEPTH);
        let errors = errors.into_iter().filter(|error| !is_reported_by_fields(&error.error));
        errors.flat_map(|error| self.convert(Error::EvalError(error), main)).collect()
    }

    fn texts<'a>(&'a self, main: &'a SourceFile) -> Texts<'a> {
        Texts { files: self.context.import_resolver.sources.files(), survey: &self.survey, main }
    }

    fn convert(&self, error: Error, main: &SourceFile) -> Vec<RecipeDiagnostic> {
        to_diagnostics(error, &self.texts(main))
    }

    /// Notes where each field is written. In the value as it is written, keys have places that the contract hides; the
    /// exported one knows the rest.
    fn positions(&mut self, written: NickelValue, exported: &NickelValue, files: &[SourceFile]) -> Positions {
        let written = self.export(written).ok();
        let mut positions = Positions::default();
        for value in written.iter().chain([exported]) {
            let walk = Walk { texts: &self.texts(&files[0]), files, context: &self.context };
            walk.value(value, String::new(), TermPos::None, &mut positions);
        }
        positions
    }
}

fn deserialize<T: DeserializeOwned>(
    exported: NickelValue,
    positions: Positions,
    files: Vec<SourceFile>,
) -> Result<Evaluated<T>, Vec<RecipeDiagnostic>> {
    match serde_path_to_error::deserialize(exported) {
        Ok(value) => Ok(Evaluated { value, positions, files }),
        Err(error) => {
            let message = error.inner().to_string();
            let evaluated = Evaluated { value: (), positions, files };
            let field = error.path().to_string();
            Err(vec![RecipeDiagnostic::at_field(Code::WrongValue, message, &evaluated, &field)])
        }
    }
}

/// Missing fields of contracts, found with their exact place by [`KnownFields`], and optional ones, which are no error.
fn is_reported_by_fields(error: &EvalErrorKind) -> bool {
    match error {
        EvalErrorKind::MissingFieldDef { metadata, .. } => metadata.opt || !metadata.annotation.is_empty(),
        _ => false,
    }
}

/// Writes a text as a Nickel string.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("%{", "\\%{"))
}

struct Walk<'a> {
    texts: &'a Texts<'a>,
    files: &'a [SourceFile],
    context: &'a Context,
}

impl Walk<'_> {
    fn value(&self, value: &NickelValue, path: String, key: TermPos, positions: &mut Positions) {
        match value.content_ref() {
            ValueContentRef::Record(_) => {
                for (name, field) in fields(value) {
                    let Some(value) = &field.value else { continue };
                    let dot = if path.is_empty() { "" } else { "." };
                    self.value(value, format!("{path}{dot}{}", name.label()), name.pos, positions);
                }
            }
            ValueContentRef::Array(Container::Alloc(array)) => {
                for (index, element) in array.array.iter().enumerate() {
                    self.value(element, format!("{path}[{index}]"), TermPos::None, positions);
                }
            }
            _ => {}
        }
        let position = FieldPosition { key: self.position(key), value: self.value_position(value) };
        positions.insert(path, position);
    }

    /// A contract makes a tagged value anew; what the tag holds, or a field of that, is still the user's.
    fn value_position(&self, value: &NickelValue) -> Option<Position> {
        let place = |value: &NickelValue| self.position(value.pos(&self.context.pos_table));
        place(value).or_else(|| {
            let held = value.as_enum_variant()?.arg.as_ref()?;
            place(held).or_else(|| fields(held).find_map(|(_, field)| place(field.value.as_ref()?)))
        })
    }

    fn position(&self, position: TermPos) -> Option<Position> {
        let (file, range) = self.texts.place(position)?;
        let file = self.files.iter().position(|known| known.path == file.path)?;
        Some(Position { file, range })
    }
}
