//! What is decided here without a server: ports, units, the words for a shell.

use crate::folder::Folder;
use crate::{Instance, State, postgresql, unit};
use std::path::Path;
use vocab::Engine;

#[test]
fn nothing_is_made_before_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let servers = folder.path().join("servers");
    let instance = Instance::of_database(Engine::PostgreSql, "shop", &servers);
    assert_eq!((instance.name(), instance.state().unwrap()), ("postgresql_shop", State::Absent));
    assert_eq!(instance.address().unwrap(), None);
    assert!(crate::instances(&servers).unwrap().is_empty());
    assert!(!servers.exists());
}

#[test]
fn a_record_that_is_no_record_is_damage_and_not_absence() {
    let folder = tempfile::tempdir().unwrap();
    let instance = Instance::of_database(Engine::PostgreSql, "shop", folder.path());
    std::fs::create_dir_all(instance.folder()).unwrap();
    std::fs::write(instance.folder().join("server.json"), "{").unwrap();
    assert!(instance.state().unwrap_err().to_string().contains("is damaged"));
}

#[test]
fn paths_mean_themselves_to_a_shell_and_to_systemd() {
    let settings = postgresql::settings(20_001, Path::new("/a b/it's 5%"));
    let options = postgresql::options(&settings);
    assert!(
        options.contains(r"-c log_directory='/a b/it'\''s 5%'") && options.contains("-c unix_socket_directories=''")
    );
    let folder = Folder::new("/a b/it's 5%/d$".into());
    let service = postgresql::Programs("/bin".into()).service(&folder, 20_001);
    let text = unit::text("postgresql_shop", Some("postgres"), &service, &folder.data());
    assert!(
        text.contains("User=postgres\nExecStart=/bin/postgres -D \"/a b/it's 5%%/d$$/data\" -c port=20001 "),
        "{text}"
    );
    assert!(text.contains(r#""log_directory=/a b/it's 5%%/d$$/log""#), "{text}");
}
