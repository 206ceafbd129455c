//! `documentation.md`: the API for whoever writes a program that calls it. Every command in it runs as it is pasted once the
//! variables at its beginning are set; a test does that.

use super::fields::{answer_fields, body_fields, parameters};
use super::{commands, pretty, problems, sentence};
use crate::openapi::problem_example;
use crate::outline::{Body, Content, Cookie, Outline, Success, answer_formats};
use minijinja::{Value, context};
use plan::accounts::{AccountPage, AccountTask};
use plan::api::{Cors, RateLimitPolicy};
use plan::procedure::{Item, LimitKey, RowsFormat, Scheme, Step, flattened};
use plan::value::Preference;
use plan::{Plan, Problem, accounts};
use std::collections::BTreeSet;
use vocab::PolicyName;

pub fn view(plan: &Plan, outlines: &[Outline<'_>]) -> Value {
    let endpoints: Vec<Value> = outlines.iter().map(|outline| endpoint(plan, outline)).collect();
    let asks_parameters = outlines.iter().any(|outline| outline.listing.is_some());
    context! {
        api => plan.api.name.as_str(),
        version => plan.api.version.as_str(),
        formats => answer_formats(outlines),
        variables => commands::variables(outlines),
        authentication => authentication(plan, outlines),
        signing_in => signing_in(plan, outlines),
        mail_pages => plan.api.pages.iter().map(page).collect::<Vec<_>>(),
        issued => issued(outlines),
        subscribers => plan.api.subscribers.as_ref().map(subscribers),
        needed_scope => outlines.iter().find_map(|outline| outline.endpoint.scope()).map(ToString::to_string),
        policies => plan.api.policies.iter().map(|known| policy(known, counted(outlines, known))).collect::<Vec<_>>(),
        conditional => commands::conditional(outlines),
        pages => commands::pages(outlines),
        text_pages => asks_parameters && commands::pages(outlines).is_none(),
        asks_parameters,
        endpoints,
        problems => problems::of_api(plan, outlines),
        codes => field_codes(outlines),
        repeats => outlines.iter().any(|outline| outline.problems.contains(&Problem::IdempotencyKeyReused)),
        cors => plan.api.cors == Cors::On,
    }
}

/// What a caller without a key is answered, at the first endpoint that asks for one.
fn authentication(plan: &Plan, outlines: &[Outline<'_>]) -> Option<Value> {
    let asked = outlines.iter().find(|outline| outline.scheme == Some(Scheme::ApiKey))?;
    let error = pretty(&problem_example(plan, asked, Problem::MissingCredentials));
    Some(context! { curl => commands::without_key(asked), error })
}

/// Whose tokens are taken, where another issuer's are, and what they may have to be granted.
fn issued(outlines: &[Outline<'_>]) -> Option<Value> {
    let mut takes = outlines.iter().filter(|outline| outline.scheme == Some(Scheme::Issued)).peekable();
    takes.peek()?;
    let grants: BTreeSet<&str> = takes.filter_map(|outline| Some(outline.endpoint.grant()?.as_str())).collect();
    let grants = grants.into_iter().map(|grant| format!("`{grant}`")).collect::<Vec<_>>().join(", ");
    Some(context! { path => accounts::RESOURCE_PATH, grants })
}

/// What others may subscribe to.
fn subscribers(subscribers: &plan::Subscribers) -> Value {
    let names: Vec<String> = subscribers.offers.iter().map(|offer| format!("`{}`", offer.event)).collect();
    let seconds = subscribers.disable_after_seconds;
    let disable_after = match (seconds % 86_400, seconds / 86_400) {
        (0, 1) => "a day".to_owned(),
        (0, days) => format!("{days} days"),
        _ => format!("{seconds} seconds"),
    };
    context! {
        events => names.join(", "),
        path => subscribers.path.as_str(),
        own => subscribers.offers.iter().any(|offer| offer.owner.is_some()),
        disable_after,
    }
}

/// How people sign in, where they do.
fn signing_in(plan: &Plan, outlines: &[Outline<'_>]) -> Option<Value> {
    let accounts = plan.api.accounts.as_ref()?;
    let has = |outline: &Outline<'_>, wanted: fn(&Step) -> bool| {
        let items = flattened(&outline.endpoint.procedure.body);
        items.into_iter().any(|item| matches!(item, Item::Let(_, step) | Item::Do(step) if wanted(step)))
    };
    let issues: fn(&Step) -> bool = |step| matches!(step, Step::IssueToken { .. });
    let verifies: fn(&Step) -> bool = |step| matches!(step, Step::VerifyPassword { .. });
    let follows: fn(&Step) -> bool = |step| matches!(step, Step::Successor(_));
    let hashes: fn(&Step) -> bool = |step| matches!(step, Step::HashPassword(_));
    let signs_in = |outline: &&Outline<'_>| has(outline, issues) || outline.cookie == Some(Cookie::Set);
    let login = outlines.iter().find(|outline| signs_in(outline) && has(outline, verifies))?;
    let refresh = outlines.iter().find(|outline| has(outline, follows) && has(outline, issues));
    let register = outlines.iter().find(|outline| outline.scheme.is_none() && has(outline, hashes));
    Some(context! {
        login => commands::right(login),
        tokens => has(login, issues),
        cookie => login.cookie.map(|_| accounts::SESSION_COOKIE),
        days => accounts::SESSION_LIFETIME / 86_400,
        refresh => refresh.map(commands::right),
        register => register.map(|outline| format!("{} {}", outline.method, outline.path)),
        minutes => accounts::ACCESS_LIFETIME / 60,
        reuse => accounts::REUSE_WINDOW,
        keys => accounts::KEYS_PATH,
        issuer => accounts.issuer.as_str(),
    })
}

/// What the link of a mail leads to.
fn page(page: &AccountPage) -> Value {
    let does = match page.does {
        AccountTask::Verify => "proves an address",
        AccountTask::ResetPassword => "sets another password, and ends every session",
        AccountTask::ConfirmEmail => "makes another address the account's, and tells the old one",
        AccountTask::AcceptInvitation => "makes the account of somebody who was invited",
        AccountTask::ConfirmSubscription => "confirms a subscription to the newsletter",
        AccountTask::EndSubscription => "ends a subscription to the newsletter",
    };
    context! { path => page.path(), does, calls => page.calls.as_str() }
}

/// What is counted under a policy of its own.
#[derive(Clone, Copy)]
enum Counted {
    Requests,
    Failures,
    Mails,
}

fn counted(outlines: &[Outline<'_>], policy: &RateLimitPolicy) -> Counted {
    let has = |wanted: &dyn Fn(&Step) -> bool| {
        let is_wanted = |item: &Item| matches!(item, Item::Do(step) if wanted(step));
        outlines.iter().any(|outline| outline.endpoint.procedure.body.iter().any(is_wanted))
    };
    let of_policy = |named: &PolicyName| *named == policy.name;
    // What fails is counted where it has failed; a mail where it is asked for.
    if has(&|step| matches!(step, Step::Spare { policy, .. } if of_policy(policy))) {
        Counted::Failures
    } else if has(&|step| matches!(step, Step::Limit { policy, by: LimitKey::Field(..) } if of_policy(policy))) {
        Counted::Mails
    } else {
        Counted::Requests
    }
}

fn policy(policy: &RateLimitPolicy, counted: Counted) -> Value {
    let window = match policy.window_seconds {
        1 => "second".to_owned(),
        more => format!("{more} seconds"),
    };
    let counted = match counted {
        Counted::Failures => "failed attempts for one address, whether it has an account or not,",
        Counted::Mails => "mails to one address, whether it has an account or not,",
        Counted::Requests => "requests of one caller",
    };
    let text = format!("at most {} {counted} in any {window}", policy.quota);
    let example = format!("\"{}\";r={};t={}", policy.name, policy.quota.saturating_sub(1), policy.window_seconds);
    context! { name => policy.name.as_str(), text, header => policy.header(), example }
}

fn endpoint(plan: &Plan, outline: &Outline<'_>) -> Value {
    let hearing = outline.endpoint.hearing();
    let access = match (outline.scheme, outline.endpoint.scope()) {
        (Some(Scheme::ApiKey), None) => " Asks for an API key.".to_owned(),
        (Some(Scheme::ApiKey), Some(scope)) => format!(" Asks for an API key with the scope `{scope}`."),
        (Some(Scheme::Issued), _) => {
            let granted = outline.endpoint.grant().map(|grant| format!(", granted `{grant}`"));
            let role = outline.endpoint.role().map(|role| format!(", of an account with the role `{role}`"));
            let more = granted.or(role).unwrap_or_default();
            format!(" Asks for {}{more}.", asked_for(Scheme::Issued))
        }
        (Some(scheme @ (Scheme::AccessToken | Scheme::Session | Scheme::SignedIn | Scheme::Basic)), _) => {
            let whose = if scheme == Scheme::Basic { " of an account" } else { "" };
            let role = outline.endpoint.role().map(|role| format!(" of an account with the role `{role}`"));
            format!(" Asks for {}{}.", asked_for(scheme), role.unwrap_or_else(|| whose.to_owned()))
        }
        (None, _) if hearing.is_some() => " Asks for the proof of its sender.".to_owned(),
        (None, _) => " Open to everybody.".to_owned(),
    };
    let limited =
        outline.counts_by().map_or_else(String::new, |(name, by)| format!(" Counts under policy `{name}` by {by}."));
    context! {
        title => format!("{} {}", outline.method, outline.path),
        summary => sentence(&outline.endpoint.summary),
        access => format!("{access}{limited}"),
        fields => outline.body.map(body_fields),
        changes => outline.body.is_some_and(|body| matches!(body, Body::Changes(_))),
        merges => outline.merges(),
        several => outline.several.map(|several| several.max),
        alone => outline.alone().join(" and "),
        operations => outline.patchable.is_some(),
        parameters => parameters(plan, outline),
        spared => outline.is_spared(),
        max_body_bytes => outline.endpoint.max_body_bytes,
        // Nobody but its sender can call it.
        curl => hearing.is_none().then(|| commands::right(outline)),
        call => hearing.map(|_| pretty(&outline.endpoint.example)),
        answers => outline.answers.iter().map(|answer| answer_view(outline, answer)).collect::<Vec<_>>(),
        problems => problems::of_endpoint(plan, outline),
    }
}

fn asked_for(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::ApiKey => "an API key",
        Scheme::AccessToken => "an access token",
        Scheme::Session => "the cookie of a session",
        Scheme::Basic => "the address and the password",
        Scheme::Issued => "an access token of the issuer",
        Scheme::SignedIn => "an access token or the cookie of a session",
    }
}

fn answer_view(outline: &Outline<'_>, answer: &Success<'_>) -> Value {
    context! {
        status => answer.status,
        example => outline.sample_content(&answer.content).map(|content| match content.as_str() {
            Some(text) => text.trim_end().replace('\r', ""),
            None => pretty(&content),
        }),
        page => match answer.content {
            Content::Page(_, RowsFormat::Json) => Some("Each of the `items`"),
            Content::Page(_, RowsFormat::Csv) => Some("The columns"),
            Content::Page(_, RowsFormat::Ndjson) => Some("Each line"),
            Content::Records(_) => Some("Each of the list"),
            Content::Nothing | Content::Record(_) => None,
        },
        language => match answer.content {
            Content::Page(_, RowsFormat::Csv) => "csv",
            Content::Page(_, RowsFormat::Ndjson) => "ndjson",
            Content::Page(_, RowsFormat::Json) | Content::Nothing | Content::Record(_) | Content::Records(_) => "json",
        },
        preference => answer.preference.map(Preference::as_str),
        location => answer.location.map(|location| location.path.as_str()),
        fields => answer_fields(outline, answer),
    }
}

/// What can be wrong with a field: `docs/http-manners.md`, section Validation.
fn field_codes(outlines: &[Outline<'_>]) -> Vec<Value> {
    let mut codes = vec![
        ("required", "a required field is absent, `null`, or empty"),
        ("type", "the value is of another type than the field"),
        ("too_long", "it has more characters than allowed, white space at its ends included"),
        ("too_short", "it has fewer characters than asked for, without white space at its ends"),
        ("format", "it is not of the field's format"),
        ("range", "the number is too small or too large"),
        ("invalid_character", "it holds a control character; a text of several lines may hold tabs and line breaks"),
        ("unknown_field", "the endpoint has no such field"),
    ];
    if outlines.iter().any(|outline| outline.listing.is_some()) {
        codes.extend([
            ("unknown_parameter", "the endpoint has no such query parameter"),
            ("repeated", "the query parameter was given more than once"),
        ]);
    }
    codes.into_iter().map(|(name, when)| context! { name, when }).collect()
}
