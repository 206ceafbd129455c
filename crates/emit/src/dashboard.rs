//! A dashboard for Grafana over the metrics that both servers count. Comes in: the plan; goes out: JSON as Grafana imports it. Limits and
//! events have panels only where the plan has any. No expression names a metric that the servers do not count: a test asks them.

use plan::Plan;
use serde_json::{Value, json};

/// Of the model in `@grafana/schema` 13; other versions of Grafana read it too.
const SCHEMA_VERSION: u32 = 42;
/// Grafana's grid.
const COLUMNS: usize = 24;
const PANEL_HEIGHT: usize = 8;
/// Longest `uid` that Grafana takes.
const UID_LENGTH: usize = 40;

pub fn dashboard(plan: &Plan) -> String {
    let api = plan.api.name.as_str();
    let document = json!({
        "title": format!("{api} API"),
        "uid": api.chars().take(UID_LENGTH).collect::<String>(),
        "description": format!("Requests, latency and limits of the {api} API, from its /metrics."),
        "tags": ["api"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
            {
                "name": "route",
                "label": "Route",
                "type": "query",
                "datasource": datasource(),
                "query": {"query": format!("label_values(http_requests_total{{job=\"{api}\"}}, route)"), "refId": "route"},
                "refresh": 2,
                "sort": 1,
                "multi": true,
                "includeAll": true,
                "current": {"text": "All", "value": "$__all"},
            },
        ]},
        "panels": panels(plan),
    });
    let mut text = serde_json::to_string_pretty(&document).expect("plain data with text keys");
    text.push('\n');
    text
}

struct Panel {
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    /// How much of the grid's width it takes.
    columns: usize,
    /// Expressions with the names of their lines.
    queries: Vec<(String, &'static str)>,
}

fn panels(plan: &Plan) -> Vec<Value> {
    let mut panels = requests(&plan.api.name);
    let own = format!("job=\"{}\"", plan.api.name);
    if !plan.api.policies.is_empty() {
        panels.push(Panel {
            title: "Over a limit, by policy",
            description: "Requests a second that a rate limit refused.",
            unit: "reqps",
            columns: 12,
            queries: vec![(
                format!("sum by (policy) (rate(rate_limited_total{{{own}}}[$__rate_interval]))"),
                "{{policy}}",
            )],
        });
    }
    if !plan.api.events.is_empty() {
        panels.push(Panel {
            title: "Events, by name",
            description: "Events a second that were written to the outbox.",
            unit: "ops",
            columns: 12,
            queries: vec![(
                format!("sum by (event) (rate(outbox_events_total{{{own}}}[$__rate_interval]))"),
                "{{event}}",
            )],
        });
    }
    let (mut x, mut y) = (0, 0);
    let placed = panels.into_iter().enumerate().map(|(index, panel)| {
        if x + panel.columns > COLUMNS {
            (x, y) = (0, y + PANEL_HEIGHT);
        }
        let place = json!({"x": x, "y": y, "w": panel.columns, "h": PANEL_HEIGHT});
        x += panel.columns;
        panel.value(index + 1, place)
    });
    placed.collect()
}

fn requests(api: &str) -> Vec<Panel> {
    let chosen = format!("job=\"{api}\", route=~\"$route\"");
    let rate = |by: &str| format!("sum by ({by}) (rate(http_requests_total{{{chosen}}}[$__rate_interval]))");
    let quantile = |share: &str, by: &str| {
        let buckets = format!("rate(http_request_duration_seconds_bucket{{{chosen}}}[$__rate_interval])");
        format!("histogram_quantile({share}, sum by ({by}) ({buckets}))")
    };
    vec![
        Panel {
            title: "Requests, by route",
            description: "Answered requests a second.",
            unit: "reqps",
            columns: 12,
            queries: vec![(rate("method, route"), "{{method}} {{route}}")],
        },
        Panel {
            title: "Requests, by status",
            description: "Answered requests a second. 5xx are errors of the server.",
            unit: "reqps",
            columns: 12,
            queries: vec![(rate("status"), "{{status}}")],
        },
        Panel {
            title: "Latency",
            description: "The time within which half, 95 and 99 of 100 requests were answered.",
            unit: "s",
            columns: 12,
            queries: vec![
                (quantile("0.5", "le"), "p50"),
                (quantile("0.95", "le"), "p95"),
                (quantile("0.99", "le"), "p99"),
            ],
        },
        Panel {
            title: "Latency (p95), by route",
            description: "The time within which 95 of 100 requests were answered.",
            unit: "s",
            columns: 12,
            queries: vec![(quantile("0.95", "le, method, route"), "{{method}} {{route}}")],
        },
        Panel {
            title: "In flight",
            description: "Requests being worked on.",
            unit: "short",
            columns: 12,
            queries: vec![(format!("sum(http_requests_in_flight{{job=\"{api}\"}})"), "requests")],
        },
    ]
}

impl Panel {
    fn value(self, id: usize, place: Value) -> Value {
        let letters = ["A", "B", "C"];
        let targets: Vec<Value> = letters
            .iter()
            .zip(&self.queries)
            .map(|(letter, (expression, legend))| {
                json!({"refId": letter, "datasource": datasource(), "expr": expression, "legendFormat": legend})
            })
            .collect();
        json!({
            "id": id,
            "type": "timeseries",
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "gridPos": place,
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
            "targets": targets,
        })
    }
}

fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}
