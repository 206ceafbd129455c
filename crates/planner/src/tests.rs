//! Plans of tasks, and the tasks that cannot be planned.

mod database;

use catalog::Catalog;
use expect_test::expect;
use plan::database::ObservedTable;
use plan::{DatabasePlan, Migration, Observed, PersistedPlan, Plan, TaskPlan};
use vocab::{Diagnostic, TaskId};

fn plan_text(text: &str, observed: &Observed) -> Result<Plan, Vec<Diagnostic>> {
    let parsed = spec::parse("task.yaml", text);
    assert_eq!(parsed.diagnostics, []);
    let task_id = TaskId::parse("task").unwrap();
    crate::plan(&parsed.tasks[0], &task_id, &Catalog::built_in().unwrap(), observed)
        .map(|planned| planned.api().expect("a task with an API").clone())
}

fn task(endpoints: &str) -> String {
    format!(
        "task_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n{endpoints}\n    rate_limiting: 5_requests_per_minute\n"
    )
}

const CONTACT: &str = "      - {path: /api/contact, method: POST, authentication: api_key}";
const NEWSLETTER: &str = "      - {path: /v2/newsletter, method: POST, authentication: none}";

#[test]
fn the_same_task_gives_the_same_bytes() {
    let text = |plan| {
        PersistedPlan {
            format: 1,
            planner_version: String::new(),
            task_hash: String::new(),
            plan: TaskPlan::Api(Box::new(plan)),
        }
        .to_text()
    };
    let once = text(plan_text(&task(CONTACT), &Observed::default()).unwrap());
    let again = text(plan_text(&task(CONTACT), &Observed::default()).unwrap());
    assert_eq!(once, again);
    assert_eq!(PersistedPlan::from_text(&once).unwrap().to_text(), once);
}

#[test]
fn names_come_from_the_paths() {
    let plan = plan_text(&task(&format!("{CONTACT}\n{NEWSLETTER}")), &Observed::default()).unwrap();
    assert_eq!((plan.api.name.as_str(), plan.api.version.as_str()), ("contact-newsletter", "v2"));
}

#[test]
fn a_field_named_in_the_task_becomes_required() {
    let endpoint = "      - {path: /api/contact, method: POST, authentication: none, validation: [phone]}";
    let plan = plan_text(&task(endpoint), &Observed::default()).unwrap();
    let printed = plan::print::procedure(&plan.api.endpoints[0].procedure);
    expect![[r#"
        procedure post_api_contact on POST /api/contact
          limit default by address
          let claim = claim the idempotency key
          let input = validate body as ContactMessage { name, email, phone, company?, subject?, message }
          let id = generate uuid
          transaction
            recall the answer kept for claim
            insert contact_messages { id: id, name: input.name, email: input.email, phone: input.phone, company: input.company, subject: input.subject, message: input.message, created_at: now, updated_at: now, row_version: 1 }
            emit contact_form { id: id, name: input.name, email: input.email, phone: input.phone, company: input.company, subject: input.subject, message: input.message, created_at: now }
            respond 201 { id: id, received_at: now }
    "#]].assert_eq(&printed);
}

#[test]
fn planning_again_over_what_is_there_changes_nothing() {
    let first = plan_text(&task(CONTACT), &Observed::default()).unwrap();
    let tables = first.database.tables.iter().map(|table| dialect::described(first.database.engine, table)).collect();
    let observed = Observed { tables, active: Some(first.database.clone()) };
    assert_eq!(plan_text(&task(CONTACT), &observed).unwrap(), first);
    let more = plan_text(&task(&format!("{CONTACT}\n{NEWSLETTER}")), &observed).unwrap();
    let names: Vec<&str> = more.database.migrations.iter().map(|migration| migration.name.as_str()).collect();
    assert_eq!(names, ["0001_initial", "0002_additions"]);
    assert_eq!(more.database.migrations[1].statements.len(), 1, "only the new table");
}

#[test]
fn a_table_that_was_changed_by_hand_is_not_built_upon() {
    let first = plan_text(&task(CONTACT), &Observed::default()).unwrap();
    let mut tables: Vec<_> =
        first.database.tables.iter().map(|table| dialect::described(first.database.engine, table)).collect();
    tables[0].columns.remove(1);
    let problems = plan_text(&task(CONTACT), &Observed { tables, active: Some(first.database) }).unwrap_err();
    let messages: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        ["task.yaml:3:3: IP208: table `contact_messages` is there and differs: column `name` is missing"]
    );
}

/// What an older producer made: the table of keys had six columns.
fn older(database: &DatabasePlan) -> DatabasePlan {
    let mut older = database.clone();
    let keys = older.tables.iter_mut().find(|table| table.name.as_str() == "api_keys").unwrap();
    keys.columns.truncate(6);
    let statements = older.tables.iter().map(|table| dialect::create_table(older.engine, table)).collect();
    older.migrations = vec![Migration { name: "0001_initial".into(), statements }];
    older
}

fn there(database: &DatabasePlan) -> Vec<ObservedTable> {
    database.tables.iter().map(|table| dialect::described(database.engine, table)).collect()
}

#[test]
fn a_table_that_two_tasks_share_gets_its_new_columns_from_each() {
    let now = plan_text(&task(CONTACT), &Observed::default()).unwrap().database;
    let before = older(&now);
    let first = plan_text(&task(CONTACT), &Observed { tables: there(&before), active: Some(before.clone()) }).unwrap();
    // The other task has run by then.
    let second = plan_text(&task(CONTACT), &Observed { tables: there(&now), active: Some(before) }).unwrap();
    assert_eq!(first, second, "each has to be able to make the database alone");
    let added = &first.database.migrations[1];
    assert_eq!((added.name.as_str(), added.statements.len()), ("0002_additions", 5));
    assert!(added.statements.iter().all(|statement| statement.unless.is_some()));
    let observed = Observed { tables: there(&now), active: Some(first.database.clone()) };
    assert_eq!(plan_text(&task(CONTACT), &observed).unwrap(), first);
}

#[test]
fn a_new_task_adds_what_a_table_lacks_that_another_one_made() {
    let before = older(&plan_text(&task(CONTACT), &Observed::default()).unwrap().database);
    let tables = there(&before);
    let plan = plan_text(&task(NEWSLETTER), &Observed { tables: tables.clone(), active: None }).unwrap();
    let statements = &plan.database.migrations[0].statements;
    let added: Vec<String> =
        statements.iter().filter_map(|one| Some(one.unless.as_ref()?.column.to_string())).collect();
    assert_eq!(added, ["expires_at", "scopes", "last_used_at", "replaces", "caller"]);
    assert!(
        statements
            .iter()
            .any(|one| one.sql.starts_with("CREATE TABLE IF NOT EXISTS api_keys") && one.sql.contains("caller"))
    );

    // What must have a value cannot be added.
    let mut broken = tables;
    let keys = broken.iter_mut().find(|table| table.name == "api_keys").unwrap();
    keys.columns.retain(|column| column.name != "hash");
    let problems = plan_text(&task(NEWSLETTER), &Observed { tables: broken, active: None }).unwrap_err();
    assert!(
        problems[0].to_string().ends_with("IP208: table `api_keys` is there and differs: column `hash` is missing")
    );
}

#[test]
fn a_scope_follows_from_what_the_procedure_does() {
    let endpoints = "      - {path: /api/articles, method: POST, authentication: api_key}
      - {path: /api/articles, method: GET, authentication: api_key}
      - {path: /api/articles/:id, method: GET, authentication: none}
      - {path: /api/articles/:id, method: DELETE, authentication: api_key}
      - {path: /api/newsletter, method: POST, authentication: api_key}";
    let plan = plan_text(&task(endpoints), &Observed::default()).unwrap();
    let scopes: Vec<String> =
        plan.api.endpoints.iter().map(|endpoint| endpoint.scope().map_or("-".into(), ToString::to_string)).collect();
    assert_eq!(scopes, ["articles:write", "articles:read", "-", "articles:write", "newsletter_subscribers:write"]);
}
/// What the first endpoint takes, one field a line.
fn taken(endpoint: &str) -> String {
    let plan = plan_text(&task(endpoint), &Observed::default()).unwrap();
    let shape = plan.api.endpoints[0].procedure.body.iter().find_map(|item| match item {
        plan::Item::Let(_, plan::Step::Validate(plan::procedure::Input::Body(shape))) => Some(shape),
        _ => None,
    });
    let lines = shape.unwrap().fields.iter().map(|field| {
        let bounds = field.bounds.describe().map_or_else(String::new, |words| format!(", {words}"));
        let default = field.default.as_ref().map_or_else(String::new, |default| format!(" = {}", default.plain()));
        format!("{} {:?}: {}{bounds}{default}\n", field.name, field.presence, field.field_type.describe())
    });
    lines.collect()
}

#[test]
fn a_task_narrows_what_the_catalogue_knows() {
    let rules = "validation: {rating: {minimum: 3}, title: {max_length: 50}, status: {one_of: [published, rejected], default: published}}";
    expect![[r#"
        product_id Optional: UUID
        rating Required: whole number, between 3 and 5
        title Optional: text, one line, at most 50 characters
        body Optional: text, at most 5000 characters
        author_name Optional: text, one line, at most 200 characters
        author_email Optional: e-mail address
        status Optional: one of `published`, `rejected` = published
        verified_purchase Optional: true or false = false
    "#]]
    .assert_eq(&taken(&format!("      - {{path: /api/reviews, method: POST, authentication: none, {rules}}}")));
}

#[test]
fn names_of_segments_and_fields_are_understood() {
    let fields = "validation: [unit_price, opened_on, issue]";
    expect![[r#"
        unit_price Required: decimal number, 15 digits, 2 of them behind the point, at least 0.00
        opened_on Required: date
        issue Required: text, one line, at most 200 characters
    "#]]
    .assert_eq(&taken(&format!("      - {{path: /api/oddThings, method: POST, authentication: none, {fields}}}")));
    let order_items = |segment| taken(&format!("      - {{path: /api/{segment}, method: POST, authentication: none}}"));
    assert_eq!(order_items("orderItems"), order_items("order-items"));
    assert!(order_items("order_items").contains("quantity Required: whole number, at least 1\n"));
}

#[test]
fn a_choice_may_get_more_words_and_a_column_with_a_default_may_come() {
    let status = |words: &str| {
        format!(
            "      - {{path: /api/odds, method: POST, authentication: none, validation: {{name: line, status: {{one_of: [{words}]}}}}}}"
        )
    };
    let first = plan_text(&task(&status("open, shut")), &Observed::default()).unwrap();
    let tables = first.database.tables.iter().map(|table| dialect::described(first.database.engine, table)).collect();
    let observed = Observed { tables, active: Some(first.database) };
    assert!(plan_text(&task(&status("open, shut, lost")), &observed).is_ok());
    assert!(plan_text(&task(&status("open")), &observed).is_err());
    let more = status("open, shut").replace("]}}}", "]}, stars: {minimum: 1, default: 3}}}");
    let plan = plan_text(&task(&more), &observed).unwrap();
    assert_eq!(
        plan.database.migrations[1].statements[0].sql,
        "ALTER TABLE odds ADD COLUMN stars INTEGER NOT NULL DEFAULT 3"
    );
}
