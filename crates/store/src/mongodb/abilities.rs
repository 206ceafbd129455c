//! What a server can do, found out by doing it in a database of its own that goes again: take a validator and keep to it, take
//! changes of several documents back together, let somebody in by a password. What it calls itself does not matter.

use super::connect::Server;
use super::rehearse::scratch_name;
use crate::StoreError;
use ::mongodb::bson::doc;
use ::mongodb::{Client, Database};
use plan::database::Pool;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// What a server was seen to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// It refuses a document that its collection's validator does not let pass.
    pub validators: bool,
    /// It takes back what a transaction has written.
    pub transactions: bool,
    /// It makes users, and lets one in by the right password and not by a wrong one.
    pub users: bool,
}

/// A server does not learn while a program runs.
static KNOWN: LazyLock<Mutex<BTreeMap<String, Abilities>>> = LazyLock::new(Mutex::default);

pub async fn of(server: &Server, client: &Client) -> Result<Abilities, StoreError> {
    let known = |known: &mut BTreeMap<String, Abilities>| known.get(&server.host).copied();
    if let Some(abilities) = known(&mut KNOWN.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(abilities);
    }
    let name = scratch_name();
    let database = client.database(&name);
    database.run_command(doc! { "create": "plain" }).await?;
    let abilities = Abilities {
        validators: validators(client, &name).await,
        transactions: transactions(&database, "plain").await,
        users: users(server, client, &name).await,
    };
    database.drop().await?;
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(server.host.clone(), abilities);
    Ok(abilities)
}

async fn validators(client: &Client, name: &str) -> bool {
    let database = client.database(name);
    let validator = doc! { "$jsonSchema": { "bsonType": "object", "required": ["wanted"] } };
    if database.run_command(doc! { "create": "held", "validator": validator }).await.is_err() {
        return false;
    }
    let held = database.collection("held");
    held.insert_one(doc! { "_id": 1 }).await.is_err() && held.insert_one(doc! { "_id": 2, "wanted": 1 }).await.is_ok()
}

/// Tried in a collection of the database, in which it leaves nothing.
pub async fn transactions(database: &Database, collection: &str) -> bool {
    let Ok(mut session) = database.client().start_session().await else { return false };
    if session.start_transaction().await.is_err() {
        return false;
    }
    let (key, collection) = (doc! { "_id": uuid::Uuid::now_v7().to_string() }, database.collection(collection));
    let written = collection.insert_one(key.clone()).session(&mut session).await;
    let undone = session.abort_transaction().await;
    let left = collection.find_one_and_delete(key).await;
    written.is_ok() && undone.is_ok() && matches!(left, Ok(None))
}

async fn users(server: &Server, client: &Client, name: &str) -> bool {
    const USER: &str = "producer_trial";
    let database = client.database(name);
    let [right, wrong] = [uuid::Uuid::now_v7(), uuid::Uuid::now_v7()].map(|text| text.to_string());
    let role = doc! { "role": "read", "db": name };
    if database.run_command(doc! { "createUser": USER, "pwd": &right, "roles": [role] }).await.is_err() {
        return false;
    }
    let is_let_in = async |password: &str| {
        let user = RoleName::parse(USER).expect("a name");
        let server = server.in_database(name).as_user(&user, &Secret::new(Zeroizing::new(password.to_owned())));
        let Ok(client) = server.client(Pool::default()).await else { return false };
        client.database(name).run_command(doc! { "find": "plain", "limit": 1 }).await.is_ok()
    };
    let kept = is_let_in(&right).await && !is_let_in(&wrong).await;
    database.run_command(doc! { "dropUser": USER }).await.is_ok() && kept
}
