//! One schema becomes another one: made as the first, migrated with leave to lose what goes, read back as the second with nothing
//! left to do; the same migrations make the second from nothing, and where each step can be taken back, the first is there again.

use super::rows::{self, Rows};
use super::schemas::{self, Random};
use super::{Fate, NOW, Place, Trial, changes, differing, must_be_kept, planned, refusal, task, whole};
use crate::database::on_scratch;
use crate::response::CheckOutcome;
use catalog::Catalog;
use plan::database::ObservedTable;
use plan::{DatabaseTaskPlan, Migration, Observed};
use planner::{Allowed, Drift, Loss};
use serde_json::{Value as Json, json};
use store::StoreError;
use vocab::{Datum, Engine};

/// Of a hundred pairs so many may be refused: a change may be one that no statement makes, and MySQL has no keys over documents and
/// long texts.
const REFUSED: u64 = 60;
const REFUSED_OF_MYSQL: u64 = 80;
const LEAVE: Allowed = Allowed { drift: Drift::Refused, loss: Loss::Allowed };

/// What came out wrong once.
const ONCE_BROKEN: &[&str] = &[
    // SQLite quotes the names that it renames in a check.
    r#"{"before":{"tables":[{"name":"rooms","columns":{"size":"line"}}]},"after":{"tables":[{"name":"rooms","columns":{"cast":{"type":"line","renamed_from":"size"}}}]}}"#,
    // PostgreSQL quotes names among the columns of an index where they need it.
    r#"{"before":{"tables":[{"name":"rooms","columns":{"size":"line"},"indexes":["size"]}]},"after":{"tables":[{"name":"rooms","columns":{"order":{"type":"line","renamed_from":"size"}}}]}}"#,
    // SQLite makes no text a truth value or a number by itself, on the way back.
    r#"{"before":{"tables":[{"name":"rooms","columns":{"free":"boolean","price":"decimal"}}]},"after":{"tables":[{"name":"rooms","columns":{"free":"email","price":"text"}}]},"filled":true}"#,
    // What rows refuse in the second migration of a run leaves nothing of the first.
    r#"{"before":{"tables":[{"name":"rooms","columns":{"name":{"type":"line"}}}]},"after":{"tables":[{"name":"rooms","columns":{"name":{"type":"phone","max_length":1}}}]},"filled":true}"#,
    // MariaDB keeps the name of the check behind a document that is called otherwise.
    r#"{"before":{"tables":[{"name":"rooms","columns":{"plan":"json"}}]},"after":{"tables":[{"name":"rooms","columns":{"position":{"type":"json","renamed_from":"plan"}}}]}}"#,
    // PostgreSQL makes no large number a truth value.
    r#"{"before":{"tables":[{"name":"rooms","columns":{"free":"boolean"}}]},"after":{"tables":[{"name":"rooms","columns":{"free":"integer"}}]}}"#,
];

/// Pairs of schemas, with and without the care that rows need.
pub fn must_come_back<P: Place>(engine: Engine, pairs: u64, place: impl Fn(u64) -> P + Sync) {
    let catalog = Catalog::built_in().unwrap();
    let names: Vec<String> = catalog.entities().map(|entity| entity.table.to_string()).collect();
    let make = |random: &mut Random| {
        let before = schemas::schema(random, &names);
        let after = match random.percent(10) {
            true => schemas::schema(random, &names),
            false => changes::changed(random, &before, &names),
        };
        json!({ "before": before, "after": after, "filled": random.percent(50) })
    };
    let trial = Trial {
        what: "pairs",
        engine,
        make: &make,
        run: &|pair, place: &mut P| round_trip(engine, pair, &catalog, place),
        show: &|pair| {
            let (before, after) = (task(engine, &pair["before"]), task(engine, &pair["after"]));
            format!("{pair}\n{before}becomes\n{after}")
        },
        refused: if engine == Engine::MySql { REFUSED_OF_MYSQL } else { REFUSED },
    };
    trial.all_come_back(ONCE_BROKEN, pairs, place);
}

/// From one to the other and back; what is not as it must be is the error.
fn round_trip(engine: Engine, pair: &Json, catalog: &Catalog, place: &mut impl Place) -> Result<Fate, String> {
    let failed = |what: &'static str| move |error: StoreError| format!("{what}: {error}");
    let first = match planned(engine, &pair["before"], catalog, &Observed::default(), Allowed::default()) {
        Ok(plan) => plan,
        Err(problems) => return refusal(&problems),
    };
    let database = place.empty("applied");
    database.migrate("random", &first.database.migrations, NOW).map_err(failed("apply the first"))?;
    let look = |what| Ok::<_, String>(database.look("random").map_err(failed(what))?.tables);
    let before = look("look at the first")?;
    let is_filled = pair["filled"] == json!(true);
    if is_filled {
        rows::fill(&first.database, &database).map_err(failed("fill the tables"))?;
    }
    let held = || rows::held(&first, &database).map_err(failed("read the rows"));
    let rows_before = held()?;
    // Tables that hold no row change as those would that do.
    let filled = match is_filled {
        true => before.iter().map(|table| table.name.clone()).collect(),
        false => Vec::new(),
    };
    let observed =
        Observed { tables: before.clone(), filled, active: Some(first.database.clone()), ..Observed::default() };
    let second = match planned(engine, &pair["after"], catalog, &observed, LEAVE) {
        Ok(plan) => plan,
        Err(problems) => return refusal(&problems),
    };
    // Where nothing needs leave, nothing is lost.
    let keeps_all = planned(engine, &pair["after"], catalog, &observed, Allowed::default()).is_ok();
    must_be_kept(&second)?;
    let rehearsed = on_scratch(&second.database, &database);
    if let Some(check) = rehearsed.iter().find(|check| check.outcome == CheckOutcome::Failed) {
        return Err(format!("rehearsal: {}: {}", check.check, check.detail));
    }
    let new = second.database.migrations.strip_prefix(&first.database.migrations[..]);
    let new = new.ok_or("the second plan does not go on from the first")?;
    match database.migrate("random", &second.database.migrations, NOW) {
        Ok(_) => {}
        // Rows may break a new rule; then everything is as it was.
        Err(StoreError::Refused(_) | StoreError::Conflict | StoreError::Overlap | StoreError::Reference)
            if is_filled =>
        {
            must_be_alike("what rows refused changed the tables", &before, &look("look after a refusal")?)?;
            must_be_the_rows("what rows refused changed them", &rows_before, &held()?)?;
            return Ok(Fate::CameBack);
        }
        Err(error) => return Err(failed("change it")(error)),
    }
    let after = look("look at the second")?;
    must_be(&second, &after)?;

    let observed = Observed { tables: after.clone(), active: Some(second.database.clone()), ..Observed::default() };
    let again = planned(engine, &pair["after"], catalog, &observed, Allowed::default())
        .map_err(|problems| format!("planned again: {problems:?}"))?;
    if again != second {
        return Err(format!("the second plan is not the last: {:?}", again.database.migrations));
    }

    let made = place.empty("made");
    made.migrate("random", &second.database.migrations, NOW).map_err(failed("make the second from nothing"))?;
    let made = made.look("random").map_err(failed("look at what was made"))?.tables;
    must_be_alike("the migrations make another one from nothing", &after, &made)?;
    let loaded = place.empty("loaded");
    let schema = &emit::database_files(&second, &[])["databases/schema.sql"];
    loaded.migrate("random", &[whole(schema)], NOW).map_err(failed("load schema.sql"))?;
    let loaded = loaded.look("random").map_err(failed("look at what was loaded"))?.tables;
    must_be_alike("schema.sql makes another one", &after, &loaded)?;

    if new.iter().any(|migration: &Migration| migration.impossible_to_undo().is_some()) {
        return match database.undo("random", new, NOW) {
            Ok(undone) => Err(format!("taken back, which cannot be: {undone:?}")),
            Err(StoreError::Refused(_)) => {
                must_be_alike("what could not be taken back changed", &after, &look("look after a refused undo")?)?;
                Ok(Fate::CameBack)
            }
            Err(error) => Err(format!("undo of what cannot be: {error}")),
        };
    }
    database.undo("random", new, NOW).map_err(failed("undo"))?;
    must_be_alike("undo leaves another one", &before, &look("look after undo")?)?;
    if keeps_all {
        must_be_the_rows("there and back the rows are others", &rows_before, &held()?)?;
    }
    database.migrate("random", &second.database.migrations, NOW).map_err(failed("change it again"))?;
    must_be_alike("changed again it is another one", &after, &look("look at the second again")?)?;
    Ok(Fate::CameBack)
}

/// Everything of the plan is there and nothing else.
fn must_be(plan: &DatabaseTaskPlan, seen: &[ObservedTable]) -> Result<(), String> {
    let mut differences = store::differences(&plan.database, seen);
    for found in seen {
        let wanted = plan.database.tables.iter().find(|table| table.name.as_str() == found.name);
        match wanted.map(|table| dialect::described(plan.database.engine, table)) {
            Some(described) => differences.extend(described.strangers(found)),
            None => differences.push(format!("table `{}` is still there", found.name)),
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    let statements: Vec<&str> = plan
        .database
        .migrations
        .iter()
        .skip(1)
        .flat_map(|migration| &migration.statements)
        .map(|statement| &*statement.sql)
        .collect();
    Err(format!("what was read back differs: {}\n{}", differences.join("; "), statements.join(";\n")))
}

fn must_be_the_rows(what: &str, before: &Rows, after: &Rows) -> Result<(), String> {
    let differs = |(table, rows): &(&String, &Vec<Vec<Datum>>)| after.get(*table) != Some(*rows);
    match before.iter().find(differs) {
        None => Ok(()),
        Some((table, rows)) => Err(format!("{what}: {table}\n  {rows:?}\nare now\n  {:?}", after.get(table))),
    }
}

/// Columns that were added stand behind those that were there, which no plan minds.
fn must_be_alike(what: &str, one: &[ObservedTable], other: &[ObservedTable]) -> Result<(), String> {
    let sorted = |tables: &[ObservedTable]| {
        let mut tables = tables.to_vec();
        for table in &mut tables {
            table.columns.sort_by(|left, right| left.name.cmp(&right.name));
        }
        tables
    };
    match differing(&sorted(one), &sorted(other)) {
        None => Ok(()),
        Some((one, other)) => {
            let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
            let lacking = |one: &str, other: &str| {
                let lines = one.lines().filter(|line| !other.contains(line.trim()));
                lines.map(str::trim).collect::<Vec<_>>().join("\n  ")
            };
            let name = one.lines().find(|line| line.contains("name")).unwrap_or_default().trim();
            Err(format!("{what}: {name}\n  {}\nis there as\n  {}", lacking(&one, &other), lacking(&other, &one)))
        }
    }
}
