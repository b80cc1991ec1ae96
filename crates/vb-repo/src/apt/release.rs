//! The `Release` file of a suite: what is in it, with each file's size and digest.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use crate::{generation::Generation, settings::Settings};

const DAY: u64 = 24 * 3600;

/// An index as `Release` lists it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) path: String,
    pub(crate) size: usize,
    pub(crate) sha256: String,
}

/// Returns the text of a `Release` file. Suite and code name never change, because apt asks its user about that.
pub(crate) fn release_text(
    settings: &Settings,
    generation: &Generation,
    components: &[String],
    architectures: &[String],
    files: &[Listed],
) -> String {
    let suite = generation.channel.suite();
    let mut text =
        format!("Origin: {origin}\nLabel: {origin}\nSuite: {suite}\nCodename: {suite}\n", origin = settings.origin);
    let mut field = |name: &str, value: &str| {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push('\n');
    };
    field("Date", &date(generation.time));
    if let Some(days) = settings.valid_days {
        field("Valid-Until", &date(generation.time + u64::from(days) * DAY));
    }
    field("Acquire-By-Hash", "yes");
    field("Architectures", &architectures.join(" "));
    field("Components", &components.join(" "));
    text.push_str("SHA256:\n");
    for Listed { path, size, sha256 } in files {
        writeln!(text, " {sha256} {size} {path}").expect("writing to memory does not fail");
    }
    text
}

/// RFC 5322 with the zone that apt writes.
fn date(time: u64) -> String {
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(time)).replace("GMT", "UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_in_universal_time() {
        assert_eq!(date(1_795_054_374), "Thu, 19 Nov 2026 02:12:54 UTC");
    }
}
