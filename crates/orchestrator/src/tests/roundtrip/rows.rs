//! Rows of a schema on its way: a plan and its database come in; the tables are filled with right rows, and what they hold is read,
//! value by value, in the order of their keys.

use crate::probe::{Promise, probes};
use plan::database::{Column, Pool, Table, Times};
use plan::query::{Direction, Holes, Order, Output, Query, RowLock};
use plan::{DatabasePlan, DatabaseTaskPlan};
use std::collections::BTreeMap;
use store::{Database, Ended, Store, StoreError};
use vocab::{Datum, Engine, FieldName};

/// What each table holds.
pub type Rows = BTreeMap<String, Vec<Vec<Datum>>>;

fn run<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work)
}

/// One or two right rows in every table whose rules leave room for them.
pub fn fill(plan: &DatabasePlan, database: &Database) -> Result<(), StoreError> {
    let right = probes(plan).into_iter().filter(|probe| probe.promise == Promise::RightRows);
    let attempts: Vec<_> = right.map(|probe| probe.attempt).collect();
    run(async {
        let store = database.open(Pool::default())?;
        store
            .transaction(move |mut transaction| {
                Box::pin(async move {
                    for attempt in attempts {
                        transaction.execute(&attempt.text, &attempt.parameters).await?;
                    }
                    Ok(Ended::Commit(()))
                })
            })
            .await
    })
}

/// Everything that the tables of the plan hold.
pub fn held(plan: &DatabaseTaskPlan, database: &Database) -> Result<Rows, StoreError> {
    run(async {
        let store = database.open(Pool::default())?;
        let mut rows = Rows::new();
        for table in &plan.database.tables {
            rows.insert(table.name.to_string(), of_table(plan, table, &store).await?);
        }
        Ok(rows)
    })
}

async fn of_table(plan: &DatabaseTaskPlan, table: &Table, store: &Store) -> Result<Vec<Vec<Datum>>, StoreError> {
    // MySQL turns truth values into words by an update, which its trigger takes for a change of the row.
    let is_touched = |column: &&Column| {
        plan.database.engine == Engine::MySql
            && table.rules.times == Times::KeptByDatabase
            && matches!(column.name.as_str(), "updated_at" | "row_version")
    };
    let outputs = table.columns.iter().filter(|column| !is_touched(column)).map(|column| Output::Column {
        column: column.name.clone(),
        field: FieldName::parse(column.name.as_str()).unwrap(),
    });
    let key = table.primary_key.iter();
    let query = Query {
        from: table.name.clone(),
        outputs: outputs.collect(),
        filter: Vec::new(),
        order: key.map(|column| Order { column: column.clone(), direction: Direction::Ascending }).collect(),
        holes: Holes::default(),
        lock: RowLock::None,
    };
    let lowered = dialect::lower_query(&plan.database, &query).unwrap();
    store.read(lowered.text.into(), Vec::new()).await
}
