//! Services: what a task and a manifest come to together.

use super::CATALOG;
use catalog::built_in_providers;
use expect_test::expect;
use manifest::Manifest;
use plan::Decision;
use plan::service::{ServicePlan, System};
use spec::Specification;
use vocab::{Diagnostic, TaskId};

fn provider(name: &str) -> Manifest {
    built_in_providers().into_iter().find(|folder| folder.name == name).unwrap().read().unwrap()
}

fn planned(text: &str) -> Result<ServicePlan, Vec<Diagnostic>> {
    decided(text).map(|(plan, _)| plan)
}

fn decided(text: &str) -> Result<(ServicePlan, Vec<Decision>), Vec<Diagnostic>> {
    let parsed = spec::parse("task.yaml", text);
    assert_eq!(parsed.diagnostics, []);
    let Specification::IntegrateService(integration) = &parsed.tasks[0].specification else { panic!("a service") };
    let manifest = provider(integration.provider.value.as_str());
    crate::plan_service(integration, &TaskId::parse("task").unwrap(), &manifest, &CATALOG)
}

fn task(more: &str) -> String {
    format!(
        "task_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: payment\n    provider: stripe\n{more}"
    )
}

fn checkout(more: &str) -> Result<ServicePlan, Vec<Diagnostic>> {
    planned(&task(&format!("    integration_points: [checkout]\n{more}")))
}

#[test]
fn the_sample_task_comes_to_what_its_points_need() {
    let plan = planned(include_str!("../../../../tests/cases/tasks/stripe-payments.yaml")).unwrap();
    let persisted = serde_json::to_string(&plan).unwrap();
    let tree: serde_json::Value = serde_json::from_str(&persisted).unwrap();
    assert_eq!(serde_json::from_value::<ServicePlan>(tree).unwrap(), plan, "survives being persisted");
    assert_eq!(plan.system, System::Live);
    expect![[r#"
        account at Stripe, the live system
          secret_key: ${secret:STRIPE_SECRET_KEY}
          success_url: as the manifest says
          cancel_url: as the manifest says
          portal_return_url: as the manifest says

        point checkout takes order_id: uuid (plain), user_id?: uuid (plain), email?: email (personal), currency: currency (plain), items: list (plain)
          one after the other for each ${event.order_id}
          create_checkout_session
            order_id: ${event.order_id}
            customer: ${remembered.customer}
            email: ${event.email | unless(remembered.customer)}
            currency: ${event.currency}
            items: [{ name: ${item.name}, unit_price: ${item.unit_price}, quantity: ${item.quantity} } for each of event.items]
          answers session_id: ${answer.create_checkout_session.id}
          answers url: ${answer.create_checkout_session.url}

        point form_submission
          nothing is sent: a form is no business of a payment provider

        point user_registration takes user_id: uuid (plain), email: email (personal), name?: text (personal)
          one after the other for each ${event.user_id}
          create_customer unless ${remembered.customer}
            email: ${event.email}
            name: ${event.name}
            user_id: ${event.user_id}
            remember customer: ${answer.create_customer.id}

        read get_balance: tells what the account holds
          GET https://api.stripe.com/v1/balance

        write create_customer: makes a customer
          POST https://api.stripe.com/v1/customers
          Idempotency-Key: ${delivery.key}
          form { email: ${input.email}, name: ${input.name}, metadata: { user_id: ${input.user_id} } }
          once: by its key of at most 255 characters
          a lost reply: it is sent again

        write create_checkout_session: makes a page on which a customer pays
          POST https://api.stripe.com/v1/checkout/sessions
          Idempotency-Key: ${delivery.key}
          form { mode: payment, success_url: ${setting.success_url | with_parameter(input.order_id)}, cancel_url: ${setting.cancel_url | with_parameter(input.order_id)}, client_reference_id: ${input.order_id}, customer: ${input.customer}, customer_email: ${input.email}, line_items: [{ price_data: { currency: ${input.currency | lowercase}, unit_amount: ${item.unit_price | minor_units(input.currency)}, product_data: { name: ${item.name} } }, quantity: ${item.quantity} } for each of input.items], metadata: { order_id: ${input.order_id} }, payment_intent_data: { metadata: { order_id: ${input.order_id} } } }
          once: by its key of at most 255 characters
          a lost reply: it is sent again

        read list_events: lists what has happened, the newest first
          GET https://api.stripe.com/v1/events
          ?limit=100
          ?created[gte]=${input.since | unix_seconds}
          ?starting_after=${page.next}

        read list_webhook_endpoints: lists the addresses that events are sent to
          GET https://api.stripe.com/v1/webhook_endpoints
          ?limit=100
          ?starting_after=${page.next}

        write create_webhook_endpoint: has events sent to an address
          POST https://api.stripe.com/v1/webhook_endpoints
          Idempotency-Key: ${delivery.key}
          form { url: ${webhook.url}, api_version: ${value.api_version}, enabled_events: [${item.kind} for each of webhook.kinds] }
          once: by its key of at most 255 characters
          a lost reply: it is sent again

        write update_webhook_endpoint: changes which events are sent to an address
          POST https://api.stripe.com/v1/webhook_endpoints/${webhook.id}
          Idempotency-Key: ${delivery.key}
          form { enabled_events: [${item.kind} for each of webhook.kinds] }
          once: by its key of at most 255 characters
          a lost reply: it is sent again

        delete delete_webhook_endpoint: sends no more events to an address
          DELETE https://api.stripe.com/v1/webhook_endpoints/${webhook.id}
          once: it can be removed once only
          a lost reply: it is sent again

        webhooks of stripe
          known by Stripe-Signature, keyed by ${webhook.secret}, of time + `.` + body
          once for each ${body/id}, remembered for 30 days
          checkout.session.completed, checkout.session.async_payment_succeeded, checkout.session.async_payment_failed, under conditions, becomes nothing: the subscription tells it
          checkout.session.expired, under conditions, becomes subscription_expired
          checkout.session.completed, under conditions, becomes payment_succeeded
          checkout.session.completed becomes payment_pending
          checkout.session.async_payment_succeeded becomes payment_succeeded
          checkout.session.async_payment_failed becomes payment_failed
          checkout.session.expired becomes checkout_expired
          charge.refunded, under conditions, becomes payment_refunded
          charge.dispute.created becomes payment_disputed
          customer.subscription.created, customer.subscription.updated, customer.subscription.deleted, under conditions, becomes subscription_trialing
          customer.subscription.created, customer.subscription.updated, customer.subscription.deleted, under conditions, becomes subscription_active
          customer.subscription.created, customer.subscription.updated, customer.subscription.deleted, under conditions, becomes subscription_paused
          customer.subscription.created, customer.subscription.updated, customer.subscription.deleted, under conditions, becomes subscription_past_due
          customer.subscription.created, customer.subscription.updated, customer.subscription.deleted, under conditions, becomes subscription_cancelled
          customer.subscription.created, customer.subscription.updated, customer.subscription.deleted, under conditions, becomes subscription_expired
          customer.subscription.created, customer.subscription.updated, customer.subscription.deleted becomes nothing: it is not ours, or is not paid yet
          invoice.paid, under conditions, becomes subscription_paid
          invoice.payment_failed, under conditions, becomes subscription_payment_failed
          invoice.paid, invoice.payment_failed becomes nothing: it is of no subscription of ours, or nothing was paid
          payment_intent.succeeded, payment_intent.payment_failed, payment_intent.requires_action, customer.created becomes nothing: the session of the checkout, or our own request, has told it
    "#]].assert_eq(&plan::print::service(&plan));
}

/// What the task names is passed on, under the provider's name or that of the task; an address is passed on whatever the task says.
#[test]
fn a_task_says_which_fields_are_passed_on_and_what_they_are_there() {
    let sample = include_str!("../../../../tests/cases/tasks/hubspot-contacts.yaml");
    let told = |text: &str| {
        let (plan, decisions) = decided(text).unwrap();
        assert_eq!(manifest::check::findings(&plan.manifest), []);
        let fields = decisions.iter().filter(|decision| decision.subject.starts_with("field "));
        fields
            .map(|told| format!("{} is {}, because {}\n", told.subject, told.decision, told.reason))
            .collect::<String>()
    };
    expect![[r#"
        field `email` is `email`: ${event.email | trim | lowercase}, because `fields_to_sync` names it, and that is what HubSpot calls it
        field `name` is `firstname`: ${event.name | first_word}, `lastname`: ${event.name | other_words}, because `fields_to_sync` names it, and that is what HubSpot calls it
        field `company` is `company`: ${event.company}, because `fields_to_sync` names it, and that is what HubSpot calls it
        field `phone` is `phone`: ${event.phone}, because `fields_to_sync` names it, and that is what HubSpot calls it
        field `source` is `website_source`: ${event.source | or(delivery.event)}, because HubSpot has nothing of its own for it: it is made there when the service is integrated
    "#]].assert_eq(&told(sample));
    let (rest, _) = sample.split_once("    fields_to_sync").unwrap();
    let mapped =
        format!("{rest}    fields_to_sync: [job, source]\n    mapping: {{ job: jobtitle, source: lead_origin }}\n");
    expect![[r#"
        field `email` is `email`: ${event.email | trim | lowercase}, because HubSpot knows people by it
        field `job` is `jobtitle`: ${event.job | text}, because `mapping` says so
        field `source` is `lead_origin`: ${event.source | or(delivery.event)}, because `mapping` says so
    "#]]
    .assert_eq(&told(&mapped));
    let plan = planned(&mapped).unwrap();
    assert!(plan.manifest.operations.get("create_property").is_none(), "the user has that property");
    expect![[r#"
        field `email` is `email`: ${event.email | trim | lowercase}, because HubSpot knows people by it
        field `name` is `firstname`: ${event.name | first_word}, `lastname`: ${event.name | other_words}, because the task names no fields, so all that are known there are passed on
        field `company` is `company`: ${event.company}, because the task names no fields, so all that are known there are passed on
        field `phone` is `phone`: ${event.phone}, because the task names no fields, so all that are known there are passed on
        field `source` is `website_source`: ${event.source | or(delivery.event)}, because HubSpot has nothing of its own for it: it is made there when the service is integrated
    "#]].assert_eq(&told(rest));
}

#[test]
fn credentials_come_from_where_the_task_says() {
    let from = |plan: &ServicePlan, name: &str| {
        let value = plan.account.iter().find(|value| value.name.as_str() == name);
        value.map(|value| serde_json::to_string(&value.from).unwrap()).unwrap_or_default()
    };
    let plan = checkout("").unwrap();
    assert_eq!(from(&plan, "secret_key"), r#"{"secret":"STRIPE_SECRET_KEY"}"#);
    assert_eq!(from(&plan, "success_url"), r#""default""#);
    let given = "    credentials: { secret_key: \"${env:KEY}\", success_url: \"https://shop.example/thanks\" }\n    sandbox: true\n";
    let plan = checkout(given).unwrap();
    assert_eq!(from(&plan, "secret_key"), r#"{"environment":"KEY"}"#);
    assert_eq!(from(&plan, "success_url"), r#"{"plain":"https://shop.example/thanks"}"#);
    assert_eq!(plan.system, System::Test);
}

#[test]
fn a_credential_that_the_provider_does_not_know_is_refused() {
    let refused = checkout("    credentials: { secret_kee: \"${env:KEY}\" }\n").unwrap_err();
    let told: Vec<String> =
        refused.iter().map(|problem| format!("{problem}; {}", problem.help.as_deref().unwrap())).collect();
    assert_eq!(told, ["task.yaml:7:20: IP223: Stripe asks for no `secret_kee`; did you mean `secret_key`?"]);
}

/// A point of the catalogue's tree is answered by the more general one; what nobody described is said to be nothing.
#[test]
fn points_are_answered_by_their_own_or_a_more_general_one() {
    let (plan, decisions) = decided(&task("    integration_points: [contact_form, newsletter_signup]\n")).unwrap();
    let points: Vec<String> = plan
        .points
        .iter()
        .map(|point| format!("{} {}", point.event, point.answered_by.as_ref().map_or("-", |event| event.as_str())))
        .collect();
    assert_eq!(points, ["contact_form form_submission", "newsletter_signup -"]);
    let told: Vec<&str> = decisions.iter().map(|decision| decision.reason.as_str()).collect();
    assert!(told.contains(&"nobody has described what Stripe does then"), "{told:?}");
    assert!(plan.manifest.operations.get("create_checkout_session").is_none(), "nothing asks for it");
    assert!(plan.manifest.operations.get("create_webhook_endpoint").is_some(), "webhooks are registered by it");
    assert!(plan.manifest.simulator.is_none());
}

/// What a plan holds is a manifest that could be read: every name in it is still there.
#[test]
fn a_plan_holds_everything_it_names() {
    for points in ["checkout", "form_submission", "checkout, order_refund, subscription_start, user_deleted"] {
        let plan = planned(&task(&format!("    integration_points: [{points}]\n"))).unwrap();
        assert_eq!(manifest::check::findings(&plan.manifest), [], "{points}");
    }
}

/// `subscriptions` means what begins them, what ends them and what takes that back; each is asked for once.
#[test]
fn points_are_understood_as_people_write_them() {
    for asked in
        ["subscriptions", "subscribe, subscription_end", "subscription_start, cancel_subscription, subscription"]
    {
        let plan = planned(&task(&format!("    integration_points: [{asked}]\n"))).unwrap();
        let points: Vec<&str> = plan.points.iter().map(|point| point.event.as_str()).collect();
        let meant = ["subscription_start", "subscription_end", "subscription_end_at_period", "subscription_resume"];
        assert_eq!(points, meant, "{asked}");
    }
}
