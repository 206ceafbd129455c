//! A server of buckets that speaks the protocol of S3 and verifies signatures, over a folder. It keeps what it is given, or, when it is told
//! to lie, something else.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::fs;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tempfile::TempDir;

pub const KEY_ID: &str = "of-the-tests";
pub const KEY: &str = "a key that signs requests";
const BUCKET: &str = "kept";

/// A server with one bucket; it ends with the value.
pub struct Buckets {
    folder: TempDir,
    pub address: SocketAddr,
    watcher: Arc<Watcher>,
    _runtime: tokio::runtime::Runtime,
}

/// Sees each request before it is answered.
struct Watcher {
    root: PathBuf,
    lies: AtomicBool,
    is_full: AtomicBool,
    parts: AtomicU64,
}

struct Access(Arc<Watcher>);

impl S3Access for Access {
    fn check<'a, 'c, 'd, 'f>(
        &'a self,
        context: &'c mut S3AccessContext<'d>,
    ) -> Pin<Box<dyn Future<Output = S3Result<()>> + Send + 'f>>
    where
        'a: 'f,
        'c: 'f,
        'd: 'f,
        Self: 'f,
    {
        let answer = match context.credentials() {
            Some(_) => Ok(()),
            None => Err(s3s::s3_error!(AccessDenied, "nobody is let in without a signature")),
        };
        let operation = context.s3_op().name();
        let answer = match operation {
            "PutObject" | "UploadPart" if self.0.is_full.load(Ordering::Relaxed) => {
                Err(s3s::s3_error!(ServiceUnavailable, "there is no room left"))
            }
            _ => answer,
        };
        self.0.parts.fetch_add(u64::from(operation == "UploadPart"), Ordering::Relaxed);
        if let (Some((bucket, key)), "GetObject", true) =
            (context.s3_path().as_object(), operation, self.0.lies.load(Ordering::Relaxed))
        {
            let path = self.0.root.join(bucket).join(key);
            if let Ok(mut bytes) = fs::read(&path) {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&path, bytes).unwrap();
            }
        }
        Box::pin(std::future::ready(answer))
    }
}

impl Buckets {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let root = folder.path().to_owned();
        let watcher = Arc::new(Watcher {
            root,
            lies: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            parts: AtomicU64::new(0),
        });
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, KEY));
        service.set_access(Access(Arc::clone(&watcher)));
        let service = service.build();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    // Who hangs up has what he wants.
                    let _ = server.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { folder, address, watcher, _runtime: runtime }
    }

    /// What a program is told to come to it.
    pub fn tell<'c>(&self, command: &'c mut Command, key: &str) -> &'c mut Command {
        command.env("AWS_ACCESS_KEY_ID", KEY_ID).env("AWS_SECRET_ACCESS_KEY", key).env("AWS_REGION", "eu-central-1");
        command.env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
    }

    /// From now on what is read is something else than what was written.
    pub fn lie(&self, does: bool) {
        self.watcher.lies.store(does, Ordering::Relaxed);
    }

    /// From now on nothing is taken, or is again.
    pub fn fill(&self, is_full: bool) {
        self.watcher.is_full.store(is_full, Ordering::Relaxed);
    }

    /// How many parts of objects were taken.
    pub fn parts(&self) -> u64 {
        self.watcher.parts.load(Ordering::Relaxed)
    }

    /// The files that it keeps of the bucket.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// The names of all objects, without their folders.
    pub fn objects(&self, folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => found.extend(self.objects(&path)),
                false => found.push(path),
            }
        }
        found.sort();
        found
    }
}
