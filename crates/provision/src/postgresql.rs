//! What PostgreSQL's programs are called, and the words they are called with. Everything is said on the command line, so that a
//! service manager starts the server exactly as the producer does.

use std::path::Path;

/// All of them are needed.
pub const PROGRAMS: &[&str] = &["initdb", "pg_ctl", "postgres"];
/// Parents of folders with a version each, and what lies beneath: Debian, Red Hat, Homebrew on either kind of Mac.
pub const PACKAGES: &[(&str, &str)] =
    &[("/usr/lib/postgresql", "bin"), ("/usr", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr/local/opt", "bin")];
/// The user that packages make.
pub const ACCOUNT: &str = "postgres";
/// The superuser of a server that is made here.
pub const SUPERUSER: &str = "postgres";
/// Locales that sort by code point and know the letters of all languages, the first that the system has.
pub const LOCALES: &[&str] = &["C.UTF-8", "C"];

/// The settings of the server, name and value.
pub fn settings(port: u16, log: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("port", port.to_string()),
        ("listen_addresses", "127.0.0.1".to_owned()),
        // Its path would be too long for many a folder.
        ("unix_socket_directories", String::new()),
        ("password_encryption", "scram-sha-256".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("log_timezone", "UTC".to_owned()),
        // A week of logs, a file a day.
        ("logging_collector", "on".to_owned()),
        ("log_directory", log.display().to_string()),
        ("log_filename", "server-%a.log".to_owned()),
        ("log_rotation_age", "1d".to_owned()),
        ("log_rotation_size", "0".to_owned()),
        ("log_truncate_on_rotation", "on".to_owned()),
    ]
}

/// The settings as words that a shell understands.
pub fn options(settings: &[(&str, String)]) -> String {
    let word = |(name, value): &(&str, String)| format!("-c {name}='{}'", value.replace('\'', r"'\''"));
    settings.iter().map(word).collect::<Vec<_>>().join(" ")
}
