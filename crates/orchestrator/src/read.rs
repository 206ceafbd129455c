//! Task texts: from files, folders or standard input.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// What a task file's name ends with.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A text with the name that diagnostics show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A path, or `-`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Reads every path; of a folder its task files by name, without those in folders below it; `-` is standard input.
///
/// # Errors
/// The first path that cannot be read, with the reason.
pub fn read_sources(paths: &[String]) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in paths {
        let told = |error: io::Error| format!("{path}: {error}");
        if path == "-" {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(told)?;
            sources.push(Source { name: path.clone(), text });
        } else if Path::new(path).is_dir() {
            let files = task_files(Path::new(path)).map_err(told)?;
            if files.is_empty() {
                return Err(format!("{path}: no file in this folder ends in .yaml, .yml or .json"));
            }
            for file in files {
                sources.push(read_file(&file.display().to_string())?);
            }
        } else {
            sources.push(read_file(path)?);
        }
    }
    Ok(sources)
}

fn task_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_file() && EXTENSIONS.contains(&extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &str) -> Result<Source, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Source { name: path.to_owned(), text })
}
