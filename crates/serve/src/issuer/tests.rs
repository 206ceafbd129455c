//! What is taken for a token of the issuer, and what is not.

use super::*;
use jsonwebtoken::{Algorithm, EncodingKey};
use plan::accounts::{CASE_AUDIENCE, CASE_ISSUER};
use serde_json::json;

/// What a token says otherwise, and how it is called.
type Changed = (&'static str, fn(&mut Json));

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn claims(change: impl FnOnce(&mut Json)) -> Json {
    let mut said = json!({ "iss": CASE_ISSUER, "aud": CASE_AUDIENCE, "sub": "ada", "exp": NOW + 60, "scope": "a b" });
    change(&mut said);
    said
}

/// Header and claims as they stand, with a signature that nobody has made.
fn forged(header: &Json, said: &Json) -> String {
    let part = |part: &Json| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.{}", part(header), part(said), URL_SAFE_NO_PAD.encode([0; 64]))
}

#[tokio::test]
async fn a_token_says_whom_it_is_about_and_what_it_was_granted() {
    let cases = CaseIssuer::new().unwrap();
    let token = cases.signed(&claims(|said| {
        said["aud"] = json!(["elsewhere", CASE_AUDIENCE]);
        said["scp"] = json!(["c"]);
        said["email"] = json!("ada@example.com");
    }));
    let issued = cases.issuer.check(&token.unwrap(), now()).await.unwrap();
    assert_eq!(issued.subject, "ada");
    assert_eq!(issued.grants.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
    // An address that nobody has proved is none.
    assert_eq!(issued.email, None);
    let proved = claims(|said| {
        said["email"] = json!("ada@example.com");
        said["email_verified"] = json!(true);
    });
    let issued = cases.issuer.check(&cases.signed(&proved).unwrap(), now()).await.unwrap();
    assert_eq!(issued.email.as_deref(), Some("ada@example.com"));
}

#[tokio::test]
async fn a_token_that_says_otherwise_is_refused() {
    let cases = CaseIssuer::new().unwrap();
    let changes: [Changed; 9] = [
        ("of another issuer", |said| said["iss"] = json!("https://other.invalid")),
        ("for another audience", |said| said["aud"] = json!("https://api.invalid/")),
        ("for nobody", |said| said["aud"] = json!(null)),
        ("expired", |said| said["exp"] = json!(NOW - LEEWAY - 1)),
        ("that never expires", |said| said["exp"] = json!(null)),
        ("whose end is a text", |said| said["exp"] = json!("2100")),
        ("of later", |said| said["nbf"] = json!(NOW + LEEWAY + 1)),
        ("about nobody", |said| said["sub"] = json!("")),
        ("about a number", |said| said["sub"] = json!(7)),
    ];
    for (what, change) in changes {
        let token = cases.signed(&claims(change)).unwrap();
        assert_eq!(cases.issuer.check(&token, now()).await, Err(Problem::InvalidToken), "{what}");
    }
    for (what, change) in [("just expired", json!(NOW - LEEWAY + 1)), ("with a fraction", json!(NOW as f64 + 0.5))] {
        let token = cases.signed(&claims(|said| said["exp"] = change)).unwrap();
        assert!(cases.issuer.check(&token, now()).await.is_ok(), "{what}");
    }
}

#[tokio::test]
async fn a_token_that_is_signed_otherwise_is_refused() {
    let cases = CaseIssuer::new().unwrap();
    let (good, kid) = (cases.signed(&claims(|_| {})).unwrap(), "of the cases");
    let other = CaseIssuer::new().unwrap().signed(&claims(|_| {})).unwrap();
    // The public key as if it were a secret.
    let secret = EncodingKey::from_secret(b"of the cases");
    let header = jsonwebtoken::Header { kid: Some(kid.to_owned()), ..jsonwebtoken::Header::new(Algorithm::HS256) };
    let confused = jsonwebtoken::encode(&header, &claims(|_| {}), &secret).unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let (said, signature) = rest.split_once('.').unwrap();
    for (what, token) in [
        ("by somebody else", other),
        ("with a secret", confused),
        ("by nobody", forged(&json!({ "alg": "none", "kid": kid }), &claims(|_| {}))),
        (
            "by nobody, and says so with no signature",
            format!("{}.{said}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#)),
        ),
        ("for another use", forged(&json!({ "alg": "EdDSA", "kid": kid, "typ": "logout+jwt" }), &claims(|_| {}))),
        ("with an extension", forged(&json!({ "alg": "EdDSA", "kid": kid, "crit": ["b64"] }), &claims(|_| {}))),
        ("by another algorithm than the key's", forged(&json!({ "alg": "RS256", "kid": kid }), &claims(|_| {}))),
        ("by a key that is not there", forged(&json!({ "alg": "EdDSA", "kid": "other" }), &claims(|_| {}))),
        (
            "and changed",
            format!(
                "{head}.{}.{signature}",
                URL_SAFE_NO_PAD.encode(claims(|said| said["sub"] = json!("eve")).to_string())
            ),
        ),
        ("in two parts", format!("{head}.{said}")),
        ("in four parts", format!("{good}.x")),
        ("too long", format!("{good}{}", "a".repeat(TOKEN_MAX))),
    ] {
        assert_eq!(cases.issuer.check(&token, now()).await, Err(Problem::InvalidToken), "{what}");
    }
    assert!(cases.issuer.check(&good, now()).await.is_ok());
}

#[test]
fn keys_are_taken_as_they_are_meant() {
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "1", "x": URL_SAFE_NO_PAD.encode([1; 32]) });
    let read = |keys: Json| Keys::read(json!({ "keys": keys }).to_string().as_bytes());
    let named = |kid| Named { kid, algorithm: Algorithm::EdDSA };
    let changed = |name: &str, value: Json| {
        let mut key = ed.clone();
        key[name] = value;
        key
    };
    assert!(read(json!([ed])).unwrap().find(named(Some("1"))).is_some());
    assert!(read(json!([ed])).unwrap().find(named(Some("2"))).is_none());
    // A token that names no key is of the only one that it can be.
    assert!(read(json!([ed])).unwrap().find(named(None)).is_some());
    assert!(read(json!([ed, changed("kid", json!("2"))])).unwrap().find(named(None)).is_none());
    for (name, value) in
        [("use", json!("enc")), ("key_ops", json!(["sign"])), ("alg", json!("RS256")), ("crv", json!("X25519"))]
    {
        assert!(read(json!([changed(name, value)])).is_none(), "{name}");
    }
    assert!(read(json!([{ "kty": "oct", "k": "c2VjcmV0" }])).is_none());
    let short = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([255; 128]), "e": "AQAB" });
    let long = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([255; 256]), "e": "AQAB" });
    assert!(read(json!([short])).is_none());
    assert!(read(json!([long])).is_some());
}

#[test]
fn the_issuer_is_asked_so_often_and_no_more() {
    let (mut asked, now) = (Asked::default(), Instant::now());
    for _ in 0..ASKED_AT_MOST {
        assert!(asked.may(now));
    }
    assert!(!asked.may(now));
    assert!(asked.may(now + ASKED_WITHIN));
    let mut failed = Asked { failed: Some(now), ..Asked::default() };
    assert!(!failed.may(now));
    assert!(failed.may(now + LEFT_ALONE));
}

#[test]
fn an_issuer_is_called_encrypted_but_on_this_machine() {
    for good in [
        "https://issuer.example.com",
        "https://issuer.example.com/realms/a/",
        "http://127.0.0.1:8080",
        "http://localhost:80",
    ] {
        assert!(Issuer::new(good, "api").is_ok(), "{good}");
    }
    for bad in [
        "http://issuer.example.com",
        "issuer.example.com",
        "ftp://127.0.0.1",
        "https://a:b@issuer.example.com",
        "https://issuer.example.com?x",
        "https://issuer.example.com#x",
    ] {
        assert!(Issuer::new(bad, "api").is_err(), "{bad}");
    }
    assert!(Issuer::new("https://issuer.example.com", " ").is_err());
}
