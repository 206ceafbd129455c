//! Commands for a shell, which work as they are pasted once their variables are set, and what those variables are.

use super::pretty;
use crate::outline::{Content, Cookie, Guard, Outline};
use minijinja::{Value, context};
use plan::procedure::{RowsFormat, Scheme};
use plan::value::Comparison;

/// Rows a page in the examples.
const PAGE: u32 = 2;
/// A tag that no record has.
const OTHER_TAG: &str = r#""0""#;

/// The variables beside those that every API has: name, what it is, where it is taken from.
pub fn variables(outlines: &[Outline<'_>]) -> Vec<Value> {
    let mut found: Vec<(String, String, Option<String>)> = Vec::new();
    for outline in outlines {
        for (name, _) in &outline.path_parameters {
            let variable = variable(outline, name);
            if !found.iter().any(|(known, ..)| *known == variable) {
                let collection = outline.path.split_once(&format!("/{{{name}}}"));
                let from = collection.and_then(|(collection, _)| maker(outlines, collection));
                found.push((variable, format!("the `{name}` of a record"), from));
            }
        }
    }
    if let Some(outline) = outlines.iter().find(|outline| is_versioned(outline)) {
        let from = outline.path.rsplit_once("/{").and_then(|(collection, _)| maker(outlines, collection));
        found.push(("ETAG".to_owned(), "the `ETag` of a record, with its quotes".to_owned(), from));
    }
    if let Some((list, _)) = list_of_items(outlines) {
        let from = format!("{} {}?limit={PAGE}", list.method, list.path);
        found.push(("CURSOR".to_owned(), "the `next` of a page".to_owned(), Some(from)));
    }
    found.into_iter().map(|(name, is, from)| context! { name, is, from }).collect()
}

/// The first list that is answered as JSON, with an example of a page.
fn list_of_items<'o, 'a>(outlines: &'o [Outline<'a>]) -> Option<(&'o Outline<'a>, serde_json::Value)> {
    outlines.iter().filter(|outline| outline.listing.is_some()).find_map(|outline| {
        let page =
            outline.answers.iter().find(|answer| matches!(answer.content, Content::Page(_, RowsFormat::Json)))?;
        Some((outline, outline.sample_content(&page.content)?))
    })
}

/// The endpoint whose answer tells a record of the collection.
fn maker(outlines: &[Outline<'_>], collection: &str) -> Option<String> {
    let makes =
        |other: &&Outline<'_>| other.path == collection && other.answers.iter().any(|answer| answer.location.is_some());
    outlines.iter().find(makes).map(|maker| format!("{} {}", maker.method, maker.path))
}

/// `PRODUCT_ID` for the `id` of a product.
fn variable(outline: &Outline<'_>, parameter: &str) -> String {
    record_variable(outline, parameter).to_ascii_uppercase()
}

/// `product_id` for the `id` of a product; another parameter has a name of its own.
pub fn record_variable(outline: &Outline<'_>, parameter: &str) -> String {
    match parameter {
        "id" => format!("{}_id", outline.endpoint.entity),
        other => other.replace('-', "_"),
    }
}

fn is_versioned(outline: &Outline<'_>) -> bool {
    outline.path.contains('{') && (outline.is_spared() || outline.guard == Guard::IfMatch)
}

/// A right request.
pub fn right(outline: &Outline<'_>) -> String {
    let asked = outline.query.iter().flat_map(|shape| &shape.fields).map(|field| {
        let name = field.name.as_str();
        let value = outline.endpoint.example[name].as_str().unwrap_or_default();
        format!("--data-urlencode {}", quoted(&format!("{name}={value}")))
    });
    let asked: Vec<String> = asked.collect();
    let get = (!asked.is_empty()).then_some("--get");
    let more: Vec<&str> = get.into_iter().chain(asked.iter().map(String::as_str)).collect();
    command(outline, "", &more)
}

/// The same without a key.
pub fn without_key(outline: &Outline<'_>) -> String {
    written(outline, "", Vec::new())
}

/// A read that is spared, a change of the version that is there, and one of another version.
pub fn conditional(outlines: &[Outline<'_>]) -> Value {
    let read = outlines.iter().find(|outline| outline.is_spared() && is_versioned(outline));
    let change = outlines.iter().find(|outline| outline.guard == Guard::IfMatch);
    let spared = read.map(|outline| command(outline, "", &["--header \"If-None-Match: $ETAG\""]));
    let changed = change.map(|outline| {
        let stale = format!("--header 'If-Match: {OTHER_TAG}'");
        context! {
            curl => command(outline, "", &["--header \"If-Match: $ETAG\""]),
            status => outline.answers.first().map(|answer| answer.status),
            stale => command(outline, "", &[&stale]),
        }
    });
    context! { spared, changed }
}

/// The first page of a list, the one behind it, another order, and a filter.
pub fn pages(outlines: &[Outline<'_>]) -> Option<Value> {
    let (list, mut example) = list_of_items(outlines)?;
    let holes = list.listing?.holes;
    example["next"] =
        "5b222d6964222c2230313963306633652d376231612d376333642d386535662d303132333435363738396162225d".into();
    let sort = holes.sorts.last().map(|column| format!("?sort=-{column}"));
    let filter = holes.filters.iter().find_map(|(column, comparisons)| {
        let value = list.example.get(column.as_str()).filter(|_| comparisons.contains(&Comparison::Equal))?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = column.as_str();
        Some(context! { name, curl => command(list, "", &["--get", &format!("--data-urlencode {}", quoted(&format!("{name}={value}")))]) })
    });
    Some(context! {
        title => format!("{} {}", list.method, list.path),
        page => PAGE,
        first => command(list, &format!("?limit={PAGE}"), &[]),
        example => pretty(&example),
        next => command(list, &format!("?limit={PAGE}&cursor=$CURSOR"), &[]),
        sort => sort.map(|query| command(list, &query, &[])),
        filter,
    })
}

fn command(outline: &Outline<'_>, query: &str, more: &[&str]) -> String {
    let mut parts: Vec<String> = match outline.scheme {
        Some(Scheme::ApiKey) => vec!["--header \"X-API-Key: $API_KEY\"".to_owned()],
        Some(Scheme::Basic) => vec!["--user \"$EMAIL:$PASSWORD\"".to_owned()],
        Some(Scheme::Session) => vec!["--cookie cookies.txt".to_owned()],
        Some(Scheme::AccessToken | Scheme::SignedIn | Scheme::Issued) => {
            vec!["--header \"Authorization: Bearer $ACCESS_TOKEN\"".to_owned()]
        }
        None => Vec::new(),
    };
    if outline.cookie == Some(Cookie::Set) {
        parts.push("--cookie-jar cookies.txt".to_owned());
    }
    parts.extend(more.iter().map(|part| (*part).to_owned()));
    written(outline, query, parts)
}

fn written(outline: &Outline<'_>, query: &str, parts: Vec<String>) -> String {
    let path = outline.path_parameters.iter().fold(outline.path.to_owned(), |path, (name, _)| {
        path.replace(&format!("{{{name}}}"), &format!("${}", variable(outline, name)))
    });
    let mut all = vec![format!("curl --include --request {} \"$BASE_URL{path}{query}\"", outline.method)];
    all.extend(parts);
    if outline.body.is_some() {
        all.push("--header 'Content-Type: application/json'".to_owned());
        all.push(format!("--data {}", quoted(&pretty(&outline.endpoint.example))));
    }
    all.join(" \\\n  ")
}

/// The text in single quotes, as a shell reads it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
