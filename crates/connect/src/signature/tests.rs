//! The vectors of the vendors' own packages and pages, and what must not pass beside each.

use super::*;
use manifest::webhook::{Certificate, Digest, Hmac, PublicKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

const NOON: i64 = 1_700_000_000_000;

fn way<T: for<'de> serde::Deserialize<'de>>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn secret(text: &str) -> impl Fn(&Text) -> Option<Secret<String>> {
    move |_| Some(Secret::new(text.to_owned()))
}

pub(crate) struct Sent {
    method: &'static str,
    url: &'static str,
    pub headers: Vec<(String, String)>,
    body: Vec<u8>,
    arrived_ms: i64,
}

fn sent(url: &'static str, headers: &[(&str, &str)], body: &str) -> Sent {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sent { method: "POST", url, headers, body: body.as_bytes().to_vec(), arrived_ms: NOON }
}

impl Sent {
    pub fn at(mut self, arrived_ms: i64) -> Self {
        self.arrived_ms = arrived_ms;
        self
    }

    fn by(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub fn call(&self) -> Call<'_> {
        let Self { method, url, headers, body, arrived_ms } = self;
        Call { method, url, headers, body, arrived_ms: *arrived_ms }
    }
}

fn hmac(way: &Hmac, sent: &Sent, key: &str) -> Result<(), Refusal> {
    verify_hmac(way, &sent.call(), &secret(key))
}

/// One changed byte of the body, and another key, never pass.
fn must_hold(way: &Hmac, make: impl Fn() -> Sent, key: &str) {
    assert_eq!(hmac(way, &make(), key), Ok(()));
    let mut changed = make();
    match changed.body.last_mut() {
        Some(byte) => *byte ^= 1,
        None => changed.url = "https://elsewhere.example/",
    }
    assert_eq!(hmac(way, &changed, key), Err(Refusal::Wrong));
    assert_eq!(hmac(way, &make(), "Z2Vzc2Vu"), Err(Refusal::Wrong));
    let mut bare = make();
    bare.headers.clear();
    assert!(matches!(hmac(way, &bare, key), Err(Refusal::HeaderMissing(_))));
    let mut twice = make();
    let headers = twice.headers.clone();
    twice.headers.extend(headers);
    assert!(matches!(hmac(way, &twice, key), Err(Refusal::HeaderTwice(_))));
}

fn pairs() -> Hmac {
    way(json!({
        "algorithm": "sha256", "key": "${webhook.secret}", "header": "Stripe-Signature", "encoding": "hex",
        "form": { "pairs": { "signature": "v1", "timestamp": "t" } },
        "signed": ["timestamp", { "text": "." }, "body"],
        "timestamp": { "unit": "seconds", "past_seconds": 300, "future_seconds": 300 },
    }))
}

const PAIRS_BODY: &str = "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}";
const PAIRS_SIGNATURE: &str = "4f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a230150";

/// npm stripe 23.1.0, `webhooks.generateTestHeaderString`.
#[test]
fn a_time_and_several_signatures_stand_in_one_header() {
    let header = format!("t=1700000000,v1={PAIRS_SIGNATURE}");
    let make = |header: &str| sent("https://us.example/", &[("stripe-signature", header)], PAIRS_BODY);
    must_hold(&pairs(), || make(&header), "whsec_test_secret");
    let two = format!("t=1700000000,v1={}, v1={PAIRS_SIGNATURE},v0=ab", "0".repeat(64));
    assert_eq!(hmac(&pairs(), &make(&two), "whsec_test_secret"), Ok(()));
    for unreadable in ["", "t=1700000000", "v1=xyz", "t=,v1=00"] {
        let refused = hmac(&pairs(), &make(unreadable), "whsec_test_secret");
        assert!(matches!(refused, Err(Refusal::HeaderUnreadable(_))), "{unreadable}: {refused:?}");
    }
    for time in ["17e8", "-1", "+1700000000", "99999999999999", " 1700000000"] {
        let header = format!("t={time},v1={PAIRS_SIGNATURE}");
        assert!(matches!(hmac(&pairs(), &make(&header), "whsec_test_secret"), Err(Refusal::HeaderUnreadable(_))));
    }
}

#[test]
fn what_was_signed_long_ago_or_ahead_is_refused() {
    let header = format!("t=1700000000,v1={PAIRS_SIGNATURE}");
    let at = |seconds: i64| {
        let sent = sent("https://us.example/", &[("Stripe-Signature", &header)], PAIRS_BODY).at(NOON + seconds * 1_000);
        hmac(&pairs(), &sent, "whsec_test_secret")
    };
    assert_eq!((at(300), at(-300)), (Ok(()), Ok(())));
    assert_eq!(at(301), Err(Refusal::TooOld { seconds: 301, allowed: 300 }));
    assert_eq!(at(-301), Err(Refusal::TooNew { seconds: 301, allowed: 300 }));
}

/// stripe/stripe-node, test/crypto/helpers.ts.
#[test]
fn digests_are_those_of_the_vendors_helpers() {
    let plain: Hmac = way(json!({
        "algorithm": "sha256", "key": "${credential.key}", "header": "X", "encoding": "hex", "signed": ["body"],
    }));
    for (body, digest) in [
        ("", "f7f9bd47fb987337b5796fdc1fdb9ba221d0d5396814bfcaf9521f43fd8927fd"),
        (r#"{"obj1":"hello","obj2":"world"}"#, "bebb1a643997f419b315ddba19e6f5411e1ce7f810ba6d3617ce72823092f363"),
        ("\u{1F600}", "837da296d05c4fe31f61d5d7ead035099d9585a5bcde87de952012a78f0b0c43"),
    ] {
        let made = sent("https://us.example/", &[("X", digest)], body);
        assert_eq!(hmac(&plain, &made, "test_secret"), Ok(()), "{body}");
        assert_eq!(hmac(&plain, &made, "test_secreT"), Err(Refusal::Wrong));
    }
}

/// square/square-nodejs-sdk, tests/integration/webhooks.test.ts.
#[test]
fn the_address_is_signed_before_the_body() {
    let with_url: Hmac = way(json!({
        "algorithm": "sha256", "key": "${webhook.secret}", "header": "x-square-hmacsha256-signature", "encoding": "base64",
        "signed": ["url", "body"],
    }));
    for (body, signature) in [
        (r#"{"data":{"type":"webhooks","id":"fake_id"}}"#, "W3FlCNk5IA3ZQ2LHTWoajvzfaDu/OwY2tNHIHC3IUOA="),
        (r#"{"data":{"type":"webhooks","id":">id<"}}"#, "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U="),
    ] {
        let headers = [("x-square-hmacsha256-signature", signature)];
        must_hold(&with_url, || sent("https://webhook.site/webhooks", &headers, body), "signature-key");
        let elsewhere = sent("https://webhook.site/webhooks/", &headers, body);
        assert_eq!(hmac(&with_url, &elsewhere, "signature-key"), Err(Refusal::Wrong));
    }
}

fn parameters() -> Hmac {
    way(json!({
        "algorithm": "sha1", "key": "${credential.auth_token}", "header": "X-Twilio-Signature", "encoding": "base64",
        "signed": ["url", "sorted_parameters"], "body_digest_parameter": "bodySHA256", "port_either_way": true,
    }))
}

/// twilio/twilio-node, spec/validation.spec.js.
#[test]
fn the_parameters_of_a_form_are_signed_in_their_order() {
    let form = "To=%2B18005551212&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309";
    let make = |url, signature: &str, media: &str, body: &str| {
        sent(url, &[("X-Twilio-Signature", signature), ("Content-Type", media)], body)
    };
    let as_form = "application/x-www-form-urlencoded; charset=utf-8";
    let (plain, with_port) = ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", "kvajT1Ptam85bY51eRf/AJRuM3w=");
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    must_hold(&parameters(), || make(url, plain, as_form, form), "12345");
    // What stands before us may have taken the port away, or added it.
    assert_eq!(hmac(&parameters(), &make(url, with_port, as_form, form), "12345"), Ok(()));
    let written_out = "https://mycompany.com:443/myapp.php?foo=1&bar=2";
    assert_eq!(hmac(&parameters(), &make(written_out, plain, as_form, form), "12345"), Ok(()));
    let strict = Hmac { port_either_way: false, ..parameters() };
    assert_eq!(hmac(&strict, &make(url, with_port, as_form, form), "12345"), Err(Refusal::Wrong));
    assert_eq!(hmac(&strict, &make(written_out, with_port, as_form, form), "12345"), Ok(()));
}

/// The same file: a body that is no form is signed by its digest in the address.
#[test]
fn the_digest_of_another_body_stands_in_the_address() {
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let headers = [("X-Twilio-Signature", "a9nBmqA0ju/hNViExpshrM61xv4="), ("Content-Type", "application/json")];
    let body = r#"{"property": "value", "boolean": true}"#;
    must_hold(&parameters(), || sent(url, &headers, body), "12345");
    let without = sent("https://mycompany.com/myapp.php?foo=1&bar=2", &headers, body);
    assert_eq!(hmac(&parameters(), &without, "12345"), Err(Refusal::Wrong));
}

/// A post of the vendor's community (td-p/57162): the key is the text of the hex digits, not what they stand for.
#[test]
fn a_signature_stands_behind_the_name_of_its_hash() {
    let behind: Hmac = way(json!({
        "algorithm": "sha512", "key": "${credential.signature_key}", "header": "X-ANET-Signature", "encoding": "hex",
        "form": { "behind": "sha512=" }, "signed": ["body"],
    }));
    let key = "2679A5D5785C9B26CF921E1754765CDDB265C9C88400786923E5343B315954FAFB4B7BF608818F6A21766741E8637DC206F286C725908C777ED4127D8562163D";
    let body = r#"{"notificationId":"f813b98f-3552-4eeb-ba40-acb4704eeba3","eventType":"net.authorize.payment.authcapture.created","eventDate":"2017-03-08T17:35:37.155999Z","webhookId":"63d6fea2-aa13-4b1d-a204-f5fbc15942b7","payload":{"responseCode":1,"authCode":"8VTPDC","avsResponse":"Y","authAmount":10.00,"entityName":"transaction","id":"60019392075"}}"#;
    let digest = "9607C69D2734514554CE13D923D19939563F2FD6567D239F49F0DF0D08865632A0FB98061B4620CC52C47BB8BF6E2B69A15A67E4C98E81D7D65111076C515C6A";
    for header in [format!("sha512={digest}"), format!("SHA512={}", digest.to_lowercase())] {
        must_hold(&behind, || sent("https://us.example/", &[("X-ANET-Signature", &header)], body), key);
    }
    let other = sent("https://us.example/", &[("X-ANET-Signature", digest)], body);
    assert!(matches!(hmac(&behind, &other, key), Err(Refusal::HeaderUnreadable(_))));
}

/// gtalarico/pyairtable, tests/test_models_webhook.py.
#[test]
fn a_key_may_be_written_in_base64() {
    let base64: Hmac = way(json!({
        "algorithm": "sha256", "key": "${webhook.secret}", "key_form": "base64", "header": "X-Airtable-Content-MAC",
        "encoding": "hex", "form": { "behind": "hmac-sha256=" }, "signed": ["body"],
    }));
    let body = r#"{"base": {"id": "app00000000000000"}, "webhook": {"id": "ach00000000000000"}, "timestamp": "2022-02-01T21:25:05.663Z"}"#;
    let header = "hmac-sha256=e26da696a90933647bddc83995c3e1e3bb1c3d8ce1ff61cb7469767d50b2b2d4";
    let make = || sent("https://us.example/", &[("X-Airtable-Content-MAC", header)], body);
    must_hold(&base64, make, "c2VjcmV0LWtleQ==");
    assert_eq!(hmac(&base64, &make(), "no base64!"), Err(Refusal::NotAKey("${webhook.secret}".into())));
    let nothing = verify_hmac(&base64, &make().call(), &|_| None);
    assert_eq!(nothing, Err(Refusal::NoValue("${webhook.secret}".into())));
    assert_eq!(hmac(&base64, &make(), ""), Err(Refusal::NoValue("${webhook.secret}".into())), "an empty key is none");
}

const CLIENT_SECRET: &str = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";

/// HubSpot/hubspot-api-python, tests/spec/utils/test_signature.py, and hubspot-api-ruby, spec/helpers/signature_spec.rb.
#[test]
fn the_time_may_stand_in_a_header_of_its_own() {
    let own: Hmac = way(json!({
        "algorithm": "sha256", "key": "${credential.client_secret}", "header": "X-HubSpot-Signature-v3", "encoding": "base64",
        "signed": ["method", "url", "body", "timestamp"],
        "timestamp": { "header": "X-HubSpot-Request-Timestamp", "unit": "milliseconds", "past_seconds": 300, "future_seconds": 300 },
    }));
    for (time, signature) in [
        ("1693657560000", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        ("1700000300000", "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
    ] {
        let headers = [("X-HubSpot-Signature-v3", signature), ("X-HubSpot-Request-Timestamp", time)];
        let at: i64 = time.parse().unwrap();
        let make = || sent("https://www.example.com/webhook_uri", &headers, "{'example_field':'example_value'}").at(at);
        must_hold(&own, make, CLIENT_SECRET);
        assert_eq!(hmac(&own, &make().by("PUT"), CLIENT_SECRET), Err(Refusal::Wrong));
        assert!(matches!(hmac(&own, &make().at(at + 300_001), CLIENT_SECRET), Err(Refusal::TooOld { .. })));
    }
}

/// HubSpot/hubspot-api-nodejs, test/unit/signature.spec.ts.
#[test]
fn a_digest_may_hold_the_secret_itself() {
    let digest = |signed: serde_json::Value| -> Digest {
        way(json!({
            "algorithm": "sha256", "secret": "${credential.client_secret}", "header": "X-HubSpot-Signature", "encoding": "hex",
            "signed": signed,
        }))
    };
    let first = digest(json!(["secret", "body"]));
    let second = digest(json!(["secret", "method", "url", "body"]));
    let events = r#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]"#;
    for (way, method, body, signature) in [
        (&first, "POST", events, "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"),
        (&second, "GET", "", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
        (
            &second,
            "POST",
            r#"{"example_field":"example_value"}"#,
            "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900",
        ),
    ] {
        let url = "https://www.example.com/webhook_uri";
        let made = sent(url, &[("X-HubSpot-Signature", signature)], body).by(method);
        assert_eq!(verify_digest(way, &made.call(), &secret(CLIENT_SECRET)), Ok(()));
        assert_eq!(verify_digest(way, &made.call(), &secret("another")), Err(Refusal::Wrong));
        let changed = sent(url, &[("X-HubSpot-Signature", signature)], &format!("{body} ")).by(method);
        assert_eq!(verify_digest(way, &changed.call(), &secret(CLIENT_SECRET)), Err(Refusal::Wrong));
    }
}

/// sendgrid/sendgrid-nodejs, packages/eventwebhook/src/eventwebhook.spec.js, its wrong ones too.
#[test]
fn a_public_key_checks_what_only_the_provider_can_sign() {
    let public: PublicKey = way(json!({
        "algorithm": "ecdsa_p256_sha256", "key": "${credential.key}", "header": "X-Twilio-Email-Event-Webhook-Signature",
        "signed": ["timestamp", "body"],
        "timestamp": { "header": "X-Twilio-Email-Event-Webhook-Timestamp", "unit": "seconds" },
    }));
    let key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA==";
    let other = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R1NGe1OPzpA==";
    let signature = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0=";
    let wrong = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0=";
    let body = r#"{"category":"example_payload","event":"test_event","message_id":"message_id"}"#;
    let checked = |key: &str, signature: &str, time: &str, body: &str| {
        let headers =
            [("X-Twilio-Email-Event-Webhook-Signature", signature), ("X-Twilio-Email-Event-Webhook-Timestamp", time)];
        verify_public_key(&public, &sent("https://us.example/", &headers, body).call(), &secret(key))
    };
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &key[..64], &key[64..]);
    assert_eq!(checked(key, signature, "1588788367", body), Ok(()));
    assert_eq!(checked(&pem, signature, "1588788367", body), Ok(()));
    assert_eq!(checked(other, signature, "1588788367", body), Err(Refusal::Wrong));
    assert_eq!(checked(key, signature, "1588788367", "payload"), Err(Refusal::Wrong));
    assert_eq!(checked(key, wrong, "1588788367", body), Err(Refusal::Wrong));
    assert_eq!(checked(key, signature, "1588788368", body), Err(Refusal::Wrong));
    assert!(matches!(checked(key, signature, "timestamp", body), Err(Refusal::HeaderUnreadable(_))));
    assert!(matches!(checked("no key!", signature, "1588788367", body), Err(Refusal::NotAKey(_))));
}

fn by_certificate(within: &str) -> Certificate {
    way(json!({
        "algorithm": "rsa_sha256", "header": "PAYPAL-TRANSMISSION-SIG", "certificate_url_header": "PAYPAL-CERT-URL",
        "within": [within],
        "signed": [
            { "header": "PAYPAL-TRANSMISSION-ID" }, { "text": "|" }, { "header": "PAYPAL-TRANSMISSION-TIME" }, { "text": "|" },
            { "value": "${webhook.id}" }, { "text": "|" }, "crc32_of_body",
        ],
    }))
}

const TRANSMISSION: [(&str, &str); 2] = [
    ("PAYPAL-TRANSMISSION-ID", "dfb3be50-fd74-11e4-8bf3-77339302725b"),
    ("PAYPAL-TRANSMISSION-TIME", "2015-05-18T15:45:13Z"),
];

/// paypal/PayPal-Python-SDK, test/unit_tests/notifications_test.py (body and signature), and PayPal-node-SDK,
/// test/mocks/notification.js (certificate). Who issued the certificate is not in the vector, so the chain has a test of its own.
#[test]
fn the_vendors_certificate_fits_the_vendors_signature() {
    let file = include_bytes!("../../tests/vectors/certificate.pem");
    let first = CertificateDer::from_pem_slice(file).unwrap();
    let certificate = webpki::EndEntityCert::try_from(&first).unwrap();
    let body = include_str!("../../tests/vectors/certificate-body.json");
    let made = sent("https://us.example/", &TRANSMISSION, body);
    let values = secret("4JH86294D6297924G");
    let way = by_certificate("paypal.com");
    let signed = part::bytes(&made.call(), &way.signed, &values, &part::Known::default()).unwrap();
    assert!(signed.ends_with(b"|4JH86294D6297924G|2771810304"));
    let signature = include_str!("../../tests/vectors/certificate-signature.txt").trim();
    let signature = part::decoded(signature, manifest::webhook::Encoding::Base64).unwrap();
    let algorithm = webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256;
    assert!(certificate.verify_signature(algorithm, &signed, &signature).is_ok());
    assert!(certificate.verify_signature(algorithm, &signed[1..], &signature).is_err());
    // Nobody stands behind it here, and it ended in 2017.
    let mut headers = TRANSMISSION.to_vec();
    headers.push((
        "PAYPAL-CERT-URL",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77",
    ));
    let asked = |arrived_ms| {
        let made = sent("https://us.example/", &headers, body).at(arrived_ms);
        verify_certificate(&way, &made.call(), &values, file, &[])
    };
    assert_eq!(asked(1_431_963_913_000), Err(Refusal::Certificate("nobody we trust stands behind it")));
    assert_eq!(asked(NOON), Err(Refusal::Certificate("it has ended")));
}

#[test]
fn a_certificate_comes_from_the_providers_own_domain() {
    let way = by_certificate("paypal.com");
    let asked = |url: &'static str| {
        let made = sent("https://us.example/", &[("PAYPAL-CERT-URL", url)], "");
        certificate_url(&way, &made.call()).map(ToOwned::to_owned)
    };
    for good in ["https://api.paypal.com/v1/certs/1", "https://PAYPAL.com/x", "https://a.b.paypal.com?x=1"] {
        assert_eq!(asked(good).as_deref(), Ok(good));
    }
    for bad in [
        "http://api.paypal.com/v1/certs/1",
        "https://paypal.com.evil.example/",
        "https://evilpaypal.com/",
        "https://evil.example/paypal.com",
        "https://evil.example#.paypal.com",
        "https://evil.example\\.paypal.com/",
        "https://paypal.com@evil.example/",
        "https://user:x@api.paypal.com/",
        "https://api.paypal.com:8443/",
        "https://127.0.0.1/",
        "https://",
        "file:///etc/passwd",
    ] {
        assert_eq!(asked(bad), Err(Refusal::Certificate("its address is not the provider's")), "{bad}");
    }
}

/// A chain made for the test: a root that is trusted, one behind it, a certificate that signs.
#[test]
fn a_certificate_is_believed_only_with_somebody_trusted_behind_it_and_in_its_time() {
    let chain = Chain::new("messageverification.provider.example");
    let way: Certificate = Certificate {
        algorithm: manifest::webhook::SignatureAlgorithm::EcdsaP256Sha256,
        ..by_certificate("provider.example")
    };
    let made = chain.signed_call("wh1", r#"{"id":"1"}"#);
    let check = |way: &Certificate, sent: &Sent, file: &str, trusted: &[CertificateDer<'_>]| {
        verify_certificate(way, &sent.call(), &secret("wh1"), file.as_bytes(), trusted)
    };
    let trusted = [chain.root.clone()];
    assert_eq!(check(&way, &made, &chain.file, &trusted), Ok(()));
    let other = Chain::new("messageverification.provider.example");
    assert_eq!(
        check(&way, &made, &chain.file, std::slice::from_ref(&other.root)),
        Err(Refusal::Certificate("nobody we trust stands behind it"))
    );
    assert_eq!(
        check(&way, &made, &other.file, std::slice::from_ref(&other.root)),
        Err(Refusal::Wrong),
        "signed by another"
    );
    let elsewhere = Chain::new("provider.example.evil.example");
    let refused = check(
        &way,
        &elsewhere.signed_call("wh1", r#"{"id":"1"}"#),
        &elsewhere.file,
        std::slice::from_ref(&elsewhere.root),
    );
    assert_eq!(refused, Err(Refusal::Certificate("the name in it is not the provider's")));
    let late = chain.signed_call("wh1", r#"{"id":"1"}"#).at(Chain::ENDS_MS + 1_000);
    assert_eq!(check(&way, &late, &chain.file, &trusted), Err(Refusal::Certificate("it has ended")));
    let early = chain.signed_call("wh1", r#"{"id":"1"}"#).at(Chain::BEGINS_MS - 1_000);
    assert_eq!(check(&way, &early, &chain.file, &trusted), Err(Refusal::Certificate("it does not hold yet")));
    let changed = Sent { body: br#"{"id":"2"}"#.to_vec(), ..chain.signed_call("wh1", r#"{"id":"1"}"#) };
    assert_eq!(check(&way, &changed, &chain.file, &trusted), Err(Refusal::Wrong));
    assert_eq!(check(&way, &made, "no certificate", &trusted), Err(Refusal::Certificate("it cannot be read")));
}

pub(crate) struct Chain {
    pub root: CertificateDer<'static>,
    pub file: String,
    key: rcgen::KeyPair,
}

impl Chain {
    /// 2023-01-01 to 2024-01-01.
    pub const BEGINS_MS: i64 = 1_672_531_200_000;
    const ENDS_MS: i64 = 1_704_067_200_000;

    pub fn new(name: &str) -> Self {
        let authority = |name: &str| {
            let mut parameters = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
            parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
            (parameters, rcgen::KeyPair::generate().unwrap())
        };
        let (root, root_key) = authority("root");
        let root_certificate = root.self_signed(&root_key).unwrap();
        let root_issuer = rcgen::Issuer::new(root, root_key);
        let (middle, middle_key) = authority("middle");
        let middle_certificate = middle.signed_by(&middle_key, &root_issuer).unwrap();
        let middle_issuer = rcgen::Issuer::new(middle, middle_key);
        let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        leaf.not_before = rcgen::date_time_ymd(2023, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(2024, 1, 1);
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &middle_issuer).unwrap();
        let file = format!("{}{}", certificate.pem(), middle_certificate.pem());
        Self { root: root_certificate.der().clone(), file, key }
    }

    pub fn signed_call(&self, webhook: &str, body: &str) -> Sent {
        use base64::Engine as _;
        use rcgen::SigningKey as _;
        let [(_, id), (_, time)] = TRANSMISSION;
        let text = format!("{id}|{time}|{webhook}|{}", crc32fast::hash(body.as_bytes()));
        let signature = self.key.sign(text.as_bytes()).unwrap();
        let signature = base64::engine::general_purpose::STANDARD.encode(signature);
        let mut headers = TRANSMISSION.to_vec();
        headers.extend([
            ("PAYPAL-TRANSMISSION-SIG", signature.as_str()),
            ("PAYPAL-CERT-URL", "https://certs.provider.example/1"),
        ]);
        sent("https://us.example/", &headers, body)
    }
}

#[test]
fn what_we_told_the_provider_comes_back() {
    let expected = Text::parse("${credential.word}").unwrap();
    let header = |value: &'static str| {
        let made = sent("https://us.example/", &[("Authorization", value)], "{}");
        let fixed = verify_fixed_header("authorization", &expected, &made.call(), &secret("sesame"));
        let user = Text::parse("aladdin").unwrap();
        (fixed, verify_basic(&user, &expected, &made.call(), &secret("opensesame")))
    };
    assert_eq!(header("sesame").0, Ok(()));
    assert_eq!(header("sesamE").0, Err(Refusal::Wrong));
    assert_eq!(header("sesame2").0, Err(Refusal::Wrong));
    assert_eq!(header("Basic YWxhZGRpbjpvcGVuc2VzYW1l").1, Ok(()));
    assert_eq!(header("basic YWxhZGRpbjpvcGVuc2VzYW1l").1, Ok(()));
    assert_eq!(header("Basic YWxhZGRpbjpvcGVuc2VzYW1m").1, Err(Refusal::Wrong));
    assert!(matches!(header("Bearer YWxhZGRpbjpvcGVuc2VzYW1l").1, Err(Refusal::HeaderUnreadable(_))));
    assert!(matches!(header("Basic").1, Err(Refusal::HeaderUnreadable(_))));
    assert_eq!(verify_secret_path("a1b2", &Secret::new("a1b2".to_owned())), Ok(()));
    assert_eq!(verify_secret_path("a1b3", &Secret::new("a1b2".to_owned())), Err(Refusal::Wrong));
}

/// The proof of a sender that the catalogue knows.
fn of_sender(name: &str) -> Hmac {
    let catalog = catalog::Catalog::built_in().unwrap();
    match catalog.sender(name).unwrap().proof.clone() {
        manifest::webhook::Verification::Hmac(hmac) => hmac,
        other => panic!("{other:?}"),
    }
}

/// The example of the specification, of its reference libraries' tests, and of the page of the first who has implemented it.
#[test]
fn calls_of_standard_webhooks_are_signed_with_their_id_and_time() {
    for (secret, id, time, body, signature) in [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_plJ3nmyCDGBKInavdOK15jsl",
            "msg_loFOjxBNrRLzqYUf",
            "1731705121",
            r#"{"event_type":"ping","data":{"success":true}}"#,
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        ),
    ] {
        let made = |prefix: &str, signature: &str| {
            let (id_name, time_name, name) =
                (format!("{prefix}-id"), format!("{prefix}-timestamp"), format!("{prefix}-signature"));
            let headers = [(id_name.as_str(), id), (time_name.as_str(), time), (name.as_str(), signature)];
            sent("https://us.example/", &headers, body).at(time.parse::<i64>().unwrap() * 1000)
        };
        let standard = of_sender("standard_webhooks");
        must_hold(&standard, || made("Webhook", signature), secret);
        must_hold(&standard, || made("webhook", signature), secret.trim_start_matches("whsec_"));
        must_hold(&of_sender("svix"), || made("svix", signature), secret);
        let several = format!("v1,AAAA v1a,{} {signature}", &signature[3..]);
        assert_eq!(hmac(&standard, &made("webhook", &several), secret), Ok(()));
        for none in [signature.replace("v1,", "v1a,"), signature.replace("v1,", ""), signature.replace("v1,", "v1=")] {
            let refused = hmac(&standard, &made("webhook", &none), secret);
            assert!(matches!(refused, Err(Refusal::HeaderUnreadable(_))), "{none}: {refused:?}");
        }
    }
}

/// docs.github.com, Validating webhook deliveries, Testing the webhook payload validation.
#[test]
fn githubs_own_example_holds() {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let make = || sent("https://us.example/", &[("X-Hub-Signature-256", signature)], "Hello, World!");
    must_hold(&of_sender("github"), make, "It's a Secret to Everybody");
}

/// A reason is written into logs.
#[test]
fn no_reason_holds_a_secret() {
    let header = format!("t=1700000000,v1={PAIRS_SIGNATURE}");
    let made = sent("https://us.example/", &[("Stripe-Signature", &header)], "other");
    let told = hmac(&pairs(), &made, "whsec_hunter2").unwrap_err();
    assert!(!format!("{told} {told:?}").contains("hunter2"));
    let base64 = Hmac { key_form: manifest::webhook::KeyForm::Base64, ..pairs() };
    let told = hmac(&base64, &made, "whsec_hunter2").unwrap_err();
    assert!(!format!("{told} {told:?}").contains("hunter2"));
}
