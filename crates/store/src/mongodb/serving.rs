//! MongoDB, for those who serve from it. Where the server runs transactions each is one of its sessions; where it does not, transactions
//! of this program run one after the other, and what one has written is taken back document by document.

use super::command::Values;
use super::connect::Server;
use super::inspect::text;
use super::migrate::written;
use super::value::datum;
use super::{COUNTERS, abilities, inspect};
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
use tokio::sync::{Mutex as Turn, OnceCell};
use vocab::{Datum, TableName};

/// Texts that are kept read.
const KEPT_TEXTS: usize = 512;
/// Documents of an answer at a time.
const BATCH: i32 = 1000;
/// How long the database may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// A database on a server. Clones share its connections, which are made when they are needed.
#[derive(Clone)]
pub struct MongoStore {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    pool: Pool,
    opened: OnceCell<Opened>,
    /// Whoever writes where the server runs no transactions.
    turn: Turn<()>,
    texts: Mutex<BTreeMap<String, Arc<Map<String, Value>>>>,
}

struct Opened {
    database: Database,
    has_transactions: bool,
}

impl MongoStore {
    /// Of a password that is renewed nobody hears here: a server has users of its own alone where it has been seen to.
    pub fn new(server: Server, pool: Pool, _renewal: Option<Renewal>) -> Self {
        let (opened, turn, texts) = (OnceCell::new(), Turn::new(()), Mutex::default());
        Self { shared: Arc::new(Shared { server, pool, opened, turn, texts }) }
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
            let has_transactions = abilities::of(&self.shared.server, &client).await?.transactions;
            Ok(Opened { database: client.database(&self.shared.server.name), has_transactions })
        };
        self.shared.opened.get_or_try_init(open).await
    }

    pub async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(Transaction<'a>) -> TransactionFuture<'a, T> + Send + 'static,
    {
        let Opened { database, has_transactions } = self.opened().await?;
        let mut session = None;
        let mut _turn = None;
        match has_transactions {
            true => {
                let mut begun = database.client().start_session().await?;
                begun.start_transaction().await?;
                session = Some(begun);
            }
            false => _turn = Some(self.shared.turn.lock().await),
        }
        let mut runner = self.runner(database, session);
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
        self.runner(database, None).read(&text, &values).await
    }

    fn runner(&self, database: &Database, session: Option<ClientSession>) -> Runner {
        Runner { shared: Arc::clone(&self.shared), database: database.clone(), session, written: Vec::new() }
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

/// What takes a write back where the server does not.
enum Back {
    Remove(String, Bson),
    Restore(String, Document),
}

struct Runner {
    shared: Arc<Shared>,
    database: Database,
    session: Option<ClientSession>,
    written: Vec<Back>,
}

impl Runner {
    async fn commit(mut self) -> Result<(), StoreError> {
        match &mut self.session {
            Some(session) => Ok(session.commit_transaction().await?),
            None => Ok(()),
        }
    }

    async fn undo(mut self) -> Result<(), StoreError> {
        if let Some(session) = &mut self.session {
            return Ok(session.abort_transaction().await?);
        }
        for back in std::mem::take(&mut self.written).into_iter().rev() {
            match back {
                Back::Remove(collection, key) => {
                    self.database.collection::<Document>(&collection).delete_one(doc! { ID: key }).await?;
                }
                Back::Restore(collection, document) => {
                    let key = doc! { ID: document.get(ID).cloned().unwrap_or(Bson::Null) };
                    let collection = self.database.collection::<Document>(&collection);
                    collection.replace_one(key, document).upsert(true).await?;
                }
            }
        }
        Ok(())
    }

    async fn run(&mut self, command: Document) -> Result<Document, StoreError> {
        let asked = self.database.run_command(command);
        let said = match &mut self.session {
            Some(session) => asked.session(session).await?,
            None => asked.await?,
        };
        written(&said)?;
        Ok(said)
    }

    /// The documents that a command finds.
    async fn find(&mut self, mut command: Document) -> Result<Vec<Document>, StoreError> {
        let collection = text(&command, "find");
        command.insert("batchSize", BATCH);
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
        if template.contains_key("hold") && self.session.is_some() {
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
        let command = values.document(object(&template, "command")?)?;
        let (word, collection) = match command.iter().next() {
            Some((word, Bson::String(collection))) => (word.clone(), collection.clone()),
            _ => return Err(StoreError::Refused("a command without a collection".to_owned())),
        };
        let inserted = command.get_array("documents").ok().and_then(|documents| documents.first().cloned());
        let first = |list: &str| command.get_array(list).ok().and_then(|list| list.first()?.as_document().cloned());
        let filter =
            first("updates").or_else(|| first("deletes")).and_then(|change| change.get_document("q").ok().cloned());
        if let (Some(filter), true) = (&filter, self.session.is_none() || word == "delete") {
            let found = self.find(doc! { "find": &collection, "filter": filter.clone() }).await?;
            if let Some(followers) = template.get("followers").and_then(Value::as_array) {
                Box::pin(self.follow(followers, &found)).await?;
            }
            self.note(found.into_iter().map(|document| Back::Restore(collection.clone(), document)));
        }
        let said = self.run(command).await?;
        let key = match inserted {
            Some(Bson::Document(document)) => document.get(ID).cloned(),
            _ => None,
        };
        let upserted: Vec<Bson> = said
            .get_array("upserted")
            .into_iter()
            .flatten()
            .filter_map(|one| one.as_document().and_then(|one| one.get(ID)).cloned())
            .collect();
        let new = key.iter().chain(&upserted).cloned().map(|key| Back::Remove(collection.clone(), key));
        self.note(new.collect::<Vec<_>>().into_iter());
        let count = match template.get("counts").and_then(Value::as_str) {
            Some("upserted") => upserted.len() as u64,
            _ => number(&said, "n"),
        };
        Ok((count, key))
    }

    fn note(&mut self, backs: impl Iterator<Item = Back>) {
        if self.session.is_none() {
            self.written.extend(backs);
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
                    self.note(found.into_iter().map(|one| Back::Restore(collection.clone(), one)));
                    self.run(doc! { "delete": &collection, "deletes": [{ "q": filter, "limit": 0 }] }).await?;
                }
                "set_null" => {
                    self.note(found.into_iter().map(|one| Back::Restore(collection.clone(), one)));
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
        let counter = doc! {
            "findAndModify": COUNTERS, "query": { ID: collection }, "update": { "$inc": { "last": 1_i64 } },
            "new": true, "upsert": true,
        };
        let said = self.database.run_command(counter).await?;
        Ok(said.get_document("value").map_or(0, |value| i64::try_from(number(value, "last")).unwrap_or_default()))
    }
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
