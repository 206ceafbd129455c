//! What must not be taken for a plain record: paths that name an action, fields that hold a secret.

use crate::segment::spelled;
use serde::Deserialize;

/// The words to beware of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guard {
    accounts: Vec<String>,
    actions: Vec<String>,
    secrets: Vec<String>,
}

impl Guard {
    /// Whether the segment names an action or the caller, in whatever spelling.
    pub fn is_action(&self, segment: &str) -> bool {
        let spelled = spelled(segment);
        self.accounts.contains(&spelled) || self.actions.contains(&spelled)
    }

    /// Whether a field of that name holds something that opens or pays.
    pub fn is_secret(&self, field: &str) -> bool {
        let ends_with = |word: &String| {
            field.strip_suffix(word.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
        };
        self.secrets.iter().any(|word| ends_with(word) || field.starts_with(&format!("{word}_")))
    }
}

#[cfg(test)]
mod tests {
    use crate::Catalog;

    #[test]
    fn secrets_are_known_by_the_words_of_their_names() {
        let catalog = Catalog::built_in().unwrap();
        let name = |text| vocab::FieldName::parse(text).unwrap();
        for secret in ["password", "new_password", "password_hash", "card_number", "pin"] {
            assert!(catalog.is_secret(&name(secret)), "{secret}");
        }
        for plain in ["opinion", "secretary", "tokenizer", "pinned", "shipping_address"] {
            assert!(!catalog.is_secret(&name(plain)), "{plain}");
        }
    }
}
