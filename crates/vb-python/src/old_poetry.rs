//! Locks of Poetry before 2.0: they do not say which group and marker a distribution is there for.
//!
//! So what is wanted is read from the `pyproject.toml`, and uv follows the dependencies from there; the lock says which
//! version of each, and which files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::{
    foreign::{ForeignLockError, Poetry, check_known, parse, requirement},
    marker::Chosen,
    names::normalize_name,
};

/// An old lock and its project, as what uv resolves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldPoetry {
    /// What the project wants: names and markers.
    pub requirements: String,
    /// The one version of everything in the lock, with hashes.
    pub constraints: String,
}

/// Is it a lock of Poetry before 2.0? One that cannot be read is not.
pub fn is_old_poetry(text: &str) -> bool {
    parse::<Poetry>(text).is_ok_and(|lock| !lock.has_groups())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Project {
    tool: Tool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tool {
    poetry: Option<PoetryProject>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct PoetryProject {
    dependencies: BTreeMap<String, Wanted>,
    dev_dependencies: BTreeMap<String, Wanted>,
    group: BTreeMap<String, Group>,
    extras: BTreeMap<String, Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    dependencies: BTreeMap<String, Wanted>,
}

/// One dependency; its version does not count, because the lock has one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Version(#[expect(dead_code, reason = "the lock has the version")] String),
    One(Details),
    Several(Vec<Details>),
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Details {
    extras: Vec<String>,
    optional: bool,
    markers: Option<String>,
    python: Option<String>,
}

/// Turns an old `poetry.lock` and the `pyproject.toml` beside it into requirements and constraints.
///
/// # Errors
/// See [`ForeignLockError`]; the first problem is reported.
pub fn requirements_of_old_poetry(lock: &str, project: &str, chosen: &Chosen) -> Result<OldPoetry, ForeignLockError> {
    let lock: Poetry = parse(lock)?;
    let project: Project = parse(project)?;
    let Some(project) = project.tool.poetry else {
        return Err(ForeignLockError::NoProject { found: lock.version().to_owned() });
    };
    Ok(OldPoetry { requirements: requirements(&project, chosen)?, constraints: constraints(&lock)? })
}

fn constraints(lock: &Poetry) -> Result<String, ForeignLockError> {
    let mut seen = BTreeSet::new();
    let mut lines = String::new();
    for package in &lock.package {
        if !seen.insert(normalize_name(&package.name)) {
            return Err(ForeignLockError::Several { name: package.name.clone() });
        }
        package.check_origin()?;
        lines.push_str(&requirement(&package.name, &package.version, None, &lock.hashes(package))?);
    }
    Ok(lines)
}

fn requirements(project: &PoetryProject, chosen: &Chosen) -> Result<String, ForeignLockError> {
    let extras: Vec<String> = project.extras.keys().cloned().collect();
    check_known("extra", &chosen.extras, &extras)?;
    let mut groups: Vec<String> = project.group.keys().cloned().collect();
    if !project.dev_dependencies.is_empty() {
        groups.push("dev".to_owned());
    }
    check_known("group", &chosen.groups, &groups)?;
    let is_chosen = |name: &str, set: &BTreeSet<String>| set.contains(&normalize_name(name));
    let of_extras = project.extras.iter().filter(|(extra, _)| is_chosen(extra, &chosen.extras));
    let optional: BTreeSet<String> = of_extras.flat_map(|(_, names)| names).map(|name| normalize_name(name)).collect();
    let of_groups = project.group.iter().filter(|(name, _)| is_chosen(name, &chosen.groups));
    let dev = Some(&project.dev_dependencies).filter(|_| is_chosen("dev", &chosen.groups));
    let tables = [&project.dependencies].into_iter().chain(of_groups.map(|(_, group)| &group.dependencies)).chain(dev);
    let mut lines = String::new();
    for (name, wanted) in tables.flatten().filter(|(name, _)| *name != "python") {
        let details = match wanted {
            Wanted::Version(_) => vec![Details::default()],
            Wanted::One(details) => vec![details.clone()],
            Wanted::Several(details) => details.clone(),
        };
        for details in details.iter().filter(|details| !details.optional || optional.contains(&normalize_name(name))) {
            lines.push_str(&details.line(name));
        }
    }
    Ok(lines)
}

impl Details {
    fn line(&self, name: &str) -> String {
        let extras = if self.extras.is_empty() { String::new() } else { format!("[{}]", self.extras.join(",")) };
        let python = self.python.as_deref().and_then(python_marker);
        let markers: Vec<String> =
            self.markers.iter().cloned().chain(python).map(|marker| format!("({marker})")).collect();
        let marker = if markers.is_empty() { String::new() } else { format!(" ; {}", markers.join(" and ")) };
        format!("{name}{extras}{marker}\n")
    }
}

/// Writes Poetry's constraint on Python's version as a marker; `None` where any will do.
fn python_marker(constraint: &str) -> Option<String> {
    let alternatives = constraint.split("||").map(|alternative| {
        let parts = alternative.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty() && *part != "*");
        let markers: Vec<String> = parts.flat_map(comparisons).collect();
        (!markers.is_empty()).then(|| format!("({})", markers.join(" and ")))
    });
    Some(alternatives.collect::<Option<Vec<String>>>()?.join(" or "))
}

fn comparisons(part: &str) -> Vec<String> {
    let operators = [">=", "<=", "==", "!=", "~=", "<", ">", "^", "~", "="];
    let operator = operators.into_iter().find(|operator| part.starts_with(operator)).unwrap_or("");
    let version = part[operator.len()..].trim().trim_end_matches(".*");
    let numbers: Vec<u32> = version.split('.').map_while(|number| number.parse().ok()).collect();
    let next = |place: usize| match place {
        0 => format!("{}", numbers.first().unwrap_or(&0) + 1),
        _ => format!("{}.{}", numbers[0], numbers[1] + 1),
    };
    match operator {
        "^" => vec![comparison(">=", version), comparison("<", &next(0))],
        "~" if numbers.len() > 1 => vec![comparison(">=", version), comparison("<", &next(1))],
        "~" => vec![comparison(">=", version), comparison("<", &next(0))],
        "~=" if numbers.len() > 2 => vec![comparison(">=", version), comparison("<", &next(1))],
        "~=" => vec![comparison(">=", version), comparison("<", &next(0))],
        "" | "=" | "==" if numbers.len() == 1 => vec![comparison(">=", version), comparison("<", &next(0))],
        "" | "=" => vec![comparison("==", version)],
        other => vec![comparison(other, version)],
    }
}

/// `python_version` has two numbers, `python_full_version` three.
fn comparison(operator: &str, version: &str) -> String {
    let variable = if version.split('.').count() > 2 { "python_full_version" } else { "python_version" };
    format!("{variable} {operator} '{version}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = r#"
        [tool.poetry]
        name = "app"
        [tool.poetry.dependencies]
        python = "^3.8"
        one = "^1.0"
        Two = { version = "*", extras = ["x", "y"], markers = "sys_platform == 'linux'", python = "<3.12" }
        three = { version = "^3", optional = true }
        four = [{ version = "^4", python = "^3.8" }, { version = "^4", python = "~3.12" }]
        [tool.poetry.group.prod.dependencies]
        five = "*"
        [tool.poetry.dev-dependencies]
        six = "*"
        [tool.poetry.extras]
        more = ["three"]
    "#;

    fn lock(metadata: &str, packages: &[&str]) -> String {
        let package = |name: &&str| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0\"\noptional = false\n");
        format!("{}[metadata]\nlock-version = \"1.1\"\n{metadata}", packages.iter().map(package).collect::<String>())
    }

    fn wanted(extras: &[&str], groups: &[&str]) -> Result<String, ForeignLockError> {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let chosen = Chosen::new(&names(extras), &names(groups));
        requirements_of_old_poetry(&lock("", &[]), PROJECT, &chosen).map(|old| old.requirements)
    }

    #[test]
    fn the_project_says_what_is_wanted() {
        let main = "Two[x,y] ; (sys_platform == 'linux') and ((python_version < '3.12'))\n\
                    four ; ((python_version >= '3.8' and python_version < '4'))\n\
                    four ; ((python_version >= '3.12' and python_version < '3.13'))\none\n";
        assert_eq!(wanted(&[], &[]).unwrap(), main);
        assert_eq!(wanted(&["more"], &["prod", "dev"]).unwrap(), format!("{main}three\nfive\nsix\n"));
        assert_eq!(wanted(&["less"], &[]).unwrap_err().to_string(), "the lock has no extra `less`");
        assert_eq!(wanted(&[], &["test"]).unwrap_err().to_string(), "the lock has no group `test`");
    }

    #[test]
    fn the_lock_says_which_version_and_which_files() {
        let digest = "ab".repeat(32);
        let files = format!("[metadata.files]\none = [{{ file = \"one-1.0.tar.gz\", hash = \"sha256:{digest}\" }}]\n");
        let old = requirements_of_old_poetry(&lock(&files, &["one"]), PROJECT, &Chosen::default()).unwrap();
        assert_eq!(old.constraints, format!("one==1.0 --hash=sha256:{digest}\n"));
        let twice = requirements_of_old_poetry(&lock(&files, &["one", "one"]), PROJECT, &Chosen::default());
        assert!(twice.unwrap_err().to_string().contains("several versions of `one`"));
        let bare = requirements_of_old_poetry(&lock("", &[]), "[project]\nname = \"x\"\n", &Chosen::default());
        assert!(bare.unwrap_err().to_string().contains("`1.1`"));
        assert!(is_old_poetry(&lock("", &[])) && !is_old_poetry("[metadata]\nlock-version = \"2.1\"\n"));
        assert!(is_old_poetry("[metadata]\nlock-version = \"2.0\"\n"));
    }

    #[test]
    fn constraints_on_python_become_markers() {
        let check = |constraint: &str, marker: Option<&str>| {
            assert_eq!(python_marker(constraint).as_deref(), marker, "{constraint}");
        };
        check("*", None);
        check(">=3.7,<3.10", Some("(python_version >= '3.7' and python_version < '3.10')"));
        check("^3.8.1", Some("(python_full_version >= '3.8.1' and python_version < '4')"));
        check("3.8", Some("(python_version == '3.8')"));
        check("3.8.*", Some("(python_version == '3.8')"));
        check("3", Some("(python_version >= '3' and python_version < '4')"));
        check("~=3.8", Some("(python_version >= '3.8' and python_version < '4')"));
        check("<3.8 || >=3.10", Some("(python_version < '3.8') or (python_version >= '3.10')"));
    }
}
