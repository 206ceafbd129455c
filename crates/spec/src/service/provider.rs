//! The providers that are known by name: a spelling comes in, the one name of the provider goes out.
//! What a provider does is not known here, and one that is not in the list is not wrong.

use super::ServiceType;
use crate::lower::snake_case;
use crate::word::Word;
use serde::{Deserialize, Deserializer};
use std::sync::LazyLock;
use vocab::ProviderName;

/// A provider of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    #[serde(rename = "provider")]
    pub name: ProviderName,
    pub service_types: Vec<ServiceType>,
    #[serde(default)]
    pub spellings: Vec<String>,
}

impl<'de> Deserialize<'de> for ServiceType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::from_word(&word).ok_or_else(|| serde::de::Error::custom(format!("`{word}` is not a service type")))
    }
}

static PROVIDERS: LazyLock<Vec<Provider>> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../data/providers.yaml")).expect("a test reads the list of providers")
});

/// All providers of the list, in its order.
pub(crate) fn all() -> &'static [Provider] {
    &PROVIDERS
}

/// The provider that a text spells.
pub(crate) fn find(text: &str) -> Option<&'static Provider> {
    let name = normal(text);
    all().iter().find(|provider| provider.name.as_str() == name || provider.spellings.contains(&name))
}

/// A spelling without what makes no difference.
pub(crate) fn normal(text: &str) -> String {
    let name = text.trim().to_ascii_lowercase();
    snake_case(&name)
}
