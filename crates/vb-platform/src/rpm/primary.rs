//! `primary.xml` and `filelists.xml`: the packages of a repository, and all of their files.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufRead,
};

use vb_graph::Sha256;

use super::{
    index::IndexPackage,
    relation::Capability,
    repomd::is_plain_path,
    version::{Range, Version},
    xml::{Attributes, Node, XmlError, XmlReader},
};

/// Reads the binary packages of a `primary.xml`.
pub(crate) fn read_primary(input: impl BufRead) -> Result<Vec<IndexPackage>, XmlError> {
    let mut reader = XmlReader::new(input);
    let mut packages = Vec::new();
    let mut draft = Draft::default();
    while let Some(node) = reader.next()? {
        match node {
            Node::Start { name, attributes } => draft.start(&name, &attributes),
            Node::End { name, .. } if name == "package" => {
                let finished = std::mem::take(&mut draft);
                if !["src", "nosrc"].contains(&finished.architecture.as_str()) {
                    packages.push(finished.finish()?);
                }
            }
            Node::End { name, text } => draft.end(&name, text),
        }
    }
    Ok(packages)
}

/// What is known of a package while its element is read.
#[derive(Default)]
struct Draft {
    name: String,
    architecture: String,
    version: Option<Version>,
    digest_type: String,
    digest: String,
    size: String,
    location: String,
    list: String,
    lists: BTreeMap<String, Vec<Capability>>,
    files: Vec<String>,
}

impl Draft {
    fn start(&mut self, element: &str, attributes: &Attributes) {
        let value = |name: &str| attributes.get(name).unwrap_or_default().to_owned();
        match element {
            "version" => {
                self.version = Some(Version::new(&value("epoch"), &value("ver"), attributes.get("rel")));
            }
            "checksum" => self.digest_type = value("type"),
            "size" => self.size = value("package"),
            "location" => self.location = value("href"),
            "entry" => {
                let capability = Capability { name: value("name"), range: range(attributes) };
                self.lists.entry(self.list.clone()).or_default().push(capability);
            }
            list => list.clone_into(&mut self.list),
        }
    }

    fn end(&mut self, element: &str, text: String) {
        match element {
            "name" => self.name = text,
            "arch" => self.architecture = text,
            "checksum" => self.digest = text,
            "file" => self.files.push(text),
            _ => {}
        }
    }

    fn finish(mut self) -> Result<IndexPackage, XmlError> {
        let name = self.name.clone();
        let content = |element| XmlError::Content { element, parent: name.clone() };
        let is_name = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace) && !text.contains('/');
        if !is_name(&self.name) {
            return Err(content("name"));
        }
        if !is_name(&self.architecture) {
            return Err(content("arch"));
        }
        if !is_plain_path(&self.location) {
            return Err(content("location"));
        }
        let sha256: Option<Sha256> =
            Some(&self.digest).filter(|_| self.digest_type == "sha256").and_then(|hex| hex.parse().ok());
        let mut list = |name: &str| self.lists.remove(name).unwrap_or_default();
        Ok(IndexPackage {
            provides: list("provides"),
            requires: list("requires"),
            conflicts: list("conflicts"),
            obsoletes: list("obsoletes"),
            wishes: [list("recommends"), list("suggests")],
            offers: [list("supplements"), list("enhances")],
            version: self.version.filter(|version| is_name(&version.to_string())).ok_or_else(|| content("version"))?,
            sha256: sha256.ok_or_else(|| content("SHA-256"))?,
            size: self.size.parse().map_err(|_| content("size"))?,
            name: self.name,
            architecture: self.architecture,
            location: self.location,
            files: self.files,
            repository: 0,
        })
    }
}

fn range(attributes: &Attributes) -> Range {
    let value = |name: &str| attributes.get(name).unwrap_or_default();
    let version = Version::new(value("epoch"), value("ver"), attributes.get("rel"));
    Range::new(value("flags"), version).unwrap_or(Range::All)
}

/// Reads from a `filelists.xml` which packages, by the SHA-256 of their files, have some of the wanted paths.
pub(crate) fn read_filelists(
    input: impl BufRead,
    wanted: &BTreeSet<String>,
) -> Result<Vec<(Sha256, String)>, XmlError> {
    let mut reader = XmlReader::new(input);
    let mut found = Vec::new();
    let mut package = None;
    while let Some(node) = reader.next()? {
        match node {
            Node::Start { name, attributes } if name == "package" => {
                package = attributes.get("pkgid").and_then(|digest| digest.parse::<Sha256>().ok());
            }
            Node::End { name, text } if name == "file" && wanted.contains(&text) => {
                found.extend(package.map(|package| (package, text)));
            }
            _ => {}
        }
    }
    Ok(found)
}
