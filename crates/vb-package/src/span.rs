//! A segment before it is compressed: bytes of its own, and parts of files that need not be read yet.
//!
//! What a segment's bytes will be is known from its spans. So one that was compressed before is found again without
//! reading a file.

use std::{
    io::{self, Read},
    ops::Range,
};

use vb_graph::BlobDigest;

use crate::{
    contents::Open,
    error::{MemberError, WritePackageError},
    learnt::{Learner, Learnt, Wanted},
};

const BUFFER: usize = 128 << 10;

/// Some bytes of one file.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) path: String,
    pub(crate) blob: BlobDigest,
    /// The size of the whole file.
    pub(crate) size: u64,
    pub(crate) range: Range<u64>,
}

#[derive(Clone, Debug)]
enum Span {
    Literal(Vec<u8>),
    Part(Part),
}

/// What will be compressed together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    spans: Vec<Span>,
    size: usize,
}

impl Segment {
    /// Returns how many bytes it has.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.size += bytes.len();
        match self.spans.last_mut() {
            Some(Span::Literal(last)) => last.extend_from_slice(bytes),
            _ => self.spans.push(Span::Literal(bytes.to_vec())),
        }
    }

    pub(crate) fn push_part(&mut self, part: Part) {
        self.size += usize::try_from(part.range.end - part.range.start).expect("a part fits into a segment");
        self.spans.push(Span::Part(part));
    }

    /// Returns the digest of what the bytes are made of.
    pub(crate) fn digest(&self) -> BlobDigest {
        let mut text = Vec::new();
        for span in &self.spans {
            match span {
                Span::Literal(bytes) => {
                    text.push(b'b');
                    text.extend((bytes.len() as u64).to_le_bytes());
                    text.extend(bytes);
                }
                Span::Part(part) => {
                    text.push(b'p');
                    text.extend(part.blob.as_bytes());
                    text.extend([part.range.start, part.range.end, part.size].map(u64::to_le_bytes).as_flattened());
                }
            }
        }
        BlobDigest::of(&text)
    }

    /// Returns the files that begin here, in their order.
    pub(crate) fn beginnings(&self) -> impl Iterator<Item = &Part> {
        let parts = self.spans.iter().filter_map(|span| if let Span::Part(part) = span { Some(part) } else { None });
        parts.filter(|part| part.range.start == 0)
    }

    /// Reads the bytes, and learns the facts of the files that begin here.
    pub(crate) fn load(&self, open: &Open<'_>, wanted: Wanted) -> Result<(Vec<u8>, Vec<Learnt>), MemberError> {
        let (mut plain, mut facts) = (Vec::with_capacity(self.size), Vec::new());
        for span in &self.spans {
            match span {
                Span::Literal(bytes) => plain.extend_from_slice(bytes),
                Span::Part(part) => facts.extend(part.load(&mut plain, open, wanted)?),
            }
        }
        Ok((plain, facts))
    }
}

impl Part {
    /// Appends the bytes; the facts are those of the whole file, and known where it begins.
    fn load(&self, plain: &mut Vec<u8>, open: &Open<'_>, wanted: Wanted) -> Result<Option<Learnt>, MemberError> {
        let Range { start, end } = self.range;
        let begun = plain.len();
        let mut reader = open(&self.blob, start).map_err(|source| self.cannot_read(source))?;
        reader.by_ref().take(end - start).read_to_end(plain).map_err(|source| self.cannot_read(source))?;
        let found = start + (plain.len() - begun) as u64;
        if found < end {
            return Err(self.has_size(found));
        }
        if start > 0 {
            return Ok(None);
        }
        let mut facts = Learner::new(wanted);
        facts.read(&plain[begun..]);
        self.read_rest(reader, end, &mut |bytes| {
            facts.read(bytes);
            Ok(())
        })?;
        Ok(Some(facts.finish()))
    }

    /// Reads the whole file, piece by piece.
    pub(crate) fn stream(
        &self,
        open: &Open<'_>,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), MemberError> {
        let reader = open(&self.blob, 0).map_err(|source| self.cannot_read(source))?;
        self.read_rest(reader, 0, sink)
    }

    /// Reads what follows in the file, which must end where its size says.
    fn read_rest(
        &self,
        mut reader: Box<dyn Read>,
        mut found: u64,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), MemberError> {
        // One byte more than there should be, to see whether there is.
        let rest = usize::try_from(self.size.saturating_sub(found)).map_or(BUFFER, |rest| BUFFER.min(rest + 1));
        let mut buffer = vec![0; rest];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.cannot_read(error)),
            };
            found += read.len() as u64;
            if found > self.size {
                break;
            }
            sink(read)?;
        }
        if found == self.size { Ok(()) } else { Err(self.has_size(found)) }
    }

    fn cannot_read(&self, source: io::Error) -> MemberError {
        MemberError::File(WritePackageError::ReadBlob { path: self.path.clone(), blob: self.blob, source })
    }

    fn has_size(&self, found: u64) -> MemberError {
        let Self { path, blob, size, .. } = self;
        MemberError::File(WritePackageError::BlobSize { path: path.clone(), blob: *blob, declared: *size, found })
    }
}
