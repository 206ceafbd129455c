//! A PostgreSQL server for the tests: the one that `TEST_POSTGRESQL_URL` names, else a private one from installed programs, on
//! a port that the system chooses, with a folder of its own. It ends with the value that stands for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::installed::{as_user, free_port, install, is_root, quiet, scratch};

/// What tests are handed.
pub const VARIABLE: &str = "TEST_POSTGRESQL_URL";
const PASSWORD: &str = "private-to-the-tests";
/// The programs refuse to run as root.
const USER: &str = "postgres";

/// A server that runs.
pub struct Server {
    /// Where it is: as the superuser of a database that exists.
    pub url: String,
    /// Where it came from, for people.
    pub origin: String,
    own: Option<Own>,
}

/// What must be ended and removed.
struct Own {
    programs: PathBuf,
    folder: PathBuf,
}

impl Server {
    /// The named one, or a private one; the reason where neither can be had.
    pub fn obtain() -> Result<Self, String> {
        if let Ok(url) = std::env::var(VARIABLE) {
            return Ok(Self { url, origin: format!("`{VARIABLE}`"), own: None });
        }
        start(&installed_programs()?, "off", &scratch())
    }

    /// A private one that waits for the disk as servers do: what is measured on it is what users get.
    pub fn durable() -> Result<Self, String> {
        start(&installed_programs()?, "on", &std::env::temp_dir())
    }

    /// The same server, another database.
    pub fn database(&self, name: &str) -> String {
        self.url.rsplit_once('/').map_or_else(|| self.url.clone(), |(server, _)| format!("{server}/{name}"))
    }
}

/// The folder of the programs, installed where that can be.
pub fn installed_programs() -> Result<PathBuf, String> {
    if let Some(programs) = programs() {
        return Ok(programs);
    }
    install("postgresql", "initdb", "install PostgreSQL 14 or newer, or name a server in `TEST_POSTGRESQL_URL`")?;
    programs().ok_or_else(|| "`initdb` is not there even after the package was installed".to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            let mut stop = as_user(USER, &own.programs.join("pg_ctl"));
            stop.arg("-D").arg(own.folder.join("data")).args(["-w", "-m", "immediate", "stop"]);
            // Nothing depends on it any more; a server that is gone already is as good.
            let _ = quiet(&mut stop).status();
            let _ = fs::remove_dir_all(&own.folder);
        }
    }
}

/// The folder of the newest installed programs.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    installed.sort();
    folders.extend(installed.into_iter().rev());
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

fn start(programs: &Path, fsync: &str, beside: &Path) -> Result<Server, String> {
    let failed = |what: &str| format!("PostgreSQL in `{}`: {what} failed", programs.display());
    let folder = beside.join(format!("producer-postgresql-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    let own = Own { programs: programs.to_owned(), folder: folder.clone() };
    let password = folder.join("password");
    fs::write(&password, PASSWORD).map_err(|error| format!("cannot write `{}`: {error}", password.display()))?;
    if is_root()
        && !quiet(Command::new("chown").args(["-R", "postgres"]).arg(&folder))
            .status()
            .is_ok_and(|status| status.success())
    {
        return Err(failed("giving its folder to the user `postgres`"));
    }
    // From here on the folder is removed whatever happens.
    let mut server = Server { url: String::new(), origin: programs.display().to_string(), own: Some(own) };
    let data = folder.join("data");
    let mut initdb = as_user(USER, &programs.join("initdb"));
    initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C.UTF-8"]);
    initdb.arg("--pwfile").arg(&password);
    if !quiet(&mut initdb).status().is_ok_and(|status| status.success()) {
        return Err(failed("`initdb`"));
    }
    let port = free_port()?;
    let options = format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c fsync={fsync} -c unix_socket_directories='{}'",
        folder.display()
    );
    let mut start = as_user(USER, &programs.join("pg_ctl"));
    start.arg("-D").arg(&data).arg("-l").arg(folder.join("log")).args(["-w", "-o", &options, "start"]);
    if !quiet(&mut start).status().is_ok_and(|status| status.success()) {
        return Err(failed("`pg_ctl start`"));
    }
    server.url = format!("postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres");
    Ok(server)
}
