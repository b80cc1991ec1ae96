//! Keys in memory: made, read, and signed with.

use pgp::{
    composed::{
        ArmorOptions, Deserializable, EncryptionCaps, KeyType, SecretKeyParamsBuilder, SignedSecretKey,
        SignedSecretSubKey,
    },
    crypto::hash::HashAlgorithm,
    packet::{Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::{KeyDetails, Password, SigningKey, Timestamp},
};

use super::{PublicKeys, SignError, SignatureKind};

/// A secret key could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not an OpenPGP secret key.
    #[error("this is not an OpenPGP secret key")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: Box<pgp::errors::Error>,
    },
    /// The passphrase is not the key's.
    #[error("the passphrase does not open the key `{key}`")]
    Passphrase {
        /// The key's fingerprint.
        key: String,
    },
    /// The key could not be made.
    #[error("cannot make a key")]
    Generate {
        /// What went wrong.
        #[source]
        source: Box<pgp::errors::Error>,
    },
}

/// What kind of key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// Ed25519 in version 4 keys, which gpg since 2.1 and rpm since 4.17 read.
    Ed25519,
    /// RSA of 4096 bits, which everything reads.
    Rsa4096,
}

/// Makes a key that certifies and signs and does not expire; returns it armored.
///
/// # Errors
/// [`KeyError`] when the library cannot make it.
pub fn generate_key(user: &str, algorithm: KeyAlgorithm) -> Result<String, KeyError> {
    let failed = |source| KeyError::Generate { source: Box::new(source) };
    let key_type = match algorithm {
        KeyAlgorithm::Ed25519 => KeyType::Ed25519Legacy,
        KeyAlgorithm::Rsa4096 => KeyType::Rsa(4096),
    };
    let mut builder = SecretKeyParamsBuilder::default();
    builder
        .key_type(key_type)
        .can_certify(true)
        .can_sign(true)
        .can_encrypt(EncryptionCaps::None)
        .primary_user_id(user.to_owned());
    let parameters = builder.build().expect("every parameter that has no default is given");
    let key = parameters.generate(rand::thread_rng()).map_err(failed)?;
    key.to_armored_string(ArmorOptions::default()).map_err(failed)
}

/// A secret key and what opens it.
#[derive(Debug)]
pub struct KeySigner {
    key: Box<SignedSecretKey>,
    passphrase: Password,
}

impl KeySigner {
    /// Reads a key, armored or not.
    ///
    /// # Errors
    /// [`KeyError`] when it is none, or another passphrase is needed.
    pub fn read(bytes: &[u8], passphrase: &str) -> Result<Self, KeyError> {
        let malformed = |source| KeyError::Malformed { source: Box::new(source) };
        let (mut keys, _) = SignedSecretKey::from_reader_many(bytes).map_err(malformed)?;
        let key =
            keys.next().unwrap_or(Err(pgp::errors::Error::NoMatchingPacket { backtrace: None })).map_err(malformed)?;
        let signer = Self { key: Box::new(key), passphrase: Password::from(passphrase) };
        // A wrong passphrase is found here, and not when the first index is written.
        let opened = match signer.signing_subkey() {
            Some(subkey) => subkey.key.unlock(&signer.passphrase, |_, _| Ok(())),
            None => signer.key.primary_key.unlock(&signer.passphrase, |_, _| Ok(())),
        };
        match opened {
            Ok(Ok(())) => Ok(signer),
            _ => Err(KeyError::Passphrase { key: signer.fingerprint() }),
        }
    }

    /// Returns the primary key's fingerprint, in upper case.
    pub fn fingerprint(&self) -> String {
        self.key.primary_key.fingerprint().to_string().to_ascii_uppercase()
    }

    /// Returns the public key.
    pub fn public(&self) -> PublicKeys {
        PublicKeys::of(self.key.to_public_key())
    }

    /// Returns the youngest subkey that may sign; the primary key signs where there is none.
    fn signing_subkey(&self) -> Option<&SignedSecretSubKey> {
        let signs = |subkey: &&SignedSecretSubKey| subkey.signatures.iter().any(|binding| binding.key_flags().sign());
        self.key.secret_subkeys.iter().filter(signs).max_by_key(|subkey| subkey.key.created_at().as_secs())
    }

    pub(super) fn sign(&self, kind: SignatureKind, data: &[u8], time: u64) -> Result<Signature, SignError> {
        let signed = match self.signing_subkey() {
            Some(subkey) => sign_with(&subkey.key, &self.passphrase, kind, data, time),
            None => sign_with(&self.key.primary_key, &self.passphrase, kind, data, time),
        };
        signed.map_err(|source| SignError::Key { key: self.fingerprint(), source: Box::new(source) })
    }
}

fn sign_with(
    key: &impl SigningKey,
    passphrase: &Password,
    kind: SignatureKind,
    data: &[u8],
    time: u64,
) -> Result<Signature, pgp::errors::Error> {
    let kind = match kind {
        SignatureKind::Binary => SignatureType::Binary,
        SignatureKind::Text => SignatureType::Text,
    };
    // A signature that is older than its key counts nowhere.
    let time = u32::try_from(time).unwrap_or(u32::MAX).max(key.created_at().as_secs());
    let mut config = SignatureConfig::v4(kind, key.algorithm(), HashAlgorithm::Sha512);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(time)))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    config.sign(key, passphrase, data)
}
