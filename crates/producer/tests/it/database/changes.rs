//! Databases that change, on SQLite and on real servers of PostgreSQL and MySQL: what differs is shown and mended, what would be lost is named,
//! what was renamed keeps its values, what is refused changes nothing, and what was done is taken back.

use super::mysql;
use super::postgresql::Place;
use crate::harness::postgresql::psql;
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, query};
use plan::database::ObservedTable;
use std::process::Command;
use store::Database;

/// A database of one engine, and the workspace of its task.
struct Site {
    workspace: Workspace,
    place: Where,
}

enum Where {
    Sqlite,
    PostgreSql(Place),
    MySql(mysql::Place),
}

impl Site {
    /// One for each engine that is there.
    fn each(test: &str) -> Vec<Self> {
        let postgresql = Place::empty(test).map(Where::PostgreSql);
        let mysql = mysql::Place::empty(test).map(Where::MySql);
        let places = std::iter::once(Where::Sqlite).chain(postgresql).chain(mysql);
        places.map(|place| Self { workspace: Workspace::new(), place }).collect()
    }

    fn task(&self, tables: &str) -> String {
        let (kind, connection) = match &self.place {
            Where::PostgreSql(_) => ("postgresql", "    connection: ${env:ROOMS_URL}\n"),
            Where::MySql(_) => ("mysql", "    connection: ${env:ROOMS_URL}\n"),
            Where::Sqlite => ("sqlite", ""),
        };
        format!(
            "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: {kind}\n    name: rooms\n{connection}    schema_requirements:\n      tables: [{tables}]\n"
        )
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.workspace.command(words);
        match &self.place {
            Where::Sqlite => {}
            Where::PostgreSql(place) => drop(command.env("ROOMS_URL", place.url())),
            Where::MySql(place) => drop(command.env("ROOMS_URL", place.url())),
        }
        command
    }

    fn with_task(&self, words: &[&str], tables: &str) -> Ended {
        end_with_input(&mut self.command(words), &self.task(tables))
    }

    fn run(&self, tables: &str) -> Ended {
        self.with_task(&["run", "-"], tables)
    }

    fn diff(&self, tables: &str) -> Ended {
        self.with_task(&["db", "diff", "-"], tables)
    }

    fn undo(&self, words: &[&str]) -> Ended {
        end(self.command(&["db", "undo", "rooms"]).args(words))
    }

    fn execute(&self, statement: &str) {
        match &self.place {
            Where::PostgreSql(place) => place.execute(statement),
            Where::MySql(place) => place.execute(statement),
            Where::Sqlite => drop(query(&self.workspace.path().join(".producer/data/rooms.sqlite"), statement)),
        }
    }

    /// One value, as text.
    fn value(&self, expression: &str) -> String {
        match &self.place {
            Where::MySql(place) => place.value(expression),
            Where::PostgreSql(place) => {
                psql(&place.url(), &format!("SELECT {expression}")).unwrap_or_default().trim().to_owned()
            }
            Where::Sqlite => {
                let file = self.workspace.path().join(".producer/data/rooms.sqlite");
                query(&file, &format!("SELECT {expression}"))[0][0].clone()
            }
        }
    }

    fn tables(&self) -> Vec<ObservedTable> {
        match &self.place {
            Where::PostgreSql(place) => place.tables(),
            Where::MySql(place) => place.tables(),
            Where::Sqlite => {
                let file = self.workspace.path().join(".producer/data/rooms.sqlite");
                Database::Sqlite(file).look("task").unwrap().tables
            }
        }
    }

    fn refused(&self, tables: &str) -> (String, String) {
        let error = self.run(tables).response()["error"].clone();
        (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    }
}

const FIRST: &str = "halls, { name: rooms, columns: { number: { type: integer, required: true }, note: line, size: line, hall_id: { type: uuid, references: halls } } }";
const ROWS: [&str; 2] = [
    "INSERT INTO halls (name) VALUES ('h')",
    "INSERT INTO rooms (number, note, size, hall_id) SELECT 7, 'n', '12', id FROM halls",
];

#[test]
fn what_was_changed_by_hand_is_shown_and_mended() {
    for site in Site::each("mended") {
        site.run(FIRST).must_end_with(0);
        ROWS.iter().for_each(|row| site.execute(row));
        let made = site.tables();
        assert!(site.diff(FIRST).must_end_with(0).stdout.contains("is as the task wants it"));
        // MySQL keeps an index that a key stands on.
        let (by_hand, key) = match &site.place {
            Where::Sqlite | Where::PostgreSql(_) => ("DROP INDEX rooms_hall_id_idx", ""),
            Where::MySql(_) => (
                "ALTER TABLE rooms DROP FOREIGN KEY rooms_hall_id_fkey, DROP INDEX rooms_hall_id_idx",
                "~ rooms: `hall_id` is no key to `halls` as it was\n",
            ),
        };
        site.execute(by_hand);
        site.execute("ALTER TABLE rooms ADD COLUMN extra text");
        let changed = site.tables();
        let shown = site.diff(FIRST).must_end_with(4).stdout;
        assert_eq!(
            shown,
            format!("{key}~ rooms: index `rooms_hall_id_idx` is missing\n+ rooms: column `extra` is not in the task\n")
        );
        let help = site.run(FIRST).must_end_with(2).stderr;
        assert!(help.contains("producer db migrate TASK"), "{help}");
        let planned = site.with_task(&["db", "migrate", "-", "--plan"], FIRST).must_end_with(0).stdout;
        assert!(planned.contains("rooms_hall_id_idx") && planned.contains("-- locks:"), "{planned}");
        assert_eq!(site.tables(), changed, "a plan is only shown");
        site.with_task(&["db", "migrate", "-"], FIRST).must_end_with(0);
        assert_eq!(site.diff(FIRST).must_end_with(4).stdout, "+ rooms: column `extra` is not in the task\n");
        assert_eq!(site.run(FIRST).must_end_with(0).response()["changed"], false);
        site.undo(&[]).must_end_with(0);
        assert_eq!(site.tables(), changed, "what is taken back is as it was before");
        site.with_task(&["db", "migrate", "-", "--allow-destructive"], FIRST).must_end_with(0);
        assert_eq!(site.tables(), made);
        assert_eq!(site.value("count(*) FROM rooms"), "1");
    }
}

#[test]
fn what_was_renamed_keeps_what_it_holds() {
    for site in Site::each("renamed") {
        site.run(FIRST).must_end_with(0);
        ROWS.iter().for_each(|row| site.execute(row));
        let made = site.tables();
        let unsaid = FIRST.replace("note: line", "remark: line");
        let (code, message) = site.refused(&unsaid);
        assert_eq!(code, "IP237");
        assert_eq!(message, "column `note` of table `rooms` is no longer named, and `remark` is new: was it renamed?");
        let said = FIRST.replace("note: line", "remark: { type: line, renamed_from: note, unique: true }");
        let said = said.replace("name: rooms", "name: chambers, renamed_from: rooms");
        site.run(&said).must_end_with(0);
        assert_eq!(site.run(&said).must_end_with(0).response()["changed"], false, "the lines may stay");
        site.diff(&said).must_end_with(0);
        assert_eq!(site.value("remark FROM chambers"), "n");
        site.undo(&[]).must_end_with(0);
        assert_eq!(site.tables(), made);
        assert_eq!(site.value("note FROM rooms"), "n");
    }
}

#[test]
fn what_would_be_lost_is_named_one_by_one() {
    for site in Site::each("lost") {
        site.run(&format!("{FIRST}, {{ name: prices, columns: {{ price: decimal }} }}")).must_end_with(0);
        ROWS.iter().for_each(|row| site.execute(row));
        site.execute("INSERT INTO prices (price) VALUES (700)");
        let made = site.tables();
        let less = FIRST
            .replace(" note: line, size: line,", "")
            .replace("halls, ", "halls, { name: prices, columns: { price: integer } }, ");
        let error = site.run(&less).must_end_with(2).response()["error"].clone();
        let messages: Vec<&str> =
            error["diagnostics"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect();
        assert_eq!(
            messages,
            [
                "digits behind the point of column `price` of table `prices` would be lost",
                "column `note` of table `rooms` with what it holds would be lost",
                "column `size` of table `rooms` with what it holds would be lost",
            ]
        );
        let fewer = site.refused("halls");
        assert_eq!(fewer, ("IP236".to_owned(), "table `rooms` with its rows would be lost".to_owned()));
        assert_eq!(site.tables(), made);
        site.with_task(&["run", "-", "--allow-destructive"], &less).must_end_with(0);
        site.diff(&less).must_end_with(0);
        assert_eq!(site.value("number FROM rooms"), "7");
        let for_good = site.undo(&[]).must_end_with(1).stderr;
        assert!(for_good.contains("held is gone"), "{for_good}");
        site.with_task(&["run", "-", "--allow-destructive"], "halls").must_end_with(0);
        assert_eq!(site.tables().len(), 1);
    }
}

#[test]
fn types_and_rules_change_under_rows_and_back() {
    for site in Site::each("under_rows") {
        site.run(FIRST).must_end_with(0);
        ROWS.iter().for_each(|row| site.execute(row));
        let made = site.tables();
        let more = "halls, { name: rooms, columns: { number: { type: decimal, required: true, unique: true }, note: { type: text, max_length: 900, required: true, default: none }, size: integer, seats: { type: integer, required: true, default: 4 }, hall_id: { type: uuid, references: { table: halls, on_delete: set_null } } }, indexes: [[seats, size]], constraints: [{ check: { column: seats, at_least: 1 } }, { unique: [number, seats] }] }";
        site.execute("UPDATE rooms SET note = NULL");
        site.run(more).must_end_with(0);
        site.diff(more).must_end_with(0);
        assert_eq!(site.run(more).must_end_with(0).response()["changed"], false);
        assert_eq!(site.value("note FROM rooms"), "none");
        assert_eq!(site.value("size + seats FROM rooms"), "16");
        let lost = site.undo(&["--plan"]).must_end_with(0).stdout;
        assert!(lost.contains("lost: column `seats` of table `rooms` with what it holds"), "{lost}");
        assert_eq!(site.with_task(&["db", "undo", "-", "--plan"], more).must_end_with(0).stdout, lost);
        site.undo(&["--allow-destructive"]).must_end_with(0);
        assert_eq!(site.tables(), made);
        assert_eq!(site.value("size FROM rooms"), "12");
    }
}

#[test]
fn rows_that_break_a_new_rule_keep_the_database_as_it_was() {
    for site in Site::each("breaking") {
        site.run(FIRST).must_end_with(0);
        ROWS.iter().for_each(|row| site.execute(row));
        site.execute("INSERT INTO rooms (number, size) VALUES (7, 'large')");
        let made = site.tables();
        for tables in [
            FIRST.replace("references: halls } } }", "references: halls } }, constraints: [{ unique: [number] }] }"),
            FIRST.replace("references: halls } } }", "references: halls }, floor: integer }, constraints: [{ check: { column: number, at_least: 8 } }], indexes: [note] }"),
            FIRST.replace("size: line", "size: integer"),
            FIRST.replace("note: line", "note: { type: line, required: true }"),
        ] {
            let response = site.run(&tables).must_end_with(1).response();
            assert_eq!(response["changed"], false, "{response}");
            let error = response["error"].clone();
            assert_eq!((&error["kind"], &error["code"]), (&"database.migration".into(), &"refused".into()), "{error}");
            assert_eq!(site.tables(), made, "{tables}");
        }
        assert_eq!(site.run(FIRST).must_end_with(0).response()["changed"], false, "what was refused has left nothing");
        let (code, message) =
            site.refused(&FIRST.replace("size: line", "size: line, floor: { type: integer, required: true }"));
        assert_eq!(code, "IP209");
        assert!(message.ends_with("column `floor` is new and must have a value"), "{message}");
    }
}

#[test]
fn what_a_database_holds_is_shown() {
    let tables = FIRST.replace(
        "references: halls } } }",
        "references: halls } }, constraints: [{ check: { column: number, at_least: 1 } }] }",
    );
    for site in Site::each("shown") {
        site.run(&tables).must_end_with(0);
        let shown = end(&mut site.command(&["db", "inspect", "rooms"])).must_end_with(0).stdout;
        for line in [
            "  primary key: id\n",
            "  key: hall_id -> halls.id, on delete restrict\n",
            "  index rooms_hall_id_idx: hall_id\n",
            "  check rooms_number_range: ",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        let json = end(site.command(&["db", "inspect", "rooms"]).args(["--format", "json"])).must_end_with(0).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["tables"][1]["name"], "rooms");
        let unknown = end(&mut site.command(&["db", "inspect", "room"])).must_end_with(1).stderr;
        assert!(unknown.contains("did you mean `rooms`?"), "{unknown}");
    }
}

#[test]
fn what_was_taken_away_by_hand_is_named_when_a_change_is_taken_back() {
    // MySQL goes back statement by statement, and says what of it is done.
    let whole = |site: &Site| !matches!(site.place, Where::MySql(_));
    for site in Site::each("gone").into_iter().filter(whole) {
        let more = format!("{FIRST}, {{ name: doors, columns: {{ room_id: {{ type: uuid, references: rooms }} }} }}");
        let more = more.replace("note: line", "note: line, floor: { type: integer, default: 3 }");
        site.run(FIRST).must_end_with(0);
        site.run(&more).must_end_with(0);
        ROWS.iter().for_each(|row| site.execute(row));
        site.execute("DROP TABLE doors");
        let left = site.tables();
        let shown = site.undo(&["--plan"]).must_end_with(0).stdout;
        assert!(shown.ends_with("changed since: table `doors` is missing\n"), "{shown}");
        let refused = site.undo(&["--allow-destructive"]).must_end_with(1).stderr;
        assert!(
            refused.contains("nothing was taken back in ") && refused.contains("table `doors` is missing"),
            "{refused}"
        );
        assert_eq!(site.tables(), left);
        assert_eq!(site.value("floor FROM rooms"), "3");
        // The way that is named.
        assert!(refused.contains("`producer db migrate TASK`, with the task as it was before"), "{refused}");
        let kept = site.with_task(&["db", "migrate", "-"], FIRST);
        assert_eq!(kept.response()["error"]["code"], "IP236", "{}", kept.stdout);
        assert_eq!(site.value("floor FROM rooms"), "3");
        site.with_task(&["db", "migrate", "-", "--allow-destructive"], FIRST).must_end_with(0);
        site.diff(FIRST).must_end_with(0);
        assert_eq!(site.value("number FROM rooms"), "7");
    }
}

/// MySQL goes back statement by statement: what is gone already is passed over, and where something was added by hand that is in the way,
/// it says what is left and goes on from there.
#[test]
fn on_mysql_a_change_is_taken_back_around_what_was_changed_by_hand() {
    let more = format!("{FIRST}, {{ name: doors, columns: {{ room_id: {{ type: uuid, references: rooms }} }} }}");
    let more = more.replace("note: line", "note: line, floor: { type: integer, default: 3 }");
    for site in Site::each("around").into_iter().filter(|site| matches!(site.place, Where::MySql(_))) {
        site.run(FIRST).must_end_with(0);
        let first = site.tables();
        site.run(&more).must_end_with(0);
        ROWS.iter().for_each(|row| site.execute(row));
        site.execute("DROP TABLE doors");
        let shown = site.undo(&["--plan"]).must_end_with(0).stdout;
        assert!(shown.ends_with("changed since: table `doors` is missing\n"), "{shown}");
        let refused = site.undo(&[]).must_end_with(1).stderr;
        assert!(refused.contains("column `floor` of table `rooms`"), "{refused}");
        assert_eq!(site.value("floor FROM rooms"), "3");
        site.undo(&["--allow-destructive"]).must_end_with(0);
        assert_eq!(site.tables(), first);
        assert_eq!(site.value("number FROM rooms"), "7");

        site.run(&more).must_end_with(0);
        let window = "CREATE TABLE windows (id int PRIMARY KEY, door_id char(36) CHARACTER SET ascii, FOREIGN KEY (door_id) REFERENCES doors (id))";
        site.execute(window);
        let refused = site.undo(&["--allow-destructive"]).must_end_with(1).stderr;
        assert!(refused.contains("changed in part") && refused.contains("these are done and stay: doors"), "{refused}");
        site.execute("DROP TABLE windows");
        site.undo(&["--allow-destructive"]).must_end_with(0);
        assert_eq!(site.tables(), first);
        assert_eq!(site.value("number FROM rooms"), "7");
        site.run(FIRST).must_end_with(0);
        site.diff(FIRST).must_end_with(0);
    }
}

/// Whoever takes back after a run that failed means that run, which has left nothing.
#[test]
fn after_a_run_that_failed_an_earlier_migration_is_taken_back_by_name_only() {
    for site in Site::each("meant") {
        site.run(FIRST).must_end_with(0);
        let first = site.tables();
        site.run(&FIRST.replace("note: line", "note: line, floor: integer")).must_end_with(0);
        site.execute("INSERT INTO rooms (number, size) VALUES (7, 'large')");
        let made = site.tables();
        site.run(&FIRST.replace("note: line, size: line", "note: line, size: integer, floor: integer"))
            .must_end_with(1);
        assert_eq!(site.tables(), made);
        let refused = site.undo(&[]).must_end_with(1).stderr;
        assert!(refused.contains("has left nothing") && refused.contains("--migration 0002_additions"), "{refused}");
        let other = site.undo(&["--migration", "0001_initial"]).must_end_with(1).stderr;
        assert!(other.contains("that is `0002_additions`"), "{other}");
        assert_eq!(site.tables(), made);
        site.undo(&["--migration", "0002_additions", "--allow-destructive"]).must_end_with(0);
        assert_eq!(site.tables(), first);
    }
}

/// Two columns are held to each other under rows: those that break it keep the database as it was, names change, a column goes.
#[test]
fn columns_that_are_compared_change_under_rows_and_back() {
    let tables = |columns: &str, constraints: &str| {
        format!("{{ name: rooms, columns: {{ {columns} }}, constraints: [{constraints}] }}")
    };
    let both = "number: { type: integer, required: true }, opens_on: date, closes_on: date";
    let compared = "{ check: { column: closes_on, at_least: opens_on } }";
    for site in Site::each("compared") {
        let bare = format!("{{ name: rooms, columns: {{ {both} }} }}");
        site.run(&bare).must_end_with(0);
        site.execute("INSERT INTO rooms (number, opens_on, closes_on) VALUES (7, '2026-01-02', '2026-01-01'), (8, '2026-01-01', NULL)");
        let before = site.tables();
        let (code, _) = site.refused(&tables(both, compared));
        assert!(!code.is_empty());
        assert_eq!(site.tables(), before, "a row breaks it");
        site.execute("UPDATE rooms SET closes_on = '2026-01-02' WHERE number = 7");
        site.run(&tables(both, compared)).must_end_with(0);
        let made = site.tables();
        let rooms = made.iter().find(|table| table.name == "rooms").unwrap();
        assert!(
            rooms.checks.iter().any(|check| check.name == "rooms_closes_on_at_least_opens_on_check"),
            "{:?}",
            rooms.checks
        );
        assert_eq!(site.run(&tables(both, compared)).must_end_with(0).response()["changed"], false);
        site.diff(&tables(both, compared)).must_end_with(0);
        let renamed = "number: { type: integer, required: true }, from_day: { type: date, renamed_from: opens_on }, to_day: { type: date, renamed_from: closes_on }";
        let named = "{ name: rooms_closes_on_at_least_opens_on_check, check: { column: to_day, at_least: from_day } }";
        site.run(&tables(renamed, named)).must_end_with(0);
        site.diff(&tables(renamed, named)).must_end_with(0);
        assert_eq!(site.value("count(*) FROM rooms WHERE to_day IS NULL"), "1");
        site.undo(&[]).must_end_with(0);
        assert_eq!(site.tables(), made, "the names are back");
        let fewer = format!("{{ name: rooms, columns: {{ {} }} }}", both.replace(", opens_on: date", ""));
        site.with_task(&["run", "-", "--allow-destructive"], &fewer).must_end_with(0);
        site.diff(&fewer).must_end_with(0);
        assert_eq!(site.value("count(*) FROM rooms"), "2");
    }
}

/// Rows keep their numbers and what leads to them; the database counts on behind the greatest, and stops when it is told to.
#[test]
fn a_key_under_rows_is_counted_from_then_on_and_given_again_later() {
    let tables = |key: &str| {
        format!(
            "{{ name: bays, columns: {{ number: {key}, width: integer }}, constraints: [{{ primary_key: [number] }}] }}, {{ name: boxes, columns: {{ bay_number: {{ references: bays, required: true }} }} }}"
        )
    };
    let (given, counted) = (tables("{ type: integer, required: true }"), tables("integer"));
    for site in Site::each("counted_keys") {
        let is_counted = || {
            let tables = site.tables();
            let bays = tables.iter().find(|table| table.name == "bays").unwrap();
            bays.columns.iter().find(|column| column.name == "number").unwrap().default.is_some()
        };
        let has_kept_its_rows = || {
            let kept = "(SELECT count(*) FROM bays b JOIN boxes x ON x.bay_number = b.number WHERE b.number = 41 AND b.width = 410)";
            site.value(kept) == "1" && site.value("(SELECT count(*) FROM bays WHERE number = 3)") == "1"
        };
        site.run(&given).must_end_with(0);
        site.execute("INSERT INTO bays (number, width) VALUES (3, 30), (41, 410)");
        site.execute("INSERT INTO boxes (bay_number) VALUES (41)");
        assert!(!is_counted());
        // No statement is executed twice here.
        for width in [2, 5] {
            site.run(&counted).must_end_with(0);
            assert_eq!(site.run(&counted).must_end_with(0).response()["changed"], false);
            site.diff(&counted).must_end_with(0);
            assert!(is_counted() && has_kept_its_rows());
            site.execute(&format!("INSERT INTO bays (width) VALUES ({width})"));
            let number = site.value(&format!("(SELECT number FROM bays WHERE width = {width})"));
            assert!(number.parse::<i64>().unwrap() > 41, "{number}");
            site.execute(&format!("DELETE FROM bays WHERE width = {width}"));

            site.run(&given).must_end_with(0);
            site.diff(&given).must_end_with(0);
            assert!(!is_counted() && has_kept_its_rows());
        }
        site.undo(&[]).must_end_with(0);
        assert!(is_counted() && has_kept_its_rows(), "what was taken back is as it was");
        site.execute("INSERT INTO bays (width) VALUES (4)");
        assert!(site.value("(SELECT number FROM bays WHERE width = 4)").parse::<i64>().unwrap() > 41);
    }
}
