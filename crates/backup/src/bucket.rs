//! The part of a bucket that backups go to, by the protocol of S3: bytes of files go there in parts and come back in pieces, so that no
//! memory grows with them. What was put there is read back; the secret key is never part of a message.

use crate::failure::BackupFailure;
use crate::object::Counted;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path as Key;
use object_store::{ClientOptions, Error, MultipartUpload as _, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::Path;
use std::time::Duration;
use vocab::Secret;
use zeroize::Zeroizing;

/// What is put and fetched at a time. A part may be no smaller, and there may be 10,000 of them.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART: u64 = 8 * 1024 * 1024;
const MOST_PARTS: u64 = 10_000;
/// How long one of them may take, and how long it is tried again.
const TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(150);
/// The most of what a server says that is repeated.
const SAID: usize = 300;

/// A bucket, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Where backups begin in it; empty for all of it.
    pub prefix: String,
    /// The server, where it is not that of Amazon.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The name of the key.
    pub key_id: String,
    /// The key.
    pub key: Secret<Zeroizing<String>>,
    /// What belongs to a key that was given for a while.
    pub session: Option<Secret<Zeroizing<String>>>,
}

impl Bucket {
    /// The bucket and the prefix of `s3://bucket/prefix`; nothing where a text is something else.
    #[must_use]
    pub fn place(text: &str) -> Option<(String, String)> {
        let rest = text.strip_prefix("s3://")?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        Some((name.to_owned(), prefix.trim_matches('/').to_owned()))
    }

    /// The same with something behind the prefix.
    pub(crate) fn within(&self, name: &str) -> Self {
        let prefix = if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Self { prefix, ..self.clone() }
    }

    /// For people.
    pub(crate) fn url(&self, name: &str) -> String {
        let parts = [self.name.as_str(), &self.prefix, name];
        format!("s3://{}", parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
    }

    fn at(&self, name: &str) -> Key {
        Key::from(format!("{}/{name}", self.prefix))
    }

    /// Puts a file there.
    pub(crate) fn put_file(&self, name: &str, path: &Path) -> Result<(), BackupFailure> {
        let at = self.at(name);
        self.work(name, async |store| {
            let failed = |source| Work::File(BackupFailure::file(path)(source));
            let mut file = File::open(path).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            if size <= PART {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(failed)?;
                store.put(&at, bytes.into()).await?;
                return Ok(());
            }
            let part = PART.max(size.div_ceil(MOST_PARTS - 1));
            let mut upload = store.put_multipart(&at).await?;
            let mut left = size;
            let put = async {
                while left > 0 {
                    let mut bytes = vec![0; usize::try_from(part.min(left)).unwrap_or(usize::MAX)];
                    file.read_exact(&mut bytes).map_err(failed)?;
                    left -= bytes.len() as u64;
                    upload.put_part(bytes.into()).await?;
                }
                Ok(())
            };
            let put: Result<(), Work> = put.await;
            if let Err(error) = put {
                // What was put costs until it is taken away; a bucket may be told to do so by itself.
                let _ = upload.abort().await;
                return Err(error);
            }
            upload.complete().await?;
            Ok(())
        })
    }

    /// Puts a text there.
    pub(crate) fn put_text(&self, name: &str, text: &str) -> Result<(), BackupFailure> {
        let at = self.at(name);
        self.work(name, async |store| {
            store.put(&at, text.to_owned().into()).await?;
            Ok(())
        })
    }

    /// What is there of that name, if anything.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BackupFailure> {
        let at = self.at(name);
        self.work(name, async |store| match store.get(&at).await {
            Ok(found) => Ok(Some(found.bytes().await?.to_vec())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    /// Brings what is there of that name, and says how many bytes that were and their hash; nothing where there is none.
    pub(crate) fn fetch(
        &self,
        name: &str,
        to: &mut (dyn Write + Send),
    ) -> Result<Option<(u64, String)>, BackupFailure> {
        let at = self.at(name);
        self.work(name, async |store| {
            let size = match store.head(&at).await {
                Ok(found) => found.size,
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let mut counted = Counted::new(&mut *to);
            let mut got = 0;
            while got < size {
                let bytes = store.get_range(&at, got..size.min(got + PART)).await?;
                if bytes.is_empty() {
                    break;
                }
                got += bytes.len() as u64;
                let failed = |error| Work::File(BackupFailure::file(Path::new("what is fetched"))(error));
                counted.write_all(&bytes).map_err(failed)?;
            }
            let (_, size, sha256) = counted.into_parts();
            Ok(Some((size, sha256)))
        })
    }

    /// What is called like folders there.
    pub(crate) fn folders(&self) -> Result<Vec<String>, BackupFailure> {
        let at = Key::from(self.prefix.as_str());
        self.work("", async |store| {
            let listed = store.list_with_delimiter(Some(&at)).await?;
            Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect())
        })
    }

    /// Takes away what is there of that name.
    pub(crate) fn remove(&self, name: &str) -> Result<(), BackupFailure> {
        let at = self.at(name);
        self.work(name, async |store| match store.delete(&at).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }

    /// Takes away all that begins with that name.
    pub(crate) fn remove_all(&self, name: &str) -> Result<(), BackupFailure> {
        let at = self.at(name);
        self.work(name, async |store| {
            let found: Vec<_> = store.list(Some(&at)).try_collect().await?;
            for object in found {
                store.delete(&object.location).await?;
            }
            Ok(())
        })
    }

    fn store(&self) -> Result<AmazonS3, Error> {
        let is_plain = self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let client =
            ClientOptions::new().with_timeout(TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT).with_allow_http(is_plain);
        let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.name)
            .with_region(&self.region)
            .with_access_key_id(&self.key_id)
            .with_secret_access_key(self.key.expose().as_str())
            .with_checksum_algorithm(Checksum::SHA256)
            .with_client_options(client)
            .with_retry(retry);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(session) = &self.session {
            builder = builder.with_token(session.expose().as_str());
        }
        builder.build()
    }

    /// On a thread of its own: callers may be inside a runtime, which must not be blocked from within.
    fn work<T: Send>(
        &self,
        name: &str,
        work: impl AsyncFnOnce(AmazonS3) -> Result<T, Work> + Send,
    ) -> Result<T, BackupFailure> {
        let failed = |why: String| BackupFailure::Bucket { place: self.url(name), why };
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| failed(error.to_string()))?;
            let store = self.store().map_err(|error| failed(said(&error)))?;
            runtime.block_on(work(store)).map_err(|error| match error {
                Work::File(failure) => failure,
                Work::Store(error) => failed(said(&error)),
            })
        };
        let panicked = || failed("the work on the bucket panicked".to_owned());
        std::thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|_| Err(panicked())))
    }
}

/// What keeps work from its end.
enum Work {
    Store(Error),
    File(BackupFailure),
}

impl From<Error> for Work {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What the server says, or why it says nothing: the innermost cause, without its markup.
fn said(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = format!("{error} {innermost}");
    let between = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0.to_owned())
    };
    match (between("Code"), between("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        (None, _) => innermost.to_string().chars().take(SAID).collect(),
    }
}
