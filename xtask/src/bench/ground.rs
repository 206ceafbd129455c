//! What the servers of a comparison stand on: files of SQLite, or a private server that waits for the disk, with a database for each.
//! Goes out: databases, workspaces over them, and how many messages they hold at the end.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use super::{Programs, Scratch, said, write};
use crate::{mariadb, postgresql};

/// The task of the database, where it is on a server.
const BASE: &str = "task_id: base\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: ENGINE\n    connection: \"${env:BENCH_DATABASE_URL}\"\n    schema_requirements: { tables: [{ name: rooms, columns: { number: integer } }] }\n";
const VARIABLE: &str = "BENCH_DATABASE_URL";
/// Asks for one number; a program that every machine with a `bench deliver` has.
const PYTHON: &str = "import sqlite3, sys\nprint(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
const MESSAGES: &str = "SELECT count(*) FROM contact_messages";

/// Where databases are made.
pub enum Ground {
    Sqlite,
    PostgreSql(postgresql::Server),
    MySql(mariadb::Server),
}

/// The database of one server.
pub enum Held {
    File(PathBuf),
    Url(String),
}

impl Ground {
    /// That of an engine by its name.
    pub fn of(engine: &str) -> Result<Self, String> {
        match engine {
            "sqlite" => Ok(Self::Sqlite),
            "postgresql" => Ok(Self::PostgreSql(postgresql::Server::durable()?)),
            "mysql" => Ok(Self::MySql(mariadb::Server::durable()?)),
            other => Err(format!("no engine is called `{other}`")),
        }
    }

    /// Whether the hand-written server speaks to it by sqlx too.
    pub fn has_sqlx(&self) -> bool {
        matches!(self, Self::PostgreSql(_))
    }

    /// An empty database; the tables are made by whoever fills it.
    pub fn make(&self, scratch: &Scratch, name: &str) -> Result<Held, String> {
        match self {
            Self::Sqlite => Ok(Held::File(scratch.folder(name)?.join("baseline.db"))),
            Self::PostgreSql(server) => {
                said(Command::new("psql").args(["-q", "-d", &server.url, "-c", &format!("CREATE DATABASE {name}")]))?;
                Ok(Held::Url(server.database(name)))
            }
            Self::MySql(server) => {
                said(&mut mariadb_client(&server.url, &format!("CREATE DATABASE {name}"))?)?;
                Ok(Held::Url(server.database(name)))
            }
        }
    }

    /// A workspace in which the task was completed, and its database.
    pub fn workspace(&self, programs: &Programs, scratch: &Scratch, name: &str) -> Result<(PathBuf, Held), String> {
        let (engine, url) = match self {
            Self::Sqlite => {
                let workspace = scratch.workspace(name, programs)?;
                let file = workspace.join(".producer/data/embedded.sqlite");
                return Ok((workspace, Held::File(file)));
            }
            Self::PostgreSql(server) => ("postgresql", server.database(name)),
            Self::MySql(server) => ("mysql", server.database(name)),
        };
        let (workspace, held) = (scratch.folder(&format!("{engine}-{name}"))?, Held::Url(url));
        for (file, text) in [("base.yaml", &*BASE.replace("ENGINE", engine)), ("task.yaml", super::TASK)] {
            let task = write(&workspace.join(file), text)?;
            let mut run = programs.producer(&["run"], &workspace);
            self.tell(&mut run, &held);
            said(run.arg(task))?;
        }
        Ok((workspace, held))
    }

    /// Tells a command of the producer where the database is.
    pub fn tell(&self, command: &mut Command, held: &Held) {
        if let Held::Url(url) = held {
            command.env(VARIABLE, url);
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => write!(formatter, "SQLite"),
            Self::PostgreSql(server) => write!(formatter, "PostgreSQL, private, durable, of {}", server.origin),
            Self::MySql(server) => write!(formatter, "MariaDB, private, durable, of {}", server.origin),
        }
    }
}

impl Held {
    /// As the hand-written server is told.
    pub fn place(&self) -> String {
        match self {
            Self::File(file) => file.display().to_string(),
            Self::Url(url) => url.clone(),
        }
    }

    /// As an application is told.
    pub fn url(&self) -> String {
        match self {
            Self::File(file) => format!("file:{}", file.display()),
            Self::Url(url) => url.clone(),
        }
    }

    /// Has PostgreSQL make the ids of messages, for whoever makes none.
    pub fn make_keys(&self) -> Result<(), String> {
        const DEFAULT: &str = "ALTER TABLE contact_messages ALTER id SET DEFAULT gen_random_uuid()";
        said(Command::new("psql").args(["-q", "-d", &self.place(), "-c", DEFAULT])).map(drop)
    }

    /// How many messages were stored.
    pub fn messages(&self) -> Result<u64, String> {
        let answer = match self {
            Self::File(file) => said(Command::new("python3").args(["-c", PYTHON]).arg(file).arg(MESSAGES)),
            Self::Url(url) if url.starts_with("postgresql:") => {
                said(Command::new("psql").args(["-qAt", "-d", url, "-c", MESSAGES]))
            }
            Self::Url(url) => said(&mut mariadb_client(url, MESSAGES)?),
        }?;
        answer.parse().map_err(|_| format!("`{answer}` is no number"))
    }
}

/// The engine's own program with a statement. It knows no URLs.
fn mariadb_client(url: &str, statement: &str) -> Result<Command, String> {
    let parts = || {
        let (account, place) = url.strip_prefix("mysql://")?.rsplit_once('@')?;
        let (user, password) = account.split_once(':')?;
        let (address, database) = place.split_once('/')?;
        let (host, port) = address.split_once(':')?;
        Some((user, password, host, port, database))
    };
    let (user, password, host, port, database) =
        parts().ok_or("a URL that names no account, host, port and database")?;
    let mut command = Command::new("mariadb");
    command.env("MYSQL_PWD", password).args(["--no-defaults", "-N", "-B", "-u", user, "-h", host, "-P", port]);
    command.args(["-e", statement, database]);
    Ok(command)
}
