//! Values on their way: out as text, which PostgreSQL reads as whatever type the statement needs there; back in as the datum that
//! the other engines give for it.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use std::error::Error;
use std::fmt::Write as _;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type};
use vocab::{Datum, Decimal, hex, utc_text};

/// A datum as a parameter.
#[derive(Debug)]
pub struct Text<'a>(pub &'a Datum);

impl ToSql for Text<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Datum::Null => return Ok(IsNull::Yes),
            Datum::Boolean(value) => write!(out, "{value}")?,
            Datum::Integer(value) => write!(out, "{value}")?,
            Datum::Decimal(value) => write!(out, "{value}")?,
            // No row has it: a path may hold anything, and is answered as on engines whose ids are texts.
            Datum::Text(value) if *of == Type::UUID && !is_uuid(value) => return Ok(IsNull::Yes),
            // No text that is kept has it, so none is found.
            Datum::Text(value) if value.contains('\0') => return Ok(IsNull::Yes),
            Datum::Text(value) => out.extend_from_slice(value.as_bytes()),
            Datum::Json(value) => write!(out, "{value}")?,
        }
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

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// A column of a row. Documents are texts, as they are on engines that know no documents.
pub struct Cell(pub Datum);

type Unreadable = Box<dyn Error + Sync + Send>;

/// Seconds from 1970 to 2000, from which PostgreSQL counts.
const EPOCH: i64 = 946_684_800;

impl<'a> FromSql<'a> for Cell {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Unreadable> {
        let text = |raw: &[u8]| -> Result<Datum, Unreadable> { Ok(Datum::Text(std::str::from_utf8(raw)?.to_owned())) };
        Ok(Self(match *of {
            Type::BOOL => Datum::Boolean(bool::from_sql(of, raw)?),
            Type::INT2 => Datum::Integer(i16::from_sql(of, raw)?.into()),
            Type::INT4 => Datum::Integer(i32::from_sql(of, raw)?.into()),
            Type::INT8 => Datum::Integer(i64::from_sql(of, raw)?),
            Type::NUMERIC => Datum::Decimal(decimal(raw)?),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON => text(raw)?,
            // The first byte is the format's version.
            Type::JSONB => text(raw.get(1..).unwrap_or_default())?,
            Type::UUID => Datum::Text(uuid(raw)),
            Type::TIMESTAMPTZ => {
                let micros = i64::from_be_bytes(raw.try_into()?).checked_add(EPOCH * 1_000_000);
                let micros = micros.ok_or("a time without end")?;
                Datum::Text(match utc_text(micros) {
                    Some(text) => text,
                    None => Timestamp::from_microsecond(micros)?.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
                })
            }
            Type::DATE => {
                let days = i32::from_be_bytes(raw.try_into()?);
                let date = Date::constant(2000, 1, 1).checked_add(Span::new().try_days(i64::from(days))?)?;
                Datum::Text(date.to_string())
            }
            _ => return Err(format!("a column of type `{of}`, which no plan makes").into()),
        }))
    }

    fn from_sql_null(_of: &Type) -> Result<Self, Unreadable> {
        Ok(Self(Datum::Null))
    }

    fn accepts(_of: &Type) -> bool {
        true
    }
}

fn uuid(raw: &[u8]) -> String {
    let mut text = hex(raw);
    text.reserve_exact(4);
    for place in [8, 13, 18, 23] {
        text.insert(place, '-');
    }
    text
}

/// Four numbers of two bytes (how many digits, the weight of the first, sign, scale), then digits to the base of 10,000.
fn decimal(raw: &[u8]) -> Result<Decimal, Unreadable> {
    let mut words = raw.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]]));
    let mut next = || words.next().ok_or("a number that ends too soon");
    let (count, weight, sign, scale) = (next()?, next()?, next()?, next()?);
    let mut units: i128 = 0;
    for index in 0..count {
        let digit = i128::from(next()?);
        // How many decimal digits of the units stand behind this one.
        let behind = 4 * (i32::from(weight) - i32::from(index)) + i32::from(scale);
        let power = |exponent: i32| 10_i128.checked_pow(exponent.unsigned_abs()).ok_or("a number too large");
        units += if behind >= 0 { digit * power(behind)? } else { digit / power(behind)? };
    }
    let units = match sign.cast_unsigned() {
        0x0000 => units,
        0x4000 => -units,
        _ => return Err("no number".into()),
    };
    Ok(Decimal::new(i64::try_from(units)?, u8::try_from(scale)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(of: Type, raw: &[u8]) -> Datum {
        Cell::from_sql(&of, raw).unwrap().0
    }

    /// The bytes are those that a server sends.
    #[test]
    fn what_comes_back_is_what_the_other_engines_give() {
        let text = |text: &str| Datum::Text(text.to_owned());
        assert_eq!(read(Type::TIMESTAMPTZ, &0_i64.to_be_bytes()), text("2000-01-01T00:00:00.000Z"));
        assert_eq!(read(Type::TIMESTAMPTZ, &(-1_000_i64).to_be_bytes()), text("1999-12-31T23:59:59.999Z"));
        assert_eq!(read(Type::DATE, &9_190_i32.to_be_bytes()), text("2025-02-28"));
        assert_eq!(read(Type::DATE, &(-1_i32).to_be_bytes()), text("1999-12-31"));
        assert_eq!(read(Type::JSONB, b"\x01{\"a\": 1}"), text("{\"a\": 1}"));
        let id: Vec<u8> = (0..16).collect();
        assert_eq!(read(Type::UUID, &id), text("00010203-0405-0607-0809-0a0b0c0d0e0f"));
        let number = |words: &[i16]| {
            let raw: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            read(Type::NUMERIC, &raw).plain()
        };
        assert_eq!(number(&[2, 0, 0, 2, 12, 3400]), "12.34");
        assert_eq!(number(&[1, -1, 0x4000, 2, 100]), "-0.01");
        assert_eq!(number(&[0, 0, 0, 2]), "0.00");
        assert_eq!(number(&[1, 1, 0, 0, 7]), "70000");
        assert!(Cell::from_sql(&Type::NUMERIC, &[0, 0, 0, 0, 0xc0, 0, 0, 0]).is_err());
    }
}
