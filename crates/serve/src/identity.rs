//! Which user a token of another issuer is about: what the token says comes in, who calls goes out. It is the user whom its `sub` was
//! kept with; who comes for the first time is the user with the address that the token has proved, or a new one. An address that its
//! account has not proved is nobody's: whoever has registered it first would get to see what its owner does.

use crate::account::{Accounts, Caller};
use crate::issuer::Issued;
use crate::run::{Failure, timestamp};
use dialect::Unsupported;
use jiff::Timestamp;
use plan::accounts::{CASE_ROLE as ROLE, NAME_MAX, NAME_OF_NEWCOMER, NOWHERE, Newcomers, identity_hash};
use plan::query::{OnConflict, Write};
use plan::{DatabasePlan, Problem, Value, system};
use std::sync::Arc;
use store::{Ended, Store, StoreError};
use vocab::{ColumnName, Datum, SlotName, TableName};

/// Who is known by tokens of another issuer, in one database.
pub(crate) struct Identities {
    pub accounts: Arc<Accounts>,
    store: Store,
    /// Of a new user; none where nobody new is taken in.
    newcomer: Option<Vec<ColumnName>>,
    add_user: Option<Arc<str>>,
    add_account: Arc<str>,
    add_identity: Arc<str>,
}

impl Identities {
    pub fn new(
        store: Store,
        database: &DatabasePlan,
        users: &TableName,
        newcomers: Newcomers,
        accounts: &Arc<Accounts>,
    ) -> Result<Self, Unsupported> {
        let insert = |table: &TableName, columns: &[ColumnName]| -> Result<Arc<str>, Unsupported> {
            let said = Value::Slot(SlotName::parse("said").expect("a literal that is a name"));
            let values = columns.iter().map(|column| (column.clone(), said.clone())).collect();
            let write = Write::Insert { table: table.clone(), values, on_conflict: OnConflict::Fail, made: None };
            Ok(Arc::from(dialect::lower_write(database, &write)?.text))
        };
        let columns = Some(newcomers.columns()).filter(|columns| !columns.is_empty());
        let named = |names: [&str; 5]| names.map(|name| ColumnName::parse(name).expect("a literal that is a name"));
        let of_account = named(["user_id", "role", "email_verified_at", "created_at", "password_hash"]);
        let of_identity = named(["hash", "issuer", "subject", "user_id", "created_at"]);
        Ok(Self {
            accounts: Arc::clone(accounts),
            store,
            add_user: columns.as_ref().map(|columns| insert(users, columns)).transpose()?,
            newcomer: columns,
            add_account: insert(&system::accounts().name, &of_account)?,
            add_identity: insert(&system::identities().name, &of_identity)?,
        })
    }

    /// Who calls.
    pub async fn find(&self, issuer: &str, issued: &Issued, now: Timestamp) -> Result<Arc<Caller>, Failure> {
        let hash = identity_hash(issuer, &issued.subject);
        if let Some(known) = self.accounts.recall(&hash).flatten() {
            return Ok(known);
        }
        if let Some(user) = self.accounts.user_of_identity(&hash).await? {
            return self.accounts.look_up_user(&hash, &user).await;
        }
        let made = self.begin(issuer, &hash, issued, now).await;
        match made {
            // The first requests of somebody may come at once.
            Ok(()) | Err(Failure::Store(StoreError::Conflict)) => {}
            Err(failure) => return Err(failure),
        }
        match self.accounts.user_of_identity(&hash).await? {
            Some(user) => self.accounts.look_up_user(&hash, &user).await,
            None => Err(Problem::UnknownUser.into()),
        }
    }

    /// Keeps whom the token is about, with a new user where nobody has its address.
    async fn begin(&self, issuer: &str, hash: &str, issued: &Issued, now: Timestamp) -> Result<(), Failure> {
        let known = match &issued.email {
            Some(email) => self.accounts.user_of_address(email).await?,
            None => None,
        };
        let (user, is_new) = match &known {
            Some((user, _)) => (user.clone(), false),
            None => (uuid::Uuid::now_v7().to_string(), true),
        };
        let has_account = match &known {
            Some((_, Some(false))) => return Err(Problem::UnknownUser.into()),
            Some((_, Some(true))) => true,
            Some((_, None)) | None => false,
        };
        let at = || Datum::Text(timestamp(now));
        let text = |text: &str| Datum::Text(text.to_owned());
        let mut statements: Vec<(Arc<str>, Vec<Datum>)> = Vec::new();
        if is_new {
            let (Some(add), Some(columns)) = (&self.add_user, &self.newcomer) else {
                return Err(Problem::UnknownUser.into());
            };
            let value = |column: &ColumnName| match column.as_str() {
                "id" => text(&user),
                "email" => text(issued.email.as_deref().unwrap_or(&format!("{user}@{NOWHERE}"))),
                NAME_OF_NEWCOMER => text(&name(issued)),
                "row_version" => Datum::Integer(1),
                _ => at(),
            };
            statements.push((Arc::clone(add), columns.iter().map(value).collect()));
        }
        if !has_account {
            let proved = issued.email.as_ref().map_or(Datum::Null, |_| at());
            let account = vec![text(&user), text(ROLE), proved, at(), Datum::Null];
            statements.push((Arc::clone(&self.add_account), account));
        }
        let identity = vec![text(hash), text(issuer), text(&issued.subject), text(&user), at()];
        statements.push((Arc::clone(&self.add_identity), identity));
        let work = self.store.transaction(move |mut transaction| {
            Box::pin(async move {
                for (statement, binds) in &statements {
                    transaction.execute(statement, binds).await?;
                }
                Ok(Ended::Commit(()))
            })
        });
        work.await?;
        Ok(())
    }
}

/// What a new user is called: as the token says, on one line; else by the subject.
fn name(issued: &Issued) -> String {
    let said = issued.name.as_deref().unwrap_or_default();
    let line: String = said.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    let line = Some(line.trim()).filter(|line| !line.is_empty()).unwrap_or(&issued.subject).to_owned();
    line.chars().filter(|sign| !sign.is_control()).take(NAME_MAX as usize).collect()
}
