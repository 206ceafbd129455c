//! The client for front ends: an ES module without dependencies and its types. Comes in: the plan; goes out: two texts. A method for
//! each endpoint, named after what it does with what is at its path; types say what goes in, what comes out, and every problem.

use crate::Files;
use crate::documents::described_type;
use crate::node::filter_parameter;
use crate::node::names::{Names, camel_case, pascal_case};
use crate::node::script::quoted;
use crate::openapi::comparison_text;
use crate::outline::{
    Body, Content, Guard, Listing, Outline, RelatedRows, Repeatable, RowField, Success, Tagged, of_callers, outlines,
};
use crate::render::{Comment, capitalised, generated, render};
use minijinja::{Value, context};
use plan::database::Nullability;
use plan::procedure::{RecordList, ResponseField, RowsFormat, Scheme};
use plan::query::{MOST_COUNTED, Total};
use plan::shape::Presence;
use plan::value::Preference;
use plan::{Plan, Problem};
use vocab::FieldType;

/// What the templates declare, and what types are made of.
const OWN_TYPES: [&str; 23] = [
    "AbortSignal",
    "Answer",
    "ApiError",
    "AsyncGenerator",
    "CallOptions",
    "ChangeOptions",
    "ClientOptions",
    "Error",
    "Field",
    "FieldError",
    "Headers",
    "Included",
    "Including",
    "NotModified",
    "PageOf",
    "PatchOperation",
    "Picked",
    "Problem",
    "ProblemOf",
    "Promise",
    "Record",
    "URL",
    "WriteOptions",
];

pub fn files(plan: &Plan) -> Files {
    let view = view(plan, &outlines(plan));
    let name = format!("client/{}-client", plan.api.name);
    let file = |ending: &str, template| {
        (format!("{name}.{ending}"), generated(plan, Comment::Slashes, &render(template, &view)))
    };
    Files::from([file("js", "client.js"), file("d.ts", "client.d.ts")])
}

fn view(plan: &Plan, outlines: &[Outline<'_>]) -> Value {
    let mut types = Types { names: Names::new(&OWN_TYPES), declared: Vec::new() };
    let class = types.names.take(&format!("{}Client", pascal_case(&plan.api.name)));
    let mut names = Names::new(&["constructor"]);
    let methods: Vec<Value> =
        outlines.iter().map(|outline| method_view(plan, outline, &mut names, &mut types)).collect();
    let declared: Vec<Value> = types
        .declared
        .into_iter()
        .map(|(name, body)| context! { name, fields => body.fields, says => body.says })
        .collect();
    let given = of_callers(outlines);
    let problems: Vec<Value> = Problem::ALL
        .into_iter()
        .filter(|problem| given.contains(problem))
        .map(|problem| context! { name => problem.name(), status => problem.status(), errors => problem == Problem::ValidationFailed })
        .collect();
    context! {
        api => plan.api.name.as_str(),
        file => format!("{}-client.js", plan.api.name),
        class,
        declared,
        problems,
        methods,
        credentials => credentials(outlines),
        cookies => outlines.iter().any(|outline| outline.cookie.is_some() || outline.scheme.is_some_and(Scheme::takes_cookies)),
        text_lists => outlines.iter().flat_map(|outline| &outline.answers).any(is_text),
        lists => outlines.iter().any(|outline| outline.listing.is_some()),
        queries => outlines.iter().any(|outline| outline.listing.is_some() || outline.query.is_some() || picks_of_one(outline)),
        picks => outlines.iter().any(|outline| picks(outline)),
        includes => outlines.iter().any(|outline| picks(outline) && !outline.related.is_empty()),
        patched => outlines.iter().any(|outline| outline.patchable.is_some()),
        spared => outlines.iter().any(Outline::is_spared),
        repeatable => outlines.iter().any(|outline| outline.repeatable == Repeatable::WithKey),
        guarded => outlines.iter().any(|outline| outline.guard == Guard::IfMatch),
        preferring => outlines.iter().any(Outline::has_preferences),
        merging => outlines.iter().any(Outline::merges),
        has_path_parameters => outlines.iter().any(|outline| !outline.path_parameters.is_empty()),
    }
}

/// What a client sends by itself so that the endpoint knows who calls; cookies are the browser's.
fn credential(scheme: Scheme) -> Option<&'static str> {
    match scheme {
        Scheme::ApiKey => Some("apiKey"),
        Scheme::AccessToken | Scheme::SignedIn | Scheme::Issued => Some("accessToken"),
        Scheme::Basic => Some("password"),
        Scheme::Session => None,
    }
}

/// Each of these that endpoints ask for, as an option of the client.
fn credentials(outlines: &[Outline<'_>]) -> Vec<Value> {
    let known = [
        (
            "apiKey",
            "string",
            "'ipk_...'",
            "The key, or what gives it; sent where an endpoint asks for one. A key in a page is a key that every visitor has.",
        ),
        (
            "accessToken",
            "string",
            "() => token",
            "The access token, or what gives it: it is asked before each request, so that it can be refreshed. Sent where an endpoint asks for one.",
        ),
        (
            "password",
            "{ email: string; password: string }",
            "{ email: 'ada@example.com', password: '...' }",
            "Address and password of an account, or what gives them; sent where an endpoint asks for them.",
        ),
    ];
    let asked: Vec<&str> = outlines.iter().filter_map(|outline| credential(outline.scheme?)).collect();
    let known = known.into_iter().filter(|(name, ..)| asked.contains(name));
    known.map(|(name, of, example, says)| context! { name, of, example, says }).collect()
}

/// Whether a caller may pick fields and is answered with records of them.
fn picks(outline: &Outline<'_>) -> bool {
    !outline.fields.is_empty() && !outline.answers.iter().any(is_text)
}

/// The same of one record.
fn picks_of_one(outline: &Outline<'_>) -> bool {
    picks(outline) && outline.listing.is_none()
}

fn is_text(answer: &Success<'_>) -> bool {
    matches!(answer.content, Content::Page(_, RowsFormat::Csv | RowsFormat::Ndjson))
}

fn method_view(plan: &Plan, outline: &Outline<'_>, names: &mut Names, types: &mut Types) -> Value {
    let name = names.take(&method_name(outline));
    let answers: Vec<(u16, String)> =
        outline.answers.iter().map(|answer| (answer.status, types.answer(&name, outline, answer))).collect();
    let result = |(_, (status, of)): (&Success<'_>, &(u16, String))| format!("Answer<{status}, {of}>");
    let ways = outline.answers.iter().zip(&answers);
    let of_one = ways.filter(|(answer, _)| !matches!(answer.content, Content::Records(_)));
    let (usual, preferred): (Vec<_>, Vec<_>) = of_one.partition(|(answer, _)| answer.preference.is_none());
    let results: Vec<String> = usual.into_iter().map(result).collect();
    let preferred: Vec<Value> = preferred
        .into_iter()
        .filter_map(|(answer, known)| {
            let result = result((answer, known));
            Some(match answer.preference? {
                Preference::Merge => {
                    context! { option => "merge: true", result => format!("{result} | {}", results.join(" | ")) }
                }
                other => {
                    let word = other.as_str().split_once('=')?.1;
                    context! { option => format!("prefer: '{word}'"), result }
                }
            })
        })
        .collect();
    let picked = answers.iter().find_map(|(_, of)| {
        let (_, rest) = of.split_once("Pick<")?;
        rest.split_once(',').map(|(record, _)| record.to_owned())
    });
    let related = picked.as_ref().and_then(|_| types.related(outline));
    let (path, parameters) = parameters(outline, types);
    let list = outline.listing.map(|listing| {
        let rows = answers.iter().find_map(|(_, of)| of.strip_prefix("PageOf<")?.strip_suffix('>'));
        let all = rows.map(|_| names.take(&format!("all{}", collection(outline))));
        context! { query => types.query(&name, plan, listing, outline), all, item => rows }
    });
    let options = match (outline.guard, outline.repeatable) {
        (Guard::IfMatch, Repeatable::WithKey) => "ChangeOptions & WriteOptions",
        (Guard::IfMatch, Repeatable::No) => "ChangeOptions",
        (Guard::None, Repeatable::WithKey) => "WriteOptions",
        (Guard::None, Repeatable::No) => "CallOptions",
    };
    let problems: Vec<&str> = outline.problems.iter().map(|problem| problem.name()).collect();
    context! {
        name,
        route => format!("{} {}", outline.method, outline.path),
        summary => comment(&capitalised(&outline.endpoint.summary)),
        call => format!("'{}', {path}, {}", outline.method, sent(outline)),
        parameters,
        options,
        result => results.join(" | "),
        preferred,
        several => several(outline, &answers, types),
        spared => outline.is_spared(),
        picked,
        related,
        list,
        problems,
    }
}

/// The parameters and the result of a method that is given a list of records.
fn several(outline: &Outline<'_>, answers: &[(u16, String)], types: &mut Types) -> Option<Value> {
    let each = format!("{}[]", types.body(Body::Record(&outline.several?.shape)));
    let of_list = |preference: Option<Preference>| {
        let mut ways = outline.answers.iter().zip(answers);
        let is_wanted =
            |answer: &Success<'_>| matches!(answer.content, Content::Records(_)) && answer.preference == preference;
        let (_, (status, of)) = ways.find(|(answer, _)| is_wanted(answer))?;
        Some(format!("Answer<{status}, {of}>"))
    };
    let (_, parameters) = parameters(outline, types);
    let own = parameters.iter().map(|parameter| {
        let text = |name| parameter.get_attr(name).map(|value| value.to_string()).unwrap_or_default();
        let of = if text("name") == "body" { &each } else { &text("of") };
        format!("{}: {of}, ", text("name"))
    });
    let own = own.collect::<String>();
    Some(context! { own, result => of_list(None)?, merged => of_list(Some(Preference::Merge)) })
}

/// The path as an expression, and the parameters before `query` and `options`.
fn parameters(outline: &Outline<'_>, types: &mut Types) -> (String, Vec<Value>) {
    let mut found = Vec::new();
    let mut locals = Names::new(&["body", "changes", "query", "options", "segment"]);
    let mut path = outline.path.to_owned();
    for (parameter, field_type) in &outline.path_parameters {
        let local = locals.take(&camel_case(parameter));
        path = path.replace(&format!("{{{parameter}}}"), &format!("${{segment({local})}}"));
        let (of, example) = match field_type {
            Some(FieldType::Integer) => ("number", "1".to_owned()),
            Some(_) | None => ("string", format!("'<{parameter}>'")),
        };
        found.push(context! { name => local, of, example });
    }
    let path = if found.is_empty() { format!("'{path}'") } else { format!("`{path}`") };
    if let Some(body) = outline.body {
        let operations = outline.patchable.map_or("", |_| " | PatchOperation[]");
        let of = format!("{}{operations}", types.body(body));
        found.push(context! { name => local_of(body), of, example => "{ ... }" });
    }
    if let Some(shape) = outline.query {
        found.push(context! { name => "query", of => types.body(Body::Record(shape)), example => "{ ... }" });
    }
    (path, found)
}

fn local_of(body: Body<'_>) -> &'static str {
    match body {
        Body::Record(_) => "body",
        Body::Changes(_) => "changes",
    }
}

/// What a method hands over to be sent, as an object.
fn sent(outline: &Outline<'_>) -> String {
    let body = outline.body.map(|body| match local_of(body) {
        "body" => "body".to_owned(),
        local => format!("body: {local}"),
    });
    let query = match picks_of_one(outline) {
        true if outline.related.is_empty() => Some("query: { fields: options?.fields }".to_owned()),
        true => Some("query: { fields: options?.fields, include: options?.include }".to_owned()),
        false => (outline.listing.is_some() || outline.query.is_some()).then(|| "query".to_owned()),
    };
    let key = outline.scheme.and_then(credential).map(|by| format!("by: '{by}'"));
    let entries: Vec<String> = [body, query, key].into_iter().flatten().collect();
    if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
}

/// `createProduct`, `listProducts`, `submitContact`: what is done, and with what.
fn method_name(outline: &Outline<'_>) -> String {
    let one = pascal_case(outline.endpoint.entity.as_str());
    let makes_a_record = outline.answers.iter().any(|answer| answer.tagged == Tagged::Yes);
    match outline.method {
        "GET" if outline.listing.is_some() => format!("list{}", collection(outline)),
        "GET" => format!("get{one}"),
        "PUT" => format!("replace{one}"),
        "PATCH" => format!("update{one}"),
        "DELETE" => format!("delete{one}"),
        "POST" if makes_a_record => format!("create{one}"),
        "POST" => format!("submit{}", collection(outline)),
        _ => camel_case(outline.endpoint.procedure.name.as_str()),
    }
}

/// What the path names, without what says only that this is an API: `/api/v1/news/letters/{id}` as `NewsLetters`.
fn collection(outline: &Outline<'_>) -> String {
    let is_version = |word: &str| word.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok());
    let words = outline.path.split('/').filter(|word| !word.starts_with('{') && *word != "api" && !is_version(word));
    words.map(pascal_case).collect()
}

/// The declarations of the types that endpoints use. Those that are the same are one.
struct Types {
    names: Names,
    declared: Vec<(String, Declaration)>,
}

#[derive(Clone, PartialEq)]
struct Declaration {
    says: String,
    fields: Vec<Value>,
}

impl Types {
    fn declare(&mut self, wanted: &str, says: &str, fields: Vec<Value>) -> String {
        let declaration = Declaration { says: says.to_owned(), fields };
        if let Some((name, _)) = self.declared.iter().find(|(_, known)| *known == declaration) {
            return name.clone();
        }
        let name = self.names.take(wanted);
        self.declared.push((name.clone(), declaration));
        name
    }

    fn body(&mut self, body: Body<'_>) -> String {
        let mut fields = Vec::new();
        for field in &body.shape().fields {
            let (optional, null) = match (body, field.presence) {
                (Body::Record(_), Presence::Required) => (false, false),
                (Body::Changes(_), Presence::Required) => (true, false),
                (_, Presence::Optional) => (true, true),
            };
            let of = match (&field.field_type, &field.entries) {
                (_, Some(entries)) => format!("{}[]", self.body(Body::Record(&entries.shape))),
                (FieldType::Decimal { .. }, None) => "string | number".to_owned(),
                (of, None) => script_type(of),
            };
            let words = described_type(field);
            fields.push(property(field.name.as_str(), &Typed { of, null, words }, optional, &field.description));
        }
        let says = match body {
            Body::Record(_) => "What is sent.",
            Body::Changes(_) => "Changes: a field that is absent stays as it is, one that is null is emptied.",
        };
        self.declare(&body.name(), says, fields)
    }

    fn answer(&mut self, method: &str, outline: &Outline<'_>, answer: &Success<'_>) -> String {
        let record = format!("{}Record", pascal_case(outline.endpoint.entity.as_str()));
        let property_of = |field: &ResponseField| {
            let null = outline.slots.nullability(&field.value) == Nullability::Nullable;
            property(field.name.as_str(), &Typed::of(&field.field_type, null), false, &field.description)
        };
        match &answer.content {
            Content::Nothing => "undefined".to_owned(),
            Content::Record(body) => {
                let fields = body.iter().map(property_of);
                match answer.tagged {
                    Tagged::Yes if answer.preference == Some(Preference::Minimal) => self.declare(
                        &format!("{}Key", pascal_case(outline.endpoint.entity.as_str())),
                        KEY,
                        fields.collect(),
                    ),
                    Tagged::No if answer.preference.is_none() => {
                        self.declare(&format!("{}Answer", pascal_case(method)), ANSWER, fields.collect())
                    }
                    Tagged::Yes | Tagged::No => {
                        let own = body.iter().filter(|field| field.entries.is_none()).map(property_of);
                        let record = self.declare(&record, RECORD, own.collect());
                        let lists = body.iter().filter_map(|field| Some((&field.name, field.entries.as_ref()?)));
                        let lists = lists.map(|(list, RecordList { name, fields })| {
                            let entry = self.declare(name, RECORD, fields.iter().map(property_of).collect());
                            format!(" & {{ {}: {entry}[] }}", key(list.as_str()))
                        });
                        let lists: String = lists.collect();
                        format!("{}{lists}", self.picked(outline, record))
                    }
                }
            }
            Content::Records(body) => {
                format!("{}[]", self.declare(&record, RECORD, body.iter().map(property_of).collect()))
            }
            // One text: its rows are for whoever reads it.
            Content::Page(_, RowsFormat::Csv | RowsFormat::Ndjson) => "string".to_owned(),
            Content::Page(fields, RowsFormat::Json) => {
                let record = self.declare(&record, RECORD, fields.iter().map(row).collect());
                format!("PageOf<{}>", self.picked(outline, record))
            }
        }
    }

    /// A record, or those of its fields that the caller picks, with the rows of others that are asked for.
    fn picked(&mut self, outline: &Outline<'_>, record: String) -> String {
        if !picks(outline) {
            return record;
        }
        let related = self.related(outline).map(|related| format!(" & Pick<{related}, Included>")).unwrap_or_default();
        format!("Pick<{record}, Field>{related}")
    }

    /// What may come with a record, where anything may.
    fn related(&mut self, outline: &Outline<'_>) -> Option<String> {
        let fields: Vec<Value> = outline.related.iter().map(|related| self.rows_of(related)).collect();
        let wanted = format!("{}Related", pascal_case(outline.endpoint.entity.as_str()));
        (!fields.is_empty()).then(|| self.declare(&wanted, RELATED, fields))
    }

    fn rows_of(&mut self, related: &RelatedRows<'_>) -> Value {
        let fields = related.fields.iter().map(row).collect();
        let row = self.declare(&format!("{}Row", pascal_case(related.name.as_str())), ROW, fields);
        let (of, says) = match related.most {
            Some(most) => (format!("{row}[]"), format!("At most {most}.")),
            None => (format!("{row} | null"), "Null where there is none.".to_owned()),
        };
        context! { name => key(related.name.as_str()), of, optional => false, says }
    }

    fn query(&mut self, method: &str, plan: &Plan, listing: Listing<'_>, outline: &Outline<'_>) -> String {
        let mut fields = of_page("", listing);
        fields.push(asked("cursor", "string", "The `next` of the page before, with the same `sort`.".to_owned()));
        if listing.holes.offset.is_some() {
            fields.push(asked("offset", "number", "Rows that are passed over, instead of a `cursor`.".to_owned()));
        }
        if listing.holes.total == Total::Asked {
            fields.push(asked(
                "count",
                "'exact' | 'estimated'",
                format!(
                    "Has the page say how many rows there are on all together, as `total`; an estimate counts {MOST_COUNTED} at most, and \
                     `total_is` says whether there are more."
                ),
            ));
        }
        for (column, comparisons) in &listing.holes.filters {
            let Some(declared) = plan.database.column(&listing.query.from, column) else { continue };
            for comparison in comparisons {
                let says = format!("Only rows whose `{column}` {} this.", comparison_text(*comparison));
                let name = filter_parameter(column, *comparison);
                fields.push(asked(&name, &script_type(&declared.field_type), says));
            }
        }
        fields.extend(of_filter("", listing));
        // What is answered as text is of one type, whatever is in it.
        if !outline.fields.is_empty() && !picks(outline) {
            let names: Vec<String> = outline.fields.iter().map(|field| quoted(field.as_str())).collect();
            let says = "The fields that are wanted, in this order; all of them where it is not given.";
            fields.push(asked("fields", &format!("readonly ({})[]", names.join(" | ")), says.to_owned()));
            if !outline.related.is_empty() {
                let names: Vec<String> = outline.related.iter().map(|known| quoted(known.name.as_str())).collect();
                let says = "The rows of others that are wanted with each row.";
                fields.push(asked("include", &format!("readonly ({})[]", names.join(" | ")), says.to_owned()));
            }
        }
        for related in &outline.related {
            let Some(listing) = related.listing() else { continue };
            let before = format!("{}.", related.name);
            fields.extend(of_page(&before, listing).into_iter().chain(of_filter(&before, listing)));
        }
        self.declare(&format!("{}Query", pascal_case(method)), "Which rows, in which order.", fields)
    }
}

/// What a query may say, where it may say that.
fn asked(name: &str, of: &str, says: String) -> Value {
    context! { name => key(name), of, optional => true, says }
}

/// How many rows are wanted and in which order; what stands before the names says of which rows.
fn of_page(before: &str, listing: Listing<'_>) -> Vec<Value> {
    let of = if before.is_empty() { "a page" } else { "at most" };
    let limit = listing.holes.page.map(|page| {
        let says = format!("Rows {of}: 1 to {}; {} where it is not given.", page.max, page.default);
        asked(&format!("{before}limit"), "number", says)
    });
    let sort = (!listing.holes.sorts.is_empty()).then(|| {
        let sorts = listing.holes.sorts.iter().flat_map(|column| [format!("'{column}'"), format!("'-{column}'")]);
        let usual = listing.usual_order();
        let says =
            format!("What to sort by, the first one first, with `-` for the reverse; {usual} where it is not given.");
        let one = sorts.collect::<Vec<_>>().join(" | ");
        asked(&format!("{before}sort"), &format!("{one} | readonly ({one})[]"), says)
    });
    limit.into_iter().chain(sort).collect()
}

fn of_filter(before: &str, listing: Listing<'_>) -> Option<Value> {
    let says = "Only rows of which this holds: `stock > 0 and (name contains \"lamp\" or not category in (a, b))`.";
    let is_asked = !listing.holes.filters.is_empty();
    is_asked.then(|| asked(&format!("{before}filter"), "string", says.to_owned()))
}

const RECORD: &str = "A record as it is stored.";
const ROW: &str = "A row that comes with a record.";
const RELATED: &str = "The rows of others that may come with a record.";
const KEY: &str = "What names a record.";
const ANSWER: &str = "What is answered.";

/// The type of a property, in TypeScript and in words.
struct Typed {
    of: String,
    null: bool,
    words: String,
}

impl Typed {
    fn of(field_type: &FieldType, null: bool) -> Self {
        Self { of: script_type(field_type), null, words: field_type.describe() }
    }
}

fn property(name: &str, typed: &Typed, optional: bool, description: &str) -> Value {
    let null = if typed.null { " | null" } else { "" };
    let kind = capitalised(&typed.words);
    let description = description.trim_end_matches('.');
    let says = if description.is_empty() { format!("{kind}.") } else { format!("{description}. {kind}.") };
    context! { name => key(name), of => format!("{}{null}", typed.of), optional, says => comment(&says) }
}

fn row(field: &RowField<'_>) -> Value {
    let null = field.column.nullability == Nullability::Nullable;
    property(field.name.as_str(), &Typed::of(&field.column.field_type, null), false, field.description)
}

/// A name of a property as it stands in code.
fn key(name: &str) -> String {
    let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if plain && !name.starts_with(|letter: char| letter.is_ascii_digit()) {
        name.to_owned()
    } else {
        format!("'{name}'")
    }
}

/// What a field is in TypeScript.
fn script_type(of: &FieldType) -> String {
    match of {
        FieldType::Choice { words } => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" | "),
        // A decimal number as a text keeps every digit.
        FieldType::Line { .. }
        | FieldType::Text { .. }
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Url
        | FieldType::Code { .. }
        | FieldType::Decimal { .. }
        | FieldType::Date
        | FieldType::Timestamp
        | FieldType::Uuid => "string".to_owned(),
        FieldType::Integer => "number".to_owned(),
        FieldType::Boolean => "boolean".to_owned(),
        FieldType::Json => "unknown".to_owned(),
    }
}

/// A text inside a comment, on one line.
fn comment(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "* /")
}
