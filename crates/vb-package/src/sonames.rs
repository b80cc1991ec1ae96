//! What the compiled code of a package needs of the system's libraries, in the words of rpm's own generator
//! (`elfdeps`): `libpq.so.5()(64bit)`, `libc.so.6(GLIBC_2.14)(64bit)`.
//!
//! What the package brings itself is not needed of anybody, and not provided to anybody: it lies below the
//! application's own prefix, where no loader of others looks.

use std::collections::{BTreeMap, BTreeSet};

use rpm::{Dependency, DependencyFlags};

use crate::{
    elf::{ElfClass, ElfFacts},
    learnt::{Learnt, LearntFiles, learnt_of},
    tree::{Content, Entry},
};

/// Gathers what the files of a package need, and what they are.
#[derive(Debug, Default)]
pub(crate) struct Sonames {
    own: BTreeSet<String>,
    /// The library, and the whole name of the requirement.
    needed: BTreeSet<(String, String)>,
    needs_gnu_hash: bool,
    has_code: bool,
}

impl Sonames {
    /// Takes note of a file. One that only begins as compiled code, as test data do, needs nothing.
    pub(crate) fn add(&mut self, path: &str, learnt: &Learnt) {
        self.has_code |= learnt.machine.is_some();
        if let Some(facts) = &learnt.elf {
            self.add_facts(path, facts);
        }
    }

    /// Takes note of the files among entries.
    pub(crate) fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>, learnt: &LearntFiles) -> Self {
        let mut sonames = Self::default();
        for Entry { path, content, .. } in entries {
            if let Content::File { blob, .. } = content {
                sonames.add(path, learnt_of(learnt, blob));
            }
        }
        sonames
    }

    fn add_facts(&mut self, path: &str, facts: &ElfFacts) {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.own.insert(name.to_owned());
        self.own.extend(facts.soname.clone());
        let marker = match facts.machine.class {
            ElfClass::Bits32 => "",
            ElfClass::Bits64 => "(64bit)",
        };
        for library in &facts.needed {
            let empty = if marker.is_empty() { "" } else { "()" };
            self.needed.insert((library.clone(), format!("{library}{empty}{marker}")));
        }
        for needed in &facts.versions {
            let name = format!("{}({}){marker}", needed.library, needed.version);
            self.needed.insert((needed.library.clone(), name));
        }
        self.needs_gnu_hash |= facts.needs_gnu_hash && !facts.needed.is_empty();
    }

    /// Takes note of libraries that others bring who are there whenever the package is.
    pub(crate) fn beside(mut self, siblings: &BTreeMap<String, Entry>) -> Self {
        let names = siblings.keys().map(|path| path.rsplit('/').next().unwrap_or(path));
        self.own.extend(names.filter(|name| name.contains(".so")).map(str::to_owned));
        self
    }

    /// Is there compiled code in the package?
    pub(crate) fn has_code(&self) -> bool {
        self.has_code
    }

    /// Returns the sonames of the libraries that the system has to bring.
    pub(crate) fn libraries(&self) -> Vec<&str> {
        let foreign = self.needed.iter().map(|(library, _)| library.as_str());
        let names: BTreeSet<&str> = foreign.filter(|library| !self.own.contains(*library)).collect();
        names.into_iter().collect()
    }

    /// Returns what the system has to bring, as rpm says it.
    pub(crate) fn requires(&self) -> Vec<Dependency> {
        let foreign = self.needed.iter().filter(|(library, _)| !self.own.contains(library));
        let mut names: Vec<String> = foreign.map(|(_, name)| name.clone()).collect();
        if self.needs_gnu_hash {
            names.push("rtld(GNU_HASH)".to_owned());
        }
        let found = |name| Dependency { name, flags: DependencyFlags::FIND_REQUIRES, version: String::new() };
        names.into_iter().map(found).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::{ElfMachine, NeededVersion};

    fn facts(architecture: &str, needed: &[&str], versions: &[(&str, &str)], soname: Option<&str>) -> ElfFacts {
        let version = |(library, version): &(&str, &str)| NeededVersion {
            library: (*library).into(),
            version: (*version).into(),
        };
        ElfFacts {
            machine: ElfMachine::of_architecture(architecture).unwrap(),
            needed: needed.iter().map(|name| (*name).into()).collect(),
            versions: versions.iter().map(version).collect(),
            needs_gnu_hash: true,
            soname: soname.map(str::to_owned),
            rpath: None,
            runpath: None,
        }
    }

    fn names(sonames: &Sonames) -> Vec<String> {
        sonames.requires().into_iter().map(|dependency| dependency.name).collect()
    }

    #[test]
    fn libraries_and_versions_are_needed_but_for_those_that_are_brought() {
        let mut sonames = Sonames::default();
        let versions = [("libc.so.6", "GLIBC_2.14"), ("libpq-0e3.so.5", "PQ_1")];
        let module = facts("amd64", &["libpq-0e3.so.5", "libssl.so.3", "libc.so.6"], &versions, None);
        sonames.add_facts("vrmd/whois/lib/_psycopg.so", &module);
        sonames.add_facts("vrmd/whois/psycopg2.libs/libpq-0e3.so.5", &facts("amd64", &["libc.so.6"], &[], None));
        let expect = ["libc.so.6()(64bit)", "libc.so.6(GLIBC_2.14)(64bit)", "libssl.so.3()(64bit)", "rtld(GNU_HASH)"];
        assert_eq!(names(&sonames), expect);
        assert_eq!(sonames.libraries(), ["libc.so.6", "libssl.so.3"]);
    }

    #[test]
    fn a_library_is_brought_under_its_soname_too() {
        let mut sonames = Sonames::default();
        sonames.add_facts("vrmd/a/module.so", &facts("amd64", &["libx.so.1"], &[], None));
        sonames.add_facts("vrmd/a/libx.so.1.2.3", &facts("amd64", &[], &[], Some("libx.so.1")));
        assert_eq!(names(&sonames), ["rtld(GNU_HASH)"]);
    }

    #[test]
    fn code_of_32_bits_has_no_marker() {
        let mut sonames = Sonames::default();
        sonames.add_facts("a.so", &facts("i386", &["libc.so.6"], &[("libc.so.6", "GLIBC_2.1")], None));
        assert_eq!(names(&sonames), ["libc.so.6", "libc.so.6(GLIBC_2.1)", "rtld(GNU_HASH)"]);
    }
}
