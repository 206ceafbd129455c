//! Who may do what, asked and not tried: callers by role and by whose the record is, at each endpoint, where an API tells them.
//! What it tells must be what the request itself would be answered with, which other cases show.

use super::caller::{Who, proof};
use super::{Asker, asks_for_parent, form_urlencoded, is_owned, request_of};
use plan::Problem;
use plan::accounts::CASE_ROLE;
use plan::api::{ApiPlan, Endpoint};
use plan::http_case::{CaseRequest, HttpCase};
use plan::procedure::{Item, Scheme, Step};
use serde_json::json;
use std::collections::BTreeMap;

/// Where callers are told what they may do.
pub fn told_at(api: &ApiPlan) -> Option<(&Endpoint, &str)> {
    api.endpoints.iter().find_map(|endpoint| {
        let tells = |item: &Item| matches!(item, Item::Let(_, Step::May { .. }));
        let (_, path) = request_of(endpoint).filter(|_| endpoint.procedure.body.iter().any(tells))?;
        Some((endpoint, path))
    })
}

impl Asker<'_> {
    /// The callers of every kind, and what each is told of this endpoint.
    pub(super) fn permissions(&self) -> Vec<HttpCase> {
        let Some((teller, path)) = self.told_at else { return Vec::new() };
        let Some((teller_scheme, _)) = teller.authorization() else { return Vec::new() };
        let Some(scheme) = self.scheme.filter(|_| self.can_be_right() && self.people().is_some()) else {
            return Vec::new();
        };
        let told = |whom: &str, who, refused| self.told((teller_scheme, path), whom, who, Some(scheme), refused);
        if scheme == Scheme::ApiKey {
            // A token is taken for a key that nobody has.
            let problem = match teller_scheme.takes_tokens() {
                true => Problem::InvalidCredentials,
                false => Problem::MissingCredentials,
            };
            let without = self.told((teller_scheme, path), "who has no key", Who::Caller, None, Some(problem));
            return told("who has a key", Who::Caller, None).into_iter().chain(without).collect();
        }
        let wanted = self.endpoint.role();
        let tells_whose = self.tells_whose();
        // Whoever made the record may be somebody in a role.
        let is_made_by_caller =
            wanted.is_none() && self.maker.as_ref().is_none_or(|maker| maker.endpoint.role().is_none());
        let roles = self.roles.iter().filter(|role| role.as_str() != CASE_ROLE);
        let roles = roles.map(|role| (role.as_str(), Who::InRole(role)));
        let refused = |role: &str, who: Who<'_>| match (wanted, tells_whose) {
            (Some(roles), _) if !roles.include(role) => Some(Some(Problem::InsufficientRole)),
            (_, false) => Some(None),
            (_, true) if !is_made_by_caller => None,
            (_, true) if matches!(who, Who::Caller) => Some(None),
            (_, true) => Some(Some(Problem::NotFound)),
        };
        let cells = std::iter::once((CASE_ROLE, Who::Caller)).chain(roles);
        let mut cases: Vec<HttpCase> =
            cells.filter_map(|(role, who)| told(&format!("the role {role}"), who, refused(role, who)?)).collect();
        if tells_whose && is_made_by_caller {
            cases.extend(told("somebody else", Who::Other, Some(Problem::NotFound)));
        }
        cases
    }

    /// Whether the answer depends on whose the record of the path is.
    fn tells_whose(&self) -> bool {
        let body = &self.endpoint.procedure.body;
        let is_owned = self.people().is_some_and(|users| is_owned(body, users, self.tables));
        is_owned && (self.is_item() || asks_for_parent(body))
    }

    fn told(
        &self,
        (teller, path): (Scheme, &str),
        whom: &str,
        who: Who<'_>,
        proven: Option<Scheme>,
        refused: Option<Problem>,
    ) -> Option<HttpCase> {
        let mut headers: BTreeMap<String, String> = BTreeMap::from([proof(teller, who, &self.callers)]);
        if let Some((name, value)) = proven.map(|scheme| proof(scheme, who, &self.callers)) {
            // One header cannot prove two things.
            if headers.insert(name, value.clone()).is_some_and(|known| known != value) {
                return None;
            }
        }
        let asked = self.request();
        let asked_path = asked.path.split_once('?').map_or(&asked.path[..], |(path, _)| path);
        let query = format!("{}&{}", form_urlencoded("method", self.method), form_urlencoded("path", asked_path));
        let told = match refused {
            None => json!({ "allowed": true, "status": null, "type": null, "detail": null }),
            Some(problem) => json!({ "allowed": false, "status": problem.status(), "type": problem.type_uri() }),
        };
        let says = if refused.is_some() { "may not" } else { "may" };
        let mut case = self.case("", asked, 200).with_body(&told);
        case.name = format!("GET {path} says that {whom} {says} {} {}", self.method, self.path);
        case.request =
            CaseRequest { method: "GET".to_owned(), path: format!("{path}?{query}"), headers, ..case.request };
        case.expect.headers.retain(|name, _| name == "x-request-id");
        Some(case)
    }
}
