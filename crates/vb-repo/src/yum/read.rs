//! Reads the indexes of existing repositories: `repomd.xml` and `primary.xml`.
//!
//! Elements that vb does not know are passed over, as clients do.

use std::io::BufRead;

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

use super::{
    package::{EpochVersionRelease, IndexedPackage},
    repomd::IndexEntry,
};

/// An index could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadRepodataError {
    /// It is not XML.
    #[error("cannot read the index")]
    Xml(#[source] quick_xml::Error),
    /// It ends before its root element does.
    #[error("the index is cut off")]
    Truncated,
    /// An element lacks something, or has a number that is none.
    #[error("an element `{element}` of the index has no valid `{what}`")]
    Invalid {
        /// The element.
        element: &'static str,
        /// What it lacks.
        what: &'static str,
    },
}

impl<E: Into<quick_xml::Error>> From<E> for ReadRepodataError {
    fn from(error: E) -> Self {
        Self::Xml(error.into())
    }
}

/// Reads `repomd.xml`: all files that it names.
///
/// # Errors
/// [`ReadRepodataError`] when it is no XML, cut off, or names a file without its place or its checksum.
pub fn read_repomd(xml: impl BufRead) -> Result<Vec<IndexEntry>, ReadRepodataError> {
    let mut entries = Vec::new();
    walk(xml, "data", |element| {
        let invalid = |what| ReadRepodataError::Invalid { element: "data", what };
        let checksum = element.child("checksum").ok_or_else(|| invalid("checksum"))?;
        entries.push(IndexEntry {
            kind: element.root.attribute("type").ok_or_else(|| invalid("type"))?,
            href: element.attribute("location", "href").ok_or_else(|| invalid("location"))?,
            checksum_type: checksum.attribute("type").ok_or_else(|| invalid("checksum"))?,
            checksum: checksum.text.clone(),
            size: element.child("size").and_then(|size| size.text.parse().ok()),
        });
        Ok(())
    })?;
    Ok(entries)
}

/// Reads `primary.xml`, and gives one package after another to `each`.
///
/// # Errors
/// [`ReadRepodataError`] when it is no XML, cut off, or a package lacks its name, version, place or checksum.
pub fn read_primary(xml: impl BufRead, mut each: impl FnMut(IndexedPackage)) -> Result<(), ReadRepodataError> {
    walk(xml, "package", |element| {
        let invalid = |what| ReadRepodataError::Invalid { element: "package", what };
        let text = |name, what| element.child(name).map(|child| child.text.clone()).ok_or_else(|| invalid(what));
        let version = |name| element.attribute("version", name).ok_or_else(|| invalid("version"));
        each(IndexedPackage {
            name: text("name", "name")?,
            architecture: text("arch", "arch")?,
            version: EpochVersionRelease {
                epoch: version("epoch")?,
                version: version("ver")?,
                release: version("rel")?,
            },
            checksum_type: element.attribute("checksum", "type").ok_or_else(|| invalid("checksum"))?,
            checksum: text("checksum", "checksum")?,
            size: element
                .attribute("size", "package")
                .and_then(|size| size.parse().ok())
                .ok_or_else(|| invalid("size"))?,
            href: element.attribute("location", "href").ok_or_else(|| invalid("location"))?,
            base: element.attribute("location", "xml:base"),
        });
        Ok(())
    })
}

/// An element with its attributes and its text.
#[derive(Debug, Default)]
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

impl Tag {
    fn of(start: &BytesStart<'_>) -> Result<Self, ReadRepodataError> {
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(Self { name: start.name().as_ref().to_owned(), attributes, text: String::new() })
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

/// An element and those directly in it.
#[derive(Debug, Default)]
struct Element {
    root: Tag,
    children: Vec<Tag>,
}

impl Element {
    fn child(&self, name: &str) -> Option<&Tag> {
        self.children.iter().find(|child| child.name == name)
    }

    fn attribute(&self, child: &str, name: &str) -> Option<String> {
        self.child(child)?.attribute(name)
    }
}

/// The element that holds what a package needs.
const REQUIRES: &str = "rpm:requires";

/// How deep an element is: the document's, the ones that are wanted, those in them.
const ROOT: usize = 1;
const WANTED: usize = 2;
const CHILD: usize = 3;

/// Calls `each` for every element of a name directly below the root.
fn walk(
    xml: impl BufRead,
    wanted: &str,
    mut each: impl FnMut(&Element) -> Result<(), ReadRepodataError>,
) -> Result<(), ReadRepodataError> {
    let mut reader = Reader::from_reader(xml);
    reader.config_mut().expand_empty_elements = true;
    let (mut buffer, mut element, mut depth) = (Vec::new(), Element::default(), 0);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer)? {
            Event::Start(start) => {
                depth += 1;
                match depth {
                    WANTED => element = Element { root: Tag::of(&start)?, children: Vec::new() },
                    CHILD => element.children.push(Tag::of(&start)?),
                    _ => {}
                }
            }
            Event::End(_) => {
                if depth == WANTED && element.root.name == wanted {
                    each(&element)?;
                }
                depth -= 1;
                if depth < ROOT {
                    return Ok(());
                }
            }
            Event::Text(text) if depth == CHILD => push(&mut element, &text.xml10_content()),
            Event::GeneralRef(reference) if depth == CHILD => match reference.resolve_char_ref()? {
                Some(character) => push(&mut element, character.encode_utf8(&mut [0; 4])),
                None => push(&mut element, resolve_predefined_entity(&reference).unwrap_or_default()),
            },
            Event::Eof => return Err(ReadRepodataError::Truncated),
            _ => {}
        }
    }
}

/// Returns name and version of what a `package` element of `primary.xml` requires in one version alone.
///
/// The element is of vb's own making; what is no XML in it requires nothing.
pub(crate) fn exact_requirements(package: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(package);
    let (mut found, mut is_inside) = (Vec::new(), false);
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(start) => is_inside = start.name().as_ref() as &str == REQUIRES,
            Event::Empty(start) if is_inside => found.extend(Tag::of(&start).ok().and_then(|tag| exact(&tag))),
            Event::Eof => break,
            _ => {}
        }
    }
    found
}

fn exact(entry: &Tag) -> Option<(String, String)> {
    let name = entry.attribute("name")?;
    if entry.attribute("flags")? != "EQ" {
        return None;
    }
    let release = entry.attribute("rel").map(|release| format!("-{release}")).unwrap_or_default();
    Some((name, format!("{}:{}{release}", entry.attribute("epoch")?, entry.attribute("ver")?)))
}

fn push(element: &mut Element, text: &str) {
    if let Some(child) = element.children.last_mut() {
        child.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">
<package type="rpm"><name>a&amp;b&#x21;</name><arch>noarch</arch><version epoch="1" ver="2.0" rel="3"/>
<checksum type="sha256" pkgid="YES">00ff</checksum><summary>not <b>here</b></summary>
<size package="10" installed="20" archive="30"/><location xml:base="https://other.example.org/" href="p/a&amp;b.rpm"/>
<format><rpm:license>MIT</rpm:license><name>not this one</name></format></package>
</metadata>"#;

    #[test]
    fn packages_are_read() {
        let mut packages = Vec::new();
        read_primary(PRIMARY.as_bytes(), |package| packages.push(package)).unwrap();
        let expected = IndexedPackage {
            name: "a&b!".to_owned(),
            architecture: "noarch".to_owned(),
            version: EpochVersionRelease::parse("1:2.0-3"),
            checksum_type: "sha256".to_owned(),
            checksum: "00ff".to_owned(),
            size: 10,
            href: "p/a&b.rpm".to_owned(),
            base: Some("https://other.example.org/".to_owned()),
        };
        assert_eq!(packages, [expected]);
    }

    #[test]
    fn what_is_required_in_one_version_is_found_and_nothing_else() {
        let package = r#"<package><format><rpm:provides><rpm:entry name="o" flags="EQ" epoch="0" ver="1"/></rpm:provides>
<rpm:requires><rpm:entry name="a" flags="EQ" epoch="0" ver="1.0" rel="2"/><rpm:entry name="b" flags="GE" epoch="0" ver="1"/>
<rpm:entry name="c"/><rpm:entry name="d&amp;e" flags="EQ" epoch="1" ver="3"/></rpm:requires>
<rpm:suggests><rpm:entry name="f" flags="EQ" epoch="0" ver="1"/></rpm:suggests></format></package>"#;
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(exact_requirements(package), [pair("a", "0:1.0-2"), pair("d&e", "1:3")]);
    }

    #[test]
    fn an_index_that_is_cut_off_at_any_place_is_an_error() {
        let whole = PRIMARY.trim_end();
        for end in 0..whole.len() {
            assert!(read_primary(&whole.as_bytes()[..end], |_| ()).is_err(), "{}", &whole[..end]);
        }
    }

    #[test]
    fn a_package_without_its_place_is_refused() {
        let text = PRIMARY.replace("href=", "ref=");
        let error = read_primary(text.as_bytes(), |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "an element `package` of the index has no valid `location`");
    }
}
