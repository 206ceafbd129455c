//! What a database holds, as a number and a hash for each table: two that are the same hold the same. The order of rows is no part of it,
//! so that nothing has to be sorted and engines may keep them as they like.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a database holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// SHA-256 of everything that defines something in it.
    pub definition: String,
    /// Every table, the producer's own and its ledger too.
    pub tables: BTreeMap<String, TableContents>,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableContents {
    /// How many rows.
    pub rows: u64,
    /// The sum of the SHA-256 of each, in four numbers that wrap around, as hex.
    pub hash: String,
}

impl Contents {
    /// How many rows all tables hold.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }

    /// Every way in which another database does not hold the same, in words.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, table) in &self.tables {
            match other.tables.get(name) {
                None => differences.push(format!("table `{name}` is missing")),
                Some(found) if found.rows != table.rows => {
                    differences.push(format!("table `{name}` holds {} rows instead of {}", found.rows, table.rows));
                }
                Some(found) if found.hash != table.hash => {
                    differences.push(format!("table `{name}` holds other rows"));
                }
                Some(_) => {}
            }
        }
        let more = other.tables.keys().filter(|name| !self.tables.contains_key(*name));
        differences.extend(more.map(|name| format!("table `{name}` is one too many")));
        if differences.is_empty() && self.definition != other.definition {
            differences.push("tables, indexes or triggers are defined otherwise".to_owned());
        }
        differences
    }
}

/// The rows of a table, one after the other.
#[derive(Default)]
pub struct Rows {
    rows: u64,
    sum: [u64; 4],
}

/// One row, value by value.
#[derive(Default)]
pub struct RowHash(Sha256);

impl RowHash {
    /// A value with the letter of its kind; values are told apart wherever one ends.
    pub fn value(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update([kind]);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

impl Rows {
    /// Another row.
    pub fn add(&mut self, row: RowHash) {
        self.rows += 1;
        let digest = row.0.finalize();
        for (sum, bytes) in self.sum.iter_mut().zip(digest.chunks_exact(8)) {
            *sum = sum.wrapping_add(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
    }

    /// All of them.
    pub fn finish(self) -> TableContents {
        let mut hash = String::new();
        for number in self.sum {
            let _ = write!(hash, "{number:016x}");
        }
        TableContents { rows: self.rows, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[&str]]) -> TableContents {
        let mut table = Rows::default();
        for row in rows {
            let mut hash = RowHash::default();
            row.iter().for_each(|value| hash.value(b't', value.as_bytes()));
            table.add(hash);
        }
        table.finish()
    }

    #[test]
    fn tables_are_the_same_where_their_rows_are_in_whatever_order() {
        assert_eq!(table(&[&["a", "b"], &["c", "d"]]), table(&[&["c", "d"], &["a", "b"]]));
        assert_ne!(table(&[&["a", "b"]]), table(&[&["ab", ""]]));
        assert_ne!(table(&[&["a"], &["a"]]).hash, table(&[&["b"], &["b"]]).hash);
        assert_ne!(table(&[&["a"], &["a"]]), table(&[&["a"]]));
    }

    #[test]
    fn what_differs_is_said() {
        let of = |rows: &[(&str, &[&[&str]])]| Contents {
            definition: "x".to_owned(),
            tables: rows.iter().map(|(name, rows)| ((*name).to_owned(), table(rows))).collect(),
        };
        let kept = of(&[("a", &[&["1"]]), ("b", &[&["1"]]), ("c", &[])]);
        assert!(kept.differences(&kept).is_empty());
        let found = of(&[("a", &[&["2"]]), ("b", &[]), ("d", &[])]);
        assert_eq!(
            kept.differences(&found),
            [
                "table `a` holds other rows",
                "table `b` holds 0 rows instead of 1",
                "table `c` is missing",
                "table `d` is one too many"
            ]
        );
        assert_eq!(kept.differences(&Contents { definition: "y".to_owned(), ..kept.clone() }).len(), 1);
    }
}
