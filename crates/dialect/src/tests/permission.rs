//! Permissions as statements: from nothing to what is wanted, and from what somebody has changed back to it.

use crate::permission::{differences, script, statements, wanted};
use expect_test::expect;
use plan::database::Table;
use plan::database::permission::{
    Access, Grant, Granted, Login, ObservedPermissions, OwnedBy, Permissions, Policy, Role, RoleOrigin, RowSecurity,
    Uses,
};
use vocab::{Engine, RoleName};

fn permissions() -> Permissions {
    let role = |name: &str, access, login, tables: &[Table]| Role {
        name: RoleName::parse(name).unwrap(),
        access,
        tables: tables.iter().map(|table| table.name.clone()).collect(),
        uses: None,
        login,
        origin: RoleOrigin::Default,
        why: "a role".to_owned(),
    };
    Permissions {
        database: "My-Shop".to_owned(),
        schema: "public".to_owned(),
        mark: "made by Integration Producer for task shop, database My-Shop, schema public".to_owned(),
        roles: vec![
            role("shop_owner", Access::Owner, Login::Never, &[]),
            role("shop_migrator", Access::Migrate, Login::Generated, &[]),
            role("shop_app", Access::ReadWrite, Login::Generated, &[]),
            role("shop_clerk", Access::ReadOnly, Login::Generated, &[super::table()]),
        ],
        guests: std::collections::BTreeSet::new(),
        owned: std::collections::BTreeMap::new(),
    }
}

/// A server that has what is wanted.
fn as_wanted() -> ObservedPermissions {
    let empty = ObservedPermissions {
        user: "ada".to_owned(),
        may_administer_database: true,
        acts_as: ["shop_owner".to_owned()].into(),
        owners: vec![("order".to_owned(), "shop_owner".to_owned())],
        ..ObservedPermissions::default()
    };
    let roles = wanted(Engine::PostgreSql, &permissions(), &[super::table()], &empty);
    ObservedPermissions { roles, ..empty }
}

#[test]
fn from_nothing_each_role_gets_what_it_needs() {
    let statements = script(Engine::PostgreSql, &permissions(), &[super::table()], &as_wanted());
    let text: String = statements.iter().map(|statement| format!("{};\n", statement.sql)).collect();
    expect![[r#"
        CREATE ROLE shop_owner NOLOGIN;
        COMMENT ON ROLE shop_owner IS 'made by Integration Producer for task shop, database My-Shop, schema public';
        CREATE ROLE shop_migrator LOGIN;
        COMMENT ON ROLE shop_migrator IS 'made by Integration Producer for task shop, database My-Shop, schema public';
        CREATE ROLE shop_app LOGIN;
        COMMENT ON ROLE shop_app IS 'made by Integration Producer for task shop, database My-Shop, schema public';
        CREATE ROLE shop_clerk LOGIN;
        COMMENT ON ROLE shop_clerk IS 'made by Integration Producer for task shop, database My-Shop, schema public';
        GRANT shop_owner TO shop_migrator;
        GRANT shop_owner TO ada;
        GRANT CREATE, USAGE ON SCHEMA public TO shop_owner;
        ALTER TABLE "order" OWNER TO shop_owner;
        ALTER TABLE schema_migrations OWNER TO shop_owner;
        ALTER TABLE schema_migration_steps OWNER TO shop_owner;
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        GRANT CONNECT ON DATABASE "My-Shop" TO shop_migrator;
        GRANT CONNECT ON DATABASE "My-Shop" TO shop_app;
        GRANT USAGE ON SCHEMA public TO shop_app;
        GRANT DELETE, INSERT, SELECT, UPDATE ON "order" TO shop_app;
        GRANT SELECT ON schema_migration_steps, schema_migrations TO shop_app;
        ALTER DEFAULT PRIVILEGES FOR ROLE ada IN SCHEMA public GRANT DELETE, INSERT, SELECT, UPDATE ON TABLES TO shop_app;
        ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA public GRANT DELETE, INSERT, SELECT, UPDATE ON TABLES TO shop_app;
        ALTER DEFAULT PRIVILEGES FOR ROLE ada IN SCHEMA public GRANT SELECT, USAGE ON SEQUENCES TO shop_app;
        ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA public GRANT SELECT, USAGE ON SEQUENCES TO shop_app;
        GRANT CONNECT ON DATABASE "My-Shop" TO shop_clerk;
        GRANT USAGE ON SCHEMA public TO shop_clerk;
        GRANT SELECT ON "order" TO shop_clerk;
        ALTER ROLE shop_migrator IN DATABASE "My-Shop" SET role TO shop_owner;
    "#]].assert_eq(&text);
}

#[test]
fn what_is_as_wanted_needs_no_statement_and_each_change_is_taken_back() {
    let sound = as_wanted();
    let tables = [super::table()];
    let of = |found: &ObservedPermissions| statements(Engine::PostgreSql, &permissions(), &tables, found);
    assert_eq!(of(&sound), []);
    assert_eq!(differences(Engine::PostgreSql, &permissions(), &tables, &sound), Vec::<String>::new());
    let mut text = String::new();
    let mut check = |change: &dyn Fn(&mut ObservedPermissions)| {
        let mut found = sound.clone();
        change(&mut found);
        for difference in differences(Engine::PostgreSql, &permissions(), &tables, &found) {
            text.push_str(&format!("{difference}\n"));
        }
        for statement in of(&found) {
            text.push_str(&format!("  {};\n    undo {}\n", statement.sql, statement.undo));
        }
    };
    let grant = |on: Granted, privilege: &str, may_be_handed_on| Grant {
        on,
        privilege: privilege.to_owned(),
        may_be_handed_on,
    };
    let order = || Granted::Table("order".to_owned());
    check(&|found| {
        found.roles[2].grants.remove(&grant(order(), "INSERT", false));
        found.roles[2].grants.insert(grant(order(), "INSERT", true));
        found.roles[2].grants.insert(grant(order(), "TRUNCATE", false));
    });
    check(&|found| {
        found.roles[3].grants.insert(grant(Granted::Column("order".to_owned(), "note".to_owned()), "UPDATE", false));
        // A table of somebody else's is left alone.
        found.roles[3].grants.insert(grant(Granted::Table("theirs".to_owned()), "UPDATE", false));
    });
    check(&|found| {
        found.roles[2].powers.insert("SUPERUSER".to_owned());
        found.roles[2].member_of.insert("shop_owner".to_owned());
        found.roles[1].settings.clear();
        found.roles[0].may_log_in = true;
    });
    check(&|found| found.owners[0].1 = "My-User".to_owned());
    check(&|found| {
        found.everybody.insert(grant(Granted::Schema, "CREATE", false));
    });
    expect![[r#"
        role `shop_app` may not INSERT table `order`
        role `shop_app` may INSERT table `order` and hand that on
        role `shop_app` may TRUNCATE table `order`
          REVOKE INSERT, TRUNCATE ON "order" FROM shop_app;
            undo GRANT INSERT, TRUNCATE ON "order" TO shop_app
          GRANT INSERT ON "order" TO shop_app;
            undo REVOKE INSERT ON "order" FROM shop_app
        role `shop_clerk` may UPDATE column `order.note`
          REVOKE UPDATE (note) ON "order" FROM shop_clerk;
            undo GRANT UPDATE (note) ON "order" TO shop_clerk
        role `shop_owner` may log in
        role `shop_migrator` has another setting: role=shop_owner
        role `shop_app` has SUPERUSER
        role `shop_app` is a member of `shop_owner`
          ALTER ROLE shop_owner NOLOGIN;
            undo ALTER ROLE shop_owner LOGIN
          ALTER ROLE shop_app NOSUPERUSER;
            undo ALTER ROLE shop_app SUPERUSER
          REVOKE shop_owner FROM shop_app;
            undo GRANT shop_owner TO shop_app
          ALTER ROLE shop_migrator IN DATABASE "My-Shop" SET role TO shop_owner;
            undo ALTER ROLE shop_migrator IN DATABASE "My-Shop" RESET role
        table `order` is owned by `My-User`
          ALTER TABLE "order" OWNER TO shop_owner;
            undo ALTER TABLE "order" OWNER TO "My-User"
        everybody may CREATE the schema
          REVOKE CREATE ON SCHEMA public FROM PUBLIC;
            undo GRANT CREATE ON SCHEMA public TO PUBLIC
    "#]]
    .assert_eq(&text);
}

#[test]
fn an_application_is_kept_to_the_rows_of_one_user_and_nobody_else_is() {
    let mut wanted = permissions();
    let table = super::table();
    let column = table.columns[0].name.clone();
    wanted.owned.insert(table.name.clone(), OwnedBy::User(column));
    let found = as_wanted();
    let of = |wanted: &Permissions, found: &ObservedPermissions| {
        let statements = statements(Engine::PostgreSql, wanted, std::slice::from_ref(&table), found);
        statements.into_iter().map(|statement| statement.sql).collect::<Vec<_>>()
    };
    assert_eq!(of(&wanted, &found), Vec::<String>::new(), "an application that may do everything has no API");
    wanted.roles[2].uses = Some(Uses::new());
    let mut found = ObservedPermissions {
        roles: crate::permission::wanted(Engine::PostgreSql, &wanted, std::slice::from_ref(&table), &found),
        ..found
    };
    let made = of(&wanted, &found);
    expect![[r#"
        CREATE POLICY all_rows ON "order" AS PERMISSIVE FOR ALL TO PUBLIC USING (true)
        CREATE POLICY own_rows ON "order" AS RESTRICTIVE FOR ALL TO shop_app USING (CASE WHEN (current_setting('app.user_id'::text, true) = '*'::text) THEN true ELSE ((id)::text = current_setting('app.user_id'::text, true)) END)
        ALTER TABLE "order" ENABLE ROW LEVEL SECURITY"#]]
    .assert_eq(&made.join("\n"));

    // As the server prints it.
    let policy = |name: &str, role: &str, using: &str, is_permissive| Policy {
        name: name.to_owned(),
        command: "ALL".to_owned(),
        roles: vec![role.to_owned()],
        using: Some(using.to_owned()),
        check: None,
        is_permissive,
    };
    let own = "\nCASE\n    WHEN (current_setting('app.user_id'::text, true) = '*'::text) THEN true\n    ELSE ((id)::text = current_setting('app.user_id'::text, true))\nEND";
    let policies = vec![policy("all_rows", "public", "true", true), policy("own_rows", "shop_app", own, false)];
    found.row_security = vec![RowSecurity { table: "order".to_owned(), is_on: true, is_forced: false, policies }];
    assert_eq!(of(&wanted, &found), Vec::<String>::new());
    let barriers = |wanted: &Permissions, found: &ObservedPermissions| {
        let barriers = crate::permission::barriers(Engine::PostgreSql, wanted, std::slice::from_ref(&table), found);
        barriers.into_iter().map(|(what, _)| what).collect::<Vec<_>>()
    };
    assert_eq!(barriers(&wanted, &found), Vec::<String>::new());

    // One that shows less, or more, is another; one of somebody else's stays until somebody says otherwise.
    found.row_security[0].policies[1].using = Some(own.replace("= '*'", "<> '*'"));
    found.row_security[0].policies.push(policy("theirs", "shop_app", "false", false));
    assert_eq!(of(&wanted, &found), ["DROP POLICY own_rows ON \"order\"".to_owned(), made[1].clone()]);
    assert_eq!(barriers(&wanted, &found), ["table `order` has the policy `theirs`"]);

    // No API any more: ours go, and with the last of them what they needed.
    wanted.owned.clear();
    let gone = ["DROP POLICY all_rows ON \"order\"", "DROP POLICY own_rows ON \"order\""];
    assert_eq!(of(&wanted, &found), gone);
    found.row_security[0].policies.pop();
    let disabled = "ALTER TABLE \"order\" DISABLE ROW LEVEL SECURITY";
    assert_eq!(of(&wanted, &found), [&gone[..], &[disabled]].concat());
}
