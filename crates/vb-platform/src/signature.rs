//! Which OpenPGP signatures count (RFC 9580), on top of what rPGP can compute.
//!
//! A signature counts when a key of the keyring made it and, at the time that the caller gives, nothing speaks against
//! it: the hash has at least 256 bits (no MD5, no SHA-1), signature and key are not expired, the key is not revoked and
//! may sign; for a subkey also its binding by the primary key and its own signature back. One signature that counts is
//! enough. Certifications by others are not looked at, so a keyring's file is trusted as a whole.

use std::{
    collections::BTreeSet,
    fmt, io,
    time::{Duration, SystemTime},
};

use pgp::{
    composed::{CleartextSignedMessage, Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey},
    crypto::hash::HashAlgorithm,
    packet::{Signature, SignatureType, SubpacketData},
    types::{KeyDetails, Tag, Timestamp},
};

use crate::sources::SignedBy;

/// How far ahead of the caller's clock a signature may be dated.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 3600);

const ARMOR_BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// A signed file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A keyring file could not be read.
    #[error("cannot read a keyring")]
    ReadKeyring {
        /// The file system's error, with the path.
        #[source]
        source: io::Error,
    },
    /// A keyring file holds no OpenPGP keys.
    #[error("cannot read the keys of {keyring}")]
    MalformedKeyring {
        /// The keyring: a path, or where it stands.
        keyring: String,
        /// What is wrong with it.
        #[source]
        source: Box<pgp::errors::Error>,
    },
    /// The signed text or the signature is not OpenPGP.
    #[error("the signature cannot be read")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: Box<pgp::errors::Error>,
    },
    /// The signed text is not UTF-8.
    #[error("the signed text is not UTF-8")]
    NotText {
        /// Where it is not.
        #[source]
        source: std::str::Utf8Error,
    },
    /// No signature counts.
    #[error("no good signature: {}; the keyring has {}", list(refusals, "it is not signed"), list(keys, "no keys"))]
    NoGoodSignature {
        /// Each signature's key, and why it does not count.
        refusals: Vec<Refusal>,
        /// The ids of the keys that could have signed.
        keys: Vec<String>,
    },
}

impl SignatureError {
    /// Is there a signature by a known key, only of other bytes?
    pub(crate) fn is_mismatch(&self) -> bool {
        let Self::NoGoodSignature { refusals, .. } = self else { return false };
        refusals.iter().any(|refusal| refusal.reason == RefusalReason::Mismatch)
    }
}

fn list<T: fmt::Display>(items: &[T], none: &str) -> String {
    if items.is_empty() {
        return none.to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// One signature, and why it does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The id or fingerprint that the signature names.
    pub key: String,
    /// Why it does not count.
    pub reason: RefusalReason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signature by `{}` refused: {}", self.key, self.reason)
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// The keyring does not hold the key.
    #[error("the keyring does not hold its key")]
    UnknownKey,
    /// The bytes are not those that were signed.
    #[error("it does not match the text")]
    Mismatch,
    /// The signature is neither over bytes nor over text.
    #[error("it is of another kind")]
    Kind,
    /// The hash is MD5, SHA-1 or another short one.
    #[error("its hash is too weak")]
    WeakHash,
    /// The signature has expired.
    #[error("it has expired")]
    Expired,
    /// The signature has no date, or one in the future.
    #[error("its date is missing or in the future")]
    Date,
    /// The key or its primary key is revoked.
    #[error("its key is revoked")]
    KeyRevoked,
    /// The key or its primary key has expired, or had when it signed.
    #[error("its key has expired")]
    KeyExpired,
    /// The key has no valid binding, or one that does not let it sign.
    #[error("its key may not sign")]
    KeyMayNotSign,
}

/// The keys that may sign an archive.
#[derive(Debug)]
pub(crate) struct Keyring {
    keys: Vec<SignedPublicKey>,
}

impl Keyring {
    /// Reads the keys from where the apt sources say they are.
    pub(crate) fn read(places: &[SignedBy]) -> Result<Self, SignatureError> {
        let mut keys = Vec::new();
        for place in places {
            let found = match place {
                SignedBy::Inline(armor) => parse_keys(armor.as_bytes(), "the apt sources")?,
                SignedBy::Path(path) | SignedBy::Key { path, .. } => {
                    let bytes = fs_err::read(path).map_err(|source| SignatureError::ReadKeyring { source })?;
                    parse_keys(&bytes, &format!("`{}`", path.display()))?
                }
            };
            let wanted = |key: &SignedPublicKey| match place {
                SignedBy::Key { fingerprint, .. } => fingerprints(key).any(|own| own == *fingerprint),
                SignedBy::Path(_) | SignedBy::Inline(_) => true,
            };
            keys.extend(found.into_iter().filter(wanted));
        }
        Ok(Self { keys })
    }

    /// Returns the signed text of a clearsigned message, with plain line breaks.
    pub(crate) fn verify_clearsigned(&self, message: &[u8], time: SystemTime) -> Result<String, SignatureError> {
        let text = std::str::from_utf8(message).map_err(|source| SignatureError::NotText { source })?;
        let (message, _) = CleartextSignedMessage::from_string(text)
            .map_err(|source| SignatureError::Malformed { source: Box::new(source) })?;
        let signed = message.signed_text();
        self.verify(message.signatures().iter(), signed.as_bytes(), time)?;
        Ok(signed.replace("\r\n", "\n"))
    }

    /// Checks a detached signature, armored or not.
    pub(crate) fn verify_detached(
        &self,
        data: &[u8],
        signature: &[u8],
        time: SystemTime,
    ) -> Result<(), SignatureError> {
        let malformed = |source| SignatureError::Malformed { source: Box::new(source) };
        if signature.is_empty() {
            return self.verify([].iter(), data, time);
        }
        let (found, _) = DetachedSignature::from_reader_many(signature).map_err(malformed)?;
        let signatures = found.collect::<Result<Vec<_>, _>>().map_err(malformed)?;
        self.verify(signatures.iter().map(|detached| &detached.signature), data, time)
    }

    fn verify<'a>(
        &self,
        signatures: impl Iterator<Item = &'a Signature>,
        data: &[u8],
        time: SystemTime,
    ) -> Result<(), SignatureError> {
        let mut refusals = Vec::new();
        for signature in signatures {
            match self.check(signature, data, time) {
                Ok(()) => return Ok(()),
                Err(reason) => refusals.push(Refusal { key: signer(signature), reason }),
            }
        }
        let keys: BTreeSet<String> = self.keys.iter().map(|key| key.legacy_key_id().to_string()).collect();
        Err(SignatureError::NoGoodSignature { refusals, keys: keys.into_iter().collect() })
    }

    fn check(&self, signature: &Signature, data: &[u8], time: SystemTime) -> Result<(), RefusalReason> {
        check_signature_alone(signature, time)?;
        let mut reason = RefusalReason::UnknownKey;
        for key in &self.keys {
            if names(signature, &key.primary_key) {
                reason = match signature.verify(&key.primary_key, data) {
                    Ok(()) => match check_primary(key, signature, time) {
                        Ok(()) => return Ok(()),
                        Err(refused) => refused,
                    },
                    Err(_) => RefusalReason::Mismatch,
                };
            }
            for subkey in key.public_subkeys.iter().filter(|subkey| names(signature, &subkey.key)) {
                reason = match signature.verify(&subkey.key, data) {
                    Ok(()) => match check_subkey(key, subkey, signature, time) {
                        Ok(()) => return Ok(()),
                        Err(refused) => refused,
                    },
                    Err(_) => RefusalReason::Mismatch,
                };
            }
        }
        Err(reason)
    }
}

fn parse_keys(bytes: &[u8], keyring: &str) -> Result<Vec<SignedPublicKey>, SignatureError> {
    let malformed = |source| SignatureError::MalformedKeyring { keyring: keyring.to_owned(), source: Box::new(source) };
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let starts: Vec<usize> = text.match_indices(ARMOR_BEGIN).map(|(at, _)| at).collect();
    let mut keys = Vec::new();
    if starts.is_empty() {
        keys.extend(parse_block(bytes).map_err(malformed)?);
    }
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        keys.extend(parse_block(&bytes[*start..end]).map_err(malformed)?);
    }
    Ok(keys)
}

/// Reads one armored or binary block. A key of a form that rPGP does not know is left out: others may be beside it.
fn parse_block(bytes: &[u8]) -> Result<Vec<SignedPublicKey>, pgp::errors::Error> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let (keys, _) = SignedPublicKey::from_reader_many(bytes)?;
    Ok(keys.filter_map(Result::ok).collect())
}

fn fingerprints(key: &SignedPublicKey) -> impl Iterator<Item = String> {
    let own = [key.primary_key.fingerprint()];
    let all = own.into_iter().chain(key.public_subkeys.iter().map(|subkey| subkey.key.fingerprint()));
    all.map(|fingerprint| fingerprint.to_string().to_ascii_uppercase())
}

/// Returns what a signature says about who made it.
fn signer(signature: &Signature) -> String {
    let ids = signature.issuer_key_id().into_iter().map(ToString::to_string);
    let fingerprints = signature.issuer_fingerprint().into_iter().map(ToString::to_string);
    ids.chain(fingerprints).next().unwrap_or_else(|| "unknown".to_owned())
}

/// Can the key be the one that made the signature? A signature that names no key can be any key's.
fn names(signature: &Signature, key: &impl KeyDetails) -> bool {
    let ids = signature.issuer_key_id();
    let fingerprints = signature.issuer_fingerprint();
    let is_anonymous = ids.is_empty() && fingerprints.is_empty();
    is_anonymous || ids.contains(&&key.legacy_key_id()) || fingerprints.contains(&&key.fingerprint())
}

fn check_signature_alone(signature: &Signature, time: SystemTime) -> Result<(), RefusalReason> {
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err(RefusalReason::Kind);
    }
    if !has_strong_hash(signature) {
        return Err(RefusalReason::WeakHash);
    }
    let created = signature.created().ok_or(RefusalReason::Date)?;
    if moment(created) > time + CLOCK_SKEW {
        return Err(RefusalReason::Date);
    }
    if has_passed(created, signature.signature_expiration_time(), time) {
        return Err(RefusalReason::Expired);
    }
    Ok(())
}

fn check_primary(key: &SignedPublicKey, signature: &Signature, time: SystemTime) -> Result<(), RefusalReason> {
    let own = check_certificate(key, signature, time)?;
    if allows_signing(own) { Ok(()) } else { Err(RefusalReason::KeyMayNotSign) }
}

/// Checks what concerns the key as a whole; returns its latest signature about itself.
fn check_certificate<'a>(
    key: &'a SignedPublicKey,
    signature: &Signature,
    time: SystemTime,
) -> Result<&'a Signature, RefusalReason> {
    let primary = &key.primary_key;
    // A revocation counts whatever its hash: refusing to believe it would keep a lost key in use.
    if key.details.revocation_signatures.iter().any(|revocation| revocation.verify_key(primary).is_ok()) {
        return Err(RefusalReason::KeyRevoked);
    }
    let direct = key.details.direct_signatures.iter().filter(|own| own.verify_key(primary).is_ok());
    let own = key.details.users.iter().filter_map(|user| latest_certification(key, user));
    let own = own.chain(direct.filter(|own| has_strong_hash(own) && is_in_force(own, time)));
    let own = own.filter(|own| is_in_force(own, time)).max_by_key(|own| own.created().map(Timestamp::as_secs));
    let own = own.ok_or(RefusalReason::KeyMayNotSign)?;
    check_lifetime(primary.created_at(), own, signature, time)?;
    Ok(own)
}

/// Returns a user id's latest certification by the key itself, unless the user id is revoked after it.
fn latest_certification<'a>(key: &SignedPublicKey, user: &'a pgp::types::SignedUser) -> Option<&'a Signature> {
    let primary = &key.primary_key;
    let is_own =
        |own: &&Signature| names(own, primary) && own.verify_certification(primary, Tag::UserId, &user.id).is_ok();
    let latest = user.signatures.iter().filter(is_own).max_by_key(|own| own.created().map(Timestamp::as_secs))?;
    let is_certification = latest.typ() != Some(SignatureType::CertRevocation);
    (is_certification && has_strong_hash(latest)).then_some(latest)
}

fn check_subkey(
    key: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    signature: &Signature,
    time: SystemTime,
) -> Result<(), RefusalReason> {
    check_certificate(key, signature, time)?;
    let primary = &key.primary_key;
    let bindings: Vec<&Signature> = subkey
        .signatures
        .iter()
        .filter(|binding| binding.verify_subkey_binding(primary, &subkey.key).is_ok())
        .collect();
    if bindings.iter().any(|binding| binding.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err(RefusalReason::KeyRevoked);
    }
    let binding = bindings
        .into_iter()
        .filter(|binding| has_strong_hash(binding) && is_in_force(binding, time))
        .max_by_key(|binding| binding.created().map(Timestamp::as_secs))
        .ok_or(RefusalReason::KeyMayNotSign)?;
    // Without the signature back, anybody could claim another's subkey as their own.
    let is_bound_back = binding
        .embedded_signature()
        .is_some_and(|back| has_strong_hash(back) && back.verify_primary_key_binding(&subkey.key, primary).is_ok());
    if !is_bound_back || !allows_signing(binding) {
        return Err(RefusalReason::KeyMayNotSign);
    }
    check_lifetime(subkey.key.created_at(), binding, signature, time)
}

/// Was the key alive when it signed, and is it at the given time?
fn check_lifetime(
    created: Timestamp,
    own: &Signature,
    signature: &Signature,
    time: SystemTime,
) -> Result<(), RefusalReason> {
    let signed = signature.created().ok_or(RefusalReason::Date)?;
    let lifetime = own.key_expiration_time();
    if signed.as_secs() < created.as_secs() {
        return Err(RefusalReason::Date);
    }
    if has_passed(created, lifetime, time) || has_passed(created, lifetime, moment(signed)) {
        return Err(RefusalReason::KeyExpired);
    }
    Ok(())
}

/// Absent key flags leave a key free to sign (RFC 9580, section 5.2.3.29, for keys of older software).
fn allows_signing(own: &Signature) -> bool {
    let mut subpackets = own.config().into_iter().flat_map(|config| config.hashed_subpackets());
    let has_flags = subpackets.any(|subpacket| matches!(subpacket.data, SubpacketData::KeyFlags(_)));
    !has_flags || own.key_flags().sign()
}

fn has_strong_hash(signature: &Signature) -> bool {
    matches!(
        signature.hash_alg(),
        Some(
            HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    )
}

/// Is a key's signature about itself dated, and valid at the given time?
fn is_in_force(own: &Signature, time: SystemTime) -> bool {
    own.created().is_some_and(|created| {
        moment(created) <= time + CLOCK_SKEW && !has_passed(created, own.signature_expiration_time(), time)
    })
}

/// Has a duration passed at the given time? Zero and none mean for ever.
fn has_passed(from: Timestamp, duration: Option<pgp::types::Duration>, time: SystemTime) -> bool {
    let seconds = duration.map_or(0, pgp::types::Duration::as_secs);
    seconds != 0 && moment(from) + Duration::from_secs(seconds.into()) <= time
}

fn moment(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs().into())
}

#[cfg(test)]
mod tests {
    use pgp::{
        crypto::public_key::PublicKeyAlgorithm,
        packet::{SignatureConfig, Subpacket},
        types::SignatureBytes,
    };

    use super::*;

    const SIGNED: u32 = 1_700_000_000;

    fn signature(kind: SignatureType, hash: HashAlgorithm, lifetime: u32) -> Signature {
        let subpackets = [
            SubpacketData::SignatureCreationTime(Timestamp::from_secs(SIGNED)),
            SubpacketData::SignatureExpirationTime(pgp::types::Duration::from_secs(lifetime)),
        ];
        let subpackets = subpackets.map(|data| Subpacket::regular(data).unwrap()).to_vec();
        let mut config = SignatureConfig::v4(kind, PublicKeyAlgorithm::RSA, hash);
        config.hashed_subpackets = subpackets;
        Signature::from_config(config, [0, 0], SignatureBytes::Mpis(Vec::new())).unwrap()
    }

    fn check(signature: &Signature, expect: Result<(), RefusalReason>) {
        let time = moment(Timestamp::from_secs(SIGNED + 100));
        assert_eq!(check_signature_alone(signature, time), expect, "{signature:?}");
    }

    #[test]
    fn only_long_hashes_count() {
        use HashAlgorithm::{Md5, Ripemd160, Sha1, Sha3_256, Sha224, Sha256, Sha384, Sha512};
        for hash in [Sha256, Sha384, Sha512, Sha3_256] {
            check(&signature(SignatureType::Text, hash, 0), Ok(()));
        }
        for hash in [Md5, Sha1, Ripemd160, Sha224] {
            check(&signature(SignatureType::Text, hash, 0), Err(RefusalReason::WeakHash));
        }
    }

    #[test]
    fn a_signature_must_be_over_data_and_alive() {
        check(&signature(SignatureType::Binary, HashAlgorithm::Sha256, 101), Ok(()));
        check(&signature(SignatureType::Binary, HashAlgorithm::Sha256, 100), Err(RefusalReason::Expired));
        check(&signature(SignatureType::Standalone, HashAlgorithm::Sha256, 0), Err(RefusalReason::Kind));
    }

    #[test]
    fn a_keyring_that_holds_no_keys_is_malformed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.asc");
        fs_err::write(&path, "not a key").unwrap();
        let error = Keyring::read(&[SignedBy::Path(path)]).unwrap_err();
        assert!(matches!(error, SignatureError::MalformedKeyring { .. }), "{error}");
        let error = Keyring::read(&[SignedBy::Path(dir.path().join("missing"))]).unwrap_err();
        assert!(matches!(error, SignatureError::ReadKeyring { .. }), "{error}");
    }
}
