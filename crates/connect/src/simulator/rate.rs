//! How much a simulated provider takes: the manifest's rates, those of the test system, counted over a window that moves.

use super::request::Request;
use super::setup::{KnownRoute, Setup};
use manifest::provider::{Counted, CountedBy, Rate};
use std::collections::{BTreeMap, VecDeque};

/// What was counted, by rate and whom it counts together.
#[derive(Default)]
pub(super) struct Rates(BTreeMap<(String, String), VecDeque<(i64, u64)>>);

impl Rates {
    /// Counts a request; where it is one too many, how long to wait in milliseconds. Then it counts nowhere.
    pub fn count(
        &mut self,
        setup: &Setup,
        route: &KnownRoute,
        request: &Request,
        who: &str,
        now_ms: i64,
    ) -> Result<(), i64> {
        let operation = route.operation.as_deref().and_then(|name| setup.manifest.operations.get(name));
        let mut counted = Vec::new();
        for (name, rate) in setup.manifest.provider.rates.iter() {
            let is_named = operation.is_some_and(|operation| operation.rates.contains(name));
            let Some(seconds) = rate.per_seconds.filter(|_| rate.everywhere || is_named) else { continue };
            let group = match &rate.by {
                CountedBy::Credential | CountedBy::Setting(_) => who.to_owned(),
                CountedBy::Operation => format!("{} {}", route.route.method.as_str(), route.route.path),
            };
            let weight = weight(rate, request);
            let window = self.0.entry((name.to_string(), group.clone())).or_default();
            let lasts_ms = i64::from(seconds) * 1_000;
            while window.front().is_some_and(|(at_ms, _)| now_ms - at_ms >= lasts_ms) {
                window.pop_front();
            }
            let limit = u64::from(rate.sandbox_limit.unwrap_or(rate.limit));
            let used: u64 = window.iter().map(|(_, weight)| weight).sum();
            if used.saturating_add(weight) > limit {
                let oldest = window.front().map_or(now_ms, |(at_ms, _)| *at_ms);
                return Err((oldest + lasts_ms - now_ms).max(1));
            }
            counted.push(((name.to_string(), group), weight));
        }
        for (key, weight) in counted {
            self.0.entry(key).or_default().push_back((now_ms, weight));
        }
        Ok(())
    }
}

/// How much of it a request is. Items are the members of the longest list that it holds.
fn weight(rate: &Rate, request: &Request) -> u64 {
    match rate.of {
        Counted::Requests => 1,
        Counted::Bytes => request.length as u64,
        Counted::Items => {
            let lists = request.says.as_object().into_iter().flat_map(|members| members.values());
            let longest = lists.filter_map(|member| member.as_array()).map(Vec::len).max();
            longest.or_else(|| request.says.as_array().map(Vec::len)).unwrap_or(1) as u64
        }
    }
}
