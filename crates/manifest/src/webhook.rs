//! `webhooks.yaml`: what a provider sends us, how it is known to be the provider, and what it means. Plain data.

use crate::entries::Entries;
use crate::outcome::BodyTest;
use crate::point::Given;
use crate::pointer::Pointer;
use crate::reference::Reference;
use crate::template::{Expression, Template, Text};
use serde::{Deserialize, Serialize};
use vocab::{EventName, FieldName};

/// What a provider sends us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// How it is written.
    pub body: Payload,
    /// How it is known to be the provider. Every one must hold.
    pub verify: Vec<Verification>,
    /// How the provider gets to know our address.
    pub registration: Registration,
    /// What it asks before it sends anything.
    #[serde(default)]
    pub handshake: Vec<Handshake>,
    /// Tests of what is taken in at all; what fails them is refused with 400.
    #[serde(default)]
    pub accept_when: Vec<BodyTest>,
    /// Where the events stand, where there are several; else the whole is one. Paths below begin at an event.
    #[serde(default)]
    pub events_at: Option<Pointer>,
    /// What makes an event the same as one that came before.
    pub dedup: Dedup,
    /// What kind of event it is.
    pub kind: Text,
    /// When it happened.
    #[serde(default)]
    pub time: Option<Text>,
    /// What the provider wants to hear.
    pub acknowledge: Acknowledge,
    /// It only rings: what has happened is read then.
    #[serde(default)]
    pub then_read: Option<ThenRead>,
    /// What becomes of each kind of event; the first that fits decides, and what nothing fits is put aside.
    pub events: Vec<ProviderEvent>,
}

impl Webhooks {
    /// Whether calls are proved by this credential.
    #[must_use]
    pub fn is_proved_by(&self, credential: &FieldName) -> bool {
        let names_it = |text: &Text| {
            let mut references = text.expressions().flat_map(Expression::references);
            references.any(|name| matches!(name, Reference::Credential(named) if named == credential))
        };
        self.verify.iter().any(|way| match way {
            Verification::Hmac(Hmac { key: text, .. })
            | Verification::Digest(Digest { secret: text, .. })
            | Verification::PublicKey(PublicKey { key: text, .. })
            | Verification::FixedHeader { value: text, .. }
            | Verification::BodyHolds { value: text, .. } => names_it(text),
            Verification::Basic { user, password } => names_it(user) || names_it(password),
            Verification::Certificate(_) | Verification::SecretPath(_) | Verification::Ask { .. } => false,
        })
    }
}

/// How a body that comes in is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// A JSON document.
    Json,
    /// Names and values; `data[merges][EMAIL]` is nested.
    FormNested,
    /// Names and values.
    Form,
    /// Names and values, one of which is a JSON document: that is the body.
    FormJson(String),
    /// An XML document.
    Xml,
}

/// How a call is known to be the provider's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// A keyed digest.
    Hmac(Hmac),
    /// A digest over a text that holds the secret.
    Digest(Digest),
    /// A signature that a public key checks.
    PublicKey(PublicKey),
    /// A signature that a certificate checks, whose address comes with the call.
    Certificate(Certificate),
    /// A header that holds what we told the provider.
    FixedHeader {
        /// Its name.
        name: String,
        /// What stands there.
        value: Text,
    },
    /// `Authorization: Basic` with what we told the provider.
    Basic {
        /// The name.
        user: Text,
        /// The password.
        password: Text,
    },
    /// Something in the body that is ours.
    BodyHolds {
        /// Where.
        at: Pointer,
        /// What.
        value: Text,
    },
    /// The address holds a part that nobody can guess; why there is nothing better.
    SecretPath(String),
    /// The provider itself is asked.
    Ask {
        /// The operation.
        operation: FieldName,
        /// What it is given.
        input: Entries<FieldName, Template>,
    },
}

/// A keyed digest, RFC 2104.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// Over which hash.
    pub algorithm: HashAlgorithm,
    /// The key.
    pub key: Text,
    /// What the key's text is.
    #[serde(default)]
    pub key_form: KeyForm,
    /// The header that holds the digest.
    pub header: String,
    /// How the header is written.
    #[serde(default)]
    pub form: SignatureForm,
    /// How the digest is written.
    pub encoding: Encoding,
    /// What it is made of, in order.
    pub signed: Vec<SignedPart>,
    /// How old it may be.
    #[serde(default)]
    pub timestamp: Option<Timestamp>,
    /// The parameter of the address that holds the hex SHA-256 of a body that is no form; then no parameters of the body are
    /// signed.
    #[serde(default)]
    pub body_digest_parameter: Option<String>,
    /// Whether the address may be signed with its port written out, or without it.
    #[serde(default)]
    pub port_either_way: bool,
}

/// A digest over a text that holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// Which hash.
    pub algorithm: HashAlgorithm,
    /// The secret, which stands where `signed` says `secret`.
    pub secret: Text,
    /// The header that holds the digest.
    pub header: String,
    /// How the digest is written.
    pub encoding: Encoding,
    /// What it is made of, in order.
    pub signed: Vec<SignedPart>,
}

/// A signature that a public key checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// Which kind.
    pub algorithm: SignatureAlgorithm,
    /// The key: SubjectPublicKeyInfo, Base64 of DER or PEM.
    pub key: Text,
    /// The header that holds the signature, in Base64.
    pub header: String,
    /// What is signed, in order.
    pub signed: Vec<SignedPart>,
    /// How old it may be.
    #[serde(default)]
    pub timestamp: Option<Timestamp>,
}

/// A signature that a certificate checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Which kind.
    pub algorithm: SignatureAlgorithm,
    /// The header that holds the signature, in Base64.
    pub header: String,
    /// The header that holds the address of the certificate.
    pub certificate_url_header: String,
    /// The domains that this address, and the name in the certificate, must lie in.
    pub within: Vec<String>,
    /// What is signed, in order.
    pub signed: Vec<SignedPart>,
}

/// A hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashAlgorithm {
    /// SHA-1: old schemes insist on it.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A kind of signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureAlgorithm {
    /// ECDSA over P-256 with SHA-256, the signature in DER.
    EcdsaP256Sha256,
    /// RSA with PKCS#1 v1.5 and SHA-256.
    RsaSha256,
}

impl SignatureAlgorithm {
    /// Its name in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ecdsa_p256_sha256",
            Self::RsaSha256 => "rsa_sha256",
        }
    }
}

/// What the text of a key is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyForm {
    /// The key itself.
    #[default]
    Text,
    /// The key in Base64.
    Base64,
    /// The key in Base64, perhaps behind a text such as `whsec_`.
    Base64Behind(String),
}

/// How a header holds a signature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureForm {
    /// Nothing else.
    #[default]
    Plain,
    /// Behind a text such as `sha512=`, whose letters may be of either case.
    Behind(String),
    /// `t=1700000000,v1=...,v1=...`: any of them will do.
    Pairs {
        /// The name before a signature.
        signature: String,
        /// The name before the time.
        #[serde(default)]
        timestamp: Option<String>,
    },
    /// `v1,... v1a,... v1,...`: any behind that word will do.
    Versions(String),
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hex, in letters of either case.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// A piece of what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedPart {
    /// The body, byte for byte.
    Body,
    /// The address as the provider has called it.
    Url,
    /// The method.
    Method,
    /// The time, as it was sent.
    Timestamp,
    /// The parameters of a form, sorted by name, each name with its value behind it.
    SortedParameters,
    /// The secret.
    Secret,
    /// The CRC-32 of the body as a decimal number.
    Crc32OfBody,
    /// A text.
    Text(String),
    /// A header.
    Header(String),
    /// A value.
    Value(Text),
}

/// How old a signature may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// The header that holds the time, where it does not stand with the signature.
    #[serde(default)]
    pub header: Option<String>,
    /// In what it is counted.
    pub unit: TimeUnit,
    /// How old it may be, in seconds; nothing where the provider sends it again as it was.
    #[serde(default)]
    pub past_seconds: Option<u32>,
    /// How far it may be ahead of our clock, in seconds.
    #[serde(default)]
    pub future_seconds: Option<u32>,
}

/// In what a time is counted, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// How the provider gets to know our address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// By its API.
    ThroughApi(ThroughApi),
    /// A person enters it.
    ByHand {
        /// The address of the page.
        page: String,
        /// What to do there.
        steps: String,
    },
    /// Every request that wants an answer names it.
    WithEachRequest(String),
}

/// How our address is entered by the provider's API. What is there already is found and kept, not entered twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThroughApi {
    /// The operation that lists what is there.
    pub list: FieldName,
    /// Where an item of that list holds an address.
    pub url_at: Pointer,
    /// Where an item of that list holds its id.
    pub id_at: Pointer,
    /// The operation that enters it.
    pub create: FieldName,
    /// The field of its answer that is the id.
    pub id: FieldName,
    /// The field of its answer that is the secret; it may be shown this once only, so it is kept in the same step.
    #[serde(default)]
    pub secret: Option<FieldName>,
    /// The operation that changes it.
    #[serde(default)]
    pub update: Option<FieldName>,
    /// The operation that takes it out.
    pub delete: FieldName,
    /// It ends by itself after so many days unless this operation is called before.
    #[serde(default)]
    pub refresh: Option<Refresh>,
}

/// How an entry is kept from ending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The operation.
    pub operation: FieldName,
    /// After how many days it would end.
    pub within_days: u32,
}

/// What a provider asks before it sends anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handshake {
    /// A request with this method, which is answered with 200 and no body.
    Answers(crate::operation::Method),
    /// A call that is to be answered with something in it.
    Echo {
        /// What tells such a call.
        when: Vec<BodyTest>,
        /// What it is answered with.
        answer: Template,
    },
    /// An event of this kind, which means nothing.
    Ping(String),
}

/// What makes an event the same as one that came before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dedup {
    /// What is the same.
    pub key: Vec<Text>,
    /// For how many days it is remembered: longer than the provider tries again.
    pub keep_days: u32,
}

/// What a provider wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// The status.
    pub status: u16,
    /// What the body is.
    #[serde(default)]
    pub media_type: Option<String>,
    /// The body; none at all where nothing stands here.
    #[serde(default)]
    pub body: Option<Text>,
    /// How soon, in seconds.
    pub within_seconds: u32,
}

/// What is read when a provider has rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThenRead {
    /// The operation, page by page. Its items are the events.
    pub operation: FieldName,
    /// The input that says from where on.
    pub from: FieldName,
    /// Where the answer says from where on the next time.
    pub next: Pointer,
}

/// What becomes of a kind of event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderEvent {
    /// The kinds, as the provider calls them.
    pub kinds: Vec<String>,
    /// Only where these hold.
    #[serde(default)]
    pub when: Vec<BodyTest>,
    /// What it is to us.
    #[serde(default)]
    pub emits: Option<EventName>,
    /// What it is about: events with the same text are worked on one after the other.
    #[serde(default)]
    pub about: Option<Text>,
    /// What it holds.
    #[serde(default)]
    pub fields: Entries<FieldName, Given>,
    /// What is kept of it, as `remembered.NAME`.
    #[serde(default)]
    pub remember: Entries<FieldName, Text>,
    /// Why it means nothing to us.
    #[serde(default)]
    pub ignored: Option<String>,
}

/// Where something of a call stands: `header:X-GitHub-Event`, `/data/id`, or `says:` and the text itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// In a header of that name.
    Header(String),
    /// In the body; the empty path is all of it.
    Body(Pointer),
    /// Nowhere: it is this text, whatever the call says.
    Says(String),
}

/// Why a text is no place in a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// Its path is none.
    #[error(transparent)]
    Pointer(#[from] crate::pointer::InvalidPointer),
    /// Its header has no name that a header can have.
    #[error("`{0}` is no name of a header")]
    Header(String),
}

impl Source {
    /// Reads a place.
    ///
    /// # Errors
    /// [`InvalidSource`] with the reason.
    pub fn parse(text: &str) -> Result<Self, InvalidSource> {
        if let Some(name) = text.strip_prefix("header:") {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let is_good = !name.is_empty() && name.bytes().all(is_name);
            return if is_good {
                Ok(Self::Header(name.to_owned()))
            } else {
                Err(InvalidSource::Header(name.to_owned()))
            };
        }
        match text.strip_prefix("says:") {
            Some(said) => Ok(Self::Says(said.to_owned())),
            None => Ok(Self::Body(Pointer::parse(text)?)),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = InvalidSource;
    fn try_from(text: String) -> Result<Self, InvalidSource> {
        Self::parse(&text)
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.to_string()
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(formatter, "header:{name}"),
            Self::Body(pointer) => write!(formatter, "{pointer}"),
            Self::Says(text) => write!(formatter, "says:{text}"),
        }
    }
}
