//! Where another repository is: a directory of this machine, or what a web server serves.

use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;
use vb_fetch::Fetcher;

use super::ReadForeignError;

/// Where another repository is.
#[derive(Debug)]
pub struct ForeignPlace {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Directory(PathBuf),
    Web { base: String, fetcher: Fetcher, copies: TempDir },
}

/// The forms of an index, the cheapest to read first: to read from a disk, and to fetch.
const EXTENSIONS: [&str; 4] = ["", ".zst", ".gz", ".xz"];
const EXTENSIONS_TO_FETCH: [&str; 4] = [".xz", ".zst", ".gz", ""];

impl ForeignPlace {
    /// Names a directory of this machine.
    pub fn directory(path: PathBuf) -> Self {
        Self { kind: Kind::Directory(path) }
    }

    /// Names what is below an address, `https://packages.example.org/debian`. What is fetched is in a temporary directory
    /// until the value is dropped.
    ///
    /// # Errors
    /// [`ReadForeignError::Copy`] when there can be no temporary directory.
    pub fn web(base: &str, fetcher: Fetcher) -> Result<Self, ReadForeignError> {
        let copies = tempfile::Builder::new().prefix("vb-import-").tempdir();
        let copies = copies.map_err(|source| ReadForeignError::Copy { name: base.to_owned(), source })?;
        Ok(Self { kind: Kind::Web { base: base.trim_end_matches('/').to_owned(), fetcher, copies } })
    }

    /// Returns the forms of an index in the order in which they are looked for.
    pub(super) fn extensions(&self) -> [&'static str; 4] {
        match self.kind {
            Kind::Directory(_) => EXTENSIONS,
            Kind::Web { .. } => EXTENSIONS_TO_FETCH,
        }
    }

    /// Returns how a file is called in messages.
    pub(super) fn shown(&self, name: &str) -> PathBuf {
        match &self.kind {
            Kind::Directory(path) => path.join(name),
            Kind::Web { base, .. } => PathBuf::from(format!("{base}/{}", plain(name))),
        }
    }

    /// Finds a file; from a web server it is fetched. There may be none.
    pub(super) fn find(&self, name: &str) -> Result<Option<PathBuf>, ReadForeignError> {
        match &self.kind {
            Kind::Directory(directory) => Ok(Some(directory.join(name)).filter(|path| path.is_file())),
            Kind::Web { base, fetcher, copies } => {
                let (name, copy) = (plain(name), copies.path().join(plain(name)));
                if copy.is_file() || fetch(fetcher, &format!("{base}/{name}"), &copy)? {
                    Ok(Some(copy))
                } else {
                    Ok(None)
                }
            }
        }
    }

    /// Finds a file that has to be there.
    pub(super) fn need(&self, name: &str) -> Result<PathBuf, ReadForeignError> {
        self.find(name)?.ok_or_else(|| ReadForeignError::Absent { path: self.shown(name) })
    }

    /// Reads a file that has to be there.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ReadForeignError> {
        let path = self.need(name)?;
        fs::read(path).map_err(|source| ReadForeignError::Read { path: self.shown(name), source })
    }

    /// Drops the copy of a file that was fetched.
    pub(super) fn forget(&self, name: &str) {
        if let Kind::Web { copies, .. } = &self.kind {
            // It goes with the directory at the latest.
            drop(fs::remove_file(copies.path().join(plain(name))));
        }
    }
}

/// `./pool/a.deb`, as flat repositories name their packages, is `pool/a.deb`.
fn plain(name: &str) -> &str {
    let mut name = name;
    while let Some(rest) = name.strip_prefix("./") {
        name = rest.trim_start_matches('/');
    }
    name
}

/// Writes what an address holds to a file; false if there is nothing.
fn fetch(fetcher: &Fetcher, address: &str, copy: &Path) -> Result<bool, ReadForeignError> {
    let failed = |source| ReadForeignError::Copy { name: address.to_owned(), source };
    let directory = copy.parent().expect("a copy is in a directory");
    fs::create_dir_all(directory).map_err(failed)?;
    // Under another name, so that what broke off is not taken for the whole.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    match fetcher.download(address, file.as_file_mut()) {
        Err(error) if error.is_not_found() => Ok(false),
        Err(source) => Err(ReadForeignError::Fetch { source: Box::new(source) }),
        Ok(_) => file.persist(copy).map(|_| true).map_err(|error| failed(error.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_begins_here_is_the_name_alone() {
        for (name, expected) in [("./a", "a"), ("././/a/b", "a/b"), (".a", ".a"), ("a/./b", "a/./b")] {
            assert_eq!(plain(name), expected);
        }
    }
}
