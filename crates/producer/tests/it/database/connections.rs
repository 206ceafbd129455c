//! Every way in which a PostgreSQL server does not let us in, each by a server or a socket that does so, and what is encrypted
//! for whom. The failure says what to do and never what the password is.

use super::postgresql::run;
use crate::harness::postgresql::{PASSWORD, PASSWORD_ONLY, PrivateServer};
use crate::harness::workspace::{Ended, Workspace, end_with_input};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use store::Server;

const TASK: &str = "task_id: rooms\ntask_type: configure_database\nspecifications:\n  database_config:\n    type: postgresql\n    connection: ${env:ROOMS_URL}\n    schema_requirements:\n      tables: [{ name: rooms, columns: { number: integer } }]\n";

fn connect(workspace: &Workspace, url: &str) -> Ended {
    let mut run = workspace.command(&["run", "-"]);
    end_with_input(run.env("ROOMS_URL", url).env_remove("SSL_CERT_FILE"), TASK)
}

/// What the failure is called, once it was seen that it says what to do and keeps the password.
fn code(ended: Ended) -> String {
    let ended = ended.must_end_with(1);
    let error = ended.response()["error"].clone();
    assert_eq!(error["kind"], "database.connection", "{error}");
    for key in ["hint", "cause", "place"] {
        assert!(error[key].is_string(), "{key}: {error}");
    }
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!said.contains(PASSWORD) && !said.contains("hunter2"), "{said}");
    error["code"].as_str().unwrap().to_owned()
}

fn must_fail(workspace: &Workspace, url: &str, wanted: &str) {
    assert_eq!(code(connect(workspace, url)), wanted, "{url}");
}

fn must_pass(workspace: &Workspace, url: &str) {
    connect(workspace, url).must_end_with(0);
}

fn by_hand(server: &PrivateServer, text: &str) {
    run(&Server::parse(&server.url()).unwrap(), "by hand", text);
}

/// A key and what it signs.
pub(super) struct Authority(Issuer<'static, KeyPair>, pub(super) String);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Self(Issuer::new(parameters, key), certificate)
    }
}

/// Gives the server a certificate for `localhost` that ends in that year.
pub(super) fn certify(server: &PrivateServer, authority: &Authority, year: i32) {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    install(server, &parameters.signed_by(&key, &authority.0).unwrap().pem(), &key);
}

fn install(server: &PrivateServer, certificate: &str, key: &KeyPair) {
    fs::write(server.path("data/server.crt"), certificate).unwrap();
    let path = server.path("data/server.key");
    fs::write(&path, key.serialize_pem()).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn connections_are_encrypted_as_the_url_says_and_a_wrong_certificate_is_refused() {
    // Nobody gets in who does not encrypt.
    let Some(server) = PrivateServer::make("tls", "hostssl all all 127.0.0.1/32 scram-sha-256\n") else { return };
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    certify(&server, &right, 2100);
    let files = ["right.pem", "wrong.pem", "none.pem"].map(|name| server.path(name));
    for (file, content) in files.iter().zip([right.1.as_str(), &wrong.1, "no certificate"]) {
        fs::write(file, content).unwrap();
    }
    let [right_file, wrong_file, none] = files.map(|file| file.display().to_string());
    server.launch("-c ssl=on");
    let workspace = Workspace::new();
    for (host, parameters, wanted) in [
        ("127.0.0.1", String::new(), None),
        ("127.0.0.1", "?sslmode=prefer".to_owned(), None),
        ("127.0.0.1", "?sslmode=require".to_owned(), None),
        ("127.0.0.1", "?sslmode=disable".to_owned(), Some("not_admitted")),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={right_file}"), None),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={wrong_file}"), Some("tls_unknown_authority")),
        ("127.0.0.1", format!("?sslmode=verify-full&sslrootcert={right_file}"), Some("tls_host_name")),
        ("127.0.0.1", format!("?sslmode=verify-ca&sslrootcert={right_file}"), None),
        ("127.0.0.1", format!("?sslmode=verify-ca&sslrootcert={wrong_file}"), Some("tls_unknown_authority")),
        ("127.0.0.1", format!("?sslmode=require&sslrootcert={wrong_file}"), Some("tls_unknown_authority")),
        ("localhost", "?sslmode=verify-full".to_owned(), Some("tls_unknown_authority")),
        ("localhost", "?sslmode=verify-full&sslrootcert=/nowhere/ca.pem".to_owned(), Some("tls_roots")),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={none}"), Some("tls_roots")),
        ("localhost", "?sslmode=allow".to_owned(), Some("location")),
    ] {
        let url = server.url_at(host, &parameters);
        match wanted {
            Some("location") => assert_eq!(connect(&workspace, &url).response()["error"]["code"], "location"),
            Some(wanted) => must_fail(&workspace, &url, wanted),
            None => must_pass(&workspace, &url),
        }
    }
    // The list of the system, with one more on it.
    let mut run = workspace.command(&["run", "-"]);
    run.env("ROOMS_URL", server.url_at("localhost", "?sslmode=verify-full")).env("SSL_CERT_FILE", &right_file);
    end_with_input(&mut run, TASK).must_end_with(0);

    certify(&server, &right, 2021);
    server.reload();
    let verified = format!("?sslmode=verify-full&sslrootcert={right_file}");
    must_fail(&workspace, &server.url_at("localhost", &verified), "tls_certificate");

    // As PostgreSQL's manual makes one: its own authority.
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = parameters.self_signed(&key).unwrap().pem();
    install(&server, &own, &key);
    fs::write(server.path("own.pem"), own).unwrap();
    server.reload();
    let own = server.path("own.pem").display().to_string();
    must_pass(&workspace, &server.url_at("localhost", &format!("?sslmode=verify-full&sslrootcert={own}")));
    must_fail(
        &workspace,
        &server.url_at("127.0.0.1", &format!("?sslmode=verify-full&sslrootcert={own}")),
        "tls_host_name",
    );
    must_fail(&workspace, &server.url_at("localhost", &verified), "tls_unknown_authority");
}

#[test]
fn a_server_says_in_many_ways_that_nobody_gets_in() {
    let admits = "host postgres all 127.0.0.1/32 scram-sha-256\nhost other ghost 127.0.0.1/32 trust\n";
    let Some(server) = PrivateServer::start("refusals", admits, "") else { return };
    let workspace = Workspace::new();
    by_hand(
        &server,
        "CREATE ROLE ada LOGIN PASSWORD 'hunter2'; CREATE ROLE reader LOGIN PASSWORD 'hunter2'; \
         CREATE ROLE many LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 0; ALTER ROLE reader SET default_transaction_read_only = on",
    );
    by_hand(
        &server,
        "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; GRANT CONNECT ON DATABASE postgres TO reader, many",
    );
    let url = |user: &str, database: &str, parameters: &str| {
        format!("postgresql://{user}@127.0.0.1:{}/{database}{parameters}", server.port)
    };
    for (url, wanted) in [
        (url("postgres:hunter2", "postgres", ""), "authentication"),
        (url("postgres", "postgres", ""), "authentication"),
        (url("nobody:hunter2", "postgres", ""), "authentication"),
        (url("ghost", "other", ""), "role_missing"),
        (url("ada:hunter2", "template1", ""), "not_admitted"),
        (url("ada:hunter2", "postgres", ""), "not_allowed"),
        (url("many:hunter2", "postgres", ""), "too_many_connections"),
        (url("reader:hunter2", "postgres", ""), "read_only"),
        (url("reader:hunter2", "postgres", "?target_session_attrs=read-write"), "read_only"),
        (server.url_at("127.0.0.1", "?sslmode=require"), "tls_not_offered"),
        (server.url_at("127.0.0.1", "?sslmode=verify-full"), "tls_not_offered"),
    ] {
        must_fail(&workspace, &url, wanted);
    }
}

#[test]
fn a_replica_is_not_written_to() {
    let Some(primary) = PrivateServer::make("replica", PASSWORD_ONLY) else { return };
    let replica = primary.copy();
    fs::write(replica.path("data/standby.signal"), "").unwrap();
    replica.launch("-c hot_standby=on");
    must_fail(&Workspace::new(), &replica.url(), "read_only");
}

#[test]
fn what_never_answers_as_a_server_does_has_its_word() {
    let workspace = Workspace::new();
    let silent = at_socket(|_| std::thread::sleep(std::time::Duration::from_secs(60)));
    must_fail(&workspace, &format!("{silent}?connect_timeout=1"), "timed_out");
    let web = at_socket(|mut socket| {
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    });
    must_fail(&workspace, &web, "not_the_server");
    must_fail(&workspace, &at_socket(drop), "not_the_server");
    must_fail(&workspace, &at_socket(old_server), "too_old");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    must_fail(&workspace, &format!("postgresql://ada:hunter2@{nobody}/shop"), "refused");
    must_fail(&workspace, "postgresql://ada:hunter2@nowhere.invalid/shop", "unknown_host");
    must_fail(&workspace, "postgresql://ada:hunter2@%2Fnowhere/shop", "refused");
}

/// A URL whose host treats each connection like this.
fn at_socket(treat: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the tests' process.
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let treat = treat.clone();
            std::thread::spawn(move || treat(socket));
        }
    });
    format!("postgresql://ada:hunter2@{address}/shop")
}

/// What a server of version 12 says to whom it lets in.
fn old_server(mut socket: TcpStream) {
    let mut request = [0; 8];
    if socket.read_exact(&mut request).is_err() || socket.write_all(b"N").is_err() {
        return;
    }
    let mut rest = [0; 1024];
    let _ = socket.read(&mut rest);
    let mut answer = b"R\0\0\0\x08\0\0\0\0".to_vec();
    let parameter = b"server_version\x0012.22\x00";
    answer.push(b'S');
    answer.extend(u32::try_from(parameter.len() + 4).unwrap().to_be_bytes());
    answer.extend(parameter);
    answer.extend(b"Z\0\0\0\x05I");
    let _ = socket.write_all(&answer);
    let _ = socket.read(&mut rest);
}
