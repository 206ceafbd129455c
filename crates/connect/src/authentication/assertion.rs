//! A statement that we sign, RFC 7523: its parts come in, a JSON Web Token signed with RS256 goes out.

use crate::request::RequestError;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

/// What is said.
pub(super) struct Statement<'s> {
    pub issuer: &'s str,
    pub subject: &'s str,
    pub audience: &'s str,
    pub lifetime_seconds: u32,
}

/// The statement, signed.
pub(super) fn signed(statement: &Statement<'_>, pem: &str, now: Timestamp) -> Result<String, RequestError> {
    let no_key = || RequestError::Proof("the key that signs is no RSA key in PEM".to_owned());
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| no_key())?;
    let pair = match &key {
        PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err(no_key()),
    };
    let pair = pair.map_err(|_| no_key())?;
    let now = now.as_second();
    let claims = json!({
        "iss": statement.issuer,
        "sub": statement.subject,
        "aud": statement.audience,
        "iat": now,
        "exp": now + i64::from(statement.lifetime_seconds),
    });
    let part = |document: serde_json::Value| URL_SAFE_NO_PAD.encode(document.to_string());
    let text = format!("{}.{}", part(json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).map_err(|_| no_key())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::{Statement, signed};
    use serde_json::Value;

    /// Made by OpenSSL; the Node.js application makes it in its own tests.
    #[test]
    fn a_statement_is_signed_byte_for_byte() {
        let vector = include_str!("../../../emit/node/lib/test/vectors/assertion.json");
        let vector: Value = serde_json::from_str(vector).unwrap();
        let text = |name: &str| vector[name].as_str().unwrap();
        let statement = Statement {
            issuer: text("issuer"),
            subject: text("subject"),
            audience: text("audience"),
            lifetime_seconds: vector["lifetime_seconds"].as_u64().unwrap().try_into().unwrap(),
        };
        let now = jiff::Timestamp::from_second(vector["now"].as_i64().unwrap()).unwrap();
        assert_eq!(signed(&statement, text("key"), now).unwrap(), text("statement"));
    }
}
