//! Decompression by what a stream begins with, whatever its file is called.

use std::io::{self, BufRead, Read};

/// Returns the plain bytes of a stream that is compressed with gzip, xz or zstd, or not at all.
pub(crate) fn decompress<'a>(mut input: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match input.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(input)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::with_buffer(input)?),
        _ => Box::new(input),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_form_gives_the_same_bytes() {
        let plain = b"some text".to_vec();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&plain).unwrap();
        let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
        for bytes in [plain.clone(), gzip.finish().unwrap(), xz.finish().unwrap(), zstd] {
            let mut read = Vec::new();
            decompress(bytes.as_slice()).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, plain);
        }
    }
}
