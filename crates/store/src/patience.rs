//! How long somebody else's lock is waited for, on every server: work comes in, and is looked after while it takes, and tried again
//! within a bound.

use crate::StoreError;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

/// After so long no other try is made; so long is between two.
const GIVE_UP: Duration = Duration::from_secs(12);
const PAUSE: Duration = Duration::from_secs(1);
/// How often is looked for whom a statement waits, and how long looking may take.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long somebody else's lock is worth another try.
pub struct Patience(Instant);

impl Patience {
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Whether what ended like this is tried again; then the pause before it is over. It must have left nothing.
    pub async fn tries_again(&self, error: &StoreError) -> bool {
        let tries = matches!(error, StoreError::Locked { .. }) && self.0.elapsed() < GIVE_UP;
        if tries {
            tokio::time::sleep(PAUSE).await;
        }
        tries
    }
}

/// Somebody who looks for whom work waits.
pub trait Look: Send {
    fn look(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Does work, and has somebody look now and then while it takes.
pub async fn watched<T>(work: impl Future<Output = T>, watcher: &mut impl Look) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            ended = &mut work => return ended,
            () = tokio::time::sleep(LOOK) => {
                // Whoever cannot look says less, and the work goes on all the same.
                let _ = tokio::time::timeout(LOOK_TIMEOUT, watcher.look()).await;
            }
        }
    }
}
