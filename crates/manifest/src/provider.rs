//! `provider.yaml`: who the provider is, what it asks of a user, where it lives, how it says no. Plain data.

use crate::authentication::{Authentication, Grant, Oauth2};
use crate::entries::Entries;
use crate::kind::Kind;
use crate::outcome::{Errors, Retry, Wait, When};
use crate::template::Text;
use serde::{Deserialize, Serialize};
use vocab::{FieldName, ProviderName};

/// Who a provider is and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name, that of its folder.
    pub provider: ProviderName,
    /// What it calls itself.
    pub title: String,
    /// What it is good for, one sentence.
    pub about: String,
    /// What kinds of service it renders.
    pub service_types: Vec<ServiceType>,
    /// Where the facts are from.
    pub specification: Specification,
    /// What is the same for everybody and changes with time: versions, mostly.
    #[serde(default)]
    pub values: Entries<FieldName, String>,
    /// What the user was given by the provider.
    #[serde(default)]
    pub credentials: Entries<FieldName, Credential>,
    /// What the user chooses.
    #[serde(default)]
    pub settings: Entries<FieldName, Setting>,
    /// Where it lives; the first one is meant where an operation names none.
    pub hosts: Entries<FieldName, Host>,
    /// How it knows us; the first one is meant where an operation names none.
    pub authentication: Entries<FieldName, Authentication>,
    /// How its test system is reached.
    pub test_system: TestSystem,
    /// How a credential is tried.
    pub check: Check,
    /// How amounts of money are counted there: needed where `minor_units` or `major_units` stands.
    #[serde(default)]
    pub currencies: Option<Currencies>,
    /// What a good answer looks like, where an operation does not say; a status of 2xx where nobody does.
    #[serde(default)]
    pub success_when: Option<When>,
    /// What bad answers mean.
    pub errors: Errors,
    /// How much it takes.
    pub rates: Entries<FieldName, Rate>,
    /// How it says that we shall wait.
    pub wait: Wait,
    /// How often and how long a delivery is tried.
    #[serde(default)]
    pub retry: Retry,
    /// How one sees that it has changed.
    pub drift: Drift,
}

impl Provider {
    /// The secret that holds a credential, where nobody names another.
    #[must_use]
    pub fn secret_of(&self, credential: &FieldName) -> String {
        format!("{}_{credential}", self.provider).to_ascii_uppercase()
    }

    /// The secret that holds what its calls are signed with.
    #[must_use]
    pub fn webhook_secret(&self) -> String {
        format!("{}_WEBHOOK_SECRET", self.provider).to_ascii_uppercase()
    }

    /// The way by which a person agrees, where it has one.
    #[must_use]
    pub fn consent(&self) -> Option<(&str, &Oauth2)> {
        self.authentication.iter().find_map(|(name, way)| {
            let Authentication::Oauth2(way) = way else { return None };
            (way.grant == Grant::AuthorizationCode).then_some((name.as_str(), way.as_ref()))
        })
    }
}

/// A kind of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceType {
    /// Takes money.
    Payment,
    /// Sends e-mail.
    Email,
    /// Reaches people by message or chat.
    Communication,
    /// Counts what people do.
    Analytics,
    /// Keeps customers, or passes them on.
    Crm,
    /// Proves who people are.
    Authentication,
    /// Keeps data.
    Storage,
}

impl ServiceType {
    /// The word as manifests write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Email => "email",
            Self::Communication => "communication",
            Self::Analytics => "analytics",
            Self::Crm => "crm",
            Self::Authentication => "authentication",
            Self::Storage => "storage",
        }
    }
}

/// Where the facts of a manifest are from: what to compare with when something no longer fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    /// What it is.
    pub kind: SpecificationKind,
    /// Its address.
    pub source: String,
    /// What it calls its version.
    #[serde(default)]
    pub version: Option<String>,
    /// The commit or the digest that was read.
    #[serde(default)]
    pub revision: Option<String>,
    /// Under which licence it may be read.
    #[serde(default)]
    pub licence: Option<String>,
    /// The day on which it was read, `2026-01-31`.
    pub read_on: String,
}

/// What a specification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecificationKind {
    /// The provider's own machine-readable description.
    Official,
    /// The code of the provider's own package.
    Package,
    /// The provider's pages.
    Documentation,
    /// A standard.
    Standard,
}

/// Something that the provider gives a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// What the provider calls it.
    pub title: String,
    /// Whether it opens something.
    pub secret: bool,
    /// Whether everything works without it.
    #[serde(default)]
    pub optional: bool,
    /// Where the user finds it.
    pub find: String,
    /// The address of that page.
    #[serde(default)]
    pub page: Option<String>,
    /// What it looks like.
    #[serde(default)]
    pub form: Form,
    /// What one of the test system begins with.
    #[serde(default)]
    pub test_starts_with: Vec<String>,
    /// When it ends by itself, in days.
    #[serde(default)]
    pub ends_after_days: Option<u32>,
}

/// What a text looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// One of these stands at its beginning.
    #[serde(default)]
    pub starts_with: Vec<String>,
    /// Fewest characters.
    #[serde(default)]
    pub min_length: Option<u32>,
    /// Most characters.
    #[serde(default)]
    pub max_length: Option<u32>,
    /// Which characters.
    #[serde(default)]
    pub characters: Option<Characters>,
}

impl Form {
    /// Whether a text looks like this.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let length = text.chars().count();
        let is_one = |byte: u8| match self.characters {
            None | Some(Characters::Pem) => true,
            Some(Characters::Digits) => byte.is_ascii_digit(),
            Some(Characters::Hex) => byte.is_ascii_hexdigit(),
            Some(Characters::Word) => byte.is_ascii_alphanumeric() || b"_-.".contains(&byte),
            Some(Characters::Base64) => byte.is_ascii_alphanumeric() || b"+/=".contains(&byte),
        };
        (self.starts_with.is_empty() || self.starts_with.iter().any(|begins| text.starts_with(begins.as_str())))
            && self.min_length.is_none_or(|least| length >= least as usize)
            && self.max_length.is_none_or(|most| length <= most as usize)
            && text.bytes().all(is_one)
    }
}

/// Which characters a text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Characters {
    /// Digits.
    Digits,
    /// Digits of hex.
    Hex,
    /// Letters and digits of ASCII, `_`, `-` and `.`.
    Word,
    /// Those of Base64.
    Base64,
    /// A block of PEM.
    Pem,
}

/// Something that a user chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What it says.
    pub title: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it is where the user does not say; without one the user must.
    #[serde(default)]
    pub default: Option<Text>,
    /// Whether everything works without it.
    #[serde(default)]
    pub optional: bool,
    /// What there is to choose from.
    #[serde(default)]
    pub choices: Vec<String>,
    /// Where the user finds it.
    #[serde(default)]
    pub find: Option<String>,
    /// What the response calls it, where it shows it.
    #[serde(default)]
    pub shown_as: Option<FieldName>,
}

/// Where a provider lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The beginning of every address there, without a slash at its end.
    pub live: Text,
    /// The same of the test system, where it has one of its own.
    #[serde(default)]
    pub sandbox: Option<Text>,
    /// The domains that it must lie in: needed where a user or an answer has a say in the name.
    #[serde(default)]
    pub within: Vec<String>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: Entries<String, Text>,
    /// How it answers.
    #[serde(default)]
    pub answers: AnswerFormat,
}

/// How an answer is written. A byte order mark before JSON is no part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFormat {
    /// A JSON document.
    #[default]
    Json,
    /// Names and values as in a query string.
    Form,
    /// An XML document.
    Xml,
    /// Text: the whole of it is the document.
    Text,
    /// Rows of a database, or the reply to a command.
    Rows,
}

/// How the test system of a provider is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestSystem {
    /// It has hosts of its own.
    Hosts,
    /// A credential of the test system leads there.
    Credential,
    /// An account of one's own for tests.
    Account,
    /// There is none.
    None,
}

/// How a credential is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// By an operation that changes nothing.
    Operation(FieldName),
    /// By getting a token, which the way of authentication asks for anyway.
    Token,
    /// It cannot be tried without an effect; why, and what is looked at instead.
    Form(String),
}

/// How amounts of money are counted. Every other currency has two decimals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Currencies {
    /// Those counted in whole units.
    #[serde(default)]
    pub without_decimals: Vec<String>,
    /// Those counted in thousandths.
    #[serde(default)]
    pub with_three_decimals: Vec<String>,
    /// Those that are refused before anything is sent.
    #[serde(default)]
    pub not_taken: Vec<String>,
}

/// How much a provider takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Most of them in that time; or at once, where no time stands beside it.
    pub limit: u32,
    /// The same of the test system.
    #[serde(default)]
    pub sandbox_limit: Option<u32>,
    /// The time, in seconds.
    #[serde(default)]
    pub per_seconds: Option<u32>,
    /// Of what.
    #[serde(default)]
    pub of: Counted,
    /// Whom it counts together.
    #[serde(default)]
    pub by: CountedBy,
    /// Whether it also counts operations that do not name it.
    #[serde(default = "yes")]
    pub everywhere: bool,
}

fn yes() -> bool {
    true
}

/// What a rate counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Requests.
    #[default]
    Requests,
    /// Items in the batches of requests.
    Items,
    /// Bytes of bodies.
    Bytes,
}

/// Whom a rate counts together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// Everybody with the same credential.
    #[default]
    Credential,
    /// Each operation by itself.
    Operation,
    /// Everything with the same value of a setting: a base, a page.
    Setting(FieldName),
}

/// How one sees that a provider has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// The version that the manifest speaks.
    #[serde(default)]
    pub version: Option<Text>,
    /// The header of an answer that names the version it was made by.
    #[serde(default)]
    pub version_header: Option<String>,
    /// Headers by which it says that something will end.
    #[serde(default)]
    pub ending_headers: Vec<String>,
    /// Which fields records have there.
    #[serde(default)]
    pub fields: Option<DriftFields>,
    /// Why one cannot see it, where none of the others is there.
    #[serde(default)]
    pub unseen: Option<String>,
}

/// Which fields records have at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftFields {
    /// The operation that tells.
    pub operation: FieldName,
    /// The field of its answer that lists their names.
    pub names: FieldName,
}
