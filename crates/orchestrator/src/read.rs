//! Task texts: paths of files and folders, or standard input, come in; named texts go out. What is there but cannot be a text
//! is a problem of that text and keeps no other from being read. It never takes in more than a bound.

use spec::{BOUND_EXCEEDED, NOT_YAML, Parsed};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use vocab::{Diagnostic, Place};

/// What a task file's name ends with.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];
/// The longest text that is read, in bytes.
const MAX_SOURCE_BYTES: u64 = 16 * 1024 * 1024;
/// What a text in UTF-16 begins with.
const UTF_16_MARKS: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// A text with the name that diagnostics show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A path, or `-`.
    pub name: String,
    /// The text, as far as it is one.
    pub text: String,
    /// Why it is none.
    pub(crate) problem: Option<Diagnostic>,
}

/// A path that gives no text.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// It is not there, or cannot be read.
    #[error("`{path}` cannot be read: {source}; name a task file, a folder of them, or `-` for standard input")]
    Path {
        /// The path as it was given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A folder without tasks.
    #[error("no file in `{path}` ends in .yaml, .yml or .json; name a folder of task files, or the files themselves")]
    Empty {
        /// The folder.
        path: String,
    },
}

/// Reads every path; of a folder its task files by name, without those in folders below it; `-` is standard input.
///
/// # Errors
/// The first path that cannot be read, with the reason.
pub fn read_sources(paths: &[String]) -> Result<Vec<Source>, ReadFailure> {
    let mut sources = Vec::new();
    for path in paths {
        let told = |source: io::Error| ReadFailure::Path { path: path.clone(), source };
        if path == "-" {
            sources.push(read_source(path, io::stdin()).map_err(told)?);
        } else if Path::new(path).is_dir() {
            let files = task_files(Path::new(path)).map_err(told)?;
            if files.is_empty() {
                return Err(ReadFailure::Empty { path: path.clone() });
            }
            for file in files {
                let name = file.display().to_string();
                let source = File::open(&file).and_then(|file| read_source(&name, file));
                sources.push(source.map_err(|source| ReadFailure::Path { path: name, source })?);
            }
        } else {
            sources.push(File::open(path).and_then(|file| read_source(path, file)).map_err(told)?);
        }
    }
    Ok(sources)
}

/// The tasks and diagnostics of a text.
#[must_use]
pub fn parse(source: &Source) -> Parsed {
    match &source.problem {
        Some(problem) => Parsed { tasks: Vec::new(), diagnostics: vec![problem.clone()] },
        None => spec::parse(&source.name, &source.text),
    }
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

pub(crate) fn read_source(name: &str, from: impl Read) -> io::Result<Source> {
    let mut bytes = Vec::new();
    from.take(MAX_SOURCE_BYTES + 1).read_to_end(&mut bytes)?;
    let is_too_long = bytes.len() as u64 > MAX_SOURCE_BYTES;
    let (text, problem) = match String::from_utf8(bytes) {
        _ if is_too_long => (String::new(), Some(too_long(name))),
        Ok(text) => (text, None),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let problem = not_utf_8(name, &text[..valid], error.as_bytes());
            (text, Some(problem))
        }
    };
    Ok(Source { name: name.to_owned(), text, problem })
}

fn too_long(name: &str) -> Diagnostic {
    let place = Place { source: name.to_owned(), line: 1, column: 1, offset: 0, length: 0 };
    let message = format!("a text of more than {MAX_SOURCE_BYTES} bytes");
    Diagnostic::error(BOUND_EXCEEDED, message, &place).with_help("name a file of tasks, or part it into several")
}

/// `before` is the text before the first byte that is none.
fn not_utf_8(name: &str, before: &str, bytes: &[u8]) -> Diagnostic {
    let last_line = before.rsplit('\n').next().unwrap_or_default();
    let place = Place {
        source: name.to_owned(),
        line: u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX),
        column: u32::try_from(last_line.chars().count() + 1).unwrap_or(u32::MAX),
        offset: before.len(),
        length: char::REPLACEMENT_CHARACTER.len_utf8(),
    };
    let is_utf_16 = UTF_16_MARKS.iter().any(|mark| bytes.starts_with(mark));
    let message = if is_utf_16 { "the text is UTF-16, not UTF-8" } else { "this byte is no UTF-8 text" };
    Diagnostic::error(NOT_YAML, message, &place).with_help("save the file as UTF-8")
}
