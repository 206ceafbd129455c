//! A connection whose HTTP parser refuses with a problem document. hyper answers bytes that are not HTTP by itself, before
//! any service is asked, with an empty body; this stream puts our answer in the place of that one.

use crate::answer::Refusal;
use plan::Problem;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How hyper's own refusals begin.
const REFUSALS: [&[u8]; 3] = [b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b"HTTP/1.1 414 "];
/// A header of every answer of ours, and of none of hyper's.
const OURS: &[u8] = b"x-request-id: ";

/// Passes everything through but the parser's own refusals.
pub(crate) struct RefusalStream<S> {
    stream: S,
    /// What is still to be written of the refusal that took the place of hyper's.
    pending: Vec<u8>,
}

impl<S> RefusalStream<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, pending: Vec::new() }
    }
}

fn is_parser_refusal(bytes: &[u8]) -> bool {
    REFUSALS.iter().any(|refusal| bytes.starts_with(refusal)) && !bytes.windows(OURS.len()).any(|part| part == OURS)
}

fn refusal() -> Vec<u8> {
    let request_id = uuid::Uuid::now_v7().to_string();
    let answer = Refusal::from(Problem::MalformedRequest).into_answer(&request_id);
    let mut bytes = format!(
        "HTTP/1.1 {} Bad Request\r\ncontent-type: {}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\nx-request-id: {request_id}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.body.len(),
    )
    .into_bytes();
    bytes.extend_from_slice(&answer.body);
    bytes
}

impl<S: AsyncWrite + Unpin> RefusalStream<S> {
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RefusalStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if is_parser_refusal(bytes) {
            self.pending = refusal();
            return match self.drain(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                // What the client has no room for yet goes with the flush or the shutdown that follows.
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(bytes.len())),
            };
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices.iter().find(|slice| !slice.is_empty()) {
            Some(first) if is_parser_refusal(first) => self.poll_write(context, first),
            Some(_) | None => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RefusalStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::is_parser_refusal;

    #[test]
    fn only_refusals_without_our_header_are_replaced() {
        assert!(is_parser_refusal(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
        assert!(!is_parser_refusal(b"HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\n\r\n"));
        assert!(!is_parser_refusal(b"HTTP/1.1 201 Created\r\n\r\n"));
    }
}
