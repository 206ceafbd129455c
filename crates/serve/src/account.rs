//! Who calls with an access token: the token is read, its key is one of the database's, its session lives. Tokens are made here too, and
//! the keys that sign them. What the database says of a session is believed for a second, and not at all once a session was ended here.

#![allow(clippy::disallowed_types)] // sessions and tokens are looked up by name; their order never shows

use crate::password;
use crate::run::{Failure, timestamp};
use crate::sealing::{Sealing, derived};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dialect::Unsupported;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use plan::accounts::{
    ACCESS_LIFETIME, CASE_OTHER, CASE_OTHER_SESSION, CASE_ROLE, CASE_SESSION, CASE_USER, CaseCaller, KEY_SETTLES,
    KEY_SIGNS, NO_SESSION, SESSION_LIFETIME, case_callers,
};
use plan::query::{Holes, OnConflict, Output, Predicate, RowLock, Write};
use plan::value::Comparison;
use plan::{ApiPlan, DatabasePlan, Problem, Query, Value, system};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Ended, Row, Store, StoreError};
use vocab::{ColumnName, Datum, FieldName, Secret, SlotName, TableName};

/// How long an answer of the database is believed: a session that was ended elsewhere lives no longer than that.
const MEMORY: Duration = Duration::from_secs(1);
/// A password that was right is not hashed again for so long.
const PASSWORD_MEMORY: Duration = Duration::from_secs(300);
/// How long the set of keys is believed.
const KEYS_MEMORY: Duration = Duration::from_secs(60);
/// Sessions and tokens that are remembered at once.
const REMEMBERED: usize = 10_000;
/// Longest token that is looked at.
const TOKEN_MAX: usize = 4096;
/// `alg` of the tokens.
const ALGORITHM: &str = "EdDSA";
/// How long sessions and mailed tokens are kept behind their end, in seconds: nobody is at them any more then.
const ENDED_KEPT: u32 = 86_400;
/// A key signs for so long beside its successor, in which every server gets to know that one.
const OVERLAP: u32 = 2 * KEY_SETTLES;

/// Access tokens of those who call in the cases of a plan.
#[derive(Debug, Default)]
pub struct CaseTokens {
    /// Of the user of the seed.
    pub good: String,
    /// Of the same, and expired.
    pub expired: String,
    /// Of somebody else.
    pub other: String,
    /// Of somebody whose account has that role.
    pub of_roles: BTreeMap<String, String>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub user_id: String,
    pub session_id: String,
    pub role: String,
}

impl Caller {
    /// The record that stands for it: [`plan::procedure::CALLER`].
    pub fn record(&self) -> Row {
        [&self.user_id, &self.session_id, &self.role].map(|said| Datum::Text(said.clone())).into()
    }
}

/// The accounts of one database.
pub(crate) struct Accounts {
    store: Store,
    issuer: String,
    secret: Secret<Vec<u8>>,
    statements: Statements,
    keys: tokio::sync::Mutex<Option<KnownKeys>>,
    sessions: Mutex<HashMap<String, Remembered>>,
    /// Passwords that were found right, by a keyed hash of address and password.
    passwords: Mutex<HashMap<Vec<u8>, RightPassword>>,
    /// Tokens whose signature was found right, with what they say.
    tokens: Mutex<HashMap<String, Arc<Claims>>>,
}

/// The hash that a password was compared with, and when.
struct RightPassword {
    compared: Instant,
    hash: String,
}

/// What the database said of a session, and when it was asked.
struct Remembered {
    asked: Instant,
    found: Option<Arc<Caller>>,
}

/// What names a session.
#[derive(Debug, Clone, Copy)]
enum Named {
    ById,
    /// By the hash of the token in its cookie.
    ByCookie,
}

/// The keys as they were read last, and when.
type KnownKeys = (Instant, Arc<Vec<Key>>);

struct Statements {
    session: Arc<str>,
    cookie: Arc<str>,
    user: Arc<str>,
    password: Arc<str>,
    account: Arc<str>,
    proved: Arc<str>,
    identity: Arc<str>,
    keys: Arc<str>,
    add_key: Arc<str>,
}

/// A key that signs, or has signed.
struct Key {
    id: String,
    public: String,
    verifies: DecodingKey,
    /// None where the secret of this server did not seal it.
    signs: Option<EncodingKey>,
    from: Timestamp,
    until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    exp: i64,
}

impl Accounts {
    /// `secret` is what the servers of the database share.
    pub fn new(
        store: Store,
        database: &DatabasePlan,
        declared: &plan::accounts::Accounts,
        secret: &Secret<String>,
    ) -> Result<Self, Unsupported> {
        Ok(Self {
            store,
            issuer: declared.issuer.clone(),
            secret: Secret::new(secret.expose().as_bytes().to_vec()),
            statements: Statements::new(database, &declared.users)?,
            keys: tokio::sync::Mutex::default(),
            sessions: Mutex::default(),
            passwords: Mutex::default(),
            tokens: Mutex::default(),
        })
    }

    /// Their database.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Whether these are the accounts of that database, under that secret.
    pub fn are_of(&self, store: &Store, secret: &Secret<String>) -> bool {
        self.store.is(store) && self.secret.expose() == secret.expose().as_bytes()
    }

    /// Who calls with the token, if it is a good one at that time; `None` for any other text.
    pub async fn find(&self, token: &str, now: Timestamp) -> Result<Option<Arc<Caller>>, Failure> {
        let Some(claims) = self.claims(token).await?.filter(|claims| now.as_second() < claims.exp) else {
            return Ok(None);
        };
        let found = match self.recall(&claims.sid) {
            Some(found) => found,
            None => self.look_up(Named::ById, &claims.sid, now).await?,
        };
        Ok(found.filter(|caller| caller.user_id == claims.sub))
    }

    /// Who calls with the cookie of a session that lives at that time; `None` for any other text.
    pub async fn find_session(&self, token: &str, now: Timestamp) -> Result<Option<Arc<Caller>>, Failure> {
        if token.len() > TOKEN_MAX {
            return Ok(None);
        }
        let hash = vocab::sha256_hex(token.as_bytes());
        match self.recall(&hash) {
            Some(found) => Ok(found),
            None => self.look_up(Named::ByCookie, &hash, now).await,
        }
    }

    /// Who calls with address and password; `None` where they are wrong. What was right is not compared again for a while, unless the
    /// account has another password meanwhile. Nobody takes as long as somebody.
    pub async fn find_by_password(&self, email: &str, password: &str) -> Result<Option<Caller>, Failure> {
        let rows = self.store.read(Arc::clone(&self.statements.user), vec![text(email)]).await?;
        let user = rows.into_iter().next().and_then(|row| row.into_iter().next());
        let account = match &user {
            Some(user) => self.store.read(Arc::clone(&self.statements.password), vec![user.clone()]).await?,
            None => Vec::new(),
        };
        let (hash, role, disabled) = match account.first().map(Vec::as_slice) {
            Some([Datum::Text(hash), Datum::Text(role), disabled]) => (Some(hash), role.as_str(), disabled),
            Some(_) | None => (None, "", &Datum::Null),
        };
        if !self.is_right(email, password, hash).await? {
            return Ok(None);
        }
        if *disabled != Datum::Null {
            return Err(Problem::AccountDisabled.into());
        }
        let Some(Datum::Text(user_id)) = user else { return Ok(None) };
        Ok(Some(Caller { user_id, session_id: NO_SESSION.to_owned(), role: role.to_owned() }))
    }

    /// The user whom another issuer proves by that identity.
    pub(crate) async fn user_of_identity(&self, hash: &str) -> Result<Option<String>, Failure> {
        let rows = self.store.read(Arc::clone(&self.statements.identity), vec![text(hash)]).await?;
        Ok(first_text(&rows))
    }

    /// The user with that address, and whether the account has proved it; none where there is no account.
    pub(crate) async fn user_of_address(&self, email: &str) -> Result<Option<(String, Option<bool>)>, Failure> {
        let rows = self.store.read(Arc::clone(&self.statements.user), vec![text(email)]).await?;
        let Some(user) = first_text(&rows) else { return Ok(None) };
        let rows = self.store.read(Arc::clone(&self.statements.proved), vec![text(&user)]).await?;
        let is_proved = rows.first().and_then(|row| row.first()).map(|proved| *proved != Datum::Null);
        Ok(Some((user, is_proved)))
    }

    /// Who calls where another issuer has proved that user; remembered under `hash`.
    pub(crate) async fn look_up_user(&self, hash: &str, user: &str) -> Result<Arc<Caller>, Failure> {
        let asked = Instant::now();
        let rows = self.store.read(Arc::clone(&self.statements.account), vec![text(user)]).await?;
        let role = match rows.first().map(Vec::as_slice) {
            Some([Datum::Text(role), Datum::Null]) => role.clone(),
            Some(_) => return Err(Problem::AccountDisabled.into()),
            None => return Err(Problem::UnknownUser.into()),
        };
        let caller = Arc::new(Caller { user_id: user.to_owned(), session_id: NO_SESSION.to_owned(), role });
        self.remember(hash, Remembered { asked, found: Some(Arc::clone(&caller)) });
        Ok(caller)
    }

    /// Whether that pair was found right a while ago.
    pub fn remembers_password(&self, email: &str, password: &str) -> bool {
        let known = locked(&self.passwords);
        known.get(&self.pair(email, password)).is_some_and(|known| known.compared.elapsed() < PASSWORD_MEMORY)
    }

    async fn is_right(&self, email: &str, password: &str, hash: Option<&String>) -> Result<bool, Failure> {
        let pair = self.pair(email, password);
        let is_known = |known: &RightPassword| Some(&known.hash) == hash && known.compared.elapsed() < PASSWORD_MEMORY;
        if locked(&self.passwords).get(&pair).is_some_and(is_known) {
            return Ok(true);
        }
        let is_right = password::verify(password.to_owned(), hash.cloned()).await?;
        let mut passwords = locked(&self.passwords);
        match hash.filter(|_| is_right) {
            Some(hash) => {
                if passwords.len() >= REMEMBERED {
                    passwords.clear();
                }
                passwords.insert(pair, RightPassword { compared: Instant::now(), hash: hash.clone() });
            }
            None => {
                passwords.remove(&pair);
            }
        }
        Ok(is_right)
    }

    /// What a pair is remembered by: nobody reads the password from it.
    fn pair(&self, email: &str, password: &str) -> Vec<u8> {
        let pair = format!("{}\0{password}", email.to_lowercase());
        hmac::sign(&derived(self.secret.expose(), "passwords"), pair.as_bytes()).as_ref().to_vec()
    }

    /// Believes nothing any more that was said of sessions.
    pub fn forget(&self) {
        locked(&self.sessions).clear();
    }

    /// Forgets sessions and mailed tokens a day after their end, and used refresh tokens when no session of their time lives any more.
    pub async fn forget_ended(&self, now: Timestamp) {
        let before = |seconds: u32| timestamp(now - SignedDuration::from_secs(i64::from(seconds)));
        if let Err(error) = self.store.forget_ended_accounts(&before(ENDED_KEPT), &before(SESSION_LIFETIME)).await {
            tracing::warn!(error = %error, "sessions and tokens that are over were not forgotten");
        }
    }

    /// A signed token.
    pub async fn issue(
        &self,
        said: Map<String, Json>,
        lifetime_seconds: u32,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let keys = self.signing(now).await?;
        let key = signs_at(&keys, now).ok_or(Problem::InternalError)?;
        let Some(signs) = &key.signs else { return Err(Problem::InternalError.into()) };
        let issued = now.as_second();
        let mut claims = Map::from_iter([
            ("iss".to_owned(), json!(self.issuer)),
            ("aud".to_owned(), json!(self.issuer)),
            ("iat".to_owned(), json!(issued)),
            ("exp".to_owned(), json!(issued + i64::from(lifetime_seconds))),
            ("jti".to_owned(), json!(uuid::Uuid::now_v7().to_string())),
        ]);
        claims.extend(said);
        // RFC 9068.
        let header =
            Header { typ: Some("at+jwt".to_owned()), kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, signs).map_err(|error| failed("a token was not signed", &error))
    }

    /// Tokens of everybody who calls in the cases of the API's plan.
    pub async fn of_cases(&self, api: &ApiPlan, now: Timestamp) -> Result<CaseTokens, Failure> {
        let in_role = |user: &str, session: &str, role: &str| {
            let said = [("sub", user), ("sid", session), ("role", role)];
            said.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>()
        };
        let of = |user, session| in_role(user, session, CASE_ROLE);
        let said = || of(CASE_USER, CASE_SESSION);
        let other = self.issue(of(CASE_OTHER, CASE_OTHER_SESSION), ACCESS_LIFETIME, now).await?;
        let past = now - SignedDuration::from_secs(2 * i64::from(ACCESS_LIFETIME));
        let good = self.issue(said(), ACCESS_LIFETIME, now).await?;
        let mut expired = said();
        expired.insert("exp".to_owned(), json!(past.as_second()));
        let expired = self.issue(expired, ACCESS_LIFETIME, now).await?;
        let mut of_roles = BTreeMap::new();
        for CaseCaller { role, user, session } in case_callers(api) {
            let token = self.issue(in_role(&user, &session, role.as_str()), ACCESS_LIFETIME, now).await?;
            of_roles.insert(role.to_string(), token);
        }
        Ok(CaseTokens { good, expired, other, of_roles })
    }

    /// The public keys, RFC 7517.
    pub async fn public_keys(&self, now: Timestamp) -> Result<Vec<Json>, Failure> {
        let keys = self.signing(now).await?;
        let public = |key: &Key| json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": key.id, "x": key.public });
        Ok(keys.iter().map(public).collect())
    }

    /// What a token says whose signature is right.
    async fn claims(&self, token: &str) -> Result<Option<Arc<Claims>>, Failure> {
        if token.len() > TOKEN_MAX || token.split('.').count() != 3 {
            return Ok(None);
        }
        if let Some(known) = locked(&self.tokens).get(token) {
            return Ok(Some(Arc::clone(known)));
        }
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Ok(None) };
        let (Some(kid), Algorithm::EdDSA) = (&header.kid, header.alg) else { return Ok(None) };
        let keys = self.known(kid).await?;
        let Some(key) = keys.iter().find(|key| key.id == *kid) else { return Ok(None) };
        let mut rules = Validation::new(Algorithm::EdDSA);
        // Whoever asks says what time it is.
        rules.validate_exp = false;
        rules.validate_aud = false;
        let Ok(read) = jsonwebtoken::decode::<Claims>(token, &key.verifies, &rules) else { return Ok(None) };
        let claims = Arc::new(read.claims);
        let mut tokens = locked(&self.tokens);
        if tokens.len() >= REMEMBERED {
            tokens.clear();
        }
        tokens.insert(token.to_owned(), Arc::clone(&claims));
        Ok(Some(claims))
    }

    pub(crate) fn recall(&self, session: &str) -> Option<Option<Arc<Caller>>> {
        let sessions = locked(&self.sessions);
        sessions.get(session).filter(|known| known.asked.elapsed() < MEMORY).map(|known| known.found.clone())
    }

    async fn look_up(&self, named: Named, session: &str, now: Timestamp) -> Result<Option<Arc<Caller>>, Failure> {
        let asked = Instant::now();
        let found = self.caller(named, session, now).await?.map(Arc::new);
        self.remember(session, Remembered { asked, found: found.clone() });
        Ok(found)
    }

    fn remember(&self, session: &str, said: Remembered) {
        let mut sessions = locked(&self.sessions);
        if sessions.len() >= REMEMBERED {
            sessions.clear();
        }
        sessions.insert(session.to_owned(), said);
    }

    /// Whose session it is, where it lives and the account may be used.
    async fn caller(&self, named: Named, session: &str, now: Timestamp) -> Result<Option<Caller>, StoreError> {
        let statement = match named {
            Named::ById if uuid::Uuid::try_parse(session).is_err() => return Ok(None),
            Named::ById => &self.statements.session,
            Named::ByCookie => &self.statements.cookie,
        };
        let rows = self.store.read(Arc::clone(statement), vec![text(session)]).await?;
        let Some([Datum::Text(id), Datum::Text(user), expires, Datum::Null]) = rows.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        if time(expires).is_none_or(|end| end <= now) {
            return Ok(None);
        }
        let rows = self.store.read(Arc::clone(&self.statements.account), vec![text(user)]).await?;
        let Some([Datum::Text(role), Datum::Null]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
        Ok(Some(Caller { user_id: user.clone(), session_id: id.clone(), role: role.clone() }))
    }

    /// The keys, among them the one of that name where there is one. A name that nobody knows asks the database once a second.
    async fn known(&self, kid: &str) -> Result<Arc<Vec<Key>>, Failure> {
        let mut memory = self.keys.lock().await;
        if let Some((asked, keys)) = &*memory {
            let is_known = keys.iter().any(|key| key.id == kid);
            if is_known && asked.elapsed() < KEYS_MEMORY || asked.elapsed() < MEMORY {
                return Ok(Arc::clone(keys));
            }
        }
        self.read_keys(&mut memory).await
    }

    /// The keys, among them one that signs at that time.
    async fn signing(&self, now: Timestamp) -> Result<Arc<Vec<Key>>, Failure> {
        let mut memory = self.keys.lock().await;
        let keys = match &*memory {
            Some((asked, keys)) if asked.elapsed() < KEYS_MEMORY => Arc::clone(keys),
            Some(_) | None => self.read_keys(&mut memory).await?,
        };
        let begins = match signs_at(&keys, now) {
            None => now,
            // Its successor is made in time for everybody to know it before it signs.
            Some(key) if key.until - SignedDuration::from_secs(i64::from(OVERLAP)) > now => return Ok(keys),
            Some(_) if keys.iter().any(|key| key.from > now) => return Ok(keys),
            Some(_) => now + SignedDuration::from_secs(i64::from(KEY_SETTLES)),
        };
        self.make_key(now, begins).await?;
        self.read_keys(&mut memory).await
    }

    async fn read_keys(&self, memory: &mut Option<KnownKeys>) -> Result<Arc<Vec<Key>>, Failure> {
        let asked = Instant::now();
        let rows = self.store.read(Arc::clone(&self.statements.keys), Vec::new()).await?;
        let keys = Arc::new(rows.iter().filter_map(|row| self.key(row)).collect::<Vec<_>>());
        *memory = Some((asked, Arc::clone(&keys)));
        Ok(keys)
    }

    fn key(&self, row: &Row) -> Option<Key> {
        let [Datum::Text(id), Datum::Text(public), Datum::Text(private), from, until] = &row[..] else { return None };
        let signs = Sealing::of_keys(self.secret.expose()).open(id, private).map(|der| EncodingKey::from_ed_der(&der));
        if signs.is_none() {
            tracing::error!(
                key = id,
                "a key that signs was sealed with another AUTH_SECRET: give every server the same"
            );
        }
        Some(Key {
            verifies: DecodingKey::from_ed_components(public).ok()?,
            id: id.clone(),
            public: public.clone(),
            signs,
            from: time(from)?,
            until: time(until)?,
        })
    }

    async fn make_key(&self, now: Timestamp, begins: Timestamp) -> Result<(), Failure> {
        let id = uuid::Uuid::now_v7().to_string();
        let der = Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new())
            .map_err(|error| failed("a key was not made", &error))?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.as_ref())
            .map_err(|error| failed("a key was not made", &error))?;
        let sealed = Sealing::of_keys(self.secret.expose())
            .seal(&id, der.as_ref())
            .map_err(|error| failed("a key was not sealed", &error))?;
        let ends = begins + SignedDuration::from_secs(i64::from(KEY_SIGNS));
        let row = vec![
            text(&id),
            text(ALGORITHM),
            Datum::Text(URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())),
            Datum::Text(sealed),
            Datum::Text(timestamp(now)),
            Datum::Text(timestamp(begins)),
            Datum::Text(timestamp(ends)),
        ];
        let add = Arc::clone(&self.statements.add_key);
        let added = self.store.transaction(move |mut transaction| {
            Box::pin(async move { Ok(Ended::Commit(transaction.execute(&add, &row).await?)) })
        });
        added.await?;
        tracing::info!(key = id, signs_from = timestamp(begins), "a key that signs access tokens was made");
        Ok(())
    }
}

/// What follows a token under the secret that the servers of a database share: what [`plan::procedure::Step::Successor`] gives.
#[must_use]
pub fn successor(secret: &Secret<String>, token: &str) -> String {
    let key = derived(secret.expose().as_bytes(), "refresh");
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, token.as_bytes()))
}

/// The newest that signs then.
fn signs_at(keys: &[Key], now: Timestamp) -> Option<&Key> {
    let signs = |key: &&Key| key.signs.is_some() && key.from <= now && now < key.until;
    keys.iter().filter(signs).max_by(|left, right| left.from.cmp(&right.from).then(left.id.cmp(&right.id)))
}

impl Statements {
    fn new(database: &DatabasePlan, users: &TableName) -> Result<Self, Unsupported> {
        let one = |table: &TableName, columns: &[&str], key: Option<&str>| {
            let name = |text: &str| ColumnName::parse(text).expect("a literal that is a name");
            let field = |text: &str| FieldName::parse(text).expect("a literal that is a name");
            let asked = Value::Slot(SlotName::parse("asked").expect("a literal that is a name"));
            let query = Query {
                from: table.clone(),
                outputs: columns
                    .iter()
                    .map(|column| Output::Column { column: name(column), field: field(column) })
                    .collect(),
                filter: key.map(|key| Predicate::Compare(name(key), Comparison::Equal, asked)).into_iter().collect(),
                order: Vec::new(),
                holes: Holes::default(),
                lock: RowLock::None,
            };
            dialect::lower_query(database, &query).map(|lowered| Arc::from(lowered.text))
        };
        let of_session = ["id", "user_id", "expires_at", "revoked_at"];
        let keys = system::signing_keys();
        let asked = || Value::Slot(SlotName::parse("asked").expect("a literal that is a name"));
        let add = Write::Insert {
            values: keys.columns.iter().map(|column| (column.name.clone(), asked())).collect(),
            table: keys.name.clone(),
            on_conflict: OnConflict::Fail,
            made: None,
        };
        Ok(Self {
            session: one(&system::sessions().name, &of_session, Some("id"))?,
            cookie: one(&system::sessions().name, &of_session, Some("token_hash"))?,
            user: one(users, &["id"], Some("email"))?,
            password: one(&system::accounts().name, &["password_hash", "role", "disabled_at"], Some("user_id"))?,
            account: one(&system::accounts().name, &["role", "disabled_at"], Some("user_id"))?,
            proved: one(&system::accounts().name, &["email_verified_at"], Some("user_id"))?,
            identity: one(&system::identities().name, &["user_id"], Some("hash"))?,
            keys: one(&keys.name, &["id", "public_key", "private_key", "signs_from", "signs_until"], None)?,
            add_key: Arc::from(dialect::lower_write(database, &add)?.text),
        })
    }
}

fn first_text(rows: &[Row]) -> Option<String> {
    match rows.first()?.first()? {
        Datum::Text(text) => Some(text.clone()),
        Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Json(_) => None,
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    tracing::error!(error = %error, "{what}");
    Problem::InternalError.into()
}

fn text(value: &str) -> Datum {
    Datum::Text(value.to_owned())
}

fn time(datum: &Datum) -> Option<Timestamp> {
    match datum {
        Datum::Text(text) => text.parse().ok(),
        Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Json(_) => None,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
