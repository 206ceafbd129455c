//! Addresses of a workspace to which mails do not go: what was asked comes in, what its databases say of them goes out. Nothing is sent.

use crate::deliveries::{DeliveriesFailure, stores};
use crate::failure::Failure;
use crate::run::now;
use crate::workspace::Workspace;
use plan::Plan;
use serde::Serialize;
use store::mail_suppression::MailSuppression;
use store::{Store, StoreError};
use vocab::SuppressionReason;

/// Most addresses that a list shows of one database.
const LISTED: u32 = 100_000;

/// Why a command about such addresses failed.
#[derive(Debug, thiserror::Error)]
pub enum SuppressionsFailure {
    /// A database of the workspace cannot be opened or does not answer.
    #[error(transparent)]
    Database(#[from] DeliveriesFailure),
    /// No database keeps them.
    #[error(
        "no API of this workspace keeps to whom it does not write: run a task whose API sends mails, again where an older program made it"
    )]
    None,
    /// That is no address.
    #[error("`{0}` is no address that can be written to")]
    Address(String),
    /// They are written to already.
    #[error("nothing keeps mails from {0}: `producer mail suppressed list` shows from whom")]
    Unknown(String),
}

/// An address that is not written to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SuppressedAddress {
    /// Since when.
    pub suppressed_at: String,
    /// The address.
    pub address: String,
    /// `bounce`, `complaint` or `manual`.
    pub reason: SuppressionReason,
    /// What was said of it.
    pub said: Option<String>,
}

/// Addresses that are not written to, the newest first; those of one reason, or all.
///
/// # Errors
/// [`SuppressionsFailure`] when a database does not answer, or none keeps them.
pub async fn list_suppressed(
    workspace: &Workspace,
    reason: Option<SuppressionReason>,
) -> Result<Vec<SuppressedAddress>, SuppressionsFailure> {
    let mut found = Vec::new();
    for store in keeping(workspace)? {
        let rows = store.mail_suppressions(reason, LISTED).await.map_err(|error| unanswered(&error))?;
        found.extend(rows.into_iter().map(|row| {
            let MailSuppression { address, reason, suppressed_at, said } = row;
            SuppressedAddress { suppressed_at, address, reason, said }
        }));
    }
    found.sort_by(|left, right| right.suppressed_at.cmp(&left.suppressed_at).then_with(|| left.cmp(right)));
    found.dedup();
    Ok(found)
}

/// Has nothing be written to these addresses by any API of the workspace. Returns how many of them were written to until now.
///
/// # Errors
/// [`SuppressionsFailure`] when one is no address, and as [`list_suppressed`].
pub async fn add_suppressed(
    workspace: &Workspace,
    addresses: &[String],
    reason: SuppressionReason,
    said: Option<&str>,
) -> Result<usize, SuppressionsFailure> {
    if let Some(wrong) = addresses.iter().find(|address| !connect::mail::is_address(address)) {
        return Err(SuppressionsFailure::Address(wrong.clone()));
    }
    let stores = keeping(workspace)?;
    let mut added = 0;
    for address in addresses {
        let (address, suppressed_at) = (address.clone(), now());
        let suppression = MailSuppression { address, reason, suppressed_at, said: said.map(ToOwned::to_owned) };
        let mut is_new = false;
        for store in &stores {
            is_new |= store.suppress_mail(&suppression).await.map_err(|error| unanswered(&error))?;
        }
        added += usize::from(is_new);
    }
    Ok(added)
}

/// Has these addresses be written to again, whatever kept mails from them.
///
/// # Errors
/// [`SuppressionsFailure`] when one of them is written to already (the others are, too, afterwards), and as [`list_suppressed`].
pub async fn remove_suppressed(workspace: &Workspace, addresses: &[String]) -> Result<(), SuppressionsFailure> {
    let stores = keeping(workspace)?;
    let mut unknown = Vec::new();
    for address in addresses {
        let mut removed = 0;
        for store in &stores {
            removed += store.unsuppress_mail(address).await.map_err(|error| unanswered(&error))?;
        }
        if removed == 0 {
            unknown.push(format!("`{address}`"));
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(SuppressionsFailure::Unknown(unknown.join(", "))) }
}

fn keeping(workspace: &Workspace) -> Result<Vec<Store>, SuppressionsFailure> {
    let stores = stores(workspace, Plan::has_suppressions)?;
    if stores.is_empty() { Err(SuppressionsFailure::None) } else { Ok(stores) }
}

fn unanswered(error: &StoreError) -> DeliveriesFailure {
    DeliveriesFailure::Database(Box::new(Failure::suppressions(error)))
}
