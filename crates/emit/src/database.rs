//! The files of a database without an API: its schema and migrations as SQL, how to connect to it, its documents.

use crate::Files;
use crate::documents;
use crate::node::{driver, one_line, pretty};
use crate::render::{Comment, generated_of, render};
use minijinja::context;
use plan::database::Connection;
use plan::database::permission::{Login, PermissionStatement};
use plan::{DatabasePlan, DatabaseTaskPlan, Migration, Statement};
use vocab::TaskId;

pub fn files(plan: &DatabaseTaskPlan, granted: &[PermissionStatement]) -> Files {
    let mut files = Files::new();
    sql(&plan.task_id, &plan.database, &mut files);
    permissions(plan, granted, &mut files);
    let driver = driver::driver(plan.database.engine);
    let view = context! {
        default_url => default_url(&plan.database.connection, driver.default_url),
        url_form => driver.url_form,
        pool => minijinja::value::Serde(&plan.database.pool),
    };
    let made = |comment, template| generated_of(&plan.task_id, comment, &render(template, &view));
    files.insert("databases/connection-config.js".to_owned(), made(Comment::Slashes, driver.stand_alone));
    files.insert(".env.example".to_owned(), made(Comment::Hash, "database.env.example"));
    files.insert("package.json".to_owned(), package(plan));
    if let Some((file, template)) = driver.pooler {
        files.insert(file.to_owned(), made(Comment::Hash, template));
    }
    if let Connection::Container { name, port } = &plan.database.connection
        && let Some(template) = driver.container
    {
        let view = context! { name, port, project => plan.task_id.as_str().to_ascii_lowercase() };
        let text = generated_of(&plan.task_id, Comment::Hash, &render(template, &view));
        files.insert("databases/compose.yaml".to_owned(), text);
    }
    files.extend(documents::database_files(plan));
    files
}

/// Who may do what, for somebody who runs it by hand, and for reading. No password is part of it.
fn permissions(plan: &DatabaseTaskPlan, granted: &[PermissionStatement], files: &mut Files) {
    if granted.is_empty() {
        return;
    }
    let statements = granted.iter().map(|statement| {
        format!("-- {}\n-- undo: {}\n{};\n", one_line(&statement.why), one_line(&statement.undo), statement.sql)
    });
    let with_password = plan.permissions.roles.iter().filter(|role| role.login != Login::Never);
    let passwords: String = with_password.map(|role| format!("--   {}\n", role.name)).collect();
    let text = format!(
        "-- Who may do what. `producer run` executes what of it is missing, and sets the passwords; who runs it by hand sets those of\n\
         -- the roles below, and puts them into the secret store of the workspace (`producer secrets set {}/ROLE`):\n{passwords}\n{}",
        plan.task_id,
        statements.collect::<Vec<_>>().join("\n")
    );
    files.insert("databases/permissions.sql".to_owned(), generated_of(&plan.task_id, Comment::Dashes, &text));
}

/// What `connection-config.js` falls back to; a place that a reference names is never written down.
fn default_url(connection: &Connection, otherwise: &str) -> String {
    match connection {
        Connection::File { name } => format!("file:../../../.producer/data/{name}.sqlite"),
        Connection::Embedded
        | Connection::Local { .. }
        | Connection::Container { .. }
        | Connection::Location(_)
        | Connection::Missing => otherwise.to_owned(),
    }
}

fn package(plan: &DatabaseTaskPlan) -> String {
    let driver = driver::driver(plan.database.engine);
    let name = plan.task_id.as_str().to_ascii_lowercase();
    pretty(&serde_json::json!({
        "name": name,
        "version": "1.0.0",
        "private": true,
        "type": "module",
        "engines": { "node": ">=20.15" },
        "dependencies": { (driver.package.0): driver.package.1() },
    }))
}

/// What files of such statements are called at the end: those of MongoDB are scripts of its own shell.
fn ending(statements: &[Statement]) -> &'static str {
    if statements.iter().any(|statement| dialect::migration::is_script(&statement.sql)) { "js" } else { "sql" }
}

/// Byte for byte as they are executed: the ledger knows them by their checksum, so they carry no header.
pub fn migrations(folder: &str, migrations: &[Migration], files: &mut Files) {
    for migration in migrations {
        files.insert(
            format!("{folder}/{}.{}", migration.name, ending(&migration.statements)),
            dialect::migration::text(migration),
        );
    }
}

/// The migrations; and the whole schema, which is for reading, and makes the same tables in an empty database.
pub fn sql(task_id: &TaskId, database: &DatabasePlan, files: &mut Files) {
    migrations("databases/migrations", &database.migrations, files);
    let statements = dialect::create_tables(database.engine, &database.tables);
    let ending = ending(&statements);
    let (dashes, comment) = if ending == "js" { ("//", Comment::Slashes) } else { ("--", Comment::Dashes) };
    let statements = statements.into_iter().map(|statement| {
        let table = database.tables.iter().find(|table| statement.why == format!("{}: {}", table.name, table.comment));
        let columns = table.map_or_else(String::new, |table| {
            let columns = table.columns.iter();
            columns.map(|column| format!("{dashes}   {}: {}\n", column.name, one_line(&column.comment))).collect()
        });
        format!("{dashes} {}\n{columns}{}\n", one_line(&statement.why), dialect::migration::ended(&statement.sql))
    });
    let text = format!(
        "{dashes} The whole schema, for reading. What is executed are the files in `migrations/`.\n\n{}",
        statements.collect::<Vec<_>>().join("\n")
    );
    files.insert(format!("databases/schema.{ending}"), generated_of(task_id, comment, &text));
}
