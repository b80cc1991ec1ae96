//! Signatures of indexes and packages, by one key or by several at once.
//!
//! Several keys sign while one replaces another: a client that knows either accepts the index.

mod check;
mod key;
mod program;

use std::io;

use pgp::{
    armor::{self, BlockType},
    composed::{ArmorOptions, CleartextSignedMessage},
    packet::{Packet, Signature},
    ser::Serialize,
};

pub use self::{
    check::{CheckSignatureError, PublicKeys},
    key::{KeyAlgorithm, KeyError, KeySigner, generate_key},
    program::{GpgSigner, ProgramSigner},
};

/// What makes signatures of one key.
#[derive(Debug)]
pub enum Signer {
    /// A key that is in memory.
    Key(KeySigner),
    /// The machine's gpg, and the agent, card or module behind it.
    Gpg(GpgSigner),
    /// A program: a key management service, a security module.
    Program(ProgramSigner),
}

/// Something could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key in memory did not sign.
    #[error("the key `{key}` cannot sign")]
    Key {
        /// Its fingerprint.
        key: String,
        /// What went wrong.
        #[source]
        source: Box<pgp::errors::Error>,
    },
    /// The program could not be run.
    #[error("cannot run `{program}` to sign")]
    Run {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The program failed.
    #[error("`{program}` did not sign ({status}): {message}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said on standard error.
        message: String,
    },
    /// The program gave something else than a signature.
    #[error("what `{program}` gave is not an OpenPGP signature")]
    NoSignature {
        /// The program.
        program: String,
    },
    /// The signature could not be written out.
    #[error("cannot write the signature")]
    Encode {
        /// What went wrong.
        #[source]
        source: Box<pgp::errors::Error>,
    },
}

/// What a signature is over (RFC 9580, section 5.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureKind {
    /// Bytes.
    Binary,
    /// Text, whose line ends are CR LF already.
    Text,
}

impl Signer {
    fn sign(&self, kind: SignatureKind, data: &[u8], time: u64) -> Result<Signature, SignError> {
        match self {
            Self::Key(key) => key.sign(kind, data, time),
            Self::Gpg(gpg) => gpg.sign(kind, data),
            Self::Program(program) => program.sign(data),
        }
    }
}

/// All keys that sign a repository.
#[derive(Debug)]
pub struct Signers {
    signers: Vec<Signer>,
}

impl Signers {
    /// Takes the signers, in the order of their signatures.
    pub fn new(signers: Vec<Signer>) -> Self {
        Self { signers }
    }

    /// Is there nobody who signs?
    pub fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    /// Returns a text with its signatures around it (RFC 9580, section 7), as `InRelease` is.
    ///
    /// # Errors
    /// [`SignError`] when a signer cannot sign.
    pub fn clearsign(&self, text: &str, time: u64) -> Result<String, SignError> {
        // Clearsigned text ends before its last line break.
        let text = text.strip_suffix('\n').unwrap_or(text);
        let normal = text.replace('\n', "\r\n");
        let signatures = self.signatures(SignatureKind::Text, normal.as_bytes(), time)?;
        let message = CleartextSignedMessage::new_many(text, |_| Ok(signatures)).map_err(cannot_encode)?;
        message.to_armored_string(ArmorOptions::default()).map_err(cannot_encode)
    }

    /// Returns the signatures of bytes in one armored block, as `Release.gpg` and `repomd.xml.asc` are.
    ///
    /// # Errors
    /// [`SignError`] when a signer cannot sign.
    pub fn sign(&self, data: &[u8], time: u64) -> Result<String, SignError> {
        let packets: Vec<Packet> =
            self.signatures(SignatureKind::Binary, data, time)?.into_iter().map(Packet::from).collect();
        armored(&packets)
    }

    /// Returns the signatures of bytes, each in an armored block of its own: `repomd.xml.asc` is read by clients that know
    /// one signature alone.
    ///
    /// # Errors
    /// [`SignError`] when a signer cannot sign.
    pub fn sign_each(&self, data: &[u8], time: u64) -> Result<Vec<String>, SignError> {
        let signatures = self.signatures(SignatureKind::Binary, data, time)?;
        signatures.into_iter().map(|signature| armored(&[Packet::from(signature)])).collect()
    }

    /// Returns the signature packet of the first key alone, as the header of an `.rpm` has it.
    ///
    /// # Errors
    /// [`SignError`] when there is no signer, or it cannot sign.
    pub fn signature_packet(&self, data: &[u8], time: u64) -> Result<Option<Vec<u8>>, SignError> {
        let Some(first) = self.signers.first() else { return Ok(None) };
        let signature = first.sign(SignatureKind::Binary, data, time)?;
        let mut bytes = Vec::new();
        Packet::from(signature).to_writer(&mut bytes).map_err(cannot_encode)?;
        Ok(Some(bytes))
    }

    fn signatures(&self, kind: SignatureKind, data: &[u8], time: u64) -> Result<Vec<Signature>, SignError> {
        self.signers.iter().map(|signer| signer.sign(kind, data, time)).collect()
    }
}

fn armored(packets: &[Packet]) -> Result<String, SignError> {
    let mut text = Vec::new();
    armor::write(&packets, BlockType::Signature, &mut text, None, true).map_err(cannot_encode)?;
    Ok(String::from_utf8(text).expect("armor is ASCII"))
}

fn cannot_encode(source: pgp::errors::Error) -> SignError {
    SignError::Encode { source: Box::new(source) }
}
