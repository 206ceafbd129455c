//! What the producer knows, as data: entities with their fields, rules that tell what an endpoint does, and the tree of events.
//! Data files in, checked types out; nothing here knows a task or a plan.

mod entity;
mod event;
mod intent;
mod word;

pub use entity::{Entity, Field, Presence, Sensitivity};
pub use event::Event;
pub use intent::{Intent, PathKind};
pub use word::WordRule;

use std::collections::BTreeMap;
use vocab::{BehaviorName, EntityName, EventName, FieldName};

/// The built-in data files by name.
const ENTITY_FILES: &[(&str, &str)] = &[
    ("contact_message.yaml", include_str!("../entities/contact_message.yaml")),
    ("newsletter_subscriber.yaml", include_str!("../entities/newsletter_subscriber.yaml")),
];
const INTENT_FILES: &[(&str, &str)] = &[
    ("form.yaml", include_str!("../intents/form.yaml")),
    ("newsletter.yaml", include_str!("../intents/newsletter.yaml")),
    ("record.yaml", include_str!("../intents/record.yaml")),
];
const WORD_FILE: (&str, &str) = ("words.yaml", include_str!("../words.yaml"));
const EVENT_FILE: (&str, &str) = ("events.yaml", include_str!("../events.yaml"));

/// Everything that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    entities: BTreeMap<EntityName, Entity>,
    intents: Vec<Intent>,
    events: BTreeMap<EventName, Event>,
    words: Vec<WordRule>,
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
        let mut catalog =
            Self { entities: BTreeMap::new(), intents: Vec::new(), events: BTreeMap::new(), words: Vec::new() };
        for (file, text) in ENTITY_FILES {
            let entity: Entity = read(file, text)?;
            catalog.entities.insert(entity.entity.clone(), entity);
        }
        for (file, text) in INTENT_FILES {
            catalog.intents.extend(read::<Vec<Intent>>(file, text)?);
        }
        for event in read::<Vec<Event>>(EVENT_FILE.0, EVENT_FILE.1)? {
            catalog.events.insert(event.event.clone(), event);
        }
        catalog.words = read(WORD_FILE.0, WORD_FILE.1)?;
        catalog.check()?;
        Ok(catalog)
    }

    /// The entity of that name.
    #[must_use]
    pub fn entity(&self, name: &EntityName) -> Option<&Entity> {
        self.entities.get(name)
    }

    /// The entity that a segment of a path names: `contact-messages`, `contact_messages` or `contact_message`.
    #[must_use]
    pub fn entity_of_segment(&self, segment: &str) -> Option<&Entity> {
        let word = segment.replace('-', "_").to_ascii_lowercase();
        self.entities.values().find(|entity| entity.table.as_str() == word || entity.entity.as_str() == word)
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
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, CatalogError> {
    serde_saphyr::from_str(text).map_err(|error| CatalogError { file: file.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_file_is_listed_and_can_be_read() {
        let catalog = Catalog::built_in().unwrap();
        assert_eq!(catalog.entities.len(), ENTITY_FILES.len());
        for (folder, listed) in [("entities", ENTITY_FILES), ("intents", INTENT_FILES)] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut files: Vec<String> =
                path.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            files.sort();
            assert_eq!(files, listed.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_event_counts_as_the_more_general_ones() {
        let catalog = Catalog::built_in().unwrap();
        let name = |text| EventName::parse(text).unwrap();
        assert_eq!(catalog.generalisations(&name("contact_form")), [name("form_submission")]);
        assert_eq!(catalog.generalisations(&name("form_submission")), []);
    }
}
