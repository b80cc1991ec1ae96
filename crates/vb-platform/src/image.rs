//! Roots that are given whole: an archive of a root file system, or an image in the layout of the Open Container
//! Initiative.
//!
//! [`find_layers`] tells which files an image consists of, for a lock; [`unpack`] applies them. Must not be here: the
//! network, running commands.

mod layer;
mod layout;

pub use layer::{ImageError, unpack};
pub use layout::{ImageLayer, LayoutError, find_layers};

/// Returns the `sh` script that is run inside an unpacked image as uid 0: its packages were configured by who made it.
pub fn configure_script() -> &'static str {
    "ldconfig=$(command -v ldconfig) || exit 0; \"$ldconfig\"\n"
}
