//! A workspace's own entities and relations: texts of files come in, a catalogue that holds them goes out, or every reason why
//! not with its file and line. What the workspace says takes the place of what this build knows.

use crate::codes::OWN_FILE_WRONG;
use crate::entity::FieldText;
use crate::relation::{Belonging, Link};
use crate::{Catalog, Entity, Field, Sensitivity};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Location, Spanned};
use std::collections::BTreeMap;
use vocab::suggestion::{closest, list};
use vocab::{Diagnostic, EntityName, FieldName, Place, TableName};

/// Columns that every table of an entity has besides its fields.
pub const OWN_COLUMNS: [&str; 4] = ["id", "created_at", "updated_at", "row_version"];
/// Tables that the producer and its APIs make for themselves.
pub const OWN_TABLES: [&str; 5] =
    ["schema_migrations", "schema_migration_steps", "outbox_events", "api_keys", "idempotency_answers"];

/// A text with its name, as diagnostics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// `entities/abacus.yaml`
    pub name: String,
    /// The text.
    pub text: String,
}

/// What a workspace brings: files in the format of this crate's own data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnFiles {
    /// One entity each.
    pub entities: Vec<OwnFile>,
    /// How entities belong together.
    pub relations: Option<OwnFile>,
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
            match file.read() {
                Ok(text) => read.push((file, text)),
                Err(problem) => problems.push(problem),
            }
        }
        let mut names: BTreeMap<EntityName, &str> = BTreeMap::new();
        for (file, text) in &read {
            if let Some(other) = names.insert(text.entity.value.clone(), &file.name) {
                let message = format!("`{}` is the entity of `{other}` already", text.entity.value);
                problems.push(file.problem(text.entity.referenced, message, "keep one of the two"));
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
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }

    /// Puts the workspace's relations before those of this build: the first that fits decides.
    fn relate(&mut self, file: &OwnFile) -> Result<(), Vec<Diagnostic>> {
        let text: RelationsText = file.read().map_err(|problem| vec![problem])?;
        let known: Vec<&str> = self.every().map(|entity| entity.entity.as_str()).collect();
        let unknown = |name: &EntityName, at: Location| {
            let is_known = known.contains(&name.as_str());
            let help = closest(name.as_str(), &known).map_or_else(
                || "add a file for it to `entities`".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            (!is_known).then(|| file.problem(at, format!("no entity is called `{name}`"), help))
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
    fn read<T: DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options(&self.text, options).map_err(|error| self.unreadable(&error))
    }

    /// A table has one entity, and none that the producer makes for itself.
    fn wrong_table(&self, text: &EntityText, tables: &mut BTreeMap<TableName, EntityName>) -> Option<Diagnostic> {
        let (table, entity) = (&text.table.value, &text.entity.value);
        if OWN_TABLES.contains(&table.as_str()) {
            let message = format!("`{table}` is a table of the producer's own");
            return Some(self.problem(text.table.referenced, message, "give it another name"));
        }
        let other = tables.insert(table.clone(), entity.clone()).filter(|other| other != entity)?;
        let message = format!("`{table}` is the table of the entity `{other}`");
        let help = format!("write `entity: {other}` to take its place, or give this one another table");
        Some(self.problem(text.table.referenced, message, help))
    }

    fn entity(&self, text: EntityText, catalog: &Catalog) -> Result<Entity, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        if text.fields.value.is_empty() {
            let help = "add one: `- { name: title, type: line, max: 200 }`";
            problems.push(self.problem(text.fields.referenced, "an entity has at least one field".to_owned(), help));
        }
        for Spanned { value, referenced, .. } in text.fields.value {
            match Field::try_from(value) {
                Ok(field) if OWN_COLUMNS.contains(&field.name.as_str()) => {
                    let message = format!("every record has `{}`, and the server keeps it", field.name);
                    problems.push(self.problem(referenced, message, "leave it out"));
                }
                Ok(field) if fields.iter().any(|known| known.name == field.name) => {
                    let message = format!("`{}` stands twice", field.name);
                    problems.push(self.problem(referenced, message, "keep one of the two"));
                }
                Ok(field) => fields.push(field),
                Err(why) => problems.push(self.problem(referenced, why, "")),
            }
        }
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        for Spanned { value, referenced, .. } in text.unique.iter().flatten() {
            if !names.contains(&value.as_str()) && problems.is_empty() {
                let help = meant(value.as_str(), &names);
                problems.push(self.problem(*referenced, format!("no field is called `{value}`"), help));
            }
        }
        if text.comment.value.trim().is_empty() {
            let help = "say what a row is: `comment: a tool for counting`";
            problems.push(self.problem(text.comment.referenced, "`comment` is empty".to_owned(), help));
        }
        for field in &mut fields {
            if catalog.is_secret(&field.name) {
                field.sensitivity = Sensitivity::Secret;
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let unique = text.unique.into_iter().filter(|set| !set.is_empty());
        Ok(Entity {
            entity: text.entity.value,
            table: text.table.value,
            comment: text.comment.value.trim().trim_end_matches('.').to_owned(),
            also: text.also.iter().map(|word| word.to_lowercase().replace(['-', ' '], "_")).collect(),
            unique: unique.map(|set| set.into_iter().map(|field| field.value).collect()).collect(),
            fields,
            file: Some(self.name.clone()),
        })
    }

    fn problem(&self, at: Location, message: String, help: impl Into<String>) -> Diagnostic {
        let count = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        let line = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
        let place = Place {
            source: self.name.clone(),
            line: line(at.line()),
            column: line(at.column()),
            offset: count(at.span().byte_offset()),
            length: count(at.span().byte_len()),
        };
        let problem = Diagnostic::error(OWN_FILE_WRONG, message, &place);
        match help.into() {
            help if help.is_empty() => problem,
            help => problem.with_help(help),
        }
    }

    /// Why the text is none of this form, in our words where the library's are for programmers.
    fn unreadable(&self, error: &Error) -> Diagnostic {
        let at = error.location().unwrap_or(Location::UNKNOWN);
        match error {
            Error::SerdeUnknownField { field, expected, .. } => {
                self.problem(at, format!("no field is called `{field}` here"), meant(field, expected))
            }
            Error::SerdeUnknownVariant { variant, expected, .. } => self.problem(
                at,
                format!("`{variant}` is none of the words that can stand here"),
                meant(variant, expected),
            ),
            Error::SerdeMissingField { field, .. } => {
                self.problem(at, format!("`{field}` is missing"), format!("add `{field}: ...`"))
            }
            Error::MultipleDocuments { .. } => {
                self.problem(at, "a file holds one entity".to_owned(), "give each entity a file of its own")
            }
            Error::DuplicateMappingKey { key, .. } => {
                let key = key.as_deref().unwrap_or("a field");
                self.problem(at, format!("`{key}` stands twice"), "keep one of the two")
            }
            Error::Message { msg, .. } => self.problem(at, msg.clone(), ""),
            Error::InvalidScalar { .. } => {
                let help = "numbers are written in digits, yes and no as `true` and `false`";
                self.problem(at, "a value of another kind stands here".to_owned(), help)
            }
            other => {
                let told = other.to_string();
                let first = told.lines().next().unwrap_or_default();
                let why = first.split(" at line ").next().unwrap_or(first);
                let help = "compare it with the example of `producer explain IP245`";
                self.problem(at, format!("this cannot be read: {why}"), help)
            }
        }
    }
}

/// What was meant, or what there is.
fn meant(word: &str, known: &[&str]) -> String {
    match closest(word, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it is one of {}", list(known)),
    }
}
