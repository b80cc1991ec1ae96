//! Which fields a file may have, and which it has to have: a walk over the value as the user wrote it.
//!
//! Done here and not by closed contracts, so that each wrong key is shown at its own place, all of them at once.

use nickel_lang_core::{
    eval::value::{Container, NickelValue, RecordData, ValueContentRef},
    identifier::LocIdent,
    position::TermPos,
    term::record::Field,
};

use crate::{
    convert::Texts,
    diagnostic::{Code, RecipeDiagnostic, did_you_mean, quote_all},
};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Recipe,
    Workspace,
    Platform,
}

impl FileKind {
    /// Returns the name of its contract in `vb.ncl`.
    pub(crate) fn contract(self) -> &'static str {
        match self {
            Self::Recipe => "Recipe",
            Self::Workspace => "Workspace",
            Self::Platform => "Platform",
        }
    }

    /// Returns the word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Recipe => "a recipe",
            Self::Workspace => "a workspace file",
            Self::Platform => "a platform",
        }
    }

    /// Returns the fields that hold records of their own contract.
    pub(crate) fn nested(self) -> &'static [Nested] {
        match self {
            Self::Recipe => RECIPE_RECORDS,
            Self::Workspace => WORKSPACE_RECORDS,
            Self::Platform => PLATFORM_RECORDS,
        }
    }
}

const RECIPE_RECORDS: &[Nested] = &[
    Nested::each(&["overrides"], "Override", "an override"),
    Nested::each(&["sub_apps"], "SubApp", "a sub-application"),
    Nested::itself(&["npm"], "Npm", "`npm`"),
    Nested::itself(&["interpreter"], "OwnInterpreter", "`interpreter`"),
    Nested::each(&["services"], "Service", "a service"),
    Nested::each(&["users"], "User", "a user"),
    Nested::each(&["dirs"], "Directory", "a directory"),
    Nested::each(&["packages"], "SubPackage", "a package of the recipe"),
    Nested::itself(&["import_check"], "ImportCheck", "`import_check`"),
    Nested::each(&["import_check", "skip"], "SkippedImport", "a skipped import"),
    Nested::itself(&["lint"], "Lint", "`lint`"),
    Nested::each(&["lint", "lintian"], "AcceptedTag", "an accepted tag"),
    Nested::each(&["lint", "rpmlint"], "AcceptedTag", "an accepted tag"),
];

/// The records that an override may have a part of, and a package of its own.
const LIFE_RECORDS: &[Nested] = &[
    Nested::each(&["services"], "Service", "a service"),
    Nested::each(&["users"], "User", "a user"),
    Nested::each(&["dirs"], "Directory", "a directory"),
    Nested::each(&["packages"], "SubPackage", "a package of the recipe"),
];

const SERVICE_RECORDS: &[Nested] = &[Nested::itself(&["limits"], "Limits", "`limits`")];

/// How much of a record there has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that its contract asks for.
    Whole,
    /// What is merged over another record.
    Part,
}

const WORKSPACE_RECORDS: &[Nested] = &[
    Nested::itself(&["repository"], "PackageRepository", "`repository`"),
    Nested::each(&["indexes"], "PythonIndex", "an index"),
    Nested::itself(&["lint"], "Lint", "`lint`"),
    Nested::each(&["lint", "lintian"], "AcceptedTag", "an accepted tag"),
    Nested::each(&["lint", "rpmlint"], "AcceptedTag", "an accepted tag"),
];

const PLATFORM_RECORDS: &[Nested] = &[
    Nested::each(&["suites"], "Suite", "a suite"),
    Nested::each(&["pins"], "Pin", "a pin"),
    Nested::each(&["repositories"], "Repository", "a repository"),
    Nested::each(&["interpreters"], "Interpreter", "an interpreter"),
    Nested::itself(&["output"], "Output", "`output`"),
    Nested::itself(&["output", "deb"], "DebOutput", "`deb`"),
    Nested::itself(&["output", "rpm"], "RpmOutput", "`rpm`"),
    Nested::itself(&["output", "refused"], "Refused", "`refused`"),
];

/// A field that holds a record of a contract, or several of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nested {
    /// The fields on the way to it, and its own name.
    pub(crate) path: &'static [&'static str],
    /// The name of the contract in `vb.ncl`.
    pub(crate) contract: &'static str,
    /// What such a record is called.
    pub(crate) word: &'static str,
    /// Is it a list or record of such records?
    pub(crate) is_collection: bool,
}

impl Nested {
    const fn each(path: &'static [&'static str], contract: &'static str, word: &'static str) -> Self {
        Self { path, contract, word, is_collection: true }
    }

    /// Returns the fields of each such record that hold records of their own contract.
    pub(crate) fn nested(&self) -> &'static [Self] {
        match self.contract {
            "Override" | "SubPackage" => LIFE_RECORDS,
            "Service" => SERVICE_RECORDS,
            _ => &[],
        }
    }

    const fn itself(path: &'static [&'static str], contract: &'static str, word: &'static str) -> Self {
        Self { path, contract, word, is_collection: false }
    }
}

/// The fields of a contract.
#[derive(Debug, Default)]
pub(crate) struct KnownFields {
    names: Vec<String>,
    required: Vec<String>,
}

impl KnownFields {
    /// Reads the fields off an evaluated record contract.
    pub(crate) fn of(contract: &NickelValue) -> Self {
        let mut known = Self::default();
        for (name, field) in fields(contract) {
            known.names.push(name.label().to_owned());
            if field.value.is_none() && !is_optional(field) {
                known.required.push(name.label().to_owned());
            }
        }
        known
    }

    /// Compares a record with the fields that it may have and has to have.
    pub(crate) fn check(
        &self,
        word: &str,
        record: &NickelValue,
        position: TermPos,
        extent: Extent,
        texts: &Texts<'_>,
    ) -> Vec<RecipeDiagnostic> {
        let unknown = fields(record).filter(|(name, _)| !self.names.iter().any(|known| known == name.label()));
        let mut diagnostics: Vec<_> = unknown.map(|(name, _)| self.unknown(word, name, texts)).collect();
        if extent == Extent::Part {
            return diagnostics;
        }
        let defined: Vec<_> = fields(record)
            .filter(|(_, field)| field.value.is_some())
            .map(|(name, _)| name.label().to_owned())
            .collect();
        let missing = self.required.iter().filter(|name| !defined.contains(name));
        diagnostics.extend(missing.map(|name| missing_field(word, name, position, texts)));
        diagnostics
    }

    fn unknown(&self, word: &str, name: &LocIdent, texts: &Texts<'_>) -> RecipeDiagnostic {
        let label = name.label();
        let known = self.names.iter().map(String::as_str);
        let help = match did_you_mean(label, known.clone()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("use one of {}", quote_all(known)),
        };
        let message = format!("{word} has no field `{label}`");
        let diagnostic = RecipeDiagnostic::new(Code::UnknownField, message).help(help);
        match texts.place(name.pos) {
            Some((file, range)) => diagnostic.in_file(file).label(range, None),
            None => diagnostic.in_file(texts.main),
        }
    }
}

fn missing_field(word: &str, name: &str, position: TermPos, texts: &Texts<'_>) -> RecipeDiagnostic {
    let diagnostic = RecipeDiagnostic::new(Code::MissingField, format!("{word} has to have a field `{name}`"))
        .help(format!("add `{name} = …,` to this record"));
    match texts.place(position) {
        Some((file, range)) => {
            // The closing bracket, so that one line is shown and not the whole record.
            let end = range.end.max(range.start + 1);
            diagnostic.in_file(file).label(end - 1..end, Some(format!("`{name}` is missing in this record")))
        }
        None => diagnostic.in_file(texts.main),
    }
}

/// Returns the fields of a record, and none of anything else.
pub(crate) fn fields(value: &NickelValue) -> impl Iterator<Item = (&LocIdent, &Field)> {
    record(value).into_iter().flat_map(|record| record.fields.iter())
}

fn record(value: &NickelValue) -> Option<&RecordData> {
    match value.content_ref() {
        ValueContentRef::Record(Container::Alloc(record)) => Some(record),
        _ => None,
    }
}

fn is_optional(field: &Field) -> bool {
    field.metadata.0.as_ref().is_some_and(|metadata| metadata.opt)
}
