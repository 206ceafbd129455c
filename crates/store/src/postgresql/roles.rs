//! Roles of a PostgreSQL server: what they may do in a database is read and changed, and each is tried by connecting as itself.
//! A password leaves this machine only as what the server keeps of it.

use super::connect::{MADE, Server};
use super::locks;
use super::migrate::begin;
use super::trouble::said;
use crate::StoreError;
use crate::blocking::blocking;
use crate::patience::Patience;
use crate::permission::Tried;
use dialect::permission::PermissionProbe;
use plan::database::permission::{
    Grant, Granted, ObservedPermissions, ObservedRole, PermissionStatement, Policy, RowSecurity,
};
use std::collections::BTreeSet;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};
use vocab::{RoleName, Secret};
use zeroize::Zeroizing;

/// How long a statement that must be refused may wait for somebody's lock before it counts as let.
const PROBE_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '5s'";
/// Settings of a role that the plan has a say in; others are whoever's who set them.
const SETTINGS: [&str; 2] = ["role", "search_path"];

impl Server {
    /// What the server says of those roles, in this database.
    pub fn permissions(&self, roles: &[RoleName]) -> Result<ObservedPermissions, StoreError> {
        let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
        blocking(async { observe(&self.connect().await?, &names).await })
    }

    /// The same of whoever may do something in this database, or owns something in it.
    pub fn everybodys_permissions(&self) -> Result<ObservedPermissions, StoreError> {
        blocking(async {
            let client = self.connect().await?;
            let rows = client.query(&format!("{GRANTEES}{GRANTS}{OR_OWNERS}"), &[]).await?;
            let names = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
            observe(&client, &names.iter().map(String::as_str).collect::<Vec<_>>()).await
        })
    }

    /// Runs the statements and sets the passwords, all or none.
    pub fn permit(
        &self,
        statements: &[PermissionStatement],
        passwords: &[(RoleName, Secret<Zeroizing<String>>)],
    ) -> Result<(), StoreError> {
        blocking(async {
            let mut client = self.connect().await?;
            begin(&client).await?;
            let process = locks::process(&client).await?;
            let patience = Patience::new();
            loop {
                match locks::watched(self, process, permit(&mut client, statements, passwords)).await {
                    Err(error) if patience.tries_again(&error).await => {}
                    ended => return ended,
                }
            }
        })
    }

    /// Connects as somebody else, and tries each statement in a transaction that is undone.
    pub fn try_as(
        &self,
        role: &RoleName,
        password: &Secret<Zeroizing<String>>,
        probes: &[PermissionProbe],
    ) -> Result<Vec<Tried>, StoreError> {
        let server = self.as_role(role, password);
        blocking(async {
            let mut client = server.connect().await?;
            let mut tried = Vec::with_capacity(probes.len());
            for probe in probes {
                let transaction = client.transaction().await?;
                transaction.batch_execute(PROBE_TIMEOUT).await?;
                tried.push(match &transaction.batch_execute(&probe.sql).await {
                    Ok(()) => Tried::Let,
                    Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Tried::Refused,
                    Err(error) => Tried::Otherwise(said(error)),
                });
                transaction.rollback().await?;
            }
            Ok(tried)
        })
    }
}

/// All or none.
async fn permit(
    client: &mut Client,
    statements: &[PermissionStatement],
    passwords: &[(RoleName, Secret<Zeroizing<String>>)],
) -> Result<(), StoreError> {
    let transaction = client.transaction().await?;
    for statement in statements {
        transaction.batch_execute(&statement.sql).await?;
    }
    for (role, password) in passwords {
        let verifier = postgres_protocol::password::scram_sha_256(password.expose().as_bytes());
        let name = dialect::quoted(vocab::Engine::PostgreSql, role.as_str());
        // Not a parameter, because `ALTER ROLE` takes none; base64 and `$:` need no quoting.
        transaction.batch_execute(&format!("ALTER ROLE {name} PASSWORD '{verifier}'")).await?;
    }
    Ok(transaction.commit().await?)
}

async fn observe(client: &Client, names: &[&str]) -> Result<ObservedPermissions, StoreError> {
    let user = client.query_one(USER, &[]).await?;
    let mut found = ObservedPermissions {
        user: user.try_get(0)?,
        user_lacks: Vec::new(),
        may_administer_database: user.try_get(3)?,
        database_was_made: user.try_get::<_, Option<String>>(4)?.as_deref() == Some(MADE),
        ..ObservedPermissions::default()
    };
    if !user.try_get::<_, bool>(1)? {
        found.user_lacks.push(format!("`{}` may not make roles (`CREATEROLE`)", found.user));
    }
    if !user.try_get::<_, bool>(2)? {
        found.user_lacks.push(format!("`{}` does not own the schema, so it cannot say who may use it", found.user));
    }
    for row in client.query(ROLES, &[&names]).await? {
        found.roles.push(role(&row)?);
        if row.try_get(5)? {
            found.acts_as.insert(row.try_get(0)?);
        }
    }
    for row in client.query(&format!("{GRANTS}{OF_ROLES}"), &[&names]).await? {
        let name: String = row.try_get(0)?;
        let grant = grant(&row)?;
        if let (Some(role), Some(grant)) = (found.roles.iter_mut().find(|role| role.name == name), grant) {
            role.grants.insert(grant);
        }
    }
    for row in client.query(OWNERS, &[]).await? {
        found.owners.push((row.try_get(0)?, row.try_get(1)?));
    }
    for row in client.query(SEQUENCES, &[]).await? {
        found.sequences.push(row.try_get(0)?);
    }
    for row in client.query(&format!("{GRANTS}{OF_EVERYBODY}"), &[]).await? {
        found.everybody.extend(grant(&row)?);
    }
    for row in client.query(ROW_SECURITY, &[]).await? {
        let (table, is_on, is_forced) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        found.row_security.push(RowSecurity { table, is_on, is_forced, policies: Vec::new() });
    }
    for row in client.query(POLICIES, &[]).await? {
        let table: String = row.try_get(0)?;
        if let Some(security) = found.row_security.iter_mut().find(|security| security.table == table) {
            security.policies.push(policy(&row)?);
        }
    }
    Ok(found)
}

fn policy(row: &Row) -> Result<Policy, StoreError> {
    Ok(Policy {
        name: row.try_get(1)?,
        command: row.try_get(2)?,
        roles: row.try_get(3)?,
        using: row.try_get(4)?,
        check: row.try_get(5)?,
        is_permissive: row.try_get(6)?,
    })
}

fn role(row: &Row) -> Result<ObservedRole, StoreError> {
    let settings: Vec<String> = row.try_get(6)?;
    let is_regarded = |setting: &String| SETTINGS.iter().any(|key| setting.split('=').next() == Some(key));
    Ok(ObservedRole {
        name: row.try_get(0)?,
        may_log_in: row.try_get(1)?,
        mark: Some(row.try_get::<_, Option<String>>(2)?.unwrap_or_default()),
        powers: row.try_get::<_, Vec<String>>(3)?.into_iter().collect(),
        member_of: row.try_get::<_, Vec<String>>(4)?.into_iter().collect(),
        settings: settings.into_iter().filter(is_regarded).collect(),
        grants: BTreeSet::new(),
    })
}

fn grant(row: &Row) -> Result<Option<Grant>, StoreError> {
    let (first, second): (String, String) = (row.try_get(2)?, row.try_get(3)?);
    let on = match row.try_get::<_, String>(1)?.as_str() {
        "database" => Granted::Database,
        "schema" => Granted::Schema,
        "table" => Granted::Table(first),
        "column" => Granted::Column(first, second),
        "sequence" => Granted::Sequence(first),
        "future tables" => Granted::FutureTables(first),
        "future sequences" => Granted::FutureSequences(first),
        _ => return Ok(None),
    };
    Ok(Some(Grant { on, privilege: row.try_get(4)?, may_be_handed_on: row.try_get(5)? }))
}

const USER: &str = "SELECT current_user::text,
  (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user),
  (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE oid = current_schema()::regnamespace),
  (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()),
  (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database())";

const ROLES: &str = "SELECT r.rolname::text, r.rolcanlogin, shobj_description(r.oid, 'pg_authid'),
  ARRAY_REMOVE(ARRAY[
    CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
    CASE WHEN r.rolcreatedb THEN 'CREATEDB' END, CASE WHEN r.rolreplication THEN 'REPLICATION' END,
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END], NULL),
  ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
    WHERE m.member = r.oid ORDER BY 1),
  pg_has_role(r.oid, 'USAGE'),
  COALESCE((SELECT s.setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE s.setrole = r.oid AND d.datname = current_database()), ARRAY[]::text[])
FROM pg_roles r WHERE r.rolname = ANY($1) ORDER BY r.rolname";

/// Everything that was granted here, by kind of thing. An empty name: to everybody. Where nobody has said who may enter the
/// database, everybody may.
const GRANTS: &str =
    "SELECT COALESCE(r.rolname, '')::text AS grantee, g.kind, g.first, g.second, g.privilege_type, g.is_grantable
FROM (
  SELECT 'database' AS kind, '' AS first, '' AS second, x.grantee, x.privilege_type, x.is_grantable
  FROM pg_database d, aclexplode(COALESCE(d.datacl, acldefault('d', d.datdba))) x
  WHERE d.datname = current_database() AND (d.datacl IS NOT NULL OR x.grantee = 0)
  UNION ALL
  SELECT 'schema', '', '', x.grantee, x.privilege_type, x.is_grantable
  FROM pg_namespace n, aclexplode(n.nspacl) x WHERE n.oid = current_schema()::regnamespace
  UNION ALL
  SELECT 'table', c.relname::text, '', x.grantee, x.privilege_type, x.is_grantable
  FROM pg_class c, aclexplode(c.relacl) x
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  UNION ALL
  SELECT 'sequence', c.relname::text, '', x.grantee, x.privilege_type, x.is_grantable
  FROM pg_class c, aclexplode(c.relacl) x
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S'
  UNION ALL
  SELECT 'column', c.relname::text, a.attname::text, x.grantee, x.privilege_type, x.is_grantable
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped, aclexplode(a.attacl) x
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  UNION ALL
  SELECT CASE f.defaclobjtype WHEN 'r' THEN 'future tables' WHEN 'S' THEN 'future sequences' ELSE 'else' END,
    m.rolname::text, '', x.grantee, x.privilege_type, x.is_grantable
  FROM pg_default_acl f JOIN pg_roles m ON m.oid = f.defaclrole, aclexplode(f.defaclacl) x
  WHERE f.defaclnamespace = current_schema()::regnamespace
) g LEFT JOIN pg_roles r ON r.oid = g.grantee";
const OF_ROLES: &str = " WHERE r.rolname = ANY($1)";
/// That everybody may look into a schema is as the server has it.
const OF_EVERYBODY: &str = " WHERE g.grantee = 0 AND (g.kind <> 'schema' OR g.privilege_type = 'CREATE')";
/// Whoever has a grant of these, or owns a table.
const GRANTEES: &str = "SELECT grantee FROM (";
const OR_OWNERS: &str = ") granted WHERE grantee <> '' UNION
SELECT pg_get_userbyid(c.relowner)::text FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1";

const OWNERS: &str = "SELECT c.relname::text, pg_get_userbyid(c.relowner)::text FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname";

const SEQUENCES: &str = "SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S' ORDER BY c.relname";

const ROW_SECURITY: &str = "SELECT c.relname::text, c.relrowsecurity, c.relforcerowsecurity FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND (c.relrowsecurity OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) ORDER BY c.relname";

const POLICIES: &str =
    "SELECT tablename::text, policyname::text, cmd, roles::text[], qual, with_check, permissive = 'PERMISSIVE'
FROM pg_policies WHERE schemaname = current_schema() ORDER BY tablename, policyname";
