//! Tools that come as packages of Python: a list of versions comes in, a virtual environment in the build output that has them
//! goes out.

use std::fs;
use std::process::Command;

use crate::repository::Repository;
use crate::test::program;

/// What keeps from having one.
pub enum Lacking {
    /// It cannot be had on this machine.
    Part(String),
    /// The repository itself is wrong.
    File(String),
}

/// Installs what `requirements` names in `folder`, unless the stamp there says that it is installed.
pub fn install(repository: &Repository, folder: &str, requirements: &str) -> Result<(), Lacking> {
    let wanted = repository.read(requirements).map_err(Lacking::File)?;
    let folder = repository.root.join(folder);
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let Some((python, _)) = program("python3") else {
        return Err(Lacking::Part("no `python3` on the path".to_owned()));
    };
    let is_done = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    if !is_done(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder)) {
        return Err(Lacking::Part("`python3 -m venv` failed".to_owned()));
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    let mut install = Command::new(folder.join("bin/python"));
    if !is_done(install.args(pip).arg(repository.root.join(requirements))) {
        return Err(Lacking::Part(format!("`pip install --requirement {requirements}` failed")));
    }
    fs::write(&stamp, wanted).map_err(|error| Lacking::File(format!("cannot write `{}`: {error}", stamp.display())))
}
