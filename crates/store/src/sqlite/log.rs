//! The log of a SQLite file is brought home into the file on a thread of its own, so that no transaction waits for that: how long the log is
//! comes in with each commit, and nothing goes out. What stands in the log is as durable as what stands in the file.

use super::connect;
use crate::{Location, StoreError};
use rusqlite::Connection;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Pages by which the log grows between two times that it is brought home.
const PAGES: i32 = 1_000;
/// Pages behind which the writer waits until all of it is at home, and the log begins anew: it would grow as long as somebody writes.
const MOST_PAGES: i32 = 8_000;

/// Has the log of this connection's file brought home behind its commits.
///
/// # Errors
/// [`StoreError`] when SQLite does not take it.
pub(super) fn bring_home(writer: &mut Connection, uri: &str, location: &Location) -> Result<(), StoreError> {
    let (uri, location) = (uri.to_owned(), location.clone());
    let (mut porter, mut brought): (Option<Porter>, i32) = (None, 0);
    writer.wal_hook(Some(move |log: &mut rusqlite::hooks::Wal, pages: i32| {
        if pages < brought {
            brought = 0;
        }
        if pages >= MOST_PAGES {
            // Where the porter is at it this commit does not wait; the next one asks again.
            let _ = log.checkpoint();
        } else if pages - brought >= PAGES {
            brought = pages;
            porter.get_or_insert_with(|| Porter::start(uri.clone(), location.clone())).ring();
        }
        Ok(())
    }))?;
    Ok(())
}

/// The thread. It ends with the connection whose log it brings home.
struct Porter {
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Porter {
    /// Where there is no thread to be had the writer does it, later.
    fn start(uri: String, location: Location) -> Self {
        let (bell, rung) = sync_channel(1);
        let work = move || carry(&uri, &location, &rung);
        let thread = std::thread::Builder::new().name("sqlite-log".to_owned()).spawn(work).ok();
        Self { bell: Some(bell), thread }
    }

    fn ring(&self) {
        // Who has been rung for already, and has not begun, does this as well.
        let _ = self.bell.as_ref().map(|bell| bell.try_send(()));
    }
}

impl Drop for Porter {
    fn drop(&mut self) {
        drop(self.bell.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("what brings the log of the database home panicked");
        }
    }
}

fn carry(uri: &str, location: &Location, rung: &Receiver<()>) {
    let mut connection = None;
    while rung.recv().is_ok() {
        if connection.is_none() {
            connection = connect(uri, location).ok();
        }
        let Some(connected) = &connection else { continue };
        // As far as nobody reads what was there before; never waits for anybody.
        let brought = connected.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = brought {
            tracing::debug!(error = %error, "the log of the database was not brought home");
            connection = None;
        }
    }
}
