//! The machine's own repositories (`/etc/yum.repos.d`): where its distribution comes from and which keys sign it.
//!
//! The directory and the variables are given by the caller. Must not be here: the network. Options that would weaken
//! verification (`gpgcheck=0`) are not honoured; mirror lists are not asked.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::sources::{ArchiveLocation, SignedBy};

/// The machine's repositories could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the yum repositories")]
pub struct RepositorySourcesError {
    /// The file system's error, with the path.
    #[source]
    pub source: io::Error,
}

/// What `$releasever` and the like stand for.
pub type Variables = BTreeMap<String, String>;

/// One repository of the machine's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositorySource {
    /// Its identifier: the section's name.
    pub name: String,
    /// The places that it can be had from.
    pub locations: Vec<ArchiveLocation>,
}

/// Reads the `.repo` files of a directory (normally `/etc/yum.repos.d`); disabled repositories are read too, because a
/// platform names those that it means.
///
/// # Errors
/// [`RepositorySourcesError`], when the directory or a file in it cannot be read. A directory that is not there is none.
pub fn read_repositories(
    directory: &Path,
    variables: &Variables,
) -> Result<Vec<RepositorySource>, RepositorySourcesError> {
    let read_error = |source| RepositorySourcesError { source };
    let mut files = Vec::new();
    match fs_err::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => {
            for entry in entries.map_err(read_error)? {
                files.push(entry.map_err(read_error)?.path());
            }
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "repo"));
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let text = fs_err::read_to_string(path).map_err(read_error)?;
        found.extend(parse(&text, variables));
    }
    Ok(found)
}

fn parse(text: &str, variables: &Variables) -> Vec<RepositorySource> {
    let mut sections: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let mut key = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
        if let Some(name) = line.trim_ascii().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push((name.to_owned(), BTreeMap::new()));
            key.clear();
            continue;
        }
        let Some((_, values)) = sections.last_mut() else { continue };
        if line.starts_with(char::is_whitespace) && !key.is_empty() {
            // A value goes on in the lines that begin with blanks.
            let value = values.entry(key.clone()).or_default();
            *value = format!("{value} {}", line.trim_ascii());
        } else if let Some((name, value)) = line.split_once('=') {
            name.trim_ascii().clone_into(&mut key);
            values.insert(key.clone(), value.trim_ascii().to_owned());
        }
    }
    sections.into_iter().map(|(name, values)| to_source(name, &values, variables)).collect()
}

fn to_source(name: String, values: &BTreeMap<String, String>, variables: &Variables) -> RepositorySource {
    let list = |key: &str| -> Vec<String> {
        let value = substitute(values.get(key).map_or("", String::as_str), variables);
        let words = value.split([' ', ',', '\t']).filter(|word| !word.is_empty());
        words.map(|word| word.trim_end_matches('/').to_owned()).collect()
    };
    // A key that would have to be fetched is no key: who could change the repository could change it.
    let keys = list("gpgkey");
    let keyrings: Vec<SignedBy> = keys
        .iter()
        .filter_map(|key| key.strip_prefix("file://"))
        .map(|path| SignedBy::Path(PathBuf::from(path)))
        .collect();
    let at = |base: String| ArchiveLocation { base, keyrings: keyrings.clone() };
    RepositorySource { name, locations: list("baseurl").into_iter().map(at).collect() }
}

fn substitute(text: &str, variables: &Variables) -> String {
    // The longest name first: `$releasever_major` is not `$releasever` and `_major`.
    let mut names: Vec<&String> = variables.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.into_iter().fold(text.to_owned(), |text, name| {
        let value = &variables[name];
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_read_with_their_variables_and_keys() {
        let dir = tempfile::tempdir().unwrap();
        let text = "# comment\n[main]\ncachedir=/x\n\n[baseos]\nname=Base $releasever\nbaseurl=http://example.org/$releasever/BaseOS/${basearch}/os/\n  file:///mirror/BaseOS\nenabled=0\ngpgkey=file:///etc/keys/a https://example.org/b\n";
        fs_err::write(dir.path().join("el.repo"), text).unwrap();
        fs_err::write(dir.path().join("el.repo.rpmsave"), "[other]\nbaseurl=http://example.org/other\n").unwrap();
        let variables = [("releasever", "9"), ("basearch", "x86_64")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let found = read_repositories(dir.path(), &variables).unwrap();
        let names: Vec<&str> = found.iter().map(|repository| repository.name.as_str()).collect();
        assert_eq!(names, ["main", "baseos"]);
        let keyrings = vec![SignedBy::Path(PathBuf::from("/etc/keys/a"))];
        let expect = ["http://example.org/9/BaseOS/x86_64/os", "file:///mirror/BaseOS"]
            .map(|base| ArchiveLocation { base: base.to_owned(), keyrings: keyrings.clone() });
        assert_eq!(found[1].locations, expect);
    }

    #[test]
    fn a_directory_that_is_not_there_has_no_repositories() {
        assert_eq!(read_repositories(Path::new("/nonexistent"), &Variables::new()).unwrap(), []);
    }
}
