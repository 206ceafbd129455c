//! What an endpoint works on, by name: endpoints that work on the same thing share one entity and one table, whatever their paths.

use crate::behaviour::{ParentKey, WorksOn};
use crate::entity::{singular, snake_case};
use crate::intent::{Inferred, Parent, infer, target};
use crate::key::RecordKey;
use crate::table::OWN_COLUMNS;
use catalog::Catalog;
use plan::Table;
use spec::{ApiRequirements, Endpoint};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{EntityName, FieldName, TableName};

/// What one task and the catalogue know together.
pub struct Known<'a> {
    pub requirements: &'a ApiRequirements,
    pub catalog: &'a Catalog,
    /// The tables of the database task that the API stands on.
    pub tables: &'a [Table],
    /// What each endpoint works on and describes; none where that cannot be told.
    subjects: Vec<Option<EntityName>>,
    /// Those that the task or a rule names, so that their paths need not.
    named: BTreeSet<EntityName>,
    /// The last name of a path by its singular; the first path counts.
    words: BTreeMap<String, String>,
    /// What each thing that others belong to is called by its key in a path.
    keys: BTreeMap<String, FieldName>,
}

impl<'a> Known<'a> {
    pub fn new(requirements: &'a ApiRequirements, catalog: &'a Catalog, tables: &'a [Table]) -> Self {
        let mut named = BTreeSet::new();
        let subject = |endpoint: &Endpoint| {
            let inferred = infer(endpoint, requirements, catalog).ok()?;
            match inferred.behaviour.works_on {
                WorksOn::Entity => {
                    named.extend(inferred.entity.clone());
                    entity_name(endpoint, &inferred, catalog, tables)
                }
                WorksOn::EntityOfOthers
                | WorksOn::Account
                | WorksOn::Shop
                | WorksOn::Subscriptions
                | WorksOn::Nothing => None,
            }
        };
        let subjects = requirements.endpoints.iter().map(subject).collect();
        let (mut words, mut keys) = (BTreeMap::new(), BTreeMap::new());
        for found in requirements.endpoints.iter().filter_map(|endpoint| target(&endpoint.path)) {
            let word = snake_case(found.segment);
            words.entry(singular(&word)).or_insert(word);
            let is_own = |key: &FieldName| key.as_str().ends_with("_id") && !OWN_COLUMNS.contains(&key.as_str());
            if let Some(parent) = found.parent.filter(|parent| is_own(parent.key)) {
                keys.entry(snake_case(parent.segment)).or_insert_with(|| parent.key.clone());
            }
        }
        Self { requirements, catalog, tables, subjects, named, words, keys }
    }

    /// The endpoints that work on the entity and say what it is.
    pub fn same(&self, name: &EntityName) -> Vec<&'a Endpoint> {
        let endpoints = self.requirements.endpoints.iter().zip(&self.subjects);
        endpoints.filter(|(_, subject)| subject.as_ref() == Some(name)).map(|(endpoint, _)| endpoint).collect()
    }

    /// Whether some endpoint works on the entity because it is named, and not because its path is.
    pub fn is_named(&self, name: &EntityName) -> bool {
        self.named.contains(name)
    }

    /// The table of an entity: the catalogue's, or the word of the first path that names it, or its plural.
    pub fn table_name(&self, name: &EntityName) -> Option<TableName> {
        if let Some(known) = self.catalog.entity(name) {
            return Some(known.table.clone());
        }
        let named = self.words.get(name.as_str()).cloned();
        TableName::parse(&named.unwrap_or_else(|| plural(name.as_str()))).ok()
    }

    /// The table of the database task that holds the rows of the entity.
    pub fn held(&self, name: &EntityName) -> Option<&'a Table> {
        let table = |wanted: &str| self.tables.iter().find(|table| table.name.as_str() == wanted);
        let of_catalog = || table(self.catalog.table_entity(name)?.table.as_str());
        self.table_name(name)
            .and_then(|name| table(name.as_str()))
            .or_else(of_catalog)
            .or_else(|| table(&plural(name.as_str())))
    }

    /// The table of the database task that a word of a path names.
    pub fn held_by_word(&self, segment: &str) -> Option<&'a Table> {
        let word = snake_case(segment);
        let by_name = self.tables.iter().find(|table| table.name.as_str() == word);
        by_name.or_else(|| self.held(&EntityName::parse(&singular(&word)).ok()?))
    }

    /// What the records of a nested path belong to.
    pub fn parent(&self, endpoint: &Endpoint) -> Option<ParentKey> {
        let parent = target(&endpoint.path)?.parent?;
        let field = self.parent_field_of(endpoint, parent)?;
        let of_base = || self.held_by_word(parent.segment).map(|table| table.name.clone());
        let table = self.parent_table(parent).or_else(of_base);
        let table = table.and_then(|name| Some((name.clone(), RecordKey::of_named(self.tables, &name)?)));
        Some(ParentKey { field, parameter: parent.key.clone(), table, owner: None })
    }

    /// The field that says which thing of the path a record belongs to: the column that leads there, where a database task says so.
    pub fn parent_field_of(&self, endpoint: &Endpoint, parent: Parent<'_>) -> Option<FieldName> {
        let named = self.parent_field(parent)?;
        let inferred = infer(endpoint, self.requirements, self.catalog).ok()?;
        let table = self.held(&entity_name(endpoint, &inferred, self.catalog, self.tables)?);
        let (Some(table), Some(other)) = (table, self.held_by_word(parent.segment)) else { return Some(named) };
        let leads = table
            .rules
            .foreign_keys
            .iter()
            .filter(|key| key.table == other.name && key.columns.len() == 1 && key.target == other.primary_key);
        let mut columns: Vec<&str> = leads.map(|key| key.columns[0].as_str()).collect();
        // Of several the one that the path's own words name.
        if columns.len() > 1 {
            columns.retain(|column| [named.as_str(), parent.key.as_str()].contains(column));
        }
        match columns[..] {
            [only] => FieldName::parse(only).ok(),
            _ => Some(named),
        }
    }

    /// `post_id`: as the first path that names the thing calls it, unless all of them call it `id`.
    pub fn parent_field(&self, parent: Parent<'_>) -> Option<FieldName> {
        let word = snake_case(parent.segment);
        let derived = || FieldName::parse(&format!("{}_id", singular(&word))).ok();
        self.keys.get(&word).cloned().or_else(derived)
    }

    /// The table of the things that a path names before its last name, where another endpoint works on it.
    fn parent_table(&self, parent: Parent<'_>) -> Option<TableName> {
        let mut endpoints = self.requirements.endpoints.iter().zip(&self.subjects);
        endpoints.find_map(|(other, subject)| {
            let found = target(&other.path).filter(|found| found.parent.is_none())?;
            let name = subject.as_ref().filter(|_| is_same_word(found.segment, parent.segment))?;
            self.table_name(name)
        })
    }
}

/// The entity that the endpoint works on: the one it is told to, or the one that its path names.
pub fn entity_name(
    endpoint: &Endpoint,
    inferred: &Inferred,
    catalog: &Catalog,
    tables: &[Table],
) -> Option<EntityName> {
    let of_path = || {
        let segment = target(&endpoint.path)?.segment;
        let has = |name: &str| tables.iter().any(|table| table.name.as_str() == name);
        // A table of the database task that is called as the path is wins over one that the catalogue would call otherwise.
        let is_other = |known: &catalog::Entity| has(&snake_case(segment)) && !has(known.table.as_str());
        if let Some(known) = catalog.entity_of_segment(segment).filter(|known| !is_other(known)) {
            return Some(known.entity.clone());
        }
        // `contact` is a form; whoever reads it does not mean the address book, which is called so too.
        EntityName::parse(&singular(&snake_case(segment))).ok().filter(|name| catalog.entity(name).is_none())
    };
    inferred.entity.clone().or_else(of_path)
}

fn is_same_word(left: &str, right: &str) -> bool {
    snake_case(left) == snake_case(right)
}

/// `box` -> `boxes`, `company` -> `companies`, `order` -> `orders`.
fn plural(word: &str) -> String {
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if ["s", "x", "z", "ch", "sh"].iter().any(|ending| word.ends_with(ending)) => format!("{word}es"),
        Some(_) | None => format!("{word}s"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn plurals() {
        for (word, expected) in [("order", "orders"), ("company", "companies"), ("day", "days"), ("box", "boxes")] {
            assert_eq!(super::plural(word), expected);
        }
    }
}
