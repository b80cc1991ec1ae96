//! Public keys of a repository, and whether its own signatures are theirs.
//!
//! Not here: whether a foreign archive's signature counts. A repository's own keys are trusted as they are.

use pgp::{
    composed::{ArmorOptions, CleartextSignedMessage, Deserializable, DetachedSignature, SignedPublicKey},
    crypto::hash::HashAlgorithm,
    packet::Signature,
    types::{KeyDetails, Tag, Timestamp},
};

const ARMOR_BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// A repository's own signature is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum CheckSignatureError {
    /// The signed text, the signature or the key is not OpenPGP.
    #[error("the signature or the key cannot be read")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: Box<pgp::errors::Error>,
    },
    /// No signature is of a key of the repository.
    #[error("no signature is of a key of the repository")]
    NoGoodSignature,
}

/// Public keys.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys {
    keys: Vec<SignedPublicKey>,
}

impl PublicKeys {
    pub(super) fn of(key: SignedPublicKey) -> Self {
        Self { keys: vec![key] }
    }

    /// Reads armored keys, one block after another.
    ///
    /// # Errors
    /// [`CheckSignatureError`] when a block is no key.
    pub fn read(text: &str) -> Result<Self, CheckSignatureError> {
        let mut keys = Vec::new();
        for block in text.split(ARMOR_BEGIN).skip(1) {
            let block = format!("{ARMOR_BEGIN}{block}");
            let (found, _) = SignedPublicKey::from_reader_many(block.as_bytes()).map_err(malformed)?;
            keys.extend(found.collect::<Result<Vec<_>, _>>().map_err(malformed)?);
        }
        Ok(Self { keys })
    }

    /// Adds the keys of another.
    pub fn extend(&mut self, other: Self) {
        for key in other.keys {
            if !self.keys.iter().any(|own| own.primary_key == key.primary_key) {
                self.keys.push(key);
            }
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the keys, armored, one block after another.
    ///
    /// # Errors
    /// [`CheckSignatureError`] when a key cannot be written.
    pub fn to_armor(&self) -> Result<String, CheckSignatureError> {
        self.keys.iter().map(|key| key.to_armored_string(ArmorOptions::default()).map_err(malformed)).collect()
    }

    /// Returns the fingerprints of the primary keys, in upper case.
    pub fn fingerprints(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.primary_key.fingerprint().to_string().to_ascii_uppercase()).collect()
    }

    /// Returns the fingerprints of keys that say of themselves who they are with SHA-1 or less, which rpm and dnf of
    /// el9, and apt since Debian 13, do not believe.
    pub fn weak(&self) -> Vec<String> {
        let weak = self.keys.iter().filter(|key| has_weak_self_signature(key));
        weak.map(|key| key.primary_key.fingerprint().to_string().to_ascii_uppercase()).collect()
    }

    /// Checks a clearsigned text; returns it with plain line breaks.
    ///
    /// # Errors
    /// [`CheckSignatureError`] when no signature is of one of the keys.
    pub fn check_clearsigned(&self, text: &str) -> Result<String, CheckSignatureError> {
        let (message, _) = CleartextSignedMessage::from_string(text).map_err(malformed)?;
        let signed = message.signed_text();
        self.check(message.signatures(), signed.as_bytes())?;
        Ok(signed.replace("\r\n", "\n"))
    }

    /// Checks detached signatures of bytes.
    ///
    /// # Errors
    /// [`CheckSignatureError`] when no signature is of one of the keys.
    pub fn check_detached(&self, data: &[u8], signatures: &[u8]) -> Result<(), CheckSignatureError> {
        let (found, _) = DetachedSignature::from_reader_many(signatures).map_err(malformed)?;
        let signatures: Vec<Signature> =
            found.map(|found| found.map(|detached| detached.signature)).collect::<Result<_, _>>().map_err(malformed)?;
        self.check(&signatures, data)
    }

    fn check(&self, signatures: &[Signature], data: &[u8]) -> Result<(), CheckSignatureError> {
        let is_good = |signature: &Signature| {
            self.keys.iter().any(|key| {
                signature.verify(&key.primary_key, data).is_ok()
                    || key.public_subkeys.iter().any(|subkey| signature.verify(&subkey.key, data).is_ok())
            })
        };
        if signatures.iter().any(is_good) { Ok(()) } else { Err(CheckSignatureError::NoGoodSignature) }
    }
}

fn malformed(source: pgp::errors::Error) -> CheckSignatureError {
    CheckSignatureError::Malformed { source: Box::new(source) }
}

/// Looks at the latest signature of the key about each of its names, and about each subkey.
fn has_weak_self_signature(key: &SignedPublicKey) -> bool {
    let primary = &key.primary_key;
    let names = key.details.users.iter().filter_map(|user| {
        let own = user.signatures.iter().filter(|own| own.verify_certification(primary, Tag::UserId, &user.id).is_ok());
        own.max_by_key(|own| own.created().map(Timestamp::as_secs))
    });
    let bindings = key.public_subkeys.iter().filter_map(|subkey| {
        let own = subkey.signatures.iter().filter(|own| own.verify_subkey_binding(primary, &subkey.key).is_ok());
        own.max_by_key(|own| own.created().map(Timestamp::as_secs))
    });
    names.chain(bindings).any(|own| matches!(own.hash_alg(), Some(HashAlgorithm::Sha1 | HashAlgorithm::Md5)))
}
