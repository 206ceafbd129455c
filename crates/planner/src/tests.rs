//! Plans of tasks, and the tasks that cannot be planned.

mod backup;
mod database;
mod mail;
mod relations;
mod roles;
mod service;

use catalog::Catalog;
use expect_test::expect;
use plan::database::ObservedTable;
use plan::{DatabasePlan, Migration, Observed, PersistedPlan, Plan, TaskPlan};
use std::sync::LazyLock;
use vocab::{Diagnostic, TaskId};

/// Read once: to read it takes longer than to plan with it.
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::built_in().unwrap());

fn plan_text(text: &str, observed: &Observed) -> Result<Plan, Vec<Diagnostic>> {
    let parsed = spec::parse("task.yaml", text);
    assert_eq!(parsed.diagnostics, []);
    let task_id = TaskId::parse("task").unwrap();
    crate::plan(&parsed.tasks[0], &task_id, &CATALOG, observed)
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
    let observed = Observed { tables, active: Some(first.database.clone()), ..Observed::default() };
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
    let problems = plan_text(&task(CONTACT), &Observed { tables, active: Some(first.database), ..Observed::default() })
        .unwrap_err();
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
    let first = plan_text(
        &task(CONTACT),
        &Observed { tables: there(&before), active: Some(before.clone()), ..Observed::default() },
    )
    .unwrap();
    // The other task has run by then.
    let second =
        plan_text(&task(CONTACT), &Observed { tables: there(&now), active: Some(before), ..Observed::default() })
            .unwrap();
    assert_eq!(first, second, "each has to be able to make the database alone");
    let added = &first.database.migrations[1];
    assert_eq!((added.name.as_str(), added.statements.len()), ("0002_additions", 5));
    assert!(added.statements.iter().all(|statement| statement.unless.is_some()));
    let observed = Observed { tables: there(&now), active: Some(first.database.clone()), ..Observed::default() };
    assert_eq!(plan_text(&task(CONTACT), &observed).unwrap(), first);
}

#[test]
fn a_new_task_adds_what_a_table_lacks_that_another_one_made() {
    let before = older(&plan_text(&task(CONTACT), &Observed::default()).unwrap().database);
    let tables = there(&before);
    let plan = plan_text(&task(NEWSLETTER), &Observed { tables: tables.clone(), active: None, ..Observed::default() })
        .unwrap();
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
    let problems =
        plan_text(&task(NEWSLETTER), &Observed { tables: broken, active: None, ..Observed::default() }).unwrap_err();
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
    let observed = Observed { tables, active: Some(first.database), ..Observed::default() };
    assert!(plan_text(&task(&status("open, shut, lost")), &observed).is_ok());
    assert!(plan_text(&task(&status("open")), &observed).is_err());
    let more = status("open, shut").replace("]}}}", "]}, stars: {minimum: 1, default: 3}}}");
    let plan = plan_text(&task(&more), &observed).unwrap();
    assert_eq!(
        plan.database.migrations[1].statements[0].sql,
        "ALTER TABLE odds ADD COLUMN stars INTEGER NOT NULL DEFAULT 3"
    );
}

fn planned(endpoints: &str) -> Plan {
    plan_text(&task(endpoints), &Observed::default()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The code, the message and the help of the only problem.
fn refused(endpoints: &str) -> (&'static str, String, String) {
    let problems = plan_text(&task(endpoints), &Observed::default()).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = problems.into_iter().next().unwrap();
    (problem.code.0, problem.message, problem.help.unwrap())
}

fn decided<'a>(plan: &'a Plan, subject: &str) -> Vec<(&'a str, &'a str)> {
    let of_endpoint = plan.decisions.iter().filter(|decision| decision.phase == plan::Phase::ImplementEndpointLogic);
    let about = of_endpoint.filter(|decision| decision.subject == subject);
    about.map(|decision| (decision.decision.as_str(), decision.reason.as_str())).collect()
}

#[test]
fn a_behavior_is_done_wherever_it_fits_and_nowhere_else() {
    for behaviour in crate::behaviour::all() {
        let mut fitting = 0;
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            for path in ["/api/things", "/api/things/{id}"] {
                // A behaviour that needs certain fields brings its own entity.
                let entity = if behaviour.needs.is_empty() { ", entity: article" } else { "" };
                let name = behaviour.name;
                let by = match (behaviour.for_caller, behaviour.of_others) {
                    (_, true) => "jwt_token, access: \"role:admin\"",
                    (true, false) => "jwt_token",
                    (false, false) => "none",
                };
                let endpoint = format!(
                    "      - {{path: \"{path}\", method: {method}, authentication: {by}, behavior: {name}{entity}}}"
                );
                match plan_text(&task(&endpoint), &Observed::default()) {
                    Ok(plan) => {
                        fitting += 1;
                        let decided = decided(&plan, &format!("{method} {path}"));
                        assert!(decided[0].1.starts_with(&format!("the task says `behavior: {name}`")), "{decided:?}");
                    }
                    Err(problems) => {
                        assert_eq!(problems.len(), 1, "{name} {method} {path}: {problems:?}");
                        // A checkout that fits still needs somebody who takes payments.
                        if behaviour.works_on == crate::behaviour::WorksOn::Shop && problems[0].code.0 == "IP275" {
                            fitting += 1;
                            continue;
                        }
                        // What manages subscriptions comes with them alone.
                        if behaviour.works_on == crate::behaviour::WorksOn::Subscriptions
                            && problems[0].code.0 == "IP374"
                        {
                            fitting += 1;
                            continue;
                        }
                        assert_eq!(problems[0].code.0, "IP221", "{name} {method} {path}: {problems:?}");
                    }
                }
            }
        }
        assert!(fitting > 0, "{} fits nothing", behaviour.name);
    }
}

#[test]
fn further_events_hold_what_the_own_one_holds() {
    let plan = planned(
        "      - {path: /api/contact, method: POST, authentication: none, emits: [form_submission, contact_form, lead_seen]}\n      - {path: /api/feedback, method: POST, authentication: none, emits: [lead_seen]}",
    );
    // The general event is heard already, and the own one is told once.
    let events: Vec<&str> = plan.api.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["contact_form", "lead_seen", "feedback_form"]);
    let printed = plan::print::procedure(&plan.api.endpoints[0].procedure);
    let emits: Vec<&str> = printed.lines().filter_map(|line| line.trim().strip_prefix("emit ")).collect();
    assert_eq!(emits.len(), 2, "{printed}");
    assert_eq!(emits[0].strip_prefix("contact_form"), emits[1].strip_prefix("lead_seen"));
    let fields = |name: &str| {
        let event = plan.api.events.iter().find(|event| event.name.as_str() == name).unwrap();
        event.fields.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>()
    };
    for field in fields("contact_form").iter().chain(&fields("feedback_form")) {
        assert!(fields("lead_seen").contains(field), "{field}");
    }
}

#[test]
fn a_form_that_only_the_task_knows_counts_as_one() {
    let plan = planned(
        "      - {path: /api/leave-word, method: POST, authentication: none, behavior: form_submission, validation: [name]}",
    );
    let event = &plan.api.events[0];
    assert_eq!(event.name.as_str(), "leave_word_submitted");
    assert_eq!(event.also.iter().map(ToString::to_string).collect::<Vec<_>>(), ["form_submission"]);
}

#[test]
fn endpoints_of_one_entity_share_its_table_whatever_their_paths() {
    let plan = planned(
        "      - {path: /api/shop/goods, method: POST, authentication: none, entity: ware, validation: {weight: integer}}\n      - {path: /api/wares, method: GET, authentication: none}\n      - {path: \"/api/wares/{id}\", method: GET, authentication: none}",
    );
    let tables: Vec<&str> = plan.database.tables.iter().map(|table| table.name.as_str()).collect();
    let own = ["outbox_deliveries", "outbox_attempts", "outbox_remembered", "api_keys", "idempotency_answers"];
    assert_eq!(tables, [&["wares", "outbox_events"][..], &own].concat());
    assert!(plan.api.endpoints.iter().all(|endpoint| endpoint.entity.as_str() == "ware"));
}

#[test]
fn answers_are_kept_by_those_who_may_see_them() {
    for (authentication, cache, expected) in [
        ("none", "no_store", "no-store"),
        ("none", "60_seconds", "public, max-age=60"),
        ("api_key", "2_minutes", "private, max-age=120"),
    ] {
        let endpoint =
            format!("      - {{path: /api/articles, method: GET, authentication: {authentication}, cache: {cache}}}");
        assert_eq!(planned(&endpoint).api.endpoints[0].cache.header(), expected);
    }
}

#[test]
fn a_column_is_asked_for_by_its_name_whatever_lists_take_besides() {
    let list = |fields: &str| {
        let plan = planned(&format!(
            "      - {{path: /api/gadgets, method: POST, authentication: none, validation: [{fields}]}}\n      - {{path: /api/gadgets, method: GET, authentication: none}}"
        ));
        plan::print::procedure(&plan.api.endpoints[1].procedure)
    };
    let usual = list("name");
    assert!(usual.contains(" fields page (default 20, at most 100) offset (at most 10000) total\n"), "{usual}");
    let named = list("name, count, offset, fields");
    assert!(named.contains("count =") && named.contains(" page (default 20, at most 100)\n"), "{named}");
    assert!(!named.contains(" fields page"), "{named}");
}

#[test]
fn records_belong_to_what_their_path_names() {
    let nested = "      - {path: \"/api/posts/{id}/comments\", method: POST, authentication: none, validation: [text]}\n      - {path: \"/api/posts/{post}/comments/{id}\", method: GET, authentication: none}";
    let plan = planned(nested);
    let printed = plan::print::procedure(&plan.api.endpoints[0].procedure);
    expect![[r#"
        procedure post_api_posts_by_id_comments on POST /api/posts/{id}/comments
          limit default by address
          let claim = claim the idempotency key
          let place = validate parameters as CommentPlace { id }
          let input = validate body as Comment { author_name?, author_email?, body?, parent_id?, status = "published", text }
          let id = generate uuid
          transaction
            recall the answer kept for claim
            insert comments { id: id, author_name: input.author_name, author_email: input.author_email, body: input.body, post_id: place.id, parent_id: input.parent_id, status: input.status, text: input.text, created_at: now, updated_at: now, row_version: 1 }
            emit comment_created { id: id, author_name: input.author_name, author_email: input.author_email, body: input.body, post_id: place.id, parent_id: input.parent_id, status: input.status, text: input.text, created_at: now }
            let wants_little = check caller prefers return=minimal
            match wants_little
              yes:
                respond 201 { id: id } tagged 1 at /api/posts/{id}/comments/{id}
              no: go on
            respond 201 { id: id, author_name: input.author_name, author_email: input.author_email, body: input.body, post_id: place.id, parent_id: input.parent_id, status: input.status, text: input.text, created_at: now, updated_at: now } tagged 1 at /api/posts/{id}/comments/{id}
    "#]].assert_eq(&printed);
    let decisions = decided(&plan, "POST /api/posts/{id}/comments");
    assert!(decisions[1].1.contains("is not checked"), "{decisions:?}");
    let printed = plan::print::procedure(&plan.api.endpoints[1].procedure);
    assert!(
        printed.contains("where id = request.path.id and post_id = request.path.post filled by asked\n"),
        "{printed}"
    );

    // With the posts in the same task they must be there.
    let posts = "      - {path: /api/posts, method: GET, authentication: none}";
    let plan = planned(&format!("{nested}\n{posts}"));
    let printed = plan::print::procedure(&plan.api.endpoints[0].procedure);
    assert!(printed.contains("let parent = read one posts (id) where id = request.path.id for update\n"), "{printed}");
    let decisions = decided(&plan, "POST /api/posts/{id}/comments");
    assert!(decisions[1].1.contains("404 where `posts` has no such record"), "{decisions:?}");
}

#[test]
fn a_form_may_belong_to_something() {
    let plan = planned("      - {path: \"/api/events/{event_id}/rsvp\", method: POST, authentication: none}");
    let printed = plan::print::procedure(&plan.api.endpoints[0].procedure);
    assert!(printed.contains("emit rsvp {") && printed.contains("event_id: place.event_id"), "{printed}");
}

#[test]
fn fields_of_another_kind_say_that_a_document_is_no_file() {
    let behaviour = |validation: &str| {
        let endpoint = format!("      - {{path: /api/documents, method: POST, authentication: none{validation}}}");
        let plan = planned(&endpoint);
        (plan.api.endpoints[0].entity.to_string(), decided(&plan, "POST /api/documents")[0].1.to_owned())
    };
    let (entity, reason) = behaviour("");
    assert_eq!(entity, "file");
    assert!(reason.starts_with("rule file.create: "), "{reason}");
    assert_eq!(behaviour(", validation: [name, size_bytes]").0, "file");
    let (entity, reason) = behaviour(", validation: [title, body]");
    assert_eq!(entity, "document");
    assert!(reason.starts_with("rule record.create: "), "{reason}");
}

#[test]
fn a_status_is_health_only_where_the_path_names_nothing_else() {
    let plan = planned("      - {path: /api/v1/status, method: GET, authentication: none}");
    assert!(decided(&plan, "GET /api/v1/status")[0].1.starts_with("rule health.ask: "));
    assert!(plan.database.tables.iter().all(|table| ["outbox_events", "api_keys"].contains(&table.name.as_str())));
    let (code, ..) = refused("      - {path: /api/orders/status, method: GET, authentication: none}");
    assert_eq!(code, "IP204");
}

#[test]
fn what_cannot_be_inferred_shows_the_line_that_settles_it() {
    for (endpoint, expected) in [
        (
            "/api/orders/status, method: GET",
            "add one line beside `path: /api/orders/status`: `behavior: record_list` (lists records), or `behavior: file_metadata` (keeps what is known of files, without their bytes), or `behavior: health` (says whether the API can work)",
        ),
        ("/api/unsubscrib, method: DELETE", "did you mean `path: /api/unsubscribe`?"),
        (
            "/api/settings, method: PUT",
            "name the record that changes: `path: /api/settings/{id}`; for the one and only `settings`, keep it as a record with a key of its own",
        ),
        (
            "\"/api/orders/{id}\", method: POST",
            "create with `path: /api/orders`, or change what is there with `method: PUT` or `method: PATCH`",
        ),
        (
            "/api/orders, method: DELETE",
            "add one line beside `path: /api/orders`: `behavior: newsletter_unsubscribe` (ends the subscription of an address)",
        ),
        (
            "\"/api/a/{x}/b/{y}/c/{id}\", method: GET",
            "things may belong to one other thing, as in `/api/posts/{post_id}/comments`: use `path: /api/b/{y}/c/{id}`",
        ),
        (
            "/api/contact, method: GET",
            "add `entity: contact_message` if that is meant, or name them at the endpoint that creates them: `validation: [\"title\", \"description\"]`",
        ),
        (
            "/api/notes, method: GET, entity: nota",
            "did you mean `entity: note`? else name them at the endpoint that creates it: `validation: [\"title\", \"description\"]`",
        ),
    ] {
        let (code, _, help) = refused(&format!("      - {{path: {endpoint}, authentication: none}}"));
        assert_eq!((code, help.as_str()), ("IP204", expected));
    }
}

#[test]
fn the_end_of_a_subscription_deletes_its_row() {
    let plan =
        planned("      - {path: /api/newsletter, method: DELETE, authentication: none, validation: [email, reason]}");
    let printed = plan::print::procedure(&plan.api.endpoints[0].procedure);
    expect![[r#"
        procedure delete_api_newsletter on DELETE /api/newsletter
          limit default by address
          let claim = claim the idempotency key
          let input = validate body as NewsletterSubscriberLeaving { email, reason }
          transaction
            recall the answer kept for claim
            let subscription = delete newsletter_subscribers where email = input.email
            match subscription
              changed:
                emit newsletter_unsubscribed { email: input.email, reason: input.reason, unsubscribed_at: now }
              unchanged: go on
            respond 202 { status: "accepted" }
    "#]]
    .assert_eq(&printed);
    let columns = plan.database.tables[0].columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
    assert_eq!(columns, ["id", "email", "name", "created_at", "updated_at", "row_version"]);
}
