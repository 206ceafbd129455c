//! What the endpoints of an API share, as JavaScript: keys, limits, outbox, the shapes of bodies, and what lists may be asked.

use super::module::{EndpointModule, ListingConstant, PARTS, ShapeConstant, Shared};
use super::names::camel_case;
use super::script::{Expression, Script, quoted};
use crate::error::EmitError;
use plan::Plan;
use plan::accounts::Newcomers;
use plan::api::RateLimitPolicy;
use plan::shape::{Presence, ShapeField};
use vocab::{Datum, FieldFormat, FieldType};

/// The text of `middleware.js`.
pub fn middleware(plan: &Plan, module: &EndpointModule<'_>) -> Result<String, EmitError> {
    let mut script = Script::new();
    script.comment(&opening(module));
    script.blank();
    let mut imports: Vec<&str> = module
        .shared
        .iter()
        .map(|shared| match shared {
            Shared::Accounts => "import { Accounts } from '../../lib/accounts.js';",
            Shared::Keys => "import { ApiKeys } from '../../lib/api-keys.js';",
            Shared::Limits => "import { RateLimit } from '../../lib/rate-limit.js';",
            Shared::Idempotency => "import { Idempotency } from '../../lib/idempotency.js';",
            Shared::Identities => "import { Identities } from '../../lib/identities.js';",
            Shared::Issuer => "import { openIssuer } from '../../lib/issuer.js';",
            Shared::Outbox => "import { Outbox } from '../../lib/outbox.js';",
            Shared::Tokens => "import { Tokens } from '../../lib/successor.js';",
        })
        .collect();
    let sets_password = |constant: &ShapeConstant<'_>| {
        constant.shape.fields.iter().any(|field| field.format == Some(FieldFormat::NewPassword))
    };
    if module.shapes.iter().any(sets_password) {
        imports.push("import { isWeak } from '../../lib/weak-passwords.js';");
    }
    imports.sort_by_key(|import| import.split(" from ").last());
    imports.into_iter().for_each(|import| script.line(import));
    if !module.shared.is_empty() {
        script.blank();
        create_middleware(&mut script, plan, module);
    }
    for constant in &module.shapes {
        script.blank();
        shape(&mut script, constant)?;
    }
    for constant in &module.listings {
        script.blank();
        listing(&mut script, constant);
    }
    Ok(script.into_text())
}

fn opening(module: &EndpointModule<'_>) -> String {
    let mut parts: Vec<&str> = module
        .shared
        .iter()
        .map(|shared| match shared {
            Shared::Accounts => "its accounts",
            Shared::Keys => "its API keys",
            Shared::Limits => "its rate limits",
            Shared::Idempotency => "its idempotency keys",
            Shared::Identities => "whom it knows by tokens of another issuer",
            Shared::Issuer => "who issues those",
            Shared::Outbox => "its outbox",
            Shared::Tokens => "its tokens",
        })
        .collect();
    if !module.shapes.is_empty() {
        parts.push("the shapes of its bodies");
    }
    if !module.listings.is_empty() {
        parts.push("what its lists may be asked");
    }
    let list = if parts.is_empty() { "nothing yet".to_owned() } else { enumerated(&parts) };
    format!("What the endpoints of this API share: {list}.")
}

/// `a`, `a and b`, `a, b and c`.
fn enumerated(parts: &[impl AsRef<str>]) -> String {
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    match parts.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        Some(_) | None => parts.concat(),
    }
}

fn create_middleware(script: &mut Script, plan: &Plan, module: &EndpointModule<'_>) {
    PARTS.into_iter().for_each(|line| script.line(line));
    script.open("export function createMiddleware({ database, metrics, counts }) {");
    if module.shared.contains(&Shared::Limits) {
        script.line("const onRefused = (policy) => metrics.rateLimited.inc({ policy });");
    }
    script.open("return {");
    for shared in &module.shared {
        match shared {
            Shared::Accounts => {
                let issuer = plan.api.accounts.as_ref().map_or("", |accounts| accounts.issuer.as_str());
                script.line(&format!("accounts: new Accounts(database, {{ issuer: {} }}),", quoted(issuer)));
            }
            Shared::Keys => script.line("keys: new ApiKeys(database),"),
            Shared::Limits => {
                script.open("limits: {");
                plan.api.policies.iter().for_each(|policy| script.line(&rate_limit(policy)));
                script.close("},");
            }
            Shared::Idempotency => script.line("idempotency: new Idempotency(database),"),
            Shared::Identities => {
                let newcomers = plan.api.accounts.as_ref().and_then(|accounts| accounts.newcomers);
                let newcomers = match newcomers {
                    Some(Newcomers::Made) => "made",
                    Some(Newcomers::MadeWithName) => "made_with_name",
                    Some(Newcomers::Refused) | None => "refused",
                };
                script.line(&format!("identities: new Identities(database, {{ newcomers: {} }}),", quoted(newcomers)));
            }
            Shared::Issuer => script.line("issuer: openIssuer(),"),
            Shared::Outbox => {
                script.line("outbox: new Outbox({ onEmitted: (event) => metrics.outboxEvents.inc({ event }) }),");
            }
            Shared::Tokens => script.line("tokens: new Tokens(),"),
        }
    }
    script.close("};");
    script.close("}");
}

fn rate_limit(policy: &RateLimitPolicy) -> String {
    let options = Expression::Object(vec![
        ("name".to_owned(), Expression::text(quoted(policy.name.as_str()))),
        ("quota".to_owned(), Expression::text(policy.quota.to_string())),
        ("window".to_owned(), Expression::text(policy.window_seconds.to_string())),
        ("onRefused".to_owned(), Expression::text("onRefused")),
        ("counts".to_owned(), Expression::text("counts")),
    ]);
    let limit = Expression::call("new RateLimit", [options]);
    format!("{}: {},", camel_case(policy.name.as_str()), limit.flat())
}

fn shape(script: &mut Script, constant: &ShapeConstant<'_>) -> Result<(), EmitError> {
    script.line(&format!("/** The body of {}. */", enumerated(&constant.takers)));
    script.open(&format!("export const {} = [", constant.name));
    for field in &constant.shape.fields {
        script.line(&format!("{},", rules(field).laid_out(2, 2, 1)));
    }
    script.close("];");
    Ok(())
}

fn listing(script: &mut Script, constant: &ListingConstant) {
    script.line(&format!("/** What {} may be asked. */", enumerated(&constant.takers)));
    script.statement(&format!("export const {} = ", constant.name), &constant.description);
}

/// A field as `lib/validation.js` reads it.
pub fn rules(field: &ShapeField) -> Expression {
    let mut rules = vec![("name".to_owned(), Expression::text(quoted(field.name.as_str())))];
    match &field.entries {
        None if is_password(field) => rules.push(("kind".to_owned(), Expression::text("'password'"))),
        None => {
            rules.extend(type_rules(&field.field_type));
            if !field.words.is_empty() {
                let words = field.words.iter().map(|word| Expression::text(quoted(word)));
                rules.push(("words".to_owned(), Expression::Array(words.collect())));
            }
        }
        Some(entries) => {
            rules.push(("kind".to_owned(), Expression::text("'list'")));
            rules.push(("maximum".to_owned(), Expression::text(entries.max.to_string())));
            let of = entries.shape.fields.iter().map(self::rules);
            rules.push(("of".to_owned(), Expression::Array(of.collect())));
        }
    }
    match field.presence {
        Presence::Required => rules.push(("required".to_owned(), Expression::text("true"))),
        Presence::Optional => {}
    }
    match field.format.map(form) {
        Some(Form::Named(name)) => rules.push(("format".to_owned(), Expression::text(quoted(name)))),
        Some(Form::NotWeak) => rules.push(("isWeak".to_owned(), Expression::text("isWeak"))),
        Some(Form::AsItStands) | None => {}
    }
    let bound = |word: &str, bound: &Option<Datum>| bound.as_ref().map(|bound| (word.to_owned(), datum(bound)));
    if let Some(maximum) = maximum(&field.field_type) {
        if field.min_length > 1 {
            rules.push(("minimum".to_owned(), Expression::text(field.min_length.to_string())));
        }
        let maximum = [maximum, field.max_length].into_iter().flatten().min();
        rules.extend(maximum.map(|maximum| ("maximum".to_owned(), Expression::text(maximum.to_string()))));
    } else {
        rules.extend(bound("minimum", &field.bounds.minimum));
        rules.extend(bound("maximum", &field.bounds.maximum));
    }
    rules.extend(bound("default", &field.default));
    Expression::Object(rules)
}

/// The kind, and what a kind is made precise by.
pub fn type_rules(field_type: &FieldType) -> Vec<(String, Expression)> {
    let mut rules = vec![("kind".to_owned(), Expression::text(quoted(kind(field_type))))];
    match field_type {
        FieldType::Choice { words } => {
            let words = words.iter().map(|word| Expression::text(quoted(word)));
            rules.push(("words".to_owned(), Expression::Array(words.collect())));
        }
        FieldType::Code { letters } => rules.push(("letters".to_owned(), Expression::text(letters.to_string()))),
        FieldType::Decimal { scale } => rules.push(("scale".to_owned(), Expression::text(scale.to_string()))),
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Integer
        | FieldType::Boolean
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid
        | FieldType::Json => {}
    }
    rules
}

/// Decimal numbers as texts.
fn datum(datum: &Datum) -> Expression {
    match datum {
        Datum::Text(_) | Datum::Decimal(_) => Expression::text(quoted(&datum.plain())),
        Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Json(_) => Expression::text(datum.plain()),
    }
}

/// What `lib/` knows of a form.
enum Form {
    /// Its name there.
    Named(&'static str),
    /// A password is no text of a line; there is nothing else to it.
    AsItStands,
    /// A password that must not be easily guessed.
    NotWeak,
}

fn form(format: FieldFormat) -> Form {
    match format {
        FieldFormat::FileName => Form::Named("file_name"),
        FieldFormat::MediaType => Form::Named("media_type"),
        FieldFormat::Sha256 => Form::Named("sha256"),
        FieldFormat::ByteCount => Form::Named("byte_count"),
        FieldFormat::Password => Form::AsItStands,
        FieldFormat::NewPassword => Form::NotWeak,
    }
}

fn is_password(field: &ShapeField) -> bool {
    matches!(field.format, Some(FieldFormat::Password | FieldFormat::NewPassword))
}

/// The type's name in `lib/`.
pub fn kind(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Line { .. } => "line",
        FieldType::Text { .. } => "text",
        FieldType::Email => "email",
        FieldType::Phone => "phone",
        FieldType::Url => "url",
        FieldType::Choice { .. } => "choice",
        FieldType::Code { .. } => "code",
        FieldType::Integer => "integer",
        FieldType::Decimal { .. } => "decimal",
        FieldType::Boolean => "boolean",
        FieldType::Date => "date",
        FieldType::Timestamp => "timestamp",
        FieldType::Uuid => "uuid",
        FieldType::Json => "json",
    }
}

/// `None` for what has no length; `Some(None)` where the format itself bounds it.
pub fn maximum(field_type: &FieldType) -> Option<Option<u32>> {
    match field_type {
        FieldType::Line { .. } | FieldType::Text { .. } | FieldType::Phone | FieldType::Url => {
            Some(field_type.max_length())
        }
        FieldType::Email
        | FieldType::Choice { .. }
        | FieldType::Code { .. }
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid => Some(None),
        FieldType::Integer | FieldType::Decimal { .. } | FieldType::Boolean | FieldType::Json => None,
    }
}
