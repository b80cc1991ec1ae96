//! Compressed copies of static files, for servers that send them as they are.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use rayon::prelude::*;
use vb_graph::{ContentCoding, Node, Precompress};
use vb_store::Listing;

use crate::{
    builder::Builder,
    error::{ExecuteError, StepError},
    inputs::Inputs,
};

/// Files of these kinds gain by compression; images and web fonts are compressed already.
const EXTENSIONS: [&str; 16] =
    ["css", "csv", "eot", "htm", "html", "ico", "js", "json", "map", "mjs", "otf", "svg", "ttf", "txt", "wasm", "xml"];

/// The strongest settings of each coding: a file is compressed once, and sent many times.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW: u32 = 22;
const ZSTD_LEVEL: i32 = 19;

impl Builder {
    pub(super) fn precompress(&self, precompress: &Precompress, inputs: &Inputs) -> Result<Node, ExecuteError> {
        let tree = self.laid_over(inputs)?;
        let gains = |path: &str| path.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension));
        let files: Vec<(&str, &Node)> = tree.entries().filter(|(path, _)| gains(path)).collect();
        if files.is_empty() {
            return Err(StepError::NothingToDo { what: "static file that could be compressed" }.into());
        }
        let pairs: Vec<(&str, &Node, ContentCoding)> = files
            .into_iter()
            .flat_map(|(path, node)| precompress.codings.iter().map(move |coding| (path, node, *coding)))
            .collect();
        let copies = self.on_data_pool(|| {
            pairs
                .into_par_iter()
                .map(|(path, node, coding)| self.copy(path, node, coding))
                .collect::<Result<Vec<_>, _>>()
        })?;
        self.put_output(&copies.into_iter().flatten().collect::<Listing>())
    }

    /// Compresses one file; `None` when the copy would not be smaller.
    fn copy(&self, path: &str, node: &Node, coding: ContentCoding) -> Result<Option<(String, Node)>, ExecuteError> {
        let Node::File { blob, mode, .. } = node else { return Ok(None) };
        let bytes = self.store.read_blob(blob)?;
        let copy = compress(&bytes, coding).map_err(ExecuteError::Store)?;
        if copy.len() >= bytes.len() {
            return Ok(None);
        }
        let blob = self.store.put_bytes(&copy).map_err(ExecuteError::Store)?;
        let node = Node::File { blob, size: copy.len() as u64, mode: *mode };
        Ok(Some((format!("{path}.{}", coding.extension()), node)))
    }
}

/// Compresses on one thread, without a time or a name in the header: the same bytes everywhere.
fn compress(bytes: &[u8], coding: ContentCoding) -> io::Result<Vec<u8>> {
    match coding {
        ContentCoding::Gzip => {
            let mut gzip = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::best());
            gzip.write_all(bytes)?;
            gzip.finish()
        }
        ContentCoding::Brotli => {
            let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, BROTLI_QUALITY, BROTLI_WINDOW);
            brotli.write_all(bytes)?;
            brotli.flush()?;
            Ok(brotli.into_inner())
        }
        ContentCoding::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const TEXT: &[u8] = b"body { color: red }\nbody { color: red }\nbody { color: red }\n";

    #[test]
    fn each_copy_unpacks_to_the_file() {
        let mut gzip = Vec::new();
        flate2::read::GzDecoder::new(&*compress(TEXT, ContentCoding::Gzip).unwrap()).read_to_end(&mut gzip).unwrap();
        let mut brotli = Vec::new();
        let copy = compress(TEXT, ContentCoding::Brotli).unwrap();
        brotli::Decompressor::new(&*copy, 4096).read_to_end(&mut brotli).unwrap();
        let zstd = zstd::decode_all(&*compress(TEXT, ContentCoding::Zstd).unwrap()).unwrap();
        assert_eq!([gzip, brotli, zstd], [TEXT, TEXT, TEXT]);
    }

    #[test]
    fn a_gzip_header_has_no_time_name_or_system() {
        assert_eq!(compress(TEXT, ContentCoding::Gzip).unwrap()[3..10], [0, 0, 0, 0, 0, 2, 255]);
    }
}
