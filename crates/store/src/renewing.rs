//! Whoever serves for long may get another password meanwhile. Comes in: a server, and where the passwords are that may be good
//! now; goes out: connections. Those that are open are never touched, and a password is asked for only when the server has
//! refused the one that was good before.

use crate::{StoreError, Trouble};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// How often passwords are asked for before the refusal is believed, and how long is waited between: a rotation that is under way may have
/// changed the server after they were read.
const RENEWALS: u32 = 3;
const RENEWAL_PAUSE: Duration = Duration::from_millis(100);

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
}

impl<S: Entrance> Renewing<S> {
    pub fn new(server: S, renewal: Option<Renewal>) -> Self {
        Self { server: Mutex::new(server), renewal }
    }

    pub fn server(&self) -> S {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub async fn enter(&self) -> Result<S::Connection, StoreError> {
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
