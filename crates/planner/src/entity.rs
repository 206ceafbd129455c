//! The entity behind an endpoint: one that the catalogue knows, or one made from the fields that the task names.

mod agreement;
mod field;
pub mod held;

use crate::account;
use crate::behaviour::{Reference, WorksOn};
use crate::codes::{NOT_INFERRED, OVERRIDE_NOT_BUILT, SECRET_FIELD};
use crate::intent::{Inferred, target};
use crate::subject::{Known, entity_name};
use crate::subscribers;
use crate::table::{self, OWN_COLUMNS};
use catalog::{Catalog, Entity, Field, Presence, Sensitivity};
use field::{LINE_MAX, described, made, narrowed};
use plan::{Table, system};
use spec::{Endpoint, FieldRule, closest};
use vocab::{Bounds, Diagnostic, EntityName, FieldName, FieldType, TableName};

/// The entity an endpoint works on, with what was decided about its fields and why.
pub struct Resolved {
    /// As the table keeps it.
    pub entity: Entity,
    /// Its fields as the requests of this API may bring them: perhaps narrower.
    pub asked: Vec<Field>,
    /// Field, what it holds and the reason, for fields about which the task says something.
    pub decided: Vec<(FieldName, String, String)>,
    /// The table of a database task that holds its rows; none where this task makes the table.
    pub held: Option<Table>,
    /// Fields whose values must name a row of another table.
    pub references: Vec<Reference>,
    /// Fields that hold the time at which a record is made, where its request says nothing.
    pub now: Vec<FieldName>,
}

impl Resolved {
    /// One whose table this task makes.
    fn new(entity: Entity, asked: Vec<Field>, decided: Vec<(FieldName, String, String)>) -> Self {
        Self { entity, asked, decided, held: None, references: Vec::new(), now: Vec::new() }
    }

    /// Where its rows are kept.
    pub fn table(&self) -> Table {
        self.held.clone().unwrap_or_else(|| {
            let mut table = table::of_entity(&self.entity);
            for rule in table::overlaps(&table, &self.entity) {
                table::keep_apart(&mut table, rule);
            }
            table
        })
    }
}

pub fn resolve(endpoint: &Endpoint, inferred: &Inferred, known: &Known<'_>) -> Result<Resolved, Vec<Diagnostic>> {
    if inferred.behaviour.works_on == WorksOn::Nothing {
        return Ok(Resolved::new(nothing(inferred.behaviour.name), Vec::new(), Vec::new()));
    }
    if inferred.behaviour.works_on == WorksOn::Subscriptions {
        let table = match subscribers::hears_own(known.requirements) {
            true => system::webhook_subscriptions_of_users(),
            false => system::webhook_subscriptions(),
        };
        return Ok(Resolved {
            held: Some(table),
            ..Resolved::new(nothing("webhook_subscription"), Vec::new(), Vec::new())
        });
    }
    if inferred.behaviour.works_on == WorksOn::Account {
        return of_people(endpoint, inferred, known);
    }
    if inferred.behaviour.works_on == WorksOn::Shop {
        return Ok(orders(known));
    }
    let segment = target(&endpoint.path).map_or("", |target| target.segment);
    let name = entity_name(endpoint, inferred, known.catalog, known.tables);
    if let Some((name, table)) = name.as_ref().and_then(|name| Some((name, known.held(name)?))) {
        let mut resolved = held::resolve(endpoint, inferred, name, table, known)?;
        agreement::agree(&mut resolved.asked, &resolved.entity.compares);
        return Ok(resolved);
    }
    let same = name.as_ref().map_or_else(Vec::new, |name| known.same(name));
    let stated = stated_fields(endpoint, &same);
    let is_named = inferred.entity.is_some() || name.as_ref().is_some_and(|name| known.is_named(name));
    let mut resolved = match name.as_ref().and_then(|name| known.catalog.entity(name)) {
        Some(entity) if is_named => extended(entity, &stated, known.catalog)?,
        Some(entity) if describes(&stated, entity) => {
            let names = Some((entity.table.clone(), entity.entity.clone()));
            made_of_fields(segment, names, endpoint, &stated, Some(entity), known.catalog)?
        }
        Some(entity) => extended(&relaxed(entity, &stated), &stated, known.catalog)?,
        None => {
            let names = name.as_ref().and_then(|name| Some((known.table_name(name)?, name.clone())));
            made_of_fields(segment, names, endpoint, &stated, None, known.catalog)?
        }
    };
    if inferred.behaviour.works_on == WorksOn::EntityOfOthers {
        forget_own(&mut resolved, name.as_ref().and_then(|name| known.catalog.entity(name)), &same);
    }
    add_parents(&mut resolved, &same, known);
    agreement::agree(&mut resolved.asked, &resolved.entity.compares);
    Ok(resolved)
}

/// The people who sign in: as a database task has them, else as the catalogue does.
fn of_people(endpoint: &Endpoint, inferred: &Inferred, known: &Known<'_>) -> Result<Resolved, Vec<Diagnostic>> {
    let (entity, table) = account::users(known.catalog, known.tables).expect("the catalogue knows people");
    match table {
        Some(table) => held::resolve(endpoint, inferred, &entity.entity, table, known),
        None => Ok(Resolved::new(entity.clone(), entity.fields.clone(), Vec::new())),
    }
}

/// What a shop makes of what it sells; where there is no such table nothing can be sold.
fn orders(known: &Known<'_>) -> Resolved {
    let entity = EntityName::parse("order").ok().and_then(|name| known.catalog.entity(&name));
    let entity = entity.cloned().expect("the catalogue knows orders");
    let held = known.tables.iter().find(|table| table.name == entity.table).cloned();
    Resolved { held, ..Resolved::new(entity, Vec::new(), Vec::new()) }
}

/// Stands where an endpoint has no entity; nothing is kept of it.
fn nothing(name: &str) -> Entity {
    Entity {
        entity: EntityName::parse(name).expect("a behaviour's name"),
        table: TableName::parse(name).expect("a behaviour's name"),
        comment: String::new(),
        also: Vec::new(),
        unique: Vec::new(),
        compares: Vec::new(),
        no_overlap: Vec::new(),
        fields: Vec::new(),
        file: None,
    }
}

/// What an endpoint names beside what others describe is said with its event, and is no column.
fn forget_own(resolved: &mut Resolved, entity: Option<&Entity>, same: &[&Endpoint]) {
    let is_column = |name: &FieldName| {
        entity.is_some_and(|entity| entity.fields.iter().any(|field| field.name == *name))
            || same.iter().flat_map(|other| &other.validation).any(|rule| rule.name.value == *name)
    };
    resolved.entity.fields.retain(|field| is_column(&field.name));
    resolved.decided.clear();
}

/// Whether the task describes the record by itself: it says what known fields hold, so it does not rely on the catalogue.
fn describes(stated: &[&FieldRule], known: &Entity) -> bool {
    let is_known = |rule: &FieldRule| known.fields.iter().any(|field| field.name == rule.name.value);
    stated.iter().any(|rule| is_known(rule) && rule.rules.iter().any(|(word, _)| word.value == "type"))
}

/// A task that says which fields of a record must be there has named them all: the others may be left out.
fn relaxed(known: &Entity, stated: &[&FieldRule]) -> Entity {
    let mut entity = known.clone();
    let says_presence =
        stated.iter().any(|rule| rule.rules.is_empty() || rule.rules.iter().any(|(word, _)| word.value == "required"));
    let is_stated = |field: &Field| stated.iter().any(|rule| rule.name.value == field.name);
    for field in entity.fields.iter_mut().filter(|field| says_presence && !is_stated(field)) {
        field.presence = Presence::Optional;
    }
    entity
}

/// What the endpoints of one entity validate: together they describe it.
fn stated_fields<'a>(endpoint: &'a Endpoint, same: &[&'a Endpoint]) -> Vec<&'a FieldRule> {
    let mut rules: Vec<&FieldRule> = Vec::new();
    for rule in endpoint.validation.iter().chain(same.iter().flat_map(|other| &other.validation)) {
        match rules.iter_mut().find(|known| known.name.value == rule.name.value) {
            Some(known) if known.rules.is_empty() => *known = rule,
            Some(_) => {}
            None => rules.push(rule),
        }
    }
    rules
}

/// What its records belong to, as the paths of the task say. It may be empty: other paths make records that belong to nothing.
fn add_parents(resolved: &mut Resolved, same: &[&Endpoint], known: &Known<'_>) {
    for other in same {
        let Some(parent) = target(&other.path).and_then(|target| target.parent) else { continue };
        let Some(name) = known.parent_field(parent) else { continue };
        if resolved.entity.fields.iter().any(|field| field.name == name) {
            continue;
        }
        let field = Field {
            name,
            // Whoever sends the key may have it from another system.
            field_type: FieldType::Line { max: LINE_MAX },
            format: None,
            presence: Presence::Optional,
            min_length: 1,
            max_length: None,
            bounds: Bounds::default(),
            default: None,
            sensitivity: Sensitivity::Plain,
            stands_for: Vec::new(),
            description: format!(
                "The `id` of the {} it belongs to.",
                singular(&snake_case(parent.segment)).replace('_', " ")
            ),
            example: "019c0f3e-7b1a-7c3d-8e5f-0123456789ab".to_owned(),
        };
        resolved.decided.push((field.name.clone(), described(&field), format!("the path `{}`", other.path)));
        resolved.entity.fields.push(field.clone());
        resolved.asked.push(field);
    }
}

/// A known entity with the fields that the task adds to it. They may be empty: rows of other tasks do not have them. What the
/// task says of a known field makes it narrower for requests, and leaves the table as it is.
fn extended(known: &Entity, stated: &[&FieldRule], catalog: &Catalog) -> Result<Resolved, Vec<Diagnostic>> {
    let mut entity = known.clone();
    let mut asked = known.fields.clone();
    let mut decided = Vec::new();
    let mut problems = Vec::new();
    for rule in stated {
        if let Some(field) = asked.iter_mut().find(|field| field.name == rule.name.value) {
            if field.sensitivity == Sensitivity::Secret {
                problems.push(secret(rule));
                continue;
            }
            match narrowed(field, rule) {
                Ok(narrower) if narrower != *field => {
                    decided.push((field.name.clone(), described(&narrower), "the task says so".to_owned()));
                    *field = narrower;
                }
                Ok(_) => {}
                Err(found) => problems.extend(found),
            }
            continue;
        }
        match refuse(rule, catalog).and_then(|()| made(rule, None, catalog)) {
            Ok((field, reason)) => {
                decided.push((field.name.clone(), described(&field), reason));
                let field = Field { presence: Presence::Optional, ..field };
                entity.fields.push(field.clone());
                asked.push(field);
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(Resolved::new(entity, asked, decided)) } else { Err(problems) }
}

/// Fields that a task cannot have: those the server keeps, and those that must not be kept as they come.
fn refuse(rule: &FieldRule, catalog: &Catalog) -> Result<(), Vec<Diagnostic>> {
    if catalog.is_secret(&rule.name.value) {
        return Err(vec![secret(rule)]);
    }
    if !OWN_COLUMNS.contains(&rule.name.value.as_str()) {
        return Ok(());
    }
    let message = format!("`{}` is kept by the server", rule.name.value);
    Err(vec![
        Diagnostic::error(OVERRIDE_NOT_BUILT, message, &rule.name.place).with_help("leave it out of `validation`"),
    ])
}

fn secret(rule: &FieldRule) -> Diagnostic {
    let message = format!("`{}` would be stored and shown as it comes", rule.name.value);
    Diagnostic::error(SECRET_FIELD, message, &rule.name.place)
        .with_help("leave it out: secrets need a behaviour that hashes them or never keeps them")
}

fn made_of_fields(
    segment: &str,
    names: Option<(TableName, EntityName)>,
    endpoint: &Endpoint,
    stated: &[&FieldRule],
    known: Option<&Entity>,
    catalog: &Catalog,
) -> Result<Resolved, Vec<Diagnostic>> {
    let (Some((table, entity)), false) = (names, stated.is_empty()) else {
        return Err(vec![no_fields(segment, endpoint, catalog)]);
    };
    let mut decided = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    let mut problems = Vec::new();
    for rule in stated {
        let known = known.and_then(|known| known.fields.iter().find(|field| field.name == rule.name.value));
        match refuse(rule, catalog).and_then(|()| made(rule, known, catalog)) {
            Ok((field, reason)) => {
                decided.push((field.name.clone(), described(&field), reason));
                fields.push(field);
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let said_by_task = || format!("what {segment} are is said by the task");
    let comment = known.map_or_else(said_by_task, |known| known.comment.clone());
    let asked = fields.clone();
    let is_there = |unique: &&Vec<FieldName>| unique.iter().all(|name| asked.iter().any(|field| field.name == *name));
    let unique = known.map_or_else(Vec::new, |known| known.unique.iter().filter(is_there).cloned().collect());
    let compares = known.map_or_else(Vec::new, |known| known.compares.clone());
    let no_overlap = known.map_or_else(Vec::new, |known| known.no_overlap.clone());
    let also = Vec::new();
    let mut entity = Entity { entity, table, comment, also, unique, compares, no_overlap, fields, file: None };
    let comparable: Vec<bool> = entity.compares.iter().map(|compared| entity.comparable(compared).is_ok()).collect();
    let mut comparable = comparable.into_iter();
    entity.compares.retain(|_| comparable.next() == Some(true));
    let takes: Vec<bool> = entity.no_overlap.iter().map(|taken| entity.takes_time(taken).is_ok()).collect();
    let mut takes = takes.into_iter();
    entity.no_overlap.retain(|_| takes.next() == Some(true));
    Ok(Resolved::new(entity, asked, decided))
}

/// Nothing tells the fields. The names of the catalogue are near at hand, and so is `validation`.
fn no_fields(segment: &str, endpoint: &Endpoint, catalog: &Catalog) -> Diagnostic {
    let fields = "`validation: [\"title\", \"description\"]`";
    if let Some(stated) = &endpoint.entity {
        let known: Vec<&str> = catalog.entities().map(|entity| entity.entity.as_str()).collect();
        let meant = closest(stated.value.as_str(), &known)
            .map_or_else(String::new, |meant| format!("did you mean `entity: {meant}`? else "));
        let message = format!("nothing tells which fields `{}` has", stated.value);
        return Diagnostic::error(NOT_INFERRED, message, &stated.place)
            .with_help(format!("{meant}name them at the endpoint that creates it: {fields}"));
    }
    let claimed = catalog.claimed_entity(segment);
    let known = claimed.map_or_else(String::new, |entity| format!("add `entity: {entity}` if that is meant, or "));
    Diagnostic::error(NOT_INFERRED, format!("nothing tells which fields `{segment}` have"), &endpoint.place)
        .with_help(format!("{known}name them at the endpoint that creates them: {fields}"))
}

/// Letters, digits and `_`, lower case: `orderItems` and `order-items` are `order_items`.
pub fn snake_case(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len() + 4);
    let mut inside_word = false;
    for letter in segment.chars() {
        if letter.is_ascii_uppercase() && inside_word {
            text.push('_');
        }
        inside_word = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        text.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
    }
    text.trim_matches('_').to_owned()
}

/// Plurals that no ending tells.
const IRREGULAR: &[(&str, &str)] = &[
    ("people", "person"),
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("mice", "mouse"),
    ("criteria", "criterion"),
    ("indices", "index"),
    ("analyses", "analysis"),
    ("diagnoses", "diagnosis"),
    ("movies", "movie"),
    ("series", "series"),
    ("news", "news"),
    ("lenses", "lens"),
    ("leaves", "leaf"),
    ("lives", "life"),
    ("shelves", "shelf"),
    ("quizzes", "quiz"),
    ("potatoes", "potato"),
    ("heroes", "hero"),
];

/// `companies` -> `company`, `boxes` -> `box`, `orders` -> `order`; a word that is no plural stays.
pub fn singular(word: &str) -> String {
    let (before, last) = word.rsplit_once('_').map_or(("", word), |(_, last)| (&word[..word.len() - last.len()], last));
    if let Some((_, single)) = IRREGULAR.iter().find(|(plural, _)| *plural == last) {
        return format!("{before}{single}");
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|_| last.len() > 4) {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes", "zzes", "tuses", "buses", "viruses"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if !stem.ends_with(['s', 'u']) && !stem.ends_with("si") && stem.len() > 1 => stem.to_owned(),
        Some(_) | None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn singulars() {
        for (plural, expected) in [
            ("companies", "company"),
            ("order_entries", "order_entry"),
            ("pies", "pie"),
            ("boxes", "box"),
            ("classes", "class"),
            ("orders", "order"),
            ("order_items", "order_item"),
            ("staff", "staff"),
            ("media", "media"),
            ("people", "person"),
            ("sales_people", "sales_person"),
            ("children", "child"),
            ("statuses", "status"),
            ("status", "status"),
            ("houses", "house"),
            ("courses", "course"),
            ("expenses", "expense"),
            ("analysis", "analysis"),
            ("quizzes", "quiz"),
            ("movies", "movie"),
            ("glass", "glass"),
        ] {
            assert_eq!(super::singular(plural), expected);
        }
    }

    #[test]
    fn segments_become_names() {
        for (segment, expected) in [
            ("orderItems", "order_items"),
            ("order-items", "order_items"),
            ("OrderItems", "order_items"),
            ("order_items", "order_items"),
            ("FAQ", "faq"),
            ("v2Orders", "v2_orders"),
        ] {
            assert_eq!(super::snake_case(segment), expected);
        }
    }
}
