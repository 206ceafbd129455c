//! Calls whose proof does not come with them, asked of both servers: the signature of a certificate that lies at the provider, and the
//! provider's own word. Certificates are made here; the provider is a listener of this machine.

use super::wire::{CRM, MEMBERS, acme, private_key, provider, with_account};
use crate::harness::client::{ask, post};
use crate::harness::listener::Answered;
use crate::harness::server::{Kind, Server};
use crate::harness::workspace::end_with_input;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::SigningKey as _;
use serde_json::Value;
use std::sync::OnceLock;

const WEBHOOKS: &str = r#"
body: json
verify:
  - certificate:
      algorithm: ecdsa_p256_sha256
      header: Acme-Signature
      certificate_url_header: Acme-Certificate
      within: [acme.example]
      signed: [{ header: Acme-Id }, { text: "|" }, { value: "${webhook.id}" }, { text: "|" }, crc32_of_body]
  - ask: { operation: confirm_call, input: { id: "${header.Acme-Id}", event: "${body/id}" } }
registration: { by_hand: { page: "https://acme.example/settings", steps: enter the address } }
dedup: { key: ["${body/id}"], keep_days: 7 }
kind: "${body/type}"
acknowledge: { status: 200, within_seconds: 10 }
events:
  - kinds: [left]
    emits: member_left
    about: "${body/email}"
    fields: { email: { value: "${body/email}", type: email, privacy: personal, required: true } }
"#;
const CONFIRM: &str = r#"
confirm_call:
  does: tells whether a call is its own
  effect: read
  input:
    id: { type: text, privacy: plain, required: true }
    event: { type: text, privacy: plain, required: true }
  request: { http: { method: GET, path: "/confirm/${input.id}", query: { event: "${input.event}" } } }
  answer: { is: { at: /Confirmed/Is, type: text, privacy: plain, required: true } }
"#;

/// A certificate with those that lead to its root, and the key that signs.
struct Signer {
    root: String,
    file: String,
    key: rcgen::KeyPair,
}

impl Signer {
    fn new(name: &str, ends: i32) -> Self {
        let authority = |name: &str| {
            let mut parameters = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
            parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
            (parameters, rcgen::KeyPair::generate().unwrap())
        };
        let (root, root_key) = authority("root of the tests");
        let root_certificate = root.self_signed(&root_key).unwrap();
        let (middle, middle_key) = authority("middle of the tests");
        let middle_certificate = middle.signed_by(&middle_key, &rcgen::Issuer::new(root, root_key)).unwrap();
        let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        leaf.not_before = rcgen::date_time_ymd(2020, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(ends, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &rcgen::Issuer::new(middle, middle_key)).unwrap();
        Self { root: root_certificate.pem(), file: format!("{}{}", certificate.pem(), middle_certificate.pem()), key }
    }
}

/// The provider's; one that has ended, one of another name, and one that nobody here trusts.
struct Signers {
    own: Signer,
    ended: Signer,
    elsewhere: Signer,
    stranger: Signer,
}

fn signers() -> &'static Signers {
    static SIGNERS: OnceLock<Signers> = OnceLock::new();
    SIGNERS.get_or_init(|| Signers {
        own: Signer::new("certificates.acme.example", 2090),
        ended: Signer::new("certificates.acme.example", 2021),
        elsewhere: Signer::new("certificates.example", 2090),
        stranger: Signer::new("certificates.acme.example", 2090),
    })
}

/// Certificates by their names, and the provider's word by the id of a call.
fn answers(line: &str, _: &str) -> Answered {
    let path = line.split(' ').nth(1).unwrap_or_default();
    let signers = signers();
    let file = |signer: &Signer| (200, "application/x-pem-file", signer.file.clone());
    match path {
        "/certificates/own" => file(&signers.own),
        "/certificates/ended" => file(&signers.ended),
        "/certificates/elsewhere" => file(&signers.elsewhere),
        "/certificates/stranger" => file(&signers.stranger),
        "/confirm/denied?event=1" => (403, "application/xml", "<Error><Code>E1</Code></Error>".to_owned()),
        "/confirm/away?event=1" => (503, "text/html", "<html>".to_owned()),
        _ if path.starts_with("/confirm/") => {
            (200, "application/xml", "<Confirmed><Is>yes</Is></Confirmed>".to_owned())
        }
        _ => (404, "text/plain", String::new()),
    }
}

/// A call: who signs it, where its certificate is said to be, its id, and what our address is called in what is signed.
struct Call<'c> {
    by: &'c Signer,
    at: &'c str,
    id: &'c str,
    webhook: &'c str,
}

#[test]
fn calls_are_proved_by_a_certificate_and_by_the_providers_word() {
    let (address, all) = provider(answers);
    let key = private_key();
    let Signers { own, ended, elsewhere, stranger } = signers();
    let call = Call { by: own, at: "https://certificates.acme.example/certificates/own", id: "c-1", webhook: "w-1" };
    let body = r#"{"id":"1","type":"left","email":"ada@example.org"}"#;
    // What it is, the call, and the answer.
    let cases = [
        ("its own", Call { ..call }, 200),
        ("the same again", Call { ..call }, 200),
        ("of another address of ours", Call { webhook: "w-2", ..call }, 401),
        ("signed by somebody else", Call { by: stranger, ..call }, 401),
        (
            "with a certificate that nobody trusts",
            Call { by: stranger, at: "https://certificates.acme.example/certificates/stranger", ..call },
            401,
        ),
        (
            "with one that has ended",
            Call { by: ended, at: "https://certificates.acme.example/certificates/ended", ..call },
            401,
        ),
        (
            "with one of another name",
            Call { by: elsewhere, at: "https://certificates.acme.example/certificates/elsewhere", ..call },
            401,
        ),
        ("with one that lies elsewhere", Call { at: "https://acme.example.org/certificates/own", ..call }, 401),
        (
            "with one that does not come",
            Call { at: "https://certificates.acme.example/certificates/none", ..call },
            503,
        ),
        ("which the provider denies", Call { id: "denied", ..call }, 401),
        ("of which the provider cannot be asked", Call { id: "away", ..call }, 503),
    ];
    let told = Kind::all_here().into_iter().map(|kind| {
        let mut workspace = acme(address, &key, |name, text| match name {
            "webhooks.yaml" => WEBHOOKS.to_owned(),
            "operations.yaml" => format!("{text}{CONFIRM}"),
            _ => text,
        });
        end_with_input(&mut workspace.command(&["secrets", "set", "ACME_WEBHOOK_ID"]), "w-1").must_end_with(0);
        workspace.run_text(MEMBERS).must_end_with(0);
        workspace.run_text(CRM).must_end_with(0);
        let roots = workspace.path().join("roots.pem");
        std::fs::write(&roots, [own, ended, elsewhere].map(|signer| signer.root.clone()).concat()).unwrap();
        all.lock().unwrap().clear();
        let mut command = with_account(kind, &mut workspace, "output/integration/task_crm", address, &key);
        // The one that each of them takes whom to trust from.
        command.env("SSL_CERT_FILE", &roots).env("NODE_EXTRA_CA_CERTS", &roots).env("ACME_WEBHOOK_ID", "w-1");
        let server = Server::of(&mut command);
        let answered = cases.iter().map(|(what, Call { by, at, id, webhook }, status)| {
            let mut sum = flate2::Crc::new();
            sum.update(body.as_bytes());
            let signature = by.key.sign(format!("{id}|{webhook}|{}", sum.sum()).as_bytes()).unwrap();
            let mut request = post("/webhooks/acme", None, body);
            let signature = STANDARD.encode(signature);
            for (name, value) in [("Acme-Id", *id), ("Acme-Signature", &signature), ("Acme-Certificate", *at)] {
                request.headers.insert(name.to_owned(), value.to_owned());
            }
            let answer = ask(server.address, &request, "").unwrap();
            assert_eq!(answer.status, *status, "{what}: {}", server.log());
            let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            (*what, answer.status, document["code"].clone(), document["detail"].clone())
        });
        let answered: Vec<_> = answered.collect();
        assert_eq!(workspace.query("SELECT kind FROM inbox_events"), [["left"]], "once, and nobody else's");
        let log = server.log();
        for why in [
            "nobody we trust stands behind it",
            "it has ended",
            "its address is not the provider's",
            "no certificate came",
            "it is not its own",
        ] {
            assert!(log.contains(why), "{why}: {log}");
        }
        let came: Vec<String> = all.lock().unwrap().iter().map(|came| came.line.clone()).collect();
        let fetched = came.iter().filter(|line| line.contains("/certificates/own")).count();
        assert_eq!(fetched, 1, "one file for all of them: {came:?}");
        (answered, came)
    });
    let told: Vec<_> = told.collect();
    for (answered, _) in &told[1..] {
        assert_eq!(answered, &told[0].0);
    }
}
