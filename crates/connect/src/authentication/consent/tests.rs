//! What a person is asked, and what is taken of the answer.

use super::{Consent, NoCode};
use crate::account::Account;
use crate::authentication::oauth2::Given;
use crate::form;
use crate::testbed::account;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use manifest::Text;
use manifest::authentication::{Authentication, Grant, Oauth2, Pkce};

const BACK: &str = "http://127.0.0.1:8734/oauth/callback";

fn agreed(authorize_url: &str) -> (Account, Oauth2) {
    let account = account("salesforce", &[("client_id", "our id"), ("client_secret", "s"), ("domain", "acme")]);
    let Some((_, Authentication::Oauth2(way))) = account.manifest.provider.authentication.first() else {
        panic!("it has tokens")
    };
    let way = Oauth2 {
        grant: Grant::AuthorizationCode,
        authorize_url: Some(Text::parse(authorize_url).unwrap()),
        scopes: vec!["api".to_owned(), "refresh_token".to_owned()],
        pkce: Pkce::Required,
        ..way.as_ref().clone()
    };
    (account, way)
}

const URL: &str = "https://${setting.domain}.my.salesforce.com/services/oauth2/authorize?prompt=consent";

/// The parameters of the address that is opened.
fn parameter(consent: &Consent, name: &str) -> String {
    let query = consent.url.split_once('?').unwrap().1;
    let pairs = form::pairs(query.as_bytes());
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
}

#[test]
fn a_question_is_bound_to_its_answer() {
    let (account, way) = agreed(URL);
    let consent = Consent::ask(&account, &way, BACK).unwrap();
    assert!(consent.url.starts_with("https://acme.my.salesforce.com/services/oauth2/authorize?prompt=consent&"));
    let of = |name| parameter(&consent, name);
    assert_eq!((of("response_type").as_str(), of("client_id").as_str()), ("code", "our id"));
    assert_eq!((of("redirect_uri").as_str(), of("scope").as_str()), (BACK, "api refresh_token"));
    let given = consent.came_back(&format!("/oauth/callback?code=c%2F1&state={}", of("state"))).unwrap();
    let Given::Code { code, redirect, verifier: Some(verifier) } = given else { panic!("a code with its verifier") };
    assert_eq!((code.expose().as_str(), redirect.as_str()), ("c/1", BACK));
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose().as_bytes()));
    assert_eq!((of("code_challenge"), of("code_challenge_method").as_str()), (challenge, "S256"));
    assert_ne!(Consent::ask(&account, &way, BACK).unwrap().url, consent.url, "no question is like another");
}

#[test]
fn what_is_no_answer_is_told() {
    let (account, way) = agreed(URL);
    let consent = Consent::ask(&account, &way, BACK).unwrap();
    let state = parameter(&consent, "state");
    let no = |query: &str| consent.came_back(&format!("{BACK}?{query}")).unwrap_err();
    assert_eq!(no("code=c&state=another"), NoCode::OtherQuestion);
    assert_eq!(no("code=c"), NoCode::OtherQuestion);
    assert_eq!(no("error=access_denied&state=another"), NoCode::OtherQuestion);
    assert_eq!(no(""), NoCode::Nothing);
    let denied = no(&format!("error=access_denied&error_description=Not+today&state={state}"));
    assert_eq!(denied, NoCode::Refused("Not today (access_denied)".to_owned()));
    assert!(matches!(consent.copied(" c1\n"), Ok(Given::Code { code, .. }) if code.expose() == "c1"));
    assert_eq!(consent.copied("https://x.example/?code=c").unwrap_err(), NoCode::OtherQuestion);
    // Nothing else would bind a code alone to who has asked for it.
    let unbound = Consent::ask(&account, &Oauth2 { pkce: Pkce::Off, ..way }, BACK).unwrap();
    assert_eq!(unbound.copied("c1").unwrap_err(), NoCode::Nothing);
}

#[test]
fn nobody_is_led_elsewhere() {
    let (account, way) = agreed("https://${setting.domain}/authorize");
    let error = Consent::ask(&account, &way, BACK).unwrap_err().to_string();
    assert!(error.contains("authorize_url"), "{error}");
}
