//! An error that ends the program: what is shown, and the exit code.

use std::fmt;

use miette::{Diagnostic, Report};

use crate::exit::Exit;

/// Why the program ends.
#[derive(Debug)]
pub(crate) struct Fatal {
    pub(crate) exit: Exit,
    pub(crate) report: Report,
}

impl Fatal {
    pub(crate) fn new(exit: Exit, diagnostic: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self { exit, report: Report::new(diagnostic) }
    }

    /// Makes an error that only this crate knows: what happened, its code, and what to do.
    pub(crate) fn message(exit: Exit, code: &'static str, message: String, help: impl Into<String>) -> Self {
        Self::new(exit, Message { message, code, help: help.into(), source: None })
    }

    /// Says that the user ended the command.
    pub(crate) fn interrupted() -> Self {
        Self::message(Exit::Interrupted, "vb::interrupted", "interrupted".to_owned(), "")
    }

    /// Makes an error of a library's error, with what was being done.
    pub(crate) fn caused(
        exit: Exit,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::new(exit, Message { message: message.into(), code, help: help.into(), source: Some(Box::new(source)) })
    }
}

#[derive(Debug)]
struct Message {
    message: String,
    code: &'static str,
    help: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Message {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

impl Diagnostic for Message {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        (!self.help.is_empty()).then(|| Box::new(&self.help) as Box<dyn fmt::Display>)
    }
}
