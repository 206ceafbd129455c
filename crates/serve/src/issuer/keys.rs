//! The public keys of an issuer: a document of RFC 7517 comes in, the keys that may prove a token go out, each for the algorithms that it
//! is of. A key of no kind that is taken is passed over: issuers have others beside.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value as Json;

/// Most keys that are looked at.
pub const MOST: usize = 100;
/// Least bytes of the modulus of an RSA key: 2048 bits.
const LEAST_MODULUS: usize = 256;

/// The keys that are taken.
pub struct Keys(Vec<Key>);

struct Key {
    id: Option<String>,
    /// What may be signed with it.
    algorithms: Vec<Algorithm>,
    verifies: DecodingKey,
}

/// What a token says of the key that it was signed with.
#[derive(Clone, Copy)]
pub struct Named<'t> {
    pub kid: Option<&'t str>,
    pub algorithm: Algorithm,
}

/// The algorithm of that name, where it is one of the four that are taken: none without a signature, and none with a secret that both
/// sides know.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    [("RS256", Algorithm::RS256), ("PS256", Algorithm::PS256), ("ES256", Algorithm::ES256), ("EdDSA", Algorithm::EdDSA)]
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, algorithm)| algorithm)
}

impl Keys {
    /// Those of the document that are taken; nothing where there is none.
    pub fn read(document: &[u8]) -> Option<Self> {
        let document: Json = serde_json::from_slice(document).ok()?;
        let keys: Vec<Key> = document.get("keys")?.as_array()?.iter().take(MOST).filter_map(Key::read).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The key that a token was signed with. One that names none is of the only one that it can be.
    pub fn find(&self, named: Named<'_>) -> Option<&DecodingKey> {
        let mut fit = self.0.iter().filter(|key| key.algorithms.contains(&named.algorithm));
        let key = match named.kid {
            Some(kid) => fit.find(|key| key.id.as_deref() == Some(kid)),
            None => fit.next().filter(|_| fit.next().is_none()),
        };
        key.map(|key| &key.verifies)
    }
}

impl Key {
    fn read(key: &Json) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Json::as_str);
        let is_for_signatures = text("use").is_none_or(|used| used == "sig");
        let verifies = |operations: &Json| {
            operations.as_array().is_some_and(|known| known.iter().any(|one| one.as_str() == Some("verify")))
        };
        if !is_for_signatures || !key.get("key_ops").is_none_or(verifies) {
            return None;
        }
        let (algorithms, verifies) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let modulus = URL_SAFE_NO_PAD.decode(text("n")?).ok()?;
                let bytes = modulus.iter().skip_while(|byte| **byte == 0).count();
                let key = DecodingKey::from_rsa_components(text("n")?, text("e")?).ok()?;
                (bytes >= LEAST_MODULUS).then_some((vec![Algorithm::RS256, Algorithm::PS256], key))?
            }
            ("EC", Some("P-256")) => {
                (vec![Algorithm::ES256], DecodingKey::from_ec_components(text("x")?, text("y")?).ok()?)
            }
            ("OKP", Some("Ed25519")) => (vec![Algorithm::EdDSA], DecodingKey::from_ed_components(text("x")?).ok()?),
            _ => return None,
        };
        let algorithms = match text("alg") {
            None => algorithms,
            Some(name) => vec![algorithm(name).filter(|known| algorithms.contains(known))?],
        };
        Some(Self { id: text("kid").map(ToOwned::to_owned), algorithms, verifies })
    }
}
