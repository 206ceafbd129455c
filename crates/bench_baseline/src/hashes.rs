//! How many passwords this machine can hash when it does nothing else: Argon2id with 19 MiB, two passes and one lane, one thread for each
//! core. Comes in: for how long; goes out: hashes per second.

use std::num::NonZero;
use std::thread::{available_parallelism, scope};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};

const PASSWORD: &[u8] = b"engine of analysis";
const SALT: &[u8] = b"a salt of length";

/// Hashes a second.
pub fn per_second(measured: Duration) -> Result<f64, argon2::Error> {
    let params = Params::new(19_456, 2, 1, Some(32))?;
    let end = Instant::now() + measured;
    let cores = available_parallelism().map_or(2, NonZero::get);
    let count = || -> Result<u64, argon2::Error> {
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut hash = [0; 32];
        let mut made = 0;
        while Instant::now() < end {
            hasher.hash_password_into(PASSWORD, SALT, &mut hash)?;
            made += 1;
        }
        Ok(made)
    };
    let made: Result<Vec<u64>, argon2::Error> = scope(|threads| {
        let running: Vec<_> = (0..cores).map(|_| threads.spawn(count)).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or(Ok(0))).collect()
    });
    Ok(made?.iter().sum::<u64>() as f64 / measured.as_secs_f64())
}
