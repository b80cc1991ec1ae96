//! XML as a stream of elements, for indexes of any size.
//!
//! Entities other than XML's own five and character references are an error, so no text can grow.

use std::io::BufRead;

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

/// An index is not the XML that it should be.
#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    /// It is no XML, or the bytes cannot be read or decompressed.
    #[error("it cannot be read as XML")]
    Syntax {
        /// What is wrong with it.
        #[source]
        source: quick_xml::Error,
    },
    /// It ends before its last element does.
    #[error("it ends inside of `{element}`")]
    Truncated {
        /// The innermost element that is open.
        element: String,
    },
    /// It has an entity that XML does not define.
    #[error("it has the entity `{entity}`, which XML does not define")]
    Entity {
        /// The entity's name.
        entity: String,
    },
    /// An element has not the content that its format says.
    #[error("the {element} of `{parent}` is missing or makes no sense")]
    Content {
        /// The element.
        element: &'static str,
        /// What it should describe.
        parent: String,
    },
}

impl From<quick_xml::Error> for XmlError {
    fn from(source: quick_xml::Error) -> Self {
        Self::Syntax { source }
    }
}

/// The begin or the end of an element; names are without their namespace's prefix.
#[derive(Debug)]
pub(crate) enum Node {
    Start { name: String, attributes: Attributes },
    End { name: String, text: String },
}

/// An element's attributes.
#[derive(Debug)]
pub(crate) struct Attributes(Vec<(String, String)>);

impl Attributes {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one document.
pub(crate) struct XmlReader<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
    text: String,
    open: Vec<String>,
}

impl<R: BufRead> XmlReader<R> {
    pub(crate) fn new(input: R) -> Self {
        let mut reader = Reader::from_reader(input);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), text: String::new(), open: Vec::new() }
    }

    /// Returns the next begin or end of an element, or nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Node>, XmlError> {
        loop {
            self.buffer.clear();
            match self.reader.read_event_into(&mut self.buffer)? {
                Event::Start(start) => {
                    let name = start.local_name().as_ref().to_owned();
                    let attributes = attributes(&start)?;
                    self.text.clear();
                    self.open.push(name.clone());
                    return Ok(Some(Node::Start { name, attributes }));
                }
                Event::End(end) => {
                    let name = end.local_name().as_ref().to_owned();
                    self.open.pop();
                    return Ok(Some(Node::End { name, text: std::mem::take(&mut self.text) }));
                }
                Event::Text(text) => self.text.push_str(&text.xml10_content()),
                Event::CData(data) => self.text.push_str(&data.xml10_content()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                    Some(character) => self.text.push(character),
                    None => self.text.push_str(resolve(&reference.xml10_content())?),
                },
                Event::Eof => {
                    return match self.open.pop() {
                        None => Ok(None),
                        Some(element) => Err(XmlError::Truncated { element }),
                    };
                }
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }
}

fn resolve(entity: &str) -> Result<&'static str, XmlError> {
    resolve_predefined_entity(entity).ok_or_else(|| XmlError::Entity { entity: entity.to_owned() })
}

fn attributes(start: &BytesStart<'_>) -> Result<Attributes, XmlError> {
    let mut found = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(quick_xml::Error::from)?;
        let name = attribute.key.local_name().as_ref().to_owned();
        found.push((name, attribute.normalized_value(XmlVersion::Explicit1_0)?.into_owned()));
    }
    Ok(Attributes(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, XmlError> {
        let mut reader = XmlReader::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(node) = reader.next()? {
            found.push(match node {
                Node::Start { name, attributes } => format!("<{name} {:?}", attributes.get("a")),
                Node::End { name, text } => format!("{name}> {text}"),
            });
        }
        Ok(found)
    }

    #[test]
    fn elements_come_with_their_texts_and_attributes() {
        let text = "<?xml version=\"1.0\"?><r><rpm:e a=\"1 &lt; &#50;\"/><f>x&amp;<![CDATA[<y>]]>&#x7a;</f></r>";
        let expect = ["<r None", "<e Some(\"1 < 2\")", "e> ", "<f None", "f> x&<y>z", "r> "];
        assert_eq!(read(text).unwrap(), expect);
    }

    #[test]
    fn a_truncated_document_and_unknown_entities_are_errors() {
        assert!(matches!(read("<r><f>x"), Err(XmlError::Truncated { element }) if element == "f"));
        assert!(matches!(read("<r>&other;</r>"), Err(XmlError::Entity { entity }) if entity == "other"));
        assert!(matches!(read("<r></f>"), Err(XmlError::Syntax { .. })));
        assert!(matches!(read("<r><f"), Err(XmlError::Syntax { .. })));
    }
}
