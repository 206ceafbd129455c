//! The API as a whole: its endpoints as procedures, its limits, its events, and the tables they need.

use crate::behaviour::{self, Given, Guarded};
use crate::body_size::max_body_bytes;
use crate::codes;
use crate::entity::{self, Resolved, snake_case};
use crate::intent::{Inferred, infer, target};
use catalog::Catalog;
use plan::api::{ApiPlan, Cors, DocumentationFormat, Endpoint, EventDeclaration, RateLimitPolicy};
use plan::procedure::{LimitKey, Procedure, Scheme, Trigger};
use plan::{Access, Decision, Item, Phase, Scope, Step, Table, check, system};
use spec::{
    ApiKind, ApiRequirements, Authentication, LimitBy, RateLimit, ResponseFormat, RuleValue, SecurityFeature, Segment,
    Spanned,
};
use vocab::{Diagnostic, PolicyName, ProcedureName, TableName};

/// Largest accepted body of an endpoint, in bytes.
/// The limit where the task names none.
const DEFAULT_LIMIT: RateLimit = RateLimit { limit: 100, window_seconds: 60, by: None };
/// Longest name of an API in files, in words.
const NAME_WORDS: usize = 3;

/// An API, the tables it needs, and why it is as it is.
pub struct Designed {
    pub api: ApiPlan,
    pub tables: Vec<Table>,
    pub decisions: Vec<Decision>,
}

pub fn design(requirements: &ApiRequirements, catalog: &Catalog) -> Result<Designed, Vec<Diagnostic>> {
    let mut designer = Designer {
        catalog,
        problems: Vec::new(),
        decisions: Vec::new(),
        policies: Vec::new(),
        tables: Vec::new(),
        events: Vec::new(),
    };
    designer.check_kind(&requirements.kind);
    let name = api_name(requirements);
    let version = api_version(requirements);
    designer.decide(
        Phase::DesignApiArchitecture,
        "API",
        format!("called `{name}`, version {version}"),
        "the words of its paths".to_owned(),
    );
    let endpoints: Vec<Endpoint> =
        requirements.endpoints.iter().filter_map(|endpoint| designer.endpoint(endpoint, requirements)).collect();
    designer.system_tables(&endpoints);
    let documentation = designer.documentation(requirements.documentation_format);
    if !designer.problems.is_empty() {
        return Err(designer.problems);
    }
    let cors = designer.cors(&requirements.security_features);
    let api =
        ApiPlan { name, version, endpoints, policies: designer.policies, events: designer.events, cors, documentation };
    Ok(Designed { api, tables: designer.tables, decisions: designer.decisions })
}

struct Designer<'a> {
    catalog: &'a Catalog,
    problems: Vec<Diagnostic>,
    decisions: Vec<Decision>,
    policies: Vec<RateLimitPolicy>,
    tables: Vec<Table>,
    events: Vec<EventDeclaration>,
}

impl Designer<'_> {
    fn decide(&mut self, phase: Phase, subject: &str, decision: String, reason: String) {
        self.decisions.push(Decision { phase, subject: subject.to_owned(), decision, reason });
    }

    fn check_kind(&mut self, kind: &Spanned<ApiKind>) {
        match kind.value {
            ApiKind::Rest => {}
            ApiKind::GraphQl | ApiKind::Webhook => self.problems.push(
                Diagnostic::error(
                    codes::API_TYPE_NOT_BUILT,
                    format!("this producer does not make `{}` APIs yet", kind.value.as_str()),
                    &kind.place,
                )
                .with_help("use `type: \"rest\"`"),
            ),
        }
    }

    fn cors(&mut self, features: &[Spanned<SecurityFeature>]) -> Cors {
        let (cors, decision, reason) = match features.iter().any(|feature| feature.value == SecurityFeature::Cors) {
            true => (
                Cors::On,
                "pages of other origins may call it, without cookies: of those in `CORS_ORIGINS`, or of any where that is empty",
                "the task says `cors`; which origins belongs to where it is served",
            ),
            false => (Cors::Off, "browsers keep pages of other origins away", "the task does not name `cors`"),
        };
        self.decide(Phase::SetupAuthenticationMiddleware, "other origins", decision.to_owned(), reason.to_owned());
        cors
    }

    fn endpoint(&mut self, endpoint: &spec::Endpoint, requirements: &ApiRequirements) -> Option<Endpoint> {
        let problems_before = self.problems.len();
        let scheme = self.scheme(endpoint);
        self.check_overrides(endpoint);
        let inferred = infer(endpoint, self.catalog).map_err(|problem| self.problems.push(problem)).ok()?;
        let resolved = entity::resolve(endpoint, requirements, &inferred, self.catalog)
            .map_err(|problems| self.refuse(problems))
            .ok()?;
        let by = self.limit_key(endpoint, requirements, scheme)?;
        if self.problems.len() > problems_before {
            return None;
        }
        let policy = self.policy(endpoint, requirements);
        Some(self.lower(endpoint, &inferred, &resolved, Guarded { scheme, policy, by }))
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
        inferred: &Inferred<'_>,
        resolved: &Resolved,
        guarded: Guarded,
    ) -> Endpoint {
        let subject = format!("{} {}", endpoint.method.as_str(), endpoint.path.as_str());
        let entity = &resolved.entity;
        let is_required = |rule: &&spec::FieldRule| {
            let said = |word: &str, value: &RuleValue| word == "required" && *value == RuleValue::Boolean(true);
            rule.rules.is_empty() || rule.rules.iter().any(|(word, value)| said(&word.value, &value.value))
        };
        let required: Vec<_> =
            endpoint.validation.iter().filter(is_required).map(|rule| rule.name.value.clone()).collect();
        let given = Given {
            entity,
            asked: &resolved.asked,
            emits: inferred.intent.emits.as_ref(),
            required: &required,
            guarded: &guarded,
            path: endpoint.path.as_str(),
            key: target(&endpoint.path).and_then(|target| target.key),
        };
        let mut behaved = behaviour::lower(&inferred.intent.behavior, &given)
            .expect("a test shows that every behaviour of the catalogue is in the list");
        let scope = ask_for_scope(&mut behaved.body, &behaved.table.name);
        let emits = behaved.event.as_ref().map_or_else(String::new, |(event, _)| format!(" and emits `{event}`"));
        let decision = format!("{}{emits}", behaved.summary);
        self.decide(Phase::ImplementEndpointLogic, &subject, decision, inferred.reason.clone());
        self.decide_fields(resolved);
        self.decide_guards(&subject, &guarded);
        self.decide_scope(&subject, scope);
        self.add_table(behaved.table);
        if let Some((name, fields)) = behaved.event {
            self.add_event(EventDeclaration { also: self.catalog.generalisations(&name), name, fields });
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
        Endpoint {
            procedure,
            entity: entity.entity.clone(),
            summary: behaved.summary,
            max_body_bytes,
            example: behaved.example,
        }
    }

    fn decide_guards(&mut self, subject: &str, guarded: &Guarded) {
        let (decision, reason) = match guarded.scheme {
            Some(Scheme::ApiKey) => ("asks for an API key", "the task says `authentication: api_key`"),
            Some(Scheme::AccessToken) => ("asks for an access token", "the task says `authentication: jwt_token`"),
            None => ("is open to everybody", "the task says `authentication: none`"),
        };
        self.decide(Phase::SetupAuthenticationMiddleware, subject, decision.to_owned(), reason.to_owned());
        let (decision, reason) = match guarded.by {
            LimitKey::Principal => ("counts requests by API key", "keys tell callers apart, addresses do not"),
            LimitKey::Address => {
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

    fn scheme(&mut self, endpoint: &spec::Endpoint) -> Option<Scheme> {
        match endpoint.authentication {
            Authentication::None => None,
            Authentication::ApiKey => Some(Scheme::ApiKey),
            Authentication::Jwt | Authentication::OAuth | Authentication::Session | Authentication::Basic => {
                let place = endpoint.authentication_place.as_ref().unwrap_or(&endpoint.place);
                self.problems.push(
                    Diagnostic::error(
                        codes::AUTHENTICATION_NOT_BUILT,
                        format!(
                            "this producer does not build `{}` authentication yet",
                            endpoint.authentication.as_str()
                        ),
                        place,
                    )
                    .with_help("use `authentication: \"api_key\"` or `\"none\"`"),
                );
                None
            }
        }
    }

    fn check_overrides(&mut self, endpoint: &spec::Endpoint) {
        let mut refused = Vec::new();
        refused.extend(endpoint.behavior.as_ref().map(|given| ("behavior", &given.place)));
        refused.extend(endpoint.entity.as_ref().map(|given| ("entity", &given.place)));
        refused.extend(endpoint.access.as_ref().map(|given| ("access", &given.place)));
        refused.extend(endpoint.cache.as_ref().map(|given| ("cache", &given.place)));
        refused.extend(endpoint.emits.first().map(|given| ("emits", &given.place)));
        match endpoint.response_format {
            ResponseFormat::Json => {}
            ResponseFormat::Csv | ResponseFormat::Ndjson => refused.push(("response_format", &endpoint.place)),
        }
        self.problems.extend(refused.into_iter().map(|(word, place)| {
            Diagnostic::error(
                codes::OVERRIDE_NOT_BUILT,
                format!("this producer does not read `{word}` of an endpoint yet"),
                place,
            )
            .with_help("remove it")
        }));
    }

    /// Once for each entity.
    fn decide_fields(&mut self, resolved: &Resolved) {
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
            (None, Some(_)) | (Some(LimitBy::Key), Some(Scheme::ApiKey)) => Some(LimitKey::Principal),
            (None, None) | (Some(LimitBy::Ip), _) => Some(LimitKey::Address),
            (Some(by @ (LimitBy::Key | LimitBy::User)), Some(Scheme::ApiKey | Scheme::AccessToken) | None) => {
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
            (None, Some(shared)) => ("default".to_owned(), shared.value, "the task says so"),
            (None, None) => {
                ("default".to_owned(), DEFAULT_LIMIT, "the task names none, and an API without a limit is not safe")
            }
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

    fn add_table(&mut self, table: Table) {
        if !self.tables.iter().any(|known| known.name == table.name) {
            self.tables.push(table);
        }
    }

    fn add_event(&mut self, event: EventDeclaration) {
        if !self.events.iter().any(|known| known.name == event.name) {
            self.events.push(event);
        }
    }

    fn system_tables(&mut self, endpoints: &[Endpoint]) {
        if !endpoints.is_empty() {
            self.add_table(system::outbox_events());
            self.add_table(system::api_keys());
            let claims = |item: &Item| matches!(item, Item::Let(_, Step::Claim));
            if endpoints.iter().any(|endpoint| endpoint.procedure.body.iter().any(claims)) {
                self.add_table(system::idempotency_answers());
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
        Item::Let(..) | Item::Do(_) | Item::Transaction(_) | Item::Match(..) | Item::Exit(..) => None,
    })
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

fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
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
