//! An issuer that issues tokens for the cases of a plan: its key is made when it begins, and nobody is asked for it.

use super::{Issuer, Keys, Known, Source};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use plan::ApiPlan;
use plan::accounts::{CASE_AUDIENCE, CASE_ISSUER, CASE_OTHER, CASE_USER, case_callers};
use plan::http_case::{
    ELSEWHERE_ISSUED_TOKEN, EXPIRED_ISSUED_TOKEN, ISSUED_TOKEN, OTHER_ISSUED_TOKEN, POWERLESS_ISSUED_TOKEN,
    issued_token_of,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The name of its key.
const KEY: &str = "of the cases";
/// How long its tokens are good for, in seconds.
const LIFETIME: i64 = 900;

/// The issuer of the cases, with the key that it signs with.
pub struct CaseIssuer {
    /// What checks its tokens.
    pub issuer: Arc<Issuer>,
    signs: EncodingKey,
}

impl CaseIssuer {
    /// With a key of its own.
    ///
    /// # Errors
    /// Where no key can be made.
    pub fn new() -> Result<Self, String> {
        let failed = || "no key can be made for the cases".to_owned();
        let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(|_| failed())?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.as_ref()).map_err(|_| failed())?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": KEY, "x": public }] });
        let keys = Keys::read(keys.to_string().as_bytes()).ok_or_else(failed)?;
        let issuer = Issuer::with(CASE_ISSUER, CASE_AUDIENCE, Source::Handed);
        let known = Arc::new(Known { keys, began: Instant::now(), absent: Mutex::default() });
        *super::locked(&issuer.known) = Some(known);
        Ok(Self { issuer: Arc::new(issuer), signs: EncodingKey::from_ed_der(der.as_ref()) })
    }

    /// The tokens of the cases by their placeholder; none where the API takes no tokens of another issuer.
    ///
    /// # Errors
    /// Where a token cannot be signed.
    pub fn tokens(&self, api: &ApiPlan, now: Timestamp) -> Result<BTreeMap<String, String>, String> {
        if !api.takes_issued_tokens() {
            return Ok(BTreeMap::new());
        }
        let grants: Vec<&str> = api.endpoints.iter().filter_map(|endpoint| Some(endpoint.grant()?.as_str())).collect();
        let grants = grants.join(" ");
        let (now, here) = (now.as_second(), CASE_AUDIENCE);
        let said = |subject: &str, audience: &str, ends: i64, scope: &str| json!({ "iss": CASE_ISSUER, "aud": audience, "sub": subject, "iat": now, "exp": ends, "scope": scope });
        let good = |subject: &str| said(subject, here, now + LIFETIME, &grants);
        let mut all = vec![
            (ISSUED_TOKEN.to_owned(), good(CASE_USER)),
            (OTHER_ISSUED_TOKEN.to_owned(), good(CASE_OTHER)),
            (EXPIRED_ISSUED_TOKEN.to_owned(), said(CASE_USER, here, now - LIFETIME, &grants)),
            (ELSEWHERE_ISSUED_TOKEN.to_owned(), said(CASE_USER, "https://elsewhere.invalid", now + LIFETIME, &grants)),
            (POWERLESS_ISSUED_TOKEN.to_owned(), said(CASE_USER, here, now + LIFETIME, "")),
        ];
        all.extend(case_callers(api).iter().map(|caller| (issued_token_of(caller.role.as_str()), good(&caller.user))));
        all.into_iter().map(|(placeholder, said)| Ok((placeholder, self.signed(&said)?))).collect()
    }

    /// A token that says that.
    pub(super) fn signed(&self, said: &Json) -> Result<String, String> {
        let header =
            Header { typ: Some("at+jwt".to_owned()), kid: Some(KEY.to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, said, &self.signs).map_err(|error| error.to_string())
    }
}
