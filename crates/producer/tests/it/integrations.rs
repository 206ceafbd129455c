//! Tasks that integrate a service: what is asked for, what is tried, what a response says of it, and that no credential is shown.

use crate::harness::repository;
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files};
use std::fs;

const KEY: &str = "sk_test_4eC39HqLyjWDarjtT1zdp7dc";

fn integrate(workspace: &Workspace, more: &[&str]) -> Ended {
    let task = repository("tests/cases/tasks/stripe-payments.yaml");
    end(workspace.command(&["run"]).arg(&task).args(more).env_remove("KEY"))
}

fn set(workspace: &Workspace, value: &str) {
    end_with_input(&mut workspace.command(&["secrets", "set", "STRIPE_SECRET_KEY"]), value).must_end_with(0);
}

#[test]
fn a_missing_credential_is_asked_for() {
    let workspace = Workspace::new();
    let response = integrate(&workspace, &[]).must_end_with(3).response();
    assert_eq!(response["status"], "needs_input");
    let error = &response["error"];
    assert_eq!((&error["kind"], &error["code"]), (&"integration.authentication".into(), &"credentials_missing".into()));
    assert_eq!(error["message"], "Stripe needs: Secret key, or a restricted key");
    let hint = error["hint"].as_str().unwrap();
    for part in ["`producer secrets set STRIPE_SECRET_KEY`", "https://dashboard.stripe.com/apikeys", "--sandbox"] {
        assert!(hint.contains(part), "{hint}");
    }
    assert!(!workspace.path().join("output").exists(), "nothing was made");
}

#[test]
fn a_credential_of_another_form_is_none_and_is_not_shown() {
    let workspace = Workspace::new();
    set(&workspace, "pk_live_51HxyzPublishable");
    let ended = integrate(&workspace, &[]).must_end_with(3);
    let message = ended.response()["error"]["message"].to_string();
    assert!(message.contains("it begins with `sk_live_` or `sk_test_`"), "{message}");
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains("51Hxyz"));
}

#[test]
fn a_given_credential_leads_to_an_integration_that_says_what_was_not_tried() {
    let workspace = Workspace::new();
    set(&workspace, KEY);
    let response = integrate(&workspace, &[]).must_end_with(0).response();
    assert_eq!(response["output"]["integrations"][0]["service"], "stripe");
    assert_eq!(response["output"]["integrations"][0]["status"], "not_verified", "nobody has asked Stripe");
    let again = integrate(&workspace, &[]).must_end_with(0).response();
    assert_eq!(again["changed"], false);
    for (path, content) in files(workspace.path()) {
        assert!(!content.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{path} holds the key");
    }
}

#[test]
fn a_sandbox_needs_no_account_and_says_so_everywhere() {
    let workspace = Workspace::new();
    let response = integrate(&workspace, &["--sandbox"]).must_end_with(0).response();
    assert_eq!(response["output"]["integrations"][0]["status"], "simulated");
    assert_eq!(response["output"]["database"]["status"], "connected", "the database is the real one");
    let warnings = response["warnings"].to_string();
    assert!(warnings.contains("nothing in this workspace emits `user_registration`"), "{warnings}");
    let guide =
        workspace.path().join("output/integration/task_integration_2025_003/documentation/integration-guide.md");
    let guide = fs::read_to_string(guide).unwrap();
    for part in [
        "a simulated provider on this machine",
        "`create_checkout_session`",
        "`payment_succeeded`",
        "credentials_missing",
    ] {
        assert!(guide.contains(part), "{part}");
    }
}

/// What the task asks for at an event that an endpoint emits under another name, or without a field, is said.
#[test]
fn an_event_without_a_needed_field_is_said() {
    let workspace = Workspace::new();
    let api = "task_id: api\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n      - { path: /api/customers, method: POST, authentication: none, validation: [email, name], emits: [user_registration] }\n";
    workspace.run_text(api).must_end_with(0);
    let warnings = integrate(&workspace, &["--sandbox"]).must_end_with(0).response()["warnings"].to_string();
    assert!(warnings.contains("`user_registration` does not say `user_id`, which Stripe needs"), "{warnings}");
}
