//! `connection`: a reference or a URL comes in, a [`Connection`] that fits the engine goes out.

use super::DatabaseType;
use crate::codes::NOT_A_LOCATION;
use crate::document::Node;
use crate::location::{self, Location, LocationPart};
use crate::lower::Lowering;
use crate::reference::Reference;
use crate::source::Spanned;
use crate::word::Word;
use serde_json::Value as Json;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// The whole URL is kept elsewhere.
    Reference(Reference),
    /// A URL, or for SQLite a path; its password is a reference or absent.
    Url(Location),
}

impl DatabaseType {
    /// The schemes of the engine's URLs, the main one first.
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::PostgreSql => &["postgresql", "postgres"],
            Self::MySql => &["mysql", "mariadb"],
            Self::MongoDb => &["mongodb", "mongodb+srv"],
            Self::Sqlite => &["sqlite", "file"],
        }
    }

    /// Whether a path alone names a database.
    fn takes_paths(self) -> bool {
        match self {
            Self::PostgreSql | Self::MySql | Self::MongoDb => false,
            Self::Sqlite => true,
        }
    }

    fn of_scheme(scheme: &str) -> Option<Self> {
        Self::SPELLINGS.iter().map(|(_, kind)| *kind).find(|kind| kind.schemes().contains(&scheme))
    }
}

pub(crate) fn schema() -> Json {
    location::schema()
}

/// Checks the value of `connection` for a database of type `kind`, if that is known.
pub(crate) fn lower(
    lowering: &mut Lowering<'_>,
    node: &Node,
    kind: Option<DatabaseType>,
) -> Option<Spanned<Connection>> {
    let location = location::lower(lowering, "connection", node)?;
    if let Some(reference) = location.value.as_reference() {
        let connection = Connection::Reference(reference.clone());
        return Some(Spanned { value: connection, place: location.place });
    }
    let kind = kind?;
    if let Some(LocationPart::Reference(_)) = location.value.parts().first() {
        return Some(Spanned { value: Connection::Url(location.value), place: location.place });
    }
    let scheme = location.value.scheme().map(str::to_ascii_lowercase);
    let main = kind.schemes()[0];
    let (message, help) = match scheme {
        Some(scheme) if kind.schemes().contains(&scheme.as_str()) => {
            return Some(Spanned { value: Connection::Url(location.value), place: location.place });
        }
        None if kind.takes_paths() => {
            return Some(Spanned { value: Connection::Url(location.value), place: location.place });
        }
        Some(scheme) => match DatabaseType::of_scheme(&scheme) {
            Some(other) => (
                format!("`connection` leads to a {other} database, and `type` is `{kind}`"),
                format!("write `type: \"{other}\"`, or a URL that begins with `{main}:`"),
            ),
            None => (
                format!("`connection` begins with `{scheme}:`, which is not a {kind} database"),
                format!("write a URL that begins with `{main}:`, or `${{env:DATABASE_URL}}`"),
            ),
        },
        None => (
            format!("`connection` is not a URL of a {kind} database"),
            format!("write `{main}://user@host/name`, or `${{env:DATABASE_URL}}`"),
        ),
    };
    lowering.error(NOT_A_LOCATION, message, node.span, help);
    None
}
