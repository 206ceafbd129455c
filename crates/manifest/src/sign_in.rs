//! `sign_in.yaml`: how people prove who they are at a provider, OAuth 2.0 with or without OpenID Connect. Plain data.

use crate::authentication::{ClientAuthentication, Pkce};
use crate::entries::Entries;
use crate::outcome::When;
use crate::pointer::Pointer;
use crate::template::Text;
use serde::{Deserialize, Serialize};
use vocab::FieldName;

/// How people sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Where a person agrees.
    pub authorize_url: Text,
    /// Where the code is turned into tokens.
    pub token_url: Text,
    /// Headers of that request.
    #[serde(default)]
    pub token_headers: Entries<String, Text>,
    /// What a good answer looks like there, where the status does not say it.
    #[serde(default)]
    pub token_success_when: Option<When>,
    /// Our name there.
    pub client_id: Text,
    /// Our password there.
    pub client_secret: Text,
    /// How we say who we are there.
    pub client: ClientAuthentication,
    /// What we ask for.
    pub scopes: Vec<String>,
    /// Whether a code is bound to who asked for it.
    pub pkce: Pkce,
    /// Other parameters of the address where a person agrees.
    #[serde(default)]
    pub parameters: Entries<String, Text>,
    /// What proves who it is.
    pub identity: Identity,
    /// Where the person is sent to sign out, where there is such a thing.
    #[serde(default)]
    pub sign_out_url: Option<Text>,
}

/// What proves who a person is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// An ID token.
    IdToken(IdToken),
    /// What operations answer with the person's token.
    Operations {
        /// The one that says who it is.
        who: FieldName,
        /// The field of its answer that stays the same for ever.
        key: FieldName,
        /// The field of its answer that is the name.
        #[serde(default)]
        name: Option<FieldName>,
        /// The operation that says the e-mail address, where it is another.
        #[serde(default)]
        email_from: Option<FieldName>,
        /// The field of the answer that is the address.
        email: FieldName,
        /// Whether the provider has seen that it is the person's.
        email_is_verified: Claim,
    },
}

/// An ID token, and the claims that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdToken {
    /// Who may have issued it.
    pub issuers: Vec<Text>,
    /// Where the keys are.
    pub keys_url: Text,
    /// Which signatures are taken.
    pub algorithms: Vec<String>,
    /// Whom it must be for.
    pub audience: Text,
    /// Whether the nonce must be in it.
    pub nonce: bool,
    /// Claims that must hold these texts.
    #[serde(default)]
    pub claims: Entries<String, Text>,
    /// What stays the same for ever.
    pub key: Pointer,
    /// The e-mail address.
    #[serde(default)]
    pub email: Option<Pointer>,
    /// Whether the provider has seen that it is the person's.
    pub email_is_verified: Claim,
    /// The name.
    #[serde(default)]
    pub name: Option<Pointer>,
}

/// A yes or no of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Stands there as true or as the text `true`.
    At(Pointer),
    /// Never.
    Never,
    /// Always; why one knows.
    Always(String),
}
