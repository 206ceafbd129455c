//! A checkout that a task names itself, beside a payment integration: at the path of the task, for people who sign in, each with his own
//! orders. Whoever has registered is a customer of the provider's, and pays as that one.

use super::*;

const API: &str = "task_id: sales\ntask_type: setup_api\ndependencies: [integration_2025_002, integration_2025_003]\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n      - { path: /api/auth/login, method: POST, authentication: none }\n      - { path: /api/cart/checkout, method: POST, authentication: jwt_token, validation: [name], rate_limiting: 40_requests_per_minute }\n      - { path: \"/api/orders/{id}\", method: PATCH, authentication: api_key }\n      - { path: \"/api/orders/{id}\", method: PUT, authentication: api_key }\n      - { path: \"/api/orders/{id}\", method: DELETE, authentication: api_key }\n";

fn with_token(mut request: CaseRequest, token: &str) -> CaseRequest {
    request.headers.insert("authorization".to_owned(), format!("Bearer {token}"));
    request
}

/// Registers, signs in, and gives the token.
fn signs_in(address: SocketAddr, email: &str) -> String {
    let mut who = json!({ "email": email, "password": "engine of analysis" });
    let login = who.to_string();
    who["name"] = "Ada Lovelace".into();
    assert_eq!(ask(address, &post("/api/auth/register", None, &who.to_string()), "").unwrap().status, 202);
    let told = read(&ask(address, &post("/api/auth/login", None, &login), "").unwrap());
    told["access_token"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[test]
fn a_task_sells_at_an_endpoint_of_its_own_on_sqlite() {
    sells_at_its_own_endpoint(Engine::Sqlite);
}

#[test]
fn a_task_sells_at_an_endpoint_of_its_own_on_postgresql() {
    sells_at_its_own_endpoint(Engine::PostgreSql);
}

#[test]
fn a_task_sells_at_an_endpoint_of_its_own_on_mysql() {
    sells_at_its_own_endpoint(Engine::MySql);
}

fn sells_at_its_own_endpoint(engine: Engine) {
    let Some(shop) = Shop::open(engine, "own checkout") else { return };
    let ran = shop.workspace.run_text(API).must_end_with(0);
    assert!(ran.stdout.contains("/api/cart/checkout"), "{}", ran.stdout);
    let server = shop.serve();
    // What the provider would bring is left to the task, on the server and in the pages.
    let brought = ask(server.address, &checkout(&basket(&json!([])), None), "").unwrap();
    assert_eq!(brought.status, 404);
    let page = ask(server.address, &get("/checkout/success?order_id=x"), "").unwrap();
    assert!(String::from_utf8(page.body).unwrap().contains("order_id=/api/cart/checkout/ subscription_id="));

    let secret = shop.workspace.command(&["secrets", "export", "AUTH_SECRET", "--stdout"]).output().unwrap();
    let secret = String::from_utf8(secret.stdout).unwrap().trim().to_owned();
    let secret = secret.strip_prefix("AUTH_SECRET=").unwrap_or(&secret).to_owned();
    let node = shop.node_of("sales", &[("AUTH_SECRET", secret)]);
    let servers = [Some(server.address), node.as_ref().map(|node| node.address)];
    for (number, address) in servers.into_iter().flatten().enumerate() {
        let email = format!("ada{number}@example.com");
        let token = signs_in(address, &email);
        let other = signs_in(address, &format!("grace{number}@example.com"));
        let customer = within("nobody is a customer", &server, || {
            let kept = read(&ask(shop.stripe(), &get("/_simulator/objects/customer"), "").unwrap());
            let found = kept["objects"].as_array()?.iter().find(|kept| kept["email"] == email.as_str())?;
            Some(found["id"].clone())
        });
        let body = json!({ "name": "Ada", "items": [{ "product_id": ABACUS, "quantity": 2 }] });
        let path = "/api/cart/checkout";
        assert_eq!(ask(address, &post(path, None, &body.to_string()), "").unwrap().status, 401);
        let mut unnamed = body.clone();
        unnamed.as_object_mut().unwrap().remove("name");
        let unnamed = ask(address, &with_token(post(path, None, &unnamed.to_string()), &token), "").unwrap();
        assert_eq!((unnamed.status, &read(&unnamed)["errors"][0]["pointer"]), (422, &"/name".into()));

        let made = ask(address, &with_token(post(path, None, &body.to_string()), &token), "").unwrap();
        let order = read(&made);
        assert_eq!(made.status, 201, "{order}\n{}", server.log());
        let id = order["id"].as_str().unwrap();
        let told = format!("{path}/{id}");
        assert_eq!(made.headers["location"], told);
        let sessions = read(&ask(shop.stripe(), &get("/_simulator/objects/checkout_session"), "").unwrap());
        let session =
            sessions["objects"].as_array().unwrap().iter().find(|kept| kept["id"] == order["session_id"]).unwrap();
        assert_eq!((&session["customer"], &session["customer_email"]), (&customer, &Json::Null));
        let owner =
            format!("SELECT users.email FROM orders JOIN users ON users.id = orders.user_id WHERE orders.id = '{id}'");
        assert_eq!(shop.rows(&owner), [[email]]);

        // It is the caller's own, and nobody else's.
        let look = |token: &str| ask(address, &with_token(get(&told), token), "").unwrap().status;
        assert_eq!((look(&token), look(&other), ask(address, &get(&told), "").unwrap().status), (200, 404, 401));
        shop.pay(&order["session_id"]);
        within("it is not paid", &server, || {
            let stands = read(&ask(address, &with_token(get(&told), &token), "").unwrap());
            (stands["status"] == "paid").then_some(())
        });
        is_cancelled_by_hand(&shop, address, &token, id);
    }

    // Where the provider's task is carried out again, it brings no checkout of its own any more.
    let task = fs::read_to_string(repository("tests/cases/tasks/stripe-payments.yaml")).unwrap();
    shop.workspace.run_text(&task).must_end_with(0);
    let endpoints =
        shop.workspace.path().join("output/integration/task_integration_2025_003/apis/stripe-api/endpoints.js");
    assert!(!endpoints.exists(), "it has endpoints");
}

/// Somebody of the shop cancels orders, or removes them: what they had taken is there again, once, and not where it was sent.
fn is_cancelled_by_hand(shop: &Shop, address: SocketAddr, token: &str, paid: &str) {
    let key = shop.workspace.create_key();
    let left = || shop.rows(&format!("SELECT stock FROM products WHERE id = '{ABACUS}'"))[0][0].parse::<u32>().unwrap();
    let buy = || {
        let body = json!({ "name": "Ada", "items": [{ "product_id": ABACUS, "quantity": 2 }] }).to_string();
        let made = read(&ask(address, &with_token(post("/api/cart/checkout", None, &body), token), "").unwrap());
        made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    };
    let change = |method: &str, id: &str, body: &Json| {
        let request = CaseRequest {
            method: method.to_owned(),
            ..post(&format!("/api/orders/{id}"), Some(&key), &body.to_string())
        };
        let answer = ask(address, &request, "").unwrap();
        assert!(answer.status < 300, "{method}: {}", read(&answer));
        read(&answer)
    };
    let all = left();
    assert_eq!(change("PATCH", paid, &json!({ "notes": "Ring twice." }))["status"], "paid");
    assert_eq!(left(), all, "nothing is cancelled");
    for _ in 0..2 {
        assert_eq!(change("PATCH", paid, &json!({ "status": "cancelled" }))["status"], "cancelled");
        assert_eq!(left(), all + 2);
    }
    let id = buy();
    assert_eq!(left(), all);
    let buyer = change("PATCH", &id, &json!({}))["user_id"].clone();
    let whole = json!({ "user_id": buyer, "total": "49.80", "status": "cancelled" });
    assert_eq!(change("PUT", &id, &whole)["status"], "cancelled");
    assert_eq!(left(), all + 2);

    let [unsent, sent] = [buy(), buy()];
    assert_eq!(change("PATCH", &sent, &json!({ "status": "shipped" }))["status"], "shipped");
    change("DELETE", &sent, &Json::Null);
    assert_eq!(left(), all - 2, "what was sent is gone");
    change("DELETE", &unsent, &Json::Null);
    assert_eq!(left(), all);
    let [unsent, sent] = [buy(), buy()];
    change("PATCH", &sent, &json!({ "status": "shipped" }));
    change("PATCH", &sent, &json!({ "status": "refunded" }));
    assert_eq!(left(), all - 4);
    change("PATCH", &unsent, &json!({ "status": "refunded" }));
    assert_eq!(left(), all - 2);
    // It came back.
    change("PATCH", &sent, &json!({ "status": "cancelled" }));
    assert_eq!(left(), all);
}
