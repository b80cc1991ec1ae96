//! A repository in an object store: S3 and what speaks its protocol, Google Cloud Storage, Azure.
//!
//! There are no locks: a pointer is moved by a conditional write, which these stores have had since 2024 at the latest.
//! Protocols and signatures of requests are the library's; requests go through `vb-fetch` as all others do.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read},
    path::Path as FilePath,
    sync::Arc,
    time::{Duration, SystemTime},
};

use fs_err as fs;
use futures_util::TryStreamExt as _;
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
    aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder, memory::InMemory, path::Path,
};
use tokio::runtime::Runtime;
use vb_fetch::Fetcher;

use self::connector::Connector;
use super::{Expected, Metadata, PutOutcome, StorageError, Token};

mod connector;

/// A package is read and written in parts of this size.
const PART: usize = 8 << 20;
/// An immutable object that is younger than this counts as just written. Garbage collection spares objects for longer.
const FRESH: Duration = Duration::from_secs(1800);

/// A bucket or container, and a prefix in it.
#[derive(Clone)]
pub struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    /// Empty, or ending with `/`.
    prefix: String,
    runtime: Arc<Runtime>,
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStorage").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// An object store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenObjectStoreError {
    /// The location is of no object store that vb knows.
    #[error("`{location}` is not `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`")]
    UnknownLocation {
        /// The location.
        location: String,
    },
    /// What the environment says of the store is incomplete or wrong.
    #[error("cannot use the object store `{location}`")]
    Configure {
        /// The location.
        location: String,
        /// What the library says.
        #[source]
        source: Box<Error>,
    },
    /// The requests cannot be driven.
    #[error("cannot start what drives requests")]
    Runtime(#[source] io::Error),
}

impl ObjectStorage {
    /// Opens the store at `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    ///
    /// Credentials, region and endpoint come from the variables that the tools of these stores have: `AWS_…`,
    /// `GOOGLE_…`, `AZURE_…`; without them from the machine's own identity, where it has one.
    ///
    /// # Errors
    /// [`OpenObjectStoreError`]; that the store can be reached is not tried.
    pub fn open(
        location: &str,
        variables: &BTreeMap<String, String>,
        fetcher: &Fetcher,
    ) -> Result<Self, OpenObjectStoreError> {
        let unknown = || OpenObjectStoreError::UnknownLocation { location: location.to_owned() };
        let (scheme, rest) = location.split_once("://").ok_or_else(unknown)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(unknown());
        }
        let connector = Connector::new(fetcher.clone());
        let store = connect(scheme, location, variables, connector).ok_or_else(unknown)?;
        let configure =
            |source| OpenObjectStoreError::Configure { location: location.to_owned(), source: Box::new(source) };
        Self::over(store.map_err(configure)?, prefix)
    }

    /// Makes a store in memory, which all clones share. It is gone with the last of them.
    ///
    /// # Errors
    /// [`OpenObjectStoreError::Runtime`].
    pub fn in_memory() -> Result<Self, OpenObjectStoreError> {
        Self::over(Arc::new(InMemory::new()), "")
    }

    fn over(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, OpenObjectStoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { store, prefix, runtime: Arc::new(runtime.map_err(OpenObjectStoreError::Runtime)?) })
    }

    fn place(&self, name: &str) -> Path {
        let name = format!("{}{}", self.prefix, name.trim_end_matches('/'));
        // Not by `from`, which encodes `~`: clients ask for the name that versions have. What cannot be parsed is no
        // name of vb's, and encoded.
        Path::parse(&name).unwrap_or_else(|_| Path::from(name))
    }

    fn name(&self, path: &Path) -> String {
        let path = path.as_ref();
        path.strip_prefix(&self.prefix).unwrap_or(path).to_owned()
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<(Vec<u8>, Token)>, StorageError> {
        let read = async {
            let result = self.store.get(&self.place(name)).await?;
            let token = token(&result.meta);
            Ok((result.bytes().await?.to_vec(), token))
        };
        if_there("read", name, self.runtime.block_on(read))
    }

    pub(super) fn open_object(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, StorageError> {
        let Some(metadata) = self.metadata(name)? else { return Ok(None) };
        let reader = Parts {
            storage: self.clone(),
            path: self.place(name),
            at: 0,
            size: metadata.size,
            part: io::Cursor::default(),
        };
        Ok(Some(Box::new(reader)))
    }

    pub(super) fn metadata(&self, name: &str) -> Result<Option<Metadata>, StorageError> {
        let found = self.runtime.block_on(self.store.head(&self.place(name)));
        Ok(if_there("look at", name, found)?.map(|meta| described(name.to_owned(), &meta)))
    }

    pub(super) fn list(&self, directory: &str) -> Result<Vec<Metadata>, StorageError> {
        let place = self.place(directory);
        let all = self.store.list(Some(&place)).map_ok(|meta| described(self.name(&meta.location), &meta));
        self.runtime.block_on(all.try_collect()).map_err(failed("list", directory))
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let payload = PutPayload::from(bytes.to_vec());
        self.runtime.block_on(self.store.put(&self.place(name), payload)).map(drop).map_err(failed("write", name))
    }

    pub(super) fn put_immutable(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        if self.is_fresh(name, bytes.len() as u64)? { Ok(()) } else { self.put(name, bytes) }
    }

    pub(super) fn put_immutable_file(&self, name: &str, file: &FilePath) -> Result<(), StorageError> {
        let in_file = |source| StorageError::Io { action: "write", name: name.to_owned(), source };
        let mut reader = fs::File::open(file).map_err(in_file)?;
        let size = reader.metadata().map_err(in_file)?.len();
        if self.is_fresh(name, size)? {
            return Ok(());
        }
        if size <= PART as u64 {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(in_file)?;
            return self.put(name, &bytes);
        }
        let upload = async {
            let mut upload = self.store.put_multipart(&self.place(name)).await.map_err(failed("write", name))?;
            loop {
                let mut part = Vec::with_capacity(PART);
                (&mut reader).take(PART as u64).read_to_end(&mut part).map_err(in_file)?;
                if part.is_empty() {
                    return upload.complete().await.map(drop).map_err(failed("write", name));
                }
                if let Err(error) = upload.put_part(part.into()).await {
                    // The store drops parts that are never put together; asking it to is a courtesy.
                    drop(upload.abort().await);
                    return Err(failed("write", name)(error));
                }
            }
        };
        self.runtime.block_on(upload)
    }

    pub(super) fn put_if(&self, name: &str, bytes: &[u8], expected: &Expected) -> Result<PutOutcome, StorageError> {
        let mode = match expected {
            Expected::Absent => PutMode::Create,
            Expected::Unchanged(token) => PutMode::Update(version(token)),
        };
        let (place, payload) = (self.place(name), PutPayload::from(bytes.to_vec()));
        let put = self.store.put_opts(&place, payload, PutOptions::from(mode));
        match self.runtime.block_on(put) {
            Ok(_) => Ok(PutOutcome::Written),
            // An object that was removed in the meantime is not as expected either.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
                Ok(PutOutcome::Refused)
            }
            Err(error) => Err(failed("write", name)(error)),
        }
    }

    pub(super) fn copy(&self, from: &str, to: &str) -> Result<(), StorageError> {
        self.runtime.block_on(self.store.copy(&self.place(from), &self.place(to))).map_err(failed("write", to))
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), StorageError> {
        let deleted = self.runtime.block_on(self.store.delete(&self.place(name)));
        if_there("remove", name, deleted).map(drop)
    }

    /// Is an object of that size there, written so lately that nobody removes it?
    fn is_fresh(&self, name: &str, size: u64) -> Result<bool, StorageError> {
        let found = self.metadata(name)?.filter(|metadata| metadata.size == size);
        let age = |metadata: Metadata| SystemTime::now().duration_since(metadata.modified).unwrap_or_default();
        Ok(found.is_some_and(|metadata| age(metadata) < FRESH))
    }
}

type Opened = Result<Arc<dyn ObjectStore>, Error>;

/// Makes the client of a store; `None` for a scheme that vb does not know.
fn connect(scheme: &str, location: &str, variables: &BTreeMap<String, String>, connector: Connector) -> Option<Opened> {
    /// Hands a builder the variables that it has a name for.
    macro_rules! configured {
        ($builder:expr, $prefix:literal) => {{
            let own = variables.iter().filter(|(name, _)| name.starts_with($prefix));
            let keys = own.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)));
            let builder = keys.fold($builder, |builder, (key, value)| builder.with_config(key, value));
            builder.with_url(location).with_http_connector(connector).build().map(|store| Arc::new(store) as Arc<_>)
        }};
    }
    Some(match scheme {
        "s3" => configured!(AmazonS3Builder::new(), "AWS_"),
        "gs" => configured!(GoogleCloudStorageBuilder::new(), "GOOGLE_"),
        "az" => configured!(MicrosoftAzureBuilder::new(), "AZURE_"),
        _ => return None,
    })
}

/// Reads an object part by part.
struct Parts {
    storage: ObjectStorage,
    path: Path,
    at: u64,
    size: u64,
    part: io::Cursor<Vec<u8>>,
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.part.read(buffer)?;
        if count > 0 || buffer.is_empty() || self.at == self.size {
            return Ok(count);
        }
        let end = self.size.min(self.at + PART as u64);
        let bytes = self.storage.runtime.block_on(self.storage.store.get_range(&self.path, self.at..end));
        self.part = io::Cursor::new(bytes.map_err(io::Error::from)?.to_vec());
        self.at = end;
        self.part.read(buffer)
    }
}

/// Both the ETag and the version, since a store compares the one or the other.
fn token(meta: &ObjectMeta) -> Token {
    Token(format!("{}\n{}", meta.e_tag.as_deref().unwrap_or_default(), meta.version.as_deref().unwrap_or_default()))
}

fn version(token: &Token) -> UpdateVersion {
    let (e_tag, version) = token.0.split_once('\n').unwrap_or((&token.0, ""));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    UpdateVersion { e_tag: some(e_tag), version: some(version) }
}

fn described(name: String, meta: &ObjectMeta) -> Metadata {
    Metadata { name, size: meta.size, modified: meta.last_modified.into(), token: token(meta) }
}

fn if_there<T>(action: &'static str, name: &str, result: Result<T, Error>) -> Result<Option<T>, StorageError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(action, name)(error)),
    }
}

fn failed(action: &'static str, name: &str) -> impl FnOnce(Error) -> StorageError {
    let name = name.to_owned();
    move |source| StorageError::ObjectStore { action, name, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use vb_fetch::FetchOptions;

    use super::*;

    fn open(location: &str, variables: &[(&str, &str)]) -> Result<ObjectStorage, OpenObjectStoreError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ObjectStorage::open(location, &variables, &Fetcher::new(&FetchOptions::default()).unwrap())
    }

    /// The credentials of a service account, as the tools of Google Cloud write them, with a key of nobody's.
    const SERVICE_ACCOUNT: &str =
        r#"{"private_key": "none", "private_key_id": "1", "client_email": "a@b", "disable_oauth": true}"#;

    #[test]
    fn each_kind_of_store_takes_its_place_and_the_variables_of_its_tools() {
        let region = ("AWS_REGION", "eu-central-1");
        let account = ("AZURE_STORAGE_ACCOUNT_NAME", "company");
        let azure_key = ("AZURE_STORAGE_ACCOUNT_KEY", "bm8ga2V5");
        let google = ("GOOGLE_SERVICE_ACCOUNT_KEY", SERVICE_ACCOUNT);
        for (location, variables, store, prefix) in [
            ("s3://packages/some/where", &[region][..], "AmazonS3(packages)", "some/where/"),
            ("s3://packages", &[region], "AmazonS3(packages)", ""),
            ("gs://packages/some/where/", &[google], "GoogleCloudStorage(packages)", "some/where/"),
            (
                "az://packages/apt",
                &[account, azure_key],
                "MicrosoftAzure { account: company, container: packages }",
                "apt/",
            ),
        ] {
            // Variables of other programs are nobody's business.
            let variables = [variables, &[("AWS_PROFILE_OF_MINE", "x"), ("PATH", "/bin")]].concat();
            let opened = open(location, &variables).unwrap();
            assert_eq!((opened.store.to_string().as_str(), opened.prefix.as_str()), (store, prefix), "{location}");
        }
    }

    #[test]
    fn a_place_or_variable_that_is_none_is_refused() {
        for location in ["ftp://packages", "packages", "gs://", "az:///prefix"] {
            assert!(matches!(open(location, &[]), Err(OpenObjectStoreError::UnknownLocation { .. })), "{location}");
        }
        let account = ("AZURE_STORAGE_ACCOUNT_NAME", "company");
        for (location, variables) in [
            ("az://packages", &[][..]),
            ("az://packages", &[account, ("AZURE_STORAGE_ACCOUNT_KEY", "not base64!")]),
            ("gs://packages", &[("GOOGLE_SERVICE_ACCOUNT_KEY", "{}")]),
            ("gs://packages", &[("GOOGLE_SERVICE_ACCOUNT", "/nowhere/key.json")]),
        ] {
            let refused = open(location, variables);
            assert!(matches!(refused, Err(OpenObjectStoreError::Configure { .. })), "{location}: {refused:?}");
        }
    }
}
