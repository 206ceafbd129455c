//! The API as a whole: its endpoints as procedures, its limits, its events, and the tables they need.

use crate::account::{self, KnownBy, Ownership};
use crate::behaviour::{Behaved, Given, Guarded, ParentKey, WorksOn, field_name};
use crate::body_size::max_body_bytes;
use crate::codes;
use crate::condition::{self, Asked};
use crate::deletion;
use crate::entity::{self, Resolved, snake_case};
use crate::incoming;
use crate::intent::{Inferred, infer, is_version, target};
use crate::key::RecordKey;
use crate::lookup::{self, Lookup};
use crate::newsletter;
use crate::overrides;
use crate::own_rows;
use crate::selling;
use crate::service::checkout::Selling;
use crate::service::shop::Shelves;
use crate::subject::Known;
use crate::subscribers;
use catalog::{Catalog, Field, Presence, Sensitivity};
use plan::accounts::Accounts;
use plan::accounts::{FAILED_LOGINS, Newcomers};
use plan::api::{ApiPlan, Cors, DocumentationFormat, Endpoint, EventDeclaration, RateLimitPolicy};
use plan::procedure::{LimitKey, Procedure, Roles, RowsFormat, Scheme, Trigger};
use plan::query::Predicate;
use plan::service::ServicePlan;
use plan::{Access, Cache, Decision, Item, Phase, Scope, Step, Table, check, system, uses};
use spec::{
    ApiKind, ApiRequirements, Authentication, LimitBy, RateLimit, RuleValue, SecurityFeature, Segment, Spanned,
};
use std::collections::{BTreeMap, BTreeSet};
use vocab::{
    ColumnName, Diagnostic, EntityName, EventName, FieldName, Place, PolicyName, ProcedureName, TableName, TaskId,
};

/// The limit where the task names none.
const DEFAULT_LIMIT: RateLimit = RateLimit { limit: 100, window_seconds: 60, by: None };
/// What a policy is called that several endpoints share.
const DEFAULT_POLICY: &str = "default";
/// Longest name of an API in files, in words.
const NAME_WORDS: usize = 3;

/// An API, the tables it needs, and why it is as it is.
pub struct Designed {
    pub api: ApiPlan,
    pub tables: Vec<Table>,
    /// How its lists find their rows.
    pub lookups: Vec<Lookup>,
    /// Where it is kept who has asked for a newsletter; none where nobody has to confirm that.
    pub consents: Option<Table>,
    pub decisions: Vec<Decision>,
}

/// Who could take payments for an API.
#[derive(Clone, Copy)]
pub struct Payments<'a> {
    /// The services that are integrated on its database.
    pub services: &'a [ServicePlan],
    /// The tasks that its own names.
    pub dependencies: &'a [TaskId],
}

/// `held` are the tables of the database task that the API stands on.
pub fn design(
    requirements: &ApiRequirements,
    catalog: &Catalog,
    held: &[Table],
    payments: Payments<'_>,
    accounts_of: Option<&TaskId>,
) -> Result<Designed, Vec<Diagnostic>> {
    let mut designer = Designer {
        catalog,
        payments,
        problems: Vec::new(),
        decisions: Vec::new(),
        policies: Vec::new(),
        tables: Vec::new(),
        lookups: Vec::new(),
        consents: None,
        events: Vec::new(),
        brought: BTreeMap::new(),
        owners: BTreeMap::new(),
        told_of: BTreeMap::new(),
        hidden: BTreeMap::new(),
        known_by: KnownBy::of(requirements),
        confirms: false,
        owned: BTreeMap::new(),
    };
    designer.check_kind(&requirements.kind);
    let (mut whole, brought) = account::with_companions(requirements, catalog);
    let brought = match accounts_of {
        Some(other) if !brought.is_empty() => {
            designer.leave_accounts(other);
            whole = requirements.clone();
            Vec::new()
        }
        Some(_) | None => brought,
    };
    designer.bring(
        "accounts",
        brought,
        "whoever can sign in must also be able to register, to stay signed in, and to leave",
    );
    let (whole, brought) = newsletter::with_companions(whole, catalog);
    designer.bring(
        "newsletter",
        brought,
        "a subscription counts once the owner of the address has confirmed it, and ends with a click",
    );
    let whole = selling::with_companions(whole, catalog);
    let (whole, brought) = subscribers::with_companions(whole);
    designer.bring(
        "subscribers",
        brought,
        "the task says `subscribers`: whoever is told of events has to be able to manage that",
    );
    designer.confirms = newsletter::is_confirmed(&whole, catalog);
    let requirements = &whole;
    let name = api_name(requirements);
    let version = api_version(requirements);
    designer.decide(
        Phase::DesignApiArchitecture,
        "API",
        format!("called `{name}`, version {version}"),
        "the words of its paths".to_owned(),
    );
    let known = Known::new(requirements, catalog, held);
    let mut endpoints: Vec<Endpoint> =
        requirements.endpoints.iter().filter_map(|endpoint| designer.endpoint(endpoint, &known)).collect();
    let accounts = designer.accounts(&mut endpoints, requirements, held, &name);
    designer.further_policies(&endpoints);
    let subscribers = designer.subscribers(requirements);
    let of_accounts = accounts.iter().flat_map(|_| account::pages(requirements, catalog));
    let pages = of_accounts.chain(newsletter::pages(requirements, catalog)).collect();
    designer.system_tables(&endpoints);
    let documentation = designer.documentation(requirements.documentation_format);
    if !designer.problems.is_empty() {
        return Err(designer.problems);
    }
    let cors = designer.cors(&requirements.security_features);
    let api = ApiPlan {
        name,
        version,
        endpoints,
        policies: designer.policies,
        events: designer.events,
        mails: Vec::new(),
        pages,
        accounts,
        subscribers,
        cors,
        documentation,
    };
    let Designer { tables, lookups, consents, decisions, .. } = designer;
    Ok(Designed { api, tables, lookups, consents, decisions })
}

/// The policy of an API for which nobody names one.
pub fn default_policy() -> RateLimitPolicy {
    let name = PolicyName::parse(DEFAULT_POLICY).expect("a literal that is a name");
    RateLimitPolicy { name, quota: DEFAULT_LIMIT.limit, window_seconds: DEFAULT_LIMIT.window_seconds }
}

struct Designer<'a> {
    catalog: &'a Catalog,
    payments: Payments<'a>,
    problems: Vec<Diagnostic>,
    decisions: Vec<Decision>,
    policies: Vec<RateLimitPolicy>,
    tables: Vec<Table>,
    lookups: Vec<Lookup>,
    consents: Option<Table>,
    events: Vec<EventDeclaration>,
    /// The endpoints that came with others: what they came with.
    brought: BTreeMap<String, &'static str>,
    /// By which field of an event it is known whose it is.
    owners: BTreeMap<EventName, FieldName>,
    /// The tables of the records that events tell of.
    told_of: BTreeMap<EventName, TableName>,
    /// What endpoints hide of a table.
    hidden: BTreeMap<TableName, BTreeSet<ColumnName>>,
    known_by: KnownBy,
    /// Whether subscriptions to newsletters are confirmed.
    confirms: bool,
    /// The tables of the endpoints that show callers their own rows alone.
    owned: BTreeMap<ProcedureName, TableName>,
}

impl Designer<'_> {
    fn decide(&mut self, phase: Phase, subject: &str, decision: String, reason: String) {
        self.decisions.push(Decision { phase, subject: subject.to_owned(), decision, reason });
    }

    fn check_kind(&mut self, kind: &Spanned<ApiKind>) {
        match kind.value {
            ApiKind::Rest | ApiKind::Webhook => {}
            ApiKind::GraphQl => self.problems.push(
                Diagnostic::error(
                    codes::API_TYPE_NOT_BUILT,
                    format!("this producer does not make `{}` APIs yet", kind.value.as_str()),
                    &kind.place,
                )
                .with_help("use `type: \"rest\"`, or `\"webhook\"` for what other systems call"),
            ),
        }
    }

    fn cors(&mut self, features: &[Spanned<SecurityFeature>]) -> Cors {
        let cookies = match self.known_by.takes_cookies() {
            true => "with cookies those in `CORS_ORIGINS` alone, without them also any where that is empty",
            false => "without cookies: of those in `CORS_ORIGINS`, or of any where that is empty",
        };
        let may = format!("pages of other origins may call it, {cookies}");
        let (cors, decision, reason) = match features.iter().any(|feature| feature.value == SecurityFeature::Cors) {
            true => (Cors::On, may.as_str(), "the task says `cors`; which origins belongs to where it is served"),
            false => (Cors::Off, "browsers keep pages of other origins away", "the task does not name `cors`"),
        };
        self.decide(Phase::SetupAuthenticationMiddleware, "other origins", decision.to_owned(), reason.to_owned());
        cors
    }

    fn endpoint(&mut self, endpoint: &spec::Endpoint, known: &Known<'_>) -> Option<Endpoint> {
        let problems_before = self.problems.len();
        let requirements = known.requirements;
        let scheme = self.scheme(endpoint);
        if let Some(problem) = incoming::check(endpoint, requirements.kind.value) {
            self.problems.push(problem);
            return None;
        }
        self.refuse(path_taken(endpoint).into_iter().chain(overrides::check_access(endpoint)).collect());
        let cache = overrides::cache(endpoint).map_err(|problem| self.problems.push(problem)).ok();
        let mut inferred =
            infer(endpoint, requirements, self.catalog).map_err(|problem| self.problems.push(problem)).ok()?;
        if let Some(with) = self.brought.get(&subject_of(endpoint)) {
            inferred.reason = format!("it comes with the {with}");
        }
        if inferred.behaviour.works_on == WorksOn::Subscriptions && requirements.subscribers.is_none() {
            self.problems.push(subscribers::unoffered(endpoint));
            return None;
        }
        let resolved = entity::resolve(endpoint, &inferred, known).map_err(|problems| self.refuse(problems)).ok()?;
        self.problems.extend(lacking(endpoint, &inferred, &resolved).or_else(|| secret_required(endpoint, &resolved)));
        self.problems.extend(nobody_calls(endpoint, &inferred, scheme).or_else(|| accounts_open(endpoint, &inferred)));
        let by = self.limit_key(endpoint, requirements, scheme)?;
        if self.problems.len() > problems_before {
            return None;
        }
        let policy = self.policy(endpoint, requirements);
        let quota = self.policies.iter().find(|known| known.name == policy).map_or(0, |known| known.quota);
        let (role, grant) = (overrides::role(endpoint), overrides::grant(endpoint));
        let is_signed = endpoint.webhook.is_some();
        let guarded = Guarded { scheme, is_signed, role, grant, policy, by, quota };
        let lowered = self.lower(endpoint, &inferred, &resolved, &guarded, known);
        lowered.map(|endpoint| Endpoint { cache: cache.unwrap_or(Cache::NoStore), ..endpoint })
    }

    /// Endpoints of one entity share their rules, and what is wrong with one is said once.
    fn refuse(&mut self, problems: Vec<Diagnostic>) {
        for problem in problems {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    fn lower(
        &mut self,
        endpoint: &spec::Endpoint,
        inferred: &Inferred,
        resolved: &Resolved,
        guarded: &Guarded,
        known: &Known<'_>,
    ) -> Option<Endpoint> {
        let entity = &resolved.entity;
        let is_required = |rule: &&spec::FieldRule| {
            let said = |word: &str, value: &RuleValue| word == "required" && *value == RuleValue::Boolean(true);
            rule.rules.is_empty() || rule.rules.iter().any(|(word, value)| said(&word.value, &value.value))
        };
        let name = |rule: &spec::FieldRule| rule.name.value.clone();
        let named: Vec<_> = endpoint.validation.iter().map(name).collect();
        let required: Vec<_> = endpoint.validation.iter().filter(is_required).map(name).collect();
        let manages = inferred.behaviour.works_on == WorksOn::Subscriptions;
        let mut parent = known.parent(endpoint).filter(|_| !manages);
        let table = resolved.table();
        let owner = self.owner(endpoint, inferred, guarded.scheme, &table, parent.as_mut(), known);
        let owner = owner.map_err(|problem| self.problems.push(problem)).ok()?;
        let roles = account::roles(known.requirements);
        let users = account::users_table(self.catalog, known.tables);
        let caller = users.as_ref().filter(|_| guarded.scheme.is_some_and(Scheme::is_user));
        let user_key = caller.and_then(RecordKey::of).map(|key| key.field_type);
        let condition = condition::of(endpoint, inferred.behaviour, &Asked { table: &table, user_key });
        let condition = condition.map_err(|problem| self.problems.push(problem)).ok()?;
        let hidden = condition::hidden(endpoint, inferred.behaviour, &table);
        let hidden = hidden.map_err(|problems| self.refuse(problems)).ok()?;
        self.hidden.entry(table.name.clone()).or_default().extend(hidden.iter().cloned());
        let is_of_records = inferred.behaviour.works_on == WorksOn::Entity;
        let deleted = deletion::of_endpoint(&table, &condition).filter(|_| is_of_records);
        let shown: Vec<_> = condition.iter().cloned().chain(deleted.cloned().map(Predicate::Null)).collect();
        let hidden: Vec<_> = hidden.into_iter().chain(deleted.cloned()).collect();
        let is_of_newsletter = inferred.behaviour.name.starts_with("newsletter_");
        let consents = newsletter::consents(&table).filter(|_| self.confirms && is_of_newsletter);
        let selling = (inferred.behaviour.works_on == WorksOn::Shop).then(|| {
            let sold = selling::Sold { endpoint, owner: owner.as_ref(), caller, held: known.tables };
            sold.by(self.payments, self.catalog)
        });
        let selling = selling.transpose().map_err(|problems| self.refuse(problems)).ok()?;
        let offered = known.requirements.subscribers.iter().flat_map(|subscribers| &subscribers.events);
        let offers: Vec<EventName> = offered.map(|event| event.value.clone()).collect();
        let hears_own = subscribers::hears_own(known.requirements);
        let given = Given {
            entity,
            asked: &resolved.asked,
            table: &table,
            references: &resolved.references,
            now: &resolved.now,
            emits: inferred.emits.as_ref(),
            named: &named,
            required: &required,
            guarded,
            method: endpoint.method,
            path: endpoint.path.as_str(),
            key: target(&endpoint.path).and_then(|target| target.key),
            parent: parent.as_ref(),
            owner: owner.as_ref(),
            condition: &shown,
            hidden: &hidden,
            deleted,
            merges: known.requirements.endpoints.iter().any(|other| changes_what(endpoint, other)),
            tables: known.tables,
            roles: &roles,
            selling: selling.as_ref(),
            shelves: Shelves::of_orders(self.catalog, known.tables, &entity.entity, &table),
            known_by: self.known_by,
            consents: consents.as_ref(),
            heard: None,
            offers: &offers,
            hears_own,
            needs_user: owner.is_some()
                || manages && hears_own
                || parent.as_ref().is_some_and(|parent| parent.owner.is_some())
                || guarded.role.is_some()
                || condition.iter().any(condition::asks_for_caller)
                || matches!(inferred.behaviour.works_on, WorksOn::Account | WorksOn::Shop),
        };
        let heard = endpoint
            .webhook
            .as_ref()
            .map(|webhook| incoming::heard(endpoint, webhook, resolved, &given.shape(), &guarded.policy, self.catalog));
        let heard = heard.transpose().map_err(|problems| self.refuse(problems)).ok()?;
        let given = Given { heard: heard.as_ref(), ..given };
        let mut behaved = inferred.behaviour.lower(&given);
        overrides::narrow_listing(endpoint, &mut behaved).map_err(|problems| self.refuse(problems)).ok()?;
        let (lookups, open) = lookup::of_list(endpoint, &behaved.body, &table);
        self.lookups.extend(lookups);
        self.decisions.extend(open);
        let scope = behaved.table.as_ref().and_then(|table| ask_for_scope(&mut behaved.body, &table.name));
        let events = self.events(endpoint, inferred, &mut behaved)?;
        self.told_of.extend(events.iter().map(|event| (event.clone(), table.name.clone())));
        if let Some(owner) = &owner {
            self.owners.extend(events.iter().map(|event| (event.clone(), owner.clone())));
        }
        let format =
            overrides::write_rows(endpoint, &mut behaved).map_err(|problem| self.problems.push(problem)).ok()?;
        self.decide_endpoint(endpoint, inferred, &behaved, &events, format);
        self.decide_parent(endpoint, parent.as_ref());
        self.decide_owner(endpoint, inferred, guarded.scheme, owner.as_ref(), parent.as_ref());
        self.decide_condition(endpoint, &condition);
        self.decide_deletion(endpoint, deleted);
        self.decide_fields(resolved);
        let subject = subject_of(endpoint);
        self.decide_guards(&subject, guarded);
        self.decide_scope(&subject, scope);
        let further = selling.iter().flat_map(Selling::tables);
        behaved.table.into_iter().chain(further).chain(consents.clone()).for_each(|table| self.add_table(table));
        self.consents = self.consents.take().or_else(|| consents.clone());
        // What a checkout has to do with besides is nobody's own.
        let own_rows = is_of_records && owner.is_some() || parent.as_ref().is_some_and(|parent| parent.owner.is_some());
        if own_rows {
            self.owned.insert(procedure_name(endpoint), table.name.clone());
        }
        let max_body_bytes = max_body_bytes(&behaved.body);
        let procedure = Procedure {
            name: procedure_name(endpoint),
            trigger: Trigger::Request {
                method: endpoint.method.as_str().to_owned(),
                path: endpoint.path.as_str().to_owned(),
            },
            body: behaved.body,
        };
        let violations = check::violations(&procedure);
        assert!(violations.is_empty(), "a behaviour lowers to a well formed procedure: {violations:?}");
        if inferred.behaviour.works_on == WorksOn::Account || given.shelves.is_some() {
            // What callers are given of themselves stands in tables that no other endpoint may have to do with, and what an order takes
            // and puts back in those of its lines and products.
            let used = uses::of_procedure(known.tables, &procedure);
            let read = known.tables.iter().filter(|table| used.contains_key(&table.name));
            read.for_each(|table| self.add_table(table.clone()));
        }
        Some(Endpoint {
            procedure,
            entity: inferred
                .behaviour
                .thing
                .and_then(|thing| EntityName::parse(thing).ok())
                .unwrap_or_else(|| entity.entity.clone()),
            summary: condition::told(behaved.summary, &condition),
            max_body_bytes,
            example: behaved.example,
            cache: Cache::NoStore,
            own_rows,
        })
    }

    /// The names of the events that the endpoint emits, declared with what they hold.
    fn events(
        &mut self,
        endpoint: &spec::Endpoint,
        inferred: &Inferred,
        behaved: &mut Behaved,
    ) -> Option<Vec<EventName>> {
        let general = inferred.behaviour.general_event;
        let mut own = behaved.events.clone().into_iter();
        let (own, others) = (own.next(), own);
        let counts_as = |event: &EventName, general| overrides::counts_as(event, general, self.catalog);
        let also = own.as_ref().map_or_else(Vec::new, |(event, _)| counts_as(event, general));
        let further = overrides::emit_more(endpoint, behaved, &also);
        let further = further.map_err(|problem| self.problems.push(problem)).ok()?;
        let Some((name, fields)) = own else { return Some(Vec::new()) };
        let mut names = vec![name.clone()];
        self.add_event(EventDeclaration { name, also, fields: fields.clone() }, &endpoint.place);
        for name in further {
            let also = overrides::counts_as(&name, None, self.catalog);
            let place = endpoint.emits.iter().find(|event| event.value == name).map(|event| event.place.clone());
            let place = place.unwrap_or_else(|| endpoint.place.clone());
            self.add_event(EventDeclaration { name: name.clone(), also, fields: fields.clone() }, &place);
            names.push(name);
        }
        for (name, fields) in others {
            self.add_event(EventDeclaration { name, also: Vec::new(), fields }, &endpoint.place);
        }
        Some(names)
    }

    fn decide_endpoint(
        &mut self,
        endpoint: &spec::Endpoint,
        inferred: &Inferred,
        behaved: &Behaved,
        events: &[EventName],
        format: RowsFormat,
    ) {
        let subject = subject_of(endpoint);
        let names: Vec<String> = events.iter().map(|event| format!("`{event}`")).collect();
        let emits = if names.is_empty() { String::new() } else { format!(" and emits {}", names.join(", ")) };
        let mut reason = inferred.reason.clone();
        if names.len() > 1 {
            reason.push_str("; the task says `emits`");
        }
        self.decide(Phase::ImplementEndpointLogic, &subject, format!("{}{emits}", behaved.summary), reason);
        let rows = match format {
            RowsFormat::Json => None,
            RowsFormat::Csv => {
                Some("as CSV with a header row; a text that a spreadsheet would run gets a `'` before it")
            }
            RowsFormat::Ndjson => Some("as NDJSON, one record a line"),
        };
        if let (Some(rows), Some(stated)) = (rows, &endpoint.response_format) {
            let decision = format!("answers {rows}; `Link` leads to the next page");
            let reason = format!("the task says `response_format: {}`", stated.value);
            self.decide(Phase::ImplementEndpointLogic, &subject, decision, reason);
        }
        let kept = |seconds, by: &str| format!("its answer may be kept for {seconds} seconds {by}");
        let (decision, why) = match overrides::cache(endpoint) {
            Ok(Cache::Public(seconds)) => (kept(seconds, "by everybody between"), "everybody is answered the same"),
            Ok(Cache::Private(seconds)) => (kept(seconds, "by its caller"), "only callers with a key are answered"),
            Ok(Cache::NoStore) | Err(_) => return,
        };
        self.decide(Phase::ImplementEndpointLogic, &subject, decision, format!("the task says `cache`; {why}"));
    }

    fn decide_parent(&mut self, endpoint: &spec::Endpoint, parent: Option<&ParentKey>) {
        let Some(ParentKey { field, parameter, table, owner: _ }) = parent else { return };
        let decision = format!("works on records whose `{field}` is the `{parameter}` of its path");
        let reason = match table {
            Some((table, _)) => format!("the path nests them; 404 where `{table}` has no such record"),
            None => "the path nests them; whether that record is there is not checked, because no endpoint of this task has it"
                .to_owned(),
        };
        self.decide(Phase::ImplementEndpointLogic, &subject_of(endpoint), decision, reason);
    }

    /// The field that says whose a record is, where callers with a token have to do with their own alone: that is so unless `access`
    /// says otherwise. A thing that the path names must then be the caller's too.
    fn owner(
        &self,
        endpoint: &spec::Endpoint,
        inferred: &Inferred,
        scheme: Option<Scheme>,
        table: &Table,
        parent: Option<&mut ParentKey>,
        known: &Known<'_>,
    ) -> Result<Option<FieldName>, Diagnostic> {
        let stated = endpoint.access.as_ref().map(|stated| &stated.value);
        let is_scoped = scheme.is_some_and(Scheme::is_user)
            && matches!(inferred.behaviour.works_on, WorksOn::Entity | WorksOn::Shop)
            && matches!(stated, None | Some(spec::Access::Owner | spec::Access::Scope(_)));
        let Some(users) = account::users_table(self.catalog, known.tables).filter(|_| is_scoped) else {
            return Ok(None);
        };
        let held = |name: &TableName| known.tables.iter().find(|table| table.name == *name);
        let mut of_parent = None;
        if let Some(ParentKey { table: Some((name, _)), owner, .. }) = parent {
            let parent = held(name).map(|parent| account::ownership(parent, known.tables, &users.name));
            if let Some(Ownership::Of(column)) = parent {
                *owner = Some(column);
                of_parent = Some(name.clone());
            } else if *name == users.name {
                *owner = Some(crate::table::column_name("id"));
                of_parent = Some(name.clone());
            }
        }
        let place = endpoint.access.as_ref().map_or(&endpoint.place, |stated| &stated.place);
        let refused = |why: String, help: &str| {
            let message = format!("whose a record of `{}` is cannot be told: {why}", table.name);
            Err(Diagnostic::error(codes::OWNER_UNSAID, message, place).with_help(help))
        };
        let open = "write `access: authenticated` where everybody who signs in may have to do with all of them";
        match account::ownership(table, known.tables, &users.name) {
            Ownership::Of(column) => Ok(Some(crate::behaviour::field_name(column.as_str()))),
            Ownership::Through(other) if of_parent.as_ref() == Some(&other) => Ok(None),
            Ownership::Through(other) => refused(
                format!("it belongs to a user through `{other}`"),
                &format!("nest it, as in `/api/{other}/{{id}}/{}`; or {open}", table.name),
            ),
            // The path says which of them counts.
            Ownership::SeveralWays(ways) if ways.iter().any(|(_, other)| of_parent.as_ref() == Some(other)) => Ok(None),
            Ownership::SeveralWays(ways) => {
                let through: Vec<String> =
                    ways.iter().map(|(column, other)| format!("`{column}` through `{other}`")).collect();
                let (_, first) = &ways[0];
                refused(
                    format!("{} lead to users", through.join(" and ")),
                    &format!(
                        "nest it under the one that counts, as in `/api/{first}/{{id}}/{}`; or {open}",
                        table.name
                    ),
                )
            }
            Ownership::Several(columns) => {
                let names: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
                refused(format!("{} lead to users", names.join(" and ")), open)
            }
            Ownership::Themselves => refused(
                "its records are the users".to_owned(),
                &format!("the caller's own is read with `GET /api/users/profile`; {open}"),
            ),
            Ownership::Nobody if stated == Some(&spec::Access::Owner) => refused(
                format!("nothing of it leads to `{}`", users.name),
                "keep it in a database task, related to `users` (`users_to_notes`); or leave `access` out, and everybody who signs in has to do with all of them",
            ),
            Ownership::Nobody => Ok(None),
        }
    }

    fn decide_owner(
        &mut self,
        endpoint: &spec::Endpoint,
        inferred: &Inferred,
        scheme: Option<Scheme>,
        owner: Option<&FieldName>,
        parent: Option<&ParentKey>,
    ) {
        let works_on_records = matches!(inferred.behaviour.works_on, WorksOn::Entity | WorksOn::Shop);
        if !scheme.is_some_and(Scheme::is_user) || !works_on_records {
            return;
        }
        let of_parent = parent.and_then(|parent| parent.owner.as_ref());
        let (decision, reason) = match (owner, of_parent, &endpoint.access) {
            (Some(field), ..) => (
                format!("callers have to do with their own records alone, by `{field}`"),
                "it leads to users; `access: authenticated` would open all of them".to_owned(),
            ),
            (None, Some(column), _) => (
                format!(
                    "callers have to do with what belongs to their own alone, by `{column}` of what the path names"
                ),
                "that leads to users; `access: authenticated` would open all of them".to_owned(),
            ),
            (None, None, Some(Spanned { value: spec::Access::Roles(_), .. })) => (
                "its callers have to do with all of its records".to_owned(),
                format!(
                    "the task says `access: role:{}`",
                    overrides::role(endpoint).as_ref().map_or_else(String::new, Roles::listed)
                ),
            ),
            (None, None, Some(Spanned { value: spec::Access::Scope(scope), .. })) => (
                "everybody whose token was granted the scope has to do with all of its records".to_owned(),
                format!("the task says `access: scope:{scope}`, and nothing of them leads to users"),
            ),
            (None, None, Some(_)) => (
                "everybody who signs in has to do with all of its records".to_owned(),
                "the task says `access`".to_owned(),
            ),
            (None, None, None) => (
                "everybody who signs in has to do with all of its records".to_owned(),
                "nothing of them leads to users".to_owned(),
            ),
        };
        self.decide(Phase::SetupAuthenticationMiddleware, &subject_of(endpoint), decision, reason);
    }

    fn decide_condition(&mut self, endpoint: &spec::Endpoint, condition: &[Predicate]) {
        if condition.is_empty() {
            return;
        }
        let decision = condition::told("has to do with records alone".to_owned(), condition);
        let reason = "the task says `where`; others are as if they were not there".to_owned();
        self.decide(Phase::SetupAuthenticationMiddleware, &subject_of(endpoint), decision, reason);
    }

    fn decide_deletion(&mut self, endpoint: &spec::Endpoint, deleted: Option<&ColumnName>) {
        let (Some(deleted), true) = (deleted, endpoint.method != spec::Method::Post) else { return };
        let decision = match endpoint.method {
            spec::Method::Delete => format!("sets `{deleted}` and leaves the row where it is"),
            _ => format!("has to do with rows whose `{deleted}` is empty alone"),
        };
        let reason = format!(
            "the table has a time of that name that may be empty; an endpoint whose `where` speaks of `{deleted}` sees the others, and deletes for good"
        );
        self.decide(Phase::ImplementEndpointLogic, &subject_of(endpoint), decision, reason);
    }

    fn decide_guards(&mut self, subject: &str, guarded: &Guarded) {
        let (decision, reason) = match guarded.scheme {
            Some(Scheme::ApiKey) => ("asks for an API key", "the task says `authentication: api_key`"),
            Some(Scheme::AccessToken) => ("asks for an access token", "the task says `authentication: jwt_token`"),
            Some(Scheme::Session) => ("asks for the cookie of a session", "the task says `authentication: session`"),
            Some(Scheme::Basic) => {
                ("asks for the address and the password of an account", "the task says `authentication: basic`")
            }
            Some(Scheme::Issued) => (
                "asks for an access token of the issuer that `OAUTH_ISSUER` names, for `OAUTH_AUDIENCE`",
                "the task says `authentication: oauth`",
            ),
            Some(Scheme::SignedIn) => (
                "asks for an access token or the cookie of a session",
                "other endpoints of the task say `authentication: jwt_token` and `session`",
            ),
            None if guarded.is_signed => {
                ("asks for the proof of its sender", "the task says `authentication: signature`")
            }
            None => ("is open to everybody", "the task says `authentication: none`"),
        };
        let (decision, reason) = match (&guarded.role, &guarded.grant) {
            (_, Some(grant)) => {
                (format!("{decision}, granted `{grant}`"), format!("{reason} and `access: scope:{grant}`"))
            }
            (Some(roles), None) => (
                format!("{decision} of an account with the role `{roles}`"),
                format!("{reason} and `access: role:{}`", roles.listed()),
            ),
            (None, None) => (decision.to_owned(), reason.to_owned()),
        };
        self.decide(Phase::SetupAuthenticationMiddleware, subject, decision, reason);
        let (decision, reason) = match (&guarded.by, guarded.scheme) {
            (
                LimitKey::Principal,
                Some(Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic | Scheme::Issued),
            ) => ("counts requests by user", "users tell callers apart, addresses do not"),
            (LimitKey::Principal, Some(Scheme::ApiKey) | None) => {
                ("counts requests by API key", "keys tell callers apart, addresses do not")
            }
            (LimitKey::Address | LimitKey::Field(..), _) if guarded.is_signed => {
                ("counts calls of strangers by client address", "what its sender has proved is never too much")
            }
            (LimitKey::Address | LimitKey::Field(..), _) => {
                ("counts requests by client address", "an open endpoint knows nothing else of its callers")
            }
        };
        let decision = format!("{decision}, policy `{}`", guarded.policy);
        self.decide(Phase::SetupAuthenticationMiddleware, subject, decision, reason.to_owned());
    }

    fn decide_scope(&mut self, subject: &str, scope: Option<Scope>) {
        let Some(scope) = scope else { return };
        let reason = match scope.access {
            Access::Read => format!("its procedure reads `{}` and changes nothing", scope.collection),
            Access::Write => format!("its procedure writes `{}`", scope.collection),
        };
        let decision = format!("needs the scope `{scope}`; a key without any scopes has them all");
        self.decide(Phase::SetupAuthenticationMiddleware, subject, decision, reason);
    }

    fn scheme(&self, endpoint: &spec::Endpoint) -> Option<Scheme> {
        match endpoint.authentication {
            Authentication::None | Authentication::Signature => None,
            Authentication::ApiKey => Some(Scheme::ApiKey),
            Authentication::Jwt
                if self.known_by == KnownBy::Both && self.brought.get(&subject_of(endpoint)) == Some(&"accounts") =>
            {
                Some(Scheme::SignedIn)
            }
            Authentication::Jwt => Some(Scheme::AccessToken),
            Authentication::Session => Some(Scheme::Session),
            Authentication::Basic => Some(Scheme::Basic),
            Authentication::OAuth => Some(Scheme::Issued),
        }
    }

    /// Once for each entity.
    fn decide_fields(&mut self, resolved: &Resolved) {
        if let Some(file) = &resolved.entity.file {
            let subject = format!("entity `{}`", resolved.entity.entity);
            let reason = match self.catalog.is_built_in(&resolved.entity.entity) {
                true => "a file of the workspace; the catalogue's own entity of that name gives way",
                false => "a file of the workspace",
            };
            if !self.decisions.iter().any(|decision| decision.subject == subject) {
                let decision = format!("as `{file}` says");
                self.decide(Phase::CreateSchemaAndTables, &subject, decision, reason.to_owned());
            }
        }
        for (name, decision, reason) in &resolved.decided {
            let subject = format!("field `{}.{name}`", resolved.entity.table);
            if !self.decisions.iter().any(|decision| decision.subject == subject) {
                self.decide(Phase::CreateSchemaAndTables, &subject, decision.clone(), reason.clone());
            }
        }
    }

    fn limit_key(
        &mut self,
        endpoint: &spec::Endpoint,
        requirements: &ApiRequirements,
        scheme: Option<Scheme>,
    ) -> Option<LimitKey> {
        let stated = endpoint.rate_limiting.as_ref().or(requirements.rate_limiting.as_ref());
        match (stated.and_then(|limit| limit.value.by), scheme) {
            (None, Some(_))
            | (Some(LimitBy::Key), Some(Scheme::ApiKey))
            | (
                Some(LimitBy::User),
                Some(Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic | Scheme::Issued),
            ) => Some(LimitKey::Principal),
            (None, None) | (Some(LimitBy::Ip), _) => Some(LimitKey::Address),
            (Some(by @ (LimitBy::Key | LimitBy::User)), Some(_) | None) => {
                let place = stated.map_or(&endpoint.place, |limit| &limit.place);
                self.problems.push(
                    Diagnostic::error(
                        codes::LIMIT_WITHOUT_SUBJECT,
                        format!(
                            "`{} {}` knows no {} to count by",
                            endpoint.method.as_str(),
                            endpoint.path.as_str(),
                            by.as_str()
                        ),
                        place,
                    )
                    .with_help("count `by: ip`, or leave `by` out and let each endpoint count by what it knows"),
                );
                None
            }
        }
    }

    /// The endpoint's own policy, or the one of the whole API.
    fn policy(&mut self, endpoint: &spec::Endpoint, requirements: &ApiRequirements) -> PolicyName {
        let (name, limit, reason) = match (&endpoint.rate_limiting, &requirements.rate_limiting) {
            (Some(own), _) => (procedure_name(endpoint).to_string(), own.value, "the endpoint says so"),
            (None, Some(shared)) => (DEFAULT_POLICY.to_owned(), shared.value, "the task says so"),
            (None, None) => (
                DEFAULT_POLICY.to_owned(),
                DEFAULT_LIMIT,
                "the task names none, and an API without a limit is not safe",
            ),
        };
        let name = PolicyName::parse(&name).expect("made from a name");
        if !self.policies.iter().any(|policy| policy.name == name) {
            let decision =
                format!("at most {} requests of one caller in any {} seconds", limit.limit, limit.window_seconds);
            self.decide(Phase::SetupAuthenticationMiddleware, &format!("policy `{name}`"), decision, reason.to_owned());
            self.policies.push(RateLimitPolicy {
                name: name.clone(),
                quota: limit.limit,
                window_seconds: limit.window_seconds,
            });
        }
        name
    }

    /// Accounts are one for a database: what belongs to them is at the API that has them already.
    fn leave_accounts(&mut self, to: &TaskId) {
        self.decide(
            Phase::DesignApiArchitecture,
            "accounts",
            format!("are those of task `{to}`: nothing is brought beside what this task names"),
            "both stand on one database, and people register, sign in and leave there".to_owned(),
        );
    }

    /// What belongs to an API that knows its callers.
    fn accounts(
        &mut self,
        endpoints: &mut [Endpoint],
        requirements: &ApiRequirements,
        held: &[Table],
        name: &str,
    ) -> Option<Accounts> {
        let users = account::users_table(self.catalog, held).filter(|_| account::has_accounts(endpoints))?;
        self.problems.extend(account::unfit(&users, &requirements.place));
        let newcomers = account::newcomers(endpoints, &users);
        self.decide_newcomers(newcomers, &users.name);
        let (issuer, users_name) = (format!("{name}-api"), users.name.clone());
        self.add_table(users);
        system::of_accounts().into_iter().for_each(|table| self.add_table(table));
        newcomers.into_iter().for_each(|_| self.add_table(system::identities()));
        let owned = own_rows::keep(endpoints, &self.owned, held, &users_name);
        Some(Accounts { issuer, users: users_name, owned, newcomers })
    }

    /// What counts under a policy of its own: failures, and mails.
    fn further_policies(&mut self, endpoints: &[Endpoint]) {
        for (policy, what, reason) in account::policies() {
            let counts = |item: &Item| match item {
                Item::Let(_, Step::Authorize { scheme: Scheme::Basic, .. }) => policy.name.as_str() == FAILED_LOGINS,
                Item::Do(Step::Spare { policy: named, .. } | Step::Limit { policy: named, .. }) => {
                    *named == policy.name
                }
                _ => false,
            };
            if endpoints.iter().any(|endpoint| endpoint.procedure.body.iter().any(counts)) {
                let decision = format!("at most {} {what} in any {} seconds", policy.quota, policy.window_seconds);
                let subject = format!("policy `{}`", policy.name);
                self.decide(Phase::SetupAuthenticationMiddleware, &subject, decision, reason.to_owned());
                self.policies.push(policy);
            }
        }
    }

    /// Keeps which endpoints came with what.
    fn bring(&mut self, with: &'static str, brought: Vec<String>, reason: &str) {
        if !brought.is_empty() {
            let names: Vec<String> = brought.iter().map(|endpoint| format!("`{endpoint}`")).collect();
            let decision = format!("brings {}", names.join(", "));
            self.decide(Phase::DesignApiArchitecture, with, decision, reason.to_owned());
        }
        self.brought.extend(brought.into_iter().map(|endpoint| (endpoint, with)));
    }

    /// What others may subscribe to.
    fn subscribers(&mut self, requirements: &ApiRequirements) -> Option<plan::Subscribers> {
        let hidden = |event: &EventName| {
            let of_table = self.told_of.get(event).and_then(|table| self.hidden.get(table));
            of_table.into_iter().flatten().map(|column| field_name(column.as_str())).collect()
        };
        let offered = subscribers::offered(requirements, &self.events, &self.owners, hidden);
        let offered = offered.map_err(|problems| self.refuse(problems)).ok()??;
        subscribers::events().into_iter().for_each(|event| self.add_event(event, &requirements.place));
        let names: Vec<String> = offered.offers.iter().map(|offer| format!("`{}`", offer.event)).collect();
        let whose = match subscribers::hears_own(requirements) {
            true => "each user of the own alone",
            false => "everybody who may subscribe of all of them",
        };
        let decision = format!(
            "may hear of {}, {whose}; who fails for {} seconds is disabled",
            names.join(", "),
            offered.disable_after_seconds
        );
        let reason = "the task says `subscribers`; messages are signed as Standard Webhooks has it".to_owned();
        self.decide(Phase::ImplementEndpointLogic, "subscribers", decision, reason);
        Some(offered)
    }

    /// Which user a token of another issuer is about.
    fn decide_newcomers(&mut self, newcomers: Option<Newcomers>, users: &TableName) {
        let decision = match newcomers {
            None => return,
            Some(Newcomers::Made | Newcomers::MadeWithName) => {
                "who calls for the first time gets a user, or is the one with the proved address that the token names"
            }
            Some(Newcomers::Refused) => {
                "who calls for the first time is the user with the proved address that the token names; anybody else is refused: a user needs more than a token says"
            }
        };
        let reason = format!("`sub` of a token is kept with its row of `{users}` in `auth_identities`");
        self.decide(Phase::SetupAuthenticationMiddleware, "tokens of the issuer", decision.to_owned(), reason);
    }

    fn add_table(&mut self, table: Table) {
        if !self.tables.iter().any(|known| known.name == table.name) {
            self.tables.push(table);
        }
    }

    /// An event that several endpoints emit holds what any of them says.
    fn add_event(&mut self, event: EventDeclaration, place: &Place) {
        let Some(known) = self.events.iter_mut().find(|known| known.name == event.name) else {
            self.events.push(event);
            return;
        };
        for (name, field_type) in event.fields {
            match known.fields.iter().find(|(field, _)| *field == name) {
                None => known.fields.push((name, field_type)),
                Some((_, other)) if *other == field_type => {}
                Some((_, other)) => {
                    let (here, there) = (field_type.describe(), other.describe());
                    let message =
                        format!("`{}` of event `{}` would be {here} here and {there} elsewhere", name, event.name);
                    self.problems.push(
                        Diagnostic::error(codes::EVENT_DIFFERS, message, place)
                            .with_help("give one of the events another name, or the fields one type"),
                    );
                }
            }
        }
    }

    fn system_tables(&mut self, endpoints: &[Endpoint]) {
        if !endpoints.is_empty() {
            self.add_table(system::outbox_events());
            if !self.events.is_empty() {
                system::of_deliveries().into_iter().for_each(|table| self.add_table(table));
            }
            self.add_table(system::api_keys());
            let claims = |item: &Item| matches!(item, Item::Let(_, Step::Claim));
            if endpoints.iter().any(|endpoint| endpoint.procedure.body.iter().any(claims)) {
                self.add_table(system::idempotency_answers());
            }
            if endpoints.iter().any(|endpoint| endpoint.hearing().is_some()) {
                self.add_table(system::inbox_events());
            }
        }
    }

    fn documentation(&mut self, asked: spec::DocumentationFormat) -> DocumentationFormat {
        let (format, words) = match asked {
            spec::DocumentationFormat::OpenApi30 => (DocumentationFormat::OpenApi30, "OpenAPI 3.0 and Markdown"),
            spec::DocumentationFormat::OpenApi31 => (DocumentationFormat::OpenApi31, "OpenAPI 3.1 and Markdown"),
            spec::DocumentationFormat::Markdown => {
                (DocumentationFormat::OpenApi31, "Markdown, and OpenAPI 3.1 at `/openapi.json`")
            }
        };
        self.decide(
            Phase::CreateApiDocumentation,
            "documents",
            words.to_owned(),
            "generated from this plan, so they cannot differ from what is served".to_owned(),
        );
        format
    }
}

/// Makes a procedure that asks for an API key ask for the scope that follows from what it does. Access tokens have none.
fn ask_for_scope(body: &mut [Item], collection: &TableName) -> Option<Scope> {
    let access = Access::of(body);
    body.iter_mut().find_map(|item| match item {
        Item::Let(_, Step::Authorize { scheme: Scheme::ApiKey, scope, .. })
        | Item::Do(Step::Authorize { scheme: Scheme::ApiKey, scope, .. }) => {
            *scope = Some(Scope { collection: collection.clone(), access });
            scope.clone()
        }
        Item::Let(..)
        | Item::Do(_)
        | Item::Transaction(_)
        | Item::Each(_)
        | Item::Promise(_)
        | Item::Match(..)
        | Item::Exit(..) => None,
    })
}

/// Paths that the server itself answers.
const OWN_PATHS: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"];

fn path_taken(endpoint: &spec::Endpoint) -> Option<Diagnostic> {
    let path = endpoint.path.as_str();
    let is_taken = OWN_PATHS.contains(&path) || path.starts_with("/docs/");
    is_taken.then(|| {
        Diagnostic::error(codes::PATH_TAKEN, format!("the server itself answers `{path}`"), &endpoint.place)
            .with_help("remove the endpoint, or take a path such as `/api/health`")
    })
}

/// A behaviour that needs fields which the entity does not have.
fn lacking(endpoint: &spec::Endpoint, inferred: &Inferred, resolved: &Resolved) -> Option<Diagnostic> {
    let (behaviour, entity) = (inferred.behaviour, &resolved.entity);
    let has = |name: &str| entity.fields.iter().any(|field| field.name.as_str() == name);
    let is_unique =
        |name: &str| entity.unique.iter().any(|unique| matches!(&unique[..], [only] if only.as_str() == name));
    let missing = behaviour.needs.iter().find(|name| !has(name)).map(|name| format!("the field `{name}`"));
    let not_unique = behaviour.unique.filter(|name| !is_unique(name)).map(|name| format!("a unique `{name}`"));
    let missing = missing.or(not_unique)?;
    let place = endpoint.entity.as_ref().map(|entity| &entity.place);
    let place = place.or(endpoint.behavior.as_ref().map(|behavior| &behavior.place)).unwrap_or(&endpoint.place);
    let message = format!("`{}` needs {missing}, and `{}` has none", behaviour.name, entity.entity);
    Some(
        Diagnostic::error(codes::BEHAVIOR_DOES_NOT_FIT, message, place)
            .with_help("leave `entity` out, and the behaviour brings its own"),
    )
}

/// An endpoint that works for its caller and does not know who that is, and one that would ask for what it gives.
fn nobody_calls(endpoint: &spec::Endpoint, inferred: &Inferred, scheme: Option<Scheme>) -> Option<Diagnostic> {
    let behaviour = inferred.behaviour;
    let gives = behaviour.works_on == WorksOn::Account && !behaviour.for_caller;
    let (message, help) = match (behaviour.for_caller, scheme) {
        (true, None | Some(Scheme::ApiKey)) => (
            format!("`{}` {}, and asks nobody who calls", subject_of(endpoint), behaviour.does),
            "write `authentication: \"jwt_token\"` or `\"session\"`",
        ),
        (true, Some(scheme @ (Scheme::Basic | Scheme::Issued))) if !behaviour.name.starts_with("account_profile") => (
            format!(
                "`{}` {}, and {} begins no session here",
                subject_of(endpoint),
                behaviour.does,
                if scheme == Scheme::Basic { "a password with each request" } else { "a token of another issuer" }
            ),
            "write `authentication: \"jwt_token\"` or `\"session\"`",
        ),
        (false, Some(scheme)) if gives && scheme.is_user() => (
            format!("`{}` {}, and would let in only who is signed in already", subject_of(endpoint), behaviour.does),
            "write `authentication: \"none\"`",
        ),
        (true | false, _) => return None,
    };
    let place = endpoint.authentication_place.as_ref().unwrap_or(&endpoint.place);
    Some(Diagnostic::error(codes::NOBODY_CALLS, message, place).with_help(help))
}

/// What works on accounts of others is not for everybody who signs in.
fn accounts_open(endpoint: &spec::Endpoint, inferred: &Inferred) -> Option<Diagnostic> {
    if !inferred.behaviour.of_others || overrides::role(endpoint).is_some() {
        return None;
    }
    let message =
        format!("`{}` {}, and everybody who signs in may call it", subject_of(endpoint), inferred.behaviour.does);
    let place = endpoint.access.as_ref().map_or(&endpoint.place, |stated| &stated.place);
    Some(Diagnostic::error(codes::ACCOUNTS_OPEN, message, place).with_help("write `access: \"role:admin\"`"))
}

/// A new record that would need a secret: no request may bring one.
fn secret_required(endpoint: &spec::Endpoint, resolved: &Resolved) -> Option<Diagnostic> {
    let is_needed = |field: &&Field| field.sensitivity == Sensitivity::Secret && field.presence == Presence::Required;
    let field = resolved.entity.fields.iter().find(is_needed).filter(|_| endpoint.method == spec::Method::Post)?;
    let message = format!(
        "a new {} needs `{}`, which is a secret and never taken from a request",
        resolved.entity.entity, field.name
    );
    Some(Diagnostic::error(codes::SECRET_FIELD, message, &endpoint.place).with_help(
        "let whatever makes the secret make the record, and leave this endpoint out; or make the field optional",
    ))
}

pub fn subject_of(endpoint: &spec::Endpoint) -> String {
    format!("{} {}", endpoint.method.as_str(), endpoint.path.as_str())
}

/// `post_api_contact`, `get_api_orders_by_id`: unique, because method and path are. Long paths keep their end, which tells them apart.
fn procedure_name(endpoint: &spec::Endpoint) -> ProcedureName {
    let segments = endpoint.path.segments().iter().map(|segment| match segment {
        Segment::Literal(text) => snake_case(text),
        Segment::Parameter(name) => format!("by_{name}"),
    });
    let words: Vec<String> = std::iter::once(endpoint.method.as_str().to_ascii_lowercase())
        .chain(segments)
        .filter(|word| !word.is_empty())
        .collect();
    let text = words.join("_");
    let excess = text.len().saturating_sub(vocab::MAX_IDENTIFIER_LENGTH - words[0].len() - 1);
    let short =
        if text.len() > vocab::MAX_IDENTIFIER_LENGTH { format!("{}_{}", words[0], &text[excess..]) } else { text };
    ProcedureName::parse(&short).expect("a method followed by letters, digits and `_`")
}

/// The words of the paths, without `api` and the version: `contact-newsletter`.
fn api_name(requirements: &ApiRequirements) -> String {
    let mut words: Vec<String> = Vec::new();
    for endpoint in &requirements.endpoints {
        let word = endpoint.path.literals().find(|segment| *segment != "api" && !is_version(segment)).map(snake_case);
        words.extend(word.filter(|word| !word.is_empty() && !words.contains(word)));
    }
    if words.is_empty() {
        return "main".to_owned();
    }
    words.truncate(NAME_WORDS);
    words.join("-").replace('_', "-")
}

fn api_version(requirements: &ApiRequirements) -> String {
    requirements
        .endpoints
        .iter()
        .flat_map(|endpoint| endpoint.path.literals())
        .find(|segment| is_version(segment))
        .unwrap_or("v1")
        .to_owned()
}

/// Whether the other endpoint changes a record that this one makes, for the same callers, whichever it is.
fn changes_what(endpoint: &spec::Endpoint, other: &spec::Endpoint) -> bool {
    let is_item = |path: &str| {
        let behind = path.strip_prefix(endpoint.path.as_str()).and_then(|rest| rest.strip_prefix('/'));
        behind.is_some_and(|key| key.starts_with('{') && !key.contains('/'))
    };
    let access = |endpoint: &spec::Endpoint| endpoint.access.as_ref().map(|access| access.value.clone());
    matches!(other.method, spec::Method::Put | spec::Method::Patch)
        && is_item(other.path.as_str())
        && other.behavior.is_none()
        && other.authentication == endpoint.authentication
        && access(other) == access(endpoint)
        && other.condition.is_none()
        && other.hidden.is_empty()
}
