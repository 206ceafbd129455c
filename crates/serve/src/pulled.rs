//! Records of a provider: one comes in, is held against what the plan takes, and is put where the plan says. Nobody waits for an answer.

use crate::api_key::ApiKeys;
use crate::kept::Answers;
use crate::program::{Limiters, Program, Shared, UnservablePlan, compile_procedure};
use crate::run::{Facts, Failure, Run, Surroundings};
use crate::validation::{Check, Spot, Wrong};
use crate::webhook::Counterpart;
use bytes::Bytes;
use connect::syncing::{NotTaken, Pulled};
use http::{HeaderMap, Method, Uri};
use http_body_util::Empty;
use jiff::Timestamp;
use plan::service::SyncPlan;
use plan::{Plan, Problem};
use serde_json::Value;
use std::sync::Arc;
use store::{Row, Store};
use vocab::Datum;

/// What a record of a provider may weigh; there is no request that could be larger.
const NO_BODY: u64 = 0;

/// Where records of one kind belong.
pub(crate) struct Shelf {
    pub store: Store,
    pub keys: Arc<ApiKeys>,
    check: Check,
    take: Program,
    gone: Program,
}

impl Shelf {
    pub fn new(
        plan: &Plan,
        sync: &SyncPlan,
        counterpart: &Counterpart,
        keys: &Arc<ApiKeys>,
        kept: (&Answers, &Store),
    ) -> Result<Self, UnservablePlan> {
        let (limiters, database) = (Limiters::new(), Arc::new(plan.database.clone()));
        let shared = Shared { database: &database, accounts: None, issuer: None, secret: None, kept };
        let compiled = |procedure| compile_procedure(plan, &counterpart.account, shared, procedure, NO_BODY, &limiters);
        let (take, gone) = (compiled(&sync.take)?, compiled(&sync.gone)?);
        let check = Check::new(&sync.shape, NO_BODY);
        Ok(Self { store: kept.1.clone(), keys: Arc::clone(keys), check, take, gone })
    }

    pub async fn take(&self, surroundings: &Surroundings<'_>, record: &Pulled) -> Result<(), NotTaken> {
        let mut row: Row = vec![Datum::Text(record.key.clone()), Datum::Text(record.changed.clone())];
        let program = match &record.fields {
            Some(fields) => {
                row.push(Datum::Text(record.digest.clone()));
                let fields = Value::Object(fields.clone());
                row.extend(self.check.record(&fields).map_err(|wrong| NotTaken::Unfit(words(&wrong)))?);
                &self.take
            }
            None => &self.gone,
        };
        let (headers, mut nothing) = (HeaderMap::new(), Empty::<Bytes>::new());
        let taken = Run::new(surroundings, &headers, &mut nothing).received(program, facts(), row).await;
        taken.map_err(|failure| match failure {
            Failure::Refusal(refusal) => match refusal.problem {
                Problem::Conflict | Problem::Overlap | Problem::InUse => {
                    NotTaken::Unfit(format!("{}: another row has what it says", refusal.problem.title()))
                }
                problem if problem.status() < 500 => NotTaken::Unfit(problem.title().to_owned()),
                problem => NotTaken::Later(problem.title().to_owned()),
            },
            Failure::Store(error) if error.is_retryable() => NotTaken::Later(error.to_string()),
            Failure::Store(error) => NotTaken::Unfit(error.to_string()),
        })
    }
}

/// Which fields, and what is wrong with each; never their values.
fn words(wrong: &[Wrong]) -> String {
    let one = |wrong: &Wrong| match &wrong.place {
        Spot::Body(at) => format!("`{at}` {}", wrong.detail),
        Spot::Parameter(name) => format!("`{name}` {}", wrong.detail),
    };
    wrong.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn facts() -> Facts {
    Facts {
        arrived: Timestamp::now(),
        method: Method::POST,
        uri: Uri::default(),
        address: String::new(),
        request_id: String::new(),
        parameters: Vec::new(),
        if_match: None,
        prefer: None,
    }
}
