//! A connection whose HTTP parser refuses with a problem document. hyper answers bytes that are not HTTP by itself, before
//! any service is asked, with an empty body; this stream puts our answer in the place of that one.

use crate::answer::Refusal;
use crate::response::STANDING;
use plan::Problem;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How hyper's own refusals begin, and what each of them means. A target that is too long for the head is one of a head that is too long.
const REFUSALS: [(&[u8], Problem); 3] = [
    (b"HTTP/1.1 400 ", Problem::MalformedRequest),
    (b"HTTP/1.1 414 ", Problem::UriTooLong),
    (b"HTTP/1.1 431 ", Problem::HeaderFieldsTooLarge),
];
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

fn parser_refusal(bytes: &[u8]) -> Option<Problem> {
    let (_, problem) = REFUSALS.iter().find(|(begin, _)| bytes.starts_with(begin))?;
    (!bytes.windows(OURS.len()).any(|part| part == OURS)).then_some(*problem)
}

fn refusal(problem: Problem) -> Vec<u8> {
    let request_id = uuid::Uuid::now_v7().to_string();
    let answer = Refusal::from(problem).into_answer(&request_id);
    let mut headers: Vec<(&str, &str)> = STANDING.to_vec();
    headers.extend([("content-type", answer.content_type), ("x-request-id", request_id.as_str())]);
    headers.extend(answer.headers.iter().map(|(name, value)| (*name, value.as_str())));
    let mut text =
        format!("HTTP/1.1 {} {}\r\ncontent-length: {}\r\n", answer.status, problem.title(), answer.body.len());
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    text.push_str("\r\n");
    [text.as_bytes(), &answer.body].concat()
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
        if let Some(problem) = parser_refusal(bytes) {
            self.pending = refusal(problem);
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
            Some(first) if parser_refusal(first).is_some() => self.poll_write(context, first),
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
    use super::*;

    #[test]
    fn only_refusals_without_our_header_are_replaced() {
        let refused = |bytes: &str| parser_refusal(bytes.as_bytes());
        assert_eq!(refused("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"), Some(Problem::MalformedRequest));
        assert_eq!(refused("HTTP/1.1 431 Request Header\r\n\r\n"), Some(Problem::HeaderFieldsTooLarge));
        assert_eq!(refused("HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\n\r\n"), None);
        assert_eq!(refused("HTTP/1.1 201 Created\r\n\r\n"), None);
    }
}
