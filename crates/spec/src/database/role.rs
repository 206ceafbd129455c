//! `roles` of a database: blocks come in, checked [`Role`]s go out, no two of one name.

use super::Declared;
use crate::codes::NAMED_TWICE;
use crate::credential;
use crate::document::Node;
use crate::field::{Field, optional, required};
use crate::lower::{Label, Lowering};
use crate::name::RoleName;
use crate::reference::{self, Reference};
use crate::schema;
use crate::source::Spanned;
use crate::word::words;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use vocab::{Diagnostic, TableName};

/// The most roles of one task.
const MAX_ROLES: usize = 100;

/// A role of a database.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its name.
    pub name: Spanned<RoleName>,
    /// What it may do.
    pub access: Spanned<RoleAccess>,
    /// The tables it may do it with, all of them tables of the task. Empty: with every table.
    pub tables: Vec<Spanned<TableName>>,
    /// Where its password is; absent when the producer makes one or the role does not log in.
    pub password: Option<Spanned<Reference>>,
}

words! {
    /// What a role may do.
    RoleAccess {
        /// Read rows.
        ReadOnly = "read_only";
        /// Read, add, change and remove rows.
        ReadWrite = "read_write";
        /// Change tables too.
        Owner = "owner";
    }
}

const FIELDS: &[Field] = &[
    required("name", "The role's name.", schema::identifier),
    required("access", "What it may do.", schema::word::<RoleAccess>),
    optional("tables", "The tables it may do it with; all of them when absent.", schema::some_identifiers),
    optional("password", "Where its password is: `${env:NAME}` or `${secret:NAME}`.", reference::schema),
];

pub(crate) fn schema() -> Json {
    schema::some(schema::block(FIELDS))
}

/// Checks the value of `roles`.
pub(crate) fn lower(lowering: &mut Lowering<'_>, node: &Node, declared: &Declared<'_>) -> Vec<Role> {
    let example = "{ name: reporting, access: read_only }";
    let items = lowering.some_items("roles", node, example, MAX_ROLES).unwrap_or_default();
    let mut lines: BTreeMap<RoleName, u32> = BTreeMap::new();
    let mut roles = Vec::with_capacity(items.len());
    for item in items {
        let Some(role) = role(lowering, item, declared) else { continue };
        if let Some(line) = lines.get(&role.name.value) {
            let message = format!("`{}` is already the role of line {line}", role.name.value);
            lowering.report(
                Diagnostic::error(NAMED_TWICE, message, &role.name.place)
                    .with_help("keep one of the two, or rename one"),
            );
            continue;
        }
        lines.insert(role.name.value.clone(), role.name.place.line);
        roles.push(role);
    }
    roles
}

fn role(lowering: &mut Lowering<'_>, node: &Node, declared: &Declared<'_>) -> Option<Role> {
    let block = lowering.own_block("a role", node, FIELDS)?;
    let name = lowering
        .required(&block, "name", "add `name: \"reporting\"`")
        .and_then(|entry| lowering.name(Label::Field("name"), &entry.node, RoleName::parse));
    let access = lowering
        .required(&block, "access", "add `access: \"read_only\"`, `\"read_write\"` or `\"owner\"`")
        .and_then(|entry| lowering.word(Label::Field("access"), &entry.node));
    let tables = block.node("tables").map_or_else(Vec::new, |node| declared.some_tables(lowering, node));
    let password = block.node("password").and_then(|node| credential::lower_reference(lowering, "password", node));
    Some(Role { name: name?, access: access?, tables, password })
}
