//! Who calls in a case: what proves somebody who may, and cases of those who prove nothing, somebody else, or too little.

use super::{Asker, Maker, asks_for_parent, final_response, is_owned, scheme_of, shape_of};
use crate::account;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plan::Problem;
use plan::accounts::{
    CASE_OTHER_SESSION, CASE_ROLE, CASE_SESSION, CaseCaller, LOOPBACK_SESSION_COOKIE, case_session_token,
};
use plan::api::Endpoint;
use plan::http_case::{
    ACCESS_TOKEN, API_KEY, CaseRequest, ELSEWHERE_ISSUED_TOKEN, EXPIRED_ACCESS_TOKEN, EXPIRED_API_KEY,
    EXPIRED_ISSUED_TOKEN, HttpCase, ISSUED_TOKEN, OTHER_ACCESS_TOKEN, OTHER_ISSUED_TOKEN, POWERLESS_API_KEY,
    POWERLESS_ISSUED_TOKEN, UNKNOWN_API_KEY, access_token_of, issued_token_of,
};
use plan::procedure::{Item, Response, RowsFormat, Scheme, Step};
use plan::shape::ShapeField;
use serde_json::json;
use vocab::{FieldFormat, FieldType, RoleName};

impl Asker<'_> {
    pub fn wrong_keys(&self) -> Vec<HttpCase> {
        let request = |key: Option<&str>| {
            let mut request = self.right_request();
            request.headers = key.map(|key| ("x-api-key".to_owned(), key.to_owned())).into_iter().collect();
            request
        };
        let mut cases = vec![
            self.problem("asks for a key", request(None), Problem::MissingCredentials),
            self.problem("refuses a text that is no key", request(Some("wrong")), Problem::InvalidCredentials),
            self.problem("refuses an unknown key", request(Some(UNKNOWN_API_KEY)), Problem::InvalidCredentials),
            self.problem("refuses a key that has expired", request(Some(EXPIRED_API_KEY)), Problem::InvalidCredentials),
        ];
        if let Some(scope) = self.endpoint.scope() {
            let shows = format!("refuses a key without the scope {scope}");
            cases.push(self.problem(&shows, request(Some(POWERLESS_API_KEY)), Problem::InsufficientScope));
        }
        cases
    }

    /// Whoever proves nothing, or not what is asked for.
    pub fn wrong_proofs(&self, scheme: Scheme) -> Vec<HttpCase> {
        let request = |headers: &[(&str, &str)]| {
            let mut request = self.right_request();
            request.headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            request
        };
        if scheme == Scheme::Basic {
            return self.wrong_logins(request);
        }
        if scheme == Scheme::Issued {
            return self.wrong_issued_tokens(request);
        }
        let bearer = |token: &str| request(&[("authorization", &format!("Bearer {token}"))]);
        let missing = if scheme.takes_cookies() { Problem::MissingSession } else { Problem::MissingToken };
        let shows = if scheme.takes_cookies() { "asks for a session" } else { "asks for a token" };
        let mut cases = vec![self.problem(shows, request(&[]), missing)];
        if scheme.takes_tokens() {
            cases.extend([
                self.problem("refuses a text that is no token", bearer("a.b.c"), Problem::InvalidToken),
                self.problem("refuses a token that has expired", bearer(EXPIRED_ACCESS_TOKEN), Problem::InvalidToken),
                self.problem("refuses an API key", bearer(API_KEY), Problem::InvalidToken),
            ]);
        } else {
            cases.push(self.problem("refuses an access token", bearer(ACCESS_TOKEN), missing));
        }
        if scheme.takes_cookies() {
            let unknown = request(&[("cookie", &cookie("nobody has begun it"))]);
            cases.push(self.problem("refuses an unknown session", unknown, Problem::InvalidSession));
            let own = cookie(&case_session_token(CASE_SESSION));
            let sent = |name: &str, value: &str| request(&[("cookie", &own), (name, value)]);
            if self.method != "GET" {
                let elsewhere = sent("origin", "https://elsewhere.example.com");
                let foreign = sent("sec-fetch-site", "cross-site");
                cases.push(self.problem("refuses a page of another origin", elsewhere, Problem::CrossOrigin));
                cases.push(self.problem(
                    "refuses what a browser says comes from elsewhere",
                    foreign,
                    Problem::CrossOrigin,
                ));
            }
        }
        cases
    }

    /// Whoever sends no token of the issuer, or one that will not do.
    fn wrong_issued_tokens(&self, request: impl Fn(&[(&str, &str)]) -> CaseRequest) -> Vec<HttpCase> {
        let bearer = |token: &str| request(&[("authorization", &format!("Bearer {token}"))]);
        let refused = |shows: &str, token: &str| self.problem(shows, bearer(token), Problem::InvalidToken);
        let mut cases = vec![
            self.problem("asks for a token", request(&[]), Problem::MissingToken),
            refused("refuses a text that is no token", "a.b.c"),
            refused("refuses a token that has expired", EXPIRED_ISSUED_TOKEN),
            refused("refuses a token for another API", ELSEWHERE_ISSUED_TOKEN),
            refused("refuses an API key", API_KEY),
        ];
        if let Some(grant) = self.endpoint.grant() {
            let shows = format!("refuses a token without the scope {grant}");
            cases.push(self.problem(&shows, bearer(POWERLESS_ISSUED_TOKEN), Problem::InsufficientScope));
        }
        cases
    }

    /// Whoever sends no address and password, or wrong ones.
    fn wrong_logins(&self, request: impl Fn(&[(&str, &str)]) -> CaseRequest) -> Vec<HttpCase> {
        let with = |email: &str, password: &str| request(&[("authorization", &basic(email, password))]);
        let right = basic(account::SEED_EMAIL, account::SEED_PASSWORD);
        let mut cases = vec![
            self.problem("asks for address and password", request(&[]), Problem::MissingPassword),
            self.problem(
                "refuses what is no pair",
                request(&[("authorization", "Basic YQ==")]),
                Problem::InvalidPassword,
            ),
        ];
        for (shows, email, password) in [
            ("refuses another password", account::SEED_EMAIL, "some other password"),
            ("says the same to an address without an account", "nobody@example.com", account::SEED_PASSWORD),
        ] {
            let mut case = self.problem(shows, with(email, password), Problem::InvalidPassword);
            // The failure counts for the address that was tried, and for where it came from.
            case.expect.headers.retain(|name, _| name != "ratelimit-policy");
            cases.push(case);
        }
        if self.method != "GET" {
            let foreign = request(&[("authorization", &right), ("sec-fetch-site", "cross-site")]);
            cases.push(self.problem("refuses what a browser says comes from elsewhere", foreign, Problem::CrossOrigin));
        }
        cases
    }

    /// Everybody who calls in a role that is not the one asked for.
    pub fn wrong_roles(&self, scheme: Scheme) -> Vec<HttpCase> {
        let Some(wanted) = self.endpoint.role() else { return Vec::new() };
        let refused = |role: &str, who: Who<'_>| {
            let mut request = self.right_request();
            request.headers.extend([self.proof(scheme, who)]);
            self.problem(&format!("refuses the role {role}"), request, Problem::InsufficientRole)
        };
        let others = self.roles.iter().filter(|role| self.can_be_two() && !wanted.include(role.as_str()));
        let others = others.map(|role| (role.as_str(), Who::InRole(role)));
        let usual = (CASE_ROLE, Who::Caller);
        let wrong = std::iter::once(usual).chain(others.filter(|(role, _)| *role != CASE_ROLE));
        wrong.filter(|(role, _)| !wanted.include(role)).map(|(role, who)| refused(role, who)).collect()
    }

    /// The header that proves who calls.
    fn proof(&self, scheme: Scheme, who: Who<'_>) -> (String, String) {
        proof(scheme, who, &self.callers)
    }

    /// A record of the caller's, asked for by somebody else.
    pub fn anothers(&self, scheme: Scheme) -> Option<HttpCase> {
        let users = self.people()?;
        if !is_owned(&self.endpoint.procedure.body, users, self.tables) || !self.can_be_right() {
            return None;
        }
        let mut request = self.right_request();
        request.headers.extend([self.proof(scheme, Who::Other)]);
        let is_of_parent = asks_for_parent(&self.endpoint.procedure.body);
        match final_response(&self.endpoint.procedure.body) {
            Some(Response::Rows { format: RowsFormat::Json, .. }) if !is_of_parent => {
                let mut case = self.page("shows nothing of somebody else's", request, RowsFormat::Json);
                case.before = self.maker.iter().map(Maker::any).collect();
                Some(case.with_body(&json!({ "items": [], "next": null })))
            }
            Some(_) if self.is_item() || is_of_parent => {
                Some(self.problem_of_record("knows nothing of somebody else's", request, Problem::NotFound))
            }
            Some(_) | None => None,
        }
    }

    /// What proves somebody and does not: each password by another one, and the address by one that nobody has.
    pub fn wrong_passwords(&self, items: &[Item]) -> Vec<HttpCase> {
        let compares = |item: &Item| matches!(item, Item::Let(_, Step::VerifyPassword { .. }));
        let Some(shape) = shape_of(self.endpoint).filter(|_| items.iter().any(compares)) else { return Vec::new() };
        let case = |field: &ShapeField| {
            let (shows, other) = match (&field.field_type, field.format) {
                (_, Some(FieldFormat::Password)) => ("refuses another password", "some other password"),
                (FieldType::Email, _) if self.scheme.is_none() => {
                    ("says the same to an address without an account", "nobody@example.com")
                }
                _ => return None,
            };
            let mut body = self.right.clone();
            body[field.name.as_str()] = other.into();
            let mut case = self.problem_of_record(shows, self.request().with_body(&body), Problem::WrongCredentials);
            // The answer says how many more attempts there are.
            case.expect.headers.insert("ratelimit-policy".to_owned(), account::failed_logins().header());
            Some(case)
        };
        shape.fields.iter().filter_map(case).collect()
    }
}

/// Who calls in a case.
#[derive(Clone, Copy)]
pub enum Who<'a> {
    /// The user of the seed.
    Caller,
    /// Somebody else.
    Other,
    /// Somebody whose account has that role.
    InRole(&'a RoleName),
}

/// A request to the endpoint by somebody who may make it.
pub fn request(method: &str, path: &str, endpoint: &Endpoint, callers: &[CaseCaller]) -> CaseRequest {
    let who = endpoint.role().map_or(Who::Caller, |roles| Who::InRole(roles.first()));
    let headers = scheme_of(endpoint).map(|scheme| proof(scheme, who, callers)).into_iter().collect();
    CaseRequest { method: method.to_owned(), path: path.to_owned(), headers, body: None, text: None, signed: None }
}

/// The header that proves who calls.
pub fn proof(scheme: Scheme, who: Who<'_>, callers: &[CaseCaller]) -> (String, String) {
    let session = match who {
        Who::Caller => CASE_SESSION,
        Who::Other => CASE_OTHER_SESSION,
        Who::InRole(role) => callers.iter().find(|caller| caller.role == *role).map_or("", |caller| &caller.session),
    };
    let token = match who {
        Who::Caller => ACCESS_TOKEN.to_owned(),
        Who::Other => OTHER_ACCESS_TOKEN.to_owned(),
        Who::InRole(role) => access_token_of(role.as_str()),
    };
    let (name, value) = match scheme {
        Scheme::ApiKey => ("x-api-key", API_KEY.to_owned()),
        Scheme::AccessToken | Scheme::SignedIn => ("authorization", format!("Bearer {token}")),
        Scheme::Session => ("cookie", cookie(&case_session_token(session))),
        Scheme::Issued => {
            let token = match who {
                Who::Caller => ISSUED_TOKEN.to_owned(),
                Who::Other => OTHER_ISSUED_TOKEN.to_owned(),
                Who::InRole(role) => issued_token_of(role.as_str()),
            };
            ("authorization", format!("Bearer {token}"))
        }
        Scheme::Basic => {
            let email = match who {
                Who::Caller => account::SEED_EMAIL.to_owned(),
                Who::Other => account::OTHER_EMAIL.to_owned(),
                Who::InRole(role) => account::role_email(role),
            };
            ("authorization", basic(&email, account::SEED_PASSWORD))
        }
    };
    (name.to_owned(), value)
}

pub fn basic(email: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{email}:{password}")))
}

/// Cases are asked on this machine itself.
pub fn cookie(token: &str) -> String {
    format!("{LOOPBACK_SESSION_COOKIE}={}", token.replace(' ', "-"))
}
