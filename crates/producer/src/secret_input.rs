//! A value that a person or a program hands over: from standard input, or typed into the terminal without being shown. Never from
//! the command line, which others on the machine can read.

use orchestrator::SecretText;
use std::error::Error;
use std::io::{self, IsTerminal as _, Read as _};

/// The most bytes that are read; the store takes fewer.
const MAX_INPUT_BYTES: u64 = 128 * 1024;

/// The value of a secret. One line break at the end is not part of it.
///
/// # Errors
/// When nothing can be read, or the two that were typed are not the same.
pub fn read_value(name: &str) -> Result<SecretText, Box<dyn Error>> {
    if io::stdin().is_terminal() {
        let value = orchestrator::secret(rpassword::prompt_password(format!("value of {name} (not shown): "))?);
        let again = orchestrator::secret(rpassword::prompt_password("once more: ")?);
        return if value == again { Ok(value) } else { Err("the two are not the same; nothing was changed".into()) };
    }
    read_all()
}

/// A text that is good once, so it is asked for once.
///
/// # Errors
/// When nothing can be read.
pub fn read_once() -> Result<SecretText, Box<dyn Error>> {
    if io::stdin().is_terminal() {
        return Ok(orchestrator::secret(rpassword::prompt_password("(not shown): ")?));
    }
    read_all()
}

fn read_all() -> Result<SecretText, Box<dyn Error>> {
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Vec::with_capacity(usize::try_from(MAX_INPUT_BYTES)? + 1);
    io::stdin().lock().take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes)?;
    let mut text =
        String::from_utf8(bytes).map_err(|_| "the value is no UTF-8 text; encode it first, as base64 does")?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(orchestrator::secret(text))
}
