//! Newsletters as a whole: where subscriptions are confirmed by mail, an API gets the endpoints that belong to that, the table of who has
//! asked, and somebody who has asked for its cases. They are where people sign in, or where a task names what confirms.

use crate::account;
use crate::behaviour::{CONFIRM_NEWSLETTER, LEAVE_NEWSLETTER, SUBSCRIBE_NEWSLETTER};
use crate::intent::infer;
use crate::key::{Origin, RecordKey};
use crate::table::column_name;
use catalog::Catalog;
use plan::Table;
use plan::accounts::{AccountPage, AccountTask};
use plan::database::{Column, Compared, Index, Nullability, Rules, Sensitivity, Uniqueness};
use spec::{ApiRequirements, Authentication, Endpoint, Method, PathPattern, Spanned};
use vocab::{BehaviorName, ColumnName, Datum, EntityName, FieldType, IndexName, TableName};

/// A token that was mailed to somebody who has asked, in the cases of a plan.
pub const SEED_TOKEN: &str = "dGhlIHN1YnNjcmlwdGlvbiBvZiBhIGNhc2UgYWxvbmUuLg";
/// Columns that every table has and nobody says.
const OF_EVERY_RECORD: [&str; 3] = ["created_at", "updated_at", "row_version"];

/// The requirements with the endpoints that a confirmed newsletter needs, and which these are; none where nobody has to confirm.
pub fn with_companions(mut requirements: ApiRequirements, catalog: &Catalog) -> (ApiRequirements, Vec<String>) {
    let inferred = |endpoint: &Endpoint| infer(endpoint, &requirements, catalog).ok();
    let find = |name: &str| {
        let does = |endpoint: &Endpoint| inferred(endpoint).is_some_and(|found| found.behaviour.name == name);
        requirements.endpoints.iter().position(does)
    };
    let signs_in =
        |endpoint: &Endpoint| inferred(endpoint).is_some_and(|found| found.behaviour.name.starts_with("account_"));
    let (Some(subscribes), confirms) = (find(SUBSCRIBE_NEWSLETTER), find(CONFIRM_NEWSLETTER)) else {
        return (requirements, Vec::new());
    };
    let leaves = find(LEAVE_NEWSLETTER);
    if confirms.is_none() && leaves.is_none() && !requirements.endpoints.iter().any(signs_in) {
        return (requirements, Vec::new());
    }
    let like = requirements.endpoints[subscribes].clone();
    let entity = inferred(&like).and_then(|found| found.entity);
    let path = like.path.as_str();
    let wanted = [
        (confirms, CONFIRM_NEWSLETTER, format!("{path}/confirm")),
        (leaves, LEAVE_NEWSLETTER, format!("{path}/unsubscribe/{{token}}")),
    ];
    let mut brought = Vec::new();
    let missing = wanted.into_iter().filter(|(found, ..)| found.is_none());
    let companions: Vec<Endpoint> =
        missing.filter_map(|(_, behaviour, path)| companion(&like, entity.as_ref(), behaviour, &path)).collect();
    for endpoint in companions {
        brought.push(crate::api::subject_of(&endpoint));
        requirements.endpoints.push(endpoint);
    }
    // What a task wants told of a subscription is told once it is one.
    let told = std::mem::take(&mut requirements.endpoints[subscribes].emits);
    let confirming = confirms.unwrap_or(requirements.endpoints.len().saturating_sub(brought.len()));
    if let Some(confirming) = requirements.endpoints.get_mut(confirming) {
        confirming.emits.extend(told);
    }
    (requirements, brought)
}

fn companion(like: &Endpoint, entity: Option<&EntityName>, behaviour: &str, path: &str) -> Option<Endpoint> {
    let behaviour = BehaviorName::parse(behaviour).ok()?;
    let brought = account::companion(like, Method::Post, PathPattern::of(path)?, Authentication::None, behaviour);
    let entity = like.entity.clone().or_else(|| Some(Spanned { value: entity?.clone(), place: like.place.clone() }));
    Some(Endpoint { entity, authentication_place: None, ..brought })
}

/// Whether subscriptions are confirmed.
pub fn is_confirmed(requirements: &ApiRequirements, catalog: &Catalog) -> bool {
    let takes_token = |endpoint: &Endpoint| {
        let found = infer(endpoint, requirements, catalog);
        found.is_ok_and(|found| [CONFIRM_NEWSLETTER, LEAVE_NEWSLETTER].contains(&found.behaviour.name))
    };
    requirements.endpoints.iter().any(takes_token)
}

/// The pages to which the links of its mails lead.
pub fn pages(requirements: &ApiRequirements, catalog: &Catalog) -> Vec<AccountPage> {
    let page = |endpoint: &Endpoint| {
        let does = match infer(endpoint, requirements, catalog).ok()?.behaviour.name {
            CONFIRM_NEWSLETTER => AccountTask::ConfirmSubscription,
            LEAVE_NEWSLETTER => AccountTask::EndSubscription,
            _ => return None,
        };
        Some(AccountPage { does, calls: endpoint.path.as_str().to_owned() })
    };
    requirements.endpoints.iter().filter_map(page).collect()
}

/// The columns of a subscriber that whoever asks says, or the caller.
pub fn own_columns<'t>(subscribers: &'t Table, key: &'t RecordKey) -> impl Iterator<Item = &'t Column> {
    let is_own = |column: &&Column| {
        column.sensitivity != Sensitivity::Secret
            && !OF_EVERY_RECORD.contains(&column.name.as_str())
            && (key.origin == Origin::Client || column.name != key.column)
    };
    subscribers.columns.iter().filter(is_own)
}

/// The table of who has asked for a newsletter, beside that of its subscribers.
pub fn consents(subscribers: &Table) -> Option<Table> {
    let key = RecordKey::of(subscribers)?;
    let name = TableName::parse(&dialect::name::joined(&[subscribers.name.as_str()], "consents")).ok()?;
    let column = |column: &str, field_type, nullability, sensitivity, comment: &str| Column {
        name: column_name(column),
        field_type,
        nullability,
        default: None,
        sensitivity,
        comment: comment.to_owned(),
    };
    let (needed, optional) = (Nullability::NotNull, Nullability::Nullable);
    let hash = || FieldType::Line { max: 64 };
    let (plain, secret) = (Sensitivity::Plain, Sensitivity::Secret);
    let mut columns = vec![
        column(
            "consent_id",
            FieldType::Uuid,
            needed,
            plain,
            "what the token is made of that confirms, with the servers' secret",
        ),
        column("consent_hash", hash(), needed, secret, "SHA-256 of that token, lower-case hex"),
        column("leave_id", FieldType::Uuid, needed, plain, "what the token is made of that ends the subscription"),
        column("leave_hash", hash(), needed, secret, "SHA-256 of that token, lower-case hex"),
        column("asked_at", FieldType::Timestamp, needed, plain, "when somebody asked"),
        column("expires_at", FieldType::Timestamp, needed, plain, "from when on it cannot be confirmed"),
        column("consented_at", FieldType::Timestamp, optional, plain, "when it was confirmed last"),
    ];
    columns.extend(own_columns(subscribers, &key).map(|column| Column { default: None, ..column.clone() }));
    let index = |column: &str, why: &str| Index {
        name: IndexName::parse(&dialect::name::joined(&[name.as_str(), column], "idx")).expect("made of names"),
        columns: vec![column_name(column)],
        uniqueness: Uniqueness::Repeating,
        compared: Compared::Values,
        why: why.to_owned(),
    };
    Some(Table {
        comment: format!(
            "who has asked to be in `{}`, and what confirms and ends that; tokens by their hash",
            subscribers.name
        ),
        columns,
        primary_key: vec![column_name("consent_id")],
        unique: vec![vec![column_name("consent_hash")], vec![column_name("leave_hash")]],
        rules: Rules {
            indexes: vec![
                index("email", "those of an address"),
                index("expires_at", "those that were not confirmed in time"),
            ],
            ..Rules::default()
        },
        name,
    })
}

/// What the row says of who has asked in the cases, whatever examples would say.
pub fn seed(consents: &Table) -> Vec<(ColumnName, Datum)> {
    let text = |name: &str, text: &str| (column_name(name), Datum::Text(text.to_owned()));
    let known = |name: &str| consents.columns.iter().any(|column| column.name.as_str() == name);
    let rows = [
        text("consent_id", "01900000-0000-7000-8000-000000000021"),
        text("consent_hash", &vocab::sha256_hex(SEED_TOKEN.as_bytes())),
        text("leave_id", "01900000-0000-7000-8000-000000000022"),
        text("leave_hash", &vocab::sha256_hex(b"nobody has this one")),
        text("asked_at", "2026-01-01T00:00:00.000Z"),
        text("expires_at", "2126-01-01T00:00:00.000Z"),
        text("email", "reader@example.com"),
    ];
    rows.into_iter().filter(|(name, _)| known(name.as_str())).collect()
}
