//! What visitors do is counted at Google Analytics, which is played, by either server: for those alone whose page says who they are there.

use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end_with_input};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

const SITE: &str = "task_id: site
task_type: setup_api
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/contact, method: POST, authentication: none, validation: { client_id: { type: line }, session_id: { type: line } } }
";
const ANALYTICS: &str = "task_id: analytics
task_type: integrate_service
specifications:
  service_integration:
    service_type: analytics
    provider: ga4
    integration_points: [contact_form]
";

#[test]
fn visitors_are_counted_whose_page_says_who_they_are() {
    let mut workspace = Workspace::new();
    let played = Played::start(&workspace, "google_analytics", &[]);
    let settings = format!("[simulated]\ngoogle_analytics = \"{}\"\n", played.told("address"));
    fs::write(workspace.path().join("producer.toml"), settings).unwrap();
    let credentials = [
        ("GOOGLE_ANALYTICS_MEASUREMENT_ID", played.told("measurement_id")),
        ("GOOGLE_ANALYTICS_API_SECRET", played.told("api_secret")),
    ];
    for (name, value) in credentials {
        end_with_input(&mut workspace.command(&["secrets", "set", name]), value).must_end_with(0);
    }
    workspace.run_text(SITE).must_end_with(0);
    let told = workspace.run_text(ANALYTICS).must_end_with(0).response();
    // It takes every secret, so nobody says that this one is right.
    let checks = told["verification"].as_array().unwrap();
    let takes = checks.iter().find(|one| one["check"] == "Google Analytics 4 takes the credentials").unwrap();
    assert_eq!(takes["outcome"], "not_verified", "{told}");
    let made = workspace.path().join("output/integration/task_analytics");
    let page = fs::read_to_string(made.join("services/analytics-tracking.js")).unwrap();
    assert!(page.contains("createTracking") && page.contains("googletagmanager.com/gtag/js"), "{page}");
    assert!(!page.contains(played.told("api_secret")), "{page}");
    let guide = fs::read_to_string(made.join("documentation/integration-guide.md")).unwrap();
    assert!(guide.contains("    script-src https://*.googletagmanager.com"), "{guide}");
    workspace.application = workspace.path().join("output/integration/task_site");
    let hits = || -> Vec<Value> {
        let address = played.told("address").trim_start_matches("http://").parse().unwrap();
        let told = ask(address, &get("/_simulator/objects/hit"), "").unwrap().body;
        let told: Value = serde_json::from_slice(&told).unwrap();
        told["objects"].as_array().unwrap().clone()
    };
    for kind in Kind::all_here() {
        let mut command = Server::command(kind, &workspace);
        command.envs(credentials).env("GOOGLE_ANALYTICS_API_BASE", played.told("address"));
        let server = Server::of(&mut command);
        let client = format!("1234.{kind:?}");
        let message = json!({ "name": "Ada", "email": "ada@example.com", "message": "Hello" });
        let mut visitors = message.clone();
        visitors["client_id"] = client.as_str().into();
        visitors["session_id"] = "77".into();
        for body in [&message, &visitors] {
            assert_eq!(ask(server.address, &post("/api/contact", None, &body.to_string()), "").unwrap().status, 201);
        }
        let begun = Instant::now();
        let delivered = || workspace.query("SELECT COUNT(*) FROM outbox_deliveries WHERE state <> 'delivered'");
        let of_client = || hits().into_iter().filter(|hit| hit["client_id"] == client.as_str()).collect::<Vec<_>>();
        while of_client().is_empty() || delivered() != [["0"]] {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}\n{}", hits(), server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        let params = json!({ "session_id": "77", "engagement_time_msec": 1 });
        let [hit] = &of_client()[..] else { panic!("{:?}", hits()) };
        assert_eq!((&hit["name"], &hit["params"]), (&json!("generate_lead"), &params), "{kind:?}");
        assert!(!server.log().contains(&client), "{}", server.log());
    }
    // Those whose page says nothing are nobody's visit.
    assert_eq!(hits().len(), Kind::all_here().len());
    for attempt in workspace.query("SELECT record FROM outbox_attempts") {
        assert!(!attempt[0].contains("1234.") && !attempt[0].contains(played.told("api_secret")), "{}", attempt[0]);
    }
}
