//! What the writer may have meant: a word and the known words come in, the nearest one goes out, if any is near.

/// Shortest beginning of a word that counts as its abbreviation (`auth`).
const MIN_PREFIX: usize = 3;

/// Longer words resemble nothing, and comparing them takes long.
const MAX_WORD_BYTES: usize = 100;

/// The known word nearest to `word`: a third of its letters may be wrong, swapped, missing or too many.
#[must_use]
pub fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let word = word.trim().to_lowercase().replace(['-', ' '], "_");
    let by_distance = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, _)| *distance <= word.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate);
    by_distance.or_else(|| {
        let abbreviated = word.len() >= MIN_PREFIX;
        known.iter().copied().find(|candidate| abbreviated && candidate.starts_with(&word))
    })
}

/// Words in backticks, separated by commas.
#[must_use]
pub fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
