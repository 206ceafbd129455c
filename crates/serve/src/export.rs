//! Rows in one long answer: those of its first page come in, bytes go out while the rows behind them are read, a page at a time. No more than
//! a page is read ahead of whoever takes the bytes, and nothing any more once nobody does.

use crate::coding::{Coder, Coding};
use crate::page::{self, Columns};
use crate::reading::Reading;
use bytes::Bytes;
use dialect::Listing;
use hyper::body::{Body, Frame};
use plan::Problem;
use plan::procedure::RowsFormat;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use store::{Store, StoreError, Whose};
use tokio::sync::mpsc;
use vocab::Datum;

/// Rows that are read at once.
pub(crate) const AT_ONCE: u32 = 1000;

/// What comes behind the first page of a long answer.
#[derive(Clone)]
pub(crate) struct Rest {
    pub store: Store,
    pub whose: Whose,
    pub reading: Reading,
    /// Behind what it begins.
    pub after: Vec<Datum>,
    /// How many rows at most.
    pub left: u32,
}

/// The rest of an answer with these columns.
#[derive(Clone)]
pub(crate) struct Rows {
    pub rest: Arc<Rest>,
    pub columns: Columns,
    pub format: RowsFormat,
}

/// Why an answer ends before its end.
enum Broken {
    Store(StoreError),
    Problem(Problem),
    Coding(io::Error),
    /// Nobody takes it.
    Left,
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Problem> for Broken {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// The bytes of an answer, as they are made.
pub struct Chunks(mpsc::Receiver<io::Result<Bytes>>);

impl Chunks {
    /// Those of nothing: of an answer to `HEAD`.
    pub(crate) fn none() -> Self {
        Self(mpsc::channel(1).1)
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

impl Rows {
    /// The first bytes, and everything behind them. Where that cannot be read the connection is broken off: no client takes it for the whole.
    pub fn behind(self, first: Bytes, coding: Option<Coding>, request_id: &str) -> Chunks {
        let (sender, receiver) = mpsc::channel(1);
        let request_id = request_id.to_owned();
        tokio::spawn(async move {
            let error = match self.send(first, coding, &sender).await {
                Ok(()) | Err(Broken::Left) => return,
                Err(Broken::Store(error)) => error.to_string(),
                Err(Broken::Problem(problem)) => problem.title().to_owned(),
                Err(Broken::Coding(error)) => error.to_string(),
            };
            tracing::error!(request_id, error, "a long answer was broken off");
            let _ = sender.send(Err(io::Error::other("the rows behind could not be read"))).await;
        });
        Chunks(receiver)
    }

    async fn send(
        &self,
        mut bytes: Bytes,
        coding: Option<Coding>,
        sender: &mpsc::Sender<io::Result<Bytes>>,
    ) -> Result<(), Broken> {
        let Rest { store, whose, reading, after, left } = &*self.rest;
        let mut coder = coding.map(Coder::new);
        let (mut after, mut left) = (Some(after.clone()), *left);
        loop {
            let behind = after.take().filter(|_| left > 0);
            let is_last = behind.is_none();
            let sent = async {
                // Coding takes a while: others go on meanwhile.
                let (coder, coded) = match coder {
                    None => (None, bytes),
                    Some(mut coder) => {
                        let coded = move || coder.coded(&bytes, is_last).map(|coded| (Some(coder), coded));
                        let coded = tokio::task::spawn_blocking(coded).await;
                        coded.map_err(io::Error::other).flatten().map_err(Broken::Coding)?
                    }
                };
                sender.send(Ok(coded)).await.map_err(|_| Broken::Left)?;
                Ok(coder)
            };
            let Some(behind) = behind else { return sent.await.map(drop) };
            let most = left.min(AT_ONCE);
            let listing = Listing { after: Some(behind), offset: 0, limit: most + 1, ..reading.asked.listing.clone() };
            let (text, parameters) = reading.statement(&listing);
            let rows = async { store.read_about(whose, text, parameters).await.map_err(Broken::Store) };
            // The database reads on while the rows before are sent.
            let (rows, same) = tokio::try_join!(rows, sent)?;
            coder = same;
            let (page, next) = reading.page(rows, most)?;
            left -= most;
            after = next;
            bytes = page::lines(&page, &self.columns, self.format).into();
        }
    }
}
