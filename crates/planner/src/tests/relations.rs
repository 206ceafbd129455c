//! Which rows of others a read may show, and to whom.

use super::{CATALOG, plan_text, there};
use expect_test::{Expect, expect};
use plan::database::Base;
use plan::procedure::{Item, Step, flattened};
use plan::{DatabasePlan, Observed, Plan, Query, print};
use vocab::TaskId;

fn shop() -> DatabasePlan {
    let schema = "tables: [users, categories, products, reviews, orders, tags, { name: memos, columns: { words: line, is_open: boolean } }], relationships: [categories_to_products, products_to_reviews, users_to_orders, orders_to_memos, { from: products, to: tags, kind: many_to_many }]";
    let text = format!(
        "task_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    schema_requirements: {{ {schema} }}\n"
    );
    let parsed = spec::parse("task.yaml", &text);
    assert_eq!(parsed.diagnostics, []);
    let planned = crate::plan(&parsed.tasks[0], &TaskId::parse("shop").unwrap(), &CATALOG, &Observed::default());
    planned.unwrap().database().clone()
}

/// An API on the shop with these endpoints.
fn api(endpoints: &[&str]) -> Plan {
    let database = shop();
    let observed = Observed {
        tables: there(&database),
        base: Some(Base { task_id: TaskId::parse("shop").unwrap(), database }),
        ..Observed::default()
    };
    let endpoints: String = endpoints.iter().map(|endpoint| format!("      - {{ {endpoint} }}\n")).collect();
    let text = format!(
        "task_type: setup_api\ndependencies: [shop]\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n{endpoints}    rate_limiting: 5_requests_per_minute\n"
    );
    plan_text(&text, &observed).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// What each of the endpoints may show beside its own rows.
fn check(endpoints: &[&str], expected: &Expect) {
    let plan = api(endpoints);
    let mut lines = String::new();
    for endpoint in &plan.api.endpoints {
        let read = endpoint.procedure.body.iter().find_map(|item| match item {
            Item::Let(_, Step::Read { query, filled_by: Some(_), .. }) => Some(query),
            _ => None,
        });
        for related in read.into_iter().flat_map(Query::related) {
            let whole = print::procedure(&endpoint.procedure);
            assert!(whole.contains(&format!("{}: ", related.field)), "{whole}");
            lines.push_str(&format!("{}: {}\n", endpoint.procedure.name, print::related(related)));
        }
    }
    expected.assert_eq(&lines);
}

#[test]
fn what_everybody_is_shown_comes_with_what_leads_to_it() {
    check(
        &[
            "path: /categories, method: GET, authentication: none",
            "path: \"/products/{id}\", method: GET, authentication: none",
            "path: \"/products/{product_id}/reviews\", method: GET, authentication: none, access: { where: status = published }",
            "path: /tags, method: GET, authentication: none",
        ],
        &expect![[r#"
            get_products_by_id: category: one { categories (id, name, slug, description, image_url, sort_order, created_at, updated_at) ordered by id descending } by id = category_id
            get_products_by_id: reviews: at most 20 { reviews (id, product_id, rating, title, body, author_name, author_email, status, verified_purchase, created_at, updated_at) where status = "published" ordered by id descending } by product_id = id
            get_products_by_id: tags: at most 20 { tags (id, name, slug, color, description, created_at, updated_at) ordered by id descending } by id = tag_id and product_id = id of product_tags
            get_products_by_product_id_reviews: product: one { products (id, category_id, name, sku, description, price, currency, stock, status, image_url, weight_kg, created_at, updated_at) } by id = product_id
        "#]],
    );
    // An API key is asked for the scopes of what comes with the rows.
    check(
        &[
            "path: /auth/login, method: POST, authentication: none",
            "path: /products, method: GET, authentication: api_key",
            "path: /tags, method: GET, authentication: none",
            "path: /categories, method: GET, authentication: api_key",
            "path: /reviews, method: GET, authentication: jwt_token, access: authenticated",
        ],
        &expect![[r#"
            get_products: category: one { categories (id, name, slug, description, image_url, sort_order, created_at, updated_at) ordered by id descending } by id = category_id for keys with categories:read
            get_products: tags: at most 20 { tags (id, name, slug, color, description, created_at, updated_at) ordered by id descending } by id = tag_id and product_id = id of product_tags
            get_categories: products: at most 20 { products (id, category_id, name, sku, description, price, currency, stock, status, image_url, weight_kg, created_at, updated_at) ordered by id descending } by category_id = id for keys with products:read
        "#]],
    );
}

#[test]
fn what_is_the_callers_is_nobody_elses() {
    check(
        &[
            "path: /auth/login, method: POST, authentication: none",
            "path: /orders, method: GET, authentication: jwt_token",
            "path: \"/orders/{order_id}/memos\", method: GET, authentication: jwt_token",
        ],
        &expect![[r#"
            get_orders: memos: at most 20 { memos (id, order_id, words, is_open, created_at, updated_at) ordered by id descending } by order_id = id
            get_orders_by_order_id_memos: order: one { orders (id, user_id, order_number, status, subtotal, tax, shipping_cost, discount, total, currency, shipping_address, billing_address, notes, placed_at, created_at, updated_at) where user_id = caller.user_id ordered by id descending } by id = order_id
            get_auth_users: orders: at most 20 { orders (id, user_id, order_number, status, subtotal, tax, shipping_cost, discount, total, currency, shipping_address, billing_address, notes, placed_at, created_at, updated_at) where user_id = caller.user_id ordered by id descending } by user_id = id
        "#]],
    );
    check(
        &[
            "path: /auth/login, method: POST, authentication: none",
            "path: /orders, method: GET, authentication: jwt_token, access: \"role:admin\"",
            "path: \"/orders/{order_id}/memos\", method: GET, authentication: jwt_token",
            "path: /users, method: GET, authentication: jwt_token, access: \"role:auditor\"",
        ],
        &expect![[r#"
            get_orders: user: one { users (id, email, name, status, created_at, updated_at) ordered by id descending } by id = user_id
            get_auth_users: orders: at most 20 { orders (id, user_id, order_number, status, subtotal, tax, shipping_cost, discount, total, currency, shipping_address, billing_address, notes, placed_at, created_at, updated_at) ordered by id descending } by user_id = id
        "#]],
    );
}

#[test]
fn what_an_endpoint_hides_or_leaves_out_comes_with_nothing() {
    let login = "path: /auth/login, method: POST, authentication: none";
    check(
        &[
            login,
            "path: /categories, method: GET, authentication: none, access: { hide: [description, created_at, updated_at] }",
            "path: \"/products/{id}\", method: GET, authentication: none, access: { hide: [sku, price, weight_kg, image_url, description, currency, created_at, updated_at] }",
            "path: \"/reviews/{id}\", method: GET, authentication: none",
            "path: /reviews, method: GET, authentication: jwt_token, access: { who: authenticated, where: 'status = published or caller.role = admin', hide: [author_email, author_name, body, created_at, updated_at] }",
            "path: /products, method: GET, authentication: jwt_token, access: authenticated",
        ],
        &expect![[r#"
            get_products_by_id: category: one { categories (id, name, slug, image_url, sort_order) ordered by id descending } by id = category_id
            get_reviews_by_id: product: one { products (id, category_id, name, stock, status) } by id = product_id
            get_reviews: product: one { products (id, category_id, name, stock, status) } by id = product_id
            get_products: category: one { categories (id, name, slug, image_url, sort_order) ordered by id descending } by id = category_id
            get_products: reviews: at most 20 { reviews (id, product_id, rating, title, status, verified_purchase) where (status = "published" or caller.role = "admin") ordered by id descending } by product_id = id
        "#]],
    );
    // Who does not see what leads to a row learns nothing of it by the row.
    check(
        &[
            "path: /categories, method: GET, authentication: none",
            "path: \"/products/{id}\", method: GET, authentication: none, access: { hide: [category_id] }",
            "path: /products, method: GET, authentication: none, access: { hide: [category_id] }",
            "path: /reviews, method: GET, authentication: none, access: { hide: [product_id] }",
        ],
        &expect![[r#""#]],
    );
    // A condition that asks who calls is asked of whoever calls.
    check(
        &[
            login,
            "path: /orders, method: GET, authentication: jwt_token, access: { who: authenticated, where: user_id != caller.id }",
            "path: \"/users\", method: GET, authentication: jwt_token, access: \"role:admin\"",
            "path: \"/memos\", method: GET, authentication: jwt_token, access: \"role:admin,auditor\"",
        ],
        &expect![[r#"
            get_users: orders: at most 20 { orders (id, user_id, order_number, status, subtotal, tax, shipping_cost, discount, total, currency, shipping_address, billing_address, notes, placed_at, created_at, updated_at) where user_id <> caller.user_id ordered by id descending } by user_id = id
            get_memos: order: one { orders (id, user_id, order_number, status, subtotal, tax, shipping_cost, discount, total, currency, shipping_address, billing_address, notes, placed_at, created_at, updated_at) where user_id <> caller.user_id ordered by id descending } by id = order_id
            get_auth_users: orders: at most 20 { orders (id, user_id, order_number, status, subtotal, tax, shipping_cost, discount, total, currency, shipping_address, billing_address, notes, placed_at, created_at, updated_at) where user_id <> caller.user_id ordered by id descending } by user_id = id
        "#]],
    );
}

/// What comes with a new record of each of the endpoints.
fn check_parts(endpoints: &[&str], expected: &Expect) {
    let mut lines = String::new();
    for endpoint in &api(endpoints).api.endpoints {
        for item in &endpoint.procedure.body {
            if let Item::Do(step @ Step::Part { .. }) = item {
                lines.push_str(&format!("{}: {}\n", endpoint.procedure.name, print::step(step)));
            }
        }
    }
    expected.assert_eq(&lines);
}

#[test]
fn what_the_same_callers_may_make_comes_with_a_record() {
    let orders = "path: /orders, method: POST, authentication: jwt_token";
    let login = "path: /auth/login, method: POST, authentication: none";
    let memos =
        |more: &str| format!("path: \"/orders/{{order_id}}/memos\", method: POST, authentication: jwt_token{more}");
    check_parts(
        &[
            login,
            orders,
            &memos(""),
            "path: /products, method: POST, authentication: api_key",
            "path: /categories, method: POST, authentication: api_key, rate_limiting: 3_requests_per_hour",
            "path: /reviews, method: POST, authentication: api_key, rate_limiting: 7_requests_per_hour",
        ],
        &expect![[r#"
            post_orders: part input.memos default by principal
            post_products: part input.reviews needs reviews:write post_reviews by principal
            post_categories: part input.products needs products:write default by principal
        "#]],
    );
    // Neither what others may make, nor what callers with a role may make, nor what is made for everybody.
    for other in [
        memos(", access: \"role:admin\""),
        memos("").replace("jwt_token", "api_key"),
        memos("").replace("jwt_token", "none"),
    ] {
        check_parts(&[login, orders, &other], &expect![[r#""#]]);
    }
    // The order would be anybody's, and its memos are the caller's alone.
    check_parts(&[login, &format!("{orders}, access: authenticated"), &memos("")], &expect![[r#""#]]);
    // Who is not known makes one at a time.
    let open = |path: &str| format!("path: {path}, method: POST, authentication: none");
    check_parts(&[&open("/products"), &open("/reviews")], &expect![[r#""#]]);
}

#[test]
fn what_a_list_leads_to_and_is_merged_by_is_looked_for_ahead() {
    let plan = api(&[
        "path: /products, method: POST, authentication: api_key, validation: { sku: required }",
        "path: \"/products/{id}\", method: PATCH, authentication: api_key",
    ]);
    let lists = flattened(&plan.api.endpoints[0].procedure.body).into_iter().filter_map(|item| match item {
        Item::Each(each) => Some(each),
        _ => None,
    });
    let told = lists.map(|each| {
        let ahead = each.ahead().into_iter().map(|ahead| {
            let once = if ahead.changes { " once" } else { "" };
            format!(" {} by {}{once}", ahead.slot, ahead.field)
        });
        format!("{}:{}\n", each.into, ahead.collect::<String>())
    });
    expect![[r#"
        checked: category_id_found by category_id
        merged: known by sku once
        stored_all: stored by sku
        made:
    "#]]
    .assert_eq(&told.collect::<String>());
}
