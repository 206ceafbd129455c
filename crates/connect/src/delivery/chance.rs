//! Chance that is the same for the same seed: numbers for waits that are not to be in step with anybody else's. No secret is made of it.

/// A row of numbers (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The row that begins with the seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and with the greatest.
    pub fn up_to(&mut self, greatest: i64) -> i64 {
        let wide = u128::from(self.next()) * (u128::try_from(greatest).unwrap_or_default() + 1);
        i64::try_from(wide >> 64).unwrap_or(greatest)
    }
}

/// How long to wait behind so many failures in a row: by chance between nothing and a time that doubles with each of them ("full
/// jitter", <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). In milliseconds.
pub fn back_off(chance: &mut Chance, first: i64, most: i64, failures: u32) -> i64 {
    let doubled = first.saturating_mul(1_i64.checked_shl(failures.saturating_sub(1).min(40)).unwrap_or(i64::MAX));
    chance.up_to(doubled.clamp(0, most))
}

#[cfg(test)]
mod tests {
    use super::{Chance, back_off};

    #[test]
    fn waits_grow_are_spread_and_have_an_end() {
        let mut chance = Chance::new(7);
        for (failures, most) in [(1, 500), (2, 1000), (5, 8000), (30, 60_000), (u32::MAX, 60_000)] {
            let waits: Vec<i64> = (0..2000).map(|_| back_off(&mut chance, 500, 60_000, failures)).collect();
            let (least, greatest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(
                *least < most / 20 && *greatest > most - most / 20 && *greatest <= most,
                "{failures}: {least} {greatest}"
            );
        }
        assert_eq!(back_off(&mut chance, 0, 0, 3), 0);
    }
}
