//! Content codings of answers: which one a caller takes, and the bytes in it. Cheap levels: the answer waits for them.
//!
//! Nothing here opens the way to BREACH: that needs a secret and a text of the attacker's in one compressed answer that a
//! browser fetches with credentials it attaches by itself. Callers attach keys by hand, answers hold no key, and a problem
//! repeats nothing of what was sent.

use bytes::Bytes;
use std::io::{self, Write as _};

/// Smaller bodies are sent as they are: they fit into one packet either way.
pub(crate) const LEAST: usize = 1024;
/// Larger ones are compressed on a thread that may take its time.
const MOST_INLINE: usize = 64 * 1024;
const GZIP_LEVEL: u32 = 4;
const BROTLI_QUALITY: u32 = 4;
/// Base-2 logarithm of brotli's window: bodies are small.
const BROTLI_WINDOW: u32 = 18;
const BUFFER: usize = 4096;

/// A coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// The better one first.
    pub const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// As in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The one that the caller likes best, the better one among equals; `None` where it names none, or likes none better.
    pub fn accepted(accept_encoding: &str) -> Option<Self> {
        let weights: Vec<(String, u16)> = accept_encoding.split(',').filter_map(weight).collect();
        let stated = |name: &str| weights.iter().find(|(known, _)| known == name).map(|(_, weight)| *weight);
        let other = stated("*").unwrap_or(0);
        let of = |coding: Self| match coding {
            Self::Brotli => stated("br").unwrap_or(other),
            Self::Gzip => stated("gzip").or_else(|| stated("x-gzip")).unwrap_or(other),
        };
        let best = Self::ALL.into_iter().rev().max_by_key(|coding| of(*coding))?;
        (of(best) > 0 && of(best) >= stated("identity").unwrap_or(0)).then_some(best)
    }

    /// The bytes in this coding.
    pub async fn encode(self, body: Bytes) -> Bytes {
        let coded = match body.len() > MOST_INLINE {
            true => tokio::task::spawn_blocking(move || self.encode_now(&body)).await.ok(),
            false => Some(self.encode_now(&body)),
        };
        coded.and_then(Result::ok).expect("writing into memory does not fail")
    }

    fn encode_now(self, body: &Bytes) -> io::Result<Bytes> {
        Coder::new(self).coded(body, true)
    }
}

/// Puts bytes into a coding that become known one after the other.
pub(crate) enum Coder {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    /// The last ones were given.
    Ended,
}

impl Coder {
    pub fn new(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))),
            Coding::Brotli => {
                Self::Brotli(Box::new(brotli::CompressorWriter::new(Vec::new(), BUFFER, BROTLI_QUALITY, BROTLI_WINDOW)))
            }
        }
    }

    /// The bytes in the coding, all that were given so far.
    pub fn coded(&mut self, bytes: &Bytes, is_last: bool) -> io::Result<Bytes> {
        match self {
            Self::Gzip(writer) => writer.write_all(bytes)?,
            Self::Brotli(writer) => writer.write_all(bytes)?,
            Self::Ended => return Err(io::ErrorKind::WriteZero.into()),
        }
        let coded = match (is_last, &mut *self) {
            (false, Self::Gzip(writer)) => writer.flush().map(|()| std::mem::take(writer.get_mut())),
            (false, Self::Brotli(writer)) => writer.flush().map(|()| std::mem::take(writer.get_mut())),
            (_, _) => match std::mem::replace(self, Self::Ended) {
                Self::Gzip(writer) => writer.finish(),
                Self::Brotli(writer) => Ok(writer.into_inner()),
                Self::Ended => Ok(Vec::new()),
            },
        };
        coded.map(Bytes::from)
    }
}

/// Whether bodies of this type become smaller.
pub(crate) fn is_compressible(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.starts_with("text/") || ["json", "javascript", "xml"].iter().any(|end| media_type.ends_with(end))
}

/// `gzip;q=0.5` as its name and thousandths; `None` for what cannot be read.
pub(crate) fn weight(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality: f64 = quality.map_or(Some(1.0), |quality| quality.parse().ok())?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 1000
    (0.0..=1.0).contains(&quality).then(|| (name, (quality * 1000.0).round() as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_decides() {
        for (header, expected) in [
            ("gzip, deflate, br", Some(Coding::Brotli)),
            ("gzip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("br;q=0.5, gzip;q=0.8", Some(Coding::Gzip)),
            ("*", Some(Coding::Brotli)),
            ("br;q=0, *", Some(Coding::Gzip)),
            ("BR; Q=1", Some(Coding::Brotli)),
            ("", None),
            ("identity", None),
            ("deflate", None),
            ("gzip;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=2", None),
            ("gzip;q=x", None),
        ] {
            assert_eq!(Coding::accepted(header), expected, "{header}");
        }
    }

    #[test]
    fn types() {
        for good in ["application/json", "application/problem+json", "text/html; charset=utf-8", "image/svg+xml"] {
            assert!(is_compressible(good), "{good}");
        }
        for bad in ["", "image/png", "font/woff2", "application/octet-stream"] {
            assert!(!is_compressible(bad), "{bad}");
        }
    }

    #[test]
    fn parts_make_one_whole() {
        use std::io::Read as _;
        for coding in Coding::ALL {
            let mut coder = Coder::new(coding);
            let parts: Vec<Bytes> = [("one", false), ("two", false), ("", true)]
                .map(|(part, is_last)| coder.coded(&Bytes::from(part), is_last).unwrap())
                .into();
            assert!(!parts[1].is_empty(), "nothing waits for the end");
            assert!(coder.coded(&Bytes::from("more"), true).is_err());
            let (whole, mut read) = (parts.concat(), String::new());
            match coding {
                Coding::Gzip => flate2::read::GzDecoder::new(&whole[..]).read_to_string(&mut read).unwrap(),
                Coding::Brotli => brotli::Decompressor::new(&whole[..], BUFFER).read_to_string(&mut read).unwrap(),
            };
            assert_eq!(read, "onetwo");
        }
    }

    #[tokio::test]
    async fn what_was_coded_can_be_read_again() {
        use std::io::Read as _;
        for length in [LEAST, MOST_INLINE + 1] {
            let body = Bytes::from("ab\n".repeat(length / 3 + 1));
            let gzip = Coding::Gzip.encode(body.clone()).await;
            let brotli = Coding::Brotli.encode(body.clone()).await;
            let mut read = Vec::new();
            flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut read).unwrap();
            assert_eq!(read, body);
            read.clear();
            brotli::Decompressor::new(&brotli[..], BUFFER).read_to_end(&mut read).unwrap();
            assert_eq!(read, body);
        }
    }
}
