//! What both servers send to a provider and take of it, byte for byte: XML both ways, a token for something that we sign, got at an
//! address that is named by its host. The provider is a listener of this machine that keeps what comes.

use super::hmac;
use crate::harness::client::{ask, post};
use crate::harness::listener::{Answered, Came, listen};
use crate::harness::repository;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end, end_with_input, files};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const MEMBERS: &str = "task_id: members\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n      - { path: /api/members, method: POST, authentication: none, validation: { email: string, name: string }, emits: [user_registration] }\n";
pub const CRM: &str = "task_id: crm\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: crm\n    provider: acme\n    integration_points: [user_registration]\n    credentials:\n      client_id: our-id\n      private_key: \"${secret:ACME_PRIVATE_KEY}\"\n      signing_key: \"${secret:ACME_SIGNING_KEY}\"\n";
const SIGNING: &str = "what-calls-are-signed-with";

/// The line, the media type and the body of what tells of the first member.
const WRITTEN: (&str, &str, &str) = (
    "PUT /members/ada%40example.org?notify=no HTTP/1.1",
    "application/xml; charset=utf-8",
    r#"<?xml version="1.0"?><a:Member xmlns:a="urn:acme" kind="new &amp; kept"><Email>Ada@example.org</Email><Name>&lt;Ada&gt; &amp; &apos;K&quot;&apos;</Name></a:Member>"#,
);

/// A key that statements are signed with.
pub fn private_key() -> String {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem()
}

/// What a provider answers to a line and a body.
pub type Answers = fn(&str, &str) -> Answered;

/// A provider that gives tokens, and else answers so; what came to it.
pub fn provider(answers: Answers) -> (SocketAddr, Arc<Mutex<Vec<Came>>>) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&all);
    let address = listen(move |came| {
        let answered = match came.line.contains("/oauth/token") {
            true => (200, "application/json", r#"{"access_token":"a token","expires_in":3600}"#.to_owned()),
            false => answers(&came.line, &came.body),
        };
        kept.lock().unwrap().push(came.clone());
        answered
    });
    (address, all)
}

/// It keeps members, and takes nobody whose name is `Eve`.
fn members(_: &str, body: &str) -> Answered {
    match body.contains("<Name>Eve</Name>") {
        true => (
            400,
            "application/xml",
            "<e:Error xmlns:e='urn:acme'><Code>E7</Code><Message>it is &lt;taken&gt;</Message></e:Error>".to_owned(),
        ),
        false => (
            200,
            "application/xml",
            "<?xml version='1.0'?><r:MemberKept xmlns:r='urn:acme'>\n <Id>m&#45;<![CDATA[1]]></Id></r:MemberKept>"
                .to_owned(),
        ),
    }
}

/// A workspace that knows the provider of the tests, at that address, with its files changed so.
pub fn acme(address: SocketAddr, key: &str, changed: impl Fn(&str, String) -> String) -> Workspace {
    let workspace = Workspace::new();
    let folder = workspace.path().join("providers/acme");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, content) in files(&repository("crates/producer/tests/it/integrations/acme")) {
        std::fs::write(folder.join(&name), changed(&name, String::from_utf8(content).unwrap())).unwrap();
    }
    std::fs::write(workspace.path().join("producer.toml"), format!("[simulated]\nacme = \"http://{address}\"\n"))
        .unwrap();
    for (name, value) in [("ACME_PRIVATE_KEY", key), ("ACME_SIGNING_KEY", SIGNING)] {
        end_with_input(&mut workspace.command(&["secrets", "set", name]), value).must_end_with(0);
    }
    // The manifest's own cases say the same of both: here by the native server, elsewhere for the application.
    end(&mut workspace.command(&["providers", "lint"])).must_end_with(0);
    workspace
}

/// What starts a server of the workspace, with the account of the provider of the tests.
pub fn with_account(kind: Kind, workspace: &mut Workspace, folder: &str, address: SocketAddr, key: &str) -> Command {
    workspace.application = workspace.path().join(folder);
    let database = workspace.path().join(".producer/data/embedded.sqlite");
    let mut command = Server::command(kind, workspace);
    if kind == Kind::Node {
        command
            .env("DATABASE_URL", format!("file:{}", database.display()))
            .env("ACME_PRIVATE_KEY", key)
            .env("ACME_SIGNING_KEY", SIGNING)
            .env("ACME_API_BASE", format!("http://{address}"));
    }
    command
}

/// A request for a token without what is signed, and that.
fn taken_apart(mut came: Came) -> (Came, Value) {
    // The signature is always as long; the times in it have as many digits.
    let (before, rest) = came.body.split_once("assertion=").unwrap();
    let (statement, behind) = rest.split_once('&').unwrap();
    let parts: Vec<&str> = statement.split('.').collect();
    assert_eq!((parts.len(), parts[2].len()), (3, 342), "{statement}");
    let document = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let claims: Value = serde_json::from_str(&document(parts[1])).unwrap();
    let (began, ends) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert!(ends - began == 180 && (jiff::Timestamp::now().as_second() - began).abs() < 60, "{claims}");
    let text = document(parts[1]).replace(&began.to_string(), "began").replace(&ends.to_string(), "ends");
    came.body = format!("{before}assertion={}.{text}&{behind}", document(parts[0]));
    (came, claims)
}

/// What came to the provider, told the servers apart by what no manifest says.
fn comparable(mut came: Came) -> Came {
    for of_the_client in ["user-agent", "accept-encoding", "connection"] {
        came.headers.remove(of_the_client);
    }
    // Neither says what it takes, unless the manifest does.
    came.headers.retain(|name, value| !(name == "accept" && value == "*/*"));
    came
}

#[test]
fn both_servers_send_the_same_bytes_and_read_the_same_answers() {
    let (address, all) = provider(members);
    let key = private_key();
    let told = Kind::all_here().into_iter().map(|kind| {
        let mut workspace = acme(address, &key, |_, text| text);
        workspace.run_text(MEMBERS).must_end_with(0);
        workspace.run_text(CRM).must_end_with(0);
        if kind == Kind::Node {
            // The native server goes on with the token that the run has got.
            all.lock().unwrap().clear();
        }
        let mut start = |folder: &str| Server::of(&mut with_account(kind, &mut workspace, folder, address, &key));
        let server = start("output/integration/task_crm");
        let api = (kind == Kind::Node).then(|| start("output/integration/task_members"));
        for body in [r#"{"email":"Ada@example.org","name":"<Ada> & 'K\"'"}"#, r#"{"email":"eve@example.org","name":"Eve"}"#] {
            let to = api.as_ref().unwrap_or(&server).address;
            assert_eq!(ask(to, &post("/api/members", None, body), "").unwrap().status, 201);
            let ended = "SELECT count(*) FROM outbox_deliveries WHERE state IN ('delivered', 'dead')";
            let begun = Instant::now();
            let should = if body.contains("Eve") { "2" } else { "1" };
            while workspace.query(ended) != [[should]] {
                assert!(begun.elapsed() < Duration::from_secs(30), "{}", server.log());
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        // A call of XML, of theirs and of somebody else.
        let body = "<t:Told xmlns:t='urn:acme'><Event><Id>1</Id><Kind>left</Kind><Email>ada@example.org</Email></Event><Event><Id>2</Id><Kind>left</Kind><Email>b&amp;b@example.org</Email></Event></t:Told>";
        let call = |body: &str, key: &str| {
            let mut request = post("/webhooks/acme", None, body);
            request.headers.insert("content-type".to_owned(), "text/xml".to_owned());
            request.headers.insert("Acme-Signature".to_owned(), hmac(key, body));
            ask(server.address, &request, "").unwrap().status
        };
        assert_eq!(call(body, "another"), 401);
        for _ in 0..2 {
            assert_eq!(call(body, SIGNING), 200, "{}", server.log());
        }
        assert_eq!(call("<a>", SIGNING), 400);
        let rows = [
            "SELECT name, value FROM outbox_remembered",
            "SELECT state FROM outbox_deliveries ORDER BY state",
            "SELECT dedup, kind FROM inbox_events ORDER BY dedup",
            "SELECT payload FROM outbox_events WHERE name = 'member_left' ORDER BY payload",
        ]
        .map(|statement| workspace.query(statement));
        assert_eq!(rows[0], [["member", "\"m-1\""]]);
        assert_eq!((rows[1].len(), rows[2].len()), (2, 2));
        let record = workspace.query("SELECT record FROM outbox_attempts").concat().concat();
        assert!(record.contains("<Name>sha256:") && !record.to_lowercase().contains("ada"), "{record}");
        assert!(record.contains("it is <taken>"), "{record}");
        let mut came: Vec<Came> = all.lock().unwrap().drain(..).map(comparable).collect();
        let (token, claims) = taken_apart(came.remove(0));
        assert_eq!((claims["aud"].as_str(), claims["sub"].as_str()), (Some("https://login.acme.example"), Some("ada@example.com")));
        came.insert(0, token);
        assert_eq!(came.len(), 3, "one token for both: {came:?}");
        (came, rows[1..3].to_vec())
    });
    let told: Vec<_> = told.collect();
    let (came, _) = &told[0];
    assert!(came[0].line.starts_with("POST /oauth/token "), "{:?}", came[0]);
    assert_eq!((came[1].line.as_str(), came[1].headers["content-type"].as_str(), came[1].body.as_str()), WRITTEN);
    for another in &told[1..] {
        assert_eq!(another, &told[0]);
    }
}
