//! The command line: arguments in, exit status out. What happens in between is [`pipeline`].
#![allow(clippy::disallowed_methods)] // this crate does effects

mod arguments;
mod backups;
mod db;
mod deliveries;
mod explain;
mod mail;
mod pipeline;
mod progress;
mod providers;
mod secret_input;
mod secrets;
mod show;
mod simulate;

use arguments::{AccountsCommand, Arguments, Command, KeysCommand};
use clap::Parser as _;
use std::process::ExitCode;

/// Many small allocations from many threads: what a server does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // What whoever called us has open is not for servers that go on without us: a lock would stay with them.
    #[cfg(unix)]
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let filter = tracing_subscriber::EnvFilter::try_from_env("PRODUCER_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(progress::is_coloured())
        .with_writer(std::io::stderr)
        .init();
    let ended = match Arguments::parse().command {
        Command::Run(run) => pipeline::run(&run).await,
        Command::Check(check) => pipeline::check(&check),
        Command::Serve(serve) => pipeline::serve(&serve.place, &serve.listen.listen).await,
        Command::Status(status) => pipeline::status(&status).await,
        Command::Schema => show::schema(&orchestrator::json_schema()).map(|()| pipeline::COMPLETED),
        Command::Keys(KeysCommand::Create { name, expires, scopes, place }) => {
            pipeline::create_key(&place, &name, expires.as_deref(), &scopes)
        }
        Command::Keys(KeysCommand::List { place, format }) => pipeline::list_keys(&place, format),
        Command::Keys(KeysCommand::Rotate { id, overlap, place }) => pipeline::rotate_key(&place, &id, &overlap),
        Command::Keys(KeysCommand::Revoke { id, place }) => pipeline::revoke_key(&place, &id),
        Command::Accounts(AccountsCommand::Role { email, role, place }) => {
            pipeline::set_role(&place, &email, &role).await
        }
        Command::Secrets(asked) => secrets::command(&asked).await,
        Command::Db(asked) => db::command(&asked).await,
        Command::Providers(asked) => providers::command(&asked).await,
        Command::Deliveries(asked) => deliveries::command(&asked).await,
        Command::Mail(asked) => mail::command(&asked).await,
        Command::Simulate(asked) => simulate::command(&asked).await,
        Command::Explain { code } => explain::explain(&code),
    };
    ExitCode::from(ended.unwrap_or_else(|failure| {
        show::failure(failure.as_ref());
        pipeline::FAILED
    }))
}
