//! Where the compiled code of a tree finds the libraries that it needs: in the tree itself, or nowhere in it.
//!
//! A library is looked for where the dynamic linker does (ld.so(8)): in `DT_RPATH` if there is no `DT_RUNPATH`, then in
//! that, with `$ORIGIN` for the directory of the file. Must not be here: the system's directories.

use std::collections::{BTreeMap, BTreeSet};

use crate::elf::{ElfFacts, ElfMachine, InspectElfError, UndefinedSymbol, inspect_elf, undefined_symbols};

/// One compiled file of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledFile {
    /// Its absolute path where it will run.
    pub path: String,
    /// What it says of itself.
    pub facts: ElfFacts,
    /// The symbols that it takes from its libraries.
    pub symbols: Vec<UndefinedSymbol>,
}

/// A library that compiled code needs and does not find by itself in its tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignLibrary {
    /// The files that need it.
    pub needed_by: BTreeSet<String>,
    /// The symbols that these take from any of their libraries.
    pub symbols: BTreeSet<UndefinedSymbol>,
    /// Absolute directories in which it is looked for beside those of the system.
    pub directories: BTreeSet<String>,
    /// Does some file of the tree have its name, though not where it is looked for? Then it may be loaded before it is
    /// needed, as wheels do that bring libraries for each other.
    pub is_elsewhere: bool,
}

impl CompiledFile {
    /// Reads a file; `None` when it is not compiled code for the machine.
    ///
    /// # Errors
    /// [`InspectElfError`] when it begins as compiled code and is damaged.
    pub fn read(path: &str, bytes: &[u8], machine: ElfMachine) -> Result<Option<Self>, InspectElfError> {
        let Some(facts) = inspect_elf(bytes)?.filter(|facts| facts.machine == machine) else {
            return Ok(None);
        };
        Ok(Some(Self { path: path.to_owned(), facts, symbols: undefined_symbols(bytes)? }))
    }

    /// Returns the absolute directories that it names itself.
    fn directories(&self) -> Vec<String> {
        let named = self.facts.runpath.as_ref().or(self.facts.rpath.as_ref());
        let origin = self.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let absolute = |entry: &str| {
            let entry = entry.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", origin);
            entry.starts_with('/').then(|| clean(&entry))
        };
        named.map_or("", String::as_str).split(':').filter_map(absolute).collect()
    }
}

/// Returns the libraries that are not found in the tree itself, by soname. `paths` are all its files and links.
pub fn foreign_libraries(code: &[CompiledFile], paths: &BTreeSet<String>) -> BTreeMap<String, ForeignLibrary> {
    let mut own: BTreeSet<&str> = paths.iter().filter_map(|path| path.rsplit('/').next()).collect();
    own.extend(code.iter().filter_map(|file| file.facts.soname.as_deref()));
    let mut foreign: BTreeMap<String, ForeignLibrary> = BTreeMap::new();
    for file in code {
        let directories = file.directories();
        let is_brought =
            |soname: &str| directories.iter().any(|directory| paths.contains(&format!("{directory}/{soname}")));
        for soname in file.facts.needed.iter().filter(|soname| !is_brought(soname)) {
            let library = foreign.entry(soname.clone()).or_default();
            library.needed_by.insert(file.path.clone());
            library.symbols.extend(file.symbols.iter().cloned());
            library.directories.extend(directories.iter().cloned());
            library.is_elsewhere = own.contains(soname.as_str());
        }
    }
    foreign
}

/// Takes `.` and `..` out of an absolute path.
fn clean(path: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    format!("/{}", components.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "/vrmd/whois/lib/python3.11/site-packages";

    fn file(path: &str, needed: &[&str], runpath: Option<&str>) -> CompiledFile {
        CompiledFile {
            path: format!("{SITE}/{path}"),
            facts: ElfFacts {
                machine: ElfMachine::of_architecture("amd64").unwrap(),
                needed: needed.iter().map(|name| (*name).to_owned()).collect(),
                versions: vec![],
                needs_gnu_hash: true,
                soname: None,
                rpath: None,
                runpath: runpath.map(str::to_owned),
            },
            symbols: vec![],
        }
    }

    fn foreign(code: &[CompiledFile], others: &[&str]) -> BTreeMap<String, ForeignLibrary> {
        let others = others.iter().map(|path| format!("{SITE}/{path}"));
        foreign_libraries(code, &code.iter().map(|file| file.path.clone()).chain(others).collect())
    }

    #[test]
    fn what_a_wheel_brings_where_it_looks_is_not_foreign() {
        let module = file("psycopg/_c.so", &["libpq-0e3.so.5", "libc.so.6"], Some("$ORIGIN/../psycopg.libs"));
        let library = file("psycopg.libs/libpq-0e3.so.5", &["libc.so.6"], None);
        let found = foreign(&[module.clone(), library], &[]);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["libc.so.6"]);
        assert_eq!(found["libc.so.6"].needed_by.len(), 2);
        assert!(!found["libc.so.6"].is_elsewhere);
        let found = foreign(&[module], &["other/libpq-0e3.so.5"]);
        assert!(found["libpq-0e3.so.5"].is_elsewhere);
        assert!(found["libpq-0e3.so.5"].directories.contains(&format!("{SITE}/psycopg.libs")));
    }

    #[test]
    fn a_runpath_counts_in_place_of_an_rpath() {
        let mut module = file("a/m.so", &["libx.so.1"], Some("${ORIGIN}"));
        module.facts.rpath = Some("$ORIGIN/../libs:relative".to_owned());
        assert_eq!(module.directories(), [format!("{SITE}/a")]);
        module.facts.runpath = None;
        assert_eq!(module.directories(), [format!("{SITE}/libs")]);
    }
}
