//! What the producer knows, as data: entities with their fields, rules that tell what an endpoint does, and the tree of events.
//! Data files in, checked types out; nothing here knows a task or a plan.

mod codes;
mod entity;
mod event;
mod guard;
mod intent;
mod mail;
mod own;
mod own_file;
mod provider;
mod relation;
mod segment;
mod sender;
#[cfg(test)]
mod tests;
mod word;

pub use codes::{ALL_CODES, MAIL_FILE_WRONG, OWN_FILE_WRONG, PROVIDER_CODES, PROVIDER_FOLDER_WRONG};
pub use entity::{Compared, Entity, Field, Presence, Released, Sensitivity, Taken, example_of};
pub use event::{Change, Event};
pub use intent::{Intent, PathKind};
pub use mail::{MailTemplate, Named, TemplateLink, TemplateText};
pub use own::{OWN_COLUMNS, OWN_TABLES, OwnFiles};
pub use own_file::OwnFile;
pub use provider::{ProviderFolder, built_in_providers};
pub use relation::{Belonging, Count, Link, OnDelete, Ownership, Relations};
pub use sender::Sender;
pub use word::WordRule;

use guard::Guard;
use manifest::Manifest;
use segment::spelled;
use std::collections::BTreeMap;
use vocab::{BehaviorName, EntityName, EventName, FieldName, FieldType, ProviderName, SuppressionReason, TableName};

// ENTITY_FILES, INTENT_FILES, TABLE_FILES, WORD_FILE, RELATION_FILE, GUARD_FILE, SENDER_FILE and EVENT_FILE: each file's name and what it
// says as JSON; MAIL_FILES and PROVIDER_FOLDERS: each file's name and text. The build script makes them from the folders.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Everything that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// Entities of the workspace: they go before all others.
    own: BTreeMap<EntityName, Entity>,
    entities: BTreeMap<EntityName, Entity>,
    /// Entities that database tasks know and APIs do not: accounts belong to whatever signs people in.
    tables: BTreeMap<EntityName, Entity>,
    relations: Relations,
    intents: Vec<Intent>,
    events: BTreeMap<EventName, Event>,
    /// By event; a workspace's own stand in the place of those of this build.
    mails: BTreeMap<EventName, MailTemplate>,
    words: Vec<WordRule>,
    senders: BTreeMap<String, Sender>,
    guard: Guard,
    /// The provider that is asked for. Reading them all takes long.
    provider: Option<Manifest>,
}

/// A data file that does not say what it should.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct CatalogError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
}

impl Catalog {
    /// What this build knows.
    ///
    /// # Errors
    /// [`CatalogError`] when a data file is wrong; a test loads them all.
    pub fn built_in() -> Result<Self, CatalogError> {
        let mut catalog = Self {
            own: BTreeMap::new(),
            entities: read_entities(ENTITY_FILES)?,
            tables: read_entities(TABLE_FILES)?,
            relations: read(RELATION_FILE.0, RELATION_FILE.1)?,
            intents: Vec::new(),
            events: BTreeMap::new(),
            mails: BTreeMap::new(),
            words: Vec::new(),
            senders: read(SENDER_FILE.0, SENDER_FILE.1)?,
            guard: read(GUARD_FILE.0, GUARD_FILE.1)?,
            provider: None,
        };
        for (file, text) in INTENT_FILES {
            catalog.intents.extend(read::<Vec<Intent>>(file, text)?);
        }
        for event in read::<Vec<Event>>(EVENT_FILE.0, EVENT_FILE.1)? {
            catalog.events.insert(event.event.clone(), event);
        }
        for (file, text) in MAIL_FILES {
            let read = OwnFile { name: (*file).to_owned(), text: (*text).to_owned() }.mail(false);
            let template = read.map_err(|problems| {
                let why = problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ");
                CatalogError { file: (*file).to_owned(), why }
            })?;
            catalog.mails.insert(template.event.clone(), template);
        }
        catalog.words = read(WORD_FILE.0, WORD_FILE.1)?;
        catalog.check()?;
        Ok(catalog)
    }

    /// The catalogue with a provider whose manifest is a file of this build or of a workspace.
    #[must_use]
    pub fn with_provider(self, manifest: Manifest) -> Self {
        Self { provider: Some(manifest), ..self }
    }

    /// The provider of that name, where it was read.
    #[must_use]
    pub fn provider(&self, name: &ProviderName) -> Option<&Manifest> {
        self.provider.as_ref().filter(|manifest| manifest.provider.provider == *name)
    }

    /// The sender of that name.
    #[must_use]
    pub fn sender(&self, name: &str) -> Option<&Sender> {
        self.senders.get(name)
    }

    /// The names of all senders whose proof is known.
    pub fn senders(&self) -> impl Iterator<Item = &str> {
        self.senders.keys().map(String::as_str)
    }

    /// Whether a segment names an action (`login`) or the caller (`profile`): such a path is no collection of records.
    #[must_use]
    pub fn is_action(&self, segment: &str) -> bool {
        self.guard.is_action(segment)
    }

    /// Whether a field of that name holds something that opens or pays, and must not be stored as it comes.
    #[must_use]
    pub fn is_secret(&self, name: &FieldName) -> bool {
        self.guard.is_secret(name.as_str())
    }

    /// The entity of that name.
    #[must_use]
    pub fn entity(&self, name: &EntityName) -> Option<&Entity> {
        self.own.get(name).or_else(|| self.entities.get(name))
    }

    /// The entity that a segment of a path names: `contact-messages`, `contact_messages` or `contactMessage`. A segment that a
    /// rule claims for another entity names none: whoever reads `contact` does not mean the address book.
    #[must_use]
    pub fn entity_of_segment(&self, segment: &str) -> Option<&Entity> {
        let word = spelled(segment).replace('-', "_");
        let named = |entity: &&Entity| {
            entity.table.as_str() == word || entity.entity.as_str() == word || entity.also.contains(&word)
        };
        let entity = self.entities().find(named)?;
        let for_another = |intent: &Intent| {
            intent.entity.as_ref().is_some_and(|claimed| *claimed != entity.entity) && intent.claims(segment)
        };
        (!self.intents.iter().any(for_another)).then_some(entity)
    }

    /// The entity whose rows a database task keeps in a table of that name: by the table's or the entity's own name, else by
    /// the longest ending of it that is one (`blog_posts`).
    #[must_use]
    pub fn entity_of_table(&self, table: &TableName) -> Option<&Entity> {
        let mut rest = Some(table.as_str());
        while let Some(word) = rest {
            let named = |entity: &&Entity| {
                entity.table.as_str() == word
                    || entity.entity.as_str() == word
                    || entity.also.iter().any(|other| other == word)
            };
            if let Some(entity) = self.every().find(named) {
                return Some(entity);
            }
            rest = word.split_once('_').map(|(_, rest)| rest);
        }
        None
    }

    /// The entity of that name, as a database task knows it.
    #[must_use]
    pub fn table_entity(&self, name: &EntityName) -> Option<&Entity> {
        self.own.get(name).or_else(|| self.tables.get(name)).or_else(|| self.entities.get(name))
    }

    /// How entities belong together.
    #[must_use]
    pub fn relations(&self) -> &Relations {
        &self.relations
    }

    /// Every entity that APIs know: the workspace's own, then by name.
    pub fn entities(&self) -> impl Iterator<Item = &Entity> {
        self.own.values().chain(self.entities.values().filter(|entity| !self.own.contains_key(&entity.entity)))
    }

    /// Every entity that database tasks know.
    fn every(&self) -> impl Iterator<Item = &Entity> {
        let tables = self.tables.values().filter(|entity| !self.own.contains_key(&entity.entity));
        self.own.values().chain(tables).chain(self.entities().filter(|entity| entity.file.is_none()))
    }

    /// Whether this build knows an entity of that name, whatever the workspace says.
    #[must_use]
    pub fn is_built_in(&self, name: &EntityName) -> bool {
        self.entities.contains_key(name) || self.tables.contains_key(name)
    }

    /// The entity that a rule has for the segment.
    #[must_use]
    pub fn claimed_entity(&self, segment: &str) -> Option<&EntityName> {
        self.intents.iter().filter(|intent| intent.claims(segment)).find_map(|intent| intent.entity.as_ref())
    }

    /// What a field of that name most likely holds.
    #[must_use]
    pub fn word_rule(&self, name: &FieldName) -> Option<&WordRule> {
        self.words.iter().find(|rule| rule.fits(name.as_str()))
    }

    /// The rules in the order they are asked.
    #[must_use]
    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }

    /// The more general events that the event also counts as, nearest first.
    #[must_use]
    pub fn generalisations(&self, event: &EventName) -> Vec<EventName> {
        let mut found: Vec<EventName> = Vec::new();
        let mut open = vec![event.clone()];
        while let Some(name) = open.pop() {
            for also in self.events.get(&name).map_or(&[][..], |event| &event.also) {
                if !found.contains(also) {
                    found.push(also.clone());
                    open.push(also.clone());
                }
            }
        }
        found
    }

    /// Every event that is known, in the order of their names.
    pub fn events(&self) -> impl Iterator<Item = &EventName> {
        self.events.keys()
    }

    /// The mail that an event makes, where somebody has written one.
    #[must_use]
    pub fn mail(&self, event: &EventName) -> Option<&MailTemplate> {
        self.mails.get(event)
    }

    /// Every mail that somebody has written, by event.
    pub fn mails(&self) -> impl Iterator<Item = &MailTemplate> {
        self.mails.values()
    }

    /// The event that a task means by the name of a point, and those that come along with it.
    #[must_use]
    pub fn points_meant(&self, asked: &EventName) -> Vec<EventName> {
        let known = |event: &&Event| event.event == *asked || event.spelled.contains(asked);
        match self.events.values().find(known) {
            Some(event) => std::iter::once(&event.event).chain(&event.with).cloned().collect(),
            None => vec![asked.clone()],
        }
    }

    /// The endpoint that would tell of an event, as a task writes it.
    #[must_use]
    pub fn endpoint_of(&self, event: &EventName) -> Option<&str> {
        self.events.get(event)?.endpoint.as_deref()
    }

    /// What the event makes of a record.
    #[must_use]
    pub fn change_of(&self, event: &EventName) -> Option<&Change> {
        self.events.get(event)?.changes.as_ref()
    }

    /// Why no mail goes any more to the address that an event is about; nothing where it says nothing of that.
    #[must_use]
    pub fn suppression_of(&self, event: &EventName) -> Option<SuppressionReason> {
        self.events.get(event)?.suppresses
    }

    /// Every behaviour that a rule names, without repetition.
    #[must_use]
    pub fn behaviors(&self) -> Vec<BehaviorName> {
        let mut names: Vec<BehaviorName> = self.intents.iter().map(|intent| intent.behavior.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// What one file says of another must be there.
    fn check(&self) -> Result<(), CatalogError> {
        for intent in &self.intents {
            let wrong = |why: String| Err(CatalogError { file: format!("rule {}", intent.rule), why });
            if let Some(entity) = intent.entity.as_ref().filter(|name| !self.entities.contains_key(name)) {
                return wrong(format!("no entity is called `{entity}`"));
            }
            if let Some(event) = intent.emits.as_ref().filter(|name| !self.events.contains_key(name)) {
                return wrong(format!("no event is called `{event}`"));
            }
        }
        for (name, change) in self.events.iter().filter_map(|(name, event)| Some((name, event.changes.as_ref()?))) {
            let words = self.entities.get(&change.entity).and_then(|entity| {
                let field = entity.fields.iter().find(|field| field.name == change.column)?;
                match &field.field_type {
                    FieldType::Choice { words } => Some(words),
                    _ => None,
                }
            });
            if !words.is_some_and(|words| {
                change.from.iter().chain(&change.from_before).chain([&change.to]).all(|word| words.contains(word))
            }) {
                let why = format!("`{name}` changes what no `{}` can be", change.entity);
                return Err(CatalogError { file: EVENT_FILE.0.to_owned(), why });
            }
        }
        let belongs = self.relations.belongs.iter().flat_map(|relation| [&relation.one, &relation.many]);
        let links =
            self.relations.links.iter().flat_map(|link| [&link.whole, &link.part].into_iter().chain(&link.through));
        if let Some(name) = belongs.chain(links).find(|name| self.table_entity(name).is_none()) {
            let why = format!("no entity is called `{name}`");
            return Err(CatalogError { file: RELATION_FILE.0.to_owned(), why });
        }
        Ok(())
    }
}

fn read_entities(files: &[(&str, &str)]) -> Result<BTreeMap<EntityName, Entity>, CatalogError> {
    let mut entities = BTreeMap::new();
    for (file, text) in files {
        let entity: Entity = read(file, text)?;
        let name = entity.entity.clone();
        if entities.insert(name.clone(), entity).is_some() {
            return Err(CatalogError {
                file: (*file).to_owned(),
                why: format!("another file has the entity `{name}`"),
            });
        }
    }
    Ok(entities)
}

fn read<T: serde::de::DeserializeOwned>(file: &str, json: &str) -> Result<T, CatalogError> {
    serde_json::from_str(json).map_err(|error| CatalogError { file: file.to_owned(), why: error.to_string() })
}
