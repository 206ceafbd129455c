//! Whoever serves for long may get another password meanwhile. Comes in: a server, and where the passwords are that may be good
//! now; goes out: connections. Those that are open are never touched, and a password is asked for only when the server has
//! refused the one that was good before.

use crate::{StoreError, Trouble};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// How often passwords are asked for before the refusal is believed, and how long is waited between: a rotation that is under way may have
/// changed the server after they were read.
const RENEWALS: u32 = 3;
const RENEWAL_PAUSE: Duration = Duration::from_millis(100);
/// How often a server is asked that is away.
const AWAY_PAUSE: Duration = Duration::from_millis(50);

/// A role whose password may change.
#[derive(Clone)]
pub struct Renewal {
    /// The role.
    pub role: RoleName,
    /// The passwords that may be its own now: of a rotation that is under way both.
    pub passwords: Passwords,
}

/// Asks for passwords, without waiting long.
pub type Passwords = Arc<dyn Fn() -> Vec<Secret<Zeroizing<String>>> + Send + Sync>;

/// What lets somebody in by a password.
pub(crate) trait Entrance: Clone + Send + Sync {
    type Connection: Send;

    fn enter(&self) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send;

    fn with_password(&self, role: &RoleName, password: &Secret<Zeroizing<String>>) -> Self;
}

/// A server with the password that was good last.
pub(crate) struct Renewing<S> {
    server: Mutex<S>,
    renewal: Option<Renewal>,
    /// When it was away, and how it said so.
    away: Mutex<Option<(Instant, StoreError)>>,
}

impl<S: Entrance> Renewing<S> {
    pub fn new(server: S, renewal: Option<Renewal>) -> Self {
        Self { server: Mutex::new(server), renewal, away: Mutex::default() }
    }

    pub fn server(&self) -> S {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A connection. A server that is away for a moment is waited for until then, since those who ask are served again when it is back.
    pub async fn enter_by(&self, until: Instant) -> Result<S::Connection, StoreError> {
        loop {
            match self.tried().await {
                Err(error) if error.passes_soon() && Instant::now() + AWAY_PAUSE < until => {
                    tokio::time::sleep(AWAY_PAUSE).await;
                }
                ended => return ended,
            }
        }
    }

    /// Of those who wait for a server one asks it at a time.
    fn tried(&self) -> Pin<Box<dyn Future<Output = Result<S::Connection, StoreError>> + Send + '_>> {
        // Connections are rare, and what waits for one is deep enough without them.
        Box::pin(async {
            if let Some(error) = self.was_away(AWAY_PAUSE) {
                return Err(error);
            }
            let entered = self.enter().await.map_err(StoreError::passing);
            if let Err(error) = &entered
                && error.passes_soon()
            {
                *self.away() = Some((Instant::now(), error.clone()));
            }
            entered
        })
    }

    /// What is said while others wait for a server.
    pub fn is_away(&self) -> Option<StoreError> {
        self.was_away(AWAY_PAUSE * 2)
    }

    fn was_away(&self, within: Duration) -> Option<StoreError> {
        self.away().as_ref().filter(|(since, _)| since.elapsed() < within).map(|(_, error)| error.clone())
    }

    fn away(&self) -> MutexGuard<'_, Option<(Instant, StoreError)>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn enter(&self) -> Result<S::Connection, StoreError> {
        let refused = match self.server().enter().await {
            Err(error @ StoreError::NotConnected(Trouble::Authentication, _)) => error,
            entered => return entered,
        };
        let Some(Renewal { role, passwords }) = &self.renewal else { return Err(refused) };
        for _ in 0..RENEWALS {
            for password in passwords() {
                let server = self.server().with_password(role, &password);
                match server.enter().await {
                    Err(StoreError::NotConnected(Trouble::Authentication, _)) => {}
                    Err(error) => return Err(error),
                    Ok(connection) => {
                        tracing::info!(role = %role, "the database took another password than before");
                        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
                        return Ok(connection);
                    }
                }
            }
            tokio::time::sleep(RENEWAL_PAUSE).await;
        }
        Err(refused)
    }
}
