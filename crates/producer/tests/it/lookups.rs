//! Lists find their rows by indexes: what an endpoint declares has one, on the embedded database and on that of a database task,
//! whichever task came first, and none is made twice.

use crate::harness::client::{ask, get};
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::{Workspace, end_with_input, query};
use std::path::{Path, PathBuf};

/// An API of these endpoints without authentication.
fn api(id: &str, endpoints: &[&str]) -> String {
    let endpoints: String =
        endpoints.iter().map(|endpoint| format!("      - {{ authentication: none, {endpoint} }}\n")).collect();
    format!(
        "task_id: {id}\ntask_type: setup_api\nspecifications:\n  api_requirements:\n    type: rest\n    endpoints:\n{endpoints}"
    )
}

const DATABASE: &str = "task_id: shop\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    name: shop\n    environment: development\n    schema_requirements:\n      tables: [customers, orders]\n      relationships: [customers_to_orders]\n";

fn shop(workspace: &Workspace) -> PathBuf {
    workspace.path().join(".producer/data/shop.sqlite")
}

/// The indexes of a table that belong to no key, with their columns.
fn indexes(database: &Path, table: &str) -> Vec<String> {
    let text = format!(
        "SELECT l.name || ': ' || group_concat(c.name) FROM pragma_index_list('{table}') l, pragma_index_info(l.name) c WHERE l.origin = 'c' GROUP BY l.name ORDER BY l.name"
    );
    query(database, &text).into_iter().flatten().collect()
}

/// How the database finds rows.
fn way(database: &Path, statement: &str) -> String {
    query(database, &format!("EXPLAIN QUERY PLAN {statement}")).into_iter().map(|row| row.join(" ")).collect()
}

#[test]
fn what_a_list_declares_is_found_by_an_index() {
    let workspace = Workspace::new();
    let list = "path: /api/products, method: GET, filters: [price, category, sku], sorts: [price, name]";
    workspace.run_text(&api("products", &[list])).must_end_with(0);
    let database = workspace.database_file();
    assert_eq!(
        indexes(&database, "products"),
        ["products_category_idx: category,id", "products_name_idx: name,id", "products_price_idx: price,id"]
    );
    for (statement, by) in [
        ("SELECT name FROM products WHERE category = 'x' ORDER BY id DESC LIMIT 21", "products_category_idx"),
        ("SELECT name FROM products WHERE price >= 100 ORDER BY price, id LIMIT 21", "products_price_idx"),
        ("SELECT name FROM products WHERE sku = 'x'", "sqlite_autoindex_products"),
    ] {
        let way = way(&database, statement);
        assert!(way.contains(by) && !way.contains("TEMP B-TREE"), "{statement}: {way}");
    }
    let server = Server::start(Kind::Native, &workspace);
    assert_eq!(ask(server.address, &get("/api/products?price[gte]=1&sort=-name"), "").unwrap().status, 200);
    // What is not declared is not offered.
    for query in ["status=active", "sort=created_at"] {
        assert_eq!(ask(server.address, &get(&format!("/api/products?{query}")), "").unwrap().status, 422, "{query}");
    }
}

#[test]
fn a_list_in_the_order_of_addresses_has_an_index_in_that_order() {
    let workspace = Workspace::new();
    workspace.run_text(DATABASE).must_end_with(0);
    let api = api("people", &["path: /api/customers, method: GET, sorts: [email]"]);
    workspace.run_text(&api).must_end_with(0);
    let way = way(&shop(&workspace), "SELECT id FROM customers ORDER BY upper(email), id LIMIT 21");
    assert!(way.contains("customers_email_order_idx") && !way.contains("TEMP B-TREE"), "{way}");
    // It is found as it was made.
    assert_eq!(workspace.run_text(&api).must_end_with(0).response()["changed"], false);
    end_with_input(&mut workspace.command(&["db", "diff", "-"]), DATABASE).must_end_with(0);
}

#[test]
fn a_list_that_declares_nothing_offers_everything_and_indexes_what_finds_few_rows() {
    let workspace = Workspace::new();
    let task = api("products", &["path: /api/products, method: GET"]);
    workspace.run_text(&task).must_end_with(0);
    assert_eq!(indexes(&workspace.database_file(), "products"), ["products_status_idx: status,id"]);
    let plan = end_with_input(&mut workspace.command(&["run", "--plan", "-"]), &task).must_end_with(0).stdout;
    assert!(plan.contains("indexes for `GET /api/products`: none for `name`, `price`"), "{plan}");
    assert!(plan.contains("`filters` and `sorts` at the endpoint declare which are worth it"), "{plan}");
}

#[test]
fn records_of_a_nested_path_are_found_by_what_they_belong_to() {
    let workspace = Workspace::new();
    let list = "path: \"/api/posts/{post_id}/comments\", method: GET, filters: [author_name]";
    workspace.run_text(&api("comments", &[list])).must_end_with(0);
    let found = indexes(&workspace.database_file(), "comments");
    assert_eq!(found, ["comments_post_id_author_name_idx: post_id,author_name,id", "comments_post_id_idx: post_id"]);
}

#[test]
fn rows_that_are_there_get_the_index_too_and_one_that_nobody_asks_for_stays() {
    let workspace = Workspace::new();
    let post = "path: /api/products, method: POST";
    let by =
        |filters: &str| api("products", &[post, &format!("path: /api/products, method: GET, filters: [{filters}]")]);
    workspace.run_text(&api("products", &[post])).must_end_with(0);
    assert!(indexes(&workspace.database_file(), "products").is_empty());
    workspace.query("INSERT INTO products (id, name, price, currency, stock, status, created_at, updated_at, row_version) VALUES ('a', 'Tea', 450, 'USD', 0, 'active', 'x', 'x', 1)");
    for (filters, wanted) in [
        ("category", &["products_category_idx: category,id"][..]),
        ("price", &["products_category_idx: category,id", "products_price_idx: price,id"]),
    ] {
        assert_eq!(workspace.run_text(&by(filters)).must_end_with(0).response()["changed"], true);
        assert_eq!(workspace.run_text(&by(filters)).must_end_with(0).response()["changed"], false);
        assert_eq!(indexes(&workspace.database_file(), "products"), wanted);
    }
    assert_eq!(workspace.count("products"), 1);
}

#[test]
fn two_apis_share_a_table_and_each_brings_its_indexes() {
    let workspace = Workspace::new();
    let list = |id, path, filters| api(id, &[&format!("path: /{path}/products, method: GET, filters: [{filters}]")]);
    for task in [list("one", "one", "price"), list("two", "two", "price, category")] {
        workspace.run_text(&task).must_end_with(0);
        assert_eq!(workspace.run_text(&task).must_end_with(0).response()["changed"], false);
    }
    let found = indexes(&workspace.database_file(), "products");
    assert_eq!(found, ["products_category_idx: category,id", "products_price_idx: price,id"]);
}

#[test]
fn the_tables_of_a_database_task_get_what_the_api_needs_and_nothing_twice() {
    let workspace = Workspace::new();
    workspace.run_text(DATABASE).must_end_with(0);
    let before = indexes(&shop(&workspace), "orders");
    assert_eq!(before, ["orders_customer_id_idx: customer_id"]);
    let task = api(
        "orders",
        &[
            "path: /api/orders, method: GET, filters: [customer_id, status, order_number]",
            "path: \"/api/customers/{customer_id}/orders\", method: GET",
        ],
    );
    workspace.run_text(&task).must_end_with(0);
    assert_eq!(workspace.run_text(&task).must_end_with(0).response()["changed"], false);
    let after = ["orders_customer_id_idx: customer_id", "orders_status_idx: status,id"];
    assert_eq!(indexes(&shop(&workspace), "orders"), after);
    // The task that made the table takes no offence.
    assert_eq!(workspace.run_text(DATABASE).must_end_with(0).response()["changed"], false);
    assert_eq!(indexes(&shop(&workspace), "orders"), after);
}
