//! Task texts: from files or standard input.

use std::io::Read as _;
use std::path::Path;

/// A text with the name that diagnostics show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A path, or `-`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Reads every path; `-` is standard input.
///
/// # Errors
/// The first path that cannot be read, with the reason.
pub fn read_sources(paths: &[String]) -> Result<Vec<Source>, String> {
    paths
        .iter()
        .map(|path| {
            let text = if path == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            } else if Path::new(path).is_dir() {
                return Err(format!("{path}: is a folder; name the task files in it"));
            } else {
                std::fs::read_to_string(path)
            };
            text.map(|text| Source { name: path.clone(), text }).map_err(|error| format!("{path}: {error}"))
        })
        .collect()
}
