//! What becomes of what a task leaves open about backups.

use super::CATALOG;
use expect_test::{Expect, expect};
use plan::{Observed, Phase};
use vocab::TaskId;

/// The decisions, each with what it is about; none where nobody asks for backups.
fn check(lines: &str, expected: &Expect) {
    let text = format!(
        "task_type: configure_database\nspecifications:\n  database_config:\n    {lines}\n    connection: \"${{env:DATABASE_URL}}\"\n    schema_requirements: {{ tables: [users] }}\n"
    );
    let parsed = spec::parse("task.yaml", &text);
    assert_eq!(parsed.diagnostics, []);
    let plan = crate::plan(&parsed.tasks[0], &TaskId::parse("task").unwrap(), &CATALOG, &Observed::default()).unwrap();
    let decisions = plan.decisions().iter().filter(|decision| decision.phase == Phase::ConfigureBackupProcedures);
    let lines: Vec<String> =
        decisions.map(|decision| format!("{}: {}\n", decision.subject, decision.decision)).collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn what_is_left_open_goes_by_the_environment() {
    check("type: sqlite", &expect![""]);
    check(
        "type: sqlite\n    backup: { schedule: hourly }",
        &expect![[r#"
            backup: copies: one at `0 * * * *` (UTC)
            backup: retention: for 7 days, the newest 3 however old they are
            backup: destination: the workspace's own folder of backups
            backup: encryption: none
            backup: drill: the newest copy is restored and compared at `0 5 * * 0` (UTC)
            backup: objectives: at most 1 hour of work is lost
        "#]],
    );
    check(
        "type: postgresql\n    environment: production\n    backup: { schedule: daily, point_in_time: true }",
        &expect![[r#"
            backup: copies: one at `0 3 * * *` (UTC)
            backup: retention: for 14 days, the newest 3 however old they are
            backup: destination: the workspace's own folder of backups
            backup: encryption: with `${secret:BACKUP_KEY}`, in the format of age
            backup: drill: the newest copy is restored and compared at `0 5 * * 0` (UTC)
            backup: objectives: at most 1 minute of work is lost
            backup: log: kept every 1 minute, so that every moment between copies can be restored
        "#]],
    );
}

#[test]
fn every_moment_of_a_file_is_kept_by_whoever_serves() {
    check(
        "type: sqlite\n    backup: { schedule: daily, point_in_time: true }",
        &expect![[r#"
            backup: copies: one at `0 3 * * *` (UTC)
            backup: retention: for 7 days, the newest 3 however old they are
            backup: destination: the workspace's own folder of backups
            backup: encryption: none
            backup: drill: the newest copy is restored and compared at `0 5 * * 0` (UTC)
            backup: objectives: at most 1 minute of work is lost
            backup: log: kept every 1 minute, so that every moment between copies can be restored
        "#]],
    );
}

#[test]
fn less_work_is_lost_where_the_log_is_kept_more_often() {
    check(
        "type: postgresql\n    backup: { schedule: daily, point_in_time: true, objectives: { rpo: 5_seconds, rto: 1_minute } }",
        &expect![[r#"
            backup: copies: one at `0 3 * * *` (UTC)
            backup: retention: for 7 days, the newest 3 however old they are
            backup: destination: the workspace's own folder of backups
            backup: encryption: none
            backup: drill: the newest copy is restored and compared at `0 5 * * 0` (UTC)
            backup: objectives: at most 5 seconds of work is lost; restoring takes at most 1 minute
            backup: log: kept every 2 seconds, so that every moment between copies can be restored
        "#]],
    );
}

#[test]
fn what_the_task_says_wins() {
    check(
        "type: sqlite\n    environment: production\n    backup: { schedule: every_10_minutes, keep_for: 30_days, keep_at_least: 9, destination: \"${env:MOUNT}/shop\", encryption_key: \"${env:KEY}\", drill: daily, objectives: { rpo: 15_minutes, rto: 90_seconds } }",
        &expect![[r#"
            backup: copies: one every 10 minutes
            backup: retention: for 30 days, the newest 9 however old they are
            backup: destination: `${env:MOUNT}/shop`
            backup: encryption: with `${env:KEY}`, in the format of age
            backup: drill: the newest copy is restored and compared at `0 3 * * *` (UTC)
            backup: objectives: at most 15 minutes of work is lost; restoring takes at most 90 seconds
        "#]],
    );
}
