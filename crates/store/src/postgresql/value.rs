//! A value as text, which PostgreSQL reads as whatever type the statement needs there.

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};
use vocab::Datum;

/// A datum as a parameter.
#[derive(Debug)]
pub struct Text<'a>(pub &'a Datum);

impl ToSql for Text<'_> {
    fn to_sql(&self, _of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let text = match self.0 {
            Datum::Null => return Ok(IsNull::Yes),
            Datum::Boolean(value) => value.to_string(),
            Datum::Integer(value) => value.to_string(),
            Datum::Decimal(value) => value.to_string(),
            Datum::Text(value) => value.clone(),
            Datum::Json(value) => value.to_string(),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_of: &Type) -> bool {
        true
    }

    fn encode_format(&self, _of: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}
