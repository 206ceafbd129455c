//! Accounts as a whole: an API that asks who calls, or lets somebody sign in, gets what else belongs to that: the endpoints that no
//! task needs to list, the tables, the limit of failed attempts, and somebody who calls in its cases.

use crate::api::subject_of;
use crate::behaviour::account::register::ROLE;
use crate::behaviour::account::{FAILED_LOGINS, mailed};
use crate::codes::USERS_DO_NOT_FIT;
use crate::entity::held;
use crate::intent::{Inferred, infer};
use crate::key::RecordKey;
use crate::overrides;
use crate::table::{column_name, of_entity};
use catalog::{Catalog, Entity};
use plan::accounts::{
    AccountPage, AccountTask, CASE_ISSUER, CASE_OTHER, CASE_OTHER_SESSION, CASE_ROLE, CASE_SESSION, CASE_USER,
    CaseCaller, NAME_MAX, NAME_OF_NEWCOMER, Newcomers, USER_OF_NEWCOMER, case_session_token, identity_hash,
};
use plan::api::{Endpoint, RateLimitPolicy};
use plan::database::{Column, Nullability};
use plan::procedure::{Item, Scheme, Step};
use plan::{Table, system};
use spec::{ApiRequirements, Authentication, Method, PathPattern, Spanned};
use vocab::{
    BehaviorName, ColumnName, Datum, Diagnostic, EntityName, FieldType, Place, PolicyName, RoleName, TableName,
};

/// The address of who calls in the cases.
pub const SEED_EMAIL: &str = "ada@example.com";
/// Its password.
pub const SEED_PASSWORD: &str = "correct horse, battery & staple";
/// Argon2id of that password, as [`plan::accounts::HASH`] says. It opens an account that only scratch databases hold.
const SEED_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$aW50ZWdyYXRpb24tY2FzZQ$mc87CIhpNn6hmZF8oHsX4qOtLlw/TyYJS6qV1Zy2rDM";
/// The address of somebody else, who has the same password.
pub const OTHER_EMAIL: &str = "grace@example.com";
/// The refresh token of the first one's session.
pub const SEED_REFRESH_TOKEN: &str = "Y2FzZXMgb2YgYSBwbGFuIGFuZCBub3RoaW5nIGVsc2U";
/// Tokens that were mailed to that address, and one to another address that it wants.
pub const SEED_VERIFICATION_TOKEN: &str = "dGhlIGFkZHJlc3Mgb2YgYSBjYXNlIGFuZCBubyBvdGhlcg";
pub const SEED_RESET_TOKEN: &str = "YW5vdGhlciBwYXNzd29yZCBvZiBhIGNhc2UgYWxvbmUu";
pub const SEED_EMAIL_TOKEN: &str = "YW5vdGhlciBhZGRyZXNzIG9mIGEgY2FzZSBhbG9uZS4uLg";
pub const SEED_INVITATION_TOKEN: &str = "YW4gYWNjb3VudCBmb3IgYSBndWVzdCBvZiBhIGNhc2UuLg";
/// Who is invited in the cases: a user without an account.
pub const CASE_GUEST: &str = "01900000-0000-7000-8000-000000000005";
const GUEST_EMAIL: &str = "charles@example.com";
/// When everything of the cases was made.
const SEED_TIME: &str = "2026-01-01T00:00:00.000Z";
/// When its session would end.
const SEED_END: &str = "2126-01-01T00:00:00.000Z";
/// Failed logins of one address, and of one caller who changes a password, within [`FAILED_WINDOW`].
const FAILED_QUOTA: u32 = 10;
/// In seconds.
const FAILED_WINDOW: u32 = 900;
/// Mails to one address within [`MAILS_WINDOW`].
const MAILS_QUOTA: u32 = 5;
/// In seconds.
const MAILS_WINDOW: u32 = 3_600;

/// What comes with an account endpoint: what it does, its method, and the end of its path. Behind the path of the login.
const BESIDE_LOGIN: [(&str, Method, &str, Authentication); 17] = [
    ("account_register", Method::Post, "register", Authentication::None),
    ("account_login", Method::Post, "login", Authentication::None),
    ("account_refresh", Method::Post, "refresh", Authentication::None),
    ("account_logout", Method::Post, "logout", Authentication::Jwt),
    ("account_password_change", Method::Post, "change-password", Authentication::Jwt),
    ("account_verify", Method::Post, "verify-email", Authentication::None),
    ("account_verify_again", Method::Post, "resend-verification", Authentication::Jwt),
    ("account_password_forgotten", Method::Post, "forgot-password", Authentication::None),
    ("account_password_reset", Method::Post, "reset-password", Authentication::None),
    ("account_email_change", Method::Post, "change-email", Authentication::Jwt),
    ("account_email_confirm", Method::Post, "confirm-email", Authentication::None),
    ("account_delete", Method::Post, "delete-account", Authentication::Jwt),
    ("account_export", Method::Get, "export", Authentication::Jwt),
    ("account_invitation_accept", Method::Post, "accept-invitation", Authentication::None),
    ("account_may", Method::Get, "can", Authentication::Jwt),
    ("account_sessions", Method::Get, "sessions", Authentication::Jwt),
    ("account_session_end", Method::Delete, "sessions/{id}", Authentication::Jwt),
];

/// What administrators have beside it, for the role of that name.
const FOR_ADMINISTRATORS: [(&str, Method, &str); 4] = [
    ("account_list", Method::Get, "users"),
    ("account_get", Method::Get, "accounts/{id}"),
    ("account_change", Method::Patch, "accounts/{id}"),
    ("account_invite", Method::Post, "invitations"),
];
const ADMINISTRATOR: &str = "admin";

/// The roles that accounts may have: those that endpoints ask for, and the two that every API has.
pub fn roles(requirements: &ApiRequirements) -> Vec<RoleName> {
    let asked = requirements.endpoints.iter().filter_map(overrides::role).flat_map(|roles| roles.names().to_vec());
    let own = [ROLE, ADMINISTRATOR].map(|name| RoleName::parse(name).expect("a literal that is a name"));
    let mut roles: Vec<RoleName> = own.into();
    roles.extend(asked);
    let conditions = requirements.endpoints.iter().filter_map(|endpoint| endpoint.condition.as_ref());
    let named = conditions.flat_map(|condition| condition.value.roles());
    roles.extend(named.filter_map(|role| RoleName::parse(role).ok()));
    roles.sort();
    roles.dedup();
    roles
}

/// How people who sign in are known afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// By the tokens that a login answers with.
    Tokens,
    /// By the cookie that it sets.
    Cookie,
    /// By either: some endpoints ask for the one, some for the other.
    Both,
}

impl KnownBy {
    /// As the endpoints of a task ask.
    pub fn of(requirements: &ApiRequirements) -> Self {
        let asks = |by| requirements.endpoints.iter().any(|endpoint| endpoint.authentication == by);
        match (asks(Authentication::Session), asks(Authentication::Jwt)) {
            (false, _) => Self::Tokens,
            (true, false) => Self::Cookie,
            (true, true) => Self::Both,
        }
    }

    pub fn takes_cookies(self) -> bool {
        self != Self::Tokens
    }

    pub fn takes_tokens(self) -> bool {
        self != Self::Cookie
    }
}

/// The requirements with the endpoints that belong to those that they name, and which these are.
pub fn with_companions(requirements: &ApiRequirements, catalog: &Catalog) -> (ApiRequirements, Vec<String>) {
    let mut whole = requirements.clone();
    let known_by = KnownBy::of(requirements);
    let inferred: Vec<(usize, Inferred)> = requirements
        .endpoints
        .iter()
        .enumerate()
        .filter_map(|(index, endpoint)| Some((index, infer(endpoint, requirements, catalog).ok()?)))
        .collect();
    let named = |behaviour: &str| {
        let found = inferred.iter().find(|(_, inferred)| inferred.behaviour.name == behaviour);
        found.map(|(index, _)| &requirements.endpoints[*index])
    };
    // Whom another issuer proves signs in there.
    let is_here = |index: &usize| requirements.endpoints[*index].authentication != Authentication::OAuth;
    let is_of_account = |inferred: &Inferred| inferred.behaviour.name.starts_with("account_");
    let first = inferred.iter().find(|(index, inferred)| is_of_account(inferred) && is_here(index));
    let Some((first, _)) = first else { return (whole, Vec::new()) };
    let signs_in = BESIDE_LOGIN.iter().take(3).find_map(|(behaviour, ..)| named(behaviour));
    let like = signs_in.unwrap_or(&requirements.endpoints[*first]);
    // Beside the login; where only a profile is named, in the usual place.
    let base = match signs_in {
        Some(endpoint) => endpoint.path.as_str().rsplit_once('/').map_or("", |(base, _)| base).to_owned(),
        None => "/api/auth".to_owned(),
    };
    let profile = named("account_profile").or_else(|| named("account_profile_change"));
    let profile = profile.map_or_else(|| format!("{base}/profile"), |endpoint| endpoint.path.as_str().to_owned());
    let beside = BESIDE_LOGIN.map(|(behaviour, method, end, by)| (behaviour, method, format!("{base}/{end}"), by));
    let of_oneself = [
        ("account_profile", Method::Get, profile.clone(), Authentication::Jwt),
        ("account_profile_change", Method::Patch, profile, Authentication::Jwt),
    ];
    let for_administrators = FOR_ADMINISTRATORS
        .map(|(behaviour, method, end)| (behaviour, method, format!("{base}/{end}"), Authentication::Jwt));
    let mut brought = Vec::new();
    for (behaviour, method, path, authentication) in beside.into_iter().chain(of_oneself).chain(for_administrators) {
        let is_taken = |other: &spec::Endpoint| other.method == method && other.path.as_str() == path;
        if behaviour == "account_refresh" && !known_by.takes_tokens() {
            continue;
        }
        let authentication = match authentication {
            Authentication::Jwt if !known_by.takes_tokens() => Authentication::Session,
            other => other,
        };
        if named(behaviour).is_some() || requirements.endpoints.iter().any(is_taken) {
            continue;
        }
        let (Some(path), Ok(behavior)) = (PathPattern::of(&path), BehaviorName::parse(behaviour)) else { continue };
        let mut endpoint = companion(like, method, path, authentication, behavior);
        if FOR_ADMINISTRATORS.iter().any(|(known, ..)| *known == behaviour) {
            let role = spec::RoleName::parse(ADMINISTRATOR).expect("a literal that is a name");
            endpoint.access = Some(Spanned { value: spec::Access::Roles(vec![role]), place: like.place.clone() });
        }
        brought.push(subject_of(&endpoint));
        whole.endpoints.push(endpoint);
    }
    (whole, brought)
}

/// The pages to which the links of its mails lead, each with the endpoint that it calls.
pub fn pages(requirements: &ApiRequirements, catalog: &Catalog) -> Vec<AccountPage> {
    let page = |endpoint: &spec::Endpoint| {
        let does = match infer(endpoint, requirements, catalog).ok()?.behaviour.name {
            "account_verify" => AccountTask::Verify,
            "account_password_reset" => AccountTask::ResetPassword,
            "account_email_confirm" => AccountTask::ConfirmEmail,
            "account_invitation_accept" => AccountTask::AcceptInvitation,
            _ => return None,
        };
        Some(AccountPage { does, calls: endpoint.path.as_str().to_owned() })
    };
    requirements.endpoints.iter().filter_map(page).collect()
}

/// An endpoint that one of the task brings with it, beside nothing that the task says.
pub fn companion(
    like: &spec::Endpoint,
    method: Method,
    path: PathPattern,
    authentication: Authentication,
    behavior: BehaviorName,
) -> spec::Endpoint {
    spec::Endpoint {
        path,
        method,
        authentication,
        authentication_place: like.authentication_place.clone(),
        validation: Vec::new(),
        response_format: None,
        behavior: Some(Spanned { value: behavior, place: like.place.clone() }),
        entity: None,
        rate_limiting: None,
        emits: Vec::new(),
        filters: None,
        sorts: None,
        access: None,
        condition: None,
        hidden: Vec::new(),
        webhook: None,
        cache: None,
        place: like.place.clone(),
    }
}

/// Whether something of the API has to do with accounts: it asks for an access token, or gives one.
pub fn has_accounts(endpoints: &[Endpoint]) -> bool {
    fn of_step(step: &Step) -> bool {
        let asks = matches!(step, Step::Authorize { scheme, .. } if scheme.is_user());
        asks || matches!(step, Step::IssueToken { .. } | Step::SetSession(_))
    }
    let of_item = |item: &Item| match item {
        Item::Do(Step::Authorize { scheme: Scheme::Issued, .. }) => false,
        Item::Let(_, step) | Item::Do(step) => of_step(step),
        Item::Transaction(_) | Item::Each(_) | Item::Promise(_) | Item::Match(..) | Item::Exit(..) => false,
    };
    endpoints.iter().any(|endpoint| endpoint.procedure.body.iter().any(of_item))
}

/// What becomes of those whom another issuer proves and nobody knows here, where endpoints take them for users.
pub fn newcomers(endpoints: &[Endpoint], users: &Table) -> Option<Newcomers> {
    let takes = |item: &Item| matches!(item, Item::Let(_, Step::Authorize { scheme: Scheme::Issued, .. }));
    endpoints.iter().find(|endpoint| endpoint.procedure.body.iter().any(takes))?;
    let has_name = |column: &Column| {
        let is_long = |max: u32| max >= NAME_MAX;
        column.name.as_str() == NAME_OF_NEWCOMER
            && matches!(column.field_type, FieldType::Line { max } | FieldType::Text { max } if is_long(max))
    };
    let is_needed = |column: &&Column| column.nullability == Nullability::NotNull && column.default.is_none();
    let more: Vec<&Column> = users
        .columns
        .iter()
        .filter(is_needed)
        .filter(|column| !USER_OF_NEWCOMER.contains(&column.name.as_str()))
        .collect();
    let can_be_many = can_be_two(users);
    Some(match &more[..] {
        [] if can_be_many => Newcomers::Made,
        [name] if can_be_many && has_name(name) => Newcomers::MadeWithName,
        [..] => Newcomers::Refused,
    })
}

/// The entity of people, and its table where a database task has made one.
pub fn users<'c, 't>(catalog: &'c Catalog, held: &'t [Table]) -> Option<(&'c Entity, Option<&'t Table>)> {
    let entity = catalog.table_entity(&EntityName::parse("user").ok()?)?;
    Some((entity, held.iter().find(|table| table.name == entity.table)))
}

/// The table of people as an API makes it, or as it is there.
pub fn users_table(catalog: &Catalog, held: &[Table]) -> Option<Table> {
    users(catalog, held).map(|(entity, held)| held.cloned().unwrap_or_else(|| of_entity(entity)))
}

/// Whose the rows of a table are.
pub enum Ownership {
    /// The user that this column names.
    Of(ColumnName),
    /// What belongs to a user through rows of that table.
    Through(TableName),
    /// More than one user may be meant.
    Several(Vec<ColumnName>),
    /// More than one other table leads to users: these columns, to those tables.
    SeveralWays(Vec<(ColumnName, TableName)>),
    /// The rows are the users.
    Themselves,
    /// Nobody's.
    Nobody,
}

/// Columns that say whose a row is where several lead to users.
const OWNERS: [&str; 3] = ["user_id", "owner_id", "author_id"];

/// Whose the rows of the table are, as its foreign keys say.
pub fn ownership(table: &Table, tables: &[Table], users: &TableName) -> Ownership {
    if table.name == *users {
        return Ownership::Themselves;
    }
    let keys = || table.rules.foreign_keys.iter().filter(|key| key.columns.len() == 1);
    let direct: Vec<&ColumnName> = keys().filter(|key| key.table == *users).map(|key| &key.columns[0]).collect();
    match direct[..] {
        [only] => return Ownership::Of(only.clone()),
        [] => {}
        [..] => {
            let owner = OWNERS.iter().find_map(|name| direct.iter().find(|column| column.as_str() == *name));
            let several = || Ownership::Several(direct.iter().map(|column| (*column).clone()).collect());
            return owner.map_or_else(several, |owner| Ownership::Of((*owner).clone()));
        }
    }
    // An order's lines are whose the order is; those that belong to none are nobody's to see.
    let ways = keys().filter(|key| leads_to(&key.table, tables, users, &mut vec![&table.name]));
    let ways: Vec<(ColumnName, TableName)> = ways.map(|key| (key.columns[0].clone(), key.table.clone())).collect();
    match &ways[..] {
        [] => Ownership::Nobody,
        [(_, table)] => Ownership::Through(table.clone()),
        [..] => Ownership::SeveralWays(ways),
    }
}

/// Whether the rows of the table lead to users, through whichever tables. `seen` are those that were looked at.
fn leads_to<'t>(from: &'t TableName, tables: &'t [Table], users: &TableName, seen: &mut Vec<&'t TableName>) -> bool {
    if seen.contains(&from) {
        return false;
    }
    seen.push(from);
    let table = tables.iter().find(|table| table.name == *from);
    let mut keys = table.into_iter().flat_map(|table| &table.rules.foreign_keys);
    keys.any(|key| key.table == *users || leads_to(&key.table, tables, users, seen))
}

/// Why nobody of that table could sign in.
pub fn unfit(table: &Table, place: &Place) -> Option<Diagnostic> {
    let is_id =
        RecordKey::of(table).is_some_and(|key| key.field_type == FieldType::Uuid && key.column.as_str() == "id");
    let email = table.columns.iter().find(|column| column.name.as_str() == "email");
    let is_unique = table.unique.iter().any(|unique| matches!(&unique[..], [only] if only.as_str() == "email"));
    let (why, help) = if !is_id {
        ("its key is no UUID `id`", "leave its key out of the database task: a UUID `id` comes by itself")
    } else if email.is_none_or(|email| email.field_type != FieldType::Email) {
        ("it has no `email` that holds an address", "add `email` to its `columns` in the database task")
    } else if !is_unique {
        (
            "two of its rows may have one `email`",
            "write `constraints: [{ unique: [email] }]` at it in the database task",
        )
    } else {
        return None;
    };
    let message = format!("nobody of `{}` can sign in: {why}", table.name);
    Some(Diagnostic::error(USERS_DO_NOT_FIT, message, place).with_help(help))
}

/// The policies of accounts, each with what it holds back and why.
pub fn policies() -> [(RateLimitPolicy, &'static str, &'static str); 2] {
    let mails = PolicyName::parse(mailed::MAILS).expect("a literal that is a name");
    [
        (
            failed_logins(),
            "failed attempts",
            "passwords must not be tried out; they count for an address whether it has an account or not",
        ),
        (
            RateLimitPolicy { name: mails, quota: MAILS_QUOTA, window_seconds: MAILS_WINDOW },
            "mails to one address",
            "nobody's mailbox may be filled from here; they count for an address whether it has an account or not",
        ),
    ]
}

/// The policy under which failed attempts count.
pub fn failed_logins() -> RateLimitPolicy {
    let name = PolicyName::parse(FAILED_LOGINS).expect("a literal that is a name");
    RateLimitPolicy { name, quota: FAILED_QUOTA, window_seconds: FAILED_WINDOW }
}

/// Each of them with its id, what it is for, and where it was mailed to.
const MAILED: [(&str, &str, mailed::Purpose, &str); 3] = [
    ("01900000-0000-7000-8000-000000000011", SEED_VERIFICATION_TOKEN, mailed::VERIFICATION, SEED_EMAIL),
    ("01900000-0000-7000-8000-000000000012", SEED_RESET_TOKEN, mailed::RESET, SEED_EMAIL),
    ("01900000-0000-7000-8000-000000000013", SEED_EMAIL_TOKEN, mailed::EMAIL_CHANGE, "ada.lovelace@example.com"),
];

/// A row of a table, as far as it is not empty.
type SeedRow = (Table, Vec<(ColumnName, Datum)>);

/// The rows of who calls in the cases, behind the row of the user: the table, and what stands in it.
pub fn seed_rows() -> Vec<SeedRow> {
    let values = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, text)| (column_name(name), Datum::Text((*text).to_owned()))).collect::<Vec<_>>()
    };
    let hash = vocab::sha256_hex(SEED_REFRESH_TOKEN.as_bytes());
    let mailed = |(id, token, purpose, email): (&str, &str, mailed::Purpose, &str)| {
        let row = values(&[
            ("id", id),
            ("hash", &vocab::sha256_hex(token.as_bytes())),
            ("purpose", purpose.word),
            ("user_id", CASE_USER),
            ("email", email),
            ("created_at", SEED_TIME),
            ("expires_at", SEED_END),
        ]);
        (system::mailed_tokens(), row)
    };
    vec![
        (
            system::accounts(),
            values(&[
                ("user_id", CASE_USER),
                ("password_hash", SEED_HASH),
                ("role", CASE_ROLE),
                ("created_at", SEED_TIME),
            ]),
        ),
        (
            system::sessions(),
            values(&[
                ("id", CASE_SESSION),
                ("user_id", CASE_USER),
                ("created_at", SEED_TIME),
                ("refreshed_at", SEED_TIME),
                ("expires_at", SEED_END),
                ("token_hash", &vocab::sha256_hex(case_session_token(CASE_SESSION).as_bytes())),
            ]),
        ),
        mailed(MAILED[0]),
        mailed(MAILED[1]),
        mailed(MAILED[2]),
        (system::refresh_tokens(), values(&[("hash", &hash), ("session_id", CASE_SESSION), ("created_at", SEED_TIME)])),
    ]
}

/// The invitation of somebody who has no account yet.
pub fn guest_seed_row() -> SeedRow {
    let texts = [
        ("id", "01900000-0000-7000-8000-000000000014"),
        ("hash", &vocab::sha256_hex(SEED_INVITATION_TOKEN.as_bytes())),
        ("purpose", mailed::INVITATION.word),
        ("user_id", CASE_GUEST),
        ("email", GUEST_EMAIL),
        ("role", ROLE),
        ("created_at", SEED_TIME),
        ("expires_at", SEED_END),
    ];
    let texts = texts.map(|(name, text)| (column_name(name), Datum::Text(text.to_owned())));
    (system::mailed_tokens(), texts.into())
}

/// What the row of that guest says.
pub fn guest_seed_user() -> Vec<(ColumnName, Datum)> {
    [("id", CASE_GUEST), ("email", GUEST_EMAIL)]
        .map(|(name, said)| (column_name(name), Datum::Text(said.to_owned())))
        .into()
}

/// What the seed knows of somebody whom the issuer of the cases proves by the user's id.
pub fn identity_seed_row(user: &str) -> SeedRow {
    let said = [
        ("hash", identity_hash(CASE_ISSUER, user)),
        ("issuer", CASE_ISSUER.to_owned()),
        ("subject", user.to_owned()),
        ("user_id", user.to_owned()),
        ("created_at", SEED_TIME.to_owned()),
    ];
    (system::identities(), said.map(|(name, text)| (column_name(name), Datum::Text(text))).into())
}

/// The same of somebody else, who signs in with nothing.
pub fn other_seed_rows() -> Vec<SeedRow> {
    seed_rows_of(CASE_OTHER, CASE_OTHER_SESSION, CASE_ROLE)
}

/// The same of somebody whose account has a role that endpoints ask for.
pub fn role_seed_rows(caller: &CaseCaller) -> Vec<SeedRow> {
    seed_rows_of(&caller.user, &caller.session, caller.role.as_str())
}

fn seed_rows_of(user: &str, session: &str, role: &str) -> Vec<SeedRow> {
    let others = |(table, mut values): SeedRow| {
        for (column, datum) in &mut values {
            match datum {
                Datum::Text(text) if column.as_str() == "role" => role.clone_into(text),
                Datum::Text(text) if text == CASE_USER => user.clone_into(text),
                Datum::Text(text) if text == CASE_SESSION => session.clone_into(text),
                Datum::Text(text) if column.as_str() == "token_hash" => {
                    *text = vocab::sha256_hex(case_session_token(session).as_bytes());
                }
                Datum::Text(_)
                | Datum::Null
                | Datum::Boolean(_)
                | Datum::Integer(_)
                | Datum::Decimal(_)
                | Datum::Json(_) => {}
            }
        }
        (table, values)
    };
    seed_rows().into_iter().take(2).map(others).collect()
}

/// Whether there can be a second user beside the one of the seed: nothing but key and address must be unique.
pub fn can_be_two(users: &Table) -> bool {
    held::unique(users).all(|unique| matches!(&unique[..], [only] if only.as_str() == "email"))
}

/// What the row of somebody else says.
pub fn other_seed_user() -> Vec<(ColumnName, Datum)> {
    let text = |name: &str, text: &str| (column_name(name), Datum::Text(text.to_owned()));
    vec![text("id", CASE_OTHER), text("email", OTHER_EMAIL)]
}

/// The address of somebody whose account has that role.
pub fn role_email(role: &RoleName) -> String {
    format!("{role}@roles.example.com")
}

/// What the row of somebody whose account has that role says.
pub fn role_seed_user(caller: &CaseCaller) -> Vec<(ColumnName, Datum)> {
    let text = |name: &str, text: &str| (column_name(name), Datum::Text(text.to_owned()));
    vec![text("id", &caller.user), text("email", &role_email(&caller.role))]
}

/// What the row of who calls says, whatever examples would say.
pub fn seed_user(users: &TableName, table: &Table) -> Vec<(ColumnName, Datum)> {
    if table.name != *users {
        return Vec::new();
    }
    let text = |name: &str, text: &str| (column_name(name), Datum::Text(text.to_owned()));
    vec![text("id", CASE_USER), text("email", SEED_EMAIL)]
}
