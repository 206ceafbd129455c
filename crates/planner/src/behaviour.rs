//! What endpoints can do. Each behaviour is a file that lowers to a procedure, and a line in the list.

pub mod account;
mod checkout;
mod file_metadata;
mod form_submission;
mod health;
mod newsletter_consent;
mod newsletter_subscribe;
mod newsletter_unsubscribe;
mod record_create;
mod record_delete;
mod record_get;
mod record_list;
mod record_merge;
mod record_replace;
mod record_update;
mod subscription;
mod webhook;

pub use self::record_list::MAX_PAGE;
use crate::account::KnownBy;
use crate::deletion;
use crate::incoming::Heard;
use crate::intent::target;
use crate::key::{Origin, RecordKey};
use crate::service::checkout::Selling;
use crate::service::shop::Shelves;
use crate::table::column_name;
use catalog::{Compared, Entity, Field, PathKind};
use plan::database::{Column, Sensitivity};
use plan::procedure::{
    Each, Generated, Input, Item, LimitKey, Outcome, Patchable, RECORDS, Response, ResponseField, Roles, Scheme, Step,
    Writes,
};
use plan::query::{Assigned, Cardinality, Holes, OnConflict, Output, Predicate, RowLock, Write};
use plan::shape::{Entries, Presence, Shape, ShapeField};
use plan::value::{Comparison, Condition, Preference, RequestValue};
use plan::{Problem, Query, Table, Value};
use spec::{Endpoint, Method};
use vocab::{
    ColumnName, Comparator, Datum, EventName, FieldName, FieldType, PolicyName, RoleName, ScopeToken, SlotName,
    TableName,
};

/// Most records of one body.
const MAX_RECORDS: u32 = 1000;

/// Who may call, and how often.
pub struct Guarded {
    pub scheme: Option<Scheme>,
    /// Whether its sender proves every call by itself.
    pub is_signed: bool,
    /// What the account of who calls must be.
    pub role: Option<Roles>,
    /// What the token of who calls must have been granted.
    pub grant: Option<ScopeToken>,
    pub policy: PolicyName,
    pub by: LimitKey,
    /// How many requests of one caller the policy lets through in a row.
    pub quota: u32,
}

/// What a behaviour comes to.
pub struct Behaved {
    /// One sentence without its subject: `stores a contact message`.
    pub summary: String,
    pub body: Vec<Item>,
    /// The table it works on, if it works on one.
    pub table: Option<Table>,
    /// The events that tell of it, each with its payload: first the one that it is known by, then those that are for somebody in particular.
    pub events: Vec<(EventName, Vec<(FieldName, FieldType)>)>,
    pub example: serde_json::Value,
}

/// What a behaviour is given.
pub struct Given<'a> {
    pub entity: &'a Entity,
    /// The entity's fields as requests may bring them.
    pub asked: &'a [Field],
    /// Where its rows are kept.
    pub table: &'a Table,
    pub references: &'a [Reference],
    /// Fields that hold the time at which a record is made, where its request says nothing.
    pub now: &'a [FieldName],
    /// The event that tells of it, where the rule names one.
    pub emits: Option<&'a EventName>,
    /// Fields that the endpoint names.
    pub named: &'a [FieldName],
    /// Those of them that must be there, although the entity does not ask for them.
    pub required: &'a [FieldName],
    pub guarded: &'a Guarded,
    pub method: Method,
    /// The endpoint's path.
    pub path: &'a str,
    /// The parameter that holds a record's key.
    pub key: Option<&'a FieldName>,
    /// What the records of the path belong to.
    pub parent: Option<&'a ParentKey>,
    /// The field that says whose a record is, where callers have to do with their own alone.
    pub owner: Option<&'a FieldName>,
    /// What must hold of the rows that it has to do with, besides.
    pub condition: &'a [Predicate],
    /// Columns that its answers do not have.
    pub hidden: &'a [ColumnName],
    /// The column that says when a row was deleted, where it stays.
    pub deleted: Option<&'a ColumnName>,
    /// Whether who makes a record here may also change one.
    pub merges: bool,
    /// Every table that is known here.
    pub tables: &'a [Table],
    /// The roles that accounts may have.
    pub roles: &'a [RoleName],
    /// What it sells, where it sells.
    pub selling: Option<&'a Selling<'a>>,
    /// What its records have taken of, where they are orders whose lines know how much.
    pub shelves: Option<Shelves<'a>>,
    /// How people who sign in are known afterwards.
    pub known_by: KnownBy,
    /// Where it is kept who has asked for a newsletter and who has confirmed it; none where nobody has to.
    pub consents: Option<&'a Table>,
    /// What it knows of the calls of a sender, where one calls.
    pub heard: Option<&'a Heard>,
    /// The events that others may subscribe to.
    pub offers: &'a [EventName],
    /// Whether each user has to do with the own subscriptions alone.
    pub hears_own: bool,
    /// Whether it must know which user calls.
    pub needs_user: bool,
}

/// A field whose value names a row of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub field: FieldName,
    pub table: TableName,
    /// The other table's column that holds such a value.
    pub column: ColumnName,
}

/// What the records of a nested path belong to.
pub struct ParentKey {
    /// The field of the records that says so.
    pub field: FieldName,
    /// The parameter of the path.
    pub parameter: FieldName,
    /// The table of the things they belong to, where this task has one, and what names them there.
    pub table: Option<(TableName, RecordKey)>,
    /// The column of that table that says whose a thing is, where callers have to do with their own alone.
    pub owner: Option<ColumnName>,
}

/// What a behaviour has to do with an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorksOn {
    /// It keeps or reads one, and the fields that its endpoint names are fields of that.
    Entity,
    /// It works on one that other endpoints describe; the fields that its own endpoint names are no fields of that.
    EntityOfOthers,
    /// It works for people who sign in, each on their own; the fields that its endpoint names are its own words.
    Account,
    /// It sells what a shop has; the fields that its endpoint names are words of a checkout.
    Shop,
    /// It manages who is told of events at an address of their own.
    Subscriptions,
    /// It has none.
    Nothing,
}

/// Something that endpoints can do.
pub struct Behaviour {
    /// What a task calls it.
    pub name: &'static str,
    /// What it does, for people who look for one.
    pub does: &'static str,
    /// The methods it answers, and what their paths end in.
    ways: &'static [(Method, PathKind)],
    /// Whether what it works on may belong to something: `/api/posts/{post_id}/comments`.
    pub in_parents: bool,
    /// The fields that what it works on must have.
    pub needs: &'static [&'static str],
    /// The one of them that is unique by itself.
    pub unique: Option<&'static str>,
    pub works_on: WorksOn,
    /// Whether it works for its caller, and must know who that is.
    pub for_caller: bool,
    /// Whether it works on accounts of others, and is for callers with a role alone.
    pub of_others: bool,
    /// What documents call the things it works on, where that is not the entity.
    pub thing: Option<&'static str>,
    /// The event that all of its events count as, whether the catalogue knows them or not.
    pub general_event: Option<&'static str>,
    lower: fn(&Given<'_>) -> Behaved,
}

const PLAIN: Behaviour = Behaviour {
    name: "",
    does: "",
    ways: &[],
    in_parents: true,
    needs: &[],
    unique: None,
    works_on: WorksOn::Entity,
    for_caller: false,
    of_others: false,
    thing: None,
    general_event: None,
    lower: record_get::lower,
};

const BEHAVIOURS: &[Behaviour] = &[
    Behaviour {
        name: "form_submission",
        does: "stores what a form brings",
        ways: &[(Method::Post, PathKind::Collection)],
        general_event: Some("form_submission"),
        lower: form_submission::lower,
        ..PLAIN
    },
    Behaviour {
        name: "record_create",
        does: "creates a record",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: record_create::lower,
        ..PLAIN
    },
    Behaviour {
        name: "record_list",
        does: "lists records",
        ways: &[(Method::Get, PathKind::Collection)],
        lower: record_list::lower,
        ..PLAIN
    },
    Behaviour {
        name: "record_get",
        does: "reads one record",
        ways: &[(Method::Get, PathKind::Item)],
        lower: record_get::lower,
        ..PLAIN
    },
    Behaviour {
        name: "record_replace",
        does: "replaces one record",
        ways: &[(Method::Put, PathKind::Item)],
        lower: record_replace::lower,
        ..PLAIN
    },
    Behaviour {
        name: "record_update",
        does: "changes some fields of one record",
        ways: &[(Method::Patch, PathKind::Item)],
        lower: record_update::lower,
        ..PLAIN
    },
    Behaviour {
        name: "record_delete",
        does: "deletes one record",
        ways: &[(Method::Delete, PathKind::Item)],
        lower: record_delete::lower,
        ..PLAIN
    },
    Behaviour {
        name: SUBSCRIBE_NEWSLETTER,
        does: "subscribes an address to a newsletter",
        ways: &[(Method::Post, PathKind::Collection)],
        in_parents: false,
        needs: &["email"],
        unique: Some("email"),
        lower: newsletter_subscribe::lower,
        ..PLAIN
    },
    Behaviour {
        name: "newsletter_unsubscribe",
        does: "ends the subscription of an address",
        ways: &[(Method::Post, PathKind::Collection), (Method::Delete, PathKind::Collection)],
        in_parents: false,
        needs: &["email"],
        works_on: WorksOn::EntityOfOthers,
        lower: newsletter_unsubscribe::lower,
        ..PLAIN
    },
    Behaviour {
        name: CONFIRM_NEWSLETTER,
        does: "confirms a subscription to a newsletter with a mailed token",
        lower: newsletter_consent::confirm,
        ..OF_NEWSLETTERS
    },
    Behaviour {
        name: LEAVE_NEWSLETTER,
        does: "ends a subscription with a click in a mail program",
        ways: &[(Method::Post, PathKind::Item)],
        lower: newsletter_consent::leave,
        ..OF_NEWSLETTERS
    },
    Behaviour {
        name: "file_metadata",
        does: "keeps what is known of files, without their bytes",
        ways: &[
            (Method::Post, PathKind::Collection),
            (Method::Get, PathKind::Collection),
            (Method::Get, PathKind::Item),
            (Method::Patch, PathKind::Item),
            (Method::Delete, PathKind::Item),
        ],
        needs: &["name", "content_type", "size_bytes"],
        lower: file_metadata::lower,
        ..PLAIN
    },
    Behaviour {
        name: CHECKOUT,
        does: "makes an order, and answers with where it is paid",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: checkout::sell,
        ..OF_SHOPS
    },
    Behaviour {
        name: CHECKOUT_STATUS,
        does: "tells how an order stands, and where it is paid",
        ways: &[(Method::Get, PathKind::Item)],
        lower: checkout::tell,
        ..OF_SHOPS
    },
    Behaviour {
        name: "health",
        does: "says whether the API can work",
        ways: &[(Method::Get, PathKind::Collection)],
        in_parents: false,
        works_on: WorksOn::Nothing,
        lower: health::lower,
        ..PLAIN
    },
    Behaviour {
        name: "account_login",
        does: "signs somebody in",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: account::login::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_register",
        does: "makes an account",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: account::register::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_refresh",
        does: "gives the next tokens of a session",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: account::refresh::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_logout",
        does: "ends the caller's session",
        ways: &[(Method::Post, PathKind::Collection)],
        for_caller: true,
        lower: account::logout::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_profile",
        does: "reads the caller's own record",
        ways: &[(Method::Get, PathKind::Collection)],
        for_caller: true,
        lower: account::profile::read,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_profile_change",
        does: "changes the caller's own record",
        ways: &[(Method::Patch, PathKind::Collection)],
        for_caller: true,
        lower: account::profile::change,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_password_change",
        does: "changes the caller's password",
        ways: &[(Method::Post, PathKind::Collection)],
        for_caller: true,
        lower: account::password_change::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_verify",
        does: "proves the address of an account with a mailed token",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: account::verify::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_verify_again",
        does: "mails once more what proves the caller's address",
        ways: &[(Method::Post, PathKind::Collection)],
        for_caller: true,
        lower: account::verify::again,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_password_forgotten",
        does: "mails a link for another password",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: account::password_reset::ask,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_password_reset",
        does: "sets another password with a mailed token",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: account::password_reset::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_email_change",
        does: "mails a link to another address of the caller",
        ways: &[(Method::Post, PathKind::Collection)],
        for_caller: true,
        lower: account::email_change::ask,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_email_confirm",
        does: "makes another address the account's with a mailed token",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: account::email_change::confirm,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_delete",
        does: "ends the caller's account and removes what is kept of it",
        ways: &[(Method::Post, PathKind::Collection)],
        for_caller: true,
        lower: account::deletion::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_export",
        does: "gives the caller everything that is kept of the caller",
        ways: &[(Method::Get, PathKind::Collection)],
        for_caller: true,
        lower: account::export::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_list",
        does: "lists the people of the accounts",
        ways: &[(Method::Get, PathKind::Collection)],
        for_caller: true,
        of_others: true,
        lower: record_list::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_get",
        does: "shows what makes somebody an account",
        ways: &[(Method::Get, PathKind::Item)],
        for_caller: true,
        of_others: true,
        thing: Some("account"),
        lower: account::management::get,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_change",
        does: "gives an account another role, or disables it",
        ways: &[(Method::Patch, PathKind::Item)],
        for_caller: true,
        of_others: true,
        thing: Some("account"),
        lower: account::management::change,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_invite",
        does: "invites somebody to an account",
        ways: &[(Method::Post, PathKind::Collection)],
        for_caller: true,
        of_others: true,
        lower: account::management::invite,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_invitation_accept",
        does: "makes the account of somebody who was invited",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: account::management::accept,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_sessions",
        does: "lists the caller's sessions",
        ways: &[(Method::Get, PathKind::Collection)],
        for_caller: true,
        thing: Some("session"),
        lower: account::sessions::list,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_may",
        does: "tells callers what they may do",
        ways: &[(Method::Get, PathKind::Collection)],
        for_caller: true,
        thing: Some("permission"),
        lower: account::may::lower,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "account_session_end",
        does: "ends one of the caller's sessions",
        ways: &[(Method::Delete, PathKind::Item)],
        for_caller: true,
        thing: Some("session"),
        lower: account::sessions::end,
        ..OF_ACCOUNTS
    },
    Behaviour {
        name: "webhook_subscribe",
        does: "subscribes an address to events",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: subscription::create,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_subscriptions",
        does: "lists subscriptions to events",
        ways: &[(Method::Get, PathKind::Collection)],
        lower: subscription::list,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_subscription",
        does: "reads a subscription to events",
        ways: &[(Method::Get, PathKind::Item)],
        lower: subscription::get,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_subscription_change",
        does: "changes a subscription to events",
        ways: &[(Method::Patch, PathKind::Item)],
        lower: subscription::change,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_unsubscribe",
        does: "ends a subscription to events",
        ways: &[(Method::Delete, PathKind::Item)],
        lower: subscription::end,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_secret",
        does: "tells the secret of a subscription",
        ways: &[(Method::Get, PathKind::Collection)],
        lower: subscription::secret,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_secret_rotate",
        does: "gives a subscription another secret",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: subscription::rotate,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_test",
        does: "sends a subscription a test event",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: subscription::test,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_deliveries",
        does: "lists what was sent to a subscription",
        ways: &[(Method::Get, PathKind::Collection)],
        thing: Some("webhook_delivery"),
        lower: subscription::deliveries,
        ..OF_SUBSCRIPTIONS
    },
    Behaviour {
        name: "webhook_replay",
        does: "sends a subscription again what it did not take",
        ways: &[(Method::Post, PathKind::Collection)],
        lower: subscription::replay,
        ..OF_SUBSCRIPTIONS
    },
];

/// Takes the calls of a sender: no task asks for it by name, only by `webhook`.
pub const HEARS: &Behaviour = &Behaviour {
    name: "webhook",
    does: "keeps what a sender tells, each call once",
    ways: &[(Method::Post, PathKind::Collection)],
    in_parents: false,
    lower: webhook::lower,
    ..PLAIN
};
/// Subscribes to a newsletter.
pub const SUBSCRIBE_NEWSLETTER: &str = "newsletter_subscribe";
/// Confirms it with the token of a mail.
pub const CONFIRM_NEWSLETTER: &str = "newsletter_confirm";
/// Ends it with the token of a mail.
pub const LEAVE_NEWSLETTER: &str = "newsletter_leave";
/// What all behaviours have in common that take a token of a newsletter.
const OF_NEWSLETTERS: Behaviour = Behaviour {
    ways: &[(Method::Post, PathKind::Collection)],
    in_parents: false,
    needs: &["email"],
    unique: Some("email"),
    works_on: WorksOn::EntityOfOthers,
    ..PLAIN
};
/// Sells.
pub const CHECKOUT: &str = "checkout";
/// Tells how what was bought stands.
pub const CHECKOUT_STATUS: &str = "checkout_status";
/// What all behaviours of shops have in common.
const OF_SHOPS: Behaviour = Behaviour { in_parents: false, works_on: WorksOn::Shop, ..PLAIN };
/// What all behaviours of subscriptions to events have in common.
const OF_SUBSCRIPTIONS: Behaviour =
    Behaviour { works_on: WorksOn::Subscriptions, thing: Some("webhook_subscription"), ..PLAIN };
/// What all behaviours of accounts have in common.
const OF_ACCOUNTS: Behaviour = Behaviour { in_parents: false, works_on: WorksOn::Account, ..PLAIN };

/// Everything endpoints can do, in the order in which it is proposed.
pub fn all() -> &'static [Behaviour] {
    BEHAVIOURS
}

/// The behaviour of that name.
pub fn find(name: &str) -> Option<&'static Behaviour> {
    BEHAVIOURS.iter().find(|behaviour| behaviour.name == name)
}

impl Behaviour {
    /// Whether an endpoint can do it: its method, what its path ends in, what it belongs to.
    ///
    /// # Errors
    /// Why not, and what would help.
    pub fn fits(&self, endpoint: &Endpoint) -> Result<(), (String, String)> {
        let (name, method, path) = (self.name, endpoint.method, endpoint.path.as_str());
        let Some(found) = target(&endpoint.path) else {
            let why = format!("`{name}` does not know what `{path}` belongs to");
            return Err((why, "use a path like `/api/posts/{post_id}/comments` or a shorter one".to_owned()));
        };
        let kind = found.kind();
        if found.parent.is_some() && !self.in_parents {
            let why = format!("`{name}` belongs to nothing, and `{path}` names what it belongs to");
            return Err((why, format!("use a path of its own, such as `path: /api/{}`", found.segment)));
        }
        if self.ways.contains(&(method, kind)) {
            return Ok(());
        }
        let of_method = self.ways.iter().find(|(known, _)| *known == method);
        let of_kind: Vec<String> = self
            .ways
            .iter()
            .filter(|(_, known)| *known == kind)
            .map(|(known, _)| format!("`method: {}`", known.as_str()))
            .collect();
        match (of_method, of_kind.is_empty()) {
            (Some((_, PathKind::Item)), _) => Err((
                format!("`{name}` needs the key of a record, and `{path}` has none"),
                format!("let the path end in a parameter: `path: {path}/{{id}}`"),
            )),
            (Some((_, PathKind::Collection)), _) => {
                let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection);
                Err((
                    format!("`{name}` takes no key, and `{path}` ends in one"),
                    format!("let the path end in a name: `path: {collection}`"),
                ))
            }
            (None, false) => {
                Err((format!("`{name}` does not answer {method}"), format!("write {}", of_kind.join(" or "))))
            }
            (None, true) => {
                let ways: Vec<String> = self.ways.iter().map(|way| described(*way)).collect();
                Err((
                    format!("`{name}` does not answer `{method} {path}`"),
                    format!("it answers {}", ways.join(", or ")),
                ))
            }
        }
    }

    /// The procedure that does it.
    pub fn lower(&self, given: &Given<'_>) -> Behaved {
        (self.lower)(given)
    }
}

fn described((method, kind): (Method, PathKind)) -> String {
    match kind {
        PathKind::Collection => format!("{method} of a path that ends in a name"),
        PathKind::Item => format!("{method} of a path that ends in a parameter"),
    }
}

impl Given<'_> {
    /// Who may call, and how often.
    fn guards(&self) -> Vec<Item> {
        let policy = self.guarded.policy.clone();
        let mut items = Vec::new();
        let authorize = |scheme| Step::Authorize {
            scheme,
            scope: None,
            role: self.guarded.role.clone(),
            grant: self.guarded.grant.clone(),
            failures: Some(policy.clone()),
        };
        match self.guarded.scheme {
            Some(Scheme::ApiKey) => items.push(Item::Do(authorize(Scheme::ApiKey))),
            // A program may call where nothing is some user's.
            Some(Scheme::Issued) if !self.needs_user => items.push(Item::Do(authorize(Scheme::Issued))),
            Some(
                scheme @ (Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic | Scheme::Issued),
            ) => {
                items.push(Item::Let(slot("caller"), authorize(scheme)));
            }
            None => {}
        }
        items.push(Item::Do(Step::Limit { policy: policy.clone(), by: self.guarded.by.clone() }));
        items
    }

    /// The guards of a change: sent again with the same idempotency key, it is made once.
    fn write_guards(&self) -> Vec<Item> {
        let mut items = self.guards();
        items.push(Item::Let(slot("claim"), Step::Claim));
        items
    }

    /// What names the records.
    fn record_key(&self) -> RecordKey {
        RecordKey::of(self.table).expect("a table whose records have no name was refused")
    }

    /// The steps before a new row: who may call, what is done where several come, what comes in, and the row's id where the server makes it.
    fn opening(&self, several: Vec<Item>) -> Vec<Item> {
        let mut items = self.write_guards();
        items.extend(several);
        items.extend(self.checked_parameters());
        items.push(Item::Let(slot("input"), Step::Validate(Input::Body(self.shape()))));
        items.extend(self.consistent(|name| self.given(name)));
        items.extend(self.made_id());
        items
    }

    /// `let id = ...` of a new row, where the server makes it.
    fn made_id(&self) -> Option<Item> {
        match self.record_key().origin {
            Origin::Server => Some(Item::Let(slot("id"), Step::Generate(Generated::Uuid))),
            Origin::Database | Origin::Client => None,
        }
    }

    /// `let place = ...`: the key of a thing that nobody here knows is checked like a field before it is stored.
    fn checked_parameters(&self) -> Option<Item> {
        let parent = self.parent.filter(|parent| parent.table.is_none())?;
        let field = self.entity.fields.iter().find(|field| field.name == parent.field)?;
        let shape = Shape {
            name: format!("{}Place", upper_camel_case(self.entity.entity.as_str())),
            fields: vec![ShapeField { name: parent.parameter.clone(), ..shape_field(field, Presence::Required) }],
        };
        Some(Item::Let(slot("place"), Step::Validate(Input::Parameters(shape))))
    }

    /// `let parent = ...` of the thing that the path says the record belongs to, 404 where there is none.
    fn find_parent(&self, lock: RowLock) -> Vec<Item> {
        let Some(ParentKey { parameter, table: Some((table, key)), owner, .. }) = self.parent else {
            return Vec::new();
        };
        let named = equals(key.column.as_str(), parameter);
        let is_there = owner.as_ref().map(is_callers).into_iter().chain(self.is_not_deleted(table));
        let query = Query {
            from: table.clone(),
            outputs: vec![Output::Column { column: key.column.clone(), field: key.field() }],
            filter: std::iter::once(named).chain(is_there).collect(),
            order: Vec::new(),
            holes: Holes::default(),
            lock,
        };
        let read = Step::Read { query, cardinality: Cardinality::One, filled_by: None };
        vec![Item::Let(slot("parent"), read), unless_found("parent", Problem::NotFound)]
    }

    /// What the fields of the request lead to must be there; one that is not is named. What the path names was looked for already.
    fn find_references(&self) -> Vec<Item> {
        let own =
            self.references.iter().filter(|reference| self.own_fields().any(|field| field.name == reference.field));
        own.flat_map(|reference| self.find_reference(reference)).collect()
    }

    fn find_reference(&self, Reference { field, table, column }: &Reference) -> Vec<Item> {
        let value = Value::Field(slot("input"), field.clone());
        let (given, found) = (named_slot(field, "given"), named_slot(field, "found"));
        let query = Query {
            from: table.clone(),
            outputs: vec![Output::Column { column: column.clone(), field: field_name(column.as_str()) }],
            filter: std::iter::once(Predicate::Compare(column.clone(), Comparison::Equal, value.clone()))
                .chain(self.is_not_deleted(table))
                .collect(),
            order: Vec::new(),
            holes: Holes::default(),
            lock: RowLock::None,
        };
        let unknown = Item::Exit(Response::UnknownReference(field.clone()), Writes::Undo);
        let look = vec![
            Item::Let(found.clone(), Step::Read { query, cardinality: Cardinality::One, filled_by: None }),
            Item::Match(found, vec![(Outcome::Found, Vec::new()), (Outcome::Missing, vec![unknown])]),
        ];
        // What every body must say is there.
        let must = |known: &Field| known.presence == catalog::Presence::Required || self.required.contains(&known.name);
        if self.method != Method::Patch && self.own_fields().any(|known| known.name == *field && must(known)) {
            return look;
        }
        vec![
            Item::Let(given.clone(), Step::Check(Condition::Present(value))),
            Item::Match(given, vec![(Outcome::Yes, look), (Outcome::No, Vec::new())]),
        ]
    }

    /// A row that stays when it is deleted is not there any more.
    fn is_not_deleted(&self, table: &TableName) -> Option<Predicate> {
        let table = self.tables.iter().find(|known| known.name == *table)?;
        Some(Predicate::Null(deletion::column(table)?.clone()))
    }

    /// The comparisons of fields that requests say.
    fn compared(&self) -> impl Iterator<Item = (&Compared, &Field)> {
        let find = |name: &FieldName| self.own_fields().find(|field| field.name == *name);
        let pairs = self.entity.compares.iter().filter_map(move |compared| {
            let (field, other) = (find(&compared.field)?, find(&compared.other)?);
            (field.field_type == other.field_type).then_some((compared, field))
        });
        pairs.collect::<Vec<_>>().into_iter()
    }

    /// Fields that do not stand to each other as they must end the request; one without a value stands rightly to any.
    fn consistent(&self, value: impl Fn(&FieldName) -> Value) -> Vec<Item> {
        self.consistent_as("wrong", value)
    }

    /// The same under slots whose names end so.
    fn consistent_as(&self, ending: &str, value: impl Fn(&FieldName) -> Value) -> Vec<Item> {
        let check = |(compared, field): (&Compared, &Field)| {
            let Compared { field: name, comparator, other } = compared;
            let wrong = slot(&dialect::name::joined(&[name.as_str(), other.as_str()], ending));
            let detail = comparator.describe(other.as_str(), &field.field_type);
            let refused = Response::Inconsistent { field: name.clone(), detail };
            let asked = Condition::Compare(value(name), opposite(*comparator), value(other));
            let arms = vec![(Outcome::Yes, vec![Item::Exit(refused, Writes::Undo)]), (Outcome::No, Vec::new())];
            [Item::Let(wrong.clone(), Step::Check(asked)), Item::Match(wrong, arms)]
        };
        self.compared().flat_map(check).collect()
    }

    /// The same where the thing must be the caller's, for a record that is found by its key.
    fn find_owned_parent(&self) -> Vec<Item> {
        match self.parent {
            Some(ParentKey { owner: Some(_), .. }) => self.find_parent(RowLock::None),
            Some(ParentKey { owner: None, .. }) | None => Vec::new(),
        }
    }

    /// The rows that belong to the thing of the path, and to the caller.
    fn belongs(&self) -> Vec<Predicate> {
        let of_parent = self.parent.map(|ParentKey { field, parameter, .. }| equals(field.as_str(), parameter));
        of_parent.into_iter().chain(self.owner.map(|owner| is_callers(&column_name(owner.as_str())))).collect()
    }

    /// The rows that the endpoint has to do with.
    fn within(&self) -> Vec<Predicate> {
        self.belongs().into_iter().chain(self.condition.iter().cloned()).collect()
    }

    fn is_owner(&self, field: &str) -> bool {
        self.owner.is_some_and(|owner| owner.as_str() == field)
    }

    /// Whether the field says when a row was deleted, and no request says that here.
    fn marks_deletion(&self, field: &str) -> bool {
        let is_named = || self.named.iter().any(|named| named.as_str() == field);
        self.deleted.is_some_and(|deleted| deleted.as_str() == field) && !is_named()
    }

    fn is_parent(&self, field: &str) -> bool {
        self.parent.is_some_and(|parent| parent.field.as_str() == field)
    }

    /// The fields that a request says. What a record belongs to is said by its path, and so is what names it once it is there; a
    /// secret is said to no API.
    fn own_fields(&self) -> impl Iterator<Item = &Field> {
        let key = self.record_key().column;
        let says_key = self.method == Method::Post;
        self.asked.iter().filter(move |field| {
            let name = field.name.as_str();
            !self.is_parent(name)
                && !self.is_owner(name)
                && (says_key || name != key.as_str())
                && field.sensitivity != catalog::Sensitivity::Secret
                && !self.marks_deletion(name)
        })
    }

    /// The columns that an API has to do with: all but secrets.
    fn columns(&self) -> impl Iterator<Item = &Column> {
        self.table.columns.iter().filter(|column| column.sensitivity != Sensitivity::Secret)
    }

    /// A new record is stored and told of, in one transaction with its answer. `minimal` is for whoever prefers little.
    fn stored(&self, event: &EventName, answer: Response, minimal: Option<Response>) -> Item {
        let mut changes = self.find_parent(RowLock::ForUpdate);
        changes.extend(self.find_references());
        changes.extend(self.merge().into_iter().flat_map(|merge| merge.of_one()));
        changes.push(self.insert());
        changes.push(self.emit_new(event));
        changes.extend(minimal.into_iter().flat_map(|minimal| answered_where(Preference::Minimal, minimal)));
        self.once(changes, answer)
    }

    /// Several new rows at once, where the body is a list: all of them or none. Who is not known makes one at a time.
    fn several(&self, event: &EventName, status: u16) -> Vec<Item> {
        let max = self.guarded.quota.min(MAX_RECORDS);
        if self.guarded.scheme.is_none() || max < 2 {
            return Vec::new();
        }
        let (list, records) = (slot("list"), field_name(RECORDS));
        let each = |body, gives, into| {
            let (of, list, item) = (list.clone(), records.clone(), slot("input"));
            Item::Each(Box::new(Each { of, list, item, body, gives, into: slot(into) }))
        };
        let entries = Entries { shape: self.shape(), max };
        let (policy, by) = (self.guarded.policy.clone(), self.guarded.by.clone());
        let mut body: Vec<Item> = self.checked_parameters().into_iter().collect();
        body.push(Item::Let(list.clone(), Step::Validate(Input::List(entries))));
        body.push(Item::Do(Step::LimitEach { policy, by, of: list.clone() }));
        let mut changes = vec![Item::Do(Step::Recall(slot("claim")))];
        changes.extend(self.find_parent(RowLock::ForUpdate));
        // Whether all are right is known before the first is stored: what is written and not looked at goes out together.
        let mut checks = self.consistent(|name| self.given(name));
        checks.extend(self.find_references());
        if !checks.is_empty() {
            changes.push(each(in_list(checks), Vec::new(), "checked"));
        }
        let fields = self.answer(|name| self.new_value(name.as_str()));
        let gives = fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
        let mut stores = Vec::new();
        stores.extend(self.made_id());
        stores.push(self.insert());
        stores.push(self.emit_new(event));
        if let Some(merge) = self.merge() {
            let stored = self.answer(|name| Value::Field(slot("stored"), name.clone()));
            let told = stored.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
            let answer = Response::Records { status: 200, slot: slot("stored_all"), fields: stored };
            changes.extend(record_merge::wanted(vec![
                each(merge.of_each(stores.clone()), Vec::new(), "merged"),
                each(merge.stored(), told, "stored_all"),
                Item::Exit(answer, Writes::Keep),
            ]));
        }
        changes.push(each(stores, gives, "made"));
        changes.push(Item::Exit(Response::Records { status, slot: slot("made"), fields }, Writes::Keep));
        body.push(Item::Transaction(changes));
        let arms = vec![(Outcome::Single, Vec::new()), (Outcome::Several, body)];
        vec![Item::Let(slot("form"), Step::Form), Item::Match(slot("form"), arms)]
    }

    /// The new row is stored; where the database makes its key, that is bound.
    fn insert(&self) -> Item {
        let table = self.entity.table.clone();
        let key = self.record_key();
        let made = (key.origin == Origin::Database).then_some(key.column);
        let is_made = made.is_some();
        let insert = Step::Write(Write::Insert { table, values: self.row(), on_conflict: OnConflict::Fail, made });
        if is_made { Item::Let(slot("id"), insert) } else { Item::Do(insert) }
    }

    /// The transaction of a change with its answer, which stands for it when the request is sent again.
    fn once(&self, changes: Vec<Item>, answer: Response) -> Item {
        let mut items = vec![Item::Do(Step::Recall(slot("claim")))];
        items.extend(changes);
        items.push(Item::Exit(answer, Writes::Keep));
        Item::Transaction(items)
    }

    /// The new row: its key unless the database makes it, the fields of the request, the times, the first version.
    fn row(&self) -> Vec<(ColumnName, Value)> {
        let key = self.record_key();
        let is_said = |column: &&Column| key.origin != Origin::Database || column.name != key.column;
        let columns = self.columns().filter(is_said);
        columns.map(|column| (column.name.clone(), self.new_value(column.name.as_str()))).collect()
    }

    fn new_value(&self, name: &str) -> Value {
        let key = self.record_key();
        match name {
            name if name == key.column.as_str() && key.origin != Origin::Client => Value::Slot(slot("id")),
            "created_at" | "updated_at" => Value::Now,
            "row_version" => Value::Literal(Datum::Integer(1)),
            name if self.marks_deletion(name) => Value::Literal(Datum::Null),
            field if self.is_owner(field) => caller(),
            field => match self.parent.filter(|_| self.is_parent(field)) {
                Some(ParentKey { parameter, table: Some((_, key)), .. }) if key.field_type == FieldType::Uuid => {
                    Value::Request(RequestValue::Path(parameter.clone()))
                }
                // A path holds texts; the row that was found holds the key as it is.
                Some(ParentKey { table: Some((_, key)), .. }) => Value::Field(slot("parent"), key.field()),
                Some(ParentKey { parameter, table: None, .. }) => Value::Field(slot("place"), parameter.clone()),
                None => self.given(&field_name(field)),
            },
        }
    }

    /// What the request says of a field, or the time at which it says nothing.
    fn given(&self, name: &FieldName) -> Value {
        let value = Value::Field(slot("input"), name.clone());
        let field = self.asked.iter().find(|field| self.now.contains(name) && field.name == *name);
        match field.map(|field| &field.field_type) {
            None => value,
            Some(FieldType::Date) => Value::Else(Box::new(value), Box::new(Value::Today)),
            Some(_) => Value::Else(Box::new(value), Box::new(Value::Now)),
        }
    }

    /// The event of a new row: what it was asked for and when.
    fn emit_new(&self, event: &EventName) -> Item {
        let payload =
            self.new_event_fields().into_iter().map(|(name, _)| (name.clone(), self.new_value(name.as_str())));
        Item::Do(Step::Emit { id: None, event: event.clone(), payload: payload.collect() })
    }

    fn new_event_fields(&self) -> Vec<(FieldName, FieldType)> {
        let unsaid = ["updated_at", "row_version"];
        self.columns_as_fields(|name| !unsaid.contains(&name) && !self.marks_deletion(name))
    }

    fn columns_as_fields(&self, wanted: impl Fn(&str) -> bool) -> Vec<(FieldName, FieldType)> {
        let columns = self.columns().filter(|column| wanted(column.name.as_str()));
        columns.map(|column| (field_name(column.name.as_str()), column.field_type.clone())).collect()
    }

    /// What callers see of a record: everything but the version, which is its tag, and what the endpoint hides.
    fn representation(&self) -> Vec<(FieldName, FieldType)> {
        let is_hidden = |name: &str| self.hidden.iter().any(|hidden| hidden.as_str() == name);
        self.columns_as_fields(|name| name != "row_version" && !is_hidden(name))
    }

    /// The answer's fields, each with its value.
    fn answer(&self, value: impl Fn(&FieldName) -> Value) -> Vec<ResponseField> {
        let key = self.record_key();
        let described = |name: &FieldName| {
            let field = self.entity.fields.iter().find(|field| field.name == *name);
            match (field, name.as_str()) {
                (Some(field), _) => field.description.clone(),
                (None, name) if name == key.column.as_str() => match key.origin {
                    Origin::Server => "Names the record; sorts by time.".to_owned(),
                    Origin::Database | Origin::Client => {
                        "Names the record; later ones have greater numbers.".to_owned()
                    }
                },
                (None, "created_at") => "When it was created.".to_owned(),
                (None, _) => "When it was last changed.".to_owned(),
            }
        };
        self.representation()
            .into_iter()
            .map(|(name, field_type)| ResponseField {
                value: value(&name),
                entries: None,
                description: described(&name),
                name,
                field_type,
            })
            .collect()
    }

    /// The record with the key of the path; the transaction holds it until its end.
    fn find(&self, columns: impl Fn(&str) -> bool, lock: RowLock) -> Query {
        let outputs = self
            .columns_as_fields(columns)
            .into_iter()
            .map(|(field, _)| Output::Column { column: column_name(field.as_str()), field });
        Query {
            from: self.entity.table.clone(),
            outputs: outputs.collect(),
            filter: self.has_key().into_iter().chain(self.condition.iter().cloned()).collect(),
            order: Vec::new(),
            holes: Holes::default(),
            lock,
        }
    }

    fn has_key(&self) -> Vec<Predicate> {
        let parameter = self.key.cloned().unwrap_or_else(|| field_name("id"));
        std::iter::once(equals(self.record_key().column.as_str(), &parameter)).chain(self.belongs()).collect()
    }

    /// `let row = ...` of the version that is there, 404 where there is none, 412 where the caller has seen another one.
    fn find_current(&self) -> Vec<Item> {
        let key = self.record_key().column;
        let is_asked = |name: &str| name == "status" && self.shelves.is_some();
        // A patch is applied to the whole record, and what is deleted may be answered.
        let is_whole = matches!(self.method, Method::Patch | Method::Delete);
        let is_read = |name: &str| is_whole || name == key.as_str() || name == "row_version" || is_asked(name);
        let query = self.find(is_read, RowLock::ForUpdate);
        let version = Value::Field(slot("row"), field_name("row_version"));
        vec![
            Item::Let(slot("row"), Step::Read { query, cardinality: Cardinality::One, filled_by: None }),
            unless_found("row", Problem::NotFound),
            Item::Let(slot("current"), Step::Check(Condition::Current(version))),
            Item::Match(
                slot("current"),
                vec![
                    (Outcome::Yes, Vec::new()),
                    (Outcome::No, vec![Item::Exit(Response::Problem(Problem::PreconditionFailed), Writes::Undo)]),
                ],
            ),
        ]
    }

    /// Changes the record of the path and answers with what it has become.
    fn change(&self, input: Input, assigned: impl Fn(&FieldName) -> Assigned, summary: String) -> Behaved {
        let table = self.table();
        let mut set: Vec<(ColumnName, Assigned)> =
            self.own_fields().map(|field| (column_name(field.name.as_str()), assigned(&field.name))).collect();
        set.push((column_name("updated_at"), Assigned::Value(Value::Now)));
        set.push((column_name("row_version"), Assigned::Plus(1)));
        let mut changes = self.find_owned_parent();
        changes.extend(self.find_current());
        let is_patch = matches!(input, Input::Patch(_));
        let applied = Step::Patched { patch: slot("patch"), row: slot("row") };
        changes.extend(is_patch.then(|| Item::Let(slot("input"), applied)));
        changes.extend(self.consistent(|name| match is_patch {
            true => Value::Changed(slot("input"), name.clone(), slot("row")),
            false => self.given(name),
        }));
        changes.extend(self.find_references());
        changes.push(Item::Do(Step::Write(Write::Update { table: table.name.clone(), set, filter: self.has_key() })));
        // What it has become need not be what may be changed.
        let fresh = Query { filter: self.has_key(), ..self.find(|_| true, RowLock::None) };
        changes.push(Item::Let(
            slot("fresh"),
            Step::Read { query: fresh, cardinality: Cardinality::One, filled_by: None },
        ));
        changes.push(unless_found("fresh", Problem::InternalError));
        changes.extend(self.puts_back_where_cancelled());
        let event = self.own_event("updated");
        let fields = self.representation();
        let payload =
            fields.iter().map(|(name, _)| (name.clone(), Value::Field(slot("fresh"), name.clone()))).collect();
        changes.push(Item::Do(Step::Emit { id: None, event: event.clone(), payload }));
        let mut body = self.write_guards();
        body.push(Item::Let(slot(if is_patch { "patch" } else { "input" }), Step::Validate(input)));
        let tag = Some(Value::Field(slot("fresh"), field_name("row_version")));
        let minimal = Response::Answer { status: 204, body: Vec::new(), tag: tag.clone(), location: None };
        changes.extend(answered_where(Preference::Minimal, minimal));
        let answer = Response::Answer {
            status: 200,
            body: self.answer(|name| Value::Field(slot("fresh"), name.clone())),
            tag,
            location: None,
        };
        body.push(self.once(changes, answer));
        Behaved { summary, body, table: Some(table), events: vec![(event, fields)], example: self.example() }
    }

    /// Once an order is cancelled, what its lines have taken is there again; where its money goes back before it was sent, too.
    fn puts_back_where_cancelled(&self) -> Vec<Item> {
        let is = |record: &str, word: &str| {
            let status = Value::Field(slot(record), field_name("status"));
            Condition::Compare(status, Comparison::Equal, Value::Literal(Datum::Text(word.to_owned())))
        };
        let refunded = Condition::All(vec![is("fresh", "refunded"), is_not_sent("row")]);
        self.puts_back(Condition::Any(vec![is("fresh", "cancelled"), refunded]))
    }

    /// What the lines of the order have taken is there again, where that holds.
    fn puts_back(&self, where_: Condition) -> Vec<Item> {
        let order = Value::Field(slot("row"), self.record_key().field());
        let Some(put_back) = self.shelves.and_then(|shelves| shelves.put_back(order)) else { return Vec::new() };
        let arms = vec![(Outcome::Yes, put_back), (Outcome::No, Vec::new())];
        vec![Item::Let(slot("is_back"), Step::Check(where_)), Item::Match(slot("is_back"), arms)]
    }

    /// `product_created`, unless the rule names an event.
    fn own_event(&self, what: &str) -> EventName {
        let entity = self.entity.entity.as_str();
        let short = &entity[..entity.len().min(vocab::MAX_IDENTIFIER_LENGTH - what.len() - 1)];
        let own = || EventName::parse(&format!("{short}_{what}")).expect("an entity's name and a word");
        self.emits.cloned().unwrap_or_else(own)
    }

    /// The entity's name as words, with its article: `an article`.
    fn a_thing(&self) -> String {
        with_article(&self.thing())
    }

    /// The entity's name as words.
    fn thing(&self) -> String {
        self.entity.entity.as_str().replace('_', " ")
    }

    /// What a patch may change, and what it may look at beside that.
    fn patchable(&self) -> Patchable {
        let shape = self.shape();
        let is_kept = |name: &FieldName| !shape.fields.iter().any(|field| field.name == *name);
        let kept = self.representation().into_iter().map(|(name, _)| name).filter(is_kept).collect();
        Patchable { shape, kept }
    }

    pub fn shape(&self) -> Shape {
        let fields = self.own_fields().map(|field| {
            let presence = match field.presence {
                catalog::Presence::Required => Presence::Required,
                catalog::Presence::Optional if self.required.contains(&field.name) => Presence::Required,
                catalog::Presence::Optional => Presence::Optional,
            };
            let mut described = shape_field(field, presence);
            for (compared, _) in self.compared().filter(|(compared, _)| compared.field == field.name) {
                let must = compared.comparator.describe(&format!("`{}`", compared.other), &field.field_type);
                let end = if described.description.ends_with('.') { "" } else { "." };
                described.description.push_str(&format!("{end} It {must}."));
            }
            described
        });
        let key = self.record_key();
        let is_without_key = self.method == Method::Put && self.asked.iter().any(|field| field.name == key.field());
        let ending = if is_without_key { "Replacement" } else { "" };
        Shape { name: upper_camel_case(self.entity.entity.as_str()) + ending, fields: fields.collect() }
    }

    fn table(&self) -> Table {
        self.table.clone()
    }

    /// A body with an example value in every field.
    fn example(&self) -> serde_json::Value {
        self.own_fields().map(|field| (field.name.to_string(), field.example_value().to_json())).collect()
    }
}

/// Words that begin with a vowel and are spoken as if they did not, and one the other way round.
fn with_article(thing: &str) -> String {
    let spoken_with_consonant = ["use", "uni", "eu", "one"].iter().any(|begin| thing.starts_with(begin));
    let vowel = thing.starts_with(['a', 'e', 'i', 'o', 'u']) && !spoken_with_consonant || thing.starts_with("hour");
    format!("{} {thing}", if vowel { "an" } else { "a" })
}

/// What holds where it does not, of two values that are there.
fn opposite(comparator: Comparator) -> Comparison {
    match comparator {
        Comparator::MoreThan => Comparison::AtMost,
        Comparator::AtLeast => Comparison::Less,
        Comparator::LessThan => Comparison::AtLeast,
        Comparator::AtMost => Comparison::Greater,
    }
}

/// The same of a record of a list: what is wrong is told with its place.
fn in_list(items: Vec<Item>) -> Vec<Item> {
    let told = |item| match item {
        Item::Exit(Response::Inconsistent { field, detail }, writes) => {
            Item::Exit(Response::Entry { list: None, field, detail: Some(detail) }, writes)
        }
        Item::Exit(Response::UnknownReference(field), writes) => {
            Item::Exit(Response::Entry { list: None, field, detail: None }, writes)
        }
        Item::Match(slot, arms) => {
            Item::Match(slot, arms.into_iter().map(|(outcome, body)| (outcome, in_list(body))).collect())
        }
        item => item,
    };
    items.into_iter().map(told).collect()
}

/// Ends with that answer where the caller prefers so.
fn answered_where(preference: Preference, answer: Response) -> [Item; 2] {
    let name = match preference {
        Preference::Minimal => "wants_little",
        Preference::Representation => "wants_record",
        Preference::Merge => "merges",
    };
    let arms = vec![(Outcome::Yes, vec![Item::Exit(answer, Writes::Keep)]), (Outcome::No, Vec::new())];
    [Item::Let(slot(name), Step::Check(Condition::Prefers(preference))), Item::Match(slot(name), arms)]
}

/// Ends with the problem where the read found nothing.
fn unless_found(name: &str, problem: Problem) -> Item {
    Item::Match(
        slot(name),
        vec![
            (Outcome::Found, Vec::new()),
            (Outcome::Missing, vec![Item::Exit(Response::Problem(problem), Writes::Undo)]),
        ],
    )
}

pub fn shape_field(field: &Field, presence: Presence) -> ShapeField {
    ShapeField {
        name: field.name.clone(),
        field_type: field.field_type.clone(),
        format: field.format,
        presence,
        min_length: field.min_length,
        max_length: field.max_length,
        bounds: field.bounds.clone(),
        default: field.default.clone().filter(|_| presence == Presence::Optional),
        entries: None,
        words: Vec::new(),
        description: field.description.clone(),
    }
}

/// The user who calls.
pub fn caller() -> Value {
    Value::Field(slot("caller"), field_name("user_id"))
}

/// The column names whoever calls.
pub fn is_callers(column: &ColumnName) -> Predicate {
    Predicate::Compare(column.clone(), Comparison::Equal, caller())
}

/// The column is what the parameter of the path says.
fn equals(column: &str, parameter: &FieldName) -> Predicate {
    Predicate::Compare(column_name(column), Comparison::Equal, Value::Request(RequestValue::Path(parameter.clone())))
}

fn upper_camel_case(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

pub fn slot(text: &str) -> SlotName {
    SlotName::parse(text).expect("a literal that is a name")
}

/// `customer_id_found`, as far as a name may be long.
pub fn named_slot(field: &FieldName, word: &str) -> SlotName {
    slot(&dialect::name::joined(&[field.as_str()], word))
}

pub fn field_name(text: &str) -> FieldName {
    FieldName::parse(text).expect("a column's name is a field's name")
}

/// The order in that slot has not left the house.
fn is_not_sent(record: &str) -> Condition {
    let status = || Value::Field(slot(record), field_name("status"));
    let is = |word: &str| Condition::Compare(status(), Comparison::Equal, Value::Literal(Datum::Text(word.to_owned())));
    Condition::Any(["pending", "paid", "processing"].map(is).into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn articles() {
        for thing in ["an article", "a product", "an hour", "a user", "a unit", "an order", "a one time code"] {
            assert_eq!(super::with_article(thing.split_once(' ').unwrap().1), thing);
        }
    }

    #[test]
    fn every_behaviour_of_the_catalogue_is_in_the_list() {
        for behavior in catalog::Catalog::built_in().unwrap().behaviors() {
            assert!(super::find(behavior.as_str()).is_some(), "{behavior}");
        }
    }
}
