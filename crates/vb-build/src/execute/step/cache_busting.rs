//! A marker in a file, replaced by a text that changes when they do, so that no browser keeps what is old.

use vb_graph::{BlobDigest, BustCaches, CacheToken, InputDigest, Node};
use vb_store::Listing;

use super::find_file;
use crate::{
    builder::Builder,
    error::{ExecuteError, StepError},
    inputs::Inputs,
};

/// How many hexadecimal digits of the content's digest are written.
const DIGITS: usize = 12;

impl Builder {
    pub(super) fn bust_caches(&self, bust: &BustCaches, inputs: &Inputs) -> Result<Node, ExecuteError> {
        let token = match &bust.token {
            CacheToken::Version(version) => version.clone(),
            CacheToken::Content => content_token(inputs),
        };
        let tree = self.laid_over(inputs)?;
        let path = find_file(&tree, &bust.file)?;
        let no_marker = || StepError::NoMarker { path: path.to_owned(), marker: bust.marker.clone() };
        let Some(Node::File { blob, mode, .. }) = tree.get(path) else { return Err(no_marker().into()) };
        let bytes = self.store.read_blob(blob)?;
        let replaced = replace(&bytes, bust.marker.as_bytes(), token.as_bytes()).ok_or_else(no_marker)?;
        let blob = self.store.put_bytes(&replaced).map_err(ExecuteError::Store)?;
        let node = Node::File { blob, size: replaced.len() as u64, mode: *mode };
        self.put_output(&Listing::from_iter([(path.to_owned(), node)]))
    }
}

/// Digests everything that the inputs of the content select.
fn content_token(inputs: &Inputs) -> String {
    let digests = inputs.with_outputs().filter(|(name, ..)| name.starts_with("content"));
    let text: String = digests
        .map(|(_, _, digest, _)| match digest {
            InputDigest::Node(Node::Directory { digest, .. }) => format!("{digest}\n"),
            other => unreachable!("content is a directory, not {other}"),
        })
        .collect();
    BlobDigest::of(text.as_bytes()).to_string()[..DIGITS].to_owned()
}

/// Replaces every occurrence; `None` when there is none.
fn replace(bytes: &[u8], marker: &[u8], token: &[u8]) -> Option<Vec<u8>> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(marker.len()).position(|window| window == marker) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(token);
        rest = &rest[at + marker.len()..];
    }
    if rest.len() == bytes.len() {
        return None;
    }
    replaced.extend_from_slice(rest);
    Some(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marker_is_replaced_and_everything_else_stays() {
        let replaced = replace(b"a?v=MARK b?v=MARK\xff", b"MARK", b"1.0").unwrap();
        assert_eq!(replaced, b"a?v=1.0 b?v=1.0\xff");
        assert_eq!(replace(b"MARKMARK", b"MARK", b"").unwrap(), b"");
    }

    #[test]
    fn a_text_without_marker_is_told() {
        for text in [&b""[..], b"MAR", b"mark"] {
            assert_eq!(replace(text, b"MARK", b"1.0"), None);
        }
    }
}
