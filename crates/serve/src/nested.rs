//! Rows of other tables that come with a row: the text that an engine makes of them comes in, a document goes out, its values as plain
//! reads give them.

use plan::Problem;
use plan::query::Cardinality;
use serde_json::{Map, Value as Json};
use vocab::{Datum, Decimal, FieldName, FieldType};

/// What the rows hold.
pub(crate) struct Nested {
    pub names: Vec<String>,
    pub types: Vec<FieldType>,
    pub cardinality: Cardinality,
}

impl Nested {
    /// The rows in a text with a line for each ([`dialect::nests`]): a list, or one that is there or not.
    pub fn read(&self, lines: &Datum) -> Result<Datum, Problem> {
        let rows: Option<Vec<Json>> = match lines {
            Datum::Null => Some(Vec::new()),
            Datum::Text(text) => text.split('\n').map(|line| self.row(line)).collect(),
            Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Json(_) => None,
        };
        let Some(rows) = rows else {
            tracing::error!(names = ?self.names, "the database gives rows that cannot be read");
            return Err(Problem::InternalError);
        };
        Ok(match self.cardinality {
            Cardinality::Many => Datum::Json(rows.into()),
            Cardinality::One => rows.into_iter().next().map_or(Datum::Null, Datum::Json),
        })
    }

    fn row(&self, line: &str) -> Option<Json> {
        let cells: Vec<Json> =
            serde_json::from_str(line).ok().filter(|cells: &Vec<_>| cells.len() == self.types.len())?;
        let value = |(cell, field_type)| Some(typed(datum(cell)?, field_type).to_json());
        let values = cells.into_iter().zip(&self.types).map(value).collect::<Option<Vec<Json>>>()?;
        Some(Json::Object(self.names.iter().cloned().zip(values).collect::<Map<_, _>>()))
    }
}

/// The rows with these fields alone, in this order.
pub(crate) fn picked(rows: &Datum, fields: &[FieldName]) -> Datum {
    let part = |row: &Json| {
        let value = |field: &FieldName| Some((field.to_string(), row.get(field.as_str())?.clone()));
        Json::Object(fields.iter().filter_map(value).collect())
    };
    match rows {
        Datum::Json(Json::Array(rows)) => Datum::Json(rows.iter().map(part).collect()),
        Datum::Json(row) => Datum::Json(part(row)),
        Datum::Null | Datum::Boolean(_) | Datum::Integer(_) | Datum::Decimal(_) | Datum::Text(_) => Datum::Null,
    }
}

fn datum(cell: Json) -> Option<Datum> {
    match cell {
        Json::Null => Some(Datum::Null),
        Json::Bool(value) => Some(Datum::Boolean(value)),
        Json::Number(number) => number.as_i64().map(Datum::Integer),
        Json::String(text) => Some(Datum::Text(text)),
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// A value in the type of its column, which an engine may keep in another.
pub(crate) fn typed(datum: Datum, field_type: &FieldType) -> Datum {
    match (field_type, datum) {
        (FieldType::Boolean, Datum::Integer(number)) => Datum::Boolean(number != 0),
        (FieldType::Decimal { scale }, Datum::Integer(units)) => Datum::Decimal(Decimal::new(units, *scale)),
        (FieldType::Decimal { scale }, Datum::Text(text)) => {
            Decimal::parse(&text, *scale).map_or(Datum::Text(text), Datum::Decimal)
        }
        (FieldType::Json, Datum::Text(text)) => serde_json::from_str(&text).map_or(Datum::Text(text), Datum::Json),
        (_, datum) => datum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_those_of_plain_reads() {
        let types = [
            FieldType::Integer,
            FieldType::Boolean,
            FieldType::Decimal { scale: 2 },
            FieldType::Json,
            FieldType::Line { max: 9 },
        ];
        let nested = |cardinality| Nested {
            names: ["number", "flag", "price", "document", "word"].map(str::to_owned).into(),
            types: types.to_vec(),
            cardinality,
        };
        let text = |text: &str| Datum::Text(text.to_owned());
        let first = json!({"number": 9_007_199_254_740_993_i64, "flag": true, "price": "0.05", "document": {"z": 1, "a": [null]}, "word": "a\n\"b\""});
        let second = json!({"number": -1, "flag": false, "price": "-12.50", "document": null, "word": null});
        let lines = text(
            "[9007199254740993,1,5,\"{\\\"z\\\":1,\\\"a\\\":[null]}\",\"a\\n\\\"b\\\"\"]\n[-1, false, \"-12.50\", null, null]",
        );
        let read = |cardinality, lines: &Datum| nested(cardinality).read(lines);
        assert_eq!(read(Cardinality::Many, &lines).unwrap(), Datum::Json(json!([first, second])));
        assert_eq!(read(Cardinality::One, &lines).unwrap(), Datum::Json(first));
        assert_eq!(read(Cardinality::Many, &Datum::Null).unwrap(), Datum::Json(json!([])));
        assert_eq!(read(Cardinality::One, &Datum::Null).unwrap(), Datum::Null);
        for cut in ["[1]", "[1,1,5,null", "[1.5,1,5,null,null]", "[1,1,5,{},null]", ""] {
            assert!(read(Cardinality::Many, &text(cut)).is_err(), "{cut}");
        }
    }
}
