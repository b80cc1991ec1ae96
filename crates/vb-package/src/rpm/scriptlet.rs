//! The scripts that rpm runs around a package, and their tags.

use std::fmt;

use rpm::IndexTag;

/// A script that rpm runs when a package is installed or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptletName {
    /// Before the files are unpacked.
    Pre,
    /// After the files are unpacked.
    Post,
    /// Before the files are removed.
    Preun,
    /// After the files are removed.
    Postun,
    /// Before the whole transaction.
    Pretrans,
    /// After the whole transaction.
    Posttrans,
}

impl ScriptletName {
    /// All scripts, in the order of their tags.
    pub const ALL: [Self; 6] = [Self::Pre, Self::Post, Self::Preun, Self::Postun, Self::Pretrans, Self::Posttrans];

    /// Returns its name as a spec file has it, without the `%`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Preun => "preun",
            Self::Postun => "postun",
            Self::Pretrans => "pretrans",
            Self::Posttrans => "posttrans",
        }
    }

    /// Returns the tags of its text and of its interpreter.
    pub(crate) fn tags(self) -> (IndexTag, IndexTag) {
        match self {
            Self::Pre => (IndexTag::RPMTAG_PREIN, IndexTag::RPMTAG_PREINPROG),
            Self::Post => (IndexTag::RPMTAG_POSTIN, IndexTag::RPMTAG_POSTINPROG),
            Self::Preun => (IndexTag::RPMTAG_PREUN, IndexTag::RPMTAG_PREUNPROG),
            Self::Postun => (IndexTag::RPMTAG_POSTUN, IndexTag::RPMTAG_POSTUNPROG),
            Self::Pretrans => (IndexTag::RPMTAG_PRETRANS, IndexTag::RPMTAG_PRETRANSPROG),
            Self::Posttrans => (IndexTag::RPMTAG_POSTTRANS, IndexTag::RPMTAG_POSTTRANSPROG),
        }
    }
}

impl fmt::Display for ScriptletName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
