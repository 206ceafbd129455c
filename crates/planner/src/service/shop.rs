//! What the endpoints have in common that a provider brings to a shop: the point that they wait for, rows of its tables, steps that
//! end a request where something does not hold.

use crate::behaviour::{caller, field_name, is_callers, slot};
use crate::body_size::max_body_bytes;
use crate::key::{Origin, RecordKey};
use crate::table::column_name;
use catalog::{Catalog, Entity};
use manifest::point::{Calls, Given};
use plan::api::{Cache, Endpoint, EventDeclaration};
use plan::database::{Column, Nullability};
use plan::procedure::{Generated, Item, Outcome, Procedure, Response, ResponseField, Step, Trigger, Writes};
use plan::query::{Add, Assigned, Cardinality, Holes, OnConflict, Output, Predicate, RowLock, Write};
use plan::service::field_type;
use plan::shape::{Presence, ShapeField};
use plan::value::{Comparison, Condition, RequestValue};
use plan::{Problem, Query, Table, Value, check};
use vocab::{Bounds, ColumnName, Datum, EntityName, EventName, FieldName, FieldType, ProcedureName, TaskId};

/// How long a caller waits for the provider before he is told where to ask again, in milliseconds.
pub(super) const WITHIN_MS: u32 = 8000;

/// Endpoints with the event that they tell of, and the tables that they stand on.
pub struct Brought {
    pub endpoints: Vec<Endpoint>,
    pub event: EventDeclaration,
    pub tables: Vec<Table>,
}

/// The point of a manifest that endpoints wait for.
#[derive(Clone, Copy)]
pub struct Awaited<'a> {
    /// The task that integrates the service.
    pub by: &'a TaskId,
    pub event: &'a EventName,
    pub calls: &'a Calls,
    /// What the provider calls itself.
    pub title: &'a str,
}

impl Awaited<'_> {
    /// Waits for what is done at the event with that id.
    pub(super) fn wait(&self, id: Value, within_ms: u32) -> Step {
        let (event, by) = (self.event.clone(), self.by.clone());
        Step::Await { id, event, by, gives: self.calls.gives.clone(), within_ms }
    }

    /// Behind the transaction that has told of it under the id in slot `id`: waits, and answers 201 with what the provider gives, 502
    /// where it refuses, which gives the record up, or 202 where nobody knows yet.
    pub(super) fn waited(
        &self,
        given_up: Vec<Item>,
        answer: &dyn Fn(u16, Vec<ResponseField>) -> Response,
    ) -> Vec<Item> {
        let given_up = (!given_up.is_empty()).then_some(Item::Transaction(given_up));
        let refused = Item::Exit(Response::Problem(Problem::ServiceRefused), Writes::Keep);
        let answered = vec![Item::Transaction(vec![Item::Exit(answer(201, self.given()), Writes::Keep)])];
        vec![
            Item::Let(slot("page"), self.wait(Value::Slot(slot("id")), WITHIN_MS)),
            Item::Match(
                slot("page"),
                vec![
                    (Outcome::Answered, answered),
                    (Outcome::Refused, given_up.into_iter().chain([refused]).collect()),
                    (Outcome::Unknown, Vec::new()),
                ],
            ),
            Item::Exit(answer(202, Vec::new()), Writes::Keep),
        ]
    }

    /// How the row stands whose id is in the path, and what the provider has given for it by now. Where `whose` is a column, it is
    /// the caller's row or none.
    pub(super) fn standing(
        &self,
        table: &Table,
        whose: Option<&ColumnName>,
        names: &[&str],
        fields: &[ResponseField],
    ) -> Vec<Item> {
        let key = Value::Request(RequestValue::Path(field_name("id")));
        let missing = Item::Exit(Response::Problem(Problem::NotFound), Writes::Undo);
        let mut query = one(table, names, "id", key);
        query.filter.extend(whose.map(is_callers));
        let mut items: Vec<Item> = find("row", query, missing).into();
        let answer = |given: Vec<ResponseField>| {
            let body = fields.iter().cloned().chain(given).collect();
            Item::Exit(Response::Answer { status: 200, body, tag: None, location: None }, Writes::Keep)
        };
        items.extend([
            Item::Let(slot("page"), self.wait(Value::Field(slot("row"), field_name("id")), 0)),
            Item::Match(
                slot("page"),
                vec![
                    (Outcome::Answered, vec![answer(self.given())]),
                    (Outcome::Refused, Vec::new()),
                    (Outcome::Unknown, Vec::new()),
                ],
            ),
            answer(Vec::new()),
        ]);
        items
    }

    /// What the provider answers, out of the slot `page`.
    pub(super) fn given(&self) -> Vec<ResponseField> {
        let field = |(name, given): (&FieldName, &Given)| ResponseField {
            name: name.clone(),
            value: Value::Field(slot("page"), name.clone()),
            field_type: field_type(given.kind),
            entries: None,
            description: given.about.clone().unwrap_or_else(|| format!("As {} says it.", self.title)),
        };
        self.calls.gives.iter().map(field).collect()
    }
}

/// Who pays for a row: whoever calls, or another row, found or made by its address, where rows of the table lead to one.
pub struct Buyer<'a> {
    pub table: Option<&'a Table>,
    /// The column that leads there.
    pub column: Option<&'a ColumnName>,
    /// The people who sign in, where one of them calls.
    pub users: Option<&'a Table>,
}

impl<'a> Buyer<'a> {
    /// Where rows of the table lead.
    ///
    /// # Errors
    /// Why a row cannot be made: it must lead to what is not found by an address.
    pub fn of(table: &'a Table, held: &'a [Table]) -> Result<Self, String> {
        let leads = table.rules.foreign_keys.iter().filter_map(|key| match &key.columns[..] {
            [column] => Some((column, &key.table)),
            _ => None,
        });
        for (column, target) in leads {
            let found_by_address = held.iter().find(|held| held.name == *target).filter(|held| {
                held.unique.iter().any(|unique| matches!(&unique[..], [only] if only.as_str() == "email"))
                    && RecordKey::of(held).is_some_and(|key| key.origin == Origin::Server)
            });
            match found_by_address {
                Some(table) => return Ok(Self { table: Some(table), column: Some(column), users: None }),
                None if is_needed(table, column) => {
                    return Err(format!(
                        "every row of `{}` leads to one of `{target}`, which is not found by an address",
                        table.name
                    ));
                }
                None => {}
            }
        }
        Ok(Self { table: None, column: None, users: None })
    }

    /// One of the users, who calls. `owner` is the column that says whose a row is.
    ///
    /// # Errors
    /// As [`Self::of`], where rows of the table lead to somebody else.
    pub fn caller(
        table: &'a Table,
        owner: Option<&ColumnName>,
        users: &'a Table,
        held: &'a [Table],
    ) -> Result<Self, String> {
        let owner = table.columns.iter().map(|column| &column.name).find(|name| owner == Some(*name));
        let found =
            if owner.is_some() { Self { table: None, column: owner, users: None } } else { Self::of(table, held)? };
        Ok(Self { users: Some(users), ..found })
    }

    /// Where to write to.
    pub fn address(&self) -> Value {
        Value::Field(slot(if self.users.is_some() { "account" } else { "input" }), field_name("email"))
    }

    /// What to call them, where anybody has said it.
    pub fn name(&self) -> Value {
        let said = Value::Field(slot("input"), field_name("name"));
        match self.users.filter(|users| column(users, "name").is_some()) {
            Some(_) => Value::Else(Box::new(said), Box::new(Value::Field(slot("account"), field_name("name")))),
            None => said,
        }
    }

    /// `let account = ...`: the caller's own row.
    fn account(&self) -> Vec<Item> {
        let missing = Item::Exit(Response::Problem(Problem::NotFound), Writes::Undo);
        let find = |users| find("account", one(users, &["id", "email", "name"], "id", caller()), missing);
        self.users.map_or_else(Vec::new, |users| find(users).into())
    }

    /// `let buyer = ...`: the row with the address of the input, made where there is none.
    pub fn find(&self) -> Result<Vec<Item>, String> {
        let Some(table) = self.table else { return Ok(self.account()) };
        let (address, name) = (self.address(), self.name());
        let row = row(table, |column| match column {
            "id" => Some(Value::Slot(slot("buyer_id"))),
            "email" => Some(address.clone()),
            "name" => Some(Value::Else(Box::new(name.clone()), Box::new(address.clone()))),
            _ => None,
        })?;
        let query = one(table, &["id"], "email", address.clone());
        let keep = OnConflict::Keep { unique: vec![column_name("email")] };
        let missing = Item::Exit(Response::Problem(Problem::InternalError), Writes::Undo);
        let mut found = self.account();
        found
            .extend([Item::Let(slot("buyer_id"), Step::Generate(Generated::Uuid)), Item::Do(insert(table, row, keep))]);
        found.extend(find("buyer", query, missing));
        Ok(found)
    }

    /// The id of that row.
    pub fn id(&self) -> Value {
        if self.table.is_none() { caller() } else { Value::Field(slot("buyer"), field_name("id")) }
    }
}

/// The columns of that name of the row in which one of them has a value.
pub(super) fn one(table: &Table, names: &[&str], by: &str, value: Value) -> Query {
    let columns = names.iter().filter_map(|name| column(table, name));
    let output =
        |column: &Column| Output::Column { column: column.name.clone(), field: field_name(column.name.as_str()) };
    Query {
        from: table.name.clone(),
        outputs: columns.map(output).collect(),
        filter: vec![Predicate::Compare(column_name(by), Comparison::Equal, value)],
        order: Vec::new(),
        holes: Holes::default(),
        lock: RowLock::None,
    }
}

/// Reads a row, or ends so where there is none.
pub(super) fn find(name: &str, query: Query, missing: Item) -> [Item; 2] {
    let read = Step::Read { query, cardinality: Cardinality::One, filled_by: None };
    let arms = vec![(Outcome::Found, Vec::new()), (Outcome::Missing, vec![missing])];
    [Item::Let(slot(name), read), Item::Match(slot(name), arms)]
}

/// An endpoint of a method and a path.
pub(super) fn endpoint(
    name: &str,
    (method, path): (&str, &str),
    body: Vec<Item>,
    entity: &EntityName,
    (summary, example): (String, serde_json::Value),
) -> Endpoint {
    let max_body_bytes = max_body_bytes(&body);
    let procedure = Procedure {
        name: ProcedureName::parse(name).expect("a literal that is a name"),
        trigger: Trigger::Request { method: method.to_owned(), path: path.to_owned() },
        body,
    };
    let violations = check::violations(&procedure);
    assert!(violations.is_empty(), "what a provider brings lowers to a well formed procedure: {violations:?}");
    Endpoint {
        procedure,
        entity: entity.clone(),
        summary,
        max_body_bytes,
        example,
        cache: Cache::NoStore,
        own_rows: false,
    }
}

/// A row of the table: what is known of a column, the times and the first version, and nothing where the database fills it.
pub(super) fn row(table: &Table, known: impl Fn(&str) -> Option<Value>) -> Result<Vec<(ColumnName, Value)>, String> {
    let mut row = Vec::new();
    for column in &table.columns {
        let name = column.name.as_str();
        let value = known(name).or_else(|| match name {
            "created_at" | "updated_at" => Some(Value::Now),
            "row_version" => Some(Value::Literal(Datum::Integer(1))),
            _ => None,
        });
        match value {
            Some(value) => row.push((column.name.clone(), value)),
            None if is_needed(table, &column.name) => {
                return Err(format!("nobody says `{name}` of a new row of `{}`", table.name));
            }
            None => {}
        }
    }
    Ok(row)
}

/// Whether a row must say the column.
pub(super) fn is_needed(table: &Table, name: &ColumnName) -> bool {
    let is_open = |column: &&Column| column.nullability == Nullability::NotNull && column.default.is_none();
    table.columns.iter().filter(is_open).any(|column| column.name == *name)
}

pub(super) fn column<'t>(table: &'t Table, name: &str) -> Option<&'t Column> {
    table.columns.iter().find(|column| column.name.as_str() == name)
}

pub(super) fn insert(table: &Table, values: Vec<(ColumnName, Value)>, on_conflict: OnConflict) -> Step {
    Step::Write(Write::Insert { table: table.name.clone(), values, on_conflict, made: None })
}

/// A field of an answer, where the table has it.
pub(super) fn described(table: &Table, entity: &Entity, name: &str, value: Value) -> Option<ResponseField> {
    let column = column(table, name)?;
    let known = entity.fields.iter().find(|field| field.name.as_str() == name);
    let description =
        known.map_or_else(|| format!("Names the {}; sorts by time.", entity.entity), |field| field.description.clone());
    Some(ResponseField {
        name: field_name(name),
        value,
        field_type: column.field_type.clone(),
        entries: None,
        description,
    })
}

/// The row in slot `id` becomes something else, where it still is as it was made; where it does, that is done.
pub(super) fn given_up(table: &Table, (from, to): (&str, &str), then: Option<Vec<Item>>) -> Vec<Item> {
    let Some(write) = becomes(table, from, to) else { return Vec::new() };
    match then {
        None => vec![Item::Do(write)],
        Some(then) => vec![
            Item::Let(slot("given_up"), write),
            Item::Match(slot("given_up"), vec![(Outcome::Changed, then), (Outcome::Unchanged, Vec::new())]),
        ],
    }
}

/// What there is of a product: a whole number that counts it. One that is null counts nothing.
pub(super) fn stock(products: &Table) -> Option<&Column> {
    let columns = STOCK.iter().filter_map(|name| column(products, name));
    columns.into_iter().find(|column| column.field_type == FieldType::Integer)
}

/// What such a number is called.
const STOCK: [&str; 7] =
    ["stock", "stock_quantity", "quantity_in_stock", "stock_level", "quantity_available", "inventory", "quantity"];

/// What a line of an order has taken of its product and not put back: with it a line puts back once, whatever its order becomes.
pub(super) fn stock_taken(items: &Table) -> Option<&Column> {
    column(items, "id")?;
    column(items, "stock_taken").filter(|column| column.field_type == FieldType::Integer)
}

/// The lines of orders, and the products of which they take.
#[derive(Clone, Copy)]
pub struct Shelves<'a> {
    pub items: &'a Table,
    pub products: &'a Table,
}

impl<'a> Shelves<'a> {
    /// Those of the database, where it has both.
    pub fn of(catalog: &Catalog, held: &'a [Table]) -> Option<Self> {
        let table = |name: &str| {
            let entity = catalog.entity(&EntityName::parse(name).ok()?)?;
            held.iter().find(|table| table.name == entity.table)
        };
        Some(Self { items: table("order_item")?, products: table("product")? })
    }

    /// Those of which the records have taken, where they are orders of them: a line knows how much that was, and what is kept of the
    /// order tells how far it is.
    pub fn of_orders(catalog: &Catalog, held: &'a [Table], entity: &EntityName, orders: &Table) -> Option<Self> {
        let is_order =
            entity.as_str() == "order" && catalog.entity(entity).is_some_and(|known| known.table == orders.name);
        let has_status = matches!(&column(orders, "status")?.field_type, FieldType::Choice { words } if words.iter().any(|word| word == "cancelled"));
        let shelves = Self::of(catalog, held).filter(|_| is_order && has_status)?;
        stock_taken(shelves.items).and(stock(shelves.products)).map(|_| shelves)
    }

    /// What the lines of the order had taken is there again; none where nothing is counted.
    pub fn put_back(self, order: Value) -> Option<Vec<Item>> {
        let Self { items, products } = self;
        let taken = stock_taken(items);
        let mut filter = vec![Predicate::Compare(column(items, "order_id")?.name.clone(), Comparison::Equal, order)];
        let nothing = || Value::Literal(Datum::Integer(0));
        filter.extend(taken.map(|taken| Predicate::Compare(taken.name.clone(), Comparison::Greater, nothing())));
        let add = Add {
            table: products.name.clone(),
            column: stock(products)?.name.clone(),
            key: RecordKey::of(products)?.column,
            from: items.name.clone(),
            leads: column(items, "product_id")?.name.clone(),
            amount: taken.or_else(|| column(items, "quantity"))?.name.clone(),
            filter: filter.clone(),
        };
        let mut put_back = vec![Item::Do(Step::Write(Write::Add(Box::new(add))))];
        put_back.extend(taken.map(|taken| {
            let set = vec![(taken.name.clone(), Assigned::Value(nothing()))];
            Item::Do(Step::Write(Write::Update { table: items.name.clone(), set, filter }))
        }));
        Some(put_back)
    }
}

fn becomes(table: &Table, from: &str, to: &str) -> Option<Step> {
    let status = column(table, "status")?;
    let is_word = |words: &[String]| words.iter().any(|known| known == to);
    if !matches!(&status.field_type, FieldType::Choice { words } if is_word(words)) {
        return None;
    }
    let text = |text: &str| Value::Literal(Datum::Text(text.to_owned()));
    let mut set = vec![(status.name.clone(), Assigned::Value(text(to)))];
    set.extend(column(table, "updated_at").map(|at| (at.name.clone(), Assigned::Value(Value::Now))));
    set.extend(column(table, "row_version").map(|version| (version.name.clone(), Assigned::Plus(1))));
    let filter = vec![
        Predicate::Compare(column_name("id"), Comparison::Equal, Value::Slot(slot("id"))),
        Predicate::Compare(status.name.clone(), Comparison::Equal, text(from)),
    ];
    Some(Step::Write(Write::Update { table: table.name.clone(), set, filter }))
}

/// Goes on where the condition holds, and ends so where it does not.
pub(super) fn must(name: &str, condition: Condition, otherwise: Item) -> [Item; 2] {
    let arms = vec![(Outcome::Yes, Vec::new()), (Outcome::No, vec![otherwise])];
    [Item::Let(slot(name), Step::Check(condition)), Item::Match(slot(name), arms)]
}

pub(super) fn said(name: &str, field_type: FieldType, presence: Presence, description: &str) -> ShapeField {
    ShapeField {
        name: field_name(name),
        field_type,
        format: None,
        presence,
        min_length: 0,
        max_length: None,
        bounds: Bounds::default(),
        default: None,
        entries: None,
        words: Vec::new(),
        description: description.to_owned(),
    }
}
