//! What an endpoint says beside its method, path and fields: `access`, `cache`, `emits`, `response_format`. Each is carried out on
//! what the behaviour came to, or refused with the reason; none is ever ignored.

use crate::behaviour::Behaved;
use crate::codes::{ACCESS_CONTRADICTS, OVERRIDE_WITHOUT_MEANING, UNKNOWN_COLUMN};
use catalog::Catalog;
use plan::Cache;
use plan::database::Sensitivity;
use plan::procedure::{Input, Item, Response, Roles, RowsFormat, Step};
use plan::query::{Holes, Query, Total};
use spec::{Access, Authentication, Endpoint, Method, ResponseFormat, Spanned, closest};
use vocab::{ColumnName, Diagnostic, EventName, FieldName, RoleName, ScopeToken};

/// `access` says once more who may call, or more than this producer can tell apart.
pub fn check_access(endpoint: &Endpoint) -> Option<Diagnostic> {
    let stated = endpoint.access.as_ref()?;
    let authentication = endpoint.authentication.as_str();
    let is_open = endpoint.authentication == Authentication::None;
    let contradiction = |access: &str, help: &str| {
        let message = format!("`access: {access}` contradicts `authentication: {authentication}`");
        Some(Diagnostic::error(ACCESS_CONTRADICTS, message, &stated.place).with_help(help))
    };
    match (&stated.value, is_open) {
        (Access::Public, true) | (Access::Authenticated, false) => None,
        (Access::Public, false) => {
            contradiction("public", "write `authentication: none`, or `access: authenticated` where a key is asked for")
        }
        (Access::Authenticated, true) => contradiction(
            "authenticated",
            "write `authentication: api_key`, or `access: public` where everybody may call",
        ),
        (Access::Owner | Access::Roles(_), _) if is_of_users(endpoint.authentication) => None,
        (Access::Scope(_), _) if endpoint.authentication == Authentication::OAuth => None,
        (Access::Scope(scope), _) => contradiction(
            &format!("scope:{scope}"),
            "write `authentication: oauth`: only tokens of another issuer are granted scopes; those of an API key follow from what the endpoint does",
        ),
        (Access::Owner, _) => contradiction(
            "owner",
            "write `authentication: jwt_token` or `session`: only somebody who signs in has records",
        ),
        (Access::Roles(roles), _) => contradiction(
            &format!("role:{}", roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
            "write `authentication: jwt_token` or `session`: only the account of somebody who signs in has a role",
        ),
    }
}

/// Whether whoever proves so who calls is a user.
fn is_of_users(authentication: Authentication) -> bool {
    match authentication {
        Authentication::Jwt | Authentication::Session | Authentication::Basic | Authentication::OAuth => true,
        Authentication::None | Authentication::ApiKey | Authentication::Signature => false,
    }
}

/// What the account of who calls must be, where the endpoint says so.
pub fn role(endpoint: &Endpoint) -> Option<Roles> {
    match &endpoint.access.as_ref()?.value {
        Access::Roles(roles) => {
            Roles::of(roles.iter().filter_map(|role| RoleName::parse(role.as_str()).ok()).collect())
        }
        Access::Public | Access::Authenticated | Access::Owner | Access::Scope(_) => None,
    }
}

/// What a token of another issuer must have been granted, where the endpoint says so.
pub fn grant(endpoint: &Endpoint) -> Option<ScopeToken> {
    match &endpoint.access.as_ref()?.value {
        Access::Scope(scope) => Some(scope.clone()),
        Access::Public | Access::Authenticated | Access::Owner | Access::Roles(_) => None,
    }
}

/// How long the answers may be kept: by everybody between only where everybody is answered the same.
pub fn cache(endpoint: &Endpoint) -> Result<Cache, Diagnostic> {
    let Some(stated) = &endpoint.cache else { return Ok(Cache::NoStore) };
    match (stated.value, endpoint.method, endpoint.authentication) {
        (spec::Cache::NoStore, ..) => Ok(Cache::NoStore),
        (spec::Cache::Seconds(seconds), Method::Get, Authentication::None) => Ok(Cache::Public(seconds)),
        (spec::Cache::Seconds(_), Method::Get, Authentication::Session | Authentication::Basic) => {
            let message = "an answer to whom the browser makes known by itself is never kept: the browser would show it to whoever signs in next";
            Err(Diagnostic::error(OVERRIDE_WITHOUT_MEANING, message, &stated.place).with_help("remove `cache`"))
        }
        (spec::Cache::Seconds(seconds), Method::Get, _) => Ok(Cache::Private(seconds)),
        (spec::Cache::Seconds(_), Method::Post | Method::Put | Method::Patch | Method::Delete, _) => {
            let message = format!("the answer to a {} is never kept", endpoint.method);
            Err(Diagnostic::error(OVERRIDE_WITHOUT_MEANING, message, &stated.place)
                .with_help("remove `cache`, or put it at the endpoint that reads"))
        }
    }
}

/// Has the rows of a list written as the endpoint says.
pub fn write_rows(endpoint: &Endpoint, behaved: &mut Behaved) -> Result<RowsFormat, Diagnostic> {
    let Some(stated) = &endpoint.response_format else { return Ok(RowsFormat::Json) };
    let wanted = match stated.value {
        ResponseFormat::Json => return Ok(RowsFormat::Json),
        ResponseFormat::Csv => RowsFormat::Csv,
        ResponseFormat::Ndjson => RowsFormat::Ndjson,
    };
    match behaved.body.last_mut() {
        Some(Item::Exit(Response::Rows { format, .. }, _)) => {
            *format = wanted;
            for item in &mut behaved.body {
                match item {
                    Item::Let(_, Step::Validate(Input::Listing(holes)))
                    | Item::Let(_, Step::Read { query: Query { holes, .. }, filled_by: Some(_), .. }) => {
                        rows_alone(holes)
                    }
                    _ => {}
                }
            }
            Ok(wanted)
        }
        _ => {
            let (method, path) = (endpoint.method, &endpoint.path);
            let message =
                format!("`{method} {path}` answers with no list, and only lists are written as `{}`", stated.value);
            Err(Diagnostic::error(OVERRIDE_WITHOUT_MEANING, message, &stated.place)
                .with_help("remove `response_format`, or put it at the endpoint that lists"))
        }
    }
}

/// Rows that are never a page in an object have no place for how many there are, and any number of them can be asked for.
fn rows_alone(holes: &mut Holes) {
    holes.total = Total::Untold;
    if let (Some(page), Some(most)) = (&mut holes.page, holes.export.take()) {
        page.max = most;
    }
}

/// Has a list filtered and sorted by nothing but what the endpoint says.
pub fn narrow_listing(endpoint: &Endpoint, behaved: &mut Behaved) -> Result<(), Vec<Diagnostic>> {
    let Some(first) = endpoint.filters.iter().chain(&endpoint.sorts).flatten().next() else {
        if endpoint.filters.is_none() && endpoint.sorts.is_none() {
            return Ok(());
        }
        return narrow(endpoint, behaved, &[]);
    };
    let is_list = behaved.body.iter().any(|item| matches!(item, Item::Let(_, Step::Validate(Input::Listing(_)))));
    if !is_list {
        let message = format!("`{} {}` answers with no list to filter or sort", endpoint.method, endpoint.path);
        return Err(vec![
            Diagnostic::error(OVERRIDE_WITHOUT_MEANING, message, &first.place)
                .with_help("remove `filters` and `sorts`, or put them at the endpoint that lists"),
        ]);
    }
    let columns: Vec<ColumnName> = behaved
        .table
        .iter()
        .flat_map(|table| &table.columns)
        .filter(|column| column.sensitivity != Sensitivity::Secret)
        .map(|column| column.name.clone())
        .collect();
    narrow(endpoint, behaved, &columns)
}

fn narrow(endpoint: &Endpoint, behaved: &mut Behaved, columns: &[ColumnName]) -> Result<(), Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let key = behaved.table.as_ref().map_or_else(Vec::new, |table| table.primary_key.clone());
    let is_key = |column: &ColumnName| key.contains(column);
    for item in &mut behaved.body {
        let holes = match item {
            Item::Let(_, Step::Validate(Input::Listing(holes))) => holes,
            Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) => &mut query.holes,
            Item::Let(..)
            | Item::Do(_)
            | Item::Transaction(_)
            | Item::Each(_)
            | Item::Promise(_)
            | Item::Match(..)
            | Item::Exit(..) => continue,
        };
        problems.clear();
        if let Some(stated) = &endpoint.filters {
            let known: Vec<&ColumnName> = holes.filters.iter().map(|(column, _)| column).collect();
            let why = "holds nothing that can be compared, or is said by the path";
            problems.extend(stated.iter().filter_map(|name| unfit(name, &known, columns, "filtered", why)));
            holes.filters.retain(|(column, _)| stated.iter().any(|name| name.value.as_str() == column.as_str()));
        }
        if let Some(stated) = &endpoint.sorts {
            let known: Vec<&ColumnName> = holes.sorts.iter().collect();
            let why = "may be empty or is a long text, so pages could not be cut from its order";
            problems.extend(stated.iter().filter_map(|name| unfit(name, &known, columns, "sorted", why)));
            let is_kept = |column: &ColumnName| {
                is_key(column) || stated.iter().any(|name| name.value.as_str() == column.as_str())
            };
            holes.sorts.retain(is_kept);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Why a list is not filtered or sorted by the name.
fn unfit(
    name: &Spanned<FieldName>,
    known: &[&ColumnName],
    columns: &[ColumnName],
    does: &str,
    why: &str,
) -> Option<Diagnostic> {
    let (text, known): (&str, Vec<&str>) = (name.value.as_str(), known.iter().map(|column| column.as_str()).collect());
    if known.contains(&text) {
        return None;
    }
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let list = format!("it may be {does} by {}", list.join(", "));
    if columns.iter().any(|column| column.as_str() == text) {
        let message = format!("`{text}` {why}");
        return Some(Diagnostic::error(OVERRIDE_WITHOUT_MEANING, message, &name.place).with_help(list));
    }
    let help = closest(text, &known).map_or(list, |meant| format!("did you mean `{meant}`?"));
    Some(Diagnostic::error(UNKNOWN_COLUMN, format!("what is listed has no `{text}`"), &name.place).with_help(help))
}

/// Has every event that the endpoint names emitted beside the behaviour's own one, with the same payload; gives those that are
/// new. One that the own event counts as is heard already.
pub fn emit_more(
    endpoint: &Endpoint,
    behaved: &mut Behaved,
    own_counts_as: &[EventName],
) -> Result<Vec<EventName>, Diagnostic> {
    let Some(first) = endpoint.emits.first() else { return Ok(Vec::new()) };
    let Some((own, _)) = behaved.events.first() else {
        let message = format!("`{} {}` changes nothing, so no event can tell of it", endpoint.method, endpoint.path);
        return Err(Diagnostic::error(OVERRIDE_WITHOUT_MEANING, message, &first.place)
            .with_help("remove `emits`, or put it at the endpoint that writes"));
    };
    let named = endpoint.emits.iter().map(|event| &event.value);
    let further: Vec<EventName> =
        named.filter(|event| *event != own && !own_counts_as.contains(event)).cloned().collect();
    add_emits(&mut behaved.body, own, &further);
    Ok(further)
}

/// Behind each emission of `own`.
fn add_emits(items: &mut Vec<Item>, own: &EventName, further: &[EventName]) {
    let mut at = 0;
    while at < items.len() {
        let mut more = Vec::new();
        match &mut items[at] {
            Item::Do(Step::Emit { event, payload, .. }) if event == own => {
                let emit = |event: &EventName| {
                    Item::Do(Step::Emit { id: None, event: event.clone(), payload: payload.clone() })
                };
                more.extend(further.iter().map(emit));
            }
            Item::Transaction(body) => add_emits(body, own, further),
            Item::Match(_, arms) => arms.iter_mut().for_each(|(_, body)| add_emits(body, own, further)),
            Item::Each(each) => add_emits(&mut each.body, own, further),
            Item::Let(..) | Item::Do(_) | Item::Promise(_) | Item::Exit(..) => {}
        }
        let added = more.len();
        items.splice(at + 1..=at, more);
        at += 1 + added;
    }
}

/// What an event also counts as: what the catalogue says, or at least what all events of its behaviour count as.
pub fn counts_as(event: &EventName, general: Option<&str>, catalog: &Catalog) -> Vec<EventName> {
    let known = catalog.generalisations(event);
    let general = general.filter(|general| known.is_empty() && *general != event.as_str());
    let general = general.and_then(|general| EventName::parse(general).ok());
    known.into_iter().chain(general).collect()
}
