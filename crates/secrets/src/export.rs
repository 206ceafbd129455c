//! Secrets in clear, for the place that needs them: names and values come in, one text goes out, and a file that only this user
//! reads.

use crate::{SecretFailure, SecretName, SecretText};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// `NAME=value` lines, as Docker Compose and Node's `--env-file` read them.
    Env,
    /// One object of names and values.
    Json,
}

/// Characters of a value that no reader of environment files takes for anything else.
const PLAIN: &[u8] = b"_-./:@%+=,?&~";

/// The text of an export.
///
/// # Errors
/// [`SecretFailure::Value`] when the form cannot hold a value, [`SecretFailure::SameVariable`] when two names become one.
pub fn text(secrets: &[(SecretName, SecretText)], form: ExportForm) -> Result<Zeroizing<String>, SecretFailure> {
    match form {
        ExportForm::Env => env(secrets),
        ExportForm::Json => {
            let values = secrets.iter().map(|(name, value)| (name.to_string(), value.expose().as_str().into()));
            let object = serde_json::Value::Object(values.collect());
            Ok(Zeroizing::new(format!("{object:#}\n")))
        }
    }
}

/// `shop/shop_app` becomes `SHOP_SHOP_APP`.
fn variable(name: &SecretName) -> String {
    name.as_str().to_ascii_uppercase().replace(['/', '-'], "_")
}

fn env(secrets: &[(SecretName, SecretText)]) -> Result<Zeroizing<String>, SecretFailure> {
    let mut text = Zeroizing::new(String::new());
    let mut seen: Vec<(String, &SecretName)> = Vec::with_capacity(secrets.len());
    for (name, value) in secrets {
        let variable = variable(name);
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == variable) {
            return Err(SecretFailure::SameVariable { one: (*other).clone(), other: name.clone(), variable });
        }
        let value = value.expose();
        // The readers agree on plain words and on single quotes, and on little else.
        let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte));
        let quote = if is_plain { "" } else { "'" };
        if !is_plain && value.contains(['\'', '\n', '\r', '\0']) {
            let why = "has quotes or line breaks, which no environment file holds: use `--format json`";
            return Err(SecretFailure::Value { name: name.clone(), why });
        }
        for part in [variable.as_str(), "=", quote, value, quote, "\n"] {
            text.push_str(part);
        }
        seen.push((variable, name));
    }
    Ok(text)
}

/// Writes a file whole or not at all, for this user alone: the temporary file is made so.
///
/// # Errors
/// Of the file system; what was there is in place then.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), SecretFailure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".secrets").tempfile_in(&folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        #[cfg(unix)]
        fs::File::open(&folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(|source: io::Error| SecretFailure::File { path: path.to_owned(), source })
}
