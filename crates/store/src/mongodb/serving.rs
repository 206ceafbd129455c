//! MongoDB, for those who serve from it. Where the server runs transactions each is one of its sessions; where it does not, those of all
//! programs run one after the other, and what one has written is taken back document by document (`turn`).

use super::command::Values;
use super::connect::Server;
use super::inspect::text;
use super::migrate::written;
use super::turn::{self, Back, STEP_TIMEOUT, TURNS, Turn, Watched};
use super::value::datum;
use super::{COUNTERS, abilities, inspect};
use crate::error::Late;
use crate::renewing::Renewal;
use crate::{Ended, Row, StoreError, Transaction, TransactionFuture, store};
use ::mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use ::mongodb::{ClientSession, Database};
use dialect::mongodb::ID;
use plan::Migration;
use plan::database::{ObservedTable, Pool};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Queue, OnceCell};
use vocab::{Datum, TableName};

/// Texts that are kept read.
const KEPT_TEXTS: usize = 512;
/// Documents of an answer at a time.
const BATCH: i32 = 1000;
/// How long the database may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// How much later than its time a statement is given up, in seconds.
const ANSWER_GRACE: u32 = 2;

/// A database on a server. Clones share its connections, which are made when they are needed.
#[derive(Clone)]
pub struct MongoStore {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    pool: Pool,
    opened: OnceCell<Opened>,
    /// Those of this program who write where the server runs no transactions, and what they know of others.
    queue: Queue<Watched>,
    texts: Mutex<BTreeMap<String, Arc<Map<String, Value>>>>,
}

struct Opened {
    database: Database,
    has_transactions: bool,
}

impl MongoStore {
    /// Of a password that is renewed nobody hears here: a server has users of its own alone where it has been seen to.
    pub fn new(server: Server, pool: Pool, _renewal: Option<Renewal>) -> Self {
        let (opened, queue, texts) = (OnceCell::new(), Queue::default(), Mutex::default());
        Self { shared: Arc::new(Shared { server, pool, opened, queue, texts }) }
    }

    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(super) fn server(&self) -> &Server {
        &self.shared.server
    }

    async fn opened(&self) -> Result<&Opened, StoreError> {
        let open = async || {
            let client = self.shared.server.client(self.shared.pool).await?;
            let database = client.database(&self.shared.server.name);
            // One that is away would seem to have none.
            database.run_command(doc! { "ping": 1 }).await?;
            // Who serves may be let into this database alone.
            let has_transactions = abilities::transactions(&database, TURNS).await;
            Ok(Opened { database, has_transactions })
        };
        self.shared.opened.get_or_try_init(open).await
    }

    pub async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
    {
        let Opened { database, has_transactions } = self.opened().await?;
        let mut _queue = None;
        let way = match has_transactions {
            true => {
                let mut session = database.client().start_session().await?;
                session.start_transaction().await?;
                Way::Session(Box::new(session))
            }
            false => {
                let patience = turn::patience(Duration::from_secs(self.shared.pool.acquire_timeout.into()));
                let late = |_| StoreError::Late(Late::Lock, "others of this program write all the time".to_owned());
                let mut queue = tokio::time::timeout(patience, self.shared.queue.lock()).await.map_err(late)?;
                let taken = Turn::take(database, &mut queue, patience).await?;
                _queue = Some(queue);
                Way::Turn(taken)
            }
        };
        let mut runner = self.runner(database, way);
        let ended = work(Transaction(store::Begun::MongoDb(MongoTransaction { runner: &mut runner }))).await;
        match ended {
            Ok(Ended::Commit(value)) => runner.commit().await.map(|()| value),
            Ok(Ended::Undo(value)) => runner.undo().await.map(|()| value),
            Err(error) => {
                let undone = runner.undo().await;
                if let Err(failed) = undone {
                    tracing::error!(error = %failed, "what a request had written was not taken back");
                }
                Err(error)
            }
        }
    }

    /// Reads rows outside a transaction.
    pub async fn read(&self, text: Arc<str>, values: Vec<Datum>) -> Result<Vec<Row>, StoreError> {
        let database = &self.opened().await?.database;
        self.runner(database, Way::Alone).read(&text, &values).await
    }

    fn runner(&self, database: &Database, way: Way) -> Runner {
        Runner { shared: Arc::clone(&self.shared), database: database.clone(), way }
    }

    pub async fn ping(&self) -> Result<(), StoreError> {
        let database = &self.opened().await?.database;
        let asked = async { Ok::<_, StoreError>(database.run_command(doc! { "ping": 1 }).await.map(drop)?) };
        let late = |_| StoreError::Unavailable("no answer in time".to_owned());
        tokio::time::timeout(PING_TIMEOUT, asked).await.map_err(late)?
    }

    pub async fn count_rows(&self, tables: &[TableName]) -> Result<i64, StoreError> {
        inspect::count(&self.opened().await?.database, tables).await
    }

    pub fn inspect(&self) -> Result<Vec<ObservedTable>, StoreError> {
        self.shared.server.tables()
    }

    pub fn migrate(&self, scope: &str, migrations: &[Migration], now: &str) -> Result<Vec<String>, StoreError> {
        self.shared.server.migrate(scope, migrations, now)
    }
}

/// A transaction, for its work.
pub struct MongoTransaction<'c> {
    runner: &'c mut Runner,
}

impl MongoTransaction<'_> {
    pub async fn execute(&mut self, text: &str, values: &[Datum]) -> Result<u64, StoreError> {
        self.runner.execute(text, values).await.map(|(count, _)| count)
    }

    /// The key of the new document.
    pub async fn insert(&mut self, text: &str, values: &[Datum]) -> Result<Datum, StoreError> {
        let (_, key) = self.runner.execute(text, values).await?;
        datum(key.as_ref(), "")
    }

    pub async fn read(&mut self, text: &str, values: &[Datum]) -> Result<Vec<Row>, StoreError> {
        self.runner.read(text, values).await
    }
}

/// In what a command is run.
enum Way {
    /// In nothing.
    Alone,
    /// In a transaction of the server.
    Session(Box<ClientSession>),
    /// While nobody else writes.
    Turn(Turn),
}

struct Runner {
    shared: Arc<Shared>,
    database: Database,
    way: Way,
}

impl Runner {
    async fn commit(self) -> Result<(), StoreError> {
        match self.way {
            Way::Alone => Ok(()),
            Way::Turn(turn) => turn.keep().await,
            Way::Session(mut session) => {
                // A server that says nothing may have committed it as well.
                session.commit_transaction().await.map_err(|error| match StoreError::from(error) {
                    StoreError::Unavailable(why) | StoreError::NotConnected(_, why) => StoreError::Uncertain(why),
                    error => error,
                })
            }
        }
    }

    async fn undo(self) -> Result<(), StoreError> {
        match self.way {
            Way::Alone => Ok(()),
            Way::Turn(turn) => turn.undo().await,
            Way::Session(mut session) => Ok(session.abort_transaction().await?),
        }
    }

    fn is_session(&self) -> bool {
        matches!(self.way, Way::Session(_))
    }

    async fn run(&mut self, command: Document) -> Result<Document, StoreError> {
        let usual = Duration::from_secs((self.shared.pool.statement_timeout + ANSWER_GRACE).into());
        let limit = if matches!(self.way, Way::Turn(_)) { STEP_TIMEOUT } else { usual };
        let asked = self.database.run_command(command);
        let answered = async {
            match &mut self.way {
                Way::Session(session) => asked.session(session.as_mut()).await,
                Way::Alone | Way::Turn(_) => asked.await,
            }
        };
        let late = |_| StoreError::Late(Late::Statement, "no answer in time".to_owned());
        let said = tokio::time::timeout(limit, answered).await.map_err(late)??;
        written(&said)?;
        Ok(said)
    }

    /// The documents that a command finds.
    async fn find(&mut self, mut command: Document) -> Result<Vec<Document>, StoreError> {
        let collection = text(&command, "find");
        // What is counted is one document.
        if command.contains_key("find") {
            command.insert("batchSize", BATCH);
        }
        let mut said = self.run(command).await?;
        let mut found = Vec::new();
        loop {
            let Ok(cursor) = said.get_document_mut("cursor") else { return Ok(found) };
            let id = cursor.get_i64("id").unwrap_or_default();
            let batch = if cursor.contains_key("firstBatch") { "firstBatch" } else { "nextBatch" };
            if let Some(Bson::Array(items)) = cursor.remove(batch) {
                found.extend(items.into_iter().filter_map(|item| match item {
                    Bson::Document(document) => Some(document),
                    _ => None,
                }));
            }
            if id == 0 {
                return Ok(found);
            }
            said = self.run(doc! { "getMore": id, "collection": &collection, "batchSize": BATCH }).await?;
        }
    }

    async fn read(&mut self, text: &str, values: &[Datum]) -> Result<Vec<Row>, StoreError> {
        let template = self.shared.template(text)?;
        let Some(columns) = template.get("columns").and_then(Value::as_array) else {
            // What holds a name is a write.
            return self.execute(text, values).await.map(|_| Vec::new());
        };
        let command = Values { bound: values, counted: None }.document(object(&template, "command")?)?;
        if template.contains_key("hold") && self.is_session() {
            // Of two transactions that write one document the second is told to try again.
            let held = doc! { "q": command.get_document("filter").cloned().unwrap_or_default(), "u": { "$set": { "_held": ObjectId::new() } }, "multi": true };
            self.run(doc! { "update": command.get_str("find").unwrap_or_default(), "updates": [held] }).await?;
        }
        let row = |document: Document| {
            let column = |column: &Value| {
                let field = column[0].as_str().unwrap_or_default();
                datum(document.get(field), column[1].as_str().unwrap_or_default())
            };
            columns.iter().map(column).collect::<Result<Row, StoreError>>()
        };
        self.find(command).await?.into_iter().map(row).collect()
    }

    /// How many documents were changed, and the key of a new one.
    async fn execute(&mut self, text: &str, values: &[Datum]) -> Result<(u64, Option<Bson>), StoreError> {
        let template = self.shared.template(text)?;
        let counted = match text.contains(r#""$made":"count""#) {
            true => Some(self.count(object(&template, "command")?).await?),
            false => None,
        };
        let values = Values { bound: values, counted };
        for reference in template.get("references").and_then(Value::as_array).into_iter().flatten() {
            self.must_be_there(reference, &values).await?;
        }
        let mut command = values.document(object(&template, "command")?)?;
        let (word, collection) = match command.iter().next() {
            Some((word, Bson::String(collection))) => (word.clone(), collection.clone()),
            _ => return Err(StoreError::Refused("a command without a collection".to_owned())),
        };
        let new = new_key(&mut command);
        if let Some(replaced) = template.get("replaces").and_then(Value::as_object) {
            let wanted = values.document(replaced)?;
            let found = self.find(doc! { "find": &collection, "filter": wanted.clone() }).await?;
            self.note(found.into_iter().map(|one| Back::Restore(collection.clone(), one)).collect()).await?;
            self.run(doc! { "delete": &collection, "deletes": [{ "q": wanted, "limit": 0 }] }).await?;
        }
        let first = |list: &str| command.get_array(list).ok().and_then(|list| list.first()?.as_document().cloned());
        let filter =
            first("updates").or_else(|| first("deletes")).and_then(|change| change.get_document("q").ok().cloned());
        if let (Some(filter), true) = (&filter, !self.is_session() || word == "delete") {
            let found = self.find(doc! { "find": &collection, "filter": filter.clone() }).await?;
            if let Some(followers) = template.get("followers").and_then(Value::as_array) {
                Box::pin(self.follow(followers, &found)).await?;
            }
            let made = new.iter().filter(|_| found.is_empty()).cloned();
            let made: Vec<_> = made.map(|key| Back::Remove(collection.clone(), key)).collect();
            let before = found.into_iter().map(|document| Back::Restore(collection.clone(), document));
            self.note(before.chain(made).collect()).await?;
        }
        if let (None, Some(key), false) = (&filter, &new, self.is_session()) {
            // What takes it back must not take what is there already.
            let same = doc! { "find": &collection, "filter": { ID: key }, "limit": 1, "projection": { ID: 1 } };
            if !self.find(same).await?.is_empty() {
                return Err(StoreError::Conflict);
            }
            self.note(vec![Back::Remove(collection.clone(), key.clone())]).await?;
        }
        let said = self.run(command).await?;
        let count = match template.get("counts").and_then(Value::as_str) {
            Some("upserted") => said.get_array("upserted").map_or(0, |upserted| upserted.len() as u64),
            _ => number(&said, "n"),
        };
        Ok((count, new))
    }

    async fn note(&mut self, backs: Vec<Back>) -> Result<(), StoreError> {
        match &mut self.way {
            Way::Turn(turn) => turn.note(backs).await,
            Way::Alone | Way::Session(_) => Ok(()),
        }
    }

    /// A document that another one is to lead to.
    async fn must_be_there(&mut self, reference: &Value, values: &Values<'_>) -> Result<(), StoreError> {
        let filter = values.document(object(reference.as_object().unwrap_or(&Map::new()), "filter")?)?;
        // What has no value leads nowhere, which is no fault.
        let is_nothing = filter.values().all(|one| one.as_document().is_some_and(|one| one.contains_key("$in")));
        if is_nothing {
            return Ok(());
        }
        let collection = reference["collection"].as_str().unwrap_or_default();
        let found =
            self.find(doc! { "find": collection, "filter": filter, "limit": 1, "projection": { ID: 1 } }).await?;
        if found.is_empty() { Err(StoreError::Reference) } else { Ok(()) }
    }

    /// What becomes of the documents that lead to those that go.
    async fn follow(&mut self, followers: &[Value], gone: &[Document]) -> Result<(), StoreError> {
        for follower in followers {
            let word = |name: &str| follower[name].as_str().unwrap_or_default().to_owned();
            let (collection, field, leads) = (word("collection"), word("field"), word("leads"));
            let keys: Vec<Bson> = gone.iter().filter_map(|document| document.get(&leads).cloned()).collect();
            if keys.is_empty() {
                continue;
            }
            let filter = doc! { &field: { "$in": keys } };
            let found = self.find(doc! { "find": &collection, "filter": filter.clone() }).await?;
            // A document that leads to itself goes with itself.
            let others = found.iter().filter(|one| !gone.contains(one)).count();
            match word("on_delete").as_str() {
                _ if found.is_empty() => {}
                "restrict" if others > 0 => return Err(StoreError::Reference),
                "cascade" => {
                    let further = follower["followers"].as_array().cloned().unwrap_or_default();
                    Box::pin(self.follow(&further, &found)).await?;
                    self.note(found.into_iter().map(|one| Back::Restore(collection.clone(), one)).collect()).await?;
                    self.run(doc! { "delete": &collection, "deletes": [{ "q": filter, "limit": 0 }] }).await?;
                }
                "set_null" => {
                    self.note(found.into_iter().map(|one| Back::Restore(collection.clone(), one)).collect()).await?;
                    let change = doc! { "q": filter, "u": { "$unset": { &field: "" } }, "multi": true };
                    self.run(doc! { "update": &collection, "updates": [change] }).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The next number of a collection; one that was given out is not given out again, whatever comes of it.
    async fn count(&mut self, command: &Map<String, Value>) -> Result<i64, StoreError> {
        let collection = command.values().next().and_then(Value::as_str).unwrap_or_default();
        let counter = |update: Document| doc! { "findAndModify": COUNTERS, "query": { ID: collection }, "update": update, "new": true, "upsert": true };
        let documents = self.database.collection::<Document>(collection);
        loop {
            let said = self.database.run_command(counter(doc! { "$inc": { "last": 1_i64 } })).await?;
            let next = said.get_document("value").map_or(0, |value| number(value, "last"));
            let next = i64::try_from(next).unwrap_or_default();
            if documents.find_one(doc! { ID: next }).await?.is_none() {
                return Ok(next);
            }
            // Somebody has given documents numbers of their own.
            let last = documents.find_one(doc! {}).sort(doc! { ID: -1 }).await?;
            let last = last.map_or(0, |document| number(&document, ID));
            let last = i64::try_from(last).unwrap_or(i64::MAX);
            self.database.run_command(counter(doc! { "$max": { "last": last } })).await?;
        }
    }
}

/// The key of the document that a command may make; it gets one where it has none.
fn new_key(command: &mut Document) -> Option<Bson> {
    let document = match command.contains_key("documents") {
        true => command.get_array_mut("documents").ok()?.first_mut()?.as_document_mut()?,
        false => {
            let change = command.get_array_mut("updates").ok()?.first_mut()?.as_document_mut()?;
            if !change.get_bool("upsert").unwrap_or_default() {
                return None;
            }
            // A filter that names the key decides about it.
            if let Some(key) = change.get_document("q").ok().and_then(|filter| filter.get(ID)) {
                let named = key.as_document().and_then(|compared| compared.get("$eq"));
                return Some(named.unwrap_or(key).clone());
            }
            let change = change.get_document_mut("u").ok()?;
            change.entry("$setOnInsert".to_owned()).or_insert(Bson::Document(Document::new())).as_document_mut()?
        }
    };
    Some(document.entry(ID.to_owned()).or_insert(Bson::ObjectId(ObjectId::new())).clone())
}

impl Shared {
    fn template(&self, text: &str) -> Result<Arc<Map<String, Value>>, StoreError> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = texts.get(text) {
            return Ok(Arc::clone(known));
        }
        let read: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| StoreError::Refused(format!("a text that is no command: {error}")))?;
        if texts.len() >= KEPT_TEXTS {
            texts.clear();
        }
        let read = Arc::new(read);
        texts.insert(text.to_owned(), Arc::clone(&read));
        Ok(read)
    }
}

fn object<'t>(template: &'t Map<String, Value>, name: &str) -> Result<&'t Map<String, Value>, StoreError> {
    let found = template.get(name).and_then(Value::as_object);
    found.ok_or_else(|| StoreError::Refused(format!("a text without `{name}`")))
}

fn number(said: &Document, field: &str) -> u64 {
    match said.get(field) {
        Some(Bson::Int32(number)) => u64::try_from(*number).unwrap_or_default(),
        Some(Bson::Int64(number)) => u64::try_from(*number).unwrap_or_default(),
        Some(Bson::Double(number)) => *number as u64,
        _ => 0,
    }
}
