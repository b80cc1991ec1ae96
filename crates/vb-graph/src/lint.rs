//! What a distribution's own checker of packages says of one.

use crate::{package::Format, resolved::Part};

/// Lets a checker look at a package, in a root that has it. What it finds is the output; nothing is judged here.
///
/// The inputs are `package`, and `root`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lint {
    /// Who looks.
    pub checker: Checker,
}

/// A distribution's checker of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checker {
    /// Debian's, for `.deb` files.
    Lintian,
    /// That of RPM distributions.
    Rpmlint,
}

impl Checker {
    /// Returns the checker of a format, if it has one.
    pub fn of(format: Format) -> Option<Self> {
        match format {
            Format::Deb => Some(Self::Lintian),
            Format::Rpm => Some(Self::Rpmlint),
            Format::Tar => None,
        }
    }

    /// Returns the name of the program, and of the package that has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lintian => "lintian",
            Self::Rpmlint => "rpmlint",
        }
    }
}

impl Lint {
    pub(crate) fn parts(self) -> Vec<Part> {
        vec![Part::text("checker", self.checker.as_str())]
    }
}
