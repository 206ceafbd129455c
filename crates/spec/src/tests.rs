//! What the user sees: task text in, tasks and diagnostics out. Rejected tasks are folders in `tests/cases/rejected/`;
//! `UPDATE_GOLDEN=1` writes their `expected.txt` anew.
#![allow(clippy::disallowed_methods, reason = "tests read the case files and one environment variable")]

mod schema;

use super::*;
use std::fs;
use std::path::{Path, PathBuf};
use vocab::Severity;

fn cases(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases").join(folder)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn render(diagnostics: &[Diagnostic]) -> String {
    let line = |diagnostic: &Diagnostic| {
        let place = diagnostic.place.as_ref().unwrap();
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        };
        let help = diagnostic.help.as_ref().map(|help| format!(" (help: {help})")).unwrap_or_default();
        format!("{}:{} {} {severity} {}{help}\n", place.line, place.column, diagnostic.code, diagnostic.message)
    };
    diagnostics.iter().map(line).collect()
}

/// The tasks as users send them; the five samples that must always run are among them.
fn samples() -> Vec<PathBuf> {
    let samples: Vec<PathBuf> = entries(&cases("tasks")).into_iter().filter(|path| path.is_file()).collect();
    for name in ["contact-newsletter-api", "hubspot-contacts", "shop-database", "stripe-payments", "user-accounts-api"]
    {
        assert!(samples.iter().any(|path| path.file_stem().is_some_and(|stem| stem == name)), "{name} is missing");
    }
    samples
}

/// Diagnostics of a text, as the case files write them.
fn check(text: &str, expected: &str) {
    assert_eq!(render(&parse("task.yaml", text).diagnostics), expected);
}

/// The tasks of a text that must have no diagnostic.
fn accepted(text: &str) -> Vec<Task> {
    let parsed = parse("task.yaml", text);
    assert_eq!(render(&parsed.diagnostics), "");
    parsed.tasks
}

/// An API task with this inside `endpoints`.
fn api(endpoints: &str) -> String {
    format!("task_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n{endpoints}")
}

fn only_database(text: &str) -> DatabaseConfig {
    match accepted(text).remove(0).specification {
        Specification::ConfigureDatabase(database) => database,
        other @ (Specification::SetupApi(_) | Specification::IntegrateService(_)) => panic!("{other:?}"),
    }
}

fn only_service(text: &str) -> ServiceIntegration {
    match accepted(text).remove(0).specification {
        Specification::IntegrateService(service) => service,
        other @ (Specification::SetupApi(_) | Specification::ConfigureDatabase(_)) => panic!("{other:?}"),
    }
}

fn only_api(text: &str) -> ApiRequirements {
    match accepted(text).remove(0).specification {
        Specification::SetupApi(api) => api,
        other @ (Specification::ConfigureDatabase(_) | Specification::IntegrateService(_)) => panic!("{other:?}"),
    }
}

#[test]
fn rejected_tasks_say_what_is_wrong_and_where() {
    let update = std::env::var("UPDATE_GOLDEN").is_ok();
    let mut wrong = Vec::new();
    for case in entries(&cases("rejected")) {
        let text = fs::read_to_string(case.join("task.yaml")).unwrap();
        let actual = render(&parse("task.yaml", &text).diagnostics);
        assert!(!actual.is_empty(), "{} is not rejected", case.display());
        let golden = case.join("expected.txt");
        if update {
            fs::write(&golden, &actual).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != actual {
            wrong.push(format!("{}\n{actual}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_its_page_and_a_case() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let cases: String =
        entries(&cases("rejected")).iter().map(|case| fs::read_to_string(case.join("expected.txt")).unwrap()).collect();
    for code in ALL_CODES {
        assert!(pages.join(format!("{code}.md")).is_file(), "{code} has no page");
        assert!(cases.contains(&format!(" {code} ")), "{code} has no case");
    }
    let mut sorted = ALL_CODES.to_vec();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted, ALL_CODES, "codes are in order, none twice");
}

#[test]
fn the_example_of_a_page_provokes_its_code() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    for code in ALL_CODES {
        let page = fs::read_to_string(pages.join(format!("{code}.md"))).unwrap();
        assert!(page.lines().count() <= 15, "the page of {code} is too long");
        let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        let diagnostics = parse("task.yaml", example).diagnostics;
        assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == *code), "{code}:\n{}", render(&diagnostics));
    }
}

#[test]
fn the_sample_tasks_are_accepted() {
    for sample in samples() {
        assert_eq!(accepted(&fs::read_to_string(sample).unwrap()).len(), 1);
    }
}

#[test]
fn a_sample_is_read_whole() {
    let text = fs::read_to_string(cases("tasks").join("contact-newsletter-api.yaml")).unwrap();
    let task = accepted(&text).remove(0);
    assert_eq!(task.task_id.as_ref().unwrap().as_str(), "integration_2025_001");
    assert_eq!(task.dependencies[0].as_str(), "code_2025_001");
    assert_eq!(task.priority, Priority::High);
    assert_eq!((task.place.line, task.place.column, task.place.length), (1, 1, 7));
    let api = only_api(&text);
    assert_eq!(api.kind.value, ApiKind::Rest);
    assert_eq!(api.rate_limiting.unwrap().value, RateLimit { limit: 100, window_seconds: 60, by: None });
    assert_eq!(api.documentation_format, DocumentationFormat::OpenApi31);
    let [contact, newsletter] = &api.endpoints[..] else { panic!("two endpoints") };
    assert_eq!((contact.path.as_str(), contact.method.as_str()), ("/api/contact", "POST"));
    assert_eq!(contact.authentication, Authentication::ApiKey);
    assert_eq!((contact.place.line, contact.place.column), (7, 15));
    assert_eq!(contact.authentication_place.as_ref().unwrap().line, 9);
    assert_eq!(newsletter.authentication, Authentication::None);
}

#[test]
fn everything_an_endpoint_can_say_is_read() {
    let api = only_api(&api("      - path: /api/orders/:order_id/lines/{id}
        method: patch
        authentication: jwt
        validation:
          email: email
          note: { type: string, max_length: 200, required: false }
        response_format: ndjson
        behavior: update_record
        entity: order_line
        access: owner
        cache: 5_minutes
        rate_limiting: { limit: 5, per: second, by: key }
        emits: [order_changed]
"));
    let endpoint = &api.endpoints[0];
    assert_eq!(endpoint.path.as_str(), "/api/orders/{order_id}/lines/{id}");
    assert_eq!(endpoint.path.literals().collect::<Vec<_>>(), ["api", "orders", "lines"]);
    assert_eq!(endpoint.path.parameters().map(vocab::FieldName::as_str).collect::<Vec<_>>(), ["order_id", "id"]);
    assert_eq!((endpoint.method, endpoint.authentication), (Method::Patch, Authentication::Jwt));
    assert_eq!(endpoint.response_format.as_ref().map(|format| format.value), Some(ResponseFormat::Ndjson));
    assert_eq!(endpoint.behavior.as_ref().unwrap().value.as_str(), "update_record");
    assert_eq!(endpoint.entity.as_ref().unwrap().value.as_str(), "order_line");
    assert_eq!(endpoint.access.as_ref().unwrap().value, Access::Owner);
    assert_eq!(endpoint.cache.as_ref().unwrap().value, Cache::Seconds(300));
    assert_eq!(endpoint.emits[0].value.as_str(), "order_changed");
    let limit = RateLimit { limit: 5, window_seconds: 1, by: Some(LimitBy::Key) };
    assert_eq!(endpoint.rate_limiting.as_ref().unwrap().value, limit);
    let rules: Vec<_> = endpoint
        .validation
        .iter()
        .map(|field| {
            let rules: Vec<_> =
                field.rules.iter().map(|(rule, value)| (rule.value.as_str(), value.value.clone())).collect();
            (field.name.value.as_str(), rules)
        })
        .collect();
    let text = |text: &str| RuleValue::Text(text.to_owned());
    assert_eq!(rules[0], ("email", vec![("type", text("email"))]));
    let note =
        vec![("type", text("text")), ("required", RuleValue::Boolean(false)), ("max_length", RuleValue::Integer(200))];
    assert_eq!(rules[1], ("note", note));
}

#[test]
fn everything_a_database_can_say_is_read() {
    let text = fs::read_to_string(cases("tasks").join("full").join("database.yaml")).unwrap();
    let database = only_database(&text);
    assert_eq!((database.kind.value, database.environment), (DatabaseType::PostgreSql, Environment::Staging));
    let names: Vec<_> = database.tables.iter().map(|table| table.name.value.as_str()).collect();
    assert_eq!(names, ["users", "orders", "products"]);
    let orders = &database.tables[1];
    let column = |name: &str| orders.columns.iter().find(|column| column.name.value.as_str() == name).unwrap();
    assert_eq!(column("note").kind.as_ref().unwrap().value, ColumnType::Text);
    assert_eq!((column("number").required, column("number").unique), (Some(true), true));
    assert_eq!((column("code").required, column("code").max_length), (Some(false), Some(40)));
    assert_eq!(column("total").default.as_ref().unwrap().value, DefaultValue::Decimal("0.00".to_owned()));
    assert_eq!(column("placed_at").default.as_ref().unwrap().value, DefaultValue::Now);
    assert_eq!((column("rate").scale, column("driver").kind.as_ref()), (Some(4), None));
    assert_eq!(column("due_on").default.as_ref().unwrap().value, DefaultValue::Text("2026-01-31".to_owned()));
    let buyer = &column("buyer").references.as_ref().unwrap().value;
    assert_eq!((buyer.table.as_str(), buyer.column.as_ref().unwrap().as_str()), ("users", "id"));
    let seller = &column("seller").references.as_ref().unwrap().value;
    assert_eq!((seller.column.as_ref(), seller.on_delete), (None, Some(OnDelete::SetNull)));
    let indexes: Vec<_> = orders.indexes.iter().map(|index| (index.columns.len(), index.unique)).collect();
    assert_eq!(indexes, [(1, false), (2, false), (1, true)]);
    let rules: Vec<_> = orders.constraints.iter().map(|constraint| &constraint.rule).collect();
    assert!(matches!(rules[..2], [ConstraintRule::Range { .. }, ConstraintRule::OneOf { .. }]), "{rules:?}");
    let [
        sent,
        ConstraintRule::PrimaryKey(_),
        ConstraintRule::Unique(_),
        range,
        ConstraintRule::OneOf { words, .. },
        paid,
    ] = rules[2..]
    else {
        panic!("{rules:?}")
    };
    let compared = [sent, paid].map(|rule| match rule {
        ConstraintRule::Against { column, comparator, other } => {
            format!("{} {} {}", column.value, comparator.operator(), other.value)
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(compared, ["sent_on >= due_on", "paid_at > placed_at"]);
    assert!(matches!(range, ConstraintRule::Range { at_least: Some(Bound(_)), at_most: None, .. }));
    assert_eq!(words.len(), 2);
    let [bare, full, own] = &database.relationships[..] else { panic!("three relationships") };
    assert_eq!((bare.from.as_str(), bare.to.as_str(), bare.kind), ("users", "orders", None));
    assert_eq!((full.kind, full.on_delete), (Some(RelationshipKind::ManyToMany), Some(OnDelete::Cascade)));
    assert_eq!((own.from.as_str(), own.to.as_str()), ("users", "users"));
    let Connection::Url(url) = &database.connection.as_ref().unwrap().value else { panic!("a URL") };
    assert_eq!(url.to_string(), "postgresql://shop:${secret:shop_password}@db.example.com:5432/shop?sslmode=require");
    assert!(
        matches!(&url.parts()[1], LocationPart::Reference(Reference::Secret(name)) if name.as_str() == "shop_password")
    );
    let [app, reporting] = &database.roles[..] else { panic!("two roles") };
    assert_eq!(app.password.as_ref().unwrap().value.to_string(), "${env:APP_PASSWORD}");
    assert_eq!((reporting.access.value, reporting.tables.len()), (RoleAccess::ReadOnly, 1));
    let pool = database.pool.unwrap();
    assert_eq!(
        (pool.min, pool.max, pool.idle_timeout, pool.statement_timeout),
        (Some(1), Some(20), Some(600), Some(30))
    );
    let backup = database.backup.unwrap();
    assert!(matches!(&backup.schedule.value, Frequency::Cron(cron) if cron.hours == [3].into()));
    assert_eq!((backup.keep_for, backup.keep_at_least), (Some(30 * 24 * 60 * 60), Some(7)));
    assert_eq!(backup.drill.unwrap().value, Frequency::Daily);
    let seconds = |time: Option<Spanned<u32>>| time.map(|time| time.value);
    let objectives = backup.objectives;
    assert_eq!((seconds(objectives.recovery_point), seconds(objectives.recovery_time)), (Some(86_400), Some(1_800)));
    let data = &database.data;
    assert_eq!((data.imports[0].format, data.imports[0].mode), (DataFormat::Csv, ImportMode::Upsert));
    assert_eq!((data.imports[1].format, data.exports[0].format), (DataFormat::Ndjson, DataFormat::Json));
    assert_eq!((data.syncs[0].direction, data.syncs[0].remote.kind.value), (Direction::From, DatabaseType::MySql));
    assert_eq!((data.syncs[0].mode, data.syncs[0].deletes), (SyncMode::Incremental, Deletes::Mark));
}

#[test]
fn everything_an_integration_can_say_is_read() {
    let text = fs::read_to_string(cases("tasks").join("full").join("service.yaml")).unwrap();
    let service = only_service(&text);
    assert_eq!((service.service_type.value, service.provider.value.as_str()), (ServiceType::Payment, "authorize_net"));
    assert_eq!(service.integration_points[1].value.as_str(), "user_registration");
    assert_eq!(service.data_sync_frequency.unwrap().value, Frequency::EveryMinutes(15));
    assert_eq!(service.fields_to_sync.len(), 2);
    let credentials: Vec<_> = service
        .credentials
        .iter()
        .map(|credential| match &credential.value.value {
            CredentialValue::Reference(reference) => (credential.name.value.as_str(), reference.to_string()),
            CredentialValue::Plain(text) => (credential.name.value.as_str(), text.clone()),
        })
        .collect();
    assert_eq!(credentials[0], ("login_id", "${env:AUTHNET_LOGIN}".to_owned()));
    assert_eq!(credentials[2], ("region", "eu".to_owned()));
    assert_eq!(service.mapping[0].property.value, "billTo.company");
    assert!(service.sandbox.unwrap().value);
}

#[test]
fn usual_spellings_of_providers_are_understood() {
    let provider = |service_type: &str, provider: &str| {
        let text = format!(
            "task_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: {service_type}\n    provider: \"{provider}\"\n    integration_points: [checkout]\n"
        );
        only_service(&text).provider.value.to_string()
    };
    assert_eq!(provider("payment", "Authorize.Net"), "authorize_net");
    assert_eq!(provider("analytics", "ga4"), "google_analytics");
    assert_eq!(provider("analytics", "Google Analytics"), "google_analytics");
    assert_eq!(provider("storage", "S3"), "aws_s3");
    assert_eq!(provider("communication", "SendGrid"), "sendgrid");
    assert_eq!(provider("crm", "HubSpot"), "hubspot");
    assert_eq!(provider("crm", "Our-CRM"), "our_crm");
}

#[test]
fn access_and_cache_have_their_words() {
    let endpoint = |access: &str, cache: &str| {
        let text =
            format!("      - {{ path: /a, method: GET, authentication: jwt, access: {access}, cache: {cache} }}\n");
        let endpoint = only_api(&api(&text)).endpoints.remove(0);
        (endpoint.access.unwrap().value, endpoint.cache.unwrap().value)
    };
    assert_eq!(endpoint("public", "no_store"), (Access::Public, Cache::NoStore));
    assert_eq!(endpoint("authenticated", "1_minute"), (Access::Authenticated, Cache::Seconds(60)));
    let role = |name| RoleName::parse(name).unwrap();
    assert_eq!(endpoint("role:admin", "2_hours"), (Access::Roles(vec![role("admin")]), Cache::Seconds(7_200)));
    let several = Access::Roles(vec![role("admin"), role("editor")]);
    assert_eq!(endpoint("\"role:admin, editor\"", "no_store"), (several, Cache::NoStore));
}

#[test]
fn a_connection_may_be_a_reference_or_a_path() {
    let connection = |kind: &str, connection: &str| {
        let text = format!(
            "task_type: configure_database\nspecifications:\n  database_config:\n    type: {kind}\n    connection: \"{connection}\"\n"
        );
        only_database(&text).connection.unwrap().value
    };
    let name = VariableName::parse("DATABASE_URL").unwrap();
    let reference = Connection::Reference(Reference::Environment(name));
    assert_eq!(connection("mongodb", "${env:DATABASE_URL}"), reference);
    for (kind, url) in [
        ("sqlite", "data/shop.sqlite"),
        ("sqlite", "file:shop.sqlite"),
        ("mongodb", "mongodb+srv://shop@db.example.com/shop"),
        ("mysql", "mysql://db.example.com:3306/shop?user=a@b"),
        ("postgresql", "${env:SCHEME_AND_USER}@db.example.com/shop"),
    ] {
        let is_url = matches!(connection(kind, url), Connection::Url(location) if location.to_string() == url);
        assert!(is_url, "{url}");
    }
}

#[test]
fn cron_expressions_name_their_times() {
    let frequency = |text: &str| {
        let text = format!(
            "task_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: crm\n    provider: mine\n    integration_points: [a]\n    data_sync_frequency: \"{text}\"\n"
        );
        only_service(&text).data_sync_frequency.unwrap().value
    };
    let Frequency::Cron(cron) = frequency("*/20  8-18/5 1,15 jan MON-fri") else { panic!("a cron expression") };
    assert_eq!(cron.text, "*/20 8-18/5 1,15 jan MON-fri");
    assert_eq!((cron.minutes, cron.hours), ([0, 20, 40].into(), [8, 13, 18].into()));
    assert_eq!((cron.days, cron.months), ([1, 15].into(), [1].into()));
    assert_eq!((cron.weekdays, cron.day_rule), ([1, 2, 3, 4, 5].into(), DayRule::Either));
    let Frequency::Cron(sunday) = frequency("0 0 * * 7") else { panic!("a cron expression") };
    assert_eq!((sunday.weekdays, sunday.day_rule), ([0].into(), DayRule::Both));
    assert!(matches!(frequency("0 0 29 2 *"), Frequency::Cron(_)));
    assert_eq!(frequency("every_1_minute"), Frequency::EveryMinutes(1));
}

#[test]
fn no_diagnostic_quotes_a_secret() {
    for case in ["a-connection-holds-a-password", "a-secret-stands-in-the-task", "roles-that-say-too-little"] {
        let expected = fs::read_to_string(cases("rejected").join(case).join("expected.txt")).unwrap();
        for secret in ["hunter2", "sesame", "abc123", "4eC39", "12345"] {
            assert!(!expected.contains(secret), "{case} shows {secret}");
        }
    }
}

#[test]
fn the_root_path_is_a_path() {
    let api = only_api(&api("      - { path: /, method: GET, authentication: none }\n"));
    assert_eq!(api.endpoints[0].path.as_str(), "/");
}

#[test]
fn json_indented_with_tabs_is_accepted() {
    let text = "{\n\t\"task_type\": \"configure_database\",\n\t\"specifications\": {\n\t\t\"database_config\": {\"type\": \"sqlite\"}\n\t}\n}\n";
    assert_eq!(only_database(text).kind.value, DatabaseType::Sqlite);
}

#[test]
fn what_is_not_said_leaves_no_trace_in_the_text() {
    let one = "# a comment\ntask_id: a\ntask_type: 'integrate_service'\nspecifications:\n    service_integration:\n      provider: mine\n      service_type: crm\n      integration_points: [b, a]\n";
    let other = r#"{"specifications": {"service_integration": {"service_type": "crm", "integration_points": ["b", "a"], "provider": "mine"}}, "task_type": "integrate_service"}"#;
    let expected = r#"{"specifications":{"service_integration":{"integration_points":["b","a"],"provider":"mine","service_type":"crm"}},"task_type":"integrate_service"}"#;
    assert_eq!(accepted(one)[0].text, expected);
    assert_eq!(accepted(other)[0].text, expected);
    let reordered_list = one.replace("[b, a]", "[a, b]");
    assert_ne!(accepted(&reordered_list)[0].text, expected);
}

#[test]
fn a_broken_document_does_not_hide_the_others() {
    let good = "task_type: configure_database\nspecifications:\n  database_config: { type: sqlite }\n";
    let text =
        format!("%YAML 1.2\n---\n{good}---\ntask_type: \"setup_api\nspecifications:\n---\n{good}...\n# the end\n");
    let parsed = parse("-", &text);
    assert_eq!(parsed.tasks.len(), 2);
    assert_eq!(parsed.tasks.iter().map(|task| task.place.line).collect::<Vec<_>>(), [3, 10]);
    assert_eq!(
        render(&parsed.diagnostics),
        "7:12 IP002 error this quoted text is never closed (help: add the closing quote)\n"
    );
}

#[test]
fn columns_are_characters() {
    check("{ \"größe\": 1, приоритет: 2, task_typ: 3, specifications: {} }", "\
1:3 IP101 error a task has no field `größe` (help: remove it, or use one of `task_id`, `task_type`, `specifications`, `dependencies`, `output_format`, `priority`)
1:15 IP101 error a task has no field `приоритет` (help: remove it, or use one of `task_id`, `task_type`, `specifications`, `dependencies`, `output_format`, `priority`)
1:29 IP101 error a task has no field `task_typ` (help: did you mean `task_type`?)
");
}

#[test]
fn places_survive_a_byte_order_mark_windows_lines_and_one_long_line() {
    check(
        "\u{feff}task_type: setup_api\r\nspecifications:\r\n  api_requirement: {}\r\n",
        "\
3:3 IP101 error `specifications` has no field `api_requirement` (help: did you mean `api_requirements`?)
",
    );
    let long = format!("{{\"task_id\": \"{}\", \"prioritie\": 1}}", "é".repeat(3_000));
    let diagnostics = parse("-", &long).diagnostics;
    let place =
        diagnostics.iter().find(|diagnostic| diagnostic.message.contains("prioritie")).unwrap().place.clone().unwrap();
    assert_eq!((place.line, place.column), (1, 3_017));
    assert_eq!(&long[place.offset..place.offset + place.length], "\"prioritie\"");
}

#[test]
fn too_much_is_refused_in_one_line() {
    let one_code = |text: &str, code: vocab::Code| {
        let codes: Vec<_> = parse("-", text).diagnostics.into_iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, [code]);
    };
    one_code(&format!("a: \"{}\"", "x".repeat(MAX_DOCUMENT_BYTES)), BOUND_EXCEEDED);
    one_code(&format!("a: [{}]", "1,".repeat(MAX_NODES)), BOUND_EXCEEDED);
    let endpoint = "      - { path: /a, method: GET, authentication: none }\n";
    one_code(&api(&endpoint.repeat(MAX_ENDPOINTS + 1)), BOUND_EXCEEDED);
    let documents = "---\ntask_type: configure_database\nspecifications:\n  database_config: { type: sqlite }\n"
        .repeat(MAX_DOCUMENTS + 1);
    one_code(&documents, BOUND_EXCEEDED);
    assert_eq!(parse("-", &documents).tasks.len(), MAX_DOCUMENTS);
    one_code("\u{7}", NOT_YAML);
    let wrong = "      - { path: /a, method: GET, authentication: nobody }\n";
    let diagnostics = parse("-", &api(&wrong.repeat(MAX_DIAGNOSTICS + 9))).diagnostics;
    assert_eq!(diagnostics.len(), MAX_DIAGNOSTICS + 1);
    assert_eq!(diagnostics[MAX_DIAGNOSTICS].message, "9 more problems follow");
    let long = format!("task_type: {}\nspecifications: {{}}", "ö".repeat(10_000));
    assert!(parse("-", &long).diagnostics[0].message.len() < 2_000);
}

#[test]
fn no_text_makes_it_panic() {
    let read = |name: &str| fs::read_to_string(cases("tasks").join(name)).unwrap();
    let sample = read("user-accounts-api.yaml");
    for name in ["full/database.yaml", "full/service.yaml"] {
        let sample = read(name);
        for (position, _) in sample.char_indices().step_by(7) {
            let _ = parse("-", &format!("{}$\u{7f}é{}", &sample[..position], &sample[position..]));
        }
    }
    for (position, _) in sample.char_indices().step_by(4) {
        for inserted in ["", "\t", "\"", "é|", "[", "\n---\n", ": ", "\u{0}", "- ", "*"] {
            // Cut short, and with something in the way.
            let text = format!("{}{inserted}", &sample[..position]);
            let _ = parse("-", &text);
            let _ = parse("-", &format!("{text}{}", &sample[position..]));
        }
    }
}
