//! A rehearsal: statements make a schema where nothing of anybody's is, attempts are made on it, and nothing of it stays.

use crate::StoreError;
use plan::database::ObservedTable;
use vocab::Datum;

/// A statement to try, with a value for each of its placeholders.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The statement.
    pub text: String,
    /// The values in order.
    pub parameters: Vec<Datum>,
}

/// How a rehearsal went.
#[derive(Debug)]
pub struct Rehearsal {
    /// What was made, as it was read back.
    pub tables: Vec<ObservedTable>,
    /// For each attempt the rows it changed, or why it was refused; one that was refused changed nothing.
    pub outcomes: Vec<Result<u64, StoreError>>,
    /// What the server was seen not to do, so that it proves nothing that stands on it.
    pub lacks: Vec<Lack>,
}

/// Something that a server of an engine may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// It holds no document to its collection's validator.
    Validators,
    /// It takes the changes of several documents back one by one or not at all.
    Transactions,
}
