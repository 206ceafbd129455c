//! The key that opens the store: from the environment, or from a file of this user outside every workspace, made at first use.
//! A key is known by its fingerprint, which opens nothing.

use crate::{SecretFailure, SecretText, secret};
use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Bytes of its fingerprint.
const FINGERPRINT_BYTES: usize = 8;
/// Where the key is given.
const VARIABLE: &str = "PRODUCER_SECRET_KEY";
/// Where its successor is given.
const NEW_VARIABLE: &str = "PRODUCER_SECRET_KEY_NEW";

/// A key.
pub struct Key {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    /// What it is known by.
    pub fingerprint: String,
}

impl Key {
    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut hashed = digest::Context::new(&digest::SHA256);
        hashed.update(b"integration producer, fingerprint of a key\0");
        hashed.update(bytes.as_slice());
        let fingerprint = hex(&hashed.finish().as_ref()[..FINGERPRINT_BYTES]);
        Self { bytes, fingerprint }
    }

    fn generate() -> Result<Self, SecretFailure> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(bytes.as_mut_slice())?;
        Ok(Self::new(bytes))
    }

    /// What seals with it.
    pub fn sealing(&self) -> RandomizedNonceKey {
        RandomizedNonceKey::new(&AES_256_GCM, self.bytes.as_slice())
            .expect("the key has the length that AES-256 asks for")
    }
}

/// Where keys come from.
#[derive(Debug, Clone)]
pub struct KeySource {
    /// What `PRODUCER_SECRET_KEY` holds.
    pub given: Option<SecretText>,
    /// What `PRODUCER_SECRET_KEY_NEW` holds.
    pub new: Option<SecretText>,
    /// The folder of this user's key files, where there is one.
    pub folder: Option<PathBuf>,
}

impl KeySource {
    /// The environment of the process.
    pub fn of_environment() -> Self {
        let set = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty());
        let key = |variable: &str| set(variable).map(|text| secret(text.to_string_lossy().into_owned()));
        let home = || env::home_dir().map(|home| home.join(".config"));
        let folder = set("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home).filter(|folder| folder.is_absolute());
        Self {
            given: key(VARIABLE),
            new: key(NEW_VARIABLE),
            folder: folder.map(|folder| folder.join("integration-producer").join("keys")),
        }
    }

    /// The key for a store. `wanted` is the fingerprint of the key that locked it; without one any key will do, and one is made.
    pub fn find(&self, wanted: Option<&str>, store: &Path) -> Result<Key, SecretFailure> {
        match (parsed(self.given.as_ref(), VARIABLE)?, wanted) {
            (Some(key), Some(wanted)) if key.fingerprint != wanted => Err(SecretFailure::WrongKey {
                given: key.fingerprint,
                wanted: wanted.to_owned(),
                file: store.to_owned(),
            }),
            (Some(key), _) => Ok(key),
            (None, Some(wanted)) => self.read_file(wanted, store),
            (None, None) => self.make_file(),
        }
    }

    /// The key that opens a store which shall get another: the environment may hold the other one already.
    pub fn find_to_leave(&self, wanted: &str, store: &Path) -> Result<Key, SecretFailure> {
        match parsed(self.given.as_ref(), VARIABLE)? {
            Some(key) if key.fingerprint == wanted => Ok(key),
            Some(_) | None => self.read_file(wanted, store),
        }
    }

    /// The key that comes after `old`: the one that the environment names, else one in a file that is made.
    pub fn successor(&self, old: &Key) -> Result<Key, SecretFailure> {
        let new = match (parsed(self.new.as_ref(), NEW_VARIABLE)?, parsed(self.given.as_ref(), VARIABLE)?) {
            (Some(new), _) | (None, Some(new)) => new,
            (None, None) => self.make_file()?,
        };
        if old.fingerprint == new.fingerprint { Err(SecretFailure::SameKey) } else { Ok(new) }
    }

    /// Removes the file of a key that opens nothing any more, if there is one.
    pub fn forget(&self, fingerprint: &str) {
        if let Ok(path) = self.file_of(fingerprint) {
            // A file that stays behind opens nothing.
            let _ = fs::remove_file(path);
        }
    }

    fn read_file(&self, wanted: &str, store: &Path) -> Result<Key, SecretFailure> {
        let path = self.file_of(wanted)?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (wanted, file) = (wanted.to_owned(), store.to_owned());
                return Err(SecretFailure::KeyMissing { wanted, key_file: path, file });
            }
            Err(source) => return Err(SecretFailure::File { path, source }),
        };
        if is_open(&path)? {
            return Err(SecretFailure::OpenKeyFile { path });
        }
        let damaged = || SecretFailure::Damaged { file: path.clone(), why: format!("it does not hold key {wanted}") };
        parse(text.trim()).filter(|key| key.fingerprint == wanted).ok_or_else(damaged)
    }

    /// A new key in a file that only this user reads.
    fn make_file(&self) -> Result<Key, SecretFailure> {
        let key = Key::generate()?;
        let path = self.file_of(&key.fingerprint)?;
        let folder = path.parent().unwrap_or(&path);
        let mut text = Zeroizing::new(STANDARD.encode(key.bytes.as_slice()));
        text.push('\n');
        let write = || {
            fs::create_dir_all(folder)?;
            let mut options = fs::File::options();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|source| SecretFailure::File { path: path.clone(), source })?;
        Ok(key)
    }

    /// Each key has a file of its own, so that another workspace's key is never in the way.
    fn file_of(&self, fingerprint: &str) -> Result<PathBuf, SecretFailure> {
        let folder = self.folder.as_ref().ok_or(SecretFailure::NoPlaceForKey)?;
        Ok(folder.join(format!("{fingerprint}.key")))
    }
}

/// Fills with randomness.
pub fn fill(bytes: &mut [u8]) -> Result<(), SecretFailure> {
    rand::fill(bytes).map_err(|_| SecretFailure::Randomness)
}

fn parsed(text: Option<&SecretText>, variable: &'static str) -> Result<Option<Key>, SecretFailure> {
    text.map(|text| parse(text.expose().trim()).ok_or(SecretFailure::NotAKey(variable))).transpose()
}

fn parse(text: &str) -> Option<Key> {
    let bytes = match text.len() == KEY_BYTES * 2 {
        true => from_hex(text)?,
        false => Zeroizing::new(STANDARD.decode(text).ok()?),
    };
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    (bytes.len() == KEY_BYTES).then(|| key.copy_from_slice(&bytes))?;
    Some(Key::new(key))
}

#[cfg(unix)]
fn is_open(path: &Path) -> Result<bool, SecretFailure> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|source| SecretFailure::File { path: path.to_owned(), source })?;
    Ok(metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_path: &Path) -> Result<bool, SecretFailure> {
    Ok(false)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.bytes().map(|byte| char::from(byte).to_digit(16)).collect::<Option<Vec<u32>>>()?;
    let digits = Zeroizing::new(digits);
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).ok();
    digits.chunks_exact(2).map(byte).collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}
