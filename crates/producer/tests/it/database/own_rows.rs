//! Rows that belong to users, on a real PostgreSQL server: the database itself shows the application those of the user alone for whom
//! it asks, whatever its statements say, and both servers ask so.

use super::roles::{Home, password, verified};
use crate::harness::client::{ask, get, post};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end};
use plan::http_case::{Answer, CaseRequest};
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::slice;
use std::thread;

/// Requests of two users at once, at each server.
const AT_ONCE: usize = 8;
const ROUNDS: usize = 25;

const API: &str = "task_id: api
task_type: setup_api
dependencies: [shop]
specifications:
  api_requirements:
    type: rest
    endpoints:
      - { path: /api/auth/login, method: POST, authentication: none }
      - { path: /api/orders, method: GET, authentication: session }
      - { path: /api/orders, method: POST, authentication: jwt_token }
      - { path: \"/api/orders/{id}\", method: PATCH, authentication: jwt_token }
      - { path: \"/api/orders/{order_id}/order_items\", method: GET, authentication: jwt_token }
      - { path: \"/api/orders/{order_id}/order_items\", method: POST, authentication: jwt_token }
      - { path: /api/all/orders, method: GET, authentication: api_key }
    rate_limiting: 100000_requests_per_minute
";

fn told(answer: &Answer) -> Json {
    serde_json::from_slice(&answer.body).unwrap()
}

/// Somebody who has signed in, at a server.
struct Caller {
    token: String,
    /// Some endpoints ask for the one, some for the other.
    cookie: String,
}

impl Caller {
    fn signed_in(place: SocketAddr, name: &str) -> Self {
        let who = json!({ "name": name, "email": format!("{name}@example.com"), "password": "engine of analysis" });
        let send = |path| ask(place, &post(path, None, &who.to_string()), "").unwrap();
        assert_eq!(send("/api/auth/register").status, 202);
        let who = json!({ "email": format!("{name}@example.com"), "password": "engine of analysis" });
        let answer = ask(place, &post("/api/auth/login", None, &who.to_string()), "").unwrap();
        let signed_in = told(&answer);
        let token = signed_in["access_token"].as_str().unwrap_or_else(|| panic!("{signed_in}")).to_owned();
        let cookie = answer.headers["set-cookie"].split(';').next().unwrap().to_owned();
        Self { token, cookie }
    }

    fn send(&self, place: SocketAddr, mut request: CaseRequest) -> Answer {
        request.headers.insert("authorization".to_owned(), format!("Bearer {}", self.token));
        request.headers.insert("cookie".to_owned(), self.cookie.clone());
        ask(place, &request, "").unwrap()
    }

    /// The id of what was made.
    fn make(&self, place: SocketAddr, path: &str, body: &Json) -> String {
        let answer = self.send(place, post(path, None, &body.to_string()));
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        told(&answer)["id"].as_str().unwrap().to_owned()
    }

    fn sees(&self, place: SocketAddr, path: &str) -> Vec<String> {
        ids(&self.send(place, get(path)))
    }
}

fn ids(answer: &Answer) -> Vec<String> {
    let answer = told(answer);
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_application_sees_the_rows_of_the_user_alone_for_whom_it_asks() {
    let Some(home) = Home::new("own_rows") else { return };
    let mut workspace = Workspace::new();
    workspace.application = workspace.path().join("output/integration/task_api");
    home.run(&workspace, "").must_end_with(0);
    let run = || home.read(&workspace, &["run", "-"], API).must_end_with(0).response();
    let checks = verified(&run());
    assert!(checks.iter().all(|check| check.ends_with(": passed")), "{checks:?}");
    assert_eq!(run()["changed"], false, "the first run leaves nothing to the second");
    assert_eq!(home.drift(&workspace), Vec::<String>::new());
    home.execute("INSERT INTO products (id, name, price) VALUES ('01900000-0000-7000-8000-00000000000a', 'Cup', 5)");

    let (app, secret) = (home.role("app"), password(&workspace, &home.role("app")));
    let start = |kind: Kind| {
        let mut command = Server::command(kind, &workspace);
        command.env("SHOP_URL", home.admin_url()).env("DATABASE_URL", home.url(&app, &secret));
        Server::of(command.env("AUTH_SECRET", "a secret of the tests"))
    };
    let servers: Vec<Server> = Kind::all_here().into_iter().map(start).collect();
    let places: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let mut create = workspace.command(&["keys", "create", "--name", "test"]);
    let key = end(create.env("SHOP_URL", home.admin_url())).must_end_with(0).stdout;
    let all_orders = |place: SocketAddr| {
        let mut request = get("/api/all/orders");
        request.headers.insert("x-api-key".to_owned(), key.trim_end().to_owned());
        ids(&ask(place, &request, "").unwrap()).len()
    };
    let (ada, grace) = (Caller::signed_in(places[0], "ada"), Caller::signed_in(places[0], "grace"));
    let last = places[places.len() - 1];
    let order = |caller: &Caller| caller.make(last, "/api/orders", &json!({ "total": "5.00" }));
    let (of_ada, of_grace) = (order(&ada), order(&grace));
    let lines = |order: &str| format!("/api/orders/{order}/order_items");
    let line = json!({ "product_id": "01900000-0000-7000-8000-00000000000a", "quantity": 1, "unit_price": "5.00" });
    ada.make(places[0], &lines(&of_ada), &line);
    let of_another = ada.send(places[0], post(&lines(&of_grace), None, &line.to_string()));
    assert_eq!(of_another.status, 404);

    // Whoever cancels an order of theirs gives back what it holds, once; of another's nothing changes.
    let stock = || home.superuser(&home.name, "SELECT stock FROM products").unwrap().trim_end().parse::<u32>().unwrap();
    home.execute("UPDATE products SET stock = 5");
    for (number, place) in (1..).zip(&places) {
        home.execute("UPDATE order_items SET stock_taken = 2");
        home.execute("UPDATE orders SET status = 'paid'");
        let cancel = |caller: &Caller, order: &str| {
            let body = json!({ "status": "cancelled" }).to_string();
            let request =
                CaseRequest { method: "PATCH".to_owned(), ..post(&format!("/api/orders/{order}"), None, &body) };
            caller.send(*place, request)
        };
        assert_eq!((cancel(&grace, &of_ada).status, stock()), (404, 3 + 2 * number), "{place}");
        for _ in 0..2 {
            let cancelled = cancel(&ada, &of_ada);
            assert_eq!((cancelled.status, &told(&cancelled)["status"]), (200, &"cancelled".into()), "{place}");
            assert_eq!(stock(), 5 + 2 * number, "{place}: what was taken is there again, once");
        }
        assert_eq!(cancel(&ada, &of_grace).status, 404, "{place}");
    }

    // Whatever a statement says.
    let as_app = |statement: &str| home.as_role(&workspace, "app", statement);
    let count = |about: &str, table: &str| {
        let counted = as_app(&format!("SET app.user_id = '{about}'; SELECT count(*) FROM {table}")).unwrap();
        counted.lines().last().unwrap().to_owned()
    };
    let id = |name: &str| {
        let found = home.superuser(&home.name, &format!("SELECT id FROM users WHERE email = '{name}@example.com'"));
        found.unwrap().trim_end().to_owned()
    };
    assert_eq!(as_app("SELECT count(*) FROM orders").unwrap(), "0\n", "where it says nothing it sees nothing");
    assert_eq!((count("*", "orders"), count("*", "order_items")), ("2".to_owned(), "1".to_owned()));
    for (about, orders, lines) in [(id("ada"), "1", "1"), (id("grace"), "1", "0"), ("nobody".to_owned(), "0", "0")] {
        assert_eq!(
            (count(&about, "orders").as_str(), count(&about, "order_items").as_str()),
            (orders, lines),
            "{about}"
        );
    }
    let forged = format!(
        "SET app.user_id = '{}'; INSERT INTO orders (id, user_id, status, total, currency, created_at, updated_at, row_version) VALUES (gen_random_uuid(), '{}', 'pending', 1, 'USD', now(), now(), 1)",
        id("ada"),
        id("grace")
    );
    assert!(as_app(&forged).unwrap_err().contains("violates row-level security policy \"own_rows\""));
    for (role, seen) in [("readonly", "2\n"), ("backup", "2\n"), ("migrator", "2\n")] {
        assert_eq!(home.as_role(&workspace, role, "SELECT count(*) FROM orders").unwrap(), seen, "{role}");
    }

    // Two users at once on the connections that reads share: nobody is shown the other's.
    thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let (place, ada, grace) = (places[number % places.len()], &ada, &grace);
            let (of_ada, of_grace) = (&of_ada, &of_grace);
            let (caller, own) = if number / 2 % 2 == 0 { (ada, of_ada) } else { (grace, of_grace) };
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    assert_eq!(caller.sees(place, "/api/orders"), slice::from_ref(own));
                }
            });
        }
        for place in &places {
            (0..ROUNDS).for_each(|_| assert_eq!(all_orders(*place), 2));
        }
    });

    // The servers say whose rows they want: where nothing stands for all users any more, each user still sees the own ones.
    home.execute(&format!(
        "DROP POLICY own_rows ON orders; CREATE POLICY own_rows ON orders AS RESTRICTIVE TO {app} USING (user_id::text = current_setting('app.user_id', true))"
    ));
    for place in &places {
        assert_eq!(ada.sees(*place, "/api/orders"), slice::from_ref(&of_ada), "{place}");
        assert_eq!(ada.sees(*place, &lines(&of_ada)).len(), 1, "{place}");
        assert_eq!(all_orders(*place), 0, "{place}");
    }
    order(&grace);

    // What somebody changes is told, and mended.
    assert_eq!(
        home.drift(&workspace),
        ["table `orders` has another policy `own_rows`", "table `orders` has no policy `own_rows`"]
    );
    let mended = home.run(&workspace, "").must_end_with(0);
    assert!(mended.stdout.contains("table `orders` has another policy `own_rows`"), "{}", mended.stdout);
    for (change, seen) in [
        ("DROP POLICY own_rows ON order_items", "table `order_items` has no policy `own_rows`"),
        ("DROP POLICY all_rows ON orders", "table `orders` has no policy `all_rows`"),
        ("ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "table `orders` shows all of its rows to the application"),
    ] {
        home.execute(change);
        assert_eq!(home.drift(&workspace), [seen], "{change}");
        assert_eq!(home.run(&workspace, "").must_end_with(0).response()["changed"], true, "{change}");
        assert_eq!(home.drift(&workspace), Vec::<String>::new(), "{change}");
    }
    assert_eq!((all_orders(places[0]), count(&id("grace"), "orders")), (3, "2".to_owned()));

    // Where no API keeps to it any more, nothing hides a row.
    drop(servers);
    let undo = ["db", "undo", "api", "--allow-destructive"];
    let undone = end(workspace.command(&undo).env("SHOP_URL", home.admin_url())).must_end_with(0);
    assert_eq!(undone.stderr, "");
    assert_eq!(home.drift(&workspace), Vec::<String>::new());
    assert_eq!(as_app("SELECT count(*) FROM orders").unwrap(), "3\n");
    let policies = "SELECT count(*) FROM pg_policies WHERE schemaname = 'public'";
    assert_eq!(home.superuser(&home.name, policies).unwrap(), "0\n");
}
