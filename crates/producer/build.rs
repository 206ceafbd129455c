//! Lists the pages of `docs/errors` for `producer explain`, so that a new page needs no second mention.
#![allow(clippy::disallowed_methods)] // build scripts read files

use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages: Vec<_> = folder.read_dir()?.collect::<Result<Vec<_>, _>>()?;
    pages.sort_by_key(std::fs::DirEntry::file_name);
    let mut list = String::from("&[\n");
    for page in pages {
        let path = page.path().canonicalize()?;
        if let Some(code) = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.starts_with("IP")) {
            writeln!(list, "    ({code:?}, include_str!({:?})),", path.display().to_string())?;
        }
    }
    list.push_str("]\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("pages.rs"), list)?;
    Ok(())
}
