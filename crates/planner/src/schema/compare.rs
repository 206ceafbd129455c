//! One table as it is, as the active plan has it, and as it is wanted, come in; what must change goes out, with what would be lost
//! and what somebody else has put there. Every change is also due where only the plan differs: the migrations' files make new
//! databases as well. Nothing is decided here but what differs.

use dialect::change::{Change, Conversion, Rows, conversion};
use plan::Table;
use plan::database::{Column, ForeignKey, Nullability, ObservedColumn, ObservedForeignKey, ObservedTable};
use vocab::{ColumnName, Engine};

/// What a comparison comes to.
#[derive(Default)]
pub struct Comparison {
    /// What must change.
    pub changes: Vec<Change>,
    /// What that loses, each with the change that does it.
    pub losses: Vec<Loss>,
    /// What is there and nobody planned.
    pub strangers: Vec<Stranger>,
    /// What no statement could do.
    pub refusals: Vec<String>,
    /// Columns of another type from now on: rules that stand on them go first and come again.
    retyped: Vec<String>,
}

/// Something that would be lost.
pub struct Loss {
    /// In words: ``column `a` of table `t` with what it holds``.
    pub what: String,
    /// The column that goes, where one does.
    pub column: Option<String>,
}

/// Something that somebody has put onto a table.
pub struct Stranger {
    /// In words: ``column `a` ``.
    pub what: String,
    /// What takes it away.
    pub change: Change,
    /// Why a row could not be written for it.
    pub harm: Option<&'static str>,
}

/// What is compared.
pub struct Sides<'t> {
    pub engine: Engine,
    pub wanted: &'t Table,
    pub found: &'t ObservedTable,
    pub known: Option<&'t Table>,
    pub rows: Rows,
}

pub fn compare(sides: &Sides<'_>) -> Comparison {
    let described = |table| dialect::described(sides.engine, table);
    let (wanted, known) = (described(sides.wanted), sides.known.map(described));
    let mut comparison = Comparison::default();
    columns(sides, &wanted, known.as_ref(), &mut comparison);
    unique(sides, &wanted, known.as_ref(), &mut comparison);
    keys(sides, &wanted, known.as_ref(), &mut comparison);
    checks(sides, &wanted, known.as_ref(), &mut comparison);
    indexes(sides, &wanted, known.as_ref(), &mut comparison);
    triggers(sides, &wanted, known.as_ref(), &mut comparison);
    if wanted.comment.is_some()
        && (sides.found.comment != wanted.comment || known.is_some_and(|known| known.comment != wanted.comment))
    {
        comparison.changes.push(Change::SetComment { was: sides.found.comment.clone() });
    }
    if wanted.primary_key != sides.found.primary_key {
        comparison.refusals.push("its primary key becomes another one".to_owned());
    }
    comparison
}

fn columns(sides: &Sides<'_>, wanted: &ObservedTable, known: Option<&ObservedTable>, out: &mut Comparison) {
    let find = |table: &ObservedTable, name: &str| table.columns.iter().find(|column| column.name == name).cloned();
    for (column, described) in sides.wanted.columns.iter().zip(&wanted.columns) {
        let name = column.name.as_str();
        let (found, before) = (find(sides.found, name), known.and_then(|known| find(known, name)));
        let was_planned = known.is_none() || before.is_some();
        if found.is_none() || !was_planned {
            if found.is_none() && must_be_given(column) && sides.rows == Rows::Perhaps {
                out.refusals.push(format!("column `{name}` is new and must have a value"));
            }
            out.changes.push(Change::AddColumn(column.name.clone()));
        }
        let typed = sides.known.and_then(|table| table.columns.iter().find(|other| other.name == column.name));
        let step = typed.map_or(Conversion::Same, |before| conversion(&before.field_type, &column.field_type));
        let is_of_another_type =
            |other: &ObservedColumn| (&other.sql_type, &other.collation) != (&described.sql_type, &described.collation);
        if found.as_ref().is_some_and(is_of_another_type) || before.as_ref().is_some_and(is_of_another_type) {
            out.retyped.push(column.name.to_string());
        }
        let differs = |other: &ObservedColumn| differs(described, other);
        if found.as_ref().is_some_and(differs) || before.as_ref().is_some_and(differs) || step != Conversion::Same {
            out.changes.push(Change::AlterColumn(column.name.clone()));
            convert(sides, column, described, [found.as_ref(), before.as_ref()], step, out);
        }
    }
    for column in &sides.found.columns {
        if find(wanted, &column.name).is_some() {
            continue;
        }
        let change = Change::DropColumn { name: column.name.clone(), was: Some(column.clone()) };
        let what = format!("column `{}` of table `{}` with what it holds", column.name, wanted.name);
        if known.is_some_and(|known| find(known, &column.name).is_some()) {
            out.changes.push(change);
            out.losses.push(Loss { what, column: Some(column.name.clone()) });
            continue;
        }
        let is_required = column.nullability == Nullability::NotNull && column.default.is_none();
        let harm = is_required.then_some("no row could be written, for none would bring a value for it");
        out.strangers.push(Stranger { what, change, harm });
    }
    for column in known.into_iter().flat_map(|known| &known.columns) {
        if find(wanted, &column.name).is_none() && find(sides.found, &column.name).is_none() {
            out.changes.push(Change::DropColumn { name: column.name.clone(), was: None });
        }
    }
}

fn must_be_given(column: &Column) -> bool {
    column.nullability == Nullability::NotNull && column.default.is_none()
}

fn differs(wanted: &ObservedColumn, other: &ObservedColumn) -> bool {
    let has_other_comment = wanted.comment.is_some() && wanted.comment != other.comment;
    (&wanted.sql_type, wanted.nullability, &wanted.collation, &wanted.default)
        != (&other.sql_type, other.nullability, &other.collation, &other.default)
        || has_other_comment
}

/// What becomes of the values of a column that is of another type from now on.
fn convert(
    sides: &Sides<'_>,
    column: &Column,
    described: &ObservedColumn,
    [found, before]: [Option<&ObservedColumn>; 2],
    step: Conversion,
    out: &mut Comparison,
) {
    let table = &sides.wanted.name;
    let loses =
        |what: &str| Loss { what: format!("{what} of column `{}` of table `{table}`", column.name), column: None };
    match step {
        Conversion::Impossible => out.refusals.push(format!("column `{}` becomes another kind", column.name)),
        Conversion::Loses(what) if found.is_some() => out.losses.push(loses(what)),
        Conversion::Same | Conversion::Keeps | Conversion::Loses(_) => {}
    }
    // Somebody gave it a type that no plan knows.
    let is_known = |found: &ObservedColumn| {
        found.sql_type == described.sql_type || before.is_some_and(|before| before.sql_type == found.sql_type)
    };
    let is_strange = step == Conversion::Same && found.is_some_and(|found| !is_known(found));
    if is_strange && described.sql_type != "text" {
        out.losses.push(loses(&format!("what is no {}", described.sql_type)));
    }
}

fn unique(sides: &Sides<'_>, wanted: &ObservedTable, known: Option<&ObservedTable>, out: &mut Comparison) {
    for columns in &sides.wanted.unique {
        let texts: Vec<String> = columns.iter().map(ToString::to_string).collect();
        let lacks = |table: &ObservedTable| !table.unique.contains(&texts);
        if lacks(sides.found) || known.is_some_and(lacks) {
            out.changes.push(Change::AddUnique(columns.clone()));
        }
    }
    for columns in sides.found.unique.iter().filter(|columns| !wanted.unique.contains(columns)) {
        let change = Change::DropUnique { columns: columns.clone(), is_there: true };
        match known.is_some_and(|known| known.unique.contains(columns)) {
            true => out.changes.push(change),
            false => out.strangers.push(Stranger {
                what: format!("the rule that `{}` is unique", columns.join(", ")),
                change,
                harm: None,
            }),
        }
    }
    for columns in known.into_iter().flat_map(|known| &known.unique) {
        if !wanted.unique.contains(columns) && !sides.found.unique.contains(columns) {
            out.changes.push(Change::DropUnique { columns: columns.clone(), is_there: false });
        }
    }
}

/// Keys are told apart by their names, or by what they lead from and to where the engine forgets names.
fn keys(sides: &Sides<'_>, wanted: &ObservedTable, known: Option<&ObservedTable>, out: &mut Comparison) {
    let is_same = |one: &ObservedForeignKey, other: &ObservedForeignKey| match one.name.is_empty() {
        true => (&one.columns, &one.table) == (&other.columns, &other.table),
        false => one.name == other.name,
    };
    let find = |table: &ObservedTable, key: &ObservedForeignKey| {
        table.foreign_keys.iter().find(|other| is_same(other, key)).cloned()
    };
    for described in &wanted.foreign_keys {
        let was = find(sides.found, described);
        let before = known.map(|known| find(known, described));
        let is_due = was.as_ref() != Some(described) || before.is_some_and(|before| before.as_ref() != Some(described));
        let retyped = described.columns.iter().any(|column| out.retyped.contains(column));
        if (is_due || retyped)
            && let Some(key) = sides.wanted.rules.foreign_keys.iter().find(|key| is_described(key, described))
        {
            if retyped {
                let key = was.clone().unwrap_or_else(|| described.clone());
                out.changes.push(Change::DropKey { key, is_there: was.is_some() });
            }
            out.changes.push(Change::AddKey { key: key.clone(), was: was.filter(|_| !retyped) });
        }
    }
    for key in sides.found.foreign_keys.iter().filter(|key| find(wanted, key).is_none()) {
        let change = Change::DropKey { key: key.clone(), is_there: true };
        match known.is_some_and(|known| find(known, key).is_some()) {
            true => out.changes.push(change),
            false => out.strangers.push(Stranger {
                what: format!("the key from `{}` to `{}`", key.columns.join(", "), key.table),
                change,
                harm: None,
            }),
        }
    }
    for key in known.into_iter().flat_map(|known| &known.foreign_keys) {
        if find(wanted, key).is_none() && find(sides.found, key).is_none() {
            out.changes.push(Change::DropKey { key: key.clone(), is_there: false });
        }
    }
}

fn is_described(key: &ForeignKey, described: &ObservedForeignKey) -> bool {
    let is = |columns: &[ColumnName], texts: &[String]| {
        columns.iter().map(ColumnName::as_str).eq(texts.iter().map(String::as_str))
    };
    is(&key.columns, &described.columns)
        && key.table.as_str() == described.table
        && (described.name.is_empty() || described.name == key.name.as_str())
}

fn checks(sides: &Sides<'_>, wanted: &ObservedTable, known: Option<&ObservedTable>, out: &mut Comparison) {
    let find = |table: &ObservedTable, name: &str| table.checks.iter().find(|check| check.name == name).cloned();
    for check in &wanted.checks {
        let was = find(sides.found, &check.name);
        let before = known.map(|known| find(known, &check.name));
        let is_due = was.as_ref() != Some(check) || before.is_some_and(|before| before.as_ref() != Some(check));
        let typed = sides.wanted.rules.checks.iter().find(|typed| typed.name.as_str() == check.name);
        let is_retyped = |name: &ColumnName| out.retyped.iter().any(|column| column == name.as_str());
        let apart = sides.wanted.rules.overlaps.iter().find(|rule| rule.name.as_str() == check.name);
        let retyped = typed.is_some_and(|typed| typed.columns().any(is_retyped))
            || apart.is_some_and(|rule| rule.columns().any(is_retyped));
        if is_due || retyped {
            if retyped {
                out.changes.push(Change::DropCheck {
                    check: was.clone().unwrap_or_else(|| check.clone()),
                    is_there: was.is_some(),
                });
            }
            out.changes.push(Change::AddCheck { check: check.clone(), was: was.filter(|_| !retyped) });
        }
    }
    for check in sides.found.checks.iter().filter(|check| find(wanted, &check.name).is_none()) {
        let change = Change::DropCheck { check: check.clone(), is_there: true };
        match known.is_some_and(|known| find(known, &check.name).is_some()) {
            true => out.changes.push(change),
            false => out.strangers.push(Stranger {
                what: format!("check `{}`", check.name),
                change,
                harm: Some("it may refuse rows that the plan would write"),
            }),
        }
    }
    for check in known.into_iter().flat_map(|known| &known.checks) {
        if find(wanted, &check.name).is_none() && find(sides.found, &check.name).is_none() {
            out.changes.push(Change::DropCheck { check: check.clone(), is_there: false });
        }
    }
}

fn indexes(sides: &Sides<'_>, wanted: &ObservedTable, known: Option<&ObservedTable>, out: &mut Comparison) {
    let find = |table: &ObservedTable, name: &str| table.indexes.iter().find(|index| index.name == name).cloned();
    for described in &wanted.indexes {
        let was = find(sides.found, &described.name);
        let before = known.map(|known| find(known, &described.name));
        let is_due = was.as_ref() != Some(described) || before.is_some_and(|before| before.as_ref() != Some(described));
        if is_due
            && let Some(index) = sides.wanted.rules.indexes.iter().find(|index| index.name.as_str() == described.name)
        {
            out.changes.push(Change::AddIndex { index: index.clone(), was: was.filter(|was| was != described) });
        }
    }
    for index in sides.found.indexes.iter().filter(|index| find(wanted, &index.name).is_none()) {
        let change = Change::DropIndex { index: index.clone(), is_there: true };
        match known.is_some_and(|known| find(known, &index.name).is_some()) {
            true => out.changes.push(change),
            false => {
                out.strangers.push(Stranger { what: format!("index `{}`", index.name), change, harm: None });
            }
        }
    }
    for index in known.into_iter().flat_map(|known| &known.indexes) {
        if find(wanted, &index.name).is_none() && find(sides.found, &index.name).is_none() {
            out.changes.push(Change::DropIndex { index: index.clone(), is_there: false });
        }
    }
}

fn triggers(sides: &Sides<'_>, wanted: &ObservedTable, known: Option<&ObservedTable>, out: &mut Comparison) {
    let find = |table: &ObservedTable, name: &str| table.triggers.iter().find(|other| other.name == name).cloned();
    for trigger in &wanted.triggers {
        let was = find(sides.found, &trigger.name);
        let before = known.map(|known| find(known, &trigger.name));
        if was.as_ref() != Some(trigger) || before.is_some_and(|before| before.as_ref() != Some(trigger)) {
            out.changes.push(Change::SetTrigger { name: trigger.name.clone(), was });
        }
    }
    for trigger in sides.found.triggers.iter().filter(|trigger| find(wanted, &trigger.name).is_none()) {
        let change = Change::DropTrigger { trigger: trigger.clone(), is_there: true };
        match known.is_some_and(|known| find(known, &trigger.name).is_some()) {
            true => out.changes.push(change),
            false => {
                out.strangers.push(Stranger { what: format!("trigger `{}`", trigger.name), change, harm: None });
            }
        }
    }
    for trigger in known.into_iter().flat_map(|known| &known.triggers) {
        if find(wanted, &trigger.name).is_none() && find(sides.found, &trigger.name).is_none() {
            out.changes.push(Change::DropTrigger { trigger: trigger.clone(), is_there: false });
        }
    }
}
