//! The symbolic links of all packages, and where paths that go through them lead.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use super::package::{RpmFile, RpmFileKind};
use crate::root::{RootOptions, paths::MERGED};

/// How many links may lead to one path; the kernel's own limit.
const MOST_LINKS: usize = 40;

/// Every link by its path, both relative to the root.
#[derive(Debug)]
pub(crate) struct Links {
    targets: BTreeMap<PathBuf, PathBuf>,
    merged: Vec<(PathBuf, PathBuf)>,
}

impl Links {
    /// Collects the links of packages, and those of a merged `/usr`.
    pub(crate) fn new<'a>(files: impl Iterator<Item = &'a RpmFile>, options: &RootOptions) -> Self {
        let mut targets = BTreeMap::new();
        for file in files.filter(|file| !file.is_ghost) {
            if let RpmFileKind::Link(to) = &file.kind {
                targets.insert(relative(&file.path), to.clone());
            }
        }
        let mut merged = Vec::new();
        let needed = MERGED.iter().filter(|name| !["lib32", "libx32"].contains(name));
        for name in needed.map(Path::new).filter(|_| options.has_merged_usr) {
            let inside = Path::new("usr").join(name);
            targets.insert(name.to_owned(), inside.clone());
            // `/usr/sbin` may be a link itself.
            if !targets.contains_key(&inside) {
                merged.push((name.to_owned(), inside));
            }
        }
        Self { targets, merged }
    }

    /// Returns the links of a merged `/usr`, with the directories that they lead to.
    pub(crate) fn merged(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.merged.iter().map(|(link, to)| (link.as_path(), to.as_path()))
    }

    /// Returns where a path is when the links above it are followed, relative to the root; nothing, if they go in circles
    /// or the path has `..` itself.
    pub(crate) fn resolve(&self, path: &Path) -> Option<PathBuf> {
        if path.components().any(|component| component == Component::ParentDir) {
            return None;
        }
        let path = relative(path);
        let Some(name) = path.file_name() else { return Some(path) };
        let parent = self.follow(path.parent().unwrap_or(Path::new("")))?;
        Some(parent.join(name))
    }

    /// Returns the directory that a path means when all links in it are followed.
    pub(crate) fn follow(&self, path: &Path) -> Option<PathBuf> {
        let mut left: Vec<PathBuf> = parts(path);
        let mut found = PathBuf::new();
        let mut followed = 0;
        while let Some(part) = left.pop() {
            if part == Path::new("..") {
                found.pop();
                continue;
            }
            let next = found.join(&part);
            match self.targets.get(&next) {
                None => found = next,
                Some(_) if followed == MOST_LINKS => return None,
                Some(to) => {
                    followed += 1;
                    if to.is_absolute() {
                        found = PathBuf::new();
                    }
                    left.extend(parts(to));
                }
            }
        }
        Some(found)
    }
}

/// Returns the parts of a path, the last first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let kept = path.components().rev().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    kept.map(|part| PathBuf::from(part.as_os_str())).collect()
}

fn relative(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(pairs: &[(&str, &str)], has_merged_usr: bool) -> Links {
        let file = |(path, to): &(&str, &str)| RpmFile {
            path: PathBuf::from(path),
            kind: RpmFileKind::Link(PathBuf::from(to)),
            mode: 0o777,
            size: 0,
            sha256: None,
            is_ghost: false,
            identity: None,
        };
        let files: Vec<RpmFile> = pairs.iter().map(file).collect();
        Links::new(files.iter(), &RootOptions { has_merged_usr, architecture: "x86_64".to_owned() })
    }

    #[test]
    fn paths_lead_through_the_links_above_them() {
        let links = links(&[("/usr/sbin", "bin"), ("/var/run", "../run"), ("/a", "/b/c"), ("/b", "d")], true);
        for (path, expect) in [
            ("/sbin/ldconfig", "usr/bin/ldconfig"),
            ("/lib64/libc.so.6", "usr/lib64/libc.so.6"),
            ("/usr/sbin/x", "usr/bin/x"),
            ("/usr/sbin", "usr/sbin"),
            ("/var/run/x", "run/x"),
            ("/a/x", "d/c/x"),
            ("/etc/passwd", "etc/passwd"),
        ] {
            assert_eq!(links.resolve(Path::new(path)), Some(PathBuf::from(expect)), "{path}");
        }
    }

    #[test]
    fn links_that_leave_the_root_or_go_in_circles_lead_nowhere_else() {
        let links = links(&[("/up", "../../.."), ("/one", "other"), ("/other", "one")], false);
        assert_eq!(links.resolve(Path::new("/up/etc/passwd")), Some(PathBuf::from("etc/passwd")));
        assert_eq!(links.resolve(Path::new("/one/x")), None);
        assert_eq!(links.resolve(Path::new("/etc/../x")), None);
    }
}
