//! `integration-guide.md`: what is connected, what is sent and taken in, and what happens when something goes wrong, for a colleague
//! on the first day. It says what the manifest in the plan says and adds nothing.

use crate::node;
use crate::render::capitalised;
use manifest::Manifest;
use manifest::browser::Browser;
use manifest::operation::{Idempotency, IfReplyIsLost, Operation, Request};
use manifest::outcome::{ErrorRule, Meaning, When};
use manifest::point::{Calls, Point};
use manifest::provider::{Counted, CountedBy, Provider, Rate};
use manifest::webhook::{ProviderEvent, Registration, Verification, Webhooks};
use minijinja::{Value, context};
use plan::Plan;
use plan::service::{AccountValue, ServicePlan, ServicePoint, SyncPlan, System, ValueSource};
use plan::trouble::Trouble;

pub fn view(whole: &Plan, plan: &ServicePlan) -> Value {
    let provider = &plan.manifest.provider;
    context! {
        node => node::service::Integrated::of(whole).map(|own| node::service::view(&own, "")),
        title => provider.title.as_str(),
        about => provider.about.as_str(),
        system => match plan.system {
            System::Live => "the live system",
            System::Test => "the provider's test system",
            System::Simulated => "a simulated provider on this machine: nothing leaves it",
        },
        specification => format!("{}, read on {}", provider.specification.source, provider.specification.read_on),
        account => plan.account.iter().map(|value| account(provider, value)).collect::<Vec<_>>(),
        points => plan.points.iter().map(|asked| point(&plan.manifest, asked)).collect::<Vec<_>>(),
        operations => plan.manifest.operations.iter().map(|(name, known)| operation(plan, name.as_str(), known)).collect::<Vec<_>>(),
        page => plan.manifest.browser.as_ref().map(|browser| page(plan, browser)),
        webhooks => plan.manifest.webhooks.as_ref().map(|known| webhooks(known, plan.intake.as_ref().map_or("", |intake| &intake.path))),
        syncs => plan.syncs.iter().map(|known| sync(plan, known)).collect::<Vec<_>>(),
        rules => provider.errors.rules.iter().map(rule).collect::<Vec<_>>(),
        otherwise => consequence(provider.errors.otherwise),
        attempts => provider.retry.attempts,
        hours => provider.retry.for_hours,
        longest_wait => provider.wait.most_seconds,
        troubles => Trouble::ALL.into_iter().filter(|known| known.concerns(plan)).map(|known| trouble(plan, known)).collect::<Vec<_>>(),
        rates => provider.rates.iter().map(|(_, rate)| rate_words(rate, plan.system)).collect::<Vec<_>>(),
    }
}

fn page(plan: &ServicePlan, browser: &Browser) -> Value {
    let identifies: Vec<String> = browser.identifies.iter().map(|(name, _)| format!("`{name}`")).collect();
    context! {
        file => plan.manifest.provider.service_types.first().map_or("", |one| one.as_str()),
        consent => node::tracking::consent(browser),
        policy => node::tracking::directives(browser),
        identifies => identifies.join(" and "),
    }
}

fn sync(plan: &ServicePlan, known: &SyncPlan) -> Value {
    let does = plan.manifest.syncs.get(known.name.as_str()).map_or("", |sync| sync.does.as_str());
    let fields: Vec<String> = known.shape.fields.iter().map(|field| format!("`{}`", field.name)).collect();
    context! {
        name => known.name.as_str(),
        does,
        table => known.table.as_str(),
        fields => fields.join(", "),
        pace => known.pace.to_string(),
    }
}

fn trouble(plan: &ServicePlan, known: Trouble) -> Value {
    context! { seen => known.seen(), cause => known.cause(plan), mend => known.mend(plan) }
}

fn account(provider: &Provider, value: &AccountValue) -> Value {
    let name = value.name.as_str();
    let credential = provider.credentials.get(name);
    let setting = provider.settings.get(name);
    let title = credential.map(|known| &known.title).or_else(|| setting.map(|known| &known.title));
    let find = credential.map(|known| &known.find).or_else(|| setting.and_then(|known| known.find.as_ref()));
    let default = setting.and_then(|known| known.default.as_ref());
    let from = match &value.from {
        ValueSource::Plain(text) => format!("`{text}`, as the task says"),
        ValueSource::Environment(variable) => format!("the environment variable `{variable}`"),
        ValueSource::Secret(secret) => format!("the secret `{secret}`: `producer secrets set {secret}`"),
        ValueSource::Default => default.map_or_else(String::new, |text| format!("`{text}`, as nothing else was said")),
    };
    context! { name, title, from, find => find.map_or("", String::as_str), secret => credential.is_some_and(|known| known.secret) }
}

fn point(manifest: &Manifest, asked: &ServicePoint) -> Value {
    let known = asked.answered_by.as_ref().and_then(|event| manifest.points.points.get(event.as_str()));
    let (does, needs) = match known {
        None => ("nothing: nobody has described it".to_owned(), String::new()),
        Some(Point::Nothing(why)) => (format!("nothing: {why}"), String::new()),
        Some(Point::InBrowser(why)) => (format!("the visitor's page tells it: {why}"), String::new()),
        Some(Point::Calls(calls)) => (does(manifest, calls), needs(calls)),
    };
    context! { event => asked.event.as_str(), does, needs }
}

fn does(manifest: &Manifest, calls: &Calls) -> String {
    let steps = calls.steps.iter().map(|call| {
        let does = manifest.operations.get(call.operation.as_str()).map_or("", |operation| operation.does.as_str());
        format!("{does} (`{}`)", call.operation)
    });
    steps.collect::<Vec<_>>().join(", then ")
}

fn needs(calls: &Calls) -> String {
    let fields = calls.takes.iter().map(|(name, taken)| {
        let optional = if taken.required { "" } else { ", if there is one" };
        format!("`{name}` ({}{optional})", taken.privacy.as_str())
    });
    fields.collect::<Vec<_>>().join(", ")
}

fn operation(plan: &ServicePlan, name: &str, operation: &Operation) -> Value {
    let sends = match &operation.request {
        Request::Http(http) => format!("{} {}", http.method.as_str(), http.path),
        Request::Command(words) => words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Request::Rows(rows) => format!("rows of `{}`", rows.table),
    };
    let lost = match &operation.if_reply_is_lost {
        None => "it changes nothing and is asked again".to_owned(),
        Some(IfReplyIsLost::Repeat) => "it is sent again".to_owned(),
        Some(IfReplyIsLost::Stop) => "it is put aside for a person".to_owned(),
        Some(IfReplyIsLost::LookUp(look_up)) => format!("`{}` tells whether it has happened", look_up.operation),
    };
    let twice = match &operation.idempotency {
        None => String::new(),
        Some(Idempotency::Key { kept_hours, .. }) => {
            let hours = kept_hours.map(|hours| format!(" for {hours} hours")).unwrap_or_default();
            format!("{} knows a repetition by its key{hours}", plan.manifest.provider.title)
        }
        Some(Idempotency::Natural(why)) => why.clone(),
        Some(Idempotency::None(why)) => format!("nothing makes a repetition harmless: {why}"),
    };
    let input = operation.input.iter().map(|(name, input)| format!("`{name}` ({})", input.privacy.as_str()));
    context! {
        name, does => capitalised(&operation.does), sends, lost, twice,
        input => input.collect::<Vec<_>>().join(", "),
    }
}

fn webhooks(webhooks: &Webhooks, path: &str) -> Value {
    let registered = match &webhooks.registration {
        Registration::ThroughApi(_) => "through the provider's API".to_owned(),
        Registration::ByHand { page, steps } => format!("by hand at {page}: {steps}"),
        Registration::WithEachRequest(why) => format!("with each request: {why}"),
    };
    let proved: Vec<&str> = webhooks.verify.iter().map(proof).collect();
    context! {
        path, registered, proved => proved.join(" and "), kept_days => webhooks.dedup.keep_days,
        events => webhooks.events.iter().map(event).collect::<Vec<_>>(),
    }
}

fn proof(way: &Verification) -> &'static str {
    match way {
        Verification::Hmac(_) => "a keyed digest of its bytes",
        Verification::Digest(_) => "a digest that the secret is part of",
        Verification::PublicKey(_) => "a signature that a public key checks",
        Verification::Certificate(_) => "a signature that a certificate checks",
        Verification::FixedHeader { .. } => "a header that we have chosen",
        Verification::Basic { .. } => "a name and a password that we have chosen",
        Verification::BodyHolds { .. } => "something of ours in its body",
        Verification::SecretPath(_) => "an address that nobody can guess",
        Verification::Ask { .. } => "asking the provider itself",
    }
}

fn event(event: &ProviderEvent) -> Value {
    let kinds: Vec<String> = event.kinds.iter().map(|kind| format!("`{kind}`")).collect();
    let becomes = match (&event.emits, &event.ignored) {
        (Some(name), _) => format!("`{name}`"),
        (None, Some(why)) => format!("nothing: {why}"),
        (None, None) => "nothing".to_owned(),
    };
    context! { kinds => kinds.join(", "), becomes }
}

fn rule(rule: &ErrorRule) -> Value {
    let because = rule.because.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    context! { when => condition(&rule.when), then => format!("{}{because}", consequence(rule.means)) }
}

fn condition(when: &When) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !when.status.is_empty() {
        let statuses: Vec<String> = when.status.iter().map(ToString::to_string).collect();
        parts.push(format!("status {}", statuses.join(" or ")));
    }
    if !when.code.is_empty() {
        parts.push(format!("code `{}`", when.code.join("` or `")));
    }
    parts.extend(when.header.iter().map(|(name, values)| format!("header `{name}: {}`", values.join("` or `"))));
    parts.extend(when.body.iter().map(|test| format!("`{}` in the body", test.at)));
    parts.join(", ")
}

/// What becomes of a delivery that is answered so.
fn consequence(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Permanent => "not tried again: it would be no better next time",
        Meaning::Transient => "tried again later",
        Meaning::RateLimited => "tried again when the provider says",
        Meaning::Authentication => "the credential is renewed once, else it is wrong",
        Meaning::UnknownEffect => "nobody knows whether it happened: settled first, as each operation says",
        Meaning::Done => "as good as done",
    }
}

fn rate_words(rate: &Rate, system: System) -> String {
    let limit = match system {
        System::Live => rate.limit,
        System::Test | System::Simulated => rate.sandbox_limit.unwrap_or(rate.limit),
    };
    let what = match rate.of {
        Counted::Requests => "requests",
        Counted::Items => "items",
        Counted::Bytes => "bytes",
    };
    let whose = match &rate.by {
        CountedBy::Credential => "in all".to_owned(),
        CountedBy::Operation => "of each operation".to_owned(),
        CountedBy::Setting(name) => format!("for each `{name}`"),
    };
    match rate.per_seconds {
        Some(1) => format!("{limit} {what} a second {whose}"),
        Some(seconds) => format!("{limit} {what} in {seconds} seconds {whose}"),
        None => format!("{limit} {what} at once {whose}"),
    }
}
