//! How two tables belong together: what the task says, else what the catalogue knows of their entities, else one to many.
//! Out go columns with their keys, and tables of links.

use super::draft::Draft;
use super::rules;
use crate::codes::{CANNOT_HOLD, KIND_UNSAID, NAME_TAKEN};
use crate::entity::singular;
use crate::table::{self, column_name};
use catalog::{Belonging, Catalog, Count, Link, Ownership};
use plan::Table;
use plan::database::{Column, ColumnDefault, ForeignKey, Nullability, OnDelete, Rules, Sensitivity};
use spec::{Relationship, RelationshipKind};
use vocab::{ColumnName, EntityName, FieldType, Place, TableName};

pub fn design(draft: &mut Draft, relationship: &Relationship, catalog: &Catalog) {
    let entity = |name: &TableName| draft.find(name).and_then(|table| table.entity.clone());
    let (from, to) = (entity(&relationship.from), entity(&relationship.to));
    let known = match Known::of(catalog, from.as_ref(), to.as_ref()) {
        Known::Nothing => Known::shared(draft, catalog, relationship),
        known => known,
    };
    let stated = relationship.on_delete.map(rules::on_delete);
    let ways = Ways { subject: subject(relationship), place: &relationship.place, stated, catalog, implied: None };
    let (first, second) = (&relationship.from, &relationship.to);
    match (relationship.kind, known) {
        (None, Known::Nothing) if first == second => ways.ask_for_kind(draft, first),
        (None, Known::Shared { whole, part }) => ways.link(draft, whole, part, Linked::Shared),
        (None | Some(RelationshipKind::OneToMany), Known::Belongs(known)) => {
            let count = if relationship.kind.is_some() { Count::Many } else { known.count };
            ways.belong(draft, second, first, count, Some(known));
        }
        (None, Known::BelongsBackwards(known)) => ways.belong(draft, first, second, known.count, Some(known)),
        (None | Some(RelationshipKind::ManyToMany), Known::Linked(link)) => {
            ways.link(draft, first, second, Linked::Known(link));
        }
        (None | Some(RelationshipKind::ManyToMany), Known::LinkedBackwards(link)) => {
            ways.link(draft, second, first, Linked::Known(link));
        }
        (None | Some(RelationshipKind::OneToMany), _) => ways.belong(draft, second, first, Count::Many, None),
        (Some(RelationshipKind::OneToOne), Known::Belongs(known)) => {
            ways.belong(draft, second, first, Count::One, Some(known));
        }
        (Some(RelationshipKind::OneToOne), _) => ways.belong(draft, second, first, Count::One, None),
        (Some(RelationshipKind::ManyToMany), _) => ways.link(draft, first, second, Linked::Stated),
    }
}

/// Columns of the catalogue that are called after another table of the task lead there, also where no relationship says so: a
/// `customer_id` beside a table of customers that could name nobody would be a mere text.
pub fn implied(draft: &mut Draft, catalog: &Catalog) {
    let of_catalog = draft.tables.iter().filter(|table| !table.is_all_stated && table.entity.is_some());
    let columns: Vec<(TableName, ColumnName, Place)> = of_catalog
        .flat_map(|table| {
            let leads = |name: &ColumnName| table.table.rules.foreign_keys.iter().any(|key| key.columns.contains(name));
            let columns = table.table.columns.iter().filter(|column| column.field_type == FieldType::Uuid);
            let open = columns.map(|column| column.name.clone()).filter(move |name| !leads(name));
            open.map(|name| (table.table.name.clone(), name, table.place.clone())).collect::<Vec<_>>()
        })
        .collect();
    for (many, column, place) in columns {
        let Some(word) = column.as_str().strip_suffix("_id") else { continue };
        let reason = format!("`{column}` is called after it, and the task has both tables");
        let ways =
            Ways { subject: format!("`{many}.{column}`"), place: &place, stated: None, catalog, implied: Some(reason) };
        let is_named = |table: &&super::draft::DraftTable| thing(catalog, draft, &table.table.name) == word;
        let one = match word {
            "parent" => Some(many.clone()),
            // A `follower_id` among followers names somebody, and no row beside it.
            _ => {
                let named = draft.tables.iter().find(is_named).map(|table| table.table.name.clone());
                named.filter(|one| *one != many).or_else(|| known_by_column(draft, catalog, &many, &column))
            }
        };
        let Some(one) = one.filter(|one| draft.find(one).is_some_and(|table| table.table.primary_key.len() == 1))
        else {
            continue;
        };
        let known = ways.known(draft, &one, &many, &column);
        let count = known.as_ref().map_or(Count::Many, |known| known.count);
        ways.belong(draft, &many, &one, count, known.as_ref());
    }
}

/// What can belong to one thing only, in this database, must belong to it.
pub fn alone(draft: &mut Draft) {
    let mut decided = Vec::new();
    for table in &mut draft.tables {
        let [key] = &table.alone[..] else { continue };
        let key = key.clone();
        if table.stated.contains(&key) {
            continue;
        }
        let subject = format!("`{}.{key}`", table.table.name);
        if let Some(column) = table.column_mut(&key).filter(|column| column.nullability == Nullability::Nullable) {
            column.nullability = Nullability::NotNull;
            decided.push(subject);
        }
    }
    for subject in decided {
        draft.decide(
            subject,
            "must be there".to_owned(),
            "a row goes with it, and can belong to nothing else in this database",
        );
    }
}

/// The table whose rows the column names, where the catalogue says so of the column.
fn known_by_column(draft: &Draft, catalog: &Catalog, many: &TableName, column: &ColumnName) -> Option<TableName> {
    let entity = draft.find(many)?.entity.as_ref()?;
    let of_column = catalog.relations().belongs.iter();
    let of_column = of_column.filter(|known| known.many == *entity && known.column.as_ref() == Some(column));
    let is_one = |one: &EntityName| draft.tables.iter().find(|table| table.entity.as_ref() == Some(one));
    of_column.filter_map(|known| is_one(&known.one)).map(|table| table.table.name.clone()).next()
}

fn subject(relationship: &Relationship) -> String {
    format!("relationship `{}_to_{}`", relationship.from, relationship.to)
}

/// What the catalogue knows of two entities.
enum Known<'c> {
    /// The second belongs to the first.
    Belongs(&'c Belonging),
    /// The first belongs to the second.
    BelongsBackwards(&'c Belonging),
    /// The first is the whole.
    Linked(&'c Link),
    /// The second is the whole.
    LinkedBackwards(&'c Link),
    /// One of the two is of a kind that several rows share.
    Shared {
        whole: &'c TableName,
        part: &'c TableName,
    },
    Nothing,
}

/// Why rows of two tables are linked.
#[derive(Clone, Copy)]
enum Linked<'c> {
    /// The catalogue speaks of the two.
    Known(&'c Link),
    /// Of one of them several rows are for several others.
    Shared,
    /// The task says so.
    Stated,
}

impl<'c> Known<'c> {
    fn of(catalog: &'c Catalog, from: Option<&EntityName>, to: Option<&EntityName>) -> Self {
        let (Some(from), Some(to)) = (from, to) else { return Self::Nothing };
        let relations = catalog.relations();
        let belongs = |one: &EntityName, many: &EntityName| {
            relations.belongs.iter().find(|known| known.one == *one && known.many == *many)
        };
        let linked = |whole: &EntityName, part: &EntityName| {
            relations.links.iter().find(|link| link.whole == *whole && link.part == *part)
        };
        if let Some(known) = belongs(from, to) {
            Self::Belongs(known)
        } else if let Some(known) = belongs(to, from) {
            Self::BelongsBackwards(known)
        } else if let Some(link) = linked(from, to) {
            Self::Linked(link)
        } else if let Some(link) = linked(to, from) {
            Self::LinkedBackwards(link)
        } else {
            Self::Nothing
        }
    }

    /// Where one side of a relationship is of a kind that several rows share, it is the part.
    fn shared(draft: &Draft, catalog: &Catalog, relationship: &'c Relationship) -> Self {
        let is_shared = |table: &TableName| catalog.relations().shared.words.contains(&thing(catalog, draft, table));
        let (from, to) = (&relationship.from, &relationship.to);
        match (is_shared(from), is_shared(to)) {
            _ if from == to => Self::Nothing,
            (_, true) => Self::Shared { whole: from, part: to },
            (true, false) => Self::Shared { whole: to, part: from },
            (false, false) => Self::Nothing,
        }
    }
}

/// What is the same in every way of carrying a relationship out.
struct Ways<'a> {
    subject: String,
    place: &'a Place,
    /// What the task says becomes of a row whose other row goes.
    stated: Option<OnDelete>,
    catalog: &'a Catalog,
    /// Why there is one, where the task does not name it.
    implied: Option<String>,
}

impl Ways<'_> {
    /// What the catalogue says of the rows of one table that name those of another by the column, perhaps as links.
    fn known(&self, draft: &Draft, one: &TableName, many: &TableName, column: &ColumnName) -> Option<Belonging> {
        let entity = |name: &TableName| draft.find(name).and_then(|table| table.entity.clone());
        let (one, many) = (entity(one)?, entity(many)?);
        let relations = self.catalog.relations();
        let is_it = |known: &&Belonging| {
            known.one == one && known.many == many && known.column.as_ref().is_none_or(|known| known == column)
        };
        if let Some(known) = relations.belongs.iter().find(is_it) {
            return Some(known.clone());
        }
        let link = relations
            .links
            .iter()
            .find(|link| link.through.as_ref() == Some(&many) && (link.whole == one || link.part == one))?;
        let on_delete = if link.whole == one { link.whole_deleted } else { link.part_deleted };
        let (column, because) = (Some(column.clone()), link.because.clone());
        Some(Belonging { one, many, column, ownership: Ownership::Required, count: Count::Many, on_delete, because })
    }

    /// Each row of `many` names one of `one`.
    fn belong(&self, draft: &mut Draft, many: &TableName, one: &TableName, count: Count, known: Option<&Belonging>) {
        let itself = many == one;
        let one_thing = thing(self.catalog, draft, one);
        let name = match (known.and_then(|known| known.column.clone()), itself) {
            (Some(column), _) => column,
            (None, true) => column_name("parent_id"),
            (None, false) => key_column(&one_thing),
        };
        // Two columns may name rows of one table, each in its own way: who writes, to whom.
        if let (None, Some(key)) = (&self.implied, draft.find(many).and_then(|table| table.key_to(one))) {
            let decision = format!("is there already: `{many}.{}`", key.columns[0]);
            return draft.decide(self.subject.clone(), decision, "a column of the table leads there");
        }
        let by_default = if itself { OnDelete::SetNull } else { OnDelete::Restrict };
        let on_delete =
            self.stated.or(known.map(|known| rules::known_on_delete(known.on_delete))).unwrap_or(by_default);
        let may_be_absent = itself
            || on_delete == OnDelete::SetNull
            || known.is_some_and(|known| known.ownership != Ownership::Required);
        // A column that is there keeps what its entity says, unless the catalogue says more of the two.
        let is_there = known.is_none() && draft.find(many).is_some_and(|table| table.column(&name).is_some());
        let nullability = if may_be_absent || is_there { Nullability::Nullable } else { Nullability::NotNull };
        let reason = match (known, itself) {
            (Some(known), _) => format!("the catalogue: {}", known.because),
            (None, _) if self.implied.is_some() => self.implied.clone().unwrap_or_default(),
            (None, true) => "the first of them belongs to none".to_owned(),
            (None, false) => {
                format!(
                    "`{one}_to_{many}` reads as one with many where nothing says otherwise; nothing vanishes by accident"
                )
            }
        };
        let comment = format!("The {} it belongs to.", in_words(&one_thing));
        if self.key(draft, many, one, &name, nullability, on_delete, &reason, comment).is_none() {
            return;
        }
        if known.is_some_and(|known| known.ownership == Ownership::Alone)
            && on_delete != OnDelete::SetNull
            && let Some(table) = draft.find_mut(many)
        {
            table.alone.push(name.clone());
        }
        let how_many = match count {
            Count::Many => "any number of",
            Count::One => "at most one of",
        };
        let must = match draft.find(many).and_then(|table| table.column(&name)).map(|column| column.nullability) {
            Some(Nullability::NotNull) => "each must have one",
            Some(Nullability::Nullable) | None => "may be absent",
        };
        let decision =
            format!("one of `{one}` has {how_many} `{many}`: `{many}.{name}`, {must}, {}", rules::describe(on_delete));
        draft.decide(self.subject.clone(), decision, reason);
        if let (Count::One, Some(table)) = (count, draft.find_mut(many)) {
            table.table.unique.push(vec![name]);
        }
    }

    /// Neither the task nor the catalogue says how rows of the table belong together.
    fn ask_for_kind(&self, draft: &mut Draft, table: &TableName) {
        let message = format!("`{table}_to_{table}` does not say how rows of one table belong together");
        let help = format!("write `{{ from: {table}, to: {table}, kind: one_to_many }}`, or another kind");
        draft.refuse(KIND_UNSAID, message, self.place, &help);
    }

    /// Rows of a third table each name one of both.
    fn link(&self, draft: &mut Draft, whole: &TableName, part: &TableName, linked: Linked<'_>) {
        let (whole_thing, part_thing) = (thing(self.catalog, draft, whole), thing(self.catalog, draft, part));
        let known = match linked {
            Linked::Known(link) => Some(link),
            Linked::Shared | Linked::Stated => None,
        };
        let entity = known.and_then(|link| self.catalog.table_entity(link.through.as_ref()?));
        let through = match entity {
            Some(entity) => entity.table.clone(),
            None => link_name(&whole_thing, part),
        };
        let own = key_column(&whole_thing);
        let other = match whole == part {
            true => column_name(&dialect::name::joined(&["related", &whole_thing], "id")),
            false => key_column(&part_thing),
        };
        if draft.find(&through).is_none() {
            let table = match entity {
                Some(entity) => super::table::of_link(entity),
                None => plain_link(&through, &whole_thing, &part_thing),
            };
            if !draft.add(table, entity, self.place) {
                return;
            }
        } else if entity.is_none() {
            let message = format!("`{through}` would hold the links, and is a table of its own");
            let help = "rename it, or give it two columns that `references` both sides and leave the relationship out";
            return draft.refuse(NAME_TAKEN, message, self.place, help);
        }
        let (whole_deleted, part_deleted, reason) = match linked {
            Linked::Known(link) => (
                rules::known_on_delete(link.whole_deleted),
                rules::known_on_delete(link.part_deleted),
                format!("the catalogue: {}", link.because),
            ),
            Linked::Shared => {
                let because = &self.catalog.relations().shared.because;
                (OnDelete::Cascade, OnDelete::Cascade, format!("the catalogue, of `{part}`: {because}"))
            }
            Linked::Stated => {
                let reason = "a link without one of its ends links nothing";
                (OnDelete::Cascade, OnDelete::Cascade, reason.to_owned())
            }
        };
        let part_deleted = self.stated.unwrap_or(part_deleted);
        for (to, thing, name, on_delete) in
            [(whole, &whole_thing, &own, whole_deleted), (part, &part_thing, &other, part_deleted)]
        {
            let comment = format!("The {} of the link.", in_words(thing));
            let made = self.key(draft, &through, to, name, Nullability::NotNull, on_delete, &reason, comment);
            if made.is_none() {
                return;
            }
        }
        if let Some(table) = draft.find_mut(&through) {
            let pair = vec![own.clone(), other.clone()];
            let is_pair =
                |unique: &Vec<ColumnName>| unique.len() == pair.len() && pair.iter().all(|one| unique.contains(one));
            match entity {
                None => table.table.primary_key = pair,
                Some(_) if table.table.unique.iter().any(is_pair) => {}
                Some(_) => table.table.unique.push(pair),
            }
        }
        let decision = format!(
            "many to many through `{through}`: `{own}` ({}), `{other}` ({}), each pair once",
            rules::describe(whole_deleted),
            rules::describe(part_deleted)
        );
        draft.decide(self.subject.clone(), decision, reason);
    }

    /// A column that leads to the key of another table: the one that is there, else a new one.
    #[expect(clippy::too_many_arguments, reason = "all that a key is made of")]
    fn key(
        &self,
        draft: &mut Draft,
        from: &TableName,
        to: &TableName,
        name: &ColumnName,
        nullability: Nullability,
        on_delete: OnDelete,
        why: &str,
        comment: String,
    ) -> Option<()> {
        let other = draft.find(to)?;
        let [target] = &other.table.primary_key[..] else {
            let message =
                format!("the key of `{to}` has more than one column, so `{from}` cannot name its rows by one");
            draft.refuse(CANNOT_HOLD, message, self.place, "give it a key of one column");
            return None;
        };
        let target = target.clone();
        let field_type = other.column(&target)?.field_type.clone();
        let found = draft.find(from)?.column(name).cloned();
        match found {
            // What the catalogue says leads to a UUID, which this key is not.
            Some(column) if column.field_type != field_type && !draft.find(from)?.stated.contains(name) => {
                draft.find_mut(from)?.column_mut(name)?.field_type = field_type;
                return self.key(draft, from, to, name, nullability, on_delete, why, comment);
            }
            Some(column) if column.field_type != field_type => {
                let message = format!(
                    "`{from}.{name}` holds {}, and `{to}.{target}` holds {}",
                    column.field_type.describe(),
                    field_type.describe()
                );
                draft.refuse(CANNOT_HOLD, message, self.place, "give both one type");
                return None;
            }
            Some(column) if column.nullability == Nullability::NotNull && on_delete == OnDelete::SetNull => {
                let message = format!("`{from}.{name}` is required and cannot be emptied when its row of `{to}` goes");
                draft.refuse(
                    CANNOT_HOLD,
                    message,
                    self.place,
                    "write `on_delete: restrict`, or leave the column optional",
                );
                return None;
            }
            Some(column) => {
                // What the task itself leaves optional stays so.
                let from = draft.find_mut(from)?;
                let is_said = from.stated.contains(name);
                if let Some(found) = from.column_mut(&column.name).filter(|_| !is_said) {
                    found.nullability = match (found.nullability, nullability) {
                        (Nullability::Nullable, Nullability::NotNull) => Nullability::NotNull,
                        (known, _) => known,
                    };
                }
            }
            None => {
                let sensitivity = Sensitivity::Plain;
                let column =
                    Column { name: name.clone(), field_type, nullability, default: None, sensitivity, comment };
                draft.find_mut(from)?.add_key_column(column);
            }
        }
        let key = ForeignKey {
            name: rules::key_name(from, name),
            columns: vec![name.clone()],
            table: to.clone(),
            target: vec![target],
            on_delete,
            why: why.to_owned(),
        };
        draft.find_mut(from)?.table.rules.foreign_keys.push(key);
        Some(())
    }
}

/// What a row of the table is: its entity where the table is the entity's own, else the table's singular.
fn thing(catalog: &Catalog, draft: &Draft, table: &TableName) -> String {
    let entity = draft.find(table).and_then(|table| catalog.table_entity(table.entity.as_ref()?));
    match entity.filter(|entity| entity.table == *table) {
        Some(entity) => entity.entity.to_string(),
        None => singular(table.as_str()),
    }
}

/// `order` -> `order_id`
fn key_column(thing: &str) -> ColumnName {
    column_name(&dialect::name::joined(&[thing], "id"))
}

/// `student` and `courses` -> `student_courses`; shortened, with `links` at its end, where that is no name.
fn link_name(whole: &str, part: &TableName) -> TableName {
    TableName::parse(&format!("{whole}_{part}")).unwrap_or_else(|_| {
        TableName::parse(&dialect::name::joined(&[whole, part.as_str()], "links")).expect("made of names")
    })
}

/// A table of nothing but links; their pair is its key.
fn plain_link(name: &TableName, whole: &str, part: &str) -> Table {
    let [mut created_at, _, _] = table::times();
    created_at.default = Some(ColumnDefault::Now);
    created_at.comment = "when the link was made".to_owned();
    debug_assert_eq!(created_at.field_type, FieldType::Timestamp);
    Table {
        name: name.clone(),
        comment: format!("which {} and which {} belong together", in_words(whole), in_words(part)),
        columns: vec![created_at],
        primary_key: Vec::new(),
        unique: Vec::new(),
        rules: Rules::default(),
    }
}

fn in_words(thing: &str) -> String {
    thing.replace('_', " ")
}
