//! Lists the data files of `entities`, `intents`, `mails` and `tables`, and the folders of `providers`, in the order of their names, so that
//! a new one needs no second mention. What every start of the program reads is turned into JSON here: it is read many times faster than YAML.
#![allow(clippy::disallowed_methods)] // build scripts read folders

use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lists = String::new();
    for (folder, list) in [("entities", "ENTITY_FILES"), ("intents", "INTENT_FILES"), ("tables", "TABLE_FILES")] {
        println!("cargo::rerun-if-changed={folder}");
        writeln!(lists, "const {list}: &[(&str, &str)] = &[")?;
        for file in data_files(folder)? {
            writeln!(lists, "    ({file:?}, {:?}),", json(&format!("{folder}/{file}"))?)?;
        }
        lists.push_str("];\n");
    }
    let single = [
        ("words.yaml", "WORD_FILE"),
        ("relations.yaml", "RELATION_FILE"),
        ("guarded.yaml", "GUARD_FILE"),
        ("senders.yaml", "SENDER_FILE"),
        ("events.yaml", "EVENT_FILE"),
    ];
    for (file, constant) in single {
        writeln!(lists, "const {constant}: (&str, &str) = ({file:?}, {:?});", json(file)?)?;
    }
    // Their places are needed for what is wrong with a workspace's own: they are read as those are.
    println!("cargo::rerun-if-changed=mails");
    lists.push_str("const MAIL_FILES: &[(&str, &str)] = &[\n");
    for file in data_files("mails")? {
        writeln!(lists, "    ({file:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/mails/{file}\"))),")?;
    }
    lists.push_str("];\n");
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

/// The JSON text of what a YAML file says.
fn json(path: &str) -> Result<String, Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={path}");
    let text = std::fs::read_to_string(path)?;
    let value: serde_json::Value = serde_saphyr::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    Ok(value.to_string())
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
