//! Whose turn it is to write, on a server that runs no transactions (decision 0064): one document of the database, which names who writes
//! and holds what takes each of their writes back. It is noted before the write. Who writes no more is found out by others, who take
//! back what is there; so what belongs together is there together or not at all, whoever dies in between.

use crate::StoreError;
use crate::error::Late;
use ::mongodb::bson::spec::BinarySubtype;
use ::mongodb::bson::{Binary, Bson, Document, doc};
use ::mongodb::{Collection, Database};
use dialect::mongodb::ID;
use std::time::{Duration, Instant};

pub const TURNS: &str = "producer_turns";
const TURN: &str = "turn";
/// How long a write may take in a turn.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(3);
/// After that long without a step whoever has the turn is taken for dead: longer than a step.
const SILENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// How long a turn is waited for by whoever waits so long for anything: long enough to find somebody dead first.
pub fn patience(usual: Duration) -> Duration {
    usual.max(2 * SILENCE)
}

/// What takes a write back.
pub enum Back {
    Remove(String, Bson),
    Restore(String, Document),
}

/// Somebody else's turn as it was seen, and since when it stands so. Clocks of several machines are never compared.
#[derive(Default)]
pub struct Watched(Option<(String, i64, Instant)>);

/// A turn that was taken. Nobody else writes until it is given up.
pub struct Turn {
    database: Database,
    holder: String,
    noted: Vec<Back>,
    /// Others have taken it, and taken back what was written.
    is_lost: bool,
}

impl Turn {
    pub async fn take(database: &Database, watched: &mut Watched, patience: Duration) -> Result<Self, StoreError> {
        let turns: Collection<Document> = database.collection(TURNS);
        let holder = uuid::Uuid::now_v7().to_string();
        let (until, mut pause) = (Instant::now() + patience, FIRST_PAUSE);
        loop {
            let mine = doc! { ID: TURN, "holder": &holder, "step": 0_i64 };
            match turns.insert_one(mine).await.map_err(StoreError::from) {
                Ok(_) => break,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
            if let Some(found) = turns.find_one(doc! { ID: TURN }).await?
                && watched.is_dead(&found)
                && take_over(database, &turns, &found, &holder).await?
            {
                break;
            }
            if Instant::now() > until {
                return Err(StoreError::Late(Late::Lock, "others write all the time".to_owned()));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        *watched = Watched::default();
        Ok(Self { database: database.clone(), holder, noted: Vec::new(), is_lost: false })
    }

    fn turns(&self) -> Collection<Document> {
        self.database.collection(TURNS)
    }

    fn mine(&self) -> Document {
        doc! { ID: TURN, "holder": &self.holder }
    }

    /// Before the writes that they take back.
    pub async fn note(&mut self, backs: Vec<Back>) -> Result<(), StoreError> {
        if backs.is_empty() {
            return Ok(());
        }
        let first = self.noted.len();
        let mut set = Document::new();
        for (index, back) in backs.iter().enumerate() {
            set.insert(format!("backs.b{:06}", first + index), back.document()?);
        }
        let noted = self.turns().update_one(self.mine(), doc! { "$set": set, "$inc": { "step": 1_i64 } }).await?;
        if noted.matched_count == 0 {
            self.is_lost = true;
            return Err(lost());
        }
        self.noted.extend(backs);
        Ok(())
    }

    /// What was written stays.
    pub async fn keep(self) -> Result<(), StoreError> {
        let given = self.turns().delete_one(self.mine()).await.map_err(|error| match StoreError::from(error) {
            StoreError::Unavailable(why) | StoreError::NotConnected(_, why) => StoreError::Uncertain(why),
            error => error,
        })?;
        if given.deleted_count == 1 { Ok(()) } else { Err(lost()) }
    }

    /// What was written goes. Where that fails whoever comes next does it.
    pub async fn undo(self) -> Result<(), StoreError> {
        let turns = self.turns();
        let stands = turns.update_one(self.mine(), doc! { "$inc": { "step": 1_i64 } }).await?;
        if self.is_lost || stands.matched_count == 0 {
            return Ok(());
        }
        for back in self.noted.iter().rev() {
            back.carry_out(&self.database).await?;
        }
        turns.delete_one(self.mine()).await?;
        Ok(())
    }
}

fn lost() -> StoreError {
    StoreError::Contended("it took too long between two writes, and others have taken back what was written".to_owned())
}

impl Watched {
    fn is_dead(&mut self, found: &Document) -> bool {
        let holder = found.get_str("holder").unwrap_or_default();
        let step = found.get_i64("step").unwrap_or_default();
        match &self.0 {
            Some((known, at, since)) if known == holder && *at == step => since.elapsed() >= SILENCE,
            Some(_) | None => {
                self.0 = Some((holder.to_owned(), step, Instant::now()));
                false
            }
        }
    }
}

/// Of several who find somebody dead one takes the turn, and takes back what it says.
async fn take_over(
    database: &Database,
    turns: &Collection<Document>,
    found: &Document,
    holder: &str,
) -> Result<bool, StoreError> {
    let seen = doc! { ID: TURN, "holder": found.get_str("holder").unwrap_or_default(), "step": found.get("step") };
    let mine = doc! { "$set": { "holder": holder }, "$inc": { "step": 1_i64 } };
    if turns.update_one(seen, mine).await?.matched_count == 0 {
        return Ok(false);
    }
    let mut backs: Vec<(&String, Back)> = Vec::new();
    for (name, back) in found.get_document("backs").into_iter().flatten() {
        backs.push((name, Back::read(back)?));
    }
    backs.sort_by(|(left, _), (right, _)| right.cmp(left));
    for (_, back) in &backs {
        back.carry_out(database).await?;
    }
    tracing::warn!(writes = backs.len(), "what somebody had begun to write, and not finished, was taken back");
    let cleared = doc! { "$unset": { "backs": "" } };
    turns.update_one(doc! { ID: TURN, "holder": holder }, cleared).await?;
    Ok(true)
}

impl Back {
    /// A document is kept as its bytes: it may have names in it that mean something to a server.
    fn document(&self) -> Result<Document, StoreError> {
        Ok(match self {
            Self::Remove(collection, key) => doc! { "collection": collection, "remove": key },
            Self::Restore(collection, document) => {
                let mut bytes = Vec::new();
                document.to_writer(&mut bytes).map_err(|error| StoreError::Refused(error.to_string()))?;
                doc! { "collection": collection, "restore": Binary { subtype: BinarySubtype::Generic, bytes } }
            }
        })
    }

    fn read(back: &Bson) -> Result<Self, StoreError> {
        let unknown = || StoreError::Refused("what takes a write back was noted in a way that nobody knows".to_owned());
        let back = back.as_document().ok_or_else(unknown)?;
        let collection = back.get_str("collection").map_err(|_| unknown())?.to_owned();
        match (back.get("remove"), back.get("restore")) {
            (Some(key), None) => Ok(Self::Remove(collection, key.clone())),
            (None, Some(Bson::Binary(kept))) => {
                let document = Document::from_reader(kept.bytes.as_slice()).map_err(|_| unknown())?;
                Ok(Self::Restore(collection, document))
            }
            _ => Err(unknown()),
        }
    }

    /// Does no more when it is done again.
    async fn carry_out(&self, database: &Database) -> Result<(), StoreError> {
        match self {
            Self::Remove(collection, key) => {
                database.collection::<Document>(collection).delete_one(doc! { ID: key }).await?;
            }
            Self::Restore(collection, document) => {
                let key = doc! { ID: document.get(ID) };
                database.collection::<Document>(collection).replace_one(key, document).upsert(true).await?;
            }
        }
        Ok(())
    }
}
