//! The pages of `docs/errors`, inside the binary.

use crate::pipeline::{COMPLETED, FAILED};
use std::error::Error;
use std::io::{self, Write as _};

const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Prints the page of a code.
pub fn explain(code: &str) -> Result<u8, Box<dyn Error>> {
    let code = code.to_ascii_uppercase();
    match PAGES.iter().find(|(known, _)| *known == code) {
        Some((_, page)) => {
            io::stdout().lock().write_all(page.as_bytes())?;
            Ok(COMPLETED)
        }
        None => {
            let known: Vec<&str> = PAGES.iter().map(|(known, _)| *known).collect();
            eprintln!("no diagnostic has the code `{code}`; known are {}", known.join(", "));
            Ok(FAILED)
        }
    }
}
