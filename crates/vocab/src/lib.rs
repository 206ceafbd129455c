//! Words shared by every crate: names (parsed once), field types, database engines, values, diagnostics, secrets.
//! Nothing here knows a task, a plan or a server, and nothing here has an effect.

pub mod bounds;
pub mod comparator;
pub mod comparison;
pub mod datum;
pub mod decimal;
pub mod diagnostic;
pub mod digest;
pub mod engine;
pub mod expression;
pub mod field_format;
pub mod field_type;
pub mod moment;
pub mod name;
pub mod password;
pub mod secret;
pub mod suggestion;
pub mod suppression;

pub use bounds::Bounds;
pub use comparator::Comparator;
pub use comparison::Comparison;
pub use datum::Datum;
pub use decimal::{Decimal, MAX_SCALE};
pub use diagnostic::{Code, Diagnostic, Place, Severity};
pub use digest::{hex, sha256_hex};
pub use engine::Engine;
pub use field_format::FieldFormat;
pub use field_type::FieldType;
pub use moment::utc_text;
pub use name::*;
pub use secret::Secret;
pub use suggestion::closest;
pub use suppression::SuppressionReason;
