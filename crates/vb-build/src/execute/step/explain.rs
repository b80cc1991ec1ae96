//! What the failure of a step's command means in the words of the recipe: paths in the source, and files that the step
//! does not read.

use std::{
    collections::BTreeSet,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use fs_err as fs;
use vb_graph::{InputDigest, Node, Pattern, Selection, Step, Work};
use vb_store::Listing;

use super::is_layer;
use crate::{
    builder::Builder,
    error::{ExecuteError, StepError},
    inputs::Inputs,
};

/// How much of the end of a log is searched.
const LOG_END: u64 = 256 << 10;

/// How programs say that a file is not there, in lower case.
const NOT_THERE: [&str; 11] = [
    "can't find",
    "can't open",
    "cannot find",
    "cannot import name",
    "cannot open",
    "could not",
    "does not exist",
    "no module named",
    "no such file",
    "not found",
    "wasn't found",
];

/// How many lines behind such a line may still name the file.
const NEARBY: usize = 3;

impl Builder {
    pub(super) fn explain_step(&self, step: &Step, inputs: &Inputs, error: ExecuteError) -> ExecuteError {
        let ExecuteError::Command(mut failure) = error else { return error };
        let place = format!("{}/", step.application);
        failure.last_lines.iter_mut().for_each(|line| *line = line.replace(&place, ""));
        let log = log_end(&failure.log).unwrap_or_default().replace(&place, "");
        if let (Work::CollectStatic(_), Some(name)) = (&step.work, missing_variable(&log)) {
            return StepError::NoVariable { name, failure }.into();
        }
        match self.undeclared(inputs, &log) {
            Ok(paths) if !paths.is_empty() => StepError::Undeclared { paths, failure: Some(failure) }.into(),
            _ => ExecuteError::Command(failure),
        }
    }

    /// Finds what the log misses and the application has.
    fn undeclared(&self, inputs: &Inputs, log: &str) -> Result<Vec<String>, ExecuteError> {
        Ok(find_undeclared(log, &self.whole_application(inputs)?, &self.laid_over(inputs)?))
    }

    /// Returns all that there is where the step reads a part.
    pub(super) fn whole_application(&self, inputs: &Inputs) -> Result<Listing, ExecuteError> {
        let mut whole = Listing::default();
        for (name, selection, _, output) in inputs.with_outputs().filter(|(name, ..)| is_layer(name)) {
            let InputDigest::Node(Node::Directory { digest, .. }) = output else {
                unreachable!("the layer `{name}` is a directory")
            };
            let directory = selection.map_or(String::new(), |selection| selection.directory.clone());
            let everything = Selection { directory, patterns: vec![Pattern::everything()], excludes: vec![] };
            whole.lay_over(self.listing(digest)?.select(&everything)?);
        }
        Ok(whole)
    }
}

fn log_end(log: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(log)?;
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(size.saturating_sub(LOG_END)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the variable that `os.environ` did not have, when that ended a Python program.
fn missing_variable(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().collect();
    let name = lines.last()?.strip_prefix("KeyError: '")?.strip_suffix('\'')?;
    let is_environ = lines.iter().rev().take(8).any(|line| line.contains("os.environ") || line.contains("<frozen os>"));
    is_environ.then(|| name.to_owned())
}

/// Returns what a log says is not there, that the whole application has and the step does not read.
fn find_undeclared(log: &str, whole: &Listing, selected: &Listing) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let mut found = BTreeSet::new();
    for (index, line) in lines.iter().enumerate() {
        let lower = line.to_lowercase();
        if !NOT_THERE.iter().any(|words| lower.contains(words)) {
            continue;
        }
        for line in &lines[index..lines.len().min(index + NEARBY)] {
            let names = words(line).filter(|word| is_named(word, line)).chain(modules(line));
            found.extend(names.filter_map(|name| undeclared(&name, whole, selected)));
        }
    }
    found.into_iter().collect()
}

fn words(line: &str) -> impl Iterator<Item = String> {
    let is_separator = |char: char| char.is_whitespace() || "'\"`()[]{}<>,;:=".contains(char);
    line.split(is_separator).map(|word| {
        let word = word.trim_end_matches('.');
        word.strip_prefix("./").unwrap_or(word).to_owned()
    })
}

/// Is a word of a message a name, and not one of its own words? A path is; another word is between quotes, or before a
/// colon.
fn is_named(word: &str, line: &str) -> bool {
    let is_path = word.len() > 1 && word.contains(['/', '.']);
    let marked = ["'", "\"", "`"].map(|quote| format!("{quote}{word}")).into_iter().chain([format!("{word}:")]);
    is_path || marked.into_iter().any(|marked| line.contains(&marked))
}

/// Returns the files that the modules of Python's messages could be in.
fn modules(line: &str) -> Vec<String> {
    let quoted = |text: &str| text.split('\'').nth(1).map(str::to_owned);
    let module = if let Some((_, rest)) = line.split_once("No module named ") {
        quoted(rest)
    } else if let Some((_, rest)) = line.split_once("cannot import name ") {
        let from = rest.split_once(" from ").and_then(|(_, from)| quoted(from));
        quoted(rest).zip(from).map(|(name, package)| format!("{package}.{name}"))
    } else {
        None
    };
    let path = module.map(|module| module.replace('.', "/"));
    path.into_iter().flat_map(|path| [format!("{path}.py"), format!("{path}/__init__.py")]).collect()
}

/// Returns the path that a word means, when the step does not read it.
fn undeclared(word: &str, whole: &Listing, selected: &Listing) -> Option<String> {
    let is_like_a_path = word.len() > 1 && word.contains(['/', '.']);
    if whole.get(word).is_some() || (is_like_a_path && whole.find(word).len() == 1) {
        let path = whole.find(word).first().copied()?;
        return selected.get(path).is_none().then(|| path.to_owned());
    }
    let directory = word.trim_end_matches('/');
    let is_directory = !directory.is_empty() && whole.has_directory(directory) && !selected.has_directory(directory);
    is_directory.then(|| directory.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(paths: &[&str]) -> Listing {
        paths.iter().map(|path| ((*path).to_owned(), Node::Symlink { target: String::new() })).collect()
    }

    fn check(log: &str, expected: &[&str]) {
        let whole = listing(&[
            "shop/settings.py",
            "shop/secrets.py",
            "shop/plugins/__init__.py",
            "shop/static/lib/reset.css",
            "shop/static/style.less",
            "data/a.json",
            "README.md",
        ]);
        let selected = listing(&["shop/settings.py", "shop/static/style.less"]);
        assert_eq!(find_undeclared(log, &whole, &selected), expected, "{log}");
    }

    #[test]
    fn the_messages_of_many_programs_name_the_file() {
        check("cat: data/a.json: No such file or directory", &["data/a.json"]);
        check("FileError: 'lib/reset.css' wasn't found. Tried - /x", &["shop/static/lib/reset.css"]);
        check("FileNotFoundError: [Errno 2] No such file or directory: 'data/a.json'", &["data/a.json"]);
        check("Error: Cannot find module './data/a.json'", &["data/a.json"]);
        check("ModuleNotFoundError: No module named 'shop.secrets'", &["shop/secrets.py"]);
        check("ImportError: cannot import name 'plugins' from 'shop' (unknown)", &["shop/plugins/__init__.py"]);
        check("ls: cannot access 'data': No such file or directory", &["data"]);
        check("Error: Can't find stylesheet to import.\n  |\n1 | @import \"data/a.json\"", &["data/a.json"]);
    }

    #[test]
    fn what_the_step_reads_or_the_application_lacks_is_not_named() {
        check("cat: shop/settings.py: No such file or directory", &[]);
        check("cat: other.json: No such file or directory", &[]);
        check("see README.md", &[]);
        check("command not found", &[]);
        check("MissingResourceException: Can't find bundle for base name a.b, data en", &[]);
    }

    #[test]
    fn the_missing_variable_is_that_of_the_environment() {
        let of_environ = "  File \"<frozen os>\", line 679, in __getitem__\nKeyError: 'SECRET_KEY'\n";
        assert_eq!(missing_variable(of_environ).as_deref(), Some("SECRET_KEY"));
        assert_eq!(missing_variable("  File \"settings.py\", line 1\nKeyError: 'a'\n"), None);
        assert_eq!(missing_variable(""), None);
    }
}
