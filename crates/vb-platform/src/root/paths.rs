//! Paths inside a root, as packages write them and as the root has them.

use std::path::{Component, Path, PathBuf};

/// The directories that a merged `/usr` replaces by links.
pub(crate) const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Brings a package's path into one form: relative, without `.`; nothing for a path with `..` or a prefix.
///
/// With a merged `/usr`, `bin/sh` becomes `usr/bin/sh`, so that the same file has one name whoever ships it.
pub(super) fn normalise(path: &Path, has_merged_usr: bool) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    let is_merged = normal.components().next().is_some_and(|first| is_merged_name(Path::new(first.as_os_str())));
    Some(if has_merged_usr && is_merged { Path::new("usr").join(normal) } else { normal })
}

fn is_merged_name(name: &Path) -> bool {
    MERGED.iter().any(|merged| name == Path::new(merged))
}

/// Is this the link that a merged `/usr` has at this place anyway? `base-files` ships them since Debian 13.
pub(super) fn is_merging_link(path: &Path, target: &Path) -> bool {
    let Ok(path) = path.strip_prefix("usr") else { return false };
    let target = target.strip_prefix("/").unwrap_or(target);
    is_merged_name(path) && target == Path::new("usr").join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_form() {
        for (path, merged, plain) in [
            ("./bin/sh", "usr/bin/sh", "bin/sh"),
            ("/usr/bin/sh", "usr/bin/sh", "usr/bin/sh"),
            ("./binx/./a//b/", "binx/a/b", "binx/a/b"),
            ("lib64", "usr/lib64", "lib64"),
            ("./", "", ""),
        ] {
            assert_eq!(normalise(Path::new(path), true), Some(PathBuf::from(merged)));
            assert_eq!(normalise(Path::new(path), false), Some(PathBuf::from(plain)));
        }
        assert_eq!(normalise(Path::new("a/../b"), true), None);
    }

    #[test]
    fn only_the_links_of_a_merged_usr_are_merging_links() {
        assert!(is_merging_link(Path::new("usr/bin"), Path::new("usr/bin")));
        assert!(is_merging_link(Path::new("usr/lib64"), Path::new("/usr/lib64")));
        assert!(!is_merging_link(Path::new("usr/bin"), Path::new("usr/sbin")));
        assert!(!is_merging_link(Path::new("usr/share"), Path::new("usr/share")));
    }
}
