//! Bookworm's whole index: read and checked, parsed, and solved; then again from its remembered form.
//!
//! The signed `Release` files are fetched in both, the indexes only in the first.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use vb_fetch::{FetchOptions, Fetcher};
use vb_platform::{IndexMemory, Resolver, Suite, ValidUntil, load, locate_suite, read_sources};

use crate::{Common, error::BenchError, machine, report::shown, run::Program};

/// What the build root of the example asks for.
const REQUEST: [&str; 8] =
    ["base-files", "base-passwd", "python3.11", "usr-is-merged", "g++", "make", "python3.11-dev", "libpq-dev"];

pub(crate) fn measure(common: &Common) -> Result<String, BenchError> {
    let header = machine::describe(&Program::beside_this_one(&common.platform)?)?;
    let sources = read_sources(Path::new("/etc/apt")).map_err(BenchError::from_library)?;
    let suites: Vec<Suite> = ["", "-updates", "-security"]
        .map(|suffix| format!("{}{suffix}", common.platform))
        .into_iter()
        .map(|name| Suite {
            locations: locate_suite(&sources, None, &name),
            components: vec!["main".to_owned()],
            valid_until: ValidUntil::Ignored,
            known_date: None,
            name,
        })
        .filter(|suite| !suite.locations.is_empty())
        .collect();
    let fetcher = Fetcher::new(&FetchOptions::default()).map_err(BenchError::from_library)?;
    let memory: Mutex<BTreeMap<String, String>> = Mutex::default();
    let recall = |name: &str| memory.lock().ok()?.get(name).cloned();
    let remember = |name: &str, text: &str| {
        if let Ok(mut memory) = memory.lock() {
            memory.insert(name.to_owned(), text.to_owned());
        }
    };
    let request = REQUEST.map(str::to_owned);
    let mut text = String::from("| run | fetched, checked and parsed | solved | packages in the index | chosen |\n");
    text.push_str("| --- | ---: | ---: | ---: | ---: |\n");
    for number in 0..if common.quick { 2 } else { 6 } {
        let begun = Instant::now();
        let remembered = IndexMemory { recall: &recall, remember: &remember };
        let index =
            load(&fetcher, &suites, "amd64", SystemTime::now(), remembered).map_err(BenchError::from_library)?;
        let loaded: Duration = begun.elapsed();
        let resolver = Resolver::new(&index, &[]).map_err(BenchError::from_library)?;
        let chosen = resolver.resolve(&request).map_err(BenchError::from_library)?.len();
        let solved = begun.elapsed().saturating_sub(loaded);
        let name = if number == 0 { "nothing remembered" } else { "remembered" };
        let packages = index.packages().len();
        text.push_str(&format!("| {name} | {} | {} | {packages} | {chosen} |\n", shown(loaded), shown(solved)));
    }
    Ok(format!("{header}\n{text}"))
}
