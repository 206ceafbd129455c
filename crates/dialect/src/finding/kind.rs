//! Types that lose something of what is put into them. A column's name is believed only where it says what it counts.

use super::{
    About, Finding, Mend, NOT_EVERY_CHARACTER, NOT_EXACT, NUMBER_AS_TEXT, PADDED_TEXT, TIME_WITHOUT_ZONE, counted,
    digits, mend,
};
use plan::database::{ObservedColumn, ObservedTable};
use vocab::{Code, Severity};

/// Words of names that say that every unit counts.
const COUNTED_UNITS: [&str; 20] = [
    "amount", "balance", "budget", "cost", "costs", "credit", "debit", "deposit", "discount", "fee", "fees", "payment",
    "price", "qty", "quantity", "refund", "revenue", "salary", "tax", "total",
];

/// Columns whose type loses something.
pub fn lossy(about: &About<'_>) -> Vec<Finding> {
    let columns =
        about.condition.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    columns.flat_map(|(table, column)| of_column(about, table, column)).collect()
}

fn of_column(about: &About<'_>, table: &ObservedTable, column: &ObservedColumn) -> Vec<Finding> {
    let (engine, sql_type) = (about.engine, column.sql_type.as_str());
    let finding =
        |code: Code, severity: Severity, message: String, why: &str, statement: Option<String>, way: &str| Finding {
            code,
            severity,
            place: about.place(&table.name, std::slice::from_ref(&column.name)),
            message,
            why: format!("{why}; {} hold it", counted(about.rows(&table.name))),
            mend: statement.map_or_else(|| Mend::ByHand(way.to_owned()), |statement| Mend::Statements(vec![statement])),
            trial: None,
        };
    let change = |to: &str, using: &str| mend::change_type(about, table, &column.name, to, using);
    let mut findings = Vec::new();
    if let Some((to, using)) = mend::exact_type(engine, sql_type).filter(|_| counts_units(&column.name)) {
        findings.push(finding(
            NOT_EXACT,
            Severity::Warning,
            format!("`{}.{}` counts what must be exact as `{sql_type}`", table.name, column.name),
            "such a number holds the nearest binary fraction, so that 0.1 and 0.2 are not 0.3 and sums are off",
            change(to, using),
            "hold whole numbers of the smallest unit, as cents, in a column of type INTEGER",
        ));
    }
    if let Some((to, using)) = mend::zoned_type(engine, sql_type) {
        findings.push(finding(
            TIME_WITHOUT_ZONE,
            Severity::Advice,
            format!("`{}.{}` is a time without its zone", table.name, column.name),
            "each reader takes it for the time of a zone of its own; the statement takes those that are there for UTC",
            change(&to, using),
            "",
        ));
    }
    if let Some(to) = mend::unpadded_type(engine, sql_type) {
        findings.push(finding(
            PADDED_TEXT,
            Severity::Advice,
            format!("`{}.{}` is filled up with blanks", table.name, column.name),
            "blanks at the end of what was written are lost, and those that were not written are kept and sent",
            change(&to, ""),
            "",
        ));
    }
    if let Some(to) = mend::whole_unicode(engine, sql_type, &column.collation) {
        findings.push(finding(
            NOT_EVERY_CHARACTER,
            Severity::Warning,
            format!("`{}.{}` holds only characters of three bytes (utf8mb3)", table.name, column.name),
            "a text with an emoji or a rarer letter is refused, or cut before it where the server is not strict",
            change(&to, ""),
            "the server calculates it: say it anew with CHARACTER SET utf8mb4",
        ));
    }
    findings
}

/// The columns of texts that, by their names, could hold numbers that are to be exact, each with its table: whether they do, their values
/// say.
#[must_use]
pub fn columns_to_look_at(tables: &[ObservedTable]) -> Vec<(String, String)> {
    let words = ["text", "character varying", "varchar", "tinytext", "mediumtext", "longtext"];
    let is_text = |sql_type: &str| words.iter().any(|word| sql_type.to_ascii_lowercase().starts_with(word));
    let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let may = columns.filter(|(_, column)| ends_with_units(&column.name) && is_text(&column.sql_type));
    may.map(|(table, column)| (table.name.clone(), column.name.clone())).collect()
}

/// What else is said behind it makes it a name: a `tax_id` counts nothing.
fn ends_with_units(name: &str) -> bool {
    name.rsplit('_').next().is_some_and(counts_units)
}

fn counts_units(name: &str) -> bool {
    name.split('_').any(|word| COUNTED_UNITS.contains(&word.to_ascii_lowercase().as_str()))
}

/// Fewer values say nothing of those to come.
const VALUES: u64 = 100;

/// Columns of texts that hold numbers and nothing else.
pub fn numbers_as_text(about: &About<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for numbers in about.condition.numbers_as_text.iter().filter(|numbers| numbers.values >= VALUES) {
        let Some(table) = about.condition.tables.iter().find(|table| table.name == numbers.table) else { continue };
        let (to, using) = mend::number_type(about.engine);
        let statement = mend::change_type(about, table, &numbers.column, to, using);
        let by_hand = "hold whole numbers of the smallest unit, as cents, in a column of type INTEGER";
        findings.push(Finding {
            code: NUMBER_AS_TEXT,
            severity: Severity::Advice,
            place: about.place(&numbers.table, std::slice::from_ref(&numbers.column)),
            message: format!("`{}.{}` holds numbers as texts", numbers.table, numbers.column),
            why: format!(
                "each of the {} values that were looked at is one: as texts 10 comes before 9, and nothing keeps words out",
                digits(numbers.values)
            ),
            mend: statement.map_or_else(|| Mend::ByHand(by_hand.to_owned()), |statement| Mend::Statements(vec![statement])),
            trial: None,
        });
    }
    findings
}
