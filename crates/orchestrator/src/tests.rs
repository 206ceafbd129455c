//! Failures as their readers meet them: every one says what, where, why and how to mend it, and a plan that does not do what it
//! says is told by the kind of what it does wrong.

mod roundtrip;

use crate::failure::{Failure, FailureKind};
use crate::response::{Response, Verification};
use crate::run::{now, plan_task};
use crate::verify;
use crate::workspace::{Workspace, WorkspaceFailure};
use crate::{RunOptions, UnknownDependencies};
use apply::FileFailure;
use plan::{Item, Phase, Plan, Step};
use std::io;
use std::path::{Path, PathBuf};
use store::{Database, StoreError, Trouble};
use vocab::{Engine, TaskId};

const TASK: &str = "task_id: contact
task_type: setup_api
specifications:
  api_requirements:
    type: rest
    endpoints: [{ path: /api/contact, method: POST, authentication: api_key }]
    rate_limiting: 5_requests_per_minute
";

fn planned() -> Plan {
    let options = RunOptions {
        workspace: Workspace::new(Path::new("nowhere")),
        output: PathBuf::from("nowhere"),
        listen: String::new(),
        unknown_dependencies: UnknownDependencies::TakenToBeDone,
        allowed: planner::Allowed::default(),
        sandbox: crate::Sandbox::Off,
    };
    plan_task(&spec::parse("-", TASK).tasks[0], &options, &[]).unwrap().plan.api().expect("an API").clone()
}

/// How the proof of a plan fails; `None` when it does not.
fn unproved(plan: &Plan, openapi: &str) -> Option<Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let checks = runtime.block_on(verify::on_scratch(plan, &store::Database::Sqlite(PathBuf::new()), openapi, &now()));
    checks.iter().find(|check| check.outcome == crate::response::CheckOutcome::Failed).map(Failure::unproved)
}

#[track_caller]
fn must_fail(change: impl FnOnce(&mut Plan), kind: FailureKind, place: &str, cause: &str) {
    let mut plan = planned();
    let openapi = emit::openapi(&[&plan]);
    change(&mut plan);
    let failure = unproved(&plan, &openapi).unwrap();
    assert_eq!((failure.kind, failure.place.as_deref()), (kind, Some(place)), "{failure:?}");
    assert!(failure.cause.as_ref().unwrap().contains(cause), "{failure:?}");
}

#[test]
fn a_plan_that_does_not_do_what_it_says_is_told_by_kind() {
    let plan = planned();
    assert_eq!(unproved(&plan, &emit::openapi(&[&plan])), None);
    must_fail(
        |plan| plan.api.policies[0].quota += 1,
        FailureKind::RateLimiting,
        "POST /api/contact",
        "header `ratelimit-policy` is",
    );
    must_fail(
        |plan| plan.cases.iter_mut().filter(|case| case.expect.status == 429).for_each(|case| case.repeat -= 1),
        FailureKind::RateLimiting,
        "POST /api/contact",
        "status 400 instead of 429",
    );
    let is_authorization =
        |item: &Item| matches!(item, Item::Do(Step::Authorize { .. }) | Item::Let(_, Step::Authorize { .. }));
    must_fail(
        |plan| plan.api.endpoints[0].procedure.body.retain(|item| !is_authorization(item)),
        FailureKind::AuthenticationSetup,
        "POST /api/contact",
        "instead of 401",
    );
    must_fail(
        |plan| plan.cases[0].expect.status = 202,
        FailureKind::EndpointConfiguration,
        "POST /api/contact",
        "status 201 instead of 202",
    );
    must_fail(
        |plan| plan.database.migrations[0].statements[0].sql.push_str(" nonsense"),
        FailureKind::DatabaseMigration,
        "create_schema_and_tables",
        "nonsense",
    );
}

#[test]
fn a_document_that_leaves_an_endpoint_out_is_told_so() {
    let mut other = planned();
    other.api.endpoints.clear();
    let failure = unproved(&planned(), &emit::openapi(&[&other])).unwrap();
    assert_eq!((failure.kind, failure.place.as_deref()), (FailureKind::Documentation, Some("GET /openapi.json")));
}

/// A database of each engine.
fn databases() -> [Database; 3] {
    let parse = |engine, text| Database::parse(engine, text, |path| path.into()).unwrap();
    [
        parse(Engine::Sqlite, "file:a/.producer/data/embedded.sqlite"),
        parse(Engine::PostgreSql, "postgresql://ada@db.example.com/shop"),
        parse(Engine::MySql, "mysql://ada@db.example.com/shop"),
    ]
}

const TROUBLES: [Trouble; 9] = [
    Trouble::TlsNotOffered,
    Trouble::UnknownAuthority,
    Trouble::NoRoots,
    Trouble::Authentication,
    Trouble::RoleMissing,
    Trouble::NotAdmitted,
    Trouble::NotAllowed,
    Trouble::DatabaseMissing,
    Trouble::ReadOnly,
];

/// Nobody is sent to settings that another engine has.
#[test]
fn hints_speak_of_the_engine_that_is_there() {
    let [_, postgresql, mysql] = databases();
    for trouble in TROUBLES {
        let error = StoreError::NotConnected(trouble, "not now".to_owned());
        let hint = |database| Failure::database(&error, database).hint.unwrap();
        let foreign = ["sslmode", "sslrootcert", "pg_hba", "CREATEDB", "TEMPLATE", "LOGIN", "target_session"];
        assert!(!foreign.iter().any(|word| hint(&mysql).contains(word)), "{}", hint(&mysql));
        assert!(!["ssl-mode", "ssl-ca", "mysql"].iter().any(|word| hint(&postgresql).contains(word)));
    }
    assert!(Failure::not_encrypted("production", &mysql).hint.unwrap().contains("ssl-mode=VERIFY_IDENTITY"));
    assert!(Failure::pool_too_large(9, 8, &mysql).hint.unwrap().contains("MAX_USER_CONNECTIONS"));
}

fn every_failure() -> Vec<Failure> {
    let other = TaskId::parse("other").unwrap();
    let file_errors = [
        io::ErrorKind::StorageFull,
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::NotADirectory,
        io::ErrorKind::Other,
    ];
    let store_errors = || {
        [
            StoreError::Unavailable("disk I/O error".to_owned()),
            StoreError::Refused("file is not a database".to_owned()),
            StoreError::MigrationChanged { name: "0001_initial".to_owned() },
            StoreError::Conflict,
            StoreError::Locked {
                who: "table `a` is kept by process 7".to_owned(),
                way: "let it end, and run again".to_owned(),
            },
            StoreError::HalfDone {
                migration: "0002_changes".to_owned(),
                done: vec!["rooms.note: it was called remark".to_owned()],
                of: 2,
                why: "the server went away".to_owned(),
            },
        ]
    };
    let mut all = vec![
        Response::invalid(spec::parse("-", "task_type: setup_apy").diagnostics).error.unwrap(),
        Failure::waiting(&other),
        Failure::route_taken("POST /api/contact", &other),
        Failure::rows_elsewhere(3, "the embedded database", None),
        Failure::workspace(&WorkspaceFailure::Damaged {
            path: "a/.producer/tasks/x/end.json".into(),
            why: "no JSON".to_owned(),
        }),
    ];
    for kind in file_errors {
        all.push(Failure::workspace(&WorkspaceFailure::File { path: "a/.producer/lock".into(), source: kind.into() }));
        for path in ["out/documentation/openapi.json", "out/README.md", "out/apis/x-api/middleware.js", "out/server.js"]
        {
            all.push(Failure::file(&FileFailure { path: path.into(), source: kind.into() }, Path::new("out")));
        }
    }
    let troubles = || TROUBLES.map(|trouble| StoreError::NotConnected(trouble, "it said no".to_owned()));
    for database in databases() {
        for error in store_errors().into_iter().chain(troubles()) {
            all.push(Failure::database(&error, &database));
            all.push(Failure::migration(&error, &database));
        }
    }
    for phase in [Phase::ImplementEndpointLogic, Phase::ConfigureMonitoringAndAlerts, Phase::ConfigureBackupProcedures]
    {
        let failed = Verification::of(phase, "a check", &["it was not so".to_owned()]);
        all.extend([Failure::unproved(&failed), Failure::not_live(&failed, Path::new("embedded.sqlite"))]);
    }
    all
}

#[test]
fn every_failure_says_what_where_why_and_how_to_mend_it() {
    for failure in every_failure() {
        let is_sentence = |text: &str| {
            text.len() > 10 && !text.ends_with(['.', ' ', ':']) && text.starts_with(|first: char| !first.is_uppercase())
        };
        assert!(is_sentence(&failure.message), "what: {failure:?}");
        assert!(!failure.code.is_empty(), "code: {failure:?}");
        assert!(failure.place.as_ref().is_some_and(|place| !place.is_empty()), "where: {failure:?}");
        assert!(failure.hint.as_deref().is_some_and(is_sentence), "how to mend it: {failure:?}");
        let says_itself = matches!(failure.kind, FailureKind::TaskInvalid | FailureKind::TaskWaiting)
            || failure.code == "route_taken";
        assert!(says_itself || failure.cause.as_ref().is_some_and(|cause| !cause.is_empty()), "why: {failure:?}");
        assert!(failure.safe_to_retry, "every step of a run can be repeated: {failure:?}");
        assert!(!failure.to_string().contains('\n'), "one line: {failure}");
    }
}

/// Whoever retries by machine goes by these.
#[test]
fn what_the_world_may_mend_by_itself_can_be_retried() {
    let [database, ..] = &databases();
    let file = |kind: io::ErrorKind| {
        let failure =
            Failure::file(&FileFailure { path: "out/server.js".into(), source: kind.into() }, Path::new("out"));
        (failure.code, failure.retryable)
    };
    assert_eq!(file(io::ErrorKind::StorageFull), ("disk_full".to_owned(), true));
    assert_eq!(file(io::ErrorKind::PermissionDenied), ("not_writable".to_owned(), false));
    assert_eq!(file(io::ErrorKind::NotADirectory), ("in_the_way".to_owned(), false));
    let unavailable = StoreError::Unavailable("database is locked".to_owned());
    assert!(
        Failure::migration(&unavailable, database).retryable && Failure::database(&unavailable, database).retryable
    );
    let refused = StoreError::Refused("no such column".to_owned());
    assert!(!Failure::migration(&refused, database).retryable && !Failure::database(&refused, database).retryable);
    let failed = Verification::of(Phase::ImplementEndpointLogic, "a check", &["no".to_owned()]);
    assert!(
        !Failure::unproved(&failed).retryable && Failure::not_live(&failed, Path::new("embedded.sqlite")).retryable
    );
}
