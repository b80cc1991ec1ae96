//! Which packages of a root have the shared libraries that compiled code needs, and of which version, by the `symbols` and
//! `shlibs` files in the database of its dpkg (deb-symbols(5), deb-shlibs(5)).
//!
//! A version is the earliest one that has every symbol, as `dpkg-shlibdeps` computes it, or the one that the code was
//! compiled with, where that is known and the file asks for it (`Build-Depends-Package`). Must not be here: reading ELF
//! files.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use debversion::Version;
use fs_err as fs;

const INFO: &str = "var/lib/dpkg/info";
/// What stands in a template for the constraint.
const MINIMUM: &str = "#MINVER#";
/// What a symbol without a version has behind its `@`.
const NO_VERSION: &str = "Base";

/// The shared libraries of a root, in the directories that the dynamic linker looks into by itself.
#[derive(Clone, Debug, Default)]
pub struct SystemLibraries {
    names: BTreeSet<String>,
    tables: BTreeMap<String, SymbolTable>,
    shlibs: BTreeMap<String, String>,
}

/// A library that is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryNeed {
    /// Its soname.
    pub soname: String,
    /// The symbols that are taken from it or from another library, each with its version where it has one.
    pub symbols: BTreeSet<(String, Option<String>)>,
}

/// What is needed to have some libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryPackages {
    /// Relations to packages (Debian Policy 7.1), sorted: `libc6 (>= 2.34)`.
    pub relations: Vec<String>,
    /// The sonames that no package of the database says anything of.
    pub unknown: Vec<String>,
}

/// What a `symbols` file says of one library.
#[derive(Clone, Debug, Default)]
struct SymbolTable {
    /// The relation, and alternative ones that single symbols ask for.
    templates: Vec<String>,
    /// The packages that code is compiled with that needs the library.
    development: Vec<String>,
    /// The earliest version that has a symbol, by `name@version`, and the number of its template.
    symbols: BTreeMap<String, (String, usize)>,
}

impl SystemLibraries {
    /// Reads which libraries a root has, and what its dpkg's database says of them. A root without one has no packages.
    ///
    /// # Errors
    /// What the system said of a file that is there and cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut libraries = Self { names: library_names(root)?, ..Self::default() };
        let info = root.join(INFO);
        for path in entries(&info)? {
            let text = || fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("symbols") => libraries.take_in_symbols(&text()?),
                Some("shlibs") => libraries.take_in_shlibs(&text()?),
                _ => {}
            }
        }
        Ok(libraries)
    }

    /// Is there a library of that soname?
    pub fn has(&self, soname: &str) -> bool {
        self.names.contains(soname)
    }

    /// Returns the packages that have some libraries, each with the earliest version that is enough.
    ///
    /// `build_depends` are relations of what the code was compiled with. A library whose symbols file names one of them
    /// (`Build-Depends-Package`) is needed in its version at least, as `dpkg-shlibdeps` has it.
    pub fn packages(&self, needs: &[LibraryNeed], build_depends: &[String]) -> LibraryPackages {
        let mut found = Found::default();
        let mut unknown = Vec::new();
        for need in needs {
            match (self.tables.get(&need.soname), self.shlibs.get(&need.soname)) {
                (Some(table), _) => {
                    table.find(&need.symbols, &mut found);
                    table.raise(build_depends, &mut found);
                }
                (None, Some(relations)) => relations.split(',').for_each(|relation| found.add_relation(relation)),
                (None, None) => unknown.push(need.soname.clone()),
            }
        }
        LibraryPackages { relations: found.into_relations(), unknown }
    }

    fn take_in_symbols(&mut self, text: &str) {
        let mut current: Option<(String, SymbolTable)> = None;
        let mut tables = Vec::new();
        for line in text.lines() {
            if let Some(symbol) = line.strip_prefix(' ') {
                if let Some((_, table)) = &mut current {
                    table.take_in(symbol);
                }
            } else if let Some(template) = line.strip_prefix("| ") {
                if let Some((_, table)) = &mut current {
                    table.templates.push(template.to_owned());
                }
            } else if let Some(packages) = line.strip_prefix("* Build-Depends-Package") {
                if let Some((_, table)) = &mut current {
                    let packages = packages.trim_start_matches(['s', ':']).split([',', ' ']);
                    table.development.extend(packages.filter(|name| !name.is_empty()).map(str::to_owned));
                }
            } else if !line.starts_with(['*', '#']) {
                tables.extend(current.take());
                current = line.split_once(' ').map(|(soname, template)| {
                    (soname.to_owned(), SymbolTable { templates: vec![template.to_owned()], ..SymbolTable::default() })
                });
            }
        }
        for (soname, table) in tables.into_iter().chain(current) {
            self.tables.entry(soname).or_insert(table);
        }
    }

    /// Each line is `[type: ]library version relations`. Lines with a type are for special packages.
    fn take_in_shlibs(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            // Some packages have tabs between them.
            let Some((library, rest)) = line.trim_start().split_once([' ', '\t']) else { continue };
            let Some((version, relations)) = rest.trim_start().split_once([' ', '\t']) else { continue };
            let relations = relations.trim_start();
            if !library.ends_with(':') {
                for soname in [format!("{library}.so.{version}"), format!("{library}-{version}.so")] {
                    self.shlibs.entry(soname).or_insert_with(|| relations.to_owned());
                }
            }
        }
    }
}

impl SymbolTable {
    /// Takes in `name@version minimum [template]`; tags before the name are for those who make the file.
    fn take_in(&mut self, line: &str) {
        let line = line.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(line, |(_, rest)| rest);
        let mut words = line.split_whitespace();
        if let (Some(symbol), Some(minimum)) = (words.next(), words.next()) {
            let template = words.next().and_then(|number| number.parse().ok()).unwrap_or_default();
            self.symbols.insert(symbol.to_owned(), (minimum.to_owned(), template));
        }
    }

    /// Asks for the version that the code was compiled with.
    fn raise(&self, build_depends: &[String], found: &mut Found) {
        for relation in build_depends {
            let Some((name, constraint)) = relation.split_once(" (") else { continue };
            let constraint = constraint.trim_end_matches(')');
            let minimum = constraint.strip_prefix(">= ").or_else(|| constraint.strip_prefix("= "));
            if let Some(minimum) = minimum.filter(|_| self.development.iter().any(|known| known == name)) {
                self.templates.iter().for_each(|template| found.raise(template, minimum));
            }
        }
    }

    fn find(&self, symbols: &BTreeSet<(String, Option<String>)>, found: &mut Found) {
        // Whoever needs the library at all needs the first version that was one.
        let ordinary = self.symbols.values().filter(|(_, template)| *template == 0).map(|(minimum, _)| minimum);
        let smallest = ordinary.min_by(|one, other| compare(one, other));
        found.add(&self.templates[0], smallest.map_or("0", String::as_str));
        for (name, version) in symbols {
            let version = version.as_deref().unwrap_or(NO_VERSION);
            if let Some((minimum, template)) = self.symbols.get(&format!("{name}@{version}")) {
                found.add(self.templates.get(*template).unwrap_or(&self.templates[0]), minimum);
            }
        }
    }
}

/// Relations with the latest of the versions that are asked for.
#[derive(Debug, Default)]
struct Found {
    /// By template.
    minimums: BTreeMap<String, String>,
}

impl Found {
    fn add(&mut self, template: &str, minimum: &str) {
        let known = self.minimums.entry(template.trim().to_owned()).or_insert_with(|| minimum.to_owned());
        if compare(known, minimum).is_lt() {
            minimum.clone_into(known);
        }
    }

    /// Raises what is asked for already.
    fn raise(&mut self, template: &str, minimum: &str) {
        if self.minimums.contains_key(template.trim()) {
            self.add(template, minimum);
        }
    }

    /// Adds a relation as it is written, `name (>= version)` as a template.
    fn add_relation(&mut self, relation: &str) {
        let relation = relation.trim();
        let constraint = relation.strip_suffix(')').and_then(|text| text.split_once(" (>= "));
        match constraint {
            Some((name, minimum)) if !relation.contains('|') => self.add(&format!("{name} {MINIMUM}"), minimum),
            _ if relation.is_empty() => {}
            _ => self.add(relation, "0"),
        }
    }

    fn into_relations(self) -> Vec<String> {
        let fill = |(template, minimum): (String, String)| {
            // A minimum of 0 is none, as dpkg-shlibdeps has it.
            let constraint = if minimum == "0" { String::new() } else { format!("(>= {minimum})") };
            template.replace(MINIMUM, &constraint)
        };
        let filled: Vec<String> = self.minimums.into_iter().map(fill).collect();
        let relations = filled.iter().flat_map(|relations| relations.split(','));
        let relations: BTreeSet<String> = relations.map(|relation| relation.trim().to_owned()).collect();
        relations.into_iter().collect()
    }
}

fn compare(one: &str, other: &str) -> std::cmp::Ordering {
    match (one.parse::<Version>(), other.parse::<Version>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        (one, other) => one.is_ok().cmp(&other.is_ok()),
    }
}

/// Returns the names of all entries that could be libraries in the directories that the linker looks into.
fn library_names(root: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for directory in ["lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib"] {
        for path in entries(&root.join(directory))? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            // A multiarch directory is one step below. Links out of the root are names alone, and are not followed.
            if name.contains("-linux-") && fs::symlink_metadata(&path)?.is_dir() {
                names.extend(entries(&path)?.iter().filter_map(|path| library_name(path)));
            }
            names.extend(library_name(&path));
        }
    }
    Ok(names)
}

fn library_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    (name.ends_with(".so") || name.contains(".so.")).then(|| name.to_owned())
}

/// Returns the sorted entries of a directory; one that is not there, or leads out of the root, has none.
fn entries(directory: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    if fs::read_link(directory).is_ok_and(|target| target.is_absolute()) {
        return Ok(vec![]);
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(error),
    };
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBC: &str = "libc.so.6 libc6 #MINVER#\n| libc6 (>> 2.36), libc6 (<< 2.37)\n* Build-Depends-Package: libc6-dev\n \
                        GLIBC_2.2.5@GLIBC_2.2.5 2.2.5\n GLIBC_PRIVATE@GLIBC_PRIVATE 0 1\n \
                        __libc_start_main@GLIBC_2.34 2.34\n memcpy@GLIBC_2.14 2.14\n\
                        libm.so.6 libc6 #MINVER#\n exp@GLIBC_2.29 2.29\n";
    const LIBPQ: &str = "libpq.so.5 libpq5 #MINVER#\n PQconnectdb@Base 0\n PQsetTraceFlags@Base 14~~\n";

    fn libraries(files: &[(&str, &str)]) -> SystemLibraries {
        let root = tempfile::tempdir().unwrap();
        let info = root.path().join(INFO);
        fs::create_dir_all(&info).unwrap();
        fs::create_dir_all(root.path().join("usr/lib/x86_64-linux-gnu/private")).unwrap();
        std::os::unix::fs::symlink("usr/lib", root.path().join("lib")).unwrap();
        for name in ["libc.so.6", "private/libhidden.so.1"] {
            fs::write(root.path().join("usr/lib/x86_64-linux-gnu").join(name), "").unwrap();
        }
        for (name, text) in files {
            fs::write(info.join(name), text).unwrap();
        }
        SystemLibraries::read(root.path()).unwrap()
    }

    fn need(soname: &str, symbols: &[(&str, Option<&str>)]) -> LibraryNeed {
        let owned = |(name, version): &(&str, Option<&str>)| ((*name).to_owned(), version.map(str::to_owned));
        LibraryNeed { soname: soname.to_owned(), symbols: symbols.iter().map(owned).collect() }
    }

    #[test]
    fn libraries_are_those_where_the_linker_looks() {
        let libraries = libraries(&[]);
        assert!(libraries.has("libc.so.6"));
        assert!(!libraries.has("libhidden.so.1"));
        assert!(!libraries.has("private"));
    }

    #[test]
    fn the_version_is_the_earliest_that_has_all_symbols() {
        let libraries = libraries(&[("libc6:amd64.symbols", LIBC), ("libpq5:amd64.symbols", LIBPQ)]);
        let relations = |needs: &[LibraryNeed]| libraries.packages(needs, &[]).relations;
        let memcpy = need("libc.so.6", &[("memcpy", Some("GLIBC_2.14"))]);
        assert_eq!(relations(std::slice::from_ref(&memcpy)), ["libc6 (>= 2.14)"]);
        assert_eq!(relations(&[memcpy, need("libm.so.6", &[("exp", Some("GLIBC_2.29"))])]), ["libc6 (>= 2.29)"]);
        assert_eq!(relations(&[need("libc.so.6", &[])]), ["libc6 (>= 2.2.5)"]);
        assert_eq!(relations(&[need("libpq.so.5", &[("PQconnectdb", None)])]), ["libpq5"]);
        let newer = need("libpq.so.5", &[("PQconnectdb", None), ("PQsetTraceFlags", None), ("other", None)]);
        assert_eq!(relations(&[newer]), ["libpq5 (>= 14~~)"]);
    }

    #[test]
    fn a_symbol_can_ask_for_another_relation() {
        let libraries = libraries(&[("libc6:amd64.symbols", LIBC)]);
        let private = need("libc.so.6", &[("GLIBC_PRIVATE", Some("GLIBC_PRIVATE"))]);
        let expect = ["libc6 (<< 2.37)", "libc6 (>= 2.2.5)", "libc6 (>> 2.36)"];
        assert_eq!(libraries.packages(&[private], &[]).relations, expect);
    }

    #[test]
    fn a_version_that_the_code_was_compiled_with_raises_what_its_symbols_ask_for() {
        let libraries = libraries(&[("libc6:amd64.symbols", LIBC), ("libpq5:amd64.symbols", LIBPQ)]);
        let memcpy = [need("libc.so.6", &[("memcpy", Some("GLIBC_2.14"))])];
        for (build_depends, expect) in [
            ("libc6-dev (>= 2.31)", "libc6 (>= 2.31)"),
            ("libc6-dev (= 2.36-9)", "libc6 (>= 2.36-9)"),
            ("libc6-dev (>= 2.3)", "libc6 (>= 2.14)"),
            ("libc6-dev (<< 2.99)", "libc6 (>= 2.14)"),
            ("libpq-dev (>= 15)", "libc6 (>= 2.14)"),
        ] {
            let found = libraries.packages(&memcpy, &[build_depends.to_owned()]);
            assert_eq!(found.relations, [expect], "{build_depends}");
        }
    }

    #[test]
    fn shlibs_serve_where_there_are_no_symbols() {
        let text = "udeb: libx 1 libx1-udeb\nlibx 1 libx1 (>= 1.2), libdata | libdata-old\nliby\t1.2\tliby1.2\n";
        let libraries = libraries(&[("libx1.shlibs", text), ("libx1.list", "/usr/lib/libx.so.1\n")]);
        let found =
            libraries.packages(&[need("libx.so.1", &[]), need("liby-1.2.so", &[]), need("libz.so.1", &[])], &[]);
        assert_eq!(found.relations, ["libdata | libdata-old", "libx1 (>= 1.2)", "liby1.2"]);
        assert_eq!(found.unknown, ["libz.so.1"]);
    }
}
