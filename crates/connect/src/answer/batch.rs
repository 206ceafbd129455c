//! How each item of a batch came out: the answer's document and the items that were sent come in.

use super::clean;
use crate::account::Call;
use crate::fill::{self, as_text};
use manifest::Pointer;
use manifest::operation::{Batch, BatchOutcome};
use serde_json::Value;

/// How one item came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemOutcome {
    /// It is done.
    Done,
    /// It is not.
    Failed {
        /// The provider's code.
        code: Option<String>,
        /// The provider's words.
        message: Option<String>,
    },
}

/// How the items of a call came out whose answer was good, in their order. None where the operation is no batch.
#[must_use]
pub fn items(call: &Call<'_>, document: &Value) -> Vec<ItemOutcome> {
    let Some(batch) = &call.operation.batch else { return Vec::new() };
    let sent = call.inputs.get(batch.list.as_str()).and_then(Value::as_array);
    sent.into_iter().flatten().enumerate().map(|(number, item)| one(call, batch, document, number, item)).collect()
}

fn one(call: &Call<'_>, batch: &Batch, document: &Value, number: usize, item: &Value) -> ItemOutcome {
    let words = |found: &Value, pointer: &Option<Pointer>| {
        pointer.as_ref().and_then(|pointer| fill::first(found, pointer)).map(|text| clean(&as_text(text)))
    };
    match &batch.outcome {
        BatchOutcome::Together => ItemOutcome::Done,
        BatchOutcome::InOrder { at, success_when, code } => {
            // One that the answer says nothing of is not known to be done.
            let Some(told) = listed(document, at).into_iter().nth(number) else {
                return ItemOutcome::Failed { code: None, message: None };
            };
            let is_good = success_when.iter().all(|test| fill::holds(test, told, call).unwrap_or(false));
            if is_good { ItemOutcome::Done } else { ItemOutcome::Failed { code: words(told, code), message: None } }
        }
        BatchOutcome::ByName { at, name, item: field, message } => {
            let sent = item.get(field.as_str()).map(as_text);
            let is_it = |told: &&Value| fill::first(told, name).map(as_text) == sent;
            match listed(document, at).into_iter().find(is_it) {
                Some(told) => ItemOutcome::Failed { code: None, message: words(told, message) },
                None => ItemOutcome::Done,
            }
        }
        BatchOutcome::Failures { at, position, message } => {
            let is_it = |told: &&Value| fill::first(told, position).map(as_text) == Some(number.to_string());
            match listed(document, at).into_iter().find(is_it) {
                Some(told) => ItemOutcome::Failed { code: None, message: words(told, message) },
                None => ItemOutcome::Done,
            }
        }
    }
}

/// The items of a list in a document; one that stands alone is a list of one.
pub(crate) fn listed<'d>(document: &'d Value, at: &Pointer) -> Vec<&'d Value> {
    match fill::at(document, at)[..] {
        [Value::Array(items)] => items.iter().collect(),
        [Value::Null] => Vec::new(),
        ref found => found.to_vec(),
    }
}
