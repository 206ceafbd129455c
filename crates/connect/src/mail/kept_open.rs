//! Connections on which a mail server has just taken a mail: they are kept open for the next ones, for a moment. What comes out of here was
//! asked whether it still lives; what nobody wants any more is told good-bye.

use lettre::transport::smtp::client::AsyncSmtpConnection;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection is kept that nobody uses. Servers wait for minutes (RFC 5321, 4.5.3.2), and count connections.
const KEPT: Duration = Duration::from_secs(15);
/// Mails that one connection carries at most: servers end those that carry many.
const MAILS: u32 = 100;
/// How long a server may take to say that it is still there.
const ASKING: Duration = Duration::from_secs(2);

/// A connection, and how many mails it has carried.
pub(super) struct Open {
    pub connection: AsyncSmtpConnection,
    pub mails: u32,
}

/// What is kept of one server.
#[derive(Default)]
pub(super) struct KeptOpen(Mutex<Vec<(Open, Instant)>>);

impl KeptOpen {
    /// One that still lives, where there is any: the one that was used last.
    pub async fn take(&self) -> Option<Open> {
        loop {
            let (mut open, since) = self.locked().pop()?;
            let is_fresh = since.elapsed() < KEPT;
            let asking = tokio::time::timeout(ASKING, open.connection.test_connected());
            if is_fresh && asking.await.unwrap_or(false) {
                return Some(open);
            }
        }
    }

    /// Keeps a connection on which a mail was taken, unless it has carried enough.
    pub async fn put(self: &Arc<Self>, mut open: Open) {
        open.mails += 1;
        if open.mails >= MAILS {
            return good_bye(open).await;
        }
        self.locked().push((open, Instant::now()));
        let kept = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            for open in kept.over() {
                good_bye(open).await;
            }
        });
    }

    /// Those that nobody has used for too long.
    fn over(&self) -> Vec<Open> {
        let mut all = self.locked();
        let (over, kept): (Vec<_>, Vec<_>) = all.drain(..).partition(|(_, since)| since.elapsed() >= KEPT);
        *all = kept;
        over.into_iter().map(|(open, _)| open).collect()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<(Open, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It has every mail that it has said it has, whatever it says now.
async fn good_bye(mut open: Open) {
    let _ = tokio::time::timeout(ASKING, open.connection.quit()).await;
}
