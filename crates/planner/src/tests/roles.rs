//! Who may do what in a database: the roles that a task gets, and what they are called.

use super::CATALOG;
use expect_test::{Expect, expect};
use plan::database::DatabasePlace;
use plan::database::permission::{Login, Permissions};
use plan::{Observed, TaskPlan};
use vocab::TaskId;

fn planned(roles: &str, place: Option<(&str, &str)>) -> Permissions {
    let text = format!(
        "task_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    name: shop\n    schema_requirements: {{ tables: [users, products] }}\n{roles}"
    );
    let parsed = spec::parse("task.yaml", &text);
    assert_eq!(parsed.diagnostics, []);
    let place = place.map(|(database, schema)| DatabasePlace {
        database: database.to_owned(),
        schema: schema.to_owned(),
        user: "ada".to_owned(),
        keeps_apart: true,
    });
    let observed = Observed { place, ..Observed::default() };
    let task_id = TaskId::parse("task").unwrap();
    match crate::plan(&parsed.tasks[0], &task_id, &CATALOG, &observed).unwrap() {
        TaskPlan::Database(plan) => plan.permissions,
        TaskPlan::Api(_) => panic!("a database"),
    }
}

/// Roles as `shop_app read_write of users, env PASSWORD`.
fn check(roles: &str, place: Option<(&str, &str)>, expected: &Expect) {
    let permissions = planned(roles, place);
    let lines = permissions.roles.iter().map(|role| {
        assert!(role.name.as_str().len() <= 63, "{}", role.name);
        let tables: Vec<&str> = role.tables.iter().map(vocab::TableName::as_str).collect();
        let of = if tables.is_empty() { String::new() } else { format!(" of {}", tables.join(", ")) };
        let login = match &role.login {
            Login::Never => "no login".to_owned(),
            Login::Generated => "generated".to_owned(),
            Login::Environment(name) => format!("env {name}"),
            Login::Secret(name) => format!("secret {name}"),
        };
        format!("{} {:?}{of}, {login}\n", role.name, role.access)
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn names_begin_with_the_database_that_the_server_names() {
    check(
        "",
        None,
        &expect![[r#"
            shop_owner Owner, no login
            shop_migrator Migrate, generated
            shop_app ReadWrite, generated
            shop_readonly ReadOnly, generated
            shop_backup Backup, generated
        "#]],
    );
    let long = "a".repeat(63);
    for (place, first) in [
        (("store", "public"), "store_owner"),
        (("store", "sales"), "store_sales_owner"),
        (("My-Store 2", "public"), "my_store_2_owner"),
        (("2025", "public"), "db_2025_owner"),
        (("größe", "public"), "gr__e_owner"),
    ] {
        assert_eq!(planned("", Some(place)).roles[0].name.as_str(), first);
    }
    let shortened = planned("", Some((&long, "public")));
    let names: std::collections::BTreeSet<_> = shortened.roles.iter().map(|role| &role.name).collect();
    assert_eq!(names.len(), 5);
    assert!(names.iter().all(|name| name.as_str().len() <= 63));
}

#[test]
fn what_the_task_says_of_a_role_wins_over_what_every_database_gets() {
    let longest = planned(&format!("    roles: [{{ name: {}, access: read_only }}]\n", "a".repeat(63)), None);
    assert!(longest.roles[5].name.as_str().len() <= 63);
    check(
        "    roles:\n      - { name: reporting, access: read_only, tables: [products] }\n      - { name: app, access: read_write, password: \"${env:APP_PASSWORD}\" }\n      - { name: shop_admin, access: owner, password: \"${secret:ADMIN}\" }\n",
        None,
        &expect![[r#"
            shop_owner Owner, no login
            shop_migrator Migrate, generated
            shop_app ReadWrite, env APP_PASSWORD
            shop_readonly ReadOnly, generated
            shop_backup Backup, generated
            shop_reporting ReadOnly of products, generated
            shop_admin Migrate, secret ADMIN
        "#]],
    );
}
