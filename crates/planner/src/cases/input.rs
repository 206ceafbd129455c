//! Requests that bring what an endpoint does not take: bodies, changes, parameters of the query string.

use super::{Asker, entry, final_response};
use plan::Problem;
use plan::http_case::{ANY, CaseRequest, HttpCase};
use plan::procedure::{Input, Item, JSON_PATCH, MAX_OPERATIONS, Patchable, Response, Step};
use plan::query::{Choice, Holes, Total};
use plan::shape::{Presence, Shape, ShapeField};
use serde_json::{Value as Json, json};
use vocab::{Datum, Decimal, FieldFormat, FieldType};

impl Asker<'_> {
    pub fn wrong_bodies(&self, shape: &Shape) -> Vec<HttpCase> {
        let missing: Vec<Json> = shape
            .fields
            .iter()
            .filter(|field| field.presence == Presence::Required)
            .map(|field| entry(field.name.as_str(), "required"))
            .collect();
        let mut cases = vec![self.problem(
            "refuses a body that is not JSON",
            self.request().with_text("{"),
            Problem::MalformedBody,
        )];
        if !missing.is_empty() {
            cases.push(self.invalid("refuses an empty object", self.request().with_body(&json!({})), missing));
        }
        cases.extend(self.wrong_fields(shape, &self.right));
        cases
    }

    /// Changes may leave everything out, so one field alone is enough to be wrong.
    pub fn wrong_changes(&self, shape: &Shape) -> Vec<HttpCase> {
        let mut cases = self.wrong_fields(shape, &json!({}));
        if let Some(field) = shape.fields.iter().find(|field| field.presence == Presence::Required) {
            let name = field.name.as_str();
            let emptied = self.request().with_body(&json!({ (name): null }));
            cases.push(self.invalid(&format!("does not empty `{name}`"), emptied, vec![entry(name, "required")]));
        }
        cases
    }

    /// What a list of records comes to.
    pub fn lists_of_records(&self, items: &[Item]) -> Vec<HttpCase> {
        let entries = items.iter().find_map(|item| match item {
            Item::Let(_, Step::Validate(Input::List(entries))) => Some(entries),
            _ => None,
        });
        let Some(entries) = entries else { return Vec::new() };
        let with = |list: Json| self.request().with_body(&list);
        let range = json!({"pointer": "", "code": "range", "detail": ANY});
        let mut cases = vec![self.invalid("refuses a list of nothing", with(json!([])), vec![range])];
        if let Some(field) = entries.shape.fields.iter().find(|field| field.presence == Presence::Required) {
            let mut second = self.right.clone();
            second[field.name.as_str()] = Json::Null;
            let missing = json!({"pointer": format!("/1/{}", field.name), "code": "required"});
            let list = json!([self.right, second]);
            cases.push(self.invalid("tells which record of a list is wrong", with(list), vec![missing]));
        }
        if let Some(Response::Records { status, fields, .. }) = final_response(items).filter(|_| self.can_be_right()) {
            let record: Json = fields.iter().map(|field| (field.name.to_string(), Json::from(ANY))).collect();
            let right = self.case("stores a list", with(json!([self.right])), *status);
            cases.push(right.with_body(&json!([record])));
        }
        cases
    }

    /// What a body of operations comes to (RFC 6902).
    pub fn operations(&self, Patchable { shape, .. }: &Patchable) -> Vec<HttpCase> {
        let with = |operations: &Json| {
            let mut request = self.request().with_body(operations);
            request.headers.insert("content-type".to_owned(), JSON_PATCH.to_owned());
            request
        };
        let mut cases = Vec::new();
        if let Some(right) = self.right.as_object().filter(|_| self.can_be_right()) {
            let replaced = |(name, value)| json!({"op": "replace", "path": format!("/{name}"), "value": value});
            let operations = right.iter().take(MAX_OPERATIONS).map(replaced).collect();
            cases.push(self.case("applies operations", with(&operations), 200));
        }
        if let Some(field) = shape.fields.first().filter(|_| self.can_be_right()) {
            let test = json!([{"op": "test", "path": format!("/{}", field.name), "value": {"no": "such value"}}]);
            let shows = "does nothing where the record is not as the operations test it";
            cases.push(self.problem_of_record(shows, with(&test), Problem::PatchFailed));
        }
        let elsewhere = json!([{"op": "remove", "path": "/no_such_field"}]);
        let wrong = json!({"pointer": "/0/path", "code": "unknown_field", "detail": ANY});
        cases.push(self.invalid("refuses an operation on no field", with(&elsewhere), vec![wrong]));
        cases
    }

    fn wrong_fields(&self, shape: &Shape, example: &Json) -> Vec<HttpCase> {
        let with = |name: &str, value: Json| {
            let mut body = example.clone();
            body[name] = value;
            self.request().with_body(&body)
        };
        let mut cases = Vec::new();
        for field in &shape.fields {
            let name = field.name.as_str();
            if let Some(format) = field.format {
                let (value, code): (Json, &str) = match format {
                    FieldFormat::FileName => ("../secrets".into(), "format"),
                    FieldFormat::MediaType => ("pdf".into(), "format"),
                    FieldFormat::Sha256 => ("ABC".into(), "format"),
                    FieldFormat::ByteCount => ((-1).into(), "range"),
                    FieldFormat::NewPassword => ("password1".into(), "weak"),
                    // Any text may be one.
                    FieldFormat::Password => (1.into(), "type"),
                };
                let shows = format!("refuses a value of `{name}` that is not {}", format.describe());
                cases.push(self.invalid(&shows, with(name, value), vec![entry(name, code)]));
            }
            let (shows, value, code): (&str, Json, &str) = match &field.field_type {
                FieldType::Email => ("that is no e-mail address", "nobody".into(), "format"),
                FieldType::Phone => ("that is no telephone number", "none".into(), "format"),
                FieldType::Url => ("that is no URL", "nowhere".into(), "format"),
                FieldType::Timestamp => ("that is no time", "yesterday".into(), "format"),
                FieldType::Uuid => ("that is no UUID", "one".into(), "format"),
                FieldType::Line { max } | FieldType::Text { max } => {
                    ("that is too long", "x".repeat(*max as usize + 1).into(), "too_long")
                }
                FieldType::Integer => ("that is no whole number", "many".into(), "type"),
                FieldType::Boolean => ("that is neither true nor false", "perhaps".into(), "type"),
                FieldType::Choice { .. } => ("that is none of the words", "no such word".into(), "format"),
                FieldType::Code { .. } => ("that is no code", "?".into(), "format"),
                FieldType::Decimal { .. } => ("that is no decimal number", "many".into(), "format"),
                FieldType::Date => ("that is no day", "2026-02-30".into(), "format"),
                FieldType::Json => ("that is no document", "text".into(), "type"),
            };
            let shows = format!("refuses a value of `{name}` {shows}");
            cases.push(self.invalid(&shows, with(name, value), vec![entry(name, code)]));
            if let Some(value) = below(field) {
                let shows = format!("refuses a value of `{name}` that is too small");
                cases.push(self.invalid(&shows, with(name, value), vec![entry(name, "range")]));
            }
        }
        cases.extend(shape.fields.iter().flat_map(|field| self.wrong_entries(field, example)));
        let unknown = with("no_such_field", "x".into());
        cases.push(self.invalid(
            "refuses a field it does not know",
            unknown,
            vec![entry("no_such_field", "unknown_field")],
        ));
        cases
    }

    /// A list without an entry, and an entry without its fields.
    fn wrong_entries(&self, field: &ShapeField, example: &Json) -> Vec<HttpCase> {
        let Some(entries) = &field.entries else { return Vec::new() };
        let name = field.name.as_str();
        let with = |list: Json| {
            let mut body = example.clone();
            body[name] = list;
            self.request().with_body(&body)
        };
        let must = entries.shape.fields.iter().filter(|field| field.presence == Presence::Required);
        let missing: Vec<Json> = must.map(|field| entry(&format!("{name}/0/{}", field.name), "required")).collect();
        vec![
            self.invalid(&format!("refuses no `{name}` at all"), with(json!([])), vec![entry(name, "range")]),
            self.invalid(&format!("refuses one of `{name}` that says nothing"), with(json!([{}])), missing),
        ]
    }

    pub fn wrong_parameters(&self, holes: &Holes) -> Vec<HttpCase> {
        let with = |query: &str| {
            let mut request = self.request();
            request.path = format!("{}?{query}", request.path);
            request
        };
        let wrong = |name: &str, code: &str| vec![json!({"parameter": name, "code": code})];
        let mut cases = vec![
            self.invalid("refuses a page of no rows", with("limit=0"), wrong("limit", "range")),
            self.invalid("refuses a limit that is no number", with("limit=all"), wrong("limit", "type")),
            self.invalid("refuses an order it does not know", with("sort=no_such_column"), wrong("sort", "format")),
            self.invalid("refuses a cursor it did not make", with("cursor=00"), wrong("cursor", "format")),
            self.invalid(
                "refuses a parameter it does not know",
                with("no_such_parameter=1"),
                wrong("no_such_parameter", "unknown_parameter"),
            ),
            self.invalid("refuses a parameter given twice", with("limit=1&limit=2"), wrong("limit", "repeated")),
        ];
        if holes.offset.is_some() {
            cases.push(self.invalid(
                "refuses two places where a page begins",
                with("offset=1&cursor=00"),
                vec![
                    json!({"parameter": "offset", "code": "inconsistent"}),
                    json!({"parameter": "cursor", "code": "format"}),
                ],
            ));
        }
        if holes.selection == Choice::Open {
            cases.push(self.invalid(
                "refuses a field it does not know",
                with("fields=no_such_field"),
                wrong("fields", "format"),
            ));
        }
        let format = match final_response(&self.endpoint.procedure.body) {
            Some(Response::Rows { format, .. }) => Some(*format),
            _ => None,
        };
        if let Some(include) = self.include() {
            let code = wrong("include", "format");
            cases.push(self.invalid(
                "refuses rows of others that it does not show",
                with("include=no_such_rows"),
                code,
            ));
            if let (Some(format), true) = (format, self.can_be_right()) {
                let request = with(&format!("include={include}&limit=1"));
                cases.push(self.page("lists with rows of others", request, format));
            }
        }
        if let (Some(sort), Some(format), true) = (holes.sorts.last(), format, self.can_be_right()) {
            let sorted = with(&format!("sort=-{sort}&limit=1"));
            cases.push(self.page("lists in another order", sorted, format));
            if holes.total == Total::Asked {
                let mut case = self.page("tells how many there are", with("count=exact&limit=1&offset=1"), format);
                case.expect.body = Some(json!({"items": ANY, "next": ANY, "total": ANY}));
                cases.push(case);
                let mut case = self.page("tells about how many there are", with("count=estimated&limit=1"), format);
                case.expect.body = Some(json!({"items": ANY, "next": ANY, "total": ANY, "total_is": "exact"}));
                cases.push(case);
            }
        }
        cases
    }

    pub fn wrong_selection(&self) -> Vec<HttpCase> {
        let with = |query: &str| {
            let mut request = self.request();
            request.path = format!("{}?{query}", request.path);
            request
        };
        let wrong = |name: &str, code: &str| vec![json!({"parameter": name, "code": code})];
        let mut cases = vec![
            self.invalid("refuses a field it does not know", with("fields=no_such_field"), wrong("fields", "format")),
            self.invalid(
                "refuses a parameter it does not know",
                with("no_such_parameter=1"),
                wrong("no_such_parameter", "unknown_parameter"),
            ),
        ];
        if let Some(include) = self.include() {
            let code = wrong("include", "format");
            cases.push(self.invalid(
                "refuses rows of others that it does not show",
                with("include=no_such_rows"),
                code,
            ));
            if self.can_be_right() {
                let shown = include.split(',').map(|name| (name.to_owned(), Json::from(ANY))).collect();
                let request = with(&format!("include={include}"));
                cases.push(self.case("answers with rows of others", request, 200).with_body(&Json::Object(shown)));
            }
        }
        cases
    }

    /// All rows of others that may be asked for, as the parameter names them.
    fn include(&self) -> Option<String> {
        let names: Vec<&str> = self.endpoint.procedure.body.iter().find_map(|item| match item {
            Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) => {
                Some(query.related().map(|related| related.field.as_str()).collect())
            }
            _ => None,
        })?;
        (!names.is_empty()).then(|| names.join(","))
    }

    /// Each parameter must be there, once, and no other.
    pub fn wrong_query(&self, shape: &Shape) -> Vec<HttpCase> {
        let right = self.request();
        let Some((path, query)) = right.path.split_once('?') else { return Vec::new() };
        let with = |query: &str| CaseRequest { path: format!("{path}?{query}"), ..right.clone() };
        let wrong = |name: &str, code: &str| vec![json!({"parameter": name, "code": code})];
        let missing = shape.fields.iter().map(|field| json!({"parameter": field.name, "code": "required"})).collect();
        let nothing = CaseRequest { path: path.to_owned(), ..right.clone() };
        let mut cases = vec![
            self.invalid("asks for its parameters", nothing, missing),
            self.invalid(
                "refuses a parameter it does not know",
                with(&format!("{query}&no_such_parameter=1")),
                wrong("no_such_parameter", "unknown_parameter"),
            ),
        ];
        if let Some(field) = shape.fields.first() {
            let name = field.name.as_str();
            let twice = with(&format!("{query}&{name}=x"));
            cases.push(self.invalid("refuses a parameter given twice", twice, wrong(name, "repeated")));
        }
        cases
    }

    fn invalid(&self, shows: &str, request: CaseRequest, errors: Vec<Json>) -> HttpCase {
        self.problem(shows, request, Problem::ValidationFailed).with_body(&json!({ "errors": errors }))
    }
}

/// The number next below the least one.
fn below(field: &ShapeField) -> Option<Json> {
    let below = match field.bounds.minimum.as_ref()? {
        Datum::Integer(least) => Datum::Integer(least.checked_sub(1)?),
        Datum::Decimal(least) => Datum::Decimal(Decimal::new(least.units().checked_sub(1)?, least.scale())),
        Datum::Null | Datum::Boolean(_) | Datum::Text(_) | Datum::Json(_) => return None,
    };
    Some(below.to_json())
}
