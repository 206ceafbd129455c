//! Manifests of providers: folders go in, what is wrong with them and what they say comes out. The page that describes the format
//! holds a whole manifest; each case of `tests/cases/providers` changes a file of it (`operations.more.yaml` is written behind
//! `operations.yaml`) and holds what `producer providers lint` answers.

use crate::harness::client::{ask, get};
use crate::harness::played::Played;
use crate::harness::workspace::{Ended, Workspace, end, end_with_input, files, producer};
use crate::harness::{is_updating, repository};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

/// The file of a block of YAML: its first line says it.
fn named(block: &str) -> (String, String) {
    let (name, text) = block.split_once('\n').unwrap();
    (name.trim_start_matches("# ").to_owned(), text.to_owned())
}

fn blocks(page: &str) -> Vec<(String, String)> {
    page.split("```yaml\n").skip(1).map(|rest| named(rest.split("```").next().unwrap())).collect()
}

/// A workspace with the provider of the page.
fn with_the_example() -> Workspace {
    let workspace = Workspace::new();
    let folder = workspace.path().join("providers/acme");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in blocks(&fs::read_to_string(repository("docs/providers.md")).unwrap()) {
        fs::write(folder.join(name), text).unwrap();
    }
    workspace
}

fn write(workspace: &Workspace, name: &str, text: &str) {
    let folder = workspace.path().join("providers/acme");
    match name.split_once(".more") {
        Some((stem, extension)) => {
            let path = folder.join(format!("{stem}{extension}"));
            let before = fs::read_to_string(&path).unwrap();
            fs::write(path, before + text).unwrap();
        }
        None => fs::write(folder.join(name), text).unwrap(),
    }
}

fn lint(workspace: &Workspace) -> Ended {
    end(&mut workspace.command(&["providers", "lint"]))
}

fn cases() -> Vec<std::path::PathBuf> {
    let folder = repository("tests/cases/providers");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn the_example_of_the_page_is_whole() {
    let workspace = with_the_example();
    assert_eq!(lint(&workspace).must_end_with(0).stdout, "nothing is wrong\n");
    let mut by_path = workspace.command(&["providers", "lint"]);
    let ended = end(by_path.arg(workspace.path().join("providers/acme"))).must_end_with(0);
    assert_eq!(ended.stdout, "nothing is wrong\n");
    let json = end(&mut workspace.command(&["providers", "lint", "--format", "json"])).must_end_with(0);
    assert_eq!(json.stdout, "[]\n");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let mut wrong = Vec::new();
    for case in cases() {
        let workspace = with_the_example();
        for (name, text) in files(&case) {
            if name != "expected.txt" {
                write(&workspace, &name, std::str::from_utf8(&text).unwrap());
            }
        }
        let ended = lint(&workspace).must_end_with(2);
        let helped = ended.stderr.lines().filter(|line| line.contains(": help: ")).count();
        let understood = ended.stdout.lines().filter(|line| !line.contains(": IP260: ")).count();
        assert!(helped >= understood, "{}: each says what to do", case.display());
        let expected = case.join("expected.txt");
        if is_updating() {
            fs::write(&expected, &ended.stdout).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != ended.stdout {
            wrong.push(format!("{}\n{}", case.display(), ended.stdout));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_code_of_providers_has_its_page_and_a_case() {
    let expected: String =
        cases().iter().map(|case| fs::read_to_string(case.join("expected.txt")).unwrap_or_default()).collect();
    for code in catalog::PROVIDER_CODES {
        let page = end(&mut producer(&["explain", code.0])).must_end_with(0).stdout;
        assert!(page.starts_with(&format!("# {code}: ")) && page.lines().count() <= 16, "{page}");
        assert!(expected.contains(&format!(": {code}: ")), "{code} has no case");
        let [(name, text)] = &blocks(&page)[..] else { panic!("{code}: one example") };
        let workspace = with_the_example();
        let more = name.replace("operations.yaml", "operations.more.yaml");
        write(&workspace, &more, text);
        let ended = lint(&workspace).must_end_with(2);
        let codes: Vec<&str> = ended.stdout.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
        assert!(codes.contains(&code.0), "{code}: {}", ended.stdout);
    }
}

#[test]
fn providers_are_listed_with_what_they_need() {
    let workspace = with_the_example();
    let listed = end(&mut workspace.command(&["providers", "--format", "json"])).must_end_with(0).stdout;
    let listed: Vec<Json> = serde_json::from_str(&listed).unwrap();
    let of = |name: &str| listed.iter().find(|provider| provider["name"] == name).unwrap();
    assert_eq!((&of("acme")["state"], &of("acme")["origin"]), (&"described".into(), &"workspace".into()));
    assert_eq!((&of("stripe")["state"], &of("stripe")["origin"]), (&"described".into(), &"built_in".into()));
    assert_eq!(of("salesforce")["state"], "not_built");
    let need = &of("stripe")["needs"][0];
    assert_eq!(
        (&need["name"], &need["secret"], &need["optional"]),
        (&"secret_key".into(), &true.into(), &false.into())
    );
    assert!(need["page"].as_str().unwrap().starts_with("https://"));
    assert_eq!((&of("stripe")["simulated"], &of("acme")["simulated"]), (&true.into(), &false.into()));
    assert!(of("stripe")["verified"].as_array().unwrap().contains(&"npm:stripe 23.1.0".into()));
    assert_eq!(of("acme")["verified"], serde_json::json!(["npm:acme 3.0.1"]));

    let table = end(&mut workspace.command(&["providers"])).must_end_with(0);
    assert!(table.stdout.starts_with("PROVIDER"), "{}", table.stdout);
    let shown = end(&mut workspace.command(&["providers", "acme"])).must_end_with(0).stdout;
    for line in ["api_key (secret, needed): API key", "newsletter_signup: makes a contact", "checkout: nothing: orders"]
    {
        assert!(shown.contains(line), "{shown}");
    }
    let unknown = end(&mut workspace.command(&["providers", "strip"])).must_end_with(1);
    assert!(unknown.stderr.contains("did you mean `stripe`?"), "{}", unknown.stderr);
}

#[test]
fn a_wrong_one_is_listed_as_wrong_and_hides_no_other() {
    let workspace = with_the_example();
    write(&workspace, "provider.yaml", "provider: acme\n");
    let table = end(&mut workspace.command(&["providers"])).must_end_with(0).stdout;
    let line = table.lines().find(|line| line.starts_with("acme")).unwrap();
    assert!(line.contains("wrong") && table.contains("stripe"), "{table}");
    let shown = end(&mut workspace.command(&["providers", "acme"])).must_end_with(1);
    assert!(shown.stderr.contains("providers lint"), "{}", shown.stderr);
    fs::write(workspace.path().join("providers/acme/points.yaml"), b"points: \xff").unwrap();
    let ended = lint(&workspace).must_end_with(2);
    assert!(ended.stdout.starts_with("providers/acme/points.yaml:1:9: "), "{}", ended.stdout);
}

#[test]
fn a_folder_without_providers_is_said_to_be_one() {
    let workspace = Workspace::new();
    let ended = lint(&workspace).must_end_with(1);
    assert!(ended.stderr.contains("no folder of a provider"), "{}", ended.stderr);
    let folder = repository("tests/cases/golden");
    let ended = end(workspace.command(&["providers", "lint"]).arg(&folder)).must_end_with(2);
    assert!(ended.stdout.contains("`provider.yaml` is missing"), "{}", ended.stdout);
    assert!(Path::new(&folder).is_dir());
}

/// A manifest is tried at what plays the provider: what is made there is made once and taken back, and it is known afterwards.
#[test]
fn a_provider_is_tried_with_a_key_of_its_test_system_alone() {
    let workspace = Workspace::new();
    let played = Played::start(&workspace, "stripe", &[]);
    let settings = format!("[simulated]\nstripe = \"{}\"\n", played.told("address"));
    fs::write(workspace.path().join("producer.toml"), settings).unwrap();
    let verify = |more: &[&str]| end(workspace.command(&["providers", "verify", "stripe"]).args(more));
    let set = |value: &str| {
        end_with_input(&mut workspace.command(&["secrets", "set", "STRIPE_SECRET_KEY"]), value).must_end_with(0)
    };
    let requests = || {
        let stripe = played.told("address").trim_start_matches("http://").parse().unwrap();
        let told = ask(stripe, &get("/_simulator/requests"), "").unwrap();
        serde_json::from_slice::<Json>(&told.body).unwrap()["requests"].as_array().unwrap().len()
    };
    let missing = verify(&[]).must_end_with(1).stderr;
    assert!(missing.contains("`producer secrets set STRIPE_SECRET_KEY` gives it"), "{missing}");
    set("sk_live_4eC39HqLyjWDarjtT1zdp7dc");
    let live = verify(&[]).must_end_with(1).stderr;
    assert!(live.contains("begins with `sk_test_`") && !live.contains("4eC39"), "{live}");
    assert_eq!(requests(), 0, "a live key is sent nowhere");

    set(played.told("secret_key"));
    let tried: Json = serde_json::from_str(&verify(&["--format", "json"]).must_end_with(0).stdout).unwrap();
    let outcome = |operation: &str| {
        let tried = tried["tried"].as_array().unwrap().iter().find(|tried| tried["operation"] == operation);
        tried.map(|tried| (tried["outcome"].as_str().unwrap().to_owned(), tried["detail"].as_str().unwrap().to_owned()))
    };
    let once = ("simulated".to_owned(), "sent twice under one key, done once".to_owned());
    assert_eq!(outcome("create_customer"), Some(once));
    assert_eq!(outcome("create_refund").unwrap().0, "not_verified");
    let stripe = played.told("address").trim_start_matches("http://").parse().unwrap();
    let kept = ask(stripe, &get("/_simulator/objects/customer"), "").unwrap();
    assert!(!String::from_utf8_lossy(&kept.body).contains("cus_"), "what was made is gone again");
    let shown = end(&mut workspace.command(&["providers", "stripe"])).must_end_with(0).stdout;
    assert!(shown.contains("at a simulator (") && shown.contains("0 otherwise"), "{shown}");

    drop(played);
    let away = verify(&[]).must_end_with(1);
    assert!(away.stdout.contains("the provider cannot be asked: no connection"), "{}", away.stdout);
    let still = end(&mut workspace.command(&["providers", "stripe"])).must_end_with(0).stdout;
    assert_eq!(still, shown, "what was known is not forgotten");
    let wrong = verify(&["--set", "secret_key=x"]).must_end_with(1).stderr;
    assert!(wrong.contains("a credential is a secret"), "{wrong}");
}
