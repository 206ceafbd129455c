//! What must hold of the data files, whoever adds one.

use super::*;
use crate::built_in_providers;
use crate::entity::fits;
use std::collections::BTreeSet;
use vocab::{FieldName, FieldType};

/// Plurals that some SQL engine keeps for itself.
const RESERVED: [&str; 8] = ["databases", "groups", "keys", "lines", "references", "rows", "schemas", "values"];
/// Longest body that an endpoint takes, in bytes: a value of the greatest length must fit.
const MAX_BODY_BYTES: u32 = 65_536;

fn catalog() -> Catalog {
    Catalog::built_in().unwrap()
}

#[test]
fn every_data_file_is_listed_and_can_be_read() {
    let catalog = catalog();
    for (folder, listed) in
        [("entities", ENTITY_FILES), ("intents", INTENT_FILES), ("mails", MAIL_FILES), ("tables", TABLE_FILES)]
    {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files: Vec<String> =
            path.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        assert_eq!(files, listed.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    }
    let names: Vec<String> = ENTITY_FILES.iter().map(|(file, _)| file.trim_end_matches(".yaml").to_owned()).collect();
    assert_eq!(
        catalog.entities.keys().map(ToString::to_string).collect::<Vec<_>>(),
        names,
        "a file is called after its entity"
    );
}

#[test]
fn a_mail_is_called_after_its_event_and_written_in_english_and_german() {
    let mails = catalog().mails;
    let names: Vec<String> = MAIL_FILES.iter().map(|(file, _)| file.trim_end_matches(".yaml").to_owned()).collect();
    assert_eq!(mails.keys().map(ToString::to_string).collect::<Vec<_>>(), names);
    for mail in mails.values() {
        let languages: Vec<&str> = mail.texts.iter().map(|text| text.language.as_str()).collect();
        assert_eq!(languages, ["en", "de"], "{}", mail.event);
        // Both say as much: whoever changes one changes the other.
        let lengths: BTreeSet<(usize, usize)> =
            mail.texts.iter().map(|text| (text.paragraphs.len(), text.closing.len())).collect();
        assert_eq!(lengths.len(), 1, "{}", mail.event);
    }
}

#[test]
fn rules_that_fit_everything_are_asked_last() {
    assert_eq!(INTENT_FILES.last().unwrap().0, "90-record.yaml");
    for (file, _) in INTENT_FILES {
        assert!(
            file.split_once('-').is_some_and(|(number, _)| number.len() == 2 && number.parse::<u8>().is_ok()),
            "{file}"
        );
    }
    let first_open = catalog().intents.iter().position(|intent| intent.last_segment.is_empty()).unwrap();
    assert!(catalog().intents[first_open..].iter().all(|intent| intent.last_segment.is_empty()));
}

#[test]
fn a_table_belongs_to_one_entity_and_is_its_plural() {
    let mut tables = BTreeSet::new();
    let catalog = catalog();
    for entity in catalog.entities.values().chain(catalog.tables.values()) {
        assert!(tables.insert(entity.table.clone()), "{} is there twice", entity.table);
        assert_eq!(entity.table.as_str(), plural(entity.entity.as_str()));
        assert!(!RESERVED.contains(&entity.table.as_str()), "{}", entity.table);
        assert!(!entity.comment.ends_with('.') && !entity.comment.is_empty(), "{}", entity.entity);
    }
}

fn plural(word: &str) -> String {
    for (single, plural) in [("person", "people"), ("quiz", "quizzes")] {
        if let Some(before) = word.strip_suffix(single) {
            return format!("{before}{plural}");
        }
    }
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if ["s", "x", "z", "ch", "sh"].iter().any(|ending| word.ends_with(ending)) => format!("{word}es"),
        _ => format!("{word}s"),
    }
}

#[test]
fn fields_are_described_and_their_examples_fit() {
    let catalog = catalog();
    for entity in catalog.entities.values().chain(catalog.tables.values()) {
        let mut names = BTreeSet::new();
        for field in &entity.fields {
            let place = format!("{}.{}", entity.entity, field.name);
            assert!(names.insert(&field.name), "{place} is there twice");
            assert!(!OWN_COLUMNS.contains(&field.name.as_str()), "{place} is kept by the server");
            assert!(is_sentence(&field.description), "{place}: {}", field.description);
            assert!(fits(&field.field_type, &field.example), "{place}: {}", field.example);
            assert!(field.bounds.allow(&field.example_value()), "{place}: {}", field.example);
            assert!(field.default.as_ref().is_none_or(|default| field.bounds.allow(default)), "{place}");
            if let FieldType::Choice { words } = &field.field_type {
                let distinct: BTreeSet<&String> = words.iter().collect();
                assert!(words.len() > 1 && distinct.len() == words.len(), "{place}: {words:?}");
            }
            assert!(
                field.field_type.max_length().is_none_or(|max| max < MAX_BODY_BYTES - 10_000),
                "{place} is too long"
            );
        }
        assert!(
            entity.fields.iter().any(|field| field.presence == Presence::Required),
            "{} may be empty",
            entity.entity
        );
        for compared in &entity.compares {
            assert_eq!(entity.comparable(compared), Ok(()), "{}", entity.entity);
            let example =
                |name: &FieldName| entity.fields.iter().find(|field| field.name == *name).unwrap().example_value();
            let ordering = example(&compared.field).compare(&example(&compared.other)).unwrap();
            assert!(compared.comparator.holds(ordering), "{}: the examples break {compared:?}", entity.entity);
        }
        for taken in &entity.no_overlap {
            assert_eq!(entity.takes_time(taken), Ok(()), "{}", entity.entity);
        }
        for unique in &entity.unique {
            assert!(unique.iter().all(|field| names.contains(field)), "{}: {unique:?}", entity.entity);
            // The cases of an API tell records apart by what stands there.
            let has_room = |field: &Field| {
                matches!(field.field_type, FieldType::Line { max: 9.. } | FieldType::Email | FieldType::Uuid)
            };
            let of_set = entity.fields.iter().filter(|field| unique.contains(&field.name));
            assert!(of_set.clone().any(has_room), "{}: {unique:?}", entity.entity);
        }
    }
}

#[test]
fn the_examples_of_words_fit() {
    for rule in &catalog().words {
        assert!(fits(&rule.field_type, &rule.example), "{}", rule.example);
        assert!(!rule.because.is_empty() && !rule.because.ends_with('.'), "{}", rule.because);
    }
}

#[test]
fn a_check_of_examples_that_fails() {
    for (field_type, example) in [
        (FieldType::Line { max: 3 }, "four"),
        (FieldType::Line { max: 30 }, "two\nlines"),
        (FieldType::Line { max: 30 }, " "),
        (FieldType::Email, "ada"),
        (FieldType::Email, "ada@example"),
        (FieldType::Phone, "1234"),
        (FieldType::Phone, "call me at noon"),
        (FieldType::Url, "example.com"),
        (FieldType::Integer, "1.5"),
        (FieldType::Boolean, "yes"),
        (FieldType::Timestamp, "2026-01-02"),
        (FieldType::Timestamp, "2026-01-02 03:04:05.678Z"),
        (FieldType::Uuid, "019c0f3e"),
        (FieldType::Json, "text"),
        (FieldType::Date, "2026-01"),
        (FieldType::Decimal { scale: 2 }, "12.5"),
        (FieldType::Choice { words: vec!["open".to_owned()] }, "closed"),
        (FieldType::Code { letters: 3 }, "eur"),
    ] {
        assert!(!fits(&field_type, example), "{example}");
    }
    for wrong in ["", "no capital.", "No full stop", "Two.. stops.."] {
        assert!(!is_sentence(wrong), "{wrong}");
    }
}

fn is_sentence(text: &str) -> bool {
    text.starts_with(|first: char| first.is_uppercase()) && text.ends_with('.') && !text.ends_with("..")
}

#[test]
fn a_segment_is_claimed_by_one_rule() {
    let mut claimed = BTreeSet::new();
    let mut rules = BTreeSet::new();
    for intent in &catalog().intents {
        assert!(rules.insert(intent.rule.clone()), "{} is there twice", intent.rule);
        for segment in &intent.last_segment {
            assert_eq!(segment, &spelled(segment), "{}: written with hyphens", intent.rule);
            let item = matches!(intent.path, PathKind::Item);
            assert!(
                claimed.insert((intent.method.clone(), item, segment.clone())),
                "{}: {segment} is claimed already",
                intent.rule
            );
        }
    }
}

/// The first rule that fits decides.
fn rule_of(catalog: &Catalog, method: &str, segment: &str) -> String {
    let rule = catalog.intents.iter().find(|intent| intent.reason(method, PathKind::Collection, segment).is_some());
    rule.unwrap().rule.clone()
}

#[test]
fn what_people_call_a_form_is_one() {
    let catalog = catalog();
    for (segment, rule) in [
        ("contact", "form.contact"),
        ("contact_us", "form.contact"),
        ("contactForm", "form.contact"),
        ("contact-messages", "form.contact"),
        ("feedback", "form.feedback"),
        ("submit-feedback", "form.feedback"),
        ("quote", "form.quote"),
        ("request_a_quote", "form.quote"),
        ("quote-requests", "form.quote"),
        ("booking", "form.booking"),
        ("book-a-table", "form.booking"),
        ("reservation", "form.booking"),
        ("support", "form.support"),
        ("support_ticket", "form.support"),
        ("waitlist", "form.waitlist"),
        ("joinWaitlist", "form.waitlist"),
        ("careers", "form.careers"),
        ("apply", "form.careers"),
        ("job-application", "form.careers"),
        ("request-callback", "form.callback"),
        ("register-for-event", "form.event_registration"),
        ("event_registrations", "form.event_registration"),
        ("RSVP", "form.rsvp"),
        ("report-bug", "form.bug_report"),
        ("bug-reports", "form.bug_report"),
        ("testimonial", "form.testimonial"),
        ("partnership", "form.partnership"),
        ("become-a-partner", "form.partnership"),
        ("request-demo", "form.demo"),
        ("volunteer", "form.volunteer"),
        ("complaint", "form.complaint"),
        ("survey", "form.survey"),
        ("survey-responses", "form.survey"),
        ("contact-sales", "form.contact"),
        ("quotation", "form.quote"),
        ("bookConsultation", "form.booking"),
        ("table-reservation", "form.booking"),
        ("raise-a-ticket", "form.support"),
        ("notify-me", "form.waitlist"),
        ("send-cv", "form.careers"),
        ("webinar-signup", "form.event_registration"),
        ("report-an-error", "form.bug_report"),
        ("become-a-sponsor", "form.partnership"),
        ("request-a-trial", "form.demo"),
        ("grievance", "form.complaint"),
        ("questionnaire", "form.survey"),
        ("suggestion-box", "form.suggestion"),
        ("feature_request", "form.suggestion"),
        ("submit-idea", "form.suggestion"),
        ("leave-a-review", "form.review"),
        ("refer-a-friend", "form.referral"),
        ("pledge", "form.donation_pledge"),
        ("refundRequest", "form.refund"),
        ("warranty-claim", "form.refund"),
        ("report-abuse", "form.abuse_report"),
        ("newsletter_signup", "newsletter.subscribe"),
        ("mailing_list", "newsletter.subscribe"),
        ("join-mailing-list", "newsletter.subscribe"),
        ("subscribe", "newsletter.subscribe"),
    ] {
        assert_eq!(rule_of(&catalog, "POST", segment), rule, "{segment}");
        assert_eq!(rule_of(&catalog, "GET", segment), "record.list", "{segment}");
    }
}

#[test]
fn what_people_call_a_collection_stays_one() {
    let catalog = catalog();
    for segment in [
        "contacts",
        "quotes",
        "bookings",
        "reservations",
        "appointments",
        "book",
        "books",
        "tickets",
        "ticket",
        "support-tickets",
        "waitlists",
        "jobs",
        "applications",
        "callback",
        "callbacks",
        "events",
        "event",
        "registration",
        "bugs",
        "issues",
        "testimonials",
        "partner",
        "partners",
        "partnerships",
        "demos",
        "volunteers",
        "complaints",
        "surveys",
        "survey-results",
        "newsletters",
        "reviews",
        "review",
        "comments",
        "suggestions",
        "ideas",
        "referrals",
        "donations",
        "donate",
        "refunds",
        "returns",
        "report",
        "reports",
        "subscriptions",
        "media",
        "images",
        "orders",
    ] {
        assert_eq!(rule_of(&catalog, "POST", segment), "record.create", "{segment}");
    }
}

#[test]
fn what_is_no_form_has_rules_of_its_own() {
    let catalog = catalog();
    for (method, segment, rule) in [
        ("POST", "unsubscribe", "newsletter.unsubscribe"),
        ("POST", "opt_out", "newsletter.unsubscribe"),
        ("DELETE", "unsubscribe", "newsletter.unsubscribe_by_delete"),
        ("DELETE", "newsletter", "newsletter.unsubscribe_by_delete"),
        ("POST", "files", "file.create"),
        ("POST", "upload", "file.create"),
        ("GET", "uploads", "file.list"),
        ("GET", "documents", "file.list"),
        ("GET", "health", "health.ask"),
        ("GET", "healthCheck", "health.ask"),
        ("GET", "status", "health.ask"),
        ("GET", "ping", "health.ask"),
        ("POST", "login", "account.login"),
        ("POST", "signIn", "account.login"),
        ("POST", "register", "account.register"),
        ("POST", "sign_up", "account.register"),
        ("POST", "logout", "account.logout"),
        ("GET", "me", "account.profile"),
    ] {
        assert_eq!(rule_of(&catalog, method, segment), rule, "{method} {segment}");
    }
}

#[test]
fn forms_tell_of_themselves() {
    let catalog = catalog();
    let general = EventName::parse("form_submission").unwrap();
    let mut events = BTreeSet::new();
    for intent in catalog.intents.iter().filter(|intent| intent.behavior.as_str() == "form_submission") {
        let event = intent.emits.as_ref().expect("a form names its event");
        assert!(events.insert(event.clone()), "{event} is told by two forms");
        assert_eq!(catalog.generalisations(event), std::slice::from_ref(&general));
        assert!(intent.because.contains("`{segment}`"), "{}", intent.rule);
        let entity = &catalog.entities[intent.entity.as_ref().unwrap()];
        for field in &entity.fields {
            let of_a_person =
                matches!(field.field_type, FieldType::Email | FieldType::Phone) || field.name.as_str() == "name";
            assert!(!of_a_person || field.sensitivity == Sensitivity::Personal, "{}.{}", entity.entity, field.name);
        }
        // A refusal of what is there already would tell strangers who has written.
        assert!(entity.unique.is_empty(), "{}", intent.rule);
    }
    assert_eq!(events.len(), 23);
}

#[test]
fn every_event_is_told_by_a_rule_or_a_provider_or_concerns_one() {
    let catalog = catalog();
    let of_providers: BTreeSet<EventName> = built_in_providers()
        .iter()
        .flat_map(|folder| {
            let manifest = folder.read().unwrap();
            let points = manifest.points.points.iter().map(|(event, _)| event.clone()).collect::<Vec<_>>();
            let webhooks = manifest.webhooks.into_iter().flat_map(|webhooks| webhooks.events);
            points.into_iter().chain(webhooks.filter_map(|event| event.emits))
        })
        .collect();
    let told: BTreeSet<&EventName> = catalog.intents.iter().filter_map(|intent| intent.emits.as_ref()).collect();
    let special = told.iter().copied().chain(&of_providers);
    let general: BTreeSet<EventName> = special.flat_map(|event| catalog.generalisations(event)).collect();
    for (name, event) in &catalog.events {
        assert!(told.contains(name) || general.contains(name) || of_providers.contains(name), "{name}");
        assert!(event.also.iter().chain(&event.with).all(|also| catalog.events.contains_key(also)), "{name}");
        for spelled in &event.spelled {
            let meant = |event: &&Event| event.event == *spelled || event.spelled.contains(spelled);
            assert_eq!(catalog.events.values().filter(meant).count(), 1, "{spelled} means several");
        }
    }
}

#[test]
fn a_segment_names_an_entity() {
    let catalog = catalog();
    let named = |segment| catalog.entity_of_segment(segment).map(|entity| entity.entity.as_str());
    for (segment, expected) in [
        ("contacts", Some("contact")),
        ("contact-messages", Some("contact_message")),
        ("contactMessages", Some("contact_message")),
        ("Companies", Some("company")),
        ("task", Some("task")),
        ("complaints", Some("complaint")),
        ("complaint", Some("complaint")),
        // A form for something else: reading it is not reading the address book, nor the team's tickets.
        ("contact", None),
        ("support-ticket", None),
        ("unheard-of", None),
    ] {
        assert_eq!(named(segment), expected, "{segment}");
    }
}

#[test]
fn an_event_counts_as_the_more_general_ones() {
    let name = |text| EventName::parse(text).unwrap();
    assert_eq!(catalog().generalisations(&name("contact_form")), [name("form_submission")]);
    assert_eq!(catalog().generalisations(&name("form_submission")), []);
}

/// Every provider of this build is whole.
#[test]
fn providers_can_be_read() {
    for folder in built_in_providers() {
        assert_eq!(problems(&folder), "");
    }
    assert!(!built_in_providers().is_empty());
}

/// Providers that differ in every way the format knows: manifests that nothing carries out yet, so this build does not bring them.
#[test]
fn the_format_holds_providers_of_every_kind() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let mut told = String::new();
    for provider in folder.read_dir().unwrap() {
        let path = provider.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut files: Vec<(String, String)> = Vec::new();
        for file in path.read_dir().unwrap() {
            let file = file.unwrap();
            let text = std::io::read_to_string(std::io::BufReader::new(open(&file.path()))).unwrap();
            files.push((file.file_name().into_string().unwrap(), text));
        }
        told.push_str(&problems(&ProviderFolder { path: format!("manifests/{name}"), name, files }));
    }
    assert_eq!(told, "");
}

#[expect(clippy::disallowed_methods, reason = "a test reads files")]
fn open(path: &std::path::Path) -> std::fs::File {
    std::fs::File::open(path).unwrap()
}

/// What is wrong with a provider, and that it survives being part of a plan.
fn problems(folder: &ProviderFolder) -> String {
    match folder.read() {
        Err(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        Ok(manifest) => {
            let persisted = serde_json::to_string(&manifest).unwrap();
            let tree: serde_json::Value = serde_json::from_str(&persisted).unwrap();
            assert_eq!(serde_json::from_value::<manifest::Manifest>(tree).unwrap(), manifest, "{}", folder.path);
            String::new()
        }
    }
}
