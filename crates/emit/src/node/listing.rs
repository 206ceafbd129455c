//! What may be asked of a list, as `lib/listing.js` reads it: columns with their kinds and comparisons, sorts, pages.
//! What that file could not keep to is refused here, so that no row is ever lost between two pages.

use super::middleware::{maximum, type_rules};
use super::script::{Expression, quoted};
use super::value::grouped;
use crate::error::EmitError;
use crate::outline::Listing;
use dialect::Unsupported;
use plan::Plan;
use plan::database::{Column, Nullability};
use plan::query::{Choice, Direction, Order, Output, Summary, Total};
use plan::value::Comparison;
use vocab::{ColumnName, Engine, FieldName, FieldType, ProcedureName};

/// The usual unique column that every order ends with; `KEY` of `lib/listing.js`.
pub const KEY: &str = "id";

/// The description of the list that a procedure answers with.
pub fn description(plan: &Plan, procedure: &ProcedureName, listing: Listing<'_>) -> Result<Expression, EmitError> {
    let reader = Reader { plan, procedure, listing };
    let page = match listing.holes.page {
        Some(page) => {
            let most = listing.holes.export.map(|most| ("rows", most));
            let parts = [("default", page.default), ("maximum", page.max)].into_iter().chain(most);
            Expression::Object(
                parts.map(|(name, rows)| (name.to_owned(), Expression::text(grouped(u64::from(rows))))).collect(),
            )
        }
        None => return reader.cannot("list without pages".to_owned()),
    };
    let sorts = listing.holes.sorts.iter().map(|column| reader.sort(column)).collect::<Result<_, _>>()?;
    let fields = match listing.holes.selection {
        Choice::Fixed => None,
        Choice::Open => {
            let columns = listing.query.of_columns();
            Some(("fields".to_owned(), fields(columns.outputs.iter().map(Output::field))))
        }
    };
    let offset = listing.holes.offset.map(|most| ("offset".to_owned(), Expression::text(grouped(u64::from(most)))));
    let total = match listing.holes.total {
        Total::Untold => None,
        Total::Asked => Some(("total".to_owned(), Expression::text("true"))),
    };
    let summary = listing.holes.summary.as_ref().map(|summary| reader.summary(summary)).transpose()?;
    let summary = summary.map(|summary| ("summary".to_owned(), summary));
    let asked = fields.into_iter().chain(offset).chain(total).chain(summary);
    let key = reader.key()?;
    let key = (key.as_str() != KEY).then(|| ("key".to_owned(), Expression::text(quoted(key.as_str()))));
    let parts = [
        ("columns".to_owned(), Expression::Object(reader.columns()?)),
        ("sorts".to_owned(), Expression::Array(sorts)),
        ("order".to_owned(), Expression::text(quoted(&reader.order()?))),
    ];
    let is_asked = !listing.holes.filters.is_empty();
    let position = dialect::position(plan.database.engine).filter(|_| is_asked);
    let position = position.map(|by| ("position".to_owned(), Expression::text(quoted(by))));
    Ok(Expression::Object(
        parts.into_iter().chain(key).chain([("page".to_owned(), page)]).chain(asked).chain(position).collect(),
    ))
}

/// The names of what may be picked of a record.
pub fn fields<'f>(names: impl Iterator<Item = &'f FieldName>) -> Expression {
    Expression::Array(names.map(|name| Expression::text(quoted(name.as_str()))).collect())
}

struct Reader<'a> {
    plan: &'a Plan,
    procedure: &'a ProcedureName,
    listing: Listing<'a>,
}

impl Reader<'_> {
    /// Every column that is given or asked for.
    fn columns(&self) -> Result<Vec<(String, Expression)>, EmitError> {
        let mut names: Vec<&ColumnName> = Vec::new();
        for output in &self.listing.query.outputs {
            match output {
                Output::Column { column, field } if column.as_str() == field.as_str() => names.push(column),
                Output::Column { .. } => return self.cannot("rename the columns of a list".to_owned()),
                // The procedure says what may come with a row.
                Output::Related(_) => {}
            }
        }
        for (column, _) in &self.listing.holes.filters {
            if !names.contains(&column) {
                names.push(column);
            }
        }
        names.into_iter().map(|name| Ok((name.to_string(), self.column(name)?))).collect()
    }

    fn column(&self, name: &ColumnName) -> Result<Expression, EmitError> {
        let field_type = &self.declared(name)?.field_type;
        let mut rules = type_rules(field_type);
        let query = self.listing.query;
        let is_sorted =
            self.listing.holes.sorts.contains(name) || query.order.iter().any(|level| level.column == *name);
        if let Some(by) = dialect::sorted_by(self.plan.database.engine, field_type).filter(|_| is_sorted) {
            rules.push(("sorted".to_owned(), Expression::text(quoted(by))));
        }
        let asked = self.listing.holes.filters.iter().find(|(column, _)| column == name);
        if let Some((_, comparisons)) = asked {
            if *field_type == FieldType::Json {
                return self.cannot(format!("filter by the JSON column `{name}`"));
            }
            if let Some(Some(maximum)) = maximum(field_type) {
                rules.push(("maximum".to_owned(), Expression::text(maximum.to_string())));
            }
            let words = comparisons.iter().map(|comparison| Expression::text(quoted(comparison_word(*comparison))));
            rules.push(("comparisons".to_owned(), Expression::Array(words.collect())));
        }
        Ok(Expression::Object(rules))
    }

    /// What may be worked out of the rows, with the words of the engine for it.
    fn summary(&self, summary: &Summary) -> Result<Expression, EmitError> {
        let engine = self.plan.database.engine;
        let names = |columns: &[ColumnName]| {
            Expression::Array(columns.iter().map(|name| Expression::text(quoted(name.as_str()))).collect())
        };
        let words = |columns: &[ColumnName], of: fn(Engine, &FieldType) -> Result<&'static str, Unsupported>| {
            let word = |name: &ColumnName| {
                Ok((name.to_string(), Expression::text(quoted(of(engine, &self.declared(name)?.field_type)?))))
            };
            Ok::<_, EmitError>(Expression::Object(columns.iter().map(word).collect::<Result<_, EmitError>>()?))
        };
        Ok(Expression::Object(vec![
            ("values".to_owned(), names(&summary.values)),
            ("times".to_owned(), words(&summary.times, dialect::day)?),
            ("numbers".to_owned(), words(&summary.numbers, dialect::sum)?),
            ("ordered".to_owned(), names(&summary.ordered)),
        ]))
    }

    fn sort(&self, name: &ColumnName) -> Result<Expression, EmitError> {
        // A value that is null is neither less nor greater than others, so its row would stand behind no cursor.
        match self.declared(name)?.nullability {
            Nullability::NotNull => {}
            Nullability::Nullable => return self.malformed(format!("it sorts by `{name}`, which may be null")),
        }
        self.given(name)?;
        Ok(Expression::text(quoted(name.as_str())))
    }

    /// The unique column that every order ends with: the table's key.
    fn key(&self) -> Result<&ColumnName, EmitError> {
        let listed = &self.listing.query.from;
        let table = self.plan.database.tables.iter().find(|table| table.name == *listed);
        match table.map(|table| &table.primary_key[..]) {
            Some([key]) => Ok(key),
            Some(_) | None => self.cannot(format!("list `{listed}`, which has no key of one column")),
        }
    }

    /// The order where none is asked for, as `sort` would say it.
    fn order(&self) -> Result<String, EmitError> {
        let level = |order: &Order| {
            let sign = match order.direction {
                Direction::Ascending => "",
                Direction::Descending => "-",
            };
            format!("{sign}{}", order.column)
        };
        let key = self.key()?;
        let first = match self.listing.query.order.as_slice() {
            [only] if only.column == *key => only,
            [first, last] if last.column == *key && last.direction == first.direction => {
                self.sort(&first.column)?;
                first
            }
            _ => {
                return self
                    .malformed(format!("a list is in the order of a column and then of `{key}`, in one direction"));
            }
        };
        self.given(key)?;
        Ok(level(first))
    }

    /// Cursors are made of what a row gives.
    fn given(&self, name: &ColumnName) -> Result<(), EmitError> {
        let outputs = &self.listing.query.outputs;
        let is_given = outputs.iter().any(|output| matches!(output, Output::Column { column, .. } if column == name));
        if is_given {
            Ok(())
        } else {
            self.malformed(format!("the list is in the order of `{name}` and does not give it"))
        }
    }

    fn declared(&self, name: &ColumnName) -> Result<&Column, EmitError> {
        let table = &self.listing.query.from;
        match self.plan.database.column(table, name) {
            Some(column) => Ok(column),
            None => self.malformed(format!("table `{table}` has no column `{name}`")),
        }
    }

    fn cannot<T>(&self, what: String) -> Result<T, EmitError> {
        Err(EmitError::Step { procedure: self.procedure.to_string(), what })
    }

    fn malformed<T>(&self, why: String) -> Result<T, EmitError> {
        Err(EmitError::Malformed { procedure: self.procedure.to_string(), why })
    }
}

/// What a parameter's name says in brackets; equality is the name alone.
fn comparison_word(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "eq",
        Comparison::NotEqual => "ne",
        Comparison::Less => "lt",
        Comparison::AtMost => "lte",
        Comparison::Greater => "gt",
        Comparison::AtLeast => "gte",
    }
}

/// The query parameter that asks for the comparison: `stock[gte]`.
pub fn filter_parameter(column: &ColumnName, comparison: Comparison) -> String {
    match comparison {
        Comparison::Equal => column.to_string(),
        Comparison::NotEqual | Comparison::Less | Comparison::AtMost | Comparison::Greater | Comparison::AtLeast => {
            format!("{column}[{}]", comparison_word(comparison))
        }
    }
}
