//! What the planner decided, with the reason: the text of `run --plan` and of `plan.md`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The twelve fixed phases of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// What the API looks like.
    DesignApiArchitecture,
    /// What its endpoints do.
    ImplementEndpointLogic,
    /// Who may call it, and how often.
    SetupAuthenticationMiddleware,
    /// Its documents.
    CreateApiDocumentation,
    /// Where the database is.
    ProvisionDatabaseInstance,
    /// What it holds.
    CreateSchemaAndTables,
    /// Who may do what in it.
    SetupUserPermissions,
    /// How it is saved and brought back.
    ConfigureBackupProcedures,
    /// How a provider knows us.
    AuthenticateWithServiceApi,
    /// What is sent to a provider and when.
    ImplementIntegrationLogic,
    /// What happens when it fails.
    SetupErrorHandlingAndRetries,
    /// How one sees that it works.
    ConfigureMonitoringAndAlerts,
}

impl Phase {
    /// The fixed name, as in responses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DesignApiArchitecture => "design_api_architecture",
            Self::ImplementEndpointLogic => "implement_endpoint_logic",
            Self::SetupAuthenticationMiddleware => "setup_authentication_middleware",
            Self::CreateApiDocumentation => "create_api_documentation",
            Self::ProvisionDatabaseInstance => "provision_database_instance",
            Self::CreateSchemaAndTables => "create_schema_and_tables",
            Self::SetupUserPermissions => "setup_user_permissions",
            Self::ConfigureBackupProcedures => "configure_backup_procedures",
            Self::AuthenticateWithServiceApi => "authenticate_with_service_api",
            Self::ImplementIntegrationLogic => "implement_integration_logic",
            Self::SetupErrorHandlingAndRetries => "setup_error_handling_and_retries",
            Self::ConfigureMonitoringAndAlerts => "configure_monitoring_and_alerts",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The phase it belongs to.
    pub phase: Phase,
    /// What it is about: `POST /api/contact`.
    pub subject: String,
    /// What will be: `stores a contact message`.
    pub decision: String,
    /// Why: `rule form.contact: ...`.
    pub reason: String,
}
