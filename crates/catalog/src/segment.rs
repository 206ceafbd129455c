//! Segments: one spelling for the ways in which people write a name in a path.

/// Lower-case words with hyphens between them: `request_quote`, `requestQuote` and `Request-Quote` are `request-quote`.
pub(crate) fn spelled(segment: &str) -> String {
    let mut spelled = String::with_capacity(segment.len());
    let mut inside_word = false;
    for letter in segment.chars() {
        if letter.is_ascii_uppercase() && inside_word {
            spelled.push('-');
        }
        spelled.push(if letter == '_' { '-' } else { letter.to_ascii_lowercase() });
        inside_word = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    spelled
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_has_one_spelling() {
        for (segment, expected) in [
            ("request-quote", "request-quote"),
            ("request_quote", "request-quote"),
            ("requestQuote", "request-quote"),
            ("Request-Quote", "request-quote"),
            ("RSVP", "rsvp"),
            ("contactUs", "contact-us"),
        ] {
            assert_eq!(super::spelled(segment), expected);
        }
    }
}
