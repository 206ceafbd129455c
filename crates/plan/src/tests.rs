//! The proof on paper: seven procedures that are hard in different ways, written by hand. If one of them ever needs an
//! escape hatch, the intermediate representation is wrong.

use crate::check::violations;
use crate::procedure::{
    Generated, GraphQlOperation, Input, Item, LimitKey, Operation, Outcome, Procedure, Response, ResponseField,
    RowsFormat, Scheme, Step, Trigger, Writes,
};
use crate::query::{
    Assigned, Cardinality, Choice, Direction, Holes, OnConflict, Order, Output, Page, Predicate, Query, Related,
    RowLock, Write,
};
use crate::shape::{Presence, Shape, ShapeField};
use crate::value::{Comparison, Condition, RequestValue, Value};
use crate::{Problem, print, question};
use expect_test::{Expect, expect};
use vocab::{
    ColumnName, Datum, EventName, FieldName, FieldType, PolicyName, ProcedureName, ProviderName, SlotName, TableName,
    TaskId,
};

fn check(procedure: &Procedure, expected: &Expect) {
    assert_eq!(violations(procedure), Vec::<String>::new());
    let persisted = serde_json::to_string(procedure).unwrap();
    assert_eq!(&serde_json::from_str::<Procedure>(&persisted).unwrap(), procedure, "survives being persisted");
    expected.assert_eq(&print::procedure(procedure));
    let question = question::of(procedure);
    assert_eq!(violations(&question), Vec::<String>::new(), "what it asks is well formed");
    assert_eq!(question::of(&question), question, "what a question asks is the question");
    let said = print::procedure(&question);
    for done in ["insert", "update", "delete", "emit", "transaction", "limit", "issue", "fetch"] {
        let does = |line: &str| line.split(" = ").last().is_some_and(|step| step.trim().starts_with(done));
        assert!(!said.lines().any(does), "a question does nothing: {said}");
    }
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
fn policy(name: &str) -> PolicyName {
    PolicyName::parse(name).unwrap()
}
fn provider() -> ProviderName {
    ProviderName::parse("payments").unwrap()
}

/// `text` as a value: `slot.field`, `slot`, or `now`.
fn value(text: &str) -> Value {
    match text.split_once('.') {
        _ if text == "now" => Value::Now,
        Some((of, name)) => Value::Field(slot(of), field(name)),
        None => Value::Slot(slot(text)),
    }
}
fn text(literal: &str) -> Value {
    Value::Literal(Datum::Text(literal.into()))
}
fn fields(pairs: &[(&str, Value)]) -> Vec<(FieldName, Value)> {
    pairs.iter().map(|(name, value)| (field(name), value.clone())).collect()
}
fn columns(pairs: &[(&str, Value)]) -> Vec<(ColumnName, Value)> {
    pairs.iter().map(|(name, value)| (column(name), value.clone())).collect()
}
fn equal(name: &str, given: Value) -> Predicate {
    Predicate::Compare(column(name), Comparison::Equal, given)
}
fn one(from: &str, outputs: &[&str], filter: Vec<Predicate>, lock: RowLock) -> Step {
    Step::Read { query: query(from, outputs, filter, lock), cardinality: Cardinality::One, filled_by: None }
}
fn query(from: &str, outputs: &[&str], filter: Vec<Predicate>, lock: RowLock) -> Query {
    let outputs = outputs.iter().map(|name| Output::Column { column: column(name), field: field(name) }).collect();
    Query { from: table(from), outputs, filter, order: vec![], holes: Holes::default(), lock }
}
fn insert(into: &str, values: &[(&str, Value)], on_conflict: OnConflict) -> Step {
    Step::Write(Write::Insert { table: table(into), values: columns(values), on_conflict, made: None })
}
fn update(of: &str, set: &[(&str, Assigned)], filter: Vec<Predicate>) -> Item {
    let set = set.iter().map(|(name, assigned)| (column(name), assigned.clone())).collect();
    Item::Do(Step::Write(Write::Update { table: table(of), set, filter }))
}
fn emit(event: &str, payload: &[(&str, Value)]) -> Item {
    Item::Do(Step::Emit { id: None, event: EventName::parse(event).unwrap(), payload: fields(payload) })
}
fn bind(name: &str, step: Step) -> Item {
    Item::Let(slot(name), step)
}
fn problem(problem: Problem, writes: Writes) -> Item {
    Item::Exit(Response::Problem(problem), writes)
}
fn answer(status: u16, body: &[(&str, Value)]) -> Item {
    let body = body
        .iter()
        .map(|(name, value)| ResponseField {
            name: field(name),
            value: value.clone(),
            field_type: FieldType::Line { max: 1000 },
            entries: None,
            description: String::new(),
        })
        .collect();
    Item::Exit(Response::Answer { status, body, tag: None, location: None }, Writes::Keep)
}
fn shape(name: &str, names: &[&str]) -> Shape {
    let fields = names
        .iter()
        .map(|name| ShapeField {
            name: field(name),
            field_type: FieldType::Line { max: 200 },
            format: None,
            presence: Presence::Required,
            min_length: 1,
            max_length: None,
            bounds: vocab::Bounds::default(),
            default: None,
            entries: None,
            words: Vec::new(),
            description: String::new(),
        })
        .collect();
    Shape { name: name.into(), fields }
}
fn request(name: &str, method: &str, path: &str, body: Vec<Item>) -> Procedure {
    let trigger = Trigger::Request { method: method.into(), path: path.into() };
    Procedure { name: ProcedureName::parse(name).unwrap(), trigger, body }
}
fn by_address() -> Item {
    Item::Do(Step::Limit { policy: policy("login"), by: LimitKey::Address })
}

/// Commits the failed attempt while it answers 401.
#[test]
fn login() {
    let refuse = || problem(Problem::InvalidCredentials, Writes::Keep);
    let count_failure = update(
        "users",
        &[("failed_logins", Assigned::Plus(1)), ("locked_until", Assigned::Value(Value::After(900)))],
        vec![equal("id", value("user.id"))],
    );
    let nothing = Value::Literal(Datum::Null);
    let locked = Condition::All(vec![
        Condition::Compare(value("user.failed_logins"), Comparison::AtLeast, Value::Literal(Datum::Integer(5))),
        Condition::Compare(value("user.locked_until"), Comparison::Greater, value("now")),
    ]);
    let procedure = request(
        "login",
        "POST",
        "/api/auth/login",
        vec![
            by_address(),
            bind("input", Step::Validate(Input::Body(shape("Login", &["email", "password"])))),
            bind(
                "user",
                one(
                    "users",
                    &["id", "password_hash", "failed_logins", "locked_until"],
                    vec![equal("email", value("input.email"))],
                    RowLock::None,
                ),
            ),
            Item::Match(
                slot("user"),
                vec![
                    (Outcome::Found, vec![]),
                    (
                        Outcome::Missing,
                        vec![
                            bind("never", Step::VerifyPassword { password: value("input.password"), hash: nothing }),
                            refuse(),
                        ],
                    ),
                ],
            ),
            bind("locked", Step::Check(locked)),
            Item::Match(slot("locked"), vec![(Outcome::Yes, vec![refuse()]), (Outcome::No, vec![])]),
            bind(
                "right",
                Step::VerifyPassword { password: value("input.password"), hash: value("user.password_hash") },
            ),
            Item::Match(
                slot("right"),
                vec![(Outcome::Yes, vec![]), (Outcome::No, vec![Item::Transaction(vec![count_failure, refuse()])])],
            ),
            bind("refresh", Step::Generate(Generated::Token { bytes: 32 })),
            bind("refresh_hash", Step::Digest(value("refresh"))),
            bind("family", Step::Generate(Generated::Uuid)),
            Item::Transaction(vec![
                update(
                    "users",
                    &[("failed_logins", Assigned::Value(Value::Literal(Datum::Integer(0))))],
                    vec![equal("id", value("user.id"))],
                ),
                Item::Do(insert(
                    "sessions",
                    &[
                        ("family", value("family")),
                        ("user_id", value("user.id")),
                        ("refresh_hash", value("refresh_hash")),
                        ("expires_at", Value::After(2_592_000)),
                    ],
                    OnConflict::Fail,
                )),
            ]),
            bind("access", Step::IssueToken { claims: fields(&[("sub", value("user.id"))]), lifetime_seconds: 900 }),
            answer(200, &[("access_token", value("access")), ("refresh_token", value("refresh"))]),
        ],
    );
    check(
        &procedure,
        &expect![[r#"
            procedure login on POST /api/auth/login
              limit login by address
              let input = validate body as Login { email, password }
              let user = read one users (id, password_hash, failed_logins, locked_until) where email = input.email
              match user
                found: go on
                missing:
                  let never = verify password input.password against null
                  respond 401 invalid-credentials
              let locked = check user.failed_logins >= 5 and user.locked_until > now
              match locked
                yes:
                  respond 401 invalid-credentials
                no: go on
              let right = verify password input.password against user.password_hash
              match right
                yes: go on
                no:
                  transaction
                    update users { failed_logins: failed_logins + 1, locked_until: now + 900 s } where id = user.id
                    respond 401 invalid-credentials
              let refresh = generate token of 32 bytes
              let refresh_hash = digest refresh
              let family = generate uuid
              transaction
                update users { failed_logins: 0 } where id = user.id
                insert sessions { family: family, user_id: user.id, refresh_hash: refresh_hash, expires_at: now + 2592000 s }
              let access = issue token { sub: user.id } for 900 s
              respond 200 { access_token: access, refresh_token: refresh }
        "#]],
    );
}

/// Revokes the whole family of a replayed token while it answers 401.
#[test]
fn refresh() {
    let procedure = request(
        "refresh",
        "POST",
        "/api/auth/refresh",
        vec![
            by_address(),
            bind("input", Step::Validate(Input::Body(shape("Refresh", &["refresh_token"])))),
            bind("hash", Step::Digest(value("input.refresh_token"))),
            bind("next", Step::Generate(Generated::Token { bytes: 32 })),
            bind("next_hash", Step::Digest(value("next"))),
            Item::Transaction(vec![
                bind(
                    "session",
                    one(
                        "sessions",
                        &["id", "family", "user_id", "used_at"],
                        vec![
                            equal("refresh_hash", value("hash")),
                            Predicate::Compare(column("expires_at"), Comparison::Greater, Value::Now),
                            Predicate::Null(column("revoked_at")),
                        ],
                        RowLock::ForUpdate,
                    ),
                ),
                Item::Match(
                    slot("session"),
                    vec![
                        (Outcome::Found, vec![]),
                        (Outcome::Missing, vec![problem(Problem::InvalidCredentials, Writes::Keep)]),
                    ],
                ),
                bind("replayed", Step::Check(Condition::Present(value("session.used_at")))),
                Item::Match(
                    slot("replayed"),
                    vec![
                        (
                            Outcome::Yes,
                            vec![
                                update(
                                    "sessions",
                                    &[("revoked_at", Assigned::Value(Value::Now))],
                                    vec![equal("family", value("session.family"))],
                                ),
                                emit("token_replayed", &[("user_id", value("session.user_id"))]),
                                problem(Problem::InvalidCredentials, Writes::Keep),
                            ],
                        ),
                        (Outcome::No, vec![]),
                    ],
                ),
                update("sessions", &[("used_at", Assigned::Value(Value::Now))], vec![equal("id", value("session.id"))]),
                Item::Do(insert(
                    "sessions",
                    &[
                        ("family", value("session.family")),
                        ("user_id", value("session.user_id")),
                        ("refresh_hash", value("next_hash")),
                        ("expires_at", Value::After(2_592_000)),
                    ],
                    OnConflict::Fail,
                )),
            ]),
            bind(
                "access",
                Step::IssueToken { claims: fields(&[("sub", value("session.user_id"))]), lifetime_seconds: 900 },
            ),
            answer(200, &[("access_token", value("access")), ("refresh_token", value("next"))]),
        ],
    );
    check(
        &procedure,
        &expect![[r#"
            procedure refresh on POST /api/auth/refresh
              limit login by address
              let input = validate body as Refresh { refresh_token }
              let hash = digest input.refresh_token
              let next = generate token of 32 bytes
              let next_hash = digest next
              transaction
                let session = read one sessions (id, family, user_id, used_at) where refresh_hash = hash and expires_at > now and revoked_at is null for update
                match session
                  found: go on
                  missing:
                    respond 401 invalid-credentials
                let replayed = check session.used_at is present
                match replayed
                  yes:
                    update sessions { revoked_at: now } where family = session.family
                    emit token_replayed { user_id: session.user_id }
                    respond 401 invalid-credentials
                  no: go on
                update sessions { used_at: now } where id = session.id
                insert sessions { family: session.family, user_id: session.user_id, refresh_hash: next_hash, expires_at: now + 2592000 s }
              let access = issue token { sub: session.user_id } for 900 s
              respond 200 { access_token: access, refresh_token: next }
        "#]],
    );
}

/// A transaction, the network, a second transaction, and an outcome that nobody knows.
#[test]
fn checkout() {
    let mark = |status: &str| {
        Item::Transaction(vec![update(
            "orders",
            &[("status", Assigned::Value(text(status)))],
            vec![equal("id", value("order_id"))],
        )])
    };
    let given = serde_json::json!({ "value": "${answer.session.url}", "type": "url", "privacy": "plain" });
    let given = serde_json::from_value(given).unwrap();
    let procedure = request(
        "checkout",
        "POST",
        "/api/checkout",
        vec![
            Item::Do(Step::Authorize {
                scheme: Scheme::AccessToken,
                scope: None,
                role: None,
                grant: None,
                failures: Some(policy("default")),
            }),
            Item::Do(Step::Limit { policy: policy("default"), by: LimitKey::Principal }),
            bind("input", Step::Validate(Input::Body(shape("Checkout", &["product_id"])))),
            bind("order_id", Step::Generate(Generated::Uuid)),
            Item::Transaction(vec![
                bind(
                    "product",
                    one(
                        "products",
                        &["id", "price", "currency"],
                        vec![equal("id", value("input.product_id"))],
                        RowLock::ForUpdate,
                    ),
                ),
                Item::Match(
                    slot("product"),
                    vec![(Outcome::Found, vec![]), (Outcome::Missing, vec![problem(Problem::NotFound, Writes::Undo)])],
                ),
                Item::Do(insert(
                    "orders",
                    &[("id", value("order_id")), ("total", value("product.price")), ("status", text("pending"))],
                    OnConflict::Fail,
                )),
                Item::Do(Step::Emit {
                    id: Some(slot("order_id")),
                    event: EventName::parse("checkout").unwrap(),
                    payload: fields(&[("order", value("order_id")), ("amount", value("product.price"))]),
                }),
            ]),
            bind(
                "session",
                Step::Await {
                    id: value("order_id"),
                    event: EventName::parse("checkout").unwrap(),
                    by: TaskId::parse("payments").unwrap(),
                    gives: [(field("url"), given)].into_iter().collect(),
                    within_ms: 8000,
                },
            ),
            Item::Match(
                slot("session"),
                vec![
                    (
                        Outcome::Answered,
                        vec![
                            mark("awaiting_payment"),
                            answer(201, &[("order", value("order_id")), ("url", value("session.url"))]),
                        ],
                    ),
                    (Outcome::Refused, vec![mark("failed"), problem(Problem::Conflict, Writes::Keep)]),
                    (
                        Outcome::Unknown,
                        vec![
                            mark("reconciling"),
                            answer(202, &[("order", value("order_id")), ("status", text("reconciling"))]),
                        ],
                    ),
                ],
            ),
        ],
    );
    check(
        &procedure,
        &expect![[r#"
            procedure checkout on POST /api/checkout
              authorize by access token, failures count against default
              limit default by principal
              let input = validate body as Checkout { product_id }
              let order_id = generate uuid
              transaction
                let product = read one products (id, price, currency) where id = input.product_id for update
                match product
                  found: go on
                  missing:
                    respond 404 not-found, undoing the transaction
                insert orders { id: order_id, total: product.price, status: "pending" }
                emit checkout order_id { order: order_id, amount: product.price }
              let session = await checkout order_id by payments within 8000 ms for { url }
              match session
                answered:
                  transaction
                    update orders { status: "awaiting_payment" } where id = order_id
                  respond 201 { order: order_id, url: session.url }
                refused:
                  transaction
                    update orders { status: "failed" } where id = order_id
                  respond 409 conflict
                unknown:
                  transaction
                    update orders { status: "reconciling" } where id = order_id
                  respond 202 { order: order_id, status: "reconciling" }
        "#]],
    );
}

/// Asks the outside before it writes anything.
#[test]
fn oauth_callback() {
    let user = |from: &str| ("user_id", value(from));
    let procedure = request(
        "oauth_callback",
        "GET",
        "/api/auth/callback",
        vec![
            by_address(),
            bind("input", Step::Validate(Input::Parameters(shape("Callback", &["code", "state"])))),
            bind(
                "same_browser",
                Step::Check(Condition::Compare(
                    value("input.state"),
                    Comparison::Equal,
                    Value::Request(RequestValue::Cookie(field("oauth_state"))),
                )),
            ),
            Item::Match(
                slot("same_browser"),
                vec![(Outcome::Yes, vec![]), (Outcome::No, vec![problem(Problem::InvalidCredentials, Writes::Keep)])],
            ),
            bind(
                "identity",
                Step::Fetch {
                    operation: Operation { provider: provider(), name: field("exchange_code") },
                    input: fields(&[("code", value("input.code"))]),
                },
            ),
            Item::Match(
                slot("identity"),
                vec![
                    (Outcome::Answered, vec![]),
                    (Outcome::Refused, vec![problem(Problem::InvalidCredentials, Writes::Keep)]),
                    (Outcome::Unknown, vec![problem(Problem::Unavailable, Writes::Keep)]),
                ],
            ),
            bind("new_id", Step::Generate(Generated::Uuid)),
            Item::Transaction(vec![
                Item::Do(insert(
                    "users",
                    &[
                        ("id", value("new_id")),
                        ("subject", value("identity.subject")),
                        ("email", value("identity.email")),
                    ],
                    OnConflict::Replace { unique: vec![column("subject")], columns: vec![column("email")] },
                )),
                bind("user", one("users", &["id"], vec![equal("subject", value("identity.subject"))], RowLock::None)),
                Item::Match(
                    slot("user"),
                    vec![
                        (Outcome::Found, vec![emit("user_signed_in", &[user("user.id")])]),
                        (Outcome::Missing, vec![problem(Problem::InternalError, Writes::Undo)]),
                    ],
                ),
            ]),
            Item::Exit(Response::Redirect(text("/")), Writes::Keep),
        ],
    );
    check(
        &procedure,
        &expect![[r#"
            procedure oauth_callback on GET /api/auth/callback
              limit login by address
              let input = validate parameters as Callback { code, state }
              let same_browser = check input.state = request.cookie.oauth_state
              match same_browser
                yes: go on
                no:
                  respond 401 invalid-credentials
              let identity = fetch payments.exchange_code { code: input.code }
              match identity
                answered: go on
                refused:
                  respond 401 invalid-credentials
                unknown:
                  respond 503 unavailable
              let new_id = generate uuid
              transaction
                insert users { id: new_id, subject: identity.subject, email: identity.email }, replacing email of a row with the same subject
                let user = read one users (id) where subject = identity.subject
                match user
                  found:
                    emit user_signed_in { user_id: user.id }
                  missing:
                    respond 500 internal-error, undoing the transaction
              redirect to "/"
        "#]],
    );
}

/// Leaves early on a duplicate; the work itself is caused by no request.
#[test]
fn inbound_webhook() {
    let webhook = Procedure {
        name: ProcedureName::parse("receive_payment").unwrap(),
        trigger: Trigger::Webhook { provider: provider(), path: "/webhooks/payments".into() },
        body: vec![
            bind("call", Step::Received(["id", "order", "state"].map(|name| (field(name), FieldType::Uuid)).to_vec())),
            Item::Transaction(vec![
                bind(
                    "receipt",
                    insert(
                        "webhook_inbox",
                        &[("event_id", value("call.id"))],
                        OnConflict::Keep { unique: vec![column("event_id")] },
                    ),
                ),
                Item::Match(
                    slot("receipt"),
                    vec![
                        (Outcome::Inserted, vec![]),
                        (Outcome::Present, vec![answer(200, &[("status", text("duplicate"))])]),
                    ],
                ),
                emit("payment_received", &[("order", value("call.order")), ("state", value("call.state"))]),
            ]),
            answer(200, &[("status", text("accepted"))]),
        ],
    };
    let work = Procedure {
        name: ProcedureName::parse("settle_order").unwrap(),
        trigger: Trigger::Event { name: EventName::parse("payment_received").unwrap() },
        body: vec![
            bind("event", Step::Validate(Input::Body(shape("PaymentReceived", &["order", "state"])))),
            Item::Transaction(vec![
                bind(
                    "settled",
                    Step::Write(Write::Update {
                        table: table("orders"),
                        set: vec![(column("status"), Assigned::Value(text("paid")))],
                        filter: vec![
                            equal("id", value("event.order")),
                            Predicate::Not(Box::new(equal("status", text("paid")))),
                        ],
                    }),
                ),
                Item::Match(
                    slot("settled"),
                    vec![
                        (Outcome::Changed, vec![emit("order_paid", &[("order", value("event.order"))])]),
                        (Outcome::Unchanged, vec![]),
                    ],
                ),
            ]),
            Item::Exit(Response::Done, Writes::Keep),
        ],
    };
    check(
        &webhook,
        &expect![[r#"
            procedure receive_payment on webhook of payments at /webhooks/payments
              let call = receive { id, order, state }
              transaction
                let receipt = insert webhook_inbox { event_id: call.id }, keeping a row with the same event_id
                match receipt
                  inserted: go on
                  present:
                    respond 200 { status: "duplicate" }
                emit payment_received { order: call.order, state: call.state }
              respond 200 { status: "accepted" }
        "#]],
    );
    check(
        &work,
        &expect![[r#"
            procedure settle_order on event payment_received
              let event = validate body as PaymentReceived { order, state }
              transaction
                let settled = update orders { status: "paid" } where id = event.order and not (status = "paid")
                match settled
                  changed:
                    emit order_paid { order: event.order }
                  unchanged: go on
              done
        "#]],
    );
}

fn order_holes(selection: Choice) -> Holes {
    Holes {
        filters: vec![
            (column("status"), vec![Comparison::Equal]),
            (column("created_at"), vec![Comparison::Less, Comparison::AtLeast]),
        ],
        sorts: vec![column("created_at"), column("total")],
        selection,
        page: Some(Page { default: 20, max: 100 }),
        ..Holes::default()
    }
}

fn newest_first() -> Vec<Order> {
    vec![Order { column: column("created_at"), direction: Direction::Descending }]
}

/// A query composed at request time, inside what the plan allows.
#[test]
fn filtered_list() {
    let mut orders = query("orders", &["id", "status", "total", "created_at"], vec![], RowLock::None);
    orders.filter = vec![equal("user_id", value("caller.id"))];
    orders.order = newest_first();
    orders.holes = order_holes(Choice::Fixed);
    let procedure = request(
        "list_orders",
        "GET",
        "/api/orders",
        vec![
            bind(
                "caller",
                Step::Authorize {
                    scheme: Scheme::AccessToken,
                    scope: None,
                    role: None,
                    grant: None,
                    failures: Some(policy("default")),
                },
            ),
            Item::Do(Step::Limit { policy: policy("default"), by: LimitKey::Principal }),
            bind("asked", Step::Validate(Input::Listing(orders.holes.clone()))),
            bind("rows", Step::Read { query: orders, cardinality: Cardinality::Many, filled_by: Some(slot("asked")) }),
            Item::Exit(Response::Rows { slot: slot("rows"), format: RowsFormat::Json }, Writes::Keep),
        ],
    );
    check(
        &procedure,
        &expect![[r#"
            procedure list_orders on GET /api/orders
              let caller = authorize by access token, failures count against default
              limit default by principal
              let asked = validate query string for filter (status =, created_at < >=) sort (created_at, total) page (default 20, at most 100)
              let rows = read many orders (id, status, total, created_at) where user_id = caller.id ordered by created_at descending filled by asked
              respond 200 with the rows of rows
        "#]],
    );
}

/// One field of a GraphQL query: the selection decides what is read, nested rows included.
#[test]
fn graphql_operation() {
    let mut orders = query("orders", &["id", "status", "total"], vec![], RowLock::None);
    orders.outputs.push(Output::Related(Box::new(Related {
        field: field("items"),
        local: column("id"),
        foreign: column("order_id"),
        cardinality: Cardinality::Many,
        through: None,
        scopes: Vec::new(),
        query: query("order_items", &["product_id", "quantity", "unit_price"], vec![], RowLock::None),
    })));
    orders.filter = vec![equal("user_id", value("caller.id"))];
    orders.order = newest_first();
    orders.holes = order_holes(Choice::Open);
    let procedure = Procedure {
        name: ProcedureName::parse("query_orders").unwrap(),
        trigger: Trigger::GraphQl { operation: GraphQlOperation::Query, field: field("orders") },
        body: vec![
            bind(
                "caller",
                Step::Authorize {
                    scheme: Scheme::AccessToken,
                    scope: None,
                    role: None,
                    grant: None,
                    failures: Some(policy("default")),
                },
            ),
            Item::Do(Step::Limit { policy: policy("default"), by: LimitKey::Principal }),
            bind("asked", Step::Validate(Input::Selection(orders.holes.clone()))),
            bind("rows", Step::Read { query: orders, cardinality: Cardinality::Many, filled_by: Some(slot("asked")) }),
            Item::Exit(Response::Rows { slot: slot("rows"), format: RowsFormat::Json }, Writes::Keep),
        ],
    };
    check(
        &procedure,
        &expect![[r#"
            procedure query_orders on query orders
              let caller = authorize by access token, failures count against default
              limit default by principal
              let asked = validate query string for filter (status =, created_at < >=) sort (created_at, total) fields page (default 20, at most 100)
              let rows = read many orders (id, status, total, items: many { order_items (product_id, quantity, unit_price) } by order_id = id) where user_id = caller.id ordered by created_at descending filled by asked
              respond 200 with the rows of rows
        "#]],
    );
}

/// What a change asks before it is made: who calls, and whose the record is. What the body brings is taken to be right.
#[test]
fn question() {
    let missing = |writes| vec![problem(Problem::NotFound, writes)];
    let path = |name: &str| Value::Request(RequestValue::Path(field(name)));
    let authorize = Step::Authorize {
        scheme: Scheme::AccessToken,
        scope: None,
        role: None,
        grant: None,
        failures: Some(policy("default")),
    };
    let own = || vec![equal("id", path("id")), equal("user_id", value("caller.user_id"))];
    let procedure = request(
        "share_note",
        "POST",
        "/notes/{id}/shares",
        vec![
            bind("caller", authorize),
            Item::Do(Step::Limit { policy: policy("default"), by: LimitKey::Principal }),
            bind("claim", Step::Claim),
            bind("input", Step::Validate(Input::Body(shape("Share", &["with"])))),
            Item::Transaction(vec![
                Item::Do(Step::Recall(slot("claim"))),
                bind("note", one("notes", &["id", "row_version"], own(), RowLock::ForUpdate)),
                Item::Match(slot("note"), vec![(Outcome::Found, vec![]), (Outcome::Missing, missing(Writes::Undo))]),
                bind("fresh", Step::Check(Condition::Current(value("note.row_version")))),
                Item::Match(
                    slot("fresh"),
                    vec![
                        (Outcome::Yes, vec![]),
                        (Outcome::No, vec![problem(Problem::PreconditionFailed, Writes::Undo)]),
                    ],
                ),
                bind("other", one("users", &["id"], vec![equal("id", value("input.with"))], RowLock::None)),
                Item::Match(
                    slot("other"),
                    vec![
                        (Outcome::Found, vec![]),
                        (Outcome::Missing, vec![Item::Exit(Response::UnknownReference(field("with")), Writes::Undo)]),
                    ],
                ),
                bind(
                    "shared",
                    Step::Write(Write::Update {
                        table: table("notes"),
                        set: vec![(column("shared_at"), Assigned::Value(Value::Now))],
                        filter: [own(), vec![Predicate::Null(column("shared_at"))]].concat(),
                    }),
                ),
                Item::Match(
                    slot("shared"),
                    vec![
                        (Outcome::Changed, vec![]),
                        (Outcome::Unchanged, vec![problem(Problem::WrongState, Writes::Undo)]),
                    ],
                ),
                emit("note_shared", &[("id", value("note.id"))]),
                answer(204, &[]),
            ]),
        ],
    );
    expect![[r#"
        procedure share_note on POST /notes/{id}/shares
          let caller = authorize by access token, failures count against default
          let note = read one notes (id, row_version) where id = request.path.id and user_id = caller.user_id
          match note
            found: go on
            missing:
              respond 404 not-found
          let shared = read one notes (id) where id = request.path.id and user_id = caller.user_id and shared_at is null
          match shared
            found:
              respond 204 {}
            missing:
              respond 409 wrong-state
    "#]]
    .assert_eq(&print::procedure(&question::of(&procedure)));
}

/// What must not be accepted, each with the sentence that says so.
#[test]
fn malformed_procedures_are_refused() {
    let found = |body: Vec<Item>| violations(&request("p", "POST", "/p", body)).join("; ");
    let done = || Item::Exit(Response::Done, Writes::Keep);
    let ask = || bind("row", one("users", &["id"], vec![], RowLock::None));
    let respond = |given: &str| answer(200, &[("id", value(given))]);
    assert_eq!(found(vec![]), "a path does not end in an exit");
    assert_eq!(found(vec![respond("x")]), "slot `x` is used before it is bound");
    assert_eq!(found(vec![ask(), respond("row.id")]), "slot `row` is used before it is matched");
    assert_eq!(
        found(vec![ask(), Item::Match(slot("row"), vec![(Outcome::Found, vec![done()])])]),
        "slot `row` comes out as [Found, Missing], the arms are [Found]"
    );
    assert_eq!(
        found(vec![
            ask(),
            Item::Match(slot("row"), vec![(Outcome::Found, vec![]), (Outcome::Missing, vec![])]),
            respond("row.id")
        ]),
        "slot `row` is used before it is bound"
    );
    assert_eq!(
        found(vec![
            ask(),
            Item::Match(slot("row"), vec![(Outcome::Found, vec![done()]), (Outcome::Missing, vec![respond("row.id")])]),
        ]),
        "slot `row` holds no value here"
    );
    assert_eq!(found(vec![ask(), ask(), done()]), "slot `row` is bound twice");
    assert_eq!(found(vec![done(), done()]), "items after an exit are never reached");
    assert_eq!(found(vec![emit("e", &[]), done()]), "emit outside a transaction");
    assert_eq!(
        found(vec![Item::Transaction(vec![Item::Do(Step::HashPassword(text("x")))]), done()]),
        "hash password inside a transaction"
    );
    assert_eq!(
        found(vec![Item::Transaction(vec![Item::Transaction(vec![])]), done()]),
        "a transaction inside a transaction"
    );
    let recall = || Item::Do(Step::Recall(slot("claim")));
    let recalling = |body: Vec<Item>| found(vec![bind("claim", Step::Claim), Item::Transaction(body), done()]);
    assert_eq!(recalling(vec![recall()]), "a transaction that keeps its answer goes on behind it");
    assert_eq!(recalling(vec![emit("e", &[]), recall()]), "a transaction recalls an answer after its first step");
    assert_eq!(found(vec![Item::Transaction(vec![recall(), done()])]), "slot `claim` is used before it is bound");
}
