//! Whether the pool of a database task is as large as it should be: a short load on the database that was made goes out, with half and
//! twice as many connections beside it, and its figures come back. It reads, as the application does, and writes nothing.

use crate::response::PoolFigures;
use plan::DatabaseTaskPlan;
use plan::database::Pool;
use std::time::Duration;
use store::{Database, StoreError};

/// How long each size is tried.
const TIME: Duration = Duration::from_millis(250);
/// No more connections than that are opened for a measurement.
const MOST: u32 = 100;
/// Of the connections that are free this part stays so.
const LEFT_FREE: u32 = 4;

/// What a load showed, in words and figures.
pub(crate) struct Proved {
    pub figures: Vec<PoolFigures>,
    pub said: String,
}

/// Whether it is worth a second: where people are served, and where somebody has thought about the pool.
pub(crate) fn is_due(plan: &DatabaseTaskPlan) -> bool {
    let is_server = !plan.database.engine.keeps_files();
    is_server && (plan.environment != "development" || plan.database.pool != Pool::default())
}

/// Tries the pool; or says why nobody could.
///
/// # Errors
/// In words, why there are no figures.
pub(crate) async fn prove(plan: &DatabaseTaskPlan, database: &Database) -> Result<Proved, String> {
    let pool = plan.database.pool;
    let table = plan.database.tables.first().ok_or("the database has no table")?;
    let said = |error: StoreError| error.to_string();
    let free = database.free_connections().map_err(said)?.unwrap_or(0);
    let most = (free - free / LEFT_FREE).min(MOST);
    if pool.max > most {
        return Err(format!("of {} connections that it may open {free} are free on the server", pool.max));
    }
    let mut sizes = vec![(pool.max / 2).max(2), pool.max, (pool.max * 2).min(most)];
    sizes.dedup();
    let mut figures = Vec::new();
    for size in sizes {
        let transactions_per_second =
            database.load(Pool { max: size, min: 0, ..pool }, &table.name, TIME).await.map_err(said)?;
        figures.push(PoolFigures { connections: size, transactions_per_second });
    }
    Ok(Proved { said: in_words(pool.max, &figures), figures })
}

/// `10 connections: 5200 transactions a second; 5: 4700 (90 %); 20: 5300 (102 %)`
fn in_words(max: u32, figures: &[PoolFigures]) -> String {
    let chosen = figures.iter().find(|one| one.connections == max).map_or(0, |one| one.transactions_per_second);
    let mut words = format!("{max} connections: {chosen} transactions a second");
    for one in figures.iter().filter(|one| one.connections != max) {
        let part = one.transactions_per_second * 100 / chosen.max(1);
        words.push_str(&format!("; {}: {} ({part} %)", one.connections, one.transactions_per_second));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_said_beside_those_of_the_size_that_was_chosen() {
        let of = |connections, transactions_per_second| PoolFigures { connections, transactions_per_second };
        let words = in_words(10, &[of(5, 900), of(10, 1000), of(20, 1010)]);
        assert_eq!(words, "10 connections: 1000 transactions a second; 5: 900 (90 %); 20: 1010 (101 %)");
        assert_eq!(in_words(2, &[of(2, 7)]), "2 connections: 7 transactions a second");
    }
}
