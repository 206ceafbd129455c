//! Values and conditions as JavaScript expressions.

use super::module::Import;
use super::names::camel_case;
use super::procedure::Writer;
use super::script::{Expression, quoted};
use crate::error::EmitError;
use crate::outline::Held;
use plan::database::Nullability;
use plan::value::{Comparison, Condition, RequestValue, Value};
use vocab::{Datum, FieldName, SlotName};

/// The largest whole number that JavaScript keeps exactly.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

impl Writer<'_, '_> {
    pub(super) fn record(&mut self, fields: &[(FieldName, Value)]) -> Result<Expression, EmitError> {
        let fields = fields.iter().map(|(name, value)| Ok((name.to_string(), self.value(value)?)));
        Ok(Expression::Object(fields.collect::<Result<_, EmitError>>()?))
    }

    /// As a placeholder takes it: documents as text.
    pub(super) fn column_value(&mut self, value: &Value) -> Result<Expression, EmitError> {
        match value {
            Value::Literal(Datum::Json(document)) => Ok(Expression::text(quoted(&document.to_string()))),
            // What was not given is undefined; a placeholder takes that for null.
            Value::Field(slot, field) if self.is_change(slot) => self.field(slot, field),
            value => self.value(value),
        }
    }

    pub(super) fn value(&mut self, value: &Value) -> Result<Expression, EmitError> {
        Ok(match value {
            Value::Literal(datum) => self.literal(datum)?,
            Value::Slot(slot) => match self.slots.get(slot) {
                Some(Held::Principal) => Expression::text(format!("{}.id", self.local(slot))),
                Some(Held::Page) => Expression::text(format!("{}.items", self.local(slot))),
                Some(
                    Held::Record(_) | Held::Changes(_) | Held::Answer(_) | Held::Rows | Held::Plain | Held::Outcome,
                ) => Expression::text(self.local(slot)),
                None => return self.malformed(format!("slot `{slot}` is not bound")),
            },
            Value::Field(slot, field) if self.is_change(slot) => {
                Expression::text(format!("({} ?? null)", self.field(slot, field)?.flat()))
            }
            Value::Field(slot, field) => self.field(slot, field)?,
            Value::Given(slot, field) if self.is_change(slot) => {
                Expression::text(format!("{} !== undefined", self.field(slot, field)?.flat()))
            }
            Value::Given(slot, _) => return self.malformed(format!("slot `{slot}` holds no changes")),
            Value::Changed(changes, field, row) => {
                let (change, kept) = (self.field(changes, field)?.flat(), self.field(row, field)?.flat());
                Expression::text(format!("({change} === undefined ? {kept} : {change})"))
            }
            Value::Times(first, second) => {
                self.module.imports.insert(Import::Times);
                let factors = [self.value(first)?, self.value(second)?];
                Expression::call("times", factors)
            }
            Value::Sum(slot, field) => {
                self.module.imports.insert(Import::Sum);
                let local = self.local(slot);
                Expression::text(format!("sum({local}.map((line) => line.{field}))"))
            }
            Value::Prefixed(text, inner) => Expression::text(format!("`{text}${{{}}}`", self.value(inner)?.flat())),
            Value::Now => Expression::text("request.receivedAt"),
            Value::Today => Expression::text("request.receivedAt.slice(0, 10)"),
            Value::After(seconds) => Expression::text(format!("request.after({seconds})")),
            Value::Else(first, second) => {
                Expression::text(format!("({} ?? {})", self.value(first)?.flat(), self.value(second)?.flat()))
            }
            Value::Request(RequestValue::Address) => Expression::text("request.address"),
            Value::Request(RequestValue::Id) => Expression::text("request.id"),
            Value::Request(RequestValue::Path(name)) => {
                if !self.has_parameter(name) {
                    return self.malformed(format!("its path has no parameter `{name}`"));
                }
                Expression::text(format!("request.parameters.{name}"))
            }
            Value::Request(RequestValue::Query(_)) => return self.cannot("use a query parameter"),
            Value::Request(RequestValue::Cookie(_)) => return self.cannot("use a cookie"),
            Value::Record(fields) => self.record(fields)?,
        })
    }

    fn is_change(&self, slot: &SlotName) -> bool {
        matches!(self.slots.get(slot), Some(Held::Changes(_)))
    }

    fn field(&self, slot: &SlotName, field: &FieldName) -> Result<Expression, EmitError> {
        match self.slots.field(slot, field) {
            Some(_) => Ok(Expression::text(format!("{}.{field}", self.local(slot)))),
            None => self.malformed(format!("slot `{slot}` has no field `{field}`")),
        }
    }

    fn literal(&mut self, datum: &Datum) -> Result<Expression, EmitError> {
        Ok(match datum {
            Datum::Null => Expression::text("null"),
            Datum::Boolean(value) => Expression::text(value.to_string()),
            Datum::Integer(number) if number.unsigned_abs() > MAX_SAFE_INTEGER => {
                return self.cannot(&format!("use the number {number}: JavaScript does not keep it exactly"));
            }
            Datum::Integer(number) => Expression::text(number.to_string()),
            Datum::Decimal(number) => {
                self.module.imports.insert(Import::Decimal);
                let parts = [number.units().to_string(), number.scale().to_string()];
                Expression::call("new Decimal", parts.map(Expression::text))
            }
            Datum::Text(text) => Expression::text(quoted(text)),
            Datum::Json(document) => json_literal(document),
        })
    }

    /// A question that comes out as `true` or `false`.
    pub(super) fn question(&mut self, asked: &Condition) -> Result<Expression, EmitError> {
        Ok(self.condition(asked)?.0)
    }

    /// The condition and its outermost operator.
    fn condition(&mut self, asked: &Condition) -> Result<(Expression, Binding), EmitError> {
        match asked {
            Condition::Compare(left, comparison, right) => self.comparison(left, *comparison, right),
            Condition::Present(value) => {
                Ok((Expression::text(format!("{} !== null", self.value(value)?.flat())), Binding::Comparison))
            }
            Condition::Current(value) => {
                self.module.imports.insert(Import::IsCurrent);
                let arguments = [Expression::text("request"), self.value(value)?];
                Ok((Expression::call("isCurrent", arguments), Binding::Unary))
            }
            Condition::Prefers(preference) => {
                self.module.imports.insert(Import::Prefers);
                let arguments = [Expression::text("request"), Expression::text(quoted(preference.as_str()))];
                Ok((Expression::call("prefers", arguments), Binding::Unary))
            }
            Condition::All(list) => self.joined("&&", list, Binding::And, "true"),
            Condition::Any(list) => self.joined("||", list, Binding::Or, "false"),
            Condition::Not(inner) => match inner.as_ref() {
                Condition::Present(value) => {
                    Ok((Expression::text(format!("{} === null", self.value(value)?.flat())), Binding::Comparison))
                }
                inner => {
                    let (asked, binding) = self.condition(inner)?;
                    let asked = match binding {
                        Binding::Unary => format!("!{}", asked.flat()),
                        Binding::Or | Binding::And | Binding::Comparison => format!("!({})", asked.flat()),
                    };
                    Ok((Expression::text(asked), Binding::Unary))
                }
            },
        }
    }

    fn joined(
        &mut self,
        operator: &'static str,
        list: &[Condition],
        binding: Binding,
        of_none: &str,
    ) -> Result<(Expression, Binding), EmitError> {
        if let [only] = list {
            return self.condition(only);
        }
        let mut operands = Vec::new();
        for condition in list {
            let (operand, inner) = self.condition(condition)?;
            operands.push(match operand {
                Expression::Joined(same, nested) if same == operator => Expression::Joined(same, nested),
                operand if matches!(inner, Binding::Or | Binding::And) && inner != binding => {
                    Expression::text(format!("({})", operand.flat()))
                }
                operand => operand,
            });
        }
        match operands.is_empty() {
            true => Ok((Expression::text(of_none), Binding::Unary)),
            false => Ok((Expression::Joined(operator, operands), binding)),
        }
    }

    /// `null` compares false with everything; JavaScript takes it for 0, and for equal to itself.
    fn comparison(
        &mut self,
        left: &Value,
        comparison: Comparison,
        right: &Value,
    ) -> Result<(Expression, Binding), EmitError> {
        let null = Value::Literal(Datum::Null);
        if *left == null || *right == null {
            return Ok((Expression::text("false"), Binding::Unary));
        }
        let mut nullable: Vec<&Value> =
            [left, right].into_iter().filter(|value| self.slots.nullability(value) == Nullability::Nullable).collect();
        if comparison == Comparison::Equal {
            // Of two values only one of which may be null, equality tells by itself.
            nullable.truncate(if nullable.len() == 2 { 1 } else { 0 });
        }
        let mut operands = Vec::new();
        for value in nullable {
            operands.push(Expression::text(format!("{} !== null", self.value(value)?.flat())));
        }
        let operator = match comparison {
            Comparison::Equal => "===",
            Comparison::NotEqual => "!==",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        };
        let compared = format!("{} {operator} {}", self.value(left)?.flat(), self.value(right)?.flat());
        if operands.is_empty() {
            return Ok((Expression::text(compared), Binding::Comparison));
        }
        operands.push(Expression::text(compared));
        Ok((Expression::Joined("&&", operands), Binding::And))
    }
}

/// A condition's outermost operator. `&&` inside `||` gets its brackets too, though it needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binding {
    Or,
    And,
    Comparison,
    Unary,
}

fn json_literal(document: &serde_json::Value) -> Expression {
    match document {
        serde_json::Value::String(text) => Expression::text(quoted(text)),
        serde_json::Value::Array(elements) => Expression::Array(elements.iter().map(json_literal).collect()),
        serde_json::Value::Object(entries) => Expression::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    let is_plain = camel_case(key) == *key
                        && key.chars().all(|letter| letter.is_ascii_alphanumeric())
                        && !key.is_empty();
                    (if is_plain { key.clone() } else { quoted(key) }, json_literal(value))
                })
                .collect(),
        ),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            Expression::text(document.to_string())
        }
    }
}

/// `65_536`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}
