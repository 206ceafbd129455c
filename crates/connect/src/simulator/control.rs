//! Where a simulated provider is looked at and led by hand, below `/_simulator`. It is no part of the provider.

use super::{Answer, Asked, CONTROL, Simulator};
use serde_json::{Value, json};

impl Simulator {
    /// Answers a request to the control address.
    pub(super) fn control(&mut self, asked: &Asked<'_>, now_ms: i64) -> Answer {
        let path = asked.target.split('?').next().unwrap_or_default();
        let rest = path.strip_prefix(CONTROL).unwrap_or_default().trim_matches('/');
        let steps: Vec<&str> = rest.split('/').collect();
        let (status, body) = match (asked.method, &steps[..]) {
            ("GET", [""]) => (200, self.overview()),
            ("GET", ["effects"]) => (200, self.log.effects()),
            ("GET", ["requests"]) => (200, self.log.requests()),
            ("GET", ["webhooks"]) => (200, self.outbox.told()),
            ("GET", ["objects", kind]) => {
                let objects: Vec<Value> = self.shelves.all(kind).map(|(_, value)| value.clone()).collect();
                (200, json!({ "objects": objects }))
            }
            ("GET", ["faults"]) => (200, self.faults()),
            ("POST", ["faults"]) => self.set_faults(asked),
            ("POST", ["acts", name]) => self.acted(name, asked, now_ms),
            _ => (404, wrong("nothing is there: `GET /_simulator` says what there is")),
        };
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Answer { status, headers, body: format!("{body:#}\n").into_bytes() }
    }

    fn overview(&self) -> Value {
        let plays = &self.setup.plays;
        let acts = plays
            .acts
            .iter()
            .map(|(name, act)| json!({ "act": name.as_str(), "does": act.does, "to": act.object.as_str() }));
        let look = ["effects", "requests", "webhooks", "faults", "objects/KIND"];
        let look = look.map(|name| format!("GET {CONTROL}/{name}"));
        json!({
            "simulates": self.setup.manifest.provider.provider.to_string(),
            "address": self.setup.site,
            "look": look,
            "lead": [
                format!("POST {CONTROL}/faults {{\"faults\": [\"rate_limit:0.2\", \"hang:3\"]}}"),
                format!("POST {CONTROL}/acts/NAME {{\"id\": \"...\"}}"),
            ],
            "objects": plays.objects.names(),
            "acts": acts.collect::<Vec<_>>(),
            "faults": plays.faults.iter().map(|fault| fault.as_str()).collect::<Vec<_>>(),
        })
    }

    fn faults(&self) -> Value {
        json!({ "faults": self.mishaps.iter().map(ToString::to_string).collect::<Vec<_>>() })
    }

    fn set_faults(&mut self, asked: &Asked<'_>) -> (u16, Value) {
        let form = "write `{\"faults\": [\"rate_limit:0.2\"]}`; an empty list ends them";
        let Ok(body) = serde_json::from_slice::<Value>(asked.body) else { return (400, wrong(form)) };
        let Some(texts) = body["faults"].as_array() else { return (400, wrong(form)) };
        let texts: Option<Vec<&str>> = texts.iter().map(Value::as_str).collect();
        match texts.map(|texts| self.let_happen(texts)) {
            None => (400, wrong(form)),
            Some(Err(why)) => (400, wrong(&why.to_string())),
            Some(Ok(())) => (200, self.faults()),
        }
    }

    fn acted(&mut self, name: &str, asked: &Asked<'_>, now_ms: i64) -> (u16, Value) {
        let body = serde_json::from_slice::<Value>(asked.body).unwrap_or_default();
        let Some(id) = body["id"].as_str() else { return (400, wrong("write `{\"id\": \"...\"}`")) };
        match self.act(name, id, now_ms) {
            Ok(object) => (200, object),
            Err(why) => (409, wrong(&why.to_string())),
        }
    }
}

fn wrong(text: &str) -> Value {
    json!({ "error": text })
}
