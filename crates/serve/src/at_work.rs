//! How much is worked on at once. What comes beyond the bound is refused at once, so that what was taken on is answered in time:
//! a queue would only make everybody wait until nobody is answered.

use crate::answer::Refusal;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests at work. Two full groups of transactions: one that is written to disk, and one that gathers meanwhile.
pub(crate) const MOST: usize = 256;

/// The places.
#[derive(Default)]
pub(crate) struct AtWork {
    taken: AtomicUsize,
}

/// One of them, until it is dropped.
pub(crate) struct Place<'a>(&'a AtWork);

impl AtWork {
    /// A place, or the refusal where none is free.
    pub fn enter(&self) -> Result<Place<'_>, Refusal> {
        // Dropped again where it is one too many.
        let place = Place(self);
        match self.taken.fetch_add(1, Ordering::Relaxed) < MOST {
            true => Ok(place),
            false => Err(Refusal::busy()),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_left_is_free_again() {
        let at_work = AtWork::default();
        let mut places: Vec<_> = (0..MOST).map(|_| at_work.enter().unwrap()).collect();
        assert!(at_work.enter().is_err());
        assert!(at_work.enter().is_err());
        places.pop();
        places.push(at_work.enter().unwrap());
        assert!(at_work.enter().is_err());
    }
}
