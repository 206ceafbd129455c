//! Which events make mails: those that somebody has written one for, whose fields the event has.

use super::{CONTACT, task};
use catalog::{Catalog, OwnFile, OwnFiles};
use expect_test::expect;
use plan::{Observed, PersistedPlan, Plan, TaskPlan};
use vocab::{Diagnostic, TaskId};

fn with_mail(template: &str, endpoints: &str) -> Result<Plan, Vec<Diagnostic>> {
    let file = OwnFile { name: "mails/own.yaml".to_owned(), text: template.to_owned() };
    let own = OwnFiles { mails: vec![file], ..OwnFiles::default() };
    let catalog = Catalog::built_in().unwrap().with_own(&own)?;
    let parsed = spec::parse("task.yaml", &task(endpoints));
    let task_id = TaskId::parse("task").unwrap();
    crate::plan(&parsed.tasks[0], &task_id, &catalog, &Observed::default())
        .map(|planned| planned.api().expect("a task with an API").clone())
}

const THANKS: &str = "mail: contact_form\nto: email\nlink: { path: /messages, token: id }\ntexts:\n  - { language: en, subject: 'Thank you, ${event.name}', paragraphs: ['We have it.'], button: Look }\n";

#[test]
fn an_event_makes_the_mail_that_somebody_has_written_for_it() {
    let plan = with_mail(THANKS, CONTACT).unwrap();
    let persisted = PersistedPlan {
        format: 1,
        planner_version: String::new(),
        task_hash: String::new(),
        plan: TaskPlan::Api(Box::new(plan.clone())),
    };
    assert_eq!(PersistedPlan::from_text(&persisted.to_text()).unwrap(), persisted);
    expect![[r#"
        {
          "event": "contact_form",
          "to": "email",
          "link": {
            "path": "/messages",
            "token": "id"
          },
          "texts": [
            {
              "language": "en",
              "subject": "Thank you, ${event.name}",
              "paragraphs": [
                "We have it."
              ],
              "button": "Look"
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&plan.api.mails[0]).unwrap());
    let decided = plan.decisions.iter().find(|decision| decision.subject == "event `contact_form`").unwrap();
    assert_eq!(decided.decision, "a mail goes to its `email`, in `en`, with a link to `/messages`");
    assert_eq!(decided.reason, "as `mails/own.yaml` says");
}

#[test]
fn an_event_that_makes_no_mail_leaves_the_plan_as_it_was() {
    let other = THANKS.replace("contact_form", "rsvp");
    let plan = with_mail(&other, CONTACT).unwrap();
    assert_eq!(plan.api.mails, []);
    assert!(!serde_json::to_string(&plan.api).unwrap().contains("mails"));
}

/// An event of a task may be called as one that this build has a mail for.
#[test]
fn a_mail_of_this_build_is_left_out_where_the_event_is_another_one() {
    let endpoint =
        "      - {path: /api/contact, method: POST, authentication: none, emits: [contact_form, password_reset]}";
    let plan = with_mail(&THANKS.replace("contact_form", "rsvp"), endpoint).unwrap();
    assert_eq!(plan.api.mails, []);
    let decided = plan.decisions.iter().find(|decision| decision.subject == "event `password_reset`").unwrap();
    assert_eq!(decided.decision, "makes no mail");
    assert!(decided.reason.ends_with("event `password_reset` has no field `token`"), "{}", decided.reason);
}

const NEWSLETTER: &str = "      - {path: /api/newsletter, method: POST, authentication: none}\n";
const CONFIRMED: &str = "      - {path: /api/newsletter, method: POST, authentication: none, emits: [reader_won]}\n      - {path: /api/newsletter/confirm, method: POST, authentication: none}\n";

/// Each endpoint with the events that it emits.
fn emitting(plan: &Plan) -> Vec<String> {
    let of = |subject: &str| {
        let found = plan
            .decisions
            .iter()
            .find(|decision| decision.subject == subject && decision.decision.contains(" and emits "));
        found.and_then(|decision| Some(decision.decision.split_once(" and emits ")?.1.to_owned())).unwrap_or_default()
    };
    let routes = plan.api.endpoints.iter().filter_map(plan::api::Endpoint::route);
    routes.map(|(method, path)| format!("{method} {path}: {}", of(&format!("{method} {path}")))).collect()
}

#[test]
fn a_newsletter_is_confirmed_where_people_sign_in_or_a_task_names_what_confirms() {
    let none = "mail: rsvp\nto: email\ntexts: [{ language: en, subject: s, paragraphs: [p] }]\n";
    let plain = with_mail(none, NEWSLETTER).unwrap();
    assert_eq!(emitting(&plain), ["POST /api/newsletter: `newsletter_signup`"]);
    assert!(!plain.api.shares_secret() && plain.api.pages.is_empty() && plain.api.mails.is_empty());
    let named = with_mail(none, CONFIRMED).unwrap();
    assert_eq!(
        emitting(&named),
        [
            "POST /api/newsletter: `newsletter_confirmation`",
            "POST /api/newsletter/confirm: `newsletter_signup`, `reader_won`",
            "POST /api/newsletter/unsubscribe/{token}: `newsletter_unsubscribed`"
        ]
    );
    assert!(named.api.shares_secret() && named.api.accounts.is_none());
    let mails: Vec<(&str, bool)> =
        named.api.mails.iter().map(|mail| (mail.event.as_str(), mail.unsubscribe.is_some())).collect();
    assert_eq!(mails, [("newsletter_confirmation", false), ("newsletter_welcome", true)]);
    let login = "      - {path: /api/auth/login, method: POST, authentication: none}\n";
    let with_login = with_mail(none, &format!("{login}{NEWSLETTER}")).unwrap();
    assert!(emitting(&with_login).contains(&"POST /api/newsletter/confirm: `newsletter_signup`".to_owned()));
}

#[test]
fn what_can_be_told_to_stop_needs_something_that_stops() {
    let text = THANKS
        .replace("to: email", "to: email\nunsubscribe: id")
        .replace("button: Look", "button: Look, unsubscribe: No more");
    let problems = with_mail(&text, CONTACT).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].message.contains("nothing to unsubscribe from"), "{problems:?}");
    let unnamed = with_mail(&THANKS.replace("to: email", "to: email\nunsubscribe: id"), CONTACT).unwrap_err();
    assert!(unnamed[0].message.contains("that it can be told to stop"), "{unnamed:?}");
}
