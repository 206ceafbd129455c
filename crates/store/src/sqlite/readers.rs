//! The reading threads of a SQLite database: work comes in, each thread does it on a connection of its own, the answer goes back to
//! whoever waits. Threads and connections are made when first needed and stay; nothing is ever written here.

use super::{StoreError, connect};
use crate::Location;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, oneshot};

/// Threads, each with a connection: reads at once.
const READERS: usize = 4;
/// Reads that may wait for a thread; more than that wait in their callers.
const QUEUE_LENGTH: usize = 1024;

type Work = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// The threads of one database.
pub(super) struct Readers {
    shared: Arc<Shared>,
    places: Semaphore,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    uri: String,
    location: Location,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    is_closed: bool,
}

impl Readers {
    /// Starts the threads; they connect when the first work comes.
    pub fn start(uri: &str, location: &Location) -> Self {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            uri: uri.to_owned(),
            location: location.clone(),
        });
        let thread = |number| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("sqlite-reader-{number}")).spawn(move || shared.read_loop())
        };
        // With fewer threads than wished for, reads wait longer; with none, each is told so.
        let threads = (0..READERS).filter_map(|number| thread(number).ok()).collect();
        Self { shared, places: Semaphore::new(QUEUE_LENGTH), threads }
    }

    /// Has a thread do the work.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let gone = || StoreError::Unavailable("no thread reads the database".to_owned());
        if self.threads.is_empty() {
            return Err(gone());
        }
        let _place = self.places.acquire().await.map_err(|_| gone())?;
        let (answer, waiting) = oneshot::channel();
        // The caller may have given up waiting; then nobody hears the answer.
        let work: Work = Box::new(move |connection| drop(answer.send(connection.and_then(work))));
        self.shared.queue().waiting.push_back(work);
        self.shared.filled.notify_one();
        waiting.await.map_err(|_| gone())?
    }
}

impl Drop for Readers {
    /// Waits for the reads under way.
    fn drop(&mut self) {
        self.shared.queue().is_closed = true;
        self.shared.filled.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader of the database panicked");
            }
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next work; `None` when there will be none.
    fn next(&self) -> Option<Work> {
        let mut queue = self.queue();
        loop {
            match queue.waiting.pop_front() {
                Some(work) => return Some(work),
                None if queue.is_closed => return None,
                None => queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn read_loop(&self) {
        let mut connection = None;
        while let Some(work) = self.next() {
            if connection.is_none() {
                match connect(&self.uri, &self.location) {
                    Ok(made) => connection = Some(made),
                    Err(error) => {
                        work(Err(error));
                        continue;
                    }
                }
            }
            let Some(made) = &connection else { continue };
            // Work that panics takes its answer with it, and its connection, but not the thread.
            if catch_unwind(AssertUnwindSafe(|| work(Ok(made)))).is_err() {
                connection = None;
            }
        }
    }
}
