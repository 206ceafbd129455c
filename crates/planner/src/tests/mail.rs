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
