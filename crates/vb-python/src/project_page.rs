//! All files of one distribution that the configured places have: what a resolver may choose from.
//!
//! A name that is bound to an index has the files of that index alone. For the others the first index that knows the name
//! counts, beside the directories and pages of files. So a name is never looked for in two indexes, of which one is not
//! meant.

use std::path::Path;

use serde_json::{Map, Value};
use vb_fetch::{FetchError, Fetcher, without_credentials};

use crate::{
    bound::NoLocation,
    indexes::IndexConfig,
    locate::{ACCEPT, project_page, sha256_of},
    location::{local_path, with_netrc},
    names::normalize_name,
    pages::{self, PageFile},
};

/// One file of a distribution.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// Its name.
    pub name: String,
    /// Where it is: a URL, which may hold credentials, or an absolute path.
    pub location: String,
    /// What is said of it, as the keys of PEP 691.
    pub details: Map<String, Value>,
}

impl std::fmt::Debug for IndexFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexFile")
            .field("name", &self.name)
            .field("location", &without_credentials(&self.location))
            .finish_non_exhaustive()
    }
}

/// The files of a distribution cannot be listed. No message holds credentials.
#[derive(Debug, thiserror::Error)]
pub enum ProjectPageError {
    /// The index that it is bound to is not configured.
    #[error(transparent)]
    NoLocation(#[from] NoLocation),
    /// A place could not be asked.
    #[error("cannot look for `{project}`")]
    Fetch {
        /// The distribution.
        project: String,
        /// Why not.
        #[source]
        source: FetchError,
    },
    /// A place answered with a page that cannot be read.
    #[error("cannot read the index page `{page}`")]
    Page {
        /// The page, without credentials.
        page: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A directory of files cannot be read.
    #[error("cannot read the files of `{}`", path.display())]
    Directory {
        /// The directory.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl ProjectPageError {
    /// Does a server want another login, or any at all?
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Fetch { source, .. } if source.is_refused())
    }
}

/// Lists the files of a distribution. `None` when no place knows it.
///
/// # Errors
/// A place that could not be asked is an error: what it has might have been chosen.
pub fn project_files(
    fetcher: &Fetcher,
    config: &IndexConfig,
    project: &str,
) -> Result<Option<Vec<IndexFile>>, ProjectPageError> {
    let places = config.places(project)?;
    let listing = Listing { fetcher, config, project };
    let mut files = Vec::new();
    for link in places.find_links {
        match local_path(link).filter(|path| path.is_dir()) {
            Some(path) => files.extend(listing.of_directory(&path)?),
            None => files.extend(listing.of_links(link)?),
        }
    }
    let mut is_known = !files.is_empty();
    for index in places.indexes {
        if let Some(found) = listing.page(&project_page(index, project))? {
            files.extend(found.into_iter().map(|file| listing.of_page(file)));
            is_known = true;
            break;
        }
    }
    Ok(is_known.then_some(files))
}

struct Listing<'a> {
    fetcher: &'a Fetcher,
    config: &'a IndexConfig,
    project: &'a str,
}

impl Listing<'_> {
    fn of_directory(&self, path: &Path) -> Result<Vec<IndexFile>, ProjectPageError> {
        let failed = |source| ProjectPageError::Directory { path: path.to_owned(), source };
        let mut files = Vec::new();
        for entry in fs_err::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if is_of(&name, self.project) {
                let sha256 = sha256_of(&entry.path()).map_err(failed)?;
                let hashes = Map::from_iter([("sha256".to_owned(), sha256.into())]);
                let details = Map::from_iter([("hashes".to_owned(), hashes.into())]);
                files.push(IndexFile { name, location: entry.path().display().to_string(), details });
            }
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }

    /// Reads a page that has the files of many distributions.
    fn of_links(&self, link: &str) -> Result<Vec<IndexFile>, ProjectPageError> {
        let page = local_path(link).map_or_else(|| link.to_owned(), |path| format!("file://{}", path.display()));
        let files = self.page(&page)?.unwrap_or_default().into_iter();
        Ok(files.filter(|file| is_of(&file.name, self.project)).map(|file| self.of_page(file)).collect())
    }

    fn of_page(&self, file: PageFile) -> IndexFile {
        let location = with_netrc(&file.location, &self.config.netrc);
        IndexFile { name: file.name, location, details: file.details }
    }

    fn page(&self, page: &str) -> Result<Option<Vec<PageFile>>, ProjectPageError> {
        match self.fetcher.get_accepting(page, Some(ACCEPT)) {
            Ok(bytes) => pages::read(page, &bytes)
                .map(Some)
                .map_err(|source| ProjectPageError::Page { page: without_credentials(page), source }),
            Err(error) if error.is_not_found() => Ok(None),
            Err(source) => Err(ProjectPageError::Fetch { project: self.project.to_owned(), source }),
        }
    }
}

/// Is a file a wheel or an sdist of a distribution? The name of an sdist may have a `-` in it.
fn is_of(file: &str, project: &str) -> bool {
    let project = normalize_name(project);
    let is_name = |name: &str| normalize_name(name) == project;
    if let Some(stem) = file.strip_suffix(".whl") {
        return stem.split('-').next().is_some_and(is_name);
    }
    let archives = [".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz"];
    let Some(stem) = archives.iter().find_map(|ending| file.strip_suffix(ending)) else { return false };
    stem.match_indices('-').any(|(position, _)| {
        let begins_a_version = stem[position + 1..].starts_with(|first: char| first.is_ascii_digit());
        begins_a_version && is_name(&stem[..position])
    })
}

#[cfg(test)]
mod tests {
    use vb_fetch::FetchOptions;

    use super::*;
    use crate::bound::{BoundIndex, NamePatterns};

    fn names(config: &IndexConfig, project: &str) -> Option<Vec<String>> {
        let fetcher = Fetcher::new(&FetchOptions { attempts: 1, ..FetchOptions::default() }).unwrap();
        let files = project_files(&fetcher, config, project).unwrap();
        files.map(|files| files.into_iter().map(|file| file.name).collect())
    }

    #[test]
    fn files_belong_to_a_distribution_by_their_names() {
        for (file, project, expect) in [
            ("acme_tools-1.0-py3-none-any.whl", "acme-tools", true),
            ("acme-tools-1.0.tar.gz", "Acme_Tools", true),
            ("acme-tools-1.0.tar.gz", "acme", false),
            ("acme-2-tools-1.0.zip", "acme-2-tools", true),
            ("acme-1.0.tar.gz.asc", "acme", false),
            ("acme", "acme", false),
        ] {
            assert_eq!(is_of(file, project), expect, "{file} {project}");
        }
    }

    #[test]
    fn a_bound_name_is_not_looked_for_in_directories_of_everything() {
        let (own, all) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (dir, version) in [(&own, "1.0"), (&all, "99.0")] {
            fs_err::write(dir.path().join(format!("acme_tools-{version}-py3-none-any.whl")), "").unwrap();
        }
        fs_err::write(all.path().join("attrs-1.0-py3-none-any.whl"), "").unwrap();
        fs_err::write(own.path().join("attrs-99.0-py3-none-any.whl"), "").unwrap();
        let location = Some(own.path().display().to_string());
        let bound = BoundIndex { name: "company".into(), packages: NamePatterns::new(["acme-*"]), location };
        let find_links = vec![all.path().display().to_string()];
        let config = IndexConfig { find_links, ..IndexConfig::default() }.with_bound(vec![bound]);
        assert_eq!(names(&config, "acme-tools").unwrap(), ["acme_tools-1.0-py3-none-any.whl"]);
        assert_eq!(names(&config, "attrs").unwrap(), ["attrs-1.0-py3-none-any.whl"]);
        assert_eq!(names(&config, "absent"), None);
    }

    #[test]
    fn a_place_that_cannot_be_asked_is_told_without_its_password() {
        let indexes = vec!["http://bob:secret@127.0.0.1:1/simple".to_owned()];
        let config = IndexConfig { indexes, has_default_index: true, ..IndexConfig::default() };
        let fetcher = Fetcher::new(&FetchOptions { attempts: 1, ..FetchOptions::default() }).unwrap();
        let error = project_files(&fetcher, &config, "attrs").unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("127.0.0.1:1/simple/attrs/") && !text.contains("secret"), "{text}");
    }
}
