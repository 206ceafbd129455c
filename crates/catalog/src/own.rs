//! A workspace's own entities, relations and mails: texts of files come in, a catalogue that holds them goes out, or every reason why
//! not with its file and line. What the workspace says takes the place of what this build knows.

use crate::codes::OWN_FILE_WRONG;
use crate::entity::FieldText;
use crate::own_file::{Form, OwnFile, meant};
use crate::relation::{Belonging, Link};
use crate::{Catalog, Compared, Entity, Field, Sensitivity, Taken};
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeMap;
use vocab::suggestion::closest;
use vocab::{Diagnostic, EntityName, FieldName, TableName};

/// Columns that every table of an entity has besides its fields.
pub const OWN_COLUMNS: [&str; 4] = ["id", "created_at", "updated_at", "row_version"];
/// Tables that the producer and its APIs make for themselves.
pub const OWN_TABLES: [&str; 21] = [
    "auth_accounts",
    "auth_sessions",
    "auth_refresh_tokens",
    "auth_mailed_tokens",
    "auth_signing_keys",
    "auth_identities",
    "schema_migrations",
    "schema_migration_steps",
    "outbox_events",
    "outbox_deliveries",
    "outbox_attempts",
    "outbox_remembered",
    "outbox_tokens",
    "mail_suppressions",
    "sync_states",
    "sync_links",
    "integration_alerts",
    "webhook_subscriptions",
    "inbox_events",
    "api_keys",
    "idempotency_answers",
];

/// What those files are.
const ENTITY: Form = Form { code: OWN_FILE_WRONG, one: "one entity", each: "each entity" };

/// What a workspace brings: files in the format of this crate's own data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnFiles {
    /// One entity each.
    pub entities: Vec<OwnFile>,
    /// How entities belong together.
    pub relations: Option<OwnFile>,
    /// One mail each.
    pub mails: Vec<OwnFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntityText {
    entity: Spanned<EntityName>,
    table: Spanned<TableName>,
    comment: Spanned<String>,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    unique: Vec<Vec<Spanned<FieldName>>>,
    #[serde(default)]
    compares: Vec<Spanned<Compared>>,
    #[serde(default)]
    no_overlap: Vec<Spanned<Taken>>,
    fields: Spanned<Vec<Spanned<FieldText>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RelationsText {
    #[serde(default)]
    belongs: Vec<Spanned<Belonging>>,
    #[serde(default)]
    links: Vec<Spanned<Link>>,
}

impl Catalog {
    /// The same with what a workspace brings.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn with_own(mut self, own: &OwnFiles) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut read: Vec<(&OwnFile, EntityText)> = Vec::new();
        for file in &own.entities {
            match file.read(ENTITY) {
                Ok(text) => read.push((file, text)),
                Err(problem) => problems.push(problem),
            }
        }
        let mut names: BTreeMap<EntityName, &str> = BTreeMap::new();
        for (file, text) in &read {
            if let Some(other) = names.insert(text.entity.value.clone(), &file.name) {
                let message = format!("`{}` is the entity of `{other}` already", text.entity.value);
                problems.push(file.wrong(text.entity.referenced, message, "keep one of the two"));
            }
        }
        let mut tables: BTreeMap<TableName, EntityName> = BTreeMap::new();
        for entity in self.every().filter(|entity| !names.contains_key(&entity.entity)) {
            tables.insert(entity.table.clone(), entity.entity.clone());
        }
        for (file, text) in read {
            problems.extend(file.wrong_table(&text, &mut tables));
            match file.entity(text, &self) {
                Ok(entity) => {
                    self.own.insert(entity.entity.clone(), entity);
                }
                Err(found) => problems.extend(found),
            }
        }
        // What is wrong with an entity says more than that no relation can name it.
        if let (Some(file), true) = (&own.relations, problems.is_empty()) {
            match self.relate(file) {
                Ok(()) => {}
                Err(found) => problems.extend(found),
            }
        }
        problems.extend(self.write(&own.mails));
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }

    /// Puts the workspace's mails in the place of those of this build. Gives what is wrong with them.
    fn write(&mut self, files: &[OwnFile]) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for file in files {
            match file.mail(true) {
                Ok(template) => {
                    let other = self.mails.insert(template.event.clone(), template.clone());
                    if let Some(other) = other.and_then(|other| other.file) {
                        problems.push(template.stands_twice(&other));
                    }
                }
                Err(found) => problems.extend(found),
            }
        }
        problems
    }

    /// Puts the workspace's relations before those of this build: the first that fits decides.
    fn relate(&mut self, file: &OwnFile) -> Result<(), Vec<Diagnostic>> {
        let text: RelationsText = file.read(ENTITY).map_err(|problem| vec![problem])?;
        let known: Vec<&str> = self.every().map(|entity| entity.entity.as_str()).collect();
        let unknown = |name: &EntityName, at: Location| {
            let is_known = known.contains(&name.as_str());
            let help = closest(name.as_str(), &known).map_or_else(
                || "add a file for it to `entities`".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            (!is_known).then(|| file.wrong(at, format!("no entity is called `{name}`"), help))
        };
        let of_belongs = text.belongs.iter().flat_map(|known| {
            [&known.value.one, &known.value.many].into_iter().filter_map(|name| unknown(name, known.referenced))
        });
        let of_links = text.links.iter().flat_map(|link| {
            let Link { whole, part, through, .. } = &link.value;
            [whole, part].into_iter().chain(through).filter_map(|name| unknown(name, link.referenced))
        });
        let problems: Vec<Diagnostic> = of_belongs.chain(of_links).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        self.relations.belongs.splice(0..0, text.belongs.into_iter().map(|known| known.value));
        self.relations.links.splice(0..0, text.links.into_iter().map(|link| link.value));
        Ok(())
    }
}

impl OwnFile {
    fn wrong(&self, at: Location, message: String, help: impl Into<String>) -> Diagnostic {
        self.problem(ENTITY, at, message, help)
    }

    /// A table has one entity, and none that the producer makes for itself.
    fn wrong_table(&self, text: &EntityText, tables: &mut BTreeMap<TableName, EntityName>) -> Option<Diagnostic> {
        let (table, entity) = (&text.table.value, &text.entity.value);
        if OWN_TABLES.contains(&table.as_str()) {
            let message = format!("`{table}` is a table of the producer's own");
            return Some(self.wrong(text.table.referenced, message, "give it another name"));
        }
        let other = tables.insert(table.clone(), entity.clone()).filter(|other| other != entity)?;
        let message = format!("`{table}` is the table of the entity `{other}`");
        let help = format!("write `entity: {other}` to take its place, or give this one another table");
        Some(self.wrong(text.table.referenced, message, help))
    }

    fn entity(&self, text: EntityText, catalog: &Catalog) -> Result<Entity, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        if text.fields.value.is_empty() {
            let help = "add one: `- { name: title, type: line, max: 200 }`";
            problems.push(self.wrong(text.fields.referenced, "an entity has at least one field".to_owned(), help));
        }
        for Spanned { value, referenced, .. } in text.fields.value {
            match Field::try_from(value) {
                Ok(field) if OWN_COLUMNS.contains(&field.name.as_str()) => {
                    let message = format!("every record has `{}`, and the server keeps it", field.name);
                    problems.push(self.wrong(referenced, message, "leave it out"));
                }
                Ok(field) if fields.iter().any(|known| known.name == field.name) => {
                    let message = format!("`{}` stands twice", field.name);
                    problems.push(self.wrong(referenced, message, "keep one of the two"));
                }
                Ok(field) => fields.push(field),
                Err(why) => problems.push(self.wrong(referenced, why, "")),
            }
        }
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        for Spanned { value, referenced, .. } in text.unique.iter().flatten() {
            if !names.contains(&value.as_str()) && problems.is_empty() {
                let help = meant(value.as_str(), &names);
                problems.push(self.wrong(*referenced, format!("no field is called `{value}`"), help));
            }
        }
        if text.comment.value.trim().is_empty() {
            let help = "say what a row is: `comment: a tool for counting`";
            problems.push(self.wrong(text.comment.referenced, "`comment` is empty".to_owned(), help));
        }
        for field in &mut fields {
            if catalog.is_secret(&field.name) {
                field.sensitivity = Sensitivity::Secret;
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let (compares, places): (Vec<Compared>, Vec<Location>) =
            text.compares.into_iter().map(|compared| (compared.value, compared.referenced)).unzip();
        let (no_overlap, taken_at): (Vec<Taken>, Vec<Location>) =
            text.no_overlap.into_iter().map(|taken| (taken.value, taken.referenced)).unzip();
        let unique = text.unique.into_iter().filter(|set| !set.is_empty());
        let entity = Entity {
            entity: text.entity.value,
            table: text.table.value,
            comment: text.comment.value.trim().trim_end_matches('.').to_owned(),
            also: text.also.iter().map(|word| word.to_lowercase().replace(['-', ' '], "_")).collect(),
            unique: unique.map(|set| set.into_iter().map(|field| field.value).collect()).collect(),
            compares,
            no_overlap,
            fields,
            file: Some(self.name.clone()),
        };
        for (compared, place) in entity.compares.iter().zip(places) {
            if let Err(why) = entity.comparable(compared) {
                problems.push(self.wrong(place, why, ""));
            }
        }
        for (taken, place) in entity.no_overlap.iter().zip(taken_at) {
            if let Err(why) = entity.takes_time(taken) {
                problems.push(self.wrong(place, why, ""));
            }
        }
        if problems.is_empty() { Ok(entity) } else { Err(problems) }
    }
}
