//! What every topic needs: a workspace of its own, the two servers over it, and a client that sends exactly what it is told.

pub mod bucket;
pub mod client;
pub mod granting;
pub mod listener;
pub mod mysql;
pub mod played;
pub mod postgresql;
pub mod rooms;
pub mod schema;
pub mod script;
pub mod server;
pub mod workspace;

use std::path::{Path, PathBuf};
use store::{Ended, Location, Store};

/// The sample task that the product carries out.
pub const CONTACT_NEWSLETTER: &str = "tests/cases/tasks/contact-newsletter-api.yaml";
/// Its id.
pub const TASK_ID: &str = "integration_2025_001";

/// The tasks whose APIs are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// [`CONTACT_NEWSLETTER`].
    ContactNewsletter,
    /// Records: one kind whose fields the task names, and one of the catalogue.
    Products,
    /// Money, dates and choices.
    Invoices,
    /// What endpoints may do beside storing records.
    Behaviours,
    /// People who sign in.
    Accounts,
    /// Records that the tables of a database task hold.
    Workshop,
    /// Records that belong to whoever signs in.
    Notes,
    /// Orders that belong to whoever signs in.
    Orders,
    /// People who are known by the cookie of their session.
    Sessions,
    /// The same where keys are of many kinds.
    Depot,
    /// Calls that their senders prove.
    Senders,
}

impl Sample {
    pub fn task(self) -> PathBuf {
        repository(match self {
            Self::ContactNewsletter => CONTACT_NEWSLETTER,
            Self::Products => "tests/cases/tasks/products-api.yaml",
            Self::Invoices => "tests/cases/tasks/invoices-api.yaml",
            Self::Behaviours => "tests/cases/tasks/behaviours-api.yaml",
            Self::Accounts => "tests/cases/tasks/accounts-api.yaml",
            Self::Workshop => "tests/cases/tasks/together/workshop-on-tables.yaml",
            Self::Notes => "tests/cases/tasks/together/notes-of-users.yaml",
            Self::Orders => "tests/cases/tasks/together/orders-of-users.yaml",
            Self::Sessions => "tests/cases/tasks/sessions-api.yaml",
            Self::Depot => "tests/cases/tasks/together/keys-on-tables.yaml",
            Self::Senders => "examples/incoming-webhooks.yaml",
        })
    }

    pub fn id(self) -> &'static str {
        match self {
            Self::ContactNewsletter => TASK_ID,
            Self::Products => "products_2025_001",
            Self::Invoices => "invoices_2025_001",
            Self::Behaviours => "behaviours_2025_001",
            Self::Accounts => "accounts_2025_001",
            Self::Workshop => "workshop_api_2025_001",
            Self::Notes => "notes_api_2025_001",
            Self::Orders => "orders_api_2025_001",
            Self::Sessions => "sessions_2025_001",
            Self::Depot => "depot_api_2025_001",
            Self::Senders => "incoming_webhooks",
        }
    }

    /// The folder of the cases about its API.
    pub fn cases(self) -> PathBuf {
        repository(match self {
            Self::ContactNewsletter => "tests/cases/http",
            Self::Products => "tests/cases/http/products",
            Self::Invoices => "tests/cases/http/invoices",
            Self::Behaviours => "tests/cases/http/behaviours",
            Self::Accounts => "tests/cases/http/accounts",
            Self::Workshop => "tests/cases/http/on_tables",
            Self::Notes => "tests/cases/http/of_users",
            Self::Orders => "tests/cases/http/of_orders",
            Self::Sessions => "tests/cases/http/sessions",
            Self::Depot => "tests/cases/http/on_keys",
            Self::Senders => "tests/cases/http/senders",
        })
    }

    /// Requests after which a server's limiter has too much of a past for another case; somewhat less than the task allows a minute.
    pub fn most_requests(self) -> u32 {
        match self {
            Self::ContactNewsletter => 80,
            Self::Products
            | Self::Invoices
            | Self::Behaviours
            | Self::Accounts
            | Self::Workshop
            | Self::Notes
            | Self::Orders
            | Self::Sessions
            | Self::Depot
            | Self::Senders => 150,
        }
    }

    /// The name of its database in the workspace.
    pub fn database(self) -> &'static str {
        match self {
            Self::ContactNewsletter
            | Self::Products
            | Self::Invoices
            | Self::Behaviours
            | Self::Accounts
            | Self::Sessions
            | Self::Senders => "embedded",
            Self::Workshop => "workshop",
            Self::Notes => "notes",
            Self::Orders => "orders",
            Self::Depot => "depot",
        }
    }

    /// The folder of what a run gave.
    pub fn golden(self) -> &'static str {
        match self {
            Self::ContactNewsletter => "tests/cases/golden/contact-newsletter",
            Self::Products => "tests/cases/golden/products",
            Self::Invoices => "tests/cases/golden/invoices",
            Self::Behaviours => "tests/cases/golden/behaviours",
            Self::Accounts => "tests/cases/golden/accounts",
            Self::Workshop => "tests/cases/golden/workshop-on-tables",
            Self::Notes => "tests/cases/golden/notes-of-users",
            Self::Orders => "tests/cases/golden/orders-of-users",
            Self::Sessions => "tests/cases/golden/sessions",
            Self::Depot => "tests/cases/golden/keys-on-tables",
            Self::Senders => "tests/cases/golden/incoming-webhooks",
        }
    }
}

/// What senders prove their calls with in the tests.
pub const SENDERS: [(&str, &str); 6] = [
    ("EVENTS_SECRET", "whsec_plJ3nmyCDGBKInavdOK15jsl"),
    ("BILLING_SECRET", "what billing signs with"),
    ("BILLING_SECRET_BEFORE", "what it has signed with before"),
    ("SENSORS_SECRET", "what sensors sign with"),
    ("GITHUB_SECRET", "It's a Secret to Everybody"),
    ("DOOR_TOKEN", "open sesame"),
];

/// A body that `POST /api/contact` accepts.
pub const MESSAGE: &str = r#"{"name":"Ada","email":"ada@example.com","message":"Hello"}"#;
/// A body that `POST /api/newsletter` accepts.
pub const SUBSCRIPTION: &str = r#"{"email":"ada@example.com"}"#;

/// A file or folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap().join(path)
}

/// Whether the cases' expected files are to be written anew.
pub fn is_updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// Does something while another program holds the database's write lock.
pub fn while_locked<T>(workspace: &workspace::Workspace, work: impl FnOnce() -> T) -> T {
    let store = Store::open(&Location::File(workspace.database_file())).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (locked, wait_locked) = std::sync::mpsc::channel();
    let (release, wait_release) = std::sync::mpsc::channel::<()>();
    let holding = runtime.spawn(async move {
        store
            .transaction(move |_transaction| {
                locked.send(()).unwrap();
                // Ends when the other side is dropped.
                let _ = wait_release.recv();
                Box::pin(async { Ok(Ended::Undo(())) })
            })
            .await
    });
    wait_locked.recv().unwrap();
    let result = work();
    drop(release);
    runtime.block_on(holding).unwrap().unwrap();
    result
}

/// Makes a module with one test for each server out of every function named; the functions take the server's kind.
macro_rules! on_both_servers {
    ($($name:ident),* $(,)?) => {
        mod native {
            $(#[test]
            fn $name() {
                super::$name($crate::harness::server::Kind::Native);
            })*
        }
        mod node {
            $(#[test]
            fn $name() {
                if $crate::harness::server::Kind::Node.is_here() {
                    super::$name($crate::harness::server::Kind::Node);
                }
            })*
        }
    };
}
pub(crate) use on_both_servers;
