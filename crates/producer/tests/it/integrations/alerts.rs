//! Who is to be told that a service fails, and that it works again, by a mail and by a signed message: once each, whichever of several servers is
//! there and whenever one is killed.

use super::contacts::{at, command, hubspot_of, with_hubspot};
use crate::harness::Sample;
use crate::harness::client::{ask, post};
use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::schema::Schema;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end_with_input};
use crate::subscribers::Receiver;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};
use vocab::Engine;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const SOON: Duration = Duration::from_secs(60);
/// The task of the sample that has the form.
const API: &str = "task_integration_2025_001";

fn task(webhook: &str) -> String {
    format!(
        "task_id: crm
task_type: integrate_service
specifications:
  service_integration:
    service_type: crm
    provider: hubspot
    integration_points: [contact_form]
    fields_to_sync: [name, email]
    alerts:
      email: ops@example.com
      webhook: \"{webhook}\"
      webhook_secret: \"${{secret:ALERT_SECRET}}\"
      after: 1_seconds
"
    )
}

struct World {
    workspace: Workspace,
    played: Played,
    receiver: Receiver,
    key: String,
}

impl World {
    fn start(&mut self, kind: Kind) -> Server {
        Server::of(command(kind, API, &mut self.workspace, &self.played).env("ALERT_SECRET", SECRET))
    }

    fn writes(&self, server: &Server, name: &str) {
        let message = json!({ "name": name, "email": format!("{name}@secret.example"), "subject": "A question", "message": "Can it compute?" });
        let answer = ask(server.address, &post("/api/contact", Some(&self.key), &message.to_string()), "").unwrap();
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }

    fn fails(&self, faults: &Value) {
        at(&self.played, &post("/_simulator/faults", None, &json!({ "faults": faults }).to_string()));
    }

    #[track_caller]
    fn until(&self, server: &Server, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            let known = self.workspace.query("SELECT * FROM integration_alerts");
            let tried =
                self.workspace.query("SELECT integration, event, state, attempts, problem FROM outbox_deliveries");
            assert!(begun.elapsed() < SOON, "{what}: {known:?}\n{tried:?}\n{}", server.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stands(&self, word: &str) -> bool {
        self.workspace.query("SELECT stands FROM integration_alerts") == [[word.to_owned()]]
    }

    /// What each message says has happened.
    fn told(&self) -> Vec<String> {
        self.receiver.received().iter().map(|one| one["message"]["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The mails of whichever server, that of the application and of the workspace.
    fn mails(&self) -> Vec<String> {
        let folders = [self.workspace.path().join(".producer/mail"), self.workspace.application.join("data/mail")];
        let files =
            folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().map(|file| file.unwrap().path());
        files
            .filter(|path| path.extension().is_some_and(|end| end == "eml"))
            .map(|path| fs::read_to_string(path).unwrap())
            .collect()
    }
}

#[test]
fn who_is_to_be_told_is_told_once_that_a_service_fails_and_that_it_works_again() {
    std::thread::scope(|scope| {
        scope.spawn(|| is_told(with_hubspot(), &Kind::all_here()));
        for engine in [Engine::PostgreSql, Engine::MySql] {
            let Some(schema) = Schema::empty(engine, "alerts of integrations") else { continue };
            scope.spawn(move || {
                let made = hubspot_on(Workspace::on(Sample::Notes, schema.url()));
                made.0.run_base();
                is_told(made, &Kind::all_here()[1..]);
            });
        }
    });
}

fn hubspot_on(workspace: Workspace) -> (Workspace, Played) {
    let played = Played::start(&workspace, "hubspot", &[]);
    hubspot_of(workspace, played)
}

fn is_told((workspace, played): (Workspace, Played), kinds: &[Kind]) {
    let Some(receiver) = Receiver::start() else { return };
    receiver.tell("/_secrets", &json!([SECRET]));
    workspace.run(&repository("tests/cases/tasks/contact-newsletter-api.yaml")).must_end_with(0);
    let task = task(&receiver.url("/hooks/hidden"));
    let warnings = workspace.run_text(&task).must_end_with(0).response()["warnings"].to_string();
    for part in ["`producer secrets set ALERT_SECRET`", "at `integration_recovered`, "] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
    end_with_input(&mut workspace.command(&["secrets", "set", "ALERT_SECRET"]), SECRET).must_end_with(0);
    let key = workspace.create_key();
    let mut world = World { workspace, played, receiver, key };
    for (round, kind) in kinds.iter().copied().enumerate() {
        let of = format!("{kind:?}");
        world.receiver.tell("/_forget", &json!([]));
        world.fails(&json!(["server_error"]));
        let server = world.start(kind);
        world.writes(&server, "ada");
        world.until(&server, &of, |world| world.stands("failing"));
        // Killed before it has told, or just when it does.
        drop(server);
        let server = world.start(kind);
        world.until(&server, &of, |world| !world.told().is_empty());
        world.fails(&json!([]));
        let other = if kind == Kind::Native { Kind::Node } else { Kind::Native };
        let other = other.is_here().then(|| world.start(other));
        world.writes(&server, "eve");
        world.until(&server, &of, |world| world.told().len() > 1);
        world.until(&server, &of, |world| world.mails().len() >= 2 * (round + 1));
        // Nothing is told twice by whoever looks next.
        std::thread::sleep(Duration::from_millis(1200));
        assert_eq!(world.told(), ["integration_failing", "integration_recovered"], "{of}");
        assert_eq!(world.mails().len(), 2 * (round + 1), "{of}");
        let messages = world.receiver.received();
        assert!(messages.iter().all(|message| message["signed"] == json!([true])), "{of}: {messages:?}");
        let (failing, recovered) = (&messages[0]["message"]["data"], &messages[1]["message"]["data"]);
        assert_eq!(
            (&failing["integration"], &failing["service"], &failing["status"]),
            (&json!("crm"), &json!("HubSpot"), &json!("failing")),
            "{of}"
        );
        let said = failing["reason"].as_str().unwrap();
        // Whichever of the two meets it first.
        let [delivering, reading] = ["have failed, the last one with `ERROR`", "reading `contacts` has failed "];
        assert!(said.contains(delivering) || said.contains(reading), "{of}: {said}");
        assert_eq!((&recovered["status"], &recovered["given_up"]), (&json!("ok"), &json!(0)), "{of}: {recovered}");
        let log = server.log() + &other.map(|other| other.log()).unwrap_or_default();
        for hidden in ["secret.example", "ops@example.com", SECRET, "/hooks/hidden"] {
            assert!(!log.contains(hidden), "{of}: {hidden} in {log}");
            assert!(
                !json!(messages).to_string().replace("\"url\":\"/hooks/hidden\"", "").contains(hidden),
                "{of}: {messages:?}"
            );
        }
    }
    let mails = world.mails().join("\n");
    for subject in ["Subject: HubSpot fails (crm)", "Subject: HubSpot works again (crm)", "To: ops@example.com"] {
        assert!(mails.matches(subject).count() >= kinds.len(), "{subject}: {mails}");
    }
    assert!(!mails.contains("secret.example"), "{mails}");
    for attempt in world.workspace.query("SELECT record FROM outbox_attempts") {
        for hidden in ["/hooks/hidden", SECRET, "secret.example", "ops@example.com"] {
            assert!(!attempt[0].contains(hidden), "{}", attempt[0]);
        }
    }
}
