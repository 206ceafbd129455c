//! The condition of an endpoint over the rows that it has to do with, and the fields that it hides: columns are looked up, values become those of their types, and what
//! only a caller who signs in has is asked of nobody else.

use crate::behaviour::{Behaviour, caller, field_name, slot};
use crate::codes::{CONDITION_DOES_NOT_FIT, UNKNOWN_COLUMN};
use plan::database::{Column, Sensitivity, Table};
use plan::query::Predicate;
use plan::value::Value;
use spec::{Endpoint, Method, Operand, RowCondition, Subject, closest};
use vocab::{ColumnName, Comparison, Datum, Decimal, Diagnostic, FieldType, Place, RoleName};

/// What a condition is asked about.
pub struct Asked<'a> {
    pub table: &'a Table,
    /// What names a user, where callers are users.
    pub user_key: Option<FieldType>,
}

/// The condition of an endpoint as predicates, of which each must hold.
///
/// # Errors
/// What does not fit, with how to mend it.
pub fn of(endpoint: &Endpoint, behaviour: &Behaviour, asked: &Asked<'_>) -> Result<Vec<Predicate>, Diagnostic> {
    let Some(condition) = &endpoint.condition else { return Ok(Vec::new()) };
    let refused = |misfit: Misfit| misfit.at(&condition.place);
    if !behaviour.name.starts_with("record_") || endpoint.method == Method::Post {
        let message = format!("`{} {}` has to do with no rows that are there", endpoint.method, endpoint.path.as_str());
        return Err(refused(misfit(
            message,
            "remove `where`, or put it at endpoints that read, change or delete records",
        )));
    }
    Ok(match asked.all_of(&condition.value).map_err(refused)? {
        Predicate::All(inner) => inner,
        one => vec![one],
    })
}

/// The columns that an endpoint hides.
///
/// # Errors
/// What cannot be hidden, each with how to mend it.
pub fn hidden(endpoint: &Endpoint, behaviour: &Behaviour, table: &Table) -> Result<Vec<ColumnName>, Vec<Diagnostic>> {
    let (mut hidden, mut problems) = (Vec::new(), Vec::new());
    for stated in &endpoint.hidden {
        let name = stated.value.as_str();
        let is_read = matches!(endpoint.method, Method::Get | Method::Delete);
        let refused = match columns(table).find(|column| column.name.as_str() == name) {
            _ if !behaviour.name.starts_with("record_") || !is_read => misfit(
                format!("`{} {}` cannot hide `{name}`", endpoint.method, endpoint.path.as_str()),
                "put `hide` at endpoints that read or delete records: whoever may change a field could find out what it holds",
            ),
            Some(column) if table.primary_key.contains(&column.name) => {
                misfit(format!("`{name}` names the records"), "remove it from `hide`")
            }
            Some(column) => {
                hidden.push(column.name.clone());
                continue;
            }
            None => unknown(name, table),
        };
        problems.push(refused.at(&stated.place));
    }
    if problems.is_empty() { Ok(hidden) } else { Err(problems) }
}

/// A sentence about an endpoint with what its condition adds.
pub fn told(sentence: String, condition: &[Predicate]) -> String {
    if condition.is_empty() {
        return sentence;
    }
    let holds: Vec<String> = condition.iter().map(plan::print::predicate).collect();
    format!("{sentence} of which this holds: {}", holds.join(" and "))
}

/// Whether the predicate asks who calls.
pub fn asks_for_caller(predicate: &Predicate) -> bool {
    let is_caller = |value: &Value| matches!(value, Value::Field(slot, _) if slot.as_str() == "caller");
    match predicate {
        Predicate::Compare(_, _, value) => is_caller(value),
        Predicate::Test(left, _, right) => is_caller(left) || is_caller(right),
        Predicate::Null(_) => false,
        Predicate::Any(inner) | Predicate::All(inner) => inner.iter().any(asks_for_caller),
        Predicate::Not(inner) => asks_for_caller(inner),
    }
}

struct Misfit {
    code: vocab::Code,
    message: String,
    help: String,
}

impl Misfit {
    fn at(self, place: &Place) -> Diagnostic {
        Diagnostic::error(self.code, self.message, place).with_help(self.help)
    }
}

fn misfit(message: String, help: impl Into<String>) -> Misfit {
    Misfit { code: CONDITION_DOES_NOT_FIT, message, help: help.into() }
}

/// The columns that an API has to do with.
fn columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|column| column.sensitivity != Sensitivity::Secret)
}

/// The table has no such column.
fn unknown(name: &str, table: &Table) -> Misfit {
    let names: Vec<&str> = columns(table).map(|column| column.name.as_str()).collect();
    let list = || format!("it has {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "));
    let help = closest(name, &names).map_or_else(list, |meant| format!("did you mean `{meant}`?"));
    Misfit { code: UNKNOWN_COLUMN, message: format!("`{}` has no column `{name}`", table.name), help }
}

impl Asked<'_> {
    fn all_of(&self, condition: &RowCondition) -> Result<Predicate, Misfit> {
        let each = |inner: &[RowCondition]| inner.iter().map(|one| self.all_of(one)).collect::<Result<Vec<_>, _>>();
        Ok(match condition {
            RowCondition::All(inner) => Predicate::All(each(inner)?),
            RowCondition::Any(inner) => Predicate::Any(each(inner)?),
            RowCondition::Not(inner) => Predicate::Not(Box::new(self.all_of(inner)?)),
            RowCondition::Null(column) => Predicate::Null(self.column(column)?.0),
            RowCondition::Compare(subject, comparison, operand) => self.compared(subject, *comparison, operand)?,
            RowCondition::OneOf(subject, words) => {
                let one = |word: &String| self.compared(subject, Comparison::Equal, &Operand::Literal(word.clone()));
                Predicate::Any(words.iter().map(one).collect::<Result<_, _>>()?)
            }
        })
    }

    fn compared(&self, subject: &Subject, comparison: Comparison, operand: &Operand) -> Result<Predicate, Misfit> {
        let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let column = match subject {
            Subject::Column(column) => column,
            Subject::CallerRole => {
                let Operand::Literal(role) = operand else {
                    return Err(misfit(
                        "`caller.role` is compared with the name of a role".to_owned(),
                        "write `caller.role = admin`",
                    ));
                };
                if !is_equality {
                    return Err(misfit("roles have no order".to_owned(), "compare with `=`, `!=` or `in`"));
                }
                if RoleName::parse(role).is_err() {
                    return Err(misfit(format!("`{role}` is no name of a role"), "write letters, digits and `_`"));
                }
                let role = Value::Literal(Datum::Text(role.clone()));
                return Ok(Predicate::Test(self.caller_role()?, comparison, role));
            }
        };
        let (column, field_type) = self.column(column)?;
        let has_order = matches!(
            field_type,
            FieldType::Integer | FieldType::Decimal { .. } | FieldType::Date | FieldType::Timestamp
        );
        if !is_equality && !has_order {
            let message = format!("`{column}` holds {}, of which none is less than another", field_type.describe());
            return Err(misfit(message, "compare with `=`, `!=` or `in`"));
        }
        let value = match operand {
            Operand::Literal(text) => Value::Literal(self.literal(&column, &field_type, text)?),
            Operand::CallerId => {
                let key = self.user_key.as_ref().ok_or_else(nobody_signs_in)?;
                if *key != field_type {
                    let message = format!(
                        "`{column}` holds {}, and a user is named by {}",
                        field_type.describe(),
                        key.describe()
                    );
                    return Err(misfit(message, "compare the column that leads to users"));
                }
                caller()
            }
            Operand::CallerRole => match field_type {
                FieldType::Line { .. } | FieldType::Choice { .. } => self.caller_role()?,
                _ => {
                    let message = format!("`{column}` holds {}, and a role is a word", field_type.describe());
                    return Err(misfit(message, "compare a column of words"));
                }
            },
            Operand::Now => match field_type {
                FieldType::Timestamp => Value::Now,
                FieldType::Date => Value::Today,
                _ => {
                    let message = format!("`{column}` holds {}, and `now` is a time", field_type.describe());
                    return Err(misfit(message, "compare a column of times or days, or put the word `now` in quotes"));
                }
            },
        };
        Ok(Predicate::Compare(column, comparison, value))
    }

    fn column(&self, name: &ColumnName) -> Result<(ColumnName, FieldType), Misfit> {
        if let Some(column) = columns(self.table).find(|column| column.name == *name) {
            return match column.field_type {
                FieldType::Text { .. } | FieldType::Json => Err(misfit(
                    format!("`{name}` holds {}, which is not compared", column.field_type.describe()),
                    "take a column of one line, a number, a choice, a day or a time",
                )),
                _ => Ok((column.name.clone(), column.field_type.clone())),
            };
        }
        Err(unknown(name.as_str(), self.table))
    }

    fn caller_role(&self) -> Result<Value, Misfit> {
        match self.user_key {
            Some(_) => Ok(Value::Field(slot("caller"), field_name("role"))),
            None => Err(nobody_signs_in()),
        }
    }

    fn literal(&self, column: &ColumnName, field_type: &FieldType, text: &str) -> Result<Datum, Misfit> {
        let read = match field_type {
            FieldType::Integer => text.parse().ok().map(Datum::Integer),
            FieldType::Decimal { scale } => Decimal::parse(text, *scale).ok().map(Datum::Decimal),
            FieldType::Boolean => text.parse().ok().map(Datum::Boolean),
            FieldType::Choice { words } => words.iter().any(|word| word == text).then(|| Datum::Text(text.to_owned())),
            FieldType::Date => is_shaped(text, "0000-00-00").then(|| Datum::Text(text.to_owned())),
            FieldType::Timestamp => moment(text).map(Datum::Text),
            FieldType::Uuid => is_uuid(text).then(|| Datum::Text(text.to_owned())),
            FieldType::Line { .. }
            | FieldType::Text { .. }
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Url
            | FieldType::Code { .. }
            | FieldType::Json => (!text.is_empty()).then(|| Datum::Text(text.to_owned())),
        };
        read.ok_or_else(|| {
            let help = match field_type {
                FieldType::Choice { words } => format!("it holds one of {}", words.join(", ")),
                FieldType::Timestamp => "write a time such as 2026-01-02T03:04:05Z, or `now`".to_owned(),
                FieldType::Date => "write a day such as 2026-01-02, or `now`".to_owned(),
                _ => format!("write {}", field_type.describe()),
            };
            misfit(format!("`{column}` is never `{text}`: it holds {}", field_type.describe()), help)
        })
    }
}

fn nobody_signs_in() -> Misfit {
    misfit(
        "`caller` is somebody who signs in, and this endpoint asks for none".to_owned(),
        "write `authentication: jwt_token` or `session`, or leave `caller` out of the condition",
    )
}

/// A UTC time as rows hold it, with milliseconds.
fn moment(text: &str) -> Option<String> {
    match text {
        _ if is_shaped(text, "0000-00-00T00:00:00.000Z") => Some(text.to_owned()),
        _ if is_shaped(text, "0000-00-00T00:00:00Z") => Some(format!("{}.000Z", text.trim_end_matches('Z'))),
        _ => None,
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let is_hex = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|letter| letter == '-' || is_hex(letter))
}

/// Whether digits stand where the shape has `0`, and its own letters elsewhere.
fn is_shaped(text: &str, shape: &str) -> bool {
    let fits = |(letter, meant): (char, char)| if meant == '0' { letter.is_ascii_digit() } else { letter == meant };
    text.len() == shape.len() && text.chars().zip(shape.chars()).all(fits)
}
