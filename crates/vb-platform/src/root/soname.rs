//! Which package of a root ships a shared library.

use std::path::Path;

/// Returns the package that ships a library of this soname, by the dpkg database of the root, or by the lists that a root
/// of `.rpm` packages has.
///
/// Only the directories that the dynamic linker looks into by default count: `/lib`, `/usr/lib` and the multiarch
/// directories in them. Of several packages the first by name is returned; of an unreadable database, none.
pub fn find_soname_owner(root: &Path, soname: &str) -> Option<String> {
    let mut owners = Vec::new();
    let lists = ["var/lib/dpkg/info", crate::rpm::LISTS].map(|lists| fs_err::read_dir(root.join(lists)));
    for entry in lists.into_iter().filter_map(Result::ok).flatten() {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?;
        let Some(package) = name.strip_suffix(".list") else { continue };
        let list = fs_err::read_to_string(&path).ok()?;
        if list.lines().any(|line| is_library(line, soname)) {
            owners.push(package.split(':').next().unwrap_or(package).to_owned());
        }
    }
    owners.into_iter().min()
}

fn is_library(path: &str, soname: &str) -> bool {
    let Some((dir, name)) = path.rsplit_once('/') else { return false };
    let dir = dir.strip_prefix("/usr").unwrap_or(dir);
    // A multiarch directory is one step below: `/lib/x86_64-linux-gnu`.
    let is_below = |rest: &str| {
        rest.is_empty() || rest.strip_prefix('/').is_some_and(|rest| !rest.contains('/') && rest.contains("-linux-"))
    };
    let is_searched = ["/lib", "/lib64"].iter().any(|lib| dir.strip_prefix(lib).is_some_and(is_below));
    name == soname && is_searched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_where_the_linker_looks() {
        let root = tempfile::tempdir().unwrap();
        let info = root.path().join("var/lib/dpkg/info");
        fs_err::create_dir_all(&info).unwrap();
        for (file, line) in [
            ("libpq5:amd64.list", "/usr/lib/x86_64-linux-gnu/libpq.so.5"),
            ("libc6:amd64.list", "/lib/x86_64-linux-gnu/libc.so.6"),
            ("other.list", "/usr/lib/postgresql/15/lib/libpq.so.5"),
            ("another.list", "/usr/lib/python3/libpq.so.5"),
            ("another.md5sums", "/usr/lib/libx.so.1"),
        ] {
            fs_err::write(info.join(file), format!("/.\n{line}\n")).unwrap();
        }
        let owner = |soname| find_soname_owner(root.path(), soname);
        assert_eq!(owner("libpq.so.5").as_deref(), Some("libpq5"));
        assert_eq!(owner("libc.so.6").as_deref(), Some("libc6"));
        assert_eq!(owner("libpq.so"), None);
        assert_eq!(owner("libx.so.1"), None);
    }
}
