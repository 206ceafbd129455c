//! A connection that ends when nothing moves on it, in either direction, for a while: one that was opened and never used, one
//! whose client does not take its answer, one whose client is gone.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long nothing may move. Longer than an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Passes everything through.
pub(crate) struct PatientStream<S> {
    stream: S,
    moved: Instant,
    /// Set anew only when it rings: a connection at work costs no timer.
    alarm: Pin<Box<Sleep>>,
}

impl<S> PatientStream<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, moved: Instant::now(), alarm: Box::pin(tokio::time::sleep(PATIENCE)) }
    }

    /// The result of a read or write, or the end where nothing moved for too long.
    fn watch<T>(&mut self, result: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.moved = Instant::now();
            return result;
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            if self.moved.elapsed() >= PATIENCE {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.alarm.as_mut().reset(self.moved + PATIENCE);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(result, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(result, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(result, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_moves_ends() {
        let (client, server) = tokio::io::duplex(8);
        let mut server = PatientStream::new(server);
        let mut client = client;
        let begun = Instant::now();
        let mut byte = [0];
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            client.write_all(b"a").await.unwrap();
            tokio::time::sleep(Duration::from_secs(1000)).await;
        });
        server.read_exact(&mut byte).await.unwrap();
        assert_eq!(server.read_exact(&mut byte).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 50);
        assert_eq!(server.write_all(&[0; 9]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
