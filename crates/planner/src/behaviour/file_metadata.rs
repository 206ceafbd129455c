//! Files: what is known of them, as records. The bytes are neither taken nor kept; `url` may say where they are.

use super::{Behaved, Given, record_create, record_delete, record_get, record_list, record_update};
use spec::Method;

pub fn lower(given: &Given<'_>) -> Behaved {
    let (behaved, summary) = match (given.method, given.key) {
        (Method::Get, None) => (record_list::lower(given), "lists what is known of files"),
        (Method::Get, Some(_)) => (record_get::lower(given), "tells what is known of one file, without its bytes"),
        (Method::Patch, _) => (record_update::lower(given), "changes what is known of one file"),
        (Method::Delete, _) => (record_delete::lower(given), "forgets one file, whose bytes were never here"),
        (Method::Post | Method::Put, _) => {
            (record_create::lower(given), "notes what is known of a file, without its bytes")
        }
    };
    Behaved { summary: summary.to_owned(), ..behaved }
}
