//! Values on their way: out as texts wherever the statement makes its own type of them; back in as the datum that the other engines
//! give for it.

use crate::StoreError;
use mysql_async::consts::ColumnType;
use mysql_async::{Params, Row, Value};
use vocab::{Datum, Decimal, moment};

/// The values of a statement's placeholders.
pub fn parameters(values: &[Datum]) -> Params {
    if values.is_empty() {
        return Params::Empty;
    }
    Params::Positional(values.iter().map(parameter).collect())
}

fn parameter(datum: &Datum) -> Value {
    match datum {
        Datum::Null => Value::NULL,
        Datum::Boolean(value) => Value::Int(i64::from(*value)),
        Datum::Integer(value) => Value::Int(*value),
        Datum::Decimal(value) => Value::Bytes(value.to_string().into_bytes()),
        Datum::Text(value) => Value::Bytes(value.clone().into_bytes()),
        Datum::Json(value) => Value::Bytes(value.to_string().into_bytes()),
    }
}

/// A row as the other engines give it. Documents are texts, and whether is 0 or 1.
pub fn row(row: Row) -> Result<crate::Row, StoreError> {
    let types: Vec<ColumnType> = row.columns_ref().iter().map(mysql_async::Column::column_type).collect();
    row.unwrap().into_iter().zip(types).map(|(value, of)| datum(value, of)).collect()
}

fn datum(value: Value, of: ColumnType) -> Result<Datum, StoreError> {
    let unreadable = |what: &str| StoreError::Refused(format!("a column holds {what}, which no plan makes"));
    match value {
        Value::NULL => Ok(Datum::Null),
        Value::Int(value) => Ok(Datum::Integer(value)),
        Value::UInt(value) => i64::try_from(value).map(Datum::Integer).map_err(|_| unreadable("a number too large")),
        Value::Bytes(bytes) => {
            let text = String::from_utf8(bytes).map_err(|_| unreadable("bytes that are no text"))?;
            match of {
                ColumnType::MYSQL_TYPE_NEWDECIMAL => {
                    decimal(&text).map(Datum::Decimal).ok_or_else(|| unreadable("a number too large"))
                }
                _ => Ok(Datum::Text(text)),
            }
        }
        Value::Date(year, month, day, ..) if of == ColumnType::MYSQL_TYPE_DATE => {
            Ok(Datum::Text(format!("{year:04}-{month:02}-{day:02}")))
        }
        Value::Date(year, month, day, hour, minute, second, micros) => Ok(Datum::Text(moment::written(
            [year.into(), month.into(), day.into()],
            [hour.into(), minute.into(), second.into(), (micros / 1000).into()],
        ))),
        Value::Float(_) | Value::Double(_) => Err(unreadable("a number that is not exact")),
        Value::Time(..) => Err(unreadable("a time of no day")),
    }
}

/// A column's values have all its decimals.
fn decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let units = format!("{whole}{fraction}").parse().ok()?;
    Some(Decimal::new(units, u8::try_from(fraction.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{ColumnType, Datum, Value, datum};

    #[test]
    fn what_comes_back_is_what_the_other_engines_give() {
        let text = |text: &str| Datum::Text(text.to_owned());
        let read = |value, of| datum(value, of).unwrap();
        let moment = Value::Date(2026, 1, 2, 3, 4, 5, 678_000);
        assert_eq!(read(moment, ColumnType::MYSQL_TYPE_DATETIME), text("2026-01-02T03:04:05.678Z"));
        assert_eq!(read(Value::Date(1, 12, 31, 0, 0, 0, 0), ColumnType::MYSQL_TYPE_DATE), text("0001-12-31"));
        assert_eq!(read(Value::Bytes("-0.01".into()), ColumnType::MYSQL_TYPE_VAR_STRING), text("-0.01"));
        let number = |text: &str| read(Value::Bytes(text.into()), ColumnType::MYSQL_TYPE_NEWDECIMAL).plain();
        for exact in ["-0.01", "12.50", "0.00", "9999999999999.99", "70000"] {
            assert_eq!(number(exact), exact);
        }
        let too_large = Value::Bytes("99999999999999999999".into());
        assert!(datum(too_large, ColumnType::MYSQL_TYPE_NEWDECIMAL).is_err());
    }
}
