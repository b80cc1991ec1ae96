//! What two installers put below one prefix, compared file by file.
//!
//! Must not be here: running installers. What may differ is the table of [`Differing`], no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use fs_err as fs;

/// What installers write about themselves and about an installation, in `.dist-info`.
const OF_INSTALLERS: [&str; 4] = ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"];

/// What is in a virtual environment before anything is installed, by name below the prefix.
const OF_ENVIRONMENTS: [&str; 5] = ["pyvenv.cfg", ".gitignore", ".lock", "CACHEDIR.TAG", "lib64"];

/// A path at which two trees are not the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The path below the prefix.
    pub path: String,
    /// How they differ.
    pub differing: Differing,
}

/// How two trees differ at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Differing {
    /// Only the first tree has it.
    OnlyFirst,
    /// Only the second tree has it.
    OnlySecond,
    /// A file in one, a link in the other, or links with two targets.
    Kind,
    /// The execute bits differ.
    Mode,
    /// The bytes differ, where they should be the same: see [`differences`].
    Content,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differing = match self.differing {
            Differing::OnlyFirst => "is in the first tree alone",
            Differing::OnlySecond => "is in the second tree alone",
            Differing::Kind => "is a file in one tree and a link in the other, or another link",
            Differing::Mode => "is executable in one tree alone",
            Differing::Content => "has another content",
        };
        write!(f, "`{}` {differing}", self.path)
    }
}

/// Compares two trees that stand for one prefix.
///
/// These differences are no differences: what is in every virtual environment, and notes of installers about themselves;
/// the content of bytecode (it holds file times or hashes), and bytecode of scripts in `bin`; the text of generated
/// scripts but for their interpreter, what they import and what they call; the `pip3.11` that others make beside the
/// `pip3` of pip's own entry points; in `RECORD` the order, rows of the files above, of bytecode and of scripts, and the
/// execute bit that archivers may have set.
///
/// # Errors
/// A tree cannot be read.
pub fn differences(first: &Path, second: &Path) -> io::Result<Vec<Difference>> {
    let (one, other) = (paths(first)?, paths(second)?);
    let mut found = Vec::new();
    let mut note = |path: &String, differing| found.push(Difference { path: path.clone(), differing });
    for path in one.union(&other) {
        match (one.contains(path), other.contains(path)) {
            (true, false) => note(path, Differing::OnlyFirst),
            (false, true) => note(path, Differing::OnlySecond),
            _ => drop(differing(&first.join(path), &second.join(path), path)?.map(|how| note(path, how))),
        }
    }
    Ok(found)
}

/// Returns the paths of all files and links that are compared.
fn paths(top: &Path) -> io::Result<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    collect(top, "", &mut paths)?;
    paths.retain(|path| !is_of_environment(path));
    Ok(paths)
}

fn collect(directory: &Path, prefix: &str, paths: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), paths)?;
        } else {
            paths.insert(path);
        }
    }
    Ok(())
}

fn is_of_environment(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_interpreter = |rest: &str| rest.chars().all(|character| character.is_ascii_digit() || character == '.');
    match directory {
        "" => OF_ENVIRONMENTS.contains(&name),
        "bin/__pycache__" => true,
        "bin" => {
            name.to_ascii_lowercase().starts_with("activate")
                || matches!(name, "deactivate.bat" | "pydoc.bat")
                || name.strip_prefix("pip3.").is_some_and(is_interpreter)
                || name.strip_prefix("python").is_some_and(is_interpreter)
        }
        _ if directory.ends_with(".dist-info") => OF_INSTALLERS.contains(&name),
        // What uv adds to each environment for the sake of old distutils, and what vb adds for the application.
        _ => name.starts_with("_virtualenv.") || name == "_vb_application.pth",
    }
}

fn differing(first: &Path, second: &Path, path: &str) -> io::Result<Option<Differing>> {
    let (one, other) = (fs::symlink_metadata(first)?, fs::symlink_metadata(second)?);
    if one.is_symlink() || other.is_symlink() {
        let is_same = one.is_symlink() && other.is_symlink() && fs::read_link(first)? == fs::read_link(second)?;
        return Ok((!is_same).then_some(Differing::Kind));
    }
    let is_record = path.ends_with(".dist-info/RECORD");
    if (one.permissions().mode() ^ other.permissions().mode()) & 0o111 != 0 && !is_record {
        return Ok(Some(Differing::Mode));
    }
    if path.ends_with(".pyc") {
        return Ok(None);
    }
    let (one, other) = (fs::read(first)?, fs::read(second)?);
    let is_same = one == other
        || path.starts_with("bin/") && call(&one).is_some() && call(&one) == call(&other)
        || is_record && rows(&one) == rows(&other);
    Ok((!is_same).then_some(Differing::Content))
}

/// Returns of a generated script the lines that count: its interpreter, what it imports and what it calls.
fn call(script: &[u8]) -> Option<[&str; 3]> {
    let text = std::str::from_utf8(script).ok()?;
    let line = |prefix: &str| text.lines().find(|line| line.starts_with(prefix));
    let exit = text.lines().map(str::trim).find(|line| line.starts_with("sys.exit("))?;
    Some([text.lines().next().filter(|line| line.starts_with("#!"))?, line("from ")?, exit])
}

/// Returns the rows of a RECORD that count, by path.
fn rows(record: &[u8]) -> BTreeMap<String, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    let rows = reader.records().filter_map(Result::ok).filter_map(|row| {
        let path = row.get(0)?.to_owned();
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_script = path.starts_with("../../../bin/");
        let counts = !OF_INSTALLERS.contains(&name) && !path.ends_with(".pyc") && !is_script;
        counts.then(|| (path.clone(), row.iter().skip(1).collect::<Vec<_>>().join(",")))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "a-1.dist-info/RECORD";

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn compare(first: &[(&str, &str)], second: &[(&str, &str)]) -> Vec<String> {
        let (first, second) = (tree(first), tree(second));
        differences(first.path(), second.path()).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_of_one_tree_and_other_contents_are_found() {
        assert_eq!(
            compare(&[("a.py", "1"), ("b.py", "1"), ("same", "")], &[("a.py", "2"), ("c.py", "1"), ("same", "")]),
            ["`a.py` has another content", "`b.py` is in the first tree alone", "`c.py` is in the second tree alone"]
        );
    }

    #[test]
    fn execute_bits_and_links_are_compared() {
        let (first, second) = (tree(&[("bin/a", ""), ("b", "x")]), tree(&[("bin/a", "")]));
        fs::set_permissions(first.path().join("bin/a"), PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("bin/a", second.path().join("b")).unwrap();
        let found = differences(first.path(), second.path()).unwrap();
        assert_eq!(found.iter().map(|one| one.differing).collect::<Vec<_>>(), [Differing::Kind, Differing::Mode]);
    }

    #[test]
    fn a_script_that_calls_something_else_is_another() {
        let script =
            |object: &str| format!("#!/e/bin/python\nimport sys\nfrom m import {object}\nsys.exit({object}())\n");
        let ours = script("f");
        let theirs = format!("{ours}# and what else an installer writes\n");
        assert!(compare(&[("bin/x", &ours)], &[("bin/x", &theirs)]).is_empty());
        assert_eq!(compare(&[("bin/x", &ours)], &[("bin/x", &script("g"))]), ["`bin/x` has another content"]);
        let moved = ours.replace("/e/", "/f/");
        assert_eq!(compare(&[("bin/x", &ours)], &[("bin/x", &moved)]), ["`bin/x` has another content"]);
    }

    #[test]
    fn a_record_may_have_another_order_and_lacks_no_row() {
        let ours = "a.py,sha256=x,1\n../../../bin/a,sha256=o,1\na-1.dist-info/INSTALLER,sha256=i,3\nb.py,sha256=y,1\n";
        let theirs = "b.py,sha256=y,1\n__pycache__/a.cpython-311.pyc,,\n\"a.py\",sha256=x,1\n";
        assert!(compare(&[(RECORD, ours)], &[(RECORD, theirs)]).is_empty());
        let lacking = "b.py,sha256=y,1\n";
        assert_eq!(compare(&[(RECORD, ours)], &[(RECORD, lacking)]), [format!("`{RECORD}` has another content")]);
    }
}
