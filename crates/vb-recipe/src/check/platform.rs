//! Checks of a platform file by itself, across its fields.

use super::interpreters_help;
use crate::{
    diagnostic::{Code, RecipeDiagnostic, quote_all},
    platform::{Configure, Family, Platform},
    position::Evaluated,
};

/// Checks a platform by itself; [`check`](crate::check()) does so with each that is loaded.
pub fn check(platform: &Evaluated<Platform>) -> Vec<RecipeDiagnostic> {
    let mut diagnostics = Vec::new();
    diagnostics.extend(check_default_python(platform));
    diagnostics.extend(check_archive(platform));
    diagnostics.extend(check_configure(platform));
    diagnostics.extend(check_pins(platform));
    diagnostics.extend(check_formats(platform));
    diagnostics
}

fn check_default_python(platform: &Evaluated<Platform>) -> Option<RecipeDiagnostic> {
    let python = &platform.value.default_python;
    let known = &platform.value.interpreters;
    (!known.contains_key(python)).then(|| {
        let message = format!("`interpreters` has no Python `{python}`");
        RecipeDiagnostic::at_field(Code::UnknownPython, message, platform, "default_python")
            .help(interpreters_help(&platform.value))
    })
}

/// Roots have to come from somewhere.
fn check_archive(platform: &Evaluated<Platform>) -> Option<RecipeDiagnostic> {
    let value = &platform.value;
    let (field, is_missing) = match value.family {
        Family::Deb => ("suites", value.suites.is_empty()),
        Family::Rpm => ("repositories", value.repositories.is_empty()),
    };
    (is_missing && value.image.is_none()).then(|| {
        let message = format!("the platform `{}` has nothing that its roots are made of", value.name);
        RecipeDiagnostic::at_field(Code::NoArchive, message, platform, field)
            .help(format!("name the parts of its archive in `{field}`, or give a root as `image`"))
    })
}

/// Only roots of `.deb` packages have a way without scripts.
fn check_configure(platform: &Evaluated<Platform>) -> Option<RecipeDiagnostic> {
    let Platform { configure, family, image, .. } = &platform.value;
    let is_possible = *configure == Configure::Full || (*family == Family::Deb && image.is_none());
    (!is_possible).then(|| {
        let message = "only roots of `.deb` packages can be made without their scripts";
        RecipeDiagnostic::at_field(Code::WrongValue, message, platform, "configure").help("take `configure` out")
    })
}

fn check_pins(platform: &Evaluated<Platform>) -> Vec<RecipeDiagnostic> {
    let suites = || platform.value.suites.iter().map(|suite| suite.name.as_str());
    let pins = platform.value.pins.iter().enumerate();
    let unknown = pins.filter(|(_, pin)| !suites().any(|suite| suite == pin.suite));
    let report = |(index, pin): (usize, &crate::platform::Pin)| {
        let message = format!("the platform has no suite `{}`", pin.suite);
        RecipeDiagnostic::at_field(Code::UnknownSuite, message, platform, &format!("pins[{index}].suite"))
            .help(format!("use one of {}, or add it to `suites`", quote_all(suites())))
    };
    unknown.map(report).collect()
}

/// A platform does not ask for what it refuses.
fn check_formats(platform: &Evaluated<Platform>) -> Vec<RecipeDiagnostic> {
    let output = &platform.value.output;
    let refused = output.formats.iter().enumerate().filter(|(_, format)| output.refused.contains_key(*format));
    let report = |(index, format)| {
        let message = format!("the platform refuses the format `{format}` that it asks for");
        RecipeDiagnostic::at_field(Code::RefusedFormat, message, platform, &format!("output.formats[{index}]"))
            .help("take it out of `output.formats`, or out of `output.refused`")
    };
    refused.map(report).collect()
}
