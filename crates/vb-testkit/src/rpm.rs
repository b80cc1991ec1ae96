//! Small `.rpm` files, made in a test's directory.
//!
//! A [`RpmPackage`] is built with chained calls. What makes a repository of some is the test's: a real `createrepo_c`.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made must fail its test")]

use std::path::{Path, PathBuf};

use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder, Scriptlet};

/// What one package says of others; each relation is written as rpm writes it.
#[derive(Clone, Debug, Default)]
struct Relations {
    provides: Vec<String>,
    requires: Vec<String>,
    conflicts: Vec<String>,
    obsoletes: Vec<String>,
    recommends: Vec<String>,
    supplements: Vec<String>,
}

/// One `.rpm` to be.
#[derive(Clone, Debug)]
pub struct RpmPackage {
    name: String,
    evr: String,
    architecture: String,
    relations: Relations,
    files: Vec<(String, String, u16)>,
    copies: Vec<(PathBuf, String, u16)>,
    directories: Vec<(String, u16)>,
    links: Vec<(String, String)>,
    ghosts: Vec<String>,
    post_install: Option<String>,
}

impl RpmPackage {
    /// Starts an `x86_64` package of a version like `1:2.3-4`.
    pub fn new(name: &str, evr: &str) -> Self {
        Self {
            name: name.to_owned(),
            evr: evr.to_owned(),
            architecture: "x86_64".to_owned(),
            relations: Relations::default(),
            files: vec![],
            copies: vec![],
            directories: vec![],
            links: vec![],
            ghosts: vec![],
            post_install: None,
        }
    }

    /// Makes it a package of another architecture.
    pub fn architecture(mut self, architecture: &str) -> Self {
        architecture.clone_into(&mut self.architecture);
        self
    }

    /// Adds to what it provides.
    pub fn provides(mut self, relation: &str) -> Self {
        self.relations.provides.push(relation.to_owned());
        self
    }

    /// Adds to what it requires.
    pub fn requires(mut self, relation: &str) -> Self {
        self.relations.requires.push(relation.to_owned());
        self
    }

    /// Adds to what it refuses.
    pub fn conflicts(mut self, relation: &str) -> Self {
        self.relations.conflicts.push(relation.to_owned());
        self
    }

    /// Adds to what it replaces.
    pub fn obsoletes(mut self, relation: &str) -> Self {
        self.relations.obsoletes.push(relation.to_owned());
        self
    }

    /// Adds to what it recommends.
    pub fn recommends(mut self, relation: &str) -> Self {
        self.relations.recommends.push(relation.to_owned());
        self
    }

    /// Adds to what it supplements.
    pub fn supplements(mut self, relation: &str) -> Self {
        self.relations.supplements.push(relation.to_owned());
        self
    }

    /// Adds a file; its mode may have the set-user-id bit.
    pub fn file(mut self, path: &str, content: &str, mode: u16) -> Self {
        self.files.push((path.to_owned(), content.to_owned(), mode));
        self
    }

    /// Adds a copy of a file.
    pub fn copy(mut self, source: &Path, path: &str, mode: u16) -> Self {
        self.copies.push((source.to_owned(), path.to_owned(), mode));
        self
    }

    /// Adds a directory.
    pub fn directory(mut self, path: &str, mode: u16) -> Self {
        self.directories.push((path.to_owned(), mode));
        self
    }

    /// Adds a symbolic link.
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.links.push((path.to_owned(), target.to_owned()));
        self
    }

    /// Adds a file that only the header has.
    pub fn ghost(mut self, path: &str) -> Self {
        self.ghosts.push(path.to_owned());
        self
    }

    /// Adds what the shell runs when it is installed.
    pub fn post_install(mut self, script: &str) -> Self {
        self.post_install = Some(script.to_owned());
        self
    }

    /// Returns the bytes of the `.rpm`.
    pub fn to_rpm(&self) -> Vec<u8> {
        let (epoch, rest) = self.evr.split_once(':').unwrap_or(("0", &self.evr));
        let (version, release) = rest.rsplit_once('-').unwrap();
        let mut builder = PackageBuilder::new(&self.name, version, "MIT", &self.architecture, "a fixture");
        builder.using_config(BuildConfig::v4().compression(CompressionWithLevel::None).source_date(1_700_000_000_u32));
        builder.epoch(epoch.parse().unwrap()).release(release);
        for (path, content, mode) in &self.files {
            let options = FileOptions::new(path.clone()).permissions(*mode);
            builder.with_file_contents(content.as_bytes(), options).unwrap();
        }
        for (source, path, mode) in &self.copies {
            builder.with_file(source, FileOptions::new(path.clone()).permissions(*mode)).unwrap();
        }
        for (path, mode) in &self.directories {
            builder.with_dir_entry(FileOptions::dir(path.clone()).permissions(*mode)).unwrap();
        }
        for (path, target) in &self.links {
            builder.with_symlink(FileOptions::symlink(path.clone(), target.clone())).unwrap();
        }
        for path in &self.ghosts {
            builder.with_ghost(FileOptions::ghost(path.clone())).unwrap();
        }
        if let Some(script) = &self.post_install {
            builder.post_install_script(Scriptlet::new(script.clone()).prog(vec!["/bin/sh"]));
        }
        self.relate(&mut builder);
        let mut bytes = Vec::new();
        builder.build().unwrap().write(&mut bytes).unwrap();
        bytes
    }

    fn relate(&self, builder: &mut PackageBuilder) {
        let Relations { provides, requires, conflicts, obsoletes, recommends, supplements } = &self.relations;
        provides.iter().for_each(|text| _ = builder.provides(dependency(text)));
        requires.iter().for_each(|text| _ = builder.requires(dependency(text)));
        conflicts.iter().for_each(|text| _ = builder.conflicts(dependency(text)));
        obsoletes.iter().for_each(|text| _ = builder.obsoletes(dependency(text)));
        recommends.iter().for_each(|text| _ = builder.recommends(dependency(text)));
        supplements.iter().for_each(|text| _ = builder.supplements(dependency(text)));
    }

    /// Returns the file's name.
    pub fn file_name(&self) -> String {
        let version = self.evr.rsplit(':').next().unwrap_or_default();
        format!("{}-{version}.{}.rpm", self.name, self.architecture)
    }
}

/// Reads `name >= version`; a rich dependency is one name.
fn dependency(text: &str) -> Dependency {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        [name, sign, version] if !text.starts_with('(') => match sign {
            "=" => Dependency::eq(name, version),
            "<" => Dependency::less(name, version),
            "<=" => Dependency::less_eq(name, version),
            ">" => Dependency::greater(name, version),
            ">=" => Dependency::greater_eq(name, version),
            _ => panic!("`{text}` has an unknown sign"),
        },
        _ => Dependency::any(text),
    }
}
