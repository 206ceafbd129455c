//! What proves a call and does not come with it: a call of a provider comes in, the certificate behind its signature or the provider's own
//! word goes out. Only the provider's domains are asked, by the guarded client, so often and so long as it is bounded here; nothing is
//! kept but certificates, for a while.

#[cfg(test)]
mod tests;

use crate::account::{Account, Inputs};
use crate::answer::Outcome;
use crate::call::{Asked, Caller};
use crate::client::{Bounds, Client, Sent};
use crate::message::HttpRequest;
use crate::signature::{Call, Refusal, certificate_url};
use crate::webhook::{NotReceived, inputs_of};
use manifest::operation::Method;
use manifest::webhook::{Verification, Webhooks};
use rustls_pki_types::CertificateDer;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};

/// How much of a file with certificates is read, and for how long.
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(10), most_bytes: 64 * 1024 };
/// For how long a certificate is taken without asking again, and how many are kept: a provider has a few.
const KEPT_MS: i64 = 60 * 60 * 1000;
const MAX_KEPT: usize = 16;
/// For how long it is remembered that an address gave none, so that nobody has us ask again and again.
const REFUSED_MS: i64 = 60 * 1000;
/// Most files that are fetched in a minute, whatever addresses calls name.
const MAX_FETCHED: usize = 20;
const MINUTE_MS: i64 = 60 * 1000;
/// Most calls about which the provider is asked at once.
const MAX_ASKED: usize = 8;

/// A file that is on its way, or why it does not come.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;
/// Brings what lies at an address.
pub type Fetch = Arc<dyn Fn(String) -> Fetching + Send + Sync>;

/// Who is trusted to stand behind a certificate.
pub type Trusted = Arc<[CertificateDer<'static>]>;

/// What was brought for one call.
#[derive(Debug, Clone, Default)]
pub struct Proofs {
    /// The file with the certificate, and who is trusted to stand behind it.
    pub certificate: Option<(Arc<[u8]>, Trusted)>,
    /// Whether the provider says that the call is its own.
    pub is_confirmed: bool,
}

/// Brings what proves the calls of one provider.
pub struct Prover {
    fetch: Fetch,
    trusted: Trusted,
    caller: Caller,
    account: Account,
    files: Mutex<Files>,
    asking: Semaphore,
}

/// What was fetched, by address.
#[derive(Default)]
struct Files {
    kept: BTreeMap<String, File>,
    /// When files were fetched in the last minute.
    fetched: Vec<i64>,
}

/// A file, or that there is none, and until when that counts.
struct File {
    content: Option<Arc<[u8]>>,
    until_ms: i64,
}

impl Prover {
    /// Whether the calls of a provider need anything that does not come with them.
    #[must_use]
    pub fn is_needed(webhooks: &Webhooks) -> bool {
        webhooks.verify.iter().any(|way| matches!(way, Verification::Certificate(_) | Verification::Ask { .. }))
    }

    /// One that fetches with a client, asks with a caller, and trusts whom this machine trusts.
    #[must_use]
    pub fn new(client: Client, caller: Caller, account: Account) -> Self {
        let of = account.clone();
        let fetch: Fetch = Arc::new(move |url| {
            let (client, url) = (client.clone(), of.stood_in(url));
            Box::pin(async move { fetched(&client, url).await })
        });
        Self::trusting(fetch, rustls_native_certs::load_native_certs().certs, caller, account)
    }

    /// One that fetches so, and trusts these.
    #[must_use]
    pub fn trusting(fetch: Fetch, trusted: Vec<CertificateDer<'static>>, caller: Caller, account: Account) -> Self {
        let (files, asking) = (Mutex::default(), Semaphore::new(MAX_ASKED));
        Self { fetch, trusted: trusted.into(), caller, account, files, asking }
    }

    /// Brings what proves a call, as its manifest says.
    ///
    /// # Errors
    /// [`NotReceived::Stranger`] where it is not the provider's, [`NotReceived::Unproved`] where nobody can tell now.
    pub async fn bring(&self, webhooks: &Webhooks, call: &Call<'_>) -> Result<Proofs, NotReceived> {
        let mut proofs = Proofs::default();
        for way in &webhooks.verify {
            match way {
                Verification::Certificate(way) => {
                    let file = self.file(certificate_url(way, call)?, call.arrived_ms).await?;
                    proofs.certificate = Some((file, Arc::clone(&self.trusted)));
                }
                Verification::Ask { operation, input } => {
                    let inputs = inputs_of(webhooks, input, &self.account, call)?;
                    proofs.is_confirmed = self.confirmed(operation, &inputs).await?;
                }
                Verification::Hmac(_)
                | Verification::Digest(_)
                | Verification::PublicKey(_)
                | Verification::FixedHeader { .. }
                | Verification::Basic { .. }
                | Verification::BodyHolds { .. }
                | Verification::SecretPath(_) => {}
            }
        }
        Ok(proofs)
    }

    /// The file at an address. Who wants another one waits: one is fetched at a time.
    async fn file(&self, url: &str, now_ms: i64) -> Result<Arc<[u8]>, NotReceived> {
        let mut files = self.files.lock().await;
        if let Some(known) = files.kept.get(url).filter(|known| now_ms < known.until_ms) {
            return known.content.clone().ok_or(NotReceived::Unproved);
        }
        files.fetched.retain(|at| now_ms - at < MINUTE_MS);
        if files.fetched.len() >= MAX_FETCHED {
            return Err(NotReceived::Unproved);
        }
        files.fetched.push(now_ms);
        let content = match (self.fetch)(url.to_owned()).await {
            Ok(content) => Some(Arc::from(content)),
            Err(why) => {
                tracing::warn!(provider = self.account.manifest.provider.title, "no certificate came: {why}");
                None
            }
        };
        files.kept.retain(|_, known| now_ms < known.until_ms);
        if files.kept.len() >= MAX_KEPT {
            files.kept.pop_first();
        }
        let until_ms = now_ms + if content.is_some() { KEPT_MS } else { REFUSED_MS };
        files.kept.insert(url.to_owned(), File { content: content.clone(), until_ms });
        content.ok_or(NotReceived::Unproved)
    }

    async fn confirmed(&self, operation: &vocab::FieldName, inputs: &Inputs) -> Result<bool, NotReceived> {
        let Ok(_place) = self.asking.try_acquire() else { return Err(NotReceived::Unproved) };
        let asked = Asked { account: &self.account, operation, inputs, delivery: None };
        match self.caller.call(&asked).await.outcome {
            Outcome::Done { .. } => Ok(true),
            Outcome::Permanent { .. } => Err(Refusal::Denied.into()),
            Outcome::Transient { .. }
            | Outcome::RateLimited { .. }
            | Outcome::Authentication { .. }
            | Outcome::UnknownEffect { .. } => Err(NotReceived::Unproved),
        }
    }
}

async fn fetched(client: &Client, url: String) -> Result<Vec<u8>, String> {
    let request = HttpRequest { method: Method::Get, url, headers: Vec::new(), body: Vec::new() };
    match client.send(&request, BOUNDS).await {
        Sent::NeverConnected(why) => Err(why.to_string()),
        Sent::BrokenBehindRequest(why) => Err(why),
        Sent::Answered(answer) if answer.is_cut => Err("its file is longer than a certificate".to_owned()),
        Sent::Answered(answer) if answer.status == 200 => Ok(answer.body),
        Sent::Answered(answer) => Err(format!("its address answers with {}", answer.status)),
    }
}
