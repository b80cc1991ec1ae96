//! Small signed archives of small packages, made in a test's directory.
//!
//! A [`Package`] is built with chained calls and becomes a `.deb`; an [`Archive`] writes some of them to `pool/` and their
//! signed index to `dists/`. The times of a fixture are given by the test.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made must fail its test")]

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _, path::Path};

use md5::Md5;
use pgp::{
    composed::{
        ArmorOptions, CleartextSignedMessage, DetachedSignature, EncryptionCaps, KeyType, SecretKeyParamsBuilder,
        SignedKeyDetails, SignedPublicKey, SignedSecretKey, SubkeyParamsBuilder,
    },
    crypto::hash::HashAlgorithm,
    packet::{KeyFlags, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData},
    ser::Serialize,
    types::{Duration, KeyDetails, Password, SignedUser, Tag, Timestamp},
};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// How a fixture's key differs from one that is in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyOptions {
    /// When it was made, in seconds since 1970.
    pub created: u32,
    /// How many seconds it lives; zero is for ever.
    pub lifetime: u32,
    /// Has its owner revoked it?
    pub is_revoked: bool,
    /// Does it certify only, and not sign?
    pub is_certify_only: bool,
}

/// A key that signs fixture archives.
#[derive(Debug)]
pub struct Key {
    secret: SignedSecretKey,
    public: SignedPublicKey,
}

impl Key {
    /// Makes a key without a signing subkey.
    pub fn generate(options: KeyOptions) -> Self {
        let created = Timestamp::from_secs(options.created);
        let mut builder = SecretKeyParamsBuilder::default();
        builder
            .key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(true)
            .can_encrypt(EncryptionCaps::None)
            .created_at(created)
            .primary_user_id("fixture <fixture@example.org>".to_owned());
        let secret = builder.build().unwrap().generate(rand::thread_rng()).unwrap();
        let mut public = SignedPublicKey::from(secret.clone());
        let key = &secret.primary_key;
        let mut flags = KeyFlags::default();
        flags.set_certify(true);
        flags.set_sign(!options.is_certify_only);
        let mut own = config(key, SignatureType::CertPositive, options.created);
        let more =
            [SubpacketData::KeyFlags(flags), SubpacketData::KeyExpirationTime(Duration::from_secs(options.lifetime))];
        own.hashed_subpackets.extend(more.map(|data| Subpacket::regular(data).unwrap()));
        let id = public.details.users[0].id.clone();
        let own = own.sign_certification(key, &public.primary_key, &Password::empty(), Tag::UserId, &id).unwrap();
        let mut revocations = Vec::new();
        if options.is_revoked {
            let revocation = config(key, SignatureType::KeyRevocation, options.created);
            revocations.push(revocation.sign_key(key, &Password::empty(), &public.primary_key).unwrap());
        }
        public.details =
            SignedKeyDetails::new(revocations, Vec::new(), vec![SignedUser::new(id, vec![own])], Vec::new());
        Self { secret, public }
    }

    /// Makes a key that has a signing subkey, bound at the present time.
    pub fn generate_with_subkey() -> Self {
        let subkey = SubkeyParamsBuilder::default().key_type(KeyType::Ed25519Legacy).can_sign(true).build().unwrap();
        let mut builder = SecretKeyParamsBuilder::default();
        builder
            .key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(false)
            .can_encrypt(EncryptionCaps::None)
            .primary_user_id("fixture <fixture@example.org>".to_owned())
            .subkey(subkey);
        let secret = builder.build().unwrap().generate(rand::thread_rng()).unwrap();
        let public = SignedPublicKey::from(secret.clone());
        Self { secret, public }
    }

    /// Returns the public key, armored.
    pub fn to_armor(&self) -> String {
        self.public.to_armored_string(ArmorOptions::default()).unwrap()
    }

    /// Returns the public key in binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.public.to_writer(&mut bytes).unwrap();
        bytes
    }

    /// Returns the primary key's id, in lower-case hexadecimal digits.
    pub fn id(&self) -> String {
        self.public.primary_key.legacy_key_id().to_string()
    }

    /// Returns the primary key's fingerprint, in upper-case hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        self.public.primary_key.fingerprint().to_string().to_ascii_uppercase()
    }

    /// Returns the public key with the subkeys of another, as somebody would claim them who does not hold them.
    pub fn claiming_subkeys_of(&self, other: &Self) -> Vec<u8> {
        let mut public = self.public.clone();
        public.public_subkeys.clone_from(&other.public.public_subkeys);
        let mut bytes = Vec::new();
        public.to_writer(&mut bytes).unwrap();
        bytes
    }

    /// Signs a text as `InRelease` is signed.
    pub fn clearsign(&self, text: &str, signed: u32) -> String {
        // Clearsigned text ends before its last line break (RFC 9580, section 7.1).
        let text = text.strip_suffix('\n').unwrap_or(text);
        let message = CleartextSignedMessage::new_many(text, |normal| {
            Ok(vec![self.signature(SignatureType::Text, normal.as_bytes(), signed)])
        });
        message.unwrap().to_armored_string(ArmorOptions::default()).unwrap()
    }

    /// Signs bytes as `Release.gpg` does, armored.
    pub fn sign(&self, data: &[u8], signed: u32) -> String {
        let signature = self.signature(SignatureType::Binary, data, signed);
        DetachedSignature::new(signature).to_armored_string(ArmorOptions::default()).unwrap()
    }

    fn signature(&self, kind: SignatureType, data: &[u8], signed: u32) -> Signature {
        match self.secret.secret_subkeys.first() {
            Some(subkey) => config(&subkey.key, kind, signed).sign(&subkey.key, &Password::empty(), data).unwrap(),
            None => {
                let key = &self.secret.primary_key;
                config(key, kind, signed).sign(key, &Password::empty(), data).unwrap()
            }
        }
    }
}

fn config(key: &impl KeyDetails, kind: SignatureType, created: u32) -> SignatureConfig {
    let mut config = SignatureConfig::v4(kind, key.algorithm(), HashAlgorithm::Sha512);
    config.hashed_subpackets = [
        SubpacketData::SignatureCreationTime(Timestamp::from_secs(created)),
        SubpacketData::IssuerFingerprint(key.fingerprint()),
    ]
    .map(|data| Subpacket::regular(data).unwrap())
    .to_vec();
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id())).unwrap()];
    config
}

/// How a member of a `.deb` or an index is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip.
    Gz,
    /// xz.
    Xz,
    /// Zstandard.
    Zst,
}

impl Compression {
    /// Returns what is appended to the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gz => ".gz",
            Self::Xz => ".xz",
            Self::Zst => ".zst",
        }
    }

    /// Compresses bytes.
    pub fn compress(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => bytes.to_vec(),
            Self::Gz => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Self::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Self::Zst => zstd::stream::encode_all(bytes, 1).unwrap(),
        }
    }
}

/// One entry of a package's data archive, written as it is given: wrong ones too.
#[derive(Clone, Debug)]
struct Entry {
    path: String,
    kind: tar::EntryType,
    mode: u32,
    link: String,
    content: Vec<u8>,
}

/// A package to be.
#[derive(Clone, Debug)]
pub struct Package {
    name: String,
    version: String,
    fields: Vec<(String, String)>,
    control: Vec<(String, String, u32)>,
    entries: Vec<Entry>,
    compression: Compression,
}

impl Package {
    /// Starts an empty package for `amd64`.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            fields: Vec::new(),
            control: Vec::new(),
            entries: Vec::new(),
            compression: Compression::Xz,
        }
    }

    /// Adds a field to its control file and index paragraph: `Depends`, `Provides`, …
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a file to its control archive: `postinst`, `conffiles`, …
    #[must_use]
    pub fn control_file(mut self, name: &str, text: &str, mode: u32) -> Self {
        self.control.push((name.to_owned(), text.to_owned(), mode));
        self
    }

    /// Adds a file; the path is written as it is: `./usr/bin/x`.
    #[must_use]
    pub fn file(self, path: &str, content: &str, mode: u32) -> Self {
        self.entry(path, tar::EntryType::Regular, mode, "", content)
    }

    /// Adds a directory.
    #[must_use]
    pub fn directory(self, path: &str, mode: u32) -> Self {
        self.entry(path, tar::EntryType::Directory, mode, "", "")
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, tar::EntryType::Symlink, 0o777, target, "")
    }

    /// Adds a hard link to an earlier file.
    #[must_use]
    pub fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(path, tar::EntryType::Link, 0o644, target, "")
    }

    /// Adds a character device.
    #[must_use]
    pub fn device(self, path: &str) -> Self {
        self.entry(path, tar::EntryType::Char, 0o644, "", "")
    }

    /// Says how its members are compressed; xz, if it is not said.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    fn entry(mut self, path: &str, kind: tar::EntryType, mode: u32, link: &str, content: &str) -> Self {
        let (path, link, content) = (path.to_owned(), link.to_owned(), content.as_bytes().to_vec());
        self.entries.push(Entry { path, kind, mode, link, content });
        self
    }

    fn control_text(&self) -> String {
        let mut text = format!("Package: {}\nVersion: {}\n", self.name, self.version);
        if !self.fields.iter().any(|(name, _)| name == "Architecture") {
            text.push_str("Architecture: amd64\n");
        }
        for (name, value) in &self.fields {
            writeln!(text, "{name}: {value}").unwrap();
        }
        text
    }

    /// Returns the `.deb`.
    pub fn to_deb(&self) -> Vec<u8> {
        let mut control = vec![("control".to_owned(), self.control_text(), 0o644)];
        control.extend(self.control.iter().cloned());
        let control = control.into_iter().map(|(name, text, mode)| Entry {
            path: format!("./{name}"),
            kind: tar::EntryType::Regular,
            mode,
            link: String::new(),
            content: text.into_bytes(),
        });
        let mut builder = ar::Builder::new(Vec::new());
        let mut append = |name: String, bytes: &[u8]| {
            builder.append(&ar::Header::new(name.into_bytes(), bytes.len() as u64), bytes).unwrap();
        };
        append("debian-binary".to_owned(), b"2.0\n");
        let extension = self.compression.extension();
        append(format!("control.tar{extension}"), &self.compression.compress(&tar_of(control)));
        append(format!("data.tar{extension}"), &self.compression.compress(&tar_of(self.entries.iter().cloned())));
        builder.into_inner().unwrap()
    }

    /// Returns the name below `pool/`.
    pub fn file_name(&self) -> String {
        format!("{}_{}.deb", self.name, self.version.replace(':', "%3a"))
    }
}

fn tar_of(entries: impl Iterator<Item = Entry>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        // The crate's own setters refuse the very paths that a test wants to write.
        let gnu = header.as_gnu_mut().unwrap();
        gnu.name[..entry.path.len()].copy_from_slice(entry.path.as_bytes());
        gnu.linkname[..entry.link.len()].copy_from_slice(entry.link.as_bytes());
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_size(entry.content.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_cksum();
        builder.append(&header, entry.content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// How an archive is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// `InRelease`.
    Inline,
    /// `Release` and `Release.gpg`.
    Detached,
    /// `Release` alone.
    None,
}

/// An archive of one suite to be, with the component `main`.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The suite's name below `dists/`, and its codename.
    pub suite: String,
    /// Its packages.
    pub packages: Vec<Package>,
    /// When it is signed, in seconds since 1970.
    pub signed: u32,
    /// The date in its `Release` file.
    pub date: String,
    /// More fields of the `Release` file, each with its line break.
    pub release_fields: String,
    /// The forms of `Packages` that it lists and has.
    pub forms: Vec<Compression>,
    /// Are the indexes below `by-hash/` alone?
    pub is_by_hash: bool,
    /// How it is signed.
    pub signing: Signing,
    /// Which digests the `Release` file gives for each index, and the index for each package.
    pub digests: Digests,
}

/// The digests of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digests {
    /// SHA-256 alone, as archives have that are made at present.
    Sha256,
    /// MD5, SHA-1 and SHA-256, in the order in which old archives have them.
    All,
}

impl Digests {
    /// Returns the fields' names in a `Release` file and in a `Packages` file, and the digest's text.
    fn of(self, bytes: &[u8]) -> Vec<(&'static str, &'static str, String)> {
        let sha256 = ("SHA256", "SHA256", hex::encode(Sha256::digest(bytes)));
        match self {
            Self::Sha256 => vec![sha256],
            Self::All => vec![
                ("MD5Sum", "MD5sum", hex::encode(Md5::digest(bytes))),
                ("SHA1", "SHA1", hex::encode(Sha1::digest(bytes))),
                sha256,
            ],
        }
    }
}

impl Archive {
    /// Starts an archive that is in order.
    pub fn new(suite: &str, packages: Vec<Package>, signed: u32) -> Self {
        Self {
            suite: suite.to_owned(),
            packages,
            signed,
            date: "Thu, 19 Nov 2026 02:12:54 UTC".to_owned(),
            release_fields: String::new(),
            forms: vec![Compression::Plain, Compression::Xz],
            is_by_hash: false,
            signing: Signing::Inline,
            digests: Digests::Sha256,
        }
    }

    /// Starts an archive as Ubuntu 14.04 and its like have: a detached signature alone, `Packages` with gzip or without
    /// compression, nothing by digest, and weak digests before the strong one.
    pub fn old(suite: &str, packages: Vec<Package>, signed: u32) -> Self {
        Self {
            forms: vec![Compression::Plain, Compression::Gz],
            signing: Signing::Detached,
            digests: Digests::All,
            ..Self::new(suite, packages, signed)
        }
    }

    /// Returns the text of `Packages`.
    pub fn packages_text(&self) -> String {
        let mut text = String::new();
        for package in &self.packages {
            let deb = package.to_deb();
            text.push_str(&package.control_text());
            writeln!(text, "Filename: pool/{}\nSize: {}", package.file_name(), deb.len()).unwrap();
            for (_, field, digest) in self.digests.of(&deb) {
                writeln!(text, "{field}: {digest}").unwrap();
            }
            text.push('\n');
        }
        text
    }

    /// Writes the archive below a directory.
    pub fn write(&self, base: &Path, key: &Key) {
        let dist = base.join("dists").join(&self.suite);
        let binary = dist.join("main/binary-amd64");
        fs_err::create_dir_all(binary.join("by-hash/SHA256")).unwrap();
        fs_err::create_dir_all(base.join("pool")).unwrap();
        for package in &self.packages {
            fs_err::write(base.join("pool").join(package.file_name()), package.to_deb()).unwrap();
        }
        let mut release = format!("Codename: {}\nDate: {}\n{}", self.suite, self.date, self.release_fields);
        if self.is_by_hash {
            release.push_str("Acquire-By-Hash: yes\n");
        }
        let mut fields: BTreeMap<&str, String> = BTreeMap::new();
        for form in &self.forms {
            let bytes = form.compress(self.packages_text().as_bytes());
            let name = format!("Packages{}", form.extension());
            for (field, _, digest) in self.digests.of(&bytes) {
                let line = format!(" {digest} {} main/binary-amd64/{name}\n", bytes.len());
                fields.entry(field).or_default().push_str(&line);
            }
            let by_hash = format!("by-hash/SHA256/{}", hex::encode(Sha256::digest(&bytes)));
            fs_err::write(binary.join(if self.is_by_hash { by_hash } else { name }), bytes).unwrap();
        }
        for (field, lines) in fields {
            write!(release, "{field}:\n{lines}").unwrap();
        }
        self.write_signed(&dist, &release, key);
    }

    fn write_signed(&self, dist: &Path, release: &str, key: &Key) {
        if self.signing == Signing::Inline {
            return fs_err::write(dist.join("InRelease"), key.clearsign(release, self.signed)).unwrap();
        }
        fs_err::write(dist.join("Release"), release).unwrap();
        if self.signing == Signing::Detached {
            fs_err::write(dist.join("Release.gpg"), key.sign(release.as_bytes(), self.signed)).unwrap();
        }
    }
}
