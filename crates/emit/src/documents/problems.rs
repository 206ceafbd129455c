//! What the documents say of errors: when each comes, what to do about it, what it looks like.

use super::pretty;
use crate::openapi::problem_example;
use crate::outline::Outline;
use minijinja::{Value, context};
use plan::{Plan, Problem};
use std::collections::BTreeSet;

/// The errors of one endpoint, by status.
pub fn of_endpoint(plan: &Plan, outline: &Outline<'_>) -> Vec<Value> {
    let mut ordered: Vec<Problem> = outline.problems.iter().copied().collect();
    ordered.sort_by_key(|problem| problem.status());
    let row = |problem: Problem| {
        let example = problem_example(plan, outline, problem);
        context! { status => problem.status(), name => problem.name(), detail => example["detail"].as_str(), when => when(problem) }
    };
    ordered.into_iter().map(row).collect()
}

/// Every error of the API with an answer, and those of requests that reach no endpoint.
pub fn of_api(plan: &Plan, outlines: &[Outline<'_>]) -> Vec<Value> {
    let mut known: BTreeSet<Problem> = outlines.iter().flat_map(|outline| outline.problems.iter().copied()).collect();
    known.extend([Problem::MalformedRequest, Problem::NotFound, Problem::MethodNotAllowed]);
    let mut ordered: Vec<Problem> = known.into_iter().collect();
    ordered.sort_by_key(|problem| problem.status());
    let view = |problem: Problem| {
        let asked = outlines.iter().find(|outline| outline.problems.contains(&problem)).or(outlines.first())?;
        let example = pretty(&problem_example(plan, asked, problem));
        let (when, headers) = (when(problem), headers(problem));
        Some(
            context! { status => problem.status(), name => problem.name(), title => problem.title(), when, headers, example },
        )
    };
    ordered.into_iter().filter_map(view).collect()
}

/// When it comes, and what to do then.
pub fn when(problem: Problem) -> &'static str {
    match problem {
        Problem::MalformedRequest => "The bytes are no HTTP request. Mend the client.",
        Problem::MalformedBody => {
            "The body is missing, is not JSON in UTF-8, or is nested more than 32 levels deep. Mend the client."
        }
        Problem::MalformedIdempotencyKey => "`Idempotency-Key` is empty, too long or sent twice. Mend the client.",
        Problem::MissingCredentials => "No key was sent. Send one.",
        Problem::InvalidCredentials => {
            "The key is unknown, expired or was revoked. Ask whoever runs the server for another one."
        }
        Problem::MissingToken => "No access token was sent. Sign in, and send the one of the answer.",
        Problem::InvalidToken => {
            "The token has expired, or its session has ended. Get new tokens with the refresh token; where that is refused too, sign in again."
        }
        Problem::MissingSession => "Nobody is signed in. Sign in, and send the cookie of the answer.",
        Problem::InvalidSession => "The session has ended, or is none. Sign in again.",
        Problem::InvalidSignature => {
            "The signature is wrong or too old, or another secret was used. Whoever runs the server finds the reason by the `request_id`."
        }
        Problem::MissingPassword => "Nobody is named. Send address and password of an account.",
        Problem::InvalidPassword => "The address has no account, or the password is another one. Nobody is told which.",
        Problem::WrongCredentials => {
            "The address has no account, or the password is another one. Nobody is told which."
        }
        Problem::AccountDisabled => "The account may not be used. Ask whoever runs the server.",
        Problem::InsufficientScope => {
            "The key lacks the scope this endpoint asks for. Ask whoever runs the server for a key with it."
        }
        Problem::InsufficientRole => {
            "The account has not the role this endpoint asks for. Ask whoever runs the server for it."
        }
        Problem::UnknownUser => {
            "The token is good, and no user belongs to it. Ask whoever runs the server to make one, or to have its address proved."
        }
        Problem::CrossOrigin => {
            "A browser says that a page of another origin sent the request. Call from the API's own pages, or have whoever runs the server list the origin in `CORS_ORIGINS`."
        }
        Problem::NotFound => "Nothing has this path: it is misspelled, or the record was deleted.",
        Problem::MethodNotAllowed => "The path is right and the method is not; `Allow` names the right ones.",
        Problem::RequestTimeout => "The body took longer than 10 seconds. Send it again.",
        Problem::Conflict => "Another record has a value that must be unique. Choose another value.",
        Problem::Overlap => {
            "Another record takes some of this time. Choose another time, or something else that is free."
        }
        Problem::InUse => "Other records lead to this one and keep it from going. Change or remove them first.",
        Problem::OutOfStock => {
            "There is less of something than was asked for; `errors` says of what. Ask for less, or leave it out."
        }
        Problem::WrongState => "The record is in a state in which this cannot be done. Read it, and decide anew.",
        Problem::PatchFailed => {
            "The record is not as an operation of the patch takes it to be; `errors` says which. Read it, and decide anew."
        }
        Problem::LinkExpired => "The link of the mail was used, or is too old. Ask for another one.",
        Problem::RequestInProgress => {
            "The request with this `Idempotency-Key` is still being answered. Send it again after `Retry-After`."
        }
        Problem::PreconditionFailed => {
            "`If-Match` names another version than the record has. Read it again, decide anew, and send the change with the new `ETag`."
        }
        Problem::BodyTooLarge => "The body has more bytes than this endpoint takes.",
        Problem::UriTooLong => "Path and query are too long. Send fewer or shorter filters.",
        Problem::HeaderFieldsTooLarge => {
            "The head of the request is too long, or has too many fields. Send fewer headers."
        }
        Problem::UnsupportedMediaType => {
            "The body came as something else. Send it with `Content-Type: application/json`."
        }
        Problem::IdempotencyKeyReused => {
            "Another request was sent with this `Idempotency-Key`. Make a new key for a new request."
        }
        Problem::ValidationFailed => {
            "Single fields or parameters are wrong; `errors` has one entry for each. Show them where the fields are."
        }
        Problem::RateLimited => "The caller has asked too often. Wait as many seconds as `Retry-After` says.",
        Problem::InternalError => "The server failed. Whoever runs it finds the cause by the `request_id`.",
        Problem::ServiceRefused => {
            "A service behind the API does not do what it was asked for. Nothing is left of the request; whoever runs the server finds the cause with `producer deliveries list`."
        }
        Problem::Unavailable => "The database does not answer. Try again after `Retry-After`.",
        Problem::IssuerUnavailable => {
            "Whoever issues the tokens does not answer. Keep the token, and try again after `Retry-After`."
        }
        Problem::Overloaded => "The answer took longer than 15 seconds. Try again after `Retry-After`.",
    }
}

/// The headers it adds, with an example of each.
fn headers(problem: Problem) -> Vec<&'static str> {
    match problem {
        Problem::MissingCredentials | Problem::MissingToken => vec!["WWW-Authenticate: Bearer realm=\"api\""],
        Problem::InvalidCredentials | Problem::InvalidToken => {
            vec!["WWW-Authenticate: Bearer realm=\"api\", error=\"invalid_token\""]
        }
        Problem::MissingSession | Problem::InvalidSession => vec!["WWW-Authenticate: Cookie realm=\"api\""],
        Problem::InvalidSignature => vec!["WWW-Authenticate: Signature realm=\"api\""],
        Problem::MissingPassword | Problem::InvalidPassword => {
            vec!["WWW-Authenticate: Basic realm=\"api\", charset=\"UTF-8\""]
        }
        Problem::InsufficientScope => vec!["WWW-Authenticate: Bearer realm=\"api\", error=\"insufficient_scope\""],
        Problem::MethodNotAllowed => vec!["Allow"],
        Problem::RateLimited => vec!["Retry-After"],
        Problem::RequestInProgress | Problem::Unavailable | Problem::Overloaded => vec!["Retry-After: 1"],
        Problem::IssuerUnavailable => vec!["Retry-After: 5"],
        Problem::MalformedRequest
        | Problem::RequestTimeout
        | Problem::BodyTooLarge
        | Problem::UriTooLong
        | Problem::HeaderFieldsTooLarge => vec!["Connection: close"],
        Problem::MalformedBody
        | Problem::MalformedIdempotencyKey
        | Problem::IdempotencyKeyReused
        | Problem::WrongCredentials
        | Problem::AccountDisabled
        | Problem::InsufficientRole
        | Problem::UnknownUser
        | Problem::CrossOrigin
        | Problem::NotFound
        | Problem::Conflict
        | Problem::Overlap
        | Problem::InUse
        | Problem::OutOfStock
        | Problem::WrongState
        | Problem::PatchFailed
        | Problem::LinkExpired
        | Problem::PreconditionFailed
        | Problem::UnsupportedMediaType
        | Problem::ValidationFailed
        | Problem::InternalError
        | Problem::ServiceRefused => Vec::new(),
    }
}
