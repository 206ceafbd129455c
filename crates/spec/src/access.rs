//! `access` and `cache` of an endpoint: who may call it, which rows and fields it then has to do with, and how long its answers are fresh.

use crate::codes::NOT_AN_ACCESS;
use crate::condition::{self, RowCondition};
use crate::document::{Node, Value};
use crate::duration;
use crate::field::{Field, optional};
use crate::lower::{Label, Lowering};
use crate::name::RoleName;
use crate::schema;
use crate::source::Spanned;
use crate::suggestion::closest;
use crate::word::{Word, words};
use serde_json::Value as Json;
use vocab::{FieldName, ScopeToken};

/// Who may call an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// `public`: everybody.
    Public,
    /// `authenticated`: everybody who has proved who they are.
    Authenticated,
    /// `owner`: only whom the record belongs to.
    Owner,
    /// `role:<name>`, or several with commas between: only callers with one of these roles. At least one.
    Roles(Vec<RoleName>),
    /// `scope:<name>`: only callers whose token was granted this.
    Scope(ScopeToken),
}

/// How long answers may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// `no_store`: not at all.
    NoStore,
    /// `<n>_seconds`, `<n>_minutes`, `<n>_hours`, `<n>_days`: for so many seconds.
    Seconds(u32),
}

words! {
    /// An access that is one word.
    AccessWord {
        /// Everybody.
        Public = "public";
        /// Everybody who has proved who they are.
        Authenticated = "authenticated";
        /// Only whom the record belongs to.
        Owner = "owner";
    }
}

words! {
    /// A cache rule that is one word.
    CacheWord {
        /// Not at all.
        NoStore = "no_store";
    }
}

const ROLE: &str = "role:";
const SCOPE: &str = "scope:";
const CACHE_EXAMPLE: &str = "write `no_store`, or how long, like `60_seconds`";

const CONDITIONAL: &[Field] = &[
    optional("who", "Who may call it, as `access` says it without a condition.", who_schema),
    optional(
        "where",
        "Which rows it has to do with: `status = published or user_id = caller.id`. Others are as if they were not there.",
        schema::text,
    ),
    optional("hide", "Fields of its records that its answers do not have.", schema::list_of_identifiers),
];

pub(crate) fn who_schema() -> Json {
    let role = schema::pattern(&format!("{ROLE}{0}(, *{0})*", schema::IDENTIFIER));
    let scope = schema::pattern(&format!("{SCOPE}[!#-\\[\\]-~]{{1,200}}"));
    schema::either([schema::word::<AccessWord>(), role, scope])
}

pub(crate) fn access_schema() -> Json {
    schema::either([who_schema(), schema::block(CONDITIONAL)])
}

pub(crate) fn cache_schema() -> Json {
    schema::either([schema::word::<CacheWord>(), duration::schema()])
}

/// What `access` says.
#[derive(Default)]
pub(crate) struct Stated {
    pub who: Option<Spanned<Access>>,
    pub condition: Option<Spanned<RowCondition>>,
    pub hidden: Vec<Spanned<FieldName>>,
}

/// Checks the value of `access`: who may call, or a block with what such callers have to do with.
pub(crate) fn lower_access(lowering: &mut Lowering<'_>, node: &Node) -> Stated {
    let Value::Mapping(_) = &node.value else {
        return Stated { who: lower_who(lowering, node), ..Stated::default() };
    };
    let Some(block) = lowering.own_block("an access", node, CONDITIONAL) else { return Stated::default() };
    let who = block.node("who").and_then(|node| lower_who(lowering, node));
    let condition = block.node("where").and_then(|node| {
        let text = lowering.text(Label::Field("where"), node)?;
        condition::lower(lowering, text, node)
    });
    let hidden = block.node("hide").map_or_else(Vec::new, |node| {
        lowering.distinct("hide", node, |lowering, label, item| lowering.name(label, item, FieldName::parse))
    });
    Stated { who, condition, hidden }
}

/// Checks who may call, where nothing else may be said.
pub(crate) fn lower_who(lowering: &mut Lowering<'_>, node: &Node) -> Option<Spanned<Access>> {
    let text = lowering.text(Label::Field("access"), node)?;
    let access = match (AccessWord::from_word(text), text.strip_prefix(ROLE)) {
        (Some(AccessWord::Public), _) => Access::Public,
        (Some(AccessWord::Authenticated), _) => Access::Authenticated,
        (Some(AccessWord::Owner), _) => Access::Owner,
        (None, Some("")) => {
            lowering.error(NOT_AN_ACCESS, "`role:` names no role", node.span, "write a role like `role:admin`");
            return None;
        }
        (None, Some(roles)) => {
            let names = roles.split(',').map(|role| lowering.parse_name(role.trim(), node.span, RoleName::parse));
            Access::Roles(names.map(|name| Some(name?.value)).collect::<Option<_>>()?)
        }
        (None, None) if text.starts_with(SCOPE) => {
            Access::Scope(lowering.parse_name(&text[SCOPE.len()..], node.span, ScopeToken::parse)?.value)
        }
        (None, None) => {
            let help = match closest(text, &AccessWord::words()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write `public`, `authenticated`, `owner`, a role like `role:admin`, or a scope like `scope:orders:read`".to_owned(),
            };
            lowering.error(NOT_AN_ACCESS, format!("`{text}` does not say who may call"), node.span, help);
            return None;
        }
    };
    Some(lowering.source.spanned(access, node.span))
}

/// Checks the value of `cache`.
pub(crate) fn lower_cache(lowering: &mut Lowering<'_>, node: &Node) -> Option<Spanned<Cache>> {
    let label = Label::Field("cache");
    let Value::Text(text) = &node.value else {
        lowering.wrong_kind(label, "a text", node, CACHE_EXAMPLE);
        return None;
    };
    let cache = match (CacheWord::from_word(text), duration::seconds(text)) {
        (Some(CacheWord::NoStore), _) => Cache::NoStore,
        (None, Some(seconds)) => Cache::Seconds(seconds),
        (None, None) => {
            let meant = closest(text, &CacheWord::words()).map(|meant| format!("did you mean `{meant}`?"));
            duration::refuse(lowering, label, node, text, meant.as_deref().unwrap_or(CACHE_EXAMPLE));
            return None;
        }
    };
    Some(lowering.source.spanned(cache, node.span))
}
