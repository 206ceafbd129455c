//! Access tokens of another issuer, at both servers and on every engine: a certified server of OpenID Connect issues them, changes its keys
//! and goes away. Without its package this is skipped, loudly.

use crate::harness::client::{ask, get, post};
use crate::harness::schema::Schema;
use crate::harness::script::Script;
use crate::harness::server::{Kind, Server, node};
use crate::harness::workspace::{Workspace, end};
use plan::http_case::{Answer, CaseRequest};
use serde_json::Value as Json;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;
use store::{Ended, Location, Store};
use vocab::Engine;

const AUDIENCE: &str = "https://notes.example";
const DATABASE: &str = "task_id: base
task_type: configure_database
specifications:
  database_config:
    type: sqlite
    name: base
    schema_requirements:
      tables: [users, notes, { name: rooms, columns: { number: integer } }]
      relationships: [users_to_notes]
";
const API: &str = "task_id: notes
task_type: setup_api
dependencies: [base]
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/notes, method: POST, authentication: oauth, access: \"scope:notes:write\" }
      - { path: /api/notes, method: GET, authentication: oauth }
      - { path: \"/api/notes/{id}\", method: GET, authentication: oauth }
      - { path: /api/rooms, method: GET, authentication: oauth, access: \"scope:notes:read\" }
      - { path: /api/users/profile, method: GET, authentication: oauth }
    rate_limiting: 100000_requests_per_minute
";

/// The issuer, until this is dropped.
struct Issuer {
    name: String,
    control: SocketAddr,
    _script: Script,
}

impl Issuer {
    fn start() -> Option<Self> {
        let script = Script::start("issuers/provider.mjs", "oidc-provider", "tokens of another issuer")?;
        let (name, port) = script.told.split_once(' ').unwrap();
        let control = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        Some(Self { name: name.to_owned(), control, _script: script })
    }

    fn told(&self, path: &str) -> String {
        let answer = ask(self.control, &get(path), "").unwrap();
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{text}");
        text
    }

    fn token(&self, said: &str) -> String {
        self.told(&format!("/token?scope=notes:read%20notes:write&{said}"))
    }

    /// A workspace with the API, whose settings name the issuer.
    fn workspace(&self, url: Option<String>) -> Workspace {
        let mut workspace = Workspace::new();
        workspace.application = workspace.path().join("output/integration/task_notes");
        let database = match &url {
            None => DATABASE.to_owned(),
            Some(url) => {
                let engine = crate::harness::schema::engine_of(url);
                let place = format!("type: {engine}\n    connection: \"${{env:DATABASE_OF_TEST}}\"\n");
                DATABASE.replace("type: sqlite\n    name: base\n", &place)
            }
        };
        workspace.url = url;
        workspace.run_text(&database).must_end_with(0);
        let asks = workspace.run_text(API).must_end_with(3).response()["error"].clone();
        assert_eq!(asks["code"], "issuer_missing", "{asks}");
        assert!(
            asks["message"].as_str().unwrap().contains("`OAUTH_ISSUER` and `OAUTH_AUDIENCE` are not set"),
            "{asks}"
        );
        let file = workspace.path().join("notes.yaml");
        fs::write(&file, API).unwrap();
        let run = end(self.named(&mut workspace.command(&["run"])).arg(&file)).must_end_with(0);
        let statuses = run.response()["verification"].to_string();
        assert!(!statuses.contains("\"failed\""), "{statuses}");
        workspace
    }

    fn named<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("OAUTH_ISSUER", &self.name).env("OAUTH_AUDIENCE", AUDIENCE)
    }

    fn server(&self, kind: Kind, workspace: &Workspace) -> Server {
        let mut command = Server::command(kind, workspace);
        // What `serve` reads of the database task's own place.
        let file = workspace.path().join(".producer/data/base.sqlite");
        if kind == Kind::Node && workspace.url.is_none() {
            command.env("DATABASE_URL", format!("file:{}", file.display()));
        }
        Server::of(self.named(&mut command).env("AUTH_SECRET", crate::harness::server::AUTH_SECRET))
    }
}

fn with(mut request: CaseRequest, token: &str) -> CaseRequest {
    request.headers.insert("authorization".to_owned(), format!("Bearer {token}"));
    request
}

fn send(server: &Server, request: CaseRequest, token: &str) -> Answer {
    ask(server.address, &with(request, token), "").unwrap()
}

fn told(answer: &Answer) -> Json {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer.body)))
}

fn kind_of(answer: &Answer) -> String {
    let told = told(answer);
    format!("{} {}", answer.status, told["type"].as_str().unwrap_or_default().trim_start_matches("urn:problem-type:"))
}

/// The reference page may ask the issuer what it says of itself, and nobody else.
fn the_reference_page_may_ask_the_issuer(issuer: &Issuer, server: &Server) {
    let page = ask(server.address, &get("/docs"), "").unwrap();
    let policy = &page.headers["content-security-policy"];
    assert!(policy.contains(&format!("; connect-src 'self' {};", issuer.name)), "{policy}");
}

fn listed(server: &Server, token: &str) -> usize {
    let answer = send(server, get("/api/notes"), token);
    let told = told(&answer);
    told["items"].as_array().unwrap_or_else(|| panic!("{told}\n{}", server.log())).len()
}

#[test]
fn tokens_of_another_issuer_are_taken_on_sqlite() {
    let Some(issuer) = Issuer::start() else { return };
    let workspace = issuer.workspace(None);
    users_are_known_at_every_server(&issuer, &workspace);
    for kind in Kind::all_here() {
        let server = issuer.server(kind, &workspace);
        the_reference_page_may_ask_the_issuer(&issuer, &server);
        what_will_not_do_is_refused(&issuer, &server);
        who_may_not_is_told_so(&issuer, &workspace, &server);
        keys_change_and_the_issuer_goes_away(&issuer, &workspace, kind);
    }
    the_typed_client_sends_its_token(&issuer, &issuer.server(Kind::Native, &workspace), &workspace);
    if Kind::Node.is_here() {
        end(&mut node(&workspace, &["--test", "test/api.test.js"])).must_end_with(0);
    }
}

#[test]
fn users_of_another_issuer_are_known_on_postgresql() {
    let Some(place) = Schema::empty(Engine::PostgreSql, "tokens of another issuer") else { return };
    let Some(issuer) = Issuer::start() else { return };
    users_are_known_at_every_server(&issuer, &issuer.workspace(Some(place.url())));
}

#[test]
fn users_of_another_issuer_are_known_on_mysql() {
    let Some(place) = Schema::empty(Engine::MySql, "tokens of another issuer") else { return };
    let Some(issuer) = Issuer::start() else { return };
    users_are_known_at_every_server(&issuer, &issuer.workspace(Some(place.url())));
}

/// It asks for the token before each request.
fn the_typed_client_sends_its_token(issuer: &Issuer, server: &Server, workspace: &Workspace) {
    let script = format!(
        "import {{ NotesRoomsUsersClient as Client }} from './client/notes-rooms-users-client.js';
        const tokens = ['{}', '{}'];
        const client = new Client({{ baseUrl: 'http://{}', accessToken: async () => tokens.shift() }});
        await client.createNote({{ title: 'Mine', body: 'All of it' }});
        console.log((await client.getUser()).data.name, await client.listNotes().catch((error) => error.problem.type));",
        issuer.token("sub=of_client"),
        issuer.token("sub=of_client"),
        server.address
    );
    let used = end(&mut node(workspace, &["--input-type=module", "--eval", &script])).must_end_with(0);
    assert_eq!(used.stdout, "of_client urn:problem-type:missing-token\n", "{}", used.stderr);
}

/// Changes rows of the embedded database beside the servers.
fn change(workspace: &Workspace, statement: &str) {
    let store = Store::open(&Location::File(workspace.path().join(".producer/data/base.sqlite"))).unwrap();
    let statement = statement.to_owned();
    let work = store.transaction(move |mut transaction| {
        Box::pin(async move { Ok(Ended::Commit(transaction.execute(&statement, &[]).await?)) })
    });
    tokio::runtime::Runtime::new().unwrap().block_on(work).unwrap();
}

/// Somebody has an account here who has not proved the address, and one that was disabled.
fn who_may_not_is_told_so(issuer: &Issuer, workspace: &Workspace, server: &Server) {
    let time = "2026-01-01T00:00:00.000Z";
    let user = |last: u32, email: &str| {
        let id = format!("01900000-0000-7000-8000-0000000000{last}");
        change(
            workspace,
            &format!(
                "INSERT INTO users (id, email, name, created_at, updated_at, row_version) VALUES ('{id}', '{email}', 'Eve', '{time}', '{time}', 1)"
            ),
        );
        id
    };
    let early = user(71, "early@example.com");
    change(
        workspace,
        &format!("INSERT INTO auth_accounts (user_id, role, created_at) VALUES ('{early}', 'user', '{time}')"),
    );
    let refused = send(server, get("/api/notes"), &issuer.token("sub=early&email=early@example.com"));
    assert_eq!(kind_of(&refused), "403 unknown-user");
    // An address that the issuer has not proved is nobody's.
    let unproved = issuer.token("sub=guess&email=ada@example.com&unproved=1");
    assert_eq!(listed(server, &unproved), 0);
    let bought = user(72, "bought@example.com");
    let known = told(&send(server, get("/api/users/profile"), &issuer.token("sub=known&email=BOUGHT@example.com")));
    assert_eq!(known["id"], bought.as_str(), "{known}");
    change(workspace, &format!("UPDATE auth_accounts SET disabled_at = '{time}' WHERE user_id = '{bought}'"));
    thread::sleep(Duration::from_millis(1_100));
    let refused = send(server, get("/api/notes"), &issuer.token("sub=known"));
    assert_eq!(kind_of(&refused), "403 account-disabled");
    change(workspace, "DELETE FROM users WHERE id LIKE '01900000-0000-7000-8000-00000000007%'");
}

/// Whoever calls first gets a user, and is the same one at the other server; what belongs to somebody else is not there.
fn users_are_known_at_every_server(issuer: &Issuer, workspace: &Workspace) {
    let servers: Vec<Server> = Kind::all_here().into_iter().map(|kind| issuer.server(kind, workspace)).collect();
    let (ada, eve) = (issuer.token("sub=ada&email=ada@example.com&alg=ES256"), issuer.token("sub=eve&alg=EdDSA"));
    // The first requests of somebody come at once, at both servers.
    let statuses: Vec<u16> = thread::scope(|scope| {
        let asked: Vec<_> = servers
            .iter()
            .flat_map(|server| [server, server, server])
            .map(|server| {
                scope.spawn(|| {
                    send(server, post("/api/notes", None, r#"{"title":"Mine","body":"All of it"}"#), &ada).status
                })
            })
            .collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}\n{}", servers[0].log());
    for server in &servers {
        assert_eq!(listed(server, &ada), statuses.len());
        assert_eq!(listed(server, &eve), 0);
        let profile = told(&send(server, get("/api/users/profile"), &ada));
        assert_eq!(
            (&profile["email"], &profile["name"]),
            (&"ada@example.com".into(), &"Ada Lovelace".into()),
            "{profile}"
        );
        let profile = told(&send(server, get("/api/users/profile"), &eve));
        assert!(
            profile["email"].as_str().unwrap().ends_with("@account.invalid") && profile["name"] == "eve",
            "{profile}"
        );
        let first = told(&send(server, get("/api/notes?limit=1"), &ada))["items"][0]["id"].clone();
        let path = format!("/api/notes/{}", first.as_str().unwrap());
        assert_eq!(send(server, get(&path), &ada).status, 200);
        assert_eq!(send(server, get(&path), &eve).status, 404);
        // A program has no user, and may go where none counts.
        let program = issuer.token("alg=PS256");
        assert_eq!(send(server, get("/api/rooms"), &program).status, 200, "{}", server.log());
    }
}

fn what_will_not_do_is_refused(issuer: &Issuer, server: &Server) {
    let none = ask(server.address, &get("/api/notes"), "").unwrap();
    assert_eq!(kind_of(&none), "401 missing-token");
    // As the client calls it.
    let site = "http://localhost";
    let metadata = format!("{site}/.well-known/oauth-protected-resource");
    let challenge = |error: &str| format!("Bearer realm=\"api\"{error}, resource_metadata=\"{metadata}\"");
    assert_eq!(none.headers["www-authenticate"], challenge(""));
    let resource = told(&ask(server.address, &get("/.well-known/oauth-protected-resource"), "").unwrap());
    assert_eq!(resource["resource"], site);
    assert_eq!(resource["authorization_servers"][0], issuer.name);
    assert_eq!(resource["scopes_supported"], serde_json::json!(["notes:read", "notes:write"]));
    let document = told(&ask(server.address, &get("/openapi.json"), "").unwrap());
    let url = &document["components"]["securitySchemes"]["OpenIdConnect"]["openIdConnectUrl"];
    assert_eq!(*url, format!("{}/.well-known/openid-configuration", issuer.name));
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = issuer.token(&format!("sub=ada&alg={alg}"));
        assert_eq!(send(server, get("/api/notes"), &token).status, 200, "{alg}\n{}", server.log());
    }
    for kind in ["none", "hs256", "foreign", "expired", "later", "id_token", "logout", "stolen_name", "unknown_name"] {
        let refused = send(server, get("/api/notes"), &issuer.told(&format!("/forge?kind={kind}&sub=ada")));
        assert_eq!(kind_of(&refused), "401 invalid-token", "{kind}");
        assert_eq!(refused.headers["www-authenticate"], challenge(", error=\"invalid_token\""));
    }
    let elsewhere = issuer.token("sub=ada&aud=https://elsewhere.example");
    assert_eq!(kind_of(&send(server, get("/api/notes"), &elsewhere)), "401 invalid-token");
    let reads = issuer.told("/token?sub=ada&scope=notes:read");
    let refused = send(server, post("/api/notes", None, r#"{"title":"Mine","body":"All of it"}"#), &reads);
    assert_eq!(kind_of(&refused), "403 insufficient-scope");
    let scope = ", error=\"insufficient_scope\", scope=\"notes:write\"";
    assert_eq!(refused.headers["www-authenticate"], challenge(scope));
    assert_eq!(send(server, get("/api/rooms"), &reads).status, 200);
}

fn keys_change_and_the_issuer_goes_away(issuer: &Issuer, workspace: &Workspace, kind: Kind) {
    let asked = || issuer.told("/asked").parse::<u32>().unwrap();
    // It is away before a token comes: nothing can be checked, and nothing is thrown away.
    let token = issuer.token("sub=ada");
    issuer.told("/down");
    let server = issuer.server(kind, workspace);
    let away = send(&server, get("/api/notes"), &token);
    assert_eq!((kind_of(&away), away.headers["retry-after"].as_str()), ("503 issuer-unavailable".to_owned(), "5"));
    // What is nobody's is refused all the same.
    let foreign = issuer.told("/forge?kind=foreign&sub=ada");
    assert_eq!(kind_of(&send(&server, get("/api/notes"), &foreign)), "401 invalid-token");
    issuer.told("/up");
    thread::sleep(Duration::from_millis(2_100));
    // Everybody waits for one question.
    let before = asked();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| send(&server, get("/api/notes"), &token).status)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 8]);
    assert_eq!(asked() - before, 1);
    // Other keys: no token is rejected, and those of the old keys that are known go on until the keys are asked for again.
    issuer.told("/rotate");
    let other = issuer.token("sub=ada");
    assert_eq!(send(&server, get("/api/notes"), &token).status, 200);
    assert_eq!(send(&server, get("/api/notes"), &other).status, 200);
    assert_eq!(asked() - before, 2);
    // A name that nobody knows has it asked once more, and then not again and again.
    let unknown = issuer.told("/forge?kind=unknown_name&sub=ada");
    for _ in 0..5 {
        assert_eq!(kind_of(&send(&server, get("/api/notes"), &unknown)), "401 invalid-token");
    }
    assert_eq!(asked() - before, 3);
    // It is away later: known keys go on.
    issuer.told("/down");
    assert_eq!(send(&server, get("/api/notes"), &other).status, 200);
    let unknown = issuer.told("/forge?kind=unknown_name&sub=ada");
    assert_eq!(kind_of(&send(&server, get("/api/notes"), &unknown)), "503 issuer-unavailable");
    issuer.told("/up");
}
