//! Statements that take long, as the server has counted them. It keeps no values of them.

use super::{About, Finding, Mend, STATEMENT_SLOW, digits};
use vocab::Severity;

/// Characters of a statement that are shown.
const SHOWN: usize = 200;

/// The slow ones.
pub fn slow(about: &About<'_>) -> Vec<Finding> {
    let statements = about.condition.statements.iter();
    let finding = |statement: &plan::database::MeasuredStatement| {
        let words: Vec<&str> = statement.text.split_whitespace().collect();
        let text: String = words.join(" ").chars().take(SHOWN).collect();
        Finding {
            code: STATEMENT_SLOW,
            severity: Severity::Advice,
            place: about.condition.schema.clone(),
            message: format!("a statement takes long: `{text}`"),
            why: format!("{} ms on the average of {} calls", digits(statement.milliseconds), digits(statement.calls)),
            mend: Mend::ByHand("`EXPLAIN` before it shows what it reads".to_owned()),
            trial: None,
        }
    };
    statements.map(finding).collect()
}
