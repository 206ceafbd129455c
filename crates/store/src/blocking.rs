//! Work that waits for a server, done for callers that do not.

use crate::StoreError;
use std::future::Future;

/// The work on a thread of its own: callers may be inside a runtime, which must not be blocked from within.
pub(crate) fn blocking<T: Send>(work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        runtime.block_on(work)
    };
    let gone = || StoreError::Unavailable("the work on the database panicked".to_owned());
    std::thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|_| Err(gone())))
}
