//! `cargo xtask vendor`: brings the files of Swagger UI that the native server holds to the version of the emitted
//! application's manifest. Comes in: the package of npm; goes out: files in `crates/serve/assets/swagger-ui`.
//! It changes no version: that stands in the manifest alone.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

use crate::repository::Repository;
use crate::test::MANIFEST;

const PACKAGE: &str = "swagger-ui-dist";
const ASSETS: &str = "crates/serve/assets/swagger-ui";
const DOWNLOADS: &str = "target/vendor";
/// Packed when they are taken in.
const COMPRESSED: [(&str, &str); 2] =
    [("swagger-ui-bundle.js", "swagger-ui.js.gz"), ("swagger-ui.css", "swagger-ui.css.gz")];
const COPIED: [(&str, &str); 4] = [
    ("favicon-32x32.png", "favicon.png"),
    ("LICENSE", "LICENSE"),
    ("NOTICE", "NOTICE"),
    ("swagger-ui-bundle.js.LICENSE.txt", "LICENSES-OF-PARTS"),
];

/// Fetches the package and writes the files.
pub fn run(repository: &Repository) -> Result<ExitCode, String> {
    let version = version(repository)?;
    let downloads = repository.root.join(DOWNLOADS);
    let assets = repository.root.join(ASSETS);
    for folder in [&downloads, &assets] {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    }
    finish(Command::new("npm").args(["pack", &format!("{PACKAGE}@{version}")]).current_dir(&downloads))?;
    let archive = format!("{PACKAGE}-{version}.tgz");
    finish(Command::new("tar").args(["--extract", "--gzip", "--file", &archive]).current_dir(&downloads))?;
    let package = downloads.join("package");
    for (from, to) in COMPRESSED {
        write(&assets.join(to), &gzip(&package.join(from))?)?;
    }
    for (from, to) in COPIED {
        let bytes = fs::read(package.join(from)).map_err(|error| format!("`{PACKAGE}` has no `{from}`: {error}"))?;
        write(&assets.join(to), &bytes)?;
    }
    write(&assets.join("VERSION"), format!("{version}\n").as_bytes())?;
    println!("{PACKAGE} {version} is in `{ASSETS}`");
    Ok(ExitCode::SUCCESS)
}

fn version(repository: &Repository) -> Result<String, String> {
    let manifest: Value = serde_json::from_str(&repository.read(MANIFEST)?)
        .map_err(|error| format!("`{MANIFEST}` is not JSON: {error}"))?;
    let version = manifest["dependencies"][PACKAGE].as_str();
    version.map(str::to_owned).ok_or_else(|| format!("`{MANIFEST}` does not name `{PACKAGE}`"))
}

/// Without name and time, so that the same file gives the same bytes.
fn gzip(path: &Path) -> Result<Vec<u8>, String> {
    let mut command = Command::new("gzip");
    command.args(["--best", "--no-name", "--stdout"]).arg(path).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("`gzip` did not start: {error}"))?;
    if output.status.success() { Ok(output.stdout) } else { Err(format!("`gzip` of `{}` failed", path.display())) }
}

fn finish(command: &mut Command) -> Result<(), String> {
    let status =
        command.stdout(Stdio::null()).status().map_err(|error| format!("{command:?} did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed")) }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}
