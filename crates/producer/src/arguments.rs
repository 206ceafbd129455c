//! The arguments of every command.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const FIRST_STEPS: &str = "\
First steps:
  producer run task.yaml --serve     carry a task out and serve its API
  producer keys create --name me     make an API key for it
  producer status                    see how the tasks of this folder stand

Exit status: 0 completed, 1 failed, 2 the task is wrong, 3 waiting for another task, 4 a database differs from its task, 5 something in a database could be better.";

/// Turns a short YAML task into a working, verified back end.
#[derive(Debug, Parser)]
#[command(name = "producer", version, about, arg_required_else_help = true, after_help = FIRST_STEPS)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Carry tasks out and answer them.
    Run(Run),
    /// Say what is wrong with tasks, without any effect.
    Check(Check),
    /// Serve every API completed in the workspace.
    Serve(Serve),
    /// Show how the tasks of the workspace stand, or one of them in detail.
    Status(Status),
    /// Print the JSON Schema of tasks, for editors.
    Schema,
    /// Create, list and revoke the API keys of the workspace.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Say what the accounts of people may do.
    #[command(subcommand)]
    Accounts(AccountsCommand),
    /// Set, list, export and remove the secrets of the workspace.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Compare a database with its task, change it, take the last change back, show what it holds and what could be better; start and stop the servers that
    /// tasks with `provision: local` have made.
    #[command(subcommand)]
    Db(DbCommand),
    /// List the providers that services can be integrated with, show what one needs and does, check manifests of one's own, try one
    /// at the provider itself.
    Providers(Providers),
    /// List what is brought to the services, show what was tried, give what was given up another chance.
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// List the mails that events make, and show what one says.
    #[command(subcommand)]
    Mail(MailCommand),
    /// Play a provider on this machine from its manifest: it keeps what it is given, knows keys, refuses, sends signed webhooks.
    Simulate(Simulate),
    /// Explain a diagnostic code and how to mend what it means.
    Explain {
        /// The code, as `IP104`.
        code: String,
    },
}

#[derive(Debug, Args)]
pub struct Run {
    /// Task files, folders of them, or `-` for standard input.
    #[arg(required = true, value_name = "TASK")]
    pub tasks: Vec<String>,
    #[command(flatten)]
    pub place: Place,
    /// The folder in which each task gets a folder of its own. [default: <workspace>/output/integration]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// Wait for dependencies that this workspace does not know, instead of taking them to be done.
    #[arg(long)]
    pub require_dependencies: bool,
    /// Also make changes that lose something: a column, a table, digits. Without it they are named and not made.
    #[arg(long)]
    pub allow_destructive: bool,
    /// Keep to this machine: a private server, or an embedded file, stands in for the database that a task names, and the response
    /// says so. Best in a workspace of its own.
    #[arg(long)]
    pub sandbox: bool,
    /// Show the plan with its reasons and stop; with `--format json`, the whole plan.
    #[arg(long)]
    pub plan: bool,
    /// Keep serving the workspace afterwards, if every task was completed.
    #[arg(long)]
    pub serve: bool,
    #[command(flatten)]
    pub listen: Listen,
    /// The form of the response.
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Task files, folders of them, or `-` for standard input.
    #[arg(required = true, value_name = "TASK")]
    pub tasks: Vec<String>,
    #[command(flatten)]
    pub place: Place,
    /// The form of the findings.
    #[arg(long, value_enum, default_value_t = Listing::Text)]
    pub format: Listing,
}

#[derive(Debug, Args)]
pub struct Status {
    /// The task to show in detail: its routes, folder, plan, warnings, and how its last run ended.
    pub task_id: Option<String>,
    #[command(flatten)]
    pub place: Place,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Listing::Text)]
    pub format: Listing,
}

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub listen: Listen,
}

#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Start one server of the workspace, or all of them; they go on when this command ends.
    Start(Servers),
    /// Stop one server of the workspace, or all of them; what they keep stays.
    Stop(Servers),
    /// Show how the database differs from what its task wants. Exit status: 0 it does not, 4 it does.
    Diff {
        /// A task file, or `-` for standard input.
        task: String,
        #[command(flatten)]
        place: Place,
        /// The form of the answer.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Make the database as its task wants it, also where somebody has changed it by hand.
    Migrate(Migrate),
    /// Take back what the last run or `db migrate` of a task changed in its database.
    Undo {
        /// A task of the workspace, or a task file.
        task: String,
        #[command(flatten)]
        place: Place,
        /// The folder in which each task has a folder of its own. [default: <workspace>/output/integration]
        #[arg(long, value_name = "FOLDER")]
        output: Option<PathBuf>,
        /// Show what would be done, and stop.
        #[arg(long)]
        plan: bool,
        /// Also where something is lost by it. Without it that is named and not done.
        #[arg(long)]
        allow_destructive: bool,
        /// Only if it is this one that is taken back; needed where the last run failed and has left nothing.
        #[arg(long, value_name = "NAME")]
        migration: Option<String>,
    },
    /// Show what could be better in the database of a task: indexes, keys, types, settings. It is looked at and not changed. Exit
    /// status: 0 nothing was found, 5 something was.
    Optimize {
        /// A task of the workspace, or a task file.
        task: String,
        /// For how many days the uses of an index must have been counted before it is called unused.
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        unused_after: u32,
        #[command(flatten)]
        place: Place,
        /// The form of the findings.
        #[arg(long, value_enum, default_value_t = FindingsForm::Text)]
        format: FindingsForm,
    },
    /// Back the database of a task up.
    Backup {
        /// A task of the workspace.
        task: String,
        /// Only keep the server's log since it was kept last, where the task has `point_in_time`; `producer serve` does it every minute.
        #[arg(long)]
        log: bool,
        #[command(flatten)]
        place: Place,
        /// The form of the answer.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// List the backups of a task's database: the moment that each holds, and when it was last restored and compared.
    Backups {
        /// A task of the workspace.
        task: String,
        /// The folder with a folder of backups for each task. [default: where the plan says]
        #[arg(long, value_name = "FOLDER")]
        from: Option<PathBuf>,
        /// List what was done with them instead.
        #[arg(long)]
        history: bool,
        #[command(flatten)]
        place: Place,
        /// The form of the list.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Restore the database of a task from a backup into a new file, after comparing it with what was backed up. Nothing is written
    /// over.
    Restore(Restore),
    /// Restore the newest backup where nobody sees it and compare it with what was backed up. Exit status: 0 it is the same within
    /// its objectives, 4 an objective was missed.
    Drill {
        /// A task of the workspace.
        task: String,
        /// The backup. [default: the newest]
        #[arg(long, value_name = "NAME")]
        backup: Option<String>,
        #[command(flatten)]
        place: Place,
        /// The form of the answer.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Take away backups that are older than they are kept for.
    Prune {
        /// A task of the workspace.
        task: String,
        /// Show what would be taken away, and stop.
        #[arg(long)]
        plan: bool,
        #[command(flatten)]
        place: Place,
        /// The form of the answer.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Show what the database of a task holds.
    Inspect {
        /// A task of the workspace, or a task file.
        task: String,
        #[command(flatten)]
        place: Place,
        /// The form of the answer.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
}

#[derive(Debug, Args)]
pub struct Restore {
    /// A task of the workspace; one that it does not know comes along with the backup where `--from` says where that is.
    pub task: String,
    /// The moment whose state is wanted, as `2030-01-31T12:00:00Z`: the newest backup until then is taken. [default: the newest]
    #[arg(long, value_name = "TIME", conflicts_with = "backup")]
    pub to: Option<String>,
    /// The backup, as `producer db backups` lists it.
    #[arg(long, value_name = "NAME")]
    pub backup: Option<String>,
    /// The folder with a folder of backups for each task. [default: where the plan says]
    #[arg(long, value_name = "FOLDER")]
    pub from: Option<PathBuf>,
    /// The new file. [default: beside the database, or its place where nothing is there]
    #[arg(long, value_name = "FILE", conflicts_with = "over")]
    pub into: Option<PathBuf>,
    /// Restore in the place of the database of that name, which is put aside and kept.
    #[arg(long, value_name = "NAME")]
    pub over: Option<String>,
    /// Show what would be done, and stop.
    #[arg(long)]
    pub plan: bool,
    #[command(flatten)]
    pub place: Place,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Listing::Text)]
    pub format: Listing,
}

#[derive(Debug, Args)]
pub struct Migrate {
    /// A task file, or `-` for standard input.
    pub task: String,
    #[command(flatten)]
    pub place: Place,
    /// The folder in which each task gets a folder of its own. [default: <workspace>/output/integration]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// Show the statements that would run, and stop.
    #[arg(long)]
    pub plan: bool,
    /// Also make changes that lose something, and take away what somebody has added to the tables of the task. Without it they
    /// are named and not made.
    #[arg(long)]
    pub allow_destructive: bool,
    /// The form of the response.
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key and show it, once.
    Create {
        /// Who will use it.
        #[arg(long)]
        name: String,
        /// When it stops working: after `90d`, `12h`, `30m`, or at a time such as `2030-01-31T00:00:00Z`. [default: never]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// What it may be used for: `products:read`, `products:write`, `*:read` ...; may be given several times. [default: everything]
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List the keys without showing them.
    List {
        #[command(flatten)]
        place: Place,
        /// A table, or JSON.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Make a key in the place of another one and show it, once; both work for a while.
    Rotate {
        /// The id of the other one, or its beginning, from the list.
        id: String,
        /// How long the other one goes on working: `24h`, `7d`, `30m`, or `0`.
        #[arg(long, value_name = "LENGTH", default_value = "24h")]
        overlap: String,
        #[command(flatten)]
        place: Place,
    },
    /// Make a key useless, within a second.
    Revoke {
        /// Its id, or its beginning, from the list.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub enum AccountsCommand {
    /// Give an account a role, as the first administrator needs one; it counts within a second.
    Role {
        /// The address that the account signs in with.
        email: String,
        /// The role that endpoints ask for (`access: role:admin`), or `user`.
        role: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Keep a value that standard input brings, or that is asked for without showing it; never one of the command line.
    Set {
        /// What tasks call it: `${secret:NAME}`.
        name: String,
        /// For how long the value before is taken as well where a provider's calls come in: `24h`, `30m`, `7d`.
        #[arg(long, value_name = "LENGTH")]
        overlap: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List the secrets without showing them.
    List {
        #[command(flatten)]
        place: Place,
        /// A table, or JSON.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Give the database role whose password a secret is a new one, on the server and in the store.
    Rotate {
        /// The secret's name, from the list: `TASK/ROLE`.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Have somebody agree at a provider that asks for it (OAuth 2.0): prints the address to open, and keeps what it leads to.
    Connect(Connect),
    /// Hand secrets out in clear, for a deployment.
    Export(Export),
    /// Forget a secret.
    Remove {
        /// Its name, from the list.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Lock the store with another key: the one in `PRODUCER_SECRET_KEY_NEW`, or one in a file that is made.
    Rekey {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub struct Connect {
    /// The task that integrates the service: its id, or its file.
    pub task: String,
    /// The address of this machine to which the browser is led back. The provider must know it, as `http://127.0.0.1:8734/oauth/callback`.
    #[arg(long, default_value = "127.0.0.1:8734", value_name = "ADDRESS", conflicts_with = "paste")]
    pub listen: String,
    /// The address to which the provider leads back, where it knows another one than that.
    #[arg(long, value_name = "URL")]
    pub redirect: Option<String>,
    /// Wait for no browser: the address to which it was led, or the code in it, is typed or comes from standard input.
    #[arg(long)]
    pub paste: bool,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target").required(true))]
pub struct Export {
    /// The secrets, by name. [default: all of them]
    pub names: Vec<String>,
    /// What the deployment of a task needs instead: `DATABASE_URL`, with the application's role and its password, and `AUTH_SECRET` where people sign in
    #[arg(long = "for", value_name = "TASK", conflicts_with = "names")]
    pub deployment: Option<String>,
    /// The file that gets them; only this user may read it.
    #[arg(long, value_name = "FILE", group = "target")]
    pub to: Option<PathBuf>,
    /// Print them.
    #[arg(long, group = "target")]
    pub stdout: bool,
    /// Lines of an environment file, or JSON.
    #[arg(long, value_enum, default_value_t = ExportFormat::Env)]
    pub format: ExportFormat,
    #[command(flatten)]
    pub place: Place,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// `NAME=value` lines.
    Env,
    /// One object.
    Json,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Providers {
    #[command(subcommand)]
    pub command: Option<ProvidersCommand>,
    /// The provider to show in detail. [default: all, a line each]
    pub name: Option<String>,
    #[command(flatten)]
    pub place: Place,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Listing::Text)]
    pub format: Listing,
}

#[derive(Debug, Subcommand)]
pub enum ProvidersCommand {
    /// Say what is wrong with the manifests of one's own providers, and play their cases.
    Lint {
        /// The folder of a provider, a folder of such folders, or the name of a provider of this build. [default: <workspace>/providers]
        folder: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
        /// The form of the findings.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Try a provider's manifest at the provider itself, with a key of its test system: read, send twice what must be done once,
    /// take back what was made.
    Verify(VerifyProvider),
}

#[derive(Debug, Args)]
pub struct VerifyProvider {
    /// The provider, as `producer providers` lists it.
    pub name: String,
    /// The task whose account it is: its id, or its file. [default: the credentials are the secrets `<PROVIDER>_<CREDENTIAL>`]
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
    /// What a setting is; may be given several times. Never a credential: those are secrets.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// The account is one for tests: needed where the credential itself does not tell, before anything is changed there.
    #[arg(long)]
    pub test_account: bool,
    #[command(flatten)]
    pub place: Place,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Listing::Text)]
    pub format: Listing,
}

#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// List the mails that the workspace knows, a line for each event.
    List {
        #[command(flatten)]
        place: Place,
        /// The form of the list.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Show what the mail of an event says, with made-up values. Nothing is sent.
    Preview {
        /// The event, as `producer mail list` has it.
        event: String,
        /// The language. [default: the first that it is written in]
        #[arg(long, value_name = "LANGUAGE")]
        language: Option<String>,
        /// Plain text behind its subject, or HTML.
        #[arg(long = "as", value_enum, default_value_t = MailForm::Text)]
        form: MailForm,
        /// The file to write it to. [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// The addresses to which no mail goes: list, add, remove.
    #[command(subcommand)]
    Suppressed(SuppressedCommand),
}

#[derive(Debug, Subcommand)]
pub enum SuppressedCommand {
    /// List the addresses to which no mail goes, the newest first.
    List {
        /// Only those: `bounce`, `complaint`, `manual`.
        #[arg(long, value_enum)]
        reason: Option<Reason>,
        #[command(flatten)]
        place: Place,
        /// The form of the list.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Have no mail go to addresses.
    Add {
        /// The addresses.
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
        /// Why: `bounce` and `complaint` where another service has said so.
        #[arg(long, value_enum, default_value_t = Reason::Manual)]
        reason: Reason,
        /// What was said of them.
        #[arg(long, value_name = "TEXT")]
        said: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Have mails go to addresses again, whatever kept them from there.
    Remove {
        /// The addresses.
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
}

/// Why no mail goes to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reason {
    /// Nobody has it.
    Bounce,
    /// Whoever has it has called a mail unwanted.
    Complaint,
    /// Somebody who runs the server has said so.
    Manual,
}

/// The form of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MailForm {
    /// Plain text.
    Text,
    /// HTML.
    Html,
}

#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List deliveries, the newest first.
    List {
        /// Only those: `waiting`, `working`, `delivered`, `dead`.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        filter: DeliveriesFilter,
        #[command(flatten)]
        place: Place,
        /// The form of the list.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Show one delivery with everything that was tried, without secrets.
    Show {
        /// Its id, as the list shows it.
        id: String,
        #[command(flatten)]
        place: Place,
        /// The form of the answer.
        #[arg(long, value_enum, default_value_t = Listing::Text)]
        format: Listing,
    },
    /// Give dead deliveries another chance.
    Replay {
        /// The one of that id.
        #[arg(conflicts_with = "all")]
        id: Option<String>,
        /// Every dead one that fits.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        filter: DeliveriesFilter,
        /// Also those that may have had their effect: it may come twice.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub struct DeliveriesFilter {
    /// Only those of this provider.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Only those of this event.
    #[arg(long, value_name = "NAME")]
    pub event: Option<String>,
    /// Only those of this task.
    #[arg(long, value_name = "ID")]
    pub task: Option<String>,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// The provider, as `producer providers` lists it.
    pub name: String,
    /// The address to listen at; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    pub listen: String,
    /// An address on this machine that every event is sent to; may be given several times. Others are entered through the
    /// provider's API.
    #[arg(long, value_name = "URL")]
    pub webhooks_to: Vec<String>,
    /// A mishap: `rate_limit`, `server_error`, `hang`, `reply_lost`, `duplicate_webhook`, `reordered_webhooks`; behind a colon, how
    /// likely (`0.2`) or which time (`3`). May be given several times.
    #[arg(long = "fault", value_name = "NAME[:WHEN]")]
    pub faults: Vec<String>,
    /// What chance begins with: the same seed gives the same ids, keys and mishaps.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct Servers {
    /// The server, as `producer status` names it. [default: all]
    pub server: Option<String>,
    #[command(flatten)]
    pub place: Place,
    /// A table, or JSON.
    #[arg(long, value_enum, default_value_t = Listing::Text)]
    pub format: Listing,
}

#[derive(Debug, Args)]
pub struct Place {
    /// The folder whose `.producer` holds plans, database and keys.
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    pub workspace: PathBuf,
}

#[derive(Debug, Args)]
pub struct Listen {
    /// The address to serve at; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: String,
}

/// The form of what could be better in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FindingsForm {
    /// Lines for people.
    Text,
    /// JSON for programs.
    Json,
    /// The statements that mend what was found, for the engine's own client; the rest as comments.
    Sql,
}

/// The form of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// The form of what is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    /// Lines for people.
    Text,
    /// JSON for programs.
    Json,
}
