//! Schemas from names of tables and how they belong together.

use super::CATALOG;
use expect_test::{Expect, expect};
use plan::database::{Nullability, Table};
use plan::{Decision, Observed, TaskPlan};
use vocab::{Diagnostic, TaskId};

fn planned(schema: &str) -> Result<(Vec<Table>, Vec<Decision>), Vec<Diagnostic>> {
    let text = format!(
        "task_type: configure_database\nspecifications:\n  database_config:\n    type: sqlite\n    schema_requirements: {{ {schema} }}\n"
    );
    let parsed = spec::parse("task.yaml", &text);
    assert_eq!(parsed.diagnostics, []);
    let task_id = TaskId::parse("task").unwrap();
    match crate::plan(&parsed.tasks[0], &task_id, &CATALOG, &Observed::default())? {
        TaskPlan::Database(plan) => Ok((plan.database.tables, plan.decisions)),
        TaskPlan::Api(_) => panic!("a database"),
    }
}

/// Keys as `orders.user_id -> users.id restrict`; a `?` where the column may be absent. Then the tables' primary keys that are
/// not `id`, what is unique, and the indexes.
fn check(schema: &str, expected: &Expect) {
    let (tables, _) = planned(schema).unwrap();
    let mut lines = Vec::new();
    for table in &tables {
        for key in &table.rules.foreign_keys {
            let column = table.columns.iter().find(|column| column.name == key.columns[0]).unwrap();
            let absent = if column.nullability == Nullability::Nullable { "?" } else { "" };
            lines.push(format!(
                "{}.{}{absent} -> {}.{} {}",
                table.name,
                column.name,
                key.table,
                key.target[0],
                key.on_delete.as_str()
            ));
        }
        let list =
            |columns: &[vocab::ColumnName]| columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if list(&table.primary_key) != "id" {
            lines.push(format!("{} key ({})", table.name, list(&table.primary_key)));
        }
        lines.extend(table.unique.iter().map(|columns| format!("{} unique ({})", table.name, list(columns))));
        lines
            .extend(table.rules.indexes.iter().map(|index| format!("index {} ({})", index.name, list(&index.columns))));
    }
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn the_catalogue_knows_who_belongs_to_whom_whatever_the_order() {
    let expected = expect![[r#"
        orders.user_id -> users.id restrict
        orders unique (order_number)
        index orders_user_id_idx (user_id)
        users unique (email)
    "#]];
    check("tables: [orders, users], relationships: [users_to_orders]", &expected);
    check("tables: [orders, users], relationships: [orders_to_users]", &expected);
    check("tables: [orders, users], relationships: [orders_to_users, users_to_orders]", &expected);
}

#[test]
fn many_to_many_goes_through_a_table_of_links() {
    check(
        "tables: [products, orders], relationships: [products_to_orders]",
        &expect![[r#"
            products unique (sku)
            orders unique (order_number)
            order_items.order_id -> orders.id cascade
            order_items.product_id -> products.id restrict
            order_items unique (order_id, product_id)
            index order_items_product_id_idx (product_id)
        "#]],
    );
    check(
        "tables: [students, courses], relationships: [{ from: students, to: courses, kind: many_to_many, on_delete: restrict }]",
        &expect![[r#"
            students unique (student_number)
            students unique (email)
            courses unique (slug)
            enrollments.course_id -> courses.id restrict
            enrollments.student_id -> students.id restrict
            enrollments unique (course_id, student_id)
            index enrollments_student_id_idx (student_id)
        "#]],
    );
    check(
        "tables: [articles], relationships: [{ from: articles, to: articles, kind: many_to_many }]",
        &expect![[r#"
            articles unique (slug)
            article_articles.article_id -> articles.id cascade
            article_articles.related_article_id -> articles.id cascade
            article_articles key (article_id, related_article_id)
            index article_articles_related_article_id_idx (related_article_id)
        "#]],
    );
}

/// The columns of a table between the key and the times; a `?` where one may be absent.
fn columns(tables: &[Table], name: &str) -> String {
    let table = tables.iter().find(|table| table.name.as_str() == name).unwrap();
    let own = table.columns.iter().filter(|column| !catalog::OWN_COLUMNS.contains(&column.name.as_str()));
    let said = own
        .map(|column| format!("{}{}", column.name, if column.nullability == Nullability::Nullable { "?" } else { "" }));
    said.collect::<Vec<_>>().join(" ")
}

/// A name beside the key of who has it would differ from it some day. What was required in words is required as a key.
#[test]
fn what_a_key_says_is_not_kept_in_words_as_well() {
    let (tables, decisions) = planned(
        "tables: [departments, employees, patients, appointments, products, categories, warehouses, inventory_items], relationships: [departments_to_employees, patients_to_appointments, products_to_categories, warehouses_to_inventory_items]",
    )
    .unwrap();
    expect![[r#"
        department_id? employee_number? first_name last_name email phone? job_title? manager_name? hired_on? employment_type active
        patient_id service? staff_name? starts_at ends_at? status location? price? currency notes?
        category_id? name sku? description? price currency stock? status image_url? weight_kg? tags?
        warehouse_id product_id location? quantity reserved reorder_level? unit_cost? currency
    "#]]
    .assert_eq(&["employees", "appointments", "products", "inventory_items"].map(|name| columns(&tables, name) + "\n").concat());
    let stock = tables.iter().find(|table| table.name.as_str() == "inventory_items").unwrap();
    assert_eq!(stock.unique.len(), 1);
    assert_eq!(
        stock.unique[0].iter().map(|column| column.as_str()).collect::<Vec<_>>(),
        ["product_id", "warehouse_id"]
    );
    let said = decisions.iter().find(|decision| decision.subject == "`appointments.customer_name`").unwrap();
    assert_eq!(said.decision, "left out; `patient_id` must be there in its place");
    assert!(said.reason.starts_with("`patient_id` leads to the row that says it"), "{}", said.reason);
    let linked = "tables: [products, categories, tags], relationships: [{ from: products, to: categories, kind: many_to_many }, products_to_tags]";
    let (tables, _) = planned(linked).unwrap();
    expect!["name sku? description? price currency stock? status image_url? weight_kg?"]
        .assert_eq(&columns(&tables, "products"));
    let (tables, _) = planned(
        "tables: [{ name: products, indexes: [category] }, categories], relationships: [products_to_categories]",
    )
    .unwrap();
    assert!(columns(&tables, "products").contains("category?"), "what the task names stays");
}

/// A UUID that names rows of no table is a number of nothing. Alone, and among all the others.
#[test]
fn no_entity_has_a_key_that_leads_nowhere() {
    let names: Vec<String> =
        CATALOG.entities().map(|entity| entity.table.to_string()).chain(["users".to_owned()]).collect();
    for wanted in names.iter().cloned().chain([names.join(", ")]) {
        let (tables, _) = planned(&format!("tables: [{wanted}]")).unwrap();
        for table in &tables {
            let leads = |column: &vocab::ColumnName| {
                table.primary_key.contains(column)
                    || table.rules.foreign_keys.iter().any(|key| key.columns.contains(column))
            };
            let dangling =
                table.columns.iter().find(|column| column.field_type == vocab::FieldType::Uuid && !leads(&column.name));
            assert!(dangling.is_none(), "{}: {:?}", table.name, dangling.map(|column| &column.name));
            for set in &table.unique {
                assert!(
                    set.iter().all(|name| table.columns.iter().any(|column| column.name == *name)),
                    "{}",
                    table.name
                );
            }
        }
    }
    let (tables, decisions) = planned("tables: [enrollments]").unwrap();
    assert!(tables[0].unique.is_empty());
    assert!(
        decisions
            .iter()
            .any(|decision| decision.subject == "`enrollments.student_id`" && decision.decision == "left out")
    );
}

/// Tags are for several rows of anything, whether the catalogue knows it or not; what it knows of two entities goes before.
#[test]
fn what_several_share_is_linked() {
    check(
        "tables: [posts, tags], relationships: [tags_to_posts]",
        &expect![[r#"
        posts unique (slug)
        tags unique (slug)
        post_tags.post_id -> posts.id cascade
        post_tags.tag_id -> tags.id cascade
        post_tags key (post_id, tag_id)
        index post_tags_tag_id_idx (tag_id)
    "#]],
    );
    check(
        "tables: [planets, ingredients], relationships: [planets_to_ingredients]",
        &expect![[r#"
        planet_ingredients.planet_id -> planets.id cascade
        planet_ingredients.ingredient_id -> ingredients.id cascade
        planet_ingredients key (planet_id, ingredient_id)
        index planet_ingredients_ingredient_id_idx (ingredient_id)
    "#]],
    );
    check(
        "tables: [products, categories], relationships: [products_to_categories]",
        &expect![[r#"
        products.category_id? -> categories.id set_null
        products unique (sku)
        index products_category_id_idx (category_id)
        categories unique (slug)
    "#]],
    );
}

#[test]
fn what_nobody_knows_is_one_to_many() {
    check(
        "tables: [planets, moons], relationships: [planets_to_moons]",
        &expect![[r#"
            moons.planet_id -> planets.id restrict
            index moons_planet_id_idx (planet_id)
        "#]],
    );
    check(
        "tables: [planets, rings], relationships: [{ from: planets, to: rings, kind: one_to_one, on_delete: cascade }]",
        &expect![[r#"
            rings.planet_id -> planets.id cascade
            rings unique (planet_id)
        "#]],
    );
    let (tables, decisions) = planned("tables: [planets]").unwrap();
    assert!(tables[0].columns.iter().any(|column| column.name.as_str() == "name"));
    let said = decisions.iter().find(|decision| decision.subject == "columns of `planets`").unwrap();
    assert!(said.reason.contains("columns: {...}"), "{}", said.reason);
}

#[test]
fn tables_that_belong_to_themselves() {
    check(
        "tables: [employees], relationships: [employees_to_employees]",
        &expect![[r#"
            employees.manager_id? -> employees.id set_null
            employees unique (email)
            employees unique (employee_number)
            index employees_manager_id_idx (manager_id)
        "#]],
    );
    check(
        "tables: [employees], relationships: [{ from: employees, to: employees, kind: one_to_many }]",
        &expect![[r#"
            employees.manager_id? -> employees.id set_null
            employees unique (email)
            employees unique (employee_number)
            index employees_manager_id_idx (manager_id)
        "#]],
    );
    check(
        "tables: [rooms_of_mine], relationships: [{ from: rooms_of_mine, to: rooms_of_mine, kind: one_to_many }]",
        &expect![[r#"
            rooms_of_mine.parent_id? -> rooms_of_mine.id set_null
            index rooms_of_mine_parent_id_idx (parent_id)
        "#]],
    );
}

#[test]
fn a_circle_is_opened_where_the_task_does_not_insist() {
    check(
        "tables: [hens, eggs], relationships: [hens_to_eggs, eggs_to_hens]",
        &expect![[r#"
            hens.egg_id -> eggs.id restrict
            index hens_egg_id_idx (egg_id)
            eggs.hen_id? -> hens.id restrict
            index eggs_hen_id_idx (hen_id)
        "#]],
    );
    check(
        "tables: [hens, { name: eggs, columns: { hen_id: { type: uuid, required: true, references: hens } } }], relationships: [eggs_to_hens]",
        &expect![[r#"
            hens.egg_id? -> eggs.id restrict
            index hens_egg_id_idx (egg_id)
            eggs.hen_id -> hens.id restrict
            index eggs_hen_id_idx (hen_id)
        "#]],
    );
}

#[test]
fn columns_of_the_task_win_and_its_keys_are_used() {
    check(
        "tables: [users, { name: orders, columns: { user_id: uuid, number: { type: line, unique: true } }, indexes: [[user_id, number]] }], relationships: [users_to_orders]",
        &expect![[r#"
            users unique (email)
            orders.user_id? -> users.id restrict
            orders unique (number)
            index orders_user_id_number_idx (user_id, number)
        "#]],
    );
}

/// Those of the same name give way with what was known of them; keys and links are those of the catalogue.
#[test]
fn more_columns_stand_beside_those_of_the_catalogue() {
    let schema = "tables: [users, orders, { name: products, more_columns: { shelf: { type: line, max_length: 20, unique: true }, stock: decimal } }], relationships: [users_to_orders, orders_to_products]";
    let (tables, decisions) = planned(schema).unwrap();
    let products = tables.iter().find(|table| table.name.as_str() == "products").unwrap();
    let names: Vec<&str> = products.columns.iter().map(|column| column.name.as_str()).collect();
    let checks: Vec<&str> = products.rules.checks.iter().map(|check| check.name.as_str()).collect();
    let said = decisions.iter().find(|decision| decision.subject == "columns of `products`").unwrap();
    expect![[r#"
        id name sku description price currency category stock status image_url weight_kg tags shelf created_at updated_at row_version
        products_name_length products_name_not_blank products_sku_length products_description_length products_price_range products_currency_letters products_category_length products_status_words products_image_url_length products_weight_kg_range products_shelf_length
        unique ["sku", "shelf"]
        those of the entity `product`, and of the task `shelf`, `stock`"#]].assert_eq(&format!(
        "{}\n{}\nunique {:?}\n{}",
        names.join(" "),
        checks.join(" "),
        products.unique.iter().map(|set| set[0].as_str()).collect::<Vec<_>>(),
        said.decision
    ));
}

#[test]
fn names_that_are_too_long_are_shortened_and_stay_apart() {
    let (one, other) = ("a".repeat(63), format!("{}b", "a".repeat(62)));
    let (tables, _) = planned(&format!("tables: [{one}, {other}], relationships: [{one}_to_{other}]")).unwrap();
    let names = tables.iter().flat_map(|table| {
        let rules = &table.rules;
        let checks = rules.checks.iter().map(|check| check.name.to_string());
        checks.chain(rules.indexes.iter().map(|index| index.name.to_string())).collect::<Vec<_>>()
    });
    let names: Vec<String> = names.collect();
    assert!(names.iter().all(|name| name.len() <= 63), "{names:?}");
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
}
