//! Lists the data files of `entities`, `intents`, `mails` and `tables`, and the folders of `providers`, in the order of their names, so that
//! a new one needs no second mention.
#![allow(clippy::disallowed_methods)] // build scripts read folders

use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lists = String::new();
    let lists_of =
        [("entities", "ENTITY_FILES"), ("intents", "INTENT_FILES"), ("mails", "MAIL_FILES"), ("tables", "TABLE_FILES")];
    for (folder, list) in lists_of {
        println!("cargo::rerun-if-changed={folder}");
        writeln!(lists, "const {list}: &[(&str, &str)] = &[")?;
        for file in data_files(folder)? {
            let path = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{folder}/{file}\")");
            writeln!(lists, "    ({file:?}, include_str!({path})),")?;
        }
        lists.push_str("];\n");
    }
    println!("cargo::rerun-if-changed=providers");
    lists.push_str("const PROVIDER_FOLDERS: &[(&str, &[(&str, &str)])] = &[\n");
    for provider in folders("providers")? {
        writeln!(lists, "    ({provider:?}, &[")?;
        for file in data_files(&format!("providers/{provider}"))? {
            println!("cargo::rerun-if-changed=providers/{provider}/{file}");
            let path = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/providers/{provider}/{file}\")");
            writeln!(lists, "        ({file:?}, include_str!({path})),")?;
        }
        lists.push_str("    ]),\n");
    }
    lists.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("files.rs"), lists)?;
    Ok(())
}

/// The folders in a folder, sorted.
fn folders(folder: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut folders = Vec::new();
    for entry in Path::new(folder).read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.file_name().into_string().map_err(|name| format!("{}: not a name", name.display()))?);
        }
    }
    folders.sort();
    Ok(folders)
}

/// The YAML files of a folder, sorted: what else an editor leaves there is no data.
fn data_files(folder: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut files = Vec::new();
    for file in Path::new(folder).read_dir()? {
        let name = file?.file_name().into_string().map_err(|name| format!("{}: not a name", name.display()))?;
        if !name.starts_with('.') && Path::new(&name).extension().is_some_and(|extension| extension == "yaml") {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}
