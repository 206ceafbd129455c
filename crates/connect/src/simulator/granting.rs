//! Tokens of a simulated provider, from the way of authentication that its manifest describes: where a person agrees (RFC 6749 section
//! 4.1, RFC 7636), where tokens are got, renewed and revoked (RFC 7009), and what says where that is (RFC 8414). A token is known here
//! alone, ends when its answer says so, and with everything that came of the same agreement where it is used wrongly.

use super::authentication::{self, Shown, Stranger};
use super::page::{escaped, html};
use super::serving::put;
use super::setup::Setup;
use super::{Answer, Asked, Handled, Simulator};
use crate::form;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use manifest::authentication::{Authentication, ClientAuthentication, Grant, Oauth2, Pkce, Repeated};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, VecDeque};

/// Where it says where everything is.
const METADATA: &str = "/.well-known/oauth-authorization-server";
/// What stands behind the path of tokens where they are revoked.
const REVOKE: &str = "/revoke";
/// For how long a code can be used.
const CODE_MS: i64 = 60_000;
/// For how long a token holds where the manifest does not say, though its answers do.
const TOKEN_SECONDS: i64 = 3_600;
const CODE_LENGTH: usize = 32;
const TOKEN_LENGTH: usize = 40;
/// Codes and tokens of each kind that are remembered; the oldest is forgotten first.
const MOST: usize = 10_000;

/// What has been given out.
#[derive(Default)]
pub(super) struct Grants {
    codes: Known<Agreed>,
    access: Known<Held>,
    refresh: Known<Renewing>,
    /// Agreements of which nothing holds any more.
    ended: BTreeSet<u64>,
    agreements: u64,
}

/// Values by the secret that leads to them.
struct Known<T>(VecDeque<(String, T)>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Known<T> {
    fn add(&mut self, secret: String, value: T) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((secret, value));
    }

    fn get(&mut self, secret: &str) -> Option<&mut T> {
        self.0.iter_mut().find(|(known, _)| known == secret).map(|(_, value)| value)
    }
}

/// What somebody has agreed to.
#[derive(Clone)]
struct Agreed {
    of: Agreement,
    redirect: String,
    challenge: Option<String>,
    ends_ms: i64,
    is_used: bool,
}

/// Which agreement, with whom, to what.
#[derive(Clone)]
struct Agreement {
    number: u64,
    client: String,
    scope: String,
}

struct Held {
    of: Agreement,
    ends_ms: Option<i64>,
}

#[derive(Clone)]
struct Renewing {
    of: Agreement,
    is_used: bool,
}

/// An address of this file.
#[derive(Clone, Copy)]
enum Door {
    Authorize,
    Token,
    Revoke,
    Metadata,
}

/// A refusal of RFC 6749, with its words.
type No = (&'static str, &'static str);

const CLIENT: No = ("invalid_client", "the client is not known by what it shows");
const CODE: No = ("invalid_grant", "the code is none, was used, is too old, or is of another request");
const REFRESH: No = ("invalid_grant", "the refresh token is none, or was used before");

impl Grants {
    /// Whether a request shows a token that holds.
    pub fn holder(&mut self, authorization: Option<&str>, now_ms: i64) -> Result<Shown, Stranger> {
        let (scheme, token) = authorization.and_then(|header| header.split_once(' ')).ok_or(Stranger::Nothing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Stranger::Nothing);
        }
        if self.is_held(token.trim(), now_ms) { Ok(Shown::new()) } else { Err(Stranger::Token) }
    }

    fn is_held(&mut self, token: &str, now_ms: i64) -> bool {
        let Self { access, ended, .. } = self;
        access
            .get(token)
            .is_some_and(|held| !ended.contains(&held.of.number) && held.ends_ms.is_none_or(|ends_ms| now_ms < ends_ms))
    }

    fn agreement(&mut self, client: &str, scope: &str) -> Agreement {
        self.agreements += 1;
        Agreement { number: self.agreements, client: client.to_owned(), scope: scope.to_owned() }
    }
}

/// The way by which tokens are got, where the provider has one.
fn way(setup: &Setup) -> Option<&Oauth2> {
    setup.manifest.provider.authentication.iter().find_map(|(_, way)| {
        let Authentication::Oauth2(way) = way else { return None };
        Some(way.as_ref())
    })
}

/// The path of an address of the manifest, which this host has too.
fn path(setup: &Setup, address: &manifest::Text) -> String {
    let text = address.to_string();
    let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    // A slash inside of `${...}` is part of a value.
    let mut depth = 0;
    let slash = rest.char_indices().find(|(_, character)| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        *character == '/' && depth == 0
    });
    let path = slash.map_or("/", |(at, _)| &rest[at..]);
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let values = setup.manifest.provider.values.iter();
    values.fold(path, |path, (name, value)| path.replace(&format!("${{value.{name}}}"), value))
}

impl Simulator {
    /// Answers at the addresses of tokens; none where the request is about something else.
    pub(super) fn granting(&mut self, asked: &Asked<'_>, at: &str, now_ms: i64) -> Option<Answer> {
        let way = way(&self.setup)?.clone();
        let token = path(&self.setup, &way.token_url);
        let door = match at {
            METADATA => Door::Metadata,
            _ if at == token => Door::Token,
            _ if at.strip_suffix(REVOKE) == Some(token.as_str()) => Door::Revoke,
            _ if way.authorize_url.as_ref().is_some_and(|url| path(&self.setup, url) == at) => Door::Authorize,
            _ => return None,
        };
        Some(match (door, asked.method) {
            (Door::Metadata, "GET") => self.metadata(&way),
            (Door::Authorize, "GET" | "POST") => self.authorize(&way, asked, now_ms),
            (Door::Token, "POST") => self.token(&way, asked, now_ms),
            (Door::Revoke, "POST") => self.revoke(&way, asked),
            (Door::Metadata, _) => not_allowed("GET"),
            (Door::Authorize, _) => not_allowed("GET, POST"),
            (Door::Token | Door::Revoke, _) => not_allowed("POST"),
        })
    }

    /// Has a person agree who opens that address: where it leads then; none where it asks for nothing that can be agreed to.
    pub fn agree(&mut self, url: &str, now_ms: i64) -> Option<String> {
        let target = url.strip_prefix(&*self.setup.site)?;
        let asked = Asked { method: "POST", target, headers: &[], body: b"button=agree" };
        let Handled::Answered(answer) = self.handle(&asked, now_ms) else { return None };
        answer.headers.into_iter().find(|(name, _)| name == "Location").map(|(_, location)| location)
    }

    fn metadata(&self, way: &Oauth2) -> Answer {
        let at = |path: &str| format!("{}{path}", self.setup.site);
        let token = path(&self.setup, &way.token_url);
        let mut told = json!({
            "issuer": self.setup.site,
            "token_endpoint": at(&token),
            "revocation_endpoint": at(&format!("{token}{REVOKE}")),
            "grant_types_supported": grants(way),
            "token_endpoint_auth_methods_supported": [method(way.client)],
            "revocation_endpoint_auth_methods_supported": [method(way.client)],
            "response_types_supported": way.authorize_url.iter().map(|_| "code").collect::<Vec<_>>(),
        });
        if let Some(url) = &way.authorize_url {
            told["authorization_endpoint"] = at(&path(&self.setup, url)).into();
        }
        if !way.scopes.is_empty() {
            told["scopes_supported"] = json!(way.scopes);
        }
        if way.pkce != Pkce::Off {
            told["code_challenge_methods_supported"] = json!(["S256"]);
        }
        answer(200, &told)
    }

    /// Where a person agrees: the question, then where the answer leads.
    fn authorize(&mut self, way: &Oauth2, asked: &Asked<'_>, now_ms: i64) -> Answer {
        let query = asked.target.split_once('?').map_or("", |(_, query)| query);
        let told = form::pairs(query.as_bytes());
        let value = |name: &str| told.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let title = self.setup.manifest.provider.title.clone();
        let client = value("client_id").unwrap_or_default();
        let redirect = value("redirect_uri").unwrap_or_default();
        let is_address = redirect.starts_with("http://") || redirect.starts_with("https://");
        if self.fits_client(way, client).is_err() || !is_address || redirect.contains('#') {
            let why = "<p>The address of this page does not say who asks, or where to go then.</p>";
            return html(400, &title, why);
        }
        let back = |pairs: &[(&str, &str)]| {
            let state = value("state").map(|state| ("state", state));
            led(redirect, pairs.iter().copied().chain(state))
        };
        let challenge = value("code_challenge");
        let is_bound =
            challenge.is_some_and(|challenge| challenge.len() == 43) && value("code_challenge_method") == Some("S256");
        if value("response_type") != Some("code") {
            return back(&[("error", "unsupported_response_type")]);
        }
        if (way.pkce == Pkce::Required || challenge.is_some()) && !is_bound {
            let described = ("error_description", "a code_challenge of the method S256 is needed");
            return back(&[("error", "invalid_request"), described]);
        }
        if asked.method == "GET" {
            return asks(&title, client, value("scope"));
        }
        let pressed = form::pairs(asked.body);
        if !pressed.iter().any(|(name, value)| name == "button" && value == "agree") {
            return back(&[("error", "access_denied")]);
        }
        let agreed = Agreed {
            of: self.grants.agreement(client, value("scope").unwrap_or_default()),
            redirect: redirect.to_owned(),
            challenge: challenge.map(ToOwned::to_owned),
            ends_ms: now_ms + CODE_MS,
            is_used: false,
        };
        let code = self.chance.word(CODE_LENGTH);
        self.grants.codes.add(code.clone(), agreed);
        back(&[("code", &code)])
    }

    /// Whether that is somebody whom the manifest could mean.
    fn fits_client(&self, way: &Oauth2, client: &str) -> Result<Shown, Stranger> {
        let mut shown = Shown::new();
        authentication::fit(&self.setup, &way.client_id, client, &mut shown)?;
        Ok(shown)
    }

    /// Who asks for a token, by the manifest's way of saying it.
    fn client(&mut self, way: &Oauth2, asked: &Asked<'_>, said: &[(String, String)]) -> Result<String, No> {
        let member = |name: &str| said.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let (client, password) = match way.client {
            ClientAuthentication::Basic => {
                let told = basic(asked.header("authorization").unwrap_or_default()).ok_or(CLIENT)?;
                (told.0, Some(told.1))
            }
            ClientAuthentication::Post => (member("client_id").ok_or(CLIENT)?, member("client_secret")),
            ClientAuthentication::None => (member("client_id").ok_or(CLIENT)?, None),
        };
        let mut shown = self.fits_client(way, &client).map_err(|_| CLIENT)?;
        if let Some(secret) = &way.client_secret {
            let password = password.ok_or(CLIENT)?;
            authentication::fit(&self.setup, secret, &password, &mut shown).map_err(|_| CLIENT)?;
        }
        self.shown.extend(shown);
        Ok(client)
    }

    fn token(&mut self, way: &Oauth2, asked: &Asked<'_>, now_ms: i64) -> Answer {
        let said = form::pairs(asked.body);
        let given = self.client(way, asked, &said).and_then(|client| self.given(way, &client, &said, now_ms));
        match given {
            Ok((agreement, refresh)) => self.tokens(way, agreement, refresh, now_ms),
            Err(no) => refused(no),
        }
    }

    /// What is given for a token: the agreement, and what the next one is got with.
    fn given(
        &mut self,
        way: &Oauth2,
        client: &str,
        said: &[(String, String)],
        now_ms: i64,
    ) -> Result<(Agreement, Option<String>), No> {
        let member = |name: &str| said.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let has_refresh = way.token.refresh_token.is_some();
        match (member("grant_type"), way.grant) {
            (Some("client_credentials"), Grant::ClientCredentials) => {
                Ok((self.grants.agreement(client, member("scope").unwrap_or_default()), None))
            }
            (Some("authorization_code"), Grant::AuthorizationCode) => {
                let code = member("code").unwrap_or_default();
                let known = self.grants.codes.get(code).ok_or(CODE)?;
                let was_used = std::mem::replace(&mut known.is_used, true);
                let agreed = known.clone();
                if was_used {
                    // Somebody else may have it: nothing that came of it holds any more.
                    self.grants.ended.insert(agreed.of.number);
                    return Err(CODE);
                }
                let proves = |verifier: &str| URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
                let is_same = agreed.of.client == client
                    && member("redirect_uri") == Some(agreed.redirect.as_str())
                    && member("code_verifier").map(proves) == agreed.challenge;
                if !is_same || now_ms >= agreed.ends_ms {
                    return Err(CODE);
                }
                let refresh = has_refresh.then(|| self.renewing(&agreed.of));
                Ok((agreed.of, refresh))
            }
            (Some("refresh_token"), _) => self.renewed(way, client, member("refresh_token").unwrap_or_default()),
            (Some(_), _) => Err(("unsupported_grant_type", "the manifest knows no such grant")),
            (None, _) => Err(("invalid_request", "grant_type is missing")),
        }
    }

    fn renewed(&mut self, way: &Oauth2, client: &str, token: &str) -> Result<(Agreement, Option<String>), No> {
        let known = match self.grants.refresh.get(token) {
            Some(known) => known.clone(),
            // One that somebody brought from elsewhere, as the manifest lets them.
            None => {
                let text = way.refresh_token.as_ref().ok_or(REFRESH)?;
                authentication::fit(&self.setup, text, token, &mut Shown::new()).map_err(|_| REFRESH)?;
                let known = Renewing { of: self.grants.agreement(client, &way.scopes.join(" ")), is_used: false };
                self.grants.refresh.add(token.to_owned(), known.clone());
                known
            }
        };
        if known.of.client != client || self.grants.ended.contains(&known.of.number) {
            return Err(REFRESH);
        }
        if !way.renew.rotates {
            return Ok((known.of, None));
        }
        if known.is_used && way.renew.repeated != Some(Repeated::Accepted) {
            self.grants.ended.insert(known.of.number);
            return Err(REFRESH);
        }
        if let Some(known) = self.grants.refresh.get(token) {
            known.is_used = true;
        }
        let next = self.renewing(&known.of);
        Ok((known.of, Some(next)))
    }

    fn renewing(&mut self, of: &Agreement) -> String {
        let token = self.chance.word(TOKEN_LENGTH);
        self.grants.refresh.add(token.clone(), Renewing { of: of.clone(), is_used: false });
        token
    }

    /// The answer with a token, its parts where the manifest looks for them.
    fn tokens(&mut self, way: &Oauth2, of: Agreement, refresh: Option<String>, now_ms: i64) -> Answer {
        let seconds = way.token.lifetime_seconds.map(i64::from);
        let seconds = seconds.or_else(|| way.token.expires_in.as_ref().map(|_| TOKEN_SECONDS));
        let token = self.chance.word(TOKEN_LENGTH);
        let mut told = Value::Object(Map::new());
        put(&mut told, &way.token.access_token, token.clone().into());
        told["token_type"] = "Bearer".into();
        if let (Some(at), Some(seconds)) = (&way.token.expires_in, seconds) {
            put(&mut told, at, seconds.into());
        }
        if let (Some(at), Some(refresh)) = (&way.token.refresh_token, refresh) {
            put(&mut told, at, refresh.into());
        }
        if !of.scope.is_empty() {
            told["scope"] = of.scope.clone().into();
        }
        for (_, at) in way.token.keep.iter() {
            put(&mut told, at, self.setup.site.clone().into());
        }
        let ends_ms = seconds.map(|seconds| now_ms + seconds * 1_000);
        self.grants.access.add(token, Held { of, ends_ms });
        answer(200, &told)
    }

    fn revoke(&mut self, way: &Oauth2, asked: &Asked<'_>) -> Answer {
        let said = form::pairs(asked.body);
        let client = match self.client(way, asked, &said) {
            Ok(client) => client,
            Err(no) => return refused(no),
        };
        let token = said.iter().find(|(name, _)| name == "token").map_or("", |(_, value)| value.as_str());
        let Grants { access, refresh, ended, .. } = &mut self.grants;
        if let Some(known) = refresh.get(token).filter(|known| known.of.client == client) {
            ended.insert(known.of.number);
        } else if let Some(held) = access.get(token).filter(|held| held.of.client == client) {
            held.ends_ms = Some(0);
        }
        Answer { status: 200, headers: Vec::new(), body: Vec::new() }
    }
}

fn grants(way: &Oauth2) -> Vec<&'static str> {
    let first = match way.grant {
        Grant::ClientCredentials => "client_credentials",
        Grant::AuthorizationCode => "authorization_code",
        Grant::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
    };
    let has_refresh = way.token.refresh_token.is_some() || way.refresh_token.is_some();
    std::iter::once(first).chain(has_refresh.then_some("refresh_token")).collect()
}

fn method(client: ClientAuthentication) -> &'static str {
    match client {
        ClientAuthentication::Basic => "client_secret_basic",
        ClientAuthentication::Post => "client_secret_post",
        ClientAuthentication::None => "none",
    }
}

/// Name and password, which are encoded before they are joined (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, told) = header.split_once(' ')?;
    let told = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(told.trim()).ok())??;
    let told = String::from_utf8(told).ok()?;
    let (name, password) = told.split_once(':')?;
    let decoded =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(|text| text.into_owned());
    Some((decoded(name)?, decoded(password)?))
}

/// The question to a person.
fn asks(title: &str, client: &str, scope: Option<&str>) -> Answer {
    let scope = scope
        .filter(|scope| !scope.is_empty())
        .map_or_else(|| "everything".to_owned(), |scope| scope.split(' ').collect::<Vec<_>>().join(", "));
    let lines = [("Who asks", client), ("For what", &scope)];
    let lines = lines.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escaped(value))).concat();
    let buttons = "<button name=\"button\" value=\"agree\">Agree</button><button name=\"button\" value=\"refuse\">Refuse</button>";
    html(200, &format!("Agree at {title}"), &format!("<dl>{lines}</dl><form method=\"post\">{buttons}</form>"))
}

/// Back to who asked.
fn led<'p>(redirect: &str, pairs: impl Iterator<Item = (&'p str, &'p str)>) -> Answer {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", crate::encode::percent(value))).collect();
    let joint = if redirect.contains('?') { '&' } else { '?' };
    let location = format!("{redirect}{joint}{}", pairs.join("&"));
    Answer { status: 303, headers: vec![("Location".to_owned(), location)], body: Vec::new() }
}

fn refused((error, described): No) -> Answer {
    let status = if error == CLIENT.0 { 401 } else { 400 };
    let mut refused = answer(status, &json!({ "error": error, "error_description": described }));
    if status == 401 {
        refused.headers.push(("WWW-Authenticate".to_owned(), "Basic realm=\"simulated\"".to_owned()));
    }
    refused
}

fn answer(status: u16, told: &Value) -> Answer {
    let headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Answer { status, headers, body: told.to_string().into_bytes() }
}

fn not_allowed(methods: &str) -> Answer {
    Answer { status: 405, headers: vec![("Allow".to_owned(), methods.to_owned())], body: Vec::new() }
}
