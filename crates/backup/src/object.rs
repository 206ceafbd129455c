//! One object: bytes come in, a file goes out that holds them compressed and perhaps encrypted, and the other way round. What is read is
//! believed only when all of it was read and its hashes are those of the manifest.

use crate::compressing::compress;
use crate::failure::BackupFailure;
use crate::key::Key;
use crate::manifest::Object;
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use vocab::hex;

/// Bytes with their number and hash, on their way to somebody.
pub struct Counted<W> {
    to: W,
    size: u64,
    hash: Sha256,
}

impl<W> Counted<W> {
    pub fn new(to: W) -> Self {
        Self { to, size: 0, hash: Sha256::new() }
    }

    pub fn into_parts(self) -> (W, u64, String) {
        (self.to, self.size, hex(&self.hash.finalize()))
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

type Stored = Counted<BufWriter<File>>;

/// Where compressed bytes go.
enum Sink {
    Plain(Stored),
    Encrypted(age::stream::StreamWriter<Stored>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(bytes),
            Self::Encrypted(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.flush(),
            Self::Encrypted(to) => to.flush(),
        }
    }
}

/// What the file of an object is called: its ending says how a person opens it.
pub fn file_name(name: &str, key: Option<&Key>) -> String {
    format!("{name}.gz{}", if key.is_some() { ".age" } else { "" })
}

/// Writes an object into a new file of the folder, to the disk.
pub fn write(folder: &Path, name: &str, from: &mut dyn Read, key: Option<&Key>) -> Result<Object, BackupFailure> {
    let file = file_name(name, key);
    let path = folder.join(&file);
    let failed = BackupFailure::file(&path);
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let stored = Counted::new(BufWriter::new(options.open(&path).map_err(&failed)?));
    let sink = match key {
        Some(key) => Sink::Encrypted(key.encrypt(stored).map_err(&failed)?),
        None => Sink::Plain(stored),
    };
    let (size, sha256, sink) = compress(from, sink).map_err(&failed)?;
    let stored = match sink {
        Sink::Plain(stored) => stored,
        Sink::Encrypted(encrypted) => encrypted.finish().map_err(&failed)?,
    };
    let (buffer, stored_size, stored_sha256) = stored.into_parts();
    let written = buffer.into_inner().map_err(|error| failed(error.into_error()))?;
    written.sync_all().map_err(&failed)?;
    forget(&written);
    let is_encrypted = key.is_some();
    Ok(Object { name: name.to_owned(), file, is_encrypted, size, sha256, stored_size, stored_sha256 })
}

/// Has the system keep nothing of a file in memory: who reads it back hears from the disk what is there. Where it does not, that is no loss.
fn forget(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// How a file differs from what was stored; `None` where it does not.
pub fn difference(path: &Path, object: &Object) -> io::Result<Option<String>> {
    let mut stored = Counted::new(io::sink());
    io::copy(&mut File::open(path)?, &mut stored)?;
    let (_, size, sha256) = stored.into_parts();
    Ok(differs((size, &sha256), object))
}

/// How so many bytes with that hash differ from what was stored.
pub fn differs((size, sha256): (u64, &str), object: &Object) -> Option<String> {
    match size == object.stored_size {
        false => Some(format!("it has {size} bytes instead of {}", object.stored_size)),
        true if sha256 != object.stored_sha256 => Some("its hash is another one".to_owned()),
        true => None,
    }
}

/// Reads an object of a backup in that folder. Whoever gets an error has got nothing to keep.
pub fn read(
    (backup, folder): (&str, &Path),
    object: &Object,
    key: Option<&Key>,
    to: &mut dyn Write,
) -> Result<(), BackupFailure> {
    let path = folder.join(&object.file);
    let (of, name) = (backup.to_owned(), object.name.clone());
    let damaged = |why: String| BackupFailure::Damaged { backup: of.clone(), object: name.clone(), why };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => BackupFailure::Missing { backup: of.clone(), object: name.clone() },
        _ => BackupFailure::File { path: path.clone(), source: error },
    };
    if let Some(why) = difference(&path, object).map_err(failed)? {
        return Err(damaged(why));
    }
    let stored = BufReader::new(File::open(&path).map_err(failed)?);
    let wrong_key = |why: String| BackupFailure::Key { backup: of.clone(), why };
    let plain: Box<dyn Read + '_> = match (object.is_encrypted, key) {
        (false, _) => Box::new(stored),
        (true, None) => return Err(wrong_key("it is encrypted, and no key is given".to_owned())),
        (true, Some(key)) => {
            Box::new(key.decrypt(stored).map_err(|_| wrong_key("it is encrypted with another key".to_owned()))?)
        }
    };
    let mut got = Counted::new(to);
    let mut decoder = MultiGzDecoder::new(plain);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = decoder.read(&mut buffer).map_err(|error| damaged(error.to_string()))?;
        if read == 0 {
            break;
        }
        // Where it goes is somebody else's, and so is what goes wrong there.
        let target = |source| BackupFailure::File { path: Path::new("what is restored").to_owned(), source };
        got.write_all(&buffer[..read]).map_err(target)?;
    }
    let (_, size, sha256) = got.into_parts();
    match size == object.size && sha256 == object.sha256 {
        true => Ok(()),
        false => Err(damaged("what comes out of it is not what went in".to_owned())),
    }
}
