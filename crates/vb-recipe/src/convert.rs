//! Nickel's errors to diagnostics that point at the user's file.

use std::{ops::Range, path::Path};

use nickel_lang_core::{
    error::{Diagnostic, Error, EvalErrorKind, ImportErrorKind, IntoDiagnostics, LabelStyle},
    files::{FileId, Files},
    label::Label,
    position::{RawSpan, TermPos},
};

use crate::{
    diagnostic::{Code, RecipeDiagnostic},
    position::{SourceFile, line_number},
    survey::Survey,
};

/// What is needed to find the user's text of a Nickel position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts<'a> {
    pub(crate) files: &'a Files,
    pub(crate) survey: &'a Survey,
    /// The evaluated file, for errors without any position in a user's file.
    pub(crate) main: &'a SourceFile,
}

impl Texts<'_> {
    /// Returns the user's file that a Nickel file is, or `None` for the contracts and the standard library.
    pub(crate) fn user_file(&self, id: FileId) -> Option<&SourceFile> {
        self.survey.file(Path::new(self.files.name(id)))
    }

    /// Returns the place of a Nickel position, if it is in a user's file.
    pub(crate) fn place(&self, position: TermPos) -> Option<(&SourceFile, Range<usize>)> {
        let span = position.into_opt()?;
        Some((self.user_file(span.src_id)?, to_range(span)))
    }
}

fn to_range(span: RawSpan) -> Range<usize> {
    span.start.to_usize()..span.end.to_usize()
}

/// Returns what to write in the place of what other languages have there.
fn help_with(message: &str) -> Option<&'static str> {
    let unbound = message.strip_prefix("unbound identifier `").and_then(|rest| rest.strip_suffix('`'));
    Some(match unbound {
        Some("vb") => "define it: a file that uses `vb` begins with `let vb = import \"vb.ncl\" in`",
        Some("True") => "write `true`",
        Some("False") => "write `false`",
        Some("None" | "null" | "nil") => "leave the field out",
        Some(name) if name.ends_with('\'') => "write text in double quotes",
        Some(_) => "write text in double quotes; a name is defined by `let`",
        None if message.starts_with("invalid contract expression") => "write `name = …`: a colon has a type behind it",
        None if message.starts_with("not a function") => "write text in double quotes",
        None => return None,
    })
}

/// Converts one error of Nickel.
pub(crate) fn to_diagnostics(error: Error, texts: &Texts<'_>) -> Vec<RecipeDiagnostic> {
    if let Some(diagnostic) = broken_contract(&error, texts) {
        return vec![diagnostic];
    }
    let (code, help) = classify(&error);
    // Nickel adds the values that it prints as files of their own.
    let mut files = texts.files.clone();
    let diagnostics = error.into_diagnostics(&mut files);
    let texts = Texts { files: &files, ..*texts };
    diagnostics.into_iter().map(|diagnostic| to_diagnostic(diagnostic, code, help, &texts)).collect()
}

/// Converts a contract's own words, which are clearer than Nickel's around them.
fn broken_contract(error: &Error, texts: &Texts<'_>) -> Option<RecipeDiagnostic> {
    let Error::EvalError(error) = error else { return None };
    let EvalErrorKind::BlameError { evaluated_arg, label } = &error.error else { return None };
    let words = label.diagnostics.iter().rev().find(|words| words.message.is_some())?;
    let table = &error.ctxt.pos_table;
    let value = evaluated_arg.as_ref().map_or(TermPos::None, |value| value.pos(table));
    let key = label.field_name.map_or(TermPos::None, |name| name.pos);
    let (file, range) = [value, table.get(label.arg_pos), key].into_iter().find_map(|place| texts.place(place))?;
    let mut diagnostic =
        RecipeDiagnostic::new(Code::WrongValue, words.message.clone()?).in_file(file).label(range, field_text(label));
    if !words.notes.is_empty() {
        diagnostic = diagnostic.help(words.notes.join("\n"));
    }
    Some(diagnostic)
}

fn field_text(label: &Label) -> Option<String> {
    label.field_name.map(|name| format!("in `{}`", name.label()))
}

fn classify(error: &Error) -> (Code, Option<&'static str>) {
    let comma = Some("look for a missing `,` or bracket before this place");
    match error {
        Error::ParseErrors(_) => (Code::Syntax, comma),
        Error::ImportError(error) if matches!(**error, ImportErrorKind::ParseErrors(..)) => (Code::Syntax, comma),
        Error::ImportError(_) | Error::IOError(_) => (Code::Import, None),
        Error::EvalError(error) => match &error.error {
            EvalErrorKind::InfiniteRecursion(..) => {
                (Code::InfiniteRecursion, Some("define one of the values without the others"))
            }
            EvalErrorKind::MergeIncompatibleArgs { .. } => {
                (Code::Evaluation, Some("keep one of the two, or mark one as `| default`"))
            }
            EvalErrorKind::BlameError { .. } => (Code::WrongValue, None),
            EvalErrorKind::MissingFieldDef { .. } | EvalErrorKind::FieldMissing { .. } => (Code::MissingField, None),
            _ => (Code::Evaluation, None),
        },
        _ => (Code::Evaluation, None),
    }
}

fn to_diagnostic(
    diagnostic: Diagnostic<FileId>,
    code: Code,
    help: Option<&str>,
    texts: &Texts<'_>,
) -> RecipeDiagnostic {
    let file = diagnostic.labels.iter().find_map(|label| texts.user_file(label.file_id)).unwrap_or(texts.main);
    let message = to_message(&diagnostic.message);
    let help = help_with(&message).or(help);
    let mut converted = RecipeDiagnostic::new(code, message).in_file(file);
    let (mut labels, elsewhere): (Vec<_>, Vec<_>) = diagnostic
        .labels
        .into_iter()
        .filter_map(|label| Some((texts.user_file(label.file_id)?, label)))
        .partition(|(of_label, _)| of_label.path == file.path);
    labels.sort_by_key(|(_, label)| matches!(label.style, LabelStyle::Secondary));
    for (_, label) in labels {
        let range = onto_text(label.range, &file.text);
        converted = converted.label(range, Some(label.message).filter(|text| !text.is_empty()));
    }
    let mut notes: Vec<String> = help.into_iter().map(str::to_owned).collect();
    // A diagnostic shows the lines of one file; what is in another is named.
    notes.extend(elsewhere.into_iter().map(|(file, label)| elsewhere_note(file, label.range)));
    notes.extend(diagnostic.notes);
    if notes.is_empty() { converted } else { converted.help(notes.join("\n")) }
}

fn elsewhere_note(file: &SourceFile, range: Range<usize>) -> String {
    let line = line_number(&file.text, range.start);
    let text = file.text.get(range).unwrap_or_default().lines().next().unwrap_or_default();
    format!("the other is `{text}` at {}:{line}", file.shown)
}

/// Moves a place behind the last character, where the parser misses something, to that character.
fn onto_text(range: Range<usize>, text: &str) -> Range<usize> {
    let end = text.trim_end().len();
    let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
    if range.start >= end { end - last..end } else { range }
}

/// Makes a message of vb's form: one line, without the path that the label shows, and in lower case.
fn to_message(message: &str) -> String {
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(": ");
    match message.split_once(" when parsing ") {
        Some((message, _path)) => lower_first(message.to_owned()),
        None => lower_first(message),
    }
}

fn lower_first(message: String) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(message.chars().skip(1)).collect()
        }
        _ => message,
    }
}
