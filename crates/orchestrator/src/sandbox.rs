//! `--sandbox`: a task comes in, the same task goes out with a database of this machine in the place of the one that it names, and
//! what stands in for what. Nobody's server is asked anything.

use crate::response::Verification;
use plan::service::System;
use plan::{Phase, TaskPlan};
use spec::{DatabaseConfig, DatabaseName, DatabaseType, Provision, Spanned, Specification, Task};
use std::borrow::Cow;
use vocab::Engine;

/// Whether a run keeps to this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// Everything the task names is available here.
    On,
    /// The task means what it says.
    Off,
}

/// The name of a stand-in begins so: it must not be taken for the database itself.
const PREFIX: &str = "sandbox_";

impl Sandbox {
    /// The task as it is carried out.
    pub(crate) fn task(self, task: &Task) -> Cow<'_, Task> {
        let (Self::On, Specification::ConfigureDatabase(config)) = (self, &task.specification) else {
            return Cow::Borrowed(task);
        };
        let specification = Specification::ConfigureDatabase(stand_in(config));
        Cow::Owned(Task { specification, ..task.clone() })
    }

    /// Has the plan's provider played on this machine.
    pub(crate) fn play(self, plan: &mut TaskPlan) {
        if let (Self::On, TaskPlan::Api(plan)) = (self, plan)
            && let Some(service) = &mut plan.service
        {
            service.system = System::Simulated;
        }
    }

    /// What stands in for what; nothing where everything is what the task says.
    pub(crate) fn check(self, task: &Task) -> Option<Verification> {
        let (Self::On, Specification::ConfigureDatabase(config)) = (self, &task.specification) else { return None };
        let stand_in = stand_in(config);
        let what = format!("a database of this machine stands in for the {} {}", config.environment, config.kind.value);
        let detail = match (stand_in.kind.value, has_programs(config.kind.value)) {
            (DatabaseType::Sqlite, false) if config.kind.value != DatabaseType::Sqlite => {
                format!(
                    "`--sandbox`: an embedded SQLite file, since no programs of {} are installed here",
                    config.kind.value
                )
            }
            (DatabaseType::Sqlite, _) => "`--sandbox`: a SQLite file of the workspace".to_owned(),
            (kind, _) => format!("`--sandbox`: a private {kind} server of the workspace"),
        };
        Some(Verification::simulated(Phase::ProvisionDatabaseInstance, what, detail))
    }
}

fn stand_in(config: &DatabaseConfig) -> DatabaseConfig {
    let mut stand_in = config.clone();
    if !has_programs(config.kind.value) {
        stand_in.kind.value = DatabaseType::Sqlite;
        // Who can open the file may do everything.
        stand_in.roles.clear();
    }
    let place = config.connection.as_ref().map_or(&config.kind.place, |connection| &connection.place).clone();
    stand_in.connection = None;
    stand_in.provision = Some(Spanned { value: Provision::Local, place: place.clone() });
    let name = config.name.as_ref().map_or_else(|| format!("{}_db", config.environment), |name| name.value.to_string());
    stand_in.name =
        DatabaseName::parse(&format!("{PREFIX}{name}")).ok().map(|value| Spanned { value, place }).or(stand_in.name);
    stand_in
}

fn has_programs(kind: DatabaseType) -> bool {
    match kind {
        DatabaseType::PostgreSql => provision::are_installed(Engine::PostgreSql),
        DatabaseType::MySql => provision::are_installed(Engine::MySql),
        DatabaseType::Sqlite | DatabaseType::MongoDb => false,
    }
}
