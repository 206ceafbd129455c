//! Somebody agrees at a provider, for the first time and anew: a certified server of OpenID Connect is the provider, and its own pages
//! lead a browser back to `producer secrets connect`, or to what a person copies. Without its package this is skipped, loudly.

use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::repository;
use crate::harness::schema::Schema;
use crate::harness::script::Script;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files};
use crate::integrations::{MEMBERS, member};
use crate::simulators::{agreed, with_agreed};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vocab::Engine;

const CRM: &str = "task_id: crm\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: crm\n    provider: salesforce\n    integration_points: [user_registration]\n    credentials:\n      client_id: \"${secret:CRM_ID}\"\n      client_secret: \"${secret:CRM_SECRET}\"\n      domain: acme\n      external_id_field: Id__c\n      organization_id: 00D\n";
/// What the draft's grant becomes.
const GRANT: &str = "      grant: authorization_code\n      authorize_url: \"https://${setting.domain}.my.salesforce.com/services/oauth2/authorize\"\n      scopes: [api]\n      pkce: required\n";

/// What is done at a provider that is agreed to.
const PEOPLE: &str = "task_id: people\ntask_type: integrate_service\nspecifications:\n  service_integration:\n    service_type: crm\n    provider: agreed\n    integration_points: [user_registration]\n";

/// The provider, until this is dropped.
struct Provider(Script);

impl Provider {
    fn start() -> Option<Self> {
        Script::start("consents/provider.mjs", "oidc-provider", "somebody's agreement").map(Self)
    }

    fn address(&self) -> &str {
        &self.0.told
    }

    /// Where a person is led who opens that address, and agrees or does not.
    fn leads(&self, url: &str, more: &str) -> String {
        let url: String = url.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.asked(&format!("/_person?url={url}{more}"))
    }

    fn asked(&self, path: &str) -> String {
        let address = self.address().trim_start_matches("http://").parse().unwrap();
        let answer = ask(address, &get(path), "").unwrap();
        let led = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{led}");
        led
    }
}

fn workspace(provider: &Provider) -> Workspace {
    let workspace = Workspace::new();
    let folder = workspace.path().join("providers/salesforce");
    fs::create_dir_all(&folder).unwrap();
    for (name, content) in files(&repository("crates/catalog/tests/manifests/salesforce")) {
        let text = String::from_utf8(content).unwrap();
        let text = text
            .replace("      grant: client_credentials\n", GRANT)
            .replace("token: { keep", "token: { expires_in: /expires_in, refresh_token: /refresh_token, keep")
            .replace("on_status: [401] }", "on_status: [401], rotates: true, repeated: refused }");
        fs::write(folder.join(name), text).unwrap();
    }
    end(&mut workspace.command(&["providers", "lint"])).must_end_with(0);
    let settings = format!("[simulated]\nsalesforce = \"{}\"\n", provider.address());
    fs::write(workspace.path().join("producer.toml"), settings).unwrap();
    fs::write(workspace.path().join("crm.yaml"), CRM).unwrap();
    for (name, value) in [("CRM_ID", "our-id"), ("CRM_SECRET", "our-password")] {
        end_with_input(&mut workspace.command(&["secrets", "set", name]), value).must_end_with(0);
    }
    workspace
}

fn connect(workspace: &Workspace, task: &str, more: &[&str]) -> Command {
    let mut command = workspace.command(&["secrets", "connect", task]);
    command.args(more);
    command
}

/// `secrets connect` that waits for a browser.
struct Waiting {
    child: Child,
    url: String,
}

impl Waiting {
    fn begin(mut command: Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }

    fn end(mut self) -> Ended {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Ended { status: self.child.wait().unwrap().code(), stdout: String::new(), stderr }
    }
}

/// A browser that is led there: the status, and what the person reads.
fn browse(url: &str) -> (u16, String) {
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let answer = ask(address.parse::<SocketAddr>().unwrap(), &get(&format!("/{path}")), "").unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

fn wait_until(server: &Server, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed().as_secs() < 20, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn somebody_agrees_in_a_browser_and_the_task_goes_on() {
    let Some(provider) = Provider::start() else { return };
    let workspace = workspace(&provider);
    let file = workspace.path().join("crm.yaml");
    let asks = end(workspace.command(&["run"]).arg(&file)).must_end_with(3).response()["error"].clone();
    assert_eq!(asks["code"], "credentials_missing");
    assert!(asks["hint"].as_str().unwrap().contains("`producer secrets connect crm`"), "{asks}");

    let waiting = Waiting::begin(connect(&workspace, file.to_str().unwrap(), &["--listen", "127.0.0.1:0"]));
    assert!(waiting.url.starts_with(provider.address()) && waiting.url.contains("code_challenge_method=S256"));
    let back = provider.leads(&waiting.url, "");
    // Somebody else's answer is refused, and it is waited on.
    let (at, _) = back.split_once('?').unwrap();
    let (status, page) = browse(&format!("{at}?code=stolen&state=another"));
    assert!(status == 400 && page.contains("another question"), "{page}");
    let (status, page) = browse(&back);
    assert!(status == 200 && page.contains("You may close this page"), "{page}");
    let ended = waiting.end().must_end_with(0);
    assert!(
        ended.stderr.contains("the token ends at 20") && ended.stderr.contains("renewed by itself"),
        "{}",
        ended.stderr
    );

    workspace.run_text(MEMBERS).must_end_with(0);
    end(workspace.command(&["run"]).arg(&file)).must_end_with(0);
    // The agreement is taken back: what happens waits, the log says for what, and goes on by itself once somebody agrees anew.
    let server = Server::of(&mut Server::command(Kind::Native, &workspace));
    provider.asked("/_forget");
    assert_eq!(ask(server.address, &member(1), "").unwrap().status, 201);
    let delivery = || workspace.query("SELECT state, problem FROM outbox_deliveries");
    wait_until(&server, || delivery().first().is_some_and(|row| row[1].contains("no token was given")));
    let again = Waiting::begin(connect(&workspace, "crm", &["--listen", "127.0.0.1:0"]));
    browse(&provider.leads(&again.url, ""));
    again.end().must_end_with(0);
    wait_until(&server, || delivery().first().is_some_and(|row| row[0] == "delivered"));
    let listed = end(&mut workspace.command(&["secrets", "list"])).must_end_with(0).stdout;
    assert!(listed.contains("token/crm/") && listed.contains("agreement/crm/"), "{listed}");
    let exported = end(&mut workspace.command(&["secrets", "export", "--stdout"])).must_end_with(0).stdout;
    assert!(exported.contains("our-password") && !exported.to_lowercase().contains("agreement"), "{exported}");
}

/// Somebody presses the button of a provider that is played.
fn agree(workspace: &Workspace, task: &str, address: &str) {
    let waiting = Waiting::begin(connect(workspace, task, &["--listen", "127.0.0.1:0"]));
    assert!(waiting.url.starts_with(address), "{}", waiting.url);
    let (status, page) = browse(&waiting.url);
    assert!(status == 200 && page.contains("read, write") && page.contains("Agree"), "{page}");
    let host: SocketAddr = address.trim_start_matches("http://").parse().unwrap();
    let mut pressed = post(waiting.url.strip_prefix(address).unwrap(), None, "button=agree");
    pressed.headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    let led = ask(host, &pressed, "").unwrap();
    let (status, said) = browse(&led.headers["location"]);
    assert_eq!(status, 200, "{said}");
    waiting.end().must_end_with(0);
}

/// One agreement, whose refresh tokens are good once, is enough for both servers of a database: one renews at a time, and the other finds
/// what came of it, also when one has begun anew, or somebody has agreed anew.
#[test]
fn both_servers_share_what_was_agreed_to() {
    const BASE: &str = "task_id: base\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: ENGINE\n    connection: \"${env:DATABASE_OF_TEST}\"\n    schema_requirements: { tables: [{ name: rooms, columns: { number: integer } }] }\n";
    if !Kind::Node.is_here() {
        return;
    }
    for engine in [Engine::Sqlite, Engine::PostgreSql, Engine::MySql] {
        // Tokens there hold for an hour: each is renewed a second after it was got.
        let mut workspace = with_agreed(3_599);
        let place = match engine {
            Engine::Sqlite => None,
            Engine::PostgreSql | Engine::MySql | Engine::MongoDb => {
                match Schema::empty(engine, "tokens that both servers share") {
                    Some(place) => Some(place),
                    None => continue,
                }
            }
        };
        workspace.url = place.as_ref().map(Schema::url);
        workspace.application = workspace.path().join("output/integration/task_members");
        let played = Played::start(&workspace, "agreed", &["--seed", "7"]);
        let address = played.told("address");
        fs::write(workspace.path().join("producer.toml"), format!("[simulated]\nagreed = \"{address}\"\n")).unwrap();
        let secrets = [("AGREED_CLIENT_ID", "client_id"), ("AGREED_CLIENT_SECRET", "client_secret")];
        for (secret, name) in secrets {
            end_with_input(&mut workspace.command(&["secrets", "set", secret]), played.told(name)).must_end_with(0);
        }
        if place.is_some() {
            workspace.run_text(&BASE.replace("ENGINE", &engine.to_string())).must_end_with(0);
        }
        let api = MEMBERS.replace("type: rest", "type: rest\n    rate_limiting: 100000_requests_per_minute");
        workspace.run_text(&api).must_end_with(0);
        let file = workspace.path().join("people.yaml");
        fs::write(&file, PEOPLE).unwrap();
        agree(&workspace, file.to_str().unwrap(), address);
        end(workspace.command(&["run"]).arg(&file)).must_end_with(0);
        let shared =
            end(&mut workspace.command(&["secrets", "export", "AUTH_SECRET", "--stdout"])).must_end_with(0).stdout;
        let shared = shared.trim().split_once('=').unwrap().1.trim_matches('\'').to_owned();
        let start = |kind: Kind| {
            let mut command = Server::command(kind, &workspace);
            if kind == Kind::Node {
                command.env("AUTH_SECRET", &shared).env("AGREED_API_BASE", address);
                command.envs(secrets.map(|(secret, name)| (secret, played.told(name))));
            }
            Server::of(&mut command)
        };
        let told = |path: &str| -> serde_json::Value {
            let host = address.trim_start_matches("http://").parse().unwrap();
            serde_json::from_slice(&ask(host, &get(path), "").unwrap().body).unwrap()
        };
        let mut number = 0;
        let mut servers = vec![start(Kind::Native), start(Kind::Node)];
        let mut happens = |servers: &[Server]| {
            for _ in 0..25 {
                for server in servers {
                    number += 1;
                    assert_eq!(ask(server.address, &member(number), "").unwrap().status, 201, "{}", server.log());
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            let delivered = "SELECT count(*) FROM outbox_deliveries WHERE state = 'delivered'";
            wait_until(&servers[1], || workspace.query(delivered)[0][0] == number.to_string());
            for server in servers {
                let metrics = String::from_utf8(ask(server.address, &get("/metrics"), "").unwrap().body).unwrap();
                let counted = "delivery_attempts_total{integration=\"people\",outcome=\"delivered\"}";
                assert!(metrics.contains(counted), "{engine}: one of them does nothing: {metrics}");
            }
        };
        happens(&servers);
        servers = vec![start(Kind::Native), start(Kind::Node)];
        agree(&workspace, "people", address);
        happens(&servers);
        // Also whoever only looks whether the provider takes the credentials, while they run.
        end(workspace.command(&["run"]).arg(&file)).must_end_with(0);
        happens(&servers);

        let requests = told("/_simulator/requests")["requests"].as_array().unwrap().clone();
        let tokens: Vec<&serde_json::Value> =
            requests.iter().filter(|came| came["path"] == "/oauth/v1/token").collect();
        assert!(tokens.len() >= 6 && tokens.iter().all(|came| came["status"] == 200), "{engine}: {tokens:?}");
        let effects = told("/_simulator/effects");
        assert_eq!(
            (&effects["total"], &effects["most_of_one_key"]),
            (&number.into(), &1.into()),
            "{engine}: {effects}"
        );
        // Neither token can be read by whoever only has the database.
        let kept = workspace.query("SELECT name, sealed FROM outbox_tokens");
        assert!(kept.len() == 1 && kept[0][0].starts_with("people/consent/Live/"), "{kept:?}");
        assert!(!kept[0][1].contains("access") && kept[0][1].len() > 100, "{kept:?}");
    }
}

/// The same without any provider: one that is played asks, is agreed to, and its token is taken.
#[test]
fn somebody_agrees_at_a_provider_that_is_played() {
    let (workspace, played) = agreed();
    let address = played.told("address");
    fs::write(workspace.path().join("producer.toml"), format!("[simulated]\nagreed = \"{address}\"\n")).unwrap();
    for name in ["client_id", "client_secret"] {
        let secret = format!("AGREED_{}", name.to_uppercase());
        end_with_input(&mut workspace.command(&["secrets", "set", &secret]), played.told(name)).must_end_with(0);
    }
    let asks = workspace.run_text(PEOPLE).must_end_with(3).response();
    assert_eq!(asks["error"]["code"], "credentials_missing");
    let file = workspace.path().join("people.yaml");
    fs::write(&file, PEOPLE).unwrap();
    agree(&workspace, file.to_str().unwrap(), address);
    let ran = workspace.run_text(PEOPLE).must_end_with(0).response();
    assert_eq!(ran["output"]["integrations"][0]["status"], "simulated", "{ran}");
}

/// With `--sandbox` nobody has to: what plays the provider agrees by itself, its tokens are used and renewed, and none of it is kept.
#[test]
fn a_provider_that_is_played_for_a_task_is_agreed_to_by_itself() {
    // Tokens there hold for an hour: each is renewed a second after it was got.
    let workspace = with_agreed(3_599);
    workspace.run_text(MEMBERS).must_end_with(0);
    let file = workspace.path().join("people.yaml");
    fs::write(&file, PEOPLE).unwrap();
    let run = |more: &[&str]| end(workspace.command(&["run"]).arg(&file).args(more));
    let ran = run(&["--sandbox"]).must_end_with(0).response();
    assert_eq!(ran["output"]["integrations"][0]["status"], "simulated", "{ran}");
    let takes = |check: &&serde_json::Value| check["check"] == "Agreed takes the credentials";
    assert_eq!(ran["verification"].as_array().unwrap().iter().find(takes).unwrap()["outcome"], "simulated", "{ran}");
    let nobody = end(&mut connect(&workspace, "people", &[])).must_end_with(1).stderr;
    assert!(nobody.contains("Agreed is only played for this task, and agrees by itself"), "{nobody}");

    let server = Server::start(Kind::Native, &workspace);
    let delivered =
        || workspace.query("SELECT count(*) FROM outbox_deliveries WHERE state = 'delivered'")[0][0].clone();
    for number in 1..=3 {
        assert_eq!(ask(server.address, &member(number), "").unwrap().status, 201);
        wait_until(&server, || delivered() == number.to_string());
        std::thread::sleep(Duration::from_millis(1_100));
    }
    let log = server.log();
    let played = log.split_once("Agreed is played at http://").unwrap().1.split(';').next().unwrap();
    let told = |path: &str| -> serde_json::Value {
        serde_json::from_slice(&ask(played.parse().unwrap(), &get(path), "").unwrap().body).unwrap()
    };
    assert_eq!(told("/_simulator/objects/person")["objects"].as_array().unwrap().len(), 3);
    let requests = told("/_simulator/requests")["requests"].clone();
    let asked = |path: &str| requests.as_array().unwrap().iter().filter(|came| came["path"] == path).count();
    assert_eq!((asked("/oauth/authorize"), asked("/oauth/v1/token")), (1, 3), "{requests}");
    assert!(requests.as_array().unwrap().iter().all(|came| came["status"] != 401), "{requests}");
    // Nothing of it counts where the provider itself is meant.
    let listed = end(&mut workspace.command(&["secrets", "list"])).must_end_with(0).stdout;
    assert!(!listed.contains("token/") && !listed.contains("agreement/"), "{listed}");
    let asks = run(&[]).must_end_with(3).response();
    assert!(asks["error"]["message"].as_str().unwrap().contains("somebody who agrees at Agreed"), "{asks}");
}

#[test]
fn whoever_has_no_browser_here_copies_where_it_was_led() {
    let Some(provider) = Provider::start() else { return };
    let workspace = workspace(&provider);
    let file = workspace.path().join("crm.yaml");
    // The address is printed first, and what is copied comes behind it.
    let copied = |more: &[&str], copy: &dyn Fn(&str) -> String| {
        let mut command = connect(&workspace, file.to_str().unwrap(), &["--paste"]);
        command.args(more).stdin(Stdio::piped());
        let mut waiting = Waiting::begin(command);
        let copied = copy(&waiting.url);
        waiting.child.stdin.take().unwrap().write_all(copied.as_bytes()).unwrap();
        waiting.end()
    };
    let says = |ended: Ended, words: &str| assert!(ended.stderr.contains(words), "{}", ended.stderr);
    says(copied(&[], &|url| provider.leads(url, "&no=1")).must_end_with(1), "the person said no (access_denied)");
    says(copied(&[], &|_| "what?".to_owned()).must_end_with(1), "there is no `code` in it");
    let other = copied(&[], &|url| provider.leads(url, "").replace("state=", "state=x"));
    says(other.must_end_with(1), "another question");
    let late = copied(&[], &|url| {
        let back = provider.leads(url, "");
        std::thread::sleep(Duration::from_millis(3_500));
        back
    });
    says(late.must_end_with(1), "(invalid_grant)");
    let unknown = copied(&["--redirect", "https://shop.example/back"], &|_| String::new());
    assert_eq!(unknown.status, Some(1));
    // The code alone is enough: it is of no use to whoever has not asked for it.
    let good = copied(&[], &|url| {
        let back = provider.leads(url, "");
        let (_, code) = back.split_once("code=").unwrap();
        code.split('&').next().unwrap().to_owned()
    });
    assert!(good.must_end_with(0).stderr.contains("connected with Salesforce"));
    end(workspace.command(&["run"]).arg(&file)).must_end_with(0);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = end(&mut connect(&workspace, "crm", &["--listen", &address])).must_end_with(1);
    says(ended, "name another address with `--listen`");
    let open = end(&mut connect(&workspace, "crm", &["--listen", "0.0.0.0:0"])).must_end_with(1);
    says(open, "it can be reached from other machines");
    says(end(&mut connect(&workspace, "nobody", &[])).must_end_with(1), "nobody");
}
