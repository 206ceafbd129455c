//! A checkout and a subscription from beginning to end: somebody buys, the order is made once with what its things cost here, the provider (played
//! beside the test) takes the payment, and the order is paid. On every engine, and on both servers.

mod own;

use crate::harness::client::{ask, get, post};
use crate::harness::played::Played;
use crate::harness::schema::{self, Schema};
use crate::harness::server::Server;
use crate::harness::workspace::{Workspace, end_with_input, query};
use crate::harness::{Sample, repository};
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use store::{Location, Store};
use vocab::{Datum, Engine};

const SHOP: &str = "task_id: integration_2025_002\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    environment: development\n    schema_requirements:\n      tables: [users, orders, products, plans, subscriptions]\n      relationships: [users_to_orders, orders_to_products, users_to_subscriptions, plans_to_subscriptions]\n";
const ABACUS: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000000a";
const SLATE: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000000b";
const DRAFT: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000000c";
const FOREIGN: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000000d";
const RARE: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000000e";
const TEAM: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000001a";
const WITHDRAWN: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000001b";
const PRICED: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000001d";
const TRIAL: &str = "019c0f3e-7b1a-7c3d-8e5f-00000000001c";

/// As many of each product as anybody buys here.
const PILE: u32 = 1000;

/// A shop with its products, a Stripe that is played, and a server.
struct Shop {
    workspace: Workspace,
    stripe: Option<Played>,
    site: SocketAddr,
    /// What was done at the provider before anybody bought.
    before: u64,
    _place: Option<Schema>,
}

impl Shop {
    /// None where the engine cannot be had, which is said.
    fn open(engine: Engine, test: &str) -> Option<Self> {
        let mut workspace = Workspace::of(Sample::ContactNewsletter);
        let place = match engine {
            Engine::Sqlite => None,
            Engine::PostgreSql | Engine::MySql | Engine::MongoDb => Some(Schema::empty(engine, test)?),
        };
        workspace.url = place.as_ref().map(Schema::url);
        let shop = match engine {
            Engine::Sqlite => SHOP.to_owned(),
            Engine::PostgreSql | Engine::MySql | Engine::MongoDb => {
                SHOP.replace("type: sqlite", &format!("type: {engine}\n    connection: \"${{env:DATABASE_OF_TEST}}\""))
            }
        };
        workspace.run_text(&shop).must_end_with(0);
        let site = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut shop = Self { workspace, stripe: None, site, before: 0, _place: place };
        let key = shop.play().told("secret_key").to_owned();
        end_with_input(&mut shop.workspace.command(&["secrets", "set", "STRIPE_SECRET_KEY"]), &key).must_end_with(0);
        let task = fs::read_to_string(repository("tests/cases/tasks/stripe-payments.yaml")).unwrap();
        let asked = task.replace("\"form_submission\"", "\"order_refund\", \"subscription\"");
        assert_ne!(asked, task);
        shop.workspace.run_text(&asked).must_end_with(0);
        for (id, name, price, status, currency) in [
            (ABACUS, "Abacus", "24.90", "active", "USD"),
            (SLATE, "Slate", "0.35", "active", "USD"),
            (DRAFT, "Draft", "1.00", "draft", "USD"),
            (FOREIGN, "Foreign", "5000", "active", "UGX"),
        ] {
            shop.sells(engine, id, name, price, status, currency);
        }
        for (id, name, price, is_offered, trial_days) in [
            (TEAM, "Team", "29.00", true, 0),
            (WITHDRAWN, "Withdrawn", "1.00", false, 0),
            (TRIAL, "Trial", "9.00", true, 14),
        ] {
            shop.offers(engine, id, name, price, is_offered, trial_days);
        }
        shop.offers(engine, PRICED, "Priced", "1.00", true, 0);
        let price = shop.price();
        shop.write(format!("UPDATE plans SET provider_price_id = '{price}' WHERE id = '{PRICED}'"));
        shop.before = shop.effects().0;
        Some(shop)
    }

    /// Plays Stripe, with the same key each time.
    fn play(&mut self) -> &Played {
        let stripe = Played::start(&self.workspace, "stripe", &["--seed", "7"]);
        let (site, address) = (self.site, stripe.told("address"));
        let settings = format!("public_url = \"http://{site}\"\n[simulated]\nstripe = \"{address}\"\n");
        fs::write(self.workspace.path().join("producer.toml"), settings).unwrap();
        self.before = 0;
        self.stripe.insert(stripe)
    }

    fn sells(&self, engine: Engine, id: &str, name: &str, price: &str, status: &str, currency: &str) {
        let price = kept(engine, price);
        self.write(format!(
            "INSERT INTO products (id, name, price, status, currency, stock) VALUES ('{id}', '{name}', {price}, '{status}', '{currency}', {PILE})"
        ));
    }

    fn offers(&self, engine: Engine, id: &str, name: &str, price: &str, is_offered: bool, trial_days: u32) {
        let price = kept(engine, price);
        let is_offered =
            if engine == Engine::Sqlite { u8::from(is_offered).to_string() } else { is_offered.to_string() };
        self.write(format!(
            "INSERT INTO plans (id, name, price, currency, active, trial_days) VALUES ('{id}', '{name}', {price}, 'GBP', {is_offered}, {trial_days})"
        ));
    }

    fn write(&self, statement: String) {
        tokio::runtime::Runtime::new().unwrap().block_on(self.store().transaction_of(statement));
    }

    fn store(&self) -> Open {
        Open(match &self.workspace.url {
            Some(url) => schema::open(url),
            None => Store::open(&Location::File(self.file())).unwrap(),
        })
    }

    fn file(&self) -> std::path::PathBuf {
        self.workspace.path().join(".producer/data/development_db.sqlite")
    }

    fn rows(&self, statement: &str) -> Vec<Vec<String>> {
        let Some(url) = &self.workspace.url else { return query(&self.file(), statement) };
        let shown = |row: store::Row| row.iter().map(Datum::plain).collect();
        schema::ask(url, statement).into_iter().map(shown).collect()
    }

    fn count(&self, table: &str) -> usize {
        self.rows(&format!("SELECT id FROM {table}")).len()
    }

    fn serve(&self) -> Server {
        Server::of(&mut self.workspace.command(&["serve", "--listen", &self.site.to_string()]))
    }

    /// `node server.js` of the provider's task beside it.
    fn node(&self) -> Option<Server> {
        self.node_of("integration_2025_003", &[])
    }

    /// `node server.js` of a task.
    fn node_of(&self, task: &str, variables: &[(&str, String)]) -> Option<Server> {
        let modules = crate::harness::server::node_modules()?;
        let application = self.workspace.path().join(format!("output/integration/task_{task}"));
        let link = application.join("node_modules");
        if !link.exists() {
            std::os::unix::fs::symlink(modules, link).unwrap();
        }
        let url = self.workspace.url.clone().unwrap_or_else(|| format!("file:{}", self.file().display()));
        let mut command = std::process::Command::new("node");
        command.arg("server.js").current_dir(application).env_remove("NODE_OPTIONS");
        command.env("HOST", "127.0.0.1").env("PORT", "0").env("DATABASE_URL", url).envs(variables.iter().cloned());
        command.env("PUBLIC_URL", format!("http://{}", self.site));
        let stripe = self.stripe.as_ref()?;
        command.env("STRIPE_SECRET_KEY", stripe.told("secret_key")).env("STRIPE_API_BASE", stripe.told("address"));
        Some(Server::of(&mut command))
    }

    fn stripe(&self) -> SocketAddr {
        self.stripe.as_ref().unwrap().told("address").trim_start_matches("http://").parse().unwrap()
    }

    /// What was done at the provider: how often, and how often at most under one key.
    fn effects(&self) -> (u64, u64) {
        let effects = read(&ask(self.stripe(), &get("/_simulator/effects"), "").unwrap());
        (effects["total"].as_u64().unwrap() - self.before, effects["most_of_one_key"].as_u64().unwrap_or_default())
    }

    /// A price that somebody makes at the provider.
    fn price(&self) -> String {
        let mut made = post("/v1/prices", None, "currency=eur&unit_amount=2100&recurring[interval]=month");
        made.headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let key = self.stripe.as_ref().unwrap().told("secret_key");
        made.headers.insert("authorization".to_owned(), format!("Bearer {key}"));
        read(&ask(self.stripe(), &made, "").unwrap())["id"].as_str().unwrap().to_owned()
    }

    fn pay(&self, session: &Json) {
        self.happens("pay", session);
    }

    /// What somebody does at the provider; what it is done to, as it is then.
    fn happens(&self, act: &str, id: &Json) -> Json {
        let done = post(&format!("/_simulator/acts/{act}"), None, &json!({ "id": id }).to_string());
        let done = ask(self.stripe(), &done, "").unwrap();
        assert_eq!(done.status, 200, "{act}: {}", read(&done));
        read(&done)
    }

    fn faults(&self, faults: &Json) {
        let set = post("/_simulator/faults", None, &json!({ "faults": faults }).to_string());
        assert!(ask(self.stripe(), &set, "").unwrap().status < 300);
    }
}

/// A price as the engine keeps it.
fn kept(engine: Engine, price: &str) -> String {
    match engine {
        // In units.
        Engine::Sqlite => vocab::Decimal::parse(price, 2).unwrap().units().to_string(),
        Engine::PostgreSql | Engine::MySql | Engine::MongoDb => price.to_owned(),
    }
}

struct Open(Store);

impl Open {
    async fn transaction_of(self, statement: String) {
        let work = self.0.transaction(move |mut transaction| {
            Box::pin(async move { Ok(store::Ended::Commit(transaction.execute(&statement, &[]).await?)) })
        });
        work.await.unwrap();
    }
}

fn read(answer: &Answer) -> Json {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn basket(items: &Json) -> Json {
    json!({ "email": "ada@example.com", "name": "Ada Lovelace", "items": items })
}

fn checkout(body: &Json, key: Option<&str>) -> CaseRequest {
    let mut request = post("/api/checkout", None, &body.to_string());
    request.headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_owned())));
    request
}

fn within<T>(what: &str, server: &Server, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 90, "{what}: {}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Buys, pays, and sees the order paid; the second server makes its order on the same database meanwhile.
fn somebody_buys(engine: Engine) {
    let Some(shop) = Shop::open(engine, "checkout") else { return };
    let server = shop.serve();
    let node = shop.node();
    let servers = [Some(server.address), node.as_ref().map(|node| node.address)];
    for (number, address) in servers.into_iter().flatten().enumerate() {
        let body = basket(&json!([{ "product_id": ABACUS, "quantity": 2 }, { "product_id": SLATE, "quantity": 3 }]));
        let key = format!("order-{number}");
        let made = ask(address, &checkout(&body, Some(&key)), "").unwrap();
        let order = read(&made);
        assert_eq!(made.status, 201, "{order}\n{}", server.log());
        let id = order["id"].as_str().unwrap();
        assert_eq!(
            (&order["total"], &order["currency"], &order["status"]),
            (&"50.85".into(), &"USD".into(), &"pending".into())
        );
        assert_eq!(
            made.headers.iter().find(|(name, _)| *name == "location").unwrap().1,
            &format!("/api/checkout/{id}")
        );
        assert!(order["url"].as_str().unwrap().contains("/c/pay/"), "{order}");

        // Sent again, it is answered again, and nothing is done twice.
        let again = ask(address, &checkout(&body, Some(&key)), "").unwrap();
        assert_eq!((again.status, read(&again)), (201, order.clone()));
        assert!(again.headers.iter().any(|(name, value)| name == "idempotency-replayed" && value == "true"));
        let other = ask(address, &checkout(&basket(&json!([{ "product_id": SLATE, "quantity": 1 }])), Some(&key)), "");
        assert_eq!(other.unwrap().status, 422);

        // Where somebody comes back to is a page of ours.
        for (path, content_type) in [
            ("/checkout/success", "text/html"),
            ("/checkout/cancelled", "text/html"),
            ("/checkout/page.js", "text/javascript"),
        ] {
            let page = ask(address, &get(&format!("{path}?order_id={id}")), "").unwrap();
            assert!(page.status == 200 && page.headers["content-type"].starts_with(content_type), "{path}");
            let body = String::from_utf8(page.body).unwrap();
            assert!(content_type != "text/html" || body.contains("order_id=/api/checkout/ subscription_id="), "{body}");
        }

        shop.pay(&order["session_id"]);
        let stands = within("it is not paid", &server, || {
            let stands = read(&ask(address, &get(&format!("/api/checkout/{id}")), "").unwrap());
            (stands["status"] == "paid").then_some(stands)
        });
        assert_eq!((&stands["total"], &stands["url"]), (&order["total"], &order["url"]));
        gives_back(&shop, address, &server, id);
        let lines = shop.rows(&format!(
            "SELECT product_name, quantity FROM order_items WHERE order_id = '{id}' ORDER BY product_name"
        ));
        assert_eq!(lines, [["Abacus", "2"], ["Slate", "3"]]);
        subscribes(&shop, address, &server);
    }
    let orders = servers.into_iter().flatten().count();
    assert_eq!((shop.count("orders"), shop.count("users")), (orders, 1), "one buyer, whoever served him");
    // A page for each order, and the money back in two parts; a page for each of three subscriptions, the end of one, and what was
    // thought of another one three times.
    assert_eq!(shop.effects(), (10 * orders as u64, 1));
    let servers: Vec<SocketAddr> = servers.into_iter().flatten().collect();
    sells_out(&shop, engine, &servers, &server);
}

/// What there is of something is sold and no more, however many ask at once and wherever; what is not paid in time is there again.
fn sells_out(shop: &Shop, engine: Engine, servers: &[SocketAddr], server: &Server) {
    shop.sells(engine, RARE, "Rare", "7.00", "active", "USD");
    shop.write(format!("UPDATE products SET stock = 5 WHERE id = '{RARE}'"));
    let left = || shop.rows(&format!("SELECT stock FROM products WHERE id = '{RARE}'"))[0][0].clone();
    let buy = |number: usize, items: Json| {
        let address = servers[number % servers.len()];
        let answer = ask(address, &checkout(&basket(&items), None), "").unwrap();
        (answer.status, read(&answer))
    };
    let both = || json!([{ "product_id": SLATE, "quantity": 1 }, { "product_id": RARE, "quantity": 1 }]);
    let answers: Vec<(u16, Json)> = std::thread::scope(|scope| {
        let buyers: Vec<_> = (0..12).map(|number| scope.spawn(move || buy(number, both()))).collect();
        buyers.into_iter().map(|buyer| buyer.join().unwrap()).collect()
    });
    let sold: Vec<&Json> = answers.iter().filter(|(status, _)| *status == 201).map(|(_, order)| order).collect();
    assert_eq!((sold.len(), left()), (5, "0".to_owned()), "{answers:?}");
    for (status, problem) in answers.iter().filter(|(status, _)| *status != 201) {
        let error = &problem["errors"][0];
        assert_eq!((*status, &problem["type"]), (409, &"urn:problem-type:out-of-stock".into()), "{problem}");
        assert_eq!((&error["pointer"], &error["code"]), (&"/items/1/quantity".into(), &"out_of_stock".into()));
    }
    // Nothing of what was not sold is gone: each of the five has taken one. What was paid back whole is there again.
    let slates = || shop.rows(&format!("SELECT stock FROM products WHERE id = '{SLATE}'"))[0][0].clone();
    assert_eq!(slates(), (PILE - 5).to_string());

    // One is not paid in time. Whoever says so twice gives nothing back twice.
    shop.faults(&json!(["duplicate_webhook"]));
    shop.happens("expire", &sold[0]["session_id"]);
    within("nothing is there again", server, || (left() == "1").then_some(()));
    assert_eq!(buy(0, both()).0, 201);
    assert_eq!(left(), "0");

    // The payment of one fails days later, which is said twice, and before it is said that it had begun.
    shop.faults(&json!(["duplicate_webhook", "reordered_webhooks"]));
    shop.happens("decline", &sold[1]["session_id"]);
    let status =
        |order: &Json| shop.rows(&format!("SELECT status FROM orders WHERE id = '{}'", order["id"].as_str().unwrap()));
    within("what was not paid is not there again", server, || (left() == "1").then_some(()));
    let heard = || shop.rows("SELECT id FROM outbox_events WHERE name = 'payment_pending'").len();
    within("the beginning is not heard", server, || (heard() == 1).then_some(()));
    shop.faults(&json!([]));
    assert_eq!(
        (left(), slates(), status(sold[1])),
        ("1".to_owned(), (PILE - 4).to_string(), vec![vec!["cancelled".to_owned()]])
    );

    // Nobody counts it: as many are sold as anybody wants, and what is counted later did not have it.
    shop.write(format!("UPDATE products SET stock = NULL WHERE id = '{RARE}'"));
    let (answer, many) = buy(1, json!([{ "product_id": RARE, "quantity": 40 }]));
    assert_eq!(
        (answer, shop.rows(&format!("SELECT stock FROM products WHERE stock IS NULL AND id = '{RARE}'")).len()),
        (201, 1)
    );
    shop.write(format!("UPDATE products SET stock = 3 WHERE id = '{RARE}'"));
    shop.happens("expire", &many["session_id"]);
    within("it is not given up", server, || (status(&many) == [["cancelled"]]).then_some(()));
    assert_eq!(left(), "3");
}

/// Somebody subscribes, falls behind, pays, and ends it; what comes late, twice, or in another order changes nothing of that.
fn subscribes(shop: &Shop, address: SocketAddr, server: &Server) {
    let ask = |request: &CaseRequest| ask(address, request, "").unwrap();
    let subscribe = |plan: &str| {
        let body = json!({ "email": "ada@example.com", "plan_id": plan, "quantity": 2 });
        ask(&post("/api/subscriptions/checkout", None, &body.to_string()))
    };
    let nobody = "019c0f3e-7b1a-7c3d-8e5f-0000000000ff";
    for (plan, code) in [(nobody, "unknown_reference"), (WITHDRAWN, "inconsistent")] {
        let problem = subscribe(plan);
        let error = &read(&problem)["errors"][0];
        assert_eq!((problem.status, &error["pointer"], &error["code"]), (422, &"/plan_id".into(), &code.into()));
    }
    let made = subscribe(TEAM);
    let told = read(&made);
    assert_eq!(made.status, 201, "{told}\n{}", server.log());
    assert_eq!(
        (&told["status"], &told["price"], &told["currency"]),
        (&"incomplete".into(), &"29.00".into(), &"GBP".into())
    );
    let id = told["id"].as_str().unwrap();
    // Looked at where it is kept: requests are limited.
    let stands = || {
        let row = format!("SELECT status, current_period_ends_on FROM subscriptions WHERE id = '{id}'");
        <[String; 2]>::try_from(shop.rows(&row).remove(0)).unwrap()
    };
    let becomes = |status: &str| {
        within(&format!("it is not {status}"), server, || (stands()[0] == status).then_some(()));
    };
    let key = shop.workspace.create_key();
    let cancel = |key: Option<&str>| ask(&post(&format!("/api/subscriptions/{id}/cancel"), key, ""));
    let early = cancel(Some(&key));
    assert_eq!((early.status, &read(&early)["type"]), (409, &"urn:problem-type:wrong-state".into()));

    let there = shop.happens("subscribe", &told["session_id"])["subscription"].clone();
    becomes("active");
    let told = read(&ask(&get(&format!("/api/subscriptions/checkout/{id}"))));
    let ends = stands()[1].clone();
    assert_eq!((&told["status"], &told["current_period_ends_on"]), (&"active".into(), &ends.as_str().into()));

    // What the provider says first comes last, and twice.
    let failures = || shop.rows("SELECT id FROM outbox_events WHERE name = 'subscription_payment_failed'").len();
    let before = failures();
    shop.faults(&json!(["reordered_webhooks", "duplicate_webhook"]));
    shop.happens("fall_behind", &there);
    shop.faults(&json!([]));
    std::thread::sleep(Duration::from_millis(1050));
    shop.happens("renew", &there);
    within("it is not renewed", server, || (stands()[1] > ends).then_some(()));
    within("the failure is not heard", server, || (failures() > before).then_some(()));
    assert_eq!((failures(), stands()[0].as_str()), (before + 1, "active"));
    std::thread::sleep(Duration::from_millis(1050));
    shop.happens("fall_behind", &there);
    becomes("past_due");

    assert_eq!(cancel(None).status, 401);
    let ended = cancel(Some(&key));
    assert_eq!((ended.status, &read(&ended)["state"]), (200, &"canceled".into()), "{}", read(&ended));
    becomes("cancelled");
    assert_eq!(cancel(Some(&key)).status, 409);

    is_of_a_price_of_the_provider(shop, address, server, &key);

    let tried = read(&subscribe(TRIAL));
    shop.happens("try_out", &tried["session_id"]);
    let row = format!("SELECT status FROM subscriptions WHERE id = '{}'", tried["id"].as_str().unwrap());
    within("it is not tried out", server, || (shop.rows(&row) == [["trialing"]]).then_some(()));
}

/// A plan may name a price that was made at the provider; what was begun with it ends with its period, unless somebody thinks better of
/// it.
fn is_of_a_price_of_the_provider(shop: &Shop, address: SocketAddr, server: &Server, key: &str) {
    let ask = |request: &CaseRequest| ask(address, request, "").unwrap();
    let body = json!({ "email": "ada@example.com", "plan_id": PRICED, "quantity": 2 });
    let made = ask(&post("/api/subscriptions/checkout", None, &body.to_string()));
    let told = read(&made);
    assert_eq!(made.status, 201, "{told}\n{}", server.log());
    let kept =
        read(&crate::harness::client::ask(shop.stripe(), &get("/_simulator/objects/checkout_session"), "").unwrap());
    let of = |session: &&Json| session["id"] == told["session_id"];
    let session = kept["objects"].as_array().unwrap().iter().find(of).unwrap();
    // What the price says, and not what the plan would.
    assert_eq!((&session["amount_total"], &session["currency"]), (&4200.into(), &"eur".into()), "{session}");

    let id = told["id"].as_str().unwrap();
    let there = shop.happens("subscribe", &told["session_id"])["subscription"].clone();
    let stands = || read(&ask(&get(&format!("/api/subscriptions/checkout/{id}"))));
    let becomes = |status: &str, ends: bool| {
        let is = || {
            let row = format!("SELECT status, cancel_at_period_end FROM subscriptions WHERE id = '{id}'");
            let row = shop.rows(&row).remove(0);
            (row[0] == status && ["1", "true"].contains(&row[1].as_str()) == ends).then_some(())
        };
        within(&format!("it is not {status}, {ends}"), server, is);
    };
    becomes("active", false);
    let turn = |word: &str, key: Option<&str>| ask(&post(&format!("/api/subscriptions/{id}/{word}"), key, ""));
    assert_eq!(turn("cancel-at-period-end", None).status, 401);
    let ends = turn("cancel-at-period-end", Some(key));
    let said = read(&ends);
    assert_eq!(
        (ends.status, &said["state"], &said["ends_with_period"]),
        (200, &"active".into(), &true.into()),
        "{said}"
    );
    becomes("active", true);
    assert_eq!((&stands()["cancel_at_period_end"], &stands()["status"]), (&true.into(), &"active".into()));
    // A later second: of one second nobody could tell which came first.
    std::thread::sleep(Duration::from_millis(1050));
    assert_eq!(turn("resume", Some(key)).status, 200);
    becomes("active", false);
    std::thread::sleep(Duration::from_millis(1050));
    shop.faults(&json!(["duplicate_webhook", "reordered_webhooks"]));
    assert_eq!(turn("cancel-at-period-end", Some(key)).status, 200);
    becomes("active", true);
    shop.happens("end_period", &there);
    becomes("cancelled", true);
    shop.faults(&json!([]));
    assert_eq!(turn("resume", Some(key)).status, 409);
}

/// What was paid is given back: a part, then the rest.
fn gives_back(shop: &Shop, address: SocketAddr, server: &Server, id: &str) {
    let key = shop.workspace.create_key();
    let path = format!("/api/orders/{id}/refunds");
    let give = |body: Json, key: Option<&str>| ask(address, &post(&path, key, &body.to_string()), "").unwrap();
    assert_eq!(give(json!({}), None).status, 401);
    for (amount, code) in [("50.86", "inconsistent"), ("0", "range")] {
        let refused = give(json!({ "amount": amount }), Some(&key));
        assert_eq!((refused.status, &read(&refused)["errors"][0]["code"]), (422, &code.into()));
    }
    let part = give(json!({ "amount": "10.00" }), Some(&key));
    let told = read(&part);
    assert_eq!((part.status, &told["amount"], &told["status"]), (201, &"10.00".into(), &"succeeded".into()), "{told}");
    let state = || read(&ask(address, &get(&format!("/api/checkout/{id}")), "").unwrap())["status"].clone();
    assert_eq!(state(), "paid", "a part is no refund of the order");
    // More than is left, and not more than it cost: only the provider knows that.
    let beyond = give(json!({ "amount": "40.86" }), Some(&key));
    assert_eq!((beyond.status, read(&beyond)["type"].clone()), (502, "urn:problem-type:service-refused".into()));
    assert_eq!(state(), "paid");
    assert_eq!(give(json!({ "amount": "40.85" }), Some(&key)).status, 201);
    within("it is not refunded", server, || (state() == "refunded").then_some(()));
    let again = give(json!({}), Some(&key));
    assert_eq!((again.status, read(&again)["type"].clone()), (409, "urn:problem-type:wrong-state".into()));
    let path = "/api/orders/019c0f3e-7b1a-7c3d-8e5f-0000000000ff/refunds";
    assert_eq!(ask(address, &post(path, Some(&key), "{}"), "").unwrap().status, 404);
}

/// A task may send people to a page of its own; only the page that it does not name is ours then.
#[test]
fn people_come_back_to_the_page_of_the_task() {
    let shop = Shop::open(Engine::Sqlite, "own page").unwrap();
    let task = fs::read_to_string(repository("tests/cases/tasks/stripe-payments.yaml")).unwrap();
    let line = "    provider: \"stripe\"\n";
    let own = "    credentials: { success_url: \"https://shop.example/thanks?from=shop\" }\n";
    let task = task.replace(line, &format!("{line}{own}"));
    assert!(task.contains(own));
    shop.workspace.run_text(&task).must_end_with(0);
    let (server, node) = (shop.serve(), shop.node());
    for address in [Some(server.address), node.as_ref().map(|node| node.address)].into_iter().flatten() {
        let status = |path: &str| ask(address, &get(path), "").unwrap().status;
        assert_eq!((status("/checkout/success?order_id=x"), status("/checkout/cancelled?order_id=x")), (404, 200));
        assert_eq!((status("/checkout/page.js"), status("/checkout/page.css")), (200, 200), "what our page needs");
        let body = basket(&json!([{ "product_id": ABACUS, "quantity": 1 }]));
        let order = read(&ask(address, &checkout(&body, None), "").unwrap());
        let id = order["id"].as_str().unwrap_or_else(|| panic!("{order}"));
        let kept = read(&ask(shop.stripe(), &get("/_simulator/objects/checkout_session"), "").unwrap());
        let session =
            kept["objects"].as_array().unwrap().iter().find(|kept| kept["id"] == order["session_id"]).unwrap();
        let ours = format!("http://{}/checkout/cancelled?order_id={id}", shop.site);
        assert_eq!(session["success_url"], format!("https://shop.example/thanks?from=shop&order_id={id}"));
        assert_eq!(session["cancel_url"], ours);
        // Where its button leads, whoever has paid is led.
        shop.pay(&order["session_id"]);
    }
}

/// The application needs no other server beside it.
#[test]
fn somebody_buys_where_only_the_application_runs() {
    let shop = Shop::open(Engine::Sqlite, "application").unwrap();
    let Some(node) = shop.node() else { return };
    let body = basket(&json!([{ "product_id": ABACUS, "quantity": 1 }]));
    let made = ask(node.address, &checkout(&body, Some("alone")), "").unwrap();
    let order = read(&made);
    assert_eq!((made.status, &order["total"]), (201, &"24.90".into()), "{order}\n{}", node.log());
    let stands =
        read(&ask(node.address, &get(&format!("/api/checkout/{}", order["id"].as_str().unwrap())), "").unwrap());
    assert_eq!((&stands["status"], &stands["url"]), (&"pending".into(), &order["url"]));
    assert_eq!(shop.effects(), (1, 1));
}

#[test]
fn somebody_buys_on_sqlite() {
    somebody_buys(Engine::Sqlite);
}

#[test]
fn somebody_buys_on_postgresql() {
    somebody_buys(Engine::PostgreSql);
}

#[test]
fn somebody_buys_on_mysql() {
    somebody_buys(Engine::MySql);
}

/// What cannot be sold is refused with the place of what is wrong, and nothing is left of it.
#[test]
fn what_cannot_be_sold_is_refused_and_leaves_nothing() {
    let shop = Shop::open(Engine::Sqlite, "refusals").unwrap();
    let server = shop.serve();
    let node = shop.node();
    let one = |product: &str, quantity: i64| json!([{ "product_id": product, "quantity": quantity }]);
    let nobody = "019c0f3e-7b1a-7c3d-8e5f-0000000000ff";
    for (items, pointer, code) in [
        (one(nobody, 1), "/items/0/product_id", "unknown_reference"),
        (one(DRAFT, 1), "/items/0/product_id", "inconsistent"),
        (one(FOREIGN, 1), "/items/0/product_id", "inconsistent"),
        (one(ABACUS, 0), "/items/0/quantity", "range"),
        (one("abacus", 1), "/items/0/product_id", "format"),
        (json!([]), "/items", "range"),
        (json!({}), "/items", "type"),
        (json!([{ "product_id": ABACUS, "quantity": 1 }, 7]), "/items/1", "type"),
        (
            json!([{ "product_id": ABACUS, "quantity": 1, "unit_price": "0.01" }]),
            "/items/0/unit_price",
            "unknown_field",
        ),
        (
            json!([{ "product_id": ABACUS, "quantity": 1 }, { "product_id": ABACUS, "quantity": 1 }]),
            "/items/1/product_id",
            "inconsistent",
        ),
    ] {
        for address in [Some(server.address), node.as_ref().map(|node| node.address)].into_iter().flatten() {
            let refused = ask(address, &checkout(&basket(&items), None), "").unwrap();
            let problem = read(&refused);
            assert_eq!(refused.status, 422, "{items}: {problem}");
            assert_eq!(
                (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
                (&pointer.into(), &code.into()),
                "{items}: {problem}"
            );
        }
    }
    for table in ["orders", "order_items", "users", "outbox_events"] {
        assert_eq!(shop.count(table), 0, "{table}");
    }
    assert_eq!(shop.effects().0, 0);
}

/// What the provider refuses is told, and its order is cancelled; what it does not answer is not lost.
#[test]
fn a_provider_that_refuses_or_is_silent_leaves_no_doubt() {
    let mut shop = Shop::open(Engine::Sqlite, "silence").unwrap();
    let server = shop.serve();
    let mut refused = basket(&json!([{ "product_id": FOREIGN, "quantity": 1 }]));
    refused["currency"] = "UGX".into();
    let answer = ask(server.address, &checkout(&refused, None), "").unwrap();
    assert_eq!((answer.status, read(&answer)["type"].clone()), (502, "urn:problem-type:service-refused".into()));
    assert_eq!(shop.rows("SELECT status FROM orders"), [["cancelled"]]);
    // What was refused is there again.
    assert_eq!(shop.rows(&format!("SELECT stock FROM products WHERE id = '{FOREIGN}'")), [[PILE.to_string()]]);

    shop.stripe = None;
    let body = basket(&json!([{ "product_id": ABACUS, "quantity": 1 }]));
    let taken = ask(server.address, &checkout(&body, Some("silent")), "").unwrap();
    let order = read(&taken);
    assert_eq!((taken.status, &order["status"], &order["url"]), (202, &"pending".into(), &Json::Null), "{order}");
    let again = ask(server.address, &checkout(&body, Some("silent")), "").unwrap();
    assert_eq!((again.status, read(&again)), (202, order.clone()));
    let path = format!("/api/checkout/{}", order["id"].as_str().unwrap());
    assert_eq!(read(&ask(server.address, &get(&path), "").unwrap())["url"], Json::Null);

    // It is there again and knows the same key: the order gets the page on which it is paid, and nobody has asked for it again.
    drop(server);
    shop.play();
    let server = shop.serve();
    within("it gets no page", &server, || {
        let stands = read(&ask(server.address, &get(&path), "").unwrap());
        stands["url"].is_string().then_some(())
    });
    assert_eq!((shop.count("orders"), shop.effects()), (2, (1, 1)));
}

/// The server is killed while people buy. Each sends again what was not answered, with the same key: every key has one order and one
/// page, and none is lost.
#[test]
fn a_killed_server_makes_no_order_twice() {
    let shop = Shop::open(Engine::Sqlite, "kills").unwrap();
    let body = basket(&json!([{ "product_id": ABACUS, "quantity": 1 }]));
    let mut keys = 0;
    for alive_ms in [150, 250, 400] {
        let server = shop.serve();
        let begun = Instant::now();
        while begun.elapsed().as_millis() < alive_ms {
            keys += 1;
            // Whoever is not answered does not know what came of it.
            let _ = ask(server.address, &checkout(&body, Some(&format!("key-{keys}"))), "");
            assert!(keys < 45, "the limit of requests would be passed");
            std::thread::sleep(Duration::from_millis(15));
        }
        // `kill -9`.
        drop(server);
    }
    let server = shop.serve();
    let mut orders = std::collections::BTreeSet::new();
    for key in 1..=keys {
        let answer = ask(server.address, &checkout(&body, Some(&format!("key-{key}"))), "").unwrap();
        assert!([201, 202].contains(&answer.status), "{}", read(&answer));
        orders.insert(read(&answer)["id"].as_str().unwrap().to_owned());
    }
    assert_eq!((orders.len(), shop.count("orders")), (keys, keys));
    within("not every order has its page", &server, || (shop.effects() == (keys as u64, 1)).then_some(()));
}

/// So it is where only the application runs: it is stopped while the provider is silent, and finishes when both are there again.
#[test]
fn the_application_leaves_no_doubt_either() {
    let mut shop = Shop::open(Engine::Sqlite, "silence of the application").unwrap();
    let Some(node) = shop.node() else { return };
    let mut refused = basket(&json!([{ "product_id": FOREIGN, "quantity": 1 }]));
    refused["currency"] = "UGX".into();
    let answer = ask(node.address, &checkout(&refused, None), "").unwrap();
    assert_eq!((answer.status, read(&answer)["type"].clone()), (502, "urn:problem-type:service-refused".into()));
    assert_eq!(shop.rows("SELECT status FROM orders"), [["cancelled"]]);
    assert_eq!(shop.rows(&format!("SELECT stock FROM products WHERE id = '{FOREIGN}'")), [[PILE.to_string()]]);

    let played = shop.stripe.take();
    drop(played);
    let body = basket(&json!([{ "product_id": ABACUS, "quantity": 1 }]));
    let taken = ask(node.address, &checkout(&body, Some("silent")), "").unwrap();
    let order = read(&taken);
    assert_eq!((taken.status, &order["status"], &order["url"]), (202, &"pending".into(), &Json::Null), "{order}");
    node.terminate();
    assert!(node.wait().success());
    shop.play();
    let node = shop.node().unwrap();
    let path = format!("/api/checkout/{}", order["id"].as_str().unwrap());
    within("it gets no page", &node, || {
        read(&ask(node.address, &get(&path), "").unwrap())["url"].is_string().then_some(())
    });
    assert_eq!((shop.count("orders"), shop.effects()), (2, (1, 1)));
}
