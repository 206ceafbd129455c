//! Room that is taken by what is gone, and statistics that say how a table was once.

use super::{About, Finding, Mend, ROOM_WASTED, STATISTICS_OLD, counted, digits, mend, sized};
use plan::database::Measure;
use vocab::Severity;

/// Fewer dead rows are cleared by the server itself soon enough; of a table's rows as many as [`DEAD_PERCENT`] must be dead, twice what
/// PostgreSQL clears at by itself.
const DEAD_ROWS: u64 = 10_000;
const DEAD_PERCENT: u64 = 40;
/// Less is not worth the time in which the table is written anew, and neither is less than a half of what is there.
const FREE_BYTES: u64 = 16 << 20;
const FREE_PERCENT: u64 = 50;
/// Fewer rows are read as fast by any plan.
const GROWN_ROWS: u64 = 10_000;
/// PostgreSQL looks anew at a tenth by itself.
const CHANGED_PERCENT: u64 = 50;

/// Room that nobody uses.
pub fn wasted(about: &About<'_>) -> Vec<Finding> {
    let finding = |place: String, table: &str, message: String, why: String| Finding {
        code: ROOM_WASTED,
        severity: Severity::Advice,
        place,
        message,
        why,
        mend: Mend::Statements(vec![mend::give_back(about, table)]),
        trial: None,
    };
    let is_worth = |free: u64, of: u64| free >= FREE_BYTES && free >= of / 100 * FREE_PERCENT;
    let mut findings = Vec::new();
    for measure in &about.condition.measures {
        let (table, place) = (measure.table.as_str(), about.place(&measure.table, &[]));
        if measure.dead_rows >= DEAD_ROWS && measure.dead_rows >= measure.rows / 100 * DEAD_PERCENT {
            let message = format!("`{table}` holds many rows that are gone");
            let why =
                format!("{} beside {} that are there: all are read", digits(measure.dead_rows), counted(measure.rows));
            findings.push(finding(place, table, message, why));
        } else if is_worth(measure.free_bytes, measure.bytes + measure.free_bytes) {
            let message = format!("much of the file of `{table}` is free");
            let why = format!("{} are free beside {} that are used", sized(measure.free_bytes), sized(measure.bytes));
            findings.push(finding(place, table, message, why));
        }
    }
    let (free, of) = (about.condition.free_bytes, about.condition.bytes);
    if is_worth(free, of) {
        let why = format!("{} of {} hold nothing; they are filled again before the file grows", sized(free), sized(of));
        findings.push(finding(String::new(), "", "much of the file is free".to_owned(), why));
    }
    findings
}

/// Tables that have grown since anybody looked at them.
pub fn statistics(about: &About<'_>) -> Vec<Finding> {
    let finding = |measure: &Measure| {
        let statistics = measure.statistics.filter(|_| measure.rows >= GROWN_ROWS)?;
        let how = match statistics.is_known {
            false => "nobody has ever looked",
            true if statistics.changed >= measure.rows / 100 * CHANGED_PERCENT => {
                "most were written since somebody looked"
            }
            true => return None,
        };
        Some(Finding {
            code: STATISTICS_OLD,
            severity: Severity::Advice,
            place: about.place(&measure.table, &[]),
            message: format!("statements on `{}` are planned by what is not so", measure.table),
            why: format!("{how} at its {}, so that what finds them is guessed", counted(measure.rows)),
            mend: Mend::Statements(vec![mend::analyze(about, &measure.table)]),
            trial: None,
        })
    };
    about.condition.measures.iter().filter_map(finding).collect()
}
