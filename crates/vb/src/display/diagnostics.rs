//! How errors look.

use std::io::IsTerminal;

use miette::{GraphicalTheme, MietteHandlerOpts};

use crate::fatal::Fatal;

/// Sets how reports are rendered: colour and drawing on a terminal, plain text elsewhere.
pub(crate) fn install() {
    let is_terminal = std::io::stderr().is_terminal();
    let hook = miette::set_hook(Box::new(move |_| {
        let options = MietteHandlerOpts::new().terminal_links(false).context_lines(1);
        Box::new(match is_terminal {
            true => options.build(),
            // A file has no width, and a path that is broken into two lines is not found again.
            false => options.wrap_lines(false).graphical_theme(GraphicalTheme::none()).build(),
        })
    }));
    // Only a second installation fails, and this is the first.
    drop(hook);
}

/// Prints a report on standard error.
pub(crate) fn print(fatal: &Fatal) {
    super::note(format!("{:?}", fatal.report).trim_end());
}
