//! Passwords: hashed and compared, slowly and not too many at a time. A password comes in, a PHC string or a yes goes out; neither is
//! ever printed. What is compared with nothing takes as long as what is compared with something.

use crate::answer::Refusal;
use crate::run::Failure;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash as Phc, phc::Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use plan::Problem;
use plan::accounts::HASH;
use std::num::NonZero;
use std::sync::LazyLock;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// Hashes that may wait for their turn; each holds its memory only when it has it.
const WAITING: usize = 64;
/// Of no password: what somebody without an account is compared with.
const OF_NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$aW50ZWdyYXRpb24tY2FzZQ$d72zpVMVrm1EFfoin3NkJo3myipGnC5xoUeKIf0FOQ0";

/// One for each core: more at once would make none of them faster.
static AT_WORK: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores()));
/// Those at work and those that wait.
static ADMITTED: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores() + WAITING));

fn cores() -> usize {
    available_parallelism().map_or(2, NonZero::get)
}

/// The PHC string of the password.
pub(crate) async fn hash(password: String) -> Result<String, Failure> {
    slowly(move || {
        let mut salt = [0; HASH.salt];
        getrandom::fill(&mut salt).map_err(|error| format!("no randomness: {error}"))?;
        let salt = Salt::new(&salt).map_err(|error| error.to_string())?;
        let hash = hasher()?.hash_password_with_salt(normal(&password).as_bytes(), &salt);
        hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
    })
    .await
}

/// Whether the password is that of the hash; of none it never is.
pub(crate) async fn verify(password: String, hash: Option<String>) -> Result<bool, Failure> {
    slowly(move || {
        let known = hash.as_deref().unwrap_or(OF_NOBODY);
        let known = Phc::new(known).map_err(|error| format!("a password is kept in no form that is known: {error}"))?;
        let is_right = hasher()?.verify_password(normal(&password).as_bytes(), &known).is_ok();
        Ok(is_right && hash.is_some())
    })
    .await
}

/// One password however a keyboard has composed it.
fn normal(password: &str) -> String {
    password.nfkc().collect()
}

fn hasher() -> Result<Argon2<'static>, String> {
    let params = Params::new(HASH.memory_kib, HASH.passes, HASH.lanes, Some(HASH.length));
    params.map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params)).map_err(|error| error.to_string())
}

async fn slowly<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, Failure> {
    let Ok(_admitted) = ADMITTED.try_acquire() else { return Err(Refusal::busy().into()) };
    let _at_work = AT_WORK.acquire().await.map_err(|_| Problem::Overloaded)?;
    let done = tokio::task::spawn_blocking(work).await;
    match done {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(why)) => {
            tracing::error!(why, "a password was not worked on");
            Err(Problem::InternalError.into())
        }
        Err(_) => Err(Problem::InternalError.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_no_other_is() {
        // U+00E9, and `e` with U+0301: one letter by two keyboards.
        let Ok(hashed) = hash("caf\u{e9} au lait".to_owned()).await else { panic!() };
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        for (password, is_right) in
            [("cafe\u{301} au lait", true), ("cafe au lait", false), ("caf\u{e9} au lait ", false)]
        {
            assert_eq!(verify(password.to_owned(), Some(hashed.clone())).await.ok(), Some(is_right), "{password}");
        }
        assert_eq!(verify("anything".to_owned(), None).await.ok(), Some(false));
        assert!(verify("anything".to_owned(), Some("plain".to_owned())).await.is_err());
    }

    #[test]
    fn what_stands_for_nobody_is_a_hash_of_the_same_cost() {
        let known = Phc::new(OF_NOBODY).unwrap();
        let params = Params::try_from(&known).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (HASH.memory_kib, HASH.passes, HASH.lanes));
    }
}
