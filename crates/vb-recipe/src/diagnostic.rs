//! Errors that point at a recipe: one look for those of Nickel, of contracts and of meaning.

use std::{fmt, ops::Range, sync::Arc};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::position::{Evaluated, SourceFile};

/// What is wrong with a recipe; its text is the stable code that users can search for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// `vb::recipe::unreadable`: the file cannot be read as text.
    Unreadable,
    /// `vb::recipe::no_recipe`: the file is the workspace's or a platform, and named as a recipe.
    NoRecipe,
    /// `vb::recipe::syntax`: the file is not Nickel.
    Syntax,
    /// `vb::recipe::too_deep`: brackets or expressions are nested too deeply.
    TooDeep,
    /// `vb::recipe::import`: an imported file cannot be read.
    Import,
    /// `vb::recipe::foreign_import`: an imported file is outside the workspace.
    ForeignImport,
    /// `vb::recipe::infinite_recursion`: a value is defined by itself.
    InfiniteRecursion,
    /// `vb::recipe::evaluation`: an expression of the recipe has no value.
    Evaluation,
    /// `vb::recipe::wrong_value`: a value breaks its contract.
    WrongValue,
    /// `vb::recipe::unknown_field`: there is no field of that name.
    UnknownField,
    /// `vb::recipe::missing_field`: a field that has to be there is not.
    MissingField,
    /// `vb::recipe::no_platform`: neither recipe nor workspace names a platform.
    NoPlatform,
    /// `vb::recipe::unknown_platform`: there is no platform file of that name.
    UnknownPlatform,
    /// `vb::recipe::unknown_python`: the platform does not have that interpreter.
    UnknownPython,
    /// The interpreter is of a Python that has no virtual environments.
    OldPython,
    /// There is no recipe of an interpreter of that name.
    UnknownInterpreter,
    /// A recipe is half that of an application and half that of an interpreter.
    WrongInterpreter,
    /// `vb::recipe::no_archive`: a platform does not say what its roots are made of.
    NoArchive,
    /// `vb::recipe::unknown_suite`: a pin names a suite that the platform does not have.
    UnknownSuite,
    /// `vb::recipe::refused_format`: a format is asked for that the platform refuses.
    RefusedFormat,
    /// `vb::recipe::bad_package_name`: no package of the platform's family can have that name.
    BadPackageName,
    /// `vb::recipe::unknown_package`: a package needs one that the recipe does not have.
    UnknownPackage,
    /// `vb::recipe::missing_source`: the source is not there.
    MissingSource,
    /// `vb::recipe::taken_directory`: two sub-applications have one directory.
    TakenDirectory,
    /// `vb::recipe::written_twice`: two steps of a pipeline write one file.
    WrittenTwice,
    /// `vb::recipe::missing_requirements`: the source has no such requirements file.
    MissingRequirements,
    /// `vb::recipe::missing_package_lock`: the source has no such `package-lock.json`.
    MissingPackageLock,
    /// `vb::recipe::duplicate_name`: two recipes make packages of one name.
    DuplicateName,
    /// `vb::version::no_commit`: the version comes from git, and the source is in no commit.
    NoCommit,
    /// `vb::version::no_tag`: the version is that of a tag, and there is none.
    NoTag,
    /// `vb::version::modified`: the version is that of a tag, and the source differs from it.
    ModifiedTag,
    /// `vb::version::shallow`: the version comes from history that the checkout does not have.
    ShallowHistory,
    /// `vb::version::no_repository`: the version is a build number, and there is no repository to count from.
    NoRepository,
    /// `vb::version::rpm`: rpm would not order the version as dpkg does.
    UnorderedVersion,
    /// `vb::recipe::bad_variable`: an environment variable cannot have that name.
    BadVariable,
    /// `vb::recipe::python_index`: an index that is bound to names says something that cannot be.
    PythonIndex,
    /// `vb::recipe::unknown_user`: a service or a directory belongs to a user that nobody makes.
    UnknownUser,
    /// `vb::recipe::no_user_tool`: users are to be made, and nothing that the package depends on can do that.
    NoUserTool,
    /// `vb::recipe::bad_config_file`: a configuration file is neither below `/etc` nor in the application's directory.
    BadConfigFile,
    /// `vb::recipe::bad_directory`: a directory is not the package's to make, nor to remove in a purge.
    BadDirectory,
    /// `vb::recipe::duplicate_service`: two recipes have services of one name.
    DuplicateService,
}

impl Code {
    /// Returns the code as it is shown and documented.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "vb::recipe::unreadable",
            Self::NoRecipe => "vb::recipe::no_recipe",
            Self::Syntax => "vb::recipe::syntax",
            Self::TooDeep => "vb::recipe::too_deep",
            Self::Import => "vb::recipe::import",
            Self::ForeignImport => "vb::recipe::foreign_import",
            Self::InfiniteRecursion => "vb::recipe::infinite_recursion",
            Self::Evaluation => "vb::recipe::evaluation",
            Self::WrongValue => "vb::recipe::wrong_value",
            Self::UnknownField => "vb::recipe::unknown_field",
            Self::MissingField => "vb::recipe::missing_field",
            Self::NoPlatform => "vb::recipe::no_platform",
            Self::UnknownPlatform => "vb::recipe::unknown_platform",
            Self::UnknownPython => "vb::recipe::unknown_python",
            Self::OldPython => "vb::recipe::old_python",
            Self::UnknownInterpreter => "vb::recipe::unknown_interpreter",
            Self::WrongInterpreter => "vb::recipe::wrong_interpreter",
            Self::NoArchive => "vb::recipe::no_archive",
            Self::UnknownSuite => "vb::recipe::unknown_suite",
            Self::RefusedFormat => "vb::recipe::refused_format",
            Self::BadPackageName => "vb::recipe::bad_package_name",
            Self::UnknownPackage => "vb::recipe::unknown_package",
            Self::MissingSource => "vb::recipe::missing_source",
            Self::TakenDirectory => "vb::recipe::taken_directory",
            Self::WrittenTwice => "vb::recipe::written_twice",
            Self::MissingRequirements => "vb::recipe::missing_requirements",
            Self::MissingPackageLock => "vb::recipe::missing_package_lock",
            Self::DuplicateName => "vb::recipe::duplicate_name",
            Self::NoCommit => "vb::version::no_commit",
            Self::NoTag => "vb::version::no_tag",
            Self::ModifiedTag => "vb::version::modified",
            Self::ShallowHistory => "vb::version::shallow",
            Self::NoRepository => "vb::version::no_repository",
            Self::UnorderedVersion => "vb::version::rpm",
            Self::BadVariable => "vb::recipe::bad_variable",
            Self::PythonIndex => "vb::recipe::python_index",
            Self::UnknownUser => "vb::recipe::unknown_user",
            Self::NoUserTool => "vb::recipe::no_user_tool",
            Self::BadConfigFile => "vb::recipe::bad_config_file",
            Self::BadDirectory => "vb::recipe::bad_directory",
            Self::DuplicateService => "vb::recipe::duplicate_service",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One error, with the lines of the user's file that it is about.
///
/// Two are equal when code, words and place are.
#[derive(Clone, Debug)]
pub struct RecipeDiagnostic {
    code: Code,
    message: String,
    help: Option<String>,
    source: Option<NamedSource<Arc<str>>>,
    labels: Vec<LabeledSpan>,
}

impl RecipeDiagnostic {
    /// Makes an error that points at nothing.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, source: None, labels: Vec::new() }
    }

    /// Makes an error that points at the value of a field.
    pub fn at_field<T>(code: Code, message: impl Into<String>, evaluated: &Evaluated<T>, field: &str) -> Self {
        let position = evaluated.position(field);
        Self::new(code, message).in_file(&evaluated.files[position.file]).label(position.range, None)
    }

    /// Makes an error that points at the key of a field.
    pub fn at_key<T>(code: Code, message: impl Into<String>, evaluated: &Evaluated<T>, field: &str) -> Self {
        let position = evaluated.positions.key(field).cloned().unwrap_or_else(|| evaluated.position(field));
        Self::new(code, message).in_file(&evaluated.files[position.file]).label(position.range, None)
    }

    /// Adds what the user should do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says which file the labels are in.
    #[must_use]
    pub(crate) fn in_file(mut self, file: &SourceFile) -> Self {
        self.source = Some(NamedSource::new(&file.shown, Arc::clone(&file.text)));
        self
    }

    /// Points at bytes of the file. The first label is the primary one.
    #[must_use]
    pub(crate) fn label(mut self, range: Range<usize>, text: Option<String>) -> Self {
        let span = (range.start, range.len());
        self.labels.push(match self.labels.is_empty() {
            true => LabeledSpan::new_primary_with_span(text, span),
            false => LabeledSpan::new_with_span(text, span),
        });
        self
    }

    /// Returns what kind of error it is.
    pub fn kind(&self) -> Code {
        self.code
    }

    /// Returns the name of the file that it points at.
    pub fn file(&self) -> Option<&str> {
        self.source.as_ref().map(NamedSource::name)
    }

    fn offset(&self) -> usize {
        self.labels.first().map_or(0, LabeledSpan::offset)
    }
}

impl PartialEq for RecipeDiagnostic {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
            && self.message == other.message
            && self.file() == other.file()
            && self.offset() == other.offset()
    }
}

impl Eq for RecipeDiagnostic {}

impl fmt::Display for RecipeDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RecipeDiagnostic {}

impl Diagnostic for RecipeDiagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// All errors of the recipes of one run, by file and place, each once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} in the recipes", count(.0.len()))]
pub struct RecipeErrors(Vec<RecipeDiagnostic>);

impl RecipeErrors {
    /// Gathers errors; nothing is wrong when there are none.
    ///
    /// # Errors
    /// When there is an error at all.
    pub fn check(diagnostics: Vec<RecipeDiagnostic>) -> Result<(), Self> {
        if diagnostics.is_empty() { Ok(()) } else { Err(Self::from(diagnostics)) }
    }

    /// Returns the errors.
    pub fn diagnostics(&self) -> &[RecipeDiagnostic] {
        &self.0
    }

    /// Returns the errors by value, to be gathered with others.
    pub fn into_diagnostics(self) -> Vec<RecipeDiagnostic> {
        self.0
    }
}

impl From<Vec<RecipeDiagnostic>> for RecipeErrors {
    fn from(mut diagnostics: Vec<RecipeDiagnostic>) -> Self {
        diagnostics.sort_by(|a, b| {
            (a.file(), a.offset(), a.code, &a.message).cmp(&(b.file(), b.offset(), b.code, &b.message))
        });
        diagnostics.dedup();
        Self(diagnostics)
    }
}

impl From<RecipeDiagnostic> for RecipeErrors {
    fn from(diagnostic: RecipeDiagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl Diagnostic for RecipeErrors {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|diagnostic| diagnostic as &dyn Diagnostic)))
    }
}

fn count(number: usize) -> String {
    if number == 1 { "one error".to_owned() } else { format!("{number} errors") }
}

/// Names the one of some known names that was probably meant.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= 1.max(candidate.len().max(name.len()) / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Joins names for a sentence, each in backticks.
pub(crate) fn quote_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_suggested_and_a_foreign_one_is_not() {
        let known = ["bookworm", "trixie", "el9"];
        assert_eq!(did_you_mean("bokworm", known), Some("bookworm"));
        assert_eq!(did_you_mean("el8", known), Some("el9"));
        assert_eq!(did_you_mean("jammy", known), None);
    }

    #[test]
    fn errors_are_sorted_and_each_is_there_once() {
        let make = |message: &str| RecipeDiagnostic::new(Code::WrongValue, message);
        let errors = RecipeErrors::from(vec![make("b"), make("a"), make("b")]);
        let messages: Vec<_> = errors.diagnostics().iter().map(ToString::to_string).collect();
        assert_eq!(messages, ["a", "b"]);
        assert_eq!(errors.to_string(), "2 errors in the recipes");
    }
}
