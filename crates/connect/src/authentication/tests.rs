//! Mechanisms against the vectors of those who invented them.

use super::oauth2::{Given, read_token, token_request};
use super::sigv4;
use crate::account::{Account, Call};
use crate::request::{Draft, Proof, RequestError};
use crate::testbed::{self, account, answered, given, now, text};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use manifest::authentication::{Authentication, Oauth2, PathEncoding, Sigv4};
use manifest::operation::Method;
use serde_json::{Value, json};
use std::time::Duration;
use vocab::Secret;

/// The account of AWS' own examples.
fn aws(key_id: &str, key: &str) -> testbed::Given {
    let values = [("bucket", "b"), ("access_key_id", key_id), ("secret_access_key", key)];
    given(account("aws_s3", &values), "head_bucket", json!({}))
}

fn way(account: &Account, service: &str, path_encoding: PathEncoding) -> Sigv4 {
    let Some((_, Authentication::Sigv4(way))) = account.manifest.provider.authentication.first() else { panic!() };
    Sigv4 { service: service.to_owned(), path_encoding, ..way.clone() }
}

struct Vector {
    service: &'static str,
    at: &'static str,
    method: Method,
    base: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
    headers: &'static [(&'static str, &'static str)],
    body: &'static [u8],
}

const SUITE: Vector = Vector {
    service: "service",
    at: "2015-08-30T12:36:00Z",
    method: Method::Get,
    base: "https://example.amazonaws.com",
    path: "/",
    query: &[],
    headers: &[],
    body: b"",
};

const S3: Vector =
    Vector { service: "s3", at: "2013-05-24T00:00:00Z", base: "https://examplebucket.s3.amazonaws.com", ..SUITE };

impl Vector {
    fn draft(&self) -> Draft {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let request = crate::message::HttpRequest {
            method: self.method,
            url: String::new(),
            headers: own(self.headers),
            body: self.body.to_vec(),
        };
        Draft { base: self.base.to_owned(), path: self.path.to_owned(), query: own(self.query), request }
    }

    fn signed<T>(&self, sign: impl FnOnce(&Sigv4, &Call<'_>, &mut Draft) -> T) -> (Draft, T) {
        let (given, encoding) = match self.service {
            "s3" => (aws("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), PathEncoding::Once),
            _ => (aws("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), PathEncoding::Twice),
        };
        let call = Call { now: self.at.parse::<Timestamp>().unwrap(), ..given.call() };
        let mut draft = self.draft();
        let made = sign(&way(&given.account, self.service, encoding), &call, &mut draft);
        (draft, made)
    }

    #[track_caller]
    fn check(&self, headers: &str, signature: &str) {
        let (draft, done) = self.signed(|way, call, draft| sigv4::sign(way, call, draft, Proof::Sent));
        assert_eq!(done, Ok(()));
        let value = draft.request.header("Authorization").unwrap();
        assert!(value.ends_with(&format!("SignedHeaders={headers}, Signature={signature}")), "{value}");
    }
}

/// The suite of AWS (`aws-sig-v4-test-suite`) and the examples of
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
#[test]
fn signatures_are_those_of_aws() {
    let vanilla = "host;x-amz-date";
    SUITE.check(vanilla, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    Vector { method: Method::Post, ..SUITE }
        .check(vanilla, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    Vector { query: &[("Param2", "value2"), ("Param1", "value1")], ..SUITE }
        .check(vanilla, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    let plain = "host;x-amz-content-sha256;x-amz-date";
    Vector { path: "/test.txt", headers: &[("Range", "bytes=0-9")], ..S3 }.check(
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    Vector {
        method: Method::Put,
        path: "/test%24file.text",
        headers: &[("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
        body: b"Welcome to Amazon S3.",
        ..S3
    }
    .check(
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    Vector { query: &[("lifecycle", "")], ..S3 }
        .check(plain, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    Vector { query: &[("max-keys", "2"), ("prefix", "J")], ..S3 }
        .check(plain, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
#[test]
fn a_link_proves_itself() {
    let vector = Vector { path: "/test.txt", ..S3 };
    let (_, link) = vector.signed(|way, call, draft| sigv4::link(way, call, draft, Duration::from_secs(86_400)));
    assert_eq!(
        link.unwrap(),
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
         &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

#[test]
fn a_signature_and_its_session_are_not_shown() {
    let (draft, _) = S3.signed(|way, call, draft| sigv4::sign(way, call, draft, Proof::Shown));
    assert_eq!(draft.request.header("Authorization"), Some("AWS4-HMAC-SHA256 [redacted]"));
}

fn oauth2(account: &Account) -> Oauth2 {
    let Some((_, Authentication::Oauth2(way))) = account.manifest.provider.authentication.first() else { panic!() };
    (**way).clone()
}

fn paypal() -> Account {
    account("paypal", &[("client_id", "id:1"), ("client_secret", "s+1")])
}

#[test]
fn a_token_is_asked_for_by_basic_or_by_the_form() {
    let account = account("salesforce", &[("client_id", "id"), ("client_secret", "s&1"), ("domain", "acme")]);
    let request = token_request(&account, &oauth2(&account), &Given::Own, now()).unwrap();
    assert_eq!(
        text(&request),
        "POST https://acme.my.salesforce.com/services/oauth2/token\nContent-Type: application/x-www-form-urlencoded\n\
         Accept: application/json\n\ngrant_type=client_credentials&client_id=id&client_secret=s%261"
    );
    let account = paypal();
    let request = token_request(&account, &oauth2(&account), &Given::Own, now()).unwrap();
    // `id%3A1:s%2B1`
    assert_eq!(request.header("Authorization"), Some("Basic aWQlM0ExOnMlMkIx"));
    assert_eq!(request.body, b"grant_type=client_credentials");
    let refresh = Given::Refresh(Secret::new("r/1".to_owned()));
    let request = token_request(&account, &oauth2(&account), &refresh, now()).unwrap();
    assert_eq!(request.body, b"grant_type=refresh_token&refresh_token=r%2F1");
}

#[test]
fn a_token_is_asked_for_where_the_manifest_lets_it() {
    for domain in ["evil.example/", "evil.example#", "evil.example?x="] {
        let account = account("salesforce", &[("client_id", "i"), ("client_secret", "s"), ("domain", domain)]);
        let refused = token_request(&account, &oauth2(&account), &Given::Own, now()).unwrap_err();
        assert!(matches!(refused, RequestError::NoAddress(_) | RequestError::Elsewhere { .. }), "{refused:?}");
    }
    let mut account = account("salesforce", &[("client_id", "i"), ("client_secret", "s"), ("domain", "acme")]);
    account.instead = Some("http://127.0.0.1:4".to_owned());
    let request = token_request(&account, &oauth2(&account), &Given::Own, now()).unwrap();
    assert_eq!(request.url, "http://127.0.0.1:4/services/oauth2/token");
}

#[test]
fn a_token_holds_as_long_as_its_answer_says_and_keeps_what_came_with_it() {
    let read = |account: &Account, body: &str, before: Option<&Secret<String>>| {
        read_token(&oauth2(account), &answered(200, &[], body), before, now())
    };
    let account = paypal();
    let token = read(&account, r#"{"access_token":"t","expires_in":60}"#, None).unwrap();
    assert_eq!(token.ends_at, Some("2026-01-31T12:01:00Z".parse().unwrap()));
    let salesforce = testbed::account("salesforce", &[]);
    let body = r#"{"access_token":"t","instance_url":"https://acme.my.salesforce.com"}"#;
    let token = read(&salesforce, body, None).unwrap();
    assert_eq!((token.ends_at, &*token.kept["instance_url"]), (None, "https://acme.my.salesforce.com"));
    let mut given = testbed::given(salesforce, "get_limits", json!({}));
    assert_eq!(given.sent(), Err(RequestError::Absent("the host `api`".to_owned())), "no token, no address");
    given.token = Some(token);
    let request = given.sent().unwrap();
    assert_eq!(request.url, "https://acme.my.salesforce.com/services/data/v66.0/limits");
    assert_eq!(request.header("Authorization"), Some("Bearer t"));
    let evil = read(&given.account, r#"{"access_token":"t","instance_url":"https://evil.example"}"#, None).unwrap();
    given.token = Some(evil);
    assert!(matches!(given.sent(), Err(RequestError::Elsewhere { .. })));
    for body in ["{}", "<html>", r#"{"access_token":""}"#] {
        assert!(read(&account, body, None).is_err(), "{body}");
    }
}

/// What was signed is read back with the public key, part by part.
#[test]
fn a_statement_is_signed_with_rs256() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let mut account = account("salesforce", &[("domain", "acme"), ("client_id", "c"), ("client_secret", "s")]);
    account.values.insert(testbed::field("client_secret"), Secret::new(pair.serialize_pem()));
    let mut way = json!(oauth2(&account));
    way["grant"] = json!("jwt_bearer");
    way["client"] = json!("none");
    way["assertion"] = json!({ "issuer": "${credential.client_id}", "subject": "ada", "audience": "https://login.example",
        "key": "${credential.client_secret}", "lifetime_seconds": 180 });
    let way: Oauth2 = serde_json::from_value(way).unwrap();
    let request = token_request(&account, &way, &Given::Own, now()).unwrap();
    let body = String::from_utf8(request.body).unwrap();
    let rest =
        body.strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=").unwrap();
    let parts: Vec<&str> = rest.split('&').next().unwrap().split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{rest}") };
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let document = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).unwrap();
    assert_eq!(document(header), json!({ "alg": "RS256", "typ": "JWT" }));
    let began = now().as_second();
    assert_eq!(
        document(claims),
        json!({ "iss": "c", "sub": "ada", "aud": "https://login.example", "iat": began, "exp": began + 180 })
    );
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key_raw());
    key.verify(format!("{header}.{claims}").as_bytes(), &decoded(signature)).unwrap();
    account.values.insert(testbed::field("client_secret"), Secret::new("no key".to_owned()));
    assert!(token_request(&account, &way, &Given::Own, now()).is_err());
}
