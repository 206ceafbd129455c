//! The five operations on the records of one entity, from the plan to the files.

use super::*;
use dialect::{Place, Wanted};
use plan::api::EventDeclaration;
use plan::procedure::{Location, RowsFormat, Scheme};
use plan::query::{Choice, Direction, Order, Page};
use plan::value::RequestValue;

const ENTITY_ENDPOINTS: &str = "apis/shop-api/endpoints.js";
const ENTITY_MIDDLEWARE: &str = "apis/shop-api/middleware.js";
const ITEM: &str = "/api/products/{id}";

/// Create, list, get, update, delete.
pub fn shop() -> Plan {
    let mut plan = sample();
    plan.api.name = "shop".into();
    plan.api.endpoints = vec![
        endpoint("create_product", "POST", "/api/products", "creates a product", creation()),
        endpoint("list_products", "GET", "/api/products", "lists the products", listing(holes())),
        endpoint("get_product", "GET", ITEM, "reads one product", reading()),
        endpoint("update_product", "PATCH", ITEM, "changes one product", changing()),
        endpoint("delete_product", "DELETE", ITEM, "deletes one product", deletion()),
    ];
    plan.api.events = ["product_created", "product_updated", "product_deleted"].map(event).to_vec();
    plan.database.tables.push(products());
    let statement = dialect::create_table(plan.database.engine, &products());
    plan.database.migrations[0].statements.push(statement);
    plan.cases = serde_json::from_value(json!([
        {
            "name": "a product is read as it was made",
            "before": {"method": "POST", "path": "/api/products", "headers": {"x-api-key": "${api_key}"}, "body": {"name": "Lamp"}},
            "request": {"method": "GET", "path": "/api/products/${id}", "headers": {"x-api-key": "${api_key}"}},
            "expect": {"status": 200, "headers": {"etag": "\"1\""}, "body": {"id": "${id}", "name": "Lamp", "active": null}},
        },
        {
            "name": "a product is deleted once",
            "repeat": 2,
            "before": {"method": "POST", "path": "/api/products", "headers": {"x-api-key": "${api_key}"}, "body": {"name": "Lamp"}},
            "request": {"method": "DELETE", "path": "/api/products/${id}", "headers": {"x-api-key": "${api_key}"}},
            "expect": {"status": 404},
        },
    ]))
    .unwrap();
    plan
}

fn endpoint(name: &str, method: &str, path: &str, summary: &str, body: Vec<Item>) -> Endpoint {
    let takes_body = matches!(method, "POST" | "PATCH");
    Endpoint {
        procedure: Procedure {
            name: ProcedureName::parse(name).unwrap(),
            trigger: Trigger::Request { method: method.into(), path: path.into() },
            body,
        },
        entity: EntityName::parse("product").unwrap(),
        summary: summary.into(),
        max_body_bytes: 65_536,
        cache: Cache::NoStore,
        own_rows: false,
        example: if takes_body {
            json!({"name": "Lamp", "note": "lamps@example.com", "stock": 3})
        } else {
            json!(null)
        },
    }
}

fn event(name: &str) -> EventDeclaration {
    let fields = vec![(field("id"), FieldType::Uuid)];
    EventDeclaration { name: EventName::parse(name).unwrap(), also: vec![], fields }
}

const FIELDS: [(&str, FieldType, Nullability); 8] = [
    ("id", FieldType::Uuid, Nullability::NotNull),
    ("name", FieldType::Line { max: 100 }, Nullability::NotNull),
    ("note", FieldType::Email, Nullability::Nullable),
    ("active", FieldType::Boolean, Nullability::Nullable),
    ("stock", FieldType::Integer, Nullability::Nullable),
    ("created_at", FieldType::Timestamp, Nullability::NotNull),
    ("updated_at", FieldType::Timestamp, Nullability::NotNull),
    ("row_version", FieldType::Integer, Nullability::NotNull),
];

fn products() -> Table {
    let columns = FIELDS.map(|(name, field_type, nullability)| Column {
        name: column(name),
        field_type,
        nullability,
        default: None,
        sensitivity: Sensitivity::Plain,
        comment: format!("the {name}"),
    });
    Table {
        name: table("products"),
        comment: "what is sold".into(),
        columns: columns.to_vec(),
        primary_key: vec![column("id")],
        unique: vec![],
        rules: Rules::default(),
    }
}

fn shape() -> Shape {
    let fields = FIELDS[1..5].iter().map(|(name, field_type, nullability)| ShapeField {
        name: field(name),
        field_type: field_type.clone(),
        format: None,
        presence: match nullability {
            Nullability::NotNull => Presence::Required,
            Nullability::Nullable => Presence::Optional,
        },
        min_length: 1,
        max_length: None,
        bounds: vocab::Bounds::default(),
        default: None,
        entries: None,
        words: Vec::new(),
        description: format!("Its {name}."),
    });
    Shape { name: "Product".into(), fields: fields.collect() }
}

fn guards() -> Vec<Item> {
    let policy = PolicyName::parse("default").unwrap();
    vec![
        Item::Do(Step::Authorize {
            scheme: Scheme::ApiKey,
            scope: None,
            role: None,
            grant: None,
            failures: Some(policy.clone()),
        }),
        Item::Do(Step::Limit { policy, by: LimitKey::Principal }),
    ]
}

fn of_path() -> Vec<Predicate> {
    vec![equal("id", Value::Request(RequestValue::Path(field("id"))))]
}

fn find(names: &[&str]) -> Step {
    let Step::Read { mut query, cardinality, filled_by } = read(Cardinality::One, names, of_path()) else {
        unreachable!("that is what it makes")
    };
    query.from = table("products");
    Step::Read { query, cardinality, filled_by }
}

fn all() -> Vec<&'static str> {
    FIELDS.iter().map(|(name, ..)| *name).collect()
}

fn record(status: u16, value: impl Fn(&str) -> Value, tag: Value, location: Option<Location>) -> Item {
    let fields = FIELDS[..7].iter().map(|(name, field_type, _)| ResponseField {
        name: field(name),
        value: value(name),
        field_type: field_type.clone(),
        entries: None,
        description: format!("Its {name}."),
    });
    Item::Exit(Response::Answer { status, body: fields.collect(), tag: Some(tag), location }, Writes::Keep)
}

fn unless_found(name: &str, end: Problem) -> Item {
    either(name, (Outcome::Found, vec![]), (Outcome::Missing, vec![problem(end, Writes::Undo)]))
}

fn unless_current() -> Vec<Item> {
    vec![
        bind("row", find(&["id", "row_version"])),
        unless_found("row", Problem::NotFound),
        bind("current", Step::Check(Condition::Current(value("row.row_version")))),
        either(
            "current",
            (Outcome::Yes, vec![]),
            (Outcome::No, vec![problem(Problem::PreconditionFailed, Writes::Undo)]),
        ),
    ]
}

fn new_value(name: &str) -> Value {
    match name {
        "id" => value("id"),
        "created_at" | "updated_at" => Value::Now,
        "row_version" => number(1),
        name => value(&format!("input.{name}")),
    }
}

fn creation() -> Vec<Item> {
    let values = FIELDS.iter().map(|(name, ..)| (column(name), new_value(name))).collect();
    let insert = Write::Insert { table: table("products"), values, on_conflict: OnConflict::Fail, made: None };
    let mut body = guards();
    body.push(bind("input", Step::Validate(Input::Body(shape()))));
    body.push(bind("id", Step::Generate(Generated::Uuid)));
    body.push(Item::Transaction(vec![
        Item::Do(Step::Write(insert)),
        emit("product_created", &[("id", value("id")), ("active", value("input.active"))]),
    ]));
    let location = Location { path: "/api/products/".into(), key: value("id") };
    body.push(record(201, new_value, number(1), Some(location)));
    body
}

fn holes() -> Holes {
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    Holes {
        filters: vec![
            (column("name"), vec![Equal, NotEqual]),
            (column("active"), vec![Equal]),
            (column("stock"), vec![Equal, NotEqual, Less, AtMost, Greater, AtLeast]),
            (column("created_at"), vec![Greater]),
        ],
        sorts: vec![column("id"), column("name"), column("created_at")],
        selection: Choice::Fixed,
        page: Some(Page { default: 20, max: 100 }),
        ..Holes::default()
    }
}

fn listing(holes: Holes) -> Vec<Item> {
    let Step::Read { mut query, .. } = find(&all()[..7]) else { unreachable!("that is what it makes") };
    query.filter = vec![];
    query.order = vec![Order { column: column("id"), direction: Direction::Descending }];
    query.holes = holes.clone();
    let mut body = guards();
    body.push(bind("asked", Step::Validate(Input::Listing(holes))));
    body.push(bind("rows", Step::Read { query, cardinality: Cardinality::Many, filled_by: Some(slot("asked")) }));
    body.push(Item::Exit(Response::Rows { slot: slot("rows"), format: RowsFormat::Json }, Writes::Keep));
    body
}

fn reading() -> Vec<Item> {
    let mut body = guards();
    body.push(bind("row", find(&all())));
    body.push(unless_found("row", Problem::NotFound));
    body.push(record(200, |name| value(&format!("row.{name}")), value("row.row_version"), None));
    body
}

fn changing() -> Vec<Item> {
    let mut set: Vec<_> =
        FIELDS[1..5].iter().map(|(name, ..)| (column(name), Assigned::IfGiven(slot("input"), field(name)))).collect();
    set.push((column("updated_at"), Assigned::Value(Value::Now)));
    set.push((column("row_version"), Assigned::Plus(1)));
    let mut changes = unless_current();
    changes.push(Item::Do(Step::Write(Write::Update { table: table("products"), set, filter: of_path() })));
    changes.push(bind("fresh", find(&all())));
    changes.push(unless_found("fresh", Problem::InternalError));
    changes.push(emit("product_updated", &[("id", value("fresh.id")), ("active", value("fresh.active"))]));
    let mut body = guards();
    body.push(bind("input", Step::Validate(Input::Changes(shape()))));
    body.push(Item::Transaction(changes));
    body.push(record(200, |name| value(&format!("fresh.{name}")), value("fresh.row_version"), None));
    body
}

fn deletion() -> Vec<Item> {
    let mut changes = unless_current();
    changes.push(Item::Do(Step::Write(Write::Delete { table: table("products"), filter: of_path() })));
    changes.push(emit("product_deleted", &[("id", value("row.id"))]));
    let mut body = guards();
    body.push(Item::Transaction(changes));
    body.push(answer(204, &[], Writes::Keep));
    body
}

fn document(plan: &Plan) -> serde_json::Value {
    serde_json::from_str(&openapi(&[plan])).unwrap()
}

#[test]
fn the_endpoints_of_records() {
    check(
        &shop(),
        ENTITY_ENDPOINTS,
        &expect![[r#"
            // Generated by Integration Producer from task integration_2025_001. You may edit it: an edited file is never overwritten.

            // The endpoints of the shop API. Each is its procedure, step by step; a step that fails throws the problem that the
            // caller is answered with.

            import { authorize } from '../../lib/authorization.js';
            import { etag, isCurrent } from '../../lib/etag.js';
            import { uuidv7 } from '../../lib/identifiers.js';
            import { readPage, validateListing } from '../../lib/listing.js';
            import { respondList } from '../../lib/page.js';
            import { Problem } from '../../lib/problem.js';
            import { respond } from '../../lib/response.js';
            import { validate, validateChanges } from '../../lib/validation.js';
            import { createMiddleware, product, productList } from './middleware.js';

            const insertProduct = `INSERT INTO products (id, name, note, active, stock, created_at, updated_at, row_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;

            const listProducts = `SELECT id, name, note, active, stock, created_at, updated_at FROM products`;

            const findProduct = `SELECT id, name, note, active, stock, created_at, updated_at, row_version FROM products WHERE id = ?`;

            const findProductRowVersion = `SELECT id, row_version FROM products WHERE id = ?`;

            const changeProduct = `UPDATE products SET name = CASE WHEN ? THEN ? ELSE name END, note = CASE WHEN ? THEN ? ELSE note END, active = CASE WHEN ? THEN ? ELSE active END, stock = CASE WHEN ? THEN ? ELSE stock END, updated_at = ?, row_version = row_version + (1) WHERE id = ?`;

            const deleteProduct = `DELETE FROM products WHERE id = ?`;

            /**
             * @param {{ database: import('../../lib/database.js').Database, metrics: object,
             *   counts?: import('../../lib/counts.js').Counts }} parts
             */
            export function registerEndpoints(application, { database, metrics, counts }) {
              const { keys, limits, outbox } = createMiddleware({ database, metrics, counts });

              // POST /api/products: creates a product. Emits `product_created`.
              application.route('POST', '/api/products', async (request) => {
                const caller = await authorize(request, keys, limits.default);
                limits.default.take(request, caller);
                const input = await validate(request, product);
                const id = uuidv7();

                await database.transaction(async (transaction) => {
                  await transaction.run(insertProduct, [
                    id,
                    input.name,
                    input.note,
                    input.active,
                    input.stock,
                    request.receivedAt,
                    request.receivedAt,
                    1,
                  ]);
                  await outbox.emit(transaction, 'product_created', { id, active: input.active }, request.receivedAt);
                });

                return respond(
                  201,
                  {
                    id,
                    name: input.name,
                    note: input.note,
                    active: input.active,
                    stock: input.stock,
                    created_at: request.receivedAt,
                    updated_at: request.receivedAt,
                  },
                  { ETag: etag(1), Location: `/api/products/${id}` },
                );
              });

              // GET /api/products: lists the products.
              application.route('GET', '/api/products', async (request) => {
                const caller = await authorize(request, keys, limits.default);
                limits.default.take(request, caller);
                const asked = validateListing(request, productList);
                const rows = await readPage(database, asked, listProducts);
                return respondList(request, rows, productList);
              });

              // GET /api/products/{id}: reads one product.
              application.route('GET', '/api/products/{id}', async (request) => {
                const caller = await authorize(request, keys, limits.default);
                limits.default.take(request, caller);
                const row = await database.optional(findProduct, [request.parameters.id], { active: { kind: 'boolean' } });
                if (!row) throw new Problem('not_found');
                return respond(
                  200,
                  {
                    id: row.id,
                    name: row.name,
                    note: row.note,
                    active: row.active,
                    stock: row.stock,
                    created_at: row.created_at,
                    updated_at: row.updated_at,
                  },
                  { ETag: etag(row.row_version) },
                );
              });

              // PATCH /api/products/{id}: changes one product. Emits `product_updated`.
              application.route('PATCH', '/api/products/{id}', async (request) => {
                const caller = await authorize(request, keys, limits.default);
                limits.default.take(request, caller);
                const input = await validateChanges(request, product);

                let fresh;
                await database.transaction(async (transaction) => {
                  const row = await transaction.optional(findProductRowVersion, [request.parameters.id]);
                  if (!row) throw new Problem('not_found');
                  const current = isCurrent(request, row.row_version);
                  if (!current) throw new Problem('precondition_failed');
                  await transaction.run(changeProduct, [
                    input.name !== undefined,
                    input.name,
                    input.note !== undefined,
                    input.note,
                    input.active !== undefined,
                    input.active,
                    input.stock !== undefined,
                    input.stock,
                    request.receivedAt,
                    request.parameters.id,
                  ]);
                  fresh = await transaction.optional(findProduct, [request.parameters.id], { active: { kind: 'boolean' } });
                  if (!fresh) throw new Problem('internal_error');
                  await outbox.emit(transaction, 'product_updated', { id: fresh.id, active: fresh.active }, request.receivedAt);
                });

                return respond(
                  200,
                  {
                    id: fresh.id,
                    name: fresh.name,
                    note: fresh.note,
                    active: fresh.active,
                    stock: fresh.stock,
                    created_at: fresh.created_at,
                    updated_at: fresh.updated_at,
                  },
                  { ETag: etag(fresh.row_version) },
                );
              });
              application.acceptsPatches('/api/products/{id}', ['application/merge-patch+json', 'application/json']);

              // DELETE /api/products/{id}: deletes one product. Emits `product_deleted`.
              application.route('DELETE', '/api/products/{id}', async (request) => {
                const caller = await authorize(request, keys, limits.default);
                limits.default.take(request, caller);

                await database.transaction(async (transaction) => {
                  const row = await transaction.optional(findProductRowVersion, [request.parameters.id]);
                  if (!row) throw new Problem('not_found');
                  const current = isCurrent(request, row.row_version);
                  if (!current) throw new Problem('precondition_failed');
                  await transaction.run(deleteProduct, [request.parameters.id]);
                  await outbox.emit(transaction, 'product_deleted', { id: row.id }, request.receivedAt);
                });

                return respond(204);
              });
            }
        "#]],
    );
}

#[test]
fn the_middleware_of_records() {
    check(
        &shop(),
        ENTITY_MIDDLEWARE,
        &expect![[r#"
            // Generated by Integration Producer from task integration_2025_001. You may edit it: an edited file is never overwritten.

            // What the endpoints of this API share: its API keys, its rate limits, its outbox, the shapes of its bodies and what
            // its lists may be asked.

            import { ApiKeys } from '../../lib/api-keys.js';
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
                outbox: new Outbox({ onEmitted: (event) => metrics.outboxEvents.inc({ event }) }),
              };
            }

            /** The body of POST /api/products and PATCH /api/products/{id}. */
            export const product = [
              { name: 'name', kind: 'line', required: true, maximum: 100 },
              { name: 'note', kind: 'email' },
              { name: 'active', kind: 'boolean' },
              { name: 'stock', kind: 'integer' },
            ];

            /** What GET /api/products may be asked. */
            export const productList = {
              columns: {
                id: { kind: 'uuid' },
                name: { kind: 'line', maximum: 100, comparisons: ['eq', 'ne'] },
                note: { kind: 'email' },
                active: { kind: 'boolean', comparisons: ['eq'] },
                stock: { kind: 'integer', comparisons: ['eq', 'ne', 'lt', 'lte', 'gt', 'gte'] },
                created_at: { kind: 'timestamp', comparisons: ['gt'] },
                updated_at: { kind: 'timestamp' },
              },
              sorts: ['id', 'name', 'created_at'],
              order: '-id',
              page: { default: 20, maximum: 100 },
              position: 'instr(lower(#), lower(?))',
            };
        "#]],
    );
}

/// The same API on a server that tells types apart.
#[test]
fn an_application_is_made_for_the_engine_of_its_plan() {
    let mut plan = shop();
    plan.database.engine = vocab::Engine::PostgreSql;
    let variable = plan::database::LocationPart::Environment("SHOP_DATABASE_URL".into());
    plan.database.connection = plan::database::Connection::Location(vec![variable]);
    let files = files(&plan).unwrap();
    assert!(files.contains_key("lib/database/postgresql.js") && !files.contains_key("lib/database/sqlite.js"));
    let package: serde_json::Value = serde_json::from_str(&files["package.json"]).unwrap();
    let packages: Vec<&String> = package["dependencies"].as_object().unwrap().keys().collect();
    assert_eq!(packages, ["express", "pg", "prom-client", "swagger-ui-dist"]);
    let endpoints = &files["apis/shop-api/endpoints.js"];
    assert!(endpoints.contains("database.optional(findProduct, [uuidOrNull(request.parameters.id)]);"), "{endpoints}");
    assert!(endpoints.contains("FROM products WHERE id = $1`;"), "{endpoints}");
    assert!(!endpoints.contains("kind: 'boolean'"), "it comes back as what it is");
    let compose = &files["compose.yaml"];
    assert!(compose.contains("postgresql://app:${DATABASE_PASSWORD}@db:5432/app"), "{compose}");
    assert!(compose.contains("condition: service_healthy") && compose.contains("- SHOP_DATABASE_URL"), "{compose}");
    let made_for_it = ["README.md", ".env.example", "databases/connection-config.js", "test/scratch-database.js"];
    for path in made_for_it {
        assert!(!files[path].to_ascii_lowercase().contains("sqlite"), "{path}: {}", files[path]);
    }
}

/// A server that knows fewer types, and names nobody may take for others.
#[test]
fn an_application_for_mysql_says_what_values_are() {
    let mut plan = shop();
    plan.database.engine = vocab::Engine::MySql;
    let files = files(&plan).unwrap();
    let others = ["lib/database/sqlite.js", "lib/database/postgresql.js"];
    assert!(files.contains_key("lib/database/mysql.js") && !others.iter().any(|path| files.contains_key(*path)));
    let package: serde_json::Value = serde_json::from_str(&files["package.json"]).unwrap();
    let packages: Vec<&String> = package["dependencies"].as_object().unwrap().keys().collect();
    assert_eq!(packages, ["express", "mysql2", "prom-client", "swagger-ui-dist"]);
    let endpoints = &files["apis/shop-api/endpoints.js"];
    assert!(endpoints.contains("[uuidOrNull(request.parameters.id)], {"), "{endpoints}");
    assert!(endpoints.contains("FROM \"products\" WHERE \"id\" = ?`;"), "{endpoints}");
    assert!(endpoints.contains("kind: 'boolean'"), "{endpoints}");
    assert!(
        files["compose.yaml"].contains("mysql://app:${DATABASE_PASSWORD}@db:3306/app"),
        "{}",
        files["compose.yaml"]
    );
    for path in ["README.md", ".env.example", "databases/connection-config.js", "test/scratch-database.js"] {
        let text = files[path].to_ascii_lowercase();
        assert!(!text.contains("sqlite") && !text.contains("postgresql"), "{path}: {text}");
    }
}

/// What one server is at, the other waits for.
#[test]
fn both_servers_hold_a_claim_in_the_same_way() {
    let held = |engine| dialect::lower_answers(engine).unwrap().hold.unwrap().replace("$1", "?");
    for (engine, lib) in [
        (vocab::Engine::PostgreSql, include_str!("../../node/lib/database/postgresql.js")),
        (vocab::Engine::MySql, include_str!("../../node/lib/database/mysql.js")),
    ] {
        assert!(lib.contains(&format!("`{}`", held(engine))), "{}", held(engine));
    }
}

/// `lib/listing.js` composes statements at request time; its tests hold the texts that the dialect makes of the same.
#[test]
fn lists_are_asked_for_as_the_dialect_does() {
    let lib = include_str!("../../node/lib/test/listing.test.js").replace('"', "");
    let order = |columns: &[&str], direction| -> Vec<Order> {
        columns.iter().map(|name| Order { column: column(name), direction }).collect()
    };
    let text = |value: &str| Datum::Text(value.into());
    let Step::Read { mut query, .. } = read(Cardinality::Many, &["id", "name", "active", "stock"], vec![]) else {
        unreachable!("that is what it makes")
    };
    query.from = table("products");
    let database = plan::DatabasePlan {
        engine: vocab::Engine::Sqlite,
        connection: plan::database::Connection::Embedded,
        tables: Vec::new(),
        pool: plan::database::Pool::default(),
        migrations: Vec::new(),
    };
    let mut expected = |has_filter: bool, asked: dialect::Listing| {
        query.filter = if has_filter { vec![equal("shop", number(1))] } else { vec![] };
        let base = dialect::lower_listing_base(&database, &query).unwrap();
        let (sql, _) = dialect::lower_listing(&database, &query, &base.text, &asked);
        assert!(lib.contains(&format!("sql: '{}',", sql.replace('"', ""))), "{sql}");
    };
    let filters = vec![];
    let listing = |filters, order, after, limit| dialect::Listing { filters, order, after, offset: 0, limit };
    expected(false, listing(filters.clone(), order(&["id"], Direction::Descending), None, 21));
    expected(false, listing(filters, order(&["id"], Direction::Descending), Some(vec![text("7")]), 4));
    let filters = vec![
        Wanted::Compare(column("order"), Comparison::Equal, Datum::Integer(1)),
        Wanted::Compare(column("stock"), Comparison::NotEqual, Datum::Integer(2)),
    ];
    let after = Some(vec![text("x"), text("7")]);
    expected(false, listing(filters, order(&["name", "id"], Direction::Ascending), after, 21));
    let filters = vec![Wanted::Compare(column("stock"), Comparison::Less, Datum::Integer(9))];
    let after = Some(vec![Datum::Integer(5), text("7")]);
    expected(true, listing(filters, order(&["stock", "id"], Direction::Descending), after, 21));
    let is_long = Wanted::Holds(column("name"), Place::Anywhere, text("lamp"));
    let begins = Wanted::Holds(column("name"), Place::Beginning, text("a"));
    let filters = vec![Wanted::Any(vec![
        Wanted::All(vec![Wanted::OneOf(column("stock"), vec![Datum::Integer(1), Datum::Integer(2)]), is_long]),
        Wanted::Not(Box::new(Wanted::Any(vec![Wanted::Null(column("active")), begins]))),
    ])];
    let mut levels = order(&["stock"], Direction::Descending);
    levels.extend(order(&["name", "id"], Direction::Ascending));
    let after = Some(vec![Datum::Integer(5), text("x"), text("7")]);
    expected(false, listing(filters, levels, after, 21));
}

#[test]
fn lists_that_would_lose_rows_are_refused() {
    let refused = |change: &dyn Fn(&mut Holes)| {
        let mut holes = holes();
        change(&mut holes);
        let mut plan = shop();
        plan.api.endpoints[1].procedure.body = listing(holes);
        files(&plan).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&|holes| holes.sorts.push(column("stock"))),
        "procedure `list_products` is malformed: it sorts by `stock`, which may be null"
    );
    assert_eq!(
        refused(&|holes| holes.sorts.push(column("row_version"))),
        "procedure `list_products` is malformed: the list is in the order of `row_version` and does not give it"
    );
    assert_eq!(
        refused(&|holes| holes.filters.push((column("size"), vec![Comparison::Equal]))),
        "procedure `list_products` is malformed: table `products` has no column `size`"
    );
    assert_eq!(
        refused(&|holes| holes.page = None),
        "procedure `list_products`: the Node.js application cannot do `list without pages`"
    );
}

#[test]
fn changes_are_named_apart_from_the_record_where_their_shape_is_another() {
    let mut plan = shop();
    let mut other = shape();
    other.fields.pop();
    plan.api.endpoints[3].procedure.body[2] = bind("input", Step::Validate(Input::Changes(other)));
    let Item::Transaction(items) = &mut plan.api.endpoints[3].procedure.body[3] else { panic!("the transaction") };
    let Item::Do(Step::Write(Write::Update { set, .. })) = &mut items[4] else { panic!("the update") };
    set.remove(3);
    let middleware = &files(&plan).unwrap()[ENTITY_MIDDLEWARE];
    assert!(middleware.contains("/** The body of POST /api/products. */\nexport const product = ["));
    assert!(middleware.contains("/** The body of PATCH /api/products/{id}. */\nexport const productChanges = ["));
}

#[test]
fn records_in_the_openapi_document() {
    let mut plan = shop();
    let document31 = document(&plan);
    let statuses: Vec<String> = ["/api/products", ITEM]
        .iter()
        .flat_map(|path| document31["paths"][path].as_object().unwrap())
        .map(|(method, operation)| {
            let responses = operation["responses"].as_object().unwrap();
            format!("{method} {}", responses.keys().cloned().collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert_eq!(
        statuses,
        [
            "post 201 400 401 408 413 415 422 429 500 503",
            "get 200 304 400 401 422 429 500 503",
            "get 200 304 400 401 404 429 500 503",
            "patch 200 400 401 404 408 412 413 415 422 429 500 503",
            "delete 204 400 401 404 412 429 500 503",
        ]
    );
    let parameters = |path: &str, method: &str| -> Vec<String> {
        let list = document31["paths"][path][method]["parameters"].as_array().unwrap().iter();
        list.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(parameters(ITEM, "get"), ["id", "If-None-Match"]);
    assert_eq!(parameters(ITEM, "patch"), ["id", "If-Match"]);
    assert_eq!(
        parameters("/api/products", "get").join(" "),
        "limit sort cursor name name[ne] active stock stock[ne] stock[lt] stock[lte] stock[gt] stock[gte] created_at[gt] filter If-None-Match"
    );
    let names: Vec<&String> = document31["components"]["schemas"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["Problem", "Product", "ProductRecord", "ProductChanges"]);
    let changes = &document31["components"]["schemas"]["ProductChanges"];
    assert_eq!(changes.get("required"), None);
    assert_eq!(changes["properties"]["name"]["type"], json!("string"));
    assert_eq!(changes["properties"]["stock"]["type"], json!(["integer", "null"]));
    let items = "/paths/~1api~1products/get/responses/200/content/application~1json/schema/properties/items/items";
    assert_eq!(document31.pointer(items).unwrap(), &json!({"$ref": "#/components/schemas/ProductRecord"}));
    let headers = document31["paths"]["/api/products"]["post"]["responses"]["201"]["headers"].as_object().unwrap();
    assert_eq!(
        headers.keys().collect::<Vec<_>>(),
        ["X-Request-Id", "RateLimit", "RateLimit-Policy", "ETag", "Location"]
    );
    plan.api.documentation = DocumentationFormat::OpenApi30;
    let document30 = document(&plan);
    let stock = &document30["components"]["schemas"]["ProductChanges"]["properties"]["stock"];
    assert_eq!((stock["type"].clone(), stock["nullable"].clone()), (json!("integer"), json!(true)));
    let next = "/paths/~1api~1products/get/responses/200/content/application~1json/schema/properties/next/nullable";
    assert_eq!(document30.pointer(next), Some(&json!(true)));
}

/// What a value must be is told whole: a document that is laxer than the servers sends callers into errors.
#[test]
fn values_in_the_openapi_document() {
    let document = document(&shop());
    let schemas = &document["components"]["schemas"];
    expect![[r#"
        {
          "type": "string",
          "maxLength": 100,
          "minLength": 1,
          "pattern": "^[\\t-\\r ]*[^\\x00-\\x20\\x7f][^\\x00-\\x1f\\x7f]*[\\t-\\r ]*$",
          "description": "Its name."
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&schemas["Product"]["properties"]["name"]).unwrap());
    let stock = &schemas["Product"]["properties"]["stock"];
    assert_eq!(stock["maximum"], json!(9_007_199_254_740_991_i64));
    assert_eq!(stock["minimum"], json!(-9_007_199_254_740_991_i64));
    let rate_limited = &document["components"]["responses"]["TooManyRequests"];
    let example = &rate_limited["content"]["application/problem+json"]["examples"]["rate-limited"]["value"];
    assert_eq!(example["detail"], json!("at most 100 requests per 60 seconds"));
    let too_large = &document["components"]["responses"]["BodyTooLarge"]["content"]["application/problem+json"];
    assert_eq!(
        too_large["examples"]["body-too-large"]["value"]["detail"],
        json!("the body may have at most 65536 bytes")
    );
}

#[test]
fn records_in_the_documents() {
    let files = files(&shop()).unwrap();
    let documentation = &files["apis/shop-api/documentation.md"];
    for line in [
        "export PRODUCT_ID=put_it_here",
        "| `PRODUCT_ID` | the `id` of a record | `POST /api/products` |",
        "curl --include --request DELETE \"$BASE_URL/api/products/$PRODUCT_ID\" \\",
        "| `stock` | query | whole number | Only rows whose `stock` is this. Also with `[ne]`, `[lt]`, `[lte]`, `[gt]`, `[gte]`. |",
        "| `If-Match` | header | tag | The `ETag` of the record as the caller knows it: 412 where it has changed since. |",
        "| `name` | text, one line, at most 100 characters | no, and not null | Its name. |",
        "Answer 204, without a body.",
    ] {
        assert!(documentation.lines().any(|known| known == line), "{line}\n{documentation}");
    }
    assert!(
        files["documentation/api-reference.md"]
            .contains("| GET | `/api/products` | lists the products | yes | `default` | 200, 304 |")
    );
}
