//! Project pages of a simple index: JSON (PEP 691) and HTML (PEP 503), and find-links pages, which are HTML too.
//!
//! The HTML reader looks for `<a href=…>` and `<base href=…>` and for nothing else: real pages are generated, but not all are well-formed.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::location::{file_name, join};

/// One file that a page links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageFile {
    pub(crate) name: String,
    pub(crate) location: String,
    /// The SHA-256 that the page gives, in lower-case hexadecimal digits.
    pub(crate) sha256: Option<String>,
    /// What else the page says of it, as the keys of PEP 691: `hashes`, `requires-python`, `yanked`, `core-metadata`, …
    pub(crate) details: Map<String, Value>,
}

#[derive(Deserialize)]
struct JsonPage {
    files: Vec<JsonFile>,
}

#[derive(Deserialize)]
struct JsonFile {
    filename: String,
    url: String,
    #[serde(flatten)]
    details: Map<String, Value>,
}

/// Reads a page of either kind; `page` is where it was fetched from.
pub(crate) fn read(page: &str, bytes: &[u8]) -> Result<Vec<PageFile>, serde_json::Error> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => read_json(page, bytes),
        _ => Ok(read_html(page, &String::from_utf8_lossy(bytes))),
    }
}

fn read_json(page: &str, bytes: &[u8]) -> Result<Vec<PageFile>, serde_json::Error> {
    let parsed: JsonPage = serde_json::from_slice(bytes)?;
    let files = parsed.files.into_iter().filter_map(|file| {
        let hash = file.details.get("hashes").and_then(|hashes| hashes.get("sha256"));
        let sha256 = hash.and_then(Value::as_str).map(str::to_ascii_lowercase);
        let location = join(page, &file.url)?.to_string();
        Some(PageFile { name: file.filename, location, sha256, details: file.details })
    });
    Ok(files.collect())
}

fn read_html(page: &str, text: &str) -> Vec<PageFile> {
    let mut base = page.to_owned();
    let mut files = Vec::new();
    for tag in tags(text) {
        let Some((name, attributes)) = tag.split_once(|character: char| character.is_ascii_whitespace()) else {
            continue;
        };
        let Some(reference) = attribute(attributes, "href") else { continue };
        if name.eq_ignore_ascii_case("base") {
            base = join(page, &reference).map_or(base, |url| url.to_string());
        } else if name.eq_ignore_ascii_case("a") {
            files.extend(html_file(&base, &reference, attributes));
        }
    }
    files
}

fn html_file(base: &str, reference: &str, attributes: &str) -> Option<PageFile> {
    let mut url = join(base, reference)?;
    let hashes: Map<String, Value> = url
        .fragment()
        .into_iter()
        .flat_map(|fragment| fragment.split('&'))
        .filter_map(|part| part.split_once('='))
        .filter(|(algorithm, _)| HASHES.contains(algorithm))
        .map(|(algorithm, digest)| (algorithm.to_owned(), digest.to_ascii_lowercase().into()))
        .collect();
    let sha256 = hashes.get("sha256").and_then(Value::as_str).map(str::to_owned);
    url.set_fragment(None);
    let mut details = data_of(attributes);
    details.insert("hashes".to_owned(), hashes.into());
    Some(PageFile { name: file_name(&url)?, location: url.to_string(), sha256, details })
}

/// The hash functions of a link's fragment.
const HASHES: [&str; 6] = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

/// Reads the `data-` attributes of a link as the keys that PEP 691 has for them.
fn data_of(attributes: &str) -> Map<String, Value> {
    let mut details = Map::new();
    if let Some(python) = attribute(attributes, "data-requires-python") {
        details.insert("requires-python".to_owned(), python.into());
    }
    if let Some(reason) = attribute(attributes, "data-yanked") {
        let value = if reason.is_empty() { true.into() } else { reason.into() };
        details.insert("yanked".to_owned(), value);
    }
    let metadata = ["data-core-metadata", "data-dist-info-metadata"];
    if let Some(value) = metadata.iter().find_map(|name| attribute(attributes, name)) {
        let value = match value.split_once('=') {
            Some((algorithm, digest)) => Map::from_iter([(algorithm.to_owned(), digest.into())]).into(),
            None => true.into(),
        };
        details.insert("core-metadata".to_owned(), value);
    }
    details
}

/// Iterates over what stands between `<` and `>`, outside comments.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[rest.find('<')? + 1..];
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = &comment[comment.find("-->").map_or(comment.len(), |end| end + 3)..];
                continue;
            }
            let tag = &rest[..tag_end(rest)?];
            rest = &rest[tag.len()..];
            return Some(tag);
        }
    })
}

/// Finds the `>` that ends a tag; one inside a quoted value (`data-requires-python=">=3.8"`) does not.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(position, character)| match (quote, character) {
        (None, '>') => Some(position),
        (None, '"' | '\'') => {
            quote = Some(character);
            None
        }
        (Some(open), _) if open == character => {
            quote = None;
            None
        }
        _ => None,
    })
}

/// Returns an attribute's value, with the entities that occur in URLs decoded.
fn attribute(mut rest: &str, wanted: &str) -> Option<String> {
    loop {
        rest = rest.trim_start();
        let name_end = rest.find(|character: char| character == '=' || character.is_ascii_whitespace())?;
        let name = &rest[..name_end];
        rest = rest[name_end..].trim_start();
        let Some(after) = rest.strip_prefix('=') else { continue };
        let after = after.trim_start();
        let (value, tail) = match after.chars().next().filter(|first| matches!(first, '"' | '\'')) {
            Some(quote) => after[1..].split_once(quote)?,
            None => after.split_once(|character: char| character.is_ascii_whitespace()).unwrap_or((after, "")),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(unescape(value.trim()));
        }
        rest = tail;
    }
}

fn unescape(value: &str) -> String {
    let replacements = [("&#43;", "+"), ("&#x2B;", "+"), ("&#x2b;", "+"), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&")];
    replacements.iter().fold(value.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

#[cfg(test)]
mod tests {
    const PAGE: &str = "https://index.example/simple/a/";

    type Found = (String, String, Option<String>);

    fn file(name: &str, location: &str, sha256: Option<&str>) -> Found {
        (name.into(), location.into(), sha256.map(str::to_owned))
    }

    fn read(page: &str, bytes: &[u8]) -> Result<Vec<Found>, serde_json::Error> {
        let files = super::read(page, bytes)?.into_iter();
        Ok(files.map(|file| (file.name, file.location, file.sha256)).collect())
    }

    #[test]
    fn both_kinds_of_pages_say_the_same_of_a_file() {
        let html = "<a href='a.whl#sha256=AB' data-requires-python='&gt;=3.8' data-yanked='' data-core-metadata='sha256=cd'>a</a>\
                    <a href='b.whl' data-yanked='bad' data-dist-info-metadata=true>b</a>";
        let json = r#"{"files": [
            {"filename": "a.whl", "url": "a.whl", "hashes": {"sha256": "ab"}, "requires-python": ">=3.8", "yanked": true, "core-metadata": {"sha256": "cd"}},
            {"filename": "b.whl", "url": "b.whl", "hashes": {}, "yanked": "bad", "core-metadata": true}]}"#;
        assert_eq!(super::read(PAGE, html.as_bytes()).unwrap(), super::read(PAGE, json.as_bytes()).unwrap());
    }

    #[test]
    fn a_json_page_gives_names_locations_and_digests() {
        let page = br#" {"meta": {"api-version": "1.1"}, "name": "a", "files": [
            {"filename": "a-1.0.tar.gz", "url": "../../files/a-1.0.tar.gz", "hashes": {"sha256": "AB"}, "size": 3},
            {"filename": "a-2.0.tar.gz", "url": "https://files.example/x", "hashes": {}}]}"#;
        assert_eq!(
            read(PAGE, page).unwrap(),
            [
                file("a-1.0.tar.gz", "https://index.example/files/a-1.0.tar.gz", Some("ab")),
                file("a-2.0.tar.gz", "https://files.example/x", None),
            ]
        );
    }

    #[test]
    fn an_html_page_is_read_tolerantly() {
        let page = br#"<!DOCTYPE html><html><body><!-- <a href="commented-1.0.whl">no</a> -->
            <a data-requires-python="&gt;=3.8 > x" HREF='a-1.0.whl#sha256=AB'>a</a>
            <A rel=internal href=b%2B1.0.whl>b</A><a name="top">no link</a>
            <a href="/c.whl?x=1&amp;y=2#md5=00">c</a><br><a href="../">up</a></body>"#;
        assert_eq!(
            read(PAGE, page).unwrap(),
            [
                file("a-1.0.whl", "https://index.example/simple/a/a-1.0.whl", Some("ab")),
                file("b+1.0.whl", "https://index.example/simple/a/b%2B1.0.whl", None),
                file("c.whl", "https://index.example/c.whl?x=1&y=2", None),
            ]
        );
    }

    #[test]
    fn a_base_element_moves_relative_links() {
        let page = br#"<head><base href="https://files.example/d/"></head><a href="a.whl">a</a>"#;
        assert_eq!(read(PAGE, page).unwrap(), [file("a.whl", "https://files.example/d/a.whl", None)]);
    }

    #[test]
    fn unfinished_pages_end_without_a_loop() {
        for page in ["", "<", "<a href=", "<a href='x", "<!-- <a href=x>", "<a =>", "plain text"] {
            assert_eq!(read(PAGE, page.as_bytes()).unwrap(), [], "{page}");
        }
        assert!(read(PAGE, b"{\"files\": [").is_err());
    }
}
