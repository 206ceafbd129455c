//! The workspace of the benchmark of deliveries: an API with an endpoint and an event for each destination, and each destination as a
//! provider of the workspace with a task that integrates it. Files go out, and a workspace in which all tasks were completed.

use super::super::{Scratch, said, write};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The variables that tasks take their values from.
const KEY_VARIABLE: &str = "BENCH_KEY";
const DATABASE_VARIABLE: &str = "BENCH_DATABASE_URL";
/// What the providers of this workspace sign with.
pub const KEY: &str = "bench_key_of_the_benchmark";
/// The destination that also sends.
pub const SENDER: usize = 0;
/// The task of the database, where it is not the embedded one.
const DATABASE: &str = "task_id: base\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: ENGINE\n    connection: \"${env:BENCH_DATABASE_URL}\"\n    schema_requirements: { tables: [{ name: rooms, columns: { number: integer } }] }\n";

const PROVIDER: &str = r#"provider: NAME
title: NAME
about: takes parcels
service_types: [storage]
specification: { kind: documentation, source: "https://parcel.example", version: "1", read_on: "2026-01-31" }
credentials:
  api_key: { title: Key, secret: true, find: in the benchmark }
hosts: { api: { live: "https://parcel.example" } }
authentication: { key: { bearer: { token: "${credential.api_key}" } } }
test_system: none
check: { form: a benchmark asks nothing }
errors:
  rules:
    - { when: { status: [5xx] }, means: unknown_effect }
  otherwise: permanent
rates: {}
wait: { most_seconds: 60 }
retry: { attempts: 1000, for_hours: 24, first_wait_ms: 200, most_wait_seconds: 5, answer_within_ms: 10000 }
drift: { unseen: a benchmark does not change }
"#;

const OPERATIONS: &str = r#"put_parcel:
  does: takes a parcel
  effect: write
  input:
    number: { type: integer, privacy: plain, required: true }
    text: { type: text, privacy: plain }
  request:
    http:
      method: POST
      path: /parcels
      headers: { Idempotency-Key: "${delivery.key}" }
      body: { json: { number: "${input.number}", text: "${input.text}" } }
  answer: { id: { at: /id, type: text, privacy: plain, required: true } }
  idempotency: { key: { max_length: 64, kept_hours: 24 } }
  if_reply_is_lost: repeat
"#;

const POINTS: &str = r#"points:
  NAME:
    calls:
      takes:
        number: { type: integer, privacy: plain, required: true }
        text: { type: text, privacy: plain }
      steps:
        - operation: put_parcel
          input: { number: "${event.number}", text: "${event.text}" }
"#;

const WEBHOOKS: &str = r#"body: json
verify:
  - hmac:
      algorithm: sha256
      key: "${credential.api_key}"
      header: Parcel-Signature
      form: { pairs: { signature: v1, timestamp: t } }
      encoding: hex
      signed: [timestamp, { text: "." }, body]
      timestamp: { unit: seconds, past_seconds: 300, future_seconds: 300 }
registration: { by_hand: { page: "https://parcel.example", steps: nobody needs to } }
dedup: { key: ["${body/id}"], keep_days: 7 }
kind: "${body/type}"
acknowledge: { status: 200, within_seconds: 10 }
events:
  - kinds: [parcel.returned]
    emits: parcel_returned
    about: "${body/number}"
    fields:
      number: { value: "${body/number}", type: integer, privacy: plain, required: true }
      text: { value: "${body/text}", type: text, privacy: plain }
"#;

/// The name of a destination, of its provider and of its event.
pub fn name(destination: usize) -> String {
    format!("parcel_{destination:02}")
}

/// A workspace with its programs.
pub struct Workspace {
    pub path: PathBuf,
    producer: PathBuf,
    /// None for the embedded database.
    database: Option<String>,
    /// How long the last of its tasks took.
    pub last_run: Duration,
}

impl Workspace {
    /// Makes one in which everything is integrated.
    pub fn make(
        producer: &Path,
        scratch: &Scratch,
        (engine, database): (&str, Option<String>),
        destinations: &[SocketAddr],
    ) -> Result<Self, String> {
        let mut workspace =
            Self { path: scratch.folder(engine)?, producer: producer.to_owned(), database, last_run: Duration::ZERO };
        let mut settings = "[simulated]\n".to_owned();
        let mut api = "task_id: parcels\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    rate_limiting: 50000000_requests_per_minute\n    endpoints:\n".to_owned();
        for (destination, address) in destinations.iter().enumerate() {
            let name = name(destination);
            let _ = writeln!(settings, "{name} = \"http://{address}\"");
            let _ = writeln!(
                api,
                "      - {{ path: /api/{name}, method: POST, authentication: none, validation: {{ number: {{ type: integer, required: true }}, text: text }}, emits: [{name}] }}"
            );
            let folder = scratch.folder(&format!("{engine}/providers/{name}"))?;
            write(&folder.join("provider.yaml"), &PROVIDER.replace("NAME", &name))?;
            write(&folder.join("operations.yaml"), OPERATIONS)?;
            write(&folder.join("points.yaml"), &POINTS.replace("NAME", &name))?;
            if destination == SENDER {
                write(&folder.join("webhooks.yaml"), WEBHOOKS)?;
            }
        }
        write(&workspace.path.join("producer.toml"), &settings)?;
        if workspace.database.is_some() {
            workspace.run("base", &DATABASE.replace("ENGINE", engine))?;
        }
        workspace.run("parcels", &api)?;
        for destination in 0..destinations.len() {
            let name = name(destination);
            workspace.run(&format!("to_{name}"), &format!(
                "task_id: to_{name}\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: storage\n    provider: {name}\n    integration_points: [{name}]\n    credentials: {{ api_key: \"${{env:{KEY_VARIABLE}}}\" }}\n"
            ))?;
        }
        Ok(workspace)
    }

    fn run(&mut self, task: &str, text: &str) -> Result<(), String> {
        let file = write(&self.path.join(format!("{task}.yaml")), text)?;
        let start = Instant::now();
        said(self.command(&["run"]).arg(file))?;
        self.last_run = start.elapsed();
        Ok(())
    }

    /// A command of the producer in it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.producer);
        command.args(words).arg("--workspace").arg(&self.path).current_dir(&self.path).env(KEY_VARIABLE, KEY);
        command.env_remove("PRODUCER_LOG");
        if let Some(url) = &self.database {
            command.env(DATABASE_VARIABLE, url);
        }
        command
    }

    /// Where the embedded database lies.
    pub fn database_file(&self) -> PathBuf {
        self.path.join(".producer/data/embedded.sqlite")
    }
}
