//! How a provider knows us: a closed set of mechanisms, none of them named after a company. Plain data.

use crate::entries::Entries;
use crate::outcome::Status;
use crate::pointer::Pointer;
use crate::template::{Template, Text};
use serde::{Deserialize, Serialize};
use vocab::FieldName;

/// How a request says who we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authentication {
    /// It does not; why.
    None(String),
    /// `Authorization: Bearer ...`
    Bearer {
        /// What stands there.
        token: Text,
    },
    /// `Authorization: Basic ...`
    Basic {
        /// The name.
        user: Text,
        /// The password.
        password: Text,
    },
    /// A header of its own.
    Header {
        /// Its name.
        name: String,
        /// What stands there.
        value: Text,
    },
    /// Parameters of the address.
    Query(Entries<String, Text>),
    /// Members of the body, before all others.
    Body(BodyAuthentication),
    /// A token that is got, kept and renewed.
    Oauth2(Box<Oauth2>),
    /// AWS Signature Version 4.
    Sigv4(Sigv4),
    /// The address of the host holds it.
    InAddress(String),
}

/// Members of the body that say who we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyAuthentication {
    /// Where they go.
    pub into: BodyPlace,
    /// The members, in order.
    pub fields: Entries<String, Template>,
}

/// Where in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyPlace {
    /// Into the object itself.
    Top,
    /// Into the object under its only member.
    OnlyMember,
}

/// OAuth 2.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oauth2 {
    /// What is given for a token.
    pub grant: Grant,
    /// Where a token is got.
    pub token_url: Text,
    /// The domains that this address must lie in, where a user has a say in it.
    #[serde(default)]
    pub token_within: Vec<String>,
    /// Where a person agrees.
    #[serde(default)]
    pub authorize_url: Option<Text>,
    /// How we say who we are there.
    pub client: ClientAuthentication,
    /// Our name there.
    pub client_id: Text,
    /// Our password there.
    #[serde(default)]
    pub client_secret: Option<Text>,
    /// What the first token is got with, where the user brings what somebody's agreement has led to. Those after it are kept.
    #[serde(default)]
    pub refresh_token: Option<Text>,
    /// What we ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether a code is bound to who asked for it.
    #[serde(default)]
    pub pkce: Pkce,
    /// Other parameters of the request for a token.
    #[serde(default)]
    pub parameters: Entries<String, Text>,
    /// What is signed, for a grant that asks for it.
    #[serde(default)]
    pub assertion: Option<Assertion>,
    /// What the answer holds.
    #[serde(default)]
    pub token: Token,
    /// When it is renewed.
    pub renew: Renew,
}

/// What is given for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// Our name and password.
    ClientCredentials,
    /// A code that a person's agreement brought.
    AuthorizationCode,
    /// Something we have signed, RFC 7523.
    JwtBearer,
}

/// How we say who we are where tokens are got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// By `Authorization: Basic`.
    Basic,
    /// By members of the form.
    Post,
    /// By our name alone.
    None,
}

/// Whether a code is bound to who asked for it, RFC 7636 with S256.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// The provider insists.
    Required,
    /// It may be.
    Supported,
    /// The provider does not know it, or there is no code.
    #[default]
    Off,
}

/// A statement that we sign with RS256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// Who says it.
    pub issuer: Text,
    /// Of whom.
    pub subject: Text,
    /// To whom.
    pub audience: Text,
    /// The key, PEM.
    pub key: Text,
    /// For how long it holds.
    pub lifetime_seconds: u32,
}

/// What the answer of a token endpoint holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    /// The token.
    pub access_token: Pointer,
    /// For how many seconds it holds; nothing where the provider does not say.
    pub expires_in: Option<Pointer>,
    /// For how many seconds it holds where the answer does not say.
    pub lifetime_seconds: Option<u32>,
    /// What the next one is got with.
    pub refresh_token: Option<Pointer>,
    /// What else is kept, as `token.NAME`.
    pub keep: Entries<FieldName, Pointer>,
}

impl Default for Token {
    fn default() -> Self {
        let at = |path| Pointer::parse(path).unwrap_or_default();
        Self {
            access_token: at("/access_token"),
            expires_in: None,
            lifetime_seconds: None,
            refresh_token: None,
            keep: Entries::default(),
        }
    }
}

/// When a token is renewed. One process does it while the others wait, and the new one is kept before it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// So long before it ends; nothing where nobody knows when that is.
    #[serde(default)]
    pub before_seconds: Option<u32>,
    /// When an answer has one of these.
    #[serde(default)]
    pub on_status: Vec<Status>,
    /// Whether the old refresh token is of no use once a new one was got.
    #[serde(default)]
    pub rotates: bool,
    /// What comes of giving it a second time, where it rotates: the answer to the first time may be lost.
    #[serde(default)]
    pub repeated: Option<Repeated>,
}

/// What comes of a refresh token that was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// A new token, for a while at least: a lost answer is asked for again.
    Accepted,
    /// Nothing: where the answer is lost a person has to agree again.
    Refused,
}

/// AWS Signature Version 4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigv4 {
    /// The service's name in the scope.
    pub service: String,
    /// The region.
    pub region: Text,
    /// The key's id.
    pub access_key_id: Text,
    /// The key.
    pub secret_access_key: Text,
    /// What belongs to a key for a while.
    #[serde(default)]
    pub session_token: Option<Text>,
    /// How often the path is encoded in what is signed.
    pub path_encoding: PathEncoding,
}

/// How often a path is encoded in what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathEncoding {
    /// Once, and it is left as it is.
    Once,
    /// Twice, and `.` and `..` are resolved.
    Twice,
}
