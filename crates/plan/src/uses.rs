//! What the procedures of an API do with the tables of its database: a plan comes in, what its server must be let do goes out,
//! down to the column. It never says more than a statement of the server needs.

use crate::accounts::{Accounts, Newcomers};
use crate::database::permission::{OwnedBy, TableUse, Uses};
use crate::database::{Nullability, Table};
use crate::procedure::{Item, Procedure, Step};
use crate::query::{Assigned, OnConflict, Output, Predicate, Query, RowLock, Write};
use crate::{Cache, Plan, question, service, system};
use std::collections::BTreeSet;
use vocab::{ColumnName, TableName};

/// What a procedure does.
#[must_use]
pub fn of_procedure(tables: &[Table], procedure: &Procedure) -> Uses {
    let mut found = Found { tables, uses: Uses::new(), locked: BTreeSet::new() };
    found.items(&procedure.body);
    found.uses
}

/// The tables of which a procedure reads rows.
#[must_use]
pub fn reads(tables: &[Table], procedure: &Procedure) -> BTreeSet<TableName> {
    let used = of_procedure(tables, procedure).into_iter();
    used.filter(|(_, used)| !used.reads.is_empty()).map(|(name, _)| name).collect()
}

/// The tables of which a procedure makes, changes or removes rows, and those whose rows may go or change with them.
#[must_use]
pub fn writes(tables: &[Table], procedure: &Procedure) -> BTreeSet<TableName> {
    let used = of_procedure(tables, procedure);
    let changed = used.iter().filter(|(_, used)| used.deletes || !used.inserts.is_empty() || !used.updates.is_empty());
    let mut written: BTreeSet<TableName> = changed.map(|(name, _)| name.clone()).collect();
    let mut gone: Vec<&TableName> = used.iter().filter(|(_, used)| used.deletes).map(|(name, _)| name).collect();
    while let Some(name) = gone.pop() {
        let leads = |table: &&Table| table.rules.foreign_keys.iter().any(|key| key.table == *name);
        for table in tables.iter().filter(leads) {
            if written.insert(table.name.clone()) {
                gone.push(&table.name);
            }
        }
    }
    written
}

/// The tables of which answers tell that everybody may keep.
#[must_use]
pub fn kept(plan: &Plan) -> BTreeSet<TableName> {
    let kept = plan.api.endpoints.iter().filter(|endpoint| matches!(endpoint.cache, Cache::Public(_)));
    kept.flat_map(|endpoint| reads(&plan.database.tables, &endpoint.procedure)).collect()
}

/// What the servers of the plan do. The ledger of migrations, by which they tell that they are ready, is not part of it.
#[must_use]
pub fn uses(plan: &Plan) -> Uses {
    let mut found = Found { tables: &plan.database.tables, uses: Uses::new(), locked: BTreeSet::new() };
    let keys = system::api_keys();
    if plan.database.tables.iter().any(|table| table.name == keys.name) {
        found.keys(&keys);
    }
    if let Some(accounts) = &plan.api.accounts {
        found.accounts();
        if let Some(newcomers) = accounts.newcomers {
            found.newcomers(accounts, newcomers);
        }
        accounts.owned.values().for_each(|by| found.owned(by));
    }
    if plan.has_deliveries() {
        found.deliveries();
    }
    if plan.has_suppressions() {
        found.suppressions();
    }
    if plan.api.subscribers.is_some() {
        found.subscribers();
    }
    if plan.intake().is_some() {
        found.heard();
    }
    if plan.keeps_tokens() {
        found.tokens();
    }
    if !plan.syncs().is_empty() {
        found.syncs();
    }
    if plan.alerts().is_some() {
        found.alerts();
    }
    for endpoint in &plan.api.endpoints {
        found.items(&endpoint.procedure.body);
        if plan.api.answers_questions() {
            found.items(&question::of(&endpoint.procedure).body);
        }
    }
    for procedure in plan.intake().iter().flat_map(|intake| intake.all()) {
        found.items(&procedure.body);
    }
    for procedure in plan.syncs().iter().flat_map(service::SyncPlan::all) {
        found.items(&procedure.body);
    }
    found.lock();
    found.uses
}

struct Found<'p> {
    tables: &'p [Table],
    uses: Uses,
    /// Tables of which rows are held.
    locked: BTreeSet<TableName>,
}

impl Found<'_> {
    fn of(&mut self, table: &TableName) -> &mut TableUse {
        self.uses.entry(table.clone()).or_default()
    }

    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Let(_, step) | Item::Do(step) => self.step(step),
                Item::Transaction(inner) => self.items(inner),
                Item::Each(each) => self.items(&each.body),
                Item::Match(_, arms) => arms.iter().for_each(|(_, inner)| self.items(inner)),
                Item::Exit(..) | Item::Promise(_) => {}
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Claim | Step::Recall(_) => {
                let answers = system::idempotency_answers();
                let all: BTreeSet<ColumnName> = answers.columns.iter().map(|column| column.name.clone()).collect();
                let used = self.of(&answers.name);
                *used = TableUse { reads: all.clone(), inserts: all.clone(), updates: all, deletes: true };
            }
            Step::Emit { .. } => {
                let outbox = system::outbox_events();
                let given = outbox.columns.iter().filter(|column| column.nullability == Nullability::NotNull);
                self.of(&outbox.name).inserts.extend(given.map(|column| column.name.clone()));
            }
            Step::Read { query, .. } => self.query(query),
            Step::Write(write) => self.write(write),
            Step::Authorize { .. }
            | Step::Limit { .. }
            | Step::LimitEach { .. }
            | Step::Part { .. }
            | Step::Form
            | Step::Spare { .. }
            | Step::SameOrigin
            | Step::SetSession(_)
            | Step::Validate(_)
            | Step::Patched { .. }
            | Step::May { .. }
            | Step::Ping
            | Step::Generate(_)
            | Step::Evaluate(_)
            | Step::Check(_)
            | Step::Digest(_)
            | Step::Successor(_)
            | Step::HashPassword(_)
            | Step::VerifyPassword { .. }
            | Step::Await { .. }
            | Step::Fetch { .. }
            | Step::Received(_)
            | Step::Hear(_)
            | Step::IssueToken { .. }
            | Step::Presign { .. } => {}
        }
    }

    /// Found by their hash and noted as used; and made, rotated and revoked by the commands for them, which connect as the server
    /// and work for every API.
    fn keys(&mut self, keys: &Table) {
        let all = || keys.columns.iter().map(|column| column.name.clone());
        let changes = ["expires_at", "last_used_at", "revoked_at"];
        let used = self.of(&keys.name);
        used.reads.extend(all());
        used.inserts.extend(all());
        used.updates.extend(all().filter(|column| changes.contains(&column.as_str())));
    }

    /// Whoever asks whether a token is good reads the session and the account; keys that sign are made when their time comes; what is over is
    /// forgotten.
    fn accounts(&mut self) {
        for table in system::of_accounts() {
            let all: BTreeSet<ColumnName> = table.columns.iter().map(|column| column.name.clone()).collect();
            let used = self.of(&table.name);
            used.reads.extend(all.clone());
            if table.name == system::signing_keys().name {
                used.inserts.extend(all);
            } else if table.name != system::accounts().name {
                used.deletes = true;
            }
        }
    }

    /// Who is seen for the first time with a token of another issuer gets a user.
    fn newcomers(&mut self, accounts: &Accounts, newcomers: Newcomers) {
        for table in [system::accounts(), system::identities()] {
            let all = || table.columns.iter().map(|column| column.name.clone());
            let used = self.of(&table.name);
            used.reads.extend(all());
            used.inserts.extend(all());
        }
        let users = self.of(&accounts.users);
        users.reads.extend(["id", "email"].into_iter().filter_map(|name| ColumnName::parse(name).ok()));
        users.inserts.extend(newcomers.columns());
    }

    /// The database looks, for whoever asks, whose the row is that another leads to.
    fn owned(&mut self, by: &OwnedBy) {
        match by {
            OwnedBy::User(_) => {}
            OwnedBy::Row { table, key, .. } => {
                self.of(table).reads.insert(key.clone());
            }
        }
    }

    /// Events are read and noted as dispatched; what becomes of them is kept, changed, and forgotten when it is old.
    fn deliveries(&mut self) {
        self.of(&system::outbox_events().name).deletes = true;
        let outbox = system::outbox_events();
        let used = self.of(&outbox.name);
        used.reads.extend(outbox.columns.iter().map(|column| column.name.clone()));
        used.updates.extend(
            outbox.columns.iter().map(|column| &column.name).filter(|name| name.as_str() == "dispatched_at").cloned(),
        );
        for table in system::of_deliveries() {
            let all: BTreeSet<ColumnName> = table.columns.iter().map(|column| column.name.clone()).collect();
            *self.of(&table.name) = TableUse { reads: all.clone(), inserts: all.clone(), updates: all, deletes: true };
        }
    }

    /// Rows are looked at, made and changed, each column of them.
    fn keeps(&mut self, table: &Table) {
        let all: BTreeSet<ColumnName> = table.columns.iter().map(|column| column.name.clone()).collect();
        let used = self.of(&table.name);
        used.reads.extend(all.clone());
        used.inserts.extend(all.clone());
        used.updates.extend(all);
    }

    /// Whoever renews a token leases it, and keeps another.
    fn tokens(&mut self) {
        self.keeps(&system::kept_tokens());
    }

    /// Whoever reads what has changed leases it, and notes how far it has come.
    fn syncs(&mut self) {
        self.keeps(&system::sync_states());
    }

    /// Whoever looks how integrations stand notes it, and tells of it. What they read is read by whoever delivers and syncs.
    fn alerts(&mut self) {
        self.keeps(&system::integration_alerts());
        self.tells();
    }

    /// Events that no procedure emits.
    fn tells(&mut self) {
        let names = ["id", "name", "payload", "occurred_at"];
        let names = names.into_iter().filter_map(|name| ColumnName::parse(name).ok());
        self.of(&system::outbox_events().name).inserts.extend(names);
    }

    /// The worker asks for an address before it writes to it, and keeps those that are nobody's; the commands for them, which connect as the
    /// server, keep and remove others.
    fn suppressions(&mut self) {
        let table = system::mail_suppressions();
        let all: BTreeSet<ColumnName> = table.columns.iter().map(|column| column.name.clone()).collect();
        let used = self.of(&table.name);
        used.reads.extend(all.clone());
        used.inserts.extend(all);
        used.deletes = true;
    }

    /// The worker looks who subscribes, keeps how deliveries went, and tells of it.
    fn subscribers(&mut self) {
        let table = system::webhook_subscriptions();
        let names = |wanted: &[&str]| wanted.iter().filter_map(|name| ColumnName::parse(name).ok()).collect::<Vec<_>>();
        let used = self.of(&table.name);
        used.reads.extend(table.columns.iter().map(|column| column.name.clone()));
        used.updates.extend(names(&["failing_since", "warned_at", "disabled_at", "status"]));
        self.tells();
    }

    /// What was heard is forgotten when the provider does not say it again any more.
    fn heard(&mut self) {
        let inbox = system::inbox_events();
        let used = self.of(&inbox.name);
        used.reads.extend(inbox.columns.iter().map(|column| column.name.clone()));
        used.deletes = true;
    }

    fn query(&mut self, query: &Query) {
        let mut columns = BTreeSet::new();
        for output in &query.outputs {
            match output {
                Output::Column { column, .. } => {
                    columns.insert(column.clone());
                }
                Output::Related(related) => {
                    if let Some(through) = &related.through {
                        let mut leads = BTreeSet::from([through.local.clone(), through.foreign.clone()]);
                        filtered(&through.filter, &mut leads);
                        self.of(&through.table).reads.extend(leads);
                    }
                    columns.insert(related.local.clone());
                    self.of(&related.query.from).reads.insert(related.foreign.clone());
                    self.query(&related.query);
                }
            }
        }
        columns.extend(query.order.iter().map(|order| order.column.clone()));
        columns.extend(query.holes.filters.iter().map(|(column, _)| column.clone()));
        columns.extend(query.holes.sorts.iter().cloned());
        filtered(&query.filter, &mut columns);
        self.of(&query.from).reads.extend(columns);
        match query.lock {
            RowLock::None => {}
            RowLock::ForUpdate => {
                self.locked.insert(query.from.clone());
            }
        }
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::Insert { table, values, on_conflict, made } => {
                let used = self.of(table);
                used.inserts.extend(values.iter().map(|(column, _)| column.clone()));
                used.reads.extend(made.clone());
                match on_conflict {
                    OnConflict::Fail => {}
                    OnConflict::Keep { unique } => used.reads.extend(unique.iter().cloned()),
                    OnConflict::Replace { unique, columns } => {
                        used.reads.extend(unique.iter().chain(columns).cloned());
                        used.updates.extend(columns.iter().cloned());
                    }
                }
            }
            Write::Update { table, set, filter } => {
                let mut read = BTreeSet::new();
                filtered(filter, &mut read);
                let used = self.of(table);
                for (column, assigned) in set {
                    used.updates.insert(column.clone());
                    match assigned {
                        Assigned::Value(_) => {}
                        Assigned::Known(_) | Assigned::Plus(_) | Assigned::Less(_) | Assigned::IfGiven(..) => {
                            used.reads.insert(column.clone());
                        }
                    }
                }
                used.reads.extend(read);
            }
            Write::Delete { table, filter } => {
                let mut read = BTreeSet::new();
                filtered(filter, &mut read);
                let used = self.of(table);
                used.deletes = true;
                used.reads.extend(read);
            }
            Write::Add(add) => {
                let mut read = BTreeSet::from([add.leads.clone(), add.amount.clone()]);
                filtered(&add.filter, &mut read);
                self.of(&add.from).reads.extend(read);
                let used = self.of(&add.table);
                used.reads.extend([add.key.clone(), add.column.clone()]);
                used.updates.insert(add.column.clone());
            }
        }
    }

    /// Rows are held only by who may change something of them: their time, which the database keeps, where there is nothing else.
    fn lock(&mut self) {
        for table in self.tables.iter().filter(|table| self.locked.contains(&table.name)) {
            let used = self.uses.entry(table.name.clone()).or_default();
            if used.updates.is_empty() {
                let time = table.columns.iter().map(|column| &column.name).find(|name| name.as_str() == "updated_at");
                used.updates.extend(time.or(table.primary_key.first()).cloned());
            }
        }
    }
}

fn filtered(predicates: &[Predicate], columns: &mut BTreeSet<ColumnName>) {
    for predicate in predicates {
        match predicate {
            Predicate::Compare(column, ..) | Predicate::Null(column) => {
                columns.insert(column.clone());
            }
            Predicate::Test(..) => {}
            Predicate::Any(inner) | Predicate::All(inner) => filtered(inner, columns),
            Predicate::Not(inner) => filtered(std::slice::from_ref(inner), columns),
        }
    }
}
