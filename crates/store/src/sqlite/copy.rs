//! Copies of a file that others may be writing to, by SQLite's own backup interface, and what a file holds. One read transaction stands
//! behind a copy and what is said of it, so both are of one moment. <https://www.sqlite.org/backup.html>

use super::{BUSY_TIMEOUT, make_file};
use crate::StoreError;
use crate::contents::{Contents, RowHash, Rows, TableContents};
use crate::error::Trouble;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::Duration;

/// Pages that are copied at a time: a file that others want meanwhile is not kept from them for longer.
const PAGES: i32 = 1_000;
/// How often it is tried again while somebody keeps the file locked, and how long is waited in between.
const BUSY_ATTEMPTS: u32 = 600;
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Copies a file to a new one, and says what it held. Nobody is kept from reading or writing it meanwhile.
pub fn copy(from: &Path, to: &Path) -> Result<Contents, StoreError> {
    let source = connect_to_copy(from)?;
    source.execute_batch("BEGIN")?;
    copy_read(&source, to)
}

/// Copies what a read transaction sees to a new file: what is written meanwhile does not make the backup begin again.
pub fn copy_read(source: &Connection, to: &Path) -> Result<Contents, StoreError> {
    let contents = contents(source)?;
    make_file(to);
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // What is made of it goes to the disk, not this.
    target.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(source, &mut target)?;
    let mut attempts = 0;
    loop {
        match backup.step(PAGES)? {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked if attempts == BUSY_ATTEMPTS => {
                return Err(StoreError::Unavailable("somebody keeps the file locked".to_owned()));
            }
            StepResult::Busy | StepResult::Locked => {
                attempts += 1;
                std::thread::sleep(BUSY_PAUSE);
            }
            // More is to be copied.
            _ => {}
        }
    }
    drop(backup);
    // A copy has nothing beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error)?;
    Ok(contents)
}

/// What a file holds that nobody writes to.
pub fn contents_of_file(path: &Path) -> Result<Contents, StoreError> {
    contents(&connect_to_copy(path)?)
}

/// What SQLite's own checks find wrong in a file; nothing where all is well.
pub fn check(path: &Path) -> Result<Vec<String>, StoreError> {
    let connection = connect_to_copy(path)?;
    let mut found = Vec::new();
    let mut statement = connection.prepare("PRAGMA integrity_check(10)")?;
    let said: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    found.extend(said.into_iter().filter(|line| line != "ok"));
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        found.push(format!("a row of `{table}` leads to none of `{parent}`"));
    }
    Ok(found)
}

/// Sees that nobody has a file open, and brings what stands beside it home. A file that is no database is nobody's.
pub fn must_be_closed(path: &Path) -> Result<(), StoreError> {
    let Ok(connection) = connect_to_copy(path) else { return Ok(()) };
    connection.busy_timeout(Duration::ZERO)?;
    match connection.pragma_update(None, "journal_mode", "DELETE") {
        Ok(()) => {}
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => return Err(error.into()),
        // It is damaged: a reason to restore it.
        Err(_) => {}
    }
    Ok(())
}

pub fn connect_to_copy(path: &Path) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::NotConnected(Trouble::NotAFile, format!("{}: there is no such file", path.display())));
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn contents(connection: &Connection) -> Result<Contents, StoreError> {
    let mut definition = Sha256::new();
    let mut tables = std::collections::BTreeMap::new();
    // SQLite's own tables are part of what is copied; those of its planner and of keys that count upwards can be read.
    let mut statement = connection
        .prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name, tbl_name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let parts: [String; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
        for part in &parts {
            definition.update((part.len() as u64).to_le_bytes());
            definition.update(part.as_bytes());
        }
        let [kind, name, ..] = parts;
        if kind == "table" {
            let contents = table(connection, &name)?;
            tables.insert(name, contents);
        }
    }
    Ok(Contents { definition: vocab::hex(&definition.finalize()), tables })
}

fn table(connection: &Connection, name: &str) -> Result<TableContents, StoreError> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{}\"", name.replace('"', "\"\"")))?;
    let width = statement.column_count();
    let mut found = statement.query([])?;
    let mut rows = Rows::default();
    while let Some(row) = found.next()? {
        let mut hash = RowHash::default();
        for index in 0..width {
            match row.get_ref(index)? {
                ValueRef::Null => hash.value(b'n', &[]),
                ValueRef::Integer(number) => hash.value(b'i', &number.to_le_bytes()),
                ValueRef::Real(number) => hash.value(b'r', &number.to_bits().to_le_bytes()),
                ValueRef::Text(bytes) => hash.value(b't', bytes),
                ValueRef::Blob(bytes) => hash.value(b'b', bytes),
            }
        }
        rows.add(hash);
    }
    Ok(rows.finish())
}
