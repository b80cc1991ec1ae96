//! Which formats a recipe's packages have on a platform.

use vb_graph::{Compression, Format};

use super::LowerError;
use crate::{
    platform::{Family, Platform},
    recipe::Recipe,
    workspace::Workspace,
};

/// Returns the formats to make: those that are asked for, or else the recipe's, the workspace's, or the platform's own.
///
/// A format that the platform refuses is an error. A `.deb` for a platform of the RPM family is left out while another
/// format is left, so that one list serves platforms of both families.
pub(super) fn formats_for(
    asked: Option<&[Format]>,
    recipe: &Recipe,
    workspace: &Workspace,
    platform: &Platform,
) -> Result<Vec<Format>, LowerError> {
    let wanted = asked.or_else(|| recipe.formats(workspace)).unwrap_or(&platform.output.formats);
    if let Some((format, reason)) = platform.output.refused.iter().find(|(format, _)| wanted.contains(format)) {
        let (platform, reason) = (platform.name.clone(), reason.clone());
        return Err(LowerError::RefusedFormat { platform, format: *format, reason });
    }
    let is_made = |format: &Format| *format != Format::Deb || platform.family == Family::Deb;
    let made: Vec<Format> =
        Format::ALL.into_iter().filter(|format| wanted.contains(format) && is_made(format)).collect();
    if made.is_empty() {
        let wanted = wanted.iter().map(|format| format!("`{format}`")).collect::<Vec<_>>().join(", ");
        return Err(LowerError::NoFormat { platform: platform.name.clone(), wanted, own: platform.family.format() });
    }
    Ok(made)
}

/// Returns how a format is compressed for a platform.
pub(super) fn compression_of(platform: &Platform, format: Format) -> Compression {
    match format {
        Format::Deb => platform.output.deb.compression,
        Format::Rpm => platform.output.rpm.compression,
        Format::Tar => Compression::Zstd,
    }
}
