//! Files of whole plans, and procedures as JavaScript. The plan of the sample task is checked in as JSON; procedures that no
//! behaviour makes yet are built by hand.

mod products;

use crate::{EmitError, Files, openapi};
use expect_test::{Expect, expect};
use plan::api::{Cache, DocumentationFormat, Endpoint};
use plan::database::{Column, Nullability, Rules, Sensitivity, Table};
use plan::procedure::{Generated, Input, LimitKey, Response, ResponseField, Writes};
use plan::query::{Assigned, Cardinality, Holes, OnConflict, Output, Predicate, RowLock};
use plan::shape::{Presence, ShapeField};
use plan::value::{Comparison, Condition, RequestValue};
use plan::{Item, Outcome, Plan, Problem, Procedure, Query, Shape, Step, Trigger, Value, Write};
use serde_json::json;
use std::collections::BTreeSet;
use vocab::{
    ColumnName, Datum, Decimal, EntityName, EventName, FieldName, FieldType, PolicyName, ProcedureName, SlotName,
    TableName,
};

/// Of a plan with no services beside it.
fn files(plan: &Plan) -> Result<Files, EmitError> {
    crate::files(plan, &[])
}

const ENDPOINTS: &str = "apis/contact-newsletter-api/endpoints.js";
const MIDDLEWARE: &str = "apis/contact-newsletter-api/middleware.js";

fn sample() -> Plan {
    serde_json::from_str(include_str!("../tests_data/contact-newsletter.plan.json")).unwrap()
}

/// The sample's plan with one endpoint of our own.
fn with_procedure(body: Vec<Item>) -> Plan {
    let mut plan = sample();
    let trigger = Trigger::Request { method: "POST".into(), path: "/api/doors".into() };
    let name = ProcedureName::parse("open_door").unwrap();
    plan.api.endpoints = vec![Endpoint {
        procedure: Procedure { name, trigger, body },
        entity: EntityName::parse("door").unwrap(),
        summary: "opens a door".into(),
        max_body_bytes: 65_536,
        example: json!({"code": "1234"}),
        cache: Cache::NoStore,
        own_rows: false,
    }];
    plan.database.tables.push(doors());
    plan
}

fn doors() -> Table {
    let column = |name: &str, field_type, nullability| Column {
        name: column(name),
        field_type,
        nullability,
        default: None,
        sensitivity: Sensitivity::Plain,
        comment: "a | b".into(),
    };
    Table {
        name: table("doors"),
        comment: "doors".into(),
        columns: vec![
            column("id", FieldType::Uuid, Nullability::NotNull),
            column("code", FieldType::Line { max: 20 }, Nullability::NotNull),
            column("failures", FieldType::Integer, Nullability::NotNull),
            column("locked_until", FieldType::Timestamp, Nullability::Nullable),
        ],
        primary_key: vec![self::column("id")],
        unique: vec![vec![self::column("code")]],
        rules: Rules::default(),
    }
}

fn check(plan: &Plan, path: &str, expected: &Expect) {
    expected.assert_eq(&files(plan).unwrap()[path]);
}

/// The routes alone.
fn check_routes(plan: &Plan, expected: &Expect) {
    let files = files(plan).unwrap();
    let (_, routes) = files[ENDPOINTS].split_once("answered with.\n\n").unwrap();
    expected.assert_eq(routes);
}

fn column(name: &str) -> ColumnName {
    ColumnName::parse(name).unwrap()
}
fn field(name: &str) -> FieldName {
    FieldName::parse(name).unwrap()
}
fn slot(name: &str) -> SlotName {
    SlotName::parse(name).unwrap()
}
fn table(name: &str) -> TableName {
    TableName::parse(name).unwrap()
}

/// `slot.field`, `slot`, or `now`.
fn value(text: &str) -> Value {
    match text.split_once('.') {
        _ if text == "now" => Value::Now,
        Some((of, name)) => Value::Field(slot(of), field(name)),
        None => Value::Slot(slot(text)),
    }
}
fn number(number: i64) -> Value {
    Value::Literal(Datum::Integer(number))
}
fn text(literal: &str) -> Value {
    Value::Literal(Datum::Text(literal.into()))
}
fn bind(name: &str, step: Step) -> Item {
    Item::Let(slot(name), step)
}
fn limit() -> Item {
    Item::Do(Step::Limit { policy: PolicyName::parse("default").unwrap(), by: LimitKey::Address })
}
fn equal(name: &str, given: Value) -> Predicate {
    Predicate::Compare(column(name), Comparison::Equal, given)
}
fn read(cardinality: Cardinality, outputs: &[&str], filter: Vec<Predicate>) -> Step {
    let outputs = outputs.iter().map(|name| Output::Column { column: column(name), field: field(name) }).collect();
    let query =
        Query { from: table("doors"), outputs, filter, order: vec![], holes: Holes::default(), lock: RowLock::None };
    Step::Read { query, cardinality, filled_by: None }
}
fn update(set: &[(&str, Assigned)], filter: Vec<Predicate>) -> Step {
    let set = set.iter().map(|(name, assigned)| (column(name), assigned.clone())).collect();
    Step::Write(Write::Update { table: table("doors"), set, filter })
}
fn insert(values: &[(&str, Value)], on_conflict: OnConflict) -> Step {
    let values = values.iter().map(|(name, value)| (column(name), value.clone())).collect();
    Step::Write(Write::Insert { table: table("doors"), values, on_conflict, made: None })
}
fn emit(event: &str, payload: &[(&str, Value)]) -> Item {
    let payload = payload.iter().map(|(name, value)| (field(name), value.clone())).collect();
    Item::Do(Step::Emit { id: None, event: EventName::parse(event).unwrap(), payload })
}
fn either(of: &str, first: (Outcome, Vec<Item>), second: (Outcome, Vec<Item>)) -> Item {
    Item::Match(slot(of), vec![first, second])
}
fn problem(problem: Problem, writes: Writes) -> Item {
    Item::Exit(Response::Problem(problem), writes)
}
fn answer(status: u16, body: &[(&str, Value)], writes: Writes) -> Item {
    let body = body
        .iter()
        .map(|(name, value)| ResponseField {
            name: field(name),
            value: value.clone(),
            field_type: FieldType::Line { max: 100 },
            entries: None,
            description: String::new(),
        })
        .collect();
    Item::Exit(Response::Answer { status, body, tag: None, location: None }, writes)
}
fn body(fields: &[(&str, FieldType, Presence)]) -> Step {
    let fields = fields
        .iter()
        .map(|(name, field_type, presence)| ShapeField {
            name: field(name),
            field_type: field_type.clone(),
            format: None,
            presence: *presence,
            min_length: 4,
            max_length: None,
            bounds: vocab::Bounds::default(),
            default: None,
            entries: None,
            words: Vec::new(),
            description: "one | two".into(),
        })
        .collect();
    Step::Validate(Input::Body(Shape { name: "DoorCode".into(), fields }))
}
fn code() -> Item {
    bind("input", body(&[("code", FieldType::Line { max: 20 }, Presence::Required)]))
}

/// A refusal that is kept, a guard by a condition with values that may be null, and a row that is used behind its
/// transaction.
fn opening() -> Vec<Item> {
    let locked = Condition::All(vec![
        Condition::Compare(value("door.failures"), Comparison::AtLeast, number(5)),
        Condition::Not(Box::new(Condition::Any(vec![
            Condition::Compare(value("door.locked_until"), Comparison::AtMost, value("now")),
            Condition::Not(Box::new(Condition::Present(value("door.locked_until")))),
        ]))),
    ]);
    let count = update(
        &[("failures", Assigned::Plus(1)), ("locked_until", Assigned::Value(Value::After(900)))],
        vec![equal("id", value("door.id"))],
    );
    vec![
        limit(),
        code(),
        Item::Transaction(vec![
            bind(
                "door",
                read(Cardinality::One, &["id", "failures", "locked_until"], vec![equal("code", value("input.code"))]),
            ),
            either(
                "door",
                (Outcome::Found, vec![]),
                (Outcome::Missing, vec![problem(Problem::InvalidCredentials, Writes::Keep)]),
            ),
            bind("locked", Step::Check(locked)),
            either(
                "locked",
                (Outcome::Yes, vec![Item::Do(count), problem(Problem::InvalidCredentials, Writes::Keep)]),
                (Outcome::No, vec![]),
            ),
            bind("default", update(&[("failures", Assigned::Value(number(0)))], vec![equal("id", value("door.id"))])),
            either(
                "default",
                (Outcome::Changed, vec![]),
                (Outcome::Unchanged, vec![problem(Problem::Conflict, Writes::Undo)]),
            ),
        ]),
        answer(200, &[("id", value("door.id")), ("until", value("door.locked_until"))], Writes::Keep),
    ]
}

/// A transaction that always ends the procedure, an answer that undoes it, arms that go on, a list.
fn making() -> Vec<Item> {
    let everything = Value::Record(vec![
        (field("address"), Value::Request(RequestValue::Address)),
        (field("request"), Value::Request(RequestValue::Id)),
        (field("note"), text("it's\nhere")),
        (field("facts"), Value::Literal(Datum::Json(json!({"a": [1, null], "b-c": true})))),
    ]);
    vec![
        limit(),
        code(),
        bind("id", Step::Generate(Generated::Uuid)),
        bind("doors", read(Cardinality::Many, &["id"], vec![])),
        Item::Transaction(vec![
            bind(
                "made",
                insert(
                    &[("id", value("id")), ("code", value("input.code")), ("failures", number(0))],
                    OnConflict::Keep { unique: vec![column("code")] },
                ),
            ),
            either(
                "made",
                (
                    Outcome::Inserted,
                    vec![bind("note", Step::Generate(Generated::Uuid)), emit("contact_form", &[("id", value("id"))])],
                ),
                (
                    Outcome::Present,
                    vec![
                        Item::Do(Step::Write(Write::Delete {
                            table: table("doors"),
                            filter: vec![equal("code", value("input.code"))],
                        })),
                        bind("note", Step::Generate(Generated::Uuid)),
                        emit("contact_form", &[("everything", everything)]),
                    ],
                ),
            ),
            bind("same", Step::Check(Condition::Compare(value("input.code"), Comparison::Equal, text("1234")))),
            either(
                "same",
                (Outcome::Yes, vec![answer(200, &[("doors", value("doors"))], Writes::Undo)]),
                (Outcome::No, vec![answer(201, &[("id", value("id")), ("note", value("note"))], Writes::Keep)]),
            ),
        ]),
    ]
}

#[test]
fn the_endpoints_of_the_sample() {
    check(
        &sample(),
        ENDPOINTS,
        &expect![[r#"
            // Generated by Integration Producer from task integration_2025_001. You may edit it: an edited file is never overwritten.

            // The endpoints of the contact-newsletter API. Each is its procedure, step by step; a step that fails throws the
            // problem that the caller is answered with.

            import { authorize } from '../../lib/authorization.js';
            import { uuidv7 } from '../../lib/identifiers.js';
            import { anonymous } from '../../lib/request.js';
            import { respond } from '../../lib/response.js';
            import { validate } from '../../lib/validation.js';
            import { contactMessage, createMiddleware, newsletterSubscriber } from './middleware.js';

            const insertContactMessage = `INSERT INTO contact_messages (id, name, email, phone, company, subject, message, created_at, updated_at, row_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

            const insertNewsletterSubscriber = `INSERT INTO newsletter_subscribers (id, email, name, created_at, updated_at, row_version) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (email) DO NOTHING`;

            /**
             * @param {{ database: import('../../lib/database.js').Database, metrics: object,
             *   counts?: import('../../lib/counts.js').Counts }} parts
             */
            export function registerEndpoints(application, { database, metrics, counts }) {
              const { keys, limits, idempotency, outbox } = createMiddleware({ database, metrics, counts });

              // POST /api/contact: stores a contact message. Emits `contact_form`.
              application.route('POST', '/api/contact', async (request) => {
                const caller = await authorize(request, keys, limits.default);
                limits.default.take(request, caller);
                const claim = await idempotency.claim(request, caller);
                const input = await validate(request, contactMessage);
                const id = uuidv7();

                return database.transaction(async (transaction) => {
                  const known = await claim.recall(transaction);
                  if (known) return known;
                  await transaction.run(insertContactMessage, [
                    id,
                    input.name,
                    input.email,
                    input.phone,
                    input.company,
                    input.subject,
                    input.message,
                    request.receivedAt,
                    request.receivedAt,
                    1,
                  ]);
                  const event = {
                    id,
                    name: input.name,
                    email: input.email,
                    phone: input.phone,
                    company: input.company,
                    subject: input.subject,
                    message: input.message,
                    created_at: request.receivedAt,
                  };
                  await outbox.emit(transaction, 'contact_form', event, request.receivedAt);
                  return claim.keep(transaction, respond(201, { id, received_at: request.receivedAt }));
                });
              });

              // POST /api/newsletter: subscribes an address to the newsletter once. Emits `newsletter_signup`.
              application.route('POST', '/api/newsletter', async (request) => {
                limits.default.take(request, anonymous(request));
                const claim = await idempotency.claim(request, anonymous(request));
                const input = await validate(request, newsletterSubscriber);
                const id = uuidv7();

                return database.transaction(async (transaction) => {
                  const known = await claim.recall(transaction);
                  if (known) return known;
                  const subscription = await transaction.insert(insertNewsletterSubscriber, [
                    id,
                    input.email,
                    input.name,
                    request.receivedAt,
                    request.receivedAt,
                    1,
                  ]);
                  if (subscription === 'inserted') {
                    const event = { id, email: input.email, name: input.name, created_at: request.receivedAt };
                    await outbox.emit(transaction, 'newsletter_signup', event, request.receivedAt);
                  }
                  return claim.keep(transaction, respond(202, { status: 'accepted' }));
                });
              });
            }
        "#]],
    );
}

#[test]
fn the_middleware_of_the_sample() {
    check(
        &sample(),
        MIDDLEWARE,
        &expect![[r#"
            // Generated by Integration Producer from task integration_2025_001. You may edit it: an edited file is never overwritten.

            // What the endpoints of this API share: its API keys, its rate limits, its idempotency keys, its outbox and the shapes
            // of its bodies.

            import { ApiKeys } from '../../lib/api-keys.js';
            import { Idempotency } from '../../lib/idempotency.js';
            import { Outbox } from '../../lib/outbox.js';
            import { RateLimit } from '../../lib/rate-limit.js';

            /**
             * @param {{ database: import('../../lib/database.js').Database, metrics: object,
             *   counts?: import('../../lib/counts.js').Counts }} parts
             */
            export function createMiddleware({ database, metrics, counts }) {
              const onRefused = (policy) => metrics.rateLimited.inc({ policy });
              return {
                keys: new ApiKeys(database),
                limits: {
                  default: new RateLimit({ name: 'default', quota: 100, window: 60, onRefused, counts }),
                },
                idempotency: new Idempotency(database),
                outbox: new Outbox({ onEmitted: (event) => metrics.outboxEvents.inc({ event }) }),
              };
            }

            /** The body of POST /api/contact. */
            export const contactMessage = [
              { name: 'name', kind: 'line', required: true, maximum: 200 },
              { name: 'email', kind: 'email', required: true },
              { name: 'phone', kind: 'phone', maximum: 40 },
              { name: 'company', kind: 'line', maximum: 200 },
              { name: 'subject', kind: 'line', maximum: 200 },
              { name: 'message', kind: 'text', required: true, maximum: 5000 },
            ];

            /** The body of POST /api/newsletter. */
            export const newsletterSubscriber = [
              { name: 'email', kind: 'email', required: true },
              { name: 'name', kind: 'line', maximum: 200 },
            ];
        "#]],
    );
}

#[test]
fn a_transaction_may_end_the_procedure_and_hand_out_a_row() {
    check_routes(
        &with_procedure(opening()),
        &expect![[r#"
            import { Problem } from '../../lib/problem.js';
            import { anonymous } from '../../lib/request.js';
            import { respond } from '../../lib/response.js';
            import { validate } from '../../lib/validation.js';
            import { createMiddleware, doorCode } from './middleware.js';

            const findDoor = `SELECT id, failures, locked_until FROM doors WHERE code = ?`;

            const updateDoor = `UPDATE doors SET failures = failures + (1), locked_until = ? WHERE id = ?`;

            const updateDoor2 = `UPDATE doors SET failures = ? WHERE id = ?`;

            /**
             * @param {{ database: import('../../lib/database.js').Database, metrics: object,
             *   counts?: import('../../lib/counts.js').Counts }} parts
             */
            export function registerEndpoints(application, { database, metrics, counts }) {
              const { limits } = createMiddleware({ database, metrics, counts });

              // POST /api/doors: opens a door.
              application.route('POST', '/api/doors', async (request) => {
                limits.default.take(request, anonymous(request));
                const input = await validate(request, doorCode);

                let door;
                const done = await database.transaction(async (transaction) => {
                  door = await transaction.optional(findDoor, [input.code]);
                  if (!door) return new Problem('invalid_credentials');
                  const locked =
                    door.failures >= 5 &&
                    !((door.locked_until !== null && door.locked_until <= request.receivedAt) || door.locked_until === null);
                  if (locked) {
                    await transaction.run(updateDoor, [request.after(900), door.id]);
                    return new Problem('invalid_credentials');
                  }
                  const defaultValue = (await transaction.run(updateDoor2, [0, door.id])) > 0;
                  if (!defaultValue) throw new Problem('conflict');
                });
                if (done) return done;

                return respond(200, { id: door.id, until: door.locked_until });
              });
            }
        "#]],
    );
}

#[test]
fn a_transaction_may_be_the_answer() {
    check_routes(
        &with_procedure(making()),
        &expect![[r#"
            import { undo } from '../../lib/database.js';
            import { uuidv7 } from '../../lib/identifiers.js';
            import { anonymous } from '../../lib/request.js';
            import { respond } from '../../lib/response.js';
            import { validate } from '../../lib/validation.js';
            import { createMiddleware, doorCode } from './middleware.js';

            const listDoors = `SELECT id FROM doors`;

            const insertDoor = `INSERT INTO doors (id, code, failures) VALUES (?, ?, ?) ON CONFLICT (code) DO NOTHING`;

            const deleteDoor = `DELETE FROM doors WHERE code = ?`;

            /**
             * @param {{ database: import('../../lib/database.js').Database, metrics: object,
             *   counts?: import('../../lib/counts.js').Counts }} parts
             */
            export function registerEndpoints(application, { database, metrics, counts }) {
              const { limits, outbox } = createMiddleware({ database, metrics, counts });

              // POST /api/doors: opens a door. Emits `contact_form`.
              application.route('POST', '/api/doors', async (request) => {
                limits.default.take(request, anonymous(request));
                const input = await validate(request, doorCode);
                const id = uuidv7();
                const doors = await database.many(listDoors);

                return database.transaction(async (transaction) => {
                  const made = await transaction.insert(insertDoor, [id, input.code, 0]);
                  let note;
                  if (made === 'inserted') {
                    note = uuidv7();
                    await outbox.emit(transaction, 'contact_form', { id }, request.receivedAt);
                  } else {
                    await transaction.run(deleteDoor, [input.code]);
                    note = uuidv7();
                    const event = {
                      everything: {
                        address: request.address,
                        request: request.id,
                        note: 'it\'s\nhere',
                        facts: { a: [1, null], 'b-c': true },
                      },
                    };
                    await outbox.emit(transaction, 'contact_form', event, request.receivedAt);
                  }
                  const same = input.code === '1234';
                  if (!same) return respond(201, { id, note });
                  return undo(respond(200, { doors }));
                });
              });
            }
        "#]],
    );
}

#[test]
fn fields_of_every_type_have_their_rules() {
    let fields = [
        ("mail", FieldType::Email, Presence::Required),
        ("page", FieldType::Url, Presence::Optional),
        ("count", FieldType::Integer, Presence::Required),
        ("agreed", FieldType::Boolean, Presence::Optional),
        ("at", FieldType::Timestamp, Presence::Optional),
        ("order", FieldType::Uuid, Presence::Required),
        ("price", FieldType::Decimal { scale: 2 }, Presence::Required),
        ("day", FieldType::Date, Presence::Optional),
        ("status", FieldType::Choice { words: vec!["open".into(), "closed".into()] }, Presence::Optional),
        ("currency", FieldType::Code { letters: 3 }, Presence::Optional),
        ("facts", FieldType::Json, Presence::Optional),
    ];
    let mut plan = with_procedure(vec![Item::Do(body(&fields)), answer(204, &[], Writes::Keep)]);
    plan.api.endpoints[0].max_body_bytes = 1_048_576;
    check(
        &plan,
        MIDDLEWARE,
        &expect![[r#"
            // Generated by Integration Producer from task integration_2025_001. You may edit it: an edited file is never overwritten.

            // What the endpoints of this API share: the shapes of its bodies.

            /** The body of POST /api/doors. */
            export const doorCode = [
              { name: 'mail', kind: 'email', required: true, minimum: 4 },
              { name: 'page', kind: 'url', minimum: 4, maximum: 2048 },
              { name: 'count', kind: 'integer', required: true },
              { name: 'agreed', kind: 'boolean' },
              { name: 'at', kind: 'timestamp', minimum: 4 },
              { name: 'order', kind: 'uuid', required: true, minimum: 4 },
              { name: 'price', kind: 'decimal', scale: 2, required: true },
              { name: 'day', kind: 'date', minimum: 4 },
              { name: 'status', kind: 'choice', words: ['open', 'closed'], minimum: 4 },
              { name: 'currency', kind: 'code', letters: 3, minimum: 4 },
              { name: 'facts', kind: 'json' },
            ];
        "#]],
    );
    check_routes(
        &plan,
        &expect![[r#"
            import { respond } from '../../lib/response.js';
            import { validate } from '../../lib/validation.js';
            import { doorCode } from './middleware.js';

            /**
             * @param {{ database: import('../../lib/database.js').Database, metrics: object,
             *   counts?: import('../../lib/counts.js').Counts }} parts
             */
            export function registerEndpoints(application, { database, metrics, counts }) {
              // POST /api/doors: opens a door.
              application.route('POST', '/api/doors', async (request) => {
                await validate(request, doorCode, { limit: 1_048_576 });
                return respond(204);
              });
            }
        "#]],
    );
}

#[test]
fn what_javascript_cannot_do_is_refused() {
    let refused =
        |item: Item| files(&with_procedure(vec![item, answer(200, &[], Writes::Keep)])).unwrap_err().to_string();
    let answered = |value: Value| {
        files(&with_procedure(vec![answer(200, &[("a", value)], Writes::Keep)])).unwrap_err().to_string()
    };
    assert_eq!(
        refused(bind(
            "sealed",
            Step::Presign {
                provider: vocab::ProviderName::parse("store").unwrap(),
                key: text("x"),
                lifetime_seconds: 60,
            }
        )),
        "procedure `open_door`: the Node.js application cannot do `presign`"
    );
    assert_eq!(
        answered(Value::Request(RequestValue::Path(field("id")))),
        "procedure `open_door` is malformed: its path has no parameter `id`"
    );
    assert_eq!(answered(value("x")), "procedure `open_door` is malformed: slot `x` is used before it is bound");
    assert!(answered(number(i64::MAX)).contains("JavaScript does not keep it exactly"));
    let nested = Item::Transaction(vec![emit("unheard_of", &[])]);
    assert_eq!(refused(nested), "procedure `open_door` is malformed: event `unheard_of` is not declared");
    let mut plan = with_procedure(vec![]);
    plan.api.endpoints[0].procedure.trigger = Trigger::Schedule { cron: "* * * * *".into() };
    assert!(matches!(files(&plan), Err(EmitError::Step { what, .. }) if what == "run on a schedule"));
}

/// Two servers must refuse the same passwords.
#[test]
fn the_words_of_weak_passwords_are_those_of_the_native_server() {
    let script = include_str!("../node/lib/weak-passwords.js");
    let words = script.split_once("new Set([").unwrap().1.split_once("]);").unwrap().0;
    let words: Vec<&str> = words.split('\'').skip(1).step_by(2).collect();
    assert_eq!(words, vocab::password::COMMON);
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    assert_eq!(files(&sample()).unwrap(), files(&sample()).unwrap());
}

#[test]
fn every_file_ends_in_one_line_feed_and_says_where_it_comes_from() {
    for (path, text) in files(&sample()).unwrap() {
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path}");
        // The ledger knows a migration by its bytes.
        let is_bare = path.ends_with(".json") || path.starts_with("databases/migrations/");
        let first = text.lines().next().unwrap();
        assert_eq!(
            is_bare,
            !first.contains("Generated by Integration Producer from task integration_2025_001"),
            "{path}"
        );
    }
}

#[test]
fn a_migration_is_what_is_executed() {
    let plan = sample();
    let files = files(&plan).unwrap();
    assert_eq!(files["databases/migrations/0001_initial.sql"], dialect::migration::text(&plan.database.migrations[0]));
}

#[test]
fn the_limit_of_a_body_is_that_of_the_lib() {
    let limit = crate::node::default_body_limit();
    assert!(include_str!("../node/lib/body.js").contains(&format!("export const BODY_LIMIT = {limit};")));
}

/// Of the application's code and of `compose.yaml`.
#[test]
fn every_variable_that_is_read_stands_in_the_example_of_settings() {
    let files = files(&sample()).unwrap();
    let mut read = BTreeSet::new();
    for (path, text) in &files {
        let marks: &[&str] = match path.as_str() {
            "compose.yaml" => &["${"],
            path if path.ends_with(".js") && !path.starts_with("client/") => &["process.env.", "environment."],
            _ => &[],
        };
        for rest in marks.iter().flat_map(|mark| text.split(mark).skip(1)) {
            let end = rest.find(|letter: char| !letter.is_ascii_uppercase() && letter != '_').unwrap_or(rest.len());
            read.extend((end > 1).then(|| &rest[..end]));
        }
    }
    assert!(read.contains("DATABASE_URL") && read.contains("PRODUCER_WORKSPACE"), "{read:?}");
    let example = files[".env.example"].lines().map(|line| line.trim_start_matches("# "));
    let named: BTreeSet<&str> = example.filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(read.difference(&named).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn every_problem_has_the_name_and_the_words_of_the_lib() {
    let lib = include_str!("../node/lib/problem.js");
    for problem in Problem::ALL {
        let head = format!(
            "  {}: {{\n    status: {},\n    title: '{}',\n",
            problem.name().replace('-', "_"),
            problem.status(),
            problem.title()
        );
        assert!(lib.contains(&head), "{problem:?}");
        let detail = problem.detail().map_or(String::new(), |detail| format!("'{detail}'"));
        assert!(lib.contains(&detail), "{problem:?}");
    }
}

#[test]
fn a_write_that_may_conflict_is_documented() {
    let mut plan = with_procedure(making());
    let responses = |plan: &Plan| {
        let document: serde_json::Value = serde_json::from_str(&openapi(&[plan])).unwrap();
        let responses = document["paths"]["/api/doors"]["post"]["responses"].as_object().unwrap();
        responses.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(responses(&plan), "200 201 400 408 413 415 422 429 500 503");
    let fail = insert(&[("id", value("id")), ("code", value("input.code"))], OnConflict::Fail);
    plan.api.endpoints[0].procedure.body.insert(4, Item::Transaction(vec![Item::Do(fail)]));
    assert_eq!(responses(&plan), "200 201 400 408 409 413 415 422 429 500 503");
}

#[test]
fn the_version_of_the_document_is_the_one_asked_for() {
    let mut plan = sample();
    let document = |plans: &[&Plan]| serde_json::from_str::<serde_json::Value>(&openapi(plans)).unwrap();
    let phone = |document: &serde_json::Value| {
        document["components"]["schemas"]["ContactMessage"]["properties"]["phone"].clone()
    };
    let new = document(&[&plan]);
    assert_eq!((new["openapi"].as_str(), phone(&new)["type"].clone()), (Some("3.1.0"), json!(["string", "null"])));
    plan.api.documentation = DocumentationFormat::OpenApi30;
    let old = document(&[&plan]);
    assert_eq!((old["openapi"].as_str(), phone(&old)["type"].clone()), (Some("3.0.3"), json!("string")));
    assert_eq!(phone(&old)["nullable"], json!(true));
    assert_eq!(document(&[])["openapi"], json!("3.1.0"));
}

#[test]
fn values_in_both_formats_of_the_document() {
    let price = FieldType::Decimal { scale: 2 };
    let status = FieldType::Choice { words: vec!["open".into(), "closed".into()] };
    let facts = FieldType::Json;
    let fields = [
        ("price", price, Presence::Optional),
        ("status", status, Presence::Optional),
        ("facts", facts, Presence::Optional),
    ];
    let mut step = body(&fields);
    if let Step::Validate(Input::Body(shape)) = &mut step {
        shape.fields[0].bounds.minimum = Some(Datum::Decimal(Decimal::new(0, 2)));
        shape.fields[0].bounds.maximum = Some(Datum::Decimal(Decimal::new(1050, 2)));
        shape.fields[1].default = Some(Datum::Text("open".into()));
    }
    let mut plan = with_procedure(vec![Item::Do(step), answer(204, &[], Writes::Keep)]);
    let mut text = String::new();
    for format in [DocumentationFormat::OpenApi31, DocumentationFormat::OpenApi30] {
        plan.api.documentation = format;
        let document: serde_json::Value = serde_json::from_str(&openapi(&[&plan])).unwrap();
        for (name, schema) in document["components"]["schemas"]["DoorCode"]["properties"].as_object().unwrap() {
            text.push_str(&format!("{name}: {schema}\n"));
        }
    }
    expect![[r#"
        price: {"type":["string","number","null"],"multipleOf":0.01,"minimum":0.0,"maximum":10.5,"pattern":"^[0-9]{1,13}(\\.[0-9]{1,2})?$","description":"one | two"}
        status: {"type":["string","null"],"enum":["open","closed",null],"description":"one | two","default":"open"}
        facts: {"type":["object","array","null"],"description":"one | two"}
        price: {"oneOf":[{"type":"string","pattern":"^[0-9]{1,13}(\\.[0-9]{1,2})?$","nullable":true},{"type":"number","multipleOf":0.01,"minimum":0.0,"maximum":10.5}],"description":"one | two"}
        status: {"type":"string","enum":["open","closed",null],"nullable":true,"description":"one | two","default":"open"}
        facts: {"oneOf":[{"type":"object","nullable":true},{"type":"array","items":{}}],"description":"one | two"}
    "#]].assert_eq(&text);
}

#[test]
fn several_apis_are_one_document() {
    let doors = with_procedure(making());
    let document: serde_json::Value = serde_json::from_str(&openapi(&[&sample(), &doors])).unwrap();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        ["/api/contact", "/api/newsletter", "/api/doors", "/healthz", "/readyz", "/openapi.json", "/metrics"]
    );
}

#[test]
fn tables_survive_what_is_in_their_cells() {
    let files = files(&with_procedure(opening())).unwrap();
    assert!(files["apis/contact-newsletter-api/documentation.md"].contains("| one \\| two |"));
    assert!(files["documentation/database-schema.md"].contains("| a \\| b |"));
}

#[test]
fn a_collection_passes_on_what_requests_make() {
    let files = files(&products::shop()).unwrap();
    let collection: serde_json::Value = serde_json::from_str(&files["documentation/postman-collection.json"]).unwrap();
    let folder = &collection["item"][0];
    assert_eq!(folder["name"], "products");
    let requests = folder["item"].as_array().unwrap();
    let names: Vec<&str> = requests.iter().map(|request| request["name"].as_str().unwrap()).collect();
    assert_eq!(names.first().copied(), Some("POST /api/products"));
    assert_eq!(names.last().copied(), Some("DELETE /api/products/{id}"));
    let kept = "if (pm.response.code < 300) pm.collectionVariables.set('product_id', pm.response.json().id);";
    assert!(requests[0]["event"][0]["script"]["exec"].as_array().unwrap().iter().any(|line| line == kept));
    assert_eq!(requests.last().unwrap()["request"]["url"]["raw"], "{{base_url}}/api/products/{{product_id}}");
}
