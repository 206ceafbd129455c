//! A dashboard for Grafana over the metrics that both servers count. Comes in: the plan; goes out: JSON as Grafana imports it. Limits and
//! events have panels only where the plan has any; backups of a database and integrations have dashboards of their own. No expression names a metric that the servers do not count: a test asks them.

use plan::database::Backup;
use plan::{DatabaseTaskPlan, Plan};
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
    let route = json!({
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
    });
    let title = format!("{api} API");
    let uid: String = api.chars().take(UID_LENGTH).collect();
    let description = format!("Requests, latency and limits of the {api} API, from its /metrics.");
    document((&title, &uid, &description, "api"), vec![route], panels(plan))
}

/// Title, name, description and tag come in, and what may be chosen beside the source.
fn document(
    (title, uid, description, tag): (&str, &str, &str, &str),
    chosen: Vec<Value>,
    panels: Vec<Value>,
) -> String {
    let source = json!({"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"});
    let variables: Vec<Value> = std::iter::once(source).chain(chosen).collect();
    let document = json!({
        "title": title,
        "uid": uid,
        "description": description,
        "tags": [tag],
        "schemaVersion": SCHEMA_VERSION,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables},
        "panels": panels,
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
    placed(panels)
}

fn placed(panels: Vec<Panel>) -> Vec<Value> {
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

/// Over what `producer serve` counts of the backups of a task's database.
pub fn of_backups(plan: &DatabaseTaskPlan, backup: &Backup) -> String {
    let task = plan.task_id.as_str();
    let own = |metric: &str| format!("{metric}{{task=\"{task}\"}}");
    let since = |metric: &str| format!("time() - {}", own(metric));
    let mut ages =
        vec![(since("backup_made_at_seconds"), "newest backup"), (since("backup_drilled_at_seconds"), "last drill")];
    if backup.point_in_time {
        ages.insert(1, (since("backup_log_kept_at_seconds"), "log"));
    }
    let panel = |title, description, unit, queries| Panel { title, description, unit, columns: 12, queries };
    let panels = vec![
        panel(
            "How old they are",
            "Time since the newest backup, the last piece of the log, and the last drill.",
            "s",
            ages,
        ),
        panel(
            "What a drill measured",
            "Work that would have been lost, and how long restoring took.",
            "s",
            vec![
                (own("backup_recovery_point_seconds"), "work lost"),
                (own("backup_recovery_time_seconds"), "restoring"),
            ],
        ),
        panel("Size", "Bytes of the newest backup.", "bytes", vec![(own("backup_bytes"), "newest backup")]),
        panel(
            "Failures",
            "Backups, drills and pieces of the log that failed within an hour.",
            "short",
            vec![(format!("increase({}[1h])", own("backup_failures_total")), "failures")],
        ),
    ];
    let title = format!("Backups of {task}");
    let uid: String = format!("backups-{task}").chars().take(UID_LENGTH).collect();
    let description = format!("Backups of the database of {task}, from the /metrics of `producer serve`.");
    document((&title, &uid, &description, "backups"), Vec::new(), placed(panels))
}

/// Over what both servers count of deliveries, and of records that come in where `reads`.
pub fn of_integrations(plan: &Plan, reads: bool) -> String {
    let api = plan.api.name.as_str();
    let own = format!("job=\"{api}\"");
    let rate = |metric: &str| format!("sum by (integration) (rate({metric}[$__rate_interval]))");
    // Every server tells the same of what stands in the database.
    let most = |by: &str, metric: &str| format!("max by ({by}) ({metric}{{{own}}})");
    let attempts = format!("delivery_attempts_total{{{own}}}");
    let failed = format!("delivery_attempts_total{{{own}, outcome!=\"delivered\"}}");
    let took = format!("delivery_attempt_seconds_total{{{own}}}");
    let panel = |title, description, unit, queries| Panel { title, description, unit, columns: 12, queries };
    let mut panels = vec![
        panel(
            "Attempts, by outcome",
            "Attempts to deliver a second.",
            "ops",
            vec![(
                format!("sum by (integration, outcome) (rate({attempts}[$__rate_interval]))"),
                "{{integration}} {{outcome}}",
            )],
        ),
        panel(
            "Failed",
            "Which part of the attempts failed.",
            "percentunit",
            vec![(format!("{} / {}", rate(&failed), rate(&attempts)), "{{integration}}")],
        ),
        panel(
            "Latency",
            "How long an attempt takes, in the mean.",
            "s",
            vec![(format!("{} / {}", rate(&took), rate(&attempts)), "{{integration}}")],
        ),
        panel(
            "Backlog",
            "Deliveries that have not come out well yet.",
            "short",
            vec![(most("integration, state", "deliveries"), "{{integration}} {{state}}")],
        ),
        panel(
            "Oldest",
            "How long ago the oldest of them was made.",
            "s",
            vec![(most("integration, state", "delivery_oldest_seconds"), "{{integration}} {{state}}")],
        ),
        panel(
            "Since the last success",
            "Time since a delivery came out well last.",
            "s",
            vec![(
                format!("time() - {}", most("integration", "delivery_last_success_timestamp_seconds")),
                "{{integration}}",
            )],
        ),
    ];
    if reads {
        panels.extend([
            panel(
                "Records that come in",
                "Records a second that were read, and that were left out.",
                "ops",
                vec![
                    (
                        format!("max by (integration, sync) (rate(sync_records_total{{{own}}}[$__rate_interval]))"),
                        "{{integration}} {{sync}}",
                    ),
                    (
                        format!(
                            "max by (integration, sync) (rate(sync_records_left_out_total{{{own}}}[$__rate_interval]))"
                        ),
                        "{{integration}} {{sync}} left out",
                    ),
                ],
            ),
            panel(
                "How far behind",
                "Time since changes there were here, and since everything was read last.",
                "s",
                vec![
                    (
                        format!("time() - ({} > 0)", most("integration, sync", "sync_changed_until_timestamp_seconds")),
                        "{{integration}} {{sync}} changes",
                    ),
                    (
                        format!("time() - ({} > 0)", most("integration, sync", "sync_last_success_timestamp_seconds")),
                        "{{integration}} {{sync}} last success",
                    ),
                ],
            ),
            panel(
                "Readings that fail",
                "How often in a row reading has gone wrong.",
                "short",
                vec![(most("integration, sync", "sync_failures"), "{{integration}} {{sync}}")],
            ),
            panel(
                "Length of readings",
                "How long a reading takes, in the mean.",
                "s",
                vec![(
                    format!(
                        "sum by (integration, sync) (rate(sync_reading_seconds_total{{{own}}}[$__rate_interval])) \
                         / sum by (integration, sync) (rate(sync_readings_total{{{own}}}[$__rate_interval]))"
                    ),
                    "{{integration}} {{sync}}",
                )],
            ),
        ]);
    }
    let title = format!("Integrations of the {api} API");
    let uid: String = format!("integrations-{api}").chars().take(UID_LENGTH).collect();
    let description = format!("What the {api} API tells others and reads from them, from its /metrics.");
    document((&title, &uid, &description, "integrations"), Vec::new(), placed(panels))
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
