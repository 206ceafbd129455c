//! What stands for an account at a provider in the cases of a plan: a service comes in, values go out that have the form of real ones and
//! open nothing.

use crate::service::{ServicePlan, ValueSource};
use manifest::Text;
use manifest::provider::{Characters, Credential};
use manifest::reference::{Reference, WebhookValue};
use manifest::template::Part;
use manifest::webhook::{PublicKey, Verification};
use vocab::FieldName;

/// What calls are signed with; it is Base64 too.
pub const SIGNING: &str = "YSBzZWNyZXQgb2YgdGhlIGNhc2Vz";
/// What our address is called at the provider.
pub const ADDRESS: &str = "address-of-the-cases";
/// How many characters a credential has, where its form says nothing: a multiple of four, as Base64 has it.
const LENGTH: u32 = 24;

impl ServicePlan {
    /// What a name stands for in the cases; none where nothing can.
    #[must_use]
    pub fn case_value(&self, name: &Reference) -> Option<String> {
        match name {
            Reference::Credential(name) => self.case_credential(name),
            Reference::Setting(name) => self.case_setting(name),
            Reference::Value(name) => self.manifest.provider.values.get(name.as_str()).map(ToString::to_string),
            Reference::Webhook(WebhookValue::Secret) => Some(SIGNING.to_owned()),
            Reference::Webhook(WebhookValue::Id) => Some(ADDRESS.to_owned()),
            _ => None,
        }
    }

    /// A text of the manifest with those values in it; none where one is missing, or becomes something else on its way.
    #[must_use]
    pub fn case_text(&self, text: &Text) -> Option<String> {
        let piece = |part: &Part| match part {
            Part::Literal(text) => Some(text.clone()),
            Part::Value(expression) if expression.through.is_empty() => self.case_value(&expression.from),
            Part::Value(_) => None,
        };
        text.parts().iter().map(piece).collect()
    }

    /// The public key by which calls of the provider are proved, where the application is told it: nobody can name one beforehand, so a pair is
    /// made where the cases are tried. With it comes from where the application has it.
    #[must_use]
    pub fn case_key(&self) -> Option<(&PublicKey, &FieldName, &str)> {
        let verify = self.manifest.webhooks.iter().flat_map(|webhooks| &webhooks.verify);
        verify.into_iter().find_map(|way| {
            let Verification::PublicKey(way) = way else { return None };
            let alone = way.key.as_expression().filter(|alone| alone.through.is_empty())?;
            let Reference::Credential(name) = &alone.from else { return None };
            let given = self.account.iter().find(|value| value.name == *name).map(|value| &value.from)?;
            match given {
                ValueSource::Environment(variable) | ValueSource::Secret(variable) => Some((way, name, &variable[..])),
                ValueSource::Plain(_) | ValueSource::Default => None,
            }
        })
    }

    fn case_credential(&self, name: &FieldName) -> Option<String> {
        let credential = self.manifest.provider.credentials.get(name.as_str())?;
        let given = self.account.iter().find(|value| value.name == *name).map(|value| &value.from);
        match given {
            Some(ValueSource::Plain(text)) => Some(text.clone()),
            Some(ValueSource::Environment(_) | ValueSource::Secret(_)) => fitting(credential),
            Some(ValueSource::Default) | None => None,
        }
    }

    fn case_setting(&self, name: &FieldName) -> Option<String> {
        let given = self.account.iter().find(|value| value.name == *name).map(|value| &value.from);
        match given {
            Some(ValueSource::Plain(text)) => Some(text.clone()),
            Some(ValueSource::Environment(_) | ValueSource::Secret(_)) => None,
            Some(ValueSource::Default) | None => {
                let default = self.manifest.provider.settings.get(name.as_str())?.default.as_ref()?;
                default.as_literal().map(str::to_owned)
            }
        }
    }
}

/// A credential by its form.
fn fitting(credential: &Credential) -> Option<String> {
    let form = &credential.form;
    let begins = credential.test_starts_with.first().or(form.starts_with.first()).map_or("", String::as_str);
    let letter = match form.characters {
        Some(Characters::Pem) => return None,
        Some(Characters::Digits) => "1",
        Some(Characters::Hex | Characters::Word | Characters::Base64) | None => "a",
    };
    let least = form.min_length.unwrap_or_default().max(LENGTH).next_multiple_of(4);
    let length = usize::try_from(least.min(form.max_length.unwrap_or(u32::MAX))).ok()?;
    let text = format!("{begins}{}", letter.repeat(length.saturating_sub(begins.len())));
    form.fits(&text).then_some(text)
}
