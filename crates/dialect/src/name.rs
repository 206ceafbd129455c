//! Names of constraints, indexes and triggers: words in, a name out that every engine takes whole.

use vocab::{MAX_IDENTIFIER_LENGTH, sha256_hex};

/// Digits of the digest that keeps two shortened names apart.
const DIGEST_DIGITS: usize = 8;

/// `orders`, `user_id` and `idx` -> `orders_user_id_idx`. A name that would be longer than 63 keeps its beginning, and a digest
/// of the whole takes the place of the rest.
#[must_use]
pub fn joined(words: &[&str], ending: &str) -> String {
    joined_within(MAX_IDENTIFIER_LENGTH, words, ending)
}

/// The same for a name that may not be longer than `longest`.
#[must_use]
pub fn joined_within(longest: usize, words: &[&str], ending: &str) -> String {
    let whole = words.join("_");
    let name = format!("{whole}_{ending}");
    if name.len() <= longest {
        return name;
    }
    let digest = sha256_hex(name.as_bytes());
    let taken = DIGEST_DIGITS + ending.len() + 2;
    let Some(kept) = longest.checked_sub(taken).filter(|kept| (1..=whole.len()).contains(kept)) else {
        // An ending that leaves no room is cut itself.
        return format!("{}_{}", name[..longest - DIGEST_DIGITS - 1].trim_end_matches('_'), &digest[..DIGEST_DIGITS]);
    };
    format!("{}_{}_{ending}", whole[..kept].trim_end_matches('_'), &digest[..DIGEST_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::{joined, joined_within};

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        assert_eq!(joined(&["orders", "user_id"], "idx"), "orders_user_id_idx");
        let (long, other) = ("a".repeat(63), format!("{}b", "a".repeat(62)));
        let (first, second) = (joined(&[&long, "id"], "idx"), joined(&[&other, "id"], "idx"));
        assert!(first.len() <= 63 && second.len() <= 63, "{first} {second}");
        assert_ne!(first, second);
        let (first, second) = (joined(&["shop"], &long), joined(&["shop"], &other));
        assert!(first.len() <= 63 && second.len() <= 63, "{first} {second}");
        assert_ne!(first, second);
        assert_eq!(joined_within(32, &["a_database_with_a_long_name"], "readonly"), "a_database_wit_84705fb4_readonly");
    }
}
