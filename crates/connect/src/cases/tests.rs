//! Every provider's cases are played, and a provider's own package sends what its cases say.

use super::{Difference, play};
use crate::testbed::{folder, served};
use catalog::ProviderFolder;
use manifest::cases::Cases;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn differences(folder: &ProviderFolder, change: impl Fn(&mut Cases)) -> Vec<Difference> {
    let mut cases = folder.cases().unwrap();
    change(&mut cases);
    play(&folder.read().unwrap(), &cases)
}

#[test]
fn every_case_comes_to_what_it_says() {
    for name in ["stripe", "twilio"] {
        assert_eq!(differences(&folder(name), |_| {}), [], "{name}");
    }
}

/// The provider of the page that describes the format.
#[test]
fn the_cases_of_the_page_come_to_what_they_say() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md")).unwrap();
    let block = |rest: &str| {
        let (name, text) = rest.split("```").next().unwrap().split_once('\n').unwrap();
        (name.trim_start_matches("# ").to_owned(), text.to_owned())
    };
    let files = page.split("```yaml\n").skip(1).map(block).collect();
    let acme = ProviderFolder { name: "acme".to_owned(), path: "acme".to_owned(), files };
    assert_eq!(differences(&acme, |_| {}), []);
    // Each part of a case counts.
    let wrong = differences(&acme, |cases| {
        let case = &mut cases.cases[0];
        let sends = case.sends.as_mut().unwrap();
        sends.url.push('x');
        sends.body.push('x');
        sends.method = manifest::operation::Method::Put;
        sends.headers = [("Idempotency-Key".to_owned(), "x".to_owned())].into_iter().collect();
        case.answers[0].answer = [(crate::testbed::field("id"), manifest::Template::Number(1))].into_iter().collect();
        case.answers[1].means = manifest::outcome::Meaning::Permanent;
        case.answers[1].code = Some("x".to_owned());
    });
    assert_eq!(wrong.len(), 7, "{wrong:#?}");
}

/// What the package sends, compared with the cases that say that it does, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_packages_of_the_providers_send_what_their_cases_say() {
    let packages =
        [("stripe", "stripe"), ("hubspot", "@hubspot/api-client"), ("mailchimp", "@mailchimp/mailchimp_marketing")];
    for (provider, package) in packages {
        let modules = std::env::var_os("NODE_MODULES").map(PathBuf::from);
        match modules.filter(|folder| folder.join(package).is_dir()) {
            Some(modules) => sends_what_its_cases_say(&modules, provider, package).await,
            None => {
                let why = format!("SKIPPED the package of {provider}: NODE_MODULES names no folder with it\n");
                let _ = std::io::stderr().write_all(why.as_bytes());
            }
        }
    }
}

async fn sends_what_its_cases_say(modules: &Path, provider: &str, package: &str) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&seen);
    let (_, at) = served(move |request| {
        written.lock().unwrap().push(request.to_owned());
        (200, r#"{"id":"x","object":"x"}"#.to_owned())
    })
    .await;
    // A module looks for others beside itself.
    let beside = tempfile::Builder::new().prefix("package").tempdir_in(modules.parent().unwrap()).unwrap();
    let script = beside.path().join("script.mjs");
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages");
    std::fs::copy(packages.join(format!("{provider}.mjs")), &script).unwrap();
    let port = at.rsplit(':').next().unwrap().to_owned();
    let ended =
        tokio::task::spawn_blocking(move || std::process::Command::new("node").arg(script).arg(port).output().unwrap());
    let ended = ended.await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));

    let cases = folder(provider).cases().unwrap();
    let of_package = format!("npm:{package}");
    let is_of_package = |case: &&manifest::cases::Case| case.origin.source == of_package;
    let said: Vec<_> = cases.cases.iter().filter(is_of_package).map(|case| case.sends.clone().unwrap()).collect();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), said.len());
    for (request, case) in seen.iter().zip(said) {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let path = case.url.splitn(4, '/').nth(3).unwrap();
        let first = format!("{} /{path} HTTP/1.1", case.method.as_str());
        assert_eq!((head.lines().next().unwrap(), body), (first.as_str(), case.body.as_str()));
        let headers: Vec<(String, &str)> = head
            .lines()
            .skip(1)
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect();
        for (name, value) in case.headers.iter() {
            assert!(headers.contains(&(name.to_lowercase(), value)), "{name}: {value} is not in\n{head}");
        }
    }
}
